/* SPDX-License-Identifier: MIT */
/*
 * The smallest VM that can keep a secret: one vCPU in real mode, guest memory from
 * guest_memfd, and a few bytes of code.  The code stores a xor b in that memory.
 */
#ifndef GUEST_TINY_VM_H
#define GUEST_TINY_VM_H

#include <stdint.h>

#include "kvm_uapi.h"
#include "secret.h"

#define TINY_VM_SHARED (GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)
/* Anonymous memory with MADV_HUGEPAGE instead of a guest_memfd; alone. */
#define TINY_VM_THP (1ULL << 63)

struct tiny_vm {
	int kvm;
	int vm;
	int vcpu;
	int gmem;
	uint64_t flags;
	uint64_t size;
	/* User mapping of the guest memory; NULL if it is private. */
	uint8_t *mem;
	/* Holds the code and the halves of the secret: a page of its own. */
	uint8_t *code;
	struct kvm_run *run;
	uint64_t run_size;
	/* The step that failed. */
	const char *step;
};

/* Guest physical addresses of the code and of the guest memory, where 2 MiB start. */
#ifdef __x86_64__
#define TINY_VM_CODE_GPA 0x1000ULL
#else
#define TINY_VM_CODE_GPA 0x10000ULL
#endif
#define TINY_VM_GPA 0x200000ULL

/*
 * Makes a VM whose memory is a guest_memfd with these flags, or TINY_VM_THP.  If it can
 * be mapped the VM is a default VM.  Otherwise it is KVM_X86_SW_PROTECTED_VM, with
 * private memory.  0 or -errno; EOPNOTSUPP if the VM does not advertise the flags.  Call
 * tiny_vm_destroy() in both cases.
 */
int tiny_vm_create(struct tiny_vm *vm, uint64_t flags, uint64_t size);
void tiny_vm_destroy(struct tiny_vm *vm);

/* Repeats until done: under fault injection one attempt may fail. */
void tiny_vm_unmap(void *mem, uint64_t size);

/* The guest stores the secret at this offset of its memory, and halts. */
int tiny_vm_plant(struct tiny_vm *vm, const struct secret *secret,
		  uint64_t offset);

/* KVM maps the memory into the guest, as a touch by the guest would. */
int tiny_vm_populate(struct tiny_vm *vm);

#endif
