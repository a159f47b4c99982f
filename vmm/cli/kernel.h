/* SPDX-License-Identifier: MIT */
/*
 * Tells which memory the running kernel can reach, by two independent sources: the dump
 * of its page tables in debugfs, and /proc/kcore.
 */
#ifndef OFFMAP_KERNEL_H
#define OFFMAP_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "kcore.h"
#include "ptdump.h"

/* A source that is not available is NULL, with the errno next to it. */
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

/* Are these aligned 2 MiB of frames one page?  false if that is not known. */
bool kernel_is_huge(const struct kernel_view *view, uint64_t pfn);

/*
 * Is each source available?  An errno each, or 0; ENODATA for page tables that are of no
 * use without kcore.  Does not read the page tables, which takes long.
 */
void kernel_find_sources(int *ret_tables, int *ret_kcore);

/* A sentence that says why a source is not available, and the remedy; error is an errno. */
const char *kernel_tables_advice(int error);
const char *kernel_kcore_advice(int error);
const char *kernel_memslots_advice(int error);

/* Why audit cannot judge here, or NULL.  The errnos are of the tables and KVM's directory. */
const char *kernel_audit_advice(int tables, int memslots, bool has_series);

#endif
