// SPDX-License-Identifier: MIT
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kcore_scan.h"
#include "page.h"

#define PAGE page_bytes()
#define CHUNK (1UL << 20)
#define MAX_SEGMENTS 256

struct segment {
	uint64_t addr;
	off_t offset;
	uint64_t phys;
	uint64_t size;
};

struct scan {
	int fd;
	/* CHUNK bytes to read into, then one page for the second look. */
	uint8_t *buffer;
	uint8_t *second_look;
	size_t nr_segments;
	struct segment segment[MAX_SEGMENTS];
	const struct secret *secrets;
	size_t nr_secrets;
	struct kcore_result *result;
};

static int read_exact(int fd, void *to, size_t size, off_t at)
{
	while (size) {
		ssize_t got = pread(fd, to, size, at);

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

/* RAM is what has a physical address; vmalloc and vmemmap say -1. */
static int find_segments(struct scan *scan)
{
	Elf64_Ehdr header;
	Elf64_Phdr ph;
	int err;

	err = read_exact(scan->fd, &header, sizeof(header), 0);
	for (int i = 0; !err && i < header.e_phnum; i++) {
		err = read_exact(scan->fd, &ph, sizeof(ph),
				 header.e_phoff + i * sizeof(ph));
		if (err)
			break;
		if (ph.p_type != PT_LOAD || ph.p_paddr == (Elf64_Addr)-1)
			continue;
		if (scan->nr_segments == MAX_SEGMENTS)
			return -E2BIG;
		scan->segment[scan->nr_segments++] = (struct segment){
			.addr = ph.p_vaddr,
			.offset = ph.p_offset,
			.phys = ph.p_paddr,
			.size = ph.p_memsz,
		};
	}
	if (!err && !scan->nr_segments)
		err = -ENODATA;
	return err;
}

static int add_find(struct kcore_result *result, size_t secret, uint64_t phys)
{
	for (size_t i = 0; i < result->nr_finds; i++)
		if (result->find[i].secret == secret &&
		    result->find[i].phys == phys)
			return 0;
	if (result->nr_finds == KCORE_MAX_FINDS)
		return -ENOSPC;
	result->find[result->nr_finds++] = (struct kcore_find){
		.secret = secret,
		.phys = phys,
	};
	return 0;
}

/* The whole speed of a scan is in this loop. */
static const uint64_t *next_match(const uint64_t *at, const uint64_t *end,
				  const struct secret *secret)
{
	uint64_t a = secret->a[0], b = secret->b[0];

	for (; at < end; at++)
		if ((*at ^ a) == b && secret_is_at(at, secret))
			return at;
	return NULL;
}

static int search(struct scan *scan, size_t size, uint64_t phys)
{
	const uint64_t *start = (const uint64_t *)scan->buffer;
	const uint64_t *end = start + size / 8 - (SECRET_WORDS - 1);
	const uint64_t *at;
	int err = 0;

	for (size_t i = 0; !err && i < scan->nr_secrets; i++) {
		at = start;
		while (!err && (at = next_match(at, end, &scan->secrets[i]))) {
			err = add_find(scan->result, i,
				       phys + (at - start) * 8);
			at++;
		}
	}
	scan->result->scanned_bytes += size;
	return err;
}

/* A page that cannot be read must not hide the pages around it. */
static int search_by_page(struct scan *scan, off_t at, size_t size,
			  uint64_t phys)
{
	int err = 0;

	for (size_t done = 0; !err && done < size; done += PAGE) {
		if (read_exact(scan->fd, scan->buffer, PAGE, at + done))
			scan->result->unreadable_bytes += PAGE;
		else
			err = search(scan, PAGE, phys + done);
	}
	return err;
}

static int scan_segment(struct scan *scan, const struct segment *seg)
{
	uint64_t size = seg->size & ~(PAGE - 1);
	int err = 0;

	for (uint64_t done = 0; !err && done < size; done += CHUNK) {
		size_t now = size - done < CHUNK ? size - done : CHUNK;
		off_t at = seg->offset + done;

		if (read_exact(scan->fd, scan->buffer, now, at))
			err = search_by_page(scan, at, now, seg->phys + done);
		else
			err = search(scan, now, seg->phys + done);
	}
	return err;
}

static bool look_again(struct scan *scan, const struct kcore_find *find,
		       uint64_t page)
{
	for (size_t i = 0; i < scan->nr_segments; i++) {
		const struct segment *seg = &scan->segment[i];

		if (page < seg->phys || page - seg->phys >= seg->size)
			continue;
		if (read_exact(scan->fd, scan->second_look, PAGE,
			       seg->offset + (page - seg->phys)))
			continue;
		if (secret_is_at((const uint64_t *)(scan->second_look +
						    find->phys % PAGE),
				 &scan->secrets[find->secret]))
			return true;
	}
	return false;
}

/*
 * Makes the kernel's bounce page hold something else: kcore copies each page
 * there on its way, and so would show the last page twice.
 */
static void clean_bounce_page(struct scan *scan)
{
	const struct segment *seg = &scan->segment[0];

	memset(scan->buffer, 0, CHUNK);
	memset(scan->second_look, 0, PAGE);
	for (uint64_t at = 0; at + PAGE <= seg->size && at < CHUNK; at += PAGE) {
		bool clean = true;

		if (read_exact(scan->fd, scan->second_look, PAGE,
			       seg->offset + at))
			continue;
		for (size_t i = 0; clean && i < scan->nr_secrets; i++) {
			const uint64_t *data = (uint64_t *)scan->second_look;

			clean = !next_match(data, data + PAGE / 8 -
					    (SECRET_WORDS - 1),
					    &scan->secrets[i]);
		}
		if (clean)
			break;
	}
	memset(scan->second_look, 0, PAGE);
}

/* Drops the copies that reading itself has made. */
static void second_look(struct scan *scan)
{
	struct kcore_result *result = scan->result;
	size_t kept = 0;

	for (size_t i = 0; i < result->nr_finds; i++) {
		struct kcore_find find = result->find[i];

		clean_bounce_page(scan);
		if (look_again(scan, &find, find.phys & ~(PAGE - 1)))
			result->find[kept++] = find;
		else
			result->nr_own_copies++;
	}
	result->nr_finds = kept;
	/* Leave nothing for the next scan. */
	clean_bounce_page(scan);
}

int kcore_scan(const struct secret *secrets, size_t nr,
	       struct kcore_result *ret)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	int err;

	memset(ret, 0, sizeof(*ret));
	if (!scan)
		return -ENOMEM;
	scan->secrets = secrets;
	scan->nr_secrets = nr;
	scan->result = ret;
	scan->fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (scan->fd < 0) {
		err = -errno;
		goto free_scan;
	}
	scan->buffer = mmap(NULL, CHUNK + PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (scan->buffer == MAP_FAILED) {
		err = -errno;
		goto close_kcore;
	}
	scan->second_look = scan->buffer + CHUNK;

	err = find_segments(scan);
	for (size_t i = 0; !err && i < scan->nr_segments; i++)
		err = scan_segment(scan, &scan->segment[i]);
	if (!err || err == -ENOSPC)
		second_look(scan);
	munmap(scan->buffer, CHUNK + PAGE);
close_kcore:
	close(scan->fd);
free_scan:
	free(scan);
	return err;
}

struct kcore {
	struct scan scan;
};

struct kcore *kcore_open(void)
{
	struct kcore *kcore = calloc(1, sizeof(*kcore));
	int err;

	if (!kcore)
		return NULL;
	kcore->scan.fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	err = kcore->scan.fd < 0 ? -errno : find_segments(&kcore->scan);
	if (!err)
		return kcore;
	kcore_close(kcore);
	errno = -err;
	return NULL;
}

int kcore_read_page(struct kcore *kcore, uint64_t pfn, void *to)
{
	for (size_t i = 0; i < kcore->scan.nr_segments; i++) {
		const struct segment *seg = &kcore->scan.segment[i];
		uint64_t phys = pfn * PAGE;

		if (phys >= seg->phys && phys - seg->phys < seg->size)
			return read_exact(kcore->scan.fd, to, PAGE,
					  seg->offset + (phys - seg->phys));
	}
	return -ENOENT;
}

void kcore_close(struct kcore *kcore)
{
	if (kcore->scan.fd >= 0)
		close(kcore->scan.fd);
	free(kcore);
}

int kcore_direct_map_offset(uint64_t *ret)
{
	struct kcore *kcore = kcore_open();
	const struct segment *lowest;

	if (!kcore)
		return -errno;
	/* the kernel's image, which has physical addresses as well, is higher */
	lowest = &kcore->scan.segment[0];
	for (size_t i = 1; i < kcore->scan.nr_segments; i++)
		if (kcore->scan.segment[i].addr < lowest->addr)
			lowest = &kcore->scan.segment[i];
	*ret = lowest->addr - lowest->phys;
	kcore_close(kcore);
	return 0;
}

const struct kcore_find *kcore_first_find(const struct kcore_result *result,
					  size_t secret)
{
	for (size_t i = 0; i < result->nr_finds; i++)
		if (result->find[i].secret == secret)
			return &result->find[i];
	return NULL;
}
