// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "advice.h"
#include "arch.h"
#include "kvm_abi.h"
#include "run.h"

/* Linux 5.19 */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* Placeholders for jumps to the ends, whose places are known last. */
enum { PASS = 252, ASK = 253, REFUSE = 254 };

struct program {
	struct sock_filter code[128];
	unsigned short length;
};

static void statement(struct program *p, uint16_t code, uint32_t value)
{
	p->code[p->length++] = (struct sock_filter)BPF_STMT(code, value);
}

static void jump(struct program *p, uint16_t test, uint32_t value, uint8_t yes, uint8_t no)
{
	p->code[p->length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | test | BPF_K, value, yes, no);
}

/* Loads a field, or the low half of an argument: both architectures are little-endian. */
static void load(struct program *p, size_t offset)
{
	statement(p, BPF_LD | BPF_W | BPF_ABS, offset);
}

#define LOAD(p, field) load(p, offsetof(struct seccomp_data, field))
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Goes where if it is one of the values. */
static void find(struct program *p, const uint32_t *values, size_t nr, uint8_t where,
		 uint8_t otherwise)
{
	for (size_t i = 0; i < nr; i++)
		jump(p, BPF_JEQ, values[i], where, i + 1 < nr ? 0 : otherwise);
}

/* Refuses ioctls of KVM from 32-bit calls, which the supervisor does not see. */
static void other_architectures(struct program *p)
{
	LOAD(p, arch);
	jump(p, BPF_JEQ, AUDIT_ARCH_OURS, 6, 0);
	jump(p, BPF_JEQ, AUDIT_ARCH_32, 0, REFUSE);
	LOAD(p, nr);
	jump(p, BPF_JEQ, IOCTL_32, 0, PASS);
	LOAD(p, args[1]);
	statement(p, BPF_ALU | BPF_AND | BPF_K, 0xff00);
	jump(p, BPF_JEQ, KVMIO << 8, REFUSE, PASS);
#ifdef __x86_64__
	/* x32 */
	LOAD(p, nr);
	jump(p, BPF_JGE, 0x40000000, REFUSE, 0);
#endif
}

static void ioctls(struct program *p, uint32_t magic)
{
	static const uint32_t asked[] = {
		KVM_CREATE_VM, KVM_SET_USER_MEMORY_REGION, KVM_SET_USER_MEMORY_REGION2,
		KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG,
	};
	static const uint32_t capabilities[] = {
		KVM_CAP_NR_MEMSLOTS, KVM_CAP_DIRTY_LOG_RING, KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
		KVM_CAP_X86_SMM,
	};

	LOAD(p, nr);
	/* jumps over all of this */
	jump(p, BPF_JEQ, SYS_ioctl, 0, 3 + LENGTH(asked) + 2 + LENGTH(capabilities));
	LOAD(p, args[5]);
	jump(p, BPF_JEQ, magic, PASS, 0);
	LOAD(p, args[1]);
	find(p, asked, LENGTH(asked), ASK, 0);
	jump(p, BPF_JEQ, KVM_CHECK_EXTENSION, 0, PASS);
	LOAD(p, args[2]);
	find(p, capabilities, LENGTH(capabilities), ASK, PASS);
}

/* Advice that takes pages away, or allocates them. */
static const uint32_t advice[] = {
	MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
	MADV_DONTNEED_LOCKED,
};

/* Calls that take memory away, or put other memory there. */
static void mappings(struct program *p, uint32_t magic)
{
	LOAD(p, nr);
	jump(p, BPF_JEQ, SYS_mmap, 0, 2);
	LOAD(p, args[3]);
	jump(p, BPF_JSET, MAP_FIXED, ASK, PASS);

	jump(p, BPF_JEQ, SYS_mremap, 0, 4);
	LOAD(p, args[5]);
	jump(p, BPF_JEQ, magic, PASS, 0);
	LOAD(p, args[3]);
	jump(p, BPF_JSET, MREMAP_FIXED, ASK, PASS);

	jump(p, BPF_JEQ, SYS_madvise, 0, 3 + LENGTH(advice));
	LOAD(p, args[5]);
	jump(p, BPF_JEQ, magic, PASS, 0);
	LOAD(p, args[2]);
	find(p, advice, LENGTH(advice), ASK, PASS);
}

/* Other calls that do so: the VMM gets the answer of a kernel that lacks them. */
static void refused(struct program *p)
{
	jump(p, BPF_JEQ, SYS_remap_file_pages, REFUSE, 0);
	jump(p, BPF_JEQ, SYS_shmat, 0, 2);
	LOAD(p, args[2]);
	jump(p, BPF_JSET, SHM_REMAP, REFUSE, PASS);

	jump(p, BPF_JEQ, SYS_process_madvise, 0, PASS);
	LOAD(p, args[3]);
	find(p, advice, LENGTH(advice), REFUSE, PASS);
}

static void build(struct program *p, uint32_t magic)
{
	static const uint32_t whole[] = { SYS_execve, SYS_execveat };
	unsigned short end;

	other_architectures(p);
	LOAD(p, nr);
	find(p, whole, LENGTH(whole), ASK, 0);
	/* for a VMM that ends with status 0: was there a VM? */
	jump(p, BPF_JEQ, SYS_exit, 1, 0);
	jump(p, BPF_JEQ, SYS_exit_group, 0, 2);
	LOAD(p, args[0]);
	jump(p, BPF_JSET, 0xff, PASS, ASK);
	ioctls(p, magic);
	mappings(p, magic);
	refused(p);
	end = p->length;
	statement(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	statement(p, BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	statement(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	for (unsigned short i = 0; i < end; i++) {
		struct sock_filter *f = &p->code[i];

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (f->jt >= PASS)
			f->jt = end + (f->jt - PASS) - i - 1;
		if (f->jf >= PASS)
			f->jf = end + (f->jf - PASS) - i - 1;
	}
}

int filter_install(uint32_t magic)
{
	unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER |
			     SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	struct program program = { 0 };
	struct sock_fprog fprog = { .filter = program.code };
	int fd;

	build(&program, magic);
	fprog.len = program.length;
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);
	/*
	 * without CAP_SYS_ADMIN: setuid programs that the VMM starts gain no privileges
	 * then
	 */
	if (fd < 0 && errno == EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);
	return fd < 0 ? -errno : fd;
}
