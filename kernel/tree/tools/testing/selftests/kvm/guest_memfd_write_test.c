// SPDX-License-Identifier: GPL-2.0-only
/*
 * write() to guest_memfd: host and guest see the contents that were written.  Memory
 * around them does not change.  All that is so in and out of the direct map.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/falloc.h>
#include <linux/sizes.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "kvm_syscalls.h"
#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"

#define GMEM_SHARED	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)
#define GMEM_NO_DM	GUEST_MEMFD_FLAG_NO_DIRECT_MAP
#define GMEM_WRITE	GUEST_MEMFD_FLAG_WRITE

#define NR_PAGES	8
#define DATA_SLOT	1
#define DATA_GPA	((gpa_t)SZ_4G)

static size_t page_size;
static size_t mem_size;

/* Turn the "-1 and errno" of a system call into one value. */
static long ret_or_errno(long ret)
{
	return ret < 0 ? -errno : ret;
}

static bool is_filled(const void *mem, u8 val, size_t size)
{
	const u8 *p = mem;
	size_t i;

	for (i = 0; i < size; i++) {
		if (READ_ONCE(p[i]) != val)
			return false;
	}
	return true;
}

static void *map_gmem(int fd)
{
	return kvm_mmap(mem_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
}

static void punch_hole(int fd, off_t offset, size_t len)
{
	kvm_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
}

static void *new_buf(size_t size)
{
	return kvm_mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void fill_random(u8 *buf, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		buf[i] = rand();
}

/*
 * Creation
 */
FIXTURE(create) {
	struct kvm_vm *vm;
};

FIXTURE_SETUP(create)
{
	self->vm = vm_create_barebones();
}

FIXTURE_TEARDOWN(create)
{
	kvm_vm_free(self->vm);
}

/* Returns 0 if the file could be created, else the negative errno. */
static long try_create(struct kvm_vm *vm, u64 flags)
{
	int fd = __vm_create_guest_memfd(vm, page_size, flags);

	if (fd < 0)
		return -errno;

	kvm_close(fd);
	return 0;
}

TEST_F(create, needs_shared_memory)
{
	EXPECT_EQ(-EINVAL, try_create(self->vm, GMEM_WRITE));
	EXPECT_EQ(-EINVAL, try_create(self->vm, GMEM_WRITE | GUEST_MEMFD_FLAG_MMAP));
	EXPECT_EQ(-EINVAL, try_create(self->vm, GMEM_WRITE | GMEM_NO_DM));
	EXPECT_EQ(-EINVAL, try_create(self->vm, GMEM_WRITE | GMEM_NO_DM |
						GUEST_MEMFD_FLAG_MMAP));
}

TEST_F(create, needs_no_mmap)
{
	EXPECT_EQ(0, try_create(self->vm, GMEM_WRITE | GUEST_MEMFD_FLAG_INIT_SHARED));
	EXPECT_EQ(0, try_create(self->vm, GMEM_WRITE | GMEM_SHARED));
}

TEST_F(create, is_advertised_where_memory_can_be_shared)
{
	u64 supported = vm_check_cap(self->vm, KVM_CAP_GUEST_MEMFD_FLAGS);

	EXPECT_EQ(!!(supported & GUEST_MEMFD_FLAG_INIT_SHARED),
		  !!(supported & GMEM_WRITE));
}

static void expect_refused(struct __test_metadata *_metadata, struct kvm_vm *vm,
			   u64 flags)
{
	int fd = vm_create_guest_memfd(vm, page_size, flags);
	struct iovec iov = { &page_size, sizeof(page_size) };
	int pipefd[2];

	EXPECT_EQ(-ENODEV, ret_or_errno(write(fd, iov.iov_base, iov.iov_len)));
	EXPECT_EQ(-ENODEV, ret_or_errno(pwrite(fd, iov.iov_base, iov.iov_len, 0)));
	EXPECT_EQ(-ENODEV, ret_or_errno(pwritev(fd, &iov, 1, 0)));

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(1, write(pipefd[1], "x", 1));
	EXPECT_EQ(-ENODEV, ret_or_errno(splice(pipefd[0], NULL, fd, NULL, 1, 0)));
	kvm_close(pipefd[0]);
	kvm_close(pipefd[1]);
	kvm_close(fd);
}

TEST_F(create, without_the_flag_nothing_is_written)
{
	u64 supported = vm_check_cap(self->vm, KVM_CAP_GUEST_MEMFD_FLAGS);

	expect_refused(_metadata, self->vm, 0);
	expect_refused(_metadata, self->vm, GMEM_SHARED);
	if (supported & GMEM_NO_DM)
		expect_refused(_metadata, self->vm, GMEM_SHARED | GMEM_NO_DM);
}

/*
 * Contents: @model is what the file has to hold, @mem is a mapping of the file
 * that no test touches before it has written.
 */
FIXTURE(file) {
	struct kvm_vm *vm;
	u8 *model;
	u8 *mem;
	u8 *buf;
	int fd;
};

FIXTURE_VARIANT(file) {
	u64 flags;
};

FIXTURE_VARIANT_ADD(file, plain) {
	.flags = GMEM_SHARED | GMEM_WRITE,
};

FIXTURE_VARIANT_ADD(file, no_direct_map) {
	.flags = GMEM_SHARED | GMEM_WRITE | GMEM_NO_DM,
};

FIXTURE_SETUP(file)
{
	self->vm = vm_create_barebones();
	if (variant->flags & ~vm_check_cap(self->vm, KVM_CAP_GUEST_MEMFD_FLAGS))
		SKIP(return, "flags 0x%lx are not available", variant->flags);

	self->fd = vm_create_guest_memfd(self->vm, mem_size, variant->flags);
	self->mem = map_gmem(self->fd);
	self->model = new_buf(mem_size);
	self->buf = new_buf(2 * mem_size);
	fill_random(self->buf, 2 * mem_size);
}

FIXTURE_TEARDOWN(file)
{
	if (self->mem) {
		kvm_munmap(self->buf, 2 * mem_size);
		kvm_munmap(self->model, mem_size);
		kvm_munmap(self->mem, mem_size);
		kvm_close(self->fd);
	}
	kvm_vm_free(self->vm);
}

/* What the file holds afterwards is up to the caller to compare. */
#define WRITE_OK(offset, from, len)						\
do {										\
	const void *__from = (from);						\
	off_t __offset = (offset);						\
	size_t __len = (len);							\
										\
	EXPECT_EQ((long)__len,							\
		  ret_or_errno(pwrite(self->fd, __from, __len, __offset)));	\
	memcpy(self->model + __offset, __from, __len);				\
} while (0)

#define EXPECT_MODEL() EXPECT_EQ(0, memcmp(self->model, self->mem, mem_size))

static const struct {
	int page, offset, nr_pages, len;
} ranges[] = {
	{ 0, 0, 1, 0 },		/* a page */
	{ 2, 0, 0, 1 },
	{ 3, -1, 0, 1 },
	{ 4, -1, 0, 2 },	/* across a border */
	{ 1, 100, 1, 0 },
	{ 5, 0, 1, 100 },
	{ 5, 100, 2, 0 },
	{ 7, 0, 1, 0 },		/* up to the end */
	{ 0, 0, NR_PAGES, 0 },
	{ 0, 1, NR_PAGES, -2 },
};

TEST_F(file, fresh_memory_is_written_and_zero_elsewhere)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		off_t offset = ranges[i].page * page_size + ranges[i].offset;
		size_t len = ranges[i].nr_pages * page_size + ranges[i].len;

		punch_hole(self->fd, 0, mem_size);
		memset(self->model, 0, mem_size);
		WRITE_OK(offset, self->buf + i, len);
		EXPECT_MODEL() TH_LOG("range %d", i);
	}
}

