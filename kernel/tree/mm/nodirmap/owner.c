// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings own page blocks outside the direct map.
 *
 * A block comes back to the direct map when all of it is free, so pages of
 * different lifetimes must not share one.  A mapping takes whole blocks from the
 * page allocator and hands out their pages.  A page that it gives up returns to
 * its block, and serves the same mapping before the mapping takes another block.
 * When a mapping is gone, all of its blocks are whole.
 *
 * A block is cleared as a whole when it is taken for pages that have to be clear.
 * That is faster than page by page, and leaves nothing in a TLB of another CPU.
 *
 * A block of which all pages are free can be handed out as one large folio.
 *
 * Each owned block has a record, which is found by the number of the block, and
 * which holds a reference to the owner.  The owner's lock protects the records of
 * its blocks.  Freeing a page takes other locks only when a block is whole, or when
 * the memory cgroup is to be told.
 *
 * Nobody else can use the free pages of a block that is owned.  So they are charged to
 * a memory cgroup, as pages in use are: that of the task which was the first to
 * allocate for the mapping.
 *
 * Mappings of less than a few blocks own none: one page must not cost 2 MiB.  They
 * share blocks, as does everything else that asks the page allocator for single
 * pages outside the direct map.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/cpuset.h>
#include <linux/fault-inject.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kmsan.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <trace/events/kmem.h>

#include "../internal.h"
#include "../page_alloc.h"
#include "nodirmap.h"

/* Files of fewer blocks than this share blocks. */
#define MIN_FILE_BLOCKS	4

/* Blocks that leave the direct map with one flush, at most. */
#define MAX_TAKE	64

/* Free pages that are charged or uncharged at a time. */
#define CHARGE_BATCH	64

/* At most so many: a cgroup counts the bytes of one change by an int. */
#define MAX_DUE		((long)(SZ_1G >> PAGE_SHIFT))

/* Records of blocks that are looked at without a break. */
#define RELEASE_LOOKS	1024

/* Pages that do without an owned block when there was none to be had. */
#define PAUSE		32

/**
 * enum contents - of the free pages of a block
 * @STALE: The owner has to clear the page before somebody else can read it.
 * @CLEAR: Zeroes.
 */
enum contents {
	STALE,
	CLEAR,
	/* private: */
	NR_CONTENTS,
};

/**
 * struct nodirmap_block - a page block that a mapping owns
 * @list: In the owner's list of that kind as long as @nr is not 0.
 * @whole_list: In the owner's list of blocks of which all pages are free, which it
 *	counts.
 * @nr: How many pages are free.
 * @free: Bitmaps of these pages.
 * @owner: The owner, with a reference.
 * @page: The first page.
 * @rcu: For kfree_rcu().
 */
struct nodirmap_block {
	struct list_head list[NR_CONTENTS];
	struct list_head whole_list;
	unsigned int nr[NR_CONTENTS];
	unsigned long *free[NR_CONTENTS];
	struct nodirmap_owner *owner;
	struct page *page;
	struct rcu_head rcu;
	/* private: */
	unsigned long bits[];
};

/**
 * struct nodirmap_node - blocks with free pages
 * @list: By what the free pages hold.
 * @whole: Those of which all pages are free.
 */
struct nodirmap_node {
	struct list_head list[NR_CONTENTS];
	struct list_head whole;
};

/**
 * struct nodirmap_blocks - the blocks of an owner
 * @lock: For the records of the blocks and for all below.
 * @objcg: Where free pages are charged, or NULL.
 * @holes: How many pages are free.
 * @charged: For how many of them @objcg pays.  Differs from @holes by less than
 *	CHARGE_BATCH, once the task that settles is done.
 * @settling: A task tells @objcg, and looks again afterwards.
 * @nr: Blocks that it owns.
 * @whole: Those of them of which all pages are free.
 * @closed: The mapping is gone: what is freed goes to nobody.
 * @takers: How many tasks take a block.
 * @pause: How many pages to allocate elsewhere before it takes another block.
 *	A hint, without lock.
 * @wanted: How many blocks the file still lacks.  A hint, without lock.
 * @used: How many pages the file has.  A hint, without lock.
 * @rcu: For kfree_rcu().
 * @node: By node.
 */
