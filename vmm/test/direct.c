// SPDX-License-Identifier: MIT
/*
 * The model in the process of its VMM, for tests.  The test is the VMM.  Its calls of
 * libc, which are linked before those of the double of KVM, go to the model.  In offmap
 * run the filter sends them there.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "direct.h"
#include "kvm_abi.h"
#include "model.h"
#include "ram.h"
#include "run.h"
#include "say.h"

#define EXPORT __attribute__((visibility("default")))

int ioctl(int fd, unsigned long request, ...);

/* The functions of libc, or of the double. */
static struct {
	int (*ioctl)(int fd, unsigned long request, ...);
	void *(*mmap)(void *addr, size_t size, int prot, int flags, int fd, off_t offset);
	int (*munmap)(void *addr, size_t size);
	void *(*mremap)(void *addr, size_t old_size, size_t new_size, int flags, ...);
	int (*madvise)(void *addr, size_t size, int advice);
	int (*close)(int fd);
} next;

static struct model model;
static bool permissive, runs;
/* the model's own calls must not go to the model */
static bool inside = true;

static void *find(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* The linker's --wrap lets these fail for the model. */
static void *model_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	return mmap(addr, size, prot, flags, fd, offset);
}

static long result_of(long ret)
{
	return ret == -1 ? -errno : ret;
}

static long direct_call(struct host *host, int vm, long nr, const uint64_t arg[6])
{
	void *addr = (void *)(uintptr_t)arg[0];
	int fd = vm >= 0 ? vm : (int)arg[0];

	(void)host;
	switch (nr) {
	case SYS_ioctl:
		return result_of(next.ioctl(fd, arg[1], (void *)(uintptr_t)arg[2]));
	case SYS_mmap:
		return result_of((long)model_mmap(addr, arg[1], arg[2], arg[3], arg[4], arg[5]));
	case SYS_munmap:
		return result_of(next.munmap(addr, arg[1]));
	case SYS_mremap:
		return result_of((long)next.mremap(addr, arg[1], arg[2], (int)arg[3],
						   (void *)(uintptr_t)arg[4]));
	case SYS_madvise:
		return result_of(next.madvise(addr, arg[1], arg[2]));
	case SYS_close:
		return result_of(next.close(fd));
	}
	return result_of(syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]));
}

static uint64_t direct_scratch(struct host *host, const void *data, size_t size)
{
	static uint8_t scratch[HOST_SCRATCH];

	(void)host;
	memcpy(scratch, data, size);
	return (uintptr_t)scratch;
}

static int direct_read(struct host *host, uint64_t addr, void *ret, size_t size)
{
	(void)host;
	memcpy(ret, (void *)(uintptr_t)addr, size);
	return 0;
}

static int direct_write(struct host *host, uint64_t addr, const void *data, size_t size)
{
	(void)host;
	memcpy((void *)(uintptr_t)addr, data, size);
	return 0;
}

static int direct_take(struct host *host, int fd)
{
	int taken = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	(void)host;
	return taken < 0 ? -errno : taken;
}

static int lend_fails_in;

static int direct_lend(struct host *host, int number, int fd, bool close_at_exec)
{
	(void)host;
	if (lend_fails_in && !--lend_fails_in)
		return -EMFILE;
	return dup3(fd, number, close_at_exec ? O_CLOEXEC : 0) < 0 ? -errno : 0;
}

static bool direct_runs(struct host *host)
{
	(void)host;
	return runs;
}

static struct host host = {
	.call = direct_call, .scratch = direct_scratch, .read = direct_read,
	.write = direct_write, .take = direct_take, .guest_runs = direct_runs,
};

__attribute__((constructor)) static void start(void)
{
	*(void **)&next.ioctl = find("ioctl");
	*(void **)&next.mmap = find("mmap");
	*(void **)&next.munmap = find("munmap");
	*(void **)&next.mremap = find("mremap");
	*(void **)&next.madvise = find("madvise");
	*(void **)&next.close = find("close");
	inside = false;
}

void direct_start(bool be_permissive)
{
	inside = true;
	if (model.host)
		model_forget_all(&model);
	permissive = be_permissive;
	runs = false;
	host.pid = host.vmm = getpid();
	host.borrow = NULL;
	host.lend = NULL;
	host.huge = false;
	model = (struct model){ .host = &host, .permissive = permissive };
	inside = false;
}

