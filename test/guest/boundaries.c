// SPDX-License-Identifier: MIT
/*
 * Memory out of the direct map during other work of the kernel on memory.
 *
 * boundaries around KIND MIB -- COMMAND...
 *	the command succeeds while such memory lives, which keeps its contents
 *	and stays absent; afterwards the direct map is whole again
 * boundaries busy KIND
 *	a range of RAM that such memory is in cannot be taken offline, and the
 *	attempt leaves it as absent as it was
 * boundaries offline KIND
 *	the same; once that memory is free the range can, although it still is
 *	out of the direct map
 * boundaries bind KIND NODE
 *	memory bound to a node is there, and absent
 * boundaries prefer KIND NODE
 *	the same where a task, on a CPU of another node, prefers a set of nodes
 * boundaries interleave KIND
 *	a task that interleaves over nodes 0 and 1 has half of it on each
 * boundaries charge KIND MIB CGROUP
 *	such memory is charged to the memory cgroup, as long as it lives
 * boundaries holes KIND MIB CGROUP
 *	pages that its mapping keeps for itself are charged, until the mapping is gone;
 *	all CPUs have populated it, and another mapping lives on
 * boundaries spares KIND MIB
 *	a task gets MIB of anonymous memory though files keep blocks that they do not
 *	use; the caller sets a limit at which one of the two has to go
 * boundaries lower KIND CGROUP
 *	such blocks go when the limit of the caller's cgroup is lowered, and no task does
 * boundaries memlock
 *	RLIMIT_MEMLOCK bounds memfd_secret, and does not bound guest_memfd
 * boundaries mapped
 *	prints how many pages the direct map has
 *
 * Exit: 0 as claimed, 1 not so, 2 it cannot be told; around: the command's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "mem.h"
#include "ptdump.h"
#include "vmstat.h"

#define BLOCKS "/sys/devices/system/memory/"
#define NODES "/sys/devices/system/node/"
#define WORDS (MEM_PAGE / 8)
/* Several ranges of RAM. */
#define OFFLINE_PAGES (3UL << 16)
#define CANDIDATES 4
/* A slow machine gives blocks back before the test can look. */
#define TRIES 5
#define LIVES 4
#define BLOCK_PAGES 512
/* Files that are large enough to own blocks. */
#define SPARES 16
#define SPARE_PAGES (4UL * BLOCK_PAGES)

static int claim(bool holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	return !holds;
}

/* 0 or errno. */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* When all that is free is back. */
static long mapped_pages(void)
{
	int err = put("/proc/sys/vm/drop_caches", "1");
	struct ptdump *dump;
	long mapped;

	if (err) {
		printf("/proc/sys/vm/drop_caches: %s\n", strerror(err));
		return -1;
	}
	if (ptdump_read(&dump)) {
		printf("no dump of the page tables\n");
		return -1;
	}
	mapped = ptdump_count_all(dump);
	ptdump_free(dump);
	return mapped;
}

static void stamp(const struct mem *mem)
{
	uint64_t *word = (uint64_t *)mem->map;

	for (size_t i = 0; i < mem->nr_pages; i++)
		for (size_t at = 0; at < WORDS; at += WORDS - 1)
			word[i * WORDS + at] = ~(i * WORDS + at);
}

static bool is_stamped(const struct mem *mem)
{
	const uint64_t *word = (uint64_t *)mem->map;

	for (size_t i = 0; i < mem->nr_pages; i++)
		for (size_t at = 0; at < WORDS; at += WORDS - 1)
			if (word[i * WORDS + at] != ~(i * WORDS + at))
				return false;
	return true;
}

/* All of a protected kind, none of another. */
static int check_absent(const struct mem *mem, uint64_t *pfns)
{
	size_t wanted = mem->kind->is_protected ? 0 : mem->nr_pages;
	struct ptdump *dump;
	size_t mapped;

	if (mem_pfns(mem, pfns) || ptdump_read(&dump))
		return 2;
	mapped = ptdump_count_mapped(dump, pfns, mem->nr_pages);
	ptdump_free(dump);
	printf("the direct map has %zu of %zu pages\n", mapped, mem->nr_pages);
	return claim(mapped == wanted, wanted ? "it has all of them" :
		     "it has none of them");
}

