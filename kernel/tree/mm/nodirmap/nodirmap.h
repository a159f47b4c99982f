/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory outside the kernel's direct map: private to mm/.
 */
#ifndef _MM_NODIRMAP_H
#define _MM_NODIRMAP_H

#include <linux/errno.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodirmap.h>
#include <linux/pagemap.h>
#include <linux/refcount.h>

#include "../page_alloc.h"

struct mempolicy;
struct mermap_marks;
struct nodirmap_block;
struct nodirmap_blocks;

/**
 * struct nodirmap_owner - what a mapping with AS_NO_DIRECT_MAP has
 * @refs: One for the mapping, one for each block.
 * @marks: The mms whose ephemeral mappings of the contents TLBs may still hold,
 *	or NULL.
 * @blocks: The page blocks that it owns, or NULL if it can own none.
 * @rcu: For kfree_rcu().
 */
struct nodirmap_owner {
	refcount_t refs;
	struct mermap_marks *marks;
	struct nodirmap_blocks *blocks;
	struct rcu_head rcu;
};

/**
 * struct nodirmap_run - pages of a batch that have been freed
 * @block: The owned block of the pages.
 * @page: The first of them.
 * @nr: How many there are, next to each other.  0 if there are none.
 */
struct nodirmap_run {
	struct nodirmap_block *block;
	struct page *page;
	unsigned int nr;
};

/* convert.c */
#ifdef CONFIG_NODIRMAP
int folio_zap_direct_map(struct folio *folio);
int folio_restore_direct_map(struct folio *folio);
#endif

/* core.c */
#ifdef CONFIG_NODIRMAP
void nodirmap_get_owner(struct nodirmap_owner *owner);
void nodirmap_put_owner(struct nodirmap_owner *owner);
int nodirmap_add_folio(struct address_space *mapping, struct folio *folio, gfp_t gfp);
void nodirmap_undo_add(struct folio *folio);
bool nodirmap_remove_folio(struct mermap_marks *marks, struct folio *folio);
void nodirmap_remove_folios(struct mermap_marks *marks, struct folio **folios,
			    unsigned int nr);
void __nodirmap_exit_mapping(struct address_space *mapping);

#if IS_ENABLED(CONFIG_KUNIT)
bool nodirmap_has_mermap(void);
bool nodirmap_scrub(struct mermap_marks *marks, struct folio **folios, unsigned int nr);
#endif
#else
static inline int nodirmap_add_folio(struct address_space *mapping,
				     struct folio *folio, gfp_t gfp)
{
	return -EOPNOTSUPP;
}

static inline void nodirmap_undo_add(struct folio *folio) { }

static inline bool nodirmap_remove_folio(struct mermap_marks *marks,
					 struct folio *folio)
{
	return true;
}

static inline void nodirmap_remove_folios(struct mermap_marks *marks,
					  struct folio **folios, unsigned int nr) { }
static inline void __nodirmap_exit_mapping(struct address_space *mapping) { }
#endif /* CONFIG_NODIRMAP */

/* The mapping has lost its last folio for good. */
static inline void nodirmap_exit_mapping(struct address_space *mapping)
{
	if (mapping_no_direct_map(mapping))
		__nodirmap_exit_mapping(mapping);
}

/* The marks of a mapping that has the flag, or NULL. */
static inline struct mermap_marks *nodirmap_marks_of(struct address_space *mapping)
{
	struct nodirmap_owner *owner = READ_ONCE(mapping->nodirmap_owner);

	return owner ? READ_ONCE(owner->marks) : NULL;
}

/* blocks.c */
#ifdef CONFIG_NODIRMAP_BLOCKS
DECLARE_STATIC_KEY_FALSE(nodirmap_key);

/* Have there been, or may there be, blocks outside the direct map? */
static inline bool nodirmap_enabled(void)
{
	return static_branch_unlikely(&nodirmap_key);
}

/*
 * Is the page in a block that the direct map lacks?  This cannot change for as
 * long as the page is allocated.
 */
static inline bool page_is_nodirmap(const struct page *page)
{
	return nodirmap_enabled() && get_pageblock_nodirmap(page);
}

