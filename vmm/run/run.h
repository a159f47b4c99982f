/* SPDX-License-Identifier: MIT */
/*
 * offmap run: a supervisor next to the VMM.  A seccomp filter, which survives exec and is
 * inherited, hands the supervisor the calls that matter.  The supervisor has a task in
 * the VMM's address space make calls instead.
 */
#ifndef OFFMAP_RUN_H
#define OFFMAP_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct run_options {
	bool permissive;
	bool verbose;
	/* a process that gets a shared memfd from the VMM gets the guest_memfd */
	bool share;
	/* guest_memfds may have pages of 2 MiB */
	bool huge;
};

/* The exit status of a VMM that was stopped or never started. */
#define EXIT_STOPPED 125

/*
 * Starts the VMM in this process, with a supervisor next to it.  Returns only if that
 * fails, with an exit status, after a message.
 */
int launch(const struct run_options *options, char **args);

/* filter.c */
/*
 * Puts the filter on this process.  Calls with magic as their sixth argument pass.
 * Returns the listener, or -errno.
 */
int filter_install(uint32_t magic);

/* supervise.c */
struct supervisor {
	struct run_options options;
	uint32_t magic;
	int listener;
	/* the process that offmap run has started, and its terminal (-1: none) */
	pid_t launched;
	int terminal;
};

/* Serves the listener until no process has the filter any more. */
void supervise(const struct supervisor *supervisor);

#endif
