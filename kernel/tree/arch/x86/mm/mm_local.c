// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mm-local region: kernel addresses that each mm translates in its own way.
 *
 * The region is one entry of the PGD, which is empty in init_mm, so that no mm
 * inherits anything and nothing is synchronized between them.  Users of the
 * region populate it with get_locked_pte() or the like.  That allocates the page
 * tables, accounts them to the mm, and copes with others that do the same.
 *
 * With PTI the user page tables show the LDT's part of the region only, see
 * Documentation/arch/x86/x86_64/mm.rst.
 */
#include <linux/cpufeature.h>
#include <linux/mm.h>
#include <linux/pgalloc.h>

#include <asm/mm_local.h>
#include <asm/tlb.h>

/**
 * mm_local_region_supported - is there an mm-local region on this machine?
 *
 * Return: false on Xen PV, which does not pin what an mm has of its own in the
 * kernel's half of its page tables.
 */
bool mm_local_region_supported(void)
{
	return !cpu_feature_enabled(X86_FEATURE_XENPV);
}

/**
 * mm_local_has_ldt - does a set of page tables cover the LDT?
 * @pgd: The entry for the mm-local region, in the kernel's or in the user's PGD.
 *
 * Return: whether the entry below @pgd that translates the LDT is there.
 */
bool mm_local_has_ldt(pgd_t *pgd)
{
	p4d_t *p4d;

	if (pgd_none(*pgd))
		return false;

	p4d = p4d_offset(pgd, LDT_BASE_ADDR);
	if (p4d_none(*p4d))
		return false;

	return pgtable_l5_enabled() || !pud_none(*pud_offset(p4d, LDT_BASE_ADDR));
}

#ifdef CONFIG_MITIGATION_PAGE_TABLE_ISOLATION
static pgd_t *user_pgd(struct mm_struct *mm)
{
	return kernel_to_user_pgdp(pgd_offset(mm, LDT_BASE_ADDR));
}

static int share_p4d(struct mm_struct *mm)
{
	pgd_t *k_pgd = pgd_offset(mm, LDT_BASE_ADDR);
	pgd_t *u_pgd = user_pgd(mm);

	if (pgd_none(*u_pgd)) {
		p4d_t *table = p4d_alloc_one(mm, LDT_BASE_ADDR);

		if (!table)
			return -ENOMEM;
		pgd_populate(mm, u_pgd, table);
	}

	set_p4d(p4d_offset(u_pgd, LDT_BASE_ADDR), *p4d_offset(k_pgd, LDT_BASE_ADDR));
	return 0;
}

static int share_pud(struct mm_struct *mm)
{
	p4d_t *k_p4d = p4d_offset(pgd_offset(mm, LDT_BASE_ADDR), LDT_BASE_ADDR);
	p4d_t *u_p4d = p4d_offset(user_pgd(mm), LDT_BASE_ADDR);

	if (p4d_none(*u_p4d)) {
		pud_t *table = pud_alloc_one(mm, LDT_BASE_ADDR);

		if (!table)
			return -ENOMEM;
		mm_inc_nr_puds(mm);
		p4d_populate(mm, u_p4d, table);
	}

	set_pud(pud_offset(u_p4d, LDT_BASE_ADDR), *pud_offset(k_p4d, LDT_BASE_ADDR));
	return 0;
}

/**
 * mm_local_share_ldt - show the LDT's part of the region to user mode
 * @mm: An mm whose kernel page tables cover the LDT; the caller is alone with
 *	its LDT.
 *
 * Return: 0, or -ENOMEM.
 */
int mm_local_share_ldt(struct mm_struct *mm)
{
	return pgtable_l5_enabled() ? share_p4d(mm) : share_pud(mm);
}

static void unshare_ldt(struct mmu_gather *tlb)
{
	pgd_t *pgd = user_pgd(tlb->mm);
	p4d_t *p4d;
	pud_t *pud;

	if (!cpu_feature_enabled(X86_FEATURE_PTI) || !pgd_val(*pgd))
		return;

	p4d = p4d_offset(pgd, LDT_BASE_ADDR);
	if (pgtable_l5_enabled()) {
		set_pgd(pgd, __pgd(0));
		p4d_free_tlb(tlb, p4d, LDT_BASE_ADDR);
		return;
	}

	pud = pud_offset(p4d, LDT_BASE_ADDR);
	p4d_clear(p4d);
	pud_free_tlb(tlb, pud, LDT_BASE_ADDR);
	mm_dec_nr_puds(tlb->mm);
}
#else
static void unshare_ldt(struct mmu_gather *tlb) { }
#endif /* CONFIG_MITIGATION_PAGE_TABLE_ISOLATION */

/**
 * mm_local_exit_mmap - free the page tables of an mm's mm-local region
 * @mm: The mm, which nobody uses any more.
 */
void mm_local_exit_mmap(struct mm_struct *mm)
{
	unsigned long start = MM_LOCAL_BASE_ADDR, end = MM_LOCAL_END_ADDR;
	struct mmu_gather tlb;

	/* The entry of the PGD, whichever table it points to. */
	if (!pgd_val(*pgd_offset(mm, start)))
		return;

	/* Not a range that the gathering of user ranges could keep track of. */
	tlb_gather_mmu_fullmm(&tlb, mm);
	unshare_ldt(&tlb);
	free_pgd_range(&tlb, start, end, start, end);
	tlb_finish_mmu(&tlb);
}
