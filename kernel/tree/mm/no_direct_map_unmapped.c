// SPDX-License-Identifier: GPL-2.0-only
/*
 * AS_NO_DIRECT_MAP with folios that the direct map lacks from the outset.
 *
 * The page allocator has them, as long as there are blocks for it, see
 * mm/unmapped.c.  They are cleared when they come, and go back as they are:
 * nobody can reach them who does not clear them first.
 *
 * All others leave the direct map one by one, and come back cleared.
 */
#include <linux/folio_batch.h>
#include <linux/gfp.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/vmstat.h>
#include <trace/events/unmapped.h>

#include "no_direct_map.h"
#include "no_direct_map_mermap.h"
#include "no_direct_map_unmapped.h"
#include "page_alloc.h"
#include "unmapped.h"

static bool folio_is_unmapped(struct folio *folio)
{
	return page_is_unmapped(folio_page(folio, 0));
}

/**
 * no_direct_map_alloc_folio - allocate a folio for a mapping with AS_NO_DIRECT_MAP
 * @gfp: What the caller may do to get memory.
 * @policy: NUMA memory policy to follow, or NULL.
 *
 * The contents are undefined, and may be out of reach.
 *
 * Return: The folio, of one page, or NULL.
 */
struct folio *no_direct_map_alloc_folio_noprof(gfp_t gfp, struct mempolicy *policy)
{
	return __filemap_alloc_folio_noprof(gfp, 0, policy, ALLOC_UNMAPPED);
}

static int clear_unmapped(struct folio *folio)
{
	int err;

	mermap_prepare();
	err = mermap_zero_page(folio_page(folio, 0));
	if (!err)
		__folio_mark_uptodate(folio);
	return err;
}

/**
 * no_direct_map_insert_folio - prepare a folio for a mapping with AS_NO_DIRECT_MAP
 * @folio: The locked folio, which nobody else may use yet.
 * @gfp: What the caller may do to get memory.
 *
 * As no_direct_map_add_folio(), but knows folios that come without an address.
 *
 * Context: Process context, may sleep.
 * Return: As no_direct_map_add_folio().
 */
int no_direct_map_insert_folio(struct folio *folio, gfp_t gfp)
{
	int err;

	if (folio_is_unmapped(folio)) {
		if (!gfpflags_allow_blocking(gfp))
			return -ENOMEM;
		return folio_test_uptodate(folio) ? 0 : clear_unmapped(folio);
	}

	err = no_direct_map_add_folio(folio, gfp);
#ifdef CONFIG_PAGE_ALLOC_UNMAPPED
	if (!err) {
		count_vm_event(UNMAPPED_SLOW_PAGE);
		trace_mm_unmapped_slow_page(folio_pfn(folio));
	}
#endif
	return err;
}

/**
 * no_direct_map_cancel_folio - undo no_direct_map_insert_folio()
 * @folio: The locked folio, which did not get into the mapping after all.
 *
 * Context: Process context, may sleep.
 */
void no_direct_map_cancel_folio(struct folio *folio)
{
	/* Its next owner must not be within reach of what has cleared it. */
	if (mermap_supported())
		mermap_flush();
	if (!folio_is_unmapped(folio))
		folio_cancel_no_direct_map(folio);
}

/**
 * no_direct_map_remove_folios - folios have left a mapping with AS_NO_DIRECT_MAP
 * @folios: The folios, locked, no longer in the page cache nor in user page
 *	tables, at most FOLIO_BATCH_SIZE of them.
 * @nr: How many.  Each call can cost a flush of TLBs.
 *
 * When this returns, no CPU has cached how the kernel reached the folios.  What
 * is left to do is no_direct_map_release_folio(), for each of them.
 *
 * Context: Process context, may sleep, no spinlock held.
 * Return: What no_direct_map_release_folio() wants to know.
 */
bool no_direct_map_remove_folios(struct folio **folios, unsigned int nr)
{
	struct folio *mapped[FOLIO_BATCH_SIZE];
	unsigned int i, nr_mapped = 0;

	if (WARN_ON_ONCE(nr > FOLIO_BATCH_SIZE))
		return false;

	for (i = 0; i < nr; i++)
		if (!folio_is_unmapped(folios[i]))
			mapped[nr_mapped++] = folios[i];
	if (nr_mapped)
		return no_direct_map_scrub(mapped, nr_mapped);

	mermap_flush();
	return true;
}

/**
 * no_direct_map_release_folio - prepare a folio to be freed
 * @folio: The folio, as for no_direct_map_remove_folios().
 * @scrubbed: What that has returned.
 *
 * Context: Process context, may sleep, no spinlock held.
 * Return: As no_direct_map_return_folio().
 */
bool no_direct_map_release_folio(struct folio *folio, bool scrubbed)
{
	VM_WARN_ON_ONCE_FOLIO(folio->mapping, folio);
	VM_WARN_ON_ONCE_FOLIO(folio_mapped(folio), folio);

	return folio_is_unmapped(folio) ||
	       no_direct_map_return_folio(folio, scrubbed);
}
