// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "huge.h"
#include "kvm_abi.h"
#include "move.h"
#include "offmap.h"
#include "page.h"
#include "ram.h"
#include "share.h"
#include "vmas.h"

/* Pages that are examined and copied at a time. */
#define BATCH 16UL

/* Memory that is shared with children only. */
static bool is_anonymous(const struct ram_vma *vma)
{
	return !strncmp(vma->path, "/dev/zero", 9) || !strncmp(vma->path, "/anon_hugepage", 14);
}

/* Memory that only this process can see may be moved. */
static bool vma_may_be_taken(const struct host *host, const struct ram_vma *vma,
			     char why[RAM_WHY])
{
	bool file = vma->shared && vma->inode;
	pid_t other;

	if (!vma->writable) {
		snprintf(why, RAM_WHY, "the VMM itself may not write it");
	} else if (strstr(vma->path, "kvm-gmem")) {
		snprintf(why, RAM_WHY, "it is a guest_memfd already: one of the VMM's own, or guest memory that the VMM has moved to this address");
	} else if (vma->userfaultfd) {
		snprintf(why, RAM_WHY, "userfaultfd fills it, as when a snapshot is restored lazily: restore it before the guest starts");
	} else if (file && is_anonymous(vma)) {
		other = share_find_other(host, vma);
		if (!other)
			return true;
		snprintf(why, RAM_WHY, "it is shared memory that process %d has as well, which would not see what the guest writes",
			 other);
	} else if (file && !strncmp(vma->path, "/memfd:", 7)) {
		snprintf(why, RAM_WHY, "it is a shared memfd, as for vhost-user, and its other users would not see what the guest writes: make it private (share=off), or start with --share-guest-memfd");
	} else if (file) {
		snprintf(why, RAM_WHY, "it is a shared mapping of %.150s, and what the guest writes would not get there",
			 vma->path);
	} else {
		return true;
	}
	return false;
}

static int check(const struct host *host, const struct ram_vma *vmas, size_t nr, uint64_t addr,
		 uint64_t until, char why[RAM_WHY])
{
	uint64_t at = addr;

	for (size_t i = 0; i < nr && vmas[i].start <= at; i++) {
		if (!vma_may_be_taken(host, &vmas[i], why))
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
	err = check(host, vmas, nr, *addr, *until, ret_why);
	if (!err && vmas[0].hugetlb)
		*addr -= *addr % vmas[0].page_size;
	if (!err && vmas[nr - 1].hugetlb && *until % vmas[nr - 1].page_size)
		*until += vmas[nr - 1].page_size - *until % vmas[nr - 1].page_size;
	free(vmas);
	return err;
}

int ram_discard(const struct backing *backing, uint64_t offset, uint64_t size)
{
	return fallocate(backing->own, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 offset, size) ? -errno : 0;
}

/*
 * Here a lack of memory is an error; in a page fault it is a signal.  The host makes the
 * call, so that the pages are of the nodes and of the cgroup of the VMM.
 */
int ram_allocate(const struct backing *backing, uint64_t offset, uint64_t size)
{
	int err;

	do
		err = host_call(backing->host, -1, SYS_fallocate, backing->fd, FALLOC_FL_KEEP_SIZE,
				offset, size);
	while (err == -EINTR);
	return err;
}

/* All 2 MiB: a small page would prevent a page of 2 MiB there. */
static int allocate_huge(struct backing *backing, uint64_t offset)
{
	uint64_t start = offset & ~(HUGE_BYTES - 1), end = start + HUGE_BYTES;

	if (end <= backing->size) {
		if (backing->huge_end == end)
			return 0;
		if (!ram_allocate(backing, start, HUGE_BYTES)) {
			backing->huge_end = end;
			return 0;
		}
	}
	return ram_allocate(backing, offset, page_bytes());
}

int ram_allocate_pages(struct backing *backing, uint64_t offset, size_t nr)
{
	int err = 0;

	if (!backing->huge)
		return ram_allocate(backing, offset, nr * page_bytes());
	for (size_t i = 0; !err && i < nr; i++)
		err = allocate_huge(backing, offset + i * page_bytes());
	return err;
}

uint64_t ram_offset(const struct host *host, uint64_t gpa, uint64_t size)
{
	return host->huge && huge_is_inside(gpa, size) ? gpa & (HUGE_BYTES - 1) : 0;
}

void ram_release(struct backing *backing)
{
	if (backing->fd >= 0)
		host_call(backing->host, -1, SYS_close, backing->fd);
	if (backing->own >= 0)
		close(backing->own);
	free(backing);
}

uint8_t *ram_map(const struct backing *backing, uint64_t offset, uint64_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, backing->own, offset);

	return map == MAP_FAILED ? NULL : map;
}

