/* SPDX-License-Identifier: MIT */
/*
 * A VM whose memory outside the direct map is populated and punched page by page, at
 * random.
 *
 * Every page that exists carries words made of the file and the index, which are checked
 * whenever the page is chosen.  A new page is zero.  So a page with two owners is found,
 * and so is data of an earlier owner.
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

/* All but the last two return 0; 1 for wrong contents; 2 if unknown.  They print errors. */
/* @flags of guest_memfd, in addition to those that these functions need. */
int random_vm_open(struct random_vm *vm, uint64_t id, size_t nr_pages, uint64_t flags);
/* Populates pages at random until so many exist. */
int random_vm_fill(struct random_vm *vm, size_t live);
/* Punches pages at random until so many exist. */
int random_vm_empty(struct random_vm *vm, size_t live);
/* Chooses so many pages; populates absent pages, and checks or punches others. */
int random_vm_churn(struct random_vm *vm, size_t steps);
/* Checks every page that exists. */
int random_vm_check(struct random_vm *vm);
void random_vm_close(struct random_vm *vm);
uint64_t random_vm_number(struct random_vm *vm, uint64_t below);

#endif