TEST_F(file, preallocated_memory_is_written_and_zero_elsewhere)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		off_t offset = ranges[i].page * page_size + ranges[i].offset;
		size_t len = ranges[i].nr_pages * page_size + ranges[i].len;

		punch_hole(self->fd, 0, mem_size);
		kvm_fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, mem_size);
		memset(self->model, 0, mem_size);
		WRITE_OK(offset, self->buf + i, len);
		EXPECT_MODEL() TH_LOG("range %d", i);
	}
}

TEST_F(file, memory_in_use_is_kept_around_what_is_written)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		off_t offset = ranges[i].page * page_size + ranges[i].offset;
		size_t len = ranges[i].nr_pages * page_size + ranges[i].len;

		fill_random(self->mem, mem_size);
		memcpy(self->model, self->mem, mem_size);
		WRITE_OK(offset, self->buf + i, len);
		EXPECT_MODEL() TH_LOG("range %d", i);
	}
}

TEST_F(file, any_sequence_of_writes_and_holes)
{
	int i;

	for (i = 0; i < 1000; i++) {
		const u8 *from = self->buf + rand() % mem_size;
		off_t offset = rand() % mem_size;
		size_t len = 1 + rand() % (mem_size - offset);

		if (i % 3 == 0)
			len = 1 + len % page_size;
		if (i % 8 == 7) {
			offset &= ~(page_size - 1);
			punch_hole(self->fd, offset, page_size);
			memset(self->model + offset, 0, page_size);
			continue;
		}
		if (offset + len > mem_size)
			len = mem_size - offset;
		WRITE_OK(offset, from, len);
		if (i % 16 == 0)
			EXPECT_MODEL() TH_LOG("after %d steps", i);
	}
	EXPECT_MODEL();
}

