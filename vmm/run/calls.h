/* SPDX-License-Identifier: MIT */
/*
 * The system calls that a VMM is made to make, by the one that makes them.  A filter of
 * the VMM's own that is older than the task applies to all of them.  docs/vmm.md has the
 * same lists: test/host/vmm_doc.t compares.
 */
#ifndef OFFMAP_CALLS_H
#define OFFMAP_CALLS_H

#include <sys/syscall.h>

#include "kvm_abi.h"

/* The thread that starts the task; exit_group if the VMM is stopped. */
#define CALLS_OF_THREAD SYS_mmap, SYS_clone, SYS_wait4, SYS_exit_group

/* The parent of the task. */
#define CALLS_OF_PARENT SYS_clone, SYS_exit_group

/* The task, before it limits itself to those below. */
#define CALLS_OF_NEW_TASK \
	SYS_close_range, SYS_socketpair, SYS_setsockopt, SYS_getpid, SYS_prctl, SYS_fcntl, \
	SYS_capset, SYS_seccomp

/* The task, from then on. */
#define CALLS_OF_TASK \
	SYS_recvmsg, SYS_write, SYS_close, SYS_mmap, SYS_mremap, SYS_munmap, SYS_madvise, \
	SYS_get_mempolicy, SYS_mbind, SYS_fallocate, SYS_exit_group

/* The same, with some arguments only: these requests, and SIGKILL to the VMM. */
#define LIMITED_CALLS_OF_TASK SYS_ioctl, SYS_pidfd_send_signal
#define IOCTLS_OF_TASK \
	KVM_CHECK_EXTENSION, KVM_CREATE_GUEST_MEMFD, KVM_SET_USER_MEMORY_REGION, \
	KVM_SET_USER_MEMORY_REGION2, KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG

#endif
