// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for page blocks outside the direct map.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/initrd.h>
#include <linux/kmsan-checks.h>
#include <linux/list.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/mmzone.h>
#include <linux/page-isolation.h>
#include <linux/pagemap.h>
#include <linux/poison.h>
#include <linux/sched/mm.h>
#include <linux/set_memory.h>
#include <linux/smp.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "../../internal.h"
#include "../../page_alloc.h"
#include "../nodirmap.h"

#include <trace/events/nodirmap.h>

#define PATTERN		0x5a
#define BLOCK_PAGES	((unsigned int)pageblock_nr_pages)

/* What comes and goes on the lists of CPUs, and for page tables and slabs. */
#define SLACK		2048

static struct page *alloc_outside(gfp_t gfp, unsigned int order)
{
	return __alloc_pages(gfp, order, numa_node_id(), NULL, ALLOC_UNMAPPED);
}

static struct page *must_alloc_outside(struct kunit *test)
{
	struct page *page = alloc_outside(GFP_HIGHUSER, 0);

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

static bool readable(struct page *page)
{
	unsigned char byte;

	/* It may be free. */
	kmsan_unpoison_memory(page_address(page), 1);
	return !copy_from_kernel_nofault(&byte, page_address(page), 1);
}

struct look {
	struct page *page;
	unsigned int nr;
	atomic_t count;
};

static void count_readable(void *arg)
{
	struct look *look = arg;
	unsigned int i;

	for (i = 0; i < look->nr; i++)
		atomic_add(readable(look->page + i), &look->count);
}

/* How many of so many pages, on all CPUs together? */
static int nr_readable(struct page *page, unsigned int nr)
{
	struct look look = { page, nr, ATOMIC_INIT(0) };

	on_each_cpu(count_readable, &look, 1);
	return atomic_read(&look.count);
}

static void free_all(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

static unsigned long nr_free(void)
{
	drain_all_pages(NULL);
	return global_zone_page_state(NR_FREE_PAGES);
}

static unsigned long nr_out(void)
{
	return global_zone_page_state(NR_NODIRMAP);
}

static unsigned long vm_event(enum vm_event_item item)
{
	static unsigned long events[NR_VM_EVENT_ITEMS];

	all_vm_events(events);
	return events[item];
}

static struct page *block_of(struct page *page)
{
	return pfn_to_page(pageblock_start_pfn(page_to_pfn(page)));
}

/* A block outside the direct map that is wholly free, and the only one. */
static struct page *free_block_outside(struct kunit *test)
{
	struct page *page;

	nodirmap_return_all(NULL);
	page = must_alloc_outside(test);
	__free_page(page);
	/* A page on a list of a CPU keeps its block from being whole. */
	drain_all_pages(NULL);
	return block_of(page);
}

static struct mm_struct *enter_new_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	kthread_use_mm(mm);
	mermap_prepare();
	return mm;
}

static void exit_mm_of_test(struct mm_struct *mm)
{
	kthread_unuse_mm(mm);
	mmput(mm);
}

/* Pages that held the pattern outside the direct map. */
static unsigned long *dirty;

static unsigned long alloc_dirty_outside(struct kunit *test, unsigned long nr,
					 struct list_head *pages)
{
	char *buffer = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	unsigned long got, bad = 0;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	memset(buffer, PATTERN, PAGE_SIZE);

	for (got = 0; got < nr; got++) {
		struct page *page = alloc_outside(GFP_HIGHUSER, 0);

		if (!page)
			break;
		list_add(&page->lru, pages);
		bad += !page_is_nodirmap(page) || kernel_page_present(page) ||
		       (got % 64 == 0 && readable(page));
		if (got % 8 == 0) {
			mermap_copy_to_page(page, 0, buffer, PAGE_SIZE);
			set_bit(page_to_pfn(page), dirty);
		}
		if (got % 1024 == 0)
			cond_resched();
	}
	KUNIT_EXPECT_EQ(test, 0, bad);
	return got;
}

static unsigned long alloc_and_look(struct kunit *test, unsigned long nr,
				    struct list_head *pages)
{
	unsigned long got, reused = 0, absent = 0, leaked = 0;

	for (got = 0; got < nr; got++) {
		struct page *page = alloc_page(GFP_HIGHUSER);

		if (!page)
			break;
		list_add(&page->lru, pages);
		if (page_is_nodirmap(page) || !kernel_page_present(page)) {
			absent++;
			continue;
		}
		if (test_bit(page_to_pfn(page), dirty)) {
			reused++;
			kmsan_unpoison_memory(page_address(page), PAGE_SIZE);
			leaked += !!memchr(page_address(page), PATTERN, PAGE_SIZE);
		}
		if (got % 1024 == 0)
			cond_resched();
	}
	kunit_info(test, "%lu ordinary pages, %lu of them were outside the direct map\n",
		   got, reused);
	KUNIT_EXPECT_EQ(test, 0, absent);
	KUNIT_EXPECT_EQ(test, 0, leaked);
	KUNIT_EXPECT_GT(test, reused, 0);
	return got;
}

/*
 * More than half of the memory goes out and comes back: it cannot be other
 * memory that comes back, and nobody sees there what was in it.
 */
static void both_ways(struct kunit *test)
{
	unsigned long before, out_before, nr, got;
	struct mm_struct *mm;
	LIST_HEAD(pages);

	dirty = vzalloc(BITS_TO_LONGS(max_pfn) * sizeof(long));
	KUNIT_ASSERT_NOT_NULL(test, dirty);
	mm = enter_new_mm(test);

	nodirmap_return_all(NULL);
	before = nr_free();
	out_before = nr_out();
	nr = before / 8 * 5;

	got = alloc_dirty_outside(test, nr, &pages);
	KUNIT_EXPECT_EQ(test, nr, got);
	KUNIT_EXPECT_GE(test, nr_out() - out_before, got);
	free_all(&pages);

	got = alloc_and_look(test, nr, &pages);
	KUNIT_EXPECT_EQ(test, nr, got);
	free_all(&pages);

	nodirmap_return_all(NULL);
	KUNIT_EXPECT_EQ(test, nr_out(), out_before);
	KUNIT_EXPECT_LT(test, abs((long)(nr_free() - before)), SLACK);

	exit_mm_of_test(mm);
	vfree(dirty);
}

/* As long as a page of it is in use a block stays where it is. */
static void block_in_use_stays(struct kunit *test)
{
	struct page *page = must_alloc_outside(test);
	struct page *block = block_of(page);

	/* Nor can it be saved in an image. */
	KUNIT_EXPECT_FALSE(test, nodirmap_drop());
	KUNIT_EXPECT_TRUE(test, page_is_nodirmap(block));
	KUNIT_EXPECT_FALSE(test, kernel_page_present(page));

	__free_page(page);
	nodirmap_return_all(NULL);
	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(block));
	KUNIT_EXPECT_TRUE(test, kernel_page_present(page));
	KUNIT_EXPECT_TRUE(test, readable(page));
}

