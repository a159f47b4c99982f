// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "free_pages.h"
#include "vmstat.h"

/* DEPOT_POOL_ORDER of the kernel */
#define STACK_POOL_PAGES (1 << 2)

static int poke(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, value, strlen(value)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (err)
		fprintf(stderr, "%s: %s\n", file, strerror(-err));
	return err;
}

/* Shrinking a cache is the only way to empty KASAN's quarantine of it. */
static int shrink_slabs(void)
{
	glob_t caches;
	int err = 0;

	if (!glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches))
		for (size_t i = 0; i < caches.gl_pathc && !err; i++)
			err = poke(caches.gl_pathv[i], "1");
	globfree(&caches);
	return err;
}

/* nr_free_pages does not have these. */
static int64_t pages_on_cpus(void)
{
	FILE *zones = fopen("/proc/zoneinfo", "re");
	int64_t count, sum = 0;
	char line[160];

	if (!zones) {
		perror("/proc/zoneinfo");
		return -1;
	}
	while (fgets(line, sizeof(line), zones))
		if (sscanf(line, " count: %" SCNd64, &count) == 1)
			sum += count;
	fclose(zones);
	return sum;
}

/* name: as in /proc/kallsyms */
static bool kernel_has(const char *name)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char line[512], found[256];
	bool has = false;

	if (!symbols)
		return false;
	while (!has && fgets(line, sizeof(line), symbols))
		has = sscanf(line, "%*s %*c %255s", found) == 1 && !strcmp(found, name);
	fclose(symbols);
	return has;
}

/*
 * KASAN has a page of its own for eight pages of vmalloc().  It stays when these are
 * free, until their addresses are reused; no system call frees those.
 */
static int64_t pages_of_shadow(void)
{
	FILE *areas;
	int64_t size, sum = 0;
	char line[512];

	if (!kernel_has("kasan_report"))
		return 0;
	areas = fopen("/proc/vmallocinfo", "re");
	if (!areas)
		return 0;
	while (fgets(line, sizeof(line), areas))
		if (strstr(line, "unpurged") && sscanf(line, "%*s %" SCNd64, &size) == 1)
			sum += size;
	fclose(areas);
	return sum / 8 / sysconf(_SC_PAGESIZE);
}

/*
 * KASAN keeps each new stack of an allocation or of a free for good.  Each injected
 * failure can have its own stack.
 */
static int64_t pages_of_stacks(void)
{
	FILE *stats = fopen("/sys/kernel/debug/stackdepot/stats", "re");
	int64_t pools = 0;

	if (!stats)
		return 0;
	if (fscanf(stats, "pools: %" SCNd64, &pools) != 1)
		pools = 0;
	fclose(stats);
	return pools * STACK_POOL_PAGES;
}

int64_t free_pages(void)
{
	int64_t on_cpus;

	if (poke("/proc/sys/vm/drop_caches", "3") || shrink_slabs() ||
	    poke("/proc/sys/vm/stat_refresh", "1"))
		return -1;
	on_cpus = pages_on_cpus();
	return on_cpus < 0 ? -1 :
	       vmstat("nr_free_pages") + on_cpus + pages_of_stacks() +
	       pages_of_shadow();
}
