// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "page.h"
#include "pagemap.h"

#define PAGE page_bytes()
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_PFN ((1ULL << 55) - 1)

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