struct nodirmap_blocks {
	raw_spinlock_t lock;
	struct obj_cgroup *objcg;
	long holes;
	long charged;
	bool settling;
	unsigned int nr;
	unsigned int whole;
	bool closed;
	atomic_t takers;
	unsigned int pause;
	unsigned int wanted;
	unsigned long used;
	struct rcu_head rcu;
	struct nodirmap_node node[];
};

/* The records, by the number of the block. */
static DEFINE_XARRAY_FLAGS(records, XA_FLAGS_LOCK_IRQ);

static unsigned long block_nr(struct page *page)
{
	return page_to_pfn(page) >> pageblock_order;
}

#ifdef CONFIG_MEMCG
static struct obj_cgroup *get_objcg(void)
{
	return get_obj_cgroup_from_current();
}

static void put_objcg(struct obj_cgroup *objcg)
{
	obj_cgroup_put(objcg);
}

VISIBLE_IF_KUNIT int nodirmap_charge(struct nodirmap_blocks *blocks, gfp_t gfp,
				     unsigned long nr)
{
	KUNIT_STATIC_STUB_REDIRECT(nodirmap_charge, blocks, gfp, nr);

	if (!blocks->objcg)
		return 0;
	return obj_cgroup_charge(blocks->objcg, gfp, nr << PAGE_SHIFT);
}

VISIBLE_IF_KUNIT void nodirmap_uncharge(struct nodirmap_blocks *blocks, unsigned long nr)
{
	KUNIT_STATIC_STUB_REDIRECT(nodirmap_uncharge, blocks, nr);

	if (blocks->objcg)
		obj_cgroup_uncharge(blocks->objcg, nr << PAGE_SHIFT);
}
#else
static struct obj_cgroup *get_objcg(void)
{
	return NULL;
}

static void put_objcg(struct obj_cgroup *objcg) { }

VISIBLE_IF_KUNIT int nodirmap_charge(struct nodirmap_blocks *blocks, gfp_t gfp,
				     unsigned long nr)
{
	return 0;
}

VISIBLE_IF_KUNIT void nodirmap_uncharge(struct nodirmap_blocks *blocks, unsigned long nr)
{
}
#endif

/* Has the number of free pages changed by enough for the cgroup to be told? */
static bool is_due(struct nodirmap_blocks *blocks)
{
	/* A hint where the lock is not held: settle() computes it anew. */
	return abs(data_race(blocks->holes - blocks->charged)) >= CHARGE_BATCH;
}

/*
 * Pages that are free already cannot be refused.  Most were charged until then.  A
 * folio that its file did not take was not: the cgroup can be above its limit by that.
 *
 * One task at a time: another one must not uncharge pages that are about to be charged.
 */
static void settle(struct nodirmap_blocks *blocks)
{
	long due;

	do {
		scoped_guard(raw_spinlock_irqsave, &blocks->lock) {
			if (blocks->settling)
				return;
			due = clamp(blocks->holes - blocks->charged, -MAX_DUE, MAX_DUE);
			blocks->charged += due;
			blocks->settling = true;
		}
		if (due > 0)
			WARN_ON_ONCE(nodirmap_charge(blocks, GFP_ATOMIC, due));
		else if (due < 0)
			nodirmap_uncharge(blocks, -due);

		scoped_guard(raw_spinlock_irqsave, &blocks->lock)
			blocks->settling = false;
	} while (is_due(blocks));
}

static void mod_holes(struct nodirmap_blocks *blocks, struct page *page, long nr)
{
	lockdep_assert_held(&blocks->lock);

	__mod_zone_page_state(page_zone(page), NR_NODIRMAP_HOLES, nr);
	blocks->holes += nr;
}

