// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memslots.h"
#include "page.h"

#define MAX_TEXT (64UL << 20)
#define FIRST_TEXT (16UL << 10)

bool memslots_parse_process(const char *text, pid_t *ret_process)
{
	int end = 0;

	return sscanf(text, "memslots 1 process %d%n", ret_process, &end) == 1 &&
	       text[end] == '\n' && *ret_process >= 0;
}

static int parse_gmem(const char *text, struct memslot *slot)
{
	char way[16], map[16];
	int end = -1;

	if (sscanf(text, "guest_memfd %" SCNu64 " %" SCNx64 " %15s %15s%n", &slot->inode,
		   &slot->offset, way, map, &end) != 4 || end < 0 || text[end])
		return -EPROTO;
	slot->private_only = !strcmp(way, "private");
	slot->no_direct_map = !strcmp(map, "no-direct-map");
	if ((!slot->private_only && strcmp(way, "alone")) ||
	    (!slot->no_direct_map && strcmp(map, "direct-map")) ||
	    slot->offset % page_bytes())
		return -EPROTO;
	slot->backing = BACKED_BY_GMEM;
	return 0;
}

static int parse_line(const char *text, struct memslot *slot)
{
	uint64_t gfn, pages;
	int end = -1;

	*slot = (struct memslot){ 0 };
	if (sscanf(text, "%" SCNu32 " %" SCNd32 " %" SCNx64 " %" SCNx64 " %" SCNx64
		   " %" SCNx64 " %n", &slot->as, &slot->slot, &gfn, &pages, &slot->flags,
		   &slot->addr, &end) != 6 || end < 0)
		return -EPROTO;
	if (!pages || pages > UINT64_MAX / page_bytes() / 2 ||
	    gfn > UINT64_MAX / page_bytes() / 2)
		return -EPROTO;
	slot->gpa = gfn * page_bytes();
	slot->size = pages * page_bytes();
	text += end;
	if (!strcmp(text, "memory"))
		slot->backing = BACKED_BY_PROCESS;
	else if (!strcmp(text, "internal"))
		slot->backing = BACKED_BY_KVM;
	else if (!strcmp(text, "closed"))
		slot->backing = BACKED_BY_NOTHING;
	else
		return parse_gmem(text, slot);
	return 0;
}

static int add_line(struct memslots *slots, const char *line)
{
	/* Grows the array when the number is a power of two: 16, 32, 64... */
	if (slots->nr >= 16 ? !(slots->nr & (slots->nr - 1)) : !slots->nr) {
		size_t space = slots->nr ? 2 * slots->nr : 16;
		void *more = realloc(slots->slot, space * sizeof(*slots->slot));

		if (!more)
			return -ENOMEM;
		slots->slot = more;
	}
	return parse_line(line, &slots->slot[slots->nr++]);
}

int memslots_parse(char *text, struct memslots *ret)
{
	struct memslots slots = { 0 };
	char *line, *rest = text;
	bool whole = false;
	int err = 0;

	if (!memslots_parse_process(text, &slots.process))
		return -EPROTO;
	strsep(&rest, "\n");
	while (!err && !whole && (line = strsep(&rest, "\n"))) {
		whole = !strcmp(line, "end") && rest;
		/* skips a last line that was cut off */
		if (!whole && !rest)
			break;
		if (!whole)
			err = add_line(&slots, line);
	}
	if (!err && !whole)
		err = -ENODATA;
	else if (!err && *rest)
		err = -EPROTO;
	if (err)
		memslots_free(&slots);
	else
		*ret = slots;
	return err;
}

int memslots_read(int fd, struct memslots *ret)
{
	size_t size = 0, space = FIRST_TEXT;
	char *text = malloc(space + 1), *more;
	ssize_t got = 0;
	int err = 0;

	if (!text)
		return -ENOMEM;
	while ((got = read(fd, text + size, space - size)) > 0) {
		size += got;
		if (size < space)
			continue;
		space *= 2;
		more = space > MAX_TEXT ? NULL : realloc(text, space + 1);
		if (!more) {
			err = space > MAX_TEXT ? -EFBIG : -ENOMEM;
			break;
		}
		text = more;
	}
	if (got < 0)
		err = -errno;
	text[size] = 0;
	/* a zero byte would hide the rest of the list */
	if (!err && memchr(text, 0, size))
		err = -EPROTO;
	if (!err)
		err = memslots_parse(text, ret);
	free(text);
	return err;
}

void memslots_free(struct memslots *slots)
{
	free(slots->slot);
	*slots = (struct memslots){ 0 };
}
