// SPDX-License-Identifier: MIT
/*
 * heartbeat [PORT]     beats on every CPU until it is killed; at each beat a
 *                      character goes to that I/O port, if there is one
 *
 * At each beat it visits all other CPUs, with an interrupt to each that is idle.
 * QEMU's TCG may lose an interrupt, the timer's too, and such a CPU then sleeps
 * until another interrupt comes.  lab/boot sees by the characters that the VM is
 * alive: see docs/lab.md.
 *
 * Exit: 2 it cannot be done.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 2

static void visit(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* fails for one that is offline */
	sched_setaffinity(0, sizeof(set), &set);
}

static void beat(int self, int cpus, int fd, off_t port)
{
	const struct timespec pause = { .tv_sec = SECONDS };

	for (;;) {
		visit(self);
		nanosleep(&pause, NULL);
		for (int cpu = 0; cpu < cpus; cpu++)
			if (cpu != self)
				visit(cpu);
		if (fd >= 0 && pwrite(fd, ".", 1, port) != 1)
			exit(2);
	}
}

/* Before all tests, and whatever they do with memory. */
static void take_precedence(void)
{
	const struct sched_param first = { .sched_priority = 1 };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "-1000", 5) != 5 ||
	    sched_setscheduler(0, SCHED_FIFO, &first))
		perror("heartbeat");
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	int cpus = sysconf(_SC_NPROCESSORS_CONF);
	off_t port = 0;
	int fd = -1;

	if (argc > 2) {
		fprintf(stderr, "usage: heartbeat [PORT]\n");
		return 2;
	}
	if (argc == 2) {
		port = strtol(argv[1], NULL, 0);
		fd = open("/dev/port", O_WRONLY | O_CLOEXEC);
		if (fd < 0) {
			fprintf(stderr, "heartbeat: /dev/port: %s\n", strerror(errno));
			return 2;
		}
	}
	take_precedence();
	for (int cpu = 1; cpu < cpus; cpu++) {
		pid_t child = fork();

		if (child < 0) {
			perror("heartbeat: fork");
			return 2;
		}
		if (!child) {
			mlockall(MCL_CURRENT);
			beat(cpu, cpus, fd, port);
		}
	}
	mlockall(MCL_CURRENT);
	beat(0, cpus, fd, port);
}