void direct_share(int fails_at)
{
	host.borrow = direct_take;
	host.lend = direct_lend;
	lend_fails_in = fails_at;
}

void direct_huge(void)
{
	host.huge = true;
}

static int result(int err)
{
	if (err >= 0)
		return err;
	errno = -err;
	return -1;
}

/* The actions of a supervisor on the VMM. */
static void stop_if_stopped(void)
{
	if (model.stopped)
		_exit(EXIT_STOPPED);
}

static int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	struct kvm_userspace_memory_region2 region = { 0 };
	int ret;

	switch (request) {
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
		memcpy(&region, arg, request == KVM_SET_USER_MEMORY_REGION ?
		       sizeof(struct kvm_userspace_memory_region) : sizeof(region));
		ret = model_set_region(&model, fd, &region);
		stop_if_stopped();
		break;
	case KVM_CHECK_EXTENSION:
		return model_capability((uintptr_t)arg, next.ioctl(fd, request, arg));
	case KVM_GET_DIRTY_LOG:
		ret = model_dirty_log(&model, fd, arg);
		break;
	case KVM_CLEAR_DIRTY_LOG:
		ret = model_clear_dirty_log(&model, fd, ((struct kvm_clear_dirty_log *)arg)->slot);
		break;
	default:
		ret = MODEL_NOT_OURS;
	}
	return ret == MODEL_NOT_OURS ? next.ioctl(fd, request, arg) : result(ret);
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
	runs |= request == KVM_RUN;
	if (outer || !model.host || ((request >> 8) & 0xff) != KVMIO)
		return next.ioctl(fd, request, arg);
	inside = true;
	ret = kvm_ioctl(fd, (uint32_t)request, arg);
	inside = false;
	return ret;
}

static void gone(void *addr, size_t size, bool replaced)
{
	int error = errno;

	inside = true;
	model_range_gone(&model, (uintptr_t)addr, size, replaced);
	inside = false;
	stop_if_stopped();
	errno = error;
}

EXPORT void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *ret = next.mmap ? next.mmap(addr, size, prot, flags, fd, offset) :
		    (void *)syscall(SYS_mmap, addr, size, prot, flags, fd, offset);

	/* memory that may not be accessed counts as unmapped */
	if (!inside && flags & MAP_FIXED && ret != MAP_FAILED)
		gone(ret, size, prot != PROT_NONE);
	return ret;
}

/* off_t has 64 bits everywhere here. */
EXPORT void *mmap64(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	return mmap(addr, size, prot, flags, fd, offset);
}

EXPORT int munmap(void *addr, size_t size)
{
	int ret = next.munmap ? next.munmap(addr, size) : (int)syscall(SYS_munmap, addr, size);

	if (!inside && !ret)
		gone(addr, size, false);
	return ret;
}

EXPORT void *mremap(void *addr, size_t old_size, size_t new_size, int flags, ...)
{
	char *from = addr, *to;
	va_list ap;

	va_start(ap, flags);
	to = flags & MREMAP_FIXED ? va_arg(ap, void *) : NULL;
	va_end(ap);
	to = next.mremap(addr, old_size, new_size, flags, to);
	if (inside || to == MAP_FAILED)
		return to;
	if (to != from) {
		gone(from, old_size, false);
		gone(to, new_size, true);
	} else if (new_size < old_size) {
		gone(from + new_size, old_size - new_size, false);
	}
	return to;
}

EXPORT int madvise(void *addr, size_t size, int advice)
{
	int ret = MODEL_NOT_OURS;

	if (!inside && model.host) {
		inside = true;
		ret = model_advise(&model, (uintptr_t)addr, size, advice);
		inside = false;
	}
	return ret == MODEL_NOT_OURS ? next.madvise(addr, size, advice) : result(ret);
}

EXPORT int close(int fd)
{
	struct vm *vm = inside || !model.host ? NULL : model_vm(&model, fd);

	if (vm) {
		inside = true;
		model_forget_vm(&model, vm);
		inside = false;
	}
	return next.close ? next.close(fd) : (int)syscall(SYS_close, fd);
}
