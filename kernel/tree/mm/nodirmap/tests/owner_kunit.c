// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for page blocks that mappings own.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/nodirmap.h>
#include <linux/pagemap.h>
#include <linux/set_memory.h>
#include <linux/swap.h>
#include <linux/uio.h>
#include <linux/vmstat.h>

#include "../../internal.h"
#include "../nodirmap.h"

#define PATTERN		0x5a
#define BLOCK_PAGES	((unsigned int)pageblock_nr_pages)
#define FILE_BLOCKS	16

static const struct file_operations test_fops;

static const struct address_space_operations test_aops = {
	.dirty_folio = noop_dirty_folio,
};

struct test_state {
	struct file *file[2];
	struct address_space *mapping[2];
	u8 *buf;
	/* Before the test. */
	long holes;
};

/* Exact, unlike global_zone_page_state(). */
static long count_of(enum zone_stat_item item)
{
	struct zone *zone;
	long count = 0;

	for_each_populated_zone(zone)
		count += zone_page_state_snapshot(zone, item);
	return count;
}

static unsigned long event_count(enum vm_event_item item)
{
	static unsigned long events[NR_VM_EVENT_ITEMS];

	all_vm_events(events);
	return events[item];
}

static unsigned long block_of(struct page *page)
{
	return page_to_pfn(page) >> pageblock_order;
}

static struct page *populate(struct kunit *test, unsigned int file, pgoff_t index)
{
	struct test_state *state = test->priv;
	struct folio *folio;
	struct page *page;

	folio = __filemap_get_folio(state->mapping[file], index,
				    FGP_LOCK | FGP_CREAT, GFP_USER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_uptodate(folio));
	page = folio_page(folio, 0);
	folio_unlock(folio);
	folio_put(folio);
	if (!page_is_nodirmap(page))
		kunit_skip(test, "no page block to be had");
	return page;
}

static void populate_block(struct kunit *test, unsigned int file, pgoff_t index)
{
	unsigned int i;

	for (i = 0; i < BLOCK_PAGES; i++)
		populate(test, file, index + i);
}

static void punch_range(struct kunit *test, unsigned int file, pgoff_t index,
			unsigned int nr)
{
	struct test_state *state = test->priv;

	/* A folio in a batch for the LRU has a user. */
	lru_add_drain_all();
	truncate_inode_pages_range(state->mapping[file], (loff_t)index << PAGE_SHIFT,
				   ((loff_t)(index + nr) << PAGE_SHIFT) - 1);
}

static void punch(struct kunit *test, unsigned int file, pgoff_t index)
{
	punch_range(test, file, index, 1);
}

static void close_file(struct kunit *test, unsigned int file)
{
	struct test_state *state = test->priv;

	lru_add_drain_all();
	__fput_sync(state->file[file]);
	state->file[file] = NULL;
}

