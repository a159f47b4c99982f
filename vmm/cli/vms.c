// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"
#include "vms.h"

#define KCMP_FILE 0
/* For one process: each descriptor is compared with all others. */
#define MAX_FDS 256
/* Descriptors of VMs, of which several can be of one: each is compared with all VMs. */
#define MAX_LOOKS 1024

struct list {
	struct vm_entry *vm;
	size_t nr;
	size_t space;
};

static struct vm_entry *add(struct list *list, pid_t pid, int vm_fd)
{
	struct vm_entry *entry;

	if (list->nr == list->space) {
		size_t space = list->space ? 2 * list->space : 64;
		void *more = realloc(list->vm, space * sizeof(*list->vm));

		if (!more)
			return NULL;
		list->vm = more;
		list->space = space;
	}
	entry = &list->vm[list->nr++];
	*entry = (struct vm_entry){ .vm = { .pid = pid, .vm_fd = vm_fd } };
	procfs_name(pid, entry->vm.name, sizeof(entry->vm.name));
	return entry;
}

static int open_memslots(const char *debugfs, const char *directory)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/memslots", debugfs, directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int vms_read_memslots(const char *debugfs, const char *directory, struct memslots *ret)
{
	int fd = open_memslots(debugfs, directory), err;

	if (fd < 0)
		return fd;
	err = memslots_read(fd, ret);
	close(fd);
	return err;
}

/* PID-FD, or PID-FD-NUMBER if PID-FD was taken. */
static bool is_vm_directory(const char *name, pid_t *ret_pid, int *ret_fd)
{
	unsigned int number;
	int end = 0;

	if (!isdigit((unsigned char)*name) ||
	    sscanf(name, "%d-%d%n", ret_pid, ret_fd, &end) != 2 || !end)
		return false;
	if (name[end]) {
		name += end;
		end = 0;
		if (sscanf(name, "-%u%n", &number, &end) != 1 || !end || name[end])
			return false;
	}
	return true;
}

/* Reads only the first line of a list, which can be long. */
static int read_process(const char *debugfs, const char *directory, pid_t *ret_pid)
{
	int fd = open_memslots(debugfs, directory), err = 0;
	char text[64];
	ssize_t got;

	if (fd < 0)
		return fd;
	got = read(fd, text, sizeof(text) - 1);
	if (got < 0)
		err = -errno;
	text[got < 0 ? 0 : got] = 0;
	close(fd);
	if (!err && !memslots_parse_process(text, ret_pid))
		err = -EPROTO;
	return err;
}

static int add_directory(struct list *list, const char *debugfs, const char *name,
			 pid_t wanted)
{
	pid_t creator, process;
	struct vm_entry *entry;
	int fd, err;

	if (!is_vm_directory(name, &creator, &fd))
		return 0;
	process = creator;
	err = read_process(debugfs, name, &process);
	if (wanted && process != wanted && creator != wanted)
		return 0;
	/* the VM has ended meanwhile; or this kernel lists no memslots, and /proc tells */
	if (err == -ENOENT)
		return 0;
	entry = add(list, process ? process : creator,
		    !process || process == creator ? fd : -1);
	if (!entry)
		return -ENOMEM;
	snprintf(entry->directory, sizeof(entry->directory), "%.47s", name);
	entry->error = err ? -err : process ? 0 : ESRCH;
	return 0;
}

/* Returns 0, or -errno of the directory itself. */
static int add_directories(struct list *list, const char *debugfs, pid_t wanted)
{
	DIR *dir = opendir(debugfs);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir)))
		err = add_directory(list, debugfs, entry->d_name, wanted);
	closedir(dir);
	return err;
}

/* The VMs that a process has descriptors of, each once. */
struct vm_fds {
	pid_t pid;
	int fd[MAX_FDS];
	size_t nr;
	size_t looks;
	bool too_many;
};

static bool same_file(pid_t a, int fd_a, pid_t b, int fd_b)
{
	return !syscall(SYS_kcmp, a, b, KCMP_FILE, (unsigned long)fd_a,
			(unsigned long)fd_b);
}

static int visit_fd(int fd, const char *link, uint64_t inode, void *data)
{
	struct vm_fds *fds = data;

	(void)inode;
	if (strcmp(link, "anon_inode:kvm-vm"))
		return 0;
	if (fds->looks++ == MAX_LOOKS)
		fds->too_many = true;
	for (size_t i = 0; !fds->too_many && i < fds->nr; i++)
		if (same_file(fds->pid, fds->fd[i], fds->pid, fd))
			return 0;
	if (fds->nr == MAX_FDS)
		fds->too_many = true;
	if (!fds->too_many)
		fds->fd[fds->nr++] = fd;
	return fds->too_many;
}

static int read_fds(pid_t pid, struct vm_fds *ret)
{
	struct process process;
	int err = process_open(pid, &process);

	*ret = (struct vm_fds){ .pid = pid };
	if (err)
		return err;
	err = process_for_each_fd(&process, visit_fd, ret);
	process_close(&process);
	return err < 0 ? err : 0;
}

/* Is this VM listed by a descriptor of another process?  A helper inherits the VMM's. */
static bool is_of_another(const struct list *list, size_t nr_listed, pid_t pid, int fd)
{
	for (size_t i = 0; i < nr_listed; i++) {
		const struct vm_process *vm = &list->vm[i].vm;

		if (vm->vm_fd >= 0 && same_file(pid, fd, vm->pid, vm->vm_fd))
			return true;
	}
	return false;
}

