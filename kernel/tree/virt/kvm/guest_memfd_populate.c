// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first contents of guest memory, copied by architectures that hand the page
 * over to the guest, or to firmware, right after that.
 */
#include <linux/highmem.h>
#include <linux/kvm_host.h>
#include <linux/mermap.h>
#include <linux/pagemap.h>

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
	void *dst;
	int r;

	if (kvm_gmem_pfn_no_direct_map(pfn)) {
		r = mermap_copy_to_page(pfn_to_page(pfn), 0, src, PAGE_SIZE);
		kunmap_local(src);
		/* The page is about to get another owner. */
		mermap_flush();
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
	int r = 0;
	void *src;

	if (kvm_gmem_pfn_no_direct_map(pfn)) {
		r = mermap_copy_from_page(dst, pfn_to_page(pfn), 0, PAGE_SIZE);
	} else {
		src = kmap_local_pfn(pfn);
		memcpy(dst, src, PAGE_SIZE);
		kunmap_local(src);
	}
	kunmap_local(dst);
	return r;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_copy_from_pfn);
