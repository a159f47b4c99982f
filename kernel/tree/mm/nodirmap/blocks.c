// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page blocks that the kernel's direct map lacks.
 *
 * To take memory out of the direct map costs a flush of the TLBs of all CPUs.
 * So it is done for a page block at a time, before anybody owns its pages: the
 * page allocator keeps such blocks on free lists of their own, for requests with
 * ALLOC_UNMAPPED.  This is how blocks get there, and how they come back.
 *
 * A block changes sides only while it is wholly free and on no list, so it belongs
 * to the task that converts it.  No lock is held, because page tables may have to
 * be allocated, and all CPUs have to answer.  The bit PB_nodirmap changes
 * with zone->lock held, when it goes back on a list.  Hence the bit of a block
 * of which any page is allocated, or on a list of a CPU, does not change.
 *
 * What the pages of these blocks hold is stale but out of reach.  Their owners
 * clear them when they get them, and a block is cleared before it comes back.
 *
 * Documentation/mm/nodirmap.rst has the whole picture.
 */
#define pr_fmt(fmt) "nodirmap: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/cleanup.h>
#include <linux/cpuset.h>
#include <linux/error-injection.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kstrtox.h>
#include <linux/list.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/set_memory.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include <asm/tlbflush.h>

#include "../internal.h"
#include "../page_alloc.h"
#include "nodirmap.h"

#define CREATE_TRACE_POINTS
#include <trace/events/nodirmap.h>

/* Blocks that are taken from the free lists at a time. */
#define BATCH		4

/*
 * A block goes back only when all of it is free, which one page prevents.  That
 * must not keep a considerable part of a machine from others: no blocks of 512 MiB,
 * as 64K pages would have them.
 */
#define BLOCK_SIZE_LIMIT SZ_64M

/* How long the OOM killer waits for blocks that are on their way, at most. */
#define RETURN_TICKS	(HZ / 10 + 1)

/* Free blocks that stay for the next owner, at most, and how they go. */
#define RESERVE_BLOCKS	8
#define TRIM_INTERVAL	HZ
#define TRIM_BLOCKS	16

/* Lists of CPUs are drained at least that often, if they may keep blocks. */
#define DRAIN_INTERVAL_MAX	(32 * HZ)

DEFINE_STATIC_KEY_FALSE(nodirmap_key);

static bool enabled_by_user __initdata = true;

/* Decided once, late during boot. */
static bool possible __ro_after_init;

/* By zone_nr(): has a block left the direct map since trim() looked? */
static DECLARE_BITMAP(zapped, MAX_NUMNODES * MAX_NR_ZONES);

/**
 * struct trimmer - gives back what is free on a node
 * @work: Runs trim() as long as there is something.
 * @nid: The node.
 * @pause: How long to leave the lists of CPUs alone, in jiffies; 0 at first.
 * @again: When to drain them again.
 * @returning: Blocks that tasks have taken from the free lists, to put them back.
 */
struct trimmer {
	struct delayed_work work;
	int nid;
	unsigned long pause;
	unsigned long again;
	atomic_t returning;
};

/* By node: to clear blocks takes long after a large guest, and one CPU a node is fair. */
static struct trimmer *trimmers;

/* Blocks of the node of @zone that are on no free list for a moment. */
VISIBLE_IF_KUNIT atomic_t *nodirmap_returning(struct zone *zone)
{
	return &trimmers[zone_to_nid(zone)].returning;
}

static struct workqueue_struct *trim_wq;
/* Tasks that wait for trim() to stop, and do its work meanwhile. */
static atomic_t trim_stops;

static void queue_trim(int nid)
{
	queue_delayed_work(trim_wq, &trimmers[nid].work, TRIM_INTERVAL);
}

static unsigned int zone_nr(struct zone *zone)
{
	return zone_to_nid(zone) * MAX_NR_ZONES + zone_idx(zone);
}

static unsigned long nr_free_blocks(struct zone *zone)
{
	return zone_page_state(zone, NR_FREE_NODIRMAP_BLOCKS) >> pageblock_order;
}

