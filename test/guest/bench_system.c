// SPDX-License-Identifier: MIT
/*
 * The cost for programs that use ordinary memory.  Prints lines, see bench_line.h, of the
 * kind "system":
 *
 *   fork_exec    a child that runs this program, which ends at once
 *   anon_fault   first touch of anonymous memory
 *   anon_free    munmap() of it
 *   file_write   a new file in a tmpfs, by blocks of 4 KiB
 *   file_read    the same file
 *   switch       two processes on one CPU wake each other, through pipes
 *
 * bench_system ROUNDS
 *
 * Exit: 0; 2 on failure.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_line.h"

#define PAGE 4096UL
#define PAGES 16384UL
#define CHILDREN 200
#define TURNS 5000

static const char *self;

static int fail(const char *what)
{
	perror(what);
	return 2;
}

static int fork_exec(int round)
{
	struct bench_reading from = bench_start();

	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			execl(self, self, "0", (char *)NULL);
			_exit(1);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return fail("bench_system: a child");
	}
	bench_stop(from, "fork_exec", "system", round, CHILDREN);
	return 0;
}

static int anon(int round)
{
	struct bench_reading from;
	uint8_t *map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || madvise(map, PAGES * PAGE, MADV_NOHUGEPAGE))
		return fail("bench_system: anonymous memory");
	from = bench_start();
	for (size_t i = 0; i < PAGES; i++)
		*(volatile uint8_t *)(map + i * PAGE) = 1;
	bench_stop(from, "anon_fault", "system", round, PAGES);
	from = bench_start();
	munmap(map, PAGES * PAGE);
	bench_stop(from, "anon_free", "system", round, PAGES);
	return 0;
}

static int file(int round)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct bench_reading from;
	static char block[PAGE];

	if (fd < 0)
		return fail("bench_system: a file in /tmp");
	from = bench_start();
	for (size_t i = 0; i < PAGES; i++)
		if (pwrite(fd, block, PAGE, i * PAGE) != (ssize_t)PAGE)
			return fail("bench_system: pwrite");
	bench_stop(from, "file_write", "system", round, PAGES);
	from = bench_start();
	for (size_t i = 0; i < PAGES; i++)
		if (pread(fd, block, PAGE, i * PAGE) != (ssize_t)PAGE)
			return fail("bench_system: pread");
	bench_stop(from, "file_read", "system", round, PAGES);
	close(fd);
	return 0;
}

/* Sends each byte back to the other end, until that is closed. */
static void answer(int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1)
		if (write(out, &byte, 1) != 1)
			_exit(1);
	_exit(0);
}

static int ask(int in, int out)
{
	char byte = 0;

	return write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1;
}

/* Two switches a turn. */
static int task_switch(int round)
{
	int there[2], back[2], status, failed = 0;
	struct bench_reading from;
	cpu_set_t set, old;
	pid_t pid;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_getaffinity(0, sizeof(old), &old) ||
	    sched_setaffinity(0, sizeof(set), &set) || pipe(there) || pipe(back))
		return fail("bench_system: two processes on a CPU");
	pid = fork();
	if (pid < 0)
		return fail("bench_system: a child");
	if (!pid) {
		close(there[1]);
		close(back[0]);
		answer(there[0], back[1]);
	}
	failed = ask(back[0], there[1]);
	from = bench_start();
	for (int i = 0; i < TURNS && !failed; i++)
		failed = ask(back[0], there[1]);
	bench_stop(from, "switch", "system", round, 2 * TURNS);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
	if (failed || waitpid(pid, &status, 0) != pid || status ||
	    sched_setaffinity(0, sizeof(old), &old))
		return fail("bench_system: an answer");
	return 0;
}

int main(int argc, char **argv)
{
	int rounds;

	if (argc != 2) {
		fprintf(stderr, "usage: bench_system ROUNDS\n");
		return 2;
	}
	self = "/proc/self/exe";
	rounds = atoi(argv[1]);
	for (int round = 0; round < rounds; round++)
		if (fork_exec(round) || anon(round) || file(round) ||
		    task_switch(round))
			return 2;
	return rounds ? bench_end() : 0;
}
