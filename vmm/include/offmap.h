/* SPDX-License-Identifier: MIT */
/*
 * liboffmap: guest memory outside the host kernel's direct map.
 *
 * A VMM creates a memory for its VM, maps it into itself, binds ranges of it
 * to memslots and fills them.  For every function:
 *
 *  - 0 is success, a negative number is -errno.  Results are written to pointers
 *    (ret_*) on success only;
 *  - nothing is printed, no signal is touched, and no state is kept between calls
 *    except struct offmap_mem;
 *  - any thread may call any function at any time.  The caller must keep
 *    offmap_free() apart from other uses of the same memory;
 *  - descriptors that the library opens are closed on exec.
 *
 * See liboffmap(3).
 */
#ifndef OFFMAP_H
#define OFFMAP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define OFFMAP_API __attribute__((visibility("default")))
#else
#define OFFMAP_API
#endif

#define OFFMAP_VERSION_MAJOR 0
#define OFFMAP_VERSION_MINOR 1

/* The version of the library in use: major in the upper 16 bits. */
OFFMAP_API uint32_t offmap_version(void);

/* Why memory cannot be kept out of the direct map; offmap_reason() in words. */
enum offmap_reason {
	OFFMAP_REASON_NONE,		/* it can be */
	OFFMAP_REASON_NO_KVM,		/* /dev/kvm is not there */
	OFFMAP_REASON_KVM_DENIED,	/* /dev/kvm may not be opened */
	OFFMAP_REASON_KVM_FAILS,	/* it does not open, for another reason */
	OFFMAP_REASON_KVM_API,		/* KVM_GET_API_VERSION is not 12 */
	OFFMAP_REASON_NO_VM,		/* KVM_CREATE_VM fails */
	OFFMAP_REASON_NO_GUEST_MEMFD,	/* no guest_memfd that can be mapped */
	OFFMAP_REASON_NO_FLAG,		/* no GUEST_MEMFD_FLAG_NO_DIRECT_MAP */
};

/* What the kernel can do for a VM. */
#define OFFMAP_CAN_PROTECT	(1U << 0)	/* everything in this header */
#define OFFMAP_CAN_WRITE	(1U << 1)	/* fill without a mapping: fast */
#define OFFMAP_CAN_HUGE		(1U << 2)	/* pages of 2 MiB, where there are some */

/*
 * Its size never changes.  A later version puts members in the place of reserved.  A
 * library that does not know them leaves 0 there, which always means "unknown" or "no".
 * What does not fit there gets a function of its own.  A program ignores features and
 * reasons that it does not know.
 */
struct offmap_support {
	uint32_t features;		/* OFFMAP_CAN_* */
	uint32_t reason;		/* enum offmap_reason */
	int32_t error;			/* the errno behind reason, or 0 */
	uint32_t max_slots;		/* memslots a VM can have, 0: unknown */
	uint64_t guest_memfd_flags;	/* as KVM_CAP_GUEST_MEMFD_FLAGS says */
	uint64_t reserved[4];		/* 0: for later versions */
};

/*
 * What does the running kernel support?
 *
 * @kvm: a VM, for the answer of that VM; or /dev/kvm; or -1, which opens and
 *       closes /dev/kvm.  The latter two make a VM of the default type and
 *       remove it again.
 *
 * A lack of support is an answer, not an error: the reason is in @ret_support.
 *
 * 0, or
 *  -EINVAL  @ret_support is NULL
 *  -EBADF   @kvm is not an open descriptor
 *  -ENOTTY  @kvm is something else than a VM or /dev/kvm
 *  -EIO     the VM belongs to another process
 */
OFFMAP_API int offmap_probe(int kvm, struct offmap_support *ret_support);

/* A sentence without a full stop, for unknown reasons too; never NULL. */
OFFMAP_API const char *offmap_reason(uint32_t reason);

/* One guest_memfd out of the direct map. */
struct offmap_mem;

