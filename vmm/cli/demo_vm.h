/* SPDX-License-Identifier: MIT */
/*
 * An unmodified VMM with a guest that knows a secret.  No process of the host ever holds
 * the secret in one piece; the guest has it in its RAM only.
 */
#ifndef OFFMAP_DEMO_VM_H
#define OFFMAP_DEMO_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "secret.h"

#define DEMO_VM_BYTES (64UL << 20)

#ifdef __x86_64__
#define DEMO_VM_HAS_GUEST 1
#else
#define DEMO_VM_HAS_GUEST 0
#endif

/* The guest's orders, inside its ROM: see demo_guest.S. */
struct demo_order {
	uint32_t secret_at;
	uint32_t first_page;
	uint32_t end;
	uint32_t unused;
	struct secret secret;
};

_Static_assert(sizeof(struct demo_order) == 80, "as demo_guest.S has it");

struct demo_vm {
	pid_t pid;
	/* The guest's serial port, and the VMM's stderr. */
	int serial;
	int errors;
	struct demo_order order;
	/* The step that failed. */
	const char *step;
};

/*
 * Starts the VMM, a QEMU for x86, directly or through offmap run.  0 or -errno; ENOSYS
 * without DEMO_VM_HAS_GUEST.
 */
int demo_vm_start(struct demo_vm *vm, const char *vmm, bool protect);

/* Waits until the guest has stored its secret and touched all of its memory. */
int demo_vm_wait(struct demo_vm *vm);

/* The last line that the VMM wrote to stderr; "" if there is none. */
const char *demo_vm_error(const struct demo_vm *vm, char *text, size_t size);

void demo_vm_stop(struct demo_vm *vm);

#endif
