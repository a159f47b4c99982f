// SPDX-License-Identifier: MIT
/*
 * absence kcore KIND CONTROL     A scan of RAM does not find a secret in memory of that
 *                                kind, and finds the control's.
 * absence ptdump KIND CONTROL    The direct map has no entry for any page of that kind
 *                                while the memory lives, and has one afterwards.  For
 *                                the control it always has one.
 * absence hwpoison KIND CONTROL  A poisoned page of that kind never comes back to the
 *                                direct map, but its neighbours do.  The control's
 *                                page stays there.
 * absence clock KIND CONTROL     kvm-clock runs in a page of that kind, and the page
 *                                stays absent.  The control's clock runs, and the scan
 *                                finds the control's page.
 * absence hold KIND -- COMMAND   Runs the command while such memory lives.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown; hold: the exit status of the command.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "kcore_scan.h"
#include "mem.h"
#include "ptdump.h"
#include "vmstat.h"

/* Not a multiple of the pages that a PMD maps. */
#define NR_PAGES 700
#define POISONED_PAGE 333
/* In the middle of a page; the secret is at its beginning. */
#define CLOCK_OFFSET (77 * MEM_PAGE + 0x800)
#ifndef MSR_KVM_SYSTEM_TIME_NEW
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01
#endif
#define HWPOISON_FILE "/sys/kernel/debug/hwpoison/corrupt-pfn"
#define UNPOISON_FILE "/sys/kernel/debug/hwpoison/unpoison-pfn"

enum { SUBJECT, CONTROL, BOTH };

static int open_both(struct mem *mem, const struct mem_kind *kinds[BOTH])
{
	for (int i = 0; i < BOTH; i++)
		if (mem_open(&mem[i], kinds[i], NR_PAGES) ||
		    mem_populate(&mem[i]))
			return 2;
	return 0;
}

static int close_both(struct mem *mem)
{
	int err = mem_close(&mem[SUBJECT]);

	return mem_close(&mem[CONTROL]) || err ? 2 : 0;
}

static int claim(bool holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	return !holds;
}

static int scan(const struct secret *secrets, struct kcore_result *result)
{
	int err = kcore_scan(secrets, BOTH, result);

	if (err) {
		printf("/proc/kcore: %s\n", strerror(-err));
		return 2;
	}
	for (size_t i = 0; i < result->nr_finds; i++)
		printf("secret of the %s at %#" PRIx64 "\n",
		       result->find[i].secret == SUBJECT ? "subject" : "control",
		       result->find[i].phys);
	return 0;
}

static int kcore(struct mem *mem)
{
	struct kcore_result result;
	struct secret secrets[BOTH];
	uint64_t pfns[NR_PAGES];
	const struct kcore_find *found;
	int wrong, err;

	for (int i = 0; i < BOTH; i++)
		if (secret_new(&secrets[i]) ||
		    mem_plant(&mem[i], &secrets[i], NR_PAGES / 2))
			return 2;
	err = scan(secrets, &result);
	if (err)
		return err;
	found = kcore_first_find(&result, CONTROL);
	wrong = claim(found, "the control's secret is found");
	if (found && mem[CONTROL].map) {
		if (mem_pfns(&mem[CONTROL], pfns))
			return 2;
		wrong |= claim(found->phys == pfns[NR_PAGES / 2] * MEM_PAGE,
			       "it is found in the page where it is");
	}
	wrong |= claim(!kcore_first_find(&result, SUBJECT),
		       "the secret is not found");
	err = close_both(mem);
	if (!err)
		err = scan(secrets, &result);
	if (err)
		return err;
	return wrong | claim(!kcore_first_find(&result, SUBJECT),
			     "it is not found after its memory was freed");
}

/* How many of the pages are mapped; or -1. */
static int count_mapped(const uint64_t *pfns)
{
	struct ptdump *dump;
	int err = ptdump_read(&dump);
	int mapped;

	if (err) {
		printf("dump of the page tables: %s\n", strerror(-err));
		return -1;
	}
	mapped = ptdump_count_mapped(dump, pfns, NR_PAGES);
	ptdump_free(dump);
	printf("the direct map has %d of %d pages\n", mapped, NR_PAGES);
	return mapped;
}

/*
 * Does the kernel keep free blocks of pages out of the direct map?  Then a page comes
 * back when its whole block is free and other memory is short.  Closing the memory here
 * drops caches, which returns all free blocks.
 */
static bool in_blocks(void)
{
	return vmstat("nr_nodirmap") > 0;
}