/*
 * For offmap_create(): pages of 2 MiB as far as memory and NUMA policy allow.  A kernel
 * that has none is no error: offmap_features() tells.
 */
#define OFFMAP_CREATE_ALLOW_HUGE	(1U << 0)

/*
 * Creates memory for a VM.  No page is allocated yet.
 *
 * @vm:    the VM; not needed any more after the call, but the memory can be
 *         bound to this VM only
 * @size:  in bytes, a multiple of the page size
 * @flags: OFFMAP_CREATE_*
 *
 * 0, or
 *  -EINVAL      @size is 0, not a multiple of the page size or larger than a
 *               file can be; @flags has unknown bits; @ret_mem is NULL
 *  -EBADF       @vm is not an open descriptor
 *  -ENOTTY      @vm is not a VM
 *  -EIO         the VM belongs to another process
 *  -EOPNOTSUPP  this VM cannot have such memory: offmap_probe() tells why
 *  -ENOMEM      out of memory
 *  -EMFILE, -ENFILE  out of file descriptors
 */
OFFMAP_API int offmap_create(int vm, uint64_t size, uint32_t flags,
			     struct offmap_mem **ret_mem);

/*
 * Takes a guest_memfd that was created by other means or in another process.  It can
 * be mapped and filled here.  Only the VM that it was created for can have memslots
 * of it.
 *
 * @fd:    the guest_memfd; a copy is made, and @fd stays the caller's to close
 * @guest_memfd_flags: those that it was created with, as KVM_CREATE_GUEST_MEMFD
 *         has them; nobody can ask the file.  MMAP, INIT_SHARED and NO_DIRECT_MAP
 *         have to be among them; with WRITE it is filled by write()
 *
 * 0, or
 *  -EINVAL      a flag is missing; @fd is no regular file, is empty or not of whole
 *               pages; @ret_mem is NULL
 *  -EBADF       @fd is not an open descriptor
 *  -EOPNOTSUPP  @fd cannot be mapped: it was created without MMAP
 *  -ENOMEM, -EMFILE  as offmap_create()
 */
OFFMAP_API int offmap_from_fd(int fd, uint64_t guest_memfd_flags,
			      struct offmap_mem **ret_mem);

/*
 * Closes the memory.  Its pages stay while a mapping of it exists.  Slots that it is
 * bound to lose the pages, so unbind them first.  NULL is no error.  Always returns
 * NULL.
 */
OFFMAP_API struct offmap_mem *offmap_free(struct offmap_mem *mem);

/* The guest_memfd; it stays the library's to close.  For these three @mem is not NULL. */
OFFMAP_API int offmap_fd(const struct offmap_mem *mem);

/* In bytes, as it was created. */
OFFMAP_API uint64_t offmap_size(const struct offmap_mem *mem);

/* OFFMAP_CAN_* as of the memory's creation. */
OFFMAP_API uint32_t offmap_features(const struct offmap_mem *mem);

/* For offmap_map(): replace any mapping at @at. */
#define OFFMAP_MAP_FIXED	(1U << 0)
/* Read-only. */
#define OFFMAP_MAP_READ_ONLY	(1U << 1)
/* Allocate and map all of its pages, so that none takes a page fault later. */
#define OFFMAP_MAP_POPULATE	(1U << 2)
/* fork() inherits it, e.g. for a process for a device.  The child keeps the pages. */
#define OFFMAP_MAP_FORK		(1U << 3)