static struct page *last_block;

static int real_zap(struct page *page)
{
	return set_direct_map_valid_noflush(page, BLOCK_PAGES, false);
}

/* Every CPU has the block in its TLB when it leaves the direct map. */
static int read_and_zap(struct page *page)
{
	nr_readable(page, BLOCK_PAGES);
	last_block = page;
	return real_zap(page);
}

static void no_tlb_has_it(struct kunit *test)
{
	struct page *page;

	nodirmap_return_all(NULL);
	last_block = NULL;
	kunit_activate_static_stub(test, nodirmap_zap_block, read_and_zap);
	page = must_alloc_outside(test);
	kunit_deactivate_static_stub(test, nodirmap_zap_block);

	/* A page that is left over elsewhere would do, too; none should be. */
	KUNIT_ASSERT_NOT_NULL(test, last_block);
	KUNIT_EXPECT_PTR_EQ(test, block_of(page), last_block);
	KUNIT_EXPECT_EQ(test, 0, nr_readable(last_block, BLOCK_PAGES));
	__free_page(page);
}

#ifdef CONFIG_X86
/* The entry of a block in the direct map if it is one for 2 MiB, or 0. */
static pteval_t large_entry(struct page *block)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)page_address(block), &level);

	return pte && level == PG_LEVEL_2M ? pte_val(*pte) & ~_PAGE_ACCESSED : 0;
}

/* By number of the block. */
static pteval_t *large_entries(unsigned long nr)
{
	pteval_t *entries = vcalloc(nr, sizeof(*entries));
	unsigned long i;

	for (i = 0; entries && i < nr; i++) {
		struct page *block = pfn_to_online_page(i * BLOCK_PAGES);

		if (block)
			entries[i] = large_entry(block);
	}
	return entries;
}
#endif

/* The entry of a block is never split, and is what it was when it is back. */
static void entry_stays_large(struct kunit *test)
{
#ifdef CONFIG_X86
	unsigned long nr = DIV_ROUND_UP(max_pfn, BLOCK_PAGES), splits, i;
	unsigned int looked = 0, small = 0, changed = 0;
	pteval_t *before, *after;
	struct page *page;
	LIST_HEAD(pages);

	nodirmap_return_all(NULL);
	before = large_entries(nr);
	KUNIT_ASSERT_NOT_NULL(test, before);
	splits = vm_event(DIRECT_MAP_LEVEL2_SPLIT);

	for (i = 0; i < 8 * BLOCK_PAGES; i++)
		list_add(&must_alloc_outside(test)->lru, &pages);
	list_for_each_entry(page, &pages, lru) {
		unsigned long pfn = page_to_pfn(page);

		if (!pageblock_aligned(pfn) || !before[pfn / BLOCK_PAGES])
			continue;
		looked++;
		small += !large_entry(page);
	}
	free_all(&pages);
	nodirmap_return_all(NULL);

	after = large_entries(nr);
	for (i = 0; after && i < nr; i++)
		changed += before[i] && after[i] != before[i];
	KUNIT_EXPECT_NOT_NULL(test, after);
	KUNIT_EXPECT_EQ(test, 0, small);
	KUNIT_EXPECT_EQ(test, 0, changed);
	KUNIT_EXPECT_EQ(test, splits, vm_event(DIRECT_MAP_LEVEL2_SPLIT));
	vfree(after);
	vfree(before);

	if (!looked)
		kunit_skip(test, "the direct map has no large entry for these blocks");
#else
	kunit_skip(test, "needs to know what the direct map is made of");
#endif
}

static bool fail_in_part;

static int fail_zap(struct page *page)
{
	last_block = page;
	if (fail_in_part)
		set_direct_map_valid_noflush(page, BLOCK_PAGES / 2, false);
	return -ENOMEM;
}

static void check_failed_zap(struct kunit *test, bool in_part)
{
	unsigned long before, out_before, fails, absent = 0;
	struct page *page;
	unsigned int i;

	nodirmap_return_all(NULL);
	before = nr_free();
	out_before = nr_out();
	fails = vm_event(NODIRMAP_ZAP_FAIL);

	last_block = NULL;
	fail_in_part = in_part;
	kunit_activate_static_stub(test, nodirmap_zap_block, fail_zap);
	page = alloc_outside(GFP_HIGHUSER, 0);
	kunit_deactivate_static_stub(test, nodirmap_zap_block);

	KUNIT_EXPECT_NULL(test, page);
	KUNIT_EXPECT_GT(test, vm_event(NODIRMAP_ZAP_FAIL), fails);
	KUNIT_EXPECT_EQ(test, nr_out(), out_before);
	KUNIT_EXPECT_LT(test, abs((long)(nr_free() - before)), SLACK);
	KUNIT_ASSERT_NOT_NULL(test, last_block);
	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(last_block));
	for (i = 0; i < BLOCK_PAGES; i++)
		absent += !kernel_page_present(last_block + i);
	KUNIT_EXPECT_EQ(test, 0, absent);

	/* It works again when there is no reason for it to fail. */
	page = must_alloc_outside(test);
	KUNIT_EXPECT_FALSE(test, kernel_page_present(page));
	__free_page(page);
}

static void zap_fails(struct kunit *test)
{
	check_failed_zap(test, false);
}

static void zap_fails_in_part(struct kunit *test)
{
	check_failed_zap(test, true);
}

/* Every CPU has in its TLB what is mapped. */
static int fail_restore(struct page *page)
{
	last_block = page;
	set_direct_map_valid_noflush(page, BLOCK_PAGES / 2, true);
	nr_readable(page, BLOCK_PAGES / 2);
	return -ENOMEM;
}

/* What is free outside the direct map, exactly. */
struct counts {
	unsigned long out, free, free_blocks, managed;
};

static struct counts counts_of(struct zone *zone)
{
	return (struct counts) {
		.out = zone_page_state_snapshot(zone, NR_NODIRMAP),
		.free = zone_page_state_snapshot(zone, NR_FREE_NODIRMAP),
		.free_blocks = zone_page_state_snapshot(zone, NR_FREE_NODIRMAP_BLOCKS),
		.managed = zone_managed_pages(zone),
	};
}

