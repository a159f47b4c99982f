// SPDX-License-Identifier: MIT
/*
 * mermap_lives N    N processes use the mermap and end, each in one of the ways in which
 *                   a process can end.  Nothing of them stays.
 *
 * A probe counts the processes that have used it.  The kernel's own counters show
 * leftovers: page tables, stacks, memory per CPU, free pages, and objects of each slab
 * cache.  No cache may gain one object for every fourth life.
 *
 * Of each 36 lives 27 are short; N has to be some hundreds for all kinds.
 *
 * If page tables are freed without having been accounted for, or the reverse, the kernel
 * itself reports non-zero pgtables_bytes.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown.
 */
#include <asm/ldt.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "free_pages.h"
#include "mem.h"
#include "mermap_use.h"

#define TRACING "/sys/kernel/tracing/"
#define PROBED "__mermap_exit_mmap"

#define MAX_WORKERS 8
#define NR_THREADS 3
#define SLICE 4
/* A VM takes many times as long as a process. */
#define LIVES_PER_VM 101
#define SETTLE_SECONDS 10

/* Belongs to the first process; the lives populate it, each in its worker's slice. */
static struct mem gmem;
static unsigned int worker;
/* Shared with all lives, one for each worker: set while a life that must be killed works. */
static volatile int *busy;

static int set_ldt(void)
{
	struct user_desc desc = {
		.limit = 10,
		.seg_32bit = 1,
		.contents = 2,
	};

	return syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)) != 0;
}

static int gmem_use(void)
{
	size_t first = worker * SLICE;
	uint64_t *map = (void *)(gmem.map + first * MEM_PAGE);

	if (!is_zero(map, SLICE))
		return 1;
	memset(map, 0xa5, SLICE * MEM_PAGE);
	return mem_punch(&gmem, first, SLICE) != 0;
}

static int in_child(int (*what)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(what());
	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

static int nothing(void)
{
	return 0;
}

static int live_shortly(void)
{
	return secret_use(1);
}

static int live_with_gmem(void)
{
	return gmem_use();
}

/* Leaves pages to exit, which frees them when the process has no address space. */
static int live_and_leave_pages(void)
{
	uint64_t *map = secret_map(2);

	if (!map || secret_use(1))
		return 1;
	map[0] = 1;
	return 0;
}

static int live_with_vm(void)
{
	struct mem mem;

	return mem_open(&mem, mem_kind_by_name("gmem_mmap"), SLICE) ||
	       mem_populate(&mem) || mem_punch(&mem, 0, 1);
}

static void *thread(void *failed)
{
	return secret_use(1) ? failed : NULL;
}

static int live_with_threads(void)
{
	pthread_t threads[NR_THREADS];
	void *failed;
	int wrong;

	for (int i = 0; i < NR_THREADS; i++)
		if (pthread_create(&threads[i], NULL, thread, threads))
			return 1;
	wrong = secret_use(1);
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], &failed);
		wrong |= failed != NULL;
	}
	return wrong;
}

static int live_and_exit_amidst_threads(void)
{
	pthread_t threads[NR_THREADS];

	for (int i = 0; i < NR_THREADS; i++)
		if (pthread_create(&threads[i], NULL, thread, threads))
			return 1;
	return secret_use(1);
}

static int live_and_fork(void)
{
	return secret_use(1) || in_child(live_shortly) || secret_use(1);
}

static int live_and_fork_in_vain(void)
{
	return live_and_leave_pages() || set_ldt() || in_child(nothing);
}

static int live_and_exec(void)
{
	if (secret_use(1) || set_ldt())
		return 1;
	execl("/proc/self/exe", "mermap_lives", "again", NULL);
	return 1;
}

static int live_with_ldt_first(void)
{
	return set_ldt() || secret_use(1);
}

static int live_with_ldt_later(void)
{
	return secret_use(1) || set_ldt();
}

static int live_until_killed(void)
{
	for (;;) {
		if (secret_use(4))
			return 1;
		busy[worker] = 1;
	}
}

static void *thread_until_killed(void *unused)
{
	(void)unused;
	live_until_killed();
	return NULL;
}

static int live_with_thread_until_killed(void)
{
	pthread_t thread;

	if (set_ldt() || pthread_create(&thread, NULL, thread_until_killed, NULL))
		return 1;
	return live_until_killed();
}

struct kind {
	int (*live)(void);
	bool is_killed;
};

