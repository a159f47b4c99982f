// SPDX-License-Identifier: MIT
/*
 * ptdump_check PFN...       one line a frame: mapped or absent
 * ptdump_check PID:ADDR...  the same for what a process has at an address
 *
 * Frames are decimal or 0x hexadecimal.
 * Exit: 0 all absent, 1 some mapped, 2 it cannot be told.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pagemap.h"
#include "ptdump.h"

static int parse_pfn(const char *arg, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(arg, &end, 0);
	if (errno || end == arg)
		return -EINVAL;
	if (!*end)
		return 0;
	if (*end != ':')
		return -EINVAL;
	return pagemap_pfn_of(*ret, strtoull(end + 1, NULL, 0), ret);
}

int main(int argc, char **argv)
{
	struct ptdump *dump;
	int some_mapped = 0;
	uint64_t pfn;
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: ptdump_check PFN|PID:ADDR...\n");
		return 2;
	}
	err = ptdump_read(&dump);
	if (err) {
		fprintf(stderr, "ptdump_check: cannot read the kernel's page tables: %s\n",
			strerror(-err));
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		err = parse_pfn(argv[i], &pfn);
		if (err) {
			fprintf(stderr, "ptdump_check: %s: %s\n", argv[i],
				strerror(-err));
			return 2;
		}
		printf("%#" PRIx64 " %s\n", pfn, ptdump_maps_pfn(dump, pfn) ?
		       "mapped" : "absent");
		some_mapped |= ptdump_maps_pfn(dump, pfn);
	}
	ptdump_free(dump);
	return some_mapped;
}
