/* SPDX-License-Identifier: MIT */
/* The mappings of a process, as /proc shows them. */
#ifndef OFFMAP_VMAS_H
#define OFFMAP_VMAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ram_vma {
	uint64_t start;
	uint64_t end;
	bool writable;
	bool shared;
	uint64_t offset;
	uint64_t inode;
	char path[256];
	/* of the mapping: 2 MiB and more for hugetlbfs */
	uint64_t page_size;
	/* another thread or process fills absent pages */
	bool userfaultfd;
	bool hugetlb;
	bool dont_fork;
	bool dont_dump;
};

/*
 * The mappings that overlap a range, with their flags, in a list that the caller frees. 0
 * or -errno.  It walks page tables, so it is slow.
 */
int vmas_read(pid_t pid, uint64_t addr, uint64_t until, struct ram_vma **ret_vmas,
	      size_t *ret_nr);

/* Looks single mappings up, fast: Linux 6.11. */
struct vmas {
	int fd;
};

struct vma_at {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	/* 0: no file */
	uint64_t inode;
	/* not PROT_NONE */
	bool accessible;
};

/* 0 or -errno; ENOTTY: this kernel cannot. */
int vmas_open(pid_t pid, struct vmas *ret_vmas);
void vmas_close(struct vmas *vmas);

/* The mapping at addr, or the first after it.  0, or -ENOENT with 0 in *ret. */
int vmas_at(const struct vmas *vmas, uint64_t addr, struct vma_at *ret);

#endif
