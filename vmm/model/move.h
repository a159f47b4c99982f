/* SPDX-License-Identifier: MIT */
/* Moves a range of the VMM's memory to another backing. */
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
	/* the mappings there now */
	struct ram_vma *vma;
	size_t nr_vmas;
	/* the new memory, and its offset */
	struct backing *backing;
	uint64_t offset;
	/*
	 * the new memory's mapping until then, in the VMM and in this process; 0 and
	 * NULL: none
	 */
	uint64_t to;
	uint8_t *map;
};

/*
 * Maps the backing elsewhere in the VMM, with the NUMA policy and the madvise(2) flags of
 * the old memory.  0, or -errno with the reason.
 */
int move_start(struct move *move, char ret_why[RAM_WHY]);

/* Copies the contents, and allocates each page that was present.  0 or -errno. */
int move_copy(struct move *move);

/*
 * Puts the backing in the place of the old memory, which is overwritten if scrub is set.
 * 0, or -errno with everything as before.
 */
int move_finish(struct move *move, bool scrub);

/* Cleans up, after success and after failure. */
void move_end(struct move *move);

#endif
