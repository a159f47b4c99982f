/* SPDX-License-Identifier: MIT */
/*
 * A VM whose memory outside the direct map comes and goes page by page, at random.
 *
 * Every page that is there carries words made of the file and the index, which are
 * checked whenever the page is chosen.  A page is zero when it comes.  So a page
 * that has two owners is found, and what an earlier owner left in one.
 */
#ifndef GUEST_RANDOM_VM_H
#define GUEST_RANDOM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tiny_vm.h"

/* Of a file, random_vm_churn() keeps three quarters populated. */
#define RANDOM_VM_LIVE(nr_pages) ((nr_pages) / 4 * 3)
#define RANDOM_VM_PAGES(live) ((live) / 3 * 4)

struct random_vm {
	struct tiny_vm vm;
	size_t nr_pages;
	/* How many pages of the file are populated, and which. */
	size_t live;
	bool *is_there;
	/* Makes the words of this file differ from those of others. */
	uint64_t id;
	uint64_t random;
};

/*
 * All but the last two return 0; 1 for contents that are wrong; 2 if it cannot be
 * told.  They print what went wrong.
 */
/* @flags of guest_memfd, besides those that the functions below need. */
int random_vm_open(struct random_vm *vm, uint64_t id, size_t nr_pages, uint64_t flags);
/* Populates pages at random until so many are there. */
int random_vm_fill(struct random_vm *vm, size_t live);
/* Punches pages at random until so many are there. */
int random_vm_empty(struct random_vm *vm, size_t live);
/* Looks at so many pages; populates those that are not there, punches some others. */
int random_vm_churn(struct random_vm *vm, size_t steps);
/* Looks at every page that is there. */
int random_vm_check(struct random_vm *vm);
void random_vm_close(struct random_vm *vm);
uint64_t random_vm_number(struct random_vm *vm, uint64_t below);

#endif
