// SPDX-License-Identifier: MIT
/*
 * write_leftover    write() to memory out of the direct map leaves nothing of what it
 *                   had to copy to a page of the kernel on the way
 *
 * It does so with what was there when it looked, and is not when it copies: the end of
 * the source is missing, and who is asked for it by userfaultfd takes the beginning
 * away.  The page that the kernel gives back goes into a pipe at once, which nobody
 * reads, and so keeps what is in it.  In the end the secrets are nowhere else in the
 * map, and none is found; but that of the control is: what is written to memory in the
 * map is not cleared.
 *
 * Exit: 0 as claimed, 1 not so, 2 it cannot be told.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
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

#ifndef GUEST_MEMFD_FLAG_WRITE
#define GUEST_MEMFD_FLAG_WRITE (1ULL << 3)
#endif

#define PAGE page_bytes()
/* Both together are fewer than a scan can find. */
#define ROUNDS 24
/* Not where a pipe puts the byte that it gets. */
#define SECRET_AT (PAGE / 4)

enum { SUBJECT, CONTROL, BOTH };

static struct {
	/* Of a file, the same twice: the second mapping is what can be taken away. */
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

/* Where a page is freed is where it is had again. */
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

/* Afterwards only leftovers have the secret. */
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

static int scan(const struct secret *secrets)
{
	struct kcore_result result;
	size_t found[BOTH] = { 0 };
	int err = kcore_scan(secrets, BOTH, &result);

	if (err) {
		printf("/proc/kcore: %s\n", strerror(-err));
		return 2;
	}
	for (size_t i = 0; i < result.nr_finds; i++)
		found[result.find[i].secret]++;
	printf("%d writes: %zu leftovers, %zu of the control\n", ROUNDS,
	       found[SUBJECT], found[CONTROL]);
	return claim(found[CONTROL] >= ROUNDS / 2, "most of the control's are found") |
	       claim(!found[SUBJECT], "none is found");
}

int main(void)
{
	struct secret secrets[BOTH];
	int keep[2];

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* O_DIRECT: each write has a page of its own */
	if (stay_here() || pipe2(keep, O_DIRECT | O_CLOEXEC) ||
	    fcntl(keep[1], F_SETPIPE_SZ, BOTH * ROUNDS * PAGE) < 0)
		return failed("pipe");
	if (open_source() || secret_new(&secrets[SUBJECT]) ||
	    secret_new(&secrets[CONTROL]) ||
	    leave(&secrets[SUBJECT], GUEST_MEMFD_FLAG_NO_DIRECT_MAP, keep[1]) ||
	    leave(&secrets[CONTROL], 0, keep[1]))
		return 2;
	return scan(secrets);
}
