/* SPDX-License-Identifier: MIT */
/*
 * The direct map as the kernel's own dump of its page tables in debugfs shows it
 * (CONFIG_PTDUMP_DEBUGFS).
 */
#ifndef OFFMAP_PTDUMP_H
#define OFFMAP_PTDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the direct map starts, on arm64 only the headers of kcore tell. */
#ifdef __aarch64__
#define PTDUMP_FILE "/sys/kernel/debug/kernel_page_tables"
#define PTDUMP_NEEDS_KCORE true
#else
#define PTDUMP_FILE "/sys/kernel/debug/page_tables/kernel"
#define PTDUMP_NEEDS_KCORE false
#endif

struct ptdump;

/*
 * Reads the dump as it is now.  0 or -errno; EPROTO if the dump shows no direct map, or
 * no mapped page in it.
 */
int ptdump_read(struct ptdump **ret);
void ptdump_free(struct ptdump *dump);

/* Does the direct map have a present entry for this page frame? */
bool ptdump_maps_pfn(const struct ptdump *dump, uint64_t pfn);

/* How many of these frames the direct map has. */
size_t ptdump_count_mapped(const struct ptdump *dump, const uint64_t *pfns,
			   size_t nr);

/* How many page frames the direct map has. */
uint64_t ptdump_count_all(const struct ptdump *dump);

/*
 * "0xSTART-0xEND SIZE [ATTRIBUTES] LEVEL": a present entry has RW or ro, any other entry
 * has neither.  On arm64 an entry that was present may have an F as well.
 */
struct ptdump_line {
	uint64_t start;
	uint64_t end;
	bool present;
};

/* Returns false for every other line of the dump. */
bool ptdump_parse_line(const char *text, struct ptdump_line *ret);

#endif
