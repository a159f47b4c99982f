/* SPDX-License-Identifier: MIT */
/*
 * The task in the VMM's address space, and how the supervisor talks to it.  The task has
 * its own thread group and its own descriptors.  It shares only the memory: KVM requires
 * no more.
 */
#ifndef OFFMAP_TASK_ABI_H
#define OFFMAP_TASK_ABI_H

#include <stdint.h>

/* One system call.  A descriptor that comes with it replaces argument fd_arg. */
struct task_request {
	int64_t nr;
	uint64_t arg[6];
	uint64_t fd_arg;
};

#define TASK_SCRATCH 1024
#define TASK_STACK 0x4000

/* The memory mapped for the task: this, then the stacks of the task and of its parent. */
struct task_box {
	/* as the task sees it; it can be in another pid namespace */
	int32_t pid;
	/* the task's end of the socket, and the supervisor's */
	int32_t socket[2];
	int32_t unused;
	uint8_t scratch[TASK_SCRATCH];
};

#define TASK_DATA_SIZE (2 * TASK_STACK)
#define TASK_CODE_SIZE 0x1000

/* Seconds after which a task without a supervisor ends. */
#define TASK_PATIENCE 30

/* The task's end of the socket: its first descriptor. */
#define TASK_SOCKET 0

/* The task's descriptor of the VMM, which it kills when the supervisor is gone. */
#define TASK_VMM_PIDFD 100

/* The code is copied whole and runs at any address; its first argument is the box. */
extern const char __start_task_code[], __stop_task_code[], task_entry[];

#endif
