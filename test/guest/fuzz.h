/* SPDX-License-Identifier: MIT */
/*
 * A case of the fuzzer: one or two VMs, some guest_memfds, and a model of their contents.
 * Its actions follow from its seed alone.
 */
#ifndef GUEST_FUZZ_H
#define GUEST_FUZZ_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "kcore.h"
#include "tiny_vm.h"

#define FUZZ_PAGE 4096UL
#define FUZZ_MAX_PAGES 40
#define FUZZ_FILES 4
#define FUZZ_MAPS 3
#define FUZZ_VMS 2
#define FUZZ_SLOTS 6

/* Lies of the fuzzer to itself, to test that it notices. */
enum fuzz_lie { LIE_NONE, LIE_FLAG, LIE_WRITE, LIE_PUNCH, NR_LIES };

struct fuzz_map {
	uint8_t *at;
	/* In pages; may go beyond the end of the file. */
	size_t first;
	size_t pages;
	bool writable;
};

struct fuzz_file {
	/* The file exists as long as it has a descriptor or a mapping. */
	int fd;
	int vm;
	uint64_t flags;
	size_t pages;
	uint8_t *model;
	struct fuzz_map map[FUZZ_MAPS];
};

struct fuzz_slot {
	bool used;
	int file;
	uint64_t gpa;
	size_t first;
	size_t pages;
};

struct fuzz_vm {
	bool open;
	uint64_t known_flags;
	struct tiny_vm tiny;
	struct fuzz_slot slot[FUZZ_SLOTS];
};

struct fuzz_counts {
	uint64_t cases;
	uint64_t operations;
	uint64_t files;
	uint64_t bytes_written;
	uint64_t bytes_compared;
	uint64_t pages_absent;
	uint64_t pages_present;
	/* Of mappings at the end of a case: in large entries. */
	uint64_t pages_huge;
};

struct fuzz {
	uint64_t seed;
	uint64_t random;
	enum fuzz_lie lie;
	bool verbose;
	/* A case that is not done by then ends early; 0 is never. */
	time_t deadline;
	/* The finding; "" if there is none. */
	char found[256];
	const char *operation;
	struct fuzz_vm vm[FUZZ_VMS];
	struct fuzz_file file[FUZZ_FILES];
	struct kcore *kcore;
	struct fuzz_counts count;
	/* For other threads that look at files and mappings. */
	pthread_mutex_t lock;
};

/* Call it once for each thread that runs cases; 0 or -errno. */
int fuzz_init(struct fuzz *fuzz);
/* Runs a case to its end, or until it finds something. */
void fuzz_case(struct fuzz *fuzz, uint64_t seed);
/* Uses the case's files from another thread, in ways that change no contents. */
void fuzz_disturb(struct fuzz *fuzz, uint64_t *random);

uint64_t fuzz_random(uint64_t *state);

#endif
