// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kcore.h"
#include "page.h"
#include "ptdump.h"

#ifdef __aarch64__
#define DIRECT_MAP_MARKER "---[ Linear Mapping start ]---"
#else
#define DIRECT_MAP_MARKER "---[ Low Kernel Mapping ]---"
#endif

/* Markers that can fall on one place. */
#define MAX_MARKERS 8

struct range {
	uint64_t start_pfn;
	uint64_t end_pfn;
};

struct ptdump {
	/* The direct-map address of frame 0; 0: unknown, until the direct map starts. */
	uint64_t origin;
	size_t nr;
	size_t space;
	/* The mapped ranges, in ascending order, as in the dump. */
	struct range *range;
};

static int add_range(struct ptdump *dump, uint64_t start, uint64_t end)
{
	struct range *last = dump->nr ? &dump->range[dump->nr - 1] : NULL;

	/* the binary search relies on this order */
	if (start >= end || (last && start < last->end_pfn))
		return -EPROTO;
	if (last && last->end_pfn == start) {
		last->end_pfn = end;
		return 0;
	}
	if (dump->nr == dump->space) {
		size_t space = dump->space ? 2 * dump->space : 512;
		void *more = realloc(dump->range, space * sizeof(*last));

		if (!more)
			return -ENOMEM;
		dump->range = more;
		dump->space = space;
	}
	dump->range[dump->nr++] = (struct range){ start, end };
	return 0;
}

static int add_line(struct ptdump *dump, const struct ptdump_line *line)
{
	if (!line->present)
		return 0;
	if (line->start < dump->origin || (line->start | line->end) & (page_bytes() - 1))
		return -EPROTO;
	return add_range(dump, (line->start - dump->origin) / page_bytes(),
			 (line->end - dump->origin) / page_bytes());
}

/*
 * On arm64 the direct map starts near the first RAM.  Only the headers of kcore tell its
 * address.
 */
static int find_origin(struct ptdump *dump)
{
#ifdef __aarch64__
	struct kcore *kcore;
	int err = kcore_open(&kcore);

	if (err)
		return err;
	dump->origin = kcore_direct_map_offset(kcore);
	kcore_close(kcore);
#else
	dump->origin = 0;
#endif
	return 0;
}

bool ptdump_parse_line(const char *text, struct ptdump_line *ret)
{
	char *end;

	if (strncmp(text, "0x", 2))
		return false;
	errno = 0;
	ret->start = strtoull(text, &end, 16);
	if (errno || strncmp(end, "-0x", 3))
		return false;
	ret->end = strtoull(end + 1, &end, 16);
	if (errno || ret->end < ret->start)
		return false;
	ret->present = (strstr(end, " RW ") || strstr(end, " ro ")) &&
		       !strstr(end, " F ");
	return true;
}

/* Adds those of the last lines, of nr so far, that are in the direct map. */
static int add_early(struct ptdump *dump, const struct ptdump_line *last, size_t nr,
		     uint64_t base)
{
	int err = 0;

	for (size_t i = nr > MAX_MARKERS ? nr - MAX_MARKERS : 0; !err && i < nr; i++)
		if (last[i % MAX_MARKERS].start >= base)
			err = add_line(dump, &last[i % MAX_MARKERS]);
	return err;
}

/*
 * The direct map goes from its marker to the next marker.  It starts at a multiple of 1
 * GiB and has pages in the first GiB.  The kernel prints at most one marker a line.  If
 * more markers fall on one place, the first lines of the direct map precede its own
 * marker.
 */
static int parse(FILE *file, struct ptdump *dump)
{
	struct ptdump_line now, before[MAX_MARKERS] = { 0 };
	size_t nr = 0;
	uint64_t base = 0;
	bool inside = false;
	char text[512];
	int err = 0;

	while (!err && fgets(text, sizeof(text), file)) {
		if (!strncmp(text, "---[", 4))
			inside = !strncmp(text, DIRECT_MAP_MARKER,
					  strlen(DIRECT_MAP_MARKER));
		if (!ptdump_parse_line(text, &now))
			continue;
		if (inside && !base) {
			base = now.start & ~((1ULL << 30) - 1);
			if (!dump->origin)
				dump->origin = base;
			err = add_early(dump, before, nr, base);
		}
		if (inside && !err)
			err = add_line(dump, &now);
		before[nr++ % MAX_MARKERS] = now;
	}
	if (!err && ferror(file))
		err = -EIO;
	/* a dump without a direct map must not read as "nothing is mapped" */
	return err ? err : dump->nr ? 0 : -EPROTO;
}

int ptdump_read(struct ptdump **ret)
{
	FILE *file = fopen(PTDUMP_FILE, "re");
	struct ptdump *dump;
	int err;

	if (!file)
		return -errno;
	dump = calloc(1, sizeof(*dump));
	err = dump ? find_origin(dump) : -ENOMEM;
	if (!err)
		err = parse(file, dump);
	fclose(file);
	if (err)
		ptdump_free(dump);
	else
		*ret = dump;
	return err;
}

void ptdump_free(struct ptdump *dump)
{
	if (!dump)
		return;
	free(dump->range);
	free(dump);
}

bool ptdump_maps_pfn(const struct ptdump *dump, uint64_t pfn)
{
	size_t low = 0, high = dump->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pfn < dump->range[middle].start_pfn)
			high = middle;
		else if (pfn >= dump->range[middle].end_pfn)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

size_t ptdump_count_mapped(const struct ptdump *dump, const uint64_t *pfns,
			   size_t nr)
{
	size_t mapped = 0;

	for (size_t i = 0; i < nr; i++)
		mapped += ptdump_maps_pfn(dump, pfns[i]);
	return mapped;
}

uint64_t ptdump_count_all(const struct ptdump *dump)
{
	uint64_t mapped = 0;

	for (size_t i = 0; i < dump->nr; i++)
		mapped += dump->range[i].end_pfn - dump->range[i].start_pfn;
	return mapped;
}