static void expect_contents(struct kunit *test, struct page *page, u8 contents)
{
	struct test_state *state = test->priv;

	KUNIT_ASSERT_EQ(test, 0, mermap_copy_from_page(state->buf, page, 0, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(state->buf, contents, PAGE_SIZE));
}

static void write_pattern(struct kunit *test, struct page *page)
{
	struct test_state *state = test->priv;

	memset(state->buf, PATTERN, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, mermap_copy_to_page(page, 0, state->buf, PAGE_SIZE));
}

static void mappings_share_no_block(struct kunit *test)
{
	unsigned long blocks[2] = { };
	unsigned int i;

	for (i = 0; i < 2 * BLOCK_PAGES; i++) {
		unsigned long block = block_of(populate(test, i % 2, i / 2));

		if (i < 2)
			blocks[i] = block;
		KUNIT_ASSERT_EQ(test, blocks[i % 2], block);
	}
	KUNIT_EXPECT_NE(test, blocks[0], blocks[1]);
}

static void pages_come_clear(struct kunit *test)
{
	struct page *page;
	unsigned int i;

	/* Leave contents in the pages of a block, which stays outside. */
	for (i = 0; i < BLOCK_PAGES; i++)
		write_pattern(test, populate(test, 0, i));
	close_file(test, 0);

	for (i = 0; i < BLOCK_PAGES; i++) {
		page = populate(test, 1, i);
		KUNIT_EXPECT_FALSE(test, kernel_page_present(page));
		expect_contents(test, page, 0);
	}
}

static void hole_serves_its_mapping(struct kunit *test)
{
	struct page *page, *again;
	long outside;

	populate_block(test, 0, 0);
	page = populate(test, 0, 7);
	write_pattern(test, page);
	outside = nodirmap_count_used();

	punch(test, 0, 7);
	KUNIT_EXPECT_PTR_NE(test, page, populate(test, 1, 0));
	again = populate(test, 0, BLOCK_PAGES + 1);
	KUNIT_EXPECT_PTR_EQ(test, page, again);
	expect_contents(test, again, 0);
	/* The other mapping has taken a block. */
	KUNIT_EXPECT_EQ(test, outside + BLOCK_PAGES, nodirmap_count_used());
}

static void dead_mapping_leaves_whole_blocks(struct kunit *test)
{
	struct test_state *state = test->priv;
	unsigned int i;
	long used;

	used = nodirmap_count_used();
	for (i = 0; i < 3 * BLOCK_PAGES + 5; i++)
		populate(test, 0, i);
	/* Every block of the first has holes, and the other lives on. */
	populate(test, 1, 0);
	for (i = 0; i < 3; i++)
		punch(test, 0, i * BLOCK_PAGES + i);
	KUNIT_EXPECT_GT(test, count_of(NR_NODIRMAP_HOLES), state->holes);
	KUNIT_EXPECT_EQ(test, used + 5 * BLOCK_PAGES, nodirmap_count_used());

	close_file(test, 0);
	KUNIT_EXPECT_EQ(test, used + BLOCK_PAGES, nodirmap_count_used());
	close_file(test, 1);
	KUNIT_EXPECT_EQ(test, used, nodirmap_count_used());
	KUNIT_EXPECT_EQ(test, state->holes, count_of(NR_NODIRMAP_HOLES));
}

/* A block that becomes whole while its mapping lives is for others. */
static void whole_block_goes_back(struct kunit *test)
{
	unsigned int i;
	long used;

	populate_block(test, 0, 0);
	populate(test, 0, BLOCK_PAGES);
	used = nodirmap_count_used();
	for (i = 0; i < BLOCK_PAGES; i++)
		punch(test, 0, i);
	/* One stays, and goes when another one is whole. */
	KUNIT_EXPECT_EQ(test, used, nodirmap_count_used());
	punch(test, 0, BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, used - BLOCK_PAGES, nodirmap_count_used());
}

/* The last block of a mapping stays with it as long as nobody else needs it. */
static void idle_block_is_released(struct kunit *test)
{
	long used;

	used = nodirmap_count_used();
	populate(test, 0, 0);
	punch(test, 0, 0);
	KUNIT_EXPECT_EQ(test, used + BLOCK_PAGES, nodirmap_count_used());
	KUNIT_EXPECT_EQ(test, 1, nodirmap_release_idle(NUMA_NO_NODE, NULL));
	KUNIT_EXPECT_EQ(test, used, nodirmap_count_used());
	/* The mapping takes another one. */
	expect_contents(test, populate(test, 0, 0), 0);
}

/* kswapd that found nothing to reclaim looks again when there are blocks to put back. */
static void released_block_is_hope(struct kunit *test)
{
	pg_data_t *node = page_pgdat(populate(test, 0, 0));

	atomic_set(&node->kswapd_failures, MAX_RECLAIM_RETRIES);
	KUNIT_EXPECT_TRUE(test, kswapd_test_hopeless(node));
	punch(test, 0, 0);
	KUNIT_EXPECT_EQ(test, 1, nodirmap_release_idle(NUMA_NO_NODE, NULL));
	KUNIT_EXPECT_FALSE(test, kswapd_test_hopeless(node));
	kswapd_clear_hopeless(node, KSWAPD_CLEAR_HOPELESS_OTHER);
}

/* Return: the first page of a block that follows its predecessor in memory, too. */
static pgoff_t find_neighbour(struct kunit *test)
{
	unsigned long before = 0, block;
	unsigned int i;

	for (i = 0; i < FILE_BLOCKS; i++) {
		populate_block(test, 0, i * BLOCK_PAGES);
		block = block_of(populate(test, 0, i * BLOCK_PAGES));
		if (i && block == before + 1)
			return i * BLOCK_PAGES;
		before = block;
	}
	kunit_skip(test, "no two blocks of the mapping are neighbours");
}

/* Pages of a batch are taken back in runs: up to a gap, and to the end of a block. */
static void batch_comes_back(struct kunit *test)
{
	pgoff_t first = find_neighbour(test) - 6;
	struct page *freed[12], *page;
	unsigned int i, j;
	long holes;

	punch(test, 0, first + 3);
	holes = count_of(NR_NODIRMAP_HOLES);
	for (i = 0; i < ARRAY_SIZE(freed); i++) {
		freed[i] = i == 3 ? NULL : populate(test, 0, first + i);
		if (freed[i])
			write_pattern(test, freed[i]);
	}
	punch_range(test, 0, first, ARRAY_SIZE(freed));
	KUNIT_EXPECT_EQ(test, holes + 11, count_of(NR_NODIRMAP_HOLES));
	KUNIT_EXPECT_EQ(test, holes + 11, nodirmap_count_holes());

	/* The one of the gap is as good as the others. */
	for (i = 0; i < ARRAY_SIZE(freed); i++) {
		page = populate(test, 0, first + i);
		expect_contents(test, page, 0);
		for (j = 0; j < ARRAY_SIZE(freed) && freed[j] != page; j++)
			;
		if (j < ARRAY_SIZE(freed))
			freed[j] = NULL;
	}
	for (j = 0; j < ARRAY_SIZE(freed); j++)
		KUNIT_EXPECT_NULL(test, freed[j]);
	KUNIT_EXPECT_EQ(test, holes - 1, count_of(NR_NODIRMAP_HOLES));
}

static void page_in_use_keeps_its_block(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct page *page;
	long used;

	used = nodirmap_count_used();
	populate(test, 0, 0);
	page = populate(test, 0, 1);
	get_page(page);
	close_file(test, 0);
	KUNIT_EXPECT_EQ(test, used + BLOCK_PAGES, nodirmap_count_used());

	put_page(page);
	KUNIT_EXPECT_EQ(test, used, nodirmap_count_used());
	KUNIT_EXPECT_EQ(test, state->holes, count_of(NR_NODIRMAP_HOLES));
}

static void small_file_owns_nothing(struct kunit *test)
{
	struct test_state *state = test->priv;

	i_size_write(file_inode(state->file[0]), BLOCK_PAGES << PAGE_SHIFT);
	populate(test, 0, 0);
	KUNIT_EXPECT_EQ(test, state->holes, count_of(NR_NODIRMAP_HOLES));
}

static void blocks_share_a_flush(struct kunit *test)
{
	unsigned long flushes, blocks;
	unsigned int i;

	/* None is ready. */
	nodirmap_return_all(NULL);
	flushes = event_count(NODIRMAP_FLUSH);
	blocks = event_count(NODIRMAP_BLOCK_ZAP);
	for (i = 0; i < 8; i++)
		populate_block(test, 0, i * BLOCK_PAGES);

	KUNIT_EXPECT_EQ(test, 8, event_count(NODIRMAP_BLOCK_ZAP) - blocks);
	/* Of one block, one, two and four. */
	KUNIT_EXPECT_EQ(test, 4, event_count(NODIRMAP_FLUSH) - flushes);
}

/* What the memory cgroup has been told of, and the least of it. */
static struct {
	long charged;
	long lowest;
	bool others;
} told;

/* Others allocate the pages while they are about to be charged. */
static int charge_late(struct nodirmap_blocks *blocks, gfp_t gfp, unsigned long nr)
{
	unsigned int i;

	if (gfp == GFP_ATOMIC && !told.others) {
		told.others = true;
		for (i = 0; i < BLOCK_PAGES / 2; i++)
			populate(kunit_get_current_test(), 0, BLOCK_PAGES + i);
	}
	told.charged += nr;
	return 0;
}

static void uncharge_at_once(struct nodirmap_blocks *blocks, unsigned long nr)
{
	told.charged -= nr;
	told.lowest = min(told.lowest, told.charged);
}

static void pages_are_charged_before_they_are_uncharged(struct kunit *test)
{
	struct test_state *state = test->priv;
	unsigned int i;

	if (!IS_ENABLED(CONFIG_MEMCG))
		kunit_skip(test, "needs CONFIG_MEMCG");

	memset(&told, 0, sizeof(told));
	kunit_activate_static_stub(test, nodirmap_charge, charge_late);
	kunit_activate_static_stub(test, nodirmap_uncharge, uncharge_at_once);
	populate_block(test, 0, 0);
	for (i = 0; i < BLOCK_PAGES / 2; i++)
		punch(test, 0, i);

	KUNIT_EXPECT_TRUE(test, told.others);
	KUNIT_EXPECT_GE(test, told.lowest, 0);
	KUNIT_EXPECT_LT(test, abs(told.charged - count_of(NR_NODIRMAP_HOLES) + state->holes),
			64);
	close_file(test, 0);
	KUNIT_EXPECT_GE(test, told.lowest, 0);
	kunit_deactivate_static_stub(test, nodirmap_charge);
	kunit_deactivate_static_stub(test, nodirmap_uncharge);
}

static void poisoned_page_is_not_handed_out(struct kunit *test)
{
#ifdef CONFIG_MEMORY_FAILURE
	struct page *page, *bad = NULL, *first;
	unsigned int i;

	first = pfn_to_page(pageblock_start_pfn(page_to_pfn(populate(test, 0, 0))));
	bad = first + BLOCK_PAGES - 1;
	if (bad == populate(test, 0, 0))
		bad--;
	SetPageHWPoison(bad);
	for (i = 1; i < BLOCK_PAGES; i++) {
		page = populate(test, 0, i);
		if (page == bad)
			break;
	}
	ClearPageHWPoison(bad);
	KUNIT_EXPECT_EQ(test, BLOCK_PAGES, i);
	/* As if its user had freed it. */
	if (i == BLOCK_PAGES)
		KUNIT_EXPECT_TRUE(test, __nodirmap_take_back(bad, 0));
#else
	kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");
#endif
}

/* Contents that fill a page need no page that somebody has cleared. */
static void filled_page_needs_no_clear_block(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct kvec vec = { .iov_base = state->buf, .iov_len = PAGE_SIZE };
	struct iov_iter from;
	struct folio *folio;

	memset(state->buf, PATTERN, PAGE_SIZE);
	iov_iter_kvec(&from, ITER_SOURCE, &vec, 1, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, nodirmap_add_filled(state->mapping[0], 0, &from, NULL));
	folio = filemap_get_folio(state->mapping[0], 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	expect_contents(test, folio_page(folio, 0), PATTERN);
	folio_put(folio);

	/* The rest of its block has not been cleared: a fault does that. */
	expect_contents(test, populate(test, 0, 1), 0);
}

/* A folio of all pages of a block, in the file and locked. */
static struct folio *add_large(struct kunit *test, pgoff_t index)
{
	struct test_state *state = test->priv;
	struct address_space *mapping = state->mapping[0];
	struct folio *folio;

	mapping_set_folio_order_range(mapping, 0, pageblock_order);
	folio = nodirmap_alloc_folio(mapping, GFP_USER, pageblock_order, NULL);
	if (!folio)
		kunit_skip(test, "no page block to be had");
	KUNIT_EXPECT_EQ(test, pageblock_order, folio_order(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_uptodate(folio));
	KUNIT_ASSERT_EQ(test, 0, filemap_add_folio(mapping, folio, index, GFP_USER));
	return folio;
}

static void large_folio_is_a_whole_block(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio;
	unsigned int i;
	long used;

	/* Leave contents in a block that is the next to be taken. */
	for (i = 0; i < BLOCK_PAGES; i++)
		write_pattern(test, populate(test, 1, i));
	close_file(test, 1);

	used = nodirmap_count_used();
	folio = add_large(test, 0);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(folio_pfn(folio), BLOCK_PAGES));
	KUNIT_EXPECT_EQ(test, 0, nodirmap_clear_folio(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_uptodate(folio));
	for (i = 0; i < BLOCK_PAGES; i++) {
		KUNIT_EXPECT_FALSE(test, kernel_page_present(folio_page(folio, i)));
		expect_contents(test, folio_page(folio, i), 0);
	}
	folio_unlock(folio);
	folio_put(folio);
	KUNIT_EXPECT_EQ(test, state->holes, count_of(NR_NODIRMAP_HOLES));
	KUNIT_EXPECT_EQ(test, used + BLOCK_PAGES, nodirmap_count_used());

	close_file(test, 0);
	KUNIT_EXPECT_EQ(test, used, nodirmap_count_used());
}

static void split_folio_leaves_pages_of_its_block(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio = add_large(test, 0);
	struct page *page = folio_page(folio, 3);

	KUNIT_ASSERT_EQ(test, 0, nodirmap_clear_folio(folio));
	write_pattern(test, page);
	folio_unlock(folio);
	folio_put(folio);
	lru_add_drain_all();

	filemap_invalidate_lock(state->mapping[0]);
	KUNIT_EXPECT_EQ(test, 0, mapping_split_folio_at(state->mapping[0], 3));
	filemap_invalidate_unlock(state->mapping[0]);
	KUNIT_EXPECT_PTR_EQ(test, page, populate(test, 0, 3));
	expect_contents(test, page, PATTERN);
	KUNIT_EXPECT_FALSE(test, kernel_page_present(page));

	punch(test, 0, 3);
	KUNIT_EXPECT_EQ(test, state->holes + 1, count_of(NR_NODIRMAP_HOLES));
	KUNIT_EXPECT_PTR_EQ(test, page, populate(test, 0, BLOCK_PAGES));
	expect_contents(test, page, 0);
}

/* Pieces of other orders would not find their block. */
static void folio_is_split_into_pages_only(struct kunit *test)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	struct folio *folio = add_large(test, 0);

	KUNIT_EXPECT_EQ(test, -EBUSY,
			folio_check_splittable(folio, 4, SPLIT_TYPE_UNIFORM));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			folio_check_splittable(folio, 0, SPLIT_TYPE_NON_UNIFORM));
	KUNIT_EXPECT_EQ(test, 0, folio_check_splittable(folio, 0, SPLIT_TYPE_UNIFORM));
	folio_unlock(folio);
	folio_put(folio);
#else
	kunit_skip(test, "no large folios in this kernel");
#endif
}

static void edge_of_a_folio_splits_nothing(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio = add_large(test, BLOCK_PAGES);

	folio_unlock(folio);
	KUNIT_EXPECT_EQ(test, 0, mapping_split_folio_at(state->mapping[0], 0));
	KUNIT_EXPECT_EQ(test, 0, mapping_split_folio_at(state->mapping[0], BLOCK_PAGES));
	KUNIT_EXPECT_EQ(test, 0, mapping_split_folio_at(state->mapping[0], 2 * BLOCK_PAGES));
	KUNIT_EXPECT_TRUE(test, folio_test_large(folio));
	/* The reference of this test keeps it from being split. */
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			mapping_split_folio_at(state->mapping[0], BLOCK_PAGES + 1));
	KUNIT_EXPECT_TRUE(test, folio_test_large(folio));
	folio_put(folio);
}

