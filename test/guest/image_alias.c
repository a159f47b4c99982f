// SPDX-License-Identifier: MIT
/*
 * image_alias   Prints the frames that the mapping of the kernel's image reaches, and
 *               those of them that the kernel does not own.
 *
 * Freed parts of the kernel's image, and the frames behind it, are memory like any other.
 * They may leave the direct map, and must not have another address then.
 *
 * Exit: 0 the kernel owns all of them, 1 it does not own some, 2 unknown.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kcore.h"
#include "page.h"
#include "ptdump.h"

/* the boot code maps the image with entries of this size */
#define PMD_BYTES ((uint64_t)2 << 20)
/* the bit of /proc/kpageflags for the kernel's PG_reserved */
#define KPF_RESERVED 32

struct image {
	uint64_t start;
	uint64_t end;
	/* the difference between an address and its physical address */
	uint64_t offset;
	int kpageflags;
	uint64_t frames;
	uint64_t others;
};

static int find_image(struct image *image)
{
	struct kcore *kcore;
	uint64_t direct_map;
	int err;

	err = kcore_open(&kcore);
	if (err)
		return err;
	direct_map = kcore_direct_map_offset(kcore);
	err = -ENOENT;
	for (size_t i = 0; i < kcore->nr; i++) {
		const struct kcore_segment *seg = &kcore->segment[i];

		if (seg->addr - seg->phys == direct_map)
			continue;
		image->start = seg->addr & ~(PMD_BYTES - 1);
		image->end = (seg->addr + seg->size + PMD_BYTES - 1) & ~(PMD_BYTES - 1);
		image->offset = seg->addr - seg->phys;
		err = 0;
	}
	kcore_close(kcore);
	return err;
}

static int look_at_frame(struct image *image, uint64_t addr)
{
	uint64_t pfn = (addr - image->offset) / page_bytes(), flags;
	ssize_t got = pread(image->kpageflags, &flags, sizeof(flags),
			    (off_t)(pfn * sizeof(flags)));

	if (got != sizeof(flags))
		return got < 0 ? -errno : -EIO;
	image->frames++;
	if (flags >> KPF_RESERVED & 1)
		return 0;
	if (!image->others++)
		printf("frame %#" PRIx64 " has the address %#" PRIx64
		       " in the mapping of the image, and is not the kernel's\n", pfn, addr);
	return 0;
}

static int look_at_tables(struct image *image, FILE *tables)
{
	struct ptdump_line line;
	char *text = NULL;
	size_t space = 0;
	int err = 0;

	while (!err && getline(&text, &space, tables) > 0) {
		if (!ptdump_parse_line(text, &line) || !line.present)
			continue;
		if (line.start < image->start)
			line.start = image->start;
		if (line.end > image->end)
			line.end = image->end;
		for (uint64_t at = line.start; !err && at < line.end; at += page_bytes())
			err = look_at_frame(image, at);
	}
	if (!err && ferror(tables))
		err = -EIO;
	free(text);
	return err;
}

static int die(const char *what, int err)
{
	fprintf(stderr, "image_alias: %s: %s\n", what, strerror(err));
	return 2;
}

int main(void)
{
	struct image image = { 0 };
	FILE *tables;
	int err;

	err = find_image(&image);
	if (err)
		return die("the kernel's image in /proc/kcore", -err);
	image.kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (image.kpageflags < 0)
		return die("/proc/kpageflags", errno);
	tables = fopen(PTDUMP_FILE, "re");
	if (!tables)
		return die(PTDUMP_FILE, errno);
	err = look_at_tables(&image, tables);
	fclose(tables);
	close(image.kpageflags);
	if (err)
		return die("the frames of the image", -err);
	if (!image.frames)
		return die("the mapping of the image", ENOENT);
	printf("%" PRIu64 " frames, %" PRIu64 " of them not the kernel's\n",
	       image.frames, image.others);
	return image.others != 0;
}
