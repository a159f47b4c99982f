/* SPDX-License-Identifier: MIT */
/* Serves calls of the VMM: the step between the filter and the model. */
#ifndef OFFMAP_SERVE_H
#define OFFMAP_SERVE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "run.h"

enum served {
	/* the VMM may make the call itself: it has no pointer that could change */
	SERVE_PASS,
	/* the call was made, or refused */
	SERVE_DONE,
	/* stop the VMM (strict) */
	SERVE_STOP,
};

void serve_start(struct memory *memory, const struct run_options *options);
void serve_end(struct memory *memory);

bool serve_is_create_vm(const struct seccomp_notif *call);
bool serve_is_check_extension(const struct seccomp_notif *call);

/* *ret_result is for SERVE_DONE. */
enum served serve_call(struct memory *memory, int listener, const struct seccomp_notif *call,
		       int64_t *ret_result);

/* Has the process a descriptor of a VM?  If that is unknown, yes. */
bool serve_has_open_vm(pid_t process);

/* Are there VMs or blocks, which the VMM can close or unmap without a call to us? */
bool serve_has_anything(const struct memory *memory);
void serve_look(struct memory *memory);

#endif