/* With debug_pagealloc=on the direct map lacks all free pages. */
static bool free_is_absent(void)
{
	char line[2048] = "";
	FILE *file = fopen("/proc/cmdline", "re");

	if (!file || !fgets(line, sizeof(line), file))
		printf("/proc/cmdline: %s\n", strerror(errno));
	if (file)
		fclose(file);
	return strstr(line, "debug_pagealloc=on");
}

static int ptdump(struct mem *mem)
{
	uint64_t pfns[BOTH][NR_PAGES];
	int wrong, err;

	for (int i = 0; i < BOTH; i++)
		if (mem_pfns(&mem[i], pfns[i]))
			return 2;
	wrong = claim(count_mapped(pfns[CONTROL]) == NR_PAGES,
		      "the direct map has all pages of the control");
	wrong |= claim(count_mapped(pfns[SUBJECT]) == 0,
		       "the direct map has none of the pages");
	if (mem[SUBJECT].kind->has_vm) {
		int back = in_blocks() || free_is_absent() ? 0 : 100;

		err = mem_punch(&mem[SUBJECT], 0, 100);
		if (err)
			return 2;
		wrong |= claim(count_mapped(pfns[SUBJECT]) == back,
			       back ? "it has those back that were punched out" :
			       "those that were punched out wait for their block");
	}
	err = close_both(mem);
	if (err)
		return err;
	if (free_is_absent())
		return wrong | claim(count_mapped(pfns[CONTROL]) < NR_PAGES,
				     "what is free is absent, of either kind");
	return wrong | claim(count_mapped(pfns[SUBJECT]) == NR_PAGES,
			     "it has all of them back after close");
}

/* Returns 0 or the errno of the file. */
static int put_pfn(const char *name, uint64_t pfn)
{
	FILE *file = fopen(name, "we");
	int err = 0;

	if (!file || fprintf(file, "%" PRIu64, pfn) < 0)
		err = errno;
	if (file && fclose(file))
		err = errno;
	return err;
}

static int poison(uint64_t pfn)
{
	int err = put_pfn(HWPOISON_FILE, pfn);

	/* EBUSY: the page is poisoned, but a user of it was not found. */
	if (err && err != EBUSY) {
		printf("%s: %s\n", HWPOISON_FILE, strerror(err));
		return 2;
	}
	return 0;
}

static int maps_pfn(uint64_t pfn)
{
	struct ptdump *dump;
	int mapped;

	if (ptdump_read(&dump))
		return -1;
	mapped = ptdump_maps_pfn(dump, pfn);
	ptdump_free(dump);
	return mapped;
}

/* The signal that kills a reader of the page; 0: none, -1: unknown. */
static int signal_of_reader(const struct mem *mem, size_t page)
{
	volatile const uint8_t *at = mem->map + page * MEM_PAGE;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		(void)*at;
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* For poisoned memory of any kind the VMM gets the same signal and error. */
static int hears_the_same(struct mem *mem)
{
	int sig[BOTH], err[BOTH], wrong = 0;
	struct secret secret;

	for (int i = 0; i < BOTH; i++) {
		sig[i] = signal_of_reader(&mem[i], POISONED_PAGE);
		if (!mem[i].kind->has_vm)
			continue;
		if (secret_new(&secret))
			return 2;
		err[i] = tiny_vm_plant(&mem[i].vm, &secret,
				       POISONED_PAGE * MEM_PAGE);
		printf("%s: %s when the guest writes to it\n", mem[i].kind->name,
		       err[i] ? strerror(-err[i]) : "no error");
	}
	wrong |= claim(sig[SUBJECT] == SIGBUS && sig[CONTROL] == SIGBUS,
		       "who reads the poisoned page gets SIGBUS, as with the control");
	if (mem[SUBJECT].kind->has_vm)
		wrong |= claim(err[CONTROL] && err[SUBJECT] == err[CONTROL],
			       "whose guest writes to it, the error that the control gives");
	return wrong;
}

static int hwpoison(struct mem *mem)
{
	uint64_t pfns[BOTH][NR_PAGES];
	uint64_t bad[BOTH];
	bool blocks = in_blocks();
	int wrong, err;

	for (int i = 0; i < BOTH; i++) {
		if (mem_pfns(&mem[i], pfns[i]))
			return 2;
		bad[i] = pfns[i][POISONED_PAGE];
		if (poison(bad[i]))
			return 2;
	}
	wrong = claim(maps_pfn(bad[SUBJECT]) == 0,
		      "the poisoned page is absent while the memory lives");
	wrong |= hears_the_same(mem);
	err = close_both(mem);
	if (err)
		return err;
	wrong |= claim(maps_pfn(bad[CONTROL]) == 1,
		       "the control's poisoned page stays where it was");
	wrong |= claim(maps_pfn(bad[SUBJECT]) == 0,
		       "the poisoned page is absent after close");
	if (!blocks)
		wrong |= claim(count_mapped(pfns[SUBJECT]) == NR_PAGES - 1,
			       "all others are back");
	wrong |= claim(!put_pfn(UNPOISON_FILE, bad[CONTROL]),
		       "the control's can be declared good again");
	if (blocks)
		wrong |= claim(!put_pfn(UNPOISON_FILE, bad[SUBJECT]),
			       "so can the absent one, for others like it");
	else
		wrong |= claim(put_pfn(UNPOISON_FILE, bad[SUBJECT]) == EOPNOTSUPP,
			       "the absent one cannot");
	return wrong;
}

#ifdef __x86_64__
/* The clock is in the page of the secret, which the guest writes after that. */
static int start_clock(struct mem *mem)
{
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entry;
	} msrs = {
		.header.nmsrs = 1,
		.entry.index = MSR_KVM_SYSTEM_TIME_NEW,
		.entry.data = (TINY_VM_GPA + CLOCK_OFFSET) | 1,
	};

	if (ioctl(mem->vm.vcpu, KVM_SET_MSRS, &msrs) == 1)
		return 0;
	printf("%s: KVM_SET_MSRS: %s\n", mem->kind->name, strerror(errno));
	return 2;
}

