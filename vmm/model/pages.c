// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page.h"
#include "pages.h"

/* /proc/PID/pagemap */
#define PRESENT (1ULL << 63)
#define SWAPPED (1ULL << 62)
#define OF_FILE (1ULL << 61)
#define EXCLUSIVE (1ULL << 56)

int pages_open(struct host *host, const struct ram_vma *vma, struct pages *ret_pages)
{
	struct pages pages = { .vma = vma, .file = -1 };
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", host->pid);
	pages.pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (pages.pagemap < 0)
		return -errno;
	if (vma->inode) {
		snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
			 host->pid, vma->start, vma->end);
		pages.file = open(path, O_RDONLY | O_CLOEXEC);
	}
	*ret_pages = pages;
	return 0;
}

void pages_close(struct pages *pages)
{
	close(pages->pagemap);
	if (pages->file >= 0)
		close(pages->file);
}

/* hugetlbfs reports data for all of a file.  Has the file any memory? */
static bool file_is_empty(const struct pages *pages)
{
	struct stat st;

	return pages->vma->hugetlb && pages->file >= 0 && !fstat(pages->file, &st) &&
	       !st.st_blocks;
}

static enum page_state state_of(uint64_t entry, bool file)
{
	if (entry & SWAPPED || (entry & PRESENT && entry & (EXCLUSIVE | OF_FILE)))
		return PAGE_PRESENT;
	if (entry & PRESENT)
		return PAGE_SHARED;
	return file ? PAGE_MAYBE : PAGE_ABSENT;
}

/* Skips holes of the file: reading would allocate pages there. */
static void leave_holes(const struct pages *pages, uint64_t offset, size_t nr, uint8_t *states)
{
	uint64_t page = page_bytes();

	for (size_t i = 0; i < nr; ) {
		off_t data = lseek(pages->file, offset + i * page, SEEK_DATA);
		size_t next = data < 0 ? (errno == ENXIO ? nr : i) : (data - offset) / page;

		for (; i < nr && i < next; i++)
			if (states[i] == PAGE_MAYBE)
				states[i] = PAGE_ABSENT;
		i++;
	}
}

int pages_find(const struct pages *pages, uint64_t addr, size_t nr, uint8_t *ret_states)
{
	const struct ram_vma *vma = pages->vma;
	bool file = vma->inode && !file_is_empty(pages);
	uint64_t entries[512], page = page_bytes();

	for (size_t done = 0; done < nr; ) {
		size_t n = nr - done < 512 ? nr - done : 512;

		if (pread(pages->pagemap, entries, n * 8, (addr / page + done) * 8) !=
		    (ssize_t)(n * 8))
			return -EIO;
		for (size_t i = 0; i < n; i++)
			ret_states[done + i] = state_of(entries[i], file);
		done += n;
	}
	if (file && pages->file >= 0 && !vma->hugetlb)
		leave_holes(pages, vma->offset + (addr - vma->start), nr, ret_states);
	return 0;
}
