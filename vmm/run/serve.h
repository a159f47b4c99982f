/* SPDX-License-Identifier: MIT */
/* What becomes of a call of the VMM: between the filter and the model. */
#ifndef OFFMAP_SERVE_H
#define OFFMAP_SERVE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "run.h"

enum served {
	/* the VMM may make the call itself: it has no pointer to race with */
	SERVE_PASS,
	/* it was made, or refused */
	SERVE_DONE,
	/* the VMM is to be stopped (strict) */
	SERVE_STOP,
};

void serve_start(struct memory *memory, const struct run_options *options);
void serve_end(struct memory *memory);

bool serve_is_create_vm(const struct seccomp_notif *call);
bool serve_is_check_extension(const struct seccomp_notif *call);

/* *ret_result is for SERVE_DONE. */
enum served serve_call(struct memory *memory, int listener, const struct seccomp_notif *call,
		       int64_t *ret_result);

/* Are there VMs or blocks, which the VMM may close or unmap without a word? */
bool serve_has_anything(const struct memory *memory);
void serve_look(struct memory *memory);

#endif
