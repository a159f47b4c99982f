/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_NODIRMAP_H
#define _LINUX_NODIRMAP_H

#include <linux/alloc_tag.h>
#include <linux/errno.h>
#include <linux/types.h>

struct address_space;
struct folio;
struct iov_iter;
struct mempolicy;
struct mermap_marks;

#ifdef CONFIG_NODIRMAP
struct mermap_marks **nodirmap_marks(struct address_space *mapping);
struct folio *nodirmap_alloc_folio_noprof(struct address_space *mapping, gfp_t gfp,
					  unsigned int order,
					  struct mempolicy *policy);
int nodirmap_clear_folio(struct folio *folio);
int nodirmap_add_filled(struct address_space *mapping, pgoff_t index,
			struct iov_iter *from, struct mempolicy *policy);
#else
static inline struct mermap_marks **nodirmap_marks(struct address_space *mapping)
{
	return NULL;
}

static inline struct folio *
nodirmap_alloc_folio_noprof(struct address_space *mapping, gfp_t gfp,
			    unsigned int order, struct mempolicy *policy)
{
	return NULL;
}

static inline int nodirmap_clear_folio(struct folio *folio)
{
	return -EINVAL;
}

static inline int nodirmap_add_filled(struct address_space *mapping,
				      pgoff_t index, struct iov_iter *from,
				      struct mempolicy *policy)
{
	return -EINVAL;
}
#endif

#define nodirmap_alloc_folio(...) \
	alloc_hooks(nodirmap_alloc_folio_noprof(__VA_ARGS__))

#endif /* _LINUX_NODIRMAP_H */
