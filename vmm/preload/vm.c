// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blocks.h"
#include "list.h"
#include "next.h"
#include "offmap.h"
#include "page.h"
#include "ram.h"
#include "say.h"
#include "vm.h"

/* Where a PC has its ROMs and SMM, which lie over RAM and come and go. */
#define WINDOW_END (1UL << 20)
#define MAX_RESERVED 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct blocks blocks;
static struct vm *vms;
static atomic_bool started;
/* Is there any block?  Read without the lock, to be fast when there is none. */
static atomic_bool have_blocks;

static void publish(void)
{
	list_publish(vms);
	atomic_store(&have_blocks, blocks.nr != 0);
}

static struct vm *vm_of(int fd)
{
	struct vm *vm;

	for (vm = vms; vm && vm->fd != fd; vm = vm->next)
		;
	return vm;
}

static struct slot *slot_of(struct vm *vm, uint32_t id)
{
	for (size_t i = 0; i < vm->nr_slots; i++)
		if (vm->slot[i].id == id)
			return &vm->slot[i];
	return NULL;
}

/* A piece keeps its memory, even when the VMM has unmapped it meanwhile. */
static void drop_last_piece(struct slot *slot)
{
	struct backing *backing = slot->piece[--slot->nr_pieces].backing;

	if (backing && !--backing->refs)
		ram_release(backing);
	slot->nr_protected -= backing != NULL;
}

static void drop_pieces(struct slot *slot)
{
	while (slot->nr_pieces)
		drop_last_piece(slot);
}

static void forget(struct vm *vm)
{
	struct vm **link = &vms;

	while (*link != vm)
		link = &(*link)->next;
	*link = vm->next;
	for (size_t i = 0; i < vm->nr_slots; i++) {
		drop_pieces(&vm->slot[i]);
		free(vm->slot[i].piece);
	}
	free(vm->slot);
	free(vm);
}

static struct vm *new_vm(int fd)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	static uint64_t serial;
	int slots;

	if (!vm)
		return NULL;
	vm->fd = fd;
	vm->serial = ++serial;
	slots = next()->ioctl(fd, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_NR_MEMSLOTS);
	vm->max_slots = slots < 0 ? 0 : slots;
	vm->next = vms;
	vms = vm;
	return vm;
}

/* A number that was used by another VM, which nobody saw being closed. */
void vm_created(int fd)
{
	struct vm *old;

	pthread_mutex_lock(&lock);
	old = vm_of(fd);
	if (old)
		forget(old);
	if (!new_vm(fd))
		say("out of memory: VM %d is not known", fd);
	publish();
	pthread_mutex_unlock(&lock);
}

void vm_closed(int fd)
{
	struct vm *vm;

	pthread_mutex_lock(&lock);
	vm = vm_of(fd);
	if (vm) {
		forget(vm);
		publish();
	}
	pthread_mutex_unlock(&lock);
}

int vm_visible_slots(int slots)
{
	int reserved = slots / 4 < MAX_RESERVED ? slots / 4 : MAX_RESERVED;

	return settings()->observe ? slots : slots - reserved;
}

static int set_piece(struct vm *vm, const struct slot *slot,
		     const struct piece *piece, bool delete)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = piece->id,
		.guest_phys_addr = piece->gpa,
		.memory_size = delete ? 0 : piece->size,
		.userspace_addr = piece->addr,
	};

	if (delete) {
		region.flags = 0;
	} else if (piece->backing) {
		region.flags = KVM_MEM_GUEST_MEMFD;
		region.guest_memfd = offmap_fd(piece->backing->mem);
		region.guest_memfd_offset = piece->offset;
	} else {
		region.flags = slot->flags;
		/* one log for the whole slot, and part of it has none */
		if (slot->nr_protected)
			region.flags &= ~(uint32_t)KVM_MEM_LOG_DIRTY_PAGES;
	}
	if (next()->ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region) == 0)
		return 0;
	/* a kernel before guest_memfd, which can at least observe */
	if (errno == ENOTTY && !piece->backing &&
	    !next()->ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		return 0;
	return -errno;
}