/**
 * nodirmap_alloc_blocks - let a mapping own blocks
 *
 * Context: Process context, may sleep.
 * Return: What the owner keeps of its blocks, of which there are none yet, or NULL
 *	if it cannot own any.
 */
struct nodirmap_blocks *nodirmap_alloc_blocks(void)
{
	struct nodirmap_blocks *blocks;
	int nid, i;

	if (!nodirmap_enabled())
		return NULL;

	blocks = kzalloc_flex(*blocks, node, nr_node_ids,
			      GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!blocks)
		return NULL;

	raw_spin_lock_init(&blocks->lock);
	blocks->objcg = get_objcg();
	for (nid = 0; nid < nr_node_ids; nid++) {
		for (i = 0; i < NR_CONTENTS; i++)
			INIT_LIST_HEAD(&blocks->node[nid].list[i]);
		INIT_LIST_HEAD(&blocks->node[nid].whole);
	}
	return blocks;
}

static struct nodirmap_block *alloc_record(struct nodirmap_owner *owner,
					   struct page *page)
{
	unsigned int longs = BITS_TO_LONGS(pageblock_nr_pages), i;
	struct nodirmap_block *block;

	block = kzalloc_flex(*block, bits, NR_CONTENTS * longs,
			     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!block)
		return NULL;

	for (i = 0; i < NR_CONTENTS; i++) {
		INIT_LIST_HEAD(&block->list[i]);
		block->free[i] = block->bits + i * longs;
	}
	INIT_LIST_HEAD(&block->whole_list);
	block->page = page;
	block->owner = owner;

	if (xa_err(xa_store_irq(&records, block_nr(page), block,
				GFP_KERNEL | __GFP_NOWARN))) {
		kfree(block);
		return NULL;
	}
	nodirmap_get_owner(owner);
	return block;
}

static unsigned int nr_free(struct nodirmap_block *block)
{
	return block->nr[STALE] + block->nr[CLEAR];
}

static struct nodirmap_node *node_of(struct nodirmap_block *block)
{
	return &block->owner->blocks->node[page_to_nid(block->page)];
}

/* The first to be used next time: holes are to be filled. */
static void list_block(struct nodirmap_block *block, enum contents kind)
{
	list_move(&block->list[kind], &node_of(block)->list[kind]);
}

static void unlist_block(struct nodirmap_block *block)
{
	list_del_init(&block->list[STALE]);
	list_del_init(&block->list[CLEAR]);
}

/* The block is whole, on no list, and nobody can find it any more. */
static void release_block(struct nodirmap_block *block)
{
	struct nodirmap_owner *owner = block->owner;
	struct page *page = block->page;
	struct zone *zone = page_zone(page);
	unsigned long flags;

	xa_lock_irqsave(&records, flags);
	__xa_erase(&records, block_nr(page));
	xa_unlock_irqrestore(&records, flags);

	nodirmap_put_block(zone, page);
	/* kswapd can put it back, though it found nothing to reclaim before. */
	if (kswapd_test_hopeless(zone->zone_pgdat))
		kswapd_clear_hopeless(zone->zone_pgdat, KSWAPD_CLEAR_HOPELESS_OTHER);
	kfree_rcu(block, rcu);
	if (is_due(owner->blocks))
		settle(owner->blocks);
	nodirmap_put_owner(owner);
}

static bool has_poison(struct nodirmap_block *block)
{
#ifdef CONFIG_MEMORY_FAILURE
	unsigned int i;

	for (i = 0; i < pageblock_nr_pages; i++)
		if (PageHWPoison(block->page + i))
			return true;
#endif
	return false;
}

/* A block with a memory error is for nobody else. */
static bool is_whole(struct nodirmap_block *block)
{
	if (nr_free(block) != pageblock_nr_pages)
		return false;
#ifdef CONFIG_MEMORY_FAILURE
	if (likely(!atomic_long_read(&num_poisoned_pages)))
		return true;
#endif
	return !has_poison(block);
}

