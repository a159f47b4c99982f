// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/ioctl.h>

#include "internal.h"
#include "kvm_abi.h"

static int set_region(int vm, struct kvm_userspace_memory_region2 *region)
{
	int ret;

	do {
		ret = ioctl(vm, KVM_SET_USER_MEMORY_REGION2, region);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

/* A program that was built with a later header may pass a longer slot. */
static int check_size(const struct offmap_slot *slot)
{
	const uint8_t *bytes = (const uint8_t *)slot;

	if (!slot->struct_size)
		return 0;
	if (slot->struct_size < sizeof(*slot) || slot->struct_size > page_bytes())
		return -EINVAL;
	for (uint64_t i = sizeof(*slot); i < slot->struct_size; i++)
		if (bytes[i])
			return -E2BIG;
	return 0;
}

int offmap_bind(int vm, const struct offmap_mem *mem,
		const struct offmap_slot *slot)
{
	struct kvm_userspace_memory_region2 region;
	int err;

	if (!mem || !slot)
		return -EINVAL;
	err = check_size(slot);
	if (err)
		return err;
	if (slot->flags || slot->reserved || !slot->addr ||
	    !range_is_valid(mem, slot->offset, slot->size) ||
	    ((uintptr_t)slot->addr | slot->guest_addr) & page_mask())
		return -EINVAL;
	region = (struct kvm_userspace_memory_region2){
		.slot = slot->slot,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = slot->guest_addr,
		.memory_size = slot->size,
		.userspace_addr = (uintptr_t)slot->addr,
		.guest_memfd_offset = slot->offset,
		.guest_memfd = mem->fd,
	};
	return set_region(vm, &region);
}

int offmap_unbind(int vm, uint32_t slot)
{
	struct kvm_userspace_memory_region2 region = { .slot = slot };

	return set_region(vm, &region);
}