/* All of it or nothing: half a slot would be half of the guest's memory. */
static int uninstall(struct vm *vm, struct slot *slot)
{
	size_t left = slot->nr_pieces;
	int err = 0;

	while (!err && left) {
		err = set_piece(vm, slot, &slot->piece[left - 1], true);
		left -= !err;
	}
	if (!err)
		drop_pieces(slot);
	else
		for (; left < slot->nr_pieces; left++)
			if (set_piece(vm, slot, &slot->piece[left], false))
				say("a part of slot %u is gone from the guest: %s", slot->id,
				    strerror(errno));
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

/* The first piece has the number of its slot, others have ours. */
static int new_id(const struct vm *vm, const struct slot *slot, uint32_t *ret)
{
	uint32_t first = vm_visible_slots(vm->max_slots);

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
		.window = block && block->window,
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

/* May what lies behind a range be in the same slot of KVM? */
static bool continues(const struct block *block, const struct block *after)
{
	if (block && block->backing)
		return after && after->backing == block->backing &&
		       after->offset == block->offset + block->size;
	return !(after && after->backing) &&
	       (block && block->window) == (after && after->window);
}

/* As few pieces as can be. */
static int plan(struct vm *vm, struct slot *slot)
{
	const struct block *block, *last, *after;
	uint64_t addr, until, further, end = slot->addr + slot->size;
	int err = 0;

	for (addr = slot->addr; !err && addr < end; addr = until) {
		until = blocks_run(&blocks, addr, end, &block);
		for (last = block; until < end; last = after, until = further) {
			further = blocks_run(&blocks, until, end, &after);
			if (!continues(last, after))
				break;
		}
		err = add_piece(vm, slot, addr, until, block);
	}
	return err;
}

static int install(struct vm *vm, struct slot *slot)
{
	int err = plan(vm, slot);
	size_t done;

	for (done = 0; !err && done < slot->nr_pieces; done += !err)
		err = set_piece(vm, slot, &slot->piece[done], false);
	if (err) {
		while (done--)
			set_piece(vm, slot, &slot->piece[done], true);
		drop_pieces(slot);
	}
	return err;
}

/* Another slot with the same memory behind it. */
static uint64_t alias_run(const struct slot *self, uint64_t addr, uint64_t end,
			  const struct slot **ret_alias)
{
	*ret_alias = NULL;
	for (struct vm *vm = vms; vm; vm = vm->next) {
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

/*
 * Memory that cannot be protected.  Before the guest runs, strict means the
 * end; afterwards only that this call fails.
 */
static int refuse(const struct slot *slot, uint64_t addr, uint64_t until, const char *why)
{
	uint64_t gpa = slot->gpa + (addr - slot->addr);

	say("%sguest memory 0x%" PRIx64 "-0x%" PRIx64 " (slot %u) cannot be kept out of the direct map: %s",
	    settings()->permissive ? "warning: " : "", gpa, gpa + (until - addr) - 1,
	    slot->id, why);
	if (settings()->permissive) {
		say("warning: it stays ordinary memory");
		return 0;
	}
	if (!atomic_load(&started)) {
		say("the VMM is stopped before the guest runs (strict; --permissive would go on)");
		_exit(EXIT_STOPPED);
	}
	return -EPERM;
}

static int mark_plain(uint64_t addr, uint64_t until, bool window)
{
	return blocks_add(&blocks, &(struct block){
		.addr = addr, .size = until - addr, .window = window });
}

/* All slots that show any of this range, away or back: the first error. */
static int for_slots_of(uint64_t addr, uint64_t until,
			int (*act)(struct vm *vm, struct slot *slot))
{
	int err = 0;

	for (struct vm *vm = vms; vm; vm = vm->next) {
		for (size_t i = 0; i < vm->nr_slots; i++) {
			struct slot *s = &vm->slot[i];
			int now = 0;

			if (s->active && s->addr < until && addr < s->addr + s->size)
				now = act(vm, s);
			err = err ? err : now;
		}
	}
	return err;
}

/* A slot that is there was not taken away, as that failed before. */
static int reinstall(struct vm *vm, struct slot *slot)
{
	int err = slot->nr_pieces ? 0 : install(vm, slot);

	if (err)
		say("slot %u is gone from the guest: %s", slot->id, strerror(-err));
	return err;
}

/* Back to ordinary memory, under all slots that have it now. */
static int expose(const struct block *block, uint64_t addr, uint64_t until)
{
	/* the list may move */
	const struct block old = *block;
	int err, again;

	err = for_slots_of(addr, until, uninstall);
	if (!err)
		err = blocks_make_room(&blocks);
	if (!err)
		err = ram_expose(&old, addr, until - addr);
	if (!err)
		err = blocks_cut(&blocks, addr, until - addr, ram_release);
	if (!err)
		err = mark_plain(addr, until, old.window);
	/* whatever failed, they were there before */
	again = for_slots_of(addr, until, reinstall);
	return err ? err : again;
}

static int protect(struct vm *vm, const struct slot *slot, uint64_t addr, uint64_t until)
{
	uint64_t gpa = slot->gpa + (addr - slot->addr);
	struct backing *backing;
	char why[RAM_WHY];
	int err;

	/* what is moved cannot be undone for want of it */
	err = blocks_make_room(&blocks);
	if (err)
		return err;
	err = ram_protect(vm->fd, addr, until - addr, &backing, why);
	if (err) {
		err = refuse(slot, addr, until, why);
		return err ? err : mark_plain(addr, until, false);
	}
	backing->owner = vm->serial;
	err = blocks_add(&blocks, &(struct block){
		.addr = addr, .size = until - addr, .backing = backing,
		.window = gpa < WINDOW_END });
	if (err)
		return err;
	say_verbose("guest memory 0x%" PRIx64 "-0x%" PRIx64 " is out of the direct map",
		    gpa, gpa + (until - addr) - 1);
	return 0;
}

/* A VM that is made anew, with the memory of the one before. */
static int adopt(struct vm *vm, const struct slot *slot, uint64_t addr, uint64_t until,
		 const struct block *block)
{
	struct block new = { .addr = addr, .size = until - addr, .window = block->window };
	/* the list may move */
	const struct block old = *block;
	char why[RAM_WHY];
	int err;

	err = blocks_make_room(&blocks);
	if (err)
		return err;
	err = ram_move(vm->fd, &old, addr, until - addr, &new.backing, why);
	if (err) {
		err = refuse(slot, addr, until, why);
		return err ? err : expose(&old, addr, until);
	}
	new.backing->owner = vm->serial;
	err = blocks_cut(&blocks, addr, until - addr, ram_release);
	return err ? err : blocks_add(&blocks, &new);
}

static const char *alias_reason(const struct slot *slot, const struct slot *alias)
{
	if ((slot->id ^ alias->id) >> 16)
		return "the VM has a second address space (SMM) with the same memory: start the VMM with SMM off";
	if (slot->flags & KVM_MEM_READONLY)
		return "the guest is to have it read-only, which such memory cannot be";
	return "another slot has the same memory, and a page can be in one slot only";
}

/* One run of a new slot: of one kind, and in one other slot or in none. */
static int prepare_run(struct vm *vm, struct slot *slot, uint64_t addr,
		       uint64_t until, const struct block *block,
		       const struct slot *alias)
{
	bool read_only = slot->flags & KVM_MEM_READONLY;
	bool window = block ? block->window :
		      slot->gpa + (addr - slot->addr) < WINDOW_END;
	int err;

	if (block && !block->backing)
		return 0;
	if (!block && (read_only || !alias))
		return read_only ? 0 : protect(vm, slot, addr, until);
	if (!read_only && !alias)
		return block->backing->owner == vm->serial ? 0 :
		       adopt(vm, slot, addr, until, block);
	if (!window) {
		err = refuse(slot, addr, until, alias_reason(slot, alias ? alias : slot));
		if (err)
			return err;
	} else {
		say_verbose("guest memory 0x%" PRIx64 "-0x%" PRIx64 " of the first MiB is ordinary memory: it is %s",
			    slot->gpa + (addr - slot->addr),
			    slot->gpa + (until - slot->addr) - 1,
			    read_only ? "read-only there" : "in two slots");
	}
	return block ? expose(block, addr, until) : mark_plain(addr, until, window);
}

static int prepare(struct vm *vm, struct slot *slot)
{
	uint64_t addr, until, window, end = slot->addr + slot->size;
	const struct block *block;
	const struct slot *alias;
	int err = 0;

	for (addr = slot->addr; !err && addr < end; addr = until) {
		until = blocks_run(&blocks, addr, end, &block);
		until = alias_run(slot, addr, until, &alias);
		/* the first MiB is on its own */
		window = slot->addr + (WINDOW_END - slot->gpa);
		if (!block && slot->gpa < WINDOW_END && addr < window && window < until)
			until = window;
		err = prepare_run(vm, slot, addr, until, block, alias);
	}
	return err;
}

static void drop_slot(struct vm *vm, struct slot *slot)
{
	drop_pieces(slot);
	free(slot->piece);
	*slot = vm->slot[--vm->nr_slots];
}

static int delete_slot(struct vm *vm, struct slot *slot)
{
	int err = uninstall(vm, slot);

	if (!err)
		drop_slot(vm, slot);
	return err;
}

static int add_slot(struct vm *vm, const struct slot *new)
{
	struct slot *more = realloc(vm->slot, (vm->nr_slots + 1) * sizeof(*more));
	struct slot *slot;
	int err = 0;

	if (!more)
		return -ENOMEM;
	vm->slot = more;
	slot = &more[vm->nr_slots++];
	*slot = *new;
	if (!settings()->observe)
		err = prepare(vm, slot);
	if (!err)
		err = install(vm, slot);
	if (err)
		drop_slot(vm, slot);
	else
		slot->active = true;
	return err;
}

static int move_slot(struct vm *vm, struct slot *slot, const struct slot *new)
{
	const struct slot old = *slot;
	int err = uninstall(vm, slot);

	if (err)
		return err;
	slot->gpa = new->gpa;
	slot->flags = new->flags;
	err = install(vm, slot);
	if (err) {
		slot->gpa = old.gpa;
		slot->flags = old.flags;
		if (reinstall(vm, slot))
			drop_slot(vm, slot);
	}
	return err;
}

/* What KVM allows for a slot that exists: move it, or log writes to it. */
static int change_slot(struct vm *vm, struct slot *slot, const struct slot *new)
{
	uint32_t old = slot->flags;
	int err = 0;

	if (slot->size != new->size || slot->addr != new->addr ||
	    (old ^ new->flags) & KVM_MEM_READONLY)
		return -EINVAL;
	if (slot->gpa != new->gpa)
		return move_slot(vm, slot, new);
	slot->flags = new->flags;
	for (size_t i = 0; !err && !slot->nr_protected && i < slot->nr_pieces; i++)
		err = set_piece(vm, slot, &slot->piece[i], false);
	if (err)
		slot->flags = old;
	return err;
}

/* What KVM would refuse is left to KVM, as it is. */
static bool is_sane(const struct vm *vm, const struct kvm_userspace_memory_region2 *r)
{
	return !((r->guest_phys_addr | r->memory_size | r->userspace_addr) & (page_bytes() - 1)) &&
	       r->guest_phys_addr + r->memory_size >= r->guest_phys_addr &&
	       r->userspace_addr + r->memory_size >= r->userspace_addr &&
	       (r->slot & 0xffff) < (uint32_t)vm_visible_slots(vm->max_slots) &&
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

static int set_region(struct vm *vm, const struct kvm_userspace_memory_region2 *r)
{
	const struct slot new = {
		.id = r->slot, .flags = r->flags, .gpa = r->guest_phys_addr,
		.size = r->memory_size, .addr = r->userspace_addr,
	};
	struct slot *slot = slot_of(vm, r->slot);

	if (r->flags & KVM_MEM_GUEST_MEMFD && !settings()->observe) {
		int err = refuse(&new, new.addr, new.addr + new.size,
				 "the VMM brings a guest_memfd of its own");

		return err ? err : VM_NOT_OURS;
	}
	if (!slot && !new.size)
		return VM_NOT_OURS;
	if (!is_sane(vm, r))
		return (r->slot & 0xffff) < (uint32_t)vm_visible_slots(vm->max_slots) ?
		       VM_NOT_OURS : -EINVAL;
	if (!new.size)
		return delete_slot(vm, slot);
	if (overlaps_guest(vm, &new))
		return -EEXIST;
	return slot ? change_slot(vm, slot, &new) : add_slot(vm, &new);
}

int vm_set_region(int fd, const struct kvm_userspace_memory_region2 *region)
{
	struct vm *vm;
	int err;

	pthread_mutex_lock(&lock);
	vm = vm_of(fd);
	if (!vm)
		vm = new_vm(fd);
	err = vm ? set_region(vm, region) : -ENOMEM;
	publish();
	pthread_mutex_unlock(&lock);
	return err;
}

static struct slot *protected_slot(int fd, uint32_t id)
{
	struct vm *vm = vm_of(fd);
	struct slot *slot = vm ? slot_of(vm, id) : NULL;

	return slot && slot->nr_protected ? slot : NULL;
}

int vm_dirty_log(int fd, const struct kvm_dirty_log *log)
{
	const struct slot *slot;
	uint64_t *bits = log->dirty_bitmap;
	int err = VM_NOT_OURS;

	pthread_mutex_lock(&lock);
	slot = protected_slot(fd, log->slot);
	if (slot && !(slot->flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		err = -ENOENT;
	} else if (slot) {
		uint64_t pages = slot->size / page_bytes();

		for (uint64_t i = 0; i < (pages + 63) / 64; i++)
			bits[i] = pages - i * 64 >= 64 ? UINT64_MAX :
				  (1ULL << (pages % 64)) - 1;
		err = 0;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

int vm_clear_dirty_log(int fd, uint32_t id)
{
	int err;

	pthread_mutex_lock(&lock);
	err = protected_slot(fd, id) ? 0 : VM_NOT_OURS;
	pthread_mutex_unlock(&lock);
	return err;
}

static bool anything_is_protected(void)
{
	for (const struct vm *vm = vms; vm; vm = vm->next)
		for (size_t i = 0; i < vm->nr_slots; i++)
			if (vm->slot[i].nr_protected)
				return true;
	return false;
}

void vm_starts(void)
{
	bool fine;

	if (atomic_load_explicit(&started, memory_order_relaxed))
		return;
	pthread_mutex_lock(&lock);
	fine = settings()->observe || atomic_load(&started) || anything_is_protected();
	if (!fine && !settings()->permissive) {
		say("the guest would start without a page out of the direct map: the VMM is stopped (strict)");
		_exit(EXIT_STOPPED);
	}
	if (!fine)
		say("warning: the guest starts without a page out of the direct map");
	atomic_store(&started, true);
	pthread_mutex_unlock(&lock);
}

bool vm_hold_ranges(void)
{
	if (!atomic_load(&have_blocks))
		return false;
	pthread_mutex_lock(&lock);
	return true;
}

void vm_let_ranges_go(void)
{
	pthread_mutex_unlock(&lock);
}

static bool range_is_protected(uint64_t addr, uint64_t until)
{
	const struct block *block = NULL;

	while (addr < until && !(block && block->backing))
		addr = blocks_run(&blocks, addr, until, &block);
	return block && block->backing;
}

static int suspend(struct vm *vm, struct slot *slot)
{
	int err = uninstall(vm, slot);

	slot->active = err;
	if (err)
		say("the VMM has mapped other memory over slot %u, and the guest keeps what it had: %s",
		    slot->id, strerror(-err));
	return err;
}

static void resume(struct vm *vm, struct slot *slot)
{
	int err = prepare(vm, slot);

	if (!err)
		err = install(vm, slot);
	slot->active = !err;
	if (err)
		say("the VMM has mapped other memory over slot %u, which is gone from the guest: %s",
		    slot->id, strerror(-err));
}

/* Slots that are away, with what is behind them now. */
static void resume_slots_of(uint64_t addr, uint64_t until)
{
	for (struct vm *vm = vms; vm; vm = vm->next) {
		for (size_t i = 0; i < vm->nr_slots; i++) {
			struct slot *s = &vm->slot[i];

			if (!s->active && s->addr < until && addr < s->addr + s->size)
				resume(vm, s);
		}
	}
}

void vm_range_gone(uint64_t addr, uint64_t size, bool replaced)
{
	uint64_t until = addr + page_round(size);

	/* KVM follows ordinary mappings by itself, but has guest_memfd as a file */
	replaced = replaced && range_is_protected(addr, until);
	if (replaced)
		for_slots_of(addr, until, suspend);
	if (blocks_cut(&blocks, addr, until - addr, ram_release))
		say("out of memory: 0x%" PRIx64 " stays known as guest memory", addr);
	if (replaced)
		resume_slots_of(addr, until);
	publish();
}

static int advise_block(const struct block *block, uint64_t addr, uint64_t until, int advice)
{
	struct offmap_mem *mem = block->backing->mem;
	uint64_t offset = block->offset + (addr - block->addr);

	switch (advice) {
	case MADV_DONTNEED:
	case MADV_REMOVE:
	case MADV_FREE:
		return offmap_discard(mem, offset, until - addr);
#ifdef MADV_POPULATE_WRITE
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return fallocate(offmap_fd(mem), FALLOC_FL_KEEP_SIZE, offset,
				 until - addr) ? -errno : 0;
#endif
	}
	return next()->madvise((void *)(uintptr_t)addr, until - addr, advice) ? -errno : 0;
}

int vm_advise(uint64_t addr, uint64_t size, int advice)
{
	uint64_t until, end = page_round(addr + size);
	const struct block *block;
	int err = 0;

	if (!atomic_load(&have_blocks) || addr & (page_bytes() - 1) || end <= addr)
		return VM_NOT_OURS;
	pthread_mutex_lock(&lock);
	until = blocks_run(&blocks, addr, end, &block);
	if (!block && until == end)
		err = VM_NOT_OURS;
	for (; !err && addr < end; addr = until) {
		until = blocks_run(&blocks, addr, end, &block);
		if (block && block->backing)
			err = advise_block(block, addr, until, advice);
		else if (next()->madvise((void *)(uintptr_t)addr, until - addr, advice))
			err = -errno;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

void vm_before_fork(void)
{
	pthread_mutex_lock(&lock);
}

/*
 * The descriptors stay open: audit may look at the child as well.  What
 * describes them is lost, as a child had better not call free().
 */
void vm_after_fork(bool child)
{
	if (child) {
		vms = NULL;
		blocks = (struct blocks){ 0 };
		atomic_store(&have_blocks, false);
		atomic_store(&started, false);
		list_inherited();
	}
	pthread_mutex_unlock(&lock);
}