static void folio_that_was_not_added_is_free(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio = add_large(test, 0), *other;
	struct page *page;

	other = nodirmap_alloc_folio(state->mapping[0], GFP_USER, pageblock_order, NULL);
	KUNIT_ASSERT_NOT_NULL(test, other);
	page = folio_page(other, 0);
	KUNIT_EXPECT_EQ(test, -EEXIST,
			filemap_add_folio(state->mapping[0], other, 0, GFP_USER));
	folio_put(other);
	KUNIT_EXPECT_EQ(test, state->holes + BLOCK_PAGES, count_of(NR_NODIRMAP_HOLES));

	other = nodirmap_alloc_folio(state->mapping[0], GFP_USER, pageblock_order, NULL);
	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_EXPECT_PTR_EQ(test, page, folio_page(other, 0));
	folio_put(other);
	folio_unlock(folio);
	folio_put(folio);
}

/* The error is in a block that was all free, and nothing has counted it yet. */
static void poisoned_block_is_no_large_folio(struct kunit *test)
{
#ifdef CONFIG_MEMORY_FAILURE
	struct test_state *state = test->priv;
	struct page *bad = populate(test, 0, 0);
	struct folio *folio;

	punch(test, 0, 0);
	KUNIT_ASSERT_EQ(test, state->holes + BLOCK_PAGES, count_of(NR_NODIRMAP_HOLES));
	SetPageHWPoison(bad);
	mapping_set_folio_order_range(state->mapping[0], 0, pageblock_order);
	folio = nodirmap_alloc_folio(state->mapping[0], GFP_USER, pageblock_order, NULL);
	ClearPageHWPoison(bad);
	if (!folio)
		kunit_skip(test, "no page block to be had");
	KUNIT_EXPECT_NE(test, block_of(bad), block_of(folio_page(folio, 0)));
	folio_put(folio);
#else
	kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");
#endif
}

