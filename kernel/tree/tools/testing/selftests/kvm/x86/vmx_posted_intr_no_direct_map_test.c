// SPDX-License-Identifier: GPL-2.0-only
/*
 * The posted-interrupt descriptor of L1 in memory outside the direct map, which
 * userspace takes away and gives back while L2 runs.
 */
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
#define PI_DESC		(APIC_GPA + 2 * PAGE_SIZE)
#define APIC_SIZE	(3 * PAGE_SIZE)

/* Tells the CPU to look at the descriptor. */
#define NOTIFICATION	0x43

/* As the CPU has it. */
struct pi_desc {
	u32 pir[8];
	u32 on;
	u32 reserved[7];
};

/* Interrupts are off, so that they stay in the virtual-APIC page. */
static void l2_guest_code(void)
{
	for (;;)
		GUEST_SYNC(0);
}

static void set_bits(u32 field, u32 bits)
{
	GUEST_ASSERT(!vmwrite(field, vmreadz(field) | bits));
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	/* A notification is for a local APIC that is enabled. */
	x2apic_enable();

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code);

	set_bits(PIN_BASED_VM_EXEC_CONTROL, PIN_BASED_EXT_INTR_MASK | PIN_BASED_POSTED_INTR);
	set_bits(CPU_BASED_VM_EXEC_CONTROL,
		 CPU_BASED_ACTIVATE_SECONDARY_CONTROLS | CPU_BASED_TPR_SHADOW);
	set_bits(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES |
					    SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY);
	set_bits(VM_EXIT_CONTROLS, VM_EXIT_ACK_INTR_ON_EXIT);
	GUEST_ASSERT(!vmwrite(VIRTUAL_APIC_PAGE_ADDR, VIRTUAL_APIC));
	GUEST_ASSERT(!vmwrite(APIC_ACCESS_ADDR, APIC_ACCESS));
	GUEST_ASSERT(!vmwrite(POSTED_INTR_DESC_ADDR, PI_DESC));
	GUEST_ASSERT(!vmwrite(POSTED_INTR_NV, NOTIFICATION));

	GUEST_ASSERT(!vmlaunch());
	GUEST_FAIL("L2 exited to L1, reason 0x%lx", vmreadz(VM_EXIT_REASON));
}

static void run_l2(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_SYNC:
		return;
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
	default:
		TEST_FAIL("Unexpected exit: %s", exit_reason_str(vcpu->run->exit_reason));
	}
}

/* Is @vector in the virtual-APIC page? */
static bool is_requested(u8 *mem, u8 vector)
{
	u32 *irr = (u32 *)(mem + APIC_IRR + vector / 32 * 0x10);

	return READ_ONCE(*irr) & BIT(vector % 32);
}

static void post(struct pi_desc *desc, u8 vector)
{
	desc->pir[vector / 32] |= BIT(vector % 32);
	desc->on |= 1;
}

/* L2 runs, and KVM looks at the descriptor before. */
static void notify(struct kvm_vcpu *vcpu)
{
	struct kvm_msi msi = {
		.address_lo = APIC_DEFAULT_GPA,
		.data = NOTIFICATION,
	};

	TEST_ASSERT_EQ(__vm_ioctl(vcpu->vm, KVM_SIGNAL_MSI, &msi), 1);
	run_l2(vcpu);
}

static void test_post(struct kvm_vcpu *vcpu, u8 *mem, u8 vector)
{
	struct pi_desc *desc = (void *)(mem + 2 * PAGE_SIZE);

	TEST_ASSERT(!is_requested(mem, vector), "Vector %x before it is posted", vector);
	post(desc, vector);
	notify(vcpu);
	TEST_ASSERT(is_requested(mem, vector), "Vector %x is posted", vector);
	TEST_ASSERT_EQ(desc->pir[vector / 32], 0);
	TEST_ASSERT_EQ(desc->on, 0);
}

static void set_slot(struct kvm_vm *vm, size_t size, void *mem, int fd)
{
	vm_set_user_memory_region2(vm, APIC_SLOT, KVM_MEM_GUEST_MEMFD, APIC_GPA,
				   size, mem, fd, 0);
}

static void punch(int fd)
{
	kvm_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE_SIZE, PAGE_SIZE);
}

int main(void)
{
	struct kvm_guest_debug debug = {
		/* It inhibits APICv for L1, whose own descriptor is not the subject. */
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_BLOCKIRQ,
	};
	struct kvm_vcpu *vcpu;
	gva_t vmx_pages_gva;
	struct kvm_vm *vm;
	u8 *mem;
	int fd;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_MEMFD));
	TEST_REQUIRE((kvm_check_cap(KVM_CAP_GUEST_MEMFD_FLAGS) & GMEM_FLAGS) == GMEM_FLAGS);
	__TEST_REQUIRE((kvm_get_feature_msr(MSR_IA32_VMX_TRUE_PINBASED_CTLS) >> 32) &
		       PIN_BASED_POSTED_INTR, "L1 has no posted interrupts");

	vm = vm_create_with_one_vcpu(&vcpu, l1_guest_code);
	fd = vm_create_guest_memfd(vm, APIC_SIZE, GMEM_FLAGS);
	mem = kvm_mmap(APIC_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	set_slot(vm, APIC_SIZE, mem, fd);
	vcpu_alloc_vmx(vm, &vmx_pages_gva);
	vcpu_args_set(vcpu, 1, vmx_pages_gva);
	vcpu_guest_debug_set(vcpu, &debug);

	run_l2(vcpu);
	test_post(vcpu, mem, 0x51);
	test_post(vcpu, mem, 0x52);

	/* A new page, which is zero: a vector in the page before is gone. */
	post((void *)(mem + 2 * PAGE_SIZE), 0x61);
	punch(fd);
	notify(vcpu);
	TEST_ASSERT(!is_requested(mem, 0x61), "A vector in a hole");
	test_post(vcpu, mem, 0x62);

	/* The same page in a new slot. */
	set_slot(vm, 0, mem, fd);
	set_slot(vm, APIC_SIZE, mem, fd);
	test_post(vcpu, mem, 0x63);

	/* A new page in a new slot: a hole has no slot to tell. */
	set_slot(vm, 0, mem, fd);
	punch(fd);
	set_slot(vm, APIC_SIZE, mem, fd);
	test_post(vcpu, mem, 0x64);

	kvm_munmap(mem, APIC_SIZE);
	kvm_close(fd);
	kvm_vm_free(vm);
	return 0;
}