/* A clock that KVM has written has a version, an even one, and a scale. */
static bool clock_runs(const struct mem *mem)
{
	const uint32_t *clock = (void *)(mem->map + CLOCK_OFFSET);
	uint32_t version = clock[0], mul = clock[6];

	printf("%s: version %u, tsc_to_system_mul %u\n", mem->kind->name, version,
	       mul);
	return version && version % 2 == 0 && mul;
}

static int kvm_clock(struct mem *mem)
{
	struct kcore_result result;
	struct secret secrets[BOTH];
	uint64_t pfns[BOTH][NR_PAGES];
	int wrong, err;

	for (int i = 0; i < BOTH; i++) {
		memset(mem[i].map + CLOCK_OFFSET, 0, 64);
		if (start_clock(&mem[i]) || secret_new(&secrets[i]) ||
		    mem_plant(&mem[i], &secrets[i], CLOCK_OFFSET / MEM_PAGE) ||
		    mem_pfns(&mem[i], pfns[i]))
			return 2;
	}
	wrong = claim(clock_runs(&mem[CONTROL]), "the control's clock runs");
	wrong |= claim(clock_runs(&mem[SUBJECT]), "the clock runs");
	wrong |= claim(maps_pfn(pfns[CONTROL][CLOCK_OFFSET / MEM_PAGE]) == 1,
		       "the direct map has the page of the control's clock");
	wrong |= claim(count_mapped(pfns[SUBJECT]) == 0,
		       "the direct map does not have the page of the clock");
	err = scan(secrets, &result);
	if (err)
		return err;
	wrong |= claim(kcore_first_find(&result, CONTROL),
		       "what is beside the control's clock is found");
	return wrong | claim(!kcore_first_find(&result, SUBJECT),
			     "what is beside the clock is not found");
}
#else
static int kvm_clock(struct mem *mem)
{
	(void)mem;
	printf("this architecture has no kvm-clock\n");
	return 4;
}
#endif

static int hold(struct mem *mem, char **command)
{
	int status = command_run(command);

	return mem_close(mem) ? 2 : status;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: absence kcore|ptdump|hwpoison|clock KIND CONTROL\n"
		"       absence hold KIND -- COMMAND...\n"
		"kinds: %s\n", mem_kind_names());
	return 2;
}

int main(int argc, char **argv)
{
	const struct mem_kind *kinds[BOTH];
	struct mem mem[BOTH];
	int err;

	/* Write each line at once: a crash or a time limit must not lose it. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4)
		return usage();
	if (mem_no_limit())
		return 2;
	kinds[SUBJECT] = mem_kind_by_name(argv[2]);
	kinds[CONTROL] = mem_kind_by_name(argv[3]);
	if (!strcmp(argv[1], "hold") && kinds[SUBJECT] && argc > 4) {
		if (mem_open(mem, kinds[SUBJECT], NR_PAGES) ||
		    mem_populate(mem))
			return 2;
		return hold(mem, argv + 4);
	}
	if (!kinds[SUBJECT] || !kinds[CONTROL])
		return usage();
	err = open_both(mem, kinds);
	if (err)
		return err;
	if (!strcmp(argv[1], "kcore"))
		return kcore(mem);
	if (!strcmp(argv[1], "ptdump"))
		return ptdump(mem);
	if (!strcmp(argv[1], "hwpoison"))
		return hwpoison(mem);
	if (!strcmp(argv[1], "clock"))
		return kvm_clock(mem);
	return usage();
}
