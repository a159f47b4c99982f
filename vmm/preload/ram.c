// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "offmap.h"
#include "page.h"
#include "procfs.h"
#include "ram.h"

/* Pages whose state is asked at a time. */
#define BATCH 4096UL
#define PM_PRESENT (1ULL << 63)
#define PM_SWAPPED (1ULL << 62)

static const char *file_part(const char *path)
{
	return *path ? path : "anonymous memory";
}

/* Where only this process can see what is written, nobody misses it. */
static bool vma_may_be_taken(const struct vma *vma, char why[RAM_WHY])
{
	if (!vma->writable) {
		snprintf(why, RAM_WHY, "the VMM itself may not write it");
		return false;
	}
	if (strstr(vma->path, "kvm-gmem")) {
		snprintf(why, RAM_WHY, "the VMM brings a guest_memfd of its own");
		return false;
	}
	if (!vma->shared || !vma->inode || !strncmp(vma->path, "/dev/zero", 9) ||
	    !strncmp(vma->path, "/memfd:", 7))
		return true;
	snprintf(why, RAM_WHY, "it is a shared mapping of %.150s, and what the guest writes would not get there",
		 file_part(vma->path));
	return false;
}

/*
 * Then pages that are not there yet come from somebody else, who would not be
 * asked for them any more.  Without smaps there is no telling.
 */
static bool userfaultfd_fills(uint64_t addr, uint64_t end)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	struct vma vma, within = { 0 };
	char *line = NULL;
	size_t space = 0;
	bool found = false;

	while (file && !found && within.start < end && getline(&line, &space, file) > 0) {
		if (procfs_parse_vma(line, &vma))
			within = vma;
		else if (addr < within.end && !strncmp(line, "VmFlags:", 8))
			found = strstr(line, " um") || strstr(line, " uw") || strstr(line, " ui");
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

int ram_check(uint64_t addr, uint64_t size, char ret_why[RAM_WHY])
{
	uint64_t at = addr;
	struct vma *vmas;
	size_t nr;
	int err = procfs_vmas(getpid(), &vmas, &nr);

	if (err) {
		snprintf(ret_why, RAM_WHY, "/proc/self/maps cannot be read: %s", strerror(-err));
		return err;
	}
	for (size_t i = 0; !err && i < nr && at < addr + size; i++) {
		if (vmas[i].end <= at)
			continue;
		if (vmas[i].start > at)
			break;
		if (!vma_may_be_taken(&vmas[i], ret_why))
			err = -EPERM;
		at = vmas[i].end;
	}
	if (!err && at < addr + size) {
		snprintf(ret_why, RAM_WHY, "nothing is mapped at 0x%llx", (unsigned long long)at);
		err = -EFAULT;
	}
	if (!err && userfaultfd_fills(addr, addr + size)) {
		snprintf(ret_why, RAM_WHY, "userfaultfd fills it, as when a snapshot is restored lazily: restore it before the guest starts");
		err = -EPERM;
	}
	free(vmas);
	return err;
}

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, page_bytes() - 1);
}

static int move_pages(struct offmap_mem *mem, const uint8_t *from,
		      uint64_t offset, const bool *there, size_t nr)
{
	uint64_t page = page_bytes();
	int err = 0;

	for (size_t i = 0; !err && i < nr; ) {
		size_t run = 0;

		while (i + run < nr && there[i + run] &&
		       !is_zero(from + (i + run) * page))
			run++;
		if (run)
			err = offmap_populate(mem, offset + i * page, from + i * page,
					      run * page);
		i += run ? run : 1;
	}
	return err;
}

/*
 * Which pages have something in them?  Of private memory /proc/self/pagemap
 * knows; what is shared may have pages that are not mapped, and a file has
 * contents that nobody has read yet: those are looked at, all of them.
 */
static void find_present(int pagemap, uint64_t addr, size_t nr, bool there[BATCH])
{
	uint64_t entry[BATCH];
	ssize_t got = -1;

	if (pagemap >= 0)
		got = pread(pagemap, entry, nr * 8, addr / page_bytes() * 8);
	for (size_t i = 0; i < nr; i++)
		there[i] = got != (ssize_t)(nr * 8) ||
			   entry[i] & (PM_PRESENT | PM_SWAPPED);
}

