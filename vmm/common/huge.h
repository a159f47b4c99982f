/* SPDX-License-Identifier: MIT */
/* Pages of 2 MiB: the address at which a file must be mapped so that they fit. */
#ifndef OFFMAP_HUGE_H
#define OFFMAP_HUGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#define HUGE_BYTES (2UL << 20)

/* Do an address and an offset agree modulo 2 MiB? */
static inline bool huge_agrees(uint64_t a, uint64_t b)
{
	return !((a ^ b) & (HUGE_BYTES - 1));
}

/* Does a range contain whole aligned 2 MiB? */
static inline bool huge_is_inside(uint64_t start, uint64_t size)
{
	uint64_t first = -start & (HUGE_BYTES - 1);

	return size >= HUGE_BYTES && size - HUGE_BYTES >= first;
}

/*
 * Maps a file shared at an address that agrees with the offset modulo 2 MiB.  If there is
 * no room for that, any address does.
 */
static inline void *huge_map(int fd, uint64_t offset, uint64_t size, int protection)
{
	uint8_t *room, *at;
	void *map;

	room = mmap(NULL, size + HUGE_BYTES, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return mmap(NULL, size, protection, MAP_SHARED, fd, offset);
	at = room + ((offset - (uintptr_t)room) & (HUGE_BYTES - 1));
	map = mmap(at, size, protection, MAP_SHARED | MAP_FIXED, fd, offset);
	if (map == MAP_FAILED) {
		munmap(room, size + HUGE_BYTES);
		return MAP_FAILED;
	}
	if (at > room)
		munmap(room, at - room);
	munmap(at + size, room + HUGE_BYTES - at);
	return map;
}

#endif
