// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "move.h"
#include "page.h"
#include "procfs.h"
#include "share.h"

/* In a path of /proc. */
#define MEMFD "/memfd:"

static bool is_shared_memfd(const struct ram_vma *vma)
{
	return vma->shared && vma->inode && !strncmp(vma->path, MEMFD, strlen(MEMFD)) &&
	       !strstr(vma->path, "kvm-gmem");
}

/* Is name, in a directory /proc/PID/fd, a descriptor of this memfd? */
static bool is_descriptor_of(DIR *dir, const char *name, uint64_t inode)
{
	char link[sizeof(MEMFD)] = "";
	struct stat st;

	return readlinkat(dirfd(dir), name, link, sizeof(link) - 1) > 0 &&
	       !strcmp(link, MEMFD) && !fstatat(dirfd(dir), name, &st, 0) && st.st_ino == inode;
}

/* Makes a list that the caller frees.  0 or -errno. */
static int find_descriptors(pid_t pid, uint64_t inode, int **ret_number, size_t *ret_nr)
{
	int *number = NULL, err = 0;
	struct dirent *entry;
	size_t nr = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		int *more;

		if (!is_descriptor_of(dir, entry->d_name, inode))
			continue;
		more = realloc(number, (nr + 1) * sizeof(*more));
		err = more ? 0 : -ENOMEM;
		if (more) {
			number = more;
			number[nr++] = atoi(entry->d_name);
		}
	}
	closedir(dir);
	if (err) {
		free(number);
		return err;
	}
	*ret_number = number;
	*ret_nr = nr;
	return 0;
}

static bool has_mapping(pid_t pid, const struct ram_vma *of)
{
	struct vma *vmas;
	bool found = false;
	size_t nr;

	if (procfs_vmas(pid, &vmas, &nr))
		return false;
	for (size_t i = 0; !found && i < nr; i++)
		found = vmas[i].inode == of->inode && !strcmp(vmas[i].path, of->path);
	free(vmas);
	return found;
}

static bool has_it(pid_t pid, const struct ram_vma *of)
{
	int *number = NULL;
	size_t nr = 0;

	find_descriptors(pid, of->inode, &number, &nr);
	free(number);
	return nr || has_mapping(pid, of);
}

pid_t share_find_other(const struct host *host, const struct ram_vma *vma)
{
	struct dirent *entry;
	pid_t found = 0;
	DIR *dir = opendir("/proc");

	while (dir && !found && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && pid != getpid() && pid != host->vmm &&
		    syscall(SYS_kcmp, pid, host->pid, KCMP_VM, 0, 0) && has_it(pid, vma))
			found = pid;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Removes the mappings of other files from the list. */
static void keep_mappings_of(struct share *share, uint64_t inode)
{
	size_t nr = 0;

	for (size_t i = 0; i < share->nr_vmas; i++)
		if (share->vma[i].inode == inode &&
		    !strncmp(share->vma[i].path, MEMFD, strlen(MEMFD)))
			share->vma[nr++] = share->vma[i];
	share->nr_vmas = nr;
}

static bool all_in_it(const struct share *share, uint64_t addr, uint64_t until)
{
	for (size_t i = 0; i < share->nr_vmas; i++)
		if (share->vma[i].start <= addr && addr < share->vma[i].end)
			addr = share->vma[i].end;
	return addr >= until;
}

/* Are all pages of the file mapped somewhere? */
static bool all_of_it(const struct share *share)
{
	uint64_t at = 0, before;

	do {
		before = at;
		for (size_t i = 0; i < share->nr_vmas; i++) {
			const struct ram_vma *vma = &share->vma[i];

			if (vma->offset <= at && at < vma->offset + (vma->end - vma->start))
				at = vma->offset + (vma->end - vma->start);
		}
	} while (at > before);
	return at >= share->size;
}

/* The size of the file; of its mappings if the VMM has closed it. */
static int find_size(struct host *host, struct share *share)
{
	struct stat st;
	int fd;

	share->size = 0;
	for (size_t i = 0; i < share->nr_vmas; i++) {
		const struct ram_vma *vma = &share->vma[i];
		uint64_t end = vma->offset + (vma->end - vma->start);

		share->size = end > share->size ? end : share->size;
	}
	if (!share->nr_numbers)
		return 0;
	fd = host->borrow(host, share->number[0]);
	if (fd < 0)
		return fd;
	if (!fstat(fd, &st) && page_round(st.st_size) > share->size)
		share->size = page_round(st.st_size);
	close(fd);
	return 0;
}

static int check(struct host *host, const struct share *share, uint64_t addr, uint64_t until,
		 char why[RAM_WHY])
{
	pid_t other;

	for (size_t i = 0; i < share->nr_vmas; i++) {
		if (share->vma[i].writable && share->vma[i].shared && !share->vma[i].userfaultfd)
			continue;
		snprintf(why, RAM_WHY, "it is a shared memfd that the VMM has mapped in another way as well: read-only, private, or with userfaultfd");
		return -EPERM;
	}
	if (!all_in_it(share, addr, until) || !all_of_it(share)) {
		snprintf(why, RAM_WHY, "a part of it is a shared memfd, or it is a part of one: all of a memfd has to be mapped");
		return -EPERM;
	}
	other = share_find_other(host, &share->vma[0]);
	if (other) {
		snprintf(why, RAM_WHY, "it is a shared memfd that process %d has already, which would not see what the guest writes",
			 other);
		return -EPERM;
	}
	return 0;
}

int share_find(struct host *host, uint64_t addr, uint64_t until, struct share *ret_share,
	       char why[RAM_WHY])
{
	struct share share = { 0 };
	bool is_one;
	uint64_t inode;
	int err;

	if (!host->lend)
		return 0;
	err = vmas_read(host->pid, addr, until, &share.vma, &share.nr_vmas);
	if (!err) {
		is_one = share.nr_vmas && is_shared_memfd(&share.vma[0]);
		inode = is_one ? share.vma[0].inode : 0;
		free(share.vma);
		if (!is_one)
			return 0;
		err = vmas_read(host->pid, 0, UINT64_MAX, &share.vma, &share.nr_vmas);
	}
	if (err) {
		snprintf(why, RAM_WHY, "its mappings cannot be read: %s", strerror(-err));
		return err;
	}
	keep_mappings_of(&share, inode);
	err = find_descriptors(host->vmm, inode, &share.number, &share.nr_numbers);
	if (!err)
		err = find_size(host, &share);
	if (err)
		snprintf(why, RAM_WHY, "the VMM's descriptors cannot be read: %s", strerror(-err));
	else
		err = check(host, &share, addr, until, why);
	if (err) {
		share_end(&share);
		return err;
	}
	*ret_share = share;
	return 1;
}

void share_end(struct share *share)
{
	free(share->vma);
	free(share->number);
}

/* Is this descriptor of the VMM closed at exec?  Most are. */
static bool closes_at_exec(pid_t pid, int number)
{
	char path[64], line[128];
	unsigned int flags = O_CLOEXEC;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, number);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	if (file)
		fclose(file);
	return flags & O_CLOEXEC;
}

