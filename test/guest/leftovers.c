// SPDX-License-Identifier: MIT
/*
 * leftovers    The kernel copies some data of memory out of the direct map, or on its
 *              way there, to a page of its own.  No copy stays behind.
 *
 * write() does so with data that is resident when it looks, and not when it copies.  Here
 * the end of the source is missing.  The thread that userfaultfd asks for the end takes
 * the beginning away.  KVM does so on x86 when a guest with guests of its own names a page
 * of its memory.  VMSAVE is the simplest such case.
 *
 * Each page that the kernel frees goes into a pipe at once.  Nobody reads the pipe, so the
 * page keeps its contents.  In the end a scan finds no secret in the map.  It finds that
 * of the control, which is written to memory in the map and is not cleared.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown.
 */
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kcore_scan.h"
#include "page.h"
#include "tiny_vm.h"
#include "tiny_vm_arch.h"

#ifndef GUEST_MEMFD_FLAG_WRITE
#define GUEST_MEMFD_FLAG_WRITE (1ULL << 3)
#endif

#define PAGE page_bytes()
/* Two times this number are fewer than a scan can find. */
#define ROUNDS 24
/* A pipe puts its byte at another place of the page. */
#define SECRET_AT (PAGE / 4)

enum { WRITE, NESTED, CONTROL, ALL };

static struct {
	/* Two mappings of the same file: the second mapping can be taken away. */
	uint8_t *begin;
	uint8_t *taken;
	uint8_t *end;
	int uffd;
} source;

static int claim(int holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	return !holds;
}

static int failed(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 2;
}

/* A CPU allocates the pages again that it has freed, so stay on this CPU. */
static int stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static uint8_t *map(int fd)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

static void *take_and_give(void *arg)
{
	struct uffd_msg message;

	while (read(source.uffd, &message, sizeof(message)) == sizeof(message)) {
		struct uffdio_zeropage zero = {
			.range = { (uintptr_t)source.end, PAGE },
		};

		madvise(source.taken, PAGE, MADV_DONTNEED);
		ioctl(source.uffd, UFFDIO_ZEROPAGE, &zero);
	}
	return arg;
}

static int open_source(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register missing = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = memfd_create("source", MFD_CLOEXEC);
	pthread_t thread;

	if (fd < 0 || ftruncate(fd, PAGE))
		return failed("source");
	source.begin = map(fd);
	source.taken = map(fd);
	source.end = map(-1);
	close(fd);
	if (!source.begin || !source.taken || !source.end)
		return failed("source");
	missing.range = (struct uffdio_range){ (uintptr_t)source.end, PAGE };
	source.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (source.uffd < 0 || ioctl(source.uffd, UFFDIO_API, &api) ||
	    ioctl(source.uffd, UFFDIO_REGISTER, &missing) ||
	    pthread_create(&thread, NULL, take_and_give, NULL))
		return failed("userfaultfd");
	return 0;
}

static int write_all(const struct tiny_vm *vm, int keep)
{
	const struct iovec parts[] = {
		{ source.taken, PAGE / 2 }, { source.end, 8 },
	};

	for (int i = 0; i < ROUNDS; i++) {
		if (madvise(source.end, PAGE, MADV_DONTNEED))
			return failed("madvise");
		if (pwritev(vm->gmem, parts, 2, 0) != (ssize_t)PAGE / 2 + 8)
			return failed("write to guest_memfd");
		if (write(keep, "", 1) != 1)
			return failed("write to a pipe");
	}
	return 0;
}

/* Only leftovers have the secret afterwards. */
static int leave(const struct secret *secret, uint64_t flags, int keep)
{
	struct tiny_vm vm;
	int err = tiny_vm_create(&vm, TINY_VM_SHARED | GUEST_MEMFD_FLAG_WRITE | flags,
				 PAGE);

	if (err) {
		printf("%s: %s\n", vm.step, strerror(-err));
		return 2;
	}
	vm.mem[0] = 1;
	secret_store((uint64_t *)(source.begin + SECRET_AT), secret);
	err = write_all(&vm, keep);
	memset(source.begin, 0, PAGE);
	memset(vm.mem, 0, PAGE);
	tiny_vm_destroy(&vm);
	return err;
}

#ifdef __x86_64__
/* In a VMCB: the first field that VMSAVE writes, and a field that no VMCB has. */
#define VMCB_FS 0x440
#define VMCB_UNUSED 0xc00
#define FS 0x1230

static const uint8_t vmsave_hlt[] = { 0x0f, 0x01, 0xdb, 0xf4 };

static bool has_svm(void)
{
	unsigned int eax, ebx, ecx = 0, edx;

	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx & 1 << 2);
}

