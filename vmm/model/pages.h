/* SPDX-License-Identifier: MIT */
/* Tells which pages of a mapping have contents. */
#ifndef OFFMAP_PAGES_H
#define OFFMAP_PAGES_H

#include <stdint.h>

#include "host.h"
#include "vmas.h"

enum page_state {
	/* reads as zeroes, and has no memory */
	PAGE_ABSENT,
	/* of a file: may have contents that are not in the mapping's page tables */
	PAGE_MAYBE,
	/* shows the kernel's page of zeroes, or memory that others share */
	PAGE_SHARED,
	/* has memory of its own */
	PAGE_PRESENT,
};

struct pages {
	const struct ram_vma *vma;
	int pagemap;
	/* the file of the mapping; -1: none, or the caller may not open it */
	int file;
};

/* 0 or -errno */
int pages_open(struct host *host, const struct ram_vma *vma, struct pages *ret_pages);
void pages_close(struct pages *pages);

/* States of nr pages from an address of the mapping on.  0 or -errno. */
int pages_find(const struct pages *pages, uint64_t addr, size_t nr, uint8_t *ret_states);

#endif
