// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse_file.h"

/* The number by which the kernel asks for the file; the root is 1. */
#define NODE 2

static void answer(int fd, uint64_t unique, int error, void *data, size_t size)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + size, .error = error, .unique = unique,
	};
	struct iovec parts[] = { { &out, sizeof(out) }, { data, size } };

	if (writev(fd, parts, 2) < 0 && errno != ENOENT)
		_exit(1);
}

static struct fuse_attr attributes(uint64_t node, uint64_t inode)
{
	return (struct fuse_attr){
		.ino = node == NODE ? inode : node, .nlink = 1, .size = 1 << 20,
		.mode = node == NODE ? S_IFREG | 0666 : S_IFDIR | 0755,
	};
}

static void serve(int fd, const char *name, uint64_t inode)
{
	static char request[1 << 17];
	struct fuse_in_header *in = (void *)request;
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096,
	};
	struct fuse_entry_out entry = {
		.nodeid = NODE, .attr_valid = 1000, .entry_valid = 1000,
	};
	struct fuse_attr_out attr = { .attr_valid = 1000 };
	struct fuse_statfs_out fs = { .st = { .bsize = 4096 } };
	struct fuse_open_out opened = { 0 };

	while (read(fd, request, sizeof(request)) > 0) {
		switch (in->opcode) {
		case FUSE_INIT:
			answer(fd, in->unique, 0, &init, sizeof(init));
			break;
		case FUSE_LOOKUP:
			entry.attr = attributes(NODE, inode);
			if (strcmp(request + sizeof(*in), name))
				answer(fd, in->unique, -ENOENT, NULL, 0);
			else
				answer(fd, in->unique, 0, &entry, sizeof(entry));
			break;
		case FUSE_GETATTR:
			attr.attr = attributes(in->nodeid, inode);
			answer(fd, in->unique, 0, &attr, sizeof(attr));
			break;
		case FUSE_OPEN:
		case FUSE_OPENDIR:
			answer(fd, in->unique, 0, &opened, sizeof(opened));
			break;
		case FUSE_STATFS:
			answer(fd, in->unique, 0, &fs, sizeof(fs));
			break;
		case FUSE_FLUSH:
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			break;
		default:
			answer(fd, in->unique, -ENOSYS, NULL, 0);
		}
	}
	_exit(0);
}

const char *fuse_file_start(struct fuse_file *file, const char *name, uint64_t inode)
{
	char options[128];

	if (geteuid())
		return "not root";
	strcpy(file->dir, "/tmp/offmap-fuse-XXXXXX");
	if (!mkdtemp(file->dir))
		return "no directory in /tmp";
	snprintf(file->path, sizeof(file->path), "%s/%s", file->dir, name);
	file->device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (file->device < 0) {
		rmdir(file->dir);
		return "this machine has no /dev/fuse";
	}
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0",
		 file->device);
	if (mount("test", file->dir, "fuse", MS_NOSUID | MS_NODEV, options)) {
		close(file->device);
		rmdir(file->dir);
		return "FUSE cannot be mounted";
	}
	file->server = fork();
	if (!file->server)
		serve(file->device, name, inode);
	close(file->device);
	return file->server < 0 ? "no process" : NULL;
}

void fuse_file_stop(struct fuse_file *file)
{
	/* without a server every request fails */
	kill(file->server, SIGKILL);
	waitpid(file->server, NULL, 0);
	umount2(file->dir, MNT_DETACH);
	rmdir(file->dir);
}
