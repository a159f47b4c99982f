/* SPDX-License-Identifier: MIT */
/* A range of the VMM's memory, and what is put in its place. */
#ifndef OFFMAP_MOVE_H
#define OFFMAP_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocks.h"
#include "host.h"
#include "ram.h"
#include "vmas.h"

struct move {
	struct host *host;
	uint64_t addr;
	uint64_t size;
	/* what is mapped there */
	struct ram_vma *vma;
	size_t nr_vmas;
	/* what is to be there, and from which offset on */
	struct backing *backing;
	uint64_t offset;
	/* where that is until then, in the VMM and in this process; 0 and NULL: nowhere */
	uint64_t to;
	uint8_t *map;
};

/*
 * Maps the backing elsewhere in the VMM, with the NUMA policy and the
 * madvise(2) flags of what is to be replaced.  0, or -errno with the reason.
 */
int move_start(struct move *move, char ret_why[RAM_WHY]);

/* Copies what is there; pages that are there are allocated.  0 or -errno. */
int move_copy(struct move *move);

/*
 * Puts the backing in the place of what is there, which is overwritten if scrub
 * says so.  0, or -errno when all is as before.
 */
int move_finish(struct move *move, bool scrub);

/* Whatever has become of it. */
void move_end(struct move *move);

#endif
