// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests on guest_memfd memory created with GUEST_MEMFD_FLAG_NO_DIRECT_MAP: it
 * is ordinary memory for the guest, and for KVM, which emulates instructions
 * and walks page tables in it through the mapping of userspace.  Everything is
 * done on plain guest_memfd memory, too.
 */
#include <errno.h>
#include <string.h>

#include <linux/falloc.h>
#include <linux/sizes.h>

#include "kvm_syscalls.h"
#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"

#define GMEM_SHARED	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)

#define DATA_SLOT	1
#define DATA_GPA	((gpa_t)SZ_4G)
#define DATA_NPAGES	16
#define MMIO_GPA	((gpa_t)0xc0000000)

/*
 * All memory of the VM, i.e. code, stacks and page tables too, is of the kind
 * under test.
 */
FIXTURE(guest) {
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	size_t size;
	u64 *data;
	int fd;
};

FIXTURE_VARIANT(guest) {
	enum vm_mem_backing_src_type src_type;
	u64 flags;
};

FIXTURE_VARIANT_ADD(guest, plain) {
	.src_type = VM_MEM_SRC_GUEST_MEMFD,
	.flags = GMEM_SHARED,
};

FIXTURE_VARIANT_ADD(guest, no_direct_map) {
	.src_type = VM_MEM_SRC_GUEST_MEMFD_NO_DIRECT_MAP,
	.flags = GMEM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP,
};

static struct kvm_vm *create_guest(enum vm_mem_backing_src_type src_type,
				   struct kvm_vcpu **vcpu)
{
	const struct vm_shape shape = {
		.mode = VM_MODE_DEFAULT,
		.type = VM_TYPE_DEFAULT,
		.src_type = src_type,
	};
	struct kvm_vm *vm;

	vm = vm_create_shape_with_one_vcpu(shape, vcpu, NULL);
	vm_userspace_mem_region_add(vm, src_type, DATA_GPA, DATA_SLOT, DATA_NPAGES, 0);
	virt_map(vm, DATA_GPA, DATA_GPA, DATA_NPAGES);
	return vm;
}

FIXTURE_SETUP(guest)
{
	self->vm = create_guest(variant->src_type, &self->vcpu);
	self->size = DATA_NPAGES * self->vm->page_size;
	self->data = addr_gpa2hva(self->vm, DATA_GPA);
	self->fd = memslot2region(self->vm, DATA_SLOT)->region.guest_memfd;
}

FIXTURE_TEARDOWN(guest)
{
	kvm_vm_free(self->vm);
}

static void run_until_done(struct kvm_vcpu *vcpu, void *code)
{
	struct ucall uc;

	vcpu_arch_set_entry_point(vcpu, code);
	vcpu_run(vcpu);
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_DONE:
		break;
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
		break;
	default:
		TEST_FAIL("Unexpected exit: %s", exit_reason_str(vcpu->run->exit_reason));
	}
}

/* Find each word to be @old plus its index, and leave @new plus its index. */
static void guest_replace(u64 *mem, u64 size, u64 old, u64 new)
{
	u64 i;

	for (i = 0; i < size / sizeof(*mem); i++) {
		GUEST_ASSERT_EQ(mem[i], old + i);
		mem[i] = new + i;
	}
	GUEST_DONE();
}

static void guest_expect_zero(u64 *mem, u64 size)
{
	u64 i;

	for (i = 0; i < size / sizeof(*mem); i++)
		GUEST_ASSERT_EQ(mem[i], 0);
	GUEST_DONE();
}

static void fill_words(u64 *mem, size_t size, u64 val)
{
	size_t i;

	for (i = 0; i < size / sizeof(*mem); i++)
		mem[i] = val + i;
}

static bool words_are(const u64 *mem, size_t size, u64 val)
{
	size_t i;

	for (i = 0; i < size / sizeof(*mem); i++) {
		if (READ_ONCE(mem[i]) != val + i)
			return false;
	}
	return true;
}

static bool is_zero(const u64 *mem, size_t size)
{
	size_t i;

	for (i = 0; i < size / sizeof(*mem); i++) {
		if (READ_ONCE(mem[i]))
			return false;
	}
	return true;
}

static void punch_hole(int fd, size_t size)
{
	kvm_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size);
}

static void guest_swap(struct kvm_vcpu *vcpu, size_t size, u64 old, u64 new)
{
	vcpu_args_set(vcpu, 4, DATA_GPA, size, old, new);
	run_until_done(vcpu, guest_replace);
}

