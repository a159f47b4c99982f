// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem.h"
#include "mermap_use.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define WORDS_PER_PAGE (MEM_PAGE / sizeof(uint64_t))

uint64_t *secret_map(size_t nr_pages)
{
	int fd = syscall(SYS_memfd_secret, O_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, nr_pages * MEM_PAGE))
		map = mmap(NULL, nr_pages * MEM_PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		printf("memfd_secret: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	return map == MAP_FAILED ? NULL : map;
}

void secret_unmap(uint64_t *map, size_t nr_pages)
{
	munmap(map, nr_pages * MEM_PAGE);
}

int is_zero(const uint64_t *map, size_t nr_pages)
{
	for (size_t i = 0; i < nr_pages * WORDS_PER_PAGE; i++)
		if (map[i]) {
			printf("word %zu of new memory is %#llx\n", i,
			       (unsigned long long)map[i]);
			return 0;
		}
	return 1;
}

int secret_use(size_t nr_pages)
{
	uint64_t *map = secret_map(nr_pages);

	if (!map || !is_zero(map, nr_pages))
		return 1;
	memset(map, 0x5a, nr_pages * MEM_PAGE);
	secret_unmap(map, nr_pages);
	return 0;
}
