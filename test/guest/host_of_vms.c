// SPDX-License-Identifier: MIT
/*
 * A host whose VMs populate and punch memory outside the direct map page by page.  Measures
 * how much of the memory outside the direct map nobody can use.
 *
 * host_of_vms host PERCENT STEPS
 *	Eight VMs, each in a process, populate and punch pages at random.  Together
 *	they hold that part of MemAvailable.  Seven die, and their memory comes back.
 * host_of_vms lives PERCENT STEPS
 *	As host, but each VM dies several times, and another takes its place.
 * host_of_vms huge PERCENT STEPS
 *	As lives, with folios of 2 MiB: populating a page populates its surroundings.
 * host_of_vms balloon MIB STEPS
 *	One VM with a file of that size punches pages at random and populates others.
 * host_of_vms nodes MIB STEPS
 *	A VM bound to node 0, one bound to node 1, and one with half of its file on each.
 *
 * STEPS is the sum for all VMs.  Three quarters of a file are populated.
 *
 * "host" and "balloon" also print a line of JSON, see docs/bench.md.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown, 4 not on this machine.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "page.h"
#include "ptdump.h"
#include "random_vm.h"
#include "vmstat.h"

#define PAGE page_bytes()
/* What leaves the direct map together, in pages. */
#define BLOCK ((2L << 20) / (long)PAGE)
#define VMS 8
#define LIVES 3
/* Most pages that a balloon takes and gives at a time. */
#define INFLATED 4096
#define NODES 2

/* In pages. */
struct outside {
	/* In blocks, by the counter of the kernel. */
	int64_t counted;
	/* Free, but only for the owner of the block; 0 if the kernel does not count it. */
	int64_t holes;
	/* Pages that the page tables had at the start and lack now. */
	int64_t by_tables;
};

struct neighbour {
	pid_t pid;
	/*
	 * Yields a byte when the VM has done its steps, and an end of file when it is
	 * dead.
	 */
	int done;
};

static struct {
	int64_t mapped;
	int64_t slow_pages;
	/* As on the command line. */
	size_t size;
	size_t steps;
	uint64_t ns;
} start;

/* Of all guest_memfds. */
static uint64_t more_flags;

/* How many pages each VM held in the end. */
static volatile int64_t *held;

static int claim(int holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	return !holds;
}

static int failed(const char *what)
{
	fflush(stdout);
	perror(what);
	return 2;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* @pages are stuck of @of that were freed, or owned for @of that are live. */
static void bench_line(const char *work, int64_t of, int64_t pages)
{
	printf("{\"work\":\"%s\",\"kind\":\"gmem_mmap\",\"round\":0,\"size\":%zu,"
	       "\"steps\":%zu,\"of\":%" PRId64 ",\"pages\":%" PRId64 ",\"ns\":%" PRIu64
	       "}\n", work, start.size, start.steps, of, pages, now() - start.ns);
}

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return failed(path);
	close(fd);
	return 0;
}

/* Puts free memory back into the map, and makes the counters exact. */
static int settle(void)
{
	int ret = write_to("/proc/sys/vm/drop_caches", "3");

	return ret ? ret : write_to("/proc/sys/vm/stat_refresh", "1");
}

static int64_t pages_mapped(void)
{
	struct ptdump *dump;
	int64_t pages;

	if (ptdump_read(&dump)) {
		printf("no dump of the page tables\n");
		return -1;
	}
	pages = ptdump_count_all(dump);
	ptdump_free(dump);
	return pages;
}

static int begin(void)
{
	if (access("/dev/kvm", R_OK | W_OK)) {
		printf("no /dev/kvm\n");
		return 4;
	}
	if (vmstat("nr_nodirmap") < 0) {
		printf("this kernel has no blocks outside the direct map\n");
		return 4;
	}
	if (settle())
		return 2;
	start.mapped = pages_mapped();
	start.slow_pages = vmstat("nodirmap_slow_page");
	start.ns = now();
	return start.mapped < 0 ? 2 : 0;
}

static int64_t slow_pages(void)
{
	return vmstat("nodirmap_slow_page") - start.slow_pages;
}

static int look(struct outside *ret, const char *when)
{
	int64_t before = vmstat("nr_nodirmap");
	int64_t holes, mapped;

	if (settle())
		return 2;
	ret->counted = vmstat("nr_nodirmap");
	holes = vmstat("nr_nodirmap_holes");
	ret->holes = holes < 0 ? 0 : holes;
	mapped = pages_mapped();
	if (mapped < 0)
		return 2;
	ret->by_tables = start.mapped - mapped;
	printf("%s: %" PRId64 " pages are outside in blocks, of %" PRId64 " before caches "
	       "were dropped; %" PRId64 " by the page tables\n", when, ret->counted,
	       before, ret->by_tables);
	printf("%s: %" PRId64 " are free, %" PRId64 " in holes%s; %" PRId64
	       " have left one by one\n", when, vmstat("nr_free_nodirmap"), ret->holes,
	       holes < 0 ? " (this kernel does not count them)" : "", slow_pages());
	return 0;
}

