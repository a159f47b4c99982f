/* SPDX-License-Identifier: MIT */
/*
 * The VMs of this machine, by KVM's directories in debugfs, one a VM.  The descriptors of
 * processes show VMs that have no directory.
 */
#ifndef OFFMAP_VMS_H
#define OFFMAP_VMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "memslots.h"
#include "procfs.h"

struct vm_entry {
	/* vm.vm_fd is -1 when the directory has the name of another process. */
	struct vm_process vm;
	char directory[48];
	/* errno why KVM does not list its memslots, or 0. */
	int error;
};

/*
 * Finds all VMs, or those of one process, ordered by process.  debugfs is KVM's directory
 * there.  0 or -errno: ESRCH if there is no such process, EACCES without root.
 */
int vms_find(const char *debugfs, pid_t pid, struct vm_entry **ret_vms, size_t *ret_nr);

/* Reads the memslots of a directory of debugfs: 0 or -errno. */
int vms_read_memslots(const char *debugfs, const char *directory, struct memslots *ret);

/* Does the VM still exist?  It can outlive its process. */
bool vms_exist(const char *debugfs, const char *directory);

/* Inodes of guest_memfds, in ascending order. */
struct inodes {
	uint64_t *inode;
	size_t nr;
};

/*
 * The guest_memfds in memslots of all VMs of this process.  0 or -ENOMEM.  The caller
 * frees ret->inode.
 */
int vms_gmem_inodes(const char *debugfs, pid_t pid, struct inodes *ret);
bool vms_have_inode(const struct inodes *inodes, uint64_t inode);

#endif
