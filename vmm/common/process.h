/* SPDX-License-Identifier: MIT */
/*
 * A process that another user may own, and that may end at any time.  The kernel reuses
 * the number of a process, so a pidfd and its directory in /proc hold it.  Nothing is
 * asked of the file systems that its descriptors are on.
 */
#ifndef OFFMAP_PROCESS_H
#define OFFMAP_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid;
	int pidfd;
	/* /proc/PID */
	int dir;
	/* /proc/PID/pagemap; -1: not opened yet */
	int pagemap;
};

/* 0 or -errno; ESRCH if there is none.  Call process_close() only after 0. */
int process_open(pid_t pid, struct process *ret);
void process_close(struct process *process);

/* Has the process neither ended nor become a zombie? */
bool process_lives(const struct process *process);

/*
 * Calls visit() with each descriptor, its link and its inode, until visit() returns other
 * than 0.  Returns that value, or 0, or -errno.
 */
int process_for_each_fd(const struct process *process,
			int (*visit)(int fd, const char *link, uint64_t inode, void *data),
			void *data);

/* Is this the link of a guest_memfd?  Another file can have that name, too. */
bool process_link_is_gmem(const char *link);

/*
 * Takes over a descriptor of the guest_memfd with this inode.  It is taken only
 * when its file system is the one of guest_memfd: to close a descriptor of
 * another one may take for ever.  A descriptor or -errno:
 *  -ENOENT  the process has none of this guest_memfd
 *  -ESTALE  the process has put another file in its place at that moment, which
 *           stays open here
 */
int process_take_gmem(const struct process *process, uint64_t inode);

/* The same if the number of the descriptor is known. */
int process_take_fd(const struct process *process, int fd, uint64_t inode);

/*
 * Frame numbers of nr pages from an address on, 0 for those not present.
 * 0 or -errno; EPERM when the kernel hides them.
 */
int process_frames(struct process *process, uint64_t addr, size_t nr,
		   uint64_t *ret_pfns);

/*
 * Has this range no page at all?  Cheap if nothing is mapped.  false also if the kernel
 * cannot tell (before Linux 6.7).
 */
bool process_is_empty(struct process *process, uint64_t addr, uint64_t size);

/* Bytes of memory that a process has mapped, in the direct map as of any process. */
struct process_memory {
	uint64_t anonymous;
	/* shared memory, and files of tmpfs */
	uint64_t shmem;
	uint64_t hugetlb;
};

/* From the text of /proc/PID/status; 0 where that tells nothing. */
struct process_memory process_parse_memory(const char *status);
struct process_memory process_memory(const struct process *process);

#endif
