// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "ram.h"
#include "say.h"
#include "share.h"

/* Another slot with the same memory behind it. */
static uint64_t alias_run(struct model *model, const struct slot *self, uint64_t addr, uint64_t end,
			  const struct slot **ret_alias)
{
	*ret_alias = NULL;
	for (struct vm *vm = model->vms; vm; vm = vm->next) {
		for (size_t i = 0; i < vm->nr_slots; i++) {
			const struct slot *s = &vm->slot[i];

			if (s == self || !s->nr_pieces || s->addr >= end ||
			    s->addr + s->size <= addr)
				continue;
			if (s->addr > addr) {
				end = s->addr;
				continue;
			}
			*ret_alias = s;
			return s->addr + s->size < end ? s->addr + s->size : end;
		}
	}
	return end;
}

static void name_memory(const struct model *model, const struct slot *slot, uint64_t addr,
			uint64_t until, const char *why)
{
	uint64_t gpa = slot->gpa + (addr - slot->addr);

	say("%sguest memory 0x%" PRIx64 "-0x%" PRIx64 " (slot %u) cannot be kept out of the direct map: %s",
	    model->permissive ? "warning: " : "", gpa, gpa + (until - addr) - 1,
	    slot->id, why);
}

/* The VMM is stopped before the guest runs; later only this call fails. */
static int refuse_strictly(struct model *model)
{
	if (!model->host->guest_runs(model->host)) {
		say("the VMM is stopped before the guest runs (strict; --permissive would go on)");
		model->stopped = true;
	}
	return -EPERM;
}

int policy_refuse(struct model *model, const struct slot *slot, uint64_t addr,
		  uint64_t until, const char *why)
{
	name_memory(model, slot, addr, until, why);
	if (!model->permissive)
		return refuse_strictly(model);
	say("warning: it stays ordinary memory");
	return 0;
}

int policy_refuse_slot(struct model *model, const struct slot *slot, const char *why)
{
	name_memory(model, slot, slot->addr, slot->addr + slot->size, why);
	if (!model->permissive)
		return refuse_strictly(model);
	say("warning: the slot is refused");
	return -EPERM;
}

static int mark_plain(struct model *model, const struct vm *vm, uint64_t addr,
		      uint64_t until, bool window)
{
	return blocks_add(&model->blocks, &(struct block){
		.addr = addr, .size = until - addr, .window = window, .owner = vm->serial });
}

int policy_leave_plain(struct model *model, struct vm *vm, const struct slot *slot,
		       uint64_t addr, uint64_t until, const char *why)
{
	int err = policy_refuse(model, slot, addr, until, why);

	return err ? err : mark_plain(model, vm, addr, until, false);
}

/*
 * Installs a slot that pieces_uninstall() took away.  A slot that still has pieces is
 * there.
 */
static int reinstall(struct model *model, struct vm *vm, struct slot *slot)
{
	int err = slot->nr_pieces ? 0 : pieces_install(model, vm, slot);

	if (err)
		say("slot %u is gone from the guest: %s", slot->id, strerror(-err));
	return err;
}

/* Makes the memory ordinary again, in all slots that show it. */
static int expose(struct model *model, const struct vm *vm, const struct block *block, uint64_t addr, uint64_t until)
{
	/* the list may move */
	const struct block old = *block;
	int err, again;

	if (old.backing->shared && !old.window)
		say("warning: other processes that have this memory see no more of it");
	err = pieces_for_range(model, addr, until, pieces_uninstall);
	if (!err)
		err = blocks_make_room(&model->blocks, 1);
	if (!err)
		err = ram_expose(model->host, &old, addr, until - addr);
	if (!err)
		err = blocks_cut(&model->blocks, addr, until - addr, ram_release);
	if (!err)
		err = mark_plain(model, vm, addr, until, old.window);
	/* the slots were there before, so install them even after an error */
	again = pieces_for_range(model, addr, until, reinstall);
	return err ? err : again;
}

