// SPDX-License-Identifier: MIT
/* Tells which pages exist, and where they are mapped. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "internal.h"

/* Bytes mapped at a time, as RLIMIT_AS may be low. */
#define WINDOW (1UL << 30)

/*
 * To a process that neither owns the file nor may write it, mincore() says that all pages
 * exist.  Behind the end of the file there is none.
 */
static int check_trust(const struct offmap_mem *mem)
{
	unsigned char is_there = 0;
	void *behind = mmap(NULL, page_bytes(), PROT_READ, MAP_SHARED, mem->fd, mem->size);
	int err = 0;

	if (behind == MAP_FAILED)
		return -errno;
	if (mincore(behind, page_bytes(), &is_there))
		err = -errno;
	munmap(behind, page_bytes());
	return err ? err : is_there & 1 ? -EPERM : 0;
}

static int present_in_window(const struct offmap_mem *mem, uint64_t offset, uint64_t size,
			     uint8_t *ret_pages)
{
	void *window = mmap(NULL, size, PROT_READ, MAP_SHARED, mem->fd, offset);
	int err = 0;

	if (window == MAP_FAILED)
		return -errno;
	if (mincore(window, size, ret_pages))
		err = -errno;
	munmap(window, size);
	for (uint64_t i = 0; !err && i < size / page_bytes(); i++)
		ret_pages[i] &= 1;
	return err;
}

int offmap_present(const struct offmap_mem *mem, uint64_t offset, uint64_t size,
		   uint8_t *ret_pages)
{
	int err;

	if (!ret_pages || !range_is_valid(mem, offset, size))
		return -EINVAL;
	err = check_trust(mem);
	while (!err && size) {
		uint64_t now = size < WINDOW ? size : WINDOW;

		err = present_in_window(mem, offset, now, ret_pages);
		ret_pages += now / page_bytes();
		offset += now;
		size -= now;
	}
	return err;
}

struct mapping {
	uint64_t start, end, offset, inode;
	unsigned int major, minor;
};

static bool parse(const char *line, struct mapping *ret)
{
	return sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4c %" SCNx64 " %x:%x %" SCNu64,
		      &ret->start, &ret->end, &ret->offset, &ret->major, &ret->minor,
		      &ret->inode) == 6;
}

int offmap_locate(const struct offmap_mem *mem, const void *addr, uint64_t *ret_offset,
		  uint64_t *ret_size)
{
	uint64_t at = (uintptr_t)addr;
	size_t space = 0;
	char *line = NULL;
	struct mapping map;
	int err = -ENOENT;
	struct stat st;
	FILE *file;

	if (!mem || !addr || !ret_offset || !ret_size)
		return -EINVAL;
	if (fstat(mem->fd, &st))
		return -errno;
	file = fopen("/proc/self/maps", "re");
	if (!file)
		return -errno;
	while (err == -ENOENT && getline(&line, &space, file) > 0) {
		if (!parse(line, &map) || at < map.start || at >= map.end)
			continue;
		if (map.inode != (uint64_t)st.st_ino ||
		    map.major != major(st.st_dev) || map.minor != minor(st.st_dev))
			break;
		*ret_offset = map.offset + (at - map.start);
		*ret_size = map.end - at;
		err = 0;
	}
	free(line);
	fclose(file);
	return err;
}
