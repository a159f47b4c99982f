// SPDX-License-Identifier: MIT
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kcore.h"
#include "page.h"

int kcore_read(const struct kcore *kcore, void *to, size_t size, off_t at)
{
	while (size) {
		ssize_t got = pread(kcore->fd, to, size, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO;
		to = (char *)to + got;
		at += got;
		size -= got;
	}
	return 0;
}

/* Whole pages, none of which overflows; the last page may be cut off. */
static bool is_sound(const Elf64_Phdr *ph)
{
	return !((ph->p_vaddr | ph->p_paddr) & (page_bytes() - 1)) &&
	       ph->p_offset <= INT64_MAX && ph->p_memsz <= INT64_MAX - ph->p_offset &&
	       ph->p_memsz <= UINT64_MAX - ph->p_vaddr &&
	       ph->p_memsz <= UINT64_MAX - ph->p_paddr;
}

/* A segment of RAM has a physical address; those of vmalloc and vmemmap have -1. */
static int find_segments(struct kcore *kcore)
{
	Elf64_Ehdr header;
	Elf64_Phdr ph;
	int err;

	err = kcore_read(kcore, &header, sizeof(header), 0);
	if (err)
		return err;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_phentsize != sizeof(ph) ||
	    header.e_phoff > INT32_MAX)
		return -EPROTO;
	kcore->segment = calloc(header.e_phnum, sizeof(*kcore->segment));
	if (!kcore->segment)
		return -ENOMEM;
	for (int i = 0; i < header.e_phnum; i++) {
		err = kcore_read(kcore, &ph, sizeof(ph),
				 header.e_phoff + (off_t)i * sizeof(ph));
		if (err)
			return err;
		if (ph.p_type != PT_LOAD || ph.p_paddr == (Elf64_Addr)-1)
			continue;
		if (!is_sound(&ph))
			return -EPROTO;
		kcore->segment[kcore->nr++] = (struct kcore_segment){
			.addr = ph.p_vaddr,
			.phys = ph.p_paddr,
			.size = ph.p_memsz & ~(page_bytes() - 1),
			.offset = ph.p_offset,
		};
	}
	return kcore->nr ? 0 : -EPROTO;
}

int kcore_open(struct kcore **ret)
{
	struct kcore *kcore = calloc(1, sizeof(*kcore));
	int err;

	if (!kcore)
		return -ENOMEM;
	kcore->fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	err = kcore->fd < 0 ? -errno : find_segments(kcore);
	if (err)
		kcore_close(kcore);
	else
		*ret = kcore;
	return err;
}

void kcore_close(struct kcore *kcore)
{
	if (!kcore)
		return;
	if (kcore->fd >= 0)
		close(kcore->fd);
	free(kcore->segment);
	free(kcore);
}

int kcore_read_frames(const struct kcore *kcore, uint64_t pfn, size_t nr, void *to)
{
	uint64_t page = page_bytes(), direct_map = kcore_direct_map_offset(kcore);
	uint64_t phys, size = nr * page;

	if (pfn > INT64_MAX / page)
		return -ENOENT;
	phys = pfn * page;
	for (size_t i = 0; i < kcore->nr; i++) {
		const struct kcore_segment *seg = &kcore->segment[i];

		/* frames of the kernel's image are in two segments */
		if (seg->addr - seg->phys == direct_map && phys >= seg->phys &&
		    seg->size >= size && phys - seg->phys <= seg->size - size)
			return kcore_read(kcore, to, size,
					  seg->offset + (phys - seg->phys));
	}
	return -ENOENT;
}

uint64_t kcore_direct_map_offset(const struct kcore *kcore)
{
	const struct kcore_segment *lowest = &kcore->segment[0];

	/* segments of the kernel's image have physical addresses, too, but are higher */
	for (size_t i = 1; i < kcore->nr; i++)
		if (kcore->segment[i].addr < lowest->addr)
			lowest = &kcore->segment[i];
	return lowest->addr - lowest->phys;
}
