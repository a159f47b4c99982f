/* SPDX-License-Identifier: MIT */
/*
 * The VMM's addresses and what backs them: a sorted list of ranges that do not overlap.
 * Nothing here asks the kernel anything.
 */
#ifndef OFFMAP_BLOCKS_H
#define OFFMAP_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host;

/* A guest_memfd outside the direct map.  It is closed when no block and no slot has it. */
struct backing {
	struct host *host;
	/* its number in the task, and a descriptor of this process */
	int fd;
	int own;
	uint64_t inode;
	uint64_t size;
	unsigned int refs;
	/* may it have pages of 2 MiB, and the end of the last that was allocated */
	bool huge;
	uint64_t huge_end;
	/* a message has named a slot that cannot have pages of 2 MiB */
	bool named;
	/* serial of its VM: KVM gives the memory to no other VM */
	uint64_t owner;
	/* other processes may have it from the VMM */
	bool shared;
};

struct block {
	uint64_t addr;
	uint64_t size;
	/* NULL: ordinary memory, which stays so */
	struct backing *backing;
	/* offset of addr in the backing */
	uint64_t offset;
	/* the guest had it in its first MiB when the block was made */
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
 * The end of the run from addr on, at most end, that is in one block or in none.
 * *ret_block is NULL for none.
 */
uint64_t blocks_run(const struct blocks *blocks, uint64_t addr, uint64_t end,
		    const struct block **ret_block);

/*
 * Makes room for one blocks_cut() and for nr blocks_add(), which then cannot fail. 0 or
 * -ENOMEM.
 */
int blocks_make_room(struct blocks *blocks, size_t nr);

/* Takes a reference to its backing.  0, -ENOMEM, or -EEXIST if it overlaps. */
int blocks_add(struct blocks *blocks, const struct block *block);

/*
 * Forgets a range, and cuts the blocks at its start and end.  Calls release() for a
 * backing that loses its last block.  0, or -ENOMEM with nothing changed.
 */
int blocks_cut(struct blocks *blocks, uint64_t addr, uint64_t size,
	       void (*release)(struct backing *backing));

#endif