static bool is_free(struct page *block)
{
	guard(spinlock_irqsave)(&page_zone(block)->lock);

	return PageBuddy(block);
}

/* The block is still outside the direct map, free, and counted as that. */
static void expect_outside(struct kunit *test, struct page *block,
			   struct counts before)
{
	struct counts now = counts_of(page_zone(block));

	KUNIT_EXPECT_TRUE(test, page_is_nodirmap(block));
	KUNIT_EXPECT_TRUE(test, is_free(block));
	KUNIT_EXPECT_EQ(test, 0, nr_readable(block, BLOCK_PAGES));
	KUNIT_EXPECT_EQ(test, now.out, before.out);
	KUNIT_EXPECT_EQ(test, now.free, before.free);
	KUNIT_EXPECT_EQ(test, now.free_blocks, before.free_blocks);
	KUNIT_EXPECT_EQ(test, now.managed, before.managed);
}

static void restore_fails(struct kunit *test)
{
	struct page *block = free_block_outside(test);
	struct counts before = counts_of(page_zone(block));
	unsigned long present = 0;
	unsigned int i;

	last_block = NULL;
	kunit_activate_static_stub(test, nodirmap_restore_block, fail_restore);
	nodirmap_return_all(NULL);
	kunit_deactivate_static_stub(test, nodirmap_restore_block);

	KUNIT_ASSERT_PTR_EQ(test, block, last_block);
	expect_outside(test, block, before);
	for (i = 0; i < BLOCK_PAGES; i++)
		present += kernel_page_present(block + i);
	KUNIT_EXPECT_EQ(test, 0, present);

	nodirmap_return_all(NULL);
	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(block));
	KUNIT_EXPECT_TRUE(test, kernel_page_present(block));
}

/* Memory failure may find a free page, and not have taken it yet. */
static void poisoned_block_stays_out(struct kunit *test)
{
	struct page *block, *page;
	struct counts before;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");

	block = free_block_outside(test);
	before = counts_of(page_zone(block));
	page = block + BLOCK_PAGES / 2;

	SetPageHWPoison(page);
	KUNIT_EXPECT_FALSE(test, nodirmap_return(page_zone(block), 0, GFP_KERNEL, 0));
	nodirmap_return_all(NULL);
	ClearPageHWPoison(page);
	expect_outside(test, block, before);

	nodirmap_return_all(NULL);
	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(block));
	KUNIT_EXPECT_TRUE(test, kernel_page_present(page));
}

/* Blocks for which even the undoing of a failure has failed. */
static struct page *lost[4];
static unsigned int nr_lost;

static int fail_undo(struct page *page, bool valid)
{
	if (nr_lost == ARRAY_SIZE(lost))
		return set_direct_map_valid_noflush(page, BLOCK_PAGES, valid);

	lost[nr_lost++] = page;
	return -ENOMEM;
}

/* As a free block outside the direct map. */
static void put_back_lost(struct page *block)
{
	freetype_t nodirmap = make_freetype(MIGRATE_UNMOVABLE, FREETYPE_NODIRMAP);
	unsigned long addr = (unsigned long)page_address(block);
	struct zone *zone = page_zone(block);

	real_zap(block);
	flush_tlb_kernel_range(addr, addr + BLOCK_PAGES * PAGE_SIZE);
	adjust_managed_page_count(block, BLOCK_PAGES);

	guard(spinlock_irqsave)(&zone->lock);
	free_pageblock(zone, block, nodirmap);
	__mod_zone_page_state(zone, NR_NODIRMAP, BLOCK_PAGES);
}

/* Those that are on no list: nobody can have them. */
static void find_lost(struct kunit *test)
{
	KUNIT_EXPECT_GT(test, nr_lost, 0);
	while (nr_lost) {
		struct page *block = lost[--nr_lost];

		KUNIT_EXPECT_FALSE(test, is_free(block));
		if (!is_free(block))
			put_back_lost(block);
	}
}

/* A block that could be on either side is on neither, and not counted there. */
static void lost_on_its_way_out(struct kunit *test)
{
	unsigned long out, total;
	struct page *page;

	nodirmap_return_all(NULL);
	out = nr_out();
	total = totalram_pages();
	nr_lost = 0;
	fail_in_part = true;
	kunit_activate_static_stub(test, nodirmap_zap_block, fail_zap);
	kunit_activate_static_stub(test, nodirmap_undo_block, fail_undo);
	kunit_warning_suppress(test)
		page = alloc_outside(GFP_HIGHUSER, 0);
	kunit_deactivate_static_stub(test, nodirmap_undo_block);
	kunit_deactivate_static_stub(test, nodirmap_zap_block);

	KUNIT_EXPECT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, nr_out(), out);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total - nr_lost * BLOCK_PAGES);

	find_lost(test);
	nodirmap_return_all(NULL);
	KUNIT_EXPECT_EQ(test, nr_out(), out);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
}

static void lost_on_its_way_back(struct kunit *test)
{
	struct page *block = free_block_outside(test);
	struct counts before = counts_of(page_zone(block)), now;

	nr_lost = 0;
	kunit_activate_static_stub(test, nodirmap_restore_block, fail_restore);
	kunit_activate_static_stub(test, nodirmap_undo_block, fail_undo);
	kunit_warning_suppress(test)
		nodirmap_return_all(NULL);
	kunit_deactivate_static_stub(test, nodirmap_undo_block);
	kunit_deactivate_static_stub(test, nodirmap_restore_block);

	now = counts_of(page_zone(block));
	KUNIT_EXPECT_EQ(test, 1, nr_lost);
	KUNIT_EXPECT_EQ(test, now.out, before.out - BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, now.free, before.free - BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, now.free_blocks, before.free_blocks - BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, now.managed, before.managed - BLOCK_PAGES);

	find_lost(test);
	expect_outside(test, block, before);
	nodirmap_return_all(NULL);
	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(block));
}

static bool buddy_beyond_block(struct page *page)
{
	return PageBuddy(page) && buddy_order(page) > pageblock_order;
}

