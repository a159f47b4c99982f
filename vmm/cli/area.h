/* SPDX-License-Identifier: MIT */
/* One piece of guest memory, its frames, and what the kernel can do to them. */
#ifndef OFFMAP_AREA_H
#define OFFMAP_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel.h"
#include "slots.h"

struct area {
	pid_t pid;
	struct slot_line slot;
	/* Of a mapping without a slot: what is mapped. */
	char path[64];

	/* Only what the VMM has mapped of it can be seen: the guest may have more. */
	bool partly;

	uint64_t pages;
	/* errno why this area could not be looked at, or not all of it; or 0. */
	int error;
	/* Frame of each page, 0 where there is none. */
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
	/* Either of the two. */
	uint64_t reachable;
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
