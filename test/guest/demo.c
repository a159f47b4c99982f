// SPDX-License-Identifier: MIT
/*
 * Two VMs write a fresh random secret each into their memory, one on plain guest_memfd,
 * one out of the direct map.  Then both secrets are looked for in all RAM that the
 * kernel's direct map shows.
 *
 * demo --swap gives each VM the memory of the other, and so has to fail.  It proves that
 * both verdicts are possible.
 *
 * Exit: 0 as promised; 1 the protected secret was found, or the plain one was not;
 * 2 the demo could not run.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>

#include "kcore_scan.h"
#include "page.h"
#include "pagemap.h"
#include "tiny_vm.h"

#define PAGE page_bytes()
#define VM_BYTES (4UL << 20)
#define POPULATE_BYTES (64UL << 20)
#define POPULATE_ROUNDS 3

enum { PLAIN, PROTECTED, KINDS };

static struct {
	const char *name;
	const char *memory;
	uint64_t flags;
} kinds[KINDS] = {
	{ "plain", "guest_memfd", TINY_VM_SHARED },
	{ "protected", "guest_memfd, NO_DIRECT_MAP",
	  TINY_VM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP },
};

struct guest {
	struct tiny_vm vm;
	struct secret secret;
	/* The place of its secret. */
	uint64_t phys;
};

static int cannot(const struct tiny_vm *vm, int kind, int err)
{
	if (err == -EOPNOTSUPP)
		fprintf(stderr, "demo: this kernel does not offer GUEST_MEMFD_FLAG_NO_DIRECT_MAP (%s VM): boot a kernel with the series\n",
			kinds[kind].name);
	else
		fprintf(stderr, "demo: %s VM: %s: %s\n", kinds[kind].name,
			vm->step, strerror(-err));
	return 2;
}

/* A random place in the memory: aligned, and clear of the last word of the page. */
static uint64_t secret_offset(const struct secret *secret)
{
	uint64_t page = secret->a[0] % (VM_BYTES / PAGE);
	uint64_t word = secret->b[0] % (PAGE / 8 - SECRET_WORDS - 1);

	return page * PAGE + word * 8;
}

static int start_guest(struct guest *guest, int kind)
{
	volatile uint8_t *page;
	uint64_t offset, pfn;
	int err;

	err = tiny_vm_create(&guest->vm, kinds[kind].flags, VM_BYTES);
	if (err)
		return cannot(&guest->vm, kind, err);
	guest->vm.step = "random numbers";
	err = secret_new(&guest->secret);
	if (err)
		return cannot(&guest->vm, kind, err);
	offset = secret_offset(&guest->secret);
	/* Touch the page, next to the secret, only to learn its frame. */
	page = guest->vm.mem + offset / PAGE * PAGE;
	page[PAGE - 1] = 1;
	guest->vm.step = "/proc/self/pagemap";
	err = pagemap_pfn(page, &pfn);
	if (err)
		return cannot(&guest->vm, kind, err);
	guest->phys = pfn * PAGE + offset % PAGE;
	err = tiny_vm_plant(&guest->vm, &guest->secret, offset);
	return err ? cannot(&guest->vm, kind, err) : 0;
}

static void print_head(const struct kcore_result *result)
{
	struct utsname uts;

	uname(&uts);
	printf("\nLinux %s.  Each of two VMs wrote a fresh random secret into its memory.\n"
	       "Then %" PRIu64 " MiB of RAM were searched for both through /proc/kcore.\n\n",
	       uts.release, result->scanned_bytes >> 20);
	printf("%-10s  %-26s  %-17s  %-17s  %s\n", "VM", "memory",
	       "secret is at", "secret found at", "verdict");
}

