// SPDX-License-Identifier: MIT
/*
 * faults FUNCTION    Makes that function of the kernel fail while memory out of the
 *                    direct map is allocated, and looks for leftovers.
 *
 * Whatever function fails on the way in, the caller gets ENOMEM.  No page stays out of
 * the direct map, and none leaks.  When the failures have ended the memory can be
 * allocated.  A user who touches such memory meanwhile waits.
 *
 * faults huge        Makes each request for 2 MiB fail.  A file then does without
 *                    large folios for a while, as each attempt compacts memory.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "free_pages.h"
#include "mem.h"
#include "ptdump.h"
#include "vmstat.h"

#define NR_PAGES 64
#define ROUNDS 2000
/* The file takes the return value as an unsigned number. */
#define ENOMEM_RETURNED "0xfffffffffffffff4"
#define FAIL "/sys/kernel/debug/fail_function/"
#define FAIL_PAGES "/sys/kernel/debug/fail_page_alloc/"

#define RANGES 256UL
#define RANGE_PAGES 512UL
/* A file that got no large folio waits so long before the next attempt. */
#define PAUSE_MS 100
/* More than there will be. */
#define TIMES 100000

/* Free pages move in batches of the CPUs; a leak would be ROUNDS. */
#define SLACK (ROUNDS / 2)

static int put(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, value, strlen(value)) ==
			     (ssize_t)strlen(value);

	if (!ok)
		printf("%s: %s\n", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok ? 0 : 2;
}

/*
 * times -1 is without end, 0 is never.  It fails for all tasks: fault injection does not
 * know the task in a kprobe, by which a function is made to fail.
 */
static int fail(const char *times)
{
	return put(FAIL "times", times);
}

static int prepare(const char *function)
{
	char retval[128];

	snprintf(retval, sizeof(retval), FAIL "%s/retval", function);
	return put(FAIL "inject", function) || put(retval, ENOMEM_RETURNED) ||
	       put(FAIL "probability", "100") || put(FAIL "interval", "0") ||
	       put(FAIL "verbose", "0") || fail("0") ? 2 : 0;
}

static int claim(bool holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	return !holds;
}

/* The number of pages that the direct map has; or -1. */
static long mapped_pages(void)
{
	uint64_t top = sysconf(_SC_PHYS_PAGES) * 2;
	struct ptdump *dump;
	long mapped = 0;

	if (ptdump_read(&dump))
		return -1;
	for (uint64_t pfn = 0; pfn < top; pfn++)
		mapped += ptdump_maps_pfn(dump, pfn);
	ptdump_free(dump);
	return mapped;
}

static int allocate(const struct mem *mem)
{
	return fallocate(mem->vm.gmem, FALLOC_FL_KEEP_SIZE, 0,
			 NR_PAGES * MEM_PAGE) ? errno : 0;
}

static bool all_zero(const struct mem *mem)
{
	for (size_t i = 0; i < NR_PAGES * MEM_PAGE; i++)
		if (mem->map[i])
			return false;
	return true;
}

static int check(struct mem *mem)
{
	int64_t free_before, free_after;
	long mapped_before;
	int other = 0, wrong;

	free_before = free_pages();
	mapped_before = mapped_pages();
	if (free_before < 0 || mapped_before < 0 || fail("-1"))
		return 2;
	for (int i = 0; i < ROUNDS; i++)
		other |= allocate(mem) != ENOMEM;
	if (fail("0"))
		return 2;
	free_after = free_pages();
	if (free_after < 0)
		return 2;
	printf("free pages: %" PRId64 " before, %" PRId64 " after\n", free_before,
	       free_after);
	wrong = claim(!other, "each attempt fails with ENOMEM");
	wrong |= claim(free_before - free_after < SLACK, "nothing leaks");
	wrong |= claim(mapped_pages() == mapped_before,
		       "nothing stays out of the direct map");
	if (fail("5"))
		return 2;
	wrong |= claim(all_zero(mem), "a touch outlasts failures, and reads zeroes");
	if (fail("0"))
		return 2;
	wrong |= claim(!allocate(mem), "the memory is to be had afterwards");
	wrong |= claim(mapped_pages() == mapped_before - NR_PAGES,
		       "and is out of the direct map");
	return wrong;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int prepare_pages(void)
{
	return put(FAIL_PAGES "min-order", "9") || put(FAIL_PAGES "ignore-gfp-wait", "N") ||
	       put(FAIL_PAGES "ignore-gfp-highmem", "N") ||
	       put(FAIL_PAGES "probability", "100") || put(FAIL_PAGES "interval", "0") ||
	       put(FAIL_PAGES "verbose", "0") ? 2 : 0;
}

/* How many requests have failed; or -1. */
static long failures(void)
{
	FILE *file = fopen(FAIL_PAGES "times", "re");
	long left = -1;

	if (!file || fscanf(file, "%ld", &left) != 1)
		printf("%stimes cannot be read\n", FAIL_PAGES);
	if (file)
		fclose(file);
	return left < 0 ? -1 : TIMES - left;
}

/* Touches a page of each range. */
static void touch(const struct mem *mem, size_t page)
{
	for (size_t i = 0; i < RANGES; i++)
		*(volatile uint8_t *)(mem->map + (i * RANGE_PAGES + page) * MEM_PAGE) = 1;
}

static int check_huge(const struct mem *mem)
{
	long start, elapsed, failed, again;
	char times[16];

	snprintf(times, sizeof(times), "%d", TIMES);
	if (put(FAIL_PAGES "times", times))
		return 2;
	start = now_ms();
	touch(mem, 0);
	elapsed = now_ms() - start;
	failed = failures();

	/* These would be asked for now, if they had no page. */
	usleep(2 * PAUSE_MS * 1000);
	touch(mem, 1);
	again = failures();
	if (put(FAIL_PAGES "times", "0") || failed < 0 || again < 0)
		return 2;
	printf("%lu ranges of 2 MiB in %ld ms: %ld requests failed, %ld of ranges with a page\n",
	       RANGES, elapsed, failed, again - failed);
	return claim(failed > 0, "a large folio is asked for, and fails") |
	       claim(failed <= elapsed / PAUSE_MS + 2, "the next attempt waits") |
	       claim(again == failed, "none is asked for where there is a page");
}

static int run_huge(void)
{
	struct mem mem;
	int status;

	if (prepare_pages() || mem_open(&mem, mem_kind_by_name("plain_huge"),
					RANGES * RANGE_PAGES))
		return 2;
	status = check_huge(&mem);
	return mem_close(&mem) ? 2 : status;
}

int main(int argc, char **argv)
{
	struct mem mem;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: faults FUNCTION|huge\n");
		return 2;
	}
	if (!strcmp(argv[1], "huge"))
		return run_huge();
	if (prepare(argv[1]) ||
	    mem_open(&mem, mem_kind_by_name("gmem_mmap"), NR_PAGES))
		return 2;
	status = check(&mem);
	put(FAIL "inject", "");
	return mem_close(&mem) ? 2 : status;
}
