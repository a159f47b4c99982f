// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses of the kernel itself to the pages of a guest_memfd.
 *
 * write() fills guest memory without page faults and without clearing it first.
 *
 * kvm_gmem_map() is for KVM, where an access through the VMM's mapping is not
 * possible: that may be missing, and a page fault in it fills a hole of the file.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/kvm_host.h>
#include <linux/mermap.h>
#include <linux/nodirmap.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "guest_memfd.h"

static size_t kvm_gmem_copy_no_direct_map(struct page *page, size_t offset,
					  struct iov_iter *from, size_t len)
{
	struct mermap map;
	size_t copied;
	void *addr;

	/* For each page: the task may have moved to another CPU. */
	mermap_prepare();
	addr = mermap_get(&map, page);
	if (!addr)
		return 0;

	pagefault_disable();
	copied = copy_from_iter(addr + offset, len, from);
	pagefault_enable();
	mermap_put(&map);
	return copied;
}

/* Copy to a part of one page, or fail with @from where it was. */
static int kvm_gmem_copy_to_page(struct folio *folio, size_t offset,
				 struct iov_iter *from, size_t len)
{
	struct page *page = folio_page(folio, offset >> PAGE_SHIFT);
	size_t copied;

	if (PageHWPoison(page))
		return -EIO;

	if (mapping_no_direct_map(folio->mapping))
		copied = kvm_gmem_copy_no_direct_map(page, offset_in_page(offset), from,
						     len);
	else
		copied = copy_folio_from_iter_atomic(folio, offset, len, from);

	if (copied == len)
		return 0;
	iov_iter_revert(from, copied);
	return -EFAULT;
}

/* Copy page by page, up to the first page for which that fails. */
static ssize_t kvm_gmem_copy_to_pages(struct folio *folio, size_t offset,
				      struct iov_iter *from, size_t len)
{
	size_t done = 0;
	int r = 0;

	while (done < len) {
		size_t part = min(len - done, PAGE_SIZE - offset_in_page(offset + done));

		r = kvm_gmem_copy_to_page(folio, offset + done, from, part);
		if (r)
			break;
		done += part;
		cond_resched();
	}

	if (mapping_no_direct_map(folio->mapping))
		mermap_mark(nodirmap_marks(folio->mapping));
	return done ?: r;
}

/*
 * Copy up to @len bytes to a locked folio of the file.
 *
 * Return: After an error @from is where it was.
 * * Number of bytes.
 * * -EFAULT - The first part of @from is not present.
 * * -EIO - The first page has a memory error.
 */
static ssize_t kvm_gmem_copy_to_folio(struct folio *folio, size_t offset,
				      struct iov_iter *from, size_t len)
{
	ssize_t done;
	size_t rest;
	int r;

	/* A folio that is about to be written as a whole need not be cleared. */
	if (len < folio_size(folio)) {
		r = kvm_gmem_make_uptodate(folio);
		if (r)
			return r;
	}

	done = kvm_gmem_copy_to_pages(folio, offset, from, len);
	if (done < 0)
		return done;

	if (!folio_test_uptodate(folio)) {
		for (rest = done; rest < len; rest += PAGE_SIZE) {
			r = kvm_gmem_clear_page(folio, folio->index + (rest >> PAGE_SHIFT));
			if (r) {
				iov_iter_revert(from, done);
				return r;
			}
		}
		folio_mark_uptodate(folio);
	}
	return done;
}

/*
 * The lock of the folio is enough, as for faults: a page is written either before
 * a hole is punched, and is gone then, or after that.
 *
 * Return: After an error @from is where it was.
 * * Number of bytes, up to the end of the folio.
 * * -EFAULT - The first part of @from is not present.
 */
static ssize_t kvm_gmem_write_folio(struct inode *inode, loff_t pos,
				    struct iov_iter *from, size_t len, bool huge)
{
	struct address_space *mapping = inode->i_mapping;
	pgoff_t index = pos >> PAGE_SHIFT;
	struct folio *folio;
	ssize_t r;

