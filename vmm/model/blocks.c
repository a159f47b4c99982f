// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"

static uint64_t end_of(const struct block *block)
{
	return block->addr + block->size;
}

/* The first block that ends behind addr. */
static size_t first_behind(const struct blocks *blocks, uint64_t addr)
{
	size_t low = 0, high = blocks->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (end_of(&blocks->block[middle]) <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct block *blocks_at(const struct blocks *blocks, uint64_t addr)
{
	size_t i = first_behind(blocks, addr);

	if (i == blocks->nr || blocks->block[i].addr > addr)
		return NULL;
	return &blocks->block[i];
}

uint64_t blocks_run(const struct blocks *blocks, uint64_t addr, uint64_t end,
		    const struct block **ret_block)
{
	size_t i = first_behind(blocks, addr);
	uint64_t until = end;

	*ret_block = NULL;
	if (i < blocks->nr) {
		const struct block *block = &blocks->block[i];

		if (block->addr <= addr) {
			*ret_block = block;
			until = end_of(block);
		} else {
			until = block->addr;
		}
	}
	return until < end ? until : end;
}

static int make_room(struct blocks *blocks, size_t nr)
{
	size_t space = blocks->space ? 2 * blocks->space : 16;
	struct block *more;

	if (blocks->nr + nr <= blocks->space)
		return 0;
	if (blocks->nr + nr > space)
		space = blocks->nr + nr;
	more = realloc(blocks->block, space * sizeof(*more));
	if (!more)
		return -ENOMEM;
	blocks->block = more;
	blocks->space = space;
	return 0;
}

/* Room for nr blocks, and for two that a cut adds. */
int blocks_make_room(struct blocks *blocks, size_t nr)
{
	return make_room(blocks, 2 + nr);
}

static void insert(struct blocks *blocks, size_t at, const struct block *block)
{
	memmove(&blocks->block[at + 1], &blocks->block[at],
		(blocks->nr - at) * sizeof(*block));
	blocks->block[at] = *block;
	blocks->nr++;
	if (block->backing)
		block->backing->refs++;
}

int blocks_add(struct blocks *blocks, const struct block *block)
{
	size_t at = first_behind(blocks, block->addr);
	struct block new = *block;
	int err;

	if (!block->size || end_of(block) < block->addr)
		return -EINVAL;
	if (at < blocks->nr && blocks->block[at].addr < end_of(block))
		return -EEXIST;
	err = make_room(blocks, 1);
	if (!err)
		insert(blocks, at, &new);
	return err;
}

/* If addr is inside a block, cuts the block there.  The caller has made room. */
static void split(struct blocks *blocks, uint64_t addr)
{
	size_t i = first_behind(blocks, addr);
	struct block rest;

	if (i == blocks->nr || blocks->block[i].addr >= addr)
		return;
	rest = blocks->block[i];
	rest.size = end_of(&rest) - addr;
	rest.offset += addr - rest.addr;
	rest.addr = addr;
	blocks->block[i].size -= rest.size;
	insert(blocks, i + 1, &rest);
}

int blocks_cut(struct blocks *blocks, uint64_t addr, uint64_t size,
	       void (*release)(struct backing *backing))
{
	size_t from, to;
	int err;

	err = make_room(blocks, 2);
	if (err)
		return err;
	split(blocks, addr);
	split(blocks, addr + size);
	from = first_behind(blocks, addr);
	for (to = from; to < blocks->nr && blocks->block[to].addr < addr + size; to++) {
		struct backing *backing = blocks->block[to].backing;

		if (backing && !--backing->refs)
			release(backing);
	}
	memmove(&blocks->block[from], &blocks->block[to],
		(blocks->nr - to) * sizeof(*blocks->block));
	blocks->nr -= to - from;
	return 0;
}
