/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_NODIRMAP_H
#define _LINUX_NODIRMAP_H

#include <linux/errno.h>
#include <linux/types.h>

struct address_space;
struct iov_iter;
struct mempolicy;
struct mermap_marks;

#ifdef CONFIG_NODIRMAP
struct mermap_marks **nodirmap_marks(struct address_space *mapping);
int nodirmap_add_filled(struct address_space *mapping, pgoff_t index,
			struct iov_iter *from, struct mempolicy *policy);
#else
static inline struct mermap_marks **nodirmap_marks(struct address_space *mapping)
{
	return NULL;
}

static inline int nodirmap_add_filled(struct address_space *mapping,
				      pgoff_t index, struct iov_iter *from,
				      struct mempolicy *policy)
{
	return -EINVAL;
}
#endif

#endif /* _LINUX_NODIRMAP_H */
