/* SPDX-License-Identifier: MIT */
/*
 * Looks for secrets in all of RAM, as the kernel's direct map shows it through
 * /proc/kcore. It reads everything, and does not compute an address from the place of the
 * secret.
 */
#ifndef OFFMAP_KCORE_SCAN_H
#define OFFMAP_KCORE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "secret.h"

#define KCORE_MAX_FINDS 64

struct kcore_find {
	size_t secret;
	uint64_t phys;
};

struct kcore_result {
	/* Finds that the second look confirmed, in the order of addresses. */
	size_t nr_finds;
	struct kcore_find find[KCORE_MAX_FINDS];
	/* Finds that were copies made by the scan itself. */
	size_t nr_own_copies;
	uint64_t scanned_bytes;
	uint64_t unreadable_bytes;
};

/*
 * Scans for all of secrets[nr] in one pass.  A secret is found at any multiple of 8
 * bytes, inside one page.  0 or -errno; ENOSPC if there are more than KCORE_MAX_FINDS
 * places; EPROTO if /proc/kcore has no RAM.
 */
int kcore_scan(const struct secret *secrets, size_t nr,
	       struct kcore_result *ret);

/* The first find of one secret, or NULL. */
const struct kcore_find *kcore_first_find(const struct kcore_result *result,
					  size_t secret);

#endif