/*
 * Maps a range of the memory into this process, shared, readable and
 * writable, not inherited by fork().
 *
 * A page of 2 MiB is mapped as one where the address and the offset agree modulo 2 MiB.
 * With OFFMAP_CAN_HUGE, and without @at, the address is chosen so.
 *
 * @at: where; with OFFMAP_MAP_FIXED exactly there, else a hint that may be
 *      NULL
 * @offset, @size: in bytes, multiples of the page size
 *
 * 0, or
 *  -EINVAL  a pointer is NULL; @offset, @size or, with OFFMAP_MAP_FIXED, @at is
 *           not a multiple of the page size; @size is 0; the range is not
 *           inside the memory; @flags has unknown bits
 *  -ENOMEM  no room in the address space, or out of memory
 *  -EAGAIN  the process locks all its memory (mlockall()), and has no
 *           RLIMIT_MEMLOCK left for this
 *  -EINTR   with OFFMAP_MAP_POPULATE: as offmap_allocate()
 *
 * Pages are allocated before anything is mapped: without memory for them, and after
 * -EINTR, a mapping at @at is as it was.  After an error some may be allocated.
 */
OFFMAP_API int offmap_map(const struct offmap_mem *mem, void *at,
			  uint64_t offset, uint64_t size, uint32_t flags,
			  void **ret_addr);

/*
 * Removes a mapping.
 *
 * 0, or
 *  -EINVAL  @addr or @size is not a multiple of the page size, or @size is 0
 *  -ENOMEM  the address space would have too many mappings
 */
OFFMAP_API int offmap_unmap(void *addr, uint64_t size);

/*
 * Where is an address of a mapping in the memory?  With offmap_fd() and this offset
 * another process can map the same pages, e.g. a vhost-user back end.
 *
 * @ret_size: how many bytes from there on are mapped in one piece
 *
 * 0, or
 *  -EINVAL  a pointer is NULL
 *  -ENOENT  there is no mapping of this memory at @addr
 *  -ENOMEM, -EMFILE, and what reading /proc/self/maps gives
 */
OFFMAP_API int offmap_locate(const struct offmap_mem *mem, const void *addr,
			     uint64_t *ret_offset, uint64_t *ret_size);

/* A memslot: where the guest sees a range of a memory. */
struct offmap_slot {
	uint32_t slot;		/* its number; the address space in bits 16-31 */
	uint32_t flags;		/* 0 */
	uint64_t guest_addr;	/* guest physical address */
	uint64_t offset;	/* in the memory, in bytes */
	uint64_t size;		/* in bytes */
	void *addr;		/* where offmap_map() put this range */
	/*
	 * sizeof(struct offmap_slot), so that later versions can add members.  0 means
	 * the members up to this one.
	 */
	uint64_t struct_size;
	uint64_t reserved;	/* 0 */
};

/*
 * Makes a memslot.  KVM allows a page of the memory in one slot at a time,
 * and never changes such a slot: unbind it and bind it anew.
 *
 * The guest has a page of 2 MiB as one where guest_addr and offset agree modulo 2 MiB.
 *
 * 0, or
 *  -EINVAL  a pointer is NULL; an address, the offset or the size is not a
 *           multiple of the page size; the size is 0; the range is not
 *           inside the memory; flags or reserved is not 0; the slot
 *           number is too large; the memory is that of another VM; the slot
 *           exists; @vm is a vCPU; struct_size is too small for a slot
 *  -E2BIG   the slot has members that this version does not know, and not 0
 *  -EEXIST  the guest has memory of another slot there, or part of the range
 *           is bound already
 *  -EBADF   @vm is not an open descriptor
 *  -ENOTTY  @vm is neither a VM nor a vCPU
 *  -EIO     the VM belongs to another process
 *  -ENOMEM  out of memory
 */
OFFMAP_API int offmap_bind(int vm, const struct offmap_mem *mem,
			   const struct offmap_slot *slot);

/*
 * Deletes a memslot; the contents of the memory stay.
 *
 * 0, or
 *  -EINVAL  there is no such slot; @vm is a vCPU
 *  -EBADF, -ENOTTY, -EIO, -ENOMEM  as above
 */
OFFMAP_API int offmap_unbind(int vm, uint32_t slot);

