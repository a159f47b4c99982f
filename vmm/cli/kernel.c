// SPDX-License-Identifier: MIT
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"

#ifdef __aarch64__
#define TABLES_FILE "/sys/kernel/debug/kernel_page_tables"
#define DIRECT_MAP "---[ Linear Mapping start ]---"
#else
#define TABLES_FILE "/sys/kernel/debug/page_tables/kernel"
#define DIRECT_MAP "---[ Low Kernel Mapping ]---"
#endif
#define ENTRY_GIB (1ULL << 30)

struct range {
	uint64_t start_pfn;
	uint64_t end_pfn;
};

struct kernel_tables {
	size_t nr;
	size_t space;
	/* What is mapped, ascending. */
	struct range *range;
};

struct segment {
	uint64_t addr;
	uint64_t phys;
	uint64_t size;
	off_t offset;
};

struct kernel_core {
	int fd;
	size_t nr;
	struct segment *segment;
};

static int add_range(struct kernel_tables *tables, uint64_t start, uint64_t end)
{
	struct range *last = tables->nr ? &tables->range[tables->nr - 1] : NULL;

	if (last && last->end_pfn == start) {
		last->end_pfn = end;
		return 0;
	}
	if (tables->nr == tables->space) {
		size_t space = tables->space ? 2 * tables->space : 512;
		void *more = realloc(tables->range, space * sizeof(*last));

		if (!more)
			return -ENOMEM;
		tables->range = more;
		tables->space = space;
	}
	tables->range[tables->nr++] = (struct range){ start, end };
	return 0;
}

/*
 * "0xSTART-0xEND SIZE [ATTRIBUTES] LEVEL": what is present is either RW or
 * ro, what is not is neither.  On arm64 what was present may have an F as well.
 */
bool kernel_parse_range(const char *line, uint64_t *ret_start,
			uint64_t *ret_end, bool *ret_present)
{
	char *end;

	if (strncmp(line, "0x", 2))
		return false;
	errno = 0;
	*ret_start = strtoull(line, &end, 16);
	if (errno || strncmp(end, "-0x", 3))
		return false;
	*ret_end = strtoull(end + 1, &end, 16);
	if (errno || *ret_end < *ret_start)
		return false;
	*ret_present = (strstr(end, " RW ") || strstr(end, " ro ")) &&
		       !strstr(end, " F ");
	return true;
}

/*
 * The direct map starts at a multiple of 1 GiB, at its marker.  One marker is
 * printed a line at most: when two are due, the first range of the direct map
 * stands before its own.  origin is the address of frame 0; if it is 0, that is where
 * the direct map starts.
 */
static int parse_tables(FILE *file, struct kernel_tables *tables, uint64_t origin)
{
	const uint64_t page = page_bytes();
	uint64_t start, end, base = 0, before_start = 0, before_end = 0;
	bool inside = false, present, before = false;
	char line[512];
	int err = 0;

	while (!err && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "---[", 4))
			inside = !strncmp(line, DIRECT_MAP, strlen(DIRECT_MAP));
		if (!kernel_parse_range(line, &start, &end, &present))
			continue;
		if (inside && !base) {
			base = start & ~(ENTRY_GIB - 1);
			if (!origin)
				origin = base;
			if (before && before_start >= base)
				err = add_range(tables, (before_start - origin) / page,
						(before_end - origin) / page);
		}
		if (inside && present && !err)
			err = add_range(tables, (start - origin) / page,
					(end - origin) / page);
		before = present;
		before_start = start;
		before_end = end;
	}
	if (!err && ferror(file))
		err = -EIO;
	/* a dump without a direct map must not read as "nothing is mapped" */
	return err ? err : tables->nr ? 0 : -EPROTO;
}

static void tables_free(struct kernel_tables *tables)
{
	if (tables)
		free(tables->range);
	free(tables);
}

/*
 * On arm64 the direct map starts near the first RAM, with an address that only
 * the headers of kcore tell.  The kernel's image, which is in there as well, has
 * higher addresses.
 */