	folio = filemap_lock_folio(mapping, index);
	if (IS_ERR(folio) && huge)
		folio = kvm_gmem_add_huge(inode, index) ?: folio;
	if (IS_ERR(folio)) {
		/* Memory outside the direct map is cleared if it comes empty. */
		if (mapping_no_direct_map(mapping) && !offset_in_page(pos) &&
		    len >= PAGE_SIZE) {
			r = kvm_gmem_add_filled(inode, index, from);
			if (r != -EEXIST)
				return r ?: PAGE_SIZE;
		}

		folio = kvm_gmem_get_folio(inode, index, huge);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
	}

	len = min_t(loff_t, len, folio_next_pos(folio) - pos);
	r = kvm_gmem_copy_to_folio(folio, pos - folio_pos(folio), from, len);
	folio_unlock(folio);
	folio_put(folio);
	return r;
}

/* A hole must not be punched while a large folio is added. */
static ssize_t kvm_gmem_write_locked(struct inode *inode, loff_t pos,
				     struct iov_iter *from, size_t len)
{
	bool huge = kvm_gmem_allows_huge(inode);
	ssize_t r;

	if (huge)
		filemap_invalidate_lock_shared(inode->i_mapping);
	r = kvm_gmem_write_folio(inode, pos, from, len, huge);
	if (huge)
		filemap_invalidate_unlock_shared(inode->i_mapping);
	return r;
}

/*
 * A page fault can be handled neither under a mapping of the mermap nor under the
 * lock of the folio: the source may be the page that is written.  So copy with
 * page faults disabled.  If the source is not present then, copy a page of it to
 * @buf first.
 */
static ssize_t kvm_gmem_write_chunk(struct inode *inode, loff_t pos, void *buf,
				    size_t len, struct iov_iter *from)
{
	struct kvec vec = { .iov_base = buf };
	struct iov_iter copy;
	ssize_t r;

	fault_in_iov_iter_readable(from, len);
	r = kvm_gmem_write_locked(inode, pos, from, len);
	if (r != -EFAULT)
		return r;

	len = min(len, PAGE_SIZE - offset_in_page(pos));
	vec.iov_len = copy_from_iter(buf, len, from);
	if (!vec.iov_len)
		return -EFAULT;

	iov_iter_kvec(&copy, ITER_SOURCE, &vec, 1, vec.iov_len);
	r = kvm_gmem_write_locked(inode, pos, &copy, vec.iov_len);
	if (r < 0)
		iov_iter_revert(from, vec.iov_len);
	return r;
}

/* All of a large folio, which need not be cleared then, or a page. */
static size_t kvm_gmem_chunk(struct inode *inode, loff_t pos, size_t len)
{
	if (kvm_gmem_allows_huge(inode) && IS_ALIGNED(pos, PMD_SIZE) && len >= PMD_SIZE)
		return PMD_SIZE;

	return min(len, PAGE_SIZE - offset_in_page(pos));
}

static ssize_t kvm_gmem_write(struct inode *inode, loff_t *pos, void *buf,
			      struct iov_iter *from)
{
	loff_t size = i_size_read(inode);
	ssize_t written = 0;
	ssize_t r = 0;