TEST_F(guest, and_host_see_what_the_other_wrote)
{
	fill_words(self->data, self->size, 0x1000);
	guest_swap(self->vcpu, self->size, 0x1000, 0x2000);
	EXPECT_TRUE(words_are(self->data, self->size, 0x2000));
}

TEST_F(guest, reads_zero_where_nobody_wrote)
{
	vcpu_args_set(self->vcpu, 2, DATA_GPA, self->size);
	run_until_done(self->vcpu, guest_expect_zero);
	EXPECT_TRUE(is_zero(self->data, self->size));
}

TEST_F(guest, reads_zero_from_a_punched_hole)
{
	fill_words(self->data, self->size, 0x1000);
	guest_swap(self->vcpu, self->size, 0x1000, 0x2000);

	punch_hole(self->fd, self->size);
	vcpu_args_set(self->vcpu, 2, DATA_GPA, self->size);
	run_until_done(self->vcpu, guest_expect_zero);
}

TEST_F(guest, keeps_its_memory_when_the_slot_is_recreated)
{
	fill_words(self->data, self->size, 0x1000);
	guest_swap(self->vcpu, self->size, 0x1000, 0x2000);
	vm_mem_region_reload(self->vm, DATA_SLOT);
	guest_swap(self->vcpu, self->size, 0x2000, 0x3000);
	EXPECT_TRUE(words_are(self->data, self->size, 0x3000));
}

TEST_F(guest, finds_prefaulted_memory_zeroed)
{
	struct kvm_pre_fault_memory range = {
		.gpa = DATA_GPA,
		.size = self->size,
	};
	int ret;

	if (!kvm_has_cap(KVM_CAP_PRE_FAULT_MEMORY))
		SKIP(return, "KVM_PRE_FAULT_MEMORY is not available");

	do {
		ret = __vcpu_ioctl(self->vcpu, KVM_PRE_FAULT_MEMORY, &range);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));

	ASSERT_EQ(0, ret);
	EXPECT_EQ(0, range.size);
	EXPECT_TRUE(is_zero(self->data, self->size));
	vcpu_args_set(self->vcpu, 2, DATA_GPA, self->size);
	run_until_done(self->vcpu, guest_expect_zero);
}

/* Without KVM_MEM_GUEST_MEMFD, KVM takes hold of the pages that are mapped. */
TEST_F(guest, needs_the_file_bound_to_the_slot)
{
	vm_mem_region_delete(self->vm, DATA_SLOT);
	self->fd = vm_create_guest_memfd(self->vm, self->size, variant->flags);
	self->data = kvm_mmap(self->size, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd);
	vm_set_user_memory_region(self->vm, DATA_SLOT, 0, DATA_GPA, self->size, self->data);

	vcpu_args_set(self->vcpu, 2, DATA_GPA, self->size);
	if (variant->flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP) {
		vcpu_arch_set_entry_point(self->vcpu, guest_expect_zero);
		EXPECT_EQ(-1, _vcpu_run(self->vcpu));
		EXPECT_EQ(EFAULT, errno);
	} else {
		run_until_done(self->vcpu, guest_expect_zero);
	}

	vm_set_user_memory_region(self->vm, DATA_SLOT, 0, DATA_GPA, 0, NULL);
	kvm_munmap(self->data, self->size);
	kvm_close(self->fd);
}

static void *run_thread(void *vcpu)
{
	run_until_done(vcpu, guest_replace);
	return NULL;
}

TEST_F(guest, runs_beside_another_one)
{
	struct kvm_vcpu *vcpus[2] = { self->vcpu };
	pthread_t threads[2];
	struct kvm_vm *other;
	u64 *other_data;
	int i;

	other = create_guest(variant->src_type, &vcpus[1]);
	other_data = addr_gpa2hva(other, DATA_GPA);
	fill_words(self->data, self->size, 0x1000);
	fill_words(other_data, self->size, 0x2000);

	vcpu_args_set(vcpus[0], 4, DATA_GPA, self->size, 0x1000, 0x3000);
	vcpu_args_set(vcpus[1], 4, DATA_GPA, self->size, 0x2000, 0x4000);
	for (i = 0; i < 2; i++)
		kvm_pthread_create(&threads[i], NULL, run_thread, vcpus[i]);
	for (i = 0; i < 2; i++)
		kvm_pthread_join(threads[i], NULL);

	EXPECT_TRUE(words_are(self->data, self->size, 0x3000));
	EXPECT_TRUE(words_are(other_data, self->size, 0x4000));
	kvm_vm_free(other);

	guest_swap(self->vcpu, self->size, 0x3000, 0x5000);
	EXPECT_TRUE(words_are(self->data, self->size, 0x5000));
}

