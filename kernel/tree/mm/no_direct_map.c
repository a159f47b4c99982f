// SPDX-License-Identifier: GPL-2.0-only
/*
 * AS_NO_DIRECT_MAP: mappings whose folios the kernel's direct map lacks.
 *
 * The rule: from before a folio enters such a mapping until after it has left,
 * no page table and no TLB translates its direct-map address.  The page cache
 * keeps the rule, so that membership in the mapping is all the state there is:
 * owners of mappings hold no direct-map code, and whoever gets hold of a folio
 * only has to look at folio->mapping.
 *
 * A folio is private to the caller of filemap_add_folio() when it leaves the
 * direct map, and private to whoever removed it from the mapping when it comes
 * back.  No spinlock can be held at either point, as page tables may have to
 * be split and every CPU has to be flushed.
 */
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/set_memory.h>

#include "direct_map.h"
#include "no_direct_map.h"

/* Live mappings with the flag; read by hibernation_available(). */
static atomic_long_t nr_mappings;

/**
 * mapping_set_no_direct_map - keep the folios of a mapping out of the direct map
 * @mapping: The mapping of a new inode, still without folios, of small folios.
 *
 * The flag stays for the life of the inode.  Its folios cannot be pinned or
 * migrated; read or write them through user mappings only.  The owner has
 * checked can_set_direct_map().
 *
 * The folios come zeroed and up to date, unless whoever adds one has filled it
 * and marked it up to date already.
 *
 * Context: Before the inode is visible to others.
 */
void mapping_set_no_direct_map(struct address_space *mapping)
{
	if (WARN_ON_ONCE(mapping_no_direct_map(mapping)))
		return;

	WARN_ON_ONCE(!can_set_direct_map());
	WARN_ON_ONCE(mapping_large_folio_support(mapping));
	WARN_ON_ONCE(mapping->nrpages);

	/* As for AS_INACCESSIBLE: what cannot migrate must not be on an LRU. */
	mapping_set_unevictable(mapping);
	set_bit(AS_NO_DIRECT_MAP, &mapping->flags);
	atomic_long_inc(&nr_mappings);
}
EXPORT_SYMBOL_FOR_MODULES(mapping_set_no_direct_map, "kvm");

void __mapping_exit_no_direct_map(struct address_space *mapping)
{
	if (test_and_clear_bit(AS_NO_DIRECT_MAP, &mapping->flags))
		atomic_long_dec(&nr_mappings);
}

/**
 * no_direct_map_active - is there memory that the direct map may lack?
 *
 * Return: true while an inode with AS_NO_DIRECT_MAP lives.
 */
bool no_direct_map_active(void)
{
	return atomic_long_read(&nr_mappings) > 0;
}

/**
 * folio_enter_no_direct_map - prepare a folio for a mapping with AS_NO_DIRECT_MAP
 * @folio: The locked folio, which nobody else may use yet.
 * @gfp: What the caller may do to get memory.
 *
 * Clears the folio, as its new owner has no address left to do it through,
 * unless it comes with contents, which is what the up-to-date flag says.
 *
 * Context: Process context, may sleep.
 * Return: 0, and the folio is gone from page tables and TLBs; else an error, and
 * the folio is still in the direct map: -ENOMEM also if @gfp does not allow to
 * block, else as folio_zap_direct_map().
 */
int folio_enter_no_direct_map(struct folio *folio, gfp_t gfp)
{
	bool filled = folio_test_uptodate(folio);
	int err;

	VM_WARN_ON_ONCE_FOLIO(!folio_test_locked(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(folio->mapping, folio);

	if (!gfpflags_allow_blocking(gfp))
		return -ENOMEM;

	if (!filled)
		folio_zero_range(folio, 0, folio_size(folio));

	err = folio_zap_direct_map(folio);
	if (!err && !filled)
		__folio_mark_uptodate(folio);
	return err;
}

/* Nobody may get a page that the direct map lacks. */
static bool folio_is_lost(struct folio *folio, int err)
{
	return WARN_ONCE(err, "cannot restore pfn %#lx in the direct map: %d\n",
			 folio_pfn(folio), err);
}

/**
 * folio_cancel_no_direct_map - undo folio_enter_no_direct_map()
 * @folio: The locked folio, which did not get into the mapping after all.
 *
 * The contents stay as they are; nobody has seen the folio.
 */
void folio_cancel_no_direct_map(struct folio *folio)
{
	int err = folio_restore_direct_map(folio);

	if (!folio_test_hwpoison(folio) && folio_is_lost(folio, err))
		folio_get(folio);
}

/**
 * folio_leave_no_direct_map - a folio has left a mapping with AS_NO_DIRECT_MAP
 * @folio: The folio, locked, no longer in the page cache nor in user page tables.
 *
 * Puts the folio back into the direct map and scrubs it.  There is no address
 * to scrub it through before it is back; as it is not free yet, nobody but a
 * CPU that speculates could look at it in between.
 *
 * A folio with a memory error stays as it is.  The page allocator does not let
 * such pages go to anybody.
 *
 * Context: Process context, may sleep, no spinlock held.
 * Return: true if the folio may be freed.  If not, the caller keeps the
 * references of the page cache, so that nobody gets the folio.
 */
bool folio_leave_no_direct_map(struct folio *folio)
{
	int err;

	might_sleep();
	VM_WARN_ON_ONCE_FOLIO(folio->mapping, folio);
	VM_WARN_ON_ONCE_FOLIO(folio_mapped(folio), folio);

	err = folio_restore_direct_map(folio);
	if (folio_test_hwpoison(folio))
		return true;
	if (folio_is_lost(folio, err))
		return false;

	folio_zero_range(folio, 0, folio_size(folio));
	return true;
}
