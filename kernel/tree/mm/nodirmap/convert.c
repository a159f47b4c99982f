// SPDX-License-Identifier: GPL-2.0-only
/*
 * Folios that leave the kernel's direct map, and come back.
 *
 * Memory that the direct map does not translate cannot be read through it,
 * neither by a bug nor by a CPU that speculates.
 */
#include <linux/error-injection.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/set_memory.h>

#include <asm/tlbflush.h>

#include "nodirmap.h"

/**
 * folio_zap_direct_map - remove a folio from the direct map
 * @folio: The folio, of one page, not in highmem; nobody else may use it.
 *
 * When this returns 0, no page table translates the direct-map address of
 * @folio, and no TLB of any CPU translates any kernel address to it.  A caller
 * that has to clear or to fill the folio through the direct map does so before.
 *
 * Not on loongarch: memory in a direct mapping window has no page tables, and
 * set_direct_map_*() succeed there without effect.
 *
 * Context: Process context, interrupts enabled, no spinlock held: page tables
 * may have to be split (and allocated), and all CPUs are interrupted to flush.
 * Return: After an error the folio is where it was.
 * * 0 - The folio is outside the direct map.
 * * -EINVAL - The folio is large or in highmem.
 * * -EOPNOTSUPP - The direct map cannot be changed.
 * * -ENOMEM - A page table could not be allocated.
 */
int folio_zap_direct_map(struct folio *folio)
{
	int err;

	might_sleep();

	if (folio_test_large(folio) || folio_test_highmem(folio))
		return -EINVAL;

	/* Without this set_direct_map_*() report success and do nothing. */
	if (!can_set_direct_map())
		return -EOPNOTSUPP;

	err = set_direct_map_invalid_noflush(folio_page(folio, 0));
	if (err)
		return err;

	/*
	 * The page may have had another address before: vfree() clears page
	 * tables, frees the pages, and flushes TLBs later.  So flushing the
	 * direct-map address is not enough.
	 */
	flush_tlb_all();
	return 0;
}
ALLOW_ERROR_INJECTION(folio_zap_direct_map, ERRNO);

/**
 * folio_restore_direct_map - put a folio back into the direct map
 * @folio: A folio that folio_zap_direct_map() removed.
 *
 * The contents become readable through the direct map; scrub them at once.
 * A folio with a memory error stays out: the map is how a speculating CPU
 * would consume the error.
 *
 * Nothing has to be flushed, TLBs do not hold what was not there.
 *
 * Context: Process context, interrupts enabled.  Does not allocate: the split,
 * if there was one, was made by folio_zap_direct_map().
 * Return:
 * * 0 - The folio is back.
 * * -EHWPOISON - The folio has a memory error and stays outside for good.
 * * Otherwise the page tables are not as folio_zap_direct_map() left them; the
 *   folio must not go to anybody else.
 */
int folio_restore_direct_map(struct folio *folio)
{
	if (folio_test_hwpoison(folio))
		return -EHWPOISON;

	return set_direct_map_default_noflush(folio_page(folio, 0));
}
ALLOW_ERROR_INJECTION(folio_restore_direct_map, ERRNO);