TEST_F(file, position_moves_and_can_be_set)
{
	EXPECT_EQ(100, write(self->fd, self->buf, 100));
	EXPECT_EQ(page_size, write(self->fd, self->buf + 100, page_size));
	EXPECT_EQ(100 + page_size, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(3 * page_size, lseek(self->fd, 3 * page_size, SEEK_SET));
	EXPECT_EQ(10, write(self->fd, self->buf, 10));

	memcpy(self->model, self->buf, 100 + page_size);
	memcpy(self->model + 3 * page_size, self->buf, 10);
	EXPECT_MODEL();
}

/* The size is fixed: what fits is written, and then the file is too big. */
TEST_F(file, ends_at_the_end)
{
	u8 *buf = self->buf;

	EXPECT_EQ(page_size, pwrite(self->fd, buf, 3 * page_size, mem_size - page_size));
	memcpy(self->model + mem_size - page_size, buf, page_size);
	EXPECT_EQ(1, pwrite(self->fd, buf, mem_size, mem_size - 1));
	self->model[mem_size - 1] = buf[0];
	EXPECT_MODEL();

	EXPECT_EQ(-EFBIG, ret_or_errno(pwrite(self->fd, buf, 1, mem_size)));
	EXPECT_EQ(-EFBIG, ret_or_errno(pwrite(self->fd, buf, page_size, 16 * mem_size)));
	EXPECT_EQ(0, pwrite(self->fd, buf, 0, mem_size));

	EXPECT_EQ(mem_size, pwrite(self->fd, buf, 2 * mem_size, 0));
	memcpy(self->model, buf, mem_size);
	EXPECT_MODEL();
}

/* Some of the source is missing: what is there is written, nothing else. */
TEST_F(file, fault_in_the_source_is_a_short_write)
{
	static const int starts[] = { 0, 1, 100 };
	u8 *end = self->buf + 3 * page_size;
	int i;

	ASSERT_EQ(0, mprotect(end, page_size, PROT_NONE));
	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		size_t there = 2 * page_size + 10;
		off_t offset = starts[i];

		fill_random(self->mem, mem_size);
		memcpy(self->model, self->mem, mem_size);
		EXPECT_EQ(there, pwrite(self->fd, end - there, 4 * page_size, offset));
		memcpy(self->model + offset, end - there, there);
		EXPECT_MODEL() TH_LOG("offset %ld", offset);

		EXPECT_EQ(-EFAULT, ret_or_errno(pwrite(self->fd, end, page_size, offset)));
		EXPECT_MODEL() TH_LOG("offset %ld", offset);
	}

	/* On fresh memory too, and the rest of its page is zero. */
	punch_hole(self->fd, 0, mem_size);
	memset(self->model, 0, mem_size);
	EXPECT_EQ(-EFAULT, ret_or_errno(pwrite(self->fd, end, page_size, page_size)));
	EXPECT_EQ(10, pwrite(self->fd, end - 10, page_size, 0));
	memcpy(self->model, end - 10, 10);
	EXPECT_MODEL();
}

