// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm_abi.h"
#include "offmap.h"
#include "page.h"
#include "pages.h"
#include "ram.h"
#include "vmas.h"

/* Pages that are looked at, and copied, at a time. */
#define BATCH 16UL
#define MAX_NODES 1024

/* A range of ordinary memory, and where it goes. */
struct move {
	struct host *host;
	uint64_t addr;
	uint64_t size;
	struct ram_vma *vma;
	size_t nr_vmas;
	struct backing *backing;
	/* of the backing, in this process */
	uint8_t *map;
};

/* Where only this process can see what is written, nobody misses it. */
static bool vma_may_be_taken(const struct ram_vma *vma, char why[RAM_WHY])
{
	if (!vma->writable)
		snprintf(why, RAM_WHY, "the VMM itself may not write it");
	else if (strstr(vma->path, "kvm-gmem"))
		snprintf(why, RAM_WHY, "the VMM brings a guest_memfd of its own");
	else if (vma->userfaultfd)
		snprintf(why, RAM_WHY, "userfaultfd fills it, as when a snapshot is restored lazily: restore it before the guest starts");
	else if (!vma->shared || !vma->inode || !strncmp(vma->path, "/dev/zero", 9) ||
		 !strncmp(vma->path, "/anon_hugepage", 14))
		return true;
	else if (!strncmp(vma->path, "/memfd:", 7))
		snprintf(why, RAM_WHY, "it is a shared memfd, as for vhost-user, and whoever else has it would not see what the guest writes: make it private (share=off)");
	else
		snprintf(why, RAM_WHY, "it is a shared mapping of %.150s, and what the guest writes would not get there",
			 vma->path);
	return false;
}

static int check(const struct ram_vma *vmas, size_t nr, uint64_t addr, uint64_t until,
		 char why[RAM_WHY])
{
	uint64_t at = addr;

	for (size_t i = 0; i < nr && vmas[i].start <= at; i++) {
		if (!vma_may_be_taken(&vmas[i], why))
			return -EPERM;
		at = vmas[i].end;
	}
	if (at >= until)
		return 0;
	snprintf(why, RAM_WHY, "nothing is mapped at 0x%llx", (unsigned long long)at);
	return -EFAULT;
}

int ram_extent(struct host *host, uint64_t *addr, uint64_t *until, char ret_why[RAM_WHY])
{
	struct ram_vma *vmas;
	size_t nr;
	int err = vmas_read(host->pid, *addr, *until, &vmas, &nr);

	if (err) {
		snprintf(ret_why, RAM_WHY, "its mappings cannot be read: %s", strerror(-err));
		return err;
	}
	err = check(vmas, nr, *addr, *until, ret_why);
	if (!err && vmas[0].hugetlb)
		*addr -= *addr % vmas[0].page_size;
	if (!err && vmas[nr - 1].hugetlb && *until % vmas[nr - 1].page_size)
		*until += vmas[nr - 1].page_size - *until % vmas[nr - 1].page_size;
	free(vmas);
	return err;
}

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, page_bytes() - 1);
}

int ram_discard(const struct backing *backing, uint64_t offset, uint64_t size)
{
	return fallocate(backing->own, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 offset, size) ? -errno : 0;
}

/* Here a lack of memory is an error; in a page fault it is a signal. */
int ram_allocate(const struct backing *backing, uint64_t offset, uint64_t size)
{
	int err;

	do
		err = fallocate(backing->own, FALLOC_FL_KEEP_SIZE, offset, size) ? -errno : 0;
	while (err == -EINTR);
	return err;
}

void ram_release(struct backing *backing)
{
	if (backing->fd >= 0)
		host_call(backing->host, -1, SYS_close, backing->fd);
	if (backing->own >= 0)
		close(backing->own);
	free(backing);
}

static uint8_t *map_own(const struct backing *backing, uint64_t offset, uint64_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, backing->own, offset);

	return map == MAP_FAILED ? NULL : map;
}