/*
 * Fills a range from a buffer.  If the kernel has write() on guest_memfd
 * (OFFMAP_CAN_WRITE) this is one system call.  Otherwise it copies through a
 * mapping, which is gone when the call returns.
 *
 * @offset, @size: in bytes, of any alignment; size 0 is no error
 *
 * 0, or
 *  -EINVAL  a pointer is NULL; the range is not inside the memory
 *  -EFAULT  the buffer cannot be read; without OFFMAP_CAN_WRITE that is a
 *           SIGSEGV, as with any copy
 *  -ENOMEM  out of memory
 *  -EINTR   a signal came; with OFFMAP_CAN_WRITE only one that ends the process
 *  -EIO     with OFFMAP_CAN_WRITE: the memory of a page has failed; without,
 *           that is a SIGBUS
 *  -EFBIG   with OFFMAP_CAN_WRITE: the range goes beyond RLIMIT_FSIZE, which
 *           holds for guest_memfd too; a SIGXFSZ comes with it
 *  -EAGAIN  without OFFMAP_CAN_WRITE: as offmap_map()
 *
 * After an error a part of the range may be filled.
 */
OFFMAP_API int offmap_populate(const struct offmap_mem *mem, uint64_t offset,
			       const void *data, uint64_t size);

/*
 * Fills a range from a file descriptor (file, pipe, socket) at its position.  As with
 * read(2), *@ret_done, in bytes, can be less than @size, and is 0 at the end of the
 * file.  Call it again for the rest, until the range is full or the file ends.
 *
 * 0 if anything was filled, or at the end of the file; else
 *  the errors of read(2), e.g. -EINTR, or -EAGAIN if a descriptor that does not block
 *  has no data
 *  the errors of offmap_populate(): up to 256 KiB of a pipe or socket are lost then
 */
OFFMAP_API int offmap_populate_fd(const struct offmap_mem *mem,
				  uint64_t offset, int fd, uint64_t size,
				  uint64_t *ret_done);

/*
 * Allocates the pages of a range that do not exist yet; they hold zeroes.  A lack
 * of memory is an error here; at the first touch of a page it is a SIGBUS.
 *
 * @offset, @size: in bytes
 *
 * 0, or
 *  -EINVAL  @offset or @size is not a multiple of the page size, @size is 0,
 *           or the range is not inside the memory
 *  -ENOMEM  out of memory
 *  -EINTR   a signal came; call it again
 *
 * After an error a part of the range may be allocated.
 */
OFFMAP_API int offmap_allocate(const struct offmap_mem *mem, uint64_t offset,
			       uint64_t size);

/*
 * Which pages exist?  Pages that the guest or the VMM has touched, or that were
 * filled or allocated, and not discarded.  A running guest changes that.  With
 * OFFMAP_CAN_HUGE the other pages of the same 2 MiB can exist as well.
 *
 * @offset, @size: in bytes
 * @ret_pages: one byte a page, 1 or 0
 *
 * 0, or
 *  -EINVAL  @ret_pages is NULL, or as offmap_allocate()
 *  -EPERM   the memory belongs to another uid, as the process has changed its own
 *           since it was created.  CAP_FOWNER or CAP_DAC_OVERRIDE allow it
 *  -ENOMEM  no room in the address space, or out of memory
 *
 * After an error a part of @ret_pages may be written.
 */
OFFMAP_API int offmap_present(const struct offmap_mem *mem, uint64_t offset,
			      uint64_t size, uint8_t *ret_pages);

/*
 * Gives the pages of a range back to the kernel, which clears them before
 * anybody else can reach them.  Guest and VMM find zeroes there afterwards.
 * With OFFMAP_CAN_HUGE only whole aligned 2 MiB are certain to be given back.
 *
 * @offset, @size: in bytes
 *
 * 0, or
 *  -EINVAL  @offset or @size is not a multiple of the page size, @size is 0,
 *           or the range is not inside the memory
 */
OFFMAP_API int offmap_discard(const struct offmap_mem *mem, uint64_t offset,
			      uint64_t size);

#ifdef __cplusplus
}
#endif

#endif