/* The rest can be written as if nothing had happened. */
TEST_F(file, short_write_is_continued)
{
	u8 *end = self->buf + page_size;

	ASSERT_EQ(0, mprotect(end, page_size, PROT_NONE));
	EXPECT_EQ(10, write(self->fd, end - 10, page_size));
	EXPECT_EQ(10, lseek(self->fd, 0, SEEK_CUR));
	ASSERT_EQ(0, mprotect(end, page_size, PROT_READ));
	EXPECT_EQ(page_size - 10, write(self->fd, end, page_size - 10));

	memcpy(self->model, end - 10, page_size);
	EXPECT_MODEL();
}

TEST_F(file, source_is_the_same_memory)
{
	WRITE_OK(0, self->buf, mem_size);

	WRITE_OK(0, self->mem, page_size);
	EXPECT_MODEL();
	WRITE_OK(4 * page_size, self->mem, 4 * page_size);
	EXPECT_MODEL();
	WRITE_OK(2 * page_size + 100, self->mem + page_size + 1, 500);
	EXPECT_MODEL();
}

TEST_F(file, source_is_a_list_of_buffers)
{
	struct iovec iov[] = {
		{ self->buf, 1 },
		{ self->buf + page_size, 0 },
		{ self->buf + page_size, page_size },
		{ self->buf + 3 * page_size + 1, page_size / 2 },
		{ self->buf + 5 * page_size, page_size + 1 },
	};
	size_t offset = page_size - 10, done = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(iov); i++) {
		memcpy(self->model + offset + done, iov[i].iov_base, iov[i].iov_len);
		done += iov[i].iov_len;
	}
	EXPECT_EQ(done, pwritev(self->fd, iov, ARRAY_SIZE(iov), offset));
	EXPECT_MODEL();
}

static int open_source(const void *buf, size_t size)
{
	int fd = kvm_memfd_alloc(size, false);

	TEST_ASSERT(pwrite(fd, buf, size, 0) == size, "memfd is full?");
	return fd;
}

TEST_F(file, source_is_a_file)
{
	int fd = open_source(self->buf, 2 * mem_size);
	off_t from = 100, to = page_size / 2;
	size_t len = 3 * page_size;
	int pipefd[2];
	ssize_t n;

	ASSERT_EQ(0, pipe(pipefd));
	memcpy(self->model + to, self->buf + from, len);
	while (len) {
		n = splice(fd, &from, pipefd[1], NULL, len, 0);
		ASSERT_LT(0, n);
		len -= n;
		while (n) {
			ssize_t m = splice(pipefd[0], NULL, self->fd, &to, n, 0);

			ASSERT_LT(0, m);
			n -= m;
		}
	}
	EXPECT_MODEL();

	from = 0;
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(mem_size, sendfile(self->fd, fd, &from, mem_size));
	memcpy(self->model, self->buf, mem_size);
	EXPECT_MODEL();
	EXPECT_EQ(-EFBIG, ret_or_errno(sendfile(self->fd, fd, &from, page_size)));

	kvm_close(pipefd[0]);
	kvm_close(pipefd[1]);
	kvm_close(fd);
}

TEST_F(file, is_still_not_readable)
{
	EXPECT_EQ(-1, pread(self->fd, self->buf, 1, 0));
	EXPECT_EQ(-1, read(self->fd, self->buf, 1));
}

