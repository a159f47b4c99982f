// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "page.h"
#include "tiny_vm_arch.h"

#define PAGE page_bytes()
/* No memory is there: a store to it ends the guest. */
#define END_GPA 0x8000
#define TOUCH_OFFSET 0x24

/* The MMU is off, addresses are physical. */
const uint8_t tiny_vm_code[] = {
	/* x0: address of a, x1: of b, x2: of the secret, x3: its number of words */
	0x04, 0x84, 0x40, 0xf8,		/* 1:	ldr x4, [x0], #8 */
	0x25, 0x84, 0x40, 0xf8,		/*	ldr x5, [x1], #8 */
	0x84, 0x00, 0x05, 0xca,		/*	eor x4, x4, x5 */
	0x44, 0x84, 0x00, 0xf8,		/*	str x4, [x2], #8 */
	0x63, 0x04, 0x00, 0xf1,		/*	subs x3, x3, #1 */
	0x61, 0xff, 0xff, 0x54,		/*	b.ne 1b */
	0xe4, 0x03, 0x1f, 0xaa,		/*	mov x4, xzr */
	0xe5, 0x03, 0x1f, 0xaa,		/*	mov x5, xzr */
	0xdf, 0x00, 0x00, 0xf9,		/*	str xzr, [x6] */
	/* x2: first address to touch, x3: number of touches, x4: distance between them */
	0x5f, 0x00, 0x00, 0x39,		/* 2:	strb wzr, [x2] */
	0x42, 0x00, 0x04, 0x8b,		/*	add x2, x2, x4 */
	0x63, 0x04, 0x00, 0xf1,		/*	subs x3, x3, #1 */
	0xa1, 0xff, 0xff, 0x54,		/*	b.ne 2b */
	0xdf, 0x00, 0x00, 0xf9,		/*	str xzr, [x6] */
};
const size_t tiny_vm_code_size = sizeof(tiny_vm_code);

int tiny_vm_init_vcpu(struct tiny_vm *vm)
{
	struct kvm_vcpu_init init;

	if (ioctl(vm->vm, KVM_ARM_PREFERRED_TARGET, &init))
		return tiny_vm_fail(vm, "KVM_ARM_PREFERRED_TARGET");
	if (ioctl(vm->vcpu, KVM_ARM_VCPU_INIT, &init))
		return tiny_vm_fail(vm, "KVM_ARM_VCPU_INIT");
	return 0;
}

static int set_reg(struct tiny_vm *vm, size_t offset, uint64_t value)
{
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      offset / sizeof(uint32_t),
		.addr = (uintptr_t)&value,
	};

	if (ioctl(vm->vcpu, KVM_SET_ONE_REG, &reg))
		return tiny_vm_fail(vm, "KVM_SET_ONE_REG");
	return 0;
}

/* Completes the store that ended the guest. */
static int complete(struct tiny_vm *vm)
{
	int err;

	vm->run->immediate_exit = 1;
	err = ioctl(vm->vcpu, KVM_RUN, 0);
	vm->run->immediate_exit = 0;
	return err && errno == EINTR ? 0 : tiny_vm_fail(vm, "end of KVM_RUN");
}

/* Runs from this place of the code to its end, with x0, x1 and so on. */
static int run(struct tiny_vm *vm, uint64_t code_offset, const uint64_t *x, int nr)
{
	int err = set_reg(vm, offsetof(struct kvm_regs, regs.pc),
			  TINY_VM_CODE_GPA + code_offset);

	for (int i = 0; !err && i < nr; i++)
		err = set_reg(vm, offsetof(struct kvm_regs, regs.regs[0]) + 8 * i, x[i]);
	if (!err)
		err = set_reg(vm, offsetof(struct kvm_regs, regs.regs[6]), END_GPA);
	if (!err)
		err = tiny_vm_run(vm, KVM_EXIT_MMIO);
	return err ? err : complete(vm);
}

int tiny_vm_run_plant(struct tiny_vm *vm, uint64_t offset)
{
	uint64_t x[] = {
		TINY_VM_CODE_GPA + TINY_VM_A_OFFSET,
		TINY_VM_CODE_GPA + TINY_VM_B_OFFSET,
		TINY_VM_GPA + offset,
		SECRET_WORDS,
	};

	return run(vm, 0, x, sizeof(x) / sizeof(x[0]));
}

/* arm64 has no KVM_PRE_FAULT_MEMORY; touches by a guest do the same. */
int tiny_vm_populate(struct tiny_vm *vm)
{
	uint64_t x[] = { 0, 0, TINY_VM_GPA, vm->size / PAGE, PAGE };

	return run(vm, TOUCH_OFFSET, x, sizeof(x) / sizeof(x[0]));
}
