// SPDX-License-Identifier: MIT
/*
 * The cost of filling fresh guest memory.  Prints lines, see bench_line.h:
 *
 *   memcpy           into a mapping of plain guest_memfd
 *   write4K, write64K, write2M
 *                    pwrite() of blocks of that size, into guest_memfd with WRITE
 *                    in the direct map (plain), and out of it (gmem_mmap)
 *
 * bench_write MIB ROUNDS
 *
 * Exit: 0; 2 on failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_line.h"
#include "mem.h"

#define BLOCK_MAX (2UL << 20)

static const struct {
	const char *work;
	size_t size;
} blocks[] = {
	{ "write4K", 4 << 10 }, { "write64K", 64 << 10 }, { "write2M", BLOCK_MAX },
};

/* Filled once: the cost of the target is measured. */
static uint8_t source[BLOCK_MAX];

static int by_memcpy(size_t bytes, int round)
{
	struct bench_reading from;
	struct tiny_vm vm;

	if (tiny_vm_create(&vm, TINY_VM_SHARED, bytes)) {
		perror("bench_write: plain guest_memfd");
		return 2;
	}
	from = bench_start();
	for (size_t at = 0; at < bytes; at += BLOCK_MAX)
		memcpy(vm.mem + at, source, BLOCK_MAX);
	bench_stop(from, "memcpy", "plain", round, bytes / MEM_PAGE);
	tiny_vm_destroy(&vm);
	return 0;
}

static int by_write(const char *kind, uint64_t flags, size_t block, size_t bytes,
		    int round)
{
	struct bench_reading from;
	struct tiny_vm vm;
	int wrong;

	if (tiny_vm_create(&vm, TINY_VM_SHARED | GUEST_MEMFD_FLAG_WRITE | flags,
			   bytes)) {
		perror("bench_write: guest_memfd that can be written");
		return 2;
	}
	from = bench_start();
	for (size_t at = 0; at < bytes; at += blocks[block].size) {
		if (pwrite(vm.gmem, source + at % BLOCK_MAX, blocks[block].size,
			   at) != (ssize_t)blocks[block].size) {
			perror("bench_write: pwrite");
			return 2;
		}
	}
	bench_stop(from, blocks[block].work, kind, round, bytes / MEM_PAGE);
	wrong = memcmp(vm.mem + bytes - BLOCK_MAX, source, BLOCK_MAX);
	tiny_vm_destroy(&vm);
	if (wrong)
		fprintf(stderr, "bench_write: what was written is not there\n");
	return wrong ? 2 : 0;
}

int main(int argc, char **argv)
{
	size_t bytes;
	int rounds;

	if (argc != 3) {
		fprintf(stderr, "usage: bench_write MIB ROUNDS\n");
		return 2;
	}
	bytes = strtoul(argv[1], NULL, 10) << 20;
	rounds = atoi(argv[2]);
	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = i * 7 + i / 4096;
	for (int round = 0; round < rounds; round++) {
		if (by_memcpy(bytes, round))
			return 2;
		for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
			if (by_write("plain", 0, i, bytes, round) ||
			    by_write("gmem_mmap", GUEST_MEMFD_FLAG_NO_DIRECT_MAP, i,
				     bytes, round))
				return 2;
	}
	return bench_end();
}
