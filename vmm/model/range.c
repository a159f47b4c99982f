// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>
#include <sys/syscall.h>

#include "advice.h"
#include "model.h"
#include "page.h"
#include "ram.h"
#include "say.h"
#include "vmas.h"

static bool range_is_protected(const struct model *model, uint64_t addr, uint64_t until)
{
	const struct block *block = NULL;

	while (addr < until && !(block && block->backing))
		addr = blocks_run(&model->blocks, addr, until, &block);
	return block && block->backing;
}

/* Does a slot show any of it? */
static bool is_shown(const struct model *model, uint64_t addr, uint64_t until)
{
	for (const struct vm *vm = model->vms; vm; vm = vm->next)
		for (size_t i = 0; i < vm->nr_slots; i++)
			if (vm->slot[i].addr < until &&
			    addr < vm->slot[i].addr + vm->slot[i].size)
				return true;
	return false;
}

bool model_knows(const struct model *model, uint64_t addr, uint64_t size)
{
	uint64_t until = addr + page_round(size);
	const struct block *block;

	if (blocks_run(&model->blocks, addr, until, &block) != until || block)
		return true;
	return is_shown(model, addr, until);
}

static int suspend(struct model *model, struct vm *vm, struct slot *slot)
{
	int err = pieces_uninstall(model, vm, slot);

	slot->active = err;
	if (err)
		say("the VMM has mapped other memory over slot %u, and the guest keeps what it had: %s",
		    slot->id, strerror(-err));
	return err;
}

static void resume(struct model *model, struct vm *vm, struct slot *slot)
{
	int err = policy_prepare(model, vm, slot);

	if (!err)
		err = pieces_install(model, vm, slot);
	slot->active = !err;
	if (err)
		say("the VMM has mapped other memory over slot %u, which is gone from the guest: %s",
		    slot->id, strerror(-err));
}

/* Makes the suspended slots of the range anew, with the memory that is there now. */
static void resume_slots_of(struct model *model, uint64_t addr, uint64_t until)
{
	for (struct vm *vm = model->vms; vm; vm = vm->next) {
		for (size_t i = 0; i < vm->nr_slots; i++) {
			struct slot *s = &vm->slot[i];

			if (!s->active && s->addr < until && addr < s->addr + s->size)
				resume(model, vm, s);
		}
	}
}

void model_range_gone(struct model *model, uint64_t addr, uint64_t size, bool replaced)
{
	uint64_t until = addr + page_round(size);

	/* KVM follows changes of ordinary mappings, but keeps a guest_memfd as a file */
	replaced = replaced && range_is_protected(model, addr, until);
	if (replaced)
		pieces_for_range(model, addr, until, suspend);
	if (blocks_cut(&model->blocks, addr, until - addr, ram_release))
		say("out of memory: 0x%" PRIx64 " stays known as guest memory", addr);
	if (replaced)
		resume_slots_of(model, addr, until);
}

static int advise_block(struct model *model, const struct block *block, uint64_t addr,
			uint64_t until, int advice)
{
	uint64_t offset = block->offset + (addr - block->addr);

	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_REMOVE:
	case MADV_FREE:
		return ram_discard(block->backing, offset, until - addr);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return ram_allocate(block->backing, offset, until - addr);
	}
	return host_call(model->host, -1, SYS_madvise, addr, until - addr, advice);
}

int model_advise(struct model *model, uint64_t addr, uint64_t size, int advice)
{
	uint64_t until, end = page_round(addr + size);
	const struct block *block;
	int err = 0;

	if (addr & (page_bytes() - 1) || end <= addr)
		return MODEL_NOT_OURS;
	until = blocks_run(&model->blocks, addr, end, &block);
	if (!block && until == end)
		return MODEL_NOT_OURS;
	for (; !err && addr < end; addr = until) {
		until = blocks_run(&model->blocks, addr, end, &block);
		if (block && block->backing)
			err = advise_block(model, block, addr, until, advice);
		else
			err = host_call(model->host, -1, SYS_madvise, addr, until - addr,
					advice, 0, 0, 0);
	}
	return err;
}

