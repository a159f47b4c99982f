// SPDX-License-Identifier: MIT
/*
 * The cost of memory, kind by kind and turn by turn: populating it, and giving it back.
 * Prints lines, see bench_line.h, with the works
 *
 *   touch   first touch through the user mapping
 *   fault   KVM maps it into a guest, KVM_PRE_FAULT_MEMORY
 *   again   touch of pages that exist
 *   punch   fallocate of the whole; MADV_DONTNEED of anonymous memory
 *   guest   a guest touches it first
 *   close   of populated memory
 *
 * With -a the only work is
 *
 *   together   first touch of one mapping by all CPUs, each in a part of its own
 *
 * bench [-a] MIB ROUNDS KIND...
 *
 * Skips kinds that the kernel does not have.
 *
 * Exit: 0; 2 if a kind of memory cannot be allocated.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_guest.h"
#include "bench_line.h"
#include "mem.h"

struct turn {
	const struct mem_kind *kind;
	size_t pages;
	int round;
	/* All CPUs in one mapping, and nothing else. */
	bool together;
};

#define CPUS_MAX 64

/* The part of a mapping that one CPU touches. */
struct part {
	const struct mem *mem;
	int cpu, cpus;
	pthread_t thread;
};

static int populate(struct mem *mem, const struct turn *turn, const char *work)
{
	struct bench_reading from = bench_start();
	int err = mem_populate(mem);

	if (!err)
		bench_stop(from, work, turn->kind->name, turn->round, turn->pages);
	return err;
}

static int punch(struct mem *mem, const struct turn *turn)
{
	struct bench_reading from = bench_start();
	int err = mem_punch(mem, 0, turn->pages);

	if (!err)
		bench_stop(from, "punch", turn->kind->name, turn->round, turn->pages);
	return err;
}

static int guest(struct mem *mem, const struct turn *turn)
{
	struct bench_reading from = bench_start();
	int err = bench_guest_touch(&mem->vm, turn->pages);

	if (!err)
		bench_stop(from, "guest", turn->kind->name, turn->round, turn->pages);
	return err;
}

static void *touch_part(void *arg)
{
	const struct part *part = arg;
	size_t nr = part->mem->nr_pages / part->cpus, from = part->cpu * nr;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(part->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return arg;
	for (size_t i = from; i < from + nr; i++)
		*(volatile uint8_t *)(part->mem->map + i * MEM_PAGE) = 1;
	return NULL;
}

static int together(const struct mem *mem, const struct turn *turn)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct bench_reading from = bench_start();
	struct part parts[CPUS_MAX];
	bool failed = false;

	if (!mem->map || cpus > CPUS_MAX)
		return -EINVAL;
	for (int i = 0; i < cpus; i++) {
		parts[i] = (struct part){ .mem = mem, .cpu = i, .cpus = cpus };
		if (pthread_create(&parts[i].thread, NULL, touch_part, &parts[i]))
			return -EAGAIN;
	}
	for (int i = 0; i < cpus; i++) {
		void *ret;

		failed |= pthread_join(parts[i].thread, &ret) || ret;
	}
	if (failed)
		return -EINVAL;
	bench_stop(from, "together", turn->kind->name, turn->round,
		   turn->pages / cpus * cpus);
	return 0;
}

static int one(const struct turn *turn)
{
	struct bench_reading from;
	struct mem mem;
	int err;

	err = mem_open(&mem, turn->kind, turn->pages);
	if (err == -EOPNOTSUPP) {
		fprintf(stderr, "bench: this kernel has no %s\n", turn->kind->name);
		mem_release(&mem);
		return 0;
	}
	if (turn->together) {
		err = err ?: together(&mem, turn);
		mem_release(&mem);
		return err;
	}
	if (!err)
		err = populate(&mem, turn, mem.map ? "touch" : "fault");
	if (!err && mem.map)
		err = populate(&mem, turn, "again");
	if (!err && turn->kind->has_vm) {
		err = punch(&mem, turn);
		if (!err)
			err = guest(&mem, turn);
	}
	from = bench_start();
	mem_release(&mem);
	if (!err)
		bench_stop(from, "close", turn->kind->name, turn->round, turn->pages);
	return err;
}

int main(int argc, char **argv)
{
	struct turn turn = { .together = argc > 1 && !strcmp(argv[1], "-a") };
	int rounds;

	argc -= turn.together;
	argv += turn.together;
	if (argc < 4) {
		fprintf(stderr, "usage: bench [-a] MIB ROUNDS KIND...\nkinds: %s\n",
			mem_kind_names());
		return 2;
	}
	if (bench_begin())
		return 2;
	turn.pages = (strtoul(argv[1], NULL, 10) << 20) / MEM_PAGE;
	rounds = atoi(argv[2]);
	for (turn.round = 0; turn.round < rounds; turn.round++) {
		for (int i = 3; i < argc; i++) {
			turn.kind = mem_kind_by_name(argv[i]);
			if (!turn.kind) {
				fprintf(stderr, "bench: no kind of memory is called %s: %s\n",
					argv[i], mem_kind_names());
				return 2;
			}
			if (one(&turn))
				return 2;
		}
	}
	return bench_end();
}
