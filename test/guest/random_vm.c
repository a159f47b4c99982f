// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "page.h"
#include "random_vm.h"

#ifndef GUEST_MEMFD_FLAG_WRITE
#define GUEST_MEMFD_FLAG_WRITE (1ULL << 3)
#endif

#define PAGE page_bytes()
#define PAGE_MAX (64 << 10)
#define WORDS (PAGE / 8)
#define FLAGS (TINY_VM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP | GUEST_MEMFD_FLAG_WRITE)

/* The ways in which a page can be populated. */
enum { TOUCH, GUEST, WRITE_PAGE, WRITE_PART, WAYS };

static const char *const ways[] = { "touched", "prefaulted", "written", "written in part" };

/* Of splitmix64. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

uint64_t random_vm_number(struct random_vm *vm, uint64_t below)
{
	vm->random += 0x9e3779b97f4a7c15ULL;
	return mix(vm->random) % below;
}

static uint64_t word_of(const struct random_vm *vm, size_t page)
{
	return mix(vm->id << 32 ^ page) | 1;
}

static uint64_t *words_at(const struct random_vm *vm, size_t page)
{
	return (uint64_t *)(vm->vm.mem + page * PAGE);
}

/* The first word, the last one, and one that is elsewhere in each page. */
static void stamp(const struct random_vm *vm, size_t page, uint64_t *words)
{
	uint64_t word = word_of(vm, page);

	words[0] = word;
	words[word % WORDS] = word;
	words[WORDS - 1] = word;
}

static int failed(const struct random_vm *vm, const char *step, size_t page)
{
	printf("VM %" PRIu64 ": page %zu: %s: %s\n", vm->id, page, step, strerror(errno));
	return 2;
}

static int check(const struct random_vm *vm, size_t page)
{
	const uint64_t *words = words_at(vm, page);
	uint64_t word = word_of(vm, page);

	if (words[0] == word && words[word % WORDS] == word && words[WORDS - 1] == word)
		return 0;
	printf("NOT SO: VM %" PRIu64 ": page %zu keeps %#" PRIx64 ": it has %#" PRIx64
	       ", %#" PRIx64 ", %#" PRIx64 "\n", vm->id, page, word, words[0],
	       words[word % WORDS], words[WORDS - 1]);
	return 1;
}

/* Checks a new page.  write() has written all of it that is not zero. */
static int check_new(const struct random_vm *vm, size_t page, const uint64_t *wanted,
		     int way)
{
	const uint64_t *words = words_at(vm, page);

	for (size_t i = 0; i < WORDS; i++) {
		if (words[i] == wanted[i])
			continue;
		printf("NOT SO: VM %" PRIu64 ": page %zu is new, it was %s: word %zu is %#"
		       PRIx64 ", not %#" PRIx64 "\n", vm->id, page, ways[way], i,
		       words[i], wanted[i]);
		return 1;
	}
	return 0;
}

static int prefault(const struct random_vm *vm, size_t page)
{
	struct kvm_pre_fault_memory range = {
		.gpa = TINY_VM_GPA + page * PAGE,
		.size = PAGE,
	};

	while (range.size)
		if (ioctl(vm->vm.vcpu, KVM_PRE_FAULT_MEMORY, &range) &&
		    errno != EINTR && errno != EAGAIN)
			return failed(vm, "KVM_PRE_FAULT_MEMORY", page);
	return 0;
}

static int write_words(const struct random_vm *vm, size_t page, const uint64_t *words,
		       size_t nr)
{
	if (pwrite(vm->vm.gmem, words, nr * 8, page * PAGE) == (ssize_t)nr * 8)
		return 0;
	return failed(vm, "write to guest_memfd", page);
}

static int populate(struct random_vm *vm, size_t page)
{
	static uint64_t words[PAGE_MAX / 8];
	int way = random_vm_number(vm, WAYS);
	size_t written = 0;
	int ret = 0;

	if (way == WRITE_PAGE)
		written = WORDS;
	else if (way == WRITE_PART)
		written = 1 + random_vm_number(vm, WORDS - 1);
	memset(words, 0, PAGE);
	if (written) {
		stamp(vm, page, words);
		memset(words + written, 0, (WORDS - written) * 8);
		ret = write_words(vm, page, words, written);
	} else if (way == GUEST) {
		ret = prefault(vm, page);
	}
	if (!ret)
		ret = check_new(vm, page, words, way);
	if (ret)
		return ret;
	stamp(vm, page, words_at(vm, page));
	vm->is_there[page] = true;
	vm->live++;
	return 0;
}

static int punch(struct random_vm *vm, size_t page)
{
	int wrong = check(vm, page);

	if (wrong)
		return wrong;
	if (fallocate(vm->vm.gmem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      page * PAGE, PAGE))
		return failed(vm, "punch hole", page);
	vm->is_there[page] = false;
	vm->live--;
	return 0;
}

/* Chooses a page at random that exists, or does not.  There must be such a page. */
static size_t choose(struct random_vm *vm, bool is_there)
{
	size_t page;
	int tries = 64;

	do {
		page = random_vm_number(vm, vm->nr_pages);
	} while (vm->is_there[page] != is_there && tries--);
	while (vm->is_there[page] != is_there)
		page = (page + 1) % vm->nr_pages;
	return page;
}

int random_vm_fill(struct random_vm *vm, size_t live)
{
	int ret = 0;

	while (vm->live < live && !ret)
		ret = populate(vm, choose(vm, false));
	return ret;
}

int random_vm_empty(struct random_vm *vm, size_t live)
{
	int ret = 0;

	while (vm->live > live && !ret)
		ret = punch(vm, choose(vm, true));
	return ret;
}

/* Punches every third chosen page that exists, which keeps RANDOM_VM_LIVE() pages. */
int random_vm_churn(struct random_vm *vm, size_t steps)
{
	int ret = 0;

	while (steps-- && !ret) {
		size_t page = random_vm_number(vm, vm->nr_pages);

		if (!vm->is_there[page])
			ret = populate(vm, page);
		else if (random_vm_number(vm, 3) == 0)
			ret = punch(vm, page);
		else
			ret = check(vm, page);
	}
	return ret;
}

int random_vm_check(struct random_vm *vm)
{
	int ret = 0;

	for (size_t i = 0; i < vm->nr_pages && !ret; i++)
		if (vm->is_there[i])
			ret = check(vm, i);
	return ret;
}

int random_vm_open(struct random_vm *vm, uint64_t id, size_t nr_pages, uint64_t flags)
{
	int err;

	*vm = (struct random_vm){ .id = id, .random = mix(id), .nr_pages = nr_pages };
	err = tiny_vm_create(&vm->vm, FLAGS | flags, nr_pages * PAGE);
	if (err) {
		printf("VM %" PRIu64 ": %s: %s\n", id, vm->vm.step, strerror(-err));
		return 2;
	}
	vm->is_there = calloc(nr_pages, sizeof(*vm->is_there));
	return vm->is_there ? 0 : failed(vm, "calloc", nr_pages);
}

void random_vm_close(struct random_vm *vm)
{
	tiny_vm_destroy(&vm->vm);
	free(vm->is_there);
	vm->is_there = NULL;
}