/* Large folios pass holes over, of which there must not be ever more. */
static void large_folios_leave_few_holes(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct address_space *mapping = state->mapping[0];
	struct folio *folio;
	unsigned int i;

	mapping_set_folio_order_range(mapping, 0, pageblock_order);
	for (i = 0; i < 12; i++) {
		folio = nodirmap_alloc_folio(mapping, GFP_USER, pageblock_order, NULL);
		if (!folio)
			break;
		KUNIT_ASSERT_EQ(test, 0, filemap_add_folio(mapping, folio, 0, GFP_USER));
		folio_unlock(folio);
		folio_put(folio);
		lru_add_drain_all();

		/* One page of the block goes, and serves another index. */
		KUNIT_ASSERT_EQ(test, 0, mapping_split_folio_at(mapping, 1));
		punch(test, 0, 0);
		populate(test, 0, BLOCK_PAGES + i);
		lru_add_drain_all();
		truncate_inode_pages_range(mapping, 0,
					   ((loff_t)BLOCK_PAGES << PAGE_SHIFT) - 1);
	}
	if (!i)
		kunit_skip(test, "no page block to be had");
	KUNIT_EXPECT_LE(test, count_of(NR_NODIRMAP_HOLES), state->holes + 6 * BLOCK_PAGES);
}

