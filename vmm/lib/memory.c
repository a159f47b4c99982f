// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "huge.h"
#include "internal.h"
#include "kvm_abi.h"

/* KVM says EINVAL for an unknown flag, too: check the features first. */
static int vm_features(int vm, uint32_t *ret_features)
{
	struct offmap_support support;
	int err;

	/* for /dev/kvm offmap_probe() would answer for the system */
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

	if (!ret_mem || flags & ~OFFMAP_CREATE_ALLOW_HUGE || !size || size & page_mask() ||
	    size > INT64_MAX)
		return -EINVAL;
	if (vm < 0)
		return -EBADF;
	err = vm_features(vm, &features);
	if (err)
		return err;
	if (features & OFFMAP_CAN_WRITE)
		create.flags |= GUEST_MEMFD_FLAG_WRITE;
	if (flags & OFFMAP_CREATE_ALLOW_HUGE && features & OFFMAP_CAN_HUGE)
		create.flags |= GUEST_MEMFD_FLAG_ALLOW_HUGE;
	mem = malloc(sizeof(*mem));
	if (!mem)
		return -ENOMEM;
	mem->size = size;
	mem->features = features;
	if (!(create.flags & GUEST_MEMFD_FLAG_ALLOW_HUGE))
		mem->features &= ~OFFMAP_CAN_HUGE;
	mem->fd = ioctl(vm, OFFMAP_CREATE_GMEM, &create);
	if (mem->fd < 0) {
		err = -errno;
		free(mem);
		return err;
	}
	/* exec would inherit KVM's descriptor, and so keep the pages. */
	if (fcntl(mem->fd, F_SETFD, FD_CLOEXEC)) {
		err = -errno;
		offmap_free(mem);
		return err;
	}
	*ret_mem = mem;
	return 0;
}

int offmap_from_fd(int fd, uint64_t guest_memfd_flags, struct offmap_mem **ret_mem)
{
	struct offmap_mem *mem;
	struct stat st;
	void *page;
	int err;

	if (!ret_mem || (guest_memfd_flags & OFFMAP_GMEM_NEEDED) != OFFMAP_GMEM_NEEDED)
		return -EINVAL;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size & (off_t)page_mask())
		return -EINVAL;
	page = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return errno == ENODEV || errno == EACCES ? -EOPNOTSUPP : -errno;
	munmap(page, page_bytes());
	mem = malloc(sizeof(*mem));
	if (!mem)
		return -ENOMEM;
	mem->size = st.st_size;
	mem->features = OFFMAP_CAN_PROTECT;
	if (guest_memfd_flags & GUEST_MEMFD_FLAG_WRITE)
		mem->features |= OFFMAP_CAN_WRITE;
	if (guest_memfd_flags & GUEST_MEMFD_FLAG_ALLOW_HUGE)
		mem->features |= OFFMAP_CAN_HUGE;
	mem->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (mem->fd < 0) {
		err = -errno;
		free(mem);
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

#define MAP_FLAGS (OFFMAP_MAP_FIXED | OFFMAP_MAP_READ_ONLY | OFFMAP_MAP_POPULATE | \
		   OFFMAP_MAP_FORK)

/* MAP_POPULATE would not report errors, and MADV_POPULATE_WRITE is not in every kernel. */
static void touch(const void *addr, uint64_t size)
{
	const volatile uint8_t *at = addr;

	for (uint64_t done = 0; done < size; done += page_bytes())
		(void)at[done];
}

int offmap_map(const struct offmap_mem *mem, void *at, uint64_t offset,
	       uint64_t size, uint32_t flags, void **ret_addr)
{
	bool fixed = flags & OFFMAP_MAP_FIXED;
	int protection = PROT_READ, err = 0;
	void *addr;

	if (!ret_addr || flags & ~MAP_FLAGS ||
	    !range_is_valid(mem, offset, size) || size > SIZE_MAX ||
	    (fixed && (!at || (uintptr_t)at & page_mask())))
		return -EINVAL;
	if (!(flags & OFFMAP_MAP_READ_ONLY))
		protection |= PROT_WRITE;
	/* This can fail or be interrupted: an old mapping is to stay then. */
	if (flags & OFFMAP_MAP_POPULATE)
		err = offmap_allocate(mem, offset, size);
	if (err)
		return err;
	if (!at && mem->features & OFFMAP_CAN_HUGE && huge_is_inside(offset, size))
		addr = huge_map(mem->fd, offset, size, protection);
	else
		addr = mmap(at, size, protection, MAP_SHARED | (fixed ? MAP_FIXED : 0),
			    mem->fd, offset);
	if (addr == MAP_FAILED)
		return -errno;
	/* A child would keep the pages allocated. */
	if (!(flags & OFFMAP_MAP_FORK) && madvise(addr, size, MADV_DONTFORK)) {
		err = -errno;
		munmap(addr, size);
		return err;
	}
	if (flags & OFFMAP_MAP_POPULATE)
		touch(addr, size);
	*ret_addr = addr;
	return 0;
}

int offmap_unmap(void *addr, uint64_t size)
{
	if (!size || size > SIZE_MAX || ((uintptr_t)addr | size) & page_mask())
		return -EINVAL;
	return munmap(addr, size) ? -errno : 0;
}

int offmap_allocate(const struct offmap_mem *mem, uint64_t offset, uint64_t size)
{
	if (!range_is_valid(mem, offset, size))
		return -EINVAL;
	return fallocate(mem->fd, FALLOC_FL_KEEP_SIZE, offset, size) ? -errno : 0;
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
