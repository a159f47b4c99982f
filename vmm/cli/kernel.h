/* SPDX-License-Identifier: MIT */
/*
 * What the running kernel can reach, from two sources that do not depend on
 * each other: the dump of its page tables in debugfs, and /proc/kcore.
 */
#ifndef OFFMAP_KERNEL_H
#define OFFMAP_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "page.h"

struct kernel_view {
	/* Is this source there?  If not: the errno. */
	bool has_tables;
	int tables_error;
	bool has_kcore;
	int kcore_error;
	struct kernel_tables *tables;
	struct kernel_core *core;
};

/* Reads the page tables as they are now.  Never fails as a whole. */
void kernel_view_open(struct kernel_view *ret_view);
void kernel_view_close(struct kernel_view *view);

/* Does the direct map have an entry for this frame?  Needs has_tables. */
bool kernel_maps(const struct kernel_view *view, uint64_t pfn);

/*
 * What the kernel reads at the direct map's address of this frame; zeroes for
 * what it has not.  0 or -errno.  Needs has_kcore, and room for a page.
 */
int kernel_reads(const struct kernel_view *view, uint64_t pfn,
		 uint8_t *ret_page);

/*
 * The parser of the dump, for one line at a time: true if the line is a
 * range with a present entry, false for everything else.
 */
bool kernel_parse_range(const char *line, uint64_t *ret_start,
			uint64_t *ret_end, bool *ret_present);

#endif
