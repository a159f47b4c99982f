/* SPDX-License-Identifier: MIT */
/* Tells which memory of one VM the kernel can reach. */
#ifndef OFFMAP_REPORT_H
#define OFFMAP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "area.h"
#include "kernel.h"
#include "memslots.h"
#include "procfs.h"

#define KVM_DEBUGFS "/sys/kernel/debug/kvm"

enum verdict { ABSENT, REACHABLE, UNKNOWN };

enum part_kind {
	PART_PROTECTED,		/* guest_memfd that promises to be out of the direct map */
	PART_GMEM,		/* another guest_memfd */
	PART_PLAIN,		/* ordinary memory that the guest can write */
	PART_ROM,		/* read-only for the guest, ordinary memory */
	PART_WINDOW,		/* the first MiB, where a PC has ROMs and SMM */
	PART_KVM,		/* pages of KVM's own */
	PART_CLOSED,		/* a closed guest_memfd, whose memory the guest has lost */
	PART_UNBOUND,		/* a guest_memfd of the process that is in no memslot */
	PART_MAPPING,		/* a mapping of a process whose memslots are not known */
	NR_PART_KINDS,
};

/* A part is one line of the report, usually a memslot. */
struct part {
	enum part_kind kind;
	/* for a mapping only the address and the size are set */
	struct memslot slot;
	char path[64];
	/* Only the part that the VMM has mapped can be seen: the guest may have more. */
	bool partly;
	/* Descriptor of the guest_memfd, taken from the process; or -1. */
	int gmem_fd;
	/* errno, or 0 */
	int error;
	uint64_t pages;
	uint64_t present;
	uint64_t reachable;
	uint64_t in_tables;
	uint64_t in_core;
	uint64_t blank;
	/* in pages of 2 MiB */
	uint64_t huge;
};

struct vm_report {
	/* The process and its descriptor of the VM; -1: none is known. */
	struct vm_process vm;
	/* Its directory in debugfs, "" if it has none. */
	char directory[48];
	/* Are the parts KVM's memslots?  If not, memslots_error tells why. */
	bool from_kvm;
	int memslots_error;
	int error;
	/* Why the verdict is unknown: a sentence, or "". */
	char why[192];
	struct part *part;
	size_t nr_parts;
	/* The pieces being judged. */
	struct area *area;
	size_t nr_areas;
	uint64_t present;
	uint64_t reachable;
	uint64_t huge;
	/* In ROMs, in the first MiB and of KVM, where memory must be ordinary. */
	uint64_t known;
	/* The VMM's own, and the guest's if that is ordinary memory. */
	struct process_memory memory;
	enum verdict verdict;
	struct process process;
	bool has_process;
};

/* Progress of a look, shared with the process that waits for it. */
struct report_progress {
	uint64_t done;
	uint64_t bytes;
};

/*
 * Finds all memory of report->vm at once, 64 GiB at most.  Takes KVM's memslots, or else
 * the large mappings of the process, which support a weaker verdict.  Keeps a failure in
 * report->error.
 */
void report_find(struct vm_report *report);

/* Asks the kernel about all of it. */
void report_judge(struct vm_report *report, const struct kernel_view *view);

/*
 * Finds and judges, for audit: piece by piece, in little memory.  Without memslots the
 * verdict is unknown.  debugfs is KVM_DEBUGFS except in tests; progress may be NULL.
 */
void report_make(struct vm_report *report, const char *debugfs,
		 struct report_progress *progress);

const char *verdict_name(enum verdict verdict);
const char *part_kind_name(enum part_kind kind);

void report_free(struct vm_report *report);

#endif
