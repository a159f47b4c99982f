/* SPDX-License-Identifier: MIT */
#ifndef OFFMAP_LIST_H
#define OFFMAP_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocks.h"

/* A slot of KVM's. */
struct piece {
	uint32_t id;
	uint64_t gpa;
	uint64_t size;
	uint64_t addr;
	/* NULL: ordinary memory */
	struct backing *backing;
	uint64_t offset;
	bool window;
};

/* A slot of the VMM's. */
struct slot {
	uint32_t id;
	uint32_t flags;
	uint64_t gpa;
	uint64_t size;
	uint64_t addr;
	/* KVM was given it, maybe with a break while its memory changes */
	bool active;
	size_t nr_pieces;
	size_t nr_protected;
	struct piece *piece;
};

struct vm {
	struct vm *next;
	int fd;
	/* descriptors are used again, this is not */
	uint64_t serial;
	uint32_t max_slots;
	size_t nr_slots;
	struct slot *slot;
};

/*
 * Writes the list of slots of all VMs where offmap audit finds it: see
 * slots.h.  Without room for it there is no list.
 */
void list_publish(const struct vm *vms);

/* In a child: the list is that of the parent, and the next one another. */
void list_inherited(void);

#endif
