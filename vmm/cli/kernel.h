/* SPDX-License-Identifier: MIT */
/*
 * What the running kernel can reach, from two sources that do not depend on
 * each other: the dump of its page tables in debugfs, and /proc/kcore.
 */
#ifndef OFFMAP_KERNEL_H
#define OFFMAP_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "kcore.h"
#include "ptdump.h"

/* A source is NULL where it is not to be had, with the errno next to it. */
struct kernel_view {
	struct ptdump *tables;
	int tables_error;
	struct kcore *kcore;
	int kcore_error;
	/* /proc/kpageflags, or -1 */
	int page_flags;
};

/* Reads the page tables as they are now.  Never fails as a whole. */
void kernel_view_open(struct kernel_view *ret_view);
void kernel_view_close(struct kernel_view *view);

/* Are the aligned 2 MiB of this frame one page?  false where that is not known. */
bool kernel_is_huge(const struct kernel_view *view, uint64_t pfn);

/*
 * Can the kernel be asked at all?  An errno each, or 0.  The page tables themselves
 * are not read, which takes its time.
 */
void kernel_find_sources(int *ret_tables, int *ret_kcore);

/* Why a source is not to be had, and what to do: a sentence; error is an errno. */
const char *kernel_tables_advice(int error);
const char *kernel_kcore_advice(int error);
const char *kernel_memslots_advice(int error);

#endif
