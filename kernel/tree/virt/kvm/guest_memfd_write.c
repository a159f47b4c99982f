// SPDX-License-Identifier: GPL-2.0-only
/*
 * write() to guest_memfd: fill guest memory without page faults and without
 * clearing it first.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mermap.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "guest_memfd.h"

/* Copy to a locked folio that is in the file. */
static int kvm_gmem_copy_to_folio(struct folio *folio, size_t offset,
				  const void *from, size_t len)
{
	if (folio_test_hwpoison(folio))
		return -EIO;

	if (mapping_no_direct_map(folio->mapping))
		return mermap_copy_to_page(folio_page(folio, 0), offset, from, len);

	if (!folio_test_uptodate(folio))
		folio_zero_segments(folio, 0, offset, offset + len, PAGE_SIZE);
	memcpy_to_page(folio_page(folio, 0), offset, from, len);
	folio_mark_uptodate(folio);
	return 0;
}

/*
 * As with faults, the lock of the folio is all it takes: a page is written
 * either before a hole is punched, and then gone, or after that.
 */
static int kvm_gmem_write_page(struct inode *inode, pgoff_t index, size_t offset,
			       const void *from, size_t len)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;
	int r;

	folio = filemap_lock_folio(mapping, index);
	if (IS_ERR(folio)) {
		/* Memory outside the direct map is cleared if it comes empty. */
		if (mapping_no_direct_map(mapping) && len == PAGE_SIZE) {
			r = kvm_gmem_add_filled(inode, index, from);
			if (r != -EEXIST)
				return r;
		}

		folio = kvm_gmem_get_folio(inode, index);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
	}

	r = kvm_gmem_copy_to_folio(folio, offset, from, len);
	folio_unlock(folio);
	folio_put(folio);
	return r;
}

/*
 * Neither a mapping of the mermap nor the lock of a folio can be held while
 * user memory is accessed: the source may be this very page.  Hence @buf.
 */
static int kvm_gmem_write_chunk(struct inode *inode, loff_t pos, void *buf,
				size_t len, struct iov_iter *from)
{
	size_t copied;
	int r;

	copied = copy_from_iter(buf, len, from);
	if (!copied)
		return -EFAULT;

	r = kvm_gmem_write_page(inode, pos >> PAGE_SHIFT, offset_in_page(pos),
				buf, copied);
	if (r) {
		iov_iter_revert(from, copied);
		return r;
	}
	return copied;
}

static ssize_t kvm_gmem_write(struct inode *inode, loff_t *pos, void *buf,
			      struct iov_iter *from)
{
	loff_t size = i_size_read(inode);
	ssize_t written = 0;
	int r = 0;

	while (iov_iter_count(from)) {
		size_t len = min(iov_iter_count(from), PAGE_SIZE - offset_in_page(*pos));

		/* The size is fixed, and a multiple of the page size. */
		if (*pos >= size) {
			r = -EFBIG;
			break;
		}
		if (fatal_signal_pending(current)) {
			r = -EINTR;
			break;
		}

		r = kvm_gmem_write_chunk(inode, *pos, buf, len, from);
		if (r < 0)
			break;

		*pos += r;
		written += r;
		cond_resched();
	}

	return written ?: r;
}

ssize_t kvm_gmem_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	ssize_t r;
	void *buf;

	if (!kvm_gmem_supports_write(inode))
		return -ENODEV;

	r = generic_write_checks(iocb, from);
	if (r <= 0)
		return r;

	buf = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;

	mermap_prepare();
	r = kvm_gmem_write(inode, &iocb->ki_pos, buf, from);
	if (r > 0)
		file_modified(file);

	/* What is kept out of the direct map must not stay behind in it. */
	if (mapping_no_direct_map(inode->i_mapping))
		memzero_explicit(buf, PAGE_SIZE);
	free_page((unsigned long)buf);
	return r;
}
