/* SPDX-License-Identifier: MIT */
/* Moves a range of the VMM's memory out of the direct map, and back. */
#ifndef OFFMAP_RAM_H
#define OFFMAP_RAM_H

#include <stdint.h>

#include "blocks.h"
#include "host.h"

#define RAM_WHY 256

/*
 * Grows a range to what has to be moved as a whole.  0, or -errno with the
 * reason in ret_why, which is also set when the range cannot be moved.
 */
int ram_extent(struct host *host, uint64_t *addr, uint64_t *until, char ret_why[RAM_WHY]);

/* From which offset on a range of the guest is best in a guest_memfd of its own. */
uint64_t ram_offset(const struct host *host, uint64_t gpa, uint64_t size);

/*
 * Creates a guest_memfd, moves into it what is at the address of new, from the offset
 * of new on, and maps it in its place, with the NUMA policy and the madvise(2) flags of
 * before.  Pages that were there are allocated.  What was there is overwritten.  Other
 * threads of the VMM must not use the memory meanwhile.
 */
int ram_protect(struct host *host, int vm, const struct block *new,
		struct backing **ret_backing, char ret_why[RAM_WHY]);

/* The same for a range of a block, which is a memory of another VM. */
int ram_move(struct host *host, int vm, const struct block *block, const struct block *new,
	     struct backing **ret_backing, char ret_why[RAM_WHY]);

/* The other way round: ordinary memory with the same contents. */
int ram_expose(struct host *host, const struct block *block, uint64_t addr, uint64_t size);

/* A new one, for a VM.  0, or -errno with the reason. */
int ram_create(struct host *host, int vm, uint64_t size, struct backing **ret_backing,
	       char ret_why[RAM_WHY]);
/* A part of it, in this process; NULL with errno. */
uint8_t *ram_map(const struct backing *backing, uint64_t offset, uint64_t size);

/* Frees pages; allocates them. */
int ram_discard(const struct backing *backing, uint64_t offset, uint64_t size);
int ram_allocate(const struct backing *backing, uint64_t offset, uint64_t size);
/* One page that gets contents; with all of its 2 MiB if those may be one page. */
int ram_allocate_page(struct backing *backing, uint64_t offset);

/* For blocks_cut(). */
void ram_release(struct backing *backing);

#endif
