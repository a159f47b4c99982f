/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mm-local region: kernel addresses that each mm translates in its own way.
 */
#ifndef _ASM_X86_MM_LOCAL_H
#define _ASM_X86_MM_LOCAL_H

#include <linux/mm_types.h>

#include <asm/pgtable_types.h>

#ifdef CONFIG_MM_LOCAL_REGION
bool mm_local_region_supported(void);
bool mm_local_has_ldt(pgd_t *pgd);
int mm_local_share_ldt(struct mm_struct *mm);
void mm_local_exit_mmap(struct mm_struct *mm);
#else
static inline void mm_local_exit_mmap(struct mm_struct *mm) { }
#endif

#endif /* _ASM_X86_MM_LOCAL_H */
