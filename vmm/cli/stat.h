/* SPDX-License-Identifier: MIT */
/* The values that offmap stat shows, taken at one moment. */
#ifndef OFFMAP_STAT_H
#define OFFMAP_STAT_H

#include "counters.h"
#include "vms.h"

struct vm_stat {
	struct vm_entry vm;
	/* Bytes of its memslots. */
	uint64_t protected;
	uint64_t plain;
	/* Bytes that the guest has mapped, if KVM counts them. */
	bool mapped_known;
	uint64_t mapped;
};

struct stat_sample {
	struct counter_values counters;
	/* errno if VMs could not be found, or 0. */
	int vms_error;
	struct vm_stat *vm;
	size_t nr_vms;
};

/* Takes a sample.  0 or -errno as counters_read().  Free it with stat_free(). */
int stat_take(const char *vmstat, const char *debugfs, struct stat_sample *ret);
void stat_free(struct stat_sample *sample);

/* Compares with the sample before, which may be NULL. */
void stat_print(const struct stat_sample *sample, const struct stat_sample *before);
void stat_print_json(const struct stat_sample *sample);
/* Prints the text format 0.0.4, for the textfile collector of node_exporter. */
void stat_print_prometheus(const struct stat_sample *sample);

#endif
