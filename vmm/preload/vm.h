/* SPDX-License-Identifier: MIT */
/*
 * The memslots of the VMs of this process: what the VMM asked for, and what
 * KVM was given in its place.  A slot of the VMM becomes one slot of KVM for
 * each range that is of one kind, and all of them at once are deleted.
 *
 * One lock inside; any thread may call any function.  0 or -errno.
 */
#ifndef OFFMAP_VM_H
#define OFFMAP_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm_abi.h"

/* Returned for what is none of our business. */
#define VM_NOT_OURS 1

void vm_created(int fd);
void vm_closed(int fd);

/* What is left of KVM_CAP_NR_MEMSLOTS for the VMM. */
int vm_visible_slots(int slots);

int vm_set_region(int fd, const struct kvm_userspace_memory_region2 *region);

/*
 * KVM does not log writes to memory out of the map.  Every page may have been
 * written: that is always a right answer.
 */
int vm_dirty_log(int fd, const struct kvm_dirty_log *log);
int vm_clear_dirty_log(int fd, uint32_t slot);

/* Before the first guest instruction: is anything protected at all? */
void vm_starts(void);

/*
 * Between these two no range of the VMM becomes guest memory, nor ceases to be.
 * false, and nothing to let go: there is none.
 */
bool vm_hold_ranges(void);
void vm_let_ranges_go(void);

/*
 * The VMM has mapped something else there (replaced) or nothing; ranges are
 * held.  Slots that show what is replaced are made anew.
 */
void vm_range_gone(uint64_t addr, uint64_t size, bool replaced);

/* madvise(2), for the parts of the range that are out of the map. */
int vm_advise(uint64_t addr, uint64_t size, int advice);

/*
 * Around fork().  A VM belongs to one process: a child that closes or unmaps
 * what it inherited says nothing about it, and starts afresh.
 */
void vm_before_fork(void);
void vm_after_fork(bool child);

#endif
