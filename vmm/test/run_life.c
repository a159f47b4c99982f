// SPDX-License-Identifier: MIT
/* Cases of run_vmm: how a VMM ends, and what limits it. */
#include <errno.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run_vmm.h"

static volatile sig_atomic_t asked_to_end;

static void on_term(int sig)
{
	asked_to_end = sig;
}

/* A clean end when it is asked for: memory is taken away and comes back before. */
void case_term(void)
{
	struct sigaction action = { .sa_handler = on_term };
	uint8_t *ram = new_ram();

	must(!sigaction(SIGTERM, &action, NULL));
	must(!set_slot(0, 0, RAM, ram));
	puts("ready");
	fflush(stdout);
	while (!asked_to_end)
		usleep(10000);
	must(!set_slot(0, 0, 0, ram) && !set_slot(0, 0, RAM, ram));
	must_run(ram);
	puts("a clean end");
}

/* Memory that another thread has registered when the first thread has ended. */
static uint8_t *kept_ram;

static void *takes_it_away(void *unused)
{
	(void)unused;
	sleep(LOOKED);
	must(!set_slot(0, 0, 0, kept_ram) && !set_slot(0, 0, RAM, kept_ram));
	must_run(kept_ram);
	_exit(0);
}

static void *shares_it(void *data)
{
	int fd = *(int *)data;
	uint8_t *seen;

	sleep(1);
	must(!set_slot(0, 0, RAM, kept_ram) && is_protected(kept_ram));
	seen = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(seen != MAP_FAILED);
	kept_ram[BYTE] = 0x42;
	must(seen[BYTE] == 0x42);
	_exit(0);
}

static _Noreturn void end_first_thread(void *(*then)(void *data), void *data)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, then, data));
	for (;;)
		syscall(SYS_exit, 1);
}

/* /proc/PID/fd shows no descriptors then. */
void case_first_thread_ends(void)
{
	kept_ram = new_ram();
	must(!set_slot(0, 0, RAM, kept_ram));
	end_first_thread(takes_it_away, NULL);
}

void case_first_thread_ends_share(void)
{
	static int fd;

	kept_ram = shared_ram(&fd);
	end_first_thread(shares_it, &fd);
}

/* As with QEMU's -overcommit mem-lock=on.  Locked memory is all there. */
void case_locked(void)
{
	uint8_t *ram;

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		cannot_try("mlockall(2) is not permitted");
	ram = new_ram();
	must(!set_slot(0, 0, RAM, ram) && resident(ram) == RAM / PAGE);
	must_run(ram);
}

/* The limit permits that memory, and no copy of it.  The VMM does not come to the end. */
void case_locked_short(void)
{
	must(!mlockall(MCL_CURRENT | MCL_FUTURE));
	set_slot(0, 0, 5 * MIB, map_ram(5 * MIB, MAP_PRIVATE));
	must(false);
}

/* As a wrapper, numactl --membind=1, that starts the VMM below. */
void case_on_node(void)
{
	unsigned long nodes = 1 << 1;

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 64))
		cannot_try("there is no node 1");
	execl("/proc/self/exe", "run_vmm", "stays_on_node", NULL);
	must(false);
}

/* Its memory, allocated beforehand, has no policy of its own. */
void case_stays_on_node(void)
{
	uint8_t *ram = new_ram(), sum = 0;
	const char *maps;

	memset(ram, 1, RAM);
	must(!set_slot(0, 0, RAM, ram) && is_protected(ram + MIB));
	for (size_t i = 0; i < RAM; i += PAGE)
		sum |= ram[i];
	maps = line_of("/proc/thread-self/numa_maps", ram + MIB);
	fputs(maps, stderr);
	must(sum == 1 && strstr(maps, " N1=") && !strstr(maps, " N0="));
}

/* All of its memory is allocated beforehand. */
void case_full(void)
{
	uint8_t *ram = new_ram();

	memset(ram, 1, RAM);
	must(!set_slot(0, 0, RAM, ram));
	puts("ready");
	fflush(stdout);
	pause();
}

static void *exits_last(void *unused)
{
	(void)unused;
	usleep(100000);
	syscall(SYS_exit, 0);
	return NULL;
}

/* All threads end by exit(2), and there is no VM. */
void case_raw_exit(void)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, exits_last, NULL));
	syscall(SYS_exit, 0);
}