/* Return: whether a block outside the direct map has a free neighbour in it. */
static bool is_at_border(struct kunit *test, struct zone *zone, unsigned long pfn)
{
	struct page *block = pfn_to_online_page(pfn);
	struct page *other = pfn_to_online_page(pfn ^ BLOCK_PAGES);
	bool free, merged;

	if (!block || !other || page_zone(block) != zone ||
	    page_zone(other) != zone ||
	    page_is_nodirmap(block) == page_is_nodirmap(other))
		return false;

	scoped_guard(spinlock_irqsave, &zone->lock) {
		free = PageBuddy(block) && PageBuddy(other);
		merged = buddy_beyond_block(min(block, other));
	}
	KUNIT_EXPECT_FALSE(test, merged);
	return free;
}

/* How many free blocks outside have a free neighbour in the direct map. */
static unsigned int look_at_borders(struct kunit *test)
{
	unsigned int looked = 0;
	struct zone *zone;

	for_each_populated_zone(zone) {
		unsigned long pfn = ALIGN(zone->zone_start_pfn, 2 * BLOCK_PAGES);

		for (; pfn + 2 * BLOCK_PAGES <= zone_end_pfn(zone); pfn += 2 * BLOCK_PAGES)
			looked += is_at_border(test, zone, pfn);
	}
	return looked;
}

/* A free block and its free neighbour become one only if they are of a kind. */
static void neighbours_do_not_merge(struct kunit *test)
{
	unsigned int looked = 0, blocks;
	LIST_HEAD(pages);

	if (pageblock_order >= MAX_PAGE_ORDER)
		kunit_skip(test, "no free page is larger than a block");

	/*
	 * With an odd number of blocks one has a neighbour in the direct map.
	 * Those whose neighbour is in use are taken first: more, then.
	 */
	for (blocks = 5; !looked && nr_free() > 2 * blocks * BLOCK_PAGES; blocks += 10) {
		nodirmap_return_all(NULL);
		for (unsigned long i = 0; i < blocks * BLOCK_PAGES; i++)
			list_add(&must_alloc_outside(test)->lru, &pages);
		free_all(&pages);
		drain_all_pages(NULL);
		looked = look_at_borders(test);
	}
	KUNIT_EXPECT_GT(test, looked, 0);
	nodirmap_return_all(NULL);
}

/* A request that may not block gets pages that are outside, and takes nothing out. */
static void atomic_takes_what_is_there(struct kunit *test)
{
	struct page *keep, *page;
	unsigned long out;

	nodirmap_return_all(NULL);
	out = nr_out();
	KUNIT_EXPECT_NULL(test, alloc_outside(GFP_ATOMIC, 0));
	KUNIT_EXPECT_NULL(test, alloc_outside(GFP_NOWAIT, 0));
	KUNIT_EXPECT_EQ(test, nr_out(), out);

	/* The list of this CPU may have all other pages of the block. */
	migrate_disable();
	keep = alloc_outside(GFP_HIGHUSER, 0);
	page = alloc_outside(GFP_ATOMIC, 0);
	migrate_enable();
	KUNIT_ASSERT_NOT_NULL(test, keep);
	__free_page(keep);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_TRUE(test, page_is_nodirmap(page));
	__free_page(page);
}

/* Nor puts anything back, even for memory in the direct map. */
static void atomic_returns_nothing(struct kunit *test)
{
	struct zone *zone = page_zone(free_block_outside(test));
	unsigned long out = nr_out();

	KUNIT_EXPECT_FALSE(test, nodirmap_return(zone, 0, GFP_ATOMIC, 0));
	KUNIT_EXPECT_FALSE(test, nodirmap_return(zone, 0, GFP_NOWAIT, 0));
	KUNIT_EXPECT_EQ(test, nr_out(), out);
	KUNIT_EXPECT_TRUE(test, nodirmap_return(zone, 0, GFP_KERNEL, 0));
	KUNIT_EXPECT_LT(test, nr_out(), out);
}

/* A request puts a block back when it is down to the last memory, and kswapd before. */
static void kswapd_is_first(struct kunit *test)
{
	struct zone *zone = page_zone(free_block_outside(test));
	unsigned long out = nr_out();

	KUNIT_EXPECT_FALSE(test, nodirmap_return(zone, 0, GFP_KERNEL, ALLOC_WMARK_LOW));
	KUNIT_EXPECT_FALSE(test, nodirmap_return(zone, 0, GFP_KERNEL, ALLOC_WMARK_HIGH));
	KUNIT_EXPECT_EQ(test, nr_out(), out);
	KUNIT_EXPECT_TRUE(test, nodirmap_return(zone, 0, GFP_KERNEL, ALLOC_WMARK_MIN));
	KUNIT_EXPECT_LT(test, nr_out(), out);
}

static int zap_elsewhere_only(struct page *page)
{
	return page_to_nid(page) == numa_node_id() ? -ENOMEM : real_zap(page);
}

/* A node with room for ordinary pages is where the memory has to be. */
static void no_block_of_another_node(struct kunit *test)
{
	struct page *page;

	if (nr_online_nodes < 2)
		kunit_skip(test, "needs a second node");

	nodirmap_return_all(NULL);
	migrate_disable();
	kunit_activate_static_stub(test, nodirmap_zap_block, zap_elsewhere_only);
	page = alloc_outside(GFP_HIGHUSER, 0);
	kunit_deactivate_static_stub(test, nodirmap_zap_block);
	migrate_enable();

	KUNIT_EXPECT_NULL(test, page);
	if (page)
		__free_page(page);
}

static void reclaim_takes_nothing_out(struct kunit *test)
{
	unsigned int flags;
	struct page *page;

	nodirmap_return_all(NULL);
	flags = memalloc_noreclaim_save();
	page = alloc_outside(GFP_KERNEL, 0);
	memalloc_noreclaim_restore(flags);
	KUNIT_EXPECT_NULL(test, page);
}

static void orders(struct kunit *test)
{
	struct page *page;
	unsigned int order, i;

	for (order = 1; order < pageblock_order; order++) {
		page = alloc_outside(GFP_KERNEL, order);
		KUNIT_ASSERT_NOT_NULL(test, page);
		for (i = 0; i < 1 << order; i++)
			KUNIT_EXPECT_FALSE(test, kernel_page_present(page + i));
		__free_pages(page, order);
	}
}

static void refused(struct kunit *test)
{
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_NULL(test, alloc_outside(GFP_KERNEL | __GFP_ZERO, 0));
		KUNIT_EXPECT_NULL(test, alloc_outside(GFP_HIGHUSER_MOVABLE, 0));
		KUNIT_EXPECT_NULL(test, alloc_outside(GFP_KERNEL | __GFP_RECLAIMABLE, 0));
		KUNIT_EXPECT_NULL(test, alloc_outside(GFP_KERNEL, pageblock_order + 1));
		KUNIT_EXPECT_NULL(test, __alloc_pages(0, 0, numa_node_id(), NULL,
						      ALLOC_UNMAPPED | ALLOC_NOLOCK));
	}
}

