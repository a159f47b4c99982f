// SPDX-License-Identifier: MIT
/*
 * Memory out of the direct map against the other needs of the machine.
 *
 * pressure hog PERCENT
 *	Touches that part of MemAvailable as anonymous memory, and finds it zero.
 * pressure fragment KIND
 *	Takes most memory as unmovable pages, and frees every other page, so that no
 *	whole block is free.  Most of the free memory can be used as that kind.
 * pressure compact KIND
 *	Takes most memory as movable pages, and frees most of it, so that no whole
 *	block is free.  Memory out of the map comes in blocks nevertheless.
 * pressure churn KIND MIB SECONDS [unlucky]
 *	Makes VMs with that much memory, one after the other.  Each finds its memory
 *	zero, and keeps its own data.  With "unlucky" fault injection with a task
 *	filter hits these VMs, which may find no memory.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown, 4 not on this machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"
#include "vmstat.h"

/* One of so many movable pages stays. */
#define KEPT 16

static int claim(int holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	return !holds;
}

static int hog(unsigned int percent)
{
	size_t pages = meminfo_pages("MemAvailable") * percent / 100;
	int wrong = 0;
	uint8_t *map;

	printf("%zu pages, %" PRId64 " are out of the map, %" PRId64 " of these free\n",
	       pages, vmstat("nr_nodirmap"), vmstat("nr_free_nodirmap"));
	map = mmap(NULL, pages * MEM_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED) {
		perror("pressure: mmap");
		return 2;
	}
	for (size_t i = 0; i < pages; i++) {
		uint64_t *page = (uint64_t *)(map + i * MEM_PAGE);

		wrong |= page[0] || page[MEM_PAGE / 16] ||
			 page[MEM_PAGE / 8 - 1];
		page[0] = i + 1;
	}
	printf("%" PRId64 " are out of the map now, %" PRId64 " of these free\n",
	       vmstat("nr_nodirmap"), vmstat("nr_free_nodirmap"));
	wrong = claim(!wrong, "what was got is zero");
	munmap(map, pages * MEM_PAGE);
	return wrong;
}

/* Checks that all of it is zero, and overwrites it. */
static int use(struct mem *mem, uint64_t seed)
{
	uint64_t *word = (uint64_t *)mem->map;
	size_t words = mem->nr_pages * MEM_PAGE / 8;

	for (size_t i = 0; i < words; i += 64)
		if (word[i])
			return claim(0, "fresh memory is zero");
	for (size_t i = 0; i < words; i += 64)
		word[i] = seed + i;
	for (size_t i = 0; i < words; i += 64)
		if (word[i] != seed + i)
			return claim(0, "memory keeps what was written");
	return 0;
}

static int fragment(const struct mem_kind *kind)
{
	int64_t available = meminfo_pages("MemFree");
	size_t pages = available / 8 * 7;
	struct mem filler, mem;
	int64_t slow;
	int wrong;

	if (available < 0)
		return 2;
	if (mem_open(&filler, mem_kind_by_name("plain"), pages) ||
	    mem_populate(&filler))
		return 2;
	for (size_t i = 0; i < pages; i += 2)
		if (mem_punch(&filler, i, 1))
			return 2;
	slow = vmstat("nodirmap_slow_page");
	available = meminfo_pages("MemFree");
	pages = available * 8 / 10;
	printf("%" PRId64 " pages are free, %zu are asked for\n", available, pages);
	if (mem_open(&mem, kind, pages))
		return 2;
	wrong = use(&mem, 1);
	if (slow >= 0)
		printf("%" PRId64 " of them went the slow way\n",
		       vmstat("nodirmap_slow_page") - slow);
	mem_release(&mem);
	mem_release(&filler);
	return wrong | claim(!wrong, "fragmented memory can be had");
}

/* Small pages: most of a huge page would not be free. */
static uint8_t *movable(size_t pages)
{
	uint8_t *map = mmap(NULL, pages * MEM_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED || madvise(map, pages * MEM_PAGE, MADV_NOHUGEPAGE)) {
		perror("pressure: mmap");
		return NULL;
	}
	for (size_t i = 0; i < pages; i++)
		map[i * MEM_PAGE] = 1;
	for (size_t i = 0; i + KEPT <= pages; i += KEPT)
		if (madvise(map + (i + 1) * MEM_PAGE, (KEPT - 1) * MEM_PAGE,
			    MADV_DONTNEED)) {
			perror("pressure: madvise");
			return NULL;
		}
	return map;
}