int ram_create(struct host *host, int vm, uint64_t size, struct backing **ret_backing,
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
	*backing = (struct backing){ .host = host, .fd = -1, .own = -1, .size = size };
	ret = host_call(host, vm, SYS_ioctl, vm, KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD_FLAGS);
	if (ret < 0 || (ret & OFFMAP_GMEM_NEEDED) != OFFMAP_GMEM_NEEDED) {
		snprintf(why, RAM_WHY, "%s", offmap_reason(ret < 0 ||
			 (ret & OFFMAP_GMEM_SHARED) != OFFMAP_GMEM_SHARED ?
			 OFFMAP_REASON_NO_GUEST_MEMFD : OFFMAP_REASON_NO_FLAG));
		ret = -EOPNOTSUPP;
		goto release;
	}
	backing->huge = host->huge && ret & GUEST_MEMFD_FLAG_ALLOW_HUGE;
	if (backing->huge)
		create.flags |= GUEST_MEMFD_FLAG_ALLOW_HUGE;
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

static int copy_block(struct move *move, const struct block *block)
{
	uint64_t page = page_bytes(), offset;
	unsigned char resident[BATCH];
	uint8_t *old;
	int err = 0;

	offset = block->offset + (move->addr - block->addr);
	old = ram_map(block->backing, offset, move->size);
	if (!old)
		return -errno;
	for (uint64_t at = 0; !err && at < move->size; at += BATCH * page) {
		size_t nr = (move->size - at) / page < BATCH ? (move->size - at) / page : BATCH;
		bool known = !mincore(old + at, nr * page, resident);

		/* reading a page would allocate it: skip absent pages */
		for (size_t i = 0; !err && i < nr; ) {
			size_t run = 0;

			while (i + run < nr && (!known || resident[i + run] & 1))
				run++;
			if (run)
				err = ram_allocate_pages(move->backing,
							 move->offset + at + i * page, run);
			if (!err)
				memcpy(move->map + at + i * page, old + at + i * page, run * page);
			i += run + 1;
		}
	}
	munmap(old, move->size);
	return err;
}

static int replace(struct host *host, int vm, const struct block *new,
		   const struct block *block, struct backing **ret_backing,
		   char why[RAM_WHY])
{
	struct move move = {
		.host = host, .addr = new->addr, .size = new->size, .offset = new->offset,
	};
	int err = vmas_read(host->pid, new->addr, new->addr + new->size, &move.vma,
			    &move.nr_vmas);

	if (err) {
		snprintf(why, RAM_WHY, "its mappings cannot be read: %s", strerror(-err));
		return err;
	}
	err = ram_create(host, vm, new->offset + new->size, &move.backing, why);
	if (err)
		goto free_vmas;
	err = move_start(&move, why);
	if (err)
		goto end;
	err = block ? copy_block(&move, block) : move_copy(&move);
	if (!err)
		err = move_finish(&move, !block);
	if (err)
		snprintf(why, RAM_WHY, "its contents cannot be moved: %s", strerror(-err));
end:
	move_end(&move);
	if (err)
		ram_release(move.backing);
	else
		*ret_backing = move.backing;
free_vmas:
	free(move.vma);
	return err;
}

int ram_protect(struct host *host, int vm, const struct block *new,
		struct backing **ret_backing, char ret_why[RAM_WHY])
{
	return replace(host, vm, new, NULL, ret_backing, ret_why);
}

int ram_move(struct host *host, int vm, const struct block *block, const struct block *new,
	     struct backing **ret_backing, char ret_why[RAM_WHY])
{
	int err = replace(host, vm, new, block, ret_backing, ret_why);

	/* free the old copy; if that fails it is still out of the map */
	if (!err)
		ram_discard(block->backing, block->offset + (new->addr - block->addr),
			    new->size);
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
		if (!page_is_zero(from + at))
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
	from = ram_map(block->backing, offset, size);
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
