// SPDX-License-Identifier: GPL-2.0-only
/*
 * GUEST_MEMFD_FLAG_ALLOW_HUGE: guest memory in folios of 2 MiB.  Contents and holes
 * are those of small folios.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/falloc.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kvm_syscalls.h"
#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"

#define GMEM_SHARED	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)
#define GMEM_HUGE	GUEST_MEMFD_FLAG_ALLOW_HUGE

#define HUGE_SIZE	((size_t)SZ_2M)
#define NR_HUGE		4
#define MEM_SIZE	(NR_HUGE * HUGE_SIZE)
#define HUGE_PAGES	(HUGE_SIZE / page_size)

/* Each takes a page from the machine for good. */
#define NR_ERRORS	40

/* Seconds: a kernel with KASAN, under emulation, takes its time. */
#define LONG_TIMEOUT	240

#define DATA_SLOT	1
#define DATA_GPA	((gpa_t)SZ_4G)

static size_t page_size;

FIXTURE(huge) {
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int fd;
	u8 *mem;
};

FIXTURE_VARIANT(huge) {
	u64 flags;
};

FIXTURE_VARIANT_ADD(huge, plain) {
	.flags = GMEM_SHARED | GMEM_HUGE | GUEST_MEMFD_FLAG_WRITE,
};

FIXTURE_VARIANT_ADD(huge, no_direct_map) {
	.flags = GMEM_SHARED | GMEM_HUGE | GUEST_MEMFD_FLAG_WRITE |
		 GUEST_MEMFD_FLAG_NO_DIRECT_MAP,
};

static u8 *map_gmem(int fd, size_t size)
{
	return kvm_mmap(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
}

static void punch_hole(int fd, off_t offset, size_t len)
{
	kvm_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
}

/* How many pages of the range the file has, cleared or not. */
static size_t nr_present(int fd, size_t offset, size_t size)
{
	struct cachestat_range range = { .off = offset, .len = size };
	struct cachestat stat = { };

	TEST_ASSERT(!syscall(__NR_cachestat, fd, &range, &stat, 0),
		    "cachestat() failed, errno: %d", errno);
	return stat.nr_cache;
}

FIXTURE_SETUP(huge)
{
	self->vm = vm_create_with_one_vcpu(&self->vcpu, NULL);
	self->fd = vm_create_guest_memfd(self->vm, MEM_SIZE, variant->flags);
	self->mem = map_gmem(self->fd, MEM_SIZE);

	WRITE_ONCE(self->mem[0], 0);
	if (nr_present(self->fd, 0, HUGE_SIZE) != HUGE_PAGES)
		SKIP(return, "there are no large folios here");
	punch_hole(self->fd, 0, HUGE_SIZE);
}

FIXTURE_TEARDOWN(huge)
{
	kvm_munmap(self->mem, MEM_SIZE);
	kvm_close(self->fd);
	kvm_vm_free(self->vm);
}

static void add_slot(struct kvm_vm *vm, int fd, void *mem, u64 offset, size_t size)
{
	vm_set_user_memory_region2(vm, DATA_SLOT, KVM_MEM_GUEST_MEMFD, DATA_GPA, size,
				   mem, fd, offset);
	virt_map(vm, DATA_GPA, DATA_GPA, size / page_size);
}

/* Of the mapping at @mem, as /proc/PID/smaps has it. */
static size_t pmd_mapped(void *mem)
{
	size_t kib = 0, size = 0;
	unsigned long start;
	bool there = false;
	char line[256];
	FILE *file;

	file = fopen("/proc/self/smaps", "r");
	TEST_ASSERT(file, "Cannot open /proc/self/smaps, errno: %d", errno);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%*x ", &start) == 1 && strchr(line, '-'))
			there = start == (unsigned long)mem;
		if (there && sscanf(line, "FilePmdMapped: %zu kB", &kib) == 1)
			size = kib * SZ_1K;
	}
	fclose(file);
	return size;
}

static bool is_filled(const u8 *mem, u8 val, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (READ_ONCE(mem[i]) != val)
			return false;
	return true;
}

/* Each page has a number of its own. */
static void number_pages(u8 *mem, size_t size, u64 base)
{
	size_t i;

	for (i = 0; i < size / page_size; i++)
		WRITE_ONCE(*(u64 *)(mem + i * page_size), base + i);
}

/* The pages from @hole on, @len bytes, are zero; the others have their numbers. */
static bool numbers_are(u8 *mem, size_t size, u64 base, size_t hole, size_t len)
{
	size_t i;

	for (i = 0; i < size / page_size; i++) {
		bool in_hole = i * page_size >= hole && i * page_size < hole + len;
		u64 val = READ_ONCE(*(u64 *)(mem + i * page_size));

		if (val != (in_hole ? 0 : base + i)) {
			pr_info("page %zu has 0x%lx, hole at %zu\n", i, val,
				hole / page_size);
			return false;
		}
	}
	return true;
}

