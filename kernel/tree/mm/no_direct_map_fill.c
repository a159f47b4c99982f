// SPDX-License-Identifier: GPL-2.0-only
/*
 * AS_NO_DIRECT_MAP: pages that are in the mapping with their contents, and
 * never without.
 */
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/no_direct_map.h>
#include <linux/pagemap.h>

#include "no_direct_map_unmapped.h"

/* Neither what is in the folio nor the way to it is for its next owner. */
static void discard(struct folio *folio)
{
	mermap_zero_page(folio_page(folio, 0));
	mermap_flush();
	folio_put(folio);
}

/**
 * no_direct_map_add_filled - add a page with contents to a mapping with AS_NO_DIRECT_MAP
 * @mapping: The mapping.
 * @index: Where in the mapping.
 * @from: The contents, PAGE_SIZE bytes of the kernel's memory.
 * @policy: The memory policy, or NULL for that of the task.
 *
 * Saves to clear what the caller is going to overwrite as a whole.  The page
 * becomes visible to others when it is complete.
 *
 * Context: Process context, may sleep.
 * Return: 0.  -EEXIST if there is a page already, which stays as it is; -ENOMEM;
 * -EINVAL where there is no mermap; or as filemap_add_folio().
 */
int no_direct_map_add_filled(struct address_space *mapping, pgoff_t index,
			     const void *from, struct mempolicy *policy)
{
	gfp_t gfp = mapping_gfp_mask(mapping);
	struct folio *folio;
	int err;

	if (!mermap_supported())
		return -EINVAL;

	folio = no_direct_map_alloc_folio(gfp, policy);
	if (!folio)
		return -ENOMEM;

	mermap_prepare();
	err = mermap_copy_to_page(folio_page(folio, 0), 0, from, PAGE_SIZE);
	if (!err) {
		__folio_mark_uptodate(folio);
		err = filemap_add_folio(mapping, folio, index, gfp);
	}
	if (err) {
		discard(folio);
		return err;
	}

	folio_unlock(folio);
	folio_put(folio);
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(no_direct_map_add_filled, "kvm");