/* The counter lacks pages that have left one by one; only the page tables show these. */
static int64_t unused(const struct outside *now, int64_t live)
{
	int64_t most = now->counted > now->by_tables ? now->counted : now->by_tables;

	return most - live;
}

static int claim_all_back(void)
{
	struct outside now;

	if (look(&now, "all dead"))
		return 2;
	return claim(!now.counted && !now.by_tables,
		     "when the last has died nothing is outside the map");
}

/* The status of a process that is dead. */
static int status_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return failed("host_of_vms: waitpid");
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("NOT SO: a VM lives as long as it wants to: signal %d\n", WTERMSIG(status));
	return 1;
}

static int run_vm(struct random_vm *vm, uint64_t id, size_t live, size_t steps)
{
	int ret = random_vm_open(vm, id, RANDOM_VM_PAGES(live), more_flags);

	if (!ret)
		ret = random_vm_fill(vm, live);
	return ret ? ret : random_vm_churn(vm, steps);
}

/* Lives on after its steps until it must die, which is when @die ends. */
static int be_neighbour(int id, size_t live, size_t steps, int done, int die)
{
	struct random_vm vm;
	int ret = run_vm(&vm, id, live, steps);
	char byte = 0;

	if (ret)
		return ret;
	held[id] = vm.live;
	if (write(done, &byte, 1) != 1 || read(die, &byte, 1) != 0)
		return failed("host_of_vms: pipe");
	ret = random_vm_check(&vm);
	/* Odd VMs leave it to exit. */
	if (id % 2)
		random_vm_close(&vm);
	return ret;
}

static int start_neighbour(struct neighbour *ret, int id, size_t live, size_t steps,
			   const int *die)
{
	int done[2];

	if (pipe2(done, O_CLOEXEC))
		return failed("host_of_vms: pipe");
	ret->pid = fork();
	if (ret->pid < 0)
		return failed("host_of_vms: fork");
	if (!ret->pid) {
		close(die[1]);
		exit(be_neighbour(id, live, steps, done[1], die[0]));
	}
	close(done[1]);
	ret->done = done[0];
	return 0;
}

/* 0 when each neighbour has done its steps. */
static int wait_for(const struct neighbour *neighbours)
{
	char byte;

	for (int i = 1; i < VMS; i++)
		if (read(neighbours[i].done, &byte, 1) != 1)
			return status_of(neighbours[i].pid) ?: 2;
	return 0;
}

static int bury(const struct neighbour *neighbours)
{
	int ret = 0;

	for (int i = 1; i < VMS; i++) {
		int status = status_of(neighbours[i].pid);

		ret = status > ret ? status : ret;
	}
	return ret;
}

static int claim_used(int64_t live)
{
	struct outside now;

	if (look(&now, "eight VMs"))
		return 2;
	printf("eight VMs: they hold %" PRId64 " pages\n", live);
	return claim(now.by_tables >= live, "what they hold is outside the map") |
	       claim(now.counted >= live / 2, "most of it has left the map in blocks");
}

/* The survivor can still use the holes in its own blocks. */
static int claim_few_stuck(int64_t live, int64_t freed)
{
	struct outside now;
	int64_t stuck;
	int wrong;

	if (look(&now, "seven dead"))
		return 2;
	stuck = unused(&now, live) - now.holes;
	printf("seven dead: they held %" PRId64 " pages, the survivor holds %" PRId64
	       " and has %" PRId64 " in holes, %" PRId64 " are stuck: %.1f %%\n",
	       freed, live, now.holes, stuck, 100.0 * stuck / freed);
	bench_line("stuck", freed, stuck);
	wrong = claim(stuck <= freed / 50 + BLOCK,
		      "of what seven held, one in fifty pages and a block are stuck at most");
	if (vmstat("nr_nodirmap_holes") < 0)
		return wrong;
	return wrong | claim(now.holes <= live / 10 + 2 * BLOCK,
			     "the survivor's holes are a tenth and two blocks at most");
}

static int claim_none_stuck(struct random_vm *vm, int64_t freed)
{
	struct outside now;
	int64_t stuck;
	int ret = random_vm_fill(vm, vm->nr_pages);

	if (!ret)
		ret = random_vm_check(vm);
	if (ret || look(&now, "holes filled"))
		return ret ? ret : 2;
	stuck = unused(&now, vm->live);
	printf("holes filled: the survivor holds %zu pages, %" PRId64 " are stuck: %.1f %%\n",
	       vm->live, stuck, 100.0 * stuck / freed);
	return claim(stuck <= 2 * BLOCK,
		     "when the survivor is full two blocks are stuck at most");
}