/* The free page that @page is part of. */
static struct page *free_head(struct page *page)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned int order;

	for (order = 0; order < NR_PAGE_ORDERS; order++) {
		struct page *head = page - (pfn & ((1UL << order) - 1));

		if (PageBuddy(head) && buddy_order(head) >= order)
			return head;
	}
	return NULL;
}

/* Who takes a free page from its list wants to use it through the direct map. */
static void not_taken_from_its_list(struct kunit *test)
{
	struct page *keep = must_alloc_outside(test);
	struct page *page = must_alloc_outside(test), *head;
	struct zone *zone = page_zone(page);
	int isolated = -1;

	/* The other page keeps the block where it is. */
	KUNIT_ASSERT_PTR_EQ(test, block_of(page), block_of(keep));
	__free_page(page);
	drain_all_pages(zone);

	scoped_guard(spinlock_irqsave, &zone->lock) {
		head = free_head(page);
		if (head)
			isolated = __isolate_free_page(head, buddy_order(head));
	}
	KUNIT_EXPECT_EQ(test, 0, isolated);
	__free_page(keep);
}

/* A free page holds nothing, or the pattern of page_poison. */
static void comes_back_clean(struct kunit *test)
{
	char wanted = page_poisoning_enabled_static() ? PAGE_POISON : 0, bytes[64];
	struct page *page = must_alloc_outside(test), *block = block_of(page);
	unsigned int i, looked = 0, bad = 0;

	memset(bytes, PATTERN, sizeof(bytes));
	mermap_copy_to_page(page, 0, bytes, sizeof(bytes));
	__free_page(page);
	nodirmap_return_all(NULL);

	scoped_guard(spinlock_irqsave, &page_zone(page)->lock) {
		for (i = 0; i < BLOCK_PAGES; i++) {
			void *addr = page_address(block + i);

			if (!free_head(block + i))
				continue;
			kmsan_unpoison_memory(addr, sizeof(bytes));
			bad += copy_from_kernel_nofault(bytes, addr, sizeof(bytes)) ||
			       memchr_inv(bytes, wanted, sizeof(bytes));
			looked++;
		}
	}
	KUNIT_EXPECT_GT(test, looked, 0);
	KUNIT_EXPECT_EQ(test, 0, bad);
}

/* A request for them has no second choice, even if other memory is free. */
static void no_fallback(struct kunit *test)
{
	freetype_t nodirmap = make_freetype(MIGRATE_UNMOVABLE, FREETYPE_NODIRMAP);
	struct page *keep = must_alloc_outside(test);
	struct zone *zone = page_zone(keep);
	enum fallback_result result;
	unsigned int order;
	freetype_t other;

	for (order = 0; order < NR_PAGE_ORDERS; order++) {
		scoped_guard(spinlock_irqsave, &zone->lock)
			result = find_suitable_fallback(&zone->free_area[order],
							order, nodirmap, false,
							&other);
		KUNIT_EXPECT_EQ(test, FALLBACK_EMPTY, result);
	}
	__free_page(keep);
}

/* The watermarks of a node, by zone. */
struct marks {
	unsigned long of[MAX_NR_ZONES][NR_WMARK];
};

/* From @lowest on, to more than the node has. */
static void raise_marks(pg_data_t *node, enum zone_watermarks lowest, struct marks *saved)
{
	unsigned int i, j;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &node->node_zones[i];

		memcpy(saved->of[i], zone->_watermark, sizeof(saved->of[i]));
		for (j = lowest; j < NR_WMARK; j++)
			zone->_watermark[j] = node->node_present_pages;
	}
}

static void restore_marks(pg_data_t *node, const struct marks *saved)
{
	unsigned int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		memcpy(node->node_zones[i]._watermark, saved->of[i], sizeof(saved->of[i]));
}

/* Not from the lists of a CPU, which may take a whole block, but past them. */
#define RESERVE_ORDER (PAGE_ALLOC_COSTLY_ORDER + 1)

/* Allocate as if so little were free in @node that the reserve is for it. */
static struct page *alloc_in_need(pg_data_t *node, unsigned int alloc_flags)
{
	struct marks marks;
	struct page *page;

	raise_marks(node, WMARK_LOW, &marks);
	page = __alloc_pages(GFP_ATOMIC | __GFP_THISNODE, RESERVE_ORDER,
			     node->node_id, NULL, alloc_flags);
	restore_marks(node, &marks);
	return page;
}

/* The reserve for requests that cannot wait is in the direct map. */
static void no_reserve_of_them(struct kunit *test)
{
	freetype_t nodirmap = make_freetype(MIGRATE_UNMOVABLE, FREETYPE_NODIRMAP);
	struct page *keep = alloc_outside(GFP_HIGHUSER, RESERVE_ORDER), *page;

	KUNIT_ASSERT_NOT_NULL(test, keep);
	page = alloc_in_need(page_pgdat(keep), ALLOC_UNMAPPED);

	KUNIT_EXPECT_NOT_NULL(test, page);
	if (page) {
		KUNIT_EXPECT_TRUE(test, freetype_equal(nodirmap, get_pageblock_freetype(page)));
		__free_pages(page, RESERVE_ORDER);
	}
	__free_pages(keep, RESERVE_ORDER);
}

static unsigned int nr_restored;

static int count_and_restore(struct page *page)
{
	nr_restored++;
	return nodirmap_undo_block(page, true);
}

/*
 * A request needs one block, even if the zone misses several.  Other tasks that need
 * memory meanwhile find blocks, too.
 */
static void one_block_is_enough(struct kunit *test)
{
	struct marks marks;
	struct page *page;
	LIST_HEAD(pages);
	pg_data_t *node;
	unsigned int i;

	for (i = 0; i < 8 * BLOCK_PAGES; i++) {
		page = must_alloc_outside(test);
		list_add(&page->lru, &pages);
	}
	node = page_pgdat(page);
	free_all(&pages);
	drain_all_pages(NULL);

	nr_restored = 0;
	kunit_activate_static_stub(test, nodirmap_restore_block, count_and_restore);
	raise_marks(node, WMARK_MIN, &marks);
	page = __alloc_pages((GFP_HIGHUSER | __GFP_NORETRY | __GFP_NOWARN |
			      __GFP_THISNODE) & ~__GFP_KSWAPD_RECLAIM,
			     0, node->node_id, NULL, ALLOC_DEFAULT);
	restore_marks(node, &marks);
	kunit_deactivate_static_stub(test, nodirmap_restore_block);

	KUNIT_EXPECT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, nr_restored, 1);
	if (page)
		__free_page(page);
	nodirmap_return_all(NULL);
}