static void set_whole(struct nodirmap_block *block, bool whole)
{
	if (whole == !list_empty(&block->whole_list))
		return;

	if (whole) {
		list_add(&block->whole_list, &node_of(block)->whole);
		block->owner->blocks->whole++;
	} else {
		list_del_init(&block->whole_list);
		block->owner->blocks->whole--;
	}
}

/* The block is about to be released. */
static void disown_block(struct nodirmap_block *block)
{
	struct nodirmap_blocks *blocks = block->owner->blocks;

	lockdep_assert_held(&blocks->lock);

	unlist_block(block);
	set_whole(block, false);
	mod_holes(blocks, block->page, -(long)pageblock_nr_pages);
	WRITE_ONCE(blocks->nr, blocks->nr - 1);
}

/* Pages next to each other have been freed, which free_pages_prepare() has seen. */
static void take_back(struct nodirmap_block *block, struct page *page, unsigned int nr)
{
	struct nodirmap_owner *owner = block->owner;
	struct nodirmap_blocks *blocks = owner->blocks;
	bool whole, due;

	scoped_guard(raw_spinlock_irqsave, &blocks->lock) {
		__count_vm_events(PGFREE, nr);
		bitmap_set(block->free[STALE], page - block->page, nr);
		block->nr[STALE] += nr;
		mod_holes(blocks, page, nr);
		if (!blocks->closed)
			list_block(block, STALE);
		whole = is_whole(block);
		if (whole) {
			set_whole(block, true);
			/*
			 * One stays, so that a page which comes and goes does not
			 * take a block along each time.
			 */
			whole = blocks->closed || blocks->whole > 1;
		}
		if (whole)
			disown_block(block);
		/* The owner may go with the last page, which may be free any moment. */
		due = is_due(blocks);
		if (due)
			nodirmap_get_owner(owner);
	}
	if (whole)
		release_block(block);
	if (due) {
		settle(blocks);
		nodirmap_put_owner(owner);
	}
}

/**
 * __nodirmap_take_back - pages of an owned block have been freed
 * @page: The first page, which free_pages_prepare() has seen.
 * @order: How many there are.  Not more than a block.
 *
 * Context: Any but NMI.
 * Return: false if nobody owns the block: the pages are the page allocator's.
 */
bool __nodirmap_take_back(struct page *page, unsigned int order)
{
	struct nodirmap_block *block = xa_load(&records, block_nr(page));

	/* It stays as long as one of its pages is not free. */
	if (!block)
		return false;

	take_back(block, page, 1 << order);
	return true;
}

/**
 * __nodirmap_add_to_run - pages of an owned block have been freed in a batch
 * @run: Pages of the batch that are still to be taken back, or none.
 * @page: The first page, which free_pages_prepare() has seen.
 * @order: How many there are.  Not more than a block.
 *
 * A lookup and a lock for each page would cost more than the page allocator's own
 * lists of free pages.  If @page does not follow @run in its block, the pages of
 * @run are taken back, and @page begins a new one.
 *
 * Context: Any but NMI.  The caller takes the last pages back by nodirmap_end_run().
 * Return: false if nobody owns the block: the pages are the page allocator's.
 */
bool __nodirmap_add_to_run(struct nodirmap_run *run, struct page *page,
			   unsigned int order)
{
	struct nodirmap_block *block;

	if (run->nr && page == run->page + run->nr &&
	    !pageblock_aligned(page_to_pfn(page))) {
		run->nr += 1 << order;
		return true;
	}

	/* It stays as long as one of its pages is not free. */
	block = xa_load(&records, block_nr(page));
	if (!block)
		return false;

	nodirmap_end_run(run);
	run->block = block;
	run->page = page;
	run->nr = 1 << order;
	return true;
}

/**
 * __nodirmap_end_run - take back pages of a batch
 * @run: The pages; none afterwards.
 *
 * Context: Any but NMI.
 */
