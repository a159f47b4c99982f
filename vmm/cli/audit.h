/* SPDX-License-Identifier: MIT */
/* How reports are made and shown. */
#ifndef OFFMAP_AUDIT_H
#define OFFMAP_AUDIT_H

#include "json.h"
#include "look.h"
#include "report.h"
#include "vms.h"

/* For people. */
void audit_print_vm(const struct vm_report *report);

/* Prints the report as an element of a list. */
void audit_print_json(struct json *json, const struct vm_report *report);

/*
 * Looks at these VMs and prints the reports, for people or as one JSON document.  A
 * terminal on standard error shows the progress.  Returns the exit status.
 */
int audit_vms(const struct look *look, const struct vm_entry *vms, size_t nr, bool as_json);

/* Combines the exit status so far with that of this VM. */
int audit_status(int status, const struct vm_report *report);

#endif