/* A request that no single block can meet converts none. */
static void larger_requests_convert_none(struct kunit *test)
{
	struct alloc_context ac = {
		.zonelist = node_zonelist(numa_node_id(), GFP_KERNEL),
		.highest_zoneidx = gfp_zone(GFP_KERNEL),
	};
	struct zone *zone = page_zone(free_block_outside(test));
	unsigned long out = nr_out();

	if (pageblock_order >= MAX_PAGE_ORDER)
		kunit_skip(test, "no order is above that of a block");

	KUNIT_EXPECT_FALSE(test, nodirmap_return(zone, pageblock_order + 1, GFP_KERNEL,
						 ALLOC_WMARK_MIN));
	KUNIT_EXPECT_FALSE(test, nodirmap_return_last(GFP_KERNEL, pageblock_order + 1, &ac));
	KUNIT_EXPECT_EQ(test, nr_out(), out);
}

/* Where there is a reserve and nothing else, requests for them do without. */
static void no_use_of_reserve(struct kunit *test)
{
	struct page *reserved, *page;
	unsigned long reserve;

	/* This makes one, if the zone may have one. */
	reserved = alloc_in_need(NODE_DATA(numa_node_id()), 0);
	KUNIT_ASSERT_NOT_NULL(test, reserved);
	reserve = READ_ONCE(page_zone(reserved)->nr_free_highatomic);

	nodirmap_return_all(NULL);
	page = alloc_outside(GFP_ATOMIC, 0);
	KUNIT_EXPECT_NULL(test, page);
	if (page)
		__free_page(page);
	__free_pages(reserved, RESERVE_ORDER);

	if (!reserve)
		kunit_skip(test, "no reserve in a zone this small");
}

#ifdef CONFIG_COMPACTION
#define CAPTURE_ORDER (PAGE_ALLOC_COSTLY_ORDER + 1)

/* Is @page captured when it is freed during compaction for @freetype? */
static bool captured(struct page *page, freetype_t freetype)
{
	struct capture_control capc = {
		.zone = page_zone(page),
		.freetype = freetype,
		.order = CAPTURE_ORDER,
	};

	/* Kernel threads do not capture: pose as a user's task. */
	current->flags &= ~PF_KTHREAD;
	WRITE_ONCE(current->capture_control, &capc);
	__free_pages(page, CAPTURE_ORDER);
	WRITE_ONCE(current->capture_control, NULL);
	current->flags |= PF_KTHREAD;

	if (!capc.page)
		return false;

	/* As if it had been allocated. */
	set_page_private(page, 0);
	init_page_count(page);
	__free_pages(page, CAPTURE_ORDER);
	return true;
}

/* A request gets no page of the other kind from its own compaction. */
static void capture(struct kunit *test)
{
	freetype_t nodirmap = make_freetype(MIGRATE_UNMOVABLE, FREETYPE_NODIRMAP);
	freetype_t mapped = make_freetype(MIGRATE_UNMOVABLE, 0);
	struct page *outside, *page;

	page = alloc_pages(GFP_KERNEL, CAPTURE_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_FALSE(test, captured(page, nodirmap));

	outside = alloc_outside(GFP_KERNEL, CAPTURE_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, outside);
	KUNIT_EXPECT_FALSE(test, captured(outside, mapped));

	/* This is how it would look. */
	page = alloc_pages(GFP_KERNEL, CAPTURE_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_TRUE(test, captured(page, mapped));
}
#endif /* CONFIG_COMPACTION */

/* Free pages that a request cannot have do not count for it. */
static void watermarks(struct kunit *test)
{
	unsigned long nodirmap, free, mark;
	struct page *page;
	struct zone *zone;
	LIST_HEAD(pages);
	int i;

	for (i = 0; i < 4 * BLOCK_PAGES; i++) {
		page = must_alloc_outside(test);
		list_add(&page->lru, &pages);
	}
	zone = page_zone(page);
	free_all(&pages);
	drain_all_pages(zone);

	free = zone_page_state_snapshot(zone, NR_FREE_PAGES);
	nodirmap = zone_page_state_snapshot(zone, NR_FREE_NODIRMAP);
	KUNIT_EXPECT_GE(test, nodirmap, BLOCK_PAGES);
	KUNIT_EXPECT_GE(test, nodirmap, zone_page_state_snapshot(zone, NR_FREE_NODIRMAP_BLOCKS));
	KUNIT_EXPECT_GE(test, zone_page_state_snapshot(zone, NR_NODIRMAP), nodirmap);

	mark = free - nodirmap / 2;
	KUNIT_EXPECT_FALSE(test, __zone_watermark_ok(zone, 0, mark, 0, 0, free));
	KUNIT_EXPECT_TRUE(test, __zone_watermark_ok(zone, 0, mark - nodirmap, 0, 0, free) ||
			  zone->lowmem_reserve[0]);
	KUNIT_EXPECT_TRUE(test, __zone_watermark_ok(zone, 0, mark, zone_idx(zone),
						    ALLOC_UNMAPPED, free));
	nodirmap_return_all(NULL);
}

/* Free pages that cannot return to the direct map are not available. */
static void partly_free_is_not_available(struct kunit *test)
{
	const unsigned int nr = 8;
	unsigned long partial = 0;
	struct zone *zone;
	LIST_HEAD(firsts);
	LIST_HEAD(pages);
	long available;
	unsigned int i;

	if (nr_free() < 2 * nr * BLOCK_PAGES)
		kunit_skip(test, "too little memory for so many page blocks");

	nodirmap_return_all(NULL);
	for (i = 0; i < nr * BLOCK_PAGES; i++) {
		struct page *page = must_alloc_outside(test);
		bool first = pageblock_aligned(page_to_pfn(page));

		list_add(&page->lru, first ? &firsts : &pages);
	}
	drain_all_pages(NULL);
	available = si_mem_available();
	free_all(&pages);
	drain_all_pages(NULL);

	for_each_populated_zone(zone)
		partial += zone_free_nodirmap_partial(zone);
	KUNIT_EXPECT_GE(test, partial, (nr - 1) * BLOCK_PAGES);
	KUNIT_EXPECT_LT(test, si_mem_available() - available, SLACK);

	/* Whole blocks are. */
	free_all(&firsts);
	drain_all_pages(NULL);
	KUNIT_EXPECT_GE(test, si_mem_available() - available,
			(long)(nr * BLOCK_PAGES - SLACK));
	nodirmap_return_all(NULL);
}

static void last_before_oom(struct kunit *test)
{
	struct alloc_context ac = {
		.zonelist = node_zonelist(numa_node_id(), GFP_KERNEL),
		.highest_zoneidx = gfp_zone(GFP_KERNEL),
	};
	struct page *page, *block;

	nodirmap_return_all(NULL);
	page = must_alloc_outside(test);
	block = block_of(page);
	/* On the list of a CPU. */
	__free_page(page);

	ac.alloc_flags = ALLOC_UNMAPPED;
	KUNIT_EXPECT_FALSE(test, nodirmap_return_last(GFP_KERNEL, 0, &ac));
	KUNIT_EXPECT_TRUE(test, page_is_nodirmap(block));

	ac.alloc_flags = 0;
	KUNIT_EXPECT_TRUE(test, nodirmap_return_last(GFP_KERNEL, 0, &ac));
	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(block));
	KUNIT_EXPECT_TRUE(test, kernel_page_present(page));
	KUNIT_EXPECT_FALSE(test, nodirmap_return_last(GFP_KERNEL, 0, &ac));
}

/* Blocks that another task puts back are worth to wait for. */
static void returning_before_oom(struct kunit *test)
{
	struct alloc_context ac = {
		.zonelist = node_zonelist(numa_node_id(), GFP_KERNEL),
		.highest_zoneidx = gfp_zone(GFP_KERNEL),
	};
	struct page *page;
	atomic_t *returning;

	nodirmap_return_all(NULL);
	page = must_alloc_outside(test);
	returning = nodirmap_returning(page_zone(page));
	KUNIT_EXPECT_EQ(test, atomic_read(returning), 0);
	KUNIT_EXPECT_FALSE(test, nodirmap_return_last(GFP_KERNEL, 0, &ac));

	atomic_inc(returning);
	KUNIT_EXPECT_TRUE(test, nodirmap_return_last(GFP_KERNEL, 0, &ac));
	atomic_dec(returning);

	__free_page(page);
	nodirmap_return_all(NULL);
	KUNIT_EXPECT_EQ(test, atomic_read(returning), 0);
}

static void reclaim_returns(struct kunit *test)
{
	struct page *block = free_block_outside(test);
	int idx = zone_idx(page_zone(block));
	pg_data_t *node = page_pgdat(block);

	/* A lower zone would not help with it. */
	if (idx)
		KUNIT_EXPECT_FALSE(test, nodirmap_reclaim(node, idx - 1));
	KUNIT_EXPECT_TRUE(test, page_is_nodirmap(block));
	KUNIT_EXPECT_TRUE(test, nodirmap_reclaim(node, idx));
	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(block));
	KUNIT_EXPECT_TRUE(test, kernel_page_present(block));
	KUNIT_EXPECT_FALSE(test, nodirmap_reclaim(node, idx));
}

