// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies of pages of guest memory that the direct map lacks, for as long as KVM
 * works on what is in them.
 */
#include <linux/gfp.h>
#include <linux/kvm_host.h>
#include <linux/string.h>

#include "guest_memfd.h"

static int kvm_gmem_copy_page(struct kvm_memory_slot *slot, gfn_t gfn, void *copy,
			      bool write)
{
	struct kvm_gmem_map map;
	void *addr;

	addr = kvm_gmem_map(slot, gfn, &map);
	if (IS_ERR(addr))
		return PTR_ERR(addr);

	if (write)
		memcpy(addr, copy, PAGE_SIZE);
	else
		memcpy(copy, addr, PAGE_SIZE);
	kvm_gmem_unmap(&map);
	return 0;
}

static void kvm_gmem_free_copy(void *copy)
{
	memzero_explicit(copy, PAGE_SIZE);
	free_page((unsigned long)copy);
}

/* Return: a copy of the page, which leaves nothing behind when it is put. */
void *kvm_gmem_get_copy(struct kvm_memory_slot *slot, gfn_t gfn)
{
	void *copy = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	int r;

	if (!copy)
		return ERR_PTR(-ENOMEM);

	r = kvm_gmem_copy_page(slot, gfn, copy, false);
	if (r) {
		free_page((unsigned long)copy);
		return ERR_PTR(r);
	}
	return copy;
}

/* With a @slot, write the copy back to where it is from. */
void kvm_gmem_put_copy(struct kvm_memory_slot *slot, gfn_t gfn, void *copy)
{
	if (slot)
		kvm_gmem_copy_page(slot, gfn, copy, true);
	kvm_gmem_free_copy(copy);
}
