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
#include "huge.h"
#include "page.h"

/* Bytes of kcore and of the guest that are read at a time. */
#define RUN_BYTES (1UL << 20)

static sigjmp_buf page_is_lost;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(page_is_lost, 1);
}

/* A page whose memory has failed raises SIGBUS.  Returns false if there is one. */
static bool copy(uint8_t *to, const uint8_t *from, size_t size)
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

/* A page fault for each page would take most of the time of a look. */
static int map_resident(uint8_t *view, const unsigned char *resident, uint64_t pages)
{
	for (uint64_t i = 0, end; i < pages; i = end) {
		end = i + 1;
		if (!(resident[i] & 1))
			continue;
		while (end < pages && resident[end] & 1)
			end++;
		if (madvise(view + i * page_bytes(), (end - i) * page_bytes(),
			    MADV_POPULATE_READ))
			/* where a read would raise SIGBUS */
			return errno == EFAULT ? -EHWPOISON : -errno;
	}
	return 0;
}

/*
 * The VMM need not have mapped the pages of guest_memfd that the guest has touched. So
 * the file tells which pages it has, and only those are mapped here.  A page is
 * allocated only if the guest gives it back at that very moment; it can be one of 2 MiB.
 */
static int map_file(struct area *area)
{
	size_t size = area->pages * page_bytes();
	unsigned char *resident;
	int err = 0;

	/* Align to 2 MiB, so that one page fault maps all of a large folio. */
	area->view = huge_map(area->gmem_fd, area->addr, size, PROT_READ);
	if (area->view == MAP_FAILED) {
		area->view = NULL;
		return -errno;
	}
	resident = malloc(area->pages);
	if (!resident)
		return -ENOMEM;
	if (mincore(area->view, size, resident))
		err = -errno;
	else
		err = map_resident(area->view, resident, area->pages);
	free(resident);
	return err;
}

static int frames_of(const struct area *area, uint64_t *ret_pfn)
{
	struct process self;
	int err;

	if (!area->view)
		return process_frames(area->process, area->addr, area->pages, ret_pfn);
	err = process_open(getpid(), &self);
	if (err)
		return err;
	err = process_frames(&self, (uintptr_t)area->view, area->pages, ret_pfn);
	process_close(&self);
	return err;
}

void area_find_frames(struct area *area)
{
	int err = 0;

	if (area->gmem_fd < 0 &&
	    process_is_empty(area->process, area->addr, area->pages * page_bytes()))
		return;
	area->pfn = calloc(area->pages, sizeof(*area->pfn));
	if (!area->pfn)
		err = -ENOMEM;
	if (!err && area->gmem_fd >= 0)
		err = map_file(area);
	if (!err)
		err = frames_of(area, area->pfn);
	area->error = -err;
	for (uint64_t i = 0; !err && i < area->pages; i++)
		area->present += area->pfn[i] != 0;
	if (err || !area->present) {
		free(area->pfn);
		area->pfn = NULL;
	}
}

bool area_read(const struct area *area, int mem, uint64_t page,
	       uint8_t *ret_page)
{
	uint64_t size = page_bytes();

	if (area->view)
		return copy(ret_page, area->view + page * size, size);
	return mem >= 0 && pread(mem, ret_page, size, area->addr + page * size) ==
			   (ssize_t)size;
}

/* A running guest changes its pages: one equal piece of 64 bytes is enough. */
static bool same_contents(const uint8_t *a, const uint8_t *b)
{
	static const uint8_t zero[64];

	for (size_t i = 0; i < page_bytes(); i += 64)
		if (!memcmp(a + i, b + i, 64) && memcmp(a + i, zero, 64))
			return true;
	return false;
}

enum { IN_TABLES = 1, IN_CORE = 2, BLANK = 4, LOST = 8, HUGE = 16 };

struct judging {
	struct area *area;
	const struct kernel_view *view;
	int mem;
	/* One byte a page, of the enum above. */
	uint8_t *mark;
	/* RUN_BYTES each. */
	uint8_t *own;
	uint8_t *kernels;
};

/* The number of pages whose frames follow on each other, up to RUN_BYTES. */
static uint64_t run_length(const struct area *area, uint64_t start)
{
	uint64_t length = 1, most = RUN_BYTES / page_bytes();

	while (length < most && start + length < area->pages &&
	       area->pfn[start + length] == area->pfn[start] + length)
		length++;
	return length;
}

/*
 * kcore shows zeroes for a page that it cannot reach.  So a page of zeroes proves nothing,
 * and is not read there.  Returns 0, or the mark of a page that cannot be judged.
 */