/* Pages that come and go by write() alone come back as usable as before. */
TEST_F(file, written_memory_is_reusable)
{
	int i;

	for (i = 0; i < 64; i++) {
		WRITE_OK(0, self->buf + i, mem_size);
		punch_hole(self->fd, 0, mem_size);
	}
	EXPECT_TRUE(is_filled(self->mem, 0, mem_size));
}

/*
 * Guests
 */
FIXTURE(guest) {
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	u8 *mem;
	u8 *buf;
	int fd;
};

FIXTURE_VARIANT(guest) {
	u64 flags;
};

FIXTURE_VARIANT_ADD(guest, plain) {
	.flags = GMEM_SHARED | GMEM_WRITE,
};

FIXTURE_VARIANT_ADD(guest, no_direct_map) {
	.flags = GMEM_SHARED | GMEM_WRITE | GMEM_NO_DM,
};

FIXTURE_SETUP(guest)
{
	self->vm = vm_create_with_one_vcpu(&self->vcpu, NULL);
	if (variant->flags & ~vm_check_cap(self->vm, KVM_CAP_GUEST_MEMFD_FLAGS))
		SKIP(return, "flags 0x%lx are not available", variant->flags);

	self->fd = vm_create_guest_memfd(self->vm, mem_size, variant->flags);
	self->mem = map_gmem(self->fd);
	self->buf = new_buf(mem_size);
	fill_random(self->buf, mem_size);
	vm_set_user_memory_region2(self->vm, DATA_SLOT, KVM_MEM_GUEST_MEMFD, DATA_GPA,
				   mem_size, self->mem, self->fd, 0);
	virt_map(self->vm, DATA_GPA, DATA_GPA, mem_size / self->vm->page_size);
}

FIXTURE_TEARDOWN(guest)
{
	if (self->mem) {
		kvm_munmap(self->buf, mem_size);
		kvm_munmap(self->mem, mem_size);
		kvm_close(self->fd);
	}
	kvm_vm_free(self->vm);
}

/* Reports the sum of its memory, inverts it, and so on. */
static void guest_sum_and_invert(u8 *mem, u64 size)
{
	u64 i, sum;

	for (;;) {
		for (i = 0, sum = 0; i < size; i++) {
			sum = sum * 31 + mem[i];
			mem[i] = ~mem[i];
		}
		GUEST_SYNC(sum);
	}
}

static u64 sum_of(const u8 *mem, size_t size)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < size; i++)
		sum = sum * 31 + mem[i];
	return sum;
}

static u64 run_guest(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	TEST_ASSERT_EQ(get_ucall(vcpu, &uc), UCALL_SYNC);
	return uc.args[1];
}

TEST_F(guest, sees_what_was_written)
{
	int i;

	vcpu_arch_set_entry_point(self->vcpu, guest_sum_and_invert);
	vcpu_args_set(self->vcpu, 2, DATA_GPA, mem_size);

	for (i = 0; i < 10; i++) {
		size_t len = rand() % mem_size, j;

		/* The file holds @buf, after the first round. */
		fill_random(self->buf, i ? len : mem_size);
		if (!i)
			len = mem_size;
		EXPECT_EQ(len, pwrite(self->fd, self->buf, len, 0));
		EXPECT_EQ(sum_of(self->buf, mem_size), run_guest(self->vcpu));

		for (j = 0; j < mem_size; j++)
			self->buf[j] = ~self->buf[j];
		EXPECT_EQ(0, memcmp(self->buf, self->mem, mem_size));
	}
}

static void require_write(void)
{
	struct kvm_vm *vm = vm_create_barebones();
	u64 supported = vm_check_cap(vm, KVM_CAP_GUEST_MEMFD_FLAGS);

	__TEST_REQUIRE((supported & (GMEM_SHARED | GMEM_WRITE)) == (GMEM_SHARED | GMEM_WRITE),
		       "KVM supports guest_memfd flags 0x%lx, not WRITE", supported);
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_MEMFD));

	page_size = getpagesize();
	mem_size = NR_PAGES * page_size;
	require_write();

	return test_harness_run(argc, argv);
}
