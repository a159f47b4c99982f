// SPDX-License-Identifier: GPL-2.0-only
/*
 * AS_NO_DIRECT_MAP: pages that are in the mapping with their contents, and
 * never without.
 */
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/nodirmap.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "nodirmap.h"

/*
 * Flush translations of the mermap before the folio is freed.  Its next owner
 * clears it.
 */
static void discard_folio(struct folio *folio)
{
	mermap_flush();
	folio_put(folio);
}

/* All or nothing: @from is where it was unless the page is filled. */
static int fill_folio(struct folio *folio, struct iov_iter *from)
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
	int err = fill_folio(folio, from);

	if (!err) {
		mermap_mark(nodirmap_marks(mapping));
		__folio_mark_uptodate(folio);
		err = filemap_add_folio(mapping, folio, index, gfp);
		if (err)
			iov_iter_revert(from, PAGE_SIZE);
	}
	if (err)
		discard_folio(folio);
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

	err = fill_folio(folio, from);
	/* Leave zeroes: userspace cannot tell them from a hole. */
	if (err)
		mermap_zero_page(folio_page(folio, 0));
	mermap_mark(nodirmap_marks(mapping));
	if (err) {
		folio_unlock(folio);
		folio_put(folio);
	}
	return err;
}

/**
 * nodirmap_add_filled - add a page with contents to a mapping with AS_NO_DIRECT_MAP
 * @mapping: The mapping.
 * @index: Where in the mapping.
 * @from: The contents, PAGE_SIZE bytes, which moves on if they are taken.
 * @policy: The memory policy, or NULL for that of the task.
 *
 * Avoids clearing a page that is about to be fully overwritten, if the page
 * allocator has a page outside the direct map.  Others see the page when it is
 * complete.
 *
 * Does not fault in user memory.  On -EFAULT, copy to a kernel buffer and retry.
 *
 * Context: Process context, may sleep.
 * Return: After an error @from is where it was.
 * * 0 - The page is in the mapping.
 * * -EEXIST - There is a page already, which stays as it is.
 * * -EFAULT - Not all of @from could be read; there is a hole, or a page of zeroes.
 * * -ENOMEM - There is no page.
 * * -EINVAL - There is no mermap.
 * * Otherwise as filemap_add_folio().
 */
int nodirmap_add_filled(struct address_space *mapping, pgoff_t index,
			struct iov_iter *from, struct mempolicy *policy)
{
	gfp_t gfp = mapping_gfp_mask(mapping);
	struct folio *folio;
	int err;

	if (!mermap_supported())
		return -EINVAL;

	folio = nodirmap_alloc_folio(mapping, gfp, 0, policy);
	if (!folio)
		return -ENOMEM;

	if (page_is_nodirmap(folio_page(folio, 0)))
		err = add_complete(mapping, folio, index, from, gfp);
	else
		err = add_and_fill(mapping, folio, index, from, gfp);
	if (err)
		return err;

	folio_unlock(folio);
	folio_put(folio);
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(nodirmap_add_filled, "kvm");