static int create(struct host *host, int vm, uint64_t size, struct backing **ret_backing,
		  char why[RAM_WHY])
{
	struct kvm_create_guest_memfd create = { .size = size, .flags = OFFMAP_GMEM_NEEDED };
	struct backing *backing = calloc(1, sizeof(*backing));
	struct stat st;
	long ret;

	if (!backing) {
		snprintf(why, RAM_WHY, "out of memory");
		return -ENOMEM;
	}
	*backing = (struct backing){ .host = host, .fd = -1, .own = -1 };
	ret = host_call(host, vm, SYS_ioctl, vm, KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD_FLAGS);
	if (ret < 0 || (ret & OFFMAP_GMEM_NEEDED) != OFFMAP_GMEM_NEEDED) {
		snprintf(why, RAM_WHY, "%s", offmap_reason(ret < 0 ||
			 (ret & OFFMAP_GMEM_SHARED) != OFFMAP_GMEM_SHARED ?
			 OFFMAP_REASON_NO_GUEST_MEMFD : OFFMAP_REASON_NO_FLAG));
		ret = -EOPNOTSUPP;
		goto release;
	}
	ret = host_ioctl(host, vm, KVM_CREATE_GUEST_MEMFD, &create, sizeof(create));
	if (ret >= 0) {
		backing->fd = ret;
		ret = backing->own = host->take(host, backing->fd);
	}
	if (ret >= 0)
		ret = fstat(backing->own, &st) ? -errno : 0;
	if (ret < 0) {
		snprintf(why, RAM_WHY, "no memory out of the direct map: %s", strerror(-ret));
		goto release;
	}
	backing->inode = st.st_ino;
	*ret_backing = backing;
	return 0;

release:
	ram_release(backing);
	return ret;
}

/* What a function does with pages that have something in them. */
typedef int (*page_work)(struct move *move, uint64_t addr, size_t nr, const uint8_t *states);

static int for_pages_of(struct move *move, const struct ram_vma *vma, page_work work)
{
	uint64_t page = page_bytes(), from = vma->start, to = vma->end;
	uint8_t states[BATCH];
	struct pages pages;
	int err = pages_open(move->host, vma, &pages);

	if (err)
		return err;
	from = from < move->addr ? move->addr : from;
	to = to > move->addr + move->size ? move->addr + move->size : to;
	for (uint64_t at = from; !err && at < to; at += BATCH * page) {
		size_t nr = (to - at) / page < BATCH ? (to - at) / page : BATCH;

		err = pages_find(&pages, at, nr, states);
		for (size_t i = 0; !err && i < nr; ) {
			size_t run = 0;

			while (i + run < nr && states[i + run] != PAGE_ABSENT)
				run++;
			if (run)
				err = work(move, at + i * page, run, states + i);
			i += run + 1;
		}
	}
	pages_close(&pages);
	return err;
}

static int for_pages(struct move *move, page_work work)
{
	int err = 0;

	for (size_t i = 0; !err && i < move->nr_vmas; i++)
		err = for_pages_of(move, &move->vma[i], work);
	return err;
}

static int copy_in(struct move *move, uint64_t addr, size_t nr, const uint8_t *states)
{
	uint64_t page = page_bytes(), offset = addr - move->addr;
	static uint8_t buffer[BATCH << 16];
	int err;

	err = move->host->read(move->host, addr, buffer, nr * page);
	for (size_t i = 0; !err && i < nr; i++) {
		uint8_t *to = move->map + offset + i * page;

		/* what was there is there again, also if it was blank: prealloc=on */
		if (states[i] != PAGE_PRESENT && is_zero(buffer + i * page))
			continue;
		err = ram_allocate(move->backing, offset + i * page, page);
		if (!err)
			memcpy(to, buffer + i * page, page);
	}
	return err;
}