/* A page that waits for the LRU keeps its block, and a large folio is a block. */
static void drain_lru(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	TEST_ASSERT(fd >= 0 && write(fd, "1", 1) == 1,
		    "Cannot write to drop_caches, errno: %d", errno);
	kvm_close(fd);
}

/*
 * Memory can be fragmented.  A test that needs a large folio says so when there is
 * none, and fails.
 */
static void touch_huge(int fd, u8 *mem)
{
	WRITE_ONCE(mem[0], 0);
	if (nr_present(fd, 0, HUGE_SIZE) == HUGE_PAGES)
		return;

	punch_hole(fd, 0, HUGE_SIZE);
	drain_lru();
	/* KVM waits before it looks for another large folio. */
	usleep(200000);
	WRITE_ONCE(mem[0], 0);
	TEST_ASSERT(nr_present(fd, 0, HUGE_SIZE) == HUGE_PAGES,
		    "There is no large folio: %zu pages", nr_present(fd, 0, HUGE_SIZE));
}

TEST_F(huge, user_fault_populates_and_maps_all_of_a_folio)
{
	EXPECT_EQ(0, (unsigned long)self->mem % HUGE_SIZE);
	EXPECT_EQ(0, READ_ONCE(self->mem[HUGE_SIZE + 5 * page_size]));
	EXPECT_EQ(0, nr_present(self->fd, 0, HUGE_SIZE));
	EXPECT_EQ(HUGE_PAGES, nr_present(self->fd, HUGE_SIZE, HUGE_SIZE));
	EXPECT_EQ(HUGE_SIZE, pmd_mapped(self->mem));
	EXPECT_TRUE(is_filled(self->mem + HUGE_SIZE, 0, HUGE_SIZE));
}

TEST_F(huge, mapping_that_is_not_aligned_has_single_pages)
{
	u8 *area = kvm_mmap(2 * MEM_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	u8 *mem = (u8 *)align_up((unsigned long)area, HUGE_SIZE) + page_size;

	mem = mmap(mem, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   self->fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	touch_huge(self->fd, mem);
	EXPECT_EQ(0, pmd_mapped(mem));
	number_pages(mem, HUGE_SIZE, 0x1000);
	EXPECT_TRUE(numbers_are(self->mem, HUGE_SIZE, 0x1000, 0, 0));
	kvm_munmap(area, 2 * MEM_SIZE);
}

TEST_F(huge, no_folio_reaches_beyond_the_end)
{
	size_t size = HUGE_SIZE + 3 * page_size;
	int fd = vm_create_guest_memfd(self->vm, size, variant->flags);
	u8 *mem = map_gmem(fd, size);

	touch_huge(fd, mem);
	EXPECT_EQ(0, READ_ONCE(mem[HUGE_SIZE]));
	EXPECT_EQ(1, nr_present(fd, HUGE_SIZE, 3 * page_size));
	kvm_munmap(mem, size);
	kvm_close(fd);
}

TEST_F(huge, page_that_is_there_stays_alone)
{
	punch_hole(self->fd, 0, MEM_SIZE);
	kvm_fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 7 * page_size, page_size);
	EXPECT_EQ(1, nr_present(self->fd, 0, HUGE_SIZE));
	WRITE_ONCE(self->mem[0], 1);
	EXPECT_EQ(2, nr_present(self->fd, 0, HUGE_SIZE));
}

TEST_F_TIMEOUT(huge, hole_reads_zero_and_leaves_its_neighbours, LONG_TIMEOUT)
{
	static const size_t lens[] = { 1, 2, 511, 512, 513, 1023, 1025 };
	static const size_t starts[] = { 0, 1, 300, 511, 512 };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		for (j = 0; j < ARRAY_SIZE(starts); j++) {
			size_t hole = starts[j] * page_size, len = lens[i] * page_size;

			punch_hole(self->fd, 0, MEM_SIZE);
			touch_huge(self->fd, self->mem);
			number_pages(self->mem, MEM_SIZE, 0x1000);
			punch_hole(self->fd, hole, len);
			EXPECT_EQ((MEM_SIZE - len) / page_size,
				  nr_present(self->fd, 0, MEM_SIZE));
			EXPECT_TRUE(numbers_are(self->mem, MEM_SIZE, 0x1000, hole, len));
			EXPECT_TRUE(is_filled(self->mem + hole, 0, len));
		}
	}
}

TEST_F(huge, whole_hole_can_be_filled_by_a_folio_again)
{
	touch_huge(self->fd, self->mem);
	memset(self->mem, 0x5a, HUGE_SIZE);
	punch_hole(self->fd, 0, HUGE_SIZE);
	EXPECT_EQ(0, nr_present(self->fd, 0, HUGE_SIZE));
	touch_huge(self->fd, self->mem);
	EXPECT_TRUE(is_filled(self->mem, 0, HUGE_SIZE));
}

