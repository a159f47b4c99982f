// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm_abi.h"
#include "list.h"
#include "offmap.h"
#include "slots.h"

static int list_fd = -1;
static unsigned long long generation;
/* list_fd is the parent's: to be read, and left alone */
static bool inherited;

static enum slot_kind kind_of(const struct slot *slot, const struct piece *piece)
{
	if (piece->backing)
		return SLOT_PROTECTED;
	if (slot->flags & KVM_MEM_READONLY)
		return SLOT_ROM;
	return piece->window ? SLOT_WINDOW : SLOT_PLAIN;
}

static void print_vm(FILE *to, const struct vm *vm)
{
	for (size_t i = 0; i < vm->nr_slots; i++) {
		const struct slot *slot = &vm->slot[i];

		for (size_t j = 0; j < slot->nr_pieces; j++) {
			const struct piece *p = &slot->piece[j];

			fprintf(to, "%d %" PRIu32 " %" PRIx64 " %" PRIx64 " %" PRIx64
				" %s %d %" PRIx64 "\n", vm->fd, p->id, p->gpa, p->size,
				p->addr, slot_kind_name(kind_of(slot, p)),
				p->backing ? offmap_fd(p->backing->mem) : -1,
				p->backing ? p->offset : 0);
		}
	}
}

void list_publish(const struct vm *vms)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to;

	if (inherited)
		close(list_fd);
	if (inherited || list_fd < 0)
		list_fd = memfd_create("offmap-slots", MFD_CLOEXEC);
	inherited = false;
	to = list_fd < 0 ? NULL : open_memstream(&text, &size);
	if (!to)
		return;
	fprintf(to, "offmap-slots 1 %llu\n", ++generation);
	for (const struct vm *vm = vms; vm; vm = vm->next)
		print_vm(to, vm);
	fprintf(to, "end %llu\n", generation);
	/* a list that is not whole is not believed */
	if (!fclose(to) && pwrite(list_fd, text, size, 0) == (ssize_t)size &&
	    ftruncate(list_fd, size) && pwrite(list_fd, "", 1, 0) != 1) {
		close(list_fd);
		list_fd = -1;
	}
	free(text);
}

void list_inherited(void)
{
	inherited = list_fd >= 0;
}
