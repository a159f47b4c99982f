// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-clock in memory outside the direct map, with and without a mapping in
 * userspace.
 */
#include <asm/kvm_para.h>
#include <asm/pvclock.h>
#include <asm/pvclock-abi.h>
#include <errno.h>
#include <string.h>

#include <sys/mman.h>

#include <linux/falloc.h>
#include <linux/sizes.h>

#include "kvm_syscalls.h"
#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"

#define GMEM_SHARED	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)

#define CLOCK_SLOT	1
#define CLOCK_GPA	((gpa_t)SZ_4G)
#define CLOCK_PAGES	2

/*
 * Until it is told to stop, the guest reports what its clock at @gpa says, if any.  It
 * reads @touch before, if that is not 0.
 */
struct clock_args {
	u64 msr;
	u64 gpa;
	u64 touch;
};

static struct clock_args args;

static void guest_code(void)
{
	struct pvclock_vcpu_time_info *pvti;
	u64 last_msr = 0;

	for (;;) {
		struct clock_args a = READ_ONCE(args);

		if (a.msr != last_msr)
			wrmsr(MSR_KVM_SYSTEM_TIME_NEW, a.msr);
		last_msr = a.msr;
		if (a.touch)
			READ_ONCE(*(u64 *)a.touch);
		pvti = (void *)a.gpa;
		if (!pvti) {
			GUEST_SYNC(0);
			continue;
		}
		GUEST_ASSERT_EQ(READ_ONCE(pvti->version) & 1, 0);
		GUEST_SYNC(pvti->version ? __pvclock_read_cycles(pvti, rdtsc()) : 0);
	}
}

FIXTURE(clock) {
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	size_t size;
	u8 *mem;
	int fd;
};

FIXTURE_VARIANT(clock) {
	u64 flags;
	bool mapped;
	bool huge;
};

FIXTURE_VARIANT_ADD(clock, plain) {
	.flags = GMEM_SHARED,
	.mapped = true,
};

FIXTURE_VARIANT_ADD(clock, no_direct_map) {
	.flags = GMEM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP,
	.mapped = true,
};

/* userspace_addr has nothing to do with the memory of the guest. */
FIXTURE_VARIANT_ADD(clock, no_direct_map_no_user_mapping) {
	.flags = GMEM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP,
	.mapped = false,
};

/* The page of the clock can be mapped together with its neighbours. */
FIXTURE_VARIANT_ADD(clock, no_direct_map_huge) {
	.flags = GMEM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP |
		 GUEST_MEMFD_FLAG_ALLOW_HUGE,
	.mapped = true,
	.huge = true,
};

static void set_slot(struct kvm_vm *vm, size_t size, void *mem, int fd)
{
	vm_set_user_memory_region2(vm, CLOCK_SLOT, KVM_MEM_GUEST_MEMFD, CLOCK_GPA,
				   size, mem, fd, 0);
}

FIXTURE_SETUP(clock)
{
	if ((kvm_check_cap(KVM_CAP_GUEST_MEMFD_FLAGS) & variant->flags) != variant->flags)
		SKIP(return, "no such guest_memfd");

	self->vm = vm_create_with_one_vcpu(&self->vcpu, guest_code);
	self->size = variant->huge ? SZ_2M : CLOCK_PAGES * getpagesize();
	self->fd = vm_create_guest_memfd(self->vm, self->size, variant->flags);
	self->mem = kvm_mmap(self->size, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd);
	set_slot(self->vm, self->size, variant->mapped ? self->mem : NULL, self->fd);
	virt_map(self->vm, CLOCK_GPA, CLOCK_GPA, CLOCK_PAGES);
}

FIXTURE_TEARDOWN(clock)
{
	kvm_munmap(self->mem, self->size);
	kvm_close(self->fd);
	kvm_vm_free(self->vm);
}

static void set_clock(struct kvm_vm *vm, u64 ns)
{
	struct kvm_clock_data data = { .clock = ns };

	vm_ioctl(vm, KVM_SET_CLOCK, &data);
}

static u64 get_clock(struct kvm_vm *vm)
{
	struct kvm_clock_data data;

	vm_ioctl(vm, KVM_GET_CLOCK, &data);
	return data.clock;
}

static u64 __run_guest(struct kvm_vcpu *vcpu, u64 msr, u64 gpa, u64 touch)
{
	struct ucall uc;

	args = (struct clock_args) { msr, gpa, touch };
	sync_global_to_guest(vcpu->vm, args);
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

static u64 run_guest(struct kvm_vcpu *vcpu, u64 msr, u64 gpa)
{
	return __run_guest(vcpu, msr, gpa, 0);
}

static u64 run_clock(struct kvm_vcpu *vcpu, u64 gpa)
{
	return run_guest(vcpu, gpa | KVM_MSR_ENABLED, gpa);
}

/* Has KVM update the clock at @gpa without the guest accessing it. */
static void run_without_clock(struct kvm_vcpu *vcpu, u64 gpa)
{
	run_guest(vcpu, gpa | KVM_MSR_ENABLED, 0);
}

static void punch(int fd, size_t size)
{
	kvm_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size);
}

