// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "page.h"
#include "process.h"

#define PRESENT (1ULL << 63)
#define FRAME ((1ULL << 55) - 1)

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* guest_memfd's own file system; in Linux 6.18 and before, that of anonymous inodes */
#define GUEST_MEMFD_MAGIC 0x474d454d
#define ANON_INODE_MAGIC 0x09041934

int process_open(pid_t pid, struct process *ret)
{
	struct process process = { .pid = pid, .dir = -1, .pagemap = -1 };
	char path[32];
	int err = 0;

	process.pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (process.pidfd < 0)
		/* a thread other than the first is no process */
		return errno == EINVAL || errno == ENOENT ? -ESRCH : -errno;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	process.dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process.dir < 0)
		err = errno == ENOENT ? -ESRCH : -errno;
	else if (!process_lives(&process))
		/* another process may have taken the number, and the directory */
		err = -ESRCH;
	if (err)
		process_close(&process);
	else
		*ret = process;
	return err;
}

void process_close(struct process *process)
{
	close(process->pidfd);
	if (process->dir >= 0)
		close(process->dir);
	if (process->pagemap >= 0)
		close(process->pagemap);
}

bool process_lives(const struct process *process)
{
	struct pollfd poll_for = { .fd = process->pidfd, .events = POLLIN };

	return poll(&poll_for, 1, 0) == 0;
}

/* Reads the inode from fdinfo, which does not ask the file system. */
static int inode_of(int fdinfo, const char *name, uint64_t *ret_inode)
{
	char text[512], *at;
	int fd = openat(fdinfo, name, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text) - 1);
	if (got < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	text[got] = 0;
	at = strstr(text, "\nino:");
	return at && sscanf(at, "\nino: %" SCNu64, ret_inode) == 1 ? 0 : -EPROTO;
}

int process_for_each_fd(const struct process *process,
			int (*visit)(int fd, const char *link, uint64_t inode, void *data),
			void *data)
{
	int fdinfo = openat(process->dir, "fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fds = openat(process->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fds < 0 ? NULL : fdopendir(fds);
	struct dirent *entry;
	char link[256];
	int ret = 0;

	if (fdinfo < 0 || !dir)
		ret = -errno;
	while (!ret && (entry = readdir(dir))) {
		uint64_t inode = 0;
		ssize_t length;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		if (length < 0)
			continue;
		link[length] = 0;
		/* only a guest_memfd needs its inode */
		if (process_link_is_gmem(link) && inode_of(fdinfo, entry->d_name, &inode))
			continue;
		ret = visit(atoi(entry->d_name), link, inode, data);
	}
	if (dir)
		closedir(dir);
	else if (fds >= 0)
		close(fds);
	if (fdinfo >= 0)
		close(fdinfo);
	return ret;
}

bool process_link_is_gmem(const char *link)
{
	return strstr(link, "[kvm-gmem]") != NULL;
}

static bool is_gmem_fs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (fs.f_type == GUEST_MEMFD_MAGIC ||
				     fs.f_type == ANON_INODE_MAGIC);
}

int process_take_fd(const struct process *process, int fd, uint64_t inode)
{
	char path[32];
	int file, own;
	uint64_t taken_inode;
	bool fits;

	/* O_PATH does not open the file itself, so its file system is not told */
	snprintf(path, sizeof(path), "fd/%d", fd);
	file = openat(process->dir, path, O_PATH | O_CLOEXEC);
	if (file < 0)
		return -ENOENT;
	fits = is_gmem_fs(file);
	close(file);
	if (!fits)
		return -ENOENT;
	fd = syscall(SYS_pidfd_getfd, process->pidfd, fd, 0);
	if (fd < 0)
		return -errno;
	own = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%d", fd);
	fits = own >= 0 && !inode_of(own, path, &taken_inode) &&
	       taken_inode == inode && is_gmem_fs(fd);
	if (own >= 0)
		close(own);
	return fits ? fd : -ESTALE;
}

struct gmem_search {
	const struct process *process;
	uint64_t inode;
};

/* Returns 0 to go on with the next descriptor, or the taken descriptor plus 1. */
static int take(int fd, const char *link, uint64_t inode, void *data)
{
	struct gmem_search *search = data;

	if (!process_link_is_gmem(link) || inode != search->inode)
		return 0;
	fd = process_take_fd(search->process, fd, inode);
	return fd == -ENOENT ? 0 : fd < 0 ? fd : fd + 1;
}

int process_take_gmem(const struct process *process, uint64_t inode)
{
	struct gmem_search search = { process, inode };
	int ret = process_for_each_fd(process, take, &search);

	return ret < 0 ? ret : ret ? ret - 1 : -ENOENT;
}

static int open_pagemap(struct process *process)
{
	if (process->pagemap < 0)
		process->pagemap = openat(process->dir, "pagemap", O_RDONLY | O_CLOEXEC);
	return process->pagemap < 0 ? -errno : 0;
}

/* <linux/fs.h> has it from Linux 6.7 on. */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT (1 << 3)

bool process_is_empty(struct process *process, uint64_t addr, uint64_t size)
{
	struct { uint64_t start, end, categories; } region;
	struct scan_arg arg = {
		.size = sizeof(arg), .start = addr, .end = addr + size,
		.vec = (uintptr_t)&region, .vec_len = 1, .max_pages = 1,
		.category_mask = SCAN_PRESENT, .return_mask = SCAN_PRESENT,
	};

	return !open_pagemap(process) && !ioctl(process->pagemap, SCAN, &arg);
}

/* name includes the line's start and the colon. */
static uint64_t bytes_of(const char *status, const char *name)
{
	const char *at = strstr(status, name);
	uint64_t kib = 0;

	if (at)
		sscanf(at + strlen(name), "%" SCNu64 " kB", &kib);
	return kib << 10;
}

struct process_memory process_parse_memory(const char *status)
{
	return (struct process_memory){
		.anonymous = bytes_of(status, "\nRssAnon:"),
		.shmem = bytes_of(status, "\nRssShmem:"),
		.hugetlb = bytes_of(status, "\nHugetlbPages:"),
	};
}

struct process_memory process_memory(const struct process *process)
{
	int fd = openat(process->dir, "status", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t got;

	if (fd < 0)
		return (struct process_memory){ 0 };
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got < 0 ? 0 : got] = 0;
	return process_parse_memory(text);
}

int process_frames(struct process *process, uint64_t addr, size_t nr,
		   uint64_t *ret_pfns)
{
	size_t done = 0;
	ssize_t got;
	int err = open_pagemap(process);

	if (err)
		return err;
	while (done < nr) {
		got = pread(process->pagemap, ret_pfns + done,
			    (nr - done) * sizeof(*ret_pfns),
			    (addr / page_bytes() + done) * sizeof(*ret_pfns));
		/* no page is present beyond the last address */
		if (got <= 0)
			return got ? -errno : -EFAULT;
		done += got / sizeof(*ret_pfns);
	}
	for (size_t i = 0; i < nr; i++) {
		if (!(ret_pfns[i] & PRESENT))
			ret_pfns[i] = 0;
		else if (!(ret_pfns[i] & FRAME))
			return -EPERM;
		else
			ret_pfns[i] &= FRAME;
	}
	return 0;
}
