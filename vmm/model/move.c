// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "move.h"
#include "page.h"
#include "pages.h"

/* Pages that are examined and copied at a time. */
#define BATCH 64UL
#define MAX_NODES 1024

/* Work on pages that have contents. */
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

/* A page that was present is allocated even if it is blank: prealloc=on. */
static int copy_in(struct move *move, uint64_t addr, size_t nr, const uint8_t *states)
{
	uint64_t page = page_bytes(), offset = addr - move->addr;
	static uint8_t buffer[BATCH << 16];
	int err;

	err = move->host->read(move->host, addr, buffer, nr * page);
	for (size_t i = 0; !err && i < nr; ) {
		size_t run = 0, at = i * page;

		while (i + run < nr && (states[i + run] == PAGE_PRESENT ||
					!page_is_zero(buffer + at + run * page)))
			run++;
		if (run)
			err = ram_allocate_pages(move->backing, move->offset + offset + at, run);
		if (!err)
			memcpy(move->map + offset + at, buffer + at, run * page);
		i += run + 1;
	}
	return err;
}

/* Overwrites pages of private memory; those of a file belong to its owner. */
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

/* Keeps the policy of the range.  The default needs no call. */
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

/* Keeps the VMM's settings of the old mapping for the new one. */
static int keep_settings(struct move *move, char why[RAM_WHY])
{
	for (size_t i = 0; i < move->nr_vmas; i++) {
		const struct ram_vma *vma = &move->vma[i];
		uint64_t from = vma->start < move->addr ? move->addr : vma->start;
		uint64_t end = vma->end > move->addr + move->size ? move->addr + move->size :
			       vma->end;
		uint64_t at = move->to + (from - move->addr);
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

int move_start(struct move *move, char why[RAM_WHY])
{
	long to = host_call(move->host, -1, SYS_mmap, 0, move->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, move->backing->fd, move->offset);
	int err;

	if (host_failed(to)) {
		snprintf(why, RAM_WHY, "no room for it in the VMM: %s", to == -EAGAIN ?
			 "the VMM locks its memory, and RLIMIT_MEMLOCK permits no copy of it" :
			 strerror(-to));
		return to;
	}
	move->to = to;
	err = keep_settings(move, why);
	if (err)
		return err;
	move->map = ram_map(move->backing, move->offset, move->size);
	if (move->map)
		return 0;
	err = -errno;
	snprintf(why, RAM_WHY, "no room for it in offmap: %s", strerror(-err));
	return err;
}

int move_copy(struct move *move)
{
	return for_pages(move, copy_in);
}

int move_finish(struct move *move, bool scrub_it)
{
	long ret = scrub_it ? for_pages(move, scrub) : 0;

	if (!ret)
		ret = host_call(move->host, -1, SYS_mremap, move->to, move->size, move->size,
				MREMAP_MAYMOVE | MREMAP_FIXED, move->addr);
	if (!host_failed(ret)) {
		move->to = 0;
		return 0;
	}
	if (scrub_it)
		for_pages(move, put_back);
	return ret;
}

void move_end(struct move *move)
{
	if (move->map)
		munmap(move->map, move->size);
	if (move->to)
		host_call(move->host, -1, SYS_munmap, move->to, move->size);
	move->map = NULL;
	move->to = 0;
}