/* guest_memfd is never swapped out, and a page that is looked at comes to be. */
static void find_resident(uint64_t addr, size_t nr, bool there[BATCH])
{
	unsigned char resident[BATCH];
	bool known = !mincore((void *)(uintptr_t)addr, nr * page_bytes(), resident);

	for (size_t i = 0; i < nr; i++)
		there[i] = !known || resident[i] & 1;
}

static int move_contents(struct offmap_mem *mem, uint64_t addr, uint64_t size, bool ours)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool private_anonymous = true;
	uint64_t page = page_bytes();
	bool there[BATCH];
	struct vma *vmas;
	size_t nr_vmas;
	int err;

	err = procfs_vmas(getpid(), &vmas, &nr_vmas);
	for (size_t i = 0; !err && i < nr_vmas; i++)
		if (vmas[i].start < addr + size && addr < vmas[i].end &&
		    (vmas[i].shared || vmas[i].inode))
			private_anonymous = false;
	if (!err)
		free(vmas);
	for (uint64_t done = 0; !err && done < size; done += BATCH * page) {
		size_t nr = (size - done) / page < BATCH ? (size - done) / page : BATCH;

		if (ours)
			find_resident(addr + done, nr, there);
		else
			find_present(private_anonymous ? fd : -1, addr + done, nr, there);
		err = move_pages(mem, (const uint8_t *)(uintptr_t)addr + done, done,
				 there, nr);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

static int replace(int vm, uint64_t addr, uint64_t size, bool ours,
		   struct backing **ret_backing, char ret_why[RAM_WHY])
{
	struct backing *backing;
	struct offmap_support support;
	void *mapped;
	int err;

	backing = calloc(1, sizeof(*backing));
	if (!backing) {
		snprintf(ret_why, RAM_WHY, "out of memory");
		return -ENOMEM;
	}
	err = offmap_create(vm, size, 0, &backing->mem);
	if (err == -EOPNOTSUPP && !offmap_probe(vm, &support))
		snprintf(ret_why, RAM_WHY, "%s", offmap_reason(support.reason));
	else if (err)
		snprintf(ret_why, RAM_WHY, "no memory out of the direct map: %s", strerror(-err));
	if (err)
		goto free_backing;
	err = move_contents(backing->mem, addr, size, ours);
	if (!err)
		err = offmap_map(backing->mem, (void *)(uintptr_t)addr, 0, size,
				 OFFMAP_MAP_FIXED, &mapped);
	if (err) {
		snprintf(ret_why, RAM_WHY, "its contents cannot be moved: %s", strerror(-err));
		goto free_mem;
	}
	*ret_backing = backing;
	return 0;

free_mem:
	offmap_free(backing->mem);
free_backing:
	free(backing);
	return err;
}

int ram_protect(int vm, uint64_t addr, uint64_t size,
		struct backing **ret_backing, char ret_why[RAM_WHY])
{
	int err = ram_check(addr, size, ret_why);

	return err ? err : replace(vm, addr, size, false, ret_backing, ret_why);
}

/* No copy stays behind; if it cannot be removed it is still out of the map. */
static void discard(const struct block *block, uint64_t addr, uint64_t size)
{
	offmap_discard(block->backing->mem, block->offset + (addr - block->addr), size);
}

int ram_move(int vm, const struct block *block, uint64_t addr, uint64_t size,
	     struct backing **ret_backing, char ret_why[RAM_WHY])
{
	int err = replace(vm, addr, size, true, ret_backing, ret_why);

	if (!err)
		discard(block, addr, size);
	return err;
}

int ram_expose(const struct block *block, uint64_t addr, uint64_t size)
{
	void *old = (void *)(uintptr_t)addr;
	uint64_t page = page_bytes();
	uint8_t *copy;
	int err = 0;

	copy = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return -errno;
	for (uint64_t at = 0; at < size; at += page)
		if (!is_zero((uint8_t *)old + at))
			memcpy(copy + at, (uint8_t *)old + at, page);
	if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, old) == MAP_FAILED) {
		err = -errno;
		munmap(copy, size);
		return err;
	}
	discard(block, addr, size);
	return 0;
}

void ram_release(struct backing *backing)
{
	offmap_free(backing->mem);
	free(backing);
}
