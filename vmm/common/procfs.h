/* SPDX-License-Identifier: MIT */
/* VMs, their processes and their memory, as /proc shows them. */
#ifndef OFFMAP_PROCFS_H
#define OFFMAP_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vm_process {
	pid_t pid;
	char name[32];
	int vm_fd;
	/* The shim's list of slots; -1 when the process has none. */
	int slots_fd;
};

struct vma {
	uint64_t start;
	uint64_t end;
	bool writable;
	bool shared;
	uint64_t offset;
	uint64_t inode;
	char path[256];
};

/*
 * The VMs of one process, or of all with pid 0.  One that ends meanwhile is
 * left out.  0 or -errno; EACCES if a process cannot be looked into.
 */
int procfs_find_vms(pid_t pid, struct vm_process **ret_vms, size_t *ret_nr);

/* One line of /proc/PID/maps. */
bool procfs_parse_vma(const char *line, struct vma *ret_vma);

/* All of them; 0 or -errno. */
int procfs_vmas(pid_t pid, struct vma **ret_vmas, size_t *ret_nr);

/* A descriptor of another process, as one of ours; or -errno. */
int procfs_take_fd(pid_t pid, int fd);

/* A descriptor of the process that has this file; or -ENOENT. */
int procfs_find_fd(pid_t pid, uint64_t inode, const char *name_part);

/*
 * Frame numbers of nr pages from an address on; 0 for what is not present.
 * 0 or -errno; EPERM when the kernel hides them.
 */
int procfs_frames(pid_t pid, uint64_t addr, size_t nr, uint64_t *ret_pfns);

#endif
