// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "area.h"
#include "page.h"
#include "procfs.h"

static sigjmp_buf page_is_lost;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(page_is_lost, 1);
}

/* A page whose memory has failed is a SIGBUS.  false: this is one. */
static bool copy_page(uint8_t *to, const uint8_t *from, size_t size)
{
	struct sigaction catch = { .sa_handler = on_sigbus }, before;
	volatile bool fine = false;

	sigaction(SIGBUS, &catch, &before);
	if (!sigsetjmp(page_is_lost, 1)) {
		memcpy(to, from, size);
		fine = true;
	}
	sigaction(SIGBUS, &before, NULL);
	return fine;
}

/*
 * guest_memfd: what the guest has touched need not be mapped in the VMM, so
 * the file itself is asked which pages it has.  Only those are touched here:
 * none comes into being by being looked at, but one that the guest gives back
 * at that very moment.
 */
static int find_in_file(struct area *area)
{
	size_t page = page_bytes(), size = area->pages * page;
	unsigned char *resident;
	uint8_t *view, byte;
	int fd, err = 0;

	fd = procfs_take_fd(area->pid, area->slot.gmem_fd);
	if (fd < 0)
		return fd;
	view = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, area->slot.gmem_offset);
	close(fd);
	if (view == MAP_FAILED)
		return -errno;
	area->view = view;
	resident = malloc(area->pages);
	if (!resident)
		return -ENOMEM;
	if (mincore(area->view, size, resident))
		err = -errno;
	for (uint64_t i = 0; !err && i < area->pages; i++)
		if (resident[i] & 1 && !copy_page(&byte, view + i * page, 1))
			err = -EHWPOISON;
	if (!err)
		err = procfs_frames(getpid(), (uintptr_t)view, area->pages, area->pfn);
	free(resident);
	return err;
}

void area_find_frames(struct area *area)
{
	area->pages = area->slot.size / page_bytes();
	area->pfn = calloc(area->pages, sizeof(*area->pfn));
	if (!area->pfn)
		area->error = ENOMEM;
	else if (area->slot.gmem_fd >= 0)
		area->error = -find_in_file(area);
	else
		area->error = -procfs_frames(area->pid, area->slot.addr,
					     area->pages, area->pfn);
	for (uint64_t i = 0; !area->error && i < area->pages; i++)
		area->present += area->pfn[i] != 0;
}

static bool is_blank(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, page_bytes() - 1);
}

bool area_read(const struct area *area, int mem, uint64_t page,
	       uint8_t *ret_page)
{
	uint64_t size = page_bytes();

	if (area->view)
		return copy_page(ret_page, area->view + page * size, size);
	return mem >= 0 && pread(mem, ret_page, size, area->slot.addr + page * size) ==
			   (ssize_t)size;
}

/* A running guest changes its pages: equal in one 64-byte piece will do. */
static bool same_contents(const uint8_t *a, const uint8_t *b)
{
	static const uint8_t zero[64];

	for (size_t i = 0; i < page_bytes(); i += 64)
		if (memcmp(a + i, zero, 64) && !memcmp(a + i, b + i, 64))
			return true;
	return false;
}

/* Frames change hands: is this one still behind that page? */
static bool still_there(const struct area *area, uint64_t page)
{
	uint64_t offset = page * page_bytes(), pfn;

	return !procfs_frames(area->view ? getpid() : area->pid,
			      (area->view ? (uintptr_t)area->view : area->slot.addr) + offset,
			      1, &pfn) && pfn == area->pfn[page];
}

enum look {
	HIDDEN, SHOWN,
	/* there is nothing to compare with */
	BLANK,
	LOST,
};

static enum look core_shows(const struct area *area, const struct kernel_view *view,
			    int mem, uint64_t page)
{
	uint8_t own[PAGE_MAX_BYTES], kernels[PAGE_MAX_BYTES];

	if (!area_read(area, mem, page, own))
		return area->view ? LOST : BLANK;
	if (is_blank(own))
		return BLANK;
	return !kcore_read_page(view->kcore, area->pfn[page], kernels) &&
	       same_contents(own, kernels) ? SHOWN : HIDDEN;
}

static void judge_page(struct area *area, const struct kernel_view *view, int mem,
		       uint64_t page)
{
	bool tables = view->tables && ptdump_maps_pfn(view->tables, area->pfn[page]);
	enum look core = view->kcore ? core_shows(area, view, mem, page) : HIDDEN;

	/* given back since, and in the direct map for that reason */
	if ((tables || core != HIDDEN) && !still_there(area, page)) {
		area->present--;
		return;
	}
	area->blank += core == BLANK;
	if (core == LOST)
		area->error = EHWPOISON;
	area->in_tables += tables;
	area->in_core += core == SHOWN;
	area->reachable += tables || core == SHOWN;
}

void area_judge(struct area *area, const struct kernel_view *view)
{
	char path[64];
	int mem;

	if (area->error)
		return;
	snprintf(path, sizeof(path), "/proc/%d/mem", area->pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	for (uint64_t i = 0; i < area->pages; i++)
		if (area->pfn[i])
			judge_page(area, view, mem, i);
	if (mem >= 0)
		close(mem);
}

void area_free(struct area *area)
{
	if (area->view)
		munmap(area->view, area->pages * page_bytes());
	free(area->pfn);
}