static void large_folio_in_the_map_is_refused(struct kunit *test)
{
	struct test_state *state = test->priv;
	struct folio *folio;

	KUNIT_EXPECT_NULL(test, nodirmap_alloc_folio(NULL, GFP_USER, pageblock_order, NULL));

	mapping_set_folio_order_range(state->mapping[0], 0, pageblock_order);
	folio = filemap_alloc_folio(GFP_USER, pageblock_order, NULL);
	if (!folio)
		kunit_skip(test, "memory is fragmented");
	KUNIT_EXPECT_EQ(test, -EINVAL,
			filemap_add_folio(state->mapping[0], folio, 0, GFP_USER));
	KUNIT_EXPECT_TRUE(test, kernel_page_present(folio_page(folio, 0)));
	folio_put(folio);
}

static int nodirmap_owner_test_init(struct kunit *test)
{
	struct test_state *state;
	unsigned int i;

	if (!nodirmap_use_blocks())
		kunit_skip(test, "no page blocks outside the direct map here");

	state = kunit_kzalloc(test, sizeof(*state), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, state);
	test->priv = state;
	state->buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, state->buf);
	state->holes = count_of(NR_NODIRMAP_HOLES);

	for (i = 0; i < 2; i++) {
		struct file *file = anon_inode_create_getfile("[nodirmap_owner_test]",
							      &test_fops, NULL,
							      O_RDWR, NULL);

		KUNIT_ASSERT_FALSE(test, IS_ERR(file));
		state->file[i] = file;
		state->mapping[i] = file->f_mapping;
		state->mapping[i]->a_ops = &test_aops;
		mapping_set_gfp_mask(state->mapping[i], GFP_USER);
		mapping_set_no_direct_map(state->mapping[i]);
		i_size_write(file_inode(file),
			     (loff_t)FILE_BLOCKS * BLOCK_PAGES << PAGE_SHIFT);
	}
	return 0;
}

