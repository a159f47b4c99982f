/* SPDX-License-Identifier: MIT */
/*
 * Which addresses of the VMM have become what: a sorted list of ranges that
 * do not overlap.  Nothing here asks the kernel anything.
 */
#ifndef OFFMAP_BLOCKS_H
#define OFFMAP_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host;

/* A guest_memfd outside the direct map; closed when no block and no slot has it. */
struct backing {
	struct host *host;
	/* its number there, and a descriptor of this process */
	int fd;
	int own;
	uint64_t inode;
	uint64_t size;
	unsigned int refs;
	/* it may have pages of 2 MiB; the end of those that were allocated last */
	bool huge;
	uint64_t huge_end;
	/* a slot that cannot have them was named */
	bool named;
	/* serial of the VM: KVM gives it to no other */
	uint64_t owner;
	/* other processes may have it from the VMM */
	bool shared;
};

struct block {
	uint64_t addr;
	uint64_t size;
	/* NULL: ordinary memory, and to stay so */
	struct backing *backing;
	/* of addr, in the memory */
	uint64_t offset;
	/* in the first MiB of the guest, when it was first seen there */
	bool window;
	/* serial of the VM for which ordinary memory stays so */
	uint64_t owner;
};

struct blocks {
	size_t nr;
	size_t space;
	struct block *block;
};

/* The block that has this address, or NULL. */
const struct block *blocks_at(const struct blocks *blocks, uint64_t addr);

/*
 * From addr on, up to end: how far is it the same block, or none?  *ret_block
 * is NULL for none.
 */
uint64_t blocks_run(const struct blocks *blocks, uint64_t addr, uint64_t end,
		    const struct block **ret_block);

/*
 * Room for one blocks_cut() and so many blocks_add(), which do not fail then.
 * 0 or -ENOMEM.
 */
int blocks_make_room(struct blocks *blocks, size_t nr);

/* Takes a reference to its backing.  0, -ENOMEM, -EEXIST if it overlaps. */
int blocks_add(struct blocks *blocks, const struct block *block);

/*
 * Forgets a range; blocks are cut where it starts and ends.  Backings that
 * lose their last block are given to release().  0 or -ENOMEM, and nothing has
 * changed then.
 */
int blocks_cut(struct blocks *blocks, uint64_t addr, uint64_t size,
	       void (*release)(struct backing *backing));

#endif