static int open_stamped(struct mem *mem, const struct mem_kind *kind,
			size_t nr_pages)
{
	if (mem_open(mem, kind, nr_pages))
		return 2;
	if (!mem->map) {
		printf("%s: cannot be mapped\n", kind->name);
		return 2;
	}
	stamp(mem);
	return 0;
}

static int around(const struct mem_kind *kind, size_t nr_pages, char **command)
{
	long before = mapped_pages();
	struct mem mem;
	uint64_t *pfns;
	int wrong;

	if (before < 0 || open_stamped(&mem, kind, nr_pages))
		return 2;
	pfns = calloc(nr_pages, sizeof(*pfns));
	if (!pfns)
		return 2;
	wrong = check_absent(&mem, pfns);
	wrong |= command_run(command);
	wrong |= claim(is_stamped(&mem), "it has what was written to it");
	wrong |= check_absent(&mem, pfns);
	free(pfns);
	if (mem_close(&mem))
		return 2;
	return wrong | claim(mapped_pages() == before,
			     "the direct map is as before");
}

static long read_long(const char *path, int base)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return got <= 0 ? -1 : strtol(text, NULL, base);
}

/* A counter of all CPUs, each of which keeps its last changes to itself for a while. */
static int64_t exact_vmstat(const char *name)
{
	int err = put("/proc/sys/vm/stat_refresh", "1");

	if (err)
		printf("/proc/sys/vm/stat_refresh: %s\n", strerror(err));
	return vmstat(name);
}

static long block_pages(void)
{
	return read_long(BLOCKS "block_size_bytes", 16) / (long)MEM_PAGE;
}

/* 0 or errno.  What cannot be moved is tried again until a signal comes. */
static int set_state(long block, const char *state)
{
	char path[96];
	int err;

	snprintf(path, sizeof(path), BLOCKS "memory%ld/state", block);
	alarm(60);
	err = put(path, state);
	alarm(0);
	return err;
}

static void nothing(int signal)
{
	(void)signal;
}

struct candidates {
	size_t nr;
	long block[CANDIDATES];
};

/* Ranges that are full of these pages, or nearly so. */
static void find_blocks(const uint64_t *pfns, size_t nr, struct candidates *ret)
{
	uint64_t pages = block_pages();
	size_t found = 0, most = 0;

	ret->nr = 0;
	for (size_t i = 0; i < nr && ret->nr < CANDIDATES; i++) {
		long block = pfns[i] / pages;

		/* Seen from each of its pages, each time counted anew. */
		if (i && pfns[i - 1] / pages == (uint64_t)block)
			continue;
		found = 0;
		for (size_t j = 0; j < nr; j++)
			found += pfns[j] / pages == (uint64_t)block;
		for (size_t j = 0; j < ret->nr; j++)
			if (ret->block[j] == block)
				found = 0;
		most = found > most ? found : most;
		if (found < pages / 4 * 3)
			continue;
		printf("memory%ld has %zu of the pages\n", block, found);
		ret->block[ret->nr++] = block;
	}
	if (!ret->nr)
		printf("of a range of %" PRIu64 " pages it has %zu at most\n", pages, most);
}

/* Those that might go offline if they were not used. */
static int try_offline(struct candidates *blocks)
{
	size_t busy = 0;
	int wrong = 0;

	for (size_t i = 0; i < blocks->nr; i++) {
		int err = set_state(blocks->block[i], "offline");

		printf("memory%ld: offline, while it is used: %s\n",
		       blocks->block[i], strerror(err));
		/* A range with holes in it never goes offline. */
		if (err == EINVAL)
			continue;
		wrong |= err != EBUSY;
		blocks->block[busy++] = blocks->block[i];
	}
	blocks->nr = busy;
	if (!busy) {
		printf("no range of RAM is full of them\n");
		return 2;
	}
	return claim(!wrong, "no range goes offline that is used");
}