/* 0 if the line of this VM is as promised. */
static int print_guest(int kind, const struct guest *guest,
		       const struct kcore_result *result)
{
	const struct kcore_find *find = kcore_first_find(result, kind);
	char found[24] = "nowhere";
	const char *verdict;
	int wrong = 0;

	/* If the scan found copies, too, shows the guest's own page. */
	for (size_t i = 0; i < result->nr_finds; i++)
		if (result->find[i].secret == (size_t)kind &&
		    result->find[i].phys == guest->phys)
			find = &result->find[i];
	if (find)
		snprintf(found, sizeof(found), "0x%012" PRIx64, find->phys);
	if (kind == PLAIN) {
		wrong = !find || find->phys != guest->phys;
		verdict = !find ? "NOT FOUND: this scan cannot be trusted" :
			  wrong ? "FOUND IN A WRONG PLACE: this scan cannot be trusted" :
			  "FOUND: the kernel can read it";
	} else {
		wrong = !!find;
		verdict = find ? "FOUND: not protected" :
			  "absent: the kernel cannot read it";
	}
	printf("%-10s  %-26s  0x%012" PRIx64 "     %-17s  %s\n",
	       kinds[kind].name, kinds[kind].memory, guest->phys, found,
	       verdict);
	return wrong;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* First touch of every page through the user mapping. */
static int population_ns(int kind, uint64_t *best_ns)
{
	struct tiny_vm vm;
	uint64_t ns;
	int err;

	err = tiny_vm_create(&vm, kinds[kind].flags, POPULATE_BYTES);
	if (err) {
		cannot(&vm, kind, err);
		tiny_vm_destroy(&vm);
		return 2;
	}
	ns = now_ns();
	for (uint64_t at = 0; at < POPULATE_BYTES; at += PAGE)
		*(volatile uint8_t *)(vm.mem + at) = 1;
	ns = (now_ns() - ns) / (POPULATE_BYTES / PAGE);
	tiny_vm_destroy(&vm);
	if (!*best_ns || ns < *best_ns)
		*best_ns = ns;
	return 0;
}

static int print_population(void)
{
	uint64_t ns[KINDS] = { 0 };

	/* By turns, and the best of each, against noise. */
	for (int i = 0; i < POPULATE_ROUNDS * KINDS; i++)
		if (population_ns(i % KINDS, &ns[i % KINDS]))
			return 2;
	printf("\nPopulation, first touch of %lu MiB: plain %" PRIu64
	       " ns a page, protected %" PRIu64 " ns a page: %.2f times.\n"
	       "(Under emulation only the ratio means something.)\n",
	       POPULATE_BYTES >> 20, ns[PLAIN], ns[PROTECTED],
	       (double)ns[PROTECTED] / ns[PLAIN]);
	return 0;
}

static int run_demo(struct guest guests[KINDS])
{
	struct secret secrets[KINDS];
	struct kcore_result result;
	int wrong = 0, err;

	for (int kind = 0; kind < KINDS; kind++) {
		err = start_guest(&guests[kind], kind);
		if (err)
			return err;
		secrets[kind] = guests[kind].secret;
	}
	err = kcore_scan(secrets, KINDS, &result);
	if (err) {
		fprintf(stderr, "demo: cannot scan /proc/kcore: %s\n",
			strerror(-err));
		return 2;
	}
	print_head(&result);
	for (int kind = 0; kind < KINDS; kind++)
		wrong |= print_guest(kind, &guests[kind], &result);
	err = print_population();
	return err ? err : wrong;
}

static void swap_memory(void)
{
	uint64_t flags = kinds[PLAIN].flags;
	const char *memory = kinds[PLAIN].memory;

	kinds[PLAIN].memory = kinds[PROTECTED].memory;
	kinds[PROTECTED].memory = memory;
	kinds[PLAIN].flags = kinds[PROTECTED].flags;
	kinds[PROTECTED].flags = flags;
}

int main(int argc, char **argv)
{
	struct guest guests[KINDS] = {
		{ .vm = { -1, -1, -1, -1 } },
		{ .vm = { -1, -1, -1, -1 } },
	};
	int err;

	if (argc == 2 && !strcmp(argv[1], "--swap")) {
		swap_memory();
	} else if (argc > 1) {
		fprintf(stderr, "usage: demo [--swap]\n");
		return 2;
	}
	err = run_demo(guests);
	for (int kind = 0; kind < KINDS; kind++)
		tiny_vm_destroy(&guests[kind].vm);
	/* The demo fails if its table cannot be printed. */
	if (fflush(stdout) || ferror(stdout)) {
		perror("demo: cannot print");
		return 2;
	}
	return err;
}
