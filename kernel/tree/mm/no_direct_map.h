/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mm/ does for mappings that are marked AS_NO_DIRECT_MAP.
 */
#ifndef _MM_NO_DIRECT_MAP_H
#define _MM_NO_DIRECT_MAP_H

#include <linux/fs.h>
#include <linux/mm_types.h>
#include <linux/pagemap.h>

#ifdef CONFIG_NO_DIRECT_MAP
int folio_enter_no_direct_map(struct folio *folio, gfp_t gfp);
void folio_cancel_no_direct_map(struct folio *folio);
bool folio_leave_no_direct_map(struct folio *folio);
void __mapping_exit_no_direct_map(struct address_space *mapping);
#else
static inline int folio_enter_no_direct_map(struct folio *folio, gfp_t gfp)
{
	return -EOPNOTSUPP;
}

static inline void folio_cancel_no_direct_map(struct folio *folio) { }
static inline bool folio_leave_no_direct_map(struct folio *folio)
{
	return true;
}

static inline void __mapping_exit_no_direct_map(struct address_space *mapping) { }
#endif /* CONFIG_NO_DIRECT_MAP */

/* The mapping has lost its last folio for good. */
static inline void mapping_exit_no_direct_map(struct address_space *mapping)
{
	if (mapping_no_direct_map(mapping))
		__mapping_exit_no_direct_map(mapping);
}

static inline bool vma_no_direct_map(const struct vm_area_struct *vma)
{
	return vma->vm_file && mapping_no_direct_map(vma->vm_file->f_mapping);
}

#endif /* _MM_NO_DIRECT_MAP_H */