static int survive(struct random_vm *vm, const struct neighbour *neighbours, int die)
{
	int64_t freed = 0;
	int ret = wait_for(neighbours);

	if (ret)
		return ret;
	for (int i = 1; i < VMS; i++)
		freed += held[i];
	ret = claim_used(vm->live + freed);
	if (ret > 1)
		return ret;
	close(die);
	ret |= bury(neighbours);
	if (ret <= 1)
		ret |= random_vm_check(vm);
	if (ret <= 1)
		ret |= claim_few_stuck(vm->live, freed);
	if (ret <= 1)
		ret |= claim_none_stuck(vm, freed);
	return ret;
}

/* The number of pages of each VM. */
static size_t live_pages(unsigned int percent)
{
	size_t live = meminfo_pages("MemAvailable") * percent / 100 / VMS;

	printf("%d VMs, %zu pages each, %" PRId64 " are available\n", VMS, live,
	       meminfo_pages("MemAvailable"));
	return live;
}

static int host(unsigned int percent, size_t steps)
{
	struct neighbour neighbours[VMS];
	size_t live = live_pages(percent);
	struct random_vm vm;
	int die[2], ret = 0;

	if (pipe2(die, O_CLOEXEC))
		return failed("host_of_vms: pipe");
	for (int i = 1; i < VMS && !ret; i++)
		ret = start_neighbour(&neighbours[i], i, live, steps / VMS, die);
	close(die[0]);
	if (!ret)
		ret = run_vm(&vm, VMS, live, steps / VMS);
	if (ret)
		return ret;
	ret = survive(&vm, neighbours, die[1]);
	if (ret > 1)
		return ret;
	random_vm_close(&vm);
	return ret | claim_all_back();
}

/* VMs live one after the other, for different times. */
static int live_often(int id, size_t live, size_t steps)
{
	struct random_vm vm;
	int ret = 0;

	for (int i = 0; i < LIVES && !ret; i++) {
		ret = run_vm(&vm, id + i * VMS, live,
			     steps / LIVES * (1 + (id + i) % VMS) * 2 / (VMS + 1));
		if (!ret)
			ret = random_vm_check(&vm);
		if (!ret && i < LIVES - 1)
			random_vm_close(&vm);
	}
	return ret;
}

static int lives(unsigned int percent, size_t steps)
{
	size_t live = live_pages(percent);
	pid_t pids[VMS];
	int ret = 0;

	for (int i = 0; i < VMS; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return failed("host_of_vms: fork");
		if (!pids[i])
			exit(live_often(i + 1, live, steps / VMS));
	}
	for (int i = 0; i < VMS; i++) {
		int status = status_of(pids[i]);

		ret = status > ret ? status : ret;
	}
	if (ret > 1)
		return ret;
	return claim(!ret, "each VM had its memory to itself") | claim_all_back();
}

static int huge(unsigned int percent, size_t steps)
{
	more_flags = GUEST_MEMFD_FLAG_ALLOW_HUGE;
	return lives(percent, steps);
}

static int balloon(size_t nr_pages, size_t steps)
{
	size_t live = RANDOM_VM_LIVE(nr_pages);
	struct outside now;
	struct random_vm vm;
	int ret = run_vm(&vm, 1, live, 0);

	for (size_t done = 0, size; done < steps && !ret; done += size) {
		size = 1 + random_vm_number(&vm, INFLATED);
		size = size < live ? size : live;
		ret = random_vm_empty(&vm, live - size);
		if (!ret)
			ret = random_vm_fill(&vm, live);
	}
	if (!ret)
		ret = random_vm_check(&vm);
	if (ret || look(&now, "balloon"))
		return ret ? ret : 2;
	printf("balloon: %zu pages are in use, and %" PRId64 " are not\n", live,
	       unused(&now, live));
	bench_line("owned", live, live + unused(&now, live));
	ret = claim(unused(&now, live) <= (int64_t)live / 10 + 2 * BLOCK,
		    "a VM has a tenth and two blocks outside the map that it does not use");
	random_vm_close(&vm);
	return ret | claim_all_back();
}

static int bind_to(const struct random_vm *vm, size_t from, size_t nr, int node)
{
	unsigned long mask = 1UL << node;

	if (syscall(SYS_mbind, vm->vm.mem + from * PAGE, nr * PAGE, MPOL_BIND, &mask,
		    8 * sizeof(mask), 0))
		return failed("host_of_vms: mbind");
	return 0;
}