/*
 * Ordinary memory has no mark: other memory may be mapped there by now.  The block is
 * believed while a slot shows it, and in the first MiB of its VM.
 */
static bool plain_is_believed(const struct model *model, const struct block *block,
			      const struct vm *vm,
			      const struct kvm_userspace_memory_region2 *region)
{
	if (is_shown(model, block->addr, block->addr + block->size))
		return true;
	return !region || (block->window && vm && block->owner == vm->serial &&
			   region->guest_phys_addr + (block->addr - region->userspace_addr) <
			   WINDOW_END);
}

/* The end of the part, from the start on, that is still mapped as the block says. */
static uint64_t still_there(const struct vmas *vmas, const struct block *block, uint64_t *ret_gone)
{
	uint64_t end = block->addr + block->size;
	struct vma_at vma;

	for (uint64_t at = block->addr; at < end; at = vma.end) {
		if (vmas_at(vmas, at, &vma) || vma.start > at ||
		    vma.inode != block->backing->inode ||
		    vma.offset + (at - vma.start) != block->offset + (at - block->addr)) {
			*ret_gone = vma.start > at && vma.start < end ? vma.start :
				    vma.end > at && vma.end < end ? vma.end : end;
			return at;
		}
	}
	return end;
}

/* Is there memory that the VMM can use? */
static bool is_mapped(const struct vmas *vmas, uint64_t addr)
{
	struct vma_at vma;

	return !vmas_at(vmas, addr, &vma) && vma.start <= addr && vma.accessible;
}

/*
 * Other memory is where slots show this range.  The VMM may use it at this moment, so that
 * it cannot be moved: its writes would be lost.
 */
static void replaced_unseen(struct model *model, uint64_t addr, uint64_t until)
{
	pieces_for_range(model, addr, until, suspend);
	model_range_gone(model, addr, until - addr, false);
	for (struct vm *vm = model->vms; vm; vm = vm->next) {
		for (size_t i = 0; i < vm->nr_slots; i++) {
			struct slot *s = &vm->slot[i];
			uint64_t from = addr > s->addr ? addr : s->addr;
			uint64_t to = s->addr + s->size < until ? s->addr + s->size : until;

			if (s->active || from >= to)
				continue;
			if (policy_leave_plain(model, vm, s, from, to, "the VMM has unmapped it, and mapped other memory there without MAP_FIXED"))
				say("slot %u is gone from the guest", s->id);
			else
				resume(model, vm, s);
		}
	}
}

/*
 * The VMM has unmapped this part of a block.  While a slot shows it, the guest keeps it
 * until there is other memory.
 */
static void part_gone(struct model *model, const struct vmas *vmas, uint64_t addr, uint64_t until)
{
	if (!is_shown(model, addr, until))
		model_range_gone(model, addr, until - addr, false);
	else if (is_mapped(vmas, addr))
		replaced_unseen(model, addr, until);
}

int model_reconcile(struct model *model, const struct vm *vm,
		    const struct kvm_userspace_memory_region2 *region)
{
	struct vmas vmas;
	uint64_t at = 0;
	int err = model->blocks.nr ? vmas_open(model->host->pid, &vmas) : 0;

	if (err || !model->blocks.nr)
		return err;
	for (;;) {
		const struct block *block;
		struct block b;
		uint64_t gone, until;

		until = blocks_run(&model->blocks, at, UINT64_MAX, &block);
		if (!block && until == UINT64_MAX)
			break;
		at = until;
		if (!block)
			continue;
		b = *block;
		if (b.backing) {
			uint64_t from = still_there(&vmas, &b, &gone);

			if (from == b.addr + b.size)
				continue;
			at = gone;
			part_gone(model, &vmas, from, gone);
		} else if (!plain_is_believed(model, &b, vm, region)) {
			model_range_gone(model, b.addr, b.size, false);
		}
	}
	vmas_close(&vmas);
	return 0;
}
