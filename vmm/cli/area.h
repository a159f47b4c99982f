/* SPDX-License-Identifier: MIT */
/*
 * A piece of guest memory, of AREA_BYTES at most: its frames, and what the kernel can do
 * to them.  The number of pieces bounds the memory that a look at a VM takes.
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
	/* Index of the part in a report. */
	size_t part;
	/* Address in the process; for a guest_memfd in gmem_fd, the offset in it. */
	uint64_t addr;
	/* -1: read through the process. */
	int gmem_fd;

	uint64_t pages;
	/* errno if it could not be looked at, or not in full; or 0. */
	int error;
	/* Frame of each page, 0 where there is none; NULL if no page has one. */
	uint64_t *pfn;
	/* Pages with a frame.  A page without its frame when it is judged does not count. */
	uint64_t present;
	/* Our mapping of guest_memfd; NULL for memory read through the process. */
	uint8_t *view;

	/* The direct map has an entry. */
	uint64_t in_tables;
	/* kcore shows the contents of the page; all zeroes prove nothing. */
	uint64_t in_core;
	/* The page is all zeroes or cannot be read, so kcore cannot tell. */
	uint64_t blank;
	/* The direct map has an entry, or kcore shows it. */
	uint64_t reachable;
	/* In pages of 2 MiB that are wholly in this area. */
	uint64_t huge;
};

/* Finds the frames.  The mapping of the file stays; the guest may give frames back. */
void area_find_frames(struct area *area);

/* Asks the kernel about each frame.  The view must be newer than the frames. */
void area_judge(struct area *area, const struct kernel_view *view);

/*
 * Reads one page, present or not, of at most PAGE_MAX_BYTES.  mem is the process's
 * /proc/PID/mem, or -1.  Returns whether there is something to read.
 */
bool area_read(const struct area *area, int mem, uint64_t page,
	       uint8_t *ret_page);

void area_free(struct area *area);

#endif
