// SPDX-License-Identifier: MIT
/*
 * mermap_stress [-h] SECONDS
 *
 * Threads of one process, and other processes that come and go, use memory that the kernel
 * clears through the mermap.  They allocate, fill, check and free it.  They move from CPU
 * to CPU, and preempt each other.  New pages must be zero, and keep the owner's data until
 * they are freed.  With -h the last CPU goes down and comes up all the time.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"
#include "mermap_use.h"

#define NR_THREADS 8
/* Among NR_THREADS: these preempt the running thread, also inside the kernel. */
#define NR_URGENT 2
#define NR_PROCESSES 3
#define THREADS_PER_PROCESS 2
#define PROCESS_SECONDS 1
#define SLICE 16
#define SECRET_PAGES 4
#define WORDS_PER_PAGE (MEM_PAGE / sizeof(uint64_t))

struct worker {
	pthread_t thread;
	struct mem *gmem;
	unsigned int id;
	bool urgent;
	bool must;
	time_t end;
	unsigned int random;
	unsigned long rounds;
};

static atomic_bool failed;
static int nr_cpus;

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* Moves to any CPU, one CPU, any CPU...  A CPU that is down is refused, which is fine. */
static void move(struct worker *w)
{
	unsigned int choice = rand_r(&w->random) % (nr_cpus + 1);
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (int cpu = 0; cpu < nr_cpus; cpu++)
		if (choice == (unsigned int)nr_cpus || choice == (unsigned int)cpu)
			CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* The first word of a page's owner in this round; the others follow from it. */
static uint64_t first_word(const struct worker *w)
{
	uint64_t seed = (uint64_t)getpid() << 40 | (uint64_t)w->id << 32 |
			(uint32_t)w->rounds;

	return (seed + 1) * 0x9e3779b97f4a7c15ULL;
}

static void fill(const struct worker *w, uint64_t *map, size_t nr_pages)
{
	uint64_t first = first_word(w);

	for (size_t i = 0; i < nr_pages * WORDS_PER_PAGE; i++)
		map[i] = first + i;
}

/* Are the pages filled from this page on? */
static bool is_filled(const struct worker *w, const uint64_t *map,
		      size_t page, size_t nr_pages)
{
	uint64_t first = first_word(w);

	for (size_t i = page * WORDS_PER_PAGE; i < nr_pages * WORDS_PER_PAGE; i++)
		if (map[i] != first + i) {
			printf("thread %u, round %lu: word %zu is %#llx, not %#llx\n",
			       w->id, w->rounds, i, (unsigned long long)map[i],
			       (unsigned long long)(first + i));
			return false;
		}
	return true;
}

/* Allocates all pages at once, or each when it is touched. */
static bool allocate(const struct worker *w, size_t first, size_t nr)
{
	return w->rounds % 2 ||
	       !fallocate(w->gmem->vm.gmem, FALLOC_FL_KEEP_SIZE,
			  first * MEM_PAGE, nr * MEM_PAGE);
}

static bool fill_both(struct worker *w, uint64_t *slice, uint64_t *secret,
		      size_t nr)
{
	if (!is_zero(slice, nr) || !is_zero(secret, SECRET_PAGES))
		return false;
	fill(w, slice, nr);
	fill(w, secret, SECRET_PAGES);
	move(w);
	return is_filled(w, slice, 0, nr) && is_filled(w, secret, 0, SECRET_PAGES);
}

static bool one_round(struct worker *w)
{
	size_t nr = w->urgent ? 1 : SLICE, first = w->id * SLICE, half = nr / 2;
	uint64_t *slice = (void *)(w->gmem->map + first * MEM_PAGE);
	uint64_t *secret = secret_map(SECRET_PAGES);
	bool ok;

	if (!secret)
		return false;
	move(w);
	ok = allocate(w, first, nr) && fill_both(w, slice, secret, nr);
	/* In two parts: the second has to outlive the first. */
	ok = ok && (!half || !mem_punch(w->gmem, first, half)) &&
	     is_filled(w, slice, half, nr) &&
	     !mem_punch(w->gmem, first + half, nr - half);
	secret_unmap(secret, SECRET_PAGES);
	return ok;
}

static void *work(void *data)
{
	struct worker *w = data;
	struct sched_param urgent = { .sched_priority = 1 };

	if (w->urgent && sched_setscheduler(0, SCHED_FIFO, &urgent)) {
		perror("SCHED_FIFO");
		failed = true;
	}
	/* On a slow machine the first round may take longer than that. */
	while (!failed && (now() < w->end || (w->must && !w->rounds))) {
		if (!one_round(w)) {
			failed = true;
			break;
		}
		w->rounds++;
		if (w->urgent)
			usleep(rand_r(&w->random) % 500);
	}
	return NULL;
}

static int join(struct worker *workers, unsigned int nr, bool is_first)
{
	unsigned long least = -1UL, sum = 0;

	for (unsigned int i = 0; i < nr; i++) {
		pthread_join(workers[i].thread, NULL);
		sum += workers[i].rounds;
		if (workers[i].rounds < least)
			least = workers[i].rounds;
	}
	if (is_first)
		printf("%u threads: %lu rounds, %lu at least\n", nr, sum, least);
	return failed;
}

static int run(unsigned int nr, unsigned int nr_urgent, time_t end, bool is_first)
{
	struct worker workers[NR_THREADS] = { };
	struct mem gmem;
	int wrong;

	if (mem_open(&gmem, mem_kind_by_name("gmem_mmap"), nr * SLICE))
		return 2;
	for (unsigned int i = 0; i < nr; i++) {
		workers[i] = (struct worker){
			.gmem = &gmem,
			.id = i,
			.urgent = i < nr_urgent,
			.must = is_first,
			.end = end,
			.random = getpid() + i,
		};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) {
			printf("cannot make threads\n");
			return 2;
		}
	}
	wrong = join(workers, nr, is_first);
	/* Other processes leave it to exit. */
	if (is_first && mem_close(&gmem))
		return 2;
	return wrong;
}

