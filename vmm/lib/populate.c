// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/* Bytes mapped at a time, as RLIMIT_AS may be low. */
#define WINDOW (64UL << 20)
#define BOUNCE (256UL << 10)

static int populate_by_write(const struct offmap_mem *mem, uint64_t offset,
			     const uint8_t *data, uint64_t size)
{
	while (size) {
		ssize_t done = pwrite(mem->fd, data, size, offset);

		if (done < 0)
			return -errno;
		if (done == 0)
			return -EIO;
		data += done;
		offset += done;
		size -= done;
	}
	return 0;
}

static int copy_window(const struct offmap_mem *mem, uint64_t offset,
		       const uint8_t *data, uint64_t size)
{
	uint64_t in_page = offset & page_mask();
	uint64_t start = offset - in_page;
	uint64_t length = (in_page + size + page_mask()) & ~page_mask();
	void *window;
	int err;

	/* Here a lack of memory is an error; in a page fault it is a signal. */
	if (fallocate(mem->fd, FALLOC_FL_KEEP_SIZE, start, length))
		return -errno;
	err = offmap_map(mem, NULL, start, length, 0, &window);
	if (err)
		return err;
	memcpy((uint8_t *)window + in_page, data, size);
	munmap(window, length);
	return 0;
}

int offmap_populate(const struct offmap_mem *mem, uint64_t offset,
		    const void *data, uint64_t size)
{
	const uint8_t *from = data;
	int err = 0;

	if (!mem || !range_is_inside(mem, offset, size) || (size && !data))
		return -EINVAL;
	if (mem->features & OFFMAP_CAN_WRITE)
		return populate_by_write(mem, offset, from, size);
	while (!err && size) {
		uint64_t now = WINDOW - offset % WINDOW;

		if (now > size)
			now = size;
		err = copy_window(mem, offset, from, now);
		from += now;
		offset += now;
		size -= now;
	}
	return err;
}

int offmap_populate_fd(const struct offmap_mem *mem, uint64_t offset, int fd,
		       uint64_t size, uint64_t *ret_done)
{
	uint64_t done = 0;
	ssize_t got = 1;
	uint8_t *bounce;
	int err = 0;

	if (!mem || !ret_done || !range_is_inside(mem, offset, size))
		return -EINVAL;
	/* Never reads into the memory itself: some files need to pin pages. */
	bounce = malloc(BOUNCE);
	if (!bounce)
		return -ENOMEM;
	while (!err && got && done < size) {
		got = read(fd, bounce, size - done < BOUNCE ? size - done : BOUNCE);
		if (got < 0)
			err = -errno;
		else
			err = offmap_populate(mem, offset + done, bounce, got);
		done += err ? 0 : got;
	}
	explicit_bzero(bounce, BOUNCE);
	free(bounce);
	/* count the bytes before an error; the next call meets the error again */
	if (done)
		err = 0;
	if (!err)
		*ret_done = done;
	return err;
}
