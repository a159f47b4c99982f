/* SPDX-License-Identifier: MIT */
/* The parts of the smallest VM that differ between architectures. */
#ifndef GUEST_TINY_VM_ARCH_H
#define GUEST_TINY_VM_ARCH_H

#include <stddef.h>

#include "tiny_vm.h"

/* Where the halves of the secret are in the page of the code. */
#define TINY_VM_A_OFFSET 0x100
#define TINY_VM_B_OFFSET 0x180

#ifdef __x86_64__
#define TINY_VM_PRIVATE_TYPE KVM_X86_SW_PROTECTED_VM
#define TINY_VM_HAS_ATTRIBUTES 1
#else
/* There are no VMs whose memory cannot be mapped. */
#define TINY_VM_PRIVATE_TYPE 0
#define TINY_VM_HAS_ATTRIBUTES 0
#endif

extern const uint8_t tiny_vm_code[];
extern const size_t tiny_vm_code_size;

int tiny_vm_init_vcpu(struct tiny_vm *vm);
/* The halves are in the code page; the guest puts the secret at this offset. */
int tiny_vm_run_plant(struct tiny_vm *vm, uint64_t offset);

/* 0 if the guest ends for this reason. */
int tiny_vm_run(struct tiny_vm *vm, uint32_t exit_reason);
/* Returns -errno, and remembers the step. */
int tiny_vm_fail(struct tiny_vm *vm, const char *step);

#endif
