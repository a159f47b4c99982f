// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem.h"
#include "pagemap.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define PATTERN 0x5a5aa5a5c3c33c3cULL

static const struct mem_kind kinds[] = {
	{ "plain", false, true, TINY_VM_SHARED },
	{ "gmem_mmap", true, true,
	  TINY_VM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP },
	{ "private_plain", false, true, 0 },
	{ "gmem_private", true, true, GUEST_MEMFD_FLAG_NO_DIRECT_MAP },
	{ "plain_huge", false, true, TINY_VM_SHARED | GUEST_MEMFD_FLAG_ALLOW_HUGE },
	{ "gmem_huge", true, true,
	  TINY_VM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP | GUEST_MEMFD_FLAG_ALLOW_HUGE },
	{ "thp", false, true, TINY_VM_THP },
	{ "memfd", false, false, 0 },
	{ "secretmem", true, false, 0 },
};

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const struct mem_kind *mem_kind_by_name(const char *name)
{
	for (size_t i = 0; i < NR_KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

const char *mem_kind_names(void)
{
	static char names[256];

	names[0] = 0;
	for (size_t i = 0; i < NR_KINDS; i++) {
		strcat(names, i ? " " : "");
		strcat(names, kinds[i].name);
	}
	return names;
}

static int failed(const struct mem *mem, const char *step, int err)
{
	printf("%s: %s: %s\n", mem->kind->name, step, strerror(err));
	return -err;
}

int mem_no_limit(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	if (!setrlimit(RLIMIT_MEMLOCK, &unlimited))
		return 0;
	perror("RLIMIT_MEMLOCK");
	return -errno;
}

static int open_file(struct mem *mem, size_t size)
{
	if (mem->kind->is_protected)
		mem->fd = syscall(SYS_memfd_secret, O_CLOEXEC);
	else
		mem->fd = memfd_create("control", MFD_CLOEXEC);
	if (mem->fd < 0)
		return failed(mem, "create", errno);
	if (ftruncate(mem->fd, size))
		return failed(mem, "ftruncate", errno);
	mem->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			mem->fd, 0);
	if (mem->map == MAP_FAILED) {
		mem->map = NULL;
		return failed(mem, "mmap", errno);
	}
	return 0;
}

int mem_open(struct mem *mem, const struct mem_kind *kind, size_t nr_pages)
{
	int err;

	*mem = (struct mem){ .kind = kind, .nr_pages = nr_pages, .fd = -1 };
	if (!kind->has_vm)
		return open_file(mem, nr_pages * MEM_PAGE);
	err = tiny_vm_create(&mem->vm, kind->flags, nr_pages * MEM_PAGE);
	if (err)
		return failed(mem, mem->vm.step, -err);
	mem->map = mem->vm.mem;
	return 0;
}

int mem_populate(struct mem *mem)
{
	int err;

	if (!mem->map) {
		err = tiny_vm_populate(&mem->vm);
		return err ? failed(mem, mem->vm.step, -err) : 0;
	}
	for (size_t i = 0; i < mem->nr_pages; i++) {
		volatile uint64_t *page = (void *)(mem->map + i * MEM_PAGE);

		page[0] = PATTERN;
		page[MEM_PAGE / 8 - 1] = PATTERN;
	}
	return 0;
}

int mem_plant(struct mem *mem, const struct secret *secret, size_t page)
{
	uint64_t offset = page * MEM_PAGE;
	int err;

	if (!mem->kind->has_vm) {
		secret_store((uint64_t *)(mem->map + offset), secret);
		return 0;
	}
	err = tiny_vm_plant(&mem->vm, secret, offset);
	return err ? failed(mem, mem->vm.step, -err) : 0;
}

int mem_pfns(const struct mem *mem, uint64_t *ret_pfns)
{
	int err;

	if (!mem->map)
		return failed(mem, "frame numbers of unmappable memory",
			      EOPNOTSUPP);
	err = pagemap_pfns(mem->map, mem->nr_pages, ret_pfns);
	return err ? failed(mem, "/proc/self/pagemap", -err) : 0;
}

int mem_punch(struct mem *mem, size_t page, size_t nr_pages)
{
	int fd = mem->kind->has_vm ? mem->vm.gmem : mem->fd;

	if (mem->kind->flags & TINY_VM_THP) {
		if (madvise(mem->map + page * MEM_PAGE, nr_pages * MEM_PAGE, MADV_DONTNEED))
			return failed(mem, "MADV_DONTNEED", errno);
		return 0;
	}
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      page * MEM_PAGE, nr_pages * MEM_PAGE))
		return failed(mem, "punch hole", errno);
	return 0;
}

/* This also drains the batches of all CPUs: see drop_caches. */
static int drain(const struct mem *mem)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || write(fd, "1", 1) != 1)
		err = failed(mem, "/proc/sys/vm/drop_caches", errno);
	if (fd >= 0)
		close(fd);
	return err;
}

void mem_release(struct mem *mem)
{
	if (mem->kind->has_vm) {
		tiny_vm_destroy(&mem->vm);
	} else {
		tiny_vm_unmap(mem->map, mem->nr_pages * MEM_PAGE);
		if (mem->fd >= 0)
			close(mem->fd);
	}
	mem->map = NULL;
	mem->fd = -1;
}

int mem_close(struct mem *mem)
{
	mem_release(mem);
	return drain(mem);
}
