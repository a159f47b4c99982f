/* SPDX-License-Identifier: MIT */
#ifndef OFFMAP_INTERNAL_H
#define OFFMAP_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "offmap.h"
#include "page.h"

struct offmap_mem {
	int fd;
	uint32_t features;
	uint64_t size;
};

static inline uint64_t page_mask(void)
{
	return page_bytes() - 1;
}

/* Is this range, of any alignment, inside the memory? */
static inline bool range_is_inside(const struct offmap_mem *mem,
				   uint64_t offset, uint64_t size)
{
	return offset <= mem->size && size <= mem->size - offset;
}

static inline bool range_is_valid(const struct offmap_mem *mem,
				  uint64_t offset, uint64_t size)
{
	return mem && size && !((offset | size) & page_mask()) &&
	       range_is_inside(mem, offset, size);
}

/* The flags that KVM_CAP_GUEST_MEMFD_FLAGS advertises, or -errno. */
int64_t gmem_flags_of(int vm);

#endif