static freetype_t nodirmap_freetype(void)
{
	return make_freetype(MIGRATE_UNMOVABLE, FREETYPE_NODIRMAP);
}

/*
 * Only the architecture allocates in here: page tables, if it has to split a
 * mapping that is larger than a block.  These ordinary requests may end up in
 * give_back() below, which allocates nothing.  So there is no recursion, and no
 * lock is held that a nested call would take.
 */
noinline int nodirmap_zap_block(struct page *page)
{
	KUNIT_STATIC_STUB_REDIRECT(nodirmap_zap_block, page);

	return set_direct_map_valid_noflush(page, pageblock_nr_pages, false);
}
ALLOW_ERROR_INJECTION(nodirmap_zap_block, ERRNO);

/* nodirmap_zap_block() has split all that had to be split. */
noinline int nodirmap_restore_block(struct page *page)
{
	KUNIT_STATIC_STUB_REDIRECT(nodirmap_restore_block, page);

	return set_direct_map_valid_noflush(page, pageblock_nr_pages, true);
}
ALLOW_ERROR_INJECTION(nodirmap_restore_block, ERRNO);

/* To have the block on one side for sure when one of these has failed. */
noinline int nodirmap_undo_block(struct page *page, bool valid)
{
	KUNIT_STATIC_STUB_REDIRECT(nodirmap_undo_block, page, valid);

	return set_direct_map_valid_noflush(page, pageblock_nr_pages, valid);
}

/*
 * Of all addresses: vfree() frees pages whose translations are still in TLBs, and
 * a page of the block may have been such a page.
 */
static void flush_all(void)
{
	flush_tlb_all();
	count_vm_event(NODIRMAP_FLUSH);
}

/* A block of which neither side is sure to be true can go to nobody. */
static void lose_block(struct zone *zone, struct page *page, int err)
{
	WARN_ONCE(1, "cannot undo a change of the direct map at pfn %#lx: %d\n",
		  page_to_pfn(page), err);
	if (page_is_nodirmap(page))
		mod_zone_page_state(zone, NR_NODIRMAP, -(long)pageblock_nr_pages);
	adjust_managed_page_count(page, -(long)pageblock_nr_pages);
}

/*
 * The block is mapped, in part or in whole, and nobody has used it meanwhile.
 * Somebody may have isolated it, and counts on finding it in the direct map.
 */
static void undo_zap(struct zone *zone, struct page *page)
{
	int err = nodirmap_undo_block(page, true);

	if (err) {
		lose_block(zone, page, err);
		return;
	}

	guard(spinlock_irqsave)(&zone->lock);
	free_pageblock(zone, page, get_pageblock_freetype(page));
}

/*
 * Put a block that has left the direct map on the list of such blocks.  It may
 * have been isolated while it was on no list.
 */
static bool publish_nodirmap(struct zone *zone, struct page *page)
{
	guard(spinlock_irqsave)(&zone->lock);

	if (is_migrate_isolate(get_pageblock_migratetype(page)))
		return false;

	free_pageblock(zone, page, nodirmap_freetype());
	__mod_zone_page_state(zone, NR_NODIRMAP, pageblock_nr_pages);
	return true;
}

/*
 * Take a wholly free block that is in the direct map, if that leaves the zone
 * above @mark.  The lock keeps CPUs that ask at once from taking all there is.
 */
static struct page *take_mapped(struct zone *zone, unsigned long mark,
				int highest_zoneidx)
{
	/* Least useful to others first. */
	static const int migratetypes[] = {
		MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE,
	};
	struct page *page = NULL;
	unsigned int i;

	guard(spinlock_irqsave)(&zone->lock);

	if (!zone_watermark_ok(zone, pageblock_order, mark, highest_zoneidx, 0))
		return NULL;

	for (i = 0; i < ARRAY_SIZE(migratetypes) && !page; i++)
		page = rmqueue_pageblock(zone, make_freetype(migratetypes[i], 0));
	return page;
}

