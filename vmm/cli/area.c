// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
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

/* A page of the area that has a frame. */
struct place {
	uint64_t pfn;
	uint64_t page;
};

struct judging {
	struct area *area;
	const struct kernel_view *view;
	int mem;
	/* One byte a page, of the enum above. */
	uint8_t *mark;
	/* In the order of frames, so that kcore is read in runs. */
	struct place *place;
	size_t nr;
	/* The place that is compared next, and the one that is read at this moment. */
	size_t next;
	volatile size_t reading;
	/* RUN_BYTES each. */
	uint8_t *own;
	uint8_t *kernels;
};

static int by_frame(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

static void sort_places(struct judging *j)
{
	for (uint64_t i = 0; i < j->area->pages; i++)
		if (j->area->pfn[i])
			j->place[j->nr++] = (struct place){ j->area->pfn[i], i };
	qsort(j->place, j->nr, sizeof(*j->place), by_frame);
}

static uint8_t *mark_of(const struct judging *j, size_t at)
{
	return &j->mark[j->place[at].page];
}

/*
 * Reads pages of the process from one place on, in one call unless one of them fails.  If
 * another process has the number by now, count() finds that this one has no frames.
 */
static void read_own(const struct judging *j, size_t start, size_t nr)
{
	uint64_t page = page_bytes();
	struct iovec to = { j->own, nr * page }, from[RUN_BYTES / PAGE_MIN_BYTES] = { 0 };

	for (size_t i = 0; i < nr; i++)
		from[i] = (struct iovec){
			(void *)(uintptr_t)(j->area->addr + j->place[start + i].page * page), page
		};
	if (process_vm_readv(j->area->process->pid, &to, 1, from, nr, 0) == (ssize_t)to.iov_len)
		return;
	for (size_t i = 0; i < nr; i++)
		/* one that cannot be read is as good as a blank page */
		if (!area_read(j->area, j->mem, j->place[start + i].page, j->own + i * page))
			memset(j->own + i * page, 0, page);
}

/* Compares the guest's pages in place, as copying takes longer. */
static const uint8_t *own_page(struct judging *j, size_t at)
{
	uint64_t page = page_bytes();

	if (!j->area->view)
		return j->own + at % (RUN_BYTES / page) * page;
	j->reading = at;
	/* on_sigbus() relies on it */
	atomic_signal_fence(memory_order_seq_cst);
	return j->area->view + j->place[at].page * page;
}

static bool is_blank(struct judging *j, size_t at)
{
	return *mark_of(j, at) & LOST || page_is_zero(own_page(j, at));
}

/* If the run cannot be read as a whole, goes page by page to find the frame that fails. */
static void compare(struct judging *j, size_t start, size_t nr)
{
	if (kcore_read_frames(j->view->kcore, j->place[start].pfn, nr, j->kernels)) {
		if (nr == 1)
			*mark_of(j, start) |= BLANK;
		else
			for (size_t i = 0; i < nr; i++)
				compare(j, start + i, 1);
		return;
	}
	for (size_t i = 0; i < nr; i++) {
		const uint8_t *kernels = j->kernels + i * page_bytes();

		if (page_is_zero(kernels))
			continue;
		/* other contents: the process has changed the page, or its frame */
		*mark_of(j, start + i) |= same_contents(own_page(j, start + i), kernels) ?
					  IN_CORE : BLANK;
	}
}

/*
 * kcore shows zeroes for a page that it cannot reach.  So a page of zeroes proves nothing,
 * and is not read there.
 */
static void compare_until(struct judging *j, size_t end)
{
	while (j->next < end) {
		size_t start = j->next, stop = start + 1;

		if (!is_blank(j, start)) {
			while (stop < end && j->place[stop].pfn == j->place[stop - 1].pfn + 1 &&
			       !is_blank(j, stop))
				stop++;
			compare(j, start, stop - start);
		} else if (!(*mark_of(j, start) & LOST)) {
			*mark_of(j, start) |= BLANK;
		}
		j->next = stop;
	}
}

static void look_into_core(struct judging *j)
{
	struct sigaction catch = { .sa_handler = on_sigbus }, before;
	size_t most = RUN_BYTES / page_bytes();

	sigaction(SIGBUS, &catch, &before);
	/* after a page that is lost, goes on where the run of that page starts */
	if (sigsetjmp(page_is_lost, 1))
		*mark_of(j, j->reading) |= LOST;
	while (j->next < j->nr) {
		size_t left = j->nr - j->next, nr = left < most ? left : most;

		if (!j->area->view)
			read_own(j, j->next, nr);
		compare_until(j, j->next + nr);
	}
	sigaction(SIGBUS, &before, NULL);
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

static void mark_pages(struct judging *j)
{
	for (size_t i = 0; j->view->tables && i < j->nr; i++)
		if (ptdump_maps_pfn(j->view->tables, j->place[i].pfn))
			*mark_of(j, i) |= IN_TABLES;
	if (j->view->kcore)
		look_into_core(j);
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
	j.place = calloc(area->pages, sizeof(*j.place));
	now = calloc(area->pages, sizeof(*now));
	if (j.mark && j.own && j.place && now) {
		j.kernels = j.own + RUN_BYTES;
		if (!area->view)
			j.mem = openat(area->process->dir, "mem", O_RDONLY | O_CLOEXEC);
		sort_places(&j);
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
	free(j.place);
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
