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

int offmap_bind(int vm, const struct offmap_mem *mem,
		const struct offmap_slot *slot)
{
	struct kvm_userspace_memory_region2 region;

	if (!mem || !slot || slot->flags || slot->reserved[0] ||
	    slot->reserved[1] || !slot->addr ||
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