/* Nobody has cleared the folio yet when it is split. */
TEST_F(huge, allocated_folio_hides_what_was_there)
{
	memset(self->mem, 0x5a, MEM_SIZE);
	punch_hole(self->fd, 0, MEM_SIZE);
	kvm_fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, MEM_SIZE);
	EXPECT_EQ(MEM_SIZE / page_size, nr_present(self->fd, 0, MEM_SIZE));
	punch_hole(self->fd, 3 * page_size, page_size);
	EXPECT_TRUE(is_filled(self->mem, 0, MEM_SIZE));
}

TEST_F(huge, allocation_stays_in_its_range)
{
	kvm_fallocate(self->fd, FALLOC_FL_KEEP_SIZE, HUGE_SIZE - page_size,
		      HUGE_SIZE + 2 * page_size);
	EXPECT_EQ(1, nr_present(self->fd, 0, HUGE_SIZE));
	EXPECT_EQ(HUGE_PAGES, nr_present(self->fd, HUGE_SIZE, HUGE_SIZE));
	EXPECT_EQ(1, nr_present(self->fd, 2 * HUGE_SIZE, HUGE_SIZE));
}

/* A reference keeps the folio from being split.  The hole reads zero all the same. */
TEST_F(huge, hole_in_a_folio_with_a_user)
{
	struct iovec iov = { self->mem + 9 * page_size, page_size };
	int pipefd[2];
	u8 *buf = malloc(page_size);

	if (variant->flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP)
		SKIP(return, "nobody gets a reference to such memory");

	touch_huge(self->fd, self->mem);
	number_pages(self->mem, MEM_SIZE, 0x1000);
	TEST_ASSERT(!pipe(pipefd), "pipe() failed, errno: %d", errno);
	ASSERT_EQ(page_size, vmsplice(pipefd[1], &iov, 1, 0));

	punch_hole(self->fd, 4 * page_size, page_size);
	EXPECT_EQ(HUGE_PAGES, nr_present(self->fd, 0, HUGE_SIZE));
	EXPECT_TRUE(numbers_are(self->mem, MEM_SIZE, 0x1000, 4 * page_size, page_size));
	number_pages(self->mem, MEM_SIZE, 0x2000);
	punch_hole(self->fd, HUGE_SIZE - page_size, 2 * page_size);
	EXPECT_TRUE(numbers_are(self->mem, MEM_SIZE, 0x2000, HUGE_SIZE - page_size,
				2 * page_size));

	ASSERT_EQ(page_size, read(pipefd[0], buf, page_size));
	EXPECT_EQ(0x2000 + 9, *(u64 *)buf);
	punch_hole(self->fd, 5 * page_size, page_size);
	/* Of the others, this page alone goes. */
	EXPECT_EQ(HUGE_PAGES - 1, nr_present(self->fd, 0, HUGE_SIZE));
	free(buf);
	kvm_close(pipefd[0]);
	kvm_close(pipefd[1]);
}

/* A page table entry of 2 MiB is one that GUP-fast has a path of its own for. */
TEST_F(huge, nobody_gets_a_reference_outside_the_direct_map)
{
	struct iovec iov = { self->mem + 9 * page_size, page_size };
	bool refused = variant->flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP;
	int pipefd[2];

	touch_huge(self->fd, self->mem);
	EXPECT_EQ(HUGE_SIZE, pmd_mapped(self->mem));
	TEST_ASSERT(!pipe(pipefd), "pipe() failed, errno: %d", errno);
	EXPECT_EQ(refused ? -1 : page_size, vmsplice(pipefd[1], &iov, 1, 0));
	if (refused)
		EXPECT_EQ(EFAULT, errno);
	kvm_close(pipefd[0]);
	kvm_close(pipefd[1]);
}

static void expect_write(struct __test_metadata *_metadata, int fd, u8 *mem, size_t pos,
			 size_t len)
{
	u8 *buf = malloc(len);
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = i * 7 + i / page_size + 1;

	punch_hole(fd, 0, MEM_SIZE);
	EXPECT_EQ(len, pwrite(fd, buf, len, pos));
	EXPECT_EQ(0, memcmp(mem + pos, buf, len));
	EXPECT_TRUE(is_filled(mem, 0, pos));
	EXPECT_TRUE(is_filled(mem + pos + len, 0, MEM_SIZE - pos - len));
	free(buf);
}

TEST_F(huge, write_fills_folios)
{
	expect_write(_metadata, self->fd, self->mem, 0, HUGE_SIZE);
	expect_write(_metadata, self->fd, self->mem, HUGE_SIZE, 2 * HUGE_SIZE);
	expect_write(_metadata, self->fd, self->mem, 0, page_size);
	expect_write(_metadata, self->fd, self->mem, 5 * page_size + 3, 11);
	expect_write(_metadata, self->fd, self->mem, page_size - 1, HUGE_SIZE);
	expect_write(_metadata, self->fd, self->mem, HUGE_SIZE - 5, HUGE_SIZE + 10);
	expect_write(_metadata, self->fd, self->mem, 0, MEM_SIZE);
}