#ifdef __x86_64__
#define TEST_PORT	0x600
#define MMIO_READ_VAL	0x1122334455667788ull
#define MMIO_WRITE_VAL	0x8877665544332211ull

TEST_F(guest, page_tables_are_walked_by_kvm)
{
	struct kvm_translation tr = { .linear_address = DATA_GPA + 0x123 };

	vcpu_ioctl(self->vcpu, KVM_TRANSLATE, &tr);
	EXPECT_TRUE(tr.valid);
	EXPECT_EQ(DATA_GPA + 0x123, tr.physical_address);

	tr.linear_address = MMIO_GPA;
	vcpu_ioctl(self->vcpu, KVM_TRANSLATE, &tr);
	EXPECT_FALSE(tr.valid);
}

static void movsq(void *to, void *from)
{
	asm volatile("movsq" : "+D"(to), "+S"(from) :: "memory");
}

static void guest_mmio(u64 *mmio, u64 *mem)
{
	WRITE_ONCE(mmio[0], MMIO_WRITE_VAL);
	GUEST_ASSERT_EQ(READ_ONCE(mmio[1]), MMIO_READ_VAL);

	/* For these KVM accesses guest memory itself, at both ends of a page. */
	movsq(&mmio[2], &mem[0]);
	movsq(&mem[511], &mmio[3]);
	GUEST_DONE();
}

/* Run up to the access @idx, and return where its data is. */
static u64 *run_until_mmio(struct kvm_vcpu *vcpu, int idx, bool is_write)
{
	struct kvm_run *run = vcpu->run;

	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_MMIO);
	TEST_ASSERT_EQ(run->mmio.phys_addr, MMIO_GPA + idx * sizeof(u64));
	TEST_ASSERT_EQ(run->mmio.is_write, is_write);
	TEST_ASSERT_EQ(run->mmio.len, sizeof(u64));
	return (u64 *)run->mmio.data;
}

/* KVM fetches the instruction and walks the page tables to emulate it. */
TEST_F(guest, mmio_is_emulated)
{
	struct kvm_vcpu *vcpu = self->vcpu;

	virt_pg_map(self->vm, MMIO_GPA, MMIO_GPA);
	vcpu_args_set(vcpu, 2, MMIO_GPA, DATA_GPA);
	vcpu_arch_set_entry_point(vcpu, guest_mmio);
	self->data[0] = MMIO_WRITE_VAL + 1;

	EXPECT_EQ(MMIO_WRITE_VAL, *run_until_mmio(vcpu, 0, true));
	*run_until_mmio(vcpu, 1, false) = MMIO_READ_VAL;
	EXPECT_EQ(MMIO_WRITE_VAL + 1, *run_until_mmio(vcpu, 2, true));
	*run_until_mmio(vcpu, 3, false) = MMIO_READ_VAL + 1;

	vcpu_run(vcpu);
	EXPECT_EQ(UCALL_DONE, get_ucall(vcpu, NULL));
	EXPECT_EQ(MMIO_READ_VAL + 1, self->data[511]);
}

static void guest_string_io(u64 *mem)
{
	asm volatile("outsl" : "+S"(mem) : "d"(TEST_PORT) : "memory");
	GUEST_DONE();
}

/*
 * The port access exits before the CPU touches the string.  So KVM has to walk the
 * page tables for it, and to set the accessed bit.
 */
TEST_F(guest, accessed_bit_is_set_by_kvm)
{
	u64 *pte = vm_get_pte(self->vm, DATA_GPA);
	struct kvm_run *run = self->vcpu->run;
	struct kvm_mmu *mmu = &self->vm->mmu;

	self->data[0] = 0x12345678;
	*pte &= ~PTE_ACCESSED_MASK(mmu);

	vcpu_args_set(self->vcpu, 1, DATA_GPA);
	vcpu_arch_set_entry_point(self->vcpu, guest_string_io);
	vcpu_run(self->vcpu);

	ASSERT_EQ(KVM_EXIT_IO, run->exit_reason);
	ASSERT_EQ(TEST_PORT, run->io.port);
	ASSERT_EQ(sizeof(u32), run->io.size * run->io.count);
	EXPECT_EQ(0x12345678, *(u32 *)((u8 *)run + run->io.data_offset));
	EXPECT_TRUE(is_accessed_pte(mmu, pte));

	vcpu_run(self->vcpu);
	EXPECT_EQ(UCALL_DONE, get_ucall(self->vcpu, NULL));
}

