/* SPDX-License-Identifier: MIT */
/*
 * The address space in which VMs live: how the model makes calls in it, and looks at it.
 * offmap run does so from another process; tests do so in their own.
 */
#ifndef OFFMAP_HOST_H
#define OFFMAP_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct host {
	/* a process with this address space, for /proc/PID */
	pid_t pid;
	/* the thread of the VMM that waits for the call being served: it has descriptors */
	pid_t vmm;
	/*
	 * Makes a system call there, and returns its result, or -errno.  vm is a
	 * descriptor of this process that replaces the first argument, or -1.  Other
	 * descriptors are numbers of the host.
	 */
	long (*call)(struct host *host, int vm, long nr, const uint64_t arg[6]);
	/* Where call() finds these bytes until the next scratch(); 0: nowhere. */
	uint64_t (*scratch)(struct host *host, const void *data, size_t size);
	/* 0 or -errno.  Neither reaches guest_memfd, which is mapped instead. */
	int (*read)(struct host *host, uint64_t addr, void *ret, size_t size);
	int (*write)(struct host *host, uint64_t addr, const void *data, size_t size);
	/* Takes a descriptor of the host into this process, or returns -errno. */
	int (*take)(struct host *host, int fd);
	/*
	 * The VMM's own descriptors, while it waits for the call being served.  borrow()
	 * takes one into this process, or returns -errno.  lend() replaces one by a
	 * descriptor of this process, and returns 0 or -errno.  NULL: refuse shared
	 * memfds.
	 */
	int (*borrow)(struct host *host, int number);
	int (*lend)(struct host *host, int number, int fd, bool close_at_exec);
	/* New guest_memfds may have pages of 2 MiB. */
	bool huge;
	/* Has a guest run already? */
	bool (*guest_runs)(struct host *host);
};

#define HOST_SCRATCH 1024

/* For results of mmap(2) and the like, which return an address or -errno. */
static inline bool host_failed(long ret)
{
	return ret < 0 && ret > -4096;
}

#define host_call(host, vm, nr, ...) \
	((host)->call(host, vm, nr, (const uint64_t[6]){ __VA_ARGS__ }))

/* Every address in arg is an address of the host. */
long host_ioctl(struct host *host, int vm, uint64_t request, const void *arg, size_t size);

#endif