/* Zap blocks of a list; those that cannot be zapped go back. */
static void zap_blocks(struct zone *zone, struct list_head *blocks)
{
	struct page *page, *next;
	int err;

	list_for_each_entry_safe(page, next, blocks, buddy_list) {
		err = nodirmap_zap_block(page);
		if (!err)
			continue;

		list_del(&page->buddy_list);
		count_vm_event(NODIRMAP_ZAP_FAIL);
		trace_mm_nodirmap_block_zap(zone, page_to_pfn(page), err);
		undo_zap(zone, page);
	}
}

/* Nothing translates the blocks any more.  Return: How many others may use. */
static unsigned int publish_blocks(struct zone *zone, struct list_head *blocks)
{
	struct page *page, *next;
	unsigned int nr = 0;

	list_for_each_entry_safe(page, next, blocks, buddy_list) {
		int err = 0;

		list_del(&page->buddy_list);
		if (!publish_nodirmap(zone, page))
			err = -EBUSY;
		trace_mm_nodirmap_block_zap(zone, page_to_pfn(page), err);
		if (err) {
			undo_zap(zone, page);
			continue;
		}
		count_vm_event(NODIRMAP_BLOCK_ZAP);
		nr++;
	}
	return nr;
}

/*
 * Take free blocks out of the direct map, up to @nr, with one flush.  The first
 * one leaves the zone above @mark, each other above its high watermark.
 */
static bool remove_blocks(struct zone *zone, unsigned int nr, unsigned long mark,
			  int highest_zoneidx)
{
	LIST_HEAD(blocks);
	struct page *page;

	while (nr--) {
		page = take_mapped(zone, mark, highest_zoneidx);
		if (!page)
			break;
		list_add_tail(&page->buddy_list, &blocks);
		mark = max(mark, high_wmark_pages(zone));
	}

	zap_blocks(zone, &blocks);
	if (list_empty(&blocks))
		return false;

	flush_all();
	if (!publish_blocks(zone, &blocks))
		return false;

	set_bit(zone_nr(zone), zapped);
	queue_trim(zone_to_nid(zone));
	return true;
}

/**
 * nodirmap_fill_pool - have blocks ready for requests to come
 * @zone: The zone to prefer; the lower ones of its node serve as well.
 * @gfp: What the caller allows.
 * @nr: How many blocks are wanted.
 *
 * Does nothing unless more than one is wanted, and there is none: all blocks that
 * leave the direct map at a time share one flush of all TLBs.
 *
 * Context: Process context, may sleep.
 */
void nodirmap_fill_pool(struct zone *zone, gfp_t gfp, unsigned int nr)
{
	struct zone *zones = zone->zone_pgdat->node_zones;

	might_sleep();

	if (nr < 2 || (current->flags & PF_MEMALLOC))
		return;

	for (; zone >= zones; zone--) {
		if (!managed_zone(zone))
			continue;
		if (nr_free_blocks(zone) ||
		    remove_blocks(zone, nr, low_wmark_pages(zone), gfp_zone(gfp)))
			return;
	}
}

/*
 * The node that an ordinary request would have a page from without reclaim.  If
 * it has no block, a page of its own is better than a block of a node far away.
 */
static int node_with_room(gfp_t gfp, int nid, nodemask_t *nodemask)
{
	enum zone_type highest = gfp_zone(gfp);
	struct zoneref *z;
	struct zone *zone;

	for_each_zone_zonelist_nodemask(zone, z, node_zonelist(nid, gfp), highest,
					nodemask) {
		if (cpuset_zone_allowed(zone, gfp | __GFP_HARDWALL) &&
		    zone_watermark_ok(zone, 0, low_wmark_pages(zone), highest,
				      ALLOC_UNMAPPED))
			return zone_to_nid(zone);
	}
	return NUMA_NO_NODE;
}

