/* SPDX-License-Identifier: MIT */
/* Moves a range of the VMM's memory out of the direct map, and back. */
#ifndef OFFMAP_RAM_H
#define OFFMAP_RAM_H

#include <stdint.h>

#include "blocks.h"
#include "host.h"

#define RAM_WHY 256

/*
 * Extends a range to the memory that must be moved as a whole.  0, or -errno with the
 * reason in ret_why, which is also set if the range cannot be moved.
 */
int ram_extent(struct host *host, uint64_t *addr, uint64_t *until, char ret_why[RAM_WHY]);

/* The best offset for a range of the guest in a guest_memfd of its own. */
uint64_t ram_offset(const struct host *host, uint64_t gpa, uint64_t size);

/*
 * Creates a guest_memfd and moves the memory at the address of new into it, from the
 * offset of new on.  Maps the guest_memfd there, with the NUMA policy and the madvise(2)
 * flags of before.  Allocates each page that was present, and overwrites the old pages.
 * Other threads of the VMM must not use the memory meanwhile.
 */
int ram_protect(struct host *host, int vm, const struct block *new,
		struct backing **ret_backing, char ret_why[RAM_WHY]);

/* As ram_protect(), for a range of a block that is the memory of another VM. */
int ram_move(struct host *host, int vm, const struct block *block, const struct block *new,
	     struct backing **ret_backing, char ret_why[RAM_WHY]);

/* Makes a range of a block ordinary memory with the same contents. */
int ram_expose(struct host *host, const struct block *block, uint64_t addr, uint64_t size);

/* Creates a guest_memfd for a VM.  0, or -errno with the reason. */
int ram_create(struct host *host, int vm, uint64_t size, struct backing **ret_backing,
	       char ret_why[RAM_WHY]);
/* Maps a part of it in this process; NULL with errno. */
uint8_t *ram_map(const struct backing *backing, uint64_t offset, uint64_t size);

/* Free and allocate pages. */
int ram_discard(const struct backing *backing, uint64_t offset, uint64_t size);
int ram_allocate(const struct backing *backing, uint64_t offset, uint64_t size);
/* Allocates pages; those that may be in a page of 2 MiB, with all of its 2 MiB. */
int ram_allocate_pages(struct backing *backing, uint64_t offset, size_t nr);

/* For blocks_cut(). */
void ram_release(struct backing *backing);

#endif
