/* SPDX-License-Identifier: MIT */
/*
 * The memslots of the VMs of one address space: those that the VMM asked for, and those
 * that KVM was given instead.  A slot of the VMM becomes one slot of KVM for each range
 * of one kind.  All of them are deleted at once.
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

/* The call does not concern the model. */
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
	/* KVM has it, maybe with a break while its memory changes */
	bool active;
	size_t nr_pieces;
	size_t nr_protected;
	struct piece *piece;
};

struct vm {
	struct vm *next;
	/* this process' descriptor of it */
	int fd;
	/* unlike a descriptor, never used again */
	uint64_t serial;
	uint32_t max_slots;
	size_t nr_slots;
	struct slot *slot;
};

struct model {
	struct host *host;
	/* warn and go on where strict refuses */
	bool permissive;
	/* strict has refused before the guest ran: stop the VMM */
	bool stopped;
	struct blocks blocks;
	struct vm *vms;
	uint64_t last_serial;
};

/* registry.c */
struct vm *model_vm(struct model *model, int fd);
/* Adds a VM that is not known yet.  -EIO if it has another address space. */
int model_add_vm(struct model *model, int fd, struct vm **ret_vm);
/* The VM is closed: releases its memory. */
void model_forget_vm(struct model *model, struct vm *vm);
void model_forget_all(struct model *model);
struct slot *model_slot(struct vm *vm, uint32_t id);
/* The number of slots that the VMM may use; the model needs the others for pieces. */
uint32_t model_visible_slots(const struct vm *vm);
/* The answer to KVM_CHECK_EXTENSION for the VMM, if KVM answers value. */
int model_capability(uint64_t capability, int value);

/* region.c */
int model_set_region(struct model *model, int fd,
		     const struct kvm_userspace_memory_region2 *region);
/* Refuses a region, also with permissive. */
int model_refuse_region(struct model *model, const struct kvm_userspace_memory_region2 *region,
			const char *why);
/*
 * KVM does not log writes to memory outside the direct map.  Every page may have
 * been written: that is always a right answer.
 */
int model_dirty_log(struct model *model, int fd, const struct kvm_dirty_log *log);
int model_clear_dirty_log(struct model *model, int fd, uint32_t slot);

/* range.c */
/* Does any of this range back a slot, or is any of it in a block? */
bool model_knows(const struct model *model, uint64_t addr, uint64_t size);
/*
 * The VMM has mapped other memory there (replaced), or none.  Makes slots anew that show
 * replaced memory.
 */
void model_range_gone(struct model *model, uint64_t addr, uint64_t size, bool replaced);
/* madvise(2), for the parts of the range that are outside the direct map. */
int model_advise(struct model *model, uint64_t addr, uint64_t size, int advice);
/*
 * Forgets memory that the VMM has unmapped since, by the kernel's list of mappings.  Takes
 * slots away that have other memory by now.
 *
 * region, of a VM: the region about to be registered, or NULL.
 *
 * 0; -errno if there is memory, and the mappings cannot be read.
 */
int model_reconcile(struct model *model, const struct vm *vm,
		     const struct kvm_userspace_memory_region2 *region);

/* Functions that the parts of the model share. */

/* pieces.c: a slot as KVM's slots, all of it or nothing */
int pieces_set(struct model *model, struct vm *vm, const struct slot *slot,
	       const struct piece *piece, bool delete);
int pieces_install(struct model *model, struct vm *vm, struct slot *slot);
int pieces_uninstall(struct model *model, struct vm *vm, struct slot *slot);
void pieces_drop(struct slot *slot);
/* Calls act() for all slots that show any of this range.  Returns the first error. */
int pieces_for_range(struct model *model, uint64_t addr, uint64_t until,
		     int (*act)(struct model *model, struct vm *vm, struct slot *slot));

/* policy.c: decides about the memory of a slot before KVM gets it */
int policy_prepare(struct model *model, struct vm *vm, struct slot *slot);
/* Refuses memory that cannot be protected.  Permissive, it stays ordinary: 0. */
int policy_refuse(struct model *model, const struct slot *slot, uint64_t addr,
		  uint64_t until, const char *why);
/* The same for all of a slot, which cannot be ordinary memory either: never 0. */
int policy_refuse_slot(struct model *model, const struct slot *slot, const char *why);
/* As policy_refuse(); permissive, the memory counts as ordinary from then on. */
int policy_leave_plain(struct model *model, struct vm *vm, const struct slot *slot,
		       uint64_t addr, uint64_t until, const char *why);

#endif
