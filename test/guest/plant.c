// SPDX-License-Identifier: MIT
/*
 * plant KIND MIB A B    Makes a VM with that much memory.  Its guest stores the secret
 *                       A xor B, each 64 hex digits, in many pages of it.  Prints
 *                       "planted" then, and lives on.
 *
 * Exit: 2 on failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"

/* A prime, so that all places in a block get the secret. */
#define EVERY 61

int main(int argc, char **argv)
{
	const struct mem_kind *kind = argc == 5 ? mem_kind_by_name(argv[1]) : NULL;
	struct secret secret;
	struct mem mem;

	if (!kind || secret_parse_half(argv[3], secret.a) ||
	    secret_parse_half(argv[4], secret.b)) {
		fprintf(stderr, "usage: plant KIND MIB A B\nkinds: %s\n",
			mem_kind_names());
		return 2;
	}
	if (mem_open(&mem, kind, (strtoul(argv[2], NULL, 10) << 20) / MEM_PAGE) ||
	    mem_populate(&mem))
		return 2;
	for (size_t page = 0; page < mem.nr_pages; page += EVERY)
		if (mem_plant(&mem, &secret, page))
			return 2;
	puts("planted");
	fflush(stdout);
	for (;;)
		pause();
}
