// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "bench_guest.h"

#ifdef __x86_64__

/* Real mode, but es reaches beyond 64 KiB. */
static const uint8_t code[] = {
	0x26, 0x67, 0x66, 0x89, 0x07,			/* 1: mov es:[edi], eax */
	0x66, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,	/*    add edi, 4096 */
	0x66, 0x49,					/*    dec ecx */
	0x75, 0xf0,					/*    jnz 1b */
	0xf4,						/*    hlt */
};

static int set_registers(const struct tiny_vm *vm, uint64_t code_gpa, size_t pages)
{
	struct kvm_regs regs = {
		.rip = code_gpa,
		.rflags = 2,
		.rcx = pages,
	};
	struct kvm_sregs sregs;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.es.base = TINY_VM_GPA;
	sregs.es.limit = UINT32_MAX;
	sregs.es.g = 1;
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(vm->vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

int bench_guest_touch(struct tiny_vm *vm, size_t pages)
{
	/* tiny_vm.c has its code here, in the same page as its data */
	const size_t offset = 0x800;
	struct kvm_regs regs;
	int err;

	memcpy(vm->code + offset, code, sizeof(code));
	err = set_registers(vm, TINY_VM_CODE_GPA + offset, pages);
	while (!err && ioctl(vm->vcpu, KVM_RUN, 0))
		if (errno != EINTR)
			err = -errno;
	if (!err && ioctl(vm->vcpu, KVM_GET_REGS, &regs))
		err = -errno;
	if (!err && (vm->run->exit_reason != KVM_EXIT_HLT || regs.rcx))
		err = -EPROTO;
	if (err)
		printf("guest: exit %u: %s\n", vm->run->exit_reason, strerror(-err));
	return err;
}

#else

int bench_guest_touch(struct tiny_vm *vm, size_t pages)
{
	(void)pages;
	return tiny_vm_populate(vm);
}

#endif