/* One block is not more than what stays: nobody else puts it back. */
static void kswapd_returns(struct kunit *test)
{
	struct page *block = free_block_outside(test);
	struct zone *zone = page_zone(block);
	struct marks marks;
	unsigned int i;

	raise_marks(page_pgdat(block), WMARK_HIGH, &marks);
	for (i = 0; i < 500 && page_is_nodirmap(block); i++) {
		/* Half a block is missing, without it; others may free some pages. */
		zone->_watermark[WMARK_HIGH] =
			zone_page_state_snapshot(zone, NR_FREE_PAGES) - BLOCK_PAGES / 2;
		/* It may have given up when other tests left nothing to reclaim. */
		kswapd_clear_hopeless(page_pgdat(block), KSWAPD_CLEAR_HOPELESS_OTHER);
		wakeup_kswapd(zone, GFP_KERNEL, 0, zone_idx(zone));
		msleep(20);
	}
	restore_marks(page_pgdat(block), &marks);

	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(block));
	nodirmap_return_all(NULL);
}

/* What nobody asks for comes back by itself, but for a small reserve. */
static void surplus_comes_back(struct kunit *test)
{
	unsigned long free;
	struct page *page;
	LIST_HEAD(pages);
	int i;

	/* A block may be of 32 MiB. */
	if (nr_free() < 50 * BLOCK_PAGES)
		kunit_skip(test, "too little memory for 50 page blocks");

	for (i = 0; i < 40 * BLOCK_PAGES; i++) {
		page = must_alloc_outside(test);
		list_add(&page->lru, &pages);
	}
	/* Not once they are free: the worker may be faster than the test. */
	KUNIT_EXPECT_GE(test, nr_out(), 20 * BLOCK_PAGES);
	free_all(&pages);
	drain_all_pages(NULL);

	for (i = 0; i < 300; i++) {
		free = global_zone_page_state(NR_FREE_NODIRMAP_BLOCKS);
		if (free <= 16 * BLOCK_PAGES && nr_out() <= 20 * BLOCK_PAGES)
			break;
		msleep(100);
	}
	KUNIT_EXPECT_LE(test, free, 16 * BLOCK_PAGES);
	KUNIT_EXPECT_LE(test, nr_out(), 20 * BLOCK_PAGES);
}

/* A page on a list of a CPU keeps its block from being whole, but not for long. */
static void lists_of_cpus_keep_nothing(struct kunit *test)
{
	const unsigned int nr = 24, few = 12;
	LIST_HEAD(firsts);
	LIST_HEAD(pages);
	unsigned int i;

	if (nodirmap_active())
		kunit_skip(test, "somebody has such memory");
	if (nr_free() < 2 * nr * BLOCK_PAGES)
		kunit_skip(test, "too little memory for so many page blocks");

	for (i = 0; i < nr * BLOCK_PAGES; i++) {
		struct page *page = must_alloc_outside(test);
		bool first = pageblock_aligned(page_to_pfn(page));

		list_add(&page->lru, first ? &firsts : &pages);
	}
	/* The worker drains the lists while all pages are in use, and that is no help. */
	msleep(3500);
	free_all(&pages);
	drain_all_pages(NULL);
	free_all(&firsts);

	for (i = 0; i < 300 && nr_out() > few * BLOCK_PAGES; i++)
		msleep(100);
	KUNIT_EXPECT_LE(test, nr_out(), few * BLOCK_PAGES);
}