static int offline_used(const struct mem *mem, struct candidates *blocks)
{
	uint64_t *pfns = calloc(mem->nr_pages, sizeof(*pfns));
	int wrong;

	if (!pfns || mem_pfns(mem, pfns))
		return 2;
	find_blocks(pfns, mem->nr_pages, blocks);
	wrong = try_offline(blocks);
	if (wrong != 2)
		wrong |= claim(is_stamped(mem),
			       "the memory has what was written to it") |
			 check_absent(mem, pfns);
	free(pfns);
	return wrong;
}

/* Of the ranges, the one with most pages that the direct map lacks; NULL if none has any. */
static long *most_absent(struct candidates *blocks, const struct ptdump *dump,
			 long *ret_absent)
{
	long *most = NULL;

	*ret_absent = 0;
	for (size_t i = 0; i < blocks->nr; i++) {
		uint64_t first = blocks->block[i] * block_pages();
		long absent = 0;

		for (uint64_t pfn = first; pfn < first + block_pages(); pfn++)
			absent += !ptdump_maps_pfn(dump, pfn);
		if (absent > *ret_absent) {
			*ret_absent = absent;
			most = &blocks->block[i];
		}
	}
	return most;
}

/* The kernel's log from here on; -1 if there is none. */
static int open_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/*
 * The page that the log names as the one that cannot be moved; 0 if it names none.
 * Closes the log.
 */
static uint64_t read_unmovable(int log)
{
	uint64_t pfn = 0;
	char record[1024];
	ssize_t got;

	/* A record that was overwritten is EPIPE; the next call has the one after it. */
	while ((got = read(log, record, sizeof(record) - 1)) > 0 ||
	       (got < 0 && errno == EPIPE)) {
		char *at;

		record[got > 0 ? got : 0] = '\0';
		at = strstr(record, " pfn:0x");
		if (at)
			pfn = strtoull(at + strlen(" pfn:"), NULL, 16);
	}
	if (log >= 0)
		close(log);
	return pfn;
}

/*
 * Take one of the ranges offline.  The kernel may have a page of its own in a range: one
 * that was in the direct map before.  Another range is tried then.
 */
static int offline_one(struct candidates *blocks, const struct ptdump *dump, long *ret_block,
		       long *ret_absent)
{
	uint64_t unmovable;
	long *block;
	int err, log;

	while ((block = most_absent(blocks, dump, ret_absent))) {
		*ret_block = *block;
		log = open_log();
		err = set_state(*block, "offline");
		unmovable = read_unmovable(log);
		printf("memory%ld: offline, when it is free, %ld pages out of the map: %s\n",
		       *block, *ret_absent, strerror(err));
		if (unmovable)
			printf("pfn %#" PRIx64 " cannot be moved\n", unmovable);
		if (err != EBUSY || !unmovable || !ptdump_maps_pfn(dump, unmovable))
			return err;
		printf("it was in the direct map\n");
		*block = blocks->block[--blocks->nr];
	}
	return ENOENT;
}

/*
 * The kernel gives blocks back that nobody asks for.  2 if it has given back all that
 * the ranges had before they were looked at, or has pages of its own in all of them.
 */
static int offline_free(struct candidates *blocks)
{
	int64_t returned = vmstat("nodirmap_block_return");
	struct ptdump *dump;
	long block, absent;
	int err, wrong;

	printf("%" PRId64 " pages are free in blocks out of the map\n",
	       vmstat("nr_free_nodirmap_blocks"));
	if (ptdump_read(&dump))
		return 2;
	err = offline_one(blocks, dump, &block, &absent);
	ptdump_free(dump);
	if (err == ENOENT) {
		printf("no range is free and out of the map\n");
		return 2;
	}

	returned = vmstat("nodirmap_block_return") - returned;
	printf("%" PRId64 " blocks came back\n", returned);
	wrong = claim(!err, "a range goes offline when the memory is free");
	wrong |= claim(returned * 512 >= absent, "its blocks came back for that");
	if (err)
		return 1;
	return wrong | claim(!set_state(block, "online"), "and it goes online again");
}

