// SPDX-License-Identifier: MIT
/*
 * heartbeat [PULSE]    Beats on every CPU until it is killed.  At each beat it writes a
 *                      character to PULSE: the number of an I/O port, or "semihosting",
 *                      which QEMU has on arm64.
 *
 * At each beat it visits all other CPUs, which interrupts each idle CPU.  QEMU's TCG may
 * lose an interrupt, also that of the timer.  Such a CPU sleeps until another interrupt
 * comes.  The characters tell lab/boot that the VM is alive: see docs/lab.md.
 *
 * Exit: 2 on failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
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
	/* fails for a CPU that is offline */
	sched_setaffinity(0, sizeof(set), &set);
}

/* Where the characters go: a port of /dev/port, or QEMU's semihosting. */
struct pulse {
	int fd;
	off_t port;
	bool semihosting;
};

#ifdef __aarch64__
static void semihosting_write(const char *character)
{
	register long operation asm("x0") = 3; /* SYS_WRITEC */
	register const char *at asm("x1") = character;

	asm volatile("hlt #0xf000" : "+r"(operation) : "r"(at) : "memory");
}
#else
static void semihosting_write(const char *character)
{
	(void)character;
	exit(2);
}
#endif

static void pulse_once(const struct pulse *pulse)
{
	if (pulse->semihosting)
		semihosting_write(".");
	else if (pulse->fd >= 0 && pwrite(pulse->fd, ".", 1, pulse->port) != 1)
		exit(2);
}

static int pulse_open(struct pulse *pulse, const char *name)
{
	pulse->fd = -1;
	pulse->semihosting = name && !strcmp(name, "semihosting");
	if (!name || pulse->semihosting)
		return 0;
	pulse->port = strtol(name, NULL, 0);
	pulse->fd = open("/dev/port", O_WRONLY | O_CLOEXEC);
	if (pulse->fd < 0)
		fprintf(stderr, "heartbeat: /dev/port: %s\n", strerror(errno));
	return pulse->fd < 0 ? 2 : 0;
}

static void beat(int self, int cpus, const struct pulse *pulse)
{
	const struct timespec pause = { .tv_sec = SECONDS };

	for (;;) {
		visit(self);
		nanosleep(&pause, NULL);
		for (int cpu = 0; cpu < cpus; cpu++)
			if (cpu != self)
				visit(cpu);
		pulse_once(pulse);
	}
}

/* Runs before all tests, whatever they do with memory. */
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
	struct pulse pulse;

	if (argc > 2) {
		fprintf(stderr, "usage: heartbeat [PULSE]\n");
		return 2;
	}
	if (pulse_open(&pulse, argc == 2 ? argv[1] : NULL))
		return 2;
	take_precedence();
	for (int cpu = 1; cpu < cpus; cpu++) {
		pid_t child = fork();

		if (child < 0) {
			perror("heartbeat: fork");
			return 2;
		}
		if (!child) {
			mlockall(MCL_CURRENT);
			beat(cpu, cpus, &pulse);
		}
	}
	mlockall(MCL_CURRENT);
	beat(0, cpus, &pulse);
}