/* Is no block there? */
static bool is_free(const struct model *model, uint64_t addr, uint64_t until)
{
	const struct block *block;

	return addr >= until ||
	       (blocks_run(&model->blocks, addr, until, &block) == until && !block);
}

/* How many blocks a range may become. */
#define MOST_PARTS 3

/* Adds blocks for a range, cut where the guest's first MiB starts (at zero) and ends. */
static int add_parts(struct model *model, uint64_t zero, struct backing *backing,
		     uint64_t offset, uint64_t from, uint64_t to)
{
	uint64_t window = zero + WINDOW_END, until;
	int err = 0;

	for (uint64_t addr = from; !err && addr < to; addr = until) {
		until = addr < zero && zero < to ? zero : to;
		if (addr < window && window < until)
			until = window;
		err = blocks_add(&model->blocks, &(struct block){
			.addr = addr, .size = until - addr, .backing = backing,
			.offset = offset + (addr - from), .window = addr - zero < WINDOW_END });
	}
	return err;
}

/*
 * Protects all mappings of a memfd.  The mapping with the slot decides which block is in
 * the first MiB.
 */
static int protect_shared(struct model *model, struct vm *vm, const struct slot *slot,
			  const struct share *share, char why[RAM_WHY])
{
	struct backing *backing;
	int err = blocks_make_room(&model->blocks, MOST_PARTS * share->nr_vmas);

	for (size_t i = 0; !err && i < share->nr_vmas; i++) {
		if (!is_free(model, share->vma[i].start, share->vma[i].end)) {
			snprintf(why, RAM_WHY, "a part of its shared memfd is in another slot");
			err = -EPERM;
		}
	}
	if (!err)
		err = share_protect(model->host, vm->fd, share, &backing, why);
	if (err)
		return err;
	backing->owner = vm->serial;
	for (size_t i = 0; !err && i < share->nr_vmas; i++) {
		const struct ram_vma *vma = &share->vma[i];
		bool has_slot = vma->start <= slot->addr && slot->addr < vma->end;

		err = add_parts(model, has_slot ? slot->addr - slot->gpa : vma->end, backing,
				vma->offset, vma->start, vma->end);
	}
	return err;
}

/*
 * Memory that cannot be cut, such as a huge page of hugetlbfs, is moved whole.  The rest
 * of it waits for its own slot.
 */
static int protect_own(struct model *model, struct vm *vm, const struct slot *slot,
		       uint64_t addr, uint64_t until, char why[RAM_WHY])
{
	uint64_t from = addr, to = until;
	struct backing *backing;
	struct block new;
	int err = ram_extent(model->host, &from, &to, why);

	if (!err && (!is_free(model, from, addr) || !is_free(model, until, to))) {
		snprintf(why, RAM_WHY, "its huge page is in another slot, in part");
		err = -EPERM;
	}
	new = (struct block){ .addr = from, .size = to - from };
	new.offset = ram_offset(model->host, slot->gpa + (from - slot->addr), new.size);
	if (!err)
		err = ram_protect(model->host, vm->fd, &new, &backing, why);
	if (err)
		return err;
	backing->owner = vm->serial;
	return add_parts(model, slot->addr - slot->gpa, backing, new.offset, from, to);
}

/* Turns a range into a guest_memfd. */
static int protect(struct model *model, struct vm *vm, const struct slot *slot,
		   uint64_t addr, uint64_t until)
{
	uint64_t gpa = slot->gpa + (addr - slot->addr);
	char why[RAM_WHY] = "out of memory";
	struct share share;
	int err;

	/* make room first: after the move the blocks must not be lost for lack of memory */
	err = blocks_make_room(&model->blocks, MOST_PARTS);
	if (err)
		return err;
	err = share_find(model->host, addr, until, &share, why);
	if (err > 0) {
		err = protect_shared(model, vm, slot, &share, why);
		share_end(&share);
	} else if (!err) {
		err = protect_own(model, vm, slot, addr, until, why);
	}
	if (err == -ENOTRECOVERABLE) {
		say("the VMM is stopped: %s", why);
		model->stopped = true;
		return -EPERM;
	}
	if (err) {
		err = policy_refuse(model, slot, addr, until, why);
		return err ? err : mark_plain(model, vm, addr, until, false);
	}
	say_verbose("guest memory 0x%" PRIx64 "-0x%" PRIx64 " is out of the direct map",
		    gpa, gpa + (until - addr) - 1);
	return 0;
}

