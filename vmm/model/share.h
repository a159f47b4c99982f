/* SPDX-License-Identifier: MIT */
/*
 * A memfd that the VMM shares with other processes by its descriptor, such as back ends
 * of vhost-user.  All of it is moved at once into a guest_memfd, at the same offsets.
 * The VMM's descriptors of the memfd become those of the guest_memfd.
 */
#ifndef OFFMAP_SHARE_H
#define OFFMAP_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include "blocks.h"
#include "host.h"
#include "ram.h"
#include "vmas.h"

struct share {
	/* all mappings of it in the VMM, by address */
	struct ram_vma *vma;
	size_t nr_vmas;
	/* the VMM's descriptors of it */
	int *number;
	size_t nr_numbers;
	uint64_t size;
};

/*
 * Is this range a shared memfd?  1 if so, and it can be moved; 0 if not, or if the host
 * lends no descriptors; else -errno with the reason.
 */
int share_find(struct host *host, uint64_t addr, uint64_t until, struct share *ret_share,
	       char ret_why[RAM_WHY]);

/*
 * Moves it.  0, or -errno with the reason.  Nothing has changed then, except with
 * -ENOTRECOVERABLE: a part of it is moved.
 */
int share_protect(struct host *host, int vm, const struct share *share,
		  struct backing **ret_backing, char ret_why[RAM_WHY]);

void share_end(struct share *share);

/*
 * Another process that has the file of a shared mapping, and would keep the guest's old
 * data.  0: none that this one may look into.
 */
pid_t share_find_other(const struct host *host, const struct ram_vma *vma);

#endif