/**
 * nodirmap_use_blocks - let page blocks leave the direct map
 *
 * Until somebody asks for such memory for the first time, the page allocator does
 * not even have to look for it.
 *
 * Context: Process context, may sleep.
 * Return: Whether there can be such blocks.
 */
bool nodirmap_use_blocks(void)
{
	/* Waits for another task that is at it. */
	if (possible)
		static_branch_enable(&nodirmap_key);
	return possible;
}

/**
 * __nodirmap_allowed - gate for requests with ALLOC_UNMAPPED
 * @gfp: What the caller allows, and does not once this returns: a request for
 *	such memory has another way when there is none, so neither reserves nor a
 *	victim of the OOM killer are due.
 * @order: The order of the request.
 * @alloc_flags: Its flags.
 * @nid: The node to prefer; the only one, once this returns, if there is room.
 * @nodemask: The nodes that are allowed, or NULL for all.
 *
 * Return: Whether to go on.
 */
bool __nodirmap_allowed(gfp_t *gfp, unsigned int order, unsigned int alloc_flags,
			int *nid, nodemask_t *nodemask)
{
	const gfp_t bad = __GFP_ZERO | __GFP_MOVABLE | __GFP_RECLAIMABLE |
			  __GFP_NOFAIL;

	if (WARN_ON_ONCE((alloc_flags & ALLOC_NOLOCK) || (*gfp & bad) ||
			 order > pageblock_order))
		return false;

	/* No ALLOC_HIGHATOMIC, ALLOC_NON_BLOCK or ALLOC_OOM: that reserve is mapped */
	*gfp &= ~(__GFP_HIGH | __GFP_MEMALLOC | __GFP_RETRY_MAYFAIL);
	*gfp |= __GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC;
	if (!nodirmap_enabled())
		return false;

	if (nr_online_nodes > 1) {
		int room = node_with_room(*gfp, *nid, nodemask);

		if (room != NUMA_NO_NODE) {
			*nid = room;
			*gfp |= __GFP_THISNODE;
		}
	}
	return true;
}

/**
 * __nodirmap_refill - take a free block of a zone out of the direct map
 * @zone: The zone, in which a request with ALLOC_UNMAPPED has found nothing.
 * @gfp: What the caller allows.
 * @alloc_flags: Its flags, with the watermark that the zone is to stay above.
 * @ac: Its context.
 *
 * The check of the watermark that the request has passed counts free pages outside
 * the direct map, and lets tasks of real-time priority into reserves.  What counts
 * for a block is what is left to others.
 *
 * Context: Any; does nothing if the caller may not block.
 * Return: true if it is worth looking again.
 */
bool __nodirmap_refill(struct zone *zone, gfp_t gfp, unsigned int alloc_flags,
		       const struct alloc_context *ac)
{
	unsigned long mark = wmark_pages(zone, alloc_flags & ALLOC_WMARK_MASK);

	/* Reclaim must not get stuck in here; and it has no use for it. */
	if (!gfpflags_allow_blocking(gfp) || (current->flags & PF_MEMALLOC))
		return false;

	might_sleep();
	return remove_blocks(zone, 1, mark, ac->highest_zoneidx);
}

/**
 * nodirmap_put_block - free a block that nobody has a page of
 * @zone: Its zone.
 * @page: Its first page.
 *
 * The block stays outside the direct map.
 *
 * Context: Any.
 */
void nodirmap_put_block(struct zone *zone, struct page *page)
{
	guard(spinlock_irqsave)(&zone->lock);

	free_pageblock(zone, page, nodirmap_freetype());
}

/**
 * nodirmap_clear_block - clear a block outside the direct map
 * @page: Its first page.  Nobody else has a page of it.
 *
 * Leaves nothing in a TLB of another CPU.
 *
 * Context: Process context, may sleep.
 * Return: 0, -EHWPOISON if a page has a memory error, or as mermap_zero_block().
 */
