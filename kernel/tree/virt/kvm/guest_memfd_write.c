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
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "guest_memfd.h"

static size_t kvm_gmem_copy_no_direct_map(struct folio *folio, size_t offset,
					  struct iov_iter *from, size_t len)
{
	struct mermap map;
	size_t copied;
	void *addr;

	/* For each page: this may be another CPU than the last time. */
	mermap_prepare();
	addr = mermap_get(&map, folio_page(folio, 0));
	if (!addr)
		return 0;

	pagefault_disable();
	copied = copy_from_iter(addr + offset, len, from);
	pagefault_enable();
	mermap_put(&map);
	return copied;
}

/* Copy to a locked folio that is in the file, all of it if there is no error. */
static int kvm_gmem_copy_to_folio(struct folio *folio, size_t offset,
				  struct iov_iter *from, size_t len)
{
	bool no_direct_map = mapping_no_direct_map(folio->mapping);
	size_t copied;

	if (folio_test_hwpoison(folio))
		return -EIO;

	if (no_direct_map) {
		copied = kvm_gmem_copy_no_direct_map(folio, offset, from, len);
	} else {
		if (!folio_test_uptodate(folio))
			folio_zero_segments(folio, 0, offset, offset + len, PAGE_SIZE);
		copied = copy_folio_from_iter_atomic(folio, offset, len, from);
	}
	if (copied != len) {
		iov_iter_revert(from, copied);
		return -EFAULT;
	}

	if (!no_direct_map)
		folio_mark_uptodate(folio);
	return 0;
}

/*
 * As with faults, the lock of the folio is all it takes: a page is written
 * either before a hole is punched, and then gone, or after that.
 *
 * Fails with -EFAULT, and @from is where it was, if not all could be read.
 */
static int kvm_gmem_write_page(struct inode *inode, pgoff_t index, size_t offset,
			       struct iov_iter *from, size_t len)
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
 * Neither a mapping of the mermap nor the lock of a folio can be held while a
 * page fault is handled: the source may be this very page.  What is not there
 * goes by way of @buf.
 */
static int kvm_gmem_write_chunk(struct inode *inode, loff_t pos, void *buf,
				size_t len, struct iov_iter *from)
{
	pgoff_t index = pos >> PAGE_SHIFT;
	size_t offset = offset_in_page(pos);
	struct kvec vec = { .iov_base = buf };
	struct iov_iter copy;
	int r;

	fault_in_iov_iter_readable(from, len);
	r = kvm_gmem_write_page(inode, index, offset, from, len);
	if (r != -EFAULT)
		return r ?: len;

	vec.iov_len = copy_from_iter(buf, len, from);
	if (!vec.iov_len)
		return -EFAULT;

	iov_iter_kvec(&copy, ITER_SOURCE, &vec, 1, vec.iov_len);
	r = kvm_gmem_write_page(inode, index, offset, &copy, vec.iov_len);
	if (r) {
		iov_iter_revert(from, vec.iov_len);
		return r;
	}
	return vec.iov_len;
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

	r = kvm_gmem_write(inode, &iocb->ki_pos, buf, from);
	if (r > 0)
		file_modified(file);

	/* What is kept out of the direct map must not stay behind in it. */
	if (mapping_no_direct_map(inode->i_mapping))
		memzero_explicit(buf, PAGE_SIZE);
	free_page((unsigned long)buf);
	return r;
}
