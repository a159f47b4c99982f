/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mm/mermap needs of arm64: slots in the fixmap, which all mms share.
 */
#ifndef __ASM_MERMAP_H
#define __ASM_MERMAP_H

#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include <asm/barrier.h>
#include <asm/fixmap.h>
#include <asm/tlbflush.h>

static inline bool arch_mermap_supported(void)
{
	return true;
}

/* The fixmap is numbered downwards, slots are upwards: 1, 3, 5 of the window. */
static inline enum fixed_addresses mermap_fix(unsigned int cpu, unsigned int slot)
{
	return FIX_MERMAP - cpu * FIX_MERMAP_PAGES - (2 * slot + 1);
}

static inline void *arch_mermap_addr(unsigned int cpu, unsigned int slot)
{
	return (void *)__fix_to_virt(mermap_fix(cpu, slot));
}

static inline pte_t *arch_mermap_ptep(unsigned int cpu, unsigned int slot)
{
	return fixmap_ptep(mermap_fix(cpu, slot));
}

static inline pte_t arch_mermap_pte(struct page *page)
{
	return pfn_pte(page_to_pfn(page), PAGE_KERNEL);
}

/*
 * In lazy MMU mode the barriers of __set_pte() are put off.  A task in that mode
 * may allocate page tables to split a mapping, and so get here.
 */
static inline void arch_mermap_set(pte_t *ptep, pte_t pte)
{
	__set_pte_nosync(ptep, pte);
	dsb(ishst);
	isb();
}

/* No CPU has the translation when this returns. */
static inline void arch_mermap_clear(pte_t *ptep, void *addr)
{
	__set_pte_nosync(ptep, __pte(0));
	flush_tlb_kernel_range((unsigned long)addr, (unsigned long)addr + PAGE_SIZE);
}

#endif /* __ASM_MERMAP_H */
