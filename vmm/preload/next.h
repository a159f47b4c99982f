/* SPDX-License-Identifier: MIT */
/*
 * The functions that the shim stands in front of, as libc (or the next
 * preloaded library) has them.
 */
#ifndef OFFMAP_NEXT_H
#define OFFMAP_NEXT_H

#include <stddef.h>
#include <sys/types.h>

struct next {
	int (*ioctl)(int fd, unsigned long request, ...);
	void *(*mmap)(void *addr, size_t size, int prot, int flags, int fd,
		      off_t offset);
	int (*munmap)(void *addr, size_t size);
	void *(*mremap)(void *addr, size_t old_size, size_t new_size, int flags, ...);
	int (*madvise)(void *addr, size_t size, int advice);
	int (*close)(int fd);
};

/* Found at the first call, from whatever constructor that comes. */
const struct next *next(void);

#endif