/* Replaces all descriptors, or none: 0 or -errno. */
static int lend(struct host *host, const struct share *share, int fd, int before)
{
	size_t done;
	int err = 0;

	for (done = 0; !err && done < share->nr_numbers; done += !err)
		err = host->lend(host, share->number[done], fd,
				 closes_at_exec(host->vmm, share->number[done]));
	while (err && done--)
		host->lend(host, share->number[done], before,
			   closes_at_exec(host->vmm, share->number[done]));
	return err;
}

/* Replaces the mappings and the descriptors. */
static int hand_over(struct host *host, const struct share *share, struct move *moves, int fd)
{
	int before = share->nr_numbers ? host->borrow(host, share->number[0]) : -1, err;

	if (share->nr_numbers && before < 0)
		return before;
	err = lend(host, share, fd, before);
	for (size_t i = 0; !err && i < share->nr_vmas; i++) {
		err = move_finish(&moves[i], true);
		if (err && i)
			err = -ENOTRECOVERABLE;
		else if (err)
			lend(host, share, before, before);
	}
	if (before >= 0)
		close(before);
	return err;
}

/* While the contents were copied, a thread may have opened or closed descriptors. */
static int check_numbers(const struct host *host, const struct share *share)
{
	int *number = NULL, err;
	size_t nr = 0;
	bool same;

	err = find_descriptors(host->vmm, share->vma[0].inode, &number, &nr);
	if (err)
		return err;
	same = nr == share->nr_numbers &&
	       (!nr || !memcmp(number, share->number, nr * sizeof(*number)));
	free(number);
	return same ? 0 : -EBUSY;
}

static int start(struct host *host, const struct share *share, struct backing *backing,
		 struct move *moves, char why[RAM_WHY])
{
	int err = 0;

	for (size_t i = 0; !err && i < share->nr_vmas; i++) {
		struct ram_vma *vma = &share->vma[i];

		moves[i] = (struct move){
			.host = host, .addr = vma->start, .size = vma->end - vma->start,
			.vma = vma, .nr_vmas = 1, .backing = backing, .offset = vma->offset,
		};
		err = move_start(&moves[i], why);
	}
	return err;
}

static int replace(struct host *host, const struct share *share, struct backing *backing,
		   struct move *moves, char why[RAM_WHY])
{
	int err = start(host, share, backing, moves, why);

	if (err)
		return err;
	for (size_t i = 0; !err && i < share->nr_vmas; i++)
		err = move_copy(&moves[i]);
	if (!err)
		err = check_numbers(host, share);
	if (!err)
		err = hand_over(host, share, moves, backing->own);
	if (err)
		snprintf(why, RAM_WHY, "the shared memfd cannot be replaced: %s", strerror(-err));
	return err;
}

int share_protect(struct host *host, int vm, const struct share *share,
		  struct backing **ret_backing, char why[RAM_WHY])
{
	struct move *moves = calloc(share->nr_vmas, sizeof(*moves));
	struct backing *backing;
	int err;

	if (!moves) {
		snprintf(why, RAM_WHY, "out of memory");
		return -ENOMEM;
	}
	err = ram_create(host, vm, share->size, &backing, why);
	if (!err) {
		backing->shared = true;
		err = replace(host, share, backing, moves, why);
		for (size_t i = 0; i < share->nr_vmas; i++)
			if (moves[i].host)
				move_end(&moves[i]);
		if (err)
			ram_release(backing);
		else
			*ret_backing = backing;
	}
	free(moves);
	return err;
}