/* What is in a file stays there; the file is somebody's. */
static int scrub(struct move *move, uint64_t addr, size_t nr, const uint8_t *states)
{
	static const uint8_t zeroes[1 << 16];
	uint64_t page = page_bytes();
	int err = 0;

	for (size_t i = 0; !err && i < nr; i++)
		if (states[i] == PAGE_PRESENT)
			err = move->host->write(move->host, addr + i * page, zeroes, page);
	return err;
}

static int put_back(struct move *move, uint64_t addr, size_t nr, const uint8_t *states)
{
	(void)states;
	return move->host->write(move->host, addr, move->map + (addr - move->addr),
				 nr * page_bytes());
}

/* Nodes that are not set cost nothing: the default is left alone. */
static int keep_policy(struct host *host, uint64_t from, uint64_t to, uint64_t size)
{
	struct {
		uint64_t nodes[MAX_NODES / 64];
		int mode;
	} policy = { .mode = MPOL_DEFAULT };
	uint64_t at = host->scratch(host, &policy, sizeof(policy));
	long ret;

	if (!at)
		return -EFAULT;
	ret = host_call(host, -1, SYS_get_mempolicy, at + offsetof(__typeof__(policy), mode), at,
			MAX_NODES, from, MPOL_F_ADDR);
	if (ret == -ENOSYS)
		return 0;
	if (!ret)
		ret = host->read(host, at, &policy, sizeof(policy));
	if (ret || policy.mode == MPOL_DEFAULT)
		return ret;
	return host_call(host, -1, SYS_mbind, to, size, policy.mode, at, MAX_NODES + 1, 0);
}

/* What the VMM has asked for of the old mapping holds for the new one. */
static int keep_settings(struct move *move, uint64_t to, char why[RAM_WHY])
{
	for (size_t i = 0; i < move->nr_vmas; i++) {
		const struct ram_vma *vma = &move->vma[i];
		uint64_t from = vma->start < move->addr ? move->addr : vma->start;
		uint64_t end = vma->end > move->addr + move->size ? move->addr + move->size :
			       vma->end;
		uint64_t at = to + (from - move->addr);
		long err = keep_policy(move->host, from, at, end - from);

		if (err) {
			snprintf(why, RAM_WHY, "its NUMA policy cannot be kept: %s", strerror(-err));
			return err;
		}
		if (vma->dont_fork)
			err = host_call(move->host, -1, SYS_madvise, at, end - from, MADV_DONTFORK);
		if (!err && vma->dont_dump)
			err = host_call(move->host, -1, SYS_madvise, at, end - from, MADV_DONTDUMP);
		if (err) {
			snprintf(why, RAM_WHY, "its madvise(2) flags cannot be kept: %s",
				 strerror(-err));
			return err;
		}
	}
	return 0;
}

/* move->map holds the contents; to is the mapping in the VMM that replaces. */
static int swap_in(struct move *move, uint64_t to, bool ours)
{
	long ret = ours ? 0 : for_pages(move, scrub);

	if (!ret)
		ret = host_call(move->host, -1, SYS_mremap, to, move->size, move->size,
				MREMAP_MAYMOVE | MREMAP_FIXED, move->addr);
	if (!host_failed(ret))
		return 0;
	if (!ours)
		for_pages(move, put_back);
	return ret;
}

static int fill(struct move *move, const struct block *block)
{
	uint64_t page = page_bytes(), offset;
	unsigned char resident[BATCH];
	uint8_t *old;
	int err = 0;

	if (!block)
		return for_pages(move, copy_in);
	offset = block->offset + (move->addr - block->addr);
	old = map_own(block->backing, offset, move->size);
	if (!old)
		return -errno;
	for (uint64_t at = 0; !err && at < move->size; at += BATCH * page) {
		size_t nr = (move->size - at) / page < BATCH ? (move->size - at) / page : BATCH;
		bool known = !mincore(old + at, nr * page, resident);

		/* a page that is looked at comes to be */
		for (size_t i = 0; !err && i < nr; i++) {
			if (known && !(resident[i] & 1))
				continue;
			err = ram_allocate(move->backing, at + i * page, page);
			if (!err)
				memcpy(move->map + at + i * page, old + at + i * page, page);
		}
	}
	munmap(old, move->size);
	return err;
}