void __nodirmap_end_run(struct nodirmap_run *run)
{
	take_back(run->block, run->page, run->nr);
	run->nr = 0;
}

/* A page with a memory error stays where it is, for good. */
static struct page *pick_from(struct nodirmap_block *block, enum contents kind)
{
	while (block->nr[kind]) {
		unsigned int i = find_first_bit(block->free[kind], pageblock_nr_pages);
		struct page *page = block->page + i;

		set_whole(block, false);
		__clear_bit(i, block->free[kind]);
		block->nr[kind]--;
		mod_holes(block->owner->blocks, page, -1);
		if (likely(!PageHWPoison(page))) {
			__count_zid_vm_events(PGALLOC, page_zonenum(page), 1);
			return page;
		}
	}
	return NULL;
}

static struct page *pick_kind(struct nodirmap_blocks *blocks, int nid,
			      enum contents kind)
{
	struct list_head *list = &blocks->node[nid].list[kind];
	struct nodirmap_block *block, *next;

	list_for_each_entry_safe(block, next, list, list[kind]) {
		struct page *page = pick_from(block, kind);

		if (!block->nr[kind])
			list_del_init(&block->list[kind]);
		if (page)
			return page;
	}
	return NULL;
}

/* All pages of a block. */
static struct page *pick_whole(struct nodirmap_blocks *blocks, int nid,
			       enum contents *found)
{
	struct list_head *list = &blocks->node[nid].whole;
	struct nodirmap_block *block;
	int i;

	/* A memory error may have come since, and not be counted yet. */
	while ((block = list_first_entry_or_null(list, struct nodirmap_block,
						 whole_list)) &&
	       has_poison(block))
		set_whole(block, false);
	if (!block)
		return NULL;

	*found = block->nr[CLEAR] == pageblock_nr_pages ? CLEAR : STALE;
	set_whole(block, false);
	unlist_block(block);
	for (i = 0; i < NR_CONTENTS; i++) {
		bitmap_zero(block->free[i], pageblock_nr_pages);
		block->nr[i] = 0;
	}
	mod_holes(blocks, block->page, -(long)pageblock_nr_pages);
	__count_zid_vm_events(PGALLOC, page_zonenum(block->page), pageblock_nr_pages);
	return block->page;
}

/* Return: a page of @wanted contents if there is one, else one of the others. */
static struct page *__pick(struct nodirmap_blocks *blocks, unsigned int order, int nid,
			   enum contents wanted, enum contents *found)
{
	struct page *page;

	guard(raw_spinlock_irqsave)(&blocks->lock);

	if (order)
		return pick_whole(blocks, nid, found);

	*found = wanted;
	page = pick_kind(blocks, nid, wanted);
	if (!page) {
		*found = wanted == CLEAR ? STALE : CLEAR;
		page = pick_kind(blocks, nid, *found);
	}
	return page;
}

static struct page *pick(struct nodirmap_blocks *blocks, unsigned int order, int nid,
			 enum contents wanted, enum contents *found)
{
	struct page *page = __pick(blocks, order, nid, wanted, found);

	if (is_due(blocks))
		settle(blocks);
	return page;
}

/* One more block, all of which is free, and charged. */
static bool add_block(struct nodirmap_owner *owner, struct page *page,
		      enum contents wanted)
{
	struct nodirmap_blocks *blocks = owner->blocks;
	enum contents kind = STALE;
	struct nodirmap_block *block;

	block = alloc_record(owner, page);
	if (!block) {
		nodirmap_put_block(page_zone(page), page);
		return false;
	}

	if (wanted == CLEAR && !nodirmap_clear_block(page))
		kind = CLEAR;

	bitmap_set(block->free[kind], 0, pageblock_nr_pages);
	block->nr[kind] = pageblock_nr_pages;
	guard(raw_spinlock_irqsave)(&blocks->lock);
	mod_holes(blocks, page, pageblock_nr_pages);
	blocks->charged += pageblock_nr_pages;
	WRITE_ONCE(blocks->nr, blocks->nr + 1);
	set_whole(block, true);
	list_block(block, kind);
	return true;
}

