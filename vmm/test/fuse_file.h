/* SPDX-License-Identifier: MIT */
/* A file of a file system in userspace that never answers to a close. */
#ifndef TEST_FUSE_FILE_H
#define TEST_FUSE_FILE_H

#include <stdint.h>
#include <sys/types.h>

struct fuse_file {
	char dir[64];
	char path[128];
	pid_t server;
	int device;
};

/* NULL, or why there is no such file: a machine without FUSE, or not root. */
const char *fuse_file_start(struct fuse_file *file, const char *name, uint64_t inode);

/* Also ends processes that wait for the server. */
void fuse_file_stop(struct fuse_file *file);

#endif