static uint8_t compare(const struct judging *j, const uint8_t *own, uint64_t start,
		       uint64_t length)
{
	uint64_t page = page_bytes();

	for (uint64_t i = 0, end; i < length; i = end) {
		end = i + 1;
		if (page_is_zero(own + i * page)) {
			j->mark[start + i] |= BLANK;
			continue;
		}
		while (end < length && !page_is_zero(own + end * page))
			end++;
		if (kcore_read_frames(j->view->kcore, j->area->pfn[start + i], end - i,
				      j->kernels))
			return BLANK;
		for (uint64_t k = i; k < end; k++) {
			const uint8_t *kernels = j->kernels + (k - i) * page;

			if (page_is_zero(kernels))
				continue;
			/* other contents: the process has changed the page, or its frame */
			j->mark[start + k] |= same_contents(own + k * page, kernels) ? IN_CORE :
					      BLANK;
		}
	}
	return 0;
}

/* Compares the guest's pages in place, as copying takes longer. */
static uint8_t compare_view(const struct judging *j, uint64_t start, uint64_t length)
{
	struct sigaction catch = { .sa_handler = on_sigbus }, before;
	volatile uint8_t failed = LOST;

	sigaction(SIGBUS, &catch, &before);
	if (!sigsetjmp(page_is_lost, 1))
		failed = compare(j, j->area->view + start * page_bytes(), start, length);
	sigaction(SIGBUS, &before, NULL);
	return failed;
}

static uint8_t compare_process(const struct judging *j, uint64_t start, uint64_t length)
{
	ssize_t size = length * page_bytes();

	if (j->mem < 0 || pread(j->mem, j->own, size, j->area->addr + start * page_bytes()) != size)
		return BLANK;
	return compare(j, j->own, start, length);
}

/* If the run cannot be judged as a whole, goes page by page to find the page that fails. */
static void look_into_core(const struct judging *j, uint64_t start, uint64_t length)
{
	uint8_t failed = (j->area->view ? compare_view : compare_process)(j, start, length);

	if (!failed)
		return;
	if (length == 1)
		j->mark[start] |= failed;
	else
		for (uint64_t i = 0; i < length; i++)
			look_into_core(j, start + i, 1);
}

/* A page that has another frame by now does not count: its old frame proves nothing. */
static void count(const struct judging *j, const uint64_t *now)
{
	struct area *area = j->area;

	for (uint64_t i = 0; i < area->pages; i++) {
		uint8_t mark = j->mark[i];

		if (!area->pfn[i])
			continue;
		if (mark && now[i] != area->pfn[i]) {
			/* the guest has given it back, so it is in the direct map */
			area->present--;
			continue;
		}
		area->in_tables += !!(mark & IN_TABLES);
		area->in_core += !!(mark & IN_CORE);
		area->blank += !!(mark & BLANK);
		area->reachable += !!(mark & (IN_TABLES | IN_CORE));
		area->huge += !!(mark & HUGE);
		if (mark & LOST)
			area->error = EHWPOISON;
	}
}

static void mark_pages(const struct judging *j)
{
	const struct area *area = j->area;
	uint64_t length;

	for (uint64_t i = 0; i < area->pages; i += length) {
		length = area->pfn[i] ? run_length(area, i) : 1;
		if (!area->pfn[i])
			continue;
		for (uint64_t k = i; j->view->tables && k < i + length; k++)
			if (ptdump_maps_pfn(j->view->tables, area->pfn[k]))
				j->mark[k] |= IN_TABLES;
		if (j->view->kcore)
			look_into_core(j, i, length);
	}
}

/* Counts whole pages of 2 MiB; no part of them may be in another area. */
static void mark_huge(const struct judging *j)
{
	const struct area *area = j->area;
	uint64_t most = HUGE_BYTES / page_bytes();

	for (uint64_t i = 0, length; i + most <= area->pages; i += length) {
		length = 1;
		if (!area->pfn[i] || area->pfn[i] % most)
			continue;
		while (length < most && area->pfn[i + length] == area->pfn[i] + length)
			length++;
		if (length < most || !kernel_is_huge(j->view, area->pfn[i]))
			continue;
		for (uint64_t k = i; k < i + most; k++)
			j->mark[k] |= HUGE;
	}
}

void area_judge(struct area *area, const struct kernel_view *view)
{
	struct judging j = { .area = area, .view = view, .mem = -1 };
	uint64_t *now;
	int err = 0;

	if (area->error || !area->pfn)
		return;
	j.mark = calloc(area->pages, 1);
	j.own = malloc(2 * RUN_BYTES);
	now = calloc(area->pages, sizeof(*now));
	if (j.mark && j.own && now) {
		j.kernels = j.own + RUN_BYTES;
		if (!area->view)
			j.mem = openat(area->process->dir, "mem", O_RDONLY | O_CLOEXEC);
		mark_pages(&j);
		mark_huge(&j);
		err = frames_of(area, now);
		if (!err)
			count(&j, now);
		if (j.mem >= 0)
			close(j.mem);
	} else {
		err = -ENOMEM;
	}
	if (err)
		area->error = -err;
	free(now);
	free(j.own);
	free(j.mark);
}

void area_free(struct area *area)
{
	if (area->view)
		munmap(area->view, area->pages * page_bytes());
	free(area->pfn);
	area->view = NULL;
	area->pfn = NULL;
}
