// SPDX-License-Identifier: MIT
/*
 * plain_vmm MIB    a VMM for arm64 that does not know offmap.  Its guest writes into
 *                  each page of ordinary anonymous memory.  The VMM reads all of it,
 *                  prints "ready", and lives on.
 *
 * Exit: 1 memory is not as the guest wrote it; 2 the VM could not be made.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "page.h"

#define RAM_GPA 0x40000000UL
/* No memory is there: a store to it ends the guest. */
#define END_GPA 0x8000UL
#define PATTERN 0x0ff3a9c35a17UL

/* x0: where to write, x1: number of pages, x2: their size, x3: the value, x4: the end */
__asm__(".pushsection .rodata\n"
	".balign 4\n"
	".globl guest_code, guest_code_end\n"
	".hidden guest_code, guest_code_end\n"
	"guest_code:\n"
	"1:	str x3, [x0]\n"
	"	add x0, x0, x2\n"
	"	add x3, x3, #1\n"
	"	subs x1, x1, #1\n"
	"	b.ne 1b\n"
	"	str xzr, [x4]\n"
	"guest_code_end:\n"
	".popsection\n");
extern const uint8_t guest_code[], guest_code_end[];

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "plain_vmm: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void set_reg(int vcpu, size_t offset, uint64_t value)
{
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      offset / sizeof(uint32_t),
		.addr = (uintptr_t)&value,
	};

	must(ioctl(vcpu, KVM_SET_ONE_REG, &reg), "KVM_SET_ONE_REG");
}

static int new_vcpu(int vm, uint64_t pages)
{
	const uint64_t x[] = { RAM_GPA + page_bytes(), pages, page_bytes(), PATTERN, END_GPA };
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);
	struct kvm_vcpu_init init;

	must(vcpu, "KVM_CREATE_VCPU");
	must(ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
	must(ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	set_reg(vcpu, offsetof(struct kvm_regs, regs.pc), RAM_GPA);
	for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
		set_reg(vcpu, offsetof(struct kvm_regs, regs.regs[0]) + 8 * i, x[i]);
	return vcpu;
}

static void run(int kvm, int vcpu)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0UL), err;
	struct kvm_run *state;

	must(size, "KVM_GET_VCPU_MMAP_SIZE");
	state = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	must(state == MAP_FAILED ? -1 : 0, "mmap of the vCPU");
	do {
		err = ioctl(vcpu, KVM_RUN, 0UL);
	} while (err < 0 && errno == EINTR);
	must(err, "KVM_RUN");
	if (state->exit_reason == KVM_EXIT_MMIO && state->mmio.phys_addr == END_GPA)
		return;
	fprintf(stderr, "plain_vmm: the guest ended with %u\n", state->exit_reason);
	exit(2);
}

int main(int argc, char **argv)
{
	struct kvm_userspace_memory_region region = { .guest_phys_addr = RAM_GPA };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;
	uint64_t pages;
	uint8_t *ram;

	region.memory_size = argc == 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
	pages = region.memory_size / page_bytes();
	if (!pages) {
		fprintf(stderr, "usage: plain_vmm MIB\n");
		return 2;
	}
	must(kvm, "/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	must(vm, "KVM_CREATE_VM");
	ram = mmap(NULL, region.memory_size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(ram == MAP_FAILED ? -1 : 0, "memory");
	memcpy(ram, guest_code, guest_code_end - guest_code);
	region.userspace_addr = (uintptr_t)ram;
	must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	run(kvm, new_vcpu(vm, pages - 1));
	for (uint64_t i = 1; i < pages; i++) {
		uint64_t found;

		memcpy(&found, ram + i * page_bytes(), sizeof(found));
		if (found == PATTERN + i - 1)
			continue;
		fprintf(stderr, "plain_vmm: page %lu is not as the guest wrote it\n", (unsigned long)i);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