/* Sets the CPU up as an operating system does: paging, with identity mapping. */
static int start_paging(struct tiny_vm *vm)
{
	struct kvm_segment flat = {
		.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1,
		.db = 1, .s = 1, .g = 1,
	};
	struct {
		struct kvm_cpuid2 header;
		struct kvm_cpuid_entry2 entry;
	} cpuid = {
		.header.nent = 1,
		.entry = { .function = 0x80000001, .ecx = 1 << 2 /* SVM */ },
	};
	struct kvm_sregs sregs;

	/* the first 4 MiB, present and writable */
	*(volatile uint32_t *)vm->mem = 0x83;
	if (ioctl(vm->vcpu, KVM_SET_CPUID2, &cpuid) ||
	    ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		return failed("KVM_SET_CPUID2");
	sregs.cs = flat;
	flat.type = 3;
	flat.selector = 16;
	sregs.ds = sregs.es = sregs.ss = sregs.gs = flat;
	flat.selector = FS;
	sregs.fs = flat;
	sregs.cr0 |= 0x80000001;	/* PG, PE */
	sregs.cr3 = TINY_VM_GPA;
	sregs.cr4 |= 0x10;		/* PSE */
	sregs.efer |= 0x1000;		/* SVME */
	return ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) ? failed("KVM_SET_SREGS") : 0;
}

static int vmsave(struct tiny_vm *vm)
{
	volatile uint16_t *fs = (void *)(vm->mem + PAGE + VMCB_FS);
	struct kvm_regs regs = {
		.rip = TINY_VM_CODE_GPA,
		.rflags = 2,
		.rax = TINY_VM_GPA + PAGE,
	};
	int err;

	*fs = 0;
	if (ioctl(vm->vcpu, KVM_SET_REGS, &regs))
		return failed("KVM_SET_REGS");
	err = tiny_vm_run(vm, KVM_EXIT_HLT);
	if (err) {
		printf("%s: %s\n", vm->step, strerror(-err));
		return 2;
	}
	return *fs == FS ? 0 : claim(0, "VMSAVE has written to the page");
}

static int leave_nested(const struct secret *secret, int keep)
{
	struct tiny_vm vm;
	int err;

	if (!has_svm()) {
		printf("no SVM: nothing of nested use to look for\n");
		return 0;
	}
	err = tiny_vm_create(&vm, TINY_VM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP,
			     2 * PAGE);
	if (err) {
		printf("%s: %s\n", vm.step, strerror(-err));
		return 2;
	}
	memcpy(vm.code, vmsave_hlt, sizeof(vmsave_hlt));
	secret_store((uint64_t *)(vm.mem + PAGE + VMCB_UNUSED), secret);
	err = start_paging(&vm);
	for (int i = 0; i < ROUNDS && !err; i++) {
		err = vmsave(&vm);
		if (!err && write(keep, "", 1) != 1)
			err = failed("write to a pipe");
	}
	memset(vm.mem, 0, 2 * PAGE);
	tiny_vm_destroy(&vm);
	return err;
}
#else
static int leave_nested(const struct secret *secret, int keep)
{
	(void)secret;
	(void)keep;
	return 0;
}
#endif

static int scan(const struct secret *secrets)
{
	struct kcore_result result;
	size_t found[ALL] = { 0 };
	int err = kcore_scan(secrets, ALL, &result);

	if (err) {
		printf("/proc/kcore: %s\n", strerror(-err));
		return 2;
	}
	for (size_t i = 0; i < result.nr_finds; i++)
		found[result.find[i].secret]++;
	printf("of %d writes %zu leave something, of the control's %zu, of nested use %zu\n",
	       ROUNDS, found[WRITE], found[CONTROL], found[NESTED]);
	return claim(found[CONTROL] >= ROUNDS / 2, "most of the control's are found") |
	       claim(!found[WRITE], "none of write() is found") |
	       claim(!found[NESTED], "none of nested use is found");
}

int main(void)
{
	struct secret secrets[ALL];
	int keep[2], err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* O_DIRECT: each write has a page of its own */
	if (stay_here() || pipe2(keep, O_DIRECT | O_CLOEXEC) ||
	    fcntl(keep[1], F_SETPIPE_SZ, ALL * ROUNDS * PAGE) < 0)
		return failed("pipe");
	for (int i = 0; i < ALL; i++)
		if (secret_new(&secrets[i]))
			return 2;
	err = open_source();
	if (!err)
		err = leave(&secrets[WRITE], GUEST_MEMFD_FLAG_NO_DIRECT_MAP, keep[1]);
	if (!err)
		err = leave(&secrets[CONTROL], 0, keep[1]);
	if (!err)
		err = leave_nested(&secrets[NESTED], keep[1]);
	return err ? err : scan(secrets);
}
