// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kcore.h"
#include "kcore_scan.h"
#include "page.h"
#include "ptdump.h"
#include "whole_files.h"

/* A scan of all that a file claims to have would never finish. */
#define MAX_SCAN (4UL << 20)

static const void *contents;
static size_t contents_size;

/* The linker has all callers use these, as a fuzzer opens files of its own. */
int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);

static bool is_ours(const char *path)
{
	return !strcmp(path, PTDUMP_FILE) || !strcmp(path, "/proc/kcore");
}

void whole_file_set(const void *data, size_t size)
{
	contents = data;
	contents_size = size;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	int fd;

	if (!is_ours(path)) {
		va_start(ap, flags);
		fd = __real_open(path, flags, flags & O_CREAT ? va_arg(ap, int) : 0);
		va_end(ap);
		return fd;
	}
	fd = memfd_create("whole", MFD_CLOEXEC);
	if (write(fd, contents, contents_size) != (ssize_t)contents_size)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	return is_ours(path) ? fdopen(__wrap_open(path, O_RDONLY), mode) :
			       __real_fopen(path, mode);
}

int whole_file_ptdump(void)
{
	uint64_t some[] = { 0, 1, 511, 512, 1 << 20, UINT64_MAX };
	struct ptdump *dump;
	int err = ptdump_read(&dump);

	if (err)
		return err;
	/* a dump that is read without an error has mapped pages */
	if (!ptdump_count_all(dump))
		abort();
	if (ptdump_count_mapped(dump, some, 6) > ptdump_count_all(dump))
		abort();
	ptdump_free(dump);
	return 0;
}

int whole_file_kcore(void)
{
	static uint8_t page[2 * PAGE_MAX_BYTES];
	struct kcore_result result;
	struct secret secret;
	struct kcore *kcore;
	uint64_t size = 0;
	int err = kcore_open(&kcore);

	if (err)
		return err;
	kcore_read_frames(kcore, 3, 2, page);
	kcore_read_frames(kcore, UINT64_MAX, 1, page);
	for (size_t i = 0; i < kcore->nr; i++)
		size |= kcore->segment[i].size;
	kcore_close(kcore);
	memset(&secret, 7, sizeof(secret));
	if (size < MAX_SCAN)
		kcore_scan(&secret, 1, &result);
	return 0;
}