static bool is_hole(void *mem)
{
	unsigned char resident;

	TEST_ASSERT(!mincore(mem, getpagesize(), &resident), "mincore: %s", strerror(errno));
	return !(resident & 1);
}

/* The guest's time is between the host's before and after. */
#define EXPECT_VCPU_CLOCK_AT(vcpu, gpa)					\
do {									\
	u64 before = get_clock(self->vm);				\
	u64 now = run_clock(vcpu, gpa);					\
	u64 after = get_clock(self->vm);				\
									\
	EXPECT_LE(before, now);						\
	EXPECT_LE(now, after);						\
} while (0)

#define EXPECT_CLOCK_AT(gpa)	EXPECT_VCPU_CLOCK_AT(self->vcpu, gpa)

TEST_F(clock, runs)
{
	int i;

	for (i = 0; i < 10; i++) {
		EXPECT_CLOCK_AT(CLOCK_GPA);
		usleep(1000);
	}
}

TEST_F(clock, follows_what_userspace_sets)
{
	u64 ns;

	EXPECT_CLOCK_AT(CLOCK_GPA);
	for (ns = 0; ns < 10000 * NSEC_PER_SEC; ns += 3000 * NSEC_PER_SEC) {
		set_clock(self->vm, ns);
		EXPECT_CLOCK_AT(CLOCK_GPA);
	}
}

TEST_F(clock, is_at_the_end_of_a_page)
{
	gpa_t gpa = CLOCK_GPA + getpagesize() - sizeof(struct pvclock_vcpu_time_info);
	size_t i;

	memset(self->mem, 0xa5, gpa - CLOCK_GPA);
	EXPECT_CLOCK_AT(gpa);
	for (i = 0; i < gpa - CLOCK_GPA; i++)
		ASSERT_EQ(0xa5, self->mem[i]);
	for (i = getpagesize(); i < self->size; i++)
		ASSERT_EQ(0, self->mem[i]);
}

TEST_F(clock, moves)
{
	gpa_t next = CLOCK_GPA + getpagesize() + 64;
	u8 old[64];

	EXPECT_CLOCK_AT(CLOCK_GPA);
	memcpy(old, self->mem, sizeof(old));
	EXPECT_CLOCK_AT(next);
	set_clock(self->vm, 5000 * NSEC_PER_SEC);
	EXPECT_CLOCK_AT(next);
	EXPECT_EQ(0, memcmp(old, self->mem, sizeof(old)));
}

TEST_F(clock, stops)
{
	u8 old[64];

	EXPECT_CLOCK_AT(CLOCK_GPA);
	run_guest(self->vcpu, 0, CLOCK_GPA);
	memcpy(old, self->mem, sizeof(old));
	set_clock(self->vm, 5000 * NSEC_PER_SEC);
	run_guest(self->vcpu, 0, CLOCK_GPA);
	EXPECT_EQ(0, memcmp(old, self->mem, sizeof(old)));
}

TEST_F(clock, tells_that_the_guest_was_paused)
{
	struct pvclock_vcpu_time_info *pvti = (void *)self->mem;

	EXPECT_CLOCK_AT(CLOCK_GPA);
	EXPECT_EQ(0, pvti->flags & PVCLOCK_GUEST_STOPPED);
	vcpu_ioctl(self->vcpu, KVM_KVMCLOCK_CTRL, NULL);
	EXPECT_CLOCK_AT(CLOCK_GPA);
	EXPECT_NE(0, pvti->flags & PVCLOCK_GUEST_STOPPED);

	/* That stays until the guest has noticed. */
	set_clock(self->vm, 5000 * NSEC_PER_SEC);
	EXPECT_CLOCK_AT(CLOCK_GPA);
	EXPECT_NE(0, pvti->flags & PVCLOCK_GUEST_STOPPED);
	pvti->flags &= ~PVCLOCK_GUEST_STOPPED;
	set_clock(self->vm, 6000 * NSEC_PER_SEC);
	EXPECT_CLOCK_AT(CLOCK_GPA);
	EXPECT_EQ(0, pvti->flags & PVCLOCK_GUEST_STOPPED);
}

TEST_F(clock, runs_in_new_memory)
{
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_CLOCK_AT(CLOCK_GPA);
		punch(self->fd, self->size);
		set_clock(self->vm, i * 1000 * NSEC_PER_SEC);
	}
}

