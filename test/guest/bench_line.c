// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_line.h"
#include "mem.h"
#include "vmstat.h"

clockid_t bench_clock = CLOCK_MONOTONIC;

/* The line "CAL:" has a column for each CPU; on arm64 there is none. */
static int64_t call_interrupts(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char line[4096];
	int64_t sum = -1;

	if (!file) {
		perror("bench: /proc/interrupts");
		exit(2);
	}
	while (fgets(line, sizeof(line), file)) {
		char *at = line + strspn(line, " "), *end;

		if (strncmp(at, "CAL:", 4))
			continue;
		sum = 0;
		for (at += 4;; at = end) {
			int64_t value = strtoull(at, &end, 10);

			if (end == at)
				break;
			sum += value;
		}
	}
	fclose(file);
	return sum;
}

uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(bench_clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void print_count(const char *name, int64_t from, int64_t to)
{
	if (from < 0 || to < 0)
		printf(",\"%s\":null", name);
	else
		printf(",\"%s\":%" PRId64, name, to - from);
}

/*
 * Reads the clock after the counters at the start, and before them at the end.  So the
 * time does not include reading the counters.
 */
struct bench_reading bench_start(void)
{
	struct bench_reading at = {
		.interrupts = call_interrupts(),
		.splits = vmstat("direct_map_level2_splits"),
		.flushes = vmstat("nodirmap_flush"),
		.slow_pages = vmstat("nodirmap_slow_page"),
		.mermap_flushes = vmstat("mermap_flush"),
		.mermap_turns = vmstat("mermap_turn"),
	};

	at.ns = bench_now();
	return at;
}

void bench_stop(struct bench_reading from, const char *work, const char *kind,
		int round, size_t pages)
{
	uint64_t ns = bench_now() - from.ns;

	printf("{\"work\":\"%s\",\"kind\":\"%s\",\"round\":%d,\"pages\":%zu,\"ns\":%" PRIu64,
	       work, kind, round, pages, ns);
	print_count("interrupts", from.interrupts, call_interrupts());
	print_count("splits", from.splits, vmstat("direct_map_level2_splits"));
	print_count("flushes", from.flushes, vmstat("nodirmap_flush"));
	print_count("slow_pages", from.slow_pages, vmstat("nodirmap_slow_page"));
	print_count("mermap_flushes", from.mermap_flushes, vmstat("mermap_flush"));
	print_count("mermap_turns", from.mermap_turns, vmstat("mermap_turn"));
	puts("}");
}

int bench_begin(void)
{
	return mem_no_limit() ? 2 : 0;
}

int bench_end(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	perror("bench: cannot print");
	return 2;
}