/* Gives the memory of a VM that is gone to the VM that the VMM has made anew. */
static int adopt(struct model *model, struct vm *vm, const struct slot *slot, uint64_t addr, uint64_t until,
		 const struct block *block)
{
	struct block new = { .addr = addr, .size = until - addr, .window = block->window };
	/* the list may move */
	const struct block old = *block;
	char why[RAM_WHY];
	int err;

	err = blocks_make_room(&model->blocks, 1);
	if (err)
		return err;
	if (old.backing->shared) {
		snprintf(why, sizeof(why), "other processes have it, and it is of another VM");
		err = -EPERM;
	} else {
		new.offset = ram_offset(model->host, slot->gpa + (addr - slot->addr), new.size);
		err = ram_move(model->host, vm->fd, &old, &new, &new.backing, why);
	}
	if (err) {
		err = policy_refuse(model, slot, addr, until, why);
		return err ? err : expose(model, vm, &old, addr, until);
	}
	new.backing->owner = vm->serial;
	err = blocks_cut(&model->blocks, addr, until - addr, ram_release);
	return err ? err : blocks_add(&model->blocks, &new);
}

static const char *alias_reason(const struct slot *slot, const struct slot *alias)
{
	if ((slot->id ^ alias->id) >> 16)
		return "the VM has a second address space (SMM) with the same memory: start the VMM with SMM off";
	if (slot->flags & KVM_MEM_READONLY)
		return "the guest is to have it read-only, which such memory cannot be";
	return "another slot has the same memory, and a page can be in one slot only";
}

/*
 * Prepares one run of a new slot: of one kind, and in one other slot or in none.
 *
 * Memory that the guest sees in its first MiB may be ordinary, also if it has a place
 * above as well: VGA shows a part of its memory so.
 */
static int prepare_run(struct model *model, struct vm *vm, struct slot *slot, uint64_t addr,
		       uint64_t until, const struct block *block,
		       const struct slot *alias)
{
	bool read_only = slot->flags & KVM_MEM_READONLY;
	bool window = slot->gpa + (addr - slot->addr) < WINDOW_END || (block && block->window);
	int err;

	if (block && !block->backing)
		return 0;
	if (!block && (read_only || !alias))
		return read_only ? 0 : protect(model, vm, slot, addr, until);
	if (!read_only && !alias)
		return block->backing->owner == vm->serial ? 0 :
		       adopt(model, vm, slot, addr, until, block);
	if (!window) {
		err = policy_refuse(model, slot, addr, until, alias_reason(slot, alias ? alias : slot));
		if (err)
			return err;
	} else {
		say_verbose("guest memory 0x%" PRIx64 "-0x%" PRIx64 " of the first MiB is ordinary memory: it is %s",
			    slot->gpa + (addr - slot->addr),
			    slot->gpa + (until - slot->addr) - 1,
			    read_only ? "read-only there" : "in two slots");
	}
	return block ? expose(model, vm, block, addr, until) : mark_plain(model, vm, addr, until, window);
}

int policy_prepare(struct model *model, struct vm *vm, struct slot *slot)
{
	uint64_t addr, until, window, end = slot->addr + slot->size;
	const struct block *block;
	const struct slot *alias;
	int err = 0;

	for (addr = slot->addr; !err && addr < end; addr = until) {
		until = blocks_run(&model->blocks, addr, end, &block);
		until = alias_run(model, slot, addr, until, &alias);
		/* keep the first MiB apart */
		window = slot->addr + (WINDOW_END - slot->gpa);
		if (!block && slot->gpa < WINDOW_END && addr < window && window < until)
			until = window;
		err = prepare_run(model, vm, slot, addr, until, block, alias);
	}
	return err;
}
