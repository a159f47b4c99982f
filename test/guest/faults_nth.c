// SPDX-License-Identifier: MIT
/*
 * faults_nth alloc       In the life of a VM out of the direct map, makes each
 *                        allocation fail, one at a time.
 * faults_nth FUNCTION    Makes each call of an annotated function fail so.
 *
 * The life has parts.  VM and memory are made; memory is allocated, touched, written,
 * used by the guest, punched out, freed, and put back into the direct map.  Each part
 * runs with its first, second, ... allocation or call failing, until no failure is left.
 * It may succeed or return ENOMEM.  Afterwards no memory has leaked, and none stays out
 * of the direct map.
 *
 * Exit: 0 as claimed, 1 not so, 2 unknown.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "free_pages.h"
#include "ptdump.h"
#include "tiny_vm.h"
#include "vmstat.h"

#ifndef GUEST_MEMFD_FLAG_WRITE
#define GUEST_MEMFD_FLAG_WRITE (1ULL << 3)
#endif

#define PAGE 4096UL
#define NR_PAGES 40
#define FLAGS (TINY_VM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP | \
	       GUEST_MEMFD_FLAG_WRITE)
#define DEBUG "/sys/kernel/debug/"
#define FAIL DEBUG "fail_function/"
#define ENOMEM_RETURNED "0xfffffffffffffff4"
/* The rest of the system may use this much more or less from one moment to the next. */
#define NOISE_PAGES 150

static const char *function;
/* Of this thread.  It stays open, as opening could fail by injection. */
static int fail_nth;
static unsigned int injected;
static int wrong;

static void put(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value)) {
		printf("%s: %s\n", file, strerror(errno));
		exit(2);
	}
	close(fd);
}

static void put_number(const char *file, unsigned int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	put(file, text);
}

static unsigned int get_number(const char *file)
{
	char text[32] = "";
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0) {
		printf("%s: %s\n", file, strerror(errno));
		exit(2);
	}
	close(fd);
	return atoi(text);
}

static void prepare(void)
{
	static const char *const attributes[] = { "failslab", "fail_page_alloc" };
	char file[96];

	if (function) {
		snprintf(file, sizeof(file), FAIL "%s/retval", function);
		put(FAIL "inject", function);
		put(file, ENOMEM_RETURNED);
		put(FAIL "probability", "100");
		put(FAIL "interval", "0");
		put(FAIL "verbose", "0");
		put(FAIL "times", "0");
		return;
	}
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0) {
		perror("fail-nth");
		exit(2);
	}
	for (int i = 0; i < 2; i++) {
		snprintf(file, sizeof(file), DEBUG "%s/verbose", attributes[i]);
		put(file, "0");
		snprintf(file, sizeof(file), DEBUG "%s/ignore-gfp-wait",
			 attributes[i]);
		put(file, "N");
	}
	put(DEBUG "fail_page_alloc/ignore-gfp-highmem", "N");
	put(DEBUG "fail_page_alloc/min-order", "0");
}

static void set_fail_nth(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fail_nth, text, length, 0) != length) {
		perror("fail-nth");
		exit(2);
	}
}

/* In a kprobe fault injection does not know the task, so a function has its own count. */
static void arm(unsigned int nth)
{
	if (!function) {
		set_fail_nth(nth);
		return;
	}
	put_number(FAIL "space", nth);
	put(FAIL "times", "1");
}

/* Was a failure injected? */
static bool disarm(void)
{
	unsigned int left;

	if (!function) {
		char text[16] = "";

		if (pread(fail_nth, text, sizeof(text) - 1, 0) < 0)
			exit(2);
		set_fail_nth(0);
		return !atoi(text);
	}
	left = get_number(FAIL "times");
	put(FAIL "times", "0");
	return !left;
}

static int drop(struct tiny_vm *vm)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, "1", 1) != 1 ? -errno : 0;

	(void)vm;
	if (fd >= 0)
		close(fd);
	return err;
}

static int create(struct tiny_vm *vm)
{
	return tiny_vm_create(vm, FLAGS, NR_PAGES * PAGE);
}

static int allocate(struct tiny_vm *vm)
{
	return fallocate(vm->gmem, FALLOC_FL_KEEP_SIZE, 0, vm->size) ? -errno : 0;
}

