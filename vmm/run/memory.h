/* SPDX-License-Identifier: MIT */
/*
 * An address space that the supervisor has put a task into, and the VMs in it.
 * Functions return 0 or -errno.
 */
#ifndef OFFMAP_MEMORY_H
#define OFFMAP_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model.h"

struct memory {
	struct memory *next;
	struct host host;
	struct model model;
	/* the VMM's process, and the task */
	pid_t vmm;
	pid_t task;
	int vmm_pidfd;
	int task_pidfd;
	int socket;
	/* address of the task's box */
	uint64_t box;
	uint32_t magic;
	/* the call being served, for which a thread of the VMM waits */
	int listener;
	uint64_t call;
};

/* remote.c: the task makes system calls */

/* As host.call: descriptor fd is the first argument, unless fd is -1. */
long remote_call(struct memory *memory, int fd, long nr, const uint64_t arg[6]);
/* mmap(2) of file fd of ours, or of none with -1, where the task has room. */
long remote_map(struct memory *memory, int fd, uint64_t size, int prot, int flags,
		uint64_t offset);
/*
 * A thread of the VMM has just started the task with this box.  Takes the task's socket
 * and drops the rights that the task does not need.  0 or -errno.
 */
int remote_adopt(struct memory *memory);
/* Allows borrow() and lend() of the VMM's own descriptors. */
void remote_share(struct memory *memory);
/* Takes a thread's descriptor into this process, where it stays open; or -errno. */
int remote_take(pid_t thread, int fd);
/* Ends the task, and closes the descriptors of VMs. */
void remote_end(struct memory *memory);

/* inject.c */

/*
 * Has a thread of the VMM, stopped by ptrace where its registers may be set, start a
 * task.  NULL: a message says why, or it is a 32-bit program, which has no KVM.
 */
struct memory *inject_task(pid_t thread, pid_t vmm, uint32_t magic);
/* Has the thread make this call when it goes on.  The call must not return. */
int inject_last_call(pid_t thread, long nr, uint64_t arg);

/* Read and write the memory of another process.  0 or -errno. */
int process_read(pid_t pid, uint64_t addr, void *ret, size_t size);
int process_write(pid_t pid, uint64_t addr, const void *data, size_t size);
/* The process of a thread. */
pid_t process_of(pid_t thread);
/* Has the process other threads that run?  If that is unknown, yes. */
bool process_has_others(pid_t pid, pid_t thread);
/* Do two threads share their memory? */
bool process_shares(pid_t a, pid_t b);

#endif