	while (iov_iter_count(from)) {
		size_t len = kvm_gmem_chunk(inode, *pos, iov_iter_count(from));

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

	/* @buf is in the direct map, its contents must not stay there. */
	if (mapping_no_direct_map(inode->i_mapping))
		memzero_explicit(buf, PAGE_SIZE);
	free_page((unsigned long)buf);
	return r;
}

/**
 * kvm_gmem_map() - map a page of guest memory outside the direct map
 * @slot: A memslot with KVM_MEMSLOT_NO_DIRECT_MAP.
 * @gfn: A page of @slot.
 * @map: The mapping, on the stack of the caller.
 *
 * A hole in the file stays a hole.  The lock of the folio keeps the page in the
 * file until kvm_gmem_unmap().
 *
 * Context: Process context, under kvm->srcu.  May sleep.  The caller must not
 * sleep until kvm_gmem_unmap(), as after mermap_get().
 * Return:
 * * the address of the page
 * * -ENOENT - the page is a hole
 * * -EHWPOISON - the page has a memory error
 * * -EFAULT - the file is closed, or there is no mermap
 * * -EINVAL - there is no mermap to clear the page with
 */
void *kvm_gmem_map(struct kvm_memory_slot *slot, gfn_t gfn, struct kvm_gmem_map *map)
{
	struct folio *folio;
	struct page *page;
	void *addr;

	folio = kvm_gmem_lock_folio(slot, gfn, &page);
	if (IS_ERR(folio))
		return folio;

	mermap_prepare();
	addr = mermap_get(&map->map, page);
	if (!addr) {
		folio_unlock(folio);
		folio_put(folio);
		return ERR_PTR(-EFAULT);
	}

	map->folio = folio;
	return addr;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_map);

/**
 * kvm_gmem_unmap() - end a mapping
 * @map: What kvm_gmem_map() has filled in.
 *
 * Context: That of kvm_gmem_map().
 */
void kvm_gmem_unmap(struct kvm_gmem_map *map)
{
	mermap_put(&map->map);
	mermap_mark(nodirmap_marks(map->folio->mapping));
	folio_unlock(map->folio);
	folio_put(map->folio);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_unmap);

#ifdef CONFIG_HAVE_KVM_ARCH_GMEM_POPULATE
/*
 * For kvm_gmem_populate().  Untested outside the direct map: the only user is SNP,
 * for which KVM refuses such memory.
 */
static bool kvm_gmem_pfn_no_direct_map(kvm_pfn_t pfn)
{
	return mapping_no_direct_map(page_folio(pfn_to_page(pfn))->mapping);
}

/**
 * kvm_gmem_copy_to_pfn() - copy a page to one of a guest_memfd
 * @pfn: The destination, which the direct map may lack.
 * @from: The source, in the direct map.
 *
 * Context: A callback of kvm_gmem_populate(), which keeps the page in the file.
 * May sleep.
 * Return: 0, or -EINVAL where there is no mermap.  No CPU can reach the page by
 * way of the kernel any more, unless the direct map has it.
 */
int kvm_gmem_copy_to_pfn(kvm_pfn_t pfn, struct page *from)
{
	void *src = kmap_local_page(from);
	struct mermap_marks **marks;
	void *dst;
	int r;

	if (kvm_gmem_pfn_no_direct_map(pfn)) {
		r = mermap_copy_to_page(pfn_to_page(pfn), 0, src, PAGE_SIZE);
		kunmap_local(src);
		/* The page is about to get another owner. */
		mermap_flush();
		marks = nodirmap_marks(page_folio(pfn_to_page(pfn))->mapping);
		mermap_flush_marks(marks ? *marks : NULL);
		return r;
	}

	dst = kmap_local_pfn(pfn);
	memcpy(dst, src, PAGE_SIZE);
	kunmap_local(dst);
	kunmap_local(src);
	return 0;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_copy_to_pfn);

/**
 * kvm_gmem_copy_from_pfn() - copy a page of a guest_memfd to another one
 * @to: The destination, in the direct map.
 * @pfn: The source, which the direct map may lack.
 *
 * Context: That of kvm_gmem_copy_to_pfn().
 * Return: 0, or -EINVAL where there is no mermap.
 */
int kvm_gmem_copy_from_pfn(struct page *to, kvm_pfn_t pfn)
{
	void *dst = kmap_local_page(to);
	void *src;
	int r;

	if (kvm_gmem_pfn_no_direct_map(pfn)) {
		r = mermap_copy_from_page(dst, pfn_to_page(pfn), 0, PAGE_SIZE);
		kunmap_local(dst);
		mermap_mark(nodirmap_marks(page_folio(pfn_to_page(pfn))->mapping));
		return r;
	}

	src = kmap_local_pfn(pfn);
	memcpy(dst, src, PAGE_SIZE);
	kunmap_local(src);
	kunmap_local(dst);
	return 0;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_copy_from_pfn);
#endif /* CONFIG_HAVE_KVM_ARCH_GMEM_POPULATE */
