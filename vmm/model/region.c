// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "page.h"
#include "say.h"

static void drop_slot(struct vm *vm, struct slot *slot)
{
	pieces_drop(slot);
	free(slot->piece);
	*slot = vm->slot[--vm->nr_slots];
}

static int delete_slot(struct model *model, struct vm *vm, struct slot *slot)
{
	int err = pieces_uninstall(model, vm, slot);

	if (!err)
		drop_slot(vm, slot);
	return err;
}

static int add_slot(struct model *model, struct vm *vm, const struct slot *new)
{
	struct slot *more = realloc(vm->slot, (vm->nr_slots + 1) * sizeof(*more));
	struct slot *slot;
	int err;

	if (!more)
		return -ENOMEM;
	vm->slot = more;
	slot = &more[vm->nr_slots++];
	*slot = *new;
	err = policy_prepare(model, vm, slot);
	if (!err)
		err = pieces_install(model, vm, slot);
	if (err)
		drop_slot(vm, slot);
	else
		slot->active = true;
	return err;
}

/*
 * A slot may be gone from the guest, as its memory could not be protected: then that is
 * tried again.
 */
static int move_slot(struct model *model, struct vm *vm, struct slot *slot, const struct slot *new)
{
	const struct slot old = *slot;
	int err = pieces_uninstall(model, vm, slot);

	if (err)
		return err;
	slot->gpa = new->gpa;
	slot->flags = new->flags;
	err = policy_prepare(model, vm, slot);
	if (!err)
		err = pieces_install(model, vm, slot);
	slot->active = !err;
	if (!err)
		return 0;

	slot->gpa = old.gpa;
	slot->flags = old.flags;
	if (!old.active)
		return err;
	slot->active = !pieces_install(model, vm, slot);
	if (!slot->active) {
		say("slot %u is gone from the guest: %s", slot->id, strerror(-err));
		drop_slot(vm, slot);
	}
	return err;
}

/* KVM allows two changes of an existing slot: move it, or log writes to it. */
static int change_slot(struct model *model, struct vm *vm, struct slot *slot, const struct slot *new)
{
	uint32_t old = slot->flags;
	int err = 0;

	if (slot->size != new->size || slot->addr != new->addr ||
	    (old ^ new->flags) & KVM_MEM_READONLY)
		return -EINVAL;
	if (slot->gpa != new->gpa)
		return move_slot(model, vm, slot, new);
	slot->flags = new->flags;
	for (size_t i = 0; !err && !slot->nr_protected && i < slot->nr_pieces; i++)
		err = pieces_set(model, vm, slot, &slot->piece[i], false);
	if (err)
		slot->flags = old;
	return err;
}

/* Would KVM accept this region?  If not, it is passed on to KVM unchanged. */
static bool is_sane(const struct vm *vm, const struct kvm_userspace_memory_region2 *r)
{
	return !((r->guest_phys_addr | r->memory_size | r->userspace_addr) & (page_bytes() - 1)) &&
	       r->guest_phys_addr + r->memory_size >= r->guest_phys_addr &&
	       r->userspace_addr + r->memory_size >= r->userspace_addr &&
	       (r->slot & 0xffff) < model_visible_slots(vm) &&
	       !(r->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY));
}

static bool overlaps_guest(const struct vm *vm, const struct slot *new)
{
	for (size_t i = 0; i < vm->nr_slots; i++) {
		const struct slot *s = &vm->slot[i];

		if (s->id != new->id && s->id >> 16 == new->id >> 16 &&
		    s->gpa < new->gpa + new->size && new->gpa < s->gpa + s->size)
			return true;
	}
	return false;
}

static struct slot slot_of(const struct kvm_userspace_memory_region2 *r)
{
	return (struct slot){
		.id = r->slot, .flags = r->flags, .gpa = r->guest_phys_addr,
		.size = r->memory_size, .addr = r->userspace_addr,
	};
}

int model_refuse_region(struct model *model, const struct kvm_userspace_memory_region2 *region,
			const char *why)
{
	const struct slot new = slot_of(region);

	return policy_refuse_slot(model, &new, why);
}

static int set_region(struct model *model, struct vm *vm, const struct kvm_userspace_memory_region2 *r)
{
	const struct slot new = slot_of(r);
	struct slot *slot = model_slot(vm, r->slot);

	/* the number of that guest_memfd means nothing in the task */
	if (r->flags & KVM_MEM_GUEST_MEMFD)
		return policy_refuse_slot(model, &new, "the VMM brings a guest_memfd of its own");
	if (!slot && !new.size)
		return MODEL_NOT_OURS;
	if (!is_sane(vm, r))
		return (r->slot & 0xffff) < model_visible_slots(vm) ?
		       MODEL_NOT_OURS : -EINVAL;
	if (!new.size)
		return delete_slot(model, vm, slot);
	if (overlaps_guest(vm, &new))
		return -EEXIST;
	return slot ? change_slot(model, vm, slot, &new) : add_slot(model, vm, &new);
}

int model_set_region(struct model *model, int fd,
		     const struct kvm_userspace_memory_region2 *region)
{
	struct vm *vm = model_vm(model, fd);
	int err = vm ? 0 : model_add_vm(model, fd, &vm);

	return err ? err : set_region(model, vm, region);
}

static struct slot *protected_slot(struct model *model, int fd, uint32_t id)
{
	struct vm *vm = model_vm(model, fd);
	struct slot *slot = vm ? model_slot(vm, id) : NULL;

	return slot && slot->nr_protected ? slot : NULL;
}

int model_dirty_log(struct model *model, int fd, const struct kvm_dirty_log *log)
{
	const struct slot *slot = protected_slot(model, fd, log->slot);
	uint64_t bits[512], pages, done;
	int err = 0;

	if (!slot)
		return MODEL_NOT_OURS;
	if (!(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return -ENOENT;
	memset(bits, 0xff, sizeof(bits));
	pages = slot->size / page_bytes();
	for (done = 0; !err && done < pages; done += sizeof(bits) * 8) {
		uint64_t nr = pages - done < sizeof(bits) * 8 ? pages - done : sizeof(bits) * 8;

		if (nr % 64)
			bits[nr / 64] = (1ULL << (nr % 64)) - 1;
		err = model->host->write(model->host,
					 (uintptr_t)log->dirty_bitmap + done / 8, bits,
					 (nr + 63) / 64 * 8);
	}
	return err;
}

int model_clear_dirty_log(struct model *model, int fd, uint32_t id)
{
	return protected_slot(model, fd, id) ? 0 : MODEL_NOT_OURS;
}
