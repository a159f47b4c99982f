// SPDX-License-Identifier: MIT
/*
 * dm_watch_test KIND: populates and frees memory while the module dm_watch
 * reads each page through the direct map, on every CPU.  For a protected kind
 * no read may succeed while the page is inside, and every page has to come
 * back readable and zero.  For any other kind the same reads have to succeed:
 * the watch can see.
 *
 * Exit: 0 as claimed, 1 not so, 2 it cannot be told (dm_watch not loaded).
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "vmstat.h"

#define DIR "/sys/kernel/debug/dm_watch/"
#define NR_PAGES 700
#define PUNCHED 100

static int failures;

static void cannot(const char *what)
{
	printf("dm_watch_test: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void control(const char *name, int value)
{
	FILE *file = fopen(name, "we");

	if (!file || fprintf(file, "%d\n", value) < 0 || fclose(file))
		cannot(name);
}

static uint64_t counter(const char *key)
{
	FILE *file = fopen(DIR "stats", "re");
	size_t length = strlen(key);
	char line[128];

	if (!file)
		cannot(DIR "stats");
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, length) && line[length] == ':') {
			fclose(file);
			return strtoull(line + length + 1, NULL, 10);
		}
	}
	printf("dm_watch_test: no %s in %sstats\n", key, DIR);
	exit(2);
}

static void show_stats(void)
{
	FILE *file = fopen(DIR "stats", "re");
	char line[128];

	if (!file)
		cannot(DIR "stats");
	while (fgets(line, sizeof(line), file))
		fputs(line, stdout);
	fclose(file);
}

static void claim(bool holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	failures += !holds;
}
#define CLAIM(condition) claim(condition, #condition)

static void pin_to_cpu0(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		cannot("sched_setaffinity");
}

static void check_inside(bool is_protected, bool in_blocks)
{
	CLAIM(counter("checked") >= NR_PAGES);
	CLAIM(counter("checked_primed") >= NR_PAGES);
	CLAIM(counter("inside") >= NR_PAGES);
	CLAIM(counter("primed") >= counter("checked_primed"));
	if (in_blocks)
		/*
		 * Pages of blocks were out of the direct map before their allocation.
		 * Other pages that were allocated meanwhile are not checked.
		 */
		CLAIM(counter("primed_cpu_reads") <=
		      counter("cpus") *
		      (counter("primed") - counter("checked_primed")));
	else
		/* Only a primed TLB can keep a stale entry. */
		CLAIM(counter("primed_cpu_reads") >= counter("cpus") * NR_PAGES);
	CLAIM(counter("checked") >= counter("inside"));
	CLAIM(counter("out_of_range") == 0);
	control(DIR "recheck", 1);
	CLAIM(counter("rechecked") >= NR_PAGES);
	if (is_protected)
		CLAIM(counter("reachable") == 0);
	else
		CLAIM(counter("reachable") >= 2 * counter("cpus") * NR_PAGES);
}

static void check_freed(bool is_protected, bool has_content, bool in_blocks)
{
	if (in_blocks) {
		/* The pages stay out for the next owner of such memory. */
		CLAIM(counter("not_restored") >= NR_PAGES);
		CLAIM(counter("restored") == 0);
		return;
	}
	CLAIM(counter("not_restored") == 0);
	if (is_protected || !has_content) {
		CLAIM(counter("not_scrubbed") == 0);
		CLAIM(counter("restored") >= NR_PAGES);
	} else {
		CLAIM(counter("not_scrubbed") >= NR_PAGES);
	}
}

static int test(const struct mem_kind *kind)
{
	bool has_content, in_blocks;
	struct mem mem;

	if (mem_open(&mem, kind, NR_PAGES))
		return 2;
	has_content = mem.map;
	control(DIR "all", !kind->is_protected);
	control(DIR "tgid", getpid());
	if (mem_populate(&mem))
		return 2;
	in_blocks = kind->is_protected && vmstat("nr_nodirmap") > 0;
	check_inside(kind->is_protected, in_blocks);
	if (kind->has_vm && mem_punch(&mem, 0, PUNCHED))
		return 2;
	control(DIR "all", 0);
	if (mem_close(&mem))
		return 2;
	if (kind->is_protected)
		CLAIM(counter("inside") == 0);
	check_freed(kind->is_protected, has_content, in_blocks);
	show_stats();
	control(DIR "tgid", 0);
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct mem_kind *kind = argc == 2 ? mem_kind_by_name(argv[1]) :
				      NULL;

	if (!kind) {
		fprintf(stderr, "usage: dm_watch_test KIND\nkinds: %s\n",
			mem_kind_names());
		return 2;
	}
	/* Write each line at once: a crash or a time limit must not lose it. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (mem_no_limit())
		return 2;
	pin_to_cpu0();
	return test(kind);
}
