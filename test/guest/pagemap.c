// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "page.h"
#include "pagemap.h"

#define PAGE page_bytes()
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_PFN ((1ULL << 55) - 1)

/* Headers before Linux 6.7 lack these. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, any_of, returned;
};

#define SCAN _IOWR('f', 16, struct scan)
#define SCAN_HUGE (1 << 6)

int pagemap_pfn_of(pid_t pid, uint64_t addr, uint64_t *ret_pfn)
{
	uint64_t entry;
	char name[64];
	ssize_t got;
	int err = 0;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/pagemap", pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = pread(fd, &entry, sizeof(entry), addr / PAGE * sizeof(entry));
	if (got != sizeof(entry))
		err = got < 0 ? -errno : -EIO;
	else if (!(entry & PAGEMAP_PRESENT))
		err = -ENOENT;
	else if (!(entry & PAGEMAP_PFN))
		err = -EPERM;
	else
		*ret_pfn = entry & PAGEMAP_PFN;
	close(fd);
	return err;
}

int pagemap_pfn(const volatile void *addr, uint64_t *ret_pfn)
{
	return pagemap_pfn_of(getpid(), (uintptr_t)addr, ret_pfn);
}

int pagemap_pfns(const volatile void *addr, size_t nr, uint64_t *ret_pfns)
{
	int err = 0;

	for (size_t i = 0; !err && i < nr; i++)
		err = pagemap_pfn((const volatile char *)addr + i * PAGE,
				  &ret_pfns[i]);
	return err;
}

size_t pagemap_count_huge(const volatile void *addr, size_t nr)
{
	struct scan_region region[64];
	struct scan scan = {
		.size = sizeof(scan),
		.start = (uintptr_t)addr,
		.end = (uintptr_t)addr + nr * PAGE,
		.vec = (uintptr_t)region,
		.vec_len = sizeof(region) / sizeof(region[0]),
		.mask = SCAN_HUGE,
		.returned = SCAN_HUGE,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), got;
	size_t pages = 0;

	if (fd < 0)
		return 0;
	got = ioctl(fd, SCAN, &scan);
	for (int i = 0; i < got; i++)
		pages += (region[i].end - region[i].start) / PAGE;
	close(fd);
	return pages;
}
