/* SPDX-License-Identifier: MIT */
/* How much memory is free, such that what leaks is seen in it. */
#ifndef GUEST_FREE_PAGES_H
#define GUEST_FREE_PAGES_H

#include <stdint.h>

/*
 * Pages that are free once caches have given back what they hold: clean pages,
 * inodes, slabs, and what KASAN keeps of what was freed.  With those on the lists
 * of CPUs, those that its stacks take, which only grow, and those of its shadow that
 * are there in vain.  -1, and why on stderr, if it cannot be told.
 */
int64_t free_pages(void);

#endif
