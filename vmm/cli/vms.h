/* SPDX-License-Identifier: MIT */
/*
 * The VMs of this machine: by KVM's directories in debugfs, one a VM, and by the
 * descriptors of processes, which show VMs that have no directory.
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
 * All of them, or those of one process; ordered by process.  debugfs is the
 * directory of KVM there.  0 or -errno: ESRCH when there is no such process,
 * EACCES when root is missing.
 */
int vms_find(const char *debugfs, pid_t pid, struct vm_entry **ret_vms, size_t *ret_nr);

/* The memslots in a directory of debugfs: 0 or -errno. */
int vms_read_memslots(const char *debugfs, const char *directory, struct memslots *ret);

/* Is a VM still there?  It can outlive its process. */
bool vms_exist(const char *debugfs, const char *directory);

/* Has one of the VMs of this process a memslot on this guest_memfd? */
bool vms_name_gmem(const char *debugfs, pid_t pid, uint64_t inode);

#endif