bool nodirmap_use_blocks(void);
int nodirmap_zap_block(struct page *page);
int nodirmap_restore_block(struct page *page);
int nodirmap_undo_block(struct page *page, bool valid);
int nodirmap_clear_block(struct page *page);
void nodirmap_put_block(struct zone *zone, struct page *page);
void nodirmap_fill_pool(struct zone *zone, gfp_t gfp, unsigned int nr);

bool __nodirmap_allowed(gfp_t *gfp, unsigned int order, unsigned int alloc_flags,
			int *nid, nodemask_t *nodemask);
bool __nodirmap_refill(struct zone *zone, gfp_t gfp, unsigned int alloc_flags,
		       const struct alloc_context *ac);
bool __nodirmap_return(struct zone *zone, unsigned int order, gfp_t gfp,
		       unsigned int alloc_flags);
bool __nodirmap_return_last(gfp_t gfp, unsigned int order, const struct alloc_context *ac);
bool __nodirmap_reclaim(pg_data_t *pgdat, int highest_zoneidx);
void __nodirmap_return_range(unsigned long start_pfn, unsigned long end_pfn);
void nodirmap_return_all(struct zone *zone);

#if IS_ENABLED(CONFIG_KUNIT)
long nodirmap_count_used(void);
atomic_t *nodirmap_returning(struct zone *zone);
#endif

/* owner.c */
struct nodirmap_blocks *nodirmap_alloc_blocks(void);
void nodirmap_close_blocks(struct nodirmap_blocks *blocks);
void nodirmap_free_blocks(struct nodirmap_blocks *blocks);
void nodirmap_set_wanted(struct nodirmap_owner *owner, struct address_space *mapping);
bool __nodirmap_take_back(struct page *page, unsigned int order);
bool __nodirmap_add_to_run(struct nodirmap_run *run, struct page *page,
			   unsigned int order);
void __nodirmap_end_run(struct nodirmap_run *run);
unsigned int nodirmap_release_idle(int nid, struct mem_cgroup *memcg);
unsigned long nodirmap_count_holes(void);

#if IS_ENABLED(CONFIG_KUNIT)
int nodirmap_charge(struct nodirmap_blocks *blocks, gfp_t gfp, unsigned long nr);
void nodirmap_uncharge(struct nodirmap_blocks *blocks, unsigned long nr);
#endif
#else
static inline bool nodirmap_enabled(void)
{
	return false;
}

static inline bool nodirmap_use_blocks(void)
{
	return false;
}

static inline bool page_is_nodirmap(const struct page *page)
{
	return false;
}

static inline bool __nodirmap_allowed(gfp_t *gfp, unsigned int order,
				      unsigned int alloc_flags, int *nid,
				      nodemask_t *nodemask)
{
	return false;
}

static inline bool __nodirmap_refill(struct zone *zone, gfp_t gfp,
				     unsigned int alloc_flags,
				     const struct alloc_context *ac)
{
	return false;
}

static inline bool __nodirmap_return(struct zone *zone, unsigned int order,
				     gfp_t gfp, unsigned int alloc_flags)
{
	return false;
}

static inline bool __nodirmap_return_last(gfp_t gfp, unsigned int order,
					  const struct alloc_context *ac)
{
	return false;
}

static inline bool __nodirmap_reclaim(pg_data_t *pgdat, int highest_zoneidx)
{
	return false;
}

static inline void __nodirmap_return_range(unsigned long start_pfn,
					   unsigned long end_pfn) { }
static inline void nodirmap_return_all(struct zone *zone) { }

static inline struct nodirmap_blocks *nodirmap_alloc_blocks(void)
{
	return NULL;
}

static inline void nodirmap_close_blocks(struct nodirmap_blocks *blocks) { }
static inline void nodirmap_free_blocks(struct nodirmap_blocks *blocks) { }
static inline void nodirmap_set_wanted(struct nodirmap_owner *owner,
				       struct address_space *mapping) { }

static inline bool __nodirmap_take_back(struct page *page, unsigned int order)
{
	return false;
}

static inline bool __nodirmap_add_to_run(struct nodirmap_run *run,
					 struct page *page, unsigned int order)
{
	return false;
}

