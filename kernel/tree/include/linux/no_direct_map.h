/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_NO_DIRECT_MAP_H
#define _LINUX_NO_DIRECT_MAP_H

#include <linux/errno.h>
#include <linux/types.h>

struct address_space;
struct iov_iter;
struct mempolicy;

#ifdef CONFIG_NO_DIRECT_MAP
int no_direct_map_add_filled(struct address_space *mapping, pgoff_t index,
			     struct iov_iter *from, struct mempolicy *policy);
#else
static inline int no_direct_map_add_filled(struct address_space *mapping,
					   pgoff_t index, struct iov_iter *from,
					   struct mempolicy *policy)
{
	return -EINVAL;
}
#endif

#endif /* _LINUX_NO_DIRECT_MAP_H */
