/* SPDX-License-Identifier: MIT */
/* Counters of the kernel's memory management, by name. */
#ifndef GUEST_VMSTAT_H
#define GUEST_VMSTAT_H

#include <stdint.h>

/* A line of /proc/vmstat; -1 if the kernel has no such counter. */
int64_t vmstat(const char *name);

/* As vmstat(), for one node; -1 also if there is no such node. */
int64_t node_vmstat(int node, const char *name);

/* A line of /proc/meminfo, in pages; -1 if there is none. */
int64_t meminfo_pages(const char *name);

#endif
