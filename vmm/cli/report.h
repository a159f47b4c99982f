/* SPDX-License-Identifier: MIT */
/* What the kernel can reach of one VM. */
#ifndef OFFMAP_REPORT_H
#define OFFMAP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "area.h"
#include "kernel.h"
#include "procfs.h"

enum verdict { ABSENT, REACHABLE, UNKNOWN };

struct vm_report {
	struct vm_process vm;
	/* Are the areas memslots, or the mappings of the process? */
	bool from_shim;
	int error;
	struct area *area;
	size_t nr_areas;
	uint64_t present;
	uint64_t reachable;
	/* In ROMs and in the first MiB, where ordinary memory has to be. */
	uint64_t known;
	enum verdict verdict;
};

/* Finds the memory of report->vm; that it cannot be is kept in report->error. */
void report_find(struct vm_report *report);

/* Asks the kernel about all of it. */
void report_judge(struct vm_report *report, const struct kernel_view *view);

const char *verdict_name(enum verdict verdict);

/* For people; in audit.c. */
void audit_print(const struct kernel_view *view, const struct vm_report *reports,
		 size_t nr);

void report_free(struct vm_report *report);

#endif
