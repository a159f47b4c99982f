/* SPDX-License-Identifier: MIT */
/*
 * The list of memslots that the shim keeps in a memfd named offmap-slots, for
 * offmap audit: KVM itself tells nobody.  Text, one slot a line between a
 * first and a last line with the same number, so that half a list shows:
 *
 *   offmap-slots 1 GENERATION
 *   VM-FD SLOT GUEST-ADDRESS SIZE ADDRESS KIND GUEST-MEMFD OFFSET
 *   end GENERATION
 *
 * Numbers are decimal, addresses hexadecimal; GUEST-MEMFD is -1 and OFFSET 0
 * for ordinary memory.
 */
#ifndef OFFMAP_SLOTS_H
#define OFFMAP_SLOTS_H

#include <stddef.h>
#include <stdint.h>

enum slot_kind {
	SLOT_PROTECTED,		/* out of the direct map */
	SLOT_PLAIN,		/* ordinary memory, that the guest can write */
	SLOT_ROM,		/* read-only for the guest, ordinary memory */
	SLOT_WINDOW,		/* the first MiB, where a PC has ROMs and SMM */
	SLOT_UNKNOWN,		/* a mapping of a VMM that runs without the shim */
	NR_SLOT_KINDS,
};

struct slot_line {
	int vm_fd;
	uint32_t slot;
	uint64_t gpa;
	uint64_t size;
	uint64_t addr;
	enum slot_kind kind;
	int gmem_fd;
	uint64_t gmem_offset;
};

const char *slot_kind_name(enum slot_kind kind);

/* text is changed.  0 or -errno; EAGAIN when the list is half written. */
int slots_parse(char *text, struct slot_line **ret_slots, size_t *ret_nr);

/* The list behind a descriptor of ours. */
int slots_read(int fd, struct slot_line **ret_slots, size_t *ret_nr);

#endif
