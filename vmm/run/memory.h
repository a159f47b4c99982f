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
	/* where the task's box is */
	uint64_t box;
	uint32_t magic;
	/* the call that is served, for which a thread of the VMM waits */
	int listener;
	uint64_t call;
	pid_t caller;
};

/* remote.c: the task makes system calls */

/* As host.call: the first argument is the descriptor fd, unless that is -1. */
long remote_call(struct memory *memory, int fd, long nr, const uint64_t arg[6]);
/* mmap(2) of a file of ours, or with -1 of none, where there is room. */
long remote_map(struct memory *memory, int fd, uint64_t size, int prot, int flags,
		uint64_t offset);
/*
 * The task was just started by a thread of the VMM, with this box: takes its
 * socket and leaves it no more than it needs.  0 or -errno.
 */
int remote_adopt(struct memory *memory);
/* From now on the VMM's own descriptors may be had, and replaced. */
void remote_share(struct memory *memory);
/* A thread's descriptor as one of ours, which stays open without it; or -errno. */
int remote_take(pid_t thread, int fd);
/* The task ends, and the descriptors of VMs are closed. */
void remote_end(struct memory *memory);

/* inject.c */

/*
 * A thread of the VMM, stopped by ptrace where its registers may be set, starts
 * a task.  NULL: it has said why, or is a 32-bit program, which has no KVM.
 */
struct memory *inject_task(pid_t thread, pid_t vmm, uint32_t magic);
/* The thread, once it goes on, makes this call: it must not return. */
int inject_last_call(pid_t thread, long nr, uint64_t arg);

/* The memory of another process.  0 or -errno. */
int process_read(pid_t pid, uint64_t addr, void *ret, size_t size);
int process_write(pid_t pid, uint64_t addr, const void *data, size_t size);
/* The number of the process that a thread is of. */
pid_t process_of(pid_t thread);
/* Do two threads share their memory? */
bool process_shares(pid_t a, pid_t b);

#endif