static int offline(const struct mem_kind *kind, bool free_too)
{
	struct sigaction action = { .sa_handler = nothing };
	int wrong, tries = TRIES;
	struct candidates blocks;
	struct mem mem;
	long before;

	sigaction(SIGALRM, &action, NULL);
	before = mapped_pages();
	do {
		if (before < 0 || open_stamped(&mem, kind, OFFLINE_PAGES))
			return 2;
		wrong = offline_used(&mem, &blocks);
		mem_release(&mem);
		if (!(wrong & 2) && free_too)
			wrong |= offline_free(&blocks);
	} while (wrong == 2 && --tries);
	if (wrong & 2)
		return 2;
	return wrong | claim(mapped_pages() == before,
			     "the direct map is as before");
}

static bool is_on_node(uint64_t pfn, int node)
{
	char path[96];

	snprintf(path, sizeof(path), NODES "node%d/memory%" PRIu64, node,
		 pfn / block_pages());
	return !access(path, F_OK);
}

/* Populates it; how many of its pages are on the node. */
static int count_on_node(const struct mem *mem, int node, size_t *ret)
{
	uint64_t *pfns = calloc(mem->nr_pages, sizeof(*pfns));
	size_t there = 0;
	int wrong;

	if (!pfns)
		return 2;
	stamp(mem);
	wrong = check_absent(mem, pfns);
	for (size_t i = 0; i < mem->nr_pages; i++)
		there += is_on_node(pfns[i], node);
	free(pfns);
	printf("%zu of %zu pages are on node %d\n", there, mem->nr_pages, node);
	*ret = there;
	return wrong;
}

static int bind_to(const struct mem_kind *kind, int node)
{
	unsigned long mask = 1UL << node;
	size_t there = 0;
	struct mem mem;
	int wrong;

	if (mem_open(&mem, kind, 4096))
		return 2;
	if (syscall(SYS_mbind, mem.map, mem.nr_pages * MEM_PAGE, MPOL_BIND,
		    &mask, 8 * sizeof(mask), 0)) {
		perror("boundaries: mbind");
		return 2;
	}
	wrong = count_on_node(&mem, node, &there);
	wrong |= claim(there == mem.nr_pages, "all are where they are bound to");
	return mem_close(&mem) ? 2 : wrong;
}

/* Under a policy of the task. */
static int under_policy(const struct mem_kind *kind, int mode, unsigned long nodes,
			int node, size_t least, size_t most)
{
	size_t there = 0;
	struct mem mem;
	int wrong;

	if (mem_no_limit())
		return 2;
	if (syscall(SYS_set_mempolicy, mode, &nodes, 8 * sizeof(nodes))) {
		perror("boundaries: set_mempolicy");
		return 2;
	}
	if (mem_open(&mem, kind, 4096))
		return 2;
	wrong = count_on_node(&mem, node, &there);
	wrong |= claim(there >= least && there <= most, "as the policy has it");
	return mem_close(&mem) ? 2 : wrong;
}

static int prefer(const struct mem_kind *kind, int node)
{
	return under_policy(kind, MPOL_PREFERRED_MANY, 1UL << node, node, 4096, 4096);
}

/* The task allocates for other purposes, too. */
static int interleave(const struct mem_kind *kind)
{
	return under_policy(kind, MPOL_INTERLEAVE, 3, 0, 1843, 2253);
}

static int charge(const struct mem_kind *kind, size_t nr_pages, const char *cgroup)
{
	long before, during, after, slack = (4 << 20) + nr_pages * MEM_PAGE / 8;
	long size = nr_pages * MEM_PAGE;
	char path[128];
	struct mem mem;
	int wrong;

	snprintf(path, sizeof(path), "%s/memory.current", cgroup);
	before = read_long(path, 10);
	if (before < 0 || open_stamped(&mem, kind, nr_pages))
		return 2;
	during = read_long(path, 10) - before;
	mem_release(&mem);
	after = read_long(path, 10) - before;
	printf("%ld bytes: charged %ld, %ld when it is freed\n", size, during,
	       after);
	wrong = claim(during >= size && during < size + slack, "it is charged");
	return wrong | claim(after < slack, "and uncharged");
}

