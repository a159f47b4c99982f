// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"
#include "kvm_abi.h"

#define KVM_API 12

static const char *const reasons[] = {
	[OFFMAP_REASON_NONE] = "memory can be kept out of the direct map",
	[OFFMAP_REASON_NO_KVM] = "there is no /dev/kvm: the kernel lacks KVM, or the CPU virtualisation",
	[OFFMAP_REASON_KVM_DENIED] = "/dev/kvm may not be opened: the user has to be in its group",
	[OFFMAP_REASON_KVM_FAILS] = "/dev/kvm cannot be opened",
	[OFFMAP_REASON_KVM_API] = "the API of this KVM is not version 12",
	[OFFMAP_REASON_NO_VM] = "KVM cannot create a VM",
	[OFFMAP_REASON_NO_GUEST_MEMFD] = "this VM cannot have guest_memfd that can be mapped: the kernel or the type of the VM lacks it",
	[OFFMAP_REASON_NO_FLAG] = "guest_memfd has no GUEST_MEMFD_FLAG_NO_DIRECT_MAP here: the kernel lacks the series, or cannot do it on this machine",
};

uint32_t offmap_version(void)
{
	return OFFMAP_VERSION_MAJOR << 16 | OFFMAP_VERSION_MINOR;
}

const char *offmap_reason(uint32_t reason)
{
	if (reason >= sizeof(reasons) / sizeof(reasons[0]))
		return "for a reason that this version does not know";
	return reasons[reason];
}

int64_t gmem_flags_of(int vm)
{
	int flags = ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD_FLAGS);

	return flags < 0 ? -errno : flags;
}

static void refuse(struct offmap_support *support, enum offmap_reason reason,
		   int error)
{
	support->reason = reason;
	support->error = error;
}

static int probe_vm(int vm, struct offmap_support *support)
{
	int slots = ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
	int64_t flags = gmem_flags_of(vm);

	/* every VM has this capability; a vCPU returns EINVAL */
	if (slots < 0)
		return errno == EINVAL ? -ENOTTY : -errno;
	support->max_slots = slots;
	if (flags < 0) {
		refuse(support, OFFMAP_REASON_NO_GUEST_MEMFD, -flags);
		return 0;
	}
	support->guest_memfd_flags = flags;
	if ((flags & OFFMAP_GMEM_SHARED) != OFFMAP_GMEM_SHARED) {
		refuse(support, OFFMAP_REASON_NO_GUEST_MEMFD, 0);
		return 0;
	}
	if (!(flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP)) {
		refuse(support, OFFMAP_REASON_NO_FLAG, 0);
		return 0;
	}
	support->features = OFFMAP_CAN_PROTECT;
	if (flags & GUEST_MEMFD_FLAG_WRITE)
		support->features |= OFFMAP_CAN_WRITE;
	if (flags & GUEST_MEMFD_FLAG_ALLOW_HUGE)
		support->features |= OFFMAP_CAN_HUGE;
	return 0;
}

/* /dev/kvm tells what the kernel has; only a VM tells what it can use. */
static int probe_system(int kvm, int api, struct offmap_support *support)
{
	int vm, err;

	if (api != KVM_API) {
		refuse(support, OFFMAP_REASON_KVM_API, 0);
		return 0;
	}
	do {
		vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	} while (vm < 0 && errno == EINTR);
	if (vm < 0) {
		refuse(support, OFFMAP_REASON_NO_VM, errno);
		return 0;
	}
	err = probe_vm(vm, support);
	close(vm);
	return err;
}

static int probe_machine(struct offmap_support *support)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int api, err;

	if (kvm < 0) {
		switch (errno) {
		case ENOENT:
		case ENODEV:
		case ENXIO:
			refuse(support, OFFMAP_REASON_NO_KVM, errno);
			break;
		case EACCES:
		case EPERM:
			refuse(support, OFFMAP_REASON_KVM_DENIED, errno);
			break;
		default:
			refuse(support, OFFMAP_REASON_KVM_FAILS, errno);
		}
		return 0;
	}
	api = ioctl(kvm, KVM_GET_API_VERSION, 0UL);
	if (api < 0) {
		refuse(support, OFFMAP_REASON_NO_KVM, errno);
		err = 0;
	} else {
		err = probe_system(kvm, api, support);
	}
	close(kvm);
	return err;
}

int offmap_probe(int kvm, struct offmap_support *ret_support)
{
	struct offmap_support support = { 0 };
	int api, err;

	if (!ret_support)
		return -EINVAL;
	if (kvm == -1) {
		err = probe_machine(&support);
	} else {
		api = ioctl(kvm, KVM_GET_API_VERSION, 0UL);
		if (api >= 0)
			err = probe_system(kvm, api, &support);
		else if (errno == EBADF)
			err = -EBADF;
		else
			err = probe_vm(kvm, &support);
	}
	if (!err)
		*ret_support = support;
	return err;
}