/* Needs half of the free memory; far less of it was never in a filler page. */
static int compact(const struct mem_kind *kind)
{
	size_t filler = meminfo_pages("MemFree") / 8 * 7;
	int64_t zapped = vmstat("nodirmap_block_zap");
	int64_t slow = vmstat("nodirmap_slow_page");
	uint8_t *map = movable(filler);
	size_t pages = meminfo_pages("MemFree") / 2;
	struct mem mem;
	int wrong;

	if (MEM_PAGE > 4096) {
		printf("with pages this large there are few blocks, or none\n");
		return 4;
	}
	if (!map || zapped < 0 || mem_open(&mem, kind, pages))
		return 2;
	wrong = use(&mem, 1);
	zapped = vmstat("nodirmap_block_zap") - zapped;
	slow = vmstat("nodirmap_slow_page") - slow;
	printf("%zu pages, %" PRId64 " blocks, %" PRId64 " single pages\n", pages,
	       zapped, slow);
	mem_release(&mem);
	munmap(map, filler * MEM_PAGE);
	wrong |= claim(zapped > 0, "blocks leave the map");
	return wrong | claim(slow <= (int64_t)(pages / 10),
			     "few pages go the slow way");
}

/* A VM that comes and goes: 0, 1, or -errno. */
static int one_vm(const struct mem_kind *kind, size_t pages, uint64_t seed,
		  bool punch)
{
	struct mem mem;
	int wrong = 0;
	int err = mem_open(&mem, kind, pages);

	if (!err)
		wrong = use(&mem, seed);
	if (!err && punch)
		err = mem_punch(&mem, pages / 4, pages / 2);
	mem_release(&mem);
	return err ? err : wrong;
}

/* 0, or 2 if this kernel injects no faults. */
static int set_unlucky(int fd, const char *value)
{
	if (fd >= 0 && pwrite(fd, value, 1, 0) == 1)
		return 0;
	perror("pressure: /proc/self/make-it-fail");
	return 2;
}

static int churn(const struct mem_kind *kind, size_t pages, unsigned int seconds,
		 bool unlucky)
{
	int fd = unlucky ? open("/proc/self/make-it-fail", O_RDWR | O_CLOEXEC) : -1;
	time_t end = time(NULL) + seconds;
	unsigned int rounds = 0, without = 0;
	int ret = 0;

	if (unlucky && set_unlucky(fd, "1"))
		return 2;
	do {
		/* VMs of odd rounds free pages while they live */
		ret = one_vm(kind, pages, ((uint64_t)getpid() << 32) + rounds,
			     rounds % 2 && kind->has_vm);
		rounds += ret >= 0;
		without += ret == -ENOMEM;
		if (ret == -ENOMEM && unlucky)
			ret = 0;
	} while (!ret && time(NULL) < end);
	/* inject no failure into the output below */
	if (unlucky && set_unlucky(fd, "0"))
		return 2;
	printf("%u VMs\n%u more had no memory\n", rounds, without);
	if (ret < 0)
		return 2;
	return claim(!ret, "each VM had its memory to itself");
}

static int usage(void)
{
	fprintf(stderr,
		"usage: pressure hog PERCENT\n"
		"       pressure fragment|compact KIND\n"
		"       pressure churn KIND MIB SECONDS [unlucky]\n"
		"kinds: %s\n", mem_kind_names());
	return 2;
}

int main(int argc, char **argv)
{
	const struct mem_kind *kind;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "hog"))
		return hog(atoi(argv[2]));
	kind = argc >= 3 ? mem_kind_by_name(argv[2]) : NULL;
	if (kind && argc == 3 && !strcmp(argv[1], "fragment"))
		return fragment(kind);
	if (kind && argc == 3 && !strcmp(argv[1], "compact"))
		return compact(kind);
	if (kind && (argc == 5 || (argc == 6 && !strcmp(argv[5], "unlucky"))) &&
	    !strcmp(argv[1], "churn"))
		return churn(kind, (strtoul(argv[3], NULL, 10) << 20) / MEM_PAGE,
			     atoi(argv[4]), argc == 6);
	return usage();
}
