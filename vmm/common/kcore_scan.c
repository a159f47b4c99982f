// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kcore.h"
#include "kcore_scan.h"
#include "page.h"

#define PAGE page_bytes()
#define CHUNK (1UL << 20)

struct scan {
	struct kcore *kcore;
	/* CHUNK bytes to read into, then one page for the second look. */
	uint8_t *buffer;
	uint8_t *second_look;
	const struct secret *secrets;
	size_t nr_secrets;
	struct kcore_result *result;
};

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

/* This loop decides the speed of a scan. */
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
		if (kcore_read(scan->kcore, scan->buffer, PAGE, at + done))
			scan->result->unreadable_bytes += PAGE;
		else
			err = search(scan, PAGE, phys + done);
	}
	return err;
}

static int scan_segment(struct scan *scan, const struct kcore_segment *seg)
{
	uint64_t size = seg->size & ~(PAGE - 1);
	int err = 0;

	for (uint64_t done = 0; !err && done < size; done += CHUNK) {
		size_t now = size - done < CHUNK ? size - done : CHUNK;
		off_t at = seg->offset + done;

		if (kcore_read(scan->kcore, scan->buffer, now, at))
			err = search_by_page(scan, at, now, seg->phys + done);
		else
			err = search(scan, now, seg->phys + done);
	}
	return err;
}

/* A secret can go over the end of a page. */
static bool look_again(struct scan *scan, const struct kcore_find *find)
{
	for (size_t i = 0; i < scan->kcore->nr; i++) {
		const struct kcore_segment *seg = &scan->kcore->segment[i];

		if (find->phys < seg->phys || seg->size < SECRET_BYTES ||
		    find->phys - seg->phys > seg->size - SECRET_BYTES)
			continue;
		if (kcore_read(scan->kcore, scan->second_look, SECRET_BYTES,
			       seg->offset + (find->phys - seg->phys)))
			continue;
		if (secret_is_at((const uint64_t *)scan->second_look,
				 &scan->secrets[find->secret]))
			return true;
	}
	return false;
}

/*
 * kcore copies each page through a bounce page, which then shows the last page twice.
 * This overwrites the bounce page.
 */
static void clean_bounce_page(struct scan *scan)
{
	const struct kcore_segment *seg = &scan->kcore->segment[0];

	memset(scan->buffer, 0, CHUNK);
	memset(scan->second_look, 0, PAGE);
	for (uint64_t at = 0; at + PAGE <= seg->size && at < CHUNK; at += PAGE) {
		bool clean = true;

		if (kcore_read(scan->kcore, scan->second_look, PAGE,
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

/* Drops finds that are copies made by reading. */
static void second_look(struct scan *scan)
{
	struct kcore_result *result = scan->result;
	size_t kept = 0;

	for (size_t i = 0; i < result->nr_finds; i++) {
		struct kcore_find find = result->find[i];

		clean_bounce_page(scan);
		if (look_again(scan, &find))
			result->find[kept++] = find;
		else
			result->nr_own_copies++;
	}
	result->nr_finds = kept;
	/* Leaves nothing for the next scan to find. */
	clean_bounce_page(scan);
}

int kcore_scan(const struct secret *secrets, size_t nr,
	       struct kcore_result *ret)
{
	struct scan scan = { .secrets = secrets, .nr_secrets = nr, .result = ret };
	int err;

	memset(ret, 0, sizeof(*ret));
	err = kcore_open(&scan.kcore);
	if (err)
		return err;
	scan.buffer = mmap(NULL, CHUNK + PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (scan.buffer == MAP_FAILED) {
		err = -errno;
		goto close_kcore;
	}
	scan.second_look = scan.buffer + CHUNK;

	for (size_t i = 0; !err && i < scan.kcore->nr; i++)
		err = scan_segment(&scan, &scan.kcore->segment[i]);
	if (!err || err == -ENOSPC)
		second_look(&scan);
	munmap(scan.buffer, CHUNK + PAGE);
close_kcore:
	kcore_close(scan.kcore);
	return err;
}

const struct kcore_find *kcore_first_find(const struct kcore_result *result,
					  size_t secret)
{
	for (size_t i = 0; i < result->nr_finds; i++)
		if (result->find[i].secret == secret)
			return &result->find[i];
	return NULL;
}
