/* SPDX-License-Identifier: MIT */
/*
 * The address space that VMs live in: how the model makes calls in it, and
 * looks at it.  offmap run does it from another process; tests do it in their own.
 */
#ifndef OFFMAP_HOST_H
#define OFFMAP_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct host {
	/* a process that has this address space, for /proc/PID, and the VMM's own */
	pid_t pid;
	pid_t vmm;
	/*
	 * Makes a system call there: its result, or -errno.  vm is a
	 * descriptor of this process that takes the place of the first
	 * argument, or -1.  Other descriptors are numbers of the host.
	 */
	long (*call)(struct host *host, int vm, long nr, const uint64_t arg[6]);
	/* Where call() finds these bytes, until the next scratch(); 0: nowhere. */
	uint64_t (*scratch)(struct host *host, const void *data, size_t size);
	/* 0 or -errno.  They do not reach guest_memfd, which is mapped instead. */
	int (*read)(struct host *host, uint64_t addr, void *ret, size_t size);
	int (*write)(struct host *host, uint64_t addr, const void *data, size_t size);
	/* A descriptor of the host as one of this process, or -errno. */
	int (*take)(struct host *host, int fd);
	/*
	 * The VMM's own descriptors, while it waits for the call that is served.
	 * borrow() has one as one of this process, or -errno; lend() puts one of
	 * this process in the place of one, 0 or -errno.  NULL: shared memfds
	 * are refused.
	 */
	int (*borrow)(struct host *host, int number);
	int (*lend)(struct host *host, int number, int fd, bool close_at_exec);
	/* New guest_memfds may have pages of 2 MiB. */
	bool huge;
	/* Has a guest run already? */
	bool (*guest_runs)(struct host *host);
};

#define HOST_SCRATCH 1024

/* What mmap(2) and its like return: an address, not -errno. */
static inline bool host_failed(long ret)
{
	return ret < 0 && ret > -4096;
}

#define host_call(host, vm, nr, ...) \
	((host)->call(host, vm, nr, (const uint64_t[6]){ __VA_ARGS__ }))

/* Each address of these bytes is a host's. */
long host_ioctl(struct host *host, int vm, uint64_t request, const void *arg, size_t size);

#endif
