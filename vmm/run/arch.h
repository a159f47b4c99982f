/* SPDX-License-Identifier: MIT */
/*
 * Registers of a stopped thread, and the other facts that depend on its architecture.
 *
 *   AUDIT_ARCH_OURS    the architecture, for seccomp
 *   arch_regs          the registers
 *   arch_set_call()    the instruction at pc makes a system call
 *   arch_set_entry()   go on at pc, with one argument
 *   arch_result()      what the call returned
 *   arch_is_syscall()  is this the instruction?
 */
#ifndef OFFMAP_ARCH_H
#define OFFMAP_ARCH_H

#include <elf.h>
#include <linux/audit.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/user.h>

#ifdef __x86_64__
#define AUDIT_ARCH_OURS AUDIT_ARCH_X86_64
#define AUDIT_ARCH_32 AUDIT_ARCH_I386
#define IOCTL_32 54
#define SYSCALL_STEP 1

typedef struct user_regs_struct arch_regs;

static inline void arch_set_call(arch_regs *r, uint64_t pc, long nr, const uint64_t arg[6])
{
	r->rip = pc;
	r->rax = nr;
	/* no system call that the kernel could restart */
	r->orig_rax = -1;
	r->rdi = arg[0];
	r->rsi = arg[1];
	r->rdx = arg[2];
	r->r10 = arg[3];
	r->r8 = arg[4];
	r->r9 = arg[5];
}

static inline void arch_set_entry(arch_regs *r, uint64_t pc, uint64_t arg)
{
	r->rip = pc;
	r->rdi = arg;
	r->orig_rax = -1;
}

static inline long arch_result(const arch_regs *r)
{
	return r->rax;
}

static inline bool arch_is_syscall(const uint8_t *code)
{
	return code[0] == 0x0f && code[1] == 0x05;
}

#elif defined(__aarch64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_AARCH64
#define AUDIT_ARCH_32 AUDIT_ARCH_ARM
#define IOCTL_32 54
#define SYSCALL_STEP 4

typedef struct user_regs_struct arch_regs;

static inline void arch_set_call(arch_regs *r, uint64_t pc, long nr, const uint64_t arg[6])
{
	r->pc = pc;
	r->regs[8] = nr;
	for (int i = 0; i < 6; i++)
		r->regs[i] = arg[i];
}

static inline void arch_set_entry(arch_regs *r, uint64_t pc, uint64_t arg)
{
	r->pc = pc;
	r->regs[0] = arg;
}

static inline long arch_result(const arch_regs *r)
{
	return r->regs[0];
}

static inline bool arch_is_syscall(const uint8_t *code)
{
	static const uint8_t svc[4] = { 0x01, 0x00, 0x00, 0xd4 };

	return !memcmp(code, svc, sizeof(svc));
}

#else
#error "offmap run is for x86-64 and arm64"
#endif

#endif