/* Runs processes one after the other. */
static int processes(time_t end)
{
	time_t start;
	int status;
	pid_t pid;

	while ((start = now()) < end) {
		pid = fork();
		if (!pid)
			_exit(run(THREADS_PER_PROCESS, 0, start + PROCESS_SECONDS,
				  false));
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 2;
		if (status)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	return 0;
}

static int set_online(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, value, 1) != 1 ? errno : 0;

	if (fd >= 0)
		close(fd);
	/* EBUSY: a CPU does not go down while the kernel changes others. */
	if (err && err != EBUSY)
		printf("%s: %s\n", file, strerror(err));
	return err;
}

static int plug(time_t end)
{
	unsigned int times = 0;
	char file[64];
	int err;

	snprintf(file, sizeof(file), "/sys/devices/system/cpu/cpu%d/online",
		 nr_cpus - 1);
	while (now() < end) {
		err = set_online(file, "0");
		if (err && err != EBUSY)
			return 2;
		times += !err;
		usleep(100000);
		if (set_online(file, "1"))
			return 2;
		usleep(100000);
	}
	printf("CPU %d went down and came up %u times\n", nr_cpus - 1, times);
	return !times;
}

int main(int argc, char **argv)
{
	bool hotplug = argc == 3 && !strcmp(argv[1], "-h");
	int seconds = argc == 2 + hotplug ? atoi(argv[1 + hotplug]) : 0;
	int (*others[NR_PROCESSES + 1])(time_t end);
	pid_t pids[NR_PROCESSES + 1];
	int status, wrong, nr = 0;
	time_t end;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (seconds <= 0) {
		fprintf(stderr, "usage: mermap_stress [-h] SECONDS\n");
		return 2;
	}
	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	end = now() + seconds;
	while (nr < NR_PROCESSES)
		others[nr++] = processes;
	if (hotplug)
		others[nr++] = plug;
	for (int i = 0; i < nr; i++) {
		pids[i] = fork();
		if (!pids[i])
			exit(others[i](end));
	}
	wrong = run(NR_THREADS, NR_URGENT, end, true);
	for (int i = 0; i < nr; i++)
		if (pids[i] < 0 || waitpid(pids[i], &status, 0) != pids[i] ||
		    !WIFEXITED(status))
			wrong |= 1;
		else
			wrong |= WEXITSTATUS(status);
	printf("%s\n", wrong ? "NOT as claimed" : "every page had what its owner had written");
	return wrong & 2 ? 2 : wrong;
}