/* A range that has a small folio could have no large one. */
TEST_F(huge, allocation_and_write_add_large_folios)
{
	u8 *buf = malloc(HUGE_SIZE);

	memset(buf, 0x33, HUGE_SIZE);
	kvm_fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, HUGE_SIZE);
	EXPECT_EQ(HUGE_SIZE, pwrite(self->fd, buf, HUGE_SIZE, HUGE_SIZE));
	EXPECT_EQ(page_size, pwrite(self->fd, buf, page_size, 2 * HUGE_SIZE));
	EXPECT_EQ(HUGE_PAGES, nr_present(self->fd, 2 * HUGE_SIZE, HUGE_SIZE));

	READ_ONCE(self->mem[0]);
	EXPECT_EQ(HUGE_SIZE, pmd_mapped(self->mem));
	READ_ONCE(self->mem[HUGE_SIZE]);
	EXPECT_EQ(2 * HUGE_SIZE, pmd_mapped(self->mem));
	READ_ONCE(self->mem[2 * HUGE_SIZE]);
	EXPECT_EQ(3 * HUGE_SIZE, pmd_mapped(self->mem));
	free(buf);
}

/* What was there before must not be seen where the source ends. */
TEST_F(huge, write_from_a_source_that_ends)
{
	u8 *buf = kvm_mmap(HUGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1);

	memset(buf, 0x33, HUGE_SIZE);
	kvm_munmap(buf + HUGE_SIZE / 2, HUGE_SIZE / 2);
	memset(self->mem, 0x5a, MEM_SIZE);
	punch_hole(self->fd, 0, MEM_SIZE);
	EXPECT_EQ(HUGE_SIZE / 2, pwrite(self->fd, buf, HUGE_SIZE, 0));
	EXPECT_TRUE(is_filled(self->mem, 0x33, HUGE_SIZE / 2));
	EXPECT_TRUE(is_filled(self->mem + HUGE_SIZE / 2, 0, HUGE_SIZE / 2));
	kvm_munmap(buf, HUGE_SIZE / 2);
}

/* Of the guest memory itself: faults in the source need the lock of the folio. */
TEST_F(huge, write_from_a_hole_of_the_file)
{
	EXPECT_EQ(HUGE_SIZE, pwrite(self->fd, self->mem + HUGE_SIZE, HUGE_SIZE, 0));
	EXPECT_TRUE(is_filled(self->mem, 0, 2 * HUGE_SIZE));
	number_pages(self->mem, HUGE_SIZE, 0x1000);
	EXPECT_EQ(HUGE_SIZE, pwrite(self->fd, self->mem, HUGE_SIZE, 2 * HUGE_SIZE));
	EXPECT_TRUE(numbers_are(self->mem + 2 * HUGE_SIZE, HUGE_SIZE, 0x1000, 0, 0));
}

static void guest_touch(u64 gpa)
{
	WRITE_ONCE(*(u64 *)gpa, 0x77);
	GUEST_DONE();
}

static void run_until_done(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

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

/*
 * How many entries of 2 MiB the guest has for the file; -1 if there is no way to tell, or
 * if KVM shadows the guest's own page tables.
 */
static int nr_large_entries(struct kvm_vm *vm)
{
#ifdef __x86_64__
	return kvm_is_tdp_enabled() ? vm_get_stat(vm, pages_2m) : -1;
#else
	unsigned long start, end;
	char line[4096];
	FILE *file;
	int nr = 0;

	/* The hypervisor has page tables of its own then, and does not show them. */
	file = fopen("/proc/cmdline", "r");
	TEST_ASSERT(file && fgets(line, sizeof(line), file), "Cannot read /proc/cmdline");
	fclose(file);
	if (strstr(line, "kvm-arm.mode=protected"))
		return -1;

	snprintf(line, sizeof(line), "/sys/kernel/debug/kvm/%d-%d/stage2_page_tables",
		 getpid(), vm->fd);
	file = fopen(line, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "0x%lx-0x%lx", &start, &end) == 2 &&
		    start >= DATA_GPA && strstr(line, "BLK"))
			nr += (end - start) / HUGE_SIZE;
	fclose(file);
	return nr;
#endif
}

static void touch_as_guest(struct kvm_vcpu *vcpu, u64 gpa)
{
	vcpu_arch_set_entry_point(vcpu, guest_touch);
	vcpu_args_set(vcpu, 1, gpa);
	run_until_done(vcpu);
}

