/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Folios that leave the kernel's direct map, and come back.
 */
#ifndef _MM_DIRECT_MAP_H
#define _MM_DIRECT_MAP_H

#include <linux/errno.h>

struct folio;

#ifdef CONFIG_ARCH_HAS_SET_DIRECT_MAP
int folio_zap_direct_map(struct folio *folio);
int folio_restore_direct_map(struct folio *folio);
#else
static inline int folio_zap_direct_map(struct folio *folio)
{
	return -EOPNOTSUPP;
}

static inline int folio_restore_direct_map(struct folio *folio)
{
	return -EOPNOTSUPP;
}
#endif /* CONFIG_ARCH_HAS_SET_DIRECT_MAP */

#endif /* _MM_DIRECT_MAP_H */
