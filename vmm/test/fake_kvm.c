// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake_kvm.h"
#include "kvm_abi.h"
#include "page.h"

#define MAX_FILES 64
#define MAX_SLOTS 256

enum kind { SYSTEM, VM, VCPU, GMEM };

struct fake_file {
	enum kind kind;
	int fd;
	ino_t ino;
	/* of a VM: its own; of the others: the VM that they belong to */
	ino_t vm;
	uint64_t gmem_flags;
	size_t nr_slots;
	struct fake_slot slot[MAX_SLOTS];
};

struct fake_kvm_settings fake_kvm;
static struct fake_file *files[MAX_FILES];
static unsigned int runs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static struct fake_file *file_of(int fd)
{
	ino_t ino = inode_of(fd);

	for (int i = 0; ino && i < MAX_FILES; i++)
		if (files[i] && files[i]->ino == ino)
			return files[i];
	return NULL;
}

static struct fake_file *new_file(enum kind kind, int *ret_fd)
{
	static const char *const names[] = {
		"fake-kvm", "fake-kvm-vm", "fake-kvm-vcpu", "fake-gmem"
	};
	struct fake_file *file = calloc(1, sizeof(*file));
	int i;

	if (!file)
		abort();
	file->kind = kind;
	file->fd = memfd_create(names[kind], 0);
	file->ino = inode_of(file->fd);
	/* or one that was closed */
	for (i = 0; i < MAX_FILES && files[i] && inode_of(files[i]->fd) == files[i]->ino; i++)
		;
	if (i == MAX_FILES || file->fd < 0)
		abort();
	free(files[i]);
	files[i] = file;
	*ret_fd = file->fd;
	return file;
}

void fake_kvm_reset(void)
{
	for (int i = 0; i < MAX_FILES; i++) {
		free(files[i]);
		files[i] = NULL;
	}
	runs = 0;
	fake_kvm = (struct fake_kvm_settings){
		.api = 12,
		.gmem_flags = OFFMAP_GMEM_NEEDED,
		.max_slots = MAX_SLOTS,
	};
}

static int from_env(const char *name, int otherwise)
{
	const char *value = getenv(name);

	return value ? atoi(value) : otherwise;
}

/* If the double is preloaded into a program, the environment sets it up. */
__attribute__((constructor)) static void start(void)
{
	fake_kvm_reset();
	fake_kvm.gmem_flags = from_env("FAKE_KVM_GMEM_FLAGS", fake_kvm.gmem_flags);
	fake_kvm.open_error = from_env("FAKE_KVM_OPEN_ERROR", 0);
}

unsigned int fake_kvm_runs(void)
{
	return runs;
}

size_t fake_kvm_slots(int vm, const struct fake_slot **ret)
{
	struct fake_file *file = file_of(vm);

	*ret = file ? file->slot : NULL;
	return file ? file->nr_slots : 0;
}