TEST_F(huge, guest_fault_maps_all_of_a_folio)
{
	int before = nr_large_entries(self->vm);

	if (before < 0)
		SKIP(return, "large entries of the guest do not show");

	add_slot(self->vm, self->fd, self->mem, 0, MEM_SIZE);
	touch_as_guest(self->vcpu, DATA_GPA + 5 * page_size);
	EXPECT_EQ(HUGE_PAGES, nr_present(self->fd, 0, HUGE_SIZE));
	EXPECT_EQ(before + 1, nr_large_entries(self->vm));
	EXPECT_EQ(0x77, READ_ONCE(*(u64 *)(self->mem + 5 * page_size)));

	/* A part goes, and with it the large mapping. */
	punch_hole(self->fd, 5 * page_size, page_size);
	EXPECT_EQ(before, nr_large_entries(self->vm));
	touch_as_guest(self->vcpu, DATA_GPA + 6 * page_size);
	EXPECT_EQ(before, nr_large_entries(self->vm));
	EXPECT_EQ(0, READ_ONCE(*(u64 *)(self->mem + 5 * page_size)));
	EXPECT_EQ(0x77, READ_ONCE(*(u64 *)(self->mem + 6 * page_size)));
}

TEST_F(huge, slot_that_is_not_aligned_has_single_pages)
{
	int before = nr_large_entries(self->vm);

	add_slot(self->vm, self->fd, self->mem + page_size, page_size, 2 * HUGE_SIZE);
	touch_as_guest(self->vcpu, DATA_GPA + HUGE_SIZE);
	EXPECT_EQ(0x77, READ_ONCE(*(u64 *)(self->mem + HUGE_SIZE + page_size)));
	EXPECT_EQ(before, nr_large_entries(self->vm));
}

/* The address in userspace does not matter. */
TEST_F(huge, large_entries_need_addresses_that_match_offsets)
{
	size_t size = 2 * HUGE_SIZE, place = HUGE_SIZE + 5 * page_size;
	int before = nr_large_entries(self->vm);
	unsigned int i;

	if (before < 0)
		SKIP(return, "large entries of the guest do not show");

	WRITE_ONCE(self->mem[HUGE_SIZE], 0);
	ASSERT_EQ(HUGE_PAGES, nr_present(self->fd, HUGE_SIZE, HUGE_SIZE));
	virt_map(self->vm, DATA_GPA, DATA_GPA, size / page_size);
	for (i = 0; i < 8; i++) {
		size_t gpa = i & 1 ? page_size : 0;
		size_t offset = i & 2 ? page_size : 0;
		u8 *mem = self->mem + (i & 4 ? page_size : 0);
		u64 *word = (u64 *)(self->mem + offset + place - gpa);

		vm_set_user_memory_region2(self->vm, DATA_SLOT, KVM_MEM_GUEST_MEMFD,
					   DATA_GPA + gpa, size, mem, self->fd, offset);
		WRITE_ONCE(*word, 0);
		touch_as_guest(self->vcpu, DATA_GPA + place);
		EXPECT_EQ(0x77, READ_ONCE(*word));
		EXPECT_EQ(before + (gpa == offset), nr_large_entries(self->vm));
		vm_set_user_memory_region2(self->vm, DATA_SLOT, KVM_MEM_GUEST_MEMFD,
					   DATA_GPA + gpa, 0, mem, self->fd, offset);
	}
}

TEST_F(huge, slot_that_ends_in_a_folio_has_single_pages_there)
{
	int before = nr_large_entries(self->vm);

	add_slot(self->vm, self->fd, self->mem, 0, HUGE_SIZE + HUGE_SIZE / 2);
	touch_as_guest(self->vcpu, DATA_GPA + HUGE_SIZE);
	EXPECT_EQ(HUGE_PAGES, nr_present(self->fd, HUGE_SIZE, HUGE_SIZE));
	EXPECT_EQ(before, nr_large_entries(self->vm));
}

/*
 * A hole in a folio invalidates all of it, for a slot as well that has only another part.
 * If KVM did not find that slot when the invalidation ends, its vCPU would retry for good.
 */
TEST_F(huge, hole_next_to_a_slot_in_a_folio)
{
	size_t half = HUGE_SIZE / 2;

	WRITE_ONCE(self->mem[half], 0);
	ASSERT_EQ(HUGE_PAGES, nr_present(self->fd, 0, HUGE_SIZE));
	add_slot(self->vm, self->fd, self->mem + half, half, half);
	punch_hole(self->fd, 0, page_size);
	touch_as_guest(self->vcpu, DATA_GPA);
	EXPECT_EQ(0x77, READ_ONCE(*(u64 *)(self->mem + half)));
}

TEST_F(huge, prefault_maps_folios)
{
	int before = nr_large_entries(self->vm);
	struct kvm_pre_fault_memory range = { .gpa = DATA_GPA, .size = MEM_SIZE };

	if (!kvm_has_cap(KVM_CAP_PRE_FAULT_MEMORY))
		SKIP(return, "KVM_PRE_FAULT_MEMORY is not supported");

	add_slot(self->vm, self->fd, self->mem, 0, MEM_SIZE);
	while (range.size)
		vcpu_ioctl(self->vcpu, KVM_PRE_FAULT_MEMORY, &range);
	EXPECT_EQ(before + NR_HUGE, nr_large_entries(self->vm));
	EXPECT_TRUE(is_filled(self->mem, 0, MEM_SIZE));
}

static void *run_touch(void *vcpu)
{
	run_until_done(vcpu);
	return NULL;
}