int nodirmap_clear_block(struct page *page)
{
	unsigned long i;

	/* Memory failure may be about to look for a page that was free. */
	for (i = 0; i < pageblock_nr_pages; i++)
		if (PageHWPoison(page + i))
			return -EHWPOISON;

	return mermap_zero_block(page, pageblock_nr_pages);
}

static void publish_mapped(struct zone *zone, struct page *page)
{
	guard(spinlock_irqsave)(&zone->lock);

	__mod_zone_page_state(zone, NR_NODIRMAP, -(long)pageblock_nr_pages);
	free_pageblock(zone, page, make_freetype(MIGRATE_MOVABLE, 0));
}

static int give_back_one(struct zone *zone, struct page *page)
{
	int err = nodirmap_restore_block(page);

	if (!err) {
		/* Free pages in the direct map hold the pattern, if there is one. */
		kernel_poison_pages(page, pageblock_nr_pages);
		publish_mapped(zone, page);
		return 0;
	}

	/* Part of it may be mapped, but is not read: take that out again. */
	if (nodirmap_undo_block(page, false)) {
		lose_block(zone, page, err);
		return err;
	}
	flush_all();
	nodirmap_put_block(zone, page);
	return err;
}

/*
 * Put free blocks back into the direct map.  They are cleared before anybody
 * could reach them there.  The TLBs know neither the blocks at their own
 * addresses nor the mappings that they were cleared through.
 *
 * Return: How many of them are back.
 */
static unsigned int give_back(struct zone *zone, struct list_head *blocks)
{
	struct page *page, *next;
	unsigned int nr = 0;
	int err;

	might_sleep();

	list_for_each_entry_safe(page, next, blocks, buddy_list) {
		list_del(&page->buddy_list);
		err = nodirmap_clear_block(page);
		if (err)
			nodirmap_put_block(zone, page);
		else
			err = give_back_one(zone, page);
		atomic_dec(nodirmap_returning(zone));
		trace_mm_nodirmap_block_return(zone, page_to_pfn(page), err);
		if (!err) {
			count_vm_event(NODIRMAP_BLOCK_RETURN);
			nr++;
		}
	}
	return nr;
}

/* Take wholly free blocks that are outside the direct map, up to @nr. */
static void take_nodirmap(struct zone *zone, struct list_head *blocks,
			  unsigned int nr)
{
	guard(spinlock_irqsave)(&zone->lock);

	while (nr--) {
		struct page *page = rmqueue_pageblock(zone, nodirmap_freetype());

		if (!page)
			break;
		atomic_inc(nodirmap_returning(zone));
		list_add_tail(&page->buddy_list, blocks);
	}
}

static unsigned int return_blocks(struct zone *zone, unsigned int nr)
{
	LIST_HEAD(blocks);

	take_nodirmap(zone, &blocks, nr);
	return list_empty(&blocks) ? 0 : give_back(zone, &blocks);
}

/**
 * __nodirmap_return - put a free block of a zone back into the direct map
 * @zone: The zone, which has less memory than a request needs.
 * @order: The order of the request.
 * @gfp: What the caller allows.
 * @alloc_flags: Its flags.
 *
 * Down to the min watermark it is kswapd's work, which clears blocks while the
 * request goes on.  Requests that may not block always leave it to kswapd.
 * For an order above that of a block two neighbours would have to come back: such
 * a request could convert all of the pool in vain.
 *
 * Context: Any; does nothing if the caller may not block.  Allocates nothing,
 * and is safe from within reclaim.
 * Return: true if it is worth looking again.
 */
bool __nodirmap_return(struct zone *zone, unsigned int order, gfp_t gfp,
		       unsigned int alloc_flags)
{
	if (alloc_flags & (ALLOC_UNMAPPED | ALLOC_NOLOCK) || order > pageblock_order)
		return false;
	if ((alloc_flags & ALLOC_WMARK_MASK) != ALLOC_WMARK_MIN)
		return false;
	if (!gfpflags_allow_blocking(gfp) || !nr_free_blocks(zone))
		return false;

	return return_blocks(zone, 1);
}

