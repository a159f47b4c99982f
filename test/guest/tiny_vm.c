// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "huge.h"
#include "page.h"
#include "tiny_vm.h"
#include "tiny_vm_arch.h"

#define PAGE page_bytes()
int tiny_vm_fail(struct tiny_vm *vm, const char *step)
{
	int err = errno;

	vm->step = step;
	return err ? -err : -EIO;
}

static int open_vm(struct tiny_vm *vm)
{
	bool private = !(vm->flags & (GUEST_MEMFD_FLAG_MMAP | TINY_VM_THP));
	unsigned long type = private ? TINY_VM_PRIVATE_TYPE : 0;
	int known;

	if (private && !TINY_VM_HAS_ATTRIBUTES) {
		vm->step = "memory that cannot be mapped, which only x86 has";
		return -EOPNOTSUPP;
	}
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return tiny_vm_fail(vm, "open /dev/kvm");
	vm->vm = ioctl(vm->kvm, KVM_CREATE_VM, type);
	if (vm->vm < 0)
		return tiny_vm_fail(vm, "KVM_CREATE_VM");
	known = ioctl(vm->vm, KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD_FLAGS);
	if (known < 0)
		return tiny_vm_fail(vm, "KVM_CHECK_EXTENSION");
	if (vm->flags & ~(known | TINY_VM_THP)) {
		vm->step = "flags that KVM_CAP_GUEST_MEMFD_FLAGS advertises";
		return -EOPNOTSUPP;
	}
	return 0;
}

static int set_region(struct tiny_vm *vm, uint32_t slot, uint64_t gpa,
		      void *mem, uint64_t size, int gmem)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = gmem < 0 ? 0 : KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem,
		.guest_memfd = gmem < 0 ? 0 : gmem,
	};

	if (ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION2, &region))
		return tiny_vm_fail(vm, "KVM_SET_USER_MEMORY_REGION2");
	return 0;
}

static void *map(uint64_t size, int fd)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED,
			 fd, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

static void *map_gmem(const struct tiny_vm *vm)
{
	void *mem;

	if (!(vm->flags & GUEST_MEMFD_FLAG_ALLOW_HUGE))
		return map(vm->size, vm->gmem);
	mem = huge_map(vm->gmem, 0, vm->size, PROT_READ | PROT_WRITE);
	return mem == MAP_FAILED ? NULL : mem;
}

static int add_thp(struct tiny_vm *vm)
{
	vm->mem = map(vm->size, -1);
	if (!vm->mem)
		return tiny_vm_fail(vm, "mmap of anonymous memory");
	if (madvise(vm->mem, vm->size, MADV_HUGEPAGE)) {
		vm->step = "transparent huge pages";
		return -EOPNOTSUPP;
	}
	return set_region(vm, 1, TINY_VM_GPA, vm->mem, vm->size, -1);
}

static int add_memory(struct tiny_vm *vm)
{
	struct kvm_create_guest_memfd gmem = {
		.size = vm->size,
		.flags = vm->flags,
	};
	struct kvm_memory_attributes attributes = {
		.address = TINY_VM_GPA,
		.size = vm->size,
		.attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE,
	};
	int err;

	if (vm->flags & TINY_VM_THP)
		return add_thp(vm);
	vm->gmem = ioctl(vm->vm, KVM_CREATE_GUEST_MEMFD, &gmem);
	if (vm->gmem < 0)
		return tiny_vm_fail(vm, "KVM_CREATE_GUEST_MEMFD");
	if (vm->flags & GUEST_MEMFD_FLAG_MMAP) {
		vm->mem = map_gmem(vm);
		if (!vm->mem)
			return tiny_vm_fail(vm, "mmap of guest_memfd");
	}
	err = set_region(vm, 1, TINY_VM_GPA, vm->mem, vm->size, vm->gmem);
	if (err || vm->mem || !TINY_VM_HAS_ATTRIBUTES)
		return err;
	if (ioctl(vm->vm, KVM_SET_MEMORY_ATTRIBUTES, &attributes))
		return tiny_vm_fail(vm, "KVM_SET_MEMORY_ATTRIBUTES");
	return 0;
}

static int add_code(struct tiny_vm *vm)
{
	vm->code = map(PAGE, -1);
	if (!vm->code)
		return tiny_vm_fail(vm, "mmap of the code page");
	memcpy(vm->code, tiny_vm_code, tiny_vm_code_size);
	return set_region(vm, 0, TINY_VM_CODE_GPA, vm->code, PAGE, -1);
}

static int add_vcpu(struct tiny_vm *vm)
{
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	vm->vcpu = ioctl(vm->vm, KVM_CREATE_VCPU, 0);
	if (size < 0 || vm->vcpu < 0)
		return tiny_vm_fail(vm, "KVM_CREATE_VCPU");
	vm->run = map(size, vm->vcpu);
	if (!vm->run)
		return tiny_vm_fail(vm, "mmap of the vCPU");
	vm->run_size = size;
	return tiny_vm_init_vcpu(vm);
}

int tiny_vm_create(struct tiny_vm *vm, uint64_t flags, uint64_t size)
{
	int err;

	*vm = (struct tiny_vm){
		.kvm = -1,
		.vm = -1,
		.vcpu = -1,
		.gmem = -1,
		.flags = flags,
		.size = size,
		.step = "nothing",
	};
	err = open_vm(vm);
	if (!err)
		err = add_memory(vm);
	if (!err)
		err = add_code(vm);
	if (!err)
		err = add_vcpu(vm);
	return err;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void tiny_vm_unmap(void *mem, uint64_t size)
{
	int err;

	do {
		err = mem ? munmap(mem, size) : 0;
	} while (err && errno == ENOMEM);
}

void tiny_vm_destroy(struct tiny_vm *vm)
{
	tiny_vm_unmap(vm->run, vm->run_size);
	tiny_vm_unmap(vm->code, PAGE);
	tiny_vm_unmap(vm->mem, vm->size);
	close_if_open(vm->vcpu);
	close_if_open(vm->gmem);
	close_if_open(vm->vm);
	close_if_open(vm->kvm);
	*vm = (struct tiny_vm){ -1, -1, -1, -1, .step = "destroyed" };
}

/* Runs to the end of the code, past other exits. */
int tiny_vm_run(struct tiny_vm *vm, uint32_t exit_reason)
{
	int err;

	do {
		err = ioctl(vm->vcpu, KVM_RUN, 0);
	} while (err && errno == EINTR);
	if (err)
		return tiny_vm_fail(vm, "KVM_RUN");
	if (vm->run->exit_reason != exit_reason) {
		vm->step = "a guest that ends as it should";
		return -EPROTO;
	}
	return 0;
}

int tiny_vm_plant(struct tiny_vm *vm, const struct secret *secret,
		  uint64_t offset)
{
	memcpy(vm->code + TINY_VM_A_OFFSET, secret->a, SECRET_BYTES);
	memcpy(vm->code + TINY_VM_B_OFFSET, secret->b, SECRET_BYTES);
	return tiny_vm_run_plant(vm, offset);
}
