/* SPDX-License-Identifier: MIT */
/* Moves a range of the VMM's memory out of the direct map, and back. */
#ifndef OFFMAP_RAM_H
#define OFFMAP_RAM_H

#include <stdint.h>

#include "blocks.h"

#define RAM_WHY 256

/*
 * Is this memory that may be taken, and will nobody miss what it is now?
 * 0, or -errno with the reason in ret_why.
 */
int ram_check(uint64_t addr, uint64_t size, char ret_why[RAM_WHY]);

/*
 * Creates a memory, moves into it what is there, and maps it in its place.
 * The threads of the VMM must not write there meanwhile.
 */
int ram_protect(int vm, uint64_t addr, uint64_t size,
		struct backing **ret_backing, char ret_why[RAM_WHY]);

/* The same for a range of a block, which is a memory of another VM. */
int ram_move(int vm, const struct block *block, uint64_t addr, uint64_t size,
	     struct backing **ret_backing, char ret_why[RAM_WHY]);

/* The other way round: ordinary memory with the same contents. */
int ram_expose(const struct block *block, uint64_t addr, uint64_t size);

/* For blocks_cut(). */
void ram_release(struct backing *backing);

#endif
