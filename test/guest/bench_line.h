/* SPDX-License-Identifier: MIT */
/*
 * A measurement, and the line of JSON that reports it.  docs/bench.md tells the meaning
 * of the members.
 */
#ifndef GUEST_BENCH_LINE_H
#define GUEST_BENCH_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct bench_reading {
	uint64_t ns;
	/* -1: this kernel does not count it */
	int64_t interrupts;
	int64_t splits;
	int64_t flushes;
	int64_t slow_pages;
	int64_t mermap_flushes;
	int64_t mermap_turns;
};

/* The clock of all readings: CLOCK_MONOTONIC, unless a program sets another. */
extern clockid_t bench_clock;

uint64_t bench_now(void);
struct bench_reading bench_start(void);
void bench_stop(struct bench_reading from, const char *work, const char *kind,
		int round, size_t pages);

/* For main(): no limit to locked memory, and output that is flushed at the end. */
int bench_begin(void);
int bench_end(void);

#endif
