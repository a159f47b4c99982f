/* SPDX-License-Identifier: MIT */
/* How much memory is free, so that a leak shows. */
#ifndef GUEST_FREE_PAGES_H
#define GUEST_FREE_PAGES_H

#include <stdint.h>

/*
 * Pages that are free once caches have returned theirs: clean pages, inodes, slabs, and
 * KASAN's quarantine.  Includes pages on the lists of CPUs, and KASAN's pages for stacks,
 * which only grow, and for shadow of free addresses.  -1, with the reason on stderr, if
 * unknown.
 */
int64_t free_pages(void);

#endif
