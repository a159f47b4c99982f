/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page blocks that the kernel's direct map lacks: what the page allocator asks
 * of them.
 */
#ifndef _MM_UNMAPPED_H
#define _MM_UNMAPPED_H

#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/mmzone.h>

#include "page_alloc.h"

#ifdef CONFIG_PAGE_ALLOC_UNMAPPED
DECLARE_STATIC_KEY_FALSE(unmapped_key);

/* Decided once, late during boot. */
static inline bool unmapped_enabled(void)
{
	return static_branch_unlikely(&unmapped_key);
}

/*
 * Is the page in a block that the direct map lacks?  This cannot change for as
 * long as the page is allocated.
 */
static inline bool page_is_unmapped(const struct page *page)
{
	return unmapped_enabled() && get_pageblock_unmapped(page);
}

int unmapped_zap_block(struct page *page);
int unmapped_restore_block(struct page *page);
int unmapped_undo_block(struct page *page, bool valid);

bool __unmapped_allowed(gfp_t *gfp, unsigned int order, unsigned int alloc_flags,
			int *nid, nodemask_t *nodemask);
bool __unmapped_refill(struct zone *zone, gfp_t gfp, unsigned int alloc_flags,
		       const struct alloc_context *ac);
bool __unmapped_return(struct zone *zone, gfp_t gfp, unsigned int alloc_flags);
bool __unmapped_return_last(const struct alloc_context *ac);
bool __unmapped_reclaim(pg_data_t *pgdat, int highest_zoneidx);
void __unmapped_return_range(unsigned long start_pfn, unsigned long end_pfn);
void unmapped_return_all(struct zone *zone);
#else
static inline bool unmapped_enabled(void)
{
	return false;
}

static inline bool page_is_unmapped(const struct page *page)
{
	return false;
}

static inline bool __unmapped_allowed(gfp_t *gfp, unsigned int order,
				      unsigned int alloc_flags, int *nid,
				      nodemask_t *nodemask)
{
	return false;
}

static inline bool __unmapped_refill(struct zone *zone, gfp_t gfp,
				     unsigned int alloc_flags,
				     const struct alloc_context *ac)
{
	return false;
}

static inline bool __unmapped_return(struct zone *zone, gfp_t gfp,
				     unsigned int alloc_flags)
{
	return false;
}

static inline bool __unmapped_return_last(const struct alloc_context *ac)
{
	return false;
}

static inline bool __unmapped_reclaim(pg_data_t *pgdat, int highest_zoneidx)
{
	return false;
}

static inline void __unmapped_return_range(unsigned long start_pfn,
					   unsigned long end_pfn) { }
static inline void unmapped_return_all(struct zone *zone) { }
#endif /* CONFIG_PAGE_ALLOC_UNMAPPED */

/* May there be such a request?  Restricts what @gfp allows, and where to look. */
static inline bool unmapped_allowed(gfp_t *gfp, unsigned int order,
				    unsigned int alloc_flags, int *nid,
				    nodemask_t *nodemask)
{
	gfp_t restricted_gfp = *gfp;
	int restricted_nid = *nid;
	bool allowed;

	if (likely(!(alloc_flags & ALLOC_UNMAPPED)))
		return true;

	/* Copies, so that other requests keep theirs in registers. */
	allowed = __unmapped_allowed(&restricted_gfp, order, alloc_flags,
				     &restricted_nid, nodemask);
	*gfp = restricted_gfp;
	*nid = restricted_nid;
	return allowed;
}

/* No page for a request: try again if it wanted one from outside the map. */
static inline bool unmapped_refill(struct zone *zone, gfp_t gfp,
				   unsigned int alloc_flags,
				   const struct alloc_context *ac)
{
	return (alloc_flags & ALLOC_UNMAPPED) &&
	       __unmapped_refill(zone, gfp, alloc_flags, ac);
}

/* Not enough memory in the zone for a request: try again if there is more now. */
static inline bool unmapped_return(struct zone *zone, gfp_t gfp,
				   unsigned int alloc_flags)
{
	return unmapped_enabled() && __unmapped_return(zone, gfp, alloc_flags);
}

/* The same as the last resort before the OOM killer. */
static inline bool unmapped_return_last(const struct alloc_context *ac)
{
	return unmapped_enabled() && __unmapped_return_last(ac);
}

/* The same for kswapd. */
static inline bool unmapped_reclaim(pg_data_t *pgdat, int highest_zoneidx)
{
	return unmapped_enabled() && __unmapped_reclaim(pgdat, highest_zoneidx);
}

/* Before the blocks of a range are isolated. */
static inline void unmapped_return_range(unsigned long start_pfn,
					 unsigned long end_pfn)
{
	if (unmapped_enabled())
		__unmapped_return_range(start_pfn, end_pfn);
}

#endif /* _MM_UNMAPPED_H */
