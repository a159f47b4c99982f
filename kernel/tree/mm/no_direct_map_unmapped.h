/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the page cache allocates folios for, adds them to, and removes them from,
 * mappings that are marked AS_NO_DIRECT_MAP.
 */
#ifndef _MM_NO_DIRECT_MAP_UNMAPPED_H
#define _MM_NO_DIRECT_MAP_UNMAPPED_H

#include <linux/alloc_tag.h>
#include <linux/errno.h>
#include <linux/gfp_types.h>

struct folio;
struct mempolicy;

#ifdef CONFIG_NO_DIRECT_MAP
struct folio *no_direct_map_alloc_folio_noprof(gfp_t gfp, struct mempolicy *policy);
int no_direct_map_insert_folio(struct folio *folio, gfp_t gfp);
void no_direct_map_cancel_folio(struct folio *folio);
bool no_direct_map_remove_folios(struct folio **folios, unsigned int nr);
bool no_direct_map_release_folio(struct folio *folio, bool scrubbed);
#else
static inline struct folio *
no_direct_map_alloc_folio_noprof(gfp_t gfp, struct mempolicy *policy)
{
	return NULL;
}

static inline int no_direct_map_insert_folio(struct folio *folio, gfp_t gfp)
{
	return -EOPNOTSUPP;
}

static inline void no_direct_map_cancel_folio(struct folio *folio) { }
static inline bool no_direct_map_remove_folios(struct folio **folios,
					       unsigned int nr)
{
	return false;
}

static inline bool no_direct_map_release_folio(struct folio *folio, bool scrubbed)
{
	return true;
}
#endif

#define no_direct_map_alloc_folio(...) \
	alloc_hooks(no_direct_map_alloc_folio_noprof(__VA_ARGS__))

/* Both steps, for a folio that comes alone. */
static inline bool no_direct_map_release_one(struct folio *folio)
{
	return no_direct_map_release_folio(folio,
					   no_direct_map_remove_folios(&folio, 1));
}

#endif /* _MM_NO_DIRECT_MAP_UNMAPPED_H */
