// SPDX-License-Identifier: MIT
/*
 * What memory costs, kind by kind and turn by turn: populating it, and giving
 * it back.  A line of JSON for each measurement:
 *
 *   {"work":"touch","kind":"plain","round":0,"pages":131072,"ns":...,
 *    "interrupts":...,"splits":...}
 *
 * work: touch (first touch through the user mapping), fault (KVM maps it into
 * a guest, KVM_PRE_FAULT_MEMORY), punch (fallocate of the whole), close (of
 * populated memory).  ns: for all pages; under -icount, instructions.
 * interrupts: between CPUs, to call functions; a broadcast TLB flush is one for
 * each other CPU, and the kernel's counters of TLB flushes do not see those of
 * kernel addresses.  splits: of 2 MiB entries of the direct map.  Counters are
 * the whole machine's; nothing else runs on it.
 *
 * bench MIB ROUNDS KIND...
 *
 * Exit: 0; 2 when a kind of memory cannot be had.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "mem.h"
#include "vmstat.h"

struct reading {
	uint64_t ns;
	uint64_t interrupts;
	uint64_t splits;
};

/* The line "CAL:" has a column for each CPU. */
static uint64_t call_interrupts(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char line[4096];
	uint64_t sum = 0;

	if (!file) {
		perror("bench: /proc/interrupts");
		exit(2);
	}
	while (fgets(line, sizeof(line), file)) {
		char *at = line + strspn(line, " "), *end;

		if (strncmp(at, "CAL:", 4))
			continue;
		for (at += 4;; at = end) {
			uint64_t value = strtoull(at, &end, 10);

			if (end == at)
				break;
			sum += value;
		}
	}
	fclose(file);
	return sum;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* The clock is read last and first: the counters are not what is measured. */
static struct reading start(void)
{
	struct reading at = {
		.interrupts = call_interrupts(),
		.splits = vmstat("direct_map_level2_splits"),
	};

	at.ns = now_ns();
	return at;
}

static void stop(struct reading from, const char *work, const char *kind,
		 int round, size_t pages)
{
	uint64_t ns = now_ns() - from.ns;

	printf("{\"work\":\"%s\",\"kind\":\"%s\",\"round\":%d,\"pages\":%zu,\"ns\":%" PRIu64
	       ",\"interrupts\":%" PRIu64 ",\"splits\":%" PRIu64 "}\n",
	       work, kind, round, pages, ns,
	       call_interrupts() - from.interrupts,
	       vmstat("direct_map_level2_splits") - from.splits);
}

static int one(const struct mem_kind *kind, size_t pages, int round)
{
	struct reading from;
	struct mem mem;
	int err;

	err = mem_open(&mem, kind, pages);
	if (err)
		goto out;

	from = start();
	err = mem_populate(&mem);
	if (err)
		goto out;
	stop(from, mem.map ? "touch" : "fault", kind->name, round, pages);

	if (kind->is_guest_memfd) {
		from = start();
		err = mem_punch(&mem, 0, pages);
		if (err)
			goto out;
		stop(from, "punch", kind->name, round, pages);

		err = mem_populate(&mem);
		if (err)
			goto out;
	}

	from = start();
	mem_release(&mem);
	stop(from, "close", kind->name, round, pages);
	return 0;
out:
	mem_release(&mem);
	return err;
}

int main(int argc, char **argv)
{
	/* memfd_secret accounts for each page as it is touched */
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	size_t pages;
	int rounds;

	if (argc < 4) {
		fprintf(stderr, "usage: bench MIB ROUNDS KIND...\nkinds: %s\n",
			mem_kind_names());
		return 2;
	}
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited)) {
		perror("bench: RLIMIT_MEMLOCK");
		return 2;
	}
	pages = strtoul(argv[1], NULL, 10) << 8;
	rounds = atoi(argv[2]);
	for (int round = 0; round < rounds; round++) {
		for (int i = 3; i < argc; i++) {
			const struct mem_kind *kind = mem_kind_by_name(argv[i]);

			if (!kind) {
				fprintf(stderr, "bench: no kind of memory is called %s: %s\n",
					argv[i], mem_kind_names());
				return 2;
			}
			if (one(kind, pages, round))
				return 2;
		}
	}
	if (fflush(stdout) || ferror(stdout)) {
		perror("bench: cannot print");
		return 2;
	}
	return 0;
}
