/* SPDX-License-Identifier: MIT */
/*
 * Looks at a VM in a child process with a time limit, as the VM may belong to a hostile
 * user.
 */
#ifndef OFFMAP_LOOK_H
#define OFFMAP_LOOK_H

#include "report.h"

struct look {
	const char *debugfs;
	/* Seconds for one VM. */
	unsigned int seconds;
	/* Called several times a second during the look; or NULL. */
	void (*progress)(const struct report_progress *progress, void *data);
	void *data;
};

/* Makes the report, and keeps every error in it.  Free it with report_free(). */
void look_at(const struct look *look, struct vm_report *report);

#endif