/* Adds the populated pages of a range to @live.  Claims that they are on @node. */
static int count_on_node(const struct random_vm *vm, size_t from, size_t nr, int node,
			 int64_t *live)
{
	size_t elsewhere = 0;

	for (size_t i = from; i < from + nr; i++) {
		void *page = vm->vm.mem + i * PAGE;
		int status = -1;

		if (!vm->is_there[i])
			continue;
		/* This only asks where the page is, as no node is given. */
		if (syscall(SYS_move_pages, 0, 1L, &page, NULL, &status, 0))
			return failed("host_of_vms: move_pages");
		elsewhere += status != node;
		live[node]++;
	}
	return claim(!elsewhere, "all of the pages are on the node that they are bound to");
}

/* Claims for each node; each has as many VMs. */
static int claim_by_node(const int64_t *live, int vms, const char *when)
{
	struct outside now;
	int wrong = 0;

	if (look(&now, when))
		return 2;
	for (int node = 0; node < NODES; node++) {
		int64_t outside = node_vmstat(node, "nr_nodirmap");

		printf("%s: node %d: %" PRId64 " pages outside, %" PRId64 " in use\n", when,
		       node, outside, live[node]);
		wrong |= claim(outside >= live[node] / 10 * 9,
			       "nine tenths of it have come from blocks of the node");
		wrong |= claim(outside <= live[node] / 10 * 11 + 2 * vms * BLOCK,
			       "no more than a tenth, and two blocks a VM, is not in use");
	}
	return wrong;
}

/* VM 0 and VM 1 are on these nodes, and VM 2 on both, all in turns. */
static int run_on_nodes(struct random_vm *vms, size_t nr_pages, size_t steps)
{
	size_t half = nr_pages / 2;
	int ret = 0;

	for (int i = 0; i < NODES + 1 && !ret; i++)
		ret = random_vm_open(&vms[i], i + 1, nr_pages, 0);
	if (ret || bind_to(&vms[0], 0, nr_pages, 0) || bind_to(&vms[1], 0, nr_pages, 1) ||
	    bind_to(&vms[2], 0, half, 0) || bind_to(&vms[2], half, nr_pages - half, 1))
		return ret ? ret : 2;
	for (size_t live = 0; live < RANDOM_VM_LIVE(nr_pages); live++)
		for (int i = 0; i < NODES + 1 && !ret; i++)
			ret = random_vm_fill(&vms[i], live + 1);
	for (size_t i = 0; i < steps && !ret; i++)
		ret = random_vm_churn(&vms[i % (NODES + 1)], 1);
	for (int i = 0; i < NODES + 1 && !ret; i++)
		ret = random_vm_check(&vms[i]);
	return ret;
}

static int nodes(size_t nr_pages, size_t steps)
{
	int64_t live[NODES] = { 0 }, shared[NODES] = { 0 };
	struct random_vm vms[NODES + 1];
	size_t half = nr_pages / 2;
	int ret;

	if (node_vmstat(NODES - 1, "nr_nodirmap") < 0) {
		printf("this machine has no two nodes\n");
		return 4;
	}
	ret = run_on_nodes(vms, nr_pages, steps);
	if (ret > 1)
		return ret;
	ret |= count_on_node(&vms[2], 0, half, 0, shared);
	ret |= count_on_node(&vms[2], half, nr_pages - half, 1, shared);
	memcpy(live, shared, sizeof(live));
	ret |= count_on_node(&vms[0], 0, nr_pages, 0, live);
	ret |= count_on_node(&vms[1], 0, nr_pages, 1, live);
	ret |= claim_by_node(live, 2, "three VMs");
	random_vm_close(&vms[0]);
	random_vm_close(&vms[1]);
	ret |= claim_by_node(shared, 1, "two dead");
	ret |= random_vm_check(&vms[2]);
	if (ret > 1)
		return ret;
	random_vm_close(&vms[2]);
	return ret | claim_all_back();
}

static int usage(void)
{
	fprintf(stderr,
		"usage: host_of_vms host|lives|huge PERCENT STEPS\n"
		"       host_of_vms balloon|nodes MIB STEPS\n");
	return 2;
}

int main(int argc, char **argv)
{
	size_t size = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	size_t steps = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	int ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!size || !steps)
		return usage();
	start.size = size;
	start.steps = steps;
	ret = begin();
	if (ret)
		return ret;
	held = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (held == MAP_FAILED)
		return failed("host_of_vms: mmap");
	if (!strcmp(argv[1], "host"))
		return host(size, steps);
	if (!strcmp(argv[1], "lives"))
		return lives(size, steps);
	if (!strcmp(argv[1], "huge"))
		return huge(size, steps);
	if (!strcmp(argv[1], "balloon"))
		return balloon((size << 20) / PAGE, steps);
	if (!strcmp(argv[1], "nodes"))
		return nodes((size << 20) / PAGE, steps);
	return usage();
}