/* Three of four lives are cheap, so that there can be many. */
static const struct kind cheap[] = {
	{ live_shortly, false },
	{ live_with_ldt_first, false },
	{ live_with_ldt_later, false },
}, others[] = {
	{ live_with_gmem, false },
	{ live_and_leave_pages, false },
	{ live_with_threads, false },
	{ live_and_exit_amidst_threads, false },
	{ live_and_fork, false },
	{ live_and_fork_in_vain, false },
	{ live_and_exec, false },
	{ live_until_killed, true },
	{ live_with_thread_until_killed, true },
}, with_vm = { live_with_vm, false };

#define NR(kinds) (sizeof(kinds) / sizeof((kinds)[0]))

static bool is_cheap(unsigned int life)
{
	return life % 4 != 3;
}

static const struct kind *kind_of(unsigned int life)
{
	if (life % LIVES_PER_VM == LIVES_PER_VM - 1)
		return &with_vm;
	return is_cheap(life) ? &cheap[life % 4] : &others[life / 4 % NR(others)];
}

static void kill_amidst(pid_t pid, unsigned int life)
{
	/* Stop waiting if the life has failed, and never becomes busy. */
	for (int i = 0; !busy[worker] && i < 20000; i++)
		usleep(100);
	usleep(life % 1000);
	kill(pid, SIGKILL);
}

static void set_cpus(unsigned int first, unsigned int nr)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (unsigned int cpu = first; cpu < first + nr; cpu++)
		CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static int one_life(unsigned int life)
{
	const struct kind *kind = kind_of(life);
	int status, wanted = kind->is_killed ? SIGKILL : 0;
	pid_t pid;

	busy[worker] = 0;
	pid = fork();
	if (!pid) {
		if (!is_cheap(life))
			set_cpus(0, MAX_WORKERS);
		_exit(kind->live());
	}
	if (kind->is_killed)
		kill_amidst(pid, life);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("mermap_lives");
		return 2;
	}
	if (status == wanted)
		return 0;
	printf("life %u ended with status %#x, not %#x\n", life, status, wanted);
	return 1;
}

static int work(unsigned int lives)
{
	/* A life is cheaper on the CPU of its parent. */
	set_cpus(worker, 1);
	for (unsigned int life = 0; life < lives; life++) {
		int err = one_life(life);

		if (err)
			return err;
	}
	return 0;
}

static int live_all(unsigned int lives, unsigned int workers)
{
	pid_t pids[MAX_WORKERS];
	int status, wrong = 0;

	fflush(stdout);
	for (worker = 0; worker < workers; worker++) {
		pids[worker] = fork();
		if (!pids[worker])
			_exit(work((lives + workers - 1) / workers));
	}
	for (unsigned int i = 0; i < workers; i++)
		if (pids[i] < 0 || waitpid(pids[i], &status, 0) != pids[i] ||
		    !WIFEXITED(status))
			wrong |= 2;
		else
			wrong |= WEXITSTATUS(status);
	return wrong & 2 ? 2 : wrong;
}

static int put(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, value, strlen(value)) ==
			     (ssize_t)strlen(value);

	if (!ok)
		printf("%s: %s\n", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok ? 0 : 2;
}

/* An unfinished run has left the probe. */
static void probe_remove(void)
{
	int fd = open(TRACING "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0)
		return;
	dprintf(fd, "-:lives/ends\n");
	close(fd);
}

static int probe_start(void)
{
	probe_remove();
	return put(TRACING "kprobe_events", "p:lives/ends " PROBED "\n") ||
	       put(TRACING "events/lives/ends/enable", "1") ? 2 : 0;
}

/* How often the probe was hit. */
static unsigned long probe_end(void)
{
	FILE *file = fopen(TRACING "kprobe_profile", "re");
	unsigned long hits = 0, misses = 0;

	if (!file || fscanf(file, " ends %lu %lu", &hits, &misses) != 2)
		hits = 0;
	if (file)
		fclose(file);
	put(TRACING "events/lives/ends/enable", "0");
	probe_remove();
	return hits + misses;
}

/* A counter of the kernel, and its allowed growth. */
struct counter {
	char name[64];
	long slack;
	long before;
	long after;
};

struct counters {
	struct counter list[1024];
	size_t nr;
};

static void count(struct counters *counters, const char *name, long value,
		  long slack)
{
	struct counter *counter;

	for (size_t i = 0; i < counters->nr; i++) {
		counter = &counters->list[i];
		if (!strcmp(counter->name, name)) {
			counter->after = value;
			return;
		}
	}
	if (counters->nr == sizeof(counters->list) / sizeof(*counter))
		return;
	counter = &counters->list[counters->nr++];
	snprintf(counter->name, sizeof(counter->name), "%s", name);
	counter->slack = slack;
	counter->before = value;
	counter->after = value;
}

/* Reads each line of a file with a name and a number in that format. */
static int read_file(const char *name, const char *format,
		     void (*add)(const char *name, long value))
{
	FILE *file = fopen(name, "re");
	char line[256], key[64];
	long value;

	if (!file) {
		printf("%s: %s\n", name, strerror(errno));
		return 2;
	}
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, format, key, &value) == 2)
			add(key, value);
	fclose(file);
	return 0;
}

