/* SPDX-License-Identifier: MIT */
/*
 * The memslots of a VM, as KVM lists them in debugfs: kvm/PID-FD/memslots.  The
 * format is in Documentation/virt/kvm/no_direct_map.rst of the kernel.
 */
#ifndef OFFMAP_MEMSLOTS_H
#define OFFMAP_MEMSLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum backing {
	BACKED_BY_PROCESS,	/* whatever the process has mapped at addr */
	BACKED_BY_GMEM,		/* a guest_memfd */
	BACKED_BY_NOTHING,	/* a guest_memfd that was closed */
	BACKED_BY_KVM,		/* mapped into the process by KVM for itself */
};

struct memslot {
	uint32_t as;
	int32_t slot;
	/* Addresses, sizes and offsets in bytes. */
	uint64_t gpa;
	uint64_t size;
	uint64_t flags;
	uint64_t addr;
	enum backing backing;
	/* For a guest_memfd. */
	uint64_t inode;
	uint64_t offset;
	/* KVM takes shared pages from addr. */
	bool private_only;
	bool no_direct_map;
};

struct memslots {
	/* A process that has the address space of the VM; 0: none is left. */
	pid_t process;
	size_t nr;
	struct memslot *slot;
};

/* The process in the first line of a list; false if that line names none. */
bool memslots_parse_process(const char *text, pid_t *ret_process);

/*
 * Parses a whole list; changes text.  0 or -errno: EPROTO for another format, ENODATA for
 * a list without its end, ENOMEM.  The caller frees @ret.
 */
int memslots_parse(char *text, struct memslots *ret);

/* Reads the list behind a descriptor: 0 or -errno; EFBIG for more than 64 MiB. */
int memslots_read(int fd, struct memslots *ret);

void memslots_free(struct memslots *slots);

#endif
