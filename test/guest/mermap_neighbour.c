// SPDX-License-Identifier: MIT
/*
 * mermap_neighbour    The cost that others' use of the mermap has for a process: TLB
 *                     interrupts of its CPU.
 *
 * One process populates a memfd_secret of its own on the last CPU all the time, so that
 * its address space always has pages to flush.  On the first CPU others create
 * memfd_secrets, touch them and free them.  None of their flushes concerns the first
 * process.  As a check, a thread of the first process frees its own pages on the first
 * CPU.  Then the same count must be above zero.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mermap_use.h"

#define PAGE 4096UL
#define LIVES 300
#define PAGES 64
/* Enough pages for the duration of the test. */
#define POPULATED 16384UL
/* Interrupts for tasks that the kernel moves or stops. */
#define ALLOWED 5

struct populating {
	volatile uint64_t *map;
	volatile size_t done;
	volatile bool stop;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("mermap_neighbour: sched_setaffinity");
		exit(2);
	}
}

/* TLB interrupts of the CPU so far. */
static long interrupts(int cpu)
{
	char line[4096], *word;
	long count = -1;
	FILE *file = fopen("/proc/interrupts", "r");

	while (file && count < 0 && fgets(line, sizeof(line), file)) {
		word = strstr(line, "TLB:");
		if (!word)
			continue;
		word += 4;
		for (int i = 0; i <= cpu; i++)
			count = strtol(word, &word, 10);
	}
	if (file)
		fclose(file);
	if (count < 0) {
		fprintf(stderr, "mermap_neighbour: no TLB interrupts are counted\n");
		exit(2);
	}
	return count;
}

/* Touches a page now and then: only touched pages need a flush. */
static void *populate(void *arg)
{
	struct populating *p = arg;

	pin(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	while (!p->stop) {
		if (p->done < POPULATED) {
			p->map[p->done * PAGE / sizeof(uint64_t)] = 1;
			p->done++;
		}
		for (int i = 0; i < 20000; i++)
			__asm__ volatile("" ::: "memory");
	}
	return NULL;
}

static int live(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(secret_use(PAGES));
	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

static int lives_of_others(void)
{
	for (int i = 0; i < LIVES; i++)
		if (live())
			return 1;
	return 0;
}

static int own_use(void)
{
	for (int i = 0; i < LIVES; i++)
		if (secret_use(PAGES))
			return 1;
	return 0;
}

/* Interrupts of the last CPU while @what runs on the first. */
static long counted(int (*what)(void))
{
	int last = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	long before = interrupts(last);

	if (what())
		exit(2);
	return interrupts(last) - before;
}

int main(void)
{
	struct populating p = { 0 };
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	pthread_t thread;
	long others, own;
	int to_child[2], from_child[2];
	char byte = 0;
	pid_t pid;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || setrlimit(RLIMIT_MEMLOCK, &all) ||
	    pipe(to_child) || pipe(from_child)) {
		fprintf(stderr, "mermap_neighbour: needs two CPUs, and root\n");
		return 2;
	}
	pin(0);

	/* The neighbour, with an address space of its own. */
	pid = fork();
	if (pid < 0)
		return 2;
	if (!pid) {
		p.map = secret_map(POPULATED);
		if (!p.map || pthread_create(&thread, NULL, populate, &p))
			_exit(2);
		while (!p.done)
			usleep(1000);
		if (write(from_child[1], &byte, 1) != 1 ||
		    read(to_child[0], &byte, 1) != 1)
			_exit(2);
		printf("%zu pages populated meanwhile\n", p.done);
		own = counted(own_use);
		printf("own pages freed by another thread: %ld TLB interrupts\n", own);
		fflush(stdout);
		_exit(own < LIVES / 2);
	}
	if (read(from_child[0], &byte, 1) != 1)
		return 2;
	others = counted(lives_of_others);
	printf("%d lives of others, %d pages each: %ld TLB interrupts\n", LIVES,
	       PAGES, others);
	fflush(stdout);
	if (write(to_child[1], &byte, 1) != 1)
		return 2;
	int status;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 2;
	if (WEXITSTATUS(status)) {
		fprintf(stderr, "mermap_neighbour: own use shows no interrupts\n");
		return 2;
	}
	return others > ALLOWED;
}
