/* SPDX-License-Identifier: MIT */
/*
 * A double of /dev/kvm for tests without it.  It keeps KVM's rules for memslots, and lets
 * a test see guest memory as a guest does.  A memfd stands for each guest_memfd.
 */
#ifndef FAKE_KVM_H
#define FAKE_KVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_kvm_settings {
	/* errno of open("/dev/kvm"), of KVM_CREATE_VM, of KVM_CREATE_GUEST_MEMFD */
	int open_error;
	int create_vm_error;
	int create_gmem_error;
	int api;
	/* the value of KVM_CAP_GUEST_MEMFD_FLAGS; negative: unknown capability */
	int gmem_flags;
	int max_slots;
	/* the nth KVM_SET_USER_MEMORY_REGION2 from now fails; 0: none */
	int fail_region_in;
	/* and this many calls after it */
	int fail_region_more;
};

struct fake_slot {
	uint32_t id;
	uint32_t flags;
	uint64_t gpa;
	uint64_t size;
	uint64_t hva;
	/* -1: ordinary memory */
	int gmem;
	uint64_t gmem_offset;
};

extern struct fake_kvm_settings fake_kvm;

/* Sets up a machine with the series, and forgets all VMs. */
void fake_kvm_reset(void);

/* Slots of a VM, in no order. */
size_t fake_kvm_slots(int vm, const struct fake_slot **ret);

/* The slot at this address, or NULL. */
const struct fake_slot *fake_kvm_slot_at(int vm, uint64_t gpa);

/* Access as by the guest: 0, or -1 if it has no memory there (or may not write). */
int fake_guest_read(int vm, uint64_t gpa, uint8_t *ret);
int fake_guest_write(int vm, uint64_t gpa, uint8_t value);

/* Number of calls of KVM_RUN. */
unsigned int fake_kvm_runs(void);

#endif
