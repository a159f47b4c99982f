/* SPDX-License-Identifier: MIT */
/* How a report is shown. */
#ifndef OFFMAP_AUDIT_H
#define OFFMAP_AUDIT_H

#include "json.h"
#include "report.h"

/* For people. */
void audit_print_vm(const struct vm_report *report);

/* Prints the report as an element of a list. */
void audit_print_json(struct json *json, const struct vm_report *report);

/* Combines the exit status so far with that of this VM. */
int audit_status(int status, const struct vm_report *report);

#endif