/*
 * Private memory: nothing but the guest ever touches it.
 */
FIXTURE(private_guest) {
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	size_t size;
	int fd;
};

FIXTURE_VARIANT(private_guest) {
	u64 flags;
};

FIXTURE_VARIANT_ADD(private_guest, plain) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(private_guest, no_direct_map) {
	.flags = GUEST_MEMFD_FLAG_NO_DIRECT_MAP,
};

FIXTURE_SETUP(private_guest)
{
	const struct vm_shape shape = {
		.mode = VM_MODE_DEFAULT,
		.type = KVM_X86_SW_PROTECTED_VM,
	};

	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & BIT(KVM_X86_SW_PROTECTED_VM)))
		SKIP(return, "KVM_X86_SW_PROTECTED_VM is not available");

	self->vm = vm_create_shape_with_one_vcpu(shape, &self->vcpu, NULL);
	self->size = DATA_NPAGES * self->vm->page_size;
	self->fd = vm_create_guest_memfd(self->vm, self->size, variant->flags);
	vm_mem_add(self->vm, VM_MEM_SRC_ANONYMOUS, DATA_GPA, DATA_SLOT, DATA_NPAGES,
		   KVM_MEM_GUEST_MEMFD, self->fd, 0);
	virt_map(self->vm, DATA_GPA, DATA_GPA, DATA_NPAGES);
	vm_mem_set_private(self->vm, DATA_GPA, self->size);
}

FIXTURE_TEARDOWN(private_guest)
{
	if (!self->vm)
		return;

	kvm_close(self->fd);
	kvm_vm_free(self->vm);
}

static void guest_private(u64 *mem, u64 size)
{
	u64 i;

	for (i = 0; i < size / sizeof(*mem); i++) {
		GUEST_ASSERT_EQ(READ_ONCE(mem[i]), 0);
		WRITE_ONCE(mem[i], ~i);
	}
	for (i = 0; i < size / sizeof(*mem); i++)
		GUEST_ASSERT_EQ(READ_ONCE(mem[i]), ~i);
	GUEST_DONE();
}

TEST_F(private_guest, finds_memory_zeroed_and_uses_it)
{
	vcpu_args_set(self->vcpu, 2, DATA_GPA, self->size);
	run_until_done(self->vcpu, guest_private);
	EXPECT_TRUE(is_zero(addr_gpa2hva(self->vm, DATA_GPA), self->size));

	/* What was punched out is zero again. */
	punch_hole(self->fd, self->size);
	vcpu_args_set(self->vcpu, 2, DATA_GPA, self->size);
	run_until_done(self->vcpu, guest_private);
}

TEST_F(private_guest, finds_preallocated_memory_zeroed)
{
	kvm_fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, self->size);
	vcpu_args_set(self->vcpu, 2, DATA_GPA, self->size);
	run_until_done(self->vcpu, guest_private);
}

TEST_F(private_guest, private_and_shared_memory_stay_apart)
{
	u64 *shared = addr_gpa2hva(self->vm, DATA_GPA);

	vcpu_args_set(self->vcpu, 2, DATA_GPA, self->size);
	run_until_done(self->vcpu, guest_private);

	vm_mem_set_shared(self->vm, DATA_GPA, self->size);
	fill_words(shared, self->size, 0x1000);
	guest_swap(self->vcpu, self->size, 0x1000, 0x2000);
	EXPECT_TRUE(words_are(shared, self->size, 0x2000));

	vm_mem_set_private(self->vm, DATA_GPA, self->size);
	EXPECT_TRUE(words_are(shared, self->size, 0x2000));
}
#endif /* __x86_64__ */

static void require_no_direct_map(void)
{
	const u64 flags = GMEM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP;
	struct kvm_vm *vm = vm_create_barebones();
	u64 supported = vm_check_cap(vm, KVM_CAP_GUEST_MEMFD_FLAGS);

	__TEST_REQUIRE((supported & flags) == flags,
		       "KVM supports guest_memfd flags 0x%lx, not NODIRMAP on shared memory",
		       supported);
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_MEMFD));
	require_no_direct_map();

	return test_harness_run(argc, argv);
}