/* Return: whether other tasks put blocks back, which the zone has soon. */
static bool wait_for_returning(struct zone *zone)
{
	atomic_t *returning = nodirmap_returning(zone);
	unsigned int ticks = RETURN_TICKS;

	if (!atomic_read(returning))
		return false;

	while (atomic_read(returning) && ticks-- && !fatal_signal_pending(current))
		schedule_timeout_killable(1);
	return true;
}

/**
 * __nodirmap_return_last - put free blocks back before the OOM killer runs
 * @gfp: What the request allows that has found no memory.
 * @order: Its order.
 * @ac: Its context.
 *
 * Looks at the zones that the request may use.  So blocks of other nodes do not
 * postpone the OOM killer, and their users do not lose them.  Blocks that other tasks
 * have taken to put them back are waited for, but not for long.
 *
 * Context: Process context, may sleep, interrupts enabled.
 * Return: true if it is worth looking again.
 */
bool __nodirmap_return_last(gfp_t gfp, unsigned int order, const struct alloc_context *ac)
{
	bool drained = false, returning = false;
	unsigned int returned = 0;
	struct zoneref *z;
	struct zone *zone;

	/* As in __nodirmap_return(). */
	if (ac->alloc_flags & ALLOC_UNMAPPED || order > pageblock_order)
		return false;

	for_each_zone_zonelist_nodemask(zone, z, ac->zonelist,
					ac->highest_zoneidx, ac->nodemask) {
		unsigned int nr;

		if (!zone_page_state(zone, NR_NODIRMAP) ||
		    !cpuset_zone_allowed(zone, gfp))
			continue;

		nodirmap_release_idle(zone_to_nid(zone), NULL);

		/* A page on a list of a CPU keeps its block from being whole. */
		if (!drained)
			drain_all_pages(NULL);
		drained = true;

		while (!fatal_signal_pending(current) &&
		       (nr = return_blocks(zone, BATCH)))
			returned += nr;
		returning |= wait_for_returning(zone);
	}
	return returned || returning;
}

/**
 * __nodirmap_reclaim - put free blocks of a node back into the direct map
 * @pgdat: The node, which is short of memory in the direct map.
 * @highest_zoneidx: The highest zone that helps.
 *
 * Context: kswapd.
 * Return: true if it is worth looking again.
 */
bool __nodirmap_reclaim(pg_data_t *pgdat, int highest_zoneidx)
{
	int i;

	for (i = highest_zoneidx; i >= 0; i--) {
		struct zone *zone = pgdat->node_zones + i;

		if (managed_zone(zone) && nr_free_blocks(zone) &&
		    return_blocks(zone, BATCH))
			return true;
	}
	return false;
}

/*
 * Wait for trim(): blocks that it converts are on no free list and would be
 * missed.  It stops at its next batch.
 */
static void stop_trim(void)
{
	int nid;

	atomic_inc(&trim_stops);
	for (nid = 0; nid < nr_node_ids; nid++)
		cancel_delayed_work_sync(&trimmers[nid].work);
}

static void start_trim(void)
{
	int nid;

	if (atomic_dec_return(&trim_stops))
		return;
	for_each_online_node(nid)
		if (sum_zone_node_page_state(nid, NR_NODIRMAP))
			queue_trim(nid);
}

#if IS_ENABLED(CONFIG_KUNIT)
/* Pages of blocks that somebody has; not of blocks that are on their way back. */
VISIBLE_IF_KUNIT long nodirmap_count_used(void)
{
	struct zone *zone;
	long used = 0;

	stop_trim();
	for_each_populated_zone(zone)
		used += zone_page_state_snapshot(zone, NR_NODIRMAP) -
			zone_page_state_snapshot(zone, NR_FREE_NODIRMAP_BLOCKS);
	start_trim();
	return used;
}
#endif

/**
 * nodirmap_return_all - put all wholly free blocks back into the direct map
 * @zone: The zone, or NULL for all.
 *
 * Context: Process context, may sleep, interrupts enabled.
 */
