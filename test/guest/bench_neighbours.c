// SPDX-License-Identifier: MIT
/*
 * The cost of a VM next to others.  It populates its memory and frees it, next to
 * VMs of the same kind of memory.  Prints lines, see bench_line.h, whose clock is
 * the CPU time of this process:
 *
 *   HOW        open and populate
 *   HOW_free   close
 *   moved      the pages that the neighbours have populated meanwhile
 *
 * bench_neighbours HOW NUMBER MIB ROUNDS KIND...
 *
 * HOW: NUMBER neighbours with an eighth of the memory each do this all the time
 *   punches    populate all of it, punch all of it
 *   dies       in a new process each time: populate all of it, exit
 *
 * If NUMBER is 0, HOW is only a name.
 *
 * Exit: 0; 2 when it cannot be done.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_line.h"
#include "mem.h"

#define NEIGHBOURS_MAX 16

static const char *how;
static int number;
static size_t pages, neighbour_pages;
/* Of each neighbour, how many pages it has populated. */
static volatile size_t *moved;

static void punch_for_ever(const struct mem_kind *kind, int id)
{
	struct mem mem;

	if (mem_open(&mem, kind, neighbour_pages))
		_exit(2);
	while (!mem_populate(&mem)) {
		moved[id] += neighbour_pages;
		if (mem_punch(&mem, 0, neighbour_pages))
			break;
	}
	_exit(2);
}

static void die_for_ever(const struct mem_kind *kind, int id)
{
	struct mem mem;
	int status = 0;

	while (!status) {
		pid_t pid = fork();

		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(mem_open(&mem, kind, neighbour_pages) || mem_populate(&mem));
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			break;
		moved[id] += neighbour_pages;
	}
	_exit(2);
}

/* All of them have begun. */
static int start(pid_t *pids, const struct mem_kind *kind)
{
	for (int i = 0; i < number; i++) {
		moved[i] = 0;
		pids[i] = fork();
		if (!pids[i])
			(strcmp(how, "punches") ? die_for_ever : punch_for_ever)(kind, i);
		if (pids[i] < 0)
			return 2;
	}
	for (int i = 0; i < number; i++) {
		while (!moved[i]) {
			if (waitpid(pids[i], NULL, WNOHANG))
				return 2;
			usleep(1000);
		}
	}
	return 0;
}

static void stop(const pid_t *pids)
{
	for (int i = 0; i < number; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < number; i++)
		waitpid(pids[i], NULL, 0);
}

static size_t all_moved(void)
{
	size_t sum = 0;

	for (int i = 0; i < number; i++)
		sum += moved[i];
	return sum;
}

static int one(const struct mem_kind *kind, int round)
{
	pid_t pids[NEIGHBOURS_MAX];
	struct bench_reading from;
	char freed[32];
	struct mem mem;
	size_t before;

	if (start(pids, kind))
		return 2;
	before = all_moved();
	from = bench_start();
	if (mem_open(&mem, kind, pages) || mem_populate(&mem))
		return 2;
	bench_stop(from, how, kind->name, round, pages);
	from = bench_start();
	mem_release(&mem);
	snprintf(freed, sizeof(freed), "%s_free", how);
	bench_stop(from, freed, kind->name, round, pages);
	printf("{\"work\":\"moved\",\"how\":\"%s\",\"kind\":\"%s\",\"round\":%d,\"pages\":%zu}\n",
	       how, kind->name, round, all_moved() - before);
	fflush(stdout);
	stop(pids);
	return 0;
}

int main(int argc, char **argv)
{
	int rounds = argc > 5 ? atoi(argv[4]) : 0;

	number = argc > 5 ? atoi(argv[2]) : NEIGHBOURS_MAX + 1;
	if (number > NEIGHBOURS_MAX || bench_begin()) {
		fprintf(stderr, "usage: bench_neighbours HOW NUMBER MIB ROUNDS KIND...\n");
		return 2;
	}
	how = argv[1];
	pages = (strtoul(argv[3], NULL, 10) << 20) / MEM_PAGE;
	neighbour_pages = pages / 8;
	moved = mmap(NULL, MEM_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (moved == MAP_FAILED)
		return 2;
	bench_clock = CLOCK_PROCESS_CPUTIME_ID;
	for (int round = 0; round < rounds; round++) {
		for (int i = 5; i < argc; i++) {
			const struct mem_kind *kind = mem_kind_by_name(argv[i]);

			if (!kind || one(kind, round)) {
				perror("bench_neighbours");
				return 2;
			}
		}
	}
	return bench_end();
}