static void nodirmap_owner_test_exit(struct kunit *test)
{
	struct test_state *state = test->priv;
	unsigned int i;

	for (i = 0; state && i < 2; i++)
		if (state->file[i])
			close_file(test, i);
}

static struct kunit_case nodirmap_owner_test_cases[] = {
	KUNIT_CASE(mappings_share_no_block),
	KUNIT_CASE(pages_come_clear),
	KUNIT_CASE(hole_serves_its_mapping),
	KUNIT_CASE(dead_mapping_leaves_whole_blocks),
	KUNIT_CASE(whole_block_goes_back),
	KUNIT_CASE(idle_block_is_released),
	KUNIT_CASE(released_block_is_hope),
	KUNIT_CASE(batch_comes_back),
	KUNIT_CASE(page_in_use_keeps_its_block),
	KUNIT_CASE(small_file_owns_nothing),
	KUNIT_CASE(blocks_share_a_flush),
	KUNIT_CASE(pages_are_charged_before_they_are_uncharged),
	KUNIT_CASE(poisoned_page_is_not_handed_out),
	KUNIT_CASE(filled_page_needs_no_clear_block),
	KUNIT_CASE(large_folio_is_a_whole_block),
	KUNIT_CASE(split_folio_leaves_pages_of_its_block),
	KUNIT_CASE(folio_is_split_into_pages_only),
	KUNIT_CASE(edge_of_a_folio_splits_nothing),
	KUNIT_CASE(folio_that_was_not_added_is_free),
	KUNIT_CASE(poisoned_block_is_no_large_folio),
	KUNIT_CASE(large_folios_leave_few_holes),
	KUNIT_CASE(large_folio_in_the_map_is_refused),
	{}
};

static struct kunit_suite nodirmap_owner_test_suite = {
	.name = "nodirmap_owner",
	.init = nodirmap_owner_test_init,
	.exit = nodirmap_owner_test_exit,
	.test_cases = nodirmap_owner_test_cases,
};

kunit_test_suite(nodirmap_owner_test_suite);