void nodirmap_return_all(struct zone *zone)
{
	struct zone *z;

	if (!nodirmap_enabled())
		return;

	stop_trim();
	/* A folio that waits for the LRU keeps its block from being whole. */
	lru_add_drain_all();
	nodirmap_release_idle(NUMA_NO_NODE, NULL);
	drain_all_pages(zone);
	for_each_populated_zone(z) {
		unsigned long nr = zone_page_state(z, NR_NODIRMAP) >> pageblock_order;

		if (zone && z != zone)
			continue;

		/* Others may take out more meanwhile. */
		while (nr && return_blocks(z, BATCH)) {
			nr -= min_t(unsigned long, nr, BATCH);
			cond_resched();
		}
	}
	start_trim();
}

/**
 * nodirmap_drop - put all free memory back into the direct map
 *
 * For /proc/sys/vm/drop_caches, and for hibernation: nothing can be saved from
 * outside the direct map, or written to it.
 *
 * Context: Process context, may sleep, interrupts enabled.
 * Return: whether no page block is outside now.
 */
bool nodirmap_drop(void)
{
	nodirmap_return_all(NULL);
	return !global_zone_page_state(NR_NODIRMAP);
}

/* Take the blocks of the free buddy that @page is in, if it is a block's first. */
static void take_nodirmap_at(struct zone *zone, struct page *page,
			     struct list_head *blocks)
{
	unsigned int i, order;

	guard(spinlock_irqsave)(&zone->lock);

	if (!page_is_nodirmap(page))
		return;
	page = rmqueue_free_pageblock(zone, page, &order);
	for (i = 0; page && i < 1 << (order - pageblock_order); i++) {
		atomic_inc(nodirmap_returning(zone));
		list_add_tail(&page[i << pageblock_order].buddy_list, blocks);
	}
}

/**
 * __nodirmap_return_range - put the free blocks of a range back
 * @start_pfn: The first page.
 * @end_pfn: The page after the last.
 *
 * Call it before the range is taken from the page allocator, which refuses to give
 * away blocks that are outside the direct map.
 *
 * Context: Process context, may sleep, interrupts enabled.
 */
void __nodirmap_return_range(unsigned long start_pfn, unsigned long end_pfn)
{
	bool stopped = false;
	unsigned long pfn;

	for (pfn = pageblock_start_pfn(start_pfn); pfn < end_pfn;
	     pfn += pageblock_nr_pages) {
		struct page *page = pfn_to_online_page(pfn);
		LIST_HEAD(blocks);

		if (!page || !page_is_nodirmap(page))
			continue;

		if (!stopped) {
			stop_trim();
			lru_add_drain_all();
			nodirmap_release_idle(NUMA_NO_NODE, NULL);
			drain_all_pages(page_zone(page));
			stopped = true;
		}

		take_nodirmap_at(page_zone(page), page, &blocks);
		if (!list_empty(&blocks))
			give_back(page_zone(page), &blocks);
		cond_resched();
	}
	if (stopped)
		start_trim();
}

/* In blocks. */
static unsigned long reserve(struct zone *zone)
{
	return min(RESERVE_BLOCKS, DIV_ROUND_UP(zone_managed_pages(zone) / 1024,
						pageblock_nr_pages));
}

/* Pages of blocks of which others are in use, or seem to be. */
static long nr_left(int nid)
{
	return sum_zone_node_page_state(nid, NR_NODIRMAP) -
	       sum_zone_node_page_state(nid, NR_FREE_NODIRMAP_BLOCKS);
}

/*
 * Pages on the lists of CPUs, and folios that wait for the LRU, keep their blocks
 * from being whole.  While there are owners of such memory it is theirs to use.
 *
 * To drain the lists disturbs all CPUs.  Where that has not helped, the next attempt
 * is later: a page with a memory error stays for good.
 */
