// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMCB of L1 in memory outside the direct map, which KVM reads and writes
 * through the mapping of userspace.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/sizes.h>

#include "kvm_syscalls.h"
#include "kvm_util.h"
#include "processor.h"
#include "svm_util.h"
#include "test_util.h"
#include "ucall_common.h"

#define GMEM_FLAGS	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED | \
			 GUEST_MEMFD_FLAG_NO_DIRECT_MAP)

#define VMCB_SLOT	1
#define VMCB_GPA	((gpa_t)SZ_4G)

enum stage {
	STAGE_L1,
	STAGE_L2,
};

static void l2_guest_code(void)
{
	for (;;) {
		GUEST_SYNC(STAGE_L2);
		vmmcall();
	}
}

static void l1_guest_code(struct svm_test_data *svm)
{
	svm->vmcb = (void *)VMCB_GPA;
	svm->vmcb_gpa = VMCB_GPA;
	generic_svm_setup(svm, l2_guest_code);

	for (;;) {
		run_guest(svm->vmcb, svm->vmcb_gpa);
		GUEST_ASSERT_EQ(svm->vmcb->control.exit_code, SVM_EXIT_VMMCALL);
		svm->vmcb->save.rip += 3;
		GUEST_SYNC(STAGE_L1);
	}
}

static void run_until(struct kvm_vcpu *vcpu, enum stage stage)
{
	struct ucall uc;

	vcpu_run(vcpu);
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_SYNC:
		TEST_ASSERT_EQ(uc.args[1], stage);
		break;
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
	default:
		TEST_FAIL("Unexpected exit: %s", exit_reason_str(vcpu->run->exit_reason));
	}
}

int main(void)
{
	struct kvm_vcpu *vcpu;
	struct vmcb *vmcb;
	struct kvm_vm *vm;
	gva_t svm_gva;
	int fd, i;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM));
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_MEMFD));
	TEST_REQUIRE((kvm_check_cap(KVM_CAP_GUEST_MEMFD_FLAGS) & GMEM_FLAGS) == GMEM_FLAGS);

	vm = vm_create_with_one_vcpu(&vcpu, l1_guest_code);
	fd = vm_create_guest_memfd(vm, PAGE_SIZE, GMEM_FLAGS);
	vmcb = kvm_mmap(PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	vm_set_user_memory_region2(vm, VMCB_SLOT, KVM_MEM_GUEST_MEMFD, VMCB_GPA,
				   PAGE_SIZE, vmcb, fd, 0);
	virt_map(vm, VMCB_GPA, VMCB_GPA, 1);
	vcpu_alloc_svm(vm, &svm_gva);
	vcpu_args_set(vcpu, 1, svm_gva);

	for (i = 0; i < 10; i++) {
		run_until(vcpu, STAGE_L2);
		vmcb->control.exit_code = SVM_EXIT_ERR;
		run_until(vcpu, STAGE_L1);
		TEST_ASSERT_EQ(vmcb->control.exit_code, SVM_EXIT_VMMCALL);
	}

	/* L1 must not go on with a VMCB that KVM could not write. */
	run_until(vcpu, STAGE_L2);
	TEST_ASSERT_EQ(mprotect(vmcb, PAGE_SIZE, PROT_READ), 0);
	TEST_ASSERT_EQ(_vcpu_run(vcpu), -1);
	TEST_ASSERT_EQ(errno, EIO);

	kvm_munmap(vmcb, PAGE_SIZE);
	kvm_close(fd);
	kvm_vm_free(vm);
	return 0;
}