static inline void __nodirmap_end_run(struct nodirmap_run *run) { }

static inline unsigned int nodirmap_release_idle(int nid, struct mem_cgroup *memcg)
{
	return 0;
}

static inline unsigned long nodirmap_count_holes(void)
{
	return 0;
}
#endif /* CONFIG_NODIRMAP_BLOCKS */

/* check.c */

/**
 * struct nodirmap_sweep - all of RAM, compared with the direct map
 * @in_blocks: Pages in page blocks that are outside.
 * @single: Pages outside on their own.
 * @holes: Pages that mappings own and do not use.
 * @wrong: Pages that are not where they have to be.
 */
struct nodirmap_sweep {
	unsigned long in_blocks;
	unsigned long single;
	unsigned long holes;
	unsigned long wrong;
};

void nodirmap_sweep(struct nodirmap_sweep *sweep);

/* May there be such a request?  Restricts what @gfp allows, and where to look. */
static inline bool nodirmap_allowed(gfp_t *gfp, unsigned int order,
				    unsigned int alloc_flags, int *nid,
				    nodemask_t *nodemask)
{
	if (unlikely(alloc_flags & ALLOC_UNMAPPED)) {
		/* Copies, so that other requests keep theirs in registers. */
		gfp_t restricted_gfp = *gfp;
		int restricted_nid = *nid;
		bool allowed;

		allowed = __nodirmap_allowed(&restricted_gfp, order, alloc_flags,
					     &restricted_nid, nodemask);
		*gfp = restricted_gfp;
		*nid = restricted_nid;
		return allowed;
	}

	return true;
}

/* No page for a request: try again if it wanted one from outside the map. */
static inline bool nodirmap_refill(struct zone *zone, gfp_t gfp,
				   unsigned int alloc_flags,
				   const struct alloc_context *ac)
{
	return (alloc_flags & ALLOC_UNMAPPED) &&
	       __nodirmap_refill(zone, gfp, alloc_flags, ac);
}

/* Not enough memory in the zone for a request: try again if there is more now. */
static inline bool nodirmap_return(struct zone *zone, unsigned int order,
				   gfp_t gfp, unsigned int alloc_flags)
{
	return nodirmap_enabled() &&
	       __nodirmap_return(zone, order, gfp, alloc_flags);
}

/* The last resort before the OOM killer. */
static inline bool nodirmap_return_last(gfp_t gfp, unsigned int order,
					const struct alloc_context *ac)
{
	return nodirmap_enabled() && __nodirmap_return_last(gfp, order, ac);
}

/* kswapd finds a node short of memory. */
static inline bool nodirmap_reclaim(pg_data_t *pgdat, int highest_zoneidx)
{
	return nodirmap_enabled() && __nodirmap_reclaim(pgdat, highest_zoneidx);
}

/* A cgroup is at its limit: try again if mappings give up memory that it pays for. */
static inline bool nodirmap_release_charged(struct mem_cgroup *memcg)
{
	return nodirmap_enabled() && nodirmap_release_idle(NUMA_NO_NODE, memcg);
}

/* Pages are free, and are not the page allocator's if a mapping owns their block. */
static inline bool nodirmap_take_back(struct page *page, unsigned int order,
				      freetype_t freetype)
{
	return freetype_flags(freetype) && __nodirmap_take_back(page, order);
}

/* The same, of a batch: the last pages are taken back by nodirmap_end_run(). */
static inline bool nodirmap_add_to_run(struct nodirmap_run *run, struct page *page,
				       unsigned int order, freetype_t freetype)
{
	return freetype_flags(freetype) && __nodirmap_add_to_run(run, page, order);
}

/* A batch is at its end. */
static inline void nodirmap_end_run(struct nodirmap_run *run)
{
	if (run->nr)
		__nodirmap_end_run(run);
}

/* Before the blocks of a range are isolated. */
static inline void nodirmap_return_range(unsigned long start_pfn,
					 unsigned long end_pfn)
{
	if (nodirmap_enabled())
		__nodirmap_return_range(start_pfn, end_pfn);
}

#endif /* _MM_NODIRMAP_H */