static void gather_leftovers(struct trimmer *trimmer)
{
	long left = nr_left(trimmer->nid);

	if (nodirmap_active() || left <= 0) {
		trimmer->pause = 0;
		return;
	}
	if (trimmer->pause && time_before(jiffies, trimmer->again))
		return;

	lru_add_drain_all();
	drain_all_pages(NULL);
	if (nr_left(trimmer->nid) < left)
		trimmer->pause = TRIM_INTERVAL;
	else
		trimmer->pause = clamp(2 * trimmer->pause, TRIM_INTERVAL,
				       DRAIN_INTERVAL_MAX);
	trimmer->again = jiffies + trimmer->pause;
}

/* kswapd of a node puts blocks back, and others need the CPUs that are left. */
static bool kswapd_runs(int nid)
{
	/* No barrier: a stale answer costs a batch, or a second. */
	return !waitqueue_active(&NODE_DATA(nid)->kswapd_wait);
}

/*
 * Halve what is free beyond the reserve: a VM that starts in place of another
 * finds its blocks, and what nobody asks for is back within seconds.
 *
 * A block is zapped when nothing is free, so where that was done since the last
 * time, nothing has been free for long.
 */
static void trim(struct work_struct *work)
{
	struct trimmer *trimmer = container_of(to_delayed_work(work),
					       struct trimmer, work);
	bool more = false;
	struct zone *zone;

	gather_leftovers(trimmer);
	for_each_populated_zone(zone) {
		unsigned long keep = reserve(zone), nr = nr_free_blocks(zone);

		if (zone_to_nid(zone) != trimmer->nid)
			continue;
		if (zone_page_state(zone, NR_NODIRMAP) >> pageblock_order > keep)
			more = true;
		if (test_and_clear_bit(zone_nr(zone), zapped) || nr <= keep)
			continue;

		nr -= keep;
		nr = max(DIV_ROUND_UP(nr, 2), min(nr, TRIM_BLOCKS));
		while (nr) {
			unsigned int batch = min(nr, BATCH);

			if (atomic_read(&trim_stops))
				return;
			if (kswapd_runs(trimmer->nid) || !return_blocks(zone, batch))
				break;
			nr -= batch;
			cond_resched();
		}
	}

	/* Nothing tells when a block becomes free. */
	if (more)
		queue_trim(trimmer->nid);
}

static int __init nodirmap_param(char *arg)
{
	return kstrtobool(arg, &enabled_by_user);
}
early_param("nodirmap", nodirmap_param);

/* Return: why there can be no such blocks on this machine, NULL if there can. */
static const char *__init reason_against(void)
{
	if (!enabled_by_user)
		return "by command line";
	if (!can_set_direct_map())
		return "the direct map cannot be changed";
	if (!mermap_supported())
		return "no ephemeral mappings";
	if (debug_pagealloc_enabled())
		return "debug_pagealloc changes the direct map itself";
	if (page_group_by_mobility_disabled)
		return "too little memory";
	if (pageblock_order < PMD_ORDER)
		return "page blocks are smaller than what one page table maps";
	if (pageblock_nr_pages > BLOCK_SIZE_LIMIT / PAGE_SIZE)
		return "page blocks are too large to be given back";
	return NULL;
}

/* Return: whether there was memory for it. */
static bool __init init_trimmers(void)
{
	int nid;

	trimmers = kzalloc_objs(*trimmers, nr_node_ids);
	trim_wq = alloc_workqueue("nodirmap", WQ_UNBOUND | WQ_FREEZABLE, nr_node_ids);
	if (!trimmers || !trim_wq)
		return false;

	for (nid = 0; nid < nr_node_ids; nid++) {
		trimmers[nid].nid = nid;
		INIT_DELAYED_WORK(&trimmers[nid].work, trim);
	}
	return true;
}

static int __init nodirmap_init(void)
{
	const char *reason = reason_against();

	if (!reason && !init_trimmers())
		reason = "out of memory";
	if (reason) {
		pr_info("off: %s\n", reason);
		return 0;
	}

	possible = true;
	return 0;
}
late_initcall(nodirmap_init);
