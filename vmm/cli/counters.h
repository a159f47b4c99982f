/* SPDX-License-Identifier: MIT */
/* The kernel's counters of memory outside the direct map, from /proc/vmstat. */
#ifndef OFFMAP_COUNTERS_H
#define OFFMAP_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

enum counter_id {
	COUNTER_OUT,		/* out of the direct map, free or in use */
	COUNTER_HOLES,		/* of these, in a file's blocks and not in the file */
	COUNTER_FREE,		/* of these, free for any such file */
	COUNTER_FREE_BLOCKS,	/* of those, in blocks that are wholly free */
	COUNTER_ZAPS,
	COUNTER_RETURNS,
	COUNTER_FAILURES,
	COUNTER_FLUSHES,
	COUNTER_SLOW_PAGES,
	NR_COUNTERS,
};

struct counter {
	/* in /proc/vmstat */
	const char *kernel_name;
	/* in JSON; with offmap_ and _bytes or _total around it in Prometheus */
	const char *name;
	const char *help;
	/* a number of pages at this moment; else events since boot */
	bool is_gauge;
};

extern const struct counter counters[NR_COUNTERS];

struct counter_values {
	/* Gauges in bytes. */
	uint64_t value[NR_COUNTERS];
	/* Does the kernel have this counter? */
	bool known[NR_COUNTERS];
};

/* Do blocks leave the direct map as a whole? */
enum fast_path {
	FAST_PATH_ON,
	FAST_PATH_OFF,
	FAST_PATH_UNUSED,	/* no block has left the map since boot */
};

/*
 * Reads the counters from a file in the format of /proc/vmstat.  0 or -errno; ENODATA if
 * the file has none of them.
 */
int counters_read(const char *vmstat, struct counter_values *ret);

const char *fast_path_name(enum fast_path path);

enum fast_path fast_path_of(const struct counter_values *values);

#endif
