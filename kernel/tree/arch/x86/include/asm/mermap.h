/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mm/mermap needs of x86-64: slots in the mm-local region.
 */
#ifndef _ASM_X86_MERMAP_H
#define _ASM_X86_MERMAP_H

#include <linux/mm.h>
#include <linux/mmu_context.h>

#include <asm/mm_local.h>
#include <asm/tlb.h>
#include <asm/tlbflush.h>

static inline bool arch_mermap_supported(void)
{
	return mm_local_region_supported();
}

/*
 * Not global: a flush of the mm has to get rid of it.  Encrypted if RAM is.  What
 * pfn_pte() does on top is for entries that are not present or not the kernel's.
 */
static inline pte_t arch_mermap_pte(struct page *page)
{
	return __pte(page_to_phys(page) | (pgprot_val(PAGE_KERNEL) & ~_PAGE_GLOBAL));
}

/* As arch_mermap_pte(), for all of the PMD_SIZE that the page is in. */
static inline pmd_t arch_mermap_pmd(struct page *page)
{
	pgprot_t prot = __pgprot(pgprot_val(PAGE_KERNEL_LARGE) & ~_PAGE_GLOBAL);

	return pfn_pmd(page_to_pfn(page), prot);
}

static inline void arch_mermap_set(pte_t *ptep, pte_t pte)
{
	set_pte(ptep, pte);
}

/*
 * And flush the address: of the mm that is loaded, on this CPU.  With PTI there
 * is a second address space to it, but that lacks this part of the mm-local
 * region.
 */
static inline void arch_mermap_clear(pte_t *ptep, void *addr)
{
	set_pte(ptep, __pte(0));
	invlpg((unsigned long)addr);
}

static inline void arch_mermap_clear_pmd(pmd_t *pmdp, void *addr)
{
	set_pmd(pmdp, __pmd(0));
	invlpg((unsigned long)addr);
}

/*
 * All of the mm that is loaded, on this CPU.  An interrupt could change its
 * address space identifier between the read and the write of CR3.
 */
static inline void arch_mermap_flush_local(void)
{
	guard(irqsave)();
	flush_tlb_local();
}

/*
 * As if page tables were freed: that way CPUs in lazy TLB mode, which still
 * have the page tables of the mm loaded, do not put it off.
 */
static inline void arch_mermap_flush_mm(struct mm_struct *mm,
					unsigned long start, unsigned long end)
{
	flush_tlb_mm_range(mm, start, end, PAGE_SHIFT, true);
}

/* An mm that is only ever loaded by arch_mermap_enter(), on one CPU. */
static inline void arch_mermap_init_private(struct mm_struct *mm)
{
	set_notrack_mm(mm);
}

static inline bool arch_mermap_is_loaded(struct mm_struct *mm)
{
	return this_cpu_read(cpu_tlbstate.loaded_mm) == mm;
}

static inline struct mm_struct *arch_mermap_enter(struct mm_struct *mm)
{
	return use_temporary_mm(mm);
}

static inline void arch_mermap_leave(struct mm_struct *prev)
{
	unuse_temporary_mm(prev);
}

#endif /* _ASM_X86_MERMAP_H */
