/* SPDX-License-Identifier: MIT */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE 4096
/* Pages of a block. */
#define BLOCK 512
#define MAX_NODES 8
#define MAX_VMS 256

enum policy {
	/* Mappings own blocks: mm/nodirmap/owner.c. */
	OWNED,
	/* All mappings have single pages of blocks that they share. */
	SHARED,
	/* No blocks. */
	PAGES,
	NR_POLICIES
};

/* Sizes in bytes, rates in bytes a second, costs in nanoseconds. */
struct options {
	uint64_t memory, nodes, cpus, vms, file, live, steps, lives, survivors, seed,
		rate, clear, ipi, invlpgb;
};

struct owner {
	/* By node: blocks with free pages. */
	uint32_t first[MAX_NODES];
	uint64_t nr, whole;
};

struct block {
	/* NULL if it is in a pool, or in the direct map. */
	struct owner *owner;
	/* In the owner's list. */
	uint32_t next, prev;
	uint16_t free, node;
};

struct vm {
	struct owner *owner;
	/* In pages; a single one left the direct map alone. */
	uint64_t used, singles;
	uint32_t nr, home, pause;
};

struct node {
	/* Pages in the direct map that are free, and watermarks. */
	uint64_t free, low, high;
	/* Whole blocks outside that nobody owns. */
	uint64_t pool;
	bool zapped;
	/* The node's worker: when it goes on, and blocks that it still has to give back. */
	double trim_at;
	uint64_t trim_left;
};

struct counts {
	uint64_t broadcasts, populated, singles;
};

struct sim {
	struct options o;
	enum policy policy;
	struct counts counts;
	uint64_t random;
	/* Blocks outside the direct map, now and at most. */
	uint64_t outside, most;
	struct node nodes[MAX_NODES];
	struct owner owners[MAX_VMS];
	struct vm vms[MAX_VMS];
	struct block *blocks;
	uint32_t nr_blocks, spare;
	/* If blocks are shared: pages of each VM in each. */
	uint16_t *shares;
	double now, page_seconds, block_seconds;
};

void sim_init(struct sim *sim, const struct options *options, enum policy policy);
uint64_t sim_random(struct sim *sim, uint64_t below);
void sim_wait(struct sim *sim, double seconds);
/* Blocks that the workers are going to give back. */
uint64_t sim_backlog(const struct sim *sim);
/* Ordinary requests take all that is free.  Return: how many blocks they put back. */
uint64_t sim_ordinary(struct sim *sim);

/* False if memory is full. */
bool vm_populate(struct sim *sim, struct vm *vm, uint64_t pages);
/* One page at random. */
void vm_punch(struct sim *sim, struct vm *vm);
void vm_die(struct sim *sim, struct vm *vm);

#endif
