/* SPDX-License-Identifier: MIT */
/*
 * RAM as the kernel's direct map shows it through /proc/kcore.  A page outside the direct
 * map reads as zeroes.
 */
#ifndef OFFMAP_KCORE_H
#define OFFMAP_KCORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kcore_segment {
	uint64_t addr;
	uint64_t phys;
	uint64_t size;
	/* in the file */
	off_t offset;
};

struct kcore {
	int fd;
	size_t nr;
	struct kcore_segment *segment;
};

/* 0 or -errno; EPROTO if /proc/kcore is no ELF file, or has no RAM. */
int kcore_open(struct kcore **ret);
void kcore_close(struct kcore *kcore);

/* Reads all of size, at an offset in the file.  0 or -errno. */
int kcore_read(const struct kcore *kcore, void *to, size_t size, off_t at);

/* Reads nr page frames from pfn on.  0 or -errno; ENOENT if not all are RAM. */
int kcore_read_frames(const struct kcore *kcore, uint64_t pfn, size_t nr, void *to);

/* The distance between an address in the direct map and its physical address. */
uint64_t kcore_direct_map_offset(const struct kcore *kcore);

#endif