/* One of them adds the folio, and both find it. */
TEST_F_TIMEOUT(huge, vcpus_touch_one_range, LONG_TIMEOUT)
{
	struct kvm_vcpu *vcpus[2];
	struct kvm_vm *vm = vm_create_with_vcpus(2, NULL, vcpus);
	int fd = vm_create_guest_memfd(vm, HUGE_SIZE, variant->flags);
	u8 *mem = map_gmem(fd, HUGE_SIZE);
	int before = nr_large_entries(vm);
	pthread_t threads[2];
	unsigned int i, j;

	add_slot(vm, fd, mem, 0, HUGE_SIZE);
	for (i = 0; i < 20; i++) {
		punch_hole(fd, 0, HUGE_SIZE);
		drain_lru();
		for (j = 0; j < 2; j++) {
			vcpu_arch_set_entry_point(vcpus[j], guest_touch);
			vcpu_args_set(vcpus[j], 1, DATA_GPA + (j + 3) * page_size);
		}
		for (j = 0; j < 2; j++)
			pthread_create(&threads[j], NULL, run_touch, vcpus[j]);
		for (j = 0; j < 2; j++)
			pthread_join(threads[j], NULL);

		EXPECT_EQ(0x77, READ_ONCE(*(u64 *)(mem + 3 * page_size)));
		EXPECT_EQ(0x77, READ_ONCE(*(u64 *)(mem + 4 * page_size)));
		EXPECT_TRUE(is_filled(mem, 0, 3 * page_size));
		EXPECT_TRUE(is_filled(mem + 5 * page_size, 0, HUGE_SIZE - 5 * page_size));
		if (nr_present(fd, 0, HUGE_SIZE) == HUGE_PAGES && before >= 0)
			EXPECT_EQ(before + 1, nr_large_entries(vm));
	}

	kvm_munmap(mem, HUGE_SIZE);
	kvm_close(fd);
	kvm_vm_free(vm);
}

static void ignore(int signal)
{
}

/* Memory errors are signalled to processes that have the page mapped. */
static void poison(void *page)
{
	signal(SIGBUS, ignore);
	TEST_ASSERT(!madvise(page, page_size, MADV_HWPOISON) || errno == EBUSY ||
		    errno == EHWPOISON, "madvise(MADV_HWPOISON) failed, errno: %d", errno);
}

/* A reference keeps the folio from being split when a page of it has an error. */
TEST_F(huge, guest_loses_the_mapping_of_a_folio_with_an_error)
{
	struct iovec iov = { self->mem + 9 * page_size, page_size };
	int before = nr_large_entries(self->vm);
	int pipefd[2];

	if (variant->flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP)
		SKIP(return, "nobody gets a reference to such memory");
	if (before < 0)
		SKIP(return, "large entries of the guest do not show");

	add_slot(self->vm, self->fd, self->mem, 0, MEM_SIZE);
	touch_as_guest(self->vcpu, DATA_GPA + 5 * page_size);
	ASSERT_EQ(before + 1, nr_large_entries(self->vm));
	touch_huge(self->fd, self->mem);
	TEST_ASSERT(!pipe(pipefd), "pipe() failed, errno: %d", errno);
	ASSERT_EQ(page_size, vmsplice(pipefd[1], &iov, 1, 0));

	poison(self->mem + 3 * page_size);
	EXPECT_EQ(before, nr_large_entries(self->vm));
	touch_as_guest(self->vcpu, DATA_GPA + 6 * page_size);
	EXPECT_EQ(before, nr_large_entries(self->vm));

	vcpu_arch_set_entry_point(self->vcpu, guest_touch);
	vcpu_args_set(self->vcpu, 1, DATA_GPA + 3 * page_size);
	EXPECT_EQ(-1, _vcpu_run(self->vcpu));
	EXPECT_EQ(EHWPOISON, errno);
	kvm_close(pipefd[0]);
	kvm_close(pipefd[1]);
}

/* Nobody has a reference: the folio is split, and one page of it is lost. */
TEST_F(huge, memory_error_leaves_the_neighbours)
{
	size_t i, bad = 3;

	if (variant->flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP)
		SKIP(return, "nobody gets a reference to such memory");

	add_slot(self->vm, self->fd, self->mem, 0, MEM_SIZE);
	touch_huge(self->fd, self->mem);
	touch_as_guest(self->vcpu, DATA_GPA + bad * page_size);
	number_pages(self->mem, HUGE_SIZE, 0x1000);
	poison(self->mem + bad * page_size);
	for (i = 0; i < HUGE_PAGES; i++)
		if (i != bad)
			EXPECT_EQ(0x1000 + i, READ_ONCE(*(u64 *)(self->mem + i * page_size)));

	touch_as_guest(self->vcpu, DATA_GPA + (bad + 1) * page_size);
	vcpu_arch_set_entry_point(self->vcpu, guest_touch);
	vcpu_args_set(self->vcpu, 1, DATA_GPA + bad * page_size);
	EXPECT_EQ(-1, _vcpu_run(self->vcpu));
	EXPECT_EQ(EHWPOISON, errno);

	/* What has gone with a hole comes back as another page. */
	punch_hole(self->fd, bad * page_size, page_size);
	touch_as_guest(self->vcpu, DATA_GPA + bad * page_size);
	EXPECT_EQ(0x77, READ_ONCE(*(u64 *)(self->mem + bad * page_size)));
}