static bool is_named(const struct list *list, size_t nr_listed, pid_t pid, int fd)
{
	for (size_t i = 0; i < nr_listed; i++)
		if (list->vm[i].vm.pid == pid && list->vm[i].vm.vm_fd == fd)
			return true;
	return false;
}

/* The directory may be younger than the list of directories. */
static void look_again(struct vm_entry *entry, const char *debugfs)
{
	char name[sizeof(entry->directory)];
	pid_t process;

	snprintf(name, sizeof(name), "%d-%d", entry->vm.pid, entry->vm.vm_fd);
	if (read_process(debugfs, name, &process) || process != entry->vm.pid)
		return;
	strcpy(entry->directory, name);
	entry->error = 0;
}

static int add_unlisted(struct list *list, size_t nr_listed, pid_t pid,
			const char *debugfs, int error)
{
	size_t listed = 0, missing;
	struct vm_entry *entry;
	struct vm_fds fds;
	int err = read_fds(pid, &fds);

	if (err)
		return err;
	for (size_t i = 0; i < nr_listed; i++)
		listed += list->vm[i].vm.pid == pid;
	/* a process with more VMs than directories has a VM that KVM does not list */
	missing = fds.nr > listed ? fds.nr - listed : fds.too_many;
	for (size_t i = 0; missing && i < fds.nr; i++) {
		if (is_named(list, nr_listed, pid, fds.fd[i]) ||
		    (!listed && is_of_another(list, nr_listed, pid, fds.fd[i])))
			continue;
		entry = add(list, pid, fds.fd[i]);
		if (!entry)
			return -ENOMEM;
		entry->error = error;
		look_again(entry, debugfs);
		missing--;
	}
	return 0;
}

/*
 * Adds VMs without a directory.  On a kernel that does not list memslots these are all
 * VMs. Otherwise KVM had no memory for the directory.
 */
static int add_descriptors(struct list *list, pid_t wanted, const char *debugfs, int error)
{
	size_t nr_listed = list->nr;
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	if (wanted)
		return add_unlisted(list, nr_listed, wanted, debugfs, error);
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (err != -ENOMEM && (entry = readdir(dir)))
		/* skip a process that has ended, or belongs to another user */
		if (isdigit((unsigned char)entry->d_name[0]))
			err = add_unlisted(list, nr_listed, atoi(entry->d_name),
					   debugfs, error);
	closedir(dir);
	return err == -ENOMEM ? err : 0;
}

static int by_process(const void *a, const void *b)
{
	const struct vm_entry *x = a, *y = b;

	if (x->vm.pid != y->vm.pid)
		return x->vm.pid < y->vm.pid ? -1 : 1;
	return x->vm.vm_fd < y->vm.vm_fd ? -1 : x->vm.vm_fd > y->vm.vm_fd;
}

int vms_find(const char *debugfs, pid_t pid, struct vm_entry **ret_vms, size_t *ret_nr)
{
	struct list list = { 0 };
	int err = add_directories(&list, debugfs, pid), found;

	/* without debugfs, search the processes */
	found = err == -ENOMEM ? err :
		add_descriptors(&list, pid, debugfs, err ? -err : ENOENT);
	if (list.nr && (found == -ESRCH || found == -EACCES))
		found = 0;
	if (!found && err == -EACCES && !list.nr)
		found = -EACCES;
	if (found) {
		free(list.vm);
		return found;
	}
	if (list.nr)
		qsort(list.vm, list.nr, sizeof(*list.vm), by_process);
	*ret_vms = list.vm;
	*ret_nr = list.nr;
	return 0;
}

bool vms_exist(const char *debugfs, const char *directory)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", debugfs, directory);
	return *directory && !access(path, F_OK);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Adds those of one list. */
static int add_inodes(const struct memslots *slots, struct inodes *inodes)
{
	void *more = realloc(inodes->inode, (inodes->nr + slots->nr + 1) * sizeof(*inodes->inode));

	if (!more)
		return -ENOMEM;
	inodes->inode = more;
	for (size_t i = 0; i < slots->nr; i++)
		if (slots->slot[i].backing == BACKED_BY_GMEM)
			inodes->inode[inodes->nr++] = slots->slot[i].inode;
	return 0;
}

int vms_gmem_inodes(const char *debugfs, pid_t pid, struct inodes *ret)
{
	struct inodes inodes = { 0 };
	DIR *dir = opendir(debugfs);
	struct memslots slots;
	struct dirent *entry;
	pid_t creator, process;
	int err = 0, fd;

	while (dir && !err && (entry = readdir(dir))) {
		if (!is_vm_directory(entry->d_name, &creator, &fd) ||
		    read_process(debugfs, entry->d_name, &process) || process != pid ||
		    vms_read_memslots(debugfs, entry->d_name, &slots))
			continue;
		err = add_inodes(&slots, &inodes);
		memslots_free(&slots);
	}
	if (dir)
		closedir(dir);
	if (err) {
		free(inodes.inode);
		return err;
	}
	if (inodes.nr)
		qsort(inodes.inode, inodes.nr, sizeof(*inodes.inode), by_number);
	*ret = inodes;
	return 0;
}

bool vms_have_inode(const struct inodes *inodes, uint64_t inode)
{
	return inodes->nr && bsearch(&inode, inodes->inode, inodes->nr, sizeof(inode), by_number);
}
