/* SPDX-License-Identifier: MIT */
/*
 * A piece of guest memory, of AREA_BYTES at most, its frames, and what the kernel
 * can do to them.  What a whole VM takes at a time is bounded by the number of
 * pieces.
 */
#ifndef OFFMAP_AREA_H
#define OFFMAP_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"
#include "process.h"

#define AREA_BYTES (1UL << 30)

struct area {
	struct process *process;
	/* Its place in the list of parts of a report. */
	size_t part;
	/* In the process; of a guest_memfd that is taken, an offset in that. */
	uint64_t addr;
	/* -1: read through the process. */
	int gmem_fd;

	uint64_t pages;
	/* errno why it could not be looked at, or not all of it; or 0. */
	int error;
	/* Frame of each page, 0 where there is none; NULL if no page has one. */
	uint64_t *pfn;
	/* Pages that have one; those that have lost it when they are judged do not count. */
	uint64_t present;
	/* Our view of guest_memfd; NULL for memory read through the process. */
	uint8_t *view;

	/* The direct map has an entry. */
	uint64_t in_tables;
	/* kcore shows the contents of the page; all zeroes prove nothing. */
	uint64_t in_core;
	/* The page is all zeroes or cannot be read, so kcore cannot tell. */
	uint64_t blank;
	/* The direct map has an entry, or kcore shows it. */
	uint64_t reachable;
	/* In pages of 2 MiB of which all is here. */
	uint64_t huge;
};

/* Finds the frames.  What it maps stays mapped; the guest may give frames back. */
void area_find_frames(struct area *area);

/* Asks the kernel about each frame; the view is to be newer than the frames. */
void area_judge(struct area *area, const struct kernel_view *view);

/*
 * One page of it, present or not, of at most PAGE_MAX_BYTES; mem is the
 * process's /proc/PID/mem, or -1.  Is there something to read?
 */
bool area_read(const struct area *area, int mem, uint64_t page,
	       uint8_t *ret_page);

void area_free(struct area *area);

#endif
