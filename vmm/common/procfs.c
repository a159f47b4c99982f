// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs.h"

struct vm_list {
	struct vm_process *vm;
	size_t nr;
};

void procfs_name(pid_t pid, char *ret, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(ret, size, file))
		snprintf(ret, size, "?");
	ret[strcspn(ret, "\n")] = 0;
	if (file)
		fclose(file);
}

static int add_vm(struct vm_list *list, pid_t pid, int fd)
{
	struct vm_process *more;

	more = realloc(list->vm, (list->nr + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	list->vm = more;
	more[list->nr] = (struct vm_process){
		.pid = pid, .vm_fd = fd
	};
	procfs_name(pid, more[list->nr].name, sizeof(more->name));
	list->nr++;
	return 0;
}

/* Calls visit() for each descriptor until it returns other than 0. */
static int for_each_fd(pid_t pid, int (*visit)(int fd, const char *link, void *data),
		       void *data)
{
	char path[64], link[256];
	struct dirent *entry;
	ssize_t length;
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		if (length < 0 || !isdigit((unsigned char)entry->d_name[0]))
			continue;
		link[length] = 0;
		ret = visit(atoi(entry->d_name), link, data);
	}
	closedir(dir);
	return ret;
}

struct vm_visit {
	struct vm_list *list;
	pid_t pid;
};

static int visit_vm(int fd, const char *link, void *data)
{
	struct vm_visit *visit = data;

	if (!strcmp(link, "anon_inode:kvm-vm"))
		return add_vm(visit->list, visit->pid, fd);
	return 0;
}

static int add_vms_of(pid_t pid, struct vm_list *list)
{
	struct vm_visit visit = { list, pid };

	return for_each_fd(pid, visit_vm, &visit);
}

int procfs_find_vms(pid_t pid, struct vm_process **ret_vms, size_t *ret_nr)
{
	struct vm_list list = { 0 };
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	if (pid) {
		err = add_vms_of(pid, &list);
	} else {
		dir = opendir("/proc");
		if (!dir)
			return -errno;
		while (!err && (entry = readdir(dir))) {
			if (!isdigit((unsigned char)entry->d_name[0]))
				continue;
			err = add_vms_of(atoi(entry->d_name), &list);
			/* skip a process that has ended, or belongs to another user */
			if (err == -ENOENT || err == -ESRCH || err == -EACCES)
				err = 0;
		}
		closedir(dir);
	}
	if (err) {
		free(list.vm);
		return err;
	}
	*ret_vms = list.vm;
	*ret_nr = list.nr;
	return 0;
}

bool procfs_parse_vma(const char *line, struct vma *ret_vma)
{
	char perms[5];
	int path = 0;

	*ret_vma = (struct vma){ 0 };
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 " %n",
		   &ret_vma->start, &ret_vma->end, perms, &ret_vma->offset,
		   &ret_vma->inode, &path) < 5 || strlen(perms) != 4)
		return false;
	ret_vma->writable = perms[1] == 'w';
	ret_vma->shared = perms[3] == 's';
	if (path)
		snprintf(ret_vma->path, sizeof(ret_vma->path), "%.*s",
			 (int)strcspn(line + path, "\n"), line + path);
	return ret_vma->start < ret_vma->end;
}

int procfs_vmas(pid_t pid, struct vma **ret_vmas, size_t *ret_nr)
{
	struct vma *vmas = NULL;
	size_t nr = 0, space = 0;
	char path[64];
	char *line = NULL;
	size_t line_space = 0;
	int err = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!err && getline(&line, &line_space, file) > 0) {
		if (nr == space) {
			size_t grown = space ? 2 * space : 256;
			void *more = realloc(vmas, grown * sizeof(*vmas));

			if (!more) {
				err = -ENOMEM;
				break;
			}
			vmas = more;
			space = grown;
		}
		nr += procfs_parse_vma(line, &vmas[nr]);
	}
	free(line);
	fclose(file);
	if (err) {
		free(vmas);
		return err;
	}
	*ret_vmas = vmas;
	*ret_nr = nr;
	return 0;
}
