// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "huge.h"
#include "model.h"
#include "ram.h"
#include "say.h"

/* A piece holds a reference to its memory, even after the VMM has unmapped it. */
static void drop_last_piece(struct slot *slot)
{
	struct backing *backing = slot->piece[--slot->nr_pieces].backing;

	if (backing && !--backing->refs)
		ram_release(backing);
	slot->nr_protected -= backing != NULL;
}

void pieces_drop(struct slot *slot)
{
	while (slot->nr_pieces)
		drop_last_piece(slot);
}

int pieces_set(struct model *model, struct vm *vm, const struct slot *slot,
	       const struct piece *piece, bool delete)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = piece->id,
		.guest_phys_addr = piece->gpa,
		.memory_size = delete ? 0 : piece->size,
		.userspace_addr = piece->addr,
	};
	long ret;

	if (delete) {
		region.flags = 0;
	} else if (piece->backing) {
		region.flags = KVM_MEM_GUEST_MEMFD;
		region.guest_memfd = piece->backing->fd;
		region.guest_memfd_offset = piece->offset;
	} else {
		region.flags = slot->flags;
		/* KVM logs whole slots, and a protected part has no log */
		if (slot->nr_protected)
			region.flags &= ~(uint32_t)KVM_MEM_LOG_DIRTY_PAGES;
	}
	ret = host_ioctl(model->host, vm->fd, KVM_SET_USER_MEMORY_REGION2, &region,
			 sizeof(region));
	/* for a kernel without guest_memfd, with --permissive */
	if (ret == -ENOTTY && !piece->backing)
		ret = host_ioctl(model->host, vm->fd, KVM_SET_USER_MEMORY_REGION, &region,
				 sizeof(struct kvm_userspace_memory_region));
	return ret;
}

static void report_part(const struct slot *slot, int err)
{
	if (err)
		say("a part of slot %u is gone from the guest: %s", slot->id, strerror(-err));
}

/* Installs all pieces or none: half a slot would be half of the guest's memory. */
int pieces_uninstall(struct model *model, struct vm *vm, struct slot *slot)
{
	size_t left = slot->nr_pieces;
	int err = 0;

	while (!err && left) {
		err = pieces_set(model, vm, slot, &slot->piece[left - 1], true);
		left -= !err;
	}
	if (!err)
		pieces_drop(slot);
	else
		for (; left < slot->nr_pieces; left++)
			report_part(slot, pieces_set(model, vm, slot, &slot->piece[left], false));
	return err;
}

static bool id_is_used(const struct vm *vm, uint32_t id)
{
	for (size_t i = 0; i < vm->nr_slots; i++)
		for (size_t j = 0; j < vm->slot[i].nr_pieces; j++)
			if (vm->slot[i].piece[j].id == id)
				return true;
	return false;
}

/* The first piece has the number of its slot; the others have numbers of ours. */
static int new_id(const struct vm *vm, const struct slot *slot, uint32_t *ret)
{
	uint32_t first = model_visible_slots(vm);

	if (!slot->nr_pieces) {
		*ret = slot->id;
		return 0;
	}
	for (uint32_t id = first; id < vm->max_slots; id++) {
		*ret = (slot->id & 0xffff0000U) | id;
		if (!id_is_used(vm, *ret))
			return 0;
	}
	return -EINVAL;
}

static int add_piece(struct vm *vm, struct slot *slot, uint64_t addr,
		     uint64_t until, const struct block *block)
{
	struct piece *more, new = {
		.gpa = slot->gpa + (addr - slot->addr),
		.size = until - addr,
		.addr = addr,
		.backing = block ? block->backing : NULL,
		.offset = block ? block->offset + (addr - block->addr) : 0,
	};
	int err = new_id(vm, slot, &new.id);

	if (err)
		return err;
	more = realloc(slot->piece, (slot->nr_pieces + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	slot->piece = more;
	more[slot->nr_pieces++] = new;
	if (new.backing) {
		new.backing->refs++;
		slot->nr_protected++;
	}
	return 0;
}

/* Can the two blocks be in one slot of KVM? */
static bool continues(const struct block *block, const struct block *after)
{
	if (block && block->backing)
		return after && after->backing == block->backing &&
		       after->offset == block->offset + block->size;
	return !(after && after->backing) &&
	       (block && block->window) == (after && after->window);
}

/* Makes as few pieces as possible. */
static int plan(struct model *model, struct vm *vm, struct slot *slot)
{
	const struct block *block, *last, *after;
	uint64_t addr, until, further, end = slot->addr + slot->size;
	int err = 0;

	for (addr = slot->addr; !err && addr < end; addr = until) {
		until = blocks_run(&model->blocks, addr, end, &block);
		for (last = block; until < end; last = after, until = further) {
			further = blocks_run(&model->blocks, until, end, &after);
			if (!continues(last, after))
				break;
		}
		err = add_piece(vm, slot, addr, until, block);
	}
	return err;
}

/* Why a piece cannot have pages of 2 MiB, or NULL. */
static const char *small_pages_reason(const struct piece *piece)
{
	if (!piece->backing->huge)
		return "has small pages only: KVM has none of 2 MiB for this VM";
	if (!huge_is_inside(piece->gpa, piece->size))
		return "has small pages only: it has no whole aligned 2 MiB";
	if (!huge_agrees(piece->gpa, piece->offset))
		return "has small pages only: its place in the shared memfd and its guest address differ modulo 2 MiB";
	return huge_agrees(piece->addr, piece->gpa) ? NULL :
	       "has small pages in the VMM: its address there and its guest address differ modulo 2 MiB";
}

/* Warns once for each guest_memfd, as slots come and go. */
static void name_small_pages(const struct model *model, const struct slot *slot)
{
	for (size_t i = 0; model->host->huge && i < slot->nr_pieces; i++) {
		const struct piece *piece = &slot->piece[i];
		const char *why;

		if (!piece->backing || piece->backing->named || piece->size < HUGE_BYTES)
			continue;
		why = small_pages_reason(piece);
		if (!why)
			continue;
		piece->backing->named = true;
		say("warning: guest memory 0x%" PRIx64 "-0x%" PRIx64 " (slot %u) %s",
		    piece->gpa, piece->gpa + piece->size - 1, slot->id, why);
	}
}

int pieces_install(struct model *model, struct vm *vm, struct slot *slot)
{
	int err = plan(model, vm, slot);
	size_t done;

	for (done = 0; !err && done < slot->nr_pieces; done += !err)
		err = pieces_set(model, vm, slot, &slot->piece[done], false);
	if (err) {
		while (done--)
			pieces_set(model, vm, slot, &slot->piece[done], true);
		pieces_drop(slot);
	} else {
		name_small_pages(model, slot);
	}
	return err;
}

int pieces_for_range(struct model *model, uint64_t addr, uint64_t until,
		     int (*act)(struct model *model, struct vm *vm, struct slot *slot))
{
	int err = 0;

	for (struct vm *vm = model->vms; vm; vm = vm->next) {
		for (size_t i = 0; i < vm->nr_slots; i++) {
			struct slot *s = &vm->slot[i];
			int now = 0;

			if (s->active && s->addr < until && addr < s->addr + s->size)
				now = act(model, vm, s);
			err = err ? err : now;
		}
	}
	return err;
}
