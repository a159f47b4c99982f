// SPDX-License-Identifier: MIT
/* liboffmap against a double of /dev/kvm: its requests, and what it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_kvm.h"
#include "huge.h"
#include "kvm_abi.h"
#include "offmap.h"
#include "page.h"
#include "tap.h"

#define PAGE page_bytes()
#define MIB (1UL << 20)

/* errno of fallocate(), or 0. */
static int allocation_error;

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size);
int __real_fallocate(int fd, int mode, off_t offset, off_t size);

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size)
{
	if (!allocation_error)
		return __real_fallocate(fd, mode, offset, size);
	errno = allocation_error;
	return -1;
}

static int new_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR);
	int vm = ioctl(kvm, KVM_CREATE_VM, 0UL);

	close(kvm);
	return vm;
}

static struct offmap_support probed(int fd)
{
	struct offmap_support support;

	memset(&support, 0xff, sizeof(support));
	is_int(offmap_probe(fd, &support), 0, "probe answers");
	return support;
}

static void test_probe_says_yes(void)
{
	struct offmap_support s;
	int kvm, vm;

	fake_kvm_reset();
	s = probed(-1);
	is_int(s.features, OFFMAP_CAN_PROTECT, "probe: the machine can protect");
	is_int(s.reason, OFFMAP_REASON_NONE, "probe: no reason");
	is_int(s.guest_memfd_flags, 7, "probe: the flags of KVM");
	is_int(s.max_slots, 256, "probe: the number of slots");
	fake_kvm.gmem_flags |= GUEST_MEMFD_FLAG_WRITE;
	kvm = open("/dev/kvm", O_RDWR);
	vm = new_vm();
	is_int(probed(kvm).features, OFFMAP_CAN_PROTECT | OFFMAP_CAN_WRITE,
	       "probe: write() is seen, asked through /dev/kvm");
	is_int(probed(vm).features, OFFMAP_CAN_PROTECT | OFFMAP_CAN_WRITE,
	       "probe: write() is seen, asked through a VM");
	close(vm);
	close(kvm);
}

static void test_probe_says_why_not(void)
{
	struct offmap_support s;

	fake_kvm_reset();
	fake_kvm.open_error = ENOENT;
	s = probed(-1);
	is_int(s.reason, OFFMAP_REASON_NO_KVM, "probe: no /dev/kvm");
	is_int(s.error, ENOENT, "probe: and its errno");
	is_int(s.features, 0, "probe: and no features");
	fake_kvm.open_error = EACCES;
	is_int(probed(-1).reason, OFFMAP_REASON_KVM_DENIED, "probe: /dev/kvm not allowed");
	fake_kvm.open_error = EMFILE;
	is_int(probed(-1).reason, OFFMAP_REASON_KVM_FAILS, "probe: another error of open()");
	fake_kvm_reset();
	fake_kvm.api = 11;
	is_int(probed(-1).reason, OFFMAP_REASON_KVM_API, "probe: another API");
	fake_kvm_reset();
	fake_kvm.create_vm_error = ENOMEM;
	is_int(probed(-1).reason, OFFMAP_REASON_NO_VM, "probe: no VM to be had");
	fake_kvm_reset();
	fake_kvm.gmem_flags = -1;
	is_int(probed(-1).reason, OFFMAP_REASON_NO_GUEST_MEMFD,
	       "probe: a kernel that does not know the capability");
	fake_kvm.gmem_flags = GUEST_MEMFD_FLAG_NO_DIRECT_MAP;
	is_int(probed(-1).reason, OFFMAP_REASON_NO_GUEST_MEMFD,
	       "probe: guest_memfd that cannot be mapped");
	fake_kvm.gmem_flags = OFFMAP_GMEM_SHARED;
	is_int(probed(-1).reason, OFFMAP_REASON_NO_FLAG, "probe: a kernel without the series");
}