static struct counters counters;
static long lives;

static void add_vmstat(const char *name, long value)
{
	static const char *const exact[] = {
		"nr_page_table_pages", "nr_sec_page_table_pages",
		"nr_kernel_stack", "nr_anon_pages", "nr_shmem", "nr_unevictable",
	};

	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		if (!strcmp(name, exact[i]))
			count(&counters, name, value, 64);
}

static void add_meminfo(const char *name, long value)
{
	/*
	 * A process has more than 64 bytes per CPU.  The kernel allocates areas for them
	 * a page per CPU at a time, when a process needs the first few bytes of an area.
	 */
	if (!strcmp(name, "Percpu"))
		count(&counters, "kB per CPU", value, lives / 32 + 96);
}

static void add_slab(const char *name, long value)
{
	char label[64];

	/* vmalloc keeps pools of these, which decay later. */
	bool pooled = !strcmp(name, "vmap_area");

	snprintf(label, sizeof(label), "slab %s", name);
	count(&counters, label, value, pooled ? lives / 2 : lives / 4);
}

static int count_all(void)
{
	int64_t free = free_pages();

	if (free < 0)
		return 2;
	count(&counters, "pages not free", -free, lives / 8);
	return read_file("/proc/vmstat", "%63s %ld", add_vmstat) ||
	       read_file("/proc/meminfo", "%63[^:]: %ld", add_meminfo) ||
	       read_file("/proc/slabinfo", "%63s %ld", add_slab) ? 2 : 0;
}

static bool is_settled(void)
{
	for (size_t i = 0; i < counters.nr; i++)
		if (counters.list[i].after - counters.list[i].before >
		    counters.list[i].slack)
			return false;
	return true;
}

/* Prints exceeded counters last, where they are seen in a long output. */
static void show_counters(bool too_many)
{
	for (size_t i = 0; i < counters.nr; i++) {
		struct counter *counter = &counters.list[i];
		long more = counter->after - counter->before;

		if (too_many == (more > counter->slack) &&
		    (counter->slack == 64 || more > counter->slack / 2))
			printf("%s: %ld before, %ld after%s\n", counter->name,
			       counter->before, counter->after,
			       too_many ? ": TOO MANY" : "");
	}
}

static int claim(bool holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	return !holds;
}

/* Caches grow with the first half of the lives only, leaks with the second, too. */
static int live_both_halves(unsigned int workers)
{
	int wrong = live_all(lives / 2, workers);

	sleep(1);
	if (count_all())
		return 2;
	wrong |= live_all(lives - lives / 2, workers);
	for (int i = 0; i < SETTLE_SECONDS; i++) {
		if (count_all())
			return 2;
		if (is_settled())
			break;
		sleep(1);
	}
	return wrong & 2 ? 2 : wrong;
}

static int check(unsigned int workers)
{
	unsigned long hits;
	int wrong;

	if (probe_start())
		return 2;
	wrong = live_both_halves(workers);
	hits = probe_end();
	show_counters(false);
	show_counters(true);
	printf("%ld lives, %lu address spaces with a mermap\n", lives, hits);
	if (wrong == 2)
		return 2;
	wrong = claim(!wrong, "every life ends as it was meant to");
	wrong |= claim(hits >= (unsigned long)lives, "each has used the mermap");
	wrong |= claim(is_settled(), "nothing stays behind");
	return wrong;
}

int main(int argc, char **argv)
{
	long workers = sysconf(_SC_NPROCESSORS_ONLN);

	if (argc == 2 && !strcmp(argv[1], "again"))
		return secret_use(1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	lives = argc == 2 ? atol(argv[1]) : 0;
	if (lives <= 0) {
		fprintf(stderr, "usage: mermap_lives N\n");
		return 2;
	}
	if (workers > MAX_WORKERS)
		workers = MAX_WORKERS;
	busy = mmap(NULL, MEM_PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (busy == MAP_FAILED ||
	    mem_open(&gmem, mem_kind_by_name("gmem_mmap"), workers * SLICE))
		return 2;
	return check(workers);
}