/*
 * Each CPU populates a part, and keeps the last of its folios in a batch for the LRU.  The
 * last CPU is the one that goes on.
 */
static void populate_by_all_cpus(const struct mem *mem)
{
	long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t share = mem->nr_pages / nr_cpus;
	cpu_set_t all, one;

	sched_getaffinity(0, sizeof(all), &all);
	for (long cpu = 0; cpu < nr_cpus; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		for (size_t i = 0; i < share; i++)
			mem->map[(cpu * share + i) * MEM_PAGE] = 1;
	}
	sched_setaffinity(0, sizeof(all), &all);
}

/* All but one page of each block: memory that nobody else can have. */
static int punch_most(struct mem *mem, size_t nr_pages)
{
	size_t page;

	for (page = 0; page < nr_pages; page += 512)
		if (mem_punch(mem, page + 1, 511))
			return -1;
	return 0;
}

/* read_long() of @path once it is below @limit, or after a minute. */
static long settled(const char *path, long limit)
{
	long value = read_long(path, 10);

	for (int i = 0; i < 600 && value >= limit; i++) {
		usleep(100000);
		value = read_long(path, 10);
	}
	return value;
}

static int holes(const struct mem_kind *kind, size_t nr_pages, const char *cgroup)
{
	long before, kept = 0, charged = 0, after = 0;
	long size = nr_pages * MEM_PAGE, slack = 4 << 20;
	struct mem mem, other;
	char path[128];
	int wrong;

	/* While another mapping lives, no timer has the kernel drain the batches. */
	if (mem_open(&other, kind, 1) || mem_populate(&other))
		return 2;
	snprintf(path, sizeof(path), "%s/memory.current", cgroup);
	before = read_long(path, 10);
	/* What one life leaves behind may be less than what the cgroup has in stock. */
	for (unsigned int life = 0; life < LIVES; life++) {
		kept = exact_vmstat("nr_nodirmap_holes");
		if (before < 0 || kept < 0 || mem_open(&mem, kind, nr_pages))
			return 2;
		populate_by_all_cpus(&mem);
		if (punch_most(&mem, nr_pages))
			return 2;
		kept = (exact_vmstat("nr_nodirmap_holes") - kept) * MEM_PAGE;
		charged = read_long(path, 10) - before;
		mem_release(&mem);
		after = settled(path, before + slack) - before;
	}
	printf("%ld bytes: keeps %ld of them in holes, charged %ld, %ld when it is gone\n",
	       size, kept, charged, after);
	wrong = claim(kept > size / 2, "the mapping keeps the holes");
	wrong |= claim(charged > kept - slack && charged < size + slack,
		       "they are charged");
	wrong |= claim(after < slack, "and uncharged");
	return mem_close(&other) ? 2 : wrong;
}

/* Files each keep a block of which no page is in use, until others need it. */
static int keep_spares(const struct mem_kind *kind, long before, long *ret_kept)
{
	static struct mem mem[SPARES];

	for (size_t i = 0; i < SPARES; i++)
		if (mem_open(&mem[i], kind, SPARE_PAGES) || mem_populate(&mem[i]) ||
		    mem_punch(&mem[i], 0, SPARE_PAGES))
			return 2;

	*ret_kept = exact_vmstat("nr_nodirmap_holes") - before;
	printf("%d files keep %ld pages that they do not use\n", SPARES, *ret_kept);
	return claim(*ret_kept >= SPARES * BLOCK_PAGES, "each has a block");
}

static int gave_up(long before)
{
	long kept = exact_vmstat("nr_nodirmap_holes") - before;

	printf("they keep %ld now\n", kept);
	return claim(kept < SPARES * BLOCK_PAGES, "they gave blocks up, and nobody was killed");
}

static int spares(const struct mem_kind *kind, size_t size)
{
	long before = exact_vmstat("nr_nodirmap_holes"), kept;
	int wrong = keep_spares(kind, before, &kept);
	char *map;

	if (wrong)
		return wrong;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return 2;
	memset(map, 1, size);
	return gave_up(before);
}

