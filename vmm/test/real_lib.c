// SPDX-License-Identifier: MIT
/*
 * The calls of liboffmap on a real guest_memfd: lib_test.c has only a double of KVM.
 * Needs a kernel with the series.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm_abi.h"
#include "offmap.h"
#include "page.h"
#include "tap.h"

#define PAGE page_bytes()
/* More than populate_fd reads at a time. */
#define PAGES 128UL
#define SIZE (PAGES * PAGE)

static int vm;

static struct offmap_mem *new_mem(uint32_t flags)
{
	struct offmap_mem *mem;

	if (offmap_create(vm, SIZE, flags, &mem))
		abort();
	return mem;
}

static uint8_t *map(const struct offmap_mem *mem, uint32_t flags)
{
	void *addr;

	if (offmap_map(mem, NULL, 0, SIZE, flags, &addr))
		abort();
	return addr;
}

/* How many pages exist. */
static int existing(const struct offmap_mem *mem)
{
	uint8_t there[PAGES];
	int nr = 0;

	if (offmap_present(mem, 0, SIZE, there))
		abort();
	for (size_t i = 0; i < PAGES; i++)
		nr += there[i];
	return nr;
}

static void test_fill(void)
{
	struct offmap_mem *mem = new_mem(0);
	uint8_t *addr = map(mem, 0), *data = malloc(SIZE);
	int file = memfd_create("data", MFD_CLOEXEC), pipe_fds[2];
	uint64_t done_bytes = 0;

	for (size_t i = 0; i < SIZE; i++)
		data[i] = i * 7 + i / PAGE;
	if (pipe(pipe_fds) || write(file, data, SIZE) != (ssize_t)SIZE ||
	    lseek(file, 3, SEEK_SET) != 3)
		abort();
	is_int(existing(mem), 0, "a new memory has no page");
	is_int(offmap_populate(mem, PAGE - 2, data, 4), 0, "populate: over the end of a page");
	ok(!memcmp(addr + PAGE - 2, data, 4) && !addr[0] && !addr[PAGE + 2],
	   "populate: it is there, and zeroes around it");
	is_int(existing(mem), 2, "populate: two pages exist");
	is_int(offmap_populate_fd(mem, 8 * PAGE + 5, file, 80 * PAGE, &done_bytes), 0, "populate_fd: a file");
	is_int(done_bytes, 80 * PAGE, "populate_fd: all of it");
	ok(!memcmp(addr + 8 * PAGE + 5, data + 3, 80 * PAGE), "populate_fd: from its position");
	if (write(pipe_fds[1], data, 100) != 100)
		abort();
	close(pipe_fds[1]);
	is_int(offmap_populate_fd(mem, 100 * PAGE, pipe_fds[0], PAGE, &done_bytes), 0, "populate_fd: a pipe");
	is_int(done_bytes, 100, "populate_fd: what it has");
	is_int(existing(mem), 84, "populate_fd: its pages exist");
	is_int(offmap_populate(mem, 110 * PAGE, (void *)1, PAGE), -EFAULT, "populate: no such buffer");
	close(file);
	close(pipe_fds[0]);
	free(data);
	offmap_unmap(addr, SIZE);
	offmap_free(mem);
}

static void test_pages(void)
{
	struct offmap_mem *mem = new_mem(0);
	uint8_t *addr = map(mem, 0), there[4];

	is_int(offmap_allocate(mem, 7 * PAGE, 2 * PAGE), 0, "allocate");
	is_int(offmap_present(mem, 6 * PAGE, 4 * PAGE, there), 0, "present");
	ok(!there[0] && there[1] && there[2] && !there[3], "present: the allocated pages, and no others");
	memset(addr + 7 * PAGE, 0x5a, 2 * PAGE);
	is_int(offmap_discard(mem, 7 * PAGE, PAGE), 0, "discard");
	is_int(existing(mem), 1, "discard: the page is gone");
	ok(!addr[7 * PAGE] && addr[8 * PAGE] == 0x5a, "discard: zeroes are there, and its neighbour stays");
	is_int(existing(mem), 2, "a touched page exists");
	offmap_unmap(addr, SIZE);
	offmap_free(mem);
}

/* A jailer creates the memory, then changes its uid. */
static void test_present_of_another(void)
{
	struct offmap_mem *mem = new_mem(0);
	uint8_t there;
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(setresuid(65534, 65534, 65534) ? 255 : -offmap_present(mem, 0, PAGE, &there));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	is_int(WEXITSTATUS(status), EPERM, "present: another user is not told");
	is_int(offmap_present(mem, 0, PAGE, &there), 0, "present: the owner is");
	offmap_free(mem);
}