/*
 * Have more than one block ready, if the mapping is going to need them, so that
 * they share a flush.  A mapping never takes more than it has already.
 */
static unsigned int blocks_to_take(struct nodirmap_blocks *blocks)
{
	return clamp(min(READ_ONCE(blocks->nr), READ_ONCE(blocks->wanted)), 1, MAX_TAKE);
}

static bool take_block(struct nodirmap_owner *owner, gfp_t gfp, int nid,
		       nodemask_t *nodemask, struct zone *zone,
		       enum contents wanted)
{
	struct nodirmap_blocks *blocks = owner->blocks;
	unsigned int pause = READ_ONCE(blocks->pause);
	struct page *page;

	if (pause) {
		WRITE_ONCE(blocks->pause, pause - 1);
		return false;
	}

	if (nodirmap_charge(blocks, gfp | __GFP_NORETRY, pageblock_nr_pages))
		goto pause;

	nodirmap_fill_pool(zone, gfp, blocks_to_take(blocks));
	page = __alloc_nodirmap_pages_noprof(gfp & ~__GFP_COMP, pageblock_order, nid,
					     nodemask);
	if (page && free_pages_prepare(page, pageblock_order)) {
		/* They are counted again when they are handed out. */
		count_vm_events(PGFREE, pageblock_nr_pages);
		if (add_block(owner, page, wanted))
			return true;
	}
	nodirmap_uncharge(blocks, pageblock_nr_pages);

pause:
	WRITE_ONCE(blocks->pause, PAUSE);
	return false;
}

/* Not more tasks at a time than the file lacks blocks. */
static bool may_take(struct nodirmap_blocks *blocks)
{
	if (atomic_inc_return(&blocks->takers) <= READ_ONCE(blocks->wanted))
		return true;
	atomic_dec(&blocks->takers);
	return false;
}

/*
 * A request for a whole block passes holes over.  No more of them than pages in use
 * and a few blocks: others can have none of these.
 */
static bool has_many_holes(struct nodirmap_blocks *blocks)
{
	unsigned long owned = READ_ONCE(blocks->nr) * pageblock_nr_pages;

	return owned > 2 * READ_ONCE(blocks->used) + MIN_FILE_BLOCKS * pageblock_nr_pages;
}

/*
 * From the node that an ordinary request would have a page from without reclaim,
 * or from a block of a nearer one.
 */
static struct page *find_page(struct nodirmap_owner *owner, gfp_t gfp,
			      unsigned int order, int nid, nodemask_t *nodemask,
			      enum contents wanted, enum contents *found)
{
	enum zone_type highest = gfp_zone(gfp);
	struct zoneref *z;
	struct zone *zone;
	bool taken;

	for_each_zone_zonelist_nodemask(zone, z, node_zonelist(nid, gfp), highest,
					nodemask) {
		struct page *page;

		if (!cpuset_zone_allowed(zone, gfp | __GFP_HARDWALL))
			continue;

		page = pick(owner->blocks, order, zone_to_nid(zone), wanted, found);
		if (page)
			return page;
		if (!zone_watermark_ok(zone, 0, low_wmark_pages(zone), highest,
				       ALLOC_UNMAPPED))
			continue;
		if (order && has_many_holes(owner->blocks))
			return NULL;
		if (!may_take(owner->blocks))
			return NULL;
		taken = take_block(owner, gfp, nid, nodemask, zone, wanted);
		atomic_dec(&owner->blocks->takers);
		if (!taken)
			return NULL;

		/* The allocator may have found the block on another node. */
		page = pick(owner->blocks, order, zone_to_nid(zone), wanted, found);
		if (page)
			return page;
	}
	return NULL;
}

