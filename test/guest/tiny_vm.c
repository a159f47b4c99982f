// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tiny_vm.h"

#define PAGE 4096UL
#define CODE_GPA TINY_VM_CODE_GPA
#define A_OFFSET 0x100
#define B_OFFSET 0x180

/* ds:si is a, ds:di is b, es:bx is where the secret goes. */
static const uint8_t guest_code[] = {
	0xb9, 0x08, 0x00,		/*	mov cx, 8 */
	0x66, 0x8b, 0x04,		/* 1:	mov eax, [si] */
	0x66, 0x33, 0x05,		/*	xor eax, [di] */
	0x26, 0x66, 0x89, 0x07,		/*	mov es:[bx], eax */
	0x83, 0xc6, 0x04,		/*	add si, 4 */
	0x83, 0xc7, 0x04,		/*	add di, 4 */
	0x83, 0xc3, 0x04,		/*	add bx, 4 */
	0xe2, 0xeb,			/*	loop 1b */
	0x66, 0x31, 0xc0,		/*	xor eax, eax */
	0xf4,				/*	hlt */
};

static int fail(struct tiny_vm *vm, const char *step)
{
	int err = errno;

	vm->step = step;
	return err ? -err : -EIO;
}

static int open_vm(struct tiny_vm *vm)
{
	unsigned long type = vm->flags & GUEST_MEMFD_FLAG_MMAP ?
			     0 : KVM_X86_SW_PROTECTED_VM;
	int known;

	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return fail(vm, "open /dev/kvm");
	vm->vm = ioctl(vm->kvm, KVM_CREATE_VM, type);
	if (vm->vm < 0)
		return fail(vm, "KVM_CREATE_VM");
	known = ioctl(vm->vm, KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD_FLAGS);
	if (known < 0)
		return fail(vm, "KVM_CHECK_EXTENSION");
	if (vm->flags & ~(uint64_t)known) {
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
		return fail(vm, "KVM_SET_USER_MEMORY_REGION2");
	return 0;
}

static void *map(uint64_t size, int fd)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED,
			 fd, 0);

	return mem == MAP_FAILED ? NULL : mem;
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

	vm->gmem = ioctl(vm->vm, KVM_CREATE_GUEST_MEMFD, &gmem);
	if (vm->gmem < 0)
		return fail(vm, "KVM_CREATE_GUEST_MEMFD");
	if (vm->flags & GUEST_MEMFD_FLAG_MMAP) {
		vm->mem = map(vm->size, vm->gmem);
		if (!vm->mem)
			return fail(vm, "mmap of guest_memfd");
	}
	err = set_region(vm, 1, TINY_VM_GPA, vm->mem, vm->size, vm->gmem);
	if (err || vm->mem)
		return err;
	if (ioctl(vm->vm, KVM_SET_MEMORY_ATTRIBUTES, &attributes))
		return fail(vm, "KVM_SET_MEMORY_ATTRIBUTES");
	return 0;
}

static int add_code(struct tiny_vm *vm)
{
	vm->code = map(PAGE, -1);
	if (!vm->code)
		return fail(vm, "mmap of the code page");
	memcpy(vm->code, guest_code, sizeof(guest_code));
	return set_region(vm, 0, CODE_GPA, vm->code, PAGE, -1);
}

static int add_vcpu(struct tiny_vm *vm)
{
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	vm->vcpu = ioctl(vm->vm, KVM_CREATE_VCPU, 0);
	if (size < 0 || vm->vcpu < 0)
		return fail(vm, "KVM_CREATE_VCPU");
	vm->run = map(size, vm->vcpu);
	if (!vm->run)
		return fail(vm, "mmap of the vCPU");
	vm->run_size = size;
	return 0;
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

void tiny_vm_destroy(struct tiny_vm *vm)
{
	if (vm->run)
		munmap(vm->run, vm->run_size);
	if (vm->code)
		munmap(vm->code, PAGE);
	if (vm->mem)
		munmap(vm->mem, vm->size);
	close_if_open(vm->vcpu);
	close_if_open(vm->gmem);
	close_if_open(vm->vm);
	close_if_open(vm->kvm);
	*vm = (struct tiny_vm){ -1, -1, -1, -1, .step = "destroyed" };
}

static int set_registers(struct tiny_vm *vm, uint64_t offset)
{
	struct kvm_regs regs = {
		.rip = CODE_GPA,
		.rflags = 2,
		.rsi = CODE_GPA + A_OFFSET,
		.rdi = CODE_GPA + B_OFFSET,
		.rbx = offset % PAGE,
	};
	struct kvm_sregs sregs;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		return fail(vm, "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.es.base = TINY_VM_GPA + offset / PAGE * PAGE;
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(vm->vcpu, KVM_SET_REGS, &regs))
		return fail(vm, "KVM_SET_REGS");
	return 0;
}

int tiny_vm_plant(struct tiny_vm *vm, const struct secret *secret,
		  uint64_t offset)
{
	int err = set_registers(vm, offset);

	if (err)
		return err;
	memcpy(vm->code + A_OFFSET, secret->a, SECRET_BYTES);
	memcpy(vm->code + B_OFFSET, secret->b, SECRET_BYTES);
	do {
		err = ioctl(vm->vcpu, KVM_RUN, 0);
	} while (err && errno == EINTR);
	if (err)
		return fail(vm, "KVM_RUN");
	if (vm->run->exit_reason != KVM_EXIT_HLT) {
		vm->step = "a guest that halts";
		return -EPROTO;
	}
	return 0;
}

int tiny_vm_populate(struct tiny_vm *vm)
{
	struct kvm_pre_fault_memory range = {
		.gpa = TINY_VM_GPA,
		.size = vm->size,
	};

	while (range.size)
		if (ioctl(vm->vcpu, KVM_PRE_FAULT_MEMORY, &range) &&
		    errno != EINTR && errno != EAGAIN)
			return fail(vm, "KVM_PRE_FAULT_MEMORY");
	return 0;
}
