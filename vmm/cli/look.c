// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "look.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define TICK_MS 200
/* How long a killed child may take to end; after that it is left to the kernel. */
#define KILL_MS 2000

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static bool write_all(int fd, const void *data, size_t size)
{
	const char *from = data;

	while (size) {
		ssize_t done = write(fd, from, size);

		if (done <= 0)
			return false;
		from += done;
		size -= done;
	}
	return true;
}

static bool read_all(int fd, void *data, size_t size, off_t at)
{
	char *to = data;

	while (size) {
		ssize_t got = pread(fd, to, size, at);

		if (got <= 0)
			return false;
		to += got;
		at += got;
		size -= got;
	}
	return true;
}

/* A child that cannot be ended must not keep a pipe open that somebody reads. */
static void leave_standard_files(int result)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		/* the result has such a number if they were closed */
		if (fd != result)
			dup2(null, fd);
}

/* In the child: never returns. */
static void work(const struct look *look, struct vm_report *report, int result,
		 struct report_progress *progress)
{
	struct rlimit none = { 0 };

	leave_standard_files(result);
	/* it maps memory of guests */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	report_make(report, look->debugfs, progress);
	_exit(write_all(result, report, sizeof(*report)) &&
	      write_all(result, report->part, report->nr_parts * sizeof(*report->part)) ?
	      0 : 1);
}

static bool read_result(int result, struct vm_report *report)
{
	struct vm_report got;

	if (!read_all(result, &got, sizeof(got), 0))
		return false;
	got.area = NULL;
	got.nr_areas = 0;
	got.has_process = false;
	got.part = calloc(got.nr_parts + 1, sizeof(*got.part));
	if (!got.part)
		return false;
	if (!read_all(result, got.part, got.nr_parts * sizeof(*got.part), sizeof(got))) {
		free(got.part);
		return false;
	}
	/* the child had these descriptors; this process has not */
	for (size_t i = 0; i < got.nr_parts; i++)
		got.part[i].gmem_fd = -1;
	*report = got;
	return true;
}

static bool ends_within(int pidfd, int ms)
{
	struct pollfd poll_for = { .fd = pidfd, .events = POLLIN };

	return poll(&poll_for, 1, ms) == 1;
}

/* Returns 0 if the child has ended well. */
static int wait_for(const struct look *look, pid_t pid, int pidfd,
		    const struct report_progress *progress, struct vm_report *report)
{
	uint64_t until = now_ms() + look->seconds * 1000ULL;
	struct report_progress copy;
	int status;

	while (!ends_within(pidfd, TICK_MS)) {
		copy.done = __atomic_load_n(&progress->done, __ATOMIC_RELAXED);
		copy.bytes = __atomic_load_n(&progress->bytes, __ATOMIC_RELAXED);
		if (look->progress)
			look->progress(&copy, look->data);
		if (now_ms() < until)
			continue;
		kill(pid, SIGKILL);
		if (ends_within(pidfd, KILL_MS))
			waitpid(pid, &status, 0);
		snprintf(report->why, sizeof(report->why),
			 "it was not done within %u seconds (--timeout)", look->seconds);
		return -ETIMEDOUT;
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (WIFSIGNALED(status))
		snprintf(report->why, sizeof(report->why),
			 "the process that looked at it was ended by signal %d",
			 WTERMSIG(status));
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

void look_at(const struct look *look, struct vm_report *report)
{
	struct report_progress *progress;
	int result, pidfd = -1, err = 0;
	pid_t pid = -1;

	report->verdict = UNKNOWN;
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	result = memfd_create("offmap-report", MFD_CLOEXEC);
	if (progress == MAP_FAILED || result < 0) {
		err = -errno;
		goto out;
	}
	pid = fork();
	if (!pid)
		work(look, report, result, progress);
	if (pid > 0)
		pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pid < 0 || pidfd < 0) {
		err = -errno;
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		goto out;
	}
	err = wait_for(look, pid, pidfd, progress, report);
	close(pidfd);
	if (!err && !read_result(result, report))
		err = -EIO;
out:
	if (err) {
		report->error = -err;
		if (!*report->why)
			snprintf(report->why, sizeof(report->why), "it cannot be looked at: %s",
				 strerror(-err));
	}
	if (progress != MAP_FAILED)
		munmap(progress, sizeof(*progress));
	if (result >= 0)
		close(result);
}
