/* SPDX-License-Identifier: MIT */
/*
 * <linux/kvm.h>, and the definitions that it lacks if the headers are older than the
 * kernel.
 */
#ifndef OFFMAP_KVM_ABI_H
#define OFFMAP_KVM_ABI_H

#include <linux/kvm.h>

#ifndef KVM_CAP_USER_MEMORY2
#define KVM_CAP_USER_MEMORY2 231
#define KVM_MEM_GUEST_MEMFD (1UL << 2)
struct kvm_userspace_memory_region2 {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
	__u64 guest_memfd_offset;
	__u32 guest_memfd;
	__u32 pad1;
	__u64 pad2[14];
};
#define KVM_SET_USER_MEMORY_REGION2 \
	_IOW(KVMIO, 0x49, struct kvm_userspace_memory_region2)
#endif

#ifndef KVM_CREATE_GUEST_MEMFD
struct kvm_create_guest_memfd {
	__u64 size;
	__u64 flags;
	__u64 reserved[6];
};
#define KVM_CREATE_GUEST_MEMFD \
	_IOWR(KVMIO, 0xd4, struct kvm_create_guest_memfd)
#endif

/* musl's ioctl() takes an int, into which this number fits only by a cast. */
#ifdef __GLIBC__
#define OFFMAP_CREATE_GMEM KVM_CREATE_GUEST_MEMFD
#else
#define OFFMAP_CREATE_GMEM ((int)KVM_CREATE_GUEST_MEMFD)
#endif

#ifndef KVM_CAP_GUEST_MEMFD_FLAGS
#define KVM_CAP_GUEST_MEMFD_FLAGS 244
#endif

#ifndef GUEST_MEMFD_FLAG_MMAP
#define GUEST_MEMFD_FLAG_MMAP (1ULL << 0)
#define GUEST_MEMFD_FLAG_INIT_SHARED (1ULL << 1)
#endif

#ifndef GUEST_MEMFD_FLAG_NO_DIRECT_MAP
#define GUEST_MEMFD_FLAG_NO_DIRECT_MAP (1ULL << 2)
#endif

#ifndef GUEST_MEMFD_FLAG_WRITE
#define GUEST_MEMFD_FLAG_WRITE (1ULL << 3)
#endif

/* Pages of 2 MiB, if some are free. */
#ifndef GUEST_MEMFD_FLAG_ALLOW_HUGE
#define GUEST_MEMFD_FLAG_ALLOW_HUGE (1ULL << 4)
#endif

/* Memory that guest and VMM share, as plain memory is. */
#define OFFMAP_GMEM_SHARED \
	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)
#define OFFMAP_GMEM_NEEDED \
	(OFFMAP_GMEM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP)

#endif