static int find_origin(const struct kernel_core *core, uint64_t *ret)
{
	*ret = 0;
#ifdef __aarch64__
	const struct segment *lowest;

	if (!core)
		return -EPROTO;
	lowest = &core->segment[0];
	for (size_t i = 1; i < core->nr; i++)
		if (core->segment[i].addr < lowest->addr)
			lowest = &core->segment[i];
	*ret = lowest->addr - lowest->phys;
#else
	(void)core;
#endif
	return 0;
}

static int open_tables(const struct kernel_core *core, struct kernel_tables **ret)
{
	FILE *file = fopen(TABLES_FILE, "re");
	struct kernel_tables *tables;
	uint64_t origin;
	int err;

	if (!file)
		return -errno;
	tables = calloc(1, sizeof(*tables));
	err = tables ? find_origin(core, &origin) : -ENOMEM;
	if (!err)
		err = parse_tables(file, tables, origin);
	fclose(file);
	if (err)
		tables_free(tables);
	else
		*ret = tables;
	return err;
}

static void core_free(struct kernel_core *core)
{
	if (!core)
		return;
	if (core->fd >= 0)
		close(core->fd);
	free(core->segment);
	free(core);
}

/* RAM is what has a physical address; all else says -1. */
static int read_segments(struct kernel_core *core)
{
	Elf64_Ehdr header;
	Elf64_Phdr ph;

	if (pread(core->fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG))
		return -EPROTO;
	core->segment = calloc(header.e_phnum, sizeof(*core->segment));
	if (!core->segment)
		return -ENOMEM;
	for (int i = 0; i < header.e_phnum; i++) {
		off_t at = header.e_phoff + (off_t)i * sizeof(ph);

		if (pread(core->fd, &ph, sizeof(ph), at) != sizeof(ph))
			return -EPROTO;
		if (ph.p_type == PT_LOAD && ph.p_paddr != (Elf64_Addr)-1)
			core->segment[core->nr++] = (struct segment){
				ph.p_vaddr, ph.p_paddr, ph.p_memsz, ph.p_offset
			};
	}
	return core->nr ? 0 : -EPROTO;
}

static int open_core(struct kernel_core **ret)
{
	struct kernel_core *core = calloc(1, sizeof(*core));
	int err;

	if (!core)
		return -ENOMEM;
	core->fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	err = core->fd < 0 ? -errno : read_segments(core);
	if (err)
		core_free(core);
	else
		*ret = core;
	return err;
}

void kernel_view_open(struct kernel_view *ret_view)
{
	*ret_view = (struct kernel_view){ 0 };
	ret_view->kcore_error = -open_core(&ret_view->core);
	ret_view->has_kcore = !ret_view->kcore_error;
	ret_view->tables_error = -open_tables(ret_view->core, &ret_view->tables);
	ret_view->has_tables = !ret_view->tables_error;
}

void kernel_view_close(struct kernel_view *view)
{
	tables_free(view->tables);
	core_free(view->core);
	*view = (struct kernel_view){ 0 };
}

bool kernel_maps(const struct kernel_view *view, uint64_t pfn)
{
	const struct kernel_tables *tables = view->tables;
	size_t low = 0, high = tables->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pfn < tables->range[middle].start_pfn)
			high = middle;
		else if (pfn >= tables->range[middle].end_pfn)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

int kernel_reads(const struct kernel_view *view, uint64_t pfn,
		 uint8_t *ret_page)
{
	const struct kernel_core *core = view->core;
	uint64_t size = page_bytes(), phys = pfn * size;

	for (size_t i = 0; i < core->nr; i++) {
		const struct segment *s = &core->segment[i];
		ssize_t got;

		if (phys < s->phys || phys - s->phys >= s->size)
			continue;
		got = pread(core->fd, ret_page, size, s->offset + (phys - s->phys));
		return got == (ssize_t)size ? 0 : got < 0 ? -errno : -EIO;
	}
	return -ENXIO;
}