/*
 * A block is cleared through an mm that no other CPU has, and that leaves nothing
 * behind, whichever mm the task has.
 */
static void return_flushes_no_mm(struct kunit *test)
{
#ifdef CONFIG_X86
	struct mm_struct *mm = enter_new_mm(test);
	unsigned int i, returned = 0;
	s64 before = atomic64_read(&mm->context.tlb_gen);

	for (i = 0; i < 8; i++) {
		struct page *page = must_alloc_outside(test);
		struct zone *zone = page_zone(page);

		__free_page(page);
		drain_all_pages(zone);
		returned += nodirmap_return(zone, 0, GFP_KERNEL, 0);
	}
	KUNIT_EXPECT_LT(test, 0, returned);
	KUNIT_EXPECT_EQ(test, before, atomic64_read(&mm->context.tlb_gen));
	exit_mm_of_test(mm);
#else
	kunit_skip(test, "needs to know how the architecture counts flushes");
#endif
}

#ifdef CONFIG_MEMORY_ISOLATION
static int isolate(struct page *block)
{
	unsigned long pfn = page_to_pfn(block);

	return start_isolate_page_range(pfn, pfn + BLOCK_PAGES,
					PB_ISOLATE_MODE_OTHER);
}

static void undo_isolate(struct page *block)
{
	unsigned long pfn = page_to_pfn(block);

	undo_isolate_page_range(pfn, pfn + BLOCK_PAGES);
}

/* Who isolates a block finds it in the direct map, or does not get it. */
static void isolation(struct kunit *test)
{
	struct page *page = must_alloc_outside(test);
	struct page *block = block_of(page);

	KUNIT_EXPECT_EQ(test, -EBUSY, isolate(block));
	KUNIT_EXPECT_FALSE(test, kernel_page_present(page));
	__free_page(page);

	/* All of it is free, and still it stays outside the direct map. */
	kunit_activate_static_stub(test, nodirmap_restore_block, fail_restore);
	KUNIT_EXPECT_EQ(test, -EBUSY, isolate(block));
	kunit_deactivate_static_stub(test, nodirmap_restore_block);
	KUNIT_EXPECT_TRUE(test, page_is_nodirmap(block));

	KUNIT_ASSERT_EQ(test, 0, isolate(block));
	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(block));
	KUNIT_EXPECT_TRUE(test, kernel_page_present(page));
	undo_isolate(block);
}

/* Only the first block: the request may try others. */
static int isolate_and_zap(struct page *page)
{
	if (!last_block && !isolate(page))
		last_block = page;
	return real_zap(page);
}

static void isolation_of_a_block_on_its_way(struct kunit *test)
{
	unsigned long before;
	struct page *page;

	nodirmap_return_all(NULL);
	before = nr_free();
	last_block = NULL;
	kunit_activate_static_stub(test, nodirmap_zap_block, isolate_and_zap);
	page = alloc_outside(GFP_HIGHUSER, 0);
	kunit_deactivate_static_stub(test, nodirmap_zap_block);

	KUNIT_ASSERT_NOT_NULL(test, last_block);
	KUNIT_EXPECT_EQ(test, MIGRATE_ISOLATE, get_pageblock_migratetype(last_block));
	KUNIT_EXPECT_TRUE(test, PageBuddy(last_block));
	KUNIT_EXPECT_TRUE(test, kernel_page_present(last_block));
	undo_isolate(last_block);
	KUNIT_EXPECT_FALSE(test, page_is_nodirmap(last_block));
	if (page)
		__free_page(page);
	nodirmap_return_all(NULL);
	KUNIT_EXPECT_LT(test, abs((long)(nr_free() - before)), SLACK);
}
#endif

static int init(struct kunit *test)
{
	if (!nodirmap_use_blocks())
		kunit_skip(test, "this machine has no such blocks");
	return 0;
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(both_ways),
	KUNIT_CASE(block_in_use_stays),
	KUNIT_CASE(no_tlb_has_it),
	KUNIT_CASE(entry_stays_large),
	KUNIT_CASE(zap_fails),
	KUNIT_CASE(zap_fails_in_part),
	KUNIT_CASE(restore_fails),
	KUNIT_CASE(poisoned_block_stays_out),
	KUNIT_CASE(lost_on_its_way_out),
	KUNIT_CASE(lost_on_its_way_back),
	KUNIT_CASE(neighbours_do_not_merge),
	KUNIT_CASE(atomic_takes_what_is_there),
	KUNIT_CASE(atomic_returns_nothing),
	KUNIT_CASE(kswapd_is_first),
	KUNIT_CASE(no_block_of_another_node),
	KUNIT_CASE(reclaim_takes_nothing_out),
	KUNIT_CASE(orders),
	KUNIT_CASE(refused),
	KUNIT_CASE(not_taken_from_its_list),
	KUNIT_CASE(comes_back_clean),
	KUNIT_CASE(no_fallback),
	KUNIT_CASE(no_reserve_of_them),
	KUNIT_CASE(one_block_is_enough),
	KUNIT_CASE(larger_requests_convert_none),
	KUNIT_CASE(no_use_of_reserve),
#ifdef CONFIG_COMPACTION
	KUNIT_CASE(capture),
#endif
	KUNIT_CASE(watermarks),
	KUNIT_CASE(partly_free_is_not_available),
	KUNIT_CASE(last_before_oom),
	KUNIT_CASE(returning_before_oom),
	KUNIT_CASE(reclaim_returns),
	KUNIT_CASE(kswapd_returns),
	KUNIT_CASE_SLOW(surplus_comes_back),
	KUNIT_CASE_SLOW(lists_of_cpus_keep_nothing),
	KUNIT_CASE(return_flushes_no_mm),
#ifdef CONFIG_MEMORY_ISOLATION
	KUNIT_CASE(isolation),
	KUNIT_CASE(isolation_of_a_block_on_its_way),
#endif
	{ }
};

/* Free pages are counted: others must be done with freeing theirs. */
static int suite_init(struct kunit_suite *suite)
{
	wait_for_initramfs();
	/* A worker closes the files of kernel threads, and their pages go then. */
	flush_delayed_fput();
	return 0;
}

static struct kunit_suite suite = {
	.name = "nodirmap_blocks",
	.suite_init = suite_init,
	.init = init,
	.test_cases = cases,
};

kunit_test_suite(suite);
