// SPDX-License-Identifier: MIT
/*
 * A case of run_vmm: the VMM uses memory by turns for itself and for the guest, as an
 * allocator hands it out, while a vCPU runs.
 */
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run_vmm.h"

#ifdef __x86_64__

#define TURNS 24
/* the memory in question */
#define SIZE (2 * MIB)
/* where the guest has the memory in question, as its data segment */
#define MORE (16 * MIB)
/* where the vCPU that runs all the time has its code, and a byte that ends it */
#define LOOP 0x2000
#define END 0x6000

static struct kvm_run *new_vcpu(int id, uint64_t data, int *ret_vcpu)
{
	long length = syscall(SYS_ioctl, kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	int vcpu = syscall(SYS_ioctl, vm, KVM_CREATE_VCPU, id);
	struct kvm_sregs sregs;
	struct kvm_run *run;

	must(vcpu >= 0 && length > 0);
	run = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	must(run != MAP_FAILED && !syscall(SYS_ioctl, vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = sregs.cs.selector = 0;
	sregs.ds.base = data;
	must(!syscall(SYS_ioctl, vcpu, KVM_SET_SREGS, &sregs));
	*ret_vcpu = vcpu;
	return run;
}

/* Runs code until it halts.  Returns the last byte that it sent, or -1. */
static int run_from(int vcpu, struct kvm_run *run, uint64_t code)
{
	struct kvm_regs regs = { .rip = code, .rflags = 2 };
	int out = -1;

	must(!syscall(SYS_ioctl, vcpu, KVM_SET_REGS, &regs));
	for (;;) {
		must(!syscall(SYS_ioctl, vcpu, KVM_RUN, 0));
		if (run->exit_reason != KVM_EXIT_IO)
			break;
		out = *((uint8_t *)run + run->io.data_offset);
	}
	must(run->exit_reason == KVM_EXIT_HLT);
	return out;
}

/* Counts in two words, which must agree.  Sends a byte only when it is told to end. */
static void *run_all_the_time(void *unused)
{
	struct kvm_run *run;
	int vcpu;

	(void)unused;
	run = new_vcpu(1, 0, &vcpu);
	must(run_from(vcpu, run, LOOP) == 0x55);
	return NULL;
}

/* Other contents and other mappings, as an allocator has them between two uses. */
static uint8_t *use_for_itself(uint8_t *mem, int turn)
{
	switch (turn % 4) {
	case 0:
		must(!munmap(mem, SIZE));
		mem = map_ram(SIZE, MAP_PRIVATE);
		break;
	case 1:
		must(!madvise(mem, SIZE, MADV_DONTNEED) && mem[MIB] == 0);
		break;
	case 2:
		must(mmap(mem, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			  -1, 0) == mem);
		break;
	case 3:
		must(mmap(mem, SIZE / 2, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
		break;
	}
	memset(mem, turn, SIZE);
	return mem;
}

void case_churn(void)
{
	static const uint8_t look[] = {
		0xa0, 0x00, 0x30,		/* mov al, [BYTE] */
		0xe6, 0x10,			/* out 0x10, al */
		0xc6, 0x06, 0x00, 0x30, 0x77,	/* mov byte [BYTE], 0x77 */
		0xf4,				/* hlt */
	};
	static const uint8_t loop[] = {
		0xa1, 0x00, 0x40,		/* mov ax, [0x4000] */
		0x3b, 0x06, 0x00, 0x50,		/* cmp ax, [0x5000] */
		0x75, 0x12,			/* jne to hlt */
		0x40,				/* inc ax */
		0xa3, 0x00, 0x40,		/* mov [0x4000], ax */
		0xa3, 0x00, 0x50,		/* mov [0x5000], ax */
		0x80, 0x3e, 0x00, 0x60, 0x00,	/* cmp byte [END], 0 */
		0x74, 0xe9,			/* je to the start */
		0xb0, 0x55,			/* mov al, 0x55 */
		0xe6, 0x10,			/* out 0x10, al */
		0xf4,				/* hlt */
	};
	uint8_t *ram = new_ram(), *mem = map_ram(SIZE, MAP_PRIVATE);
	struct kvm_run *run;
	pthread_t thread;
	uint16_t counted;
	int vcpu;

	must(!set_slot(0, 0, RAM, ram));
	memcpy(ram + CODE, look, sizeof(look));
	memcpy(ram + LOOP, loop, sizeof(loop));
	run = new_vcpu(0, MORE, &vcpu);
	must(!pthread_create(&thread, NULL, run_all_the_time, NULL));
	for (int turn = 1; turn <= TURNS; turn++) {
		mem = use_for_itself(mem, turn);
		must(!set_slot(1, MORE, SIZE, mem) && is_protected(mem) && is_protected(mem + SIZE - 1));
		must(run_from(vcpu, run, CODE) == turn && mem[BYTE] == 0x77);
		must(mem[MIB] == turn && mem[SIZE - 1] == turn);
		if (turn % 3 == 0) {
			must(!madvise(mem, SIZE, MADV_DONTNEED));
			must(run_from(vcpu, run, CODE) == 0 && mem[BYTE] == 0x77);
		}
		must(!set_slot(1, MORE, 0, mem) && mem[BYTE] == 0x77);
	}
	counted = *(volatile uint16_t *)(ram + 0x4000);
	while (*(volatile uint16_t *)(ram + 0x4000) == counted)
		usleep(1000);
	ram[END] = 1;
	must(!pthread_join(thread, NULL));
}

#else

void case_churn(void)
{
	cannot_try("the guest is a program for x86");
}

#endif