/**
 * nodirmap_alloc_pages - allocate pages from a block that a mapping owns
 * @owner: The owner.
 * @gfp: What the caller may do to get memory; with __GFP_ZERO, prefer a page
 *	that is clear.
 * @order: 0 for one page, pageblock_order for all of a block.
 * @nid: The node to prefer.
 * @nodemask: The nodes that are allowed, or NULL for all.
 *
 * Context: Process context.
 * Return: The page, or the first of a compound page, frozen, marked up to date if
 *	all of it is clear; or NULL.
 */
struct page *nodirmap_alloc_pages(struct nodirmap_owner *owner, gfp_t gfp,
				  unsigned int order, int nid, nodemask_t *nodemask)
{
	enum contents wanted = gfp & __GFP_ZERO ? CLEAR : STALE, found;
	struct page *page;

	if (!owner->blocks || !READ_ONCE(owner->blocks->wanted))
		return NULL;
	/* Only such folios come back here as a whole. */
	if (order && (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) || order != PMD_ORDER ||
		      order != pageblock_order))
		return NULL;

	gfp &= ~(__GFP_ZERO | __GFP_MOVABLE | __GFP_RECLAIMABLE | __GFP_NOFAIL);
	gfp = current_gfp_context(gfp) | __GFP_NOWARN;
	if (!gfpflags_allow_blocking(gfp) || should_fail_alloc_page(gfp, order))
		return NULL;

	page = find_page(owner, gfp, order, nid, nodemask, wanted, &found);
	if (!page)
		return NULL;

	post_alloc_hook(page, order, gfp, ALLOC_UNMAPPED);
	if (order)
		prep_compound_page(page, order);
	clear_page_pfmemalloc(page);
	if (found == CLEAR)
		__SetPageUptodate(page);
	trace_mm_page_alloc(page, order, gfp, MIGRATE_UNMOVABLE);
	kmsan_alloc_page(page, order, found == CLEAR ? gfp | __GFP_ZERO : gfp);
	return page;
}

/**
 * nodirmap_set_wanted - tell how much a mapping may still need
 * @owner: The owner of the blocks.
 * @mapping: The mapping.
 */
void nodirmap_set_wanted(struct nodirmap_owner *owner, struct address_space *mapping)
{
	unsigned long size = i_size_read(mapping->host) >> PAGE_SHIFT;
	unsigned long there = READ_ONCE(mapping->nrpages);
	unsigned long lacks = size - min(size, there);

	if (!owner->blocks)
		return;

	/* Large folios are whole blocks, however few. */
	if (size < pageblock_nr_pages ||
	    (size < MIN_FILE_BLOCKS * pageblock_nr_pages &&
	     !mapping_large_folio_support(mapping)))
		lacks = 0;
	WRITE_ONCE(owner->blocks->used, there);
	WRITE_ONCE(owner->blocks->wanted,
		   min(DIV_ROUND_UP(lacks, pageblock_nr_pages), MAX_TAKE));
}

static struct nodirmap_block *first_listed(struct nodirmap_blocks *blocks)
{
	int nid, i;

	for (nid = 0; nid < nr_node_ids; nid++)
		for (i = 0; i < NR_CONTENTS; i++)
			if (!list_empty(&blocks->node[nid].list[i]))
				return list_first_entry(&blocks->node[nid].list[i],
							struct nodirmap_block, list[i]);
	return NULL;
}

/* Take a block with free pages from the lists; @whole if it can be released. */
static struct nodirmap_block *close_block(struct nodirmap_blocks *blocks, bool *whole)
{
	struct nodirmap_block *block;

	guard(raw_spinlock_irqsave)(&blocks->lock);

	blocks->closed = true;
	block = first_listed(blocks);
	if (!block)
		return NULL;

	*whole = is_whole(block);
	if (*whole)
		disown_block(block);
	else
		unlist_block(block);
	return block;
}

/* Each CPU may have folios that wait for the LRU. */
static void drain_lru(struct work_struct *work)
{
	lru_add_drain_all();
}

static DECLARE_WORK(drain_work, drain_lru);

