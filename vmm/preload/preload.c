// SPDX-License-Identifier: MIT
/*
 * Stands between a VMM and KVM, by LD_PRELOAD, so that guest memory of a VMM
 * that knows nothing of it is out of the kernel's direct map.  It goes when
 * VMMs link to liboffmap themselves.
 *
 * What changes is what a VMM does with memslots, with the memory behind them
 * and with what cannot work on such memory; everything else goes through.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "kvm_abi.h"
#include "next.h"
#include "say.h"
#include "vm.h"

#define EXPORT __attribute__((visibility("default")))

int ioctl(int fd, unsigned long request, ...);

/* The shim's own calls must not meet the shim. */
static _Thread_local bool inside;

static int result(int err)
{
	if (err >= 0)
		return err;
	errno = -err;
	return -1;
}

/* A signal handler that forks may do so while its thread has the lock. */
static void before_fork(void)
{
	if (!inside)
		vm_before_fork();
}

static void after_fork(void)
{
	if (!inside)
		vm_after_fork(false);
}

static void in_child(void)
{
	if (!inside)
		vm_after_fork(true);
}

__attribute__((constructor)) static void start(void)
{
	if (pthread_atfork(before_fork, after_fork, in_child))
		say("out of memory: children of the VMM must not touch its VMs");
}

static int set_region(int fd, unsigned long request, const void *arg)
{
	struct kvm_userspace_memory_region2 region = { 0 };
	int err;

	memcpy(&region, arg, request == KVM_SET_USER_MEMORY_REGION ?
	       sizeof(struct kvm_userspace_memory_region) : sizeof(region));
	err = vm_set_region(fd, &region);
	return err == VM_NOT_OURS ? next()->ioctl(fd, request, arg) : result(err);
}

static int check_extension(int fd, unsigned long capability)
{
	int ret = next()->ioctl(fd, KVM_CHECK_EXTENSION, capability);

	if (settings()->observe)
		return ret;
	switch (capability) {
	case KVM_CAP_NR_MEMSLOTS:
		return ret > 0 ? vm_visible_slots(ret) : ret;
	case KVM_CAP_DIRTY_LOG_RING:
	case KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
		/* nothing would go into that ring */
		return ret > 0 ? 0 : ret;
	}
	return ret;
}

static int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	switch (request) {
	case KVM_CREATE_VM:
		ret = next()->ioctl(fd, request, arg);
		if (ret >= 0)
			vm_created(ret);
		return ret;
	case KVM_CHECK_EXTENSION:
		return check_extension(fd, (unsigned long)arg);
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
		return set_region(fd, request, arg);
	case KVM_GET_DIRTY_LOG:
		ret = vm_dirty_log(fd, arg);
		break;
	case KVM_CLEAR_DIRTY_LOG:
		ret = vm_clear_dirty_log(fd, ((struct kvm_clear_dirty_log *)arg)->slot);
		break;
	default:
		return next()->ioctl(fd, request, arg);
	}
	return ret == VM_NOT_OURS ? next()->ioctl(fd, request, arg) : result(ret);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	bool outer = inside;
	void *arg;
	va_list ap;
	int ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	/* a signal handler must not find us inside while the guest runs */
	if (outer || request == KVM_RUN) {
		if (!outer) {
			inside = true;
			vm_starts();
			inside = false;
		}
		return next()->ioctl(fd, request, arg);
	}
	/* other than KVM's requests, which some pass as int */
	if (((request >> 8) & 0xff) != KVMIO)
		return next()->ioctl(fd, request, arg);
	inside = true;
	ret = kvm_ioctl(fd, (uint32_t)request, arg);
	inside = false;
	return ret;
}

/*
 * Around calls that take memory away: until the shim knows, no other thread may
 * register what the kernel puts at the same address.  false: no call of ours.
 */
static bool hold(void)
{
	if (inside)
		return false;
	inside = true;
	if (vm_hold_ranges())
		return true;
	inside = false;
	return false;
}

static void let_go(void)
{
	vm_let_ranges_go();
	inside = false;
}

static void gone(void *addr, size_t size, bool replaced)
{
	int error = errno;

	vm_range_gone((uintptr_t)addr, size, replaced);
	errno = error;
}

EXPORT void *mmap(void *addr, size_t size, int prot, int flags, int fd,
		  off_t offset)
{
	bool held = flags & MAP_FIXED && hold();
	void *ret = next()->mmap(addr, size, prot, flags, fd, offset);

	/* what nobody may look at is as good as nothing */
	if (held && ret != MAP_FAILED)
		gone(ret, size, prot != PROT_NONE);
	if (held)
		let_go();
	return ret;
}

/* off_t has 64 bits everywhere here. */
EXPORT void *mmap64(void *addr, size_t size, int prot, int flags, int fd,
		    off_t offset)
{
	return mmap(addr, size, prot, flags, fd, offset);
}

EXPORT int munmap(void *addr, size_t size)
{
	bool held = hold();
	int ret = next()->munmap(addr, size);

	if (held && !ret)
		gone(addr, size, false);
	if (held)
		let_go();
	return ret;
}

static void moved(char *from, size_t old_size, char *to, size_t new_size)
{
	if (to != from) {
		gone(from, old_size, false);
		gone(to, new_size, true);
	} else if (new_size < old_size) {
		gone(from + new_size, old_size - new_size, false);
	}
}

EXPORT void *mremap(void *addr, size_t old_size, size_t new_size, int flags, ...)
{
	bool held = hold();
	void *to, *ret;
	va_list ap;

	va_start(ap, flags);
	to = flags & MREMAP_FIXED ? va_arg(ap, void *) : NULL;
	va_end(ap);
	ret = next()->mremap(addr, old_size, new_size, flags, to);
	if (held && ret != MAP_FAILED)
		moved(addr, old_size, ret, new_size);
	if (held)
		let_go();
	return ret;
}

EXPORT int madvise(void *addr, size_t size, int advice)
{
	int ret = VM_NOT_OURS;

	if (!inside) {
		inside = true;
		ret = vm_advise((uintptr_t)addr, size, advice);
		inside = false;
	}
	return ret == VM_NOT_OURS ? next()->madvise(addr, size, advice) : result(ret);
}

EXPORT int close(int fd)
{
	if (!inside && fd >= 0) {
		inside = true;
		vm_closed(fd);
		inside = false;
	}
	return next()->close(fd);
}
