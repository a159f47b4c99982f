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
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "no_direct_map_unmapped.h"
#include "unmapped.h"

/*
 * The way to it is not for its next owner.  What is in it stays out of reach, and
 * that one clears it.
 */
static void discard(struct folio *folio)
{
	mermap_flush();
	folio_put(folio);
}

/* All or nothing: @from is where it was unless the page is filled. */
static int fill(struct folio *folio, struct iov_iter *from)
{
	struct mermap map;
	size_t copied;
	void *addr;

	mermap_prepare();
	addr = mermap_get(&map, folio_page(folio, 0));
	if (!addr)
		return -EINVAL;

	/* A mapping of the mermap does not outlive a page fault. */
	pagefault_disable();
	copied = copy_from_iter(addr, PAGE_SIZE, from);
	pagefault_enable();
	mermap_put(&map);

	if (copied == PAGE_SIZE)
		return 0;
	iov_iter_revert(from, copied);
	return -EFAULT;
}

static int add_complete(struct address_space *mapping, struct folio *folio,
			pgoff_t index, struct iov_iter *from, gfp_t gfp)
{
	int err = fill(folio, from);

	if (!err) {
		__folio_mark_uptodate(folio);
		err = filemap_add_folio(mapping, folio, index, gfp);
		if (err)
			iov_iter_revert(from, PAGE_SIZE);
	}
	if (err)
		discard(folio);
	return err;
}

/* For a folio that is in the direct map, where no contents must be seen. */
static int add_and_fill(struct address_space *mapping, struct folio *folio,
			pgoff_t index, struct iov_iter *from, gfp_t gfp)
{
	int err = filemap_add_folio(mapping, folio, index, gfp);

	if (err) {
		folio_put(folio);
		return err;
	}

	err = fill(folio, from);
	if (err) {
		/* A page of zeroes is what a hole is to its owner. */
		mermap_zero_page(folio_page(folio, 0));
		folio_unlock(folio);
		folio_put(folio);
	}
	return err;
}

/**
 * no_direct_map_add_filled - add a page with contents to a mapping with AS_NO_DIRECT_MAP
 * @mapping: The mapping.
 * @index: Where in the mapping.
 * @from: The contents, PAGE_SIZE bytes, which moves on if they are taken.
 * @policy: The memory policy, or NULL for that of the task.
 *
 * Saves to clear what the caller is going to overwrite as a whole, if there is a
 * page that the direct map lacks.  The page becomes visible to others when it is
 * complete.
 *
 * Memory of user space that is not mapped is not waited for: the caller copies
 * that to where it stays, and calls again.
 *
 * Context: Process context, may sleep.
 * Return: 0.  -EEXIST if there is a page already, which stays as it is; -EFAULT
 * if not all of @from could be read, and there is no page yet or one of zeroes;
 * -ENOMEM; -EINVAL where there is no mermap; or as filemap_add_folio().  After an
 * error @from is where it was.
 */
int no_direct_map_add_filled(struct address_space *mapping, pgoff_t index,
			     struct iov_iter *from, struct mempolicy *policy)
{
	gfp_t gfp = mapping_gfp_mask(mapping);
	struct folio *folio;
	int err;

	if (!mermap_supported())
		return -EINVAL;

	folio = no_direct_map_alloc_folio(gfp, policy);
	if (!folio)
		return -ENOMEM;

	if (page_is_unmapped(folio_page(folio, 0)))
		err = add_complete(mapping, folio, index, from, gfp);
	else
		err = add_and_fill(mapping, folio, index, from, gfp);
	if (err)
		return err;

	folio_unlock(folio);
	folio_put(folio);
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(no_direct_map_add_filled, "kvm");