/**
 * nodirmap_close_blocks - let go of the blocks of a mapping that is gone
 * @blocks: The blocks.
 *
 * A block of which a page still has a user goes when the page is freed.  If there is
 * such a block, the batches of all CPUs for the LRU are drained later.
 *
 * Context: Process context.  No CPU has cached how the kernel has reached pages
 *	of the mapping.
 */
void nodirmap_close_blocks(struct nodirmap_blocks *blocks)
{
	struct nodirmap_block *block;
	bool whole, left = false;

	if (!blocks)
		return;

	while ((block = close_block(blocks, &whole))) {
		if (whole)
			release_block(block);
		else
			left = true;
		cond_resched();
	}
	if (left)
		schedule_work(&drain_work);
}

static bool is_charged_to(struct nodirmap_block *block, struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG
	struct obj_cgroup *objcg = block->owner->blocks->objcg;

	return objcg && mem_cgroup_is_descendant(obj_cgroup_memcg(objcg), memcg);
#else
	return false;
#endif
}

/* Return: whether all of the block is free, and nobody has it any more. */
static bool take_from_owner(struct nodirmap_block *block)
{
	struct nodirmap_blocks *blocks = block->owner->blocks;

	guard(raw_spinlock_irqsave)(&blocks->lock);

	/* What is on no list is not free, or has been released already. */
	if (list_empty(&block->list[STALE]) && list_empty(&block->list[CLEAR]))
		return false;
	if (!is_whole(block))
		return false;

	disown_block(block);
	return true;
}

static bool release_if_idle(struct nodirmap_block *block, int nid, struct mem_cgroup *memcg)
{
	/* A hint, which spares most records of others. */
	if (list_empty(&block->whole_list))
		return false;
	if (nid != NUMA_NO_NODE && nid != page_to_nid(block->page))
		return false;
	if (memcg && !is_charged_to(block, memcg))
		return false;
	if (!take_from_owner(block))
		return false;

	release_block(block);
	return true;
}

/**
 * nodirmap_release_idle - have mappings release the blocks that they do not use
 * @nid: On this node, or NUMA_NO_NODE for all.
 * @memcg: Those that are charged to this cgroup or to one below it, or NULL for all.
 *
 * A mapping keeps a block of which no page is in use.  Others need the memory now.
 *
 * Context: Process context, may sleep.
 * Return: How many blocks are free for others.
 */
unsigned int nodirmap_release_idle(int nid, struct mem_cgroup *memcg)
{
	unsigned int nr = 0, looks = 0;
	struct nodirmap_block *block;
	unsigned long index;

	might_sleep();

	rcu_read_lock();
	xa_for_each(&records, index, block) {
		nr += release_if_idle(block, nid, memcg);
		/* A large host has half a million records. */
		if (++looks % RELEASE_LOOKS == 0) {
			rcu_read_unlock();
			cond_resched();
			rcu_read_lock();
		}
	}
	rcu_read_unlock();
	return nr;
}

/**
 * nodirmap_free_blocks - forget an owner that has no blocks
 * @blocks: What nodirmap_alloc_blocks() returned, or NULL.
 *
 * Context: Any.
 */
void nodirmap_free_blocks(struct nodirmap_blocks *blocks)
{
	if (!blocks)
		return;

	settle(blocks);
	put_objcg(blocks->objcg);
	/* A CPU that freed a page of the last block may still unlock. */
	kfree_rcu(blocks, rcu);
}

/**
 * nodirmap_count_holes - count the free pages of owned blocks by their records
 *
 * Context: Process context.
 * Return: How many there are; some that come or go meanwhile may be missing.
 */
unsigned long nodirmap_count_holes(void)
{
	struct nodirmap_block *block;
	unsigned long nr, holes = 0;

	guard(rcu)();

	xa_for_each(&records, nr, block)
		/* Others set and clear bits meanwhile. */
		holes += data_race(bitmap_weight(block->free[STALE], pageblock_nr_pages) +
				   bitmap_weight(block->free[CLEAR], pageblock_nr_pages));
	return holes;
}
