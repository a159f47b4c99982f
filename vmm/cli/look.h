/* SPDX-License-Identifier: MIT */
/*
 * Looks at a VM in a process of its own, which has a time limit: the VM may be of
 * a user who does not want it to be seen.
 */
#ifndef OFFMAP_LOOK_H
#define OFFMAP_LOOK_H

#include "report.h"

struct look {
	const char *debugfs;
	/* Seconds for one VM. */
	unsigned int seconds;
	/* Called some times a second while it takes longer; or NULL. */
	void (*progress)(const struct report_progress *progress, void *data);
	void *data;
};

/* Makes the report; whatever goes wrong is in it.  For report_free(). */
void look_at(const struct look *look, struct vm_report *report);

#endif