/* Does the kernel write there for this process, or a child? */
static bool can_write(uint8_t *addr)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	bool can = read(fd, addr, 1) == 1;

	close(fd);
	return can;
}

static bool child_has(const uint8_t *addr)
{
	unsigned char there;
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(mincore((void *)addr, PAGE, &there) ? 1 : 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

static void test_map(void)
{
	struct offmap_mem *mem = new_mem(0);
	uint8_t *room = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *addr;
	uint64_t offset, size;

	addr = map(mem, OFFMAP_MAP_POPULATE);
	is_int(existing(mem), PAGES, "map: populated");
	ok(can_write(addr), "map: it can be written");
	ok(!child_has(addr), "map: a child does not have it");
	is_int(offmap_locate(mem, addr + PAGE + 1, &offset, &size), 0, "locate");
	ok(offset == PAGE + 1 && size == SIZE - PAGE - 1, "locate: the offset, and how much there is");
	addr[0] = 0x42;
	offmap_unmap(addr, SIZE);
	addr = map(mem, OFFMAP_MAP_FORK | OFFMAP_MAP_READ_ONLY);
	ok(child_has(addr), "map: a child has it");
	ok(addr[0] == 0x42 && !can_write(addr), "map: read-only");
	offmap_unmap(addr, SIZE);
	is_int(offmap_map(mem, room, 0, SIZE, OFFMAP_MAP_FIXED, (void **)&addr), 0, "map: at a fixed place");
	ok(addr == room && room[0] == 0x42, "map: and there it is");
	is_int(offmap_locate(mem, room, &offset, &size), 0, "locate: at a fixed place");
	offmap_unmap(addr, SIZE);
	offmap_free(mem);
}

static void test_bind(void)
{
	struct offmap_mem *mem = new_mem(OFFMAP_CREATE_ALLOW_HUGE);
	uint8_t *addr = map(mem, 0);
	struct offmap_slot slot = { .slot = 3, .size = SIZE, .addr = addr };

	is_int(offmap_bind(vm, mem, &slot), 0, "bind");
	is_int(offmap_bind(vm, mem, &slot), -EINVAL, "bind: the slot exists");
	slot.slot = 4;
	is_int(offmap_bind(vm, mem, &slot), -EEXIST, "bind: the guest has memory there");
	slot.guest_addr = SIZE;
	is_int(offmap_bind(vm, mem, &slot), -EEXIST, "bind: the range is bound already");
	is_int(offmap_unbind(vm, 3), 0, "unbind");
	is_int(offmap_unbind(vm, 3), -EINVAL, "unbind: twice");
	is_int(offmap_bind(vm, mem, &slot), 0, "bind: elsewhere");
	is_int(offmap_unbind(vm, 4), 0, "unbind: there");
	offmap_unmap(addr, SIZE);
	offmap_free(mem);
}

static void test_from_fd(void)
{
	struct offmap_mem *other = new_mem(0), *mem = NULL;
	struct offmap_slot slot = { .slot = 1, .size = SIZE };
	uint64_t flags = OFFMAP_GMEM_NEEDED;

	if (offmap_features(other) & OFFMAP_CAN_WRITE)
		flags |= GUEST_MEMFD_FLAG_WRITE;
	if (offmap_populate(other, 9, "offmap", 6))
		abort();
	is_int(offmap_from_fd(offmap_fd(other), flags, &mem), 0, "from_fd");
	ok(offmap_size(mem) == SIZE && offmap_features(mem) == offmap_features(other),
	   "from_fd: its size and features");
	offmap_free(other);
	slot.addr = map(mem, 0);
	ok(!memcmp((char *)slot.addr + 9, "offmap", 6), "from_fd: it outlives the other");
	is_int(offmap_populate(mem, 0, "x", 1), 0, "from_fd: it can be filled");
	is_int(offmap_bind(vm, mem, &slot), 0, "from_fd: its VM can have it");
	offmap_unbind(vm, 1);
	offmap_unmap(slot.addr, SIZE);
	offmap_free(mem);
}

int main(void)
{
	struct offmap_support support;
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	if (vm < 0)
		abort();
	is_int(offmap_probe(vm, &support), 0, "probe: a VM");
	ok(support.features & OFFMAP_CAN_PROTECT, "probe: it can be protected");
	test_fill();
	test_pages();
	test_present_of_another();
	test_map();
	test_bind();
	test_from_fd();
	return done();
}