static void test_probe_bad_input(void)
{
	struct offmap_support s;
	int pipe_fds[2];

	fake_kvm_reset();
	is_int(offmap_probe(-1, NULL), -EINVAL, "probe: NULL");
	is_int(offmap_probe(987, &s), -EBADF, "probe: a closed descriptor");
	if (pipe(pipe_fds))
		abort();
	is_int(offmap_probe(pipe_fds[0], &s), -ENOTTY, "probe: a pipe");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	for (uint32_t i = 0; i < 12; i++)
		if (!offmap_reason(i) || !*offmap_reason(i))
			ok(false, "every reason has words");
	ok(true, "every reason has words, unknown ones too");
	is_int(offmap_version(), 1, "the version is that of the header");
}

static void test_create_bad_input(void)
{
	struct offmap_mem *mem = (void *)1;
	int vm, kvm, vcpu;

	fake_kvm_reset();
	vm = new_vm();
	kvm = open("/dev/kvm", O_RDWR);
	is_int(offmap_create(vm, MIB + 1, 0, &mem), -EINVAL, "create: size not a multiple of a page");
	is_int(offmap_create(vm, 0, 0, &mem), -EINVAL, "create: size 0");
	is_int(offmap_create(vm, 1ULL << 63, 0, &mem), -EINVAL, "create: size beyond a file's");
	is_int(offmap_create(vm, MIB, 1U << 31, &mem), -EINVAL, "create: an unknown flag");
	is_int(offmap_create(vm, MIB, 0, NULL), -EINVAL, "create: NULL");
	is_int(offmap_create(-1, MIB, 0, &mem), -EBADF, "create: no VM");
	is_int(offmap_create(987, MIB, 0, &mem), -EBADF, "create: a closed VM");
	is_int(offmap_create(0, MIB, 0, &mem), -ENOTTY, "create: stdin as VM");
	is_int(offmap_create(kvm, MIB, 0, &mem), -ENOTTY, "create: /dev/kvm as VM");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);
	is_int(offmap_create(vcpu, MIB, 0, &mem), -ENOTTY, "create: a vCPU as VM");
	close(vcpu);
	fake_kvm.gmem_flags = OFFMAP_GMEM_SHARED;
	is_int(offmap_create(vm, MIB, 0, &mem), -EOPNOTSUPP, "create: a VM without the capability");
	fake_kvm_reset();
	vm = new_vm();
	fake_kvm.create_gmem_error = ENOMEM;
	is_int(offmap_create(vm, MIB, 0, &mem), -ENOMEM, "create: not enough memory");
	ok(mem == (void *)1, "create: nothing is returned on failure");
	ok(!offmap_free(NULL), "free: NULL is fine");
	close(kvm);
	close(vm);
}

static struct offmap_mem *new_mem(int vm, uint64_t size)
{
	struct offmap_mem *mem;

	if (offmap_create(vm, size, 0, &mem))
		abort();
	return mem;
}