/* The limit goes down to where half of what the files keep has to go. */
static int lower(const struct mem_kind *kind, const char *cgroup)
{
	long before = exact_vmstat("nr_nodirmap_holes"), kept, charged;
	int wrong = keep_spares(kind, before, &kept);
	char path[128], limit[32];

	if (wrong)
		return wrong;
	snprintf(path, sizeof(path), "%s/memory.current", cgroup);
	charged = read_long(path, 10);
	snprintf(path, sizeof(path), "%s/memory.max", cgroup);
	snprintf(limit, sizeof(limit), "%ld", charged - kept / 2 * (long)MEM_PAGE);
	if (charged < 0 || put(path, limit))
		return 2;
	return gave_up(before);
}

static void touch_all(const char *kind, size_t nr_pages)
{
	struct mem mem;

	if (mem_open(&mem, mem_kind_by_name(kind), nr_pages) ||
	    mem_populate(&mem))
		_exit(2);
	mem_release(&mem);
	_exit(0);
}

/* 0, or the signal that it takes. */
static int use(const char *kind, size_t nr_pages)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		touch_all(kind, nr_pages);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static int memlock(void)
{
	struct rlimit limit = { 16 * MEM_PAGE, 16 * MEM_PAGE };
	int wrong;

	if (setrlimit(RLIMIT_MEMLOCK, &limit)) {
		perror("boundaries: RLIMIT_MEMLOCK");
		return 2;
	}
	wrong = claim(use("secretmem", 16) == 0, "memfd_secret fits into the limit");
	wrong |= claim(use("secretmem", 17) == SIGBUS, "and does not go beyond");
	wrong |= claim(use("secretmem", 16) == 0, "what was freed counts no more");
	wrong |= claim(use("plain", 256) == 0, "guest_memfd knows no such limit");
	return wrong | claim(use("gmem_mmap", 256) == 0,
			     "nor does it out of the direct map");
}

static int usage(void)
{
	fprintf(stderr,
		"usage: boundaries around KIND MIB -- COMMAND...\n"
		"       boundaries busy|offline KIND\n"
		"       boundaries bind|prefer KIND NODE\n"
		"       boundaries lower KIND CGROUP\n"
		"       boundaries interleave KIND\n"
		"       boundaries charge|holes KIND MIB CGROUP\n"
		"       boundaries spares KIND MIB\n"
		"       boundaries memlock|mapped\n"
		"kinds: %s\n", mem_kind_names());
	return 2;
}

static int of_kind(int argc, char **argv, const struct mem_kind *kind)
{
	size_t number = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	if (argc > 5 && !strcmp(argv[1], "around") && number)
		return around(kind, (number << 20) / MEM_PAGE, argv + 5);
	if (argc == 4 && !strcmp(argv[1], "lower"))
		return lower(kind, argv[3]);
	if (argc == 3 && !strcmp(argv[1], "offline"))
		return offline(kind, true);
	if (argc == 3 && !strcmp(argv[1], "busy"))
		return offline(kind, false);
	if (argc == 4 && !strcmp(argv[1], "bind"))
		return bind_to(kind, number);
	if (argc == 4 && !strcmp(argv[1], "prefer"))
		return prefer(kind, number);
	if (argc == 3 && !strcmp(argv[1], "interleave"))
		return interleave(kind);
	if (argc == 5 && !strcmp(argv[1], "charge") && number)
		return charge(kind, (number << 20) / MEM_PAGE, argv[4]);
	if (argc == 5 && !strcmp(argv[1], "holes") && number)
		return holes(kind, (number << 20) / MEM_PAGE, argv[4]);
	if (argc == 4 && !strcmp(argv[1], "spares") && number)
		return spares(kind, number << 20);
	return usage();
}

int main(int argc, char **argv)
{
	const struct mem_kind *kind = argc > 2 ? mem_kind_by_name(argv[2]) : NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (kind)
		return of_kind(argc, argv, kind);
	if (argc == 2 && !strcmp(argv[1], "memlock"))
		return memlock();
	if (argc == 2 && !strcmp(argv[1], "mapped"))
		return printf("%ld\n", mapped_pages()) < 0;
	return usage();
}
