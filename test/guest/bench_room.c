// SPDX-License-Identifier: MIT
/*
 * The memory that memory out of the direct map leaves to others, and the reverse.
 * Prints lines, see bench_line.h.
 *
 * bench_room fragmented ROUNDS KIND...
 *	No whole block is free.  A process takes memory of a kind until the OOM
 *	killer ends it.  The work is "room", and pages are the memory it got.
 * bench_room after ROUNDS KIND...
 *	A process touches 90 % of the memory as anonymous memory: the work "hog".
 *	Its kind is "fresh" first.  Then it is each KIND, after 80 % of the memory
 *	have been of that kind, and are free again.  The work "hog_later" comes
 *	10 s after that.
 * bench_room back MIB KIND
 *	As much memory of that kind is used and freed, then nothing happens for a
 *	while.  The same happens again, and others take all memory at once.  Each
 *	50 ms a line "sample" tells where the memory is.
 *
 * Exit: 0; 2 on failure.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_line.h"
#include "mem.h"
#include "vmstat.h"

#define MS 1000000ULL

static int fail(const char *what)
{
	perror(what);
	return 2;
}

/* The OOM killer takes the child first, and its parent never. */
static int set_oom_score(const char *score)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t done = fd < 0 ? -1 : write(fd, score, strlen(score));

	if (fd >= 0)
		close(fd);
	return done < 0 ? fail("bench_room: oom_score_adj") : 0;
}

static int anon(size_t pages)
{
	uint8_t *map = mmap(NULL, pages * MEM_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return fail("bench_room: anonymous memory");
	for (size_t i = 0; i < pages; i++)
		*(volatile uint8_t *)(map + i * MEM_PAGE) = 1;
	munmap(map, pages * MEM_PAGE);
	return 0;
}

static int use(const struct mem_kind *kind, size_t pages)
{
	struct mem mem;

	if (mem_open(&mem, kind, pages) || mem_populate(&mem))
		return 2;
	mem_release(&mem);
	return 0;
}

/* Keeps every other page of most of the memory in use. */
static int fragment(struct mem *filler)
{
	size_t pages = meminfo_pages("MemFree") / 8 * 7;

	if (mem_open(filler, mem_kind_by_name("plain"), pages) ||
	    mem_populate(filler))
		return 2;
	for (size_t i = 0; i < pages; i += 2)
		if (mem_punch(filler, i, 1))
			return 2;
	return 0;
}

static void take_all(const struct mem_kind *kind, volatile size_t *got)
{
	size_t pages = meminfo_pages("MemTotal");
	struct mem mem;

	if (set_oom_score("1000") || mem_open(&mem, kind, pages))
		_exit(2);
	for (*got = 0; *got < pages; (*got)++)
		*(volatile uint8_t *)(mem.map + *got * MEM_PAGE) = 1;
	_exit(2);
}

static int room(const struct mem_kind *kind, volatile size_t *got, int round)
{
	struct bench_reading from = bench_start();
	pid_t pid = fork();
	int status;

	if (!pid)
		take_all(kind, got);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return fail("bench_room: a child");
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		fprintf(stderr, "bench_room: the child was not killed: %#x\n", status);
		return 2;
	}
	bench_stop(from, "room", kind->name, round, *got);
	return 0;
}

static int fragmented(const struct mem_kind **kinds, int rounds)
{
	volatile size_t *got = mmap(NULL, MEM_PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct mem filler;

	if (got == MAP_FAILED || set_oom_score("-1000") || fragment(&filler))
		return 2;
	for (int round = 0; round < rounds; round++)
		for (int i = 0; kinds[i]; i++)
			if (room(kinds[i], got, round))
				return 2;
	mem_release(&filler);
	return 0;
}

static int hog(const char *work, const char *kind, int round)
{
	size_t pages = meminfo_pages("MemTotal") * 9 / 10;
	struct bench_reading from = bench_start();

	if (anon(pages))
		return 2;
	bench_stop(from, work, kind, round, pages);
	return 0;
}

static int after(const struct mem_kind **kinds, int rounds)
{
	size_t pages = meminfo_pages("MemTotal") * 8 / 10;

	for (int round = 0; round < rounds; round++) {
		if (hog("hog", "fresh", round))
			return 2;
		for (int i = 0; kinds[i]; i++) {
			if (use(kinds[i], pages) || hog("hog", kinds[i]->name, round) ||
			    use(kinds[i], pages))
				return 2;
			sleep(10);
			if (hog("hog_later", kinds[i]->name, round))
				return 2;
		}
	}
	return 0;
}

/* The sampler is a process of its own, so that the work does not wait for it. */
static pid_t sampler(const char *kind)
{
	const struct timespec pause = { .tv_nsec = 50 * MS };
	uint64_t from = bench_now();
	pid_t pid = fork();

	while (!pid) {
		printf("{\"work\":\"sample\",\"kind\":\"%s\",\"ns\":%" PRIu64
		       ",\"nodirmap\":%" PRId64 ",\"free_nodirmap\":%" PRId64
		       ",\"free\":%" PRId64 "}\n", kind, bench_now() - from,
		       vmstat("nr_nodirmap"), vmstat("nr_free_nodirmap"),
		       vmstat("nr_free_pages"));
		fflush(stdout);
		nanosleep(&pause, NULL);
	}
	return pid;
}

static int back(const struct mem_kind *kind, size_t pages)
{
	pid_t pid = sampler(kind->name);
	int err;

	if (pid < 0)
		return fail("bench_room: fork");
	err = use(kind, pages);
	if (!err)
		sleep(12);
	err = err ?: use(kind, pages);
	err = err ?: anon(meminfo_pages("MemTotal") * 9 / 10);
	sleep(1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err;
}

int main(int argc, char **argv)
{
	const struct mem_kind *kinds[8] = { NULL };
	int err = -1, number;

	for (int i = 3; i < argc && i - 3 < 7; i++) {
		kinds[i - 3] = mem_kind_by_name(argv[i]);
		if (!kinds[i - 3])
			err = 2;
	}
	if (argc < 4 || err == 2) {
		fprintf(stderr, "usage: bench_room fragmented|after ROUNDS KIND...\n"
			"       bench_room back MIB KIND\nkinds: %s\n",
			mem_kind_names());
		return 2;
	}
	number = atoi(argv[2]);
	if (bench_begin())
		return 2;
	if (!strcmp(argv[1], "fragmented"))
		err = fragmented(kinds, number);
	else if (!strcmp(argv[1], "after"))
		err = after(kinds, number);
	else if (!strcmp(argv[1], "back"))
		err = back(kinds[0], ((size_t)number << 20) / MEM_PAGE);
	return err ? 2 : bench_end();
}
