// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of guest memory outside the direct map that the CPU accesses by physical
 * address while L2 runs: the APIC-access page, the virtual-APIC page and the
 * posted-interrupt descriptor of nested VMX.
 *
 * KVM holds no reference to such a page.  Its pfn is valid as an SPTE is: mmu_lock
 * protects it, and an invalidation ends it.  The vCPU leaves L2 then, before the
 * page is freed, and gets the page anew before it enters L2 again.
 */
#include <linux/kvm_host.h>
#include <linux/mermap.h>
#include <linux/nodirmap.h>
#include <linux/pagemap.h>

#include "gmem_page.h"

/* Gets the vCPU out of L2, and has it call kvm_gmem_page_get() again. */
#define REQ_GET_PAGES	(KVM_REQ_GET_NESTED_STATE_PAGES | KVM_REQUEST_WAIT | \
			 KVM_REQUEST_NO_WAKEUP)

/*
 * kvm_gmem_page_unmap() cannot sleep: note its mappings before they are made.  A
 * page that has left its file meanwhile is invalidated.
 *
 * Userspace may close the file at any time.  While a folio is locked and in the file,
 * neither the mapping nor its marks go.
 */
static bool note_mappings(struct page *page)
{
	struct folio *folio = page_folio(page);
	bool noted = true;

	folio_lock(folio);
	if (folio->mapping)
		noted = mermap_mark_lasting(nodirmap_marks(folio->mapping));
	folio_unlock(folio);
	return noted;
}

/**
 * kvm_gmem_page_get() - look up a page for the CPU
 * @vcpu: The vCPU, loaded.
 * @id: The use of the page.
 * @slot: A memslot with KVM_MEMSLOT_NO_DIRECT_MAP.
 * @gfn: A page of @slot.
 *
 * The caller writes the pfn to the VMCS.  If an invalidation at the same time makes
 * the pfn invalid, it leaves a request for the vCPU to try again before it enters L2.
 *
 * Context: Process context, under kvm->srcu.  May sleep.
 * Return: 0, -ENOMEM, or the error of kvm_gmem_get_pfn().
 */
int kvm_gmem_page_get(struct kvm_vcpu *vcpu, enum kvm_gmem_page_id id,
		      struct kvm_memory_slot *slot, gfn_t gfn)
{
	struct kvm_gmem_page *page = &vcpu->arch.gmem_pages[id];
	struct page *refcounted_page = NULL;
	kvm_pfn_t pfn = KVM_PFN_ERR_FAULT;
	struct kvm *kvm = vcpu->kvm;
	unsigned long mmu_seq;
	int r;

	mmu_seq = kvm->mmu_invalidate_seq;
	/* Pairs with the smp_wmb() in kvm_mmu_invalidate_end(). */
	smp_rmb();

	/*
	 * As for a fault: wait until the memslot is deleted, and do not fill a
	 * hole that is about to be punched.
	 */
	if (!(slot->flags & KVM_MEMSLOT_INVALID) &&
	    !mmu_invalidate_retry_gfn_unsafe(kvm, mmu_seq, gfn)) {
		r = kvm_gmem_get_pfn(kvm, slot, gfn, &pfn, &refcounted_page, NULL);
		if (r)
			return r;
		if (!note_mappings(refcounted_page)) {
			kvm_release_page_clean(refcounted_page);
			return -ENOMEM;
		}
	}

	/* For kvm_gmem_page_map(), which cannot sleep. */
	mermap_prepare();

	read_lock(&kvm->mmu_lock);
	if (mmu_invalidate_retry_gfn(kvm, mmu_seq, gfn))
		pfn = KVM_PFN_ERR_FAULT;
	*page = (struct kvm_gmem_page) { .gfn = gfn, .pfn = pfn, .used = true };
	read_unlock(&kvm->mmu_lock);

	if (is_error_pfn(pfn))
		kvm_make_request(KVM_REQ_GET_NESTED_STATE_PAGES, vcpu);
	if (refcounted_page)
		kvm_release_page_clean(refcounted_page);
	return 0;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_page_get);

/**
 * kvm_gmem_pages_put() - forget the pages of a vCPU
 * @vcpu: The vCPU, which is not in L2 any more, or about to get the pages again.
 *
 * Context: Process context.
 */
void kvm_gmem_pages_put(struct kvm_vcpu *vcpu)
{
	int id;

	for (id = 0; id < KVM_NR_GMEM_PAGES; id++)
		WRITE_ONCE(vcpu->arch.gmem_pages[id].used, false);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_pages_put);

/**
 * kvm_gmem_page_map() - map a page for an access of KVM
 * @vcpu: The vCPU.
 * @id: The use of the page.
 * @map: The mapping, on the stack of the caller, who ends it.
 *
 * Context: Task context, under mmu_lock, which the caller holds until
 * kvm_gmem_page_unmap().  Does not sleep, and neither does the caller until then.
 * Return:
 * * the address of the page
 * * NULL - the vCPU has no such page
 * * -EAGAIN - the page was invalidated, and the vCPU has a request to get it again
 */
void *kvm_gmem_page_map(struct kvm_vcpu *vcpu, enum kvm_gmem_page_id id,
			struct mermap *map)
{
	struct kvm_gmem_page *page = &vcpu->arch.gmem_pages[id];

	lockdep_assert_held_read(&vcpu->kvm->mmu_lock);

	if (!page->used)
		return NULL;
	if (is_error_pfn(page->pfn))
		return ERR_PTR(-EAGAIN);

	return mermap_get(map, pfn_to_page(page->pfn));
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_page_map);

/**
 * kvm_gmem_page_unmap() - end a mapping
 * @map: The most recent mapping of kvm_gmem_page_map().
 *
 * Context: That of kvm_gmem_page_map().
 */
void kvm_gmem_page_unmap(struct mermap *map)
{
	mermap_put(map);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_page_unmap);

/**
 * kvm_gmem_pages_invalidate() - end the use of pages before they are freed
 * @kvm: The VM.
 * @start: The first page.
 * @end: The page after the last one.
 *
 * When it returns, no vCPU is in L2 with such a page in its VMCS, and KVM has no
 * mapping of one.
 *
 * Context: mmu_lock is held for writing.
 */
void kvm_gmem_pages_invalidate(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct kvm_gmem_page *page;
	struct kvm_vcpu *vcpu;
	bool found = false;
	unsigned long i;
	int id;

	lockdep_assert_held_write(&kvm->mmu_lock);

	kvm_for_each_vcpu(i, vcpu, kvm) {
		for (id = 0; id < KVM_NR_GMEM_PAGES; id++) {
			page = &vcpu->arch.gmem_pages[id];
			if (!READ_ONCE(page->used) || page->gfn < start || page->gfn >= end)
				continue;
			page->pfn = KVM_PFN_ERR_FAULT;
			found = true;
		}
	}

	if (found)
		kvm_make_all_cpus_request(kvm, REQ_GET_PAGES);
}
