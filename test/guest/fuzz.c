// SPDX-License-Identifier: MIT
/*
 * Makes system calls on guest_memfd in random order, from several threads, each with VMs
 * of its own.  A model predicts contents and errors.  Memory that is out of the direct map
 * must be absent from it.
 *
 * fuzz [-s SEED] [-t SECONDS] [-n CASES] [-j THREADS] [-l flag|write|punch] [-v]
 *
 * A case follows from its seed alone; cases of a run count up from SEED.  A finding is
 * printed with the command that repeats it.  Another thread uses the files in ways that
 * change no contents.
 *
 * -l lies to the model, which must notice.  The lie is about the flag that takes memory
 * out of the direct map, about written data, or about holes.
 *
 * Exit: 0 nothing found, 1 something found, 2 unknown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "ptdump.h"
#include "vmstat.h"

#define MAX_THREADS 16

static struct {
	uint64_t seed;
	unsigned int seconds;
	uint64_t cases;
	unsigned int threads;
	enum fuzz_lie lie;
	bool verbose;
	time_t end;
	uint64_t next;
	bool stop;
	unsigned int found;
} run = { .seed = 1, .cases = UINT64_MAX, .threads = 3 };

static struct fuzz workers[MAX_THREADS];

static void report(const struct fuzz *f)
{
	printf("FOUND: %s: %s\nrepeat with: fuzz -j 1 -n 1 -v -s %" PRIu64 "\n",
	       f->operation, f->found, f->seed);
	__atomic_add_fetch(&run.found, 1, __ATOMIC_RELAXED);
}

static bool is_over(void)
{
	return run.seconds && time(NULL) >= run.end;
}

static void *work(void *arg)
{
	struct fuzz *f = arg;

	while (!is_over() && !__atomic_load_n(&run.found, __ATOMIC_RELAXED)) {
		uint64_t nr = __atomic_fetch_add(&run.next, 1, __ATOMIC_RELAXED);

		if (nr >= run.cases)
			break;
		fuzz_case(f, run.seed + nr);
		if (f->found[0])
			report(f);
	}
	return NULL;
}

static void *disturb(void *arg)
{
	uint64_t random = *(uint64_t *)arg;

	while (!__atomic_load_n(&run.stop, __ATOMIC_RELAXED)) {
		fuzz_disturb(&workers[fuzz_random(&random) % run.threads],
			     &random);
		usleep(fuzz_random(&random) % 2000);
	}
	return NULL;
}

/* Everything that is free is in the direct map afterwards. */
static long mapped_pages(void)
{
	FILE *file = fopen("/proc/sys/vm/drop_caches", "we");
	struct ptdump *dump;
	long mapped;

	if (!file || fputs("1", file) < 0 || fclose(file) || ptdump_read(&dump))
		return -1;
	mapped = ptdump_count_all(dump);
	ptdump_free(dump);
	return mapped;
}

static void print_counts(void)
{
	struct fuzz_counts sum = { 0 };

	for (unsigned int i = 0; i < run.threads; i++) {
		const struct fuzz_counts *count = &workers[i].count;

		sum.cases += count->cases;
		sum.operations += count->operations;
		sum.files += count->files;
		sum.bytes_written += count->bytes_written;
		sum.bytes_compared += count->bytes_compared;
		sum.pages_absent += count->pages_absent;
		sum.pages_present += count->pages_present;
		sum.pages_huge += count->pages_huge;
	}
	printf("seeds from %" PRIu64 ": %" PRIu64 " cases, %" PRIu64
	       " operations, %" PRIu64 " files, %" PRIu64 " KiB written, %" PRIu64
	       " KiB compared, kcore: %" PRIu64 " pages absent, %" PRIu64
	       " present; %" PRIu64 " in large entries\n", run.seed, sum.cases, sum.operations, sum.files,
	       sum.bytes_written >> 10, sum.bytes_compared >> 10,
	       sum.pages_absent, sum.pages_present, sum.pages_huge);
}

static int run_threads(void)
{
	pthread_t thread[MAX_THREADS], disturber;
	uint64_t random = ~run.seed;
	int err;

	run.end = time(NULL) + run.seconds;
	for (unsigned int i = 0; i < run.threads; i++) {
		workers[i].lie = run.lie;
		workers[i].verbose = run.verbose;
		workers[i].deadline = run.seconds ? run.end : 0;
		err = fuzz_init(&workers[i]);
		if (err) {
			fprintf(stderr, "fuzz: /proc/kcore: %s\n", strerror(-err));
			return 2;
		}
	}
	for (unsigned int i = 0; i < run.threads; i++)
		if (pthread_create(&thread[i], NULL, work, &workers[i]))
			return 2;
	if (pthread_create(&disturber, NULL, disturb, &random))
		return 2;
	for (unsigned int i = 0; i < run.threads; i++)
		pthread_join(thread[i], NULL);
	__atomic_store_n(&run.stop, true, __ATOMIC_RELAXED);
	pthread_join(disturber, NULL);
	return 0;
}

static int parse_lie(const char *name)
{
	static const char *const names[NR_LIES] = {
		"none", "flag", "write", "punch",
	};

	for (int i = 0; i < NR_LIES; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

static int options(int argc, char **argv)
{
	int opt, lie = 0;

	while ((opt = getopt(argc, argv, "s:t:n:j:l:v")) >= 0) {
		switch (opt) {
		case 's': run.seed = strtoull(optarg, NULL, 0); break;
		case 't': run.seconds = atoi(optarg); break;
		case 'n': run.cases = strtoull(optarg, NULL, 0); break;
		case 'j': run.threads = atoi(optarg); break;
		case 'l': lie = parse_lie(optarg); break;
		case 'v': run.verbose = true; break;
		default: return -1;
		}
	}
	run.lie = lie;
	if (lie < 0 || optind < argc || !run.threads ||
	    run.threads > MAX_THREADS ||
	    (!run.seconds && run.cases == UINT64_MAX))
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	long before, after;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (options(argc, argv)) {
		fprintf(stderr,
			"usage: fuzz [-s SEED] -t SECONDS|-n CASES [-j THREADS]\n"
			"            [-l flag|write|punch] [-v]\n");
		return 2;
	}
	before = mapped_pages();
	if (before < 0 || run_threads())
		return 2;
	print_counts();
	after = mapped_pages();
	printf("the direct map had %ld pages, and has %ld; %" PRId64
	       " pages are in blocks out of it\n", before, after,
	       vmstat("nr_nodirmap"));
	if (before != after || vmstat("nr_nodirmap") > 0) {
		printf("FOUND: the direct map is not as before\n");
		run.found++;
	}
	return run.found ? 1 : 0;
}
