/* SPDX-License-Identifier: MIT */
/*
 * The memslots of the VMs of one address space: what the VMM asked for, and
 * what KVM was given in its place.  A slot of the VMM becomes one slot of KVM
 * for each range that is of one kind, and all of them at once are deleted.
 *
 * One thread at a time.  Functions return 0 or -errno.
 */
#ifndef OFFMAP_MODEL_H
#define OFFMAP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocks.h"
#include "host.h"
#include "kvm_abi.h"

/* Where a PC has its ROMs and SMM, which lie over RAM and come and go. */
#define WINDOW_END (1UL << 20)

/* Returned for what is none of our business. */
#define MODEL_NOT_OURS 1

/* A slot of KVM's. */
struct piece {
	uint32_t id;
	uint64_t gpa;
	uint64_t size;
	uint64_t addr;
	/* NULL: ordinary memory */
	struct backing *backing;
	uint64_t offset;
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
	/* this process' descriptor of it */
	int fd;
	/* descriptors are used again, this is not */
	uint64_t serial;
	uint32_t max_slots;
	size_t nr_slots;
	struct slot *slot;
};

struct model {
	struct host *host;
	/* say so and go on, where strict refuses */
	bool permissive;
	/* strict has refused before the guest ran: the VMM is to be stopped */
	bool stopped;
	struct blocks blocks;
	struct vm *vms;
	uint64_t last_serial;
};

/* registry.c */
struct vm *model_vm(struct model *model, int fd);
/* A VM that is not known yet.  -EIO if it is of another address space. */
int model_add_vm(struct model *model, int fd, struct vm **ret_vm);
/* It is closed: what it had is released. */
void model_forget_vm(struct model *model, struct vm *vm);
void model_forget_all(struct model *model);
struct slot *model_slot(struct vm *vm, uint32_t id);
/* The others are for what the model splits. */
uint32_t model_visible_slots(const struct vm *vm);
/* What KVM_CHECK_EXTENSION says to the VMM, where KVM says value. */
int model_capability(uint64_t capability, int value);

/* region.c */
int model_set_region(struct model *model, int fd,
		     const struct kvm_userspace_memory_region2 *region);
/*
 * KVM does not log writes to memory outside the direct map.  Every page may have
 * been written: that is always a right answer.
 */
int model_dirty_log(struct model *model, int fd, const struct kvm_dirty_log *log);
int model_clear_dirty_log(struct model *model, int fd, uint32_t slot);

/* range.c */
/* Does any of this range back a slot, or has it? */
bool model_knows(const struct model *model, uint64_t addr, uint64_t size);
/*
 * The VMM has mapped something else there (replaced) or nothing.  Slots that
 * show what is replaced are made anew.
 */
void model_range_gone(struct model *model, uint64_t addr, uint64_t size, bool replaced);
/* madvise(2), for the parts of the range that are outside the direct map. */
int model_advise(struct model *model, uint64_t addr, uint64_t size, int advice);
/*
 * Forgets what the VMM has unmapped since, as the kernel's list of mappings
 * says.  region, of a VM: what is about to be registered, or NULL.
 */
void model_reconcile(struct model *model, const struct vm *vm,
		     const struct kvm_userspace_memory_region2 *region);

/* The parts of the model, for each other. */

/* pieces.c: a slot as KVM's slots, all of it or nothing */
int pieces_set(struct model *model, struct vm *vm, const struct slot *slot,
	       const struct piece *piece, bool delete);
int pieces_install(struct model *model, struct vm *vm, struct slot *slot);
int pieces_uninstall(struct model *model, struct vm *vm, struct slot *slot);
void pieces_drop(struct slot *slot);
/* All slots that show any of this range, away or back: the first error. */
int pieces_for_range(struct model *model, uint64_t addr, uint64_t until,
		     int (*act)(struct model *model, struct vm *vm, struct slot *slot));

/* policy.c: what becomes of the memory of a slot before KVM is given it */
int policy_prepare(struct model *model, struct vm *vm, struct slot *slot);
int policy_refuse(struct model *model, const struct slot *slot, uint64_t addr,
		  uint64_t until, const char *why);

#endif