/* The page that is about to have an error, or -1. */
static int bad_page, bad_fd;

static void *punch_bad_page(void *data)
{
	unsigned int seed = 1;
	int page;

	while ((page = READ_ONCE(bad_page)) >= 0) {
		punch_hole(bad_fd, page * page_size, page_size);
		usleep(rand_r(&seed) % 400);
	}
	return NULL;
}

/* The error has the page locked, the hole waits for it: neither for the other. */
TEST_F(huge, memory_error_in_a_page_that_goes)
{
	pthread_t thread;

	if (variant->flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP)
		SKIP(return, "nobody gets a reference to such memory");

	/* Small folios only. */
	kvm_fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, page_size);
	bad_fd = self->fd;
	bad_page = 1;
	pthread_create(&thread, NULL, punch_bad_page, NULL);
	for (; bad_page < NR_ERRORS; bad_page++)
		poison(self->mem + bad_page * page_size);
	WRITE_ONCE(bad_page, -1);
	pthread_join(thread, NULL);
}

/*
 * A guest hammers on a page while its neighbours go one by one.  A page that the
 * guest writes to when it has gone is one that the file has now: the guest must not
 * have kept a mapping of all of the folio.
 */
static void guest_hammer(u64 base, u64 size, u64 page, u64 request, u64 done)
{
	u64 seen = 0, now, i = 0;

	for (;;) {
		WRITE_ONCE(*(u64 *)(base + size - page), ++i);
		now = READ_ONCE(*(u64 *)request);
		if (now == seen) {
			/* There may be one CPU for all threads. */
			if (i % 256 == 0)
				GUEST_SYNC(0);
			continue;
		}
		seen = now;
		if (now == ~0ul)
			break;
		WRITE_ONCE(*(u64 *)(base + (now - 1) % (size / page) * page), now);
		WRITE_ONCE(*(u64 *)done, now);
	}
	GUEST_DONE();
}

static void *run_hammer(void *vcpu)
{
	struct ucall uc;

	for (;;) {
		vcpu_run(vcpu);
		if (get_ucall(vcpu, &uc) != UCALL_SYNC)
			break;
		sched_yield();
	}
	TEST_ASSERT_EQ(uc.cmd, UCALL_DONE);
	return NULL;
}

/* Somebody has a reference for some milliseconds: a hole has to wait for that long. */
static void *drop_reference(void *data)
{
	int *pipefd = data;
	u8 byte[1];

	usleep(3000);
	TEST_ASSERT(read(pipefd[0], byte, 1) == 1, "read() failed, errno: %d", errno);
	return NULL;
}

static void punch_while_in_use(int fd, u8 *mem, size_t hole)
{
	struct iovec iov = { mem + HUGE_SIZE / 2, 1 };
	pthread_t thread;
	int pipefd[2];

	TEST_ASSERT(!pipe(pipefd), "pipe() failed, errno: %d", errno);
	TEST_ASSERT(vmsplice(pipefd[1], &iov, 1, 0) == 1, "vmsplice() failed, errno: %d",
		    errno);
	pthread_create(&thread, NULL, drop_reference, pipefd);
	punch_hole(fd, hole, page_size);
	pthread_join(thread, NULL);
	kvm_close(pipefd[0]);
	kvm_close(pipefd[1]);
}

TEST_F_TIMEOUT(huge, guest_does_not_keep_a_page_that_has_gone, LONG_TIMEOUT)
{
	bool pins = !(variant->flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP);
	/* What userspace loses there would be taken from the guest, too. */
	u8 *slot_mem = map_gmem(self->fd, HUGE_SIZE);
	u64 *request, *done;
	gva_t area = vm_alloc_page(self->vm);
	pthread_t thread;
	u64 serial = 0;

	request = addr_gva2hva(self->vm, area);
	done = request + 1;
	*request = *done = 0;
	add_slot(self->vm, self->fd, slot_mem, 0, HUGE_SIZE);
	vcpu_arch_set_entry_point(self->vcpu, guest_hammer);
	vcpu_args_set(self->vcpu, 5, DATA_GPA, HUGE_SIZE, page_size, area, area + 8);
	pthread_create(&thread, NULL, run_hammer, self->vcpu);

	while (serial < 30) {
		size_t hole = serial % HUGE_PAGES * page_size;
		u64 *word = (u64 *)(self->mem + hole);

		/* The guest takes a small page at once if there is no large folio. */
		if (serial % 3 == 0)
			drain_lru();
		punch_hole(self->fd, 0, HUGE_SIZE);
		touch_huge(self->fd, self->mem);
		if (pins)
			punch_while_in_use(self->fd, self->mem, hole);
		else
			punch_hole(self->fd, hole, page_size);

		WRITE_ONCE(*request, ++serial);
		while (READ_ONCE(*done) != serial)
			sched_yield();
		EXPECT_EQ(serial, READ_ONCE(*word));
	}

	WRITE_ONCE(*request, ~0ul);
	pthread_join(thread, NULL);
	kvm_munmap(slot_mem, HUGE_SIZE);
}

