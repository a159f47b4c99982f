// SPDX-License-Identifier: GPL-2.0-only
/*
 * AS_NO_DIRECT_MAP where there is a mermap: folios are cleared while the direct
 * map lacks them, on the way in and on the way out.
 *
 * So what the owner of a mapping writes is never readable through the direct
 * map, not even between the return of a folio and its scrubbing.  And what is
 * in a folio by the time it is inserted stays there.
 */
#include <linux/gfp.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/page-flags.h>

#include "direct_map.h"
#include "no_direct_map.h"
#include "no_direct_map_mermap.h"

/**
 * no_direct_map_add_folio - prepare a folio for a mapping with AS_NO_DIRECT_MAP
 * @folio: The locked folio, which nobody else may use yet.
 * @gfp: What the caller may do to get memory.
 *
 * As folio_enter_no_direct_map(), but clears a folio that comes without
 * contents when it has left the direct map already.
 *
 * Context: Process context, may sleep.
 * Return: As folio_enter_no_direct_map().
 */
int no_direct_map_add_folio(struct folio *folio, gfp_t gfp)
{
	int err;

	if (!mermap_supported() || folio_test_uptodate(folio))
		return folio_enter_no_direct_map(folio, gfp);

	if (!gfpflags_allow_blocking(gfp))
		return -ENOMEM;

	err = folio_zap_direct_map(folio);
	if (err)
		return err;

	mermap_prepare();
	err = mermap_zero_page(folio_page(folio, 0));
	if (err) {
		folio_cancel_no_direct_map(folio);
		return err;
	}

	__folio_mark_uptodate(folio);
	return 0;
}

/**
 * no_direct_map_scrub - clear folios that have left a mapping with AS_NO_DIRECT_MAP
 * @folios: The folios, locked, no longer in the page cache nor in user page
 *	tables.
 * @nr: How many.  Each call costs a flush of TLBs.
 *
 * When this returns, no CPU has cached how the kernel reached the folios.  What
 * is left to do is no_direct_map_return_folio(), for each of them.
 *
 * Context: Process context, may sleep, no spinlock held.
 * Return: whether the folios are clear, except those with a memory error; false
 * where there is no mermap.
 */
bool no_direct_map_scrub(struct folio **folios, unsigned int nr)
{
	bool scrubbed = true;
	unsigned int i;

	if (!mermap_supported())
		return false;

	mermap_prepare();
	for (i = 0; i < nr; i++)
		if (!folio_test_hwpoison(folios[i]) &&
		    mermap_zero_page(folio_page(folios[i], 0)))
			scrubbed = false;
	mermap_flush();

	return scrubbed;
}

/**
 * no_direct_map_return_folio - put a folio back into the direct map
 * @folio: The folio, as for no_direct_map_scrub().
 * @scrubbed: What that has returned.
 *
 * Context: Process context, may sleep, no spinlock held.
 * Return: As folio_leave_no_direct_map(), which does it if @scrubbed is false.
 */
bool no_direct_map_return_folio(struct folio *folio, bool scrubbed)
{
	int err;

	if (!scrubbed)
		return folio_leave_no_direct_map(folio);

	might_sleep();
	VM_WARN_ON_ONCE_FOLIO(folio->mapping, folio);
	VM_WARN_ON_ONCE_FOLIO(folio_mapped(folio), folio);

	err = folio_restore_direct_map(folio);

	/* The page allocator does not let such a page go to anybody. */
	if (folio_test_hwpoison(folio))
		return true;

	return !WARN_ONCE(err, "cannot restore pfn %#lx in the direct map: %d\n",
			  folio_pfn(folio), err);
}