static struct fake_slot *slot_by_id(struct fake_file *vm, uint32_t id)
{
	for (size_t i = 0; i < vm->nr_slots; i++)
		if (vm->slot[i].id == id)
			return &vm->slot[i];
	return NULL;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static bool overlap(uint64_t a, uint64_t b, uint64_t a_size, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* The checks of KVM's own kvm_set_memory_region(), in its order. */
static int check_region(struct fake_file *vm, const struct fake_slot *new,
			const struct fake_slot *old)
{
	uint32_t valid = KVM_MEM_LOG_DIRTY_PAGES;
	struct fake_file *gmem;

	if (new->flags & KVM_MEM_GUEST_MEMFD)
		valid = KVM_MEM_GUEST_MEMFD;
	else
		valid |= KVM_MEM_READONLY;
	if (new->flags & ~valid || (new->size | new->gpa | new->hva) & (page_bytes() - 1) ||
	    (new->id & 0xffff) >= (uint32_t)fake_kvm.max_slots)
		return EINVAL;
	if (new->id >> 16 > 1 || new->gpa + new->size < new->gpa)
		return EINVAL;
	if (!new->size)
		return old ? 0 : EINVAL;
	if (old) {
		if (new->flags & KVM_MEM_GUEST_MEMFD ||
		    old->flags & KVM_MEM_GUEST_MEMFD ||
		    old->hva != new->hva || old->size != new->size ||
		    (old->flags ^ new->flags) & KVM_MEM_READONLY)
			return EINVAL;
	}
	for (size_t i = 0; i < vm->nr_slots; i++) {
		const struct fake_slot *s = &vm->slot[i];

		if (s != old && s->id >> 16 == new->id >> 16 &&
		    overlap(s->gpa, new->gpa, s->size, new->size))
			return EEXIST;
	}
	if (!(new->flags & KVM_MEM_GUEST_MEMFD))
		return 0;
	gmem = file_of(new->gmem);
	if (!gmem)
		return fcntl(new->gmem, F_GETFD) < 0 ? EBADF : EINVAL;
	if (gmem->kind != GMEM || gmem->vm != vm->ino || new->gmem_offset & (page_bytes() - 1) ||
	    new->gmem_offset + new->size >
	    (uint64_t)lseek(new->gmem, 0, SEEK_END))
		return EINVAL;
	for (size_t i = 0; i < vm->nr_slots; i++) {
		const struct fake_slot *s = &vm->slot[i];

		if (s->flags & KVM_MEM_GUEST_MEMFD &&
		    file_of(s->gmem) == gmem &&
		    overlap(s->gmem_offset, new->gmem_offset, s->size, new->size))
			return EEXIST;
	}
	return 0;
}

static int set_region(struct fake_file *vm, const struct fake_slot *new)
{
	struct fake_slot *old = slot_by_id(vm, new->id);
	int error;

	if (fake_kvm.fail_region_in && !--fake_kvm.fail_region_in) {
		fake_kvm.fail_region_in = fake_kvm.fail_region_more > 0;
		fake_kvm.fail_region_more -= fake_kvm.fail_region_in;
		return fail(ENOMEM);
	}
	error = check_region(vm, new, old);
	if (error)
		return fail(error);
	if (old && !new->size)
		*old = vm->slot[--vm->nr_slots];
	else if (old)
		*old = *new;
	else if (vm->nr_slots == MAX_SLOTS)
		return fail(EINVAL);
	else
		vm->slot[vm->nr_slots++] = *new;
	return 0;
}

static int create_gmem(struct fake_file *vm,
		       const struct kvm_create_guest_memfd *create)
{
	struct fake_file *file;
	int fd;

	if (fake_kvm.create_gmem_error)
		return fail(fake_kvm.create_gmem_error);
	if (fake_kvm.gmem_flags < 0 ||
	    create->flags & ~(uint64_t)fake_kvm.gmem_flags || !create->size ||
	    create->size & (page_bytes() - 1))
		return fail(EINVAL);
	file = new_file(GMEM, &fd);
	file->vm = vm->ino;
	file->gmem_flags = create->flags;
	if (ftruncate(fd, create->size)) {
		close(fd);
		return fail(ENOMEM);
	}
	return fd;
}

static int check_extension(unsigned long cap)
{
	switch (cap) {
	case KVM_CAP_GUEST_MEMFD_FLAGS:
		return fake_kvm.gmem_flags < 0 ? fail(EINVAL) : fake_kvm.gmem_flags;
	case KVM_CAP_NR_MEMSLOTS:
		return fake_kvm.max_slots;
	case KVM_CAP_USER_MEMORY2:
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_READONLY_MEM:
		return 1;
	case KVM_CAP_DIRTY_LOG_RING:
	case KVM_CAP_X86_SMM:
		return 4096;
	}
	return 0;
}

static int system_ioctl(unsigned long request, unsigned long arg)
{
	struct fake_file *file;
	int fd;

	switch (request) {
	case KVM_GET_API_VERSION:
		return fake_kvm.api;
	case KVM_CHECK_EXTENSION:
		return check_extension(arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return 4096;
	case KVM_CREATE_VM:
		if (fake_kvm.create_vm_error)
			return fail(fake_kvm.create_vm_error);
		file = new_file(VM, &fd);
		file->vm = file->ino;
		return fd;
#ifdef __x86_64__
	case KVM_GET_SUPPORTED_CPUID: {
		struct kvm_cpuid2 *cpuid = (void *)arg;

		if (cpuid->nent < 2)
			return fail(E2BIG);
		cpuid->nent = 2;
		cpuid->entries[0] = (struct kvm_cpuid_entry2){ .function = 1, .eax = ~0U };
		cpuid->entries[1] = (struct kvm_cpuid_entry2){
			.function = 0x40000001, .eax = ~0U
		};
		return 0;
	}
#endif
	}
	return fail(ENOTTY);
}

static int vm_ioctl(struct fake_file *vm, unsigned long request,
		    unsigned long arg)
{
	struct fake_file *file;
	int fd;

	switch (request) {
	case KVM_CHECK_EXTENSION:
		return check_extension(arg);
	case KVM_CREATE_GUEST_MEMFD:
		return create_gmem(vm, (void *)arg);
	case KVM_SET_USER_MEMORY_REGION: {
		const struct kvm_userspace_memory_region *r = (void *)arg;

		return set_region(vm, &(struct fake_slot){
			r->slot, r->flags, r->guest_phys_addr, r->memory_size,
			r->userspace_addr, -1, 0 });
	}
	case KVM_SET_USER_MEMORY_REGION2: {
		const struct kvm_userspace_memory_region2 *r = (void *)arg;

		return set_region(vm, &(struct fake_slot){
			r->slot, r->flags, r->guest_phys_addr, r->memory_size,
			r->userspace_addr,
			r->flags & KVM_MEM_GUEST_MEMFD ? (int)r->guest_memfd : -1,
			r->guest_memfd_offset });
	}
	case KVM_CREATE_VCPU:
		file = new_file(VCPU, &fd);
		file->vm = vm->ino;
		return fd;
	case KVM_GET_DIRTY_LOG: {
		const struct kvm_dirty_log *log = (void *)arg;
		const struct fake_slot *slot = slot_by_id(vm, log->slot);

		if (!slot || !(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
			return fail(ENOENT);
		memset(log->dirty_bitmap, 0, slot->size / page_bytes() / 8);
		return 0;
	}
	case KVM_CLEAR_DIRTY_LOG:
		return 0;
	}
	return fail(ENOTTY);
}

static int vcpu_ioctl(unsigned long request, unsigned long arg)
{
	(void)arg;
	switch (request) {
	case KVM_RUN:
		runs++;
		return 0;
#ifdef __x86_64__
	case KVM_SET_CPUID2: {
		const struct kvm_cpuid2 *cpuid = (void *)arg;

		for (unsigned int i = 0; i < cpuid->nent; i++)
			if (cpuid->entries[i].function == 0x40000001 &&
			    cpuid->entries[i].eax & 1)
				return fail(ECANCELED);
		return 0;
	}
#endif
	}
	return fail(EINVAL);
}

static int any_ioctl(int fd, unsigned long request, unsigned long arg)
{
	struct fake_file *file = file_of(fd);

	if (file && file->kind == SYSTEM)
		return system_ioctl(request, arg);
	if (file && file->kind == VM)
		return vm_ioctl(file, request, arg);
	if (file && file->kind == VCPU)
		return vcpu_ioctl(request, arg);
	return syscall(SYS_ioctl, fd, request, arg);
}

int ioctl(int fd, unsigned long request, ...)
{
	unsigned long arg;
	va_list ap;
	int ret;

	va_start(ap, request);
	arg = va_arg(ap, unsigned long);
	va_end(ap);
	pthread_mutex_lock(&lock);
	ret = any_ioctl(fd, request, arg);
	pthread_mutex_unlock(&lock);
	return ret;
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;
	int fd;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (strcmp(path, "/dev/kvm"))
		return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fake_kvm.open_error)
		return fail(fake_kvm.open_error);
	new_file(SYSTEM, &fd);
	return fd;
}

const struct fake_slot *fake_kvm_slot_at(int vm, uint64_t gpa)
{
	struct fake_file *file = file_of(vm);

	for (size_t i = 0; file && i < file->nr_slots; i++) {
		const struct fake_slot *s = &file->slot[i];

		if (gpa >= s->gpa && gpa - s->gpa < s->size && s->id < 0x10000)
			return s;
	}
	return NULL;
}

/* Writes a byte to the guest, or reads one. */
static int guest_access(int vm, uint64_t gpa, uint8_t *byte, bool write)
{
	const struct fake_slot *s = fake_kvm_slot_at(vm, gpa);
	uint64_t at = s ? gpa - s->gpa : 0;
	uint8_t *mem = s ? (uint8_t *)(uintptr_t)(s->hva + at) : NULL;

	if (!s || (write && s->flags & KVM_MEM_READONLY))
		return -1;
	if (s->gmem < 0)
		*(write ? mem : byte) = *(write ? byte : mem);
	else if ((write ? pwrite(s->gmem, byte, 1, s->gmem_offset + at) :
		  pread(s->gmem, byte, 1, s->gmem_offset + at)) != 1)
		abort();
	return 0;
}

int fake_guest_read(int vm, uint64_t gpa, uint8_t *ret)
{
	int err;

	pthread_mutex_lock(&lock);
	err = guest_access(vm, gpa, ret, false);
	pthread_mutex_unlock(&lock);
	return err;
}

int fake_guest_write(int vm, uint64_t gpa, uint8_t value)
{
	int err;

	pthread_mutex_lock(&lock);
	err = guest_access(vm, gpa, &value, true);
	pthread_mutex_unlock(&lock);
	return err;
}
