// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/ioctl.h>

#include "tiny_vm_arch.h"

#define PAGE 4096UL

/* ds:si is a, ds:di is b, es:bx is the target of the secret. */
const uint8_t tiny_vm_code[] = {
	0xb9, 0x08, 0x00,		/*	mov cx, 8 */
	0x66, 0x8b, 0x04,		/* 1:	mov eax, [si] */
	0x66, 0x33, 0x05,		/*	xor eax, [di] */
	0x26, 0x66, 0x89, 0x07,		/*	mov es:[bx], eax */
	0x83, 0xc6, 0x04,		/*	add si, 4 */
	0x83, 0xc7, 0x04,		/*	add di, 4 */
	0x83, 0xc3, 0x04,		/*	add bx, 4 */
	0xe2, 0xeb,			/*	loop 1b */
	0x66, 0x31, 0xc0,		/*	xor eax, eax */
	0xf4,				/*	hlt */
};
const size_t tiny_vm_code_size = sizeof(tiny_vm_code);

int tiny_vm_init_vcpu(struct tiny_vm *vm)
{
	(void)vm;
	return 0;
}

static int set_registers(struct tiny_vm *vm, uint64_t offset)
{
	struct kvm_regs regs = {
		.rip = TINY_VM_CODE_GPA,
		.rflags = 2,
		.rsi = TINY_VM_CODE_GPA + TINY_VM_A_OFFSET,
		.rdi = TINY_VM_CODE_GPA + TINY_VM_B_OFFSET,
		.rbx = offset % PAGE,
	};
	struct kvm_sregs sregs;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		return tiny_vm_fail(vm, "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.es.base = TINY_VM_GPA + offset / PAGE * PAGE;
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(vm->vcpu, KVM_SET_REGS, &regs))
		return tiny_vm_fail(vm, "KVM_SET_REGS");
	return 0;
}

int tiny_vm_run_plant(struct tiny_vm *vm, uint64_t offset)
{
	int err = set_registers(vm, offset);

	return err ? err : tiny_vm_run(vm, KVM_EXIT_HLT);
}

int tiny_vm_populate(struct tiny_vm *vm)
{
	struct kvm_pre_fault_memory range = {
		.gpa = TINY_VM_GPA,
		.size = vm->size,
	};

	while (range.size)
		if (ioctl(vm->vcpu, KVM_PRE_FAULT_MEMORY, &range) &&
		    errno != EINTR && errno != EAGAIN)
			return tiny_vm_fail(vm, "KVM_PRE_FAULT_MEMORY");
	return 0;
}