static int touch(struct tiny_vm *vm)
{
	for (size_t i = 0; i < vm->size; i += PAGE) {
		if (vm->mem[i]) {
			printf("fresh memory is not zero\n");
			wrong = 1;
		}
		vm->mem[i] = 1;
	}
	return 0;
}

static int fill(struct tiny_vm *vm)
{
	static uint8_t data[NR_PAGES * PAGE];
	ssize_t got = pwrite(vm->gmem, data, sizeof(data), 0);

	return got < 0 ? -errno : 0;
}

static int guest(struct tiny_vm *vm)
{
	static const struct secret secret;

	return tiny_vm_plant(vm, &secret, 0);
}

static int punch(struct tiny_vm *vm)
{
	return fallocate(vm->gmem, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
			 vm->size) ? -errno : 0;
}

static int destroy(struct tiny_vm *vm)
{
	tiny_vm_destroy(vm);
	return 0;
}

static const struct part {
	const char *name;
	int (*act)(struct tiny_vm *vm);
	bool needs_vm;
	bool needs_memory;
} parts[] = {
	{ "make", create, false, false },
	{ "allocate", allocate, true, false },
	{ "touch", touch, true, false },
	{ "write", fill, true, false },
	{ "guest", guest, true, false },
	{ "prefault", tiny_vm_populate, true, false },
	{ "punch", punch, true, true },
	{ "destroy", destroy, true, true },
	{ "put back", drop, false, false },
};
#define NR_PARTS (sizeof(parts) / sizeof(parts[0]))

/* Lives up to a part, in which a failure is injected.  Was there one? */
static bool run_part(const struct part *part, unsigned int nth, unsigned int *failed)
{
	struct tiny_vm vm = { -1, -1, -1, -1, .step = "nothing" };
	bool hit;
	int err;

	/* Memory that is put back must be out of the map first. */
	if (part->act == drop && (create(&vm) || allocate(&vm)))
		exit(2);
	if (part->act == drop)
		destroy(&vm);
	else
		drop(&vm);
	if ((part->needs_vm && create(&vm)) ||
	    (part->needs_memory && allocate(&vm))) {
		printf("%s: cannot get that far: %s\n", part->name, vm.step);
		exit(2);
	}
	arm(nth);
	err = part->act(&vm);
	hit = disarm();
	if (err && (!hit || err != -ENOMEM)) {
		printf("NOT SO: %s, failure %u: %s, errno %d\n", part->name, nth,
		       vm.step, -err);
		wrong = 1;
	}
	*failed += !!err;
	tiny_vm_destroy(&vm);
	return hit;
}

static long mapped_pages(void)
{
	struct ptdump *dump;
	long mapped;

	drop(NULL);
	if (ptdump_read(&dump))
		exit(2);
	mapped = ptdump_count_all(dump);
	ptdump_free(dump);
	return mapped;
}

/* Injects every STEPth failure. */
static void run_all(unsigned int step)
{
	for (size_t i = 0; i < NR_PARTS; i++) {
		unsigned int nth = 0, failed = 0;

		while (run_part(&parts[i], nth + step, &failed) && !wrong) {
			nth += step;
			injected++;
		}
		printf("%s: failures up to the %uth, %u of them reported\n",
		       parts[i].name, nth, failed);
	}
}

static int claim(bool holds, const char *what)
{
	printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
	return !holds;
}

int main(int argc, char **argv)
{
	int64_t free_before, free_after;
	unsigned int failed = 0;
	long mapped;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2) {
		fprintf(stderr, "usage: faults_nth alloc|FUNCTION\n");
		return 2;
	}
	function = strcmp(argv[1], "alloc") ? argv[1] : NULL;
	prepare();
	/* The first life allocates objects that are made once and kept: they are no leak. */
	for (size_t i = 0; i < NR_PARTS; i++)
		run_part(&parts[i], 1, &failed);
	mapped = mapped_pages();
	run_all(8);
	injected = 0;
	free_before = free_pages();
	run_all(1);
	free_after = free_pages();
	if (free_before < 0 || free_after < 0)
		return 2;
	printf("free pages: %" PRId64 " before, %" PRId64 " after %u failures\n",
	       free_before, free_after, injected);
	wrong |= claim(injected > 0, "there was something to fail");
	wrong |= claim(free_before - free_after < NOISE_PAGES + injected / 2,
		       "nothing leaks");
	wrong |= claim(mapped_pages() == mapped && vmstat("nr_nodirmap") <= 0,
		       "nothing stays out of the direct map");
	return wrong;
}
