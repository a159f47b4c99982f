/* SPDX-License-Identifier: MIT */
#ifndef GUEST_PAGEMAP_H
#define GUEST_PAGEMAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The page frame of a process at an address, where a page must be mapped.  0 or -errno:
 * ENOENT if no page is mapped there, EPERM if the kernel hides frame numbers
 * (CAP_SYS_ADMIN is missing).
 */
int pagemap_pfn_of(pid_t pid, uint64_t addr, uint64_t *ret_pfn);

/* As pagemap_pfn_of(), for this process. */
int pagemap_pfn(const volatile void *addr, uint64_t *ret_pfn);

/* The frames of nr pages in a row. */
int pagemap_pfns(const volatile void *addr, size_t nr, uint64_t *ret_pfns);

/* How many of nr pages in a row are mapped by large entries; 0 if it cannot be told. */
size_t pagemap_count_huge(const volatile void *addr, size_t nr);

#endif
