// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory that the kernel's direct map lacks.
 *
 * Nothing of KVM reads or writes it, but without S2FWB and DIC caches have to be
 * maintained when pages enter and leave stage 2.  Cache maintenance is by
 * virtual address, and faults where there is no translation, so it is done
 * through the mermap then.
 */
#include <linux/cpufeature.h>
#include <linux/kvm_host.h>
#include <linux/mermap.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/set_memory.h>

#include <asm/kvm_mmu.h>

/*
 * The owner of stage 2 keeps the page from changing hands.  The task that
 * frees it afterwards makes sure that no CPU finds it through the mermap.
 */
static void maintain_nodirmap(void *va, size_t size,
			      void (*op)(void *va, size_t size))
{
	void *end = va + size, *addr;
	struct mermap map;

	for (; va < end; va += PAGE_SIZE) {
		addr = mermap_get(&map, virt_to_page(va));
		if (!addr)
			return;
		op(addr, PAGE_SIZE);
		mermap_put(&map);
	}
}

/* @va: where the pages are in the direct map, if they are. */
void kvm_clean_dcache_guest_page(void *va, size_t size)
{
	if (cpus_have_final_cap(ARM64_HAS_STAGE2_FWB))
		return;

	if (kernel_page_present(virt_to_page(va)))
		__clean_dcache_guest_page(va, size);
	else
		maintain_nodirmap(va, size, __clean_dcache_guest_page);
}

void kvm_invalidate_icache_guest_page(void *va, size_t size)
{
	if (cpus_have_final_cap(ARM64_HAS_CACHE_DIC))
		return;

	if (kernel_page_present(virt_to_page(va)))
		__invalidate_icache_guest_page(va, size);
	else
		maintain_nodirmap(va, size, __invalidate_icache_guest_page);
}

/* Return: why guest memory stays in the direct map, NULL if it need not. */
static const char *reason_against(void)
{
	if (!can_set_direct_map())
		return "the direct map is not made of pages";
	/* It keeps the VNCR pages of guest hypervisors mapped. */
	if (kvm_get_mode() == KVM_MODE_NV)
		return "nested virtualization is enabled";
	if (!mermap_supported() &&
	    !(cpus_have_final_cap(ARM64_HAS_STAGE2_FWB) &&
	      cpus_have_final_cap(ARM64_HAS_CACHE_DIC)))
		return "caches have to be maintained through it";
	return NULL;
}

bool kvm_arch_gmem_supports_no_direct_map(struct kvm *kvm)
{
	/* The memory of protected VMs is pinned through user mappings. */
	return !reason_against() && !(kvm && kvm_vm_is_protected(kvm));
}

bool kvm_arch_gmem_supports_huge(struct kvm *kvm)
{
	return IS_ENABLED(CONFIG_ARM64_4K_PAGES) && !(kvm && kvm_vm_is_protected(kvm));
}

void __init kvm_gmem_explain_no_direct_map(void)
{
	const char *reason = reason_against();

	if (reason)
		kvm_info("guest_memfd stays in the direct map: %s\n", reason);
}