static int replace(struct host *host, int vm, uint64_t addr, uint64_t size,
		   const struct block *block, struct backing **ret_backing,
		   char why[RAM_WHY])
{
	struct move move = { .host = host, .addr = addr, .size = size };
	long to = 0;
	int err = vmas_read(host->pid, addr, addr + size, &move.vma, &move.nr_vmas);

	if (err) {
		snprintf(why, RAM_WHY, "its mappings cannot be read: %s", strerror(-err));
		return err;
	}
	err = create(host, vm, size, &move.backing, why);
	if (err)
		goto free_vmas;
	to = host_call(host, -1, SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       move.backing->fd, 0);
	if (host_failed(to)) {
		err = to;
		snprintf(why, RAM_WHY, "no room for it in the VMM: %s", strerror(-err));
		goto release;
	}
	err = keep_settings(&move, to, why);
	if (err)
		goto unmap;
	move.map = map_own(move.backing, 0, size);
	err = move.map ? fill(&move, block) : -errno;
	if (!err)
		err = swap_in(&move, to, block);
	if (move.map)
		munmap(move.map, size);
	if (err) {
		snprintf(why, RAM_WHY, "its contents cannot be moved: %s", strerror(-err));
		goto unmap;
	}
	*ret_backing = move.backing;
	free(move.vma);
	return 0;

unmap:
	host_call(host, -1, SYS_munmap, to, size);
release:
	ram_release(move.backing);
free_vmas:
	free(move.vma);
	return err;
}

int ram_protect(struct host *host, int vm, uint64_t addr, uint64_t size,
		struct backing **ret_backing, char ret_why[RAM_WHY])
{
	return replace(host, vm, addr, size, NULL, ret_backing, ret_why);
}

int ram_move(struct host *host, int vm, const struct block *block, uint64_t addr,
	     uint64_t size, struct backing **ret_backing, char ret_why[RAM_WHY])
{
	int err = replace(host, vm, addr, size, block, ret_backing, ret_why);

	/* no copy stays behind; if it cannot be removed it is still out of the map */
	if (!err)
		ram_discard(block->backing, block->offset + (addr - block->addr), size);
	return err;
}

static int copy_out(struct host *host, const uint8_t *from, uint64_t to, uint64_t size)
{
	uint64_t page = page_bytes();
	int err = 0;

	for (uint64_t at = 0; !err && at < size; at += page) {
		unsigned char resident;

		if (!mincore((void *)(uintptr_t)(from + at), page, &resident) && !(resident & 1))
			continue;
		if (!is_zero(from + at))
			err = host->write(host, to + at, from + at, page);
	}
	return err;
}

int ram_expose(struct host *host, const struct block *block, uint64_t addr, uint64_t size)
{
	uint64_t offset = block->offset + (addr - block->addr);
	uint8_t *from;
	int err;
	long to;

	to = host_call(host, -1, SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (host_failed(to))
		return to;
	from = map_own(block->backing, offset, size);
	err = from ? copy_out(host, from, to, size) : -errno;
	if (from)
		munmap(from, size);
	if (!err) {
		long ret = host_call(host, -1, SYS_mremap, to, size, size,
				     MREMAP_MAYMOVE | MREMAP_FIXED, addr);

		err = host_failed(ret) ? ret : 0;
	}
	if (err) {
		host_call(host, -1, SYS_munmap, to, size);
		return err;
	}
	ram_discard(block->backing, offset, size);
	return 0;
}

long host_ioctl(struct host *host, int vm, uint64_t request, const void *arg, size_t size)
{
	uint64_t at = host->scratch(host, arg, size);

	return at ? host_call(host, vm, SYS_ioctl, vm, request, at) : -EFAULT;
}
