/* SPDX-License-Identifier: MIT */
/*
 * One handle for the kinds of memory that the tests compare.  A kind is out of the
 * direct map, and has a control, which is in it.
 */
#ifndef GUEST_MEM_H
#define GUEST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "page.h"
#include "tiny_vm.h"

#define MEM_PAGE page_bytes()

struct mem_kind {
	const char *name;
	bool is_protected;
	/* Is it memory of a guest? */
	bool has_vm;
	/* The flags of tiny_vm_create(). */
	uint64_t flags;
};

struct mem {
	const struct mem_kind *kind;
	size_t nr_pages;
	struct tiny_vm vm;
	int fd;
	/* NULL for memory that user space cannot map. */
	uint8_t *map;
};

const struct mem_kind *mem_kind_by_name(const char *name);
/* The names, with blanks between them. */
const char *mem_kind_names(void);

/* These print what went wrong and return 0 or -errno. */
int mem_open(struct mem *mem, const struct mem_kind *kind, size_t nr_pages);
/* Lifts the limit to locked memory, as memfd_secret accounts each touched page. */
int mem_no_limit(void);
/* Allocates every page; a page that can be mapped gets contents. */
int mem_populate(struct mem *mem);
/* Stores the secret at the start of a page; the guest does so if there is one. */
int mem_plant(struct mem *mem, const struct secret *secret, size_t page);
int mem_pfns(const struct mem *mem, uint64_t *ret_pfns);
int mem_punch(struct mem *mem, size_t page, size_t nr_pages);

/* Closes. */
void mem_release(struct mem *mem);

/*
 * Closes the memory, which frees all pages.  Drains the per-CPU batches, which would keep
 * some of them allocated.
 */
int mem_close(struct mem *mem);

#endif
