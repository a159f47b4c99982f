// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "page.h"
#include "vmstat.h"

static int64_t value_of(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[160], key[96];
	int64_t value, ret = -1;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%95[^: ]%*[: ]%" SCNd64, key, &value) == 2 &&
		    !strcmp(key, name)) {
			ret = value;
			break;
		}
	}
	if (file)
		fclose(file);
	return ret;
}

int64_t vmstat(const char *name)
{
	return value_of("/proc/vmstat", name);
}

int64_t node_vmstat(int node, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/vmstat", node);
	return value_of(path, name);
}

int64_t meminfo_pages(const char *name)
{
	int64_t kib = value_of("/proc/meminfo", name);

	return kib < 0 ? -1 : kib * 1024 / (int64_t)page_bytes();
}
