/* SPDX-License-Identifier: MIT */
/*
 * Memory whose pages the kernel clears through the mermap of the process that touches and
 * frees them.  It is memfd_secret, which is the simplest to get.
 */
#ifndef GUEST_MERMAP_USE_H
#define GUEST_MERMAP_USE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Returns new memory, or NULL after a message.  The file is closed already.  Unmapping
 * the memory frees the pages, and so does exit, after the process has lost its address
 * space.
 */
uint64_t *secret_map(size_t nr_pages);
void secret_unmap(uint64_t *map, size_t nr_pages);

/* Is it all zero, as new memory must be? */
int is_zero(const uint64_t *map, size_t nr_pages);

/* Maps, touches and frees that many pages.  0, or 1 after a message. */
int secret_use(size_t nr_pages);

#endif
