// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual-APIC page and the APIC-access page of L1 in memory outside the
 * direct map, which userspace takes away and gives back while L2 runs.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/falloc.h>
#include <linux/sizes.h>

#include "apic.h"
#include "kvm_syscalls.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"
#include "vmx.h"

#define GMEM_FLAGS	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED | \
			 GUEST_MEMFD_FLAG_NO_DIRECT_MAP)

#define APIC_SLOT	1
#define APIC_GPA	((gpa_t)SZ_4G)
#define VIRTUAL_APIC	APIC_GPA
#define APIC_ACCESS	(APIC_GPA + PAGE_SIZE)
#define APIC_SIZE	(2 * PAGE_SIZE)

#define NR_HOLES	200
#define NR_SPINS	1000

/* What L2 does next. */
enum l2_op {
	/* Change the task priority, and report the one from before. */
	L2_SET,
	/* Set it many times, and report nothing. */
	L2_SPIN,
};

struct l2_args {
	u64 op;
	u64 priority;
};

static struct l2_args args;

static u64 read_tpr(void)
{
	u64 cr8 = get_cr8();

	/* Both are the virtual-APIC page, by way of the CPU. */
	GUEST_ASSERT_EQ(READ_ONCE(*(u32 *)(APIC_ACCESS + APIC_TASKPRI)), cr8 << 4);
	return cr8;
}

static void l2_guest_code(void)
{
	u64 old;
	int i;

	for (;;) {
		if (READ_ONCE(args.op) == L2_SPIN) {
			for (i = 0; i < NR_SPINS; i++)
				set_cr8(READ_ONCE(args.priority));
			GUEST_SYNC(0);
			continue;
		}

		old = read_tpr();
		set_cr8(READ_ONCE(args.priority));
		GUEST_ASSERT_EQ(read_tpr(), READ_ONCE(args.priority));
		GUEST_SYNC(old);
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	u32 control;

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code);

	control = vmreadz(CPU_BASED_VM_EXEC_CONTROL);
	control |= CPU_BASED_ACTIVATE_SECONDARY_CONTROLS | CPU_BASED_TPR_SHADOW;
	GUEST_ASSERT(!vmwrite(CPU_BASED_VM_EXEC_CONTROL, control));
	control = vmreadz(SECONDARY_VM_EXEC_CONTROL);
	control |= SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES;
	GUEST_ASSERT(!vmwrite(SECONDARY_VM_EXEC_CONTROL, control));
	GUEST_ASSERT(!vmwrite(TPR_THRESHOLD, 0));
	GUEST_ASSERT(!vmwrite(VIRTUAL_APIC_PAGE_ADDR, VIRTUAL_APIC));
	GUEST_ASSERT(!vmwrite(APIC_ACCESS_ADDR, APIC_ACCESS));

	GUEST_ASSERT(!vmlaunch());
	GUEST_FAIL("L2 exited to L1, reason 0x%lx", vmreadz(VM_EXIT_REASON));
}

static void set_slot(struct kvm_vm *vm, size_t size, void *mem, int fd)
{
	vm_set_user_memory_region2(vm, APIC_SLOT, KVM_MEM_GUEST_MEMFD, APIC_GPA,
				   size, mem, fd, 0);
}

static void punch(int fd)
{
	kvm_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, APIC_SIZE);
}

static u64 run_l2(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_SYNC:
		return uc.args[1];
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
	default:
		TEST_FAIL("Unexpected exit: %s", exit_reason_str(vcpu->run->exit_reason));
	}
}

/* Returns the priority from before. */
static u64 set_priority(struct kvm_vcpu *vcpu, u8 *mem, u64 priority)
{
	u64 old;

	args = (struct l2_args) { L2_SET, priority };
	sync_global_to_guest(vcpu->vm, args);
	old = run_l2(vcpu);
	TEST_ASSERT_EQ(mem[APIC_TASKPRI], priority << 4);
	return old;
}

struct puncher {
	int fd;
	bool done;
};

static void *punch_holes(void *data)
{
	struct puncher *puncher = data;
	int i;

	for (i = 0; i < NR_HOLES; i++) {
		punch(puncher->fd);
		usleep(i % 10 * 10);
	}
	WRITE_ONCE(puncher->done, true);
	return NULL;
}

/* L2 is in the CPU, or on its way to it, when its pages go away. */
static void test_holes_while_l2_runs(struct kvm_vcpu *vcpu, u8 *mem, int fd)
{
	struct puncher puncher = { fd };
	pthread_t thread;

	args = (struct l2_args) { L2_SPIN, 3 };
	sync_global_to_guest(vcpu->vm, args);

	TEST_ASSERT_EQ(pthread_create(&thread, NULL, punch_holes, &puncher), 0);
	while (!READ_ONCE(puncher.done))
		run_l2(vcpu);
	pthread_join(thread, NULL);

	set_priority(vcpu, mem, 3);
}

int main(void)
{
	struct kvm_vcpu *vcpu;
	gva_t vmx_pages_gva;
	struct kvm_vm *vm;
	u8 *mem;
	int fd;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_MEMFD));
	TEST_REQUIRE((kvm_check_cap(KVM_CAP_GUEST_MEMFD_FLAGS) & GMEM_FLAGS) == GMEM_FLAGS);

	vm = vm_create_with_one_vcpu(&vcpu, l1_guest_code);
	fd = vm_create_guest_memfd(vm, APIC_SIZE, GMEM_FLAGS);
	mem = kvm_mmap(APIC_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	set_slot(vm, APIC_SIZE, mem, fd);
	virt_map(vm, APIC_GPA, APIC_GPA, 2);
	vcpu_alloc_vmx(vm, &vmx_pages_gva);
	vcpu_args_set(vcpu, 1, vmx_pages_gva);

	TEST_ASSERT_EQ(set_priority(vcpu, mem, 5), 0);
	TEST_ASSERT_EQ(set_priority(vcpu, mem, 6), 5);

	/* New pages, which are zero. */
	punch(fd);
	TEST_ASSERT_EQ(set_priority(vcpu, mem, 7), 0);
	TEST_ASSERT_EQ(set_priority(vcpu, mem, 8), 7);

	/* The same pages in a new slot. */
	set_slot(vm, 0, mem, fd);
	set_slot(vm, APIC_SIZE, mem, fd);
	TEST_ASSERT_EQ(set_priority(vcpu, mem, 9), 8);

	/* New pages in a new slot: a hole has no slot to tell. */
	set_slot(vm, 0, mem, fd);
	punch(fd);
	set_slot(vm, APIC_SIZE, mem, fd);
	TEST_ASSERT_EQ(set_priority(vcpu, mem, 10), 0);

	test_holes_while_l2_runs(vcpu, mem, fd);
	TEST_ASSERT_EQ(set_priority(vcpu, mem, 11), 3);

	kvm_munmap(mem, APIC_SIZE);
	kvm_close(fd);
	kvm_vm_free(vm);
	return 0;
}
