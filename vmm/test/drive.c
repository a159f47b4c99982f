// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "direct.h"
#include "drive.h"
#include "fake_kvm.h"
#include "kvm_abi.h"

/* Half of the guest's addresses are in the first MiB.  No page is larger. */
#ifdef __aarch64__
#define UNIT 65536UL
#define UNITS 32
#else
#define UNIT 32768UL
#define UNITS 64
#endif
#define SLOTS 6

struct model {
	bool there;
	uint32_t flags;
	uint64_t gpa;
	uint64_t size;
	uint64_t unit;
};

static struct model model[SLOTS];
static uint8_t *arena;
static int vm;

static void differ(const char *what, uint64_t where)
{
	fprintf(stderr, "differs from plain KVM: %s at %#lx\n", what, (unsigned long)where);
	abort();
}

static int set_slot(uint32_t id, uint32_t flags, uint64_t gpa, uint64_t size, uint64_t unit)
{
	struct kvm_userspace_memory_region region = {
		.slot = id, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = size, .userspace_addr = (uintptr_t)arena + unit * UNIT,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static bool would_work(uint32_t id, const struct model *new)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		if (i != id && model[i].there && model[i].gpa < new->gpa + new->size &&
		    new->gpa < model[i].gpa + model[i].size)
			return false;
	return !model[id].there ||
	       (model[id].size == new->size && model[id].unit == new->unit &&
		!((model[id].flags ^ new->flags) & KVM_MEM_READONLY));
}

static void do_set(const uint8_t *b)
{
	uint32_t id = b[0] % SLOTS;
	struct model new = {
		.there = true,
		.flags = b[4] & (KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES),
		.gpa = b[1] % UNITS * UNIT,
		.unit = b[3] % UNITS,
	};
	bool works;

	new.size = (1 + b[2] % (UNITS - new.unit)) * UNIT;
	/* often a slot that exists */
	if (b[4] & 0x80 && model[id].there) {
		new.size = model[id].size;
		new.unit = model[id].unit;
	}
	works = would_work(id, &new);
	if (!set_slot(id, new.flags, new.gpa, new.size, new.unit) != works)
		differ("a slot", new.gpa);
	if (works)
		model[id] = new;
}

static void do_delete(const uint8_t *b)
{
	uint32_t id = b[0] % SLOTS;

	if (!set_slot(id, 0, 0, 0, 0) != model[id].there)
		differ("deleting a slot", id);
	model[id].there = false;
}

static void do_discard(const uint8_t *b)
{
	uint64_t unit = b[0] % UNITS, size = (1 + b[1] % (UNITS - unit)) * UNIT;

	if (madvise(arena + unit * UNIT, size, MADV_DONTNEED))
		differ("madvise", unit);
	for (uint64_t at = 0; at < size; at += UNIT)
		if (arena[unit * UNIT + at])
			differ("contents after madvise", unit);
}

/* A VMM unmaps memory only when no slot has it, but can map over it at any time. */
static void do_replace(const uint8_t *b)
{
	uint64_t unit = b[0] % UNITS, units = 1 + b[1] % (UNITS - unit);
	void *at = arena + unit * UNIT;
	bool unmap = b[2] & 1;

	for (int i = 0; i < SLOTS; i++)
		if (model[i].there && model[i].unit < unit + units &&
		    unit < model[i].unit + model[i].size / UNIT)
			unmap = false;
	if (unmap && munmap(at, units * UNIT))
		abort();
	if (mmap(at, units * UNIT, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		abort();
}

static void do_dirty_log(const uint8_t *b)
{
	uint64_t bits[UNITS * UNIT / 4096 / 64 + 1] = { 0 };
	struct kvm_dirty_log log = { .slot = b[0] % SLOTS, .dirty_bitmap = bits };
	const struct model *m = &model[log.slot];
	bool works = m->there && m->flags & KVM_MEM_LOG_DIRTY_PAGES;

	if (!ioctl(vm, KVM_GET_DIRTY_LOG, &log) != works)
		differ("the dirty log", log.slot);
}

static void compare_unit(uint64_t gpa, uint8_t value)
{
	const struct model *m = NULL;
	uint8_t *mem, byte;

	for (int i = 0; i < SLOTS; i++)
		if (model[i].there && gpa >= model[i].gpa && gpa - model[i].gpa < model[i].size)
			m = &model[i];
	if (!m) {
		if (!fake_guest_read(vm, gpa, &byte))
			differ("memory where there is none", gpa);
		return;
	}
	mem = arena + m->unit * UNIT + (gpa - m->gpa);
	if (fake_guest_read(vm, gpa, &byte) || byte != *mem)
		differ("what the guest reads", gpa);
	if (!fake_guest_write(vm, gpa, value) != !(m->flags & KVM_MEM_READONLY))
		differ("whether the guest may write", gpa);
	if (!(m->flags & KVM_MEM_READONLY) && *mem != value)
		differ("what the guest wrote", gpa);
	*mem = value + 1;
	if (fake_guest_read(vm, gpa, &byte) || byte != *mem)
		differ("what the VMM wrote", gpa);
}

static void step(const uint8_t *b)
{
	switch (b[0] & 7) {
	case 0:
	case 1:
	case 2:
		do_set(b + 1);
		break;
	case 3:
		do_delete(b + 1);
		break;
	case 4:
		do_discard(b + 1);
		break;
	case 5:
		do_replace(b + 1);
		break;
	case 6:
		do_dirty_log(b + 1);
		break;
	case 7:
		fake_kvm.create_gmem_error = b[1] & 1 ? 12 : 0;
		arena[b[2] % UNITS * UNIT] = b[3];
		break;
	}
	for (uint64_t i = 0; i < UNITS; i++)
		compare_unit(i * UNIT, b[1] + i);
}

void drive(const uint8_t *data, size_t size)
{
	int kvm;

	fake_kvm_reset();
	direct_start(true);
	memset(model, 0, sizeof(model));
	kvm = open("/dev/kvm", O_RDWR);
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	arena = mmap(NULL, UNITS * UNIT, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm < 0 || arena == MAP_FAILED)
		abort();
	for (; size >= 6; data += 6, size -= 6)
		step(data);
	munmap(arena, UNITS * UNIT);
	close(vm);
	close(kvm);
}
