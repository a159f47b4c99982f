/* SPDX-License-Identifier: MIT */
/* How a report is shown. */
#ifndef OFFMAP_AUDIT_H
#define OFFMAP_AUDIT_H

#include "json.h"
#include "report.h"

/* For people. */
void audit_print_vm(const struct vm_report *report);

/* An element of a list. */
void audit_print_json(struct json *json, const struct vm_report *report);

/* The exit status so far, and with this VM. */
int audit_status(int status, const struct vm_report *report);

#endif
