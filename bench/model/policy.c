// SPDX-License-Identifier: MIT
/*
 * The policies: owners of blocks and the page allocator, in counts of pages and blocks.
 * Names are those of mm/nodirmap/owner.c and blocks.c, which give the reasons.
 */
#include <math.h>
#include <stdlib.h>

#include "model.h"

#define MAX_TAKE 64
#define PAUSE 32
#define BATCH 4
#define RESERVE_BLOCKS 8
#define TRIM_BLOCKS 16
#define TRIM_INTERVAL 1.0
#define NONE UINT32_MAX

static uint64_t min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t max(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t div_up(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

/* splitmix64 */
uint64_t sim_random(struct sim *sim, uint64_t below)
{
	uint64_t x = sim->random += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return (x ^ x >> 31) % below;
}

static void unlist_block(struct sim *sim, struct block *block)
{
	uint32_t *first = &block->owner->first[block->node];

	if (*first == block - sim->blocks)
		*first = block->next;
	if (block->prev != NONE)
		sim->blocks[block->prev].next = block->next;
	if (block->next != NONE)
		sim->blocks[block->next].prev = block->prev;
	block->next = block->prev = NONE;
}

/* The first to be used next time. */
static void list_block(struct sim *sim, struct block *block)
{
	uint32_t *first = &block->owner->first[block->node];

	unlist_block(sim, block);
	block->next = *first;
	*first = block - sim->blocks;
	if (block->next != NONE)
		sim->blocks[block->next].prev = *first;
}

/* With one broadcast for all of them. */
static bool remove_blocks(struct sim *sim, struct node *node, uint64_t nr)
{
	uint64_t mark = node->low, taken = 0;

	for (; taken < nr && node->free >= mark + BLOCK; taken++) {
		node->free -= BLOCK;
		mark = node->high;
	}
	if (!taken)
		return false;
	sim->counts.broadcasts++;
	sim->outside += taken;
	sim->most = max(sim->most, sim->outside);
	node->pool += taken;
	node->zapped = true;
	return true;
}

static void add_block(struct sim *sim, struct owner *owner, uint16_t node)
{
	struct block *block = &sim->blocks[sim->spare];

	sim->spare = block->next;
	*block = (struct block){ owner, NONE, NONE, BLOCK, node };
	owner->nr++;
	owner->whole++;
	list_block(sim, block);
}

static void release_block(struct sim *sim, struct block *block)
{
	unlist_block(sim, block);
	block->owner->nr--;
	block->owner->whole--;
	sim->nodes[block->node].pool++;
	block->owner = NULL;
	block->next = sim->spare;
	sim->spare = block - sim->blocks;
}

static uint64_t blocks_to_take(const struct sim *sim, const struct vm *vm)
{
	uint64_t size = sim->o.file / PAGE, wanted = div_up(size - min(size, vm->used), BLOCK);

	return sim->policy == SHARED ? 1 : max(min(min(vm->owner->nr, wanted), MAX_TAKE), 1);
}

static bool take_block(struct sim *sim, struct vm *vm, uint16_t nid)
{
	struct node *node = &sim->nodes[nid];

	if (vm->pause) {
		vm->pause--;
		return false;
	}
	if (!node->pool && !remove_blocks(sim, node, blocks_to_take(sim, vm))) {
		vm->pause = PAUSE;
		return false;
	}
	node->pool--;
	add_block(sim, vm->owner, nid);
	return true;
}

static struct block *find_block(struct sim *sim, struct vm *vm)
{
	for (uint64_t i = 0; i < sim->o.nodes; i++) {
		uint16_t nid = (vm->home + i) % sim->o.nodes;
		struct node *node = &sim->nodes[nid];

		if (vm->owner->first[nid] == NONE) {
			if (node->free + node->pool * BLOCK <= node->low)
				continue;
			if (!take_block(sim, vm, nid))
				return NULL;
		}
		return &sim->blocks[vm->owner->first[nid]];
	}
	return NULL;
}

/* With one broadcast for each of them. */
static uint64_t take_singles(struct sim *sim, struct vm *vm, uint64_t nr)
{
	nr = min(nr, sim->nodes[vm->home].free);
	sim->nodes[vm->home].free -= nr;
	vm->singles += nr;
	sim->counts.singles += nr;
	sim->counts.broadcasts += nr;
	return nr;
}

static uint16_t *share(const struct sim *sim, const struct vm *vm, const struct block *block)
{
	return &sim->shares[(block - sim->blocks) * sim->o.vms + vm->nr];
}

static uint64_t take_pages(struct sim *sim, struct vm *vm, uint64_t nr)
{
	struct block *block;

	if (sim->policy == PAGES)
		return take_singles(sim, vm, nr);
	block = find_block(sim, vm);
	if (!block)
		return take_singles(sim, vm, 1);
	nr = min(nr, block->free);
	vm->owner->whole -= block->free == BLOCK;
	block->free -= nr;
	if (!block->free)
		unlist_block(sim, block);
	if (sim->policy == SHARED)
		*share(sim, vm, block) += nr;
	return nr;
}

bool vm_populate(struct sim *sim, struct vm *vm, uint64_t pages)
{
	for (uint64_t nr; pages; pages -= nr) {
		nr = take_pages(sim, vm, pages);
		if (!nr)
			return false;
		vm->used += nr;
		sim->counts.populated += nr;
		sim_wait(sim, nr * sim->page_seconds);
	}
	return true;
}

static unsigned int pages_in(const struct sim *sim, const struct vm *vm,
			     const struct block *block)
{
	if (block->owner != vm->owner)
		return 0;
	return sim->policy == SHARED ? *share(sim, vm, block) : BLOCK - block->free;
}

static void put_pages(struct sim *sim, struct vm *vm, struct block *block, unsigned int nr)
{
	if (sim->policy == SHARED)
		*share(sim, vm, block) -= nr;
	block->free += nr;
	list_block(sim, block);
	if (block->free < BLOCK)
		return;
	vm->owner->whole++;
	/* One stays. */
	if (sim->policy == SHARED || vm->owner->whole > 1)
		release_block(sim, block);
}

void vm_punch(struct sim *sim, struct vm *vm)
{
	struct block *block;

	if (sim_random(sim, vm->used--) < vm->singles) {
		vm->singles--;
		sim->nodes[vm->home].free++;
		return;
	}
	do {
		block = &sim->blocks[sim_random(sim, sim->nr_blocks)];
	} while (sim_random(sim, BLOCK) >= pages_in(sim, vm, block));
	put_pages(sim, vm, block, 1);
}

void vm_die(struct sim *sim, struct vm *vm)
{
	sim->nodes[vm->home].free += vm->singles;
	vm->singles = vm->used = vm->pause = 0;
	for (uint32_t i = 0; i < sim->nr_blocks; i++) {
		struct block *block = &sim->blocks[i];

		if (pages_in(sim, vm, block))
			put_pages(sim, vm, block, pages_in(sim, vm, block));
	}
	for (uint32_t i = 0; vm->owner->whole; i++)
		if (sim->blocks[i].owner == vm->owner && sim->blocks[i].free == BLOCK)
			release_block(sim, &sim->blocks[i]);
}

static uint64_t return_blocks(struct sim *sim, struct node *node, uint64_t nr)
{
	nr = min(nr, node->pool);
	node->pool -= nr;
	node->free += nr * BLOCK;
	sim->outside -= nr;
	return nr;
}

static uint64_t surplus(const struct sim *sim, const struct node *node)
{
	uint64_t reserve = div_up(sim->o.memory / PAGE / sim->o.nodes / 1024, BLOCK);

	return node->pool - min(node->pool, min(RESERVE_BLOCKS, reserve));
}

uint64_t sim_backlog(const struct sim *sim)
{
	uint64_t nr = 0;

	for (uint64_t i = 0; i < sim->o.nodes; i++)
		nr += surplus(sim, &sim->nodes[i]);
	return nr;
}

/* Half of the free blocks of a node, unless blocks have left the direct map there. */
static uint64_t blocks_to_trim(struct sim *sim, struct node *node)
{
	uint64_t nr = node->zapped ? 0 : surplus(sim, node);

	node->zapped = false;
	return max(div_up(nr, 2), min(nr, TRIM_BLOCKS));
}

/* A batch, and a second of sleep when there is no more to do. */
static void trim(struct sim *sim, struct node *node)
{
	uint64_t nr = 0;

	if (!node->trim_left)
		node->trim_left = blocks_to_trim(sim, node);
	if (node->trim_left)
		nr = return_blocks(sim, node, min(node->trim_left, BATCH));
	node->trim_left = nr ? node->trim_left - nr : 0;
	node->trim_at += nr * sim->block_seconds;
	if (!node->trim_left)
		node->trim_at += TRIM_INTERVAL;
}

void sim_wait(struct sim *sim, double seconds)
{
	sim->now += seconds;
	for (uint64_t i = 0; i < sim->o.nodes; i++)
		while (sim->nodes[i].trim_at <= sim->now)
			trim(sim, &sim->nodes[i]);
}

/* Where a request would leave less than the low watermark, a block comes back first. */
uint64_t sim_ordinary(struct sim *sim)
{
	uint64_t returned = 0;

	for (uint64_t nid = 0; nid < sim->o.nodes;) {
		struct node *node = &sim->nodes[nid];

		if (node->free < node->low + BLOCK)
			returned += return_blocks(sim, node, 1);
		if (node->free < node->low + BLOCK)
			nid++;
		else
			node->free -= BLOCK;
	}
	return returned;
}

/* Watermarks are those that Linux gives a machine with this memory. */
static struct node new_node(uint64_t memory, uint64_t nodes)
{
	uint64_t kib = max(128, min(sqrt(16.0 * memory / 1024), 262144));
	uint64_t lowest = kib * 1024 / PAGE / nodes, pages = memory / PAGE / nodes;
	uint64_t gap = max(lowest / 4, pages / 1000);

	return (struct node){ .free = pages, .low = lowest + gap, .high = lowest + 2 * gap,
			      .trim_at = TRIM_INTERVAL };
}

static void *new_array(uint64_t nr, size_t size)
{
	void *array = calloc(nr, size);

	if (!array)
		abort();
	return array;
}

/* The caller frees both arrays. */
void sim_init(struct sim *sim, const struct options *options, enum policy policy)
{
	*sim = (struct sim){ .o = *options, .policy = policy, .random = options->seed,
			     .nr_blocks = options->memory / PAGE / BLOCK,
			     .block_seconds = (double)BLOCK * PAGE / options->clear };
	for (uint64_t i = 0; i < options->nodes; i++)
		sim->nodes[i] = new_node(options->memory, options->nodes);
	for (uint64_t i = 0; i < options->vms; i++) {
		struct owner *owner = &sim->owners[policy == OWNED ? i : 0];

		for (int nid = 0; nid < MAX_NODES; nid++)
			owner->first[nid] = NONE;
		sim->vms[i] = (struct vm){ owner, 0, 0, i, i * options->nodes / options->vms, 0 };
	}
	sim->blocks = new_array(sim->nr_blocks, sizeof(*sim->blocks));
	for (uint32_t i = 0; i < sim->nr_blocks; i++)
		sim->blocks[i].next = i + 1;
	if (policy == SHARED)
		sim->shares = new_array(sim->nr_blocks * options->vms, sizeof(*sim->shares));
}
