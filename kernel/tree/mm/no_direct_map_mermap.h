/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the page cache adds folios to, and removes them from, mappings that are
 * marked AS_NO_DIRECT_MAP.
 */
#ifndef _MM_NO_DIRECT_MAP_MERMAP_H
#define _MM_NO_DIRECT_MAP_MERMAP_H

#include <linux/errno.h>
#include <linux/gfp_types.h>

struct folio;

#ifdef CONFIG_NO_DIRECT_MAP
int no_direct_map_add_folio(struct folio *folio, gfp_t gfp);
bool no_direct_map_scrub(struct folio **folios, unsigned int nr);
bool no_direct_map_return_folio(struct folio *folio, bool scrubbed);
#else
static inline int no_direct_map_add_folio(struct folio *folio, gfp_t gfp)
{
	return -EOPNOTSUPP;
}

static inline bool no_direct_map_scrub(struct folio **folios, unsigned int nr)
{
	return false;
}

static inline bool no_direct_map_return_folio(struct folio *folio, bool scrubbed)
{
	return true;
}
#endif

/* Both steps, for a folio that comes alone. */
static inline bool no_direct_map_remove_folio(struct folio *folio)
{
	return no_direct_map_return_folio(folio, no_direct_map_scrub(&folio, 1));
}

#endif /* _MM_NO_DIRECT_MAP_MERMAP_H */
