// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slots.h"

#define MAX_TEXT (16UL << 20)

static const char *const names[NR_SLOT_KINDS] = {
	[SLOT_PROTECTED] = "protected",
	[SLOT_PLAIN] = "plain",
	[SLOT_ROM] = "rom",
	[SLOT_WINDOW] = "window",
	[SLOT_UNKNOWN] = "mapping",
};

const char *slot_kind_name(enum slot_kind kind)
{
	return names[kind];
}

static int parse_line(const char *line, struct slot_line *ret)
{
	char kind[16];
	int end = -1;

	if (sscanf(line, "%d %" SCNu32 " %" SCNx64 " %" SCNx64 " %" SCNx64
		   " %15s %d %" SCNx64 "%n", &ret->vm_fd, &ret->slot, &ret->gpa,
		   &ret->size, &ret->addr, kind, &ret->gmem_fd,
		   &ret->gmem_offset, &end) != 8 || end < 0 || line[end])
		return -EPROTO;
	if (!ret->size || (ret->gpa | ret->size | ret->addr | ret->gmem_offset) & 4095)
		return -EPROTO;
	for (ret->kind = 0; ret->kind < SLOT_UNKNOWN; ret->kind++)
		if (!strcmp(kind, names[ret->kind]))
			return 0;
	return -EPROTO;
}

/* Cuts the last line off; it has to have the number of the first. */
static int check_whole(char *text)
{
	unsigned long long first, last;
	char *end = strstr(text, "\nend ");

	if (sscanf(text, "offmap-slots 1 %llu", &first) != 1)
		return -EPROTO;
	if (!end || sscanf(end, "\nend %llu", &last) != 1 || first != last)
		return -EAGAIN;
	*end = 0;
	return 0;
}

int slots_parse(char *text, struct slot_line **ret_slots, size_t *ret_nr)
{
	struct slot_line *slots = NULL, *more;
	char *line, *rest = text;
	size_t nr = 0;
	int err;

	err = check_whole(text);
	if (err)
		return err;
	strsep(&rest, "\n");
	while (!err && (line = strsep(&rest, "\n"))) {
		more = realloc(slots, (nr + 1) * sizeof(*slots));
		if (!more) {
			err = -ENOMEM;
			break;
		}
		slots = more;
		err = parse_line(line, &slots[nr++]);
	}
	if (err) {
		free(slots);
		return err;
	}
	*ret_slots = slots;
	*ret_nr = nr;
	return 0;
}

int slots_read(int fd, struct slot_line **ret_slots, size_t *ret_nr)
{
	struct stat st;
	ssize_t got;
	char *text;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size > (off_t)MAX_TEXT)
		return -EFBIG;
	text = calloc(1, st.st_size + 1);
	if (!text)
		return -ENOMEM;
	got = pread(fd, text, st.st_size, 0);
	err = got < 0 ? -errno : slots_parse(text, ret_slots, ret_nr);
	free(text);
	return err;
}
