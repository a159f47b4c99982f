// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "counters.h"
#include "page.h"

const struct counter counters[NR_COUNTERS] = {
	[COUNTER_OUT] = {
		"nr_nodirmap", "nodirmap",
		"Memory in blocks outside the direct map, free or in use.", true,
	},
	[COUNTER_HOLES] = {
		"nr_nodirmap_holes", "holes",
		"Memory in blocks of VMs that the VMs do not use.", true,
	},
	[COUNTER_FREE] = {
		"nr_free_nodirmap", "free",
		"Free memory in blocks outside the direct map.", true,
	},
	[COUNTER_FREE_BLOCKS] = {
		"nr_free_nodirmap_blocks", "free_blocks",
		"Free memory in blocks outside the direct map that are wholly free.", true,
	},
	[COUNTER_ZAPS] = {
		"nodirmap_block_zap", "block_zaps",
		"Blocks that have left the direct map.", false,
	},
	[COUNTER_RETURNS] = {
		"nodirmap_block_return", "block_returns",
		"Blocks that have come back into the direct map.", false,
	},
	[COUNTER_FAILURES] = {
		"nodirmap_zap_fail", "block_zap_failures",
		"Blocks that could not leave the direct map.", false,
	},
	[COUNTER_FLUSHES] = {
		"nodirmap_flush", "flushes",
		"Flushes of the TLBs of all CPUs for blocks.", false,
	},
	[COUNTER_SLOW_PAGES] = {
		"nodirmap_slow_page", "slow_pages",
		"Pages that have left the direct map one by one.", false,
	},
};

static void parse_line(const char *line, struct counter_values *values)
{
	char name[64];
	uint64_t value;

	if (sscanf(line, "%63s %" SCNu64, name, &value) != 2)
		return;
	for (int i = 0; i < NR_COUNTERS; i++) {
		if (strcmp(name, counters[i].kernel_name))
			continue;
		values->known[i] = true;
		values->value[i] = counters[i].is_gauge ? value * page_bytes() : value;
	}
}

int counters_read(const char *vmstat, struct counter_values *ret)
{
	struct counter_values values = { 0 };
	FILE *file = fopen(vmstat, "re");
	bool any = false;
	char line[256];
	int err = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		parse_line(line, &values);
	if (ferror(file))
		err = -EIO;
	fclose(file);
	for (int i = 0; i < NR_COUNTERS; i++)
		any |= values.known[i];
	if (!err && !any)
		err = -ENODATA;
	if (!err)
		*ret = values;
	return err;
}

enum fast_path fast_path_of(const struct counter_values *values)
{
	if (values->value[COUNTER_ZAPS])
		return FAST_PATH_ON;
	return values->value[COUNTER_SLOW_PAGES] ? FAST_PATH_OFF : FAST_PATH_UNUSED;
}

const char *fast_path_name(enum fast_path path)
{
	static const char *const names[] = {
		[FAST_PATH_ON] = "on",
		[FAST_PATH_OFF] = "off",
		[FAST_PATH_UNUSED] = "unused",
	};

	return names[path];
}
