// SPDX-License-Identifier: MIT
/*
 * faults FUNCTION    Makes that function of the kernel fail while memory out of the
 *                    direct map is allocated, and looks for leftovers.
 *
 * Whatever function fails on the way in, the caller gets ENOMEM.  No page stays out of
 * the direct map, and none leaks.  When the failures have ended the memory can be
 * allocated.  A user who touches such memory meanwhile waits.
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

int main(int argc, char **argv)
{
	struct mem mem;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: faults FUNCTION\n");
		return 2;
	}
	if (prepare(argv[1]) ||
	    mem_open(&mem, mem_kind_by_name("gmem_mmap"), NR_PAGES))
		return 2;
	status = check(&mem);
	put(FAIL "inject", "");
	return mem_close(&mem) ? 2 : status;
}