/* KVM itself does not fill a hole, and the guest does not see it as a clock. */
TEST_F(clock, leaves_a_hole_alone)
{
	struct pvclock_vcpu_time_info *pvti = (void *)self->mem;
	bool no_direct_map = variant->flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP;
	int i;

	run_without_clock(self->vcpu, CLOCK_GPA);
	EXPECT_EQ(no_direct_map, is_hole(self->mem));
	for (i = 0; i < 3; i++) {
		EXPECT_CLOCK_AT(CLOCK_GPA);
		EXPECT_FALSE(is_hole(self->mem));
		punch(self->fd, self->size);
		set_clock(self->vm, i * 1000 * NSEC_PER_SEC);
		run_without_clock(self->vcpu, CLOCK_GPA);
		EXPECT_EQ(no_direct_map, is_hole(self->mem));
	}

	/* It is a hole no more, and yet the guest has not accessed the page. */
	EXPECT_EQ(!no_direct_map, !!READ_ONCE(pvti->version));
	EXPECT_FALSE(is_hole(self->mem));
	EXPECT_CLOCK_AT(CLOCK_GPA);

	/* What the guest is to be told waits for it. */
	punch(self->fd, self->size);
	vcpu_ioctl(self->vcpu, KVM_KVMCLOCK_CTRL, NULL);
	run_without_clock(self->vcpu, CLOCK_GPA);
	EXPECT_EQ(no_direct_map, is_hole(self->mem));
	EXPECT_CLOCK_AT(CLOCK_GPA);
	EXPECT_NE(0, pvti->flags & PVCLOCK_GUEST_STOPPED);
}

/* The first vCPU to access the page is not the one whose clock it is. */
TEST_F(clock, is_in_a_page_that_another_vcpu_accesses)
{
	struct kvm_vcpu *other = vm_vcpu_add(self->vm, 1, guest_code);
	gpa_t gpa = CLOCK_GPA + sizeof(struct pvclock_vcpu_time_info);

	EXPECT_VCPU_CLOCK_AT(other, gpa);
	EXPECT_CLOCK_AT(CLOCK_GPA);

	punch(self->fd, self->size);
	set_clock(self->vm, 1000 * NSEC_PER_SEC);
	run_without_clock(other, gpa);
	EXPECT_CLOCK_AT(CLOCK_GPA);
	EXPECT_VCPU_CLOCK_AT(other, gpa);
}

/* An access to a neighbour may map the page of the clock as well. */
TEST_F(clock, is_next_to_a_page_that_the_guest_accesses)
{
	u64 before, now;
	int i;

	for (i = 0; i < 3; i++) {
		run_without_clock(self->vcpu, CLOCK_GPA);
		before = get_clock(self->vm);
		now = __run_guest(self->vcpu, CLOCK_GPA | KVM_MSR_ENABLED, CLOCK_GPA,
				  CLOCK_GPA + getpagesize());
		EXPECT_LE(before, now);
		EXPECT_LE(now, get_clock(self->vm));

		punch(self->fd, self->size);
		set_clock(self->vm, i * 1000 * NSEC_PER_SEC);
	}
}

TEST_F(clock, runs_in_a_new_slot)
{
	void *mem = variant->mapped ? self->mem : NULL;

	EXPECT_CLOCK_AT(CLOCK_GPA);
	set_slot(self->vm, 0, mem, self->fd);
	set_clock(self->vm, 1000 * NSEC_PER_SEC);
	set_slot(self->vm, self->size, mem, self->fd);
	EXPECT_CLOCK_AT(CLOCK_GPA);
	set_clock(self->vm, 2000 * NSEC_PER_SEC);
	EXPECT_CLOCK_AT(CLOCK_GPA);
}

TEST_F(clock, survives_a_poll_by_userspace)
{
	u64 msr;

	EXPECT_CLOCK_AT(CLOCK_GPA);
	msr = vcpu_get_msr(self->vcpu, MSR_KVM_SYSTEM_TIME_NEW);
	EXPECT_EQ(CLOCK_GPA | KVM_MSR_ENABLED, msr);
	vcpu_set_msr(self->vcpu, MSR_KVM_SYSTEM_TIME_NEW, msr);
	EXPECT_CLOCK_AT(CLOCK_GPA);
}

/* There a mapping has to last: the ioctl fails. */
TEST_F(clock, xen_is_refused)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO,
		.u.gpa = CLOCK_GPA,
	};
	int caps = kvm_check_cap(KVM_CAP_XEN_HVM);
	long ret;

	if (!(caps & KVM_XEN_HVM_CONFIG_SHARED_INFO))
		return;

	ret = __vcpu_ioctl(self->vcpu, KVM_XEN_VCPU_SET_ATTR, &attr);
	if (variant->flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP) {
		EXPECT_EQ(-1, ret);
		EXPECT_EQ(EOPNOTSUPP, errno);
	} else {
		EXPECT_EQ(0, ret);
	}
}

int main(int argc, char **argv)
{
	u64 flags = GMEM_SHARED | GUEST_MEMFD_FLAG_NO_DIRECT_MAP;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_MEMFD));
	TEST_REQUIRE((kvm_check_cap(KVM_CAP_GUEST_MEMFD_FLAGS) & flags) == flags);
	TEST_REQUIRE(sys_clocksource_is_based_on_tsc());

	return test_harness_run(argc, argv);
}