#ifdef __x86_64__
static void guest_expect(u64 gpa, u64 val)
{
	GUEST_ASSERT_EQ(READ_ONCE(*(u64 *)gpa), val);
	GUEST_DONE();
}

static void expect_as_guest(struct kvm_vcpu *vcpu, u64 gpa, u64 val)
{
	vcpu_arch_set_entry_point(vcpu, guest_expect);
	vcpu_args_set(vcpu, 2, gpa, val);
	run_until_done(vcpu);
}

/* A page in the middle becomes shared, and private again. */
static void convert_a_page(struct __test_metadata *_metadata, u64 flags)
{
	const struct vm_shape shape = {
		.mode = VM_MODE_DEFAULT,
		.type = KVM_X86_SW_PROTECTED_VM,
	};
	u8 *area = kvm_mmap(2 * HUGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1);
	u8 *shared = (u8 *)align_up((unsigned long)area, HUGE_SIZE);
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int before, fd;

	vm = vm_create_shape_with_one_vcpu(shape, &vcpu, NULL);
	fd = vm_create_guest_memfd(vm, HUGE_SIZE, flags | GMEM_HUGE);
	add_slot(vm, fd, shared, 0, HUGE_SIZE);
	vm_mem_set_private(vm, DATA_GPA, HUGE_SIZE);
	before = nr_large_entries(vm);

	touch_as_guest(vcpu, DATA_GPA + 5 * page_size);
	EXPECT_EQ(HUGE_PAGES, nr_present(fd, 0, HUGE_SIZE));
	if (before >= 0)
		EXPECT_EQ(before + 1, nr_large_entries(vm));

	vm_mem_set_shared(vm, DATA_GPA + 7 * page_size, page_size);
	if (before >= 0)
		EXPECT_EQ(before, nr_large_entries(vm));
	touch_as_guest(vcpu, DATA_GPA + 7 * page_size);
	EXPECT_EQ(0x77, READ_ONCE(*(u64 *)(shared + 7 * page_size)));
	expect_as_guest(vcpu, DATA_GPA + 5 * page_size, 0x77);
	expect_as_guest(vcpu, DATA_GPA + 6 * page_size, 0);

	vm_mem_set_private(vm, DATA_GPA + 7 * page_size, page_size);
	expect_as_guest(vcpu, DATA_GPA + 7 * page_size, 0);
	expect_as_guest(vcpu, DATA_GPA + 5 * page_size, 0x77);

	kvm_close(fd);
	kvm_vm_free(vm);
	kvm_munmap(area, 2 * HUGE_SIZE);
}

TEST(private_memory_is_converted_in_part)
{
	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & BIT(KVM_X86_SW_PROTECTED_VM)))
		SKIP(return, "KVM_X86_SW_PROTECTED_VM is not available");

	convert_a_page(_metadata, 0);
	convert_a_page(_metadata, GUEST_MEMFD_FLAG_NO_DIRECT_MAP);
}
#endif

TEST(flag_goes_with_all_others)
{
	struct kvm_vm *vm = vm_create_barebones();
	u64 supported = vm_check_cap(vm, KVM_CAP_GUEST_MEMFD_FLAGS);
	u64 flags;
	int fd;

	for (flags = 0; flags <= supported; flags++) {
		if (flags & ~supported)
			continue;
		fd = __vm_create_guest_memfd(vm, page_size, flags & ~GMEM_HUGE);
		if (fd < 0)
			continue;
		kvm_close(fd);
		fd = __vm_create_guest_memfd(vm, 5 * page_size, flags | GMEM_HUGE);
		EXPECT_LE(0, fd) {
			TH_LOG("flags 0x%lx, errno %d", flags, errno);
		}
		kvm_close(fd);
	}
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	const u64 needed = GMEM_SHARED | GMEM_HUGE | GUEST_MEMFD_FLAG_WRITE |
			   GUEST_MEMFD_FLAG_NO_DIRECT_MAP;
	struct kvm_vm *vm;
	u64 supported;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_MEMFD));
	page_size = getpagesize();

	vm = vm_create_barebones();
	supported = vm_check_cap(vm, KVM_CAP_GUEST_MEMFD_FLAGS);
	kvm_vm_free(vm);
	__TEST_REQUIRE((supported & needed) == needed,
		       "KVM supports guest_memfd flags 0x%lx, not 0x%lx", supported, needed);

	return test_harness_run(argc, argv);
}
