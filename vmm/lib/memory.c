// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "kvm_abi.h"

/* KVM says EINVAL for what it does not know; tell that apart. */
static int vm_features(int vm, uint32_t *ret_features)
{
	struct offmap_support support;
	int err;

	/* of /dev/kvm this would ask the system */
	if (ioctl(vm, KVM_GET_API_VERSION, 0UL) >= 0)
		return -ENOTTY;
	err = offmap_probe(vm, &support);
	if (err)
		return err;
	if (!(support.features & OFFMAP_CAN_PROTECT))
		return -EOPNOTSUPP;
	*ret_features = support.features;
	return 0;
}

int offmap_create(int vm, uint64_t size, uint32_t flags,
		  struct offmap_mem **ret_mem)
{
	struct kvm_create_guest_memfd create = {
		.size = size,
		.flags = OFFMAP_GMEM_NEEDED,
	};
	struct offmap_mem *mem;
	uint32_t features;
	int err;

	if (!ret_mem || flags || !size || size & page_mask() ||
	    size > INT64_MAX)
		return -EINVAL;
	if (vm < 0)
		return -EBADF;
	err = vm_features(vm, &features);
	if (err)
		return err;
	if (features & OFFMAP_CAN_WRITE)
		create.flags |= GUEST_MEMFD_FLAG_WRITE;
	mem = malloc(sizeof(*mem));
	if (!mem)
		return -ENOMEM;
	mem->size = size;
	mem->features = features;
	mem->fd = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &create);
	if (mem->fd < 0) {
		err = -errno;
		free(mem);
		return err;
	}
	/* KVM's own descriptors are inherited over exec, which pins the pages. */
	if (fcntl(mem->fd, F_SETFD, FD_CLOEXEC)) {
		err = -errno;
		offmap_free(mem);
		return err;
	}
	*ret_mem = mem;
	return 0;
}

struct offmap_mem *offmap_free(struct offmap_mem *mem)
{
	if (mem) {
		close(mem->fd);
		free(mem);
	}
	return NULL;
}

int offmap_fd(const struct offmap_mem *mem)
{
	return mem->fd;
}

uint64_t offmap_size(const struct offmap_mem *mem)
{
	return mem->size;
}

uint32_t offmap_features(const struct offmap_mem *mem)
{
	return mem->features;
}

int offmap_map(const struct offmap_mem *mem, void *at, uint64_t offset,
	       uint64_t size, uint32_t flags, void **ret_addr)
{
	bool fixed = flags & OFFMAP_MAP_FIXED;
	int err;
	void *addr;

	if (!ret_addr || flags & ~OFFMAP_MAP_FIXED ||
	    !range_is_valid(mem, offset, size) || size > SIZE_MAX ||
	    (fixed && (!at || (uintptr_t)at & page_mask())))
		return -EINVAL;
	addr = mmap(at, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | (fixed ? MAP_FIXED : 0), mem->fd, offset);
	if (addr == MAP_FAILED)
		return -errno;
	/*
	 * A VM belongs to one process: a child could do nothing with the
	 * memory but keep its pages.
	 */
	if (madvise(addr, size, MADV_DONTFORK)) {
		err = -errno;
		munmap(addr, size);
		return err;
	}
	*ret_addr = addr;
	return 0;
}

int offmap_unmap(void *addr, uint64_t size)
{
	if (!size || size > SIZE_MAX || ((uintptr_t)addr | size) & page_mask())
		return -EINVAL;
	return munmap(addr, size) ? -errno : 0;
}

int offmap_discard(const struct offmap_mem *mem, uint64_t offset,
		   uint64_t size)
{
	if (!range_is_valid(mem, offset, size))
		return -EINVAL;
	if (fallocate(mem->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      offset, size))
		return -errno;
	return 0;
}
