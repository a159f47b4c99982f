// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "model.h"
#include "ram.h"

#define MAX_RESERVED 1024

struct vm *model_vm(struct model *model, int fd)
{
	struct vm *vm;

	for (vm = model->vms; vm && vm->fd != fd; vm = vm->next)
		;
	return vm;
}

struct slot *model_slot(struct vm *vm, uint32_t id)
{
	for (size_t i = 0; i < vm->nr_slots; i++)
		if (vm->slot[i].id == id)
			return &vm->slot[i];
	return NULL;
}

int model_add_vm(struct model *model, int fd, struct vm **ret_vm)
{
	long slots = host_call(model->host, fd, SYS_ioctl, fd, KVM_CHECK_EXTENSION,
			       KVM_CAP_NR_MEMSLOTS);
	struct vm *vm;

	if (slots < 0)
		return slots;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return -ENOMEM;
	vm->fd = fd;
	vm->serial = ++model->last_serial;
	vm->max_slots = slots;
	vm->next = model->vms;
	model->vms = vm;
	*ret_vm = vm;
	return 0;
}

void model_forget_vm(struct model *model, struct vm *vm)
{
	struct vm **link = &model->vms;

	while (*link != vm)
		link = &(*link)->next;
	*link = vm->next;
	for (size_t i = 0; i < vm->nr_slots; i++) {
		pieces_drop(&vm->slot[i]);
		free(vm->slot[i].piece);
	}
	free(vm->slot);
	free(vm);
}

void model_forget_all(struct model *model)
{
	while (model->vms)
		model_forget_vm(model, model->vms);
	blocks_cut(&model->blocks, 0, UINT64_MAX, ram_release);
	free(model->blocks.block);
	model->blocks = (struct blocks){ 0 };
}

static int visible_slots(int slots)
{
	int reserved = slots / 4 < MAX_RESERVED ? slots / 4 : MAX_RESERVED;

	return slots - reserved;
}

uint32_t model_visible_slots(const struct vm *vm)
{
	return visible_slots(vm->max_slots);
}

int model_capability(uint64_t capability, int value)
{
	if (value <= 0)
		return value;
	switch (capability) {
	case KVM_CAP_NR_MEMSLOTS:
		return visible_slots(value);
	case KVM_CAP_DIRTY_LOG_RING:
	case KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
		/* KVM would write nothing to that ring */
		return 0;
	case KVM_CAP_X86_SMM:
		/* SMM shows all memory a second time */
		return 0;
	}
	return value;
}