static void test_map(void)
{
	struct offmap_mem *mem;
	void *addr = NULL, *at;
	int vm;

	fake_kvm_reset();
	vm = new_vm();
	mem = new_mem(vm, MIB);
	is_int(offmap_size(mem), MIB, "the memory has its size");
	ok(fcntl(offmap_fd(mem), F_GETFD) & FD_CLOEXEC, "its descriptor is closed on exec");
	is_int(offmap_map(mem, NULL, PAGE, MIB, 0, &addr), -EINVAL, "map: range beyond the end");
	is_int(offmap_map(mem, NULL, UINT64_MAX - PAGE + 1, 2 * PAGE, 0, &addr), -EINVAL,
	       "map: range that wraps");
	is_int(offmap_map(mem, NULL, 1, PAGE, 0, &addr), -EINVAL, "map: offset not aligned");
	is_int(offmap_map(mem, NULL, 0, 1, 0, &addr), -EINVAL, "map: size not aligned");
	is_int(offmap_map(mem, NULL, 0, 0, 0, &addr), -EINVAL, "map: size 0");
	is_int(offmap_map(mem, NULL, 0, MIB, 1U << 31, &addr), -EINVAL, "map: unknown flag");
	is_int(offmap_map(mem, (void *)1, 0, MIB, OFFMAP_MAP_FIXED, &addr), -EINVAL,
	       "map: fixed address not aligned");
	is_int(offmap_map(mem, NULL, 0, MIB, OFFMAP_MAP_FIXED, &addr), -EINVAL,
	       "map: fixed at NULL");
	is_int(offmap_map(NULL, NULL, 0, MIB, 0, &addr), -EINVAL, "map: no memory");
	is_int(offmap_map(mem, NULL, 0, MIB, 0, NULL), -EINVAL, "map: no result");
	at = mmap(NULL, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	is_int(offmap_map(mem, at, 0, MIB, OFFMAP_MAP_FIXED, &addr), 0, "map: at a fixed place");
	ok(addr == at, "map: it is there");
	memset(addr, 0x77, MIB);
	is_int(offmap_discard(mem, PAGE, PAGE), 0, "discard: one page");
	is_int(((uint8_t *)addr)[PAGE], 0, "discard: it is zero");
	is_int(((uint8_t *)addr)[2 * PAGE], 0x77, "discard: the next one is not");
	is_int(offmap_discard(mem, PAGE, PAGE / 2), -EINVAL, "discard: half a page");
	is_int(offmap_unmap(addr, 0), -EINVAL, "unmap: size 0");
	is_int(offmap_unmap((char *)addr + 1, PAGE), -EINVAL, "unmap: address not aligned");
	is_int(offmap_unmap(addr, MIB), 0, "unmap");
	offmap_free(mem);
	close(vm);
}

static void test_bind(void)
{
	struct offmap_slot slot;
	struct offmap_mem *mem;
	void *addr;
	int vm, other;

	fake_kvm_reset();
	vm = new_vm();
	other = new_vm();
	mem = new_mem(vm, MIB);
	if (offmap_map(mem, NULL, 0, MIB, 0, &addr))
		abort();
	slot = (struct offmap_slot){ .slot = 1, .guest_addr = MIB, .size = MIB, .addr = addr };
	is_int(offmap_bind(other, mem, &slot), -EINVAL, "bind: to another VM");
	is_int(offmap_bind(0, mem, &slot), -ENOTTY, "bind: to stdin");
	is_int(offmap_bind(987, mem, &slot), -EBADF, "bind: to a closed descriptor");
	is_int(offmap_bind(vm, NULL, &slot), -EINVAL, "bind: no memory");
	is_int(offmap_bind(vm, mem, NULL), -EINVAL, "bind: no slot");
	slot.size = MIB + PAGE;
	is_int(offmap_bind(vm, mem, &slot), -EINVAL, "bind: larger than the memory");
	slot.size = 0;
	is_int(offmap_bind(vm, mem, &slot), -EINVAL, "bind: size 0 does not delete");
	slot.size = MIB;
	slot.reserved = 1;
	is_int(offmap_bind(vm, mem, &slot), -EINVAL, "bind: a reserved field");
	slot.reserved = 0;
	slot.struct_size = sizeof(slot) - 8;
	is_int(offmap_bind(vm, mem, &slot), -EINVAL, "bind: a structure of no known size");
	slot.struct_size = 0;
	slot.slot = 300;
	is_int(offmap_bind(vm, mem, &slot), -EINVAL, "bind: slot number too large");
	slot.slot = 1;
	is_int(offmap_bind(vm, mem, &slot), 0, "bind");
	is_int(offmap_bind(vm, mem, &slot), -EINVAL, "bind: the slot exists");
	slot.slot = 2;
	is_int(offmap_bind(vm, mem, &slot), -EEXIST, "bind: the guest has memory there");
	slot.guest_addr = 8 * MIB;
	is_int(offmap_bind(vm, mem, &slot), -EEXIST, "bind: the range is bound already");
	is_int(offmap_unbind(vm, 1), 0, "unbind");
	is_int(offmap_unbind(vm, 1), -EINVAL, "unbind: twice");
	is_int(offmap_bind(vm, mem, &slot), 0, "bind: free again, elsewhere");
	offmap_unmap(addr, MIB);
	offmap_free(mem);
	close(vm);
	close(other);
}

static bool guest_sees(int vm, uint64_t gpa, const uint8_t *data, size_t size)
{
	uint8_t byte;

	for (size_t i = 0; i < size; i++)
		if (fake_guest_read(vm, gpa + i, &byte) || byte != data[i])
			return false;
	return true;
}

/* Once through a mapping, once through write(). */
static void test_populate(int flags)
{
	static uint8_t data[3 * PAGE_MAX_BYTES + 5];
	struct offmap_slot slot;
	struct offmap_mem *mem;
	uint64_t done_bytes = 77;
	int vm, fd, pipe_fds[2];
	void *addr;

	fake_kvm_reset();
	fake_kvm.gmem_flags |= flags;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + 3;
	vm = new_vm();
	mem = new_mem(vm, MIB);
	is_int(offmap_features(mem), OFFMAP_CAN_PROTECT | (flags ? OFFMAP_CAN_WRITE : 0),
	       flags ? "with write()" : "without write()");
	if (offmap_map(mem, NULL, 0, MIB, 0, &addr))
		abort();
	slot = (struct offmap_slot){ .size = MIB, .addr = addr };
	if (offmap_bind(vm, mem, &slot))
		abort();
	is_int(offmap_populate(mem, 123, data, sizeof(data)), 0, "populate: at any offset");
	ok(guest_sees(vm, 123, data, sizeof(data)), "populate: the guest sees it");
	ok(!memcmp((uint8_t *)addr + 123, data, sizeof(data)), "populate: the VMM too");
	is_int(offmap_populate(mem, MIB - 5, data, 5), 0, "populate: up to the end");
	is_int(offmap_populate(mem, MIB - 5, data, 6), -EINVAL, "populate: not beyond it");
	is_int(offmap_populate(mem, UINT64_MAX, data, 6), -EINVAL, "populate: not far beyond it");
	is_int(offmap_populate(mem, 0, NULL, 6), -EINVAL, "populate: NULL");
	is_int(offmap_populate(mem, 0, NULL, 0), 0, "populate: nothing at all");
	is_int(offmap_populate(NULL, 0, data, 1), -EINVAL, "populate: no memory");

	fd = memfd_create("file", 0);
	if (write(fd, data, sizeof(data)) != sizeof(data) || lseek(fd, 0, SEEK_SET))
		abort();
	is_int(offmap_populate_fd(mem, 65536 + 7, fd, sizeof(data) - 3, &done_bytes), 0,
	       "populate_fd: part of a file");
	is_int(done_bytes, sizeof(data) - 3, "populate_fd: says how much");
	ok(guest_sees(vm, 65536 + 7, data, sizeof(data) - 3), "populate_fd: the guest sees it");
	is_int(offmap_populate_fd(mem, 0, fd, 100, &done_bytes), 0, "populate_fd: at the end of a file");
	is_int(done_bytes, 3, "populate_fd: less than asked for");
	is_int(offmap_populate_fd(mem, MIB, fd, 1, &done_bytes), -EINVAL, "populate_fd: beyond the end");
	is_int(offmap_populate_fd(mem, 0, 987, 1, &done_bytes), -EBADF, "populate_fd: a closed file");
	is_int(offmap_populate_fd(mem, 0, fd, 1, NULL), -EINVAL, "populate_fd: no result");
	if (pipe2(pipe_fds, O_NONBLOCK))
		abort();
	is_int(offmap_populate_fd(mem, 0, pipe_fds[0], 1, &done_bytes), -EAGAIN, "populate_fd: an empty pipe");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(fd);
	offmap_unmap(addr, MIB);
	offmap_free(mem);
	close(vm);
}

/* A program that was built with a later header. */
static void test_longer_slot(void)
{
	struct { struct offmap_slot slot; uint64_t later; } longer;
	struct offmap_mem *mem;
	void *addr;
	int vm;

	fake_kvm_reset();
	vm = new_vm();
	mem = new_mem(vm, MIB);
	if (offmap_map(mem, NULL, 0, MIB, 0, &addr))
		abort();
	memset(&longer, 0, sizeof(longer));
	longer.slot.size = MIB;
	longer.slot.addr = addr;
	longer.slot.struct_size = sizeof(longer);
	longer.later = 1;
	is_int(offmap_bind(vm, mem, &longer.slot), -E2BIG, "bind: a member that is not known");
	longer.later = 0;
	is_int(offmap_bind(vm, mem, &longer.slot), 0, "bind: without it, a longer slot is fine");
	offmap_unmap(addr, MIB);
	offmap_free(mem);
	close(vm);
}

static void test_from_fd(void)
{
	uint64_t flags = OFFMAP_GMEM_NEEDED | GUEST_MEMFD_FLAG_WRITE;
	struct offmap_mem *mem, *other;
	uint8_t byte = 0x17, *addr;
	int vm, pipe_fds[2];

	fake_kvm_reset();
	vm = new_vm();
	other = new_mem(vm, MIB);
	is_int(offmap_from_fd(offmap_fd(other), flags, &mem), 0, "from_fd");
	is_int(offmap_size(mem), MIB, "from_fd: its size");
	is_int(offmap_features(mem), OFFMAP_CAN_PROTECT | OFFMAP_CAN_WRITE, "from_fd: its features");
	ok(offmap_fd(mem) != offmap_fd(other), "from_fd: a copy");
	is_int(fcntl(offmap_fd(mem), F_GETFD), FD_CLOEXEC, "from_fd: closed on exec");
	is_int(offmap_from_fd(offmap_fd(other), OFFMAP_GMEM_SHARED, &mem), -EINVAL,
	       "from_fd: in the direct map");
	is_int(offmap_from_fd(offmap_fd(other), flags, NULL), -EINVAL, "from_fd: no result");
	is_int(offmap_from_fd(987, flags, &mem), -EBADF, "from_fd: a closed descriptor");
	if (pipe(pipe_fds))
		abort();
	is_int(offmap_from_fd(pipe_fds[0], flags, &mem), -EINVAL, "from_fd: a pipe");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	offmap_free(other);
	is_int(offmap_populate(mem, 5, &byte, 1), 0, "from_fd: it outlives the other");
	is_int(offmap_map(mem, NULL, 0, MIB, 0, (void **)&addr), 0, "from_fd: it can be mapped");
	is_int(addr[5], 0x17, "from_fd: it has been filled");
	offmap_unmap(addr, MIB);
	offmap_free(mem);
	close(vm);
}

static bool writable(void *addr)
{
	int fd = open("/dev/zero", O_RDONLY);
	ssize_t got = read(fd, addr, 1);

	close(fd);
	return got == 1;
}

static bool is_inherited(const volatile uint8_t *addr)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(addr[0]);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

static void test_pages(void)
{
	uint8_t there[MIB / 4096], *addr, *second;
	uint64_t offset, size;
	struct offmap_mem *mem;
	struct stat st;
	int vm;

	fake_kvm_reset();
	vm = new_vm();
	mem = new_mem(vm, MIB);
	is_int(offmap_present(mem, 0, MIB, there), 0, "present");
	ok(!there[0] && !there[7] && !there[MIB / PAGE - 1], "present: nothing yet");
	is_int(offmap_allocate(mem, 7 * PAGE, PAGE), 0, "allocate");
	is_int(fstat(offmap_fd(mem), &st) ? 0 : st.st_blocks * 512, PAGE, "allocate: a page");
	/* in the double, a page exists only once it has contents */
	offmap_populate(mem, 7 * PAGE, "", 1);
	is_int(offmap_present(mem, 6 * PAGE, 3 * PAGE, there), 0, "present: a range");
	ok(!there[0] && there[1] == 1 && !there[2], "present: what was allocated");
	is_int(offmap_discard(mem, 7 * PAGE, PAGE), 0, "discard");
	offmap_present(mem, 7 * PAGE, PAGE, there);
	ok(!there[0], "present: what was discarded is not there");
	is_int(offmap_present(mem, 0, MIB, NULL), -EINVAL, "present: no result");
	is_int(offmap_present(mem, 1, PAGE, there), -EINVAL, "present: not whole pages");
	is_int(offmap_allocate(mem, 0, 0), -EINVAL, "allocate: size 0");
	is_int(offmap_allocate(mem, MIB, PAGE), -EINVAL, "allocate: beyond the end");

	is_int(offmap_map(mem, NULL, 4 * PAGE, 4 * PAGE, OFFMAP_MAP_POPULATE, (void **)&addr), 0,
	       "map: populated");
	offmap_present(mem, 3 * PAGE, 6 * PAGE, there);
	ok(!there[0] && there[1] && there[4] && !there[5], "map: its pages exist, and no others");
	is_int(offmap_locate(mem, addr + PAGE + 1, &offset, &size), 0, "locate");
	is_int(offset, 5 * PAGE + 1, "locate: the offset");
	is_int(size, 3 * PAGE - 1, "locate: how much there is");
	is_int(offmap_locate(mem, there, &offset, &size), -ENOENT, "locate: other memory");
	is_int(offmap_locate(mem, NULL, &offset, &size), -EINVAL, "locate: NULL");
	ok(!is_inherited(addr), "map: a child does not have it");
	offmap_unmap(addr, 4 * PAGE);
	is_int(offmap_map(mem, NULL, 0, MIB, OFFMAP_MAP_FORK | OFFMAP_MAP_READ_ONLY,
			  (void **)&second), 0, "map: for a child, to be read");
	ok(is_inherited(second), "map: a child has it");
	is_int(offmap_map(mem, NULL, 0, MIB, 1U << 4, (void **)&addr), -EINVAL, "map: a flag that is not known");
	ok(!writable(second), "map: it cannot be written");
	offmap_unmap(second, MIB);
	offmap_free(mem);
	close(vm);
}

/* A failure must leave the address range as it was. */
static void test_map_fails(void)
{
	static const int errors[] = { ENOMEM, EINTR };
	uint8_t *room = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct offmap_mem *mem;
	void *addr = NULL;
	int vm;

	fake_kvm_reset();
	vm = new_vm();
	mem = new_mem(vm, MIB);
	room[8] = 0x42;
	for (int i = 0; i < 2; i++) {
		allocation_error = errors[i];
		is_int(offmap_map(mem, room, 0, 2 * PAGE, OFFMAP_MAP_FIXED | OFFMAP_MAP_POPULATE, &addr),
		       -errors[i], "map: pages that cannot be allocated");
		allocation_error = 0;
		ok(writable(room) && writable(room + PAGE) && room[8] == 0x42 && !addr,
		   "map: the old mapping stays");
	}
	is_int(offmap_map(mem, room, 0, 2 * PAGE, OFFMAP_MAP_FIXED | OFFMAP_MAP_POPULATE, &addr), 0,
	       "map: the next time they can");
	ok(addr == room && !offmap_unmap(addr, 2 * PAGE), "map: and are there");
	offmap_free(mem);
	close(vm);
}

/* A child of another user asks: 0 or -errno. */
static int present_for(const struct offmap_mem *mem, uid_t uid, uint8_t *ret_first)
{
	uint8_t *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint8_t there[MIB / 4096];
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (setresuid(uid, uid, uid))
			_exit(255);
		status = -offmap_present(mem, 0, MIB, there);
		shared[0] = there[0];
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	*ret_first = shared[0];
	munmap(shared, PAGE);
	return -WEXITSTATUS(status);
}

/* A jailer creates the memory, then changes its uid. */
static void test_present_of_another(void)
{
	struct offmap_mem *mem;
	uint8_t first = 7;
	int vm;

	if (geteuid()) {
		skip("present: another user", "it takes root");
		return;
	}
	fake_kvm_reset();
	vm = new_vm();
	mem = new_mem(vm, MIB);
	/* as guest_memfd has it; a memfd can be written by all */
	if (fchmod(offmap_fd(mem), 0600))
		abort();
	is_int(present_for(mem, 0, &first), 0, "present: the owner is told");
	is_int(first, 0, "present: the owner is told the truth");
	is_int(present_for(mem, 65534, &first), -EPERM, "present: another user is not told");
	if (fchmod(offmap_fd(mem), 0666))
		abort();
	is_int(present_for(mem, 65534, &first), 0, "present: one that may write it is");
	is_int(first, 0, "present: who may write it is told the truth");
	offmap_free(mem);
	close(vm);
}

/* Ranges that start anywhere in their 2 MiB. */
static void test_huge_map(struct offmap_mem *mem)
{
	uint64_t offset = 0, size = 0;
	uint8_t *addr, *hint;
	int failed = 0;

	for (uint64_t from = 0; from < 2 * HUGE_BYTES; from += HUGE_BYTES / 8 + PAGE) {
		if (offmap_map(mem, NULL, from, 2 * HUGE_BYTES, 0, (void **)&addr))
			abort();
		failed += !huge_agrees((uintptr_t)addr, from);
		addr[0] = addr[2 * HUGE_BYTES - 1] = 0x77;
		failed += offmap_locate(mem, addr, &offset, &size) || offset != from ||
			  size != 2 * HUGE_BYTES;
		offmap_unmap(addr, 2 * HUGE_BYTES);
	}
	is_int(failed, 0, "huge pages: the address agrees with the offset");
	/* inside a free range: nothing else is near */
	hint = mmap(NULL, 8 * HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(hint, 8 * HUGE_BYTES);
	is_int(offmap_map(mem, hint + PAGE, 0, PAGE, 0, (void **)&addr), 0, "huge pages: a hint");
	ok(addr == hint + PAGE, "huge pages: a hint is followed");
	offmap_unmap(addr, PAGE);
}

static void test_huge(void)
{
	struct offmap_mem *mem;
	int vm;

	fake_kvm_reset();
	vm = new_vm();
	is_int(offmap_create(vm, MIB, OFFMAP_CREATE_ALLOW_HUGE, &mem), 0,
	       "huge pages: no error where there are none");
	is_int(offmap_features(mem), OFFMAP_CAN_PROTECT, "huge pages: not there");
	offmap_free(mem);
	/* the double refuses flags that it does not advertise */
	fake_kvm.gmem_flags |= GUEST_MEMFD_FLAG_ALLOW_HUGE;
	is_int(probed(vm).features, OFFMAP_CAN_PROTECT | OFFMAP_CAN_HUGE, "probe: huge pages are seen");
	is_int(offmap_create(vm, 4 * HUGE_BYTES, OFFMAP_CREATE_ALLOW_HUGE, &mem), 0,
	       "huge pages: asked for");
	is_int(offmap_features(mem), OFFMAP_CAN_PROTECT | OFFMAP_CAN_HUGE, "huge pages: there");
	test_huge_map(mem);
	offmap_free(mem);
	is_int(offmap_create(vm, MIB, 0, &mem), 0, "huge pages: not asked for");
	is_int(offmap_features(mem), OFFMAP_CAN_PROTECT, "huge pages: and not there");
	offmap_free(mem);
	close(vm);
}

/* The policy of the memory at an address: -errno if that cannot be asked. */
static int policy_at(void *addr)
{
	int mode = 0;

	return syscall(SYS_get_mempolicy, &mode, NULL, 0UL, addr, (unsigned long)MPOL_F_ADDR) ?
	       -errno : mode;
}

/* As liboffmap(3) says.  A memfd keeps the policy with the file, as guest_memfd does. */
static void test_numa(void)
{
	unsigned long first_node = 1;
	struct offmap_mem *mem;
	void *addr, *second;
	int vm;

	fake_kvm_reset();
	vm = new_vm();
	mem = new_mem(vm, MIB);
	if (offmap_map(mem, NULL, 0, MIB, 0, &addr) || offmap_map(mem, NULL, 0, MIB, 0, &second))
		abort();
	if (syscall(SYS_mbind, addr, MIB / 2, (unsigned long)MPOL_BIND, &first_node, 64UL, 0U)) {
		skip("NUMA: a policy stays with the memory", strerror(errno));
	} else {
		is_int(policy_at(second), MPOL_BIND, "NUMA: a policy stays with the memory");
		is_int(policy_at((uint8_t *)second + MIB / 2), MPOL_DEFAULT, "NUMA: in its range");
		is_int(offmap_allocate(mem, 0, MIB), 0, "NUMA: memory can be allocated by it");
		is_int(offmap_populate(mem, 0, "x", 1), 0, "NUMA: and filled");
		is_int(policy_at(addr), MPOL_BIND, "NUMA: the policy is still there");
	}
	offmap_unmap(addr, MIB);
	offmap_unmap(second, MIB);
	offmap_free(mem);
	close(vm);
}

/* Bytes of a stream count even if the next read fails. */
static void test_short_count(void)
{
	uint64_t done_bytes = 0;
	struct offmap_mem *mem;
	int vm, pipe_fds[2];

	fake_kvm_reset();
	vm = new_vm();
	mem = new_mem(vm, MIB);
	if (pipe2(pipe_fds, O_NONBLOCK) || write(pipe_fds[1], "hello", 5) != 5)
		abort();
	is_int(offmap_populate_fd(mem, 0, pipe_fds[0], 100, &done_bytes), 0,
	       "populate_fd: a pipe that has less");
	is_int(done_bytes, 5, "populate_fd: a short count");
	is_int(offmap_populate_fd(mem, 5, pipe_fds[0], 95, &done_bytes), -EAGAIN,
	       "populate_fd: the next call says why");
	if (write(pipe_fds[1], "!", 1) != 1)
		abort();
	close(pipe_fds[1]);
	is_int(offmap_populate_fd(mem, 5, pipe_fds[0], 95, &done_bytes), 0, "populate_fd: goes on");
	is_int(done_bytes, 1, "populate_fd: where it was");
	is_int(offmap_populate_fd(mem, 6, pipe_fds[0], 94, &done_bytes), 0, "populate_fd: the end");
	is_int(done_bytes, 0, "populate_fd: is a count of 0");
	close(pipe_fds[0]);
	offmap_free(mem);
	close(vm);
}

struct job {
	struct offmap_mem *mem;
	uint64_t offset;
	int err;
};

static void *populate_job(void *arg)
{
	struct job *job = arg;
	uint8_t data[512];

	for (int i = 0; i < 100 && !job->err; i++) {
		memset(data, i + job->offset / 512, sizeof(data));
		job->err = offmap_populate(job->mem, job->offset, data, sizeof(data));
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[4];
	struct job jobs[4];
	struct offmap_mem *mem;
	int vm, errors = 0;

	fake_kvm_reset();
	vm = new_vm();
	mem = new_mem(vm, MIB);
	for (int i = 0; i < 4; i++) {
		jobs[i] = (struct job){ mem, i * 512, 0 };
		if (pthread_create(&threads[i], NULL, populate_job, &jobs[i]))
			abort();
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		errors += !!jobs[i].err;
	}
	is_int(errors, 0, "four threads fill one page at a time");
	offmap_free(mem);
	close(vm);
}

int main(void)
{
	test_probe_says_yes();
	test_probe_says_why_not();
	test_probe_bad_input();
	test_create_bad_input();
	test_map();
	test_bind();
	test_populate(0);
	test_populate(GUEST_MEMFD_FLAG_WRITE);
	test_numa();
	test_short_count();
	test_longer_slot();
	test_from_fd();
	test_pages();
	test_map_fails();
	test_present_of_another();
	test_huge();
	test_threads();
	fake_kvm_reset();
	return done();
}
