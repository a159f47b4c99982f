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
};

/* The name of a process; "?" if the process has ended.  size is that of ret. */
void procfs_name(pid_t pid, char *ret, size_t size);

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
 * The VMs of one process, or of all processes with pid 0.  Skips a process that ends
 * meanwhile.  0 or -errno; EACCES if a process may not be looked into.
 */
int procfs_find_vms(pid_t pid, struct vm_process **ret_vms, size_t *ret_nr);

/* One line of /proc/PID/maps. */
bool procfs_parse_vma(const char *line, struct vma *ret_vma);

/* Reads all lines; 0 or -errno. */
int procfs_vmas(pid_t pid, struct vma **ret_vmas, size_t *ret_nr);

#endif
