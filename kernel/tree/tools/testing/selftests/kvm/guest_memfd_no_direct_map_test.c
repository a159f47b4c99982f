// SPDX-License-Identifier: GPL-2.0-only
/*
 * GUEST_MEMFD_FLAG_NO_DIRECT_MAP promises userspace that the memory is ordinary
 * memory when it is reached through page tables.  Requests for which the kernel
 * would have to pin its pages are refused.  Each refusal has its
 * positive control: the same operation, done first on a plain guest_memfd, must
 * succeed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/stddef.h>
#include <linux/io_uring.h>
#include <linux/sizes.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "kvm_syscalls.h"
#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "test_util.h"

#define GMEM_SHARED	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)
#define GMEM_NO_DM	GUEST_MEMFD_FLAG_NO_DIRECT_MAP

#define NR_PAGES	4
#define PATTERN		0xa5

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

static void *map_gmem(int fd, size_t size)
{
	return kvm_mmap(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
}

static void punch_hole(int fd, off_t offset, size_t len)
{
	kvm_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
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
static long try_create(struct kvm_vm *vm, u64 size, u64 flags)
{
	int fd = __vm_create_guest_memfd(vm, size, flags);

	if (fd < 0)
		return -errno;

	kvm_close(fd);
	return 0;
}

static void check_flags(struct __test_metadata *_metadata, unsigned long vm_type)
{
	struct kvm_vm *vm = vm_create_barebones_type(vm_type);
	u64 supported = vm_check_cap(vm, KVM_CAP_GUEST_MEMFD_FLAGS);
	u64 flags;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		/* Flags that have come later may need the company of others. */
		if (BIT_ULL(bit) & supported & ~(GMEM_SHARED | GMEM_NO_DM))
			continue;
		EXPECT_EQ(BIT_ULL(bit) & supported ? 0 : -EINVAL,
			  try_create(vm, page_size, BIT_ULL(bit))) {
			TH_LOG("VM type %lu, bit %d", vm_type, bit);
		}
	}

	for (flags = 0; flags <= (GMEM_SHARED | GMEM_NO_DM); flags++) {
		EXPECT_EQ(flags & ~supported ? -EINVAL : 0,
			  try_create(vm, page_size, flags)) {
			TH_LOG("VM type %lu, flags 0x%lx", vm_type, flags);
		}
	}

	kvm_vm_free(vm);
}

TEST(flags_are_accepted_as_advertised)
{
	unsigned long vm_types = kvm_check_cap(KVM_CAP_VM_TYPES);
	unsigned long vm_type;

	if (!vm_types)
		vm_types = BIT(VM_TYPE_DEFAULT);

	for (vm_type = 0; vm_type < BITS_PER_LONG; vm_type++) {
		if (vm_types & BIT(vm_type))
			check_flags(_metadata, vm_type);
	}
}

TEST_F(create, valid_alone_with_mmap_and_with_init_shared)
{
	EXPECT_EQ(0, try_create(self->vm, page_size, GMEM_NO_DM));
	EXPECT_EQ(0, try_create(self->vm, page_size, GMEM_NO_DM | GUEST_MEMFD_FLAG_MMAP));
	EXPECT_EQ(0, try_create(self->vm, page_size, GMEM_NO_DM | GMEM_SHARED));
}

TEST_F(create, unaligned_or_empty_size_is_refused)
{
	EXPECT_EQ(0, try_create(self->vm, page_size, GMEM_NO_DM));
	EXPECT_EQ(-EINVAL, try_create(self->vm, 0, GMEM_NO_DM));
	EXPECT_EQ(-EINVAL, try_create(self->vm, 1, GMEM_NO_DM));
	EXPECT_EQ(-EINVAL, try_create(self->vm, page_size - 1, GMEM_NO_DM));
	EXPECT_EQ(-EINVAL, try_create(self->vm, page_size + 1, GMEM_NO_DM));
	EXPECT_EQ(-EINVAL, try_create(self->vm, -page_size, GMEM_NO_DM));
}

TEST_F(create, mmap_needs_the_mmap_flag)
{
	int fd = vm_create_guest_memfd(self->vm, page_size, GMEM_NO_DM);
	void *mem = mmap(NULL, page_size, PROT_READ, MAP_SHARED, fd, 0);

	EXPECT_EQ(MAP_FAILED, mem);
	EXPECT_EQ(ENODEV, errno);
	kvm_close(fd);
}

TEST_F(create, access_without_init_shared_is_sigbus)
{
	int fd = vm_create_guest_memfd(self->vm, page_size,
				       GMEM_NO_DM | GUEST_MEMFD_FLAG_MMAP);
	u8 *mem = map_gmem(fd, page_size);

	TEST_EXPECT_SIGBUS((void)READ_ONCE(mem[0]));
	TEST_EXPECT_SIGBUS(WRITE_ONCE(mem[0], 1));

	kvm_munmap(mem, page_size);
	kvm_close(fd);
}

/*
 * Userspace mappings.  "plain" is the positive control of "no_dm".
 */
FIXTURE(mapping) {
	struct kvm_vm *vm;
	int plain_fd, no_dm_fd;
	u8 *plain, *no_dm;
};

FIXTURE_SETUP(mapping)
{
	self->vm = vm_create_barebones();
	self->plain_fd = vm_create_guest_memfd(self->vm, mem_size, GMEM_SHARED);
	self->no_dm_fd = vm_create_guest_memfd(self->vm, mem_size,
					       GMEM_SHARED | GMEM_NO_DM);
	self->plain = map_gmem(self->plain_fd, mem_size);
	self->no_dm = map_gmem(self->no_dm_fd, mem_size);
	memset(self->plain, PATTERN, mem_size);
	memset(self->no_dm, PATTERN, mem_size);
}

FIXTURE_TEARDOWN(mapping)
{
	kvm_munmap(self->plain, mem_size);
	kvm_munmap(self->no_dm, mem_size);
	kvm_close(self->plain_fd);
	kvm_close(self->no_dm_fd);
	kvm_vm_free(self->vm);
}

/* An operation on a page, returning 0 or the negative errno. */
typedef long (*page_op_t)(void *page);

/* The operation works on plain memory, and fails on the other, unharmed. */
#define EXPECT_REFUSED(_op, _errno)					\
do {									\
	long (*op)(void *page) = (_op);					\
									\
	EXPECT_EQ(0, op(self->plain));					\
	EXPECT_EQ(-(_errno), op(self->no_dm));				\
	EXPECT_TRUE(is_filled(self->no_dm, PATTERN, mem_size));		\
} while (0)

#define EXPECT_WORKS(_op)						\
do {									\
	long (*op)(void *page) = (_op);					\
									\
	EXPECT_EQ(0, op(self->plain));					\
	EXPECT_EQ(0, op(self->no_dm));					\
} while (0)

static long full_or_errno(ssize_t ret)
{
	if (ret < 0)
		return -errno;
	return ret == page_size ? 0 : -EIO;
}

/* The page as memory of a remote process, which happens to be this one. */
static long vm_readv(void *page)
{
	u8 buf[page_size];
	struct iovec local = { buf, page_size }, remote = { page, page_size };

	return full_or_errno(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
}

static long vm_writev(void *page)
{
	u8 buf[page_size];
	struct iovec local = { buf, page_size }, remote = { page, page_size };

	memset(buf, PATTERN, page_size);
	return full_or_errno(process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
}

TEST_F(mapping, process_vm_readv_is_refused)
{
	EXPECT_REFUSED(vm_readv, EFAULT);
}

TEST_F(mapping, process_vm_writev_is_refused)
{
	EXPECT_REFUSED(vm_writev, EFAULT);
}

static long splice_page(void *page, unsigned int flags)
{
	struct iovec iov = { page, page_size };
	int pipefd[2];
	long ret;

	TEST_ASSERT(!pipe(pipefd), "pipe() failed, errno: %d", errno);
	ret = full_or_errno(vmsplice(pipefd[1], &iov, 1, flags));
	kvm_close(pipefd[0]);
	kvm_close(pipefd[1]);
	return ret;
}

static long vmsplice_copy(void *page)
{
	return splice_page(page, 0);
}

static long vmsplice_gift(void *page)
{
	return splice_page(page, SPLICE_F_GIFT);
}

TEST_F(mapping, vmsplice_is_refused)
{
	EXPECT_REFUSED(vmsplice_copy, EFAULT);
	EXPECT_REFUSED(vmsplice_gift, EFAULT);
}

/* Neither may a request that has to fault the page in first. */
TEST_F(mapping, refusal_needs_no_page_tables)
{
	kvm_madvise(self->plain, mem_size, MADV_DONTNEED);
	kvm_madvise(self->no_dm, mem_size, MADV_DONTNEED);
	EXPECT_REFUSED(vmsplice_copy, EFAULT);
}

static long register_fixed_buffer(void *page)
{
	struct io_uring_params params = {};
	struct iovec iov = { page, page_size };
	int ring = syscall(__NR_io_uring_setup, 1, &params);
	long ret;

	if (ring < 0)
		return -errno;

	ret = ret_or_errno(syscall(__NR_io_uring_register, ring,
				   IORING_REGISTER_BUFFERS, &iov, 1));
	kvm_close(ring);
	return ret;
}

TEST_F(mapping, io_uring_fixed_buffer_is_refused)
{
	if (access("/proc/sys/kernel/io_uring_disabled", F_OK))
		SKIP(return, "needs CONFIG_IO_URING");
	if (register_fixed_buffer(self->plain) == -EPERM)
		SKIP(return, "io_uring is turned off by its sysctl");

	EXPECT_REFUSED(register_fixed_buffer, EFAULT);
}

static bool is_there(int fd)
{
	u8 *mem = map_gmem(fd, mem_size);
	u8 *vec = calloc(mem_size / page_size, 1);
	bool all = true;
	size_t i;

	TEST_ASSERT(!mincore(mem, mem_size, vec), "mincore() failed, errno: %d", errno);
	for (i = 0; i < mem_size / page_size; i++)
		all &= vec[i] & 1;
	free(vec);
	kvm_munmap(mem, mem_size);
	return all;
}

/* Nobody gets a page: page faults are all that it does. */
TEST_F(mapping, madv_populates_holes)
{
	punch_hole(self->no_dm_fd, 0, mem_size);
	EXPECT_FALSE(is_there(self->no_dm_fd));
	EXPECT_EQ(0, ret_or_errno(madvise(self->no_dm, mem_size, MADV_POPULATE_WRITE)));
	EXPECT_TRUE(is_there(self->no_dm_fd));
	EXPECT_TRUE(is_filled(self->no_dm, 0, mem_size));
	EXPECT_EQ(0, ret_or_errno(madvise(self->no_dm, mem_size, MADV_POPULATE_READ)));
}

/* The child inherits the mapping and stops, for the parent to trace it. */
static pid_t start_tracee(void)
{
	pid_t pid = fork();
	int status;

	TEST_ASSERT(pid >= 0, "fork() failed, errno: %d", errno);
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}

	TEST_ASSERT(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status),
		    "The tracee should have stopped, status: 0x%x", status);
	return pid;
}

static void stop_tracee(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static long ptrace_peek(void *page)
{
	pid_t pid = start_tracee();
	long ret;

	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, page, NULL);
	ret = -errno;
	stop_tracee(pid);
	return ret;
}

static long ptrace_poke(void *page)
{
	unsigned long word;
	pid_t pid = start_tracee();
	long ret;

	memset(&word, PATTERN, sizeof(word));
	ret = ret_or_errno(ptrace(PTRACE_POKEDATA, pid, page, (void *)word));
	stop_tracee(pid);
	return ret;
}

TEST_F(mapping, ptrace_is_refused)
{
	EXPECT_REFUSED(ptrace_peek, EIO);
	EXPECT_REFUSED(ptrace_poke, EIO);
}

static long proc_mem(void *page, bool write)
{
	int fd = open("/proc/self/mem", O_RDWR);
	u8 buf[page_size];
	ssize_t ret;

	TEST_ASSERT(fd >= 0, "open(/proc/self/mem) failed, errno: %d", errno);
	memset(buf, PATTERN, page_size);
	if (write)
		ret = full_or_errno(pwrite(fd, buf, page_size, (off_t)page));
	else
		ret = full_or_errno(pread(fd, buf, page_size, (off_t)page));
	kvm_close(fd);
	return ret;
}

static long proc_mem_read(void *page)
{
	return proc_mem(page, false);
}

static long proc_mem_write(void *page)
{
	return proc_mem(page, true);
}

TEST_F(mapping, proc_pid_mem_is_refused)
{
	EXPECT_REFUSED(proc_mem_read, EIO);
	EXPECT_REFUSED(proc_mem_write, EIO);
}

/* Whether I/O on the file goes to the pages of the buffer, not to a cache. */
static bool does_direct_io(int fd)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx))
		return false;

	return (stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_mem_align &&
	       stx.stx_dio_offset_align <= page_size;
}

/* An unnamed file, with a page written so that it isn't a hole. */
static int open_direct_tmpfile(void)
{
	void *buf = kvm_mmap(page_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fd = open(".", O_TMPFILE | O_RDWR | O_DIRECT, 0600);

	if (fd >= 0 && (!does_direct_io(fd) ||
			pwrite(fd, buf, page_size, 0) != page_size)) {
		kvm_close(fd);
		fd = -1;
	}

	kvm_munmap(buf, page_size);
	return fd;
}

static int open_direct_block_device(const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, flags | O_DIRECT);
	if (fd < 0)
		return -1;

	if (does_direct_io(fd) && lseek(fd, 0, SEEK_END) >= page_size)
		return fd;

	kvm_close(fd);
	return -1;
}

/*
 * A file to do direct I/O on, or -1.  Of block devices only unused RAM disks
 * are ever written to, and with what they hold already.
 */
static int open_direct(bool write)
{
	int fd = open_direct_tmpfile();
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		fd = open_direct_block_device("ram0", O_RDWR | O_EXCL);
	if (fd >= 0 || write)
		return fd;

	dir = opendir("/sys/class/block");
	while (dir && fd < 0 && (entry = readdir(dir)))
		fd = open_direct_block_device(entry->d_name, O_RDONLY);
	if (dir)
		closedir(dir);
	return fd;
}

/* Returns 0 or the negative errno, and leaves file and memory as they were. */
static long direct_io(void *page, bool write)
{
	int fd = open_direct(write);
	u8 saved[page_size];
	void *buf;
	long ret;

	buf = kvm_mmap(page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
	TEST_ASSERT(pread(fd, buf, page_size, 0) == page_size,
		    "Direct I/O with anonymous memory failed, errno: %d", errno);

	memcpy(saved, page, page_size);
	memcpy(page, buf, page_size);
	if (write)
		ret = full_or_errno(pwrite(fd, page, page_size, 0));
	else
		ret = full_or_errno(pread(fd, page, page_size, 0));
	memcpy(page, saved, page_size);

	kvm_munmap(buf, page_size);
	kvm_close(fd);
	return ret;
}

static long direct_read(void *page)
{
	return direct_io(page, false);
}

static long direct_write(void *page)
{
	return direct_io(page, true);
}

static bool have_direct_io(bool write)
{
	int fd = open_direct(write);

	if (fd < 0)
		return false;

	kvm_close(fd);
	return true;
}

TEST_F(mapping, direct_io_read_is_refused)
{
	if (!have_direct_io(false))
		SKIP(return, "no file or block device here does direct I/O");

	EXPECT_REFUSED(direct_read, EFAULT);
}

TEST_F(mapping, direct_io_write_is_refused)
{
	if (!have_direct_io(true))
		SKIP(return, "no file or RAM disk here does direct I/O");

	EXPECT_REFUSED(direct_write, EFAULT);
}

/* The key of a shared futex is the page, that of a private one the address. */
static long futex_wake(void *page, int flags)
{
	return ret_or_errno(syscall(__NR_futex, page, FUTEX_WAKE | flags, 1,
				    NULL, NULL, 0));
}

static long shared_futex(void *page)
{
	return futex_wake(page, 0);
}

static long private_futex(void *page)
{
	return futex_wake(page, FUTEX_PRIVATE_FLAG);
}

TEST_F(mapping, shared_futex_is_refused_private_futex_works)
{
	EXPECT_REFUSED(shared_futex, EFAULT);
	EXPECT_WORKS(private_futex);
}

static long private_mapping(int fd)
{
	void *mem = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE, fd, 0);

	return mem == MAP_FAILED ? -errno : 0;
}

static long executable_mapping(int fd)
{
	void *mem = mmap(NULL, page_size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);

	return mem == MAP_FAILED ? -errno : 0;
}

TEST_F(mapping, private_mapping_is_refused)
{
	EXPECT_EQ(-EINVAL, private_mapping(self->no_dm_fd));
}

TEST_F(mapping, executable_mapping_is_refused)
{
	EXPECT_EQ(-EPERM, executable_mapping(self->no_dm_fd));
}

TEST_F(mapping, access_beyond_the_end_is_sigbus)
{
	u8 *mem = map_gmem(self->no_dm_fd, 2 * mem_size);

	EXPECT_EQ(PATTERN, READ_ONCE(mem[mem_size - 1]));
	TEST_EXPECT_SIGBUS((void)READ_ONCE(mem[mem_size]));
	TEST_EXPECT_SIGBUS(WRITE_ONCE(mem[mem_size], 1));
	kvm_munmap(mem, 2 * mem_size);
}

/* What copies through the user's mapping works as with any memory. */
static long pipe_copy(void *page)
{
	int pipefd[2];
	long ret;

	TEST_ASSERT(!pipe(pipefd), "pipe() failed, errno: %d", errno);
	ret = full_or_errno(write(pipefd[1], page, page_size));
	memset(page, 0, page_size);
	if (!ret)
		ret = full_or_errno(read(pipefd[0], page, page_size));
	if (!ret && !is_filled(page, PATTERN, page_size))
		ret = -EBADMSG;
	kvm_close(pipefd[0]);
	kvm_close(pipefd[1]);
	return ret;
}

static long file_copy(void *page)
{
	int fd = kvm_memfd_alloc(page_size, false);
	long ret;

	ret = full_or_errno(pwrite(fd, page, page_size, 0));
	memset(page, 0, page_size);
	if (!ret)
		ret = full_or_errno(pread(fd, page, page_size, 0));
	if (!ret && !is_filled(page, PATTERN, page_size))
		ret = -EBADMSG;
	kvm_close(fd);
	return ret;
}

static long vm_readv_into(void *page)
{
	u8 buf[page_size];
	struct iovec local = { page, page_size }, remote = { buf, page_size };

	memset(buf, PATTERN, page_size);
	memset(page, 0, page_size);
	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != page_size)
		return -errno;
	return is_filled(page, PATTERN, page_size) ? 0 : -EBADMSG;
}

TEST_F(mapping, read_and_write_with_a_pipe_work)
{
	EXPECT_WORKS(pipe_copy);
}

TEST_F(mapping, buffered_file_io_works)
{
	EXPECT_WORKS(file_copy);
}

TEST_F(mapping, process_vm_readv_into_it_works)
{
	EXPECT_WORKS(vm_readv_into);
}

/* There is nothing to lock, as the memory is unevictable.  mlock() populates it. */
TEST_F(mapping, mlock_does_no_harm)
{
	punch_hole(self->no_dm_fd, 0, mem_size);
	EXPECT_EQ(0, ret_or_errno(mlock(self->no_dm, mem_size)));
	EXPECT_TRUE(is_there(self->no_dm_fd));
	memset(self->no_dm, PATTERN, mem_size);
	EXPECT_TRUE(is_filled(self->no_dm, PATTERN, mem_size));
	punch_hole(self->no_dm_fd, 0, mem_size);
	EXPECT_TRUE(is_filled(self->no_dm, 0, mem_size));
	EXPECT_EQ(0, ret_or_errno(munlock(self->no_dm, mem_size)));

	EXPECT_EQ(0, ret_or_errno(mlock2(self->no_dm, mem_size, MLOCK_ONFAULT)));
	memset(self->no_dm, PATTERN, mem_size);
	EXPECT_TRUE(is_filled(self->no_dm, PATTERN, mem_size));
	EXPECT_EQ(0, ret_or_errno(munlock(self->no_dm, mem_size)));
}

TEST_F(mapping, map_populate_does_no_harm)
{
	u8 *mem = kvm_mmap(mem_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, self->no_dm_fd);

	EXPECT_TRUE(is_filled(mem, PATTERN, mem_size));
	kvm_munmap(mem, mem_size);
}

TEST_F(mapping, dropped_page_tables_are_refilled)
{
	kvm_madvise(self->no_dm, mem_size, MADV_DONTNEED);
	EXPECT_TRUE(is_filled(self->no_dm, PATTERN, mem_size));
}

/* Reclaim must leave it alone, as there is nowhere to write it to. */
TEST_F(mapping, reclaim_loses_nothing)
{
	kvm_madvise(self->no_dm, mem_size, MADV_PAGEOUT);
	EXPECT_TRUE(is_filled(self->no_dm, PATTERN, mem_size));
}

TEST_F(mapping, two_mappings_show_the_same_memory)
{
	u8 *other = map_gmem(self->no_dm_fd, mem_size);

	EXPECT_TRUE(is_filled(other, PATTERN, mem_size));
	memset(other, 0x5a, mem_size);
	EXPECT_TRUE(is_filled(self->no_dm, 0x5a, mem_size));
	kvm_munmap(other, mem_size);
	EXPECT_TRUE(is_filled(self->no_dm, 0x5a, mem_size));
}

TEST_F(mapping, fork_shares_the_memory)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		if (!is_filled(self->no_dm, PATTERN, mem_size))
			_exit(1);
		memset(self->no_dm, 0x5a, mem_size);
		_exit(0);
	}

	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(is_filled(self->no_dm, 0x5a, mem_size));
}

TEST_F(mapping, fresh_memory_is_zero)
{
	int fd = vm_create_guest_memfd(self->vm, mem_size, GMEM_SHARED | GMEM_NO_DM);
	u8 *mem = map_gmem(fd, mem_size);

	kvm_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2 * page_size);
	EXPECT_TRUE(is_filled(mem, 0, mem_size));
	kvm_munmap(mem, mem_size);
	kvm_close(fd);
}

TEST_F(mapping, punched_hole_refaults_as_zero)
{
	punch_hole(self->no_dm_fd, page_size, 2 * page_size);

	EXPECT_TRUE(is_filled(self->no_dm, PATTERN, page_size));
	EXPECT_TRUE(is_filled(self->no_dm + page_size, 0, 2 * page_size));
	EXPECT_TRUE(is_filled(self->no_dm + 3 * page_size, PATTERN,
			      mem_size - 3 * page_size));

	memset(self->no_dm, PATTERN, mem_size);
	EXPECT_TRUE(is_filled(self->no_dm, PATTERN, mem_size));
}

TEST_F(mapping, fallocate_keeps_contents_and_refills_holes_with_zero)
{
	kvm_fallocate(self->no_dm_fd, FALLOC_FL_KEEP_SIZE, 0, mem_size);
	EXPECT_TRUE(is_filled(self->no_dm, PATTERN, mem_size));

	punch_hole(self->no_dm_fd, 0, mem_size);
	kvm_fallocate(self->no_dm_fd, FALLOC_FL_KEEP_SIZE, 0, mem_size);
	EXPECT_TRUE(is_filled(self->no_dm, 0, mem_size));
}

/* Pages that were out of the direct map come back as usable as before. */
/* Seconds: a kernel with KASAN, under emulation, takes its time. */
TEST_F_TIMEOUT(mapping, freed_memory_is_reusable, 240)
{
	const size_t size = SZ_8M;
	int i;

	for (i = 0; i < 4; i++) {
		int fd = vm_create_guest_memfd(self->vm, size,
					       GMEM_SHARED | GMEM_NO_DM);
		u8 *mem = map_gmem(fd, size);
		u8 *anon;

		memset(mem, PATTERN, size);
		kvm_munmap(mem, size);
		kvm_close(fd);

		anon = kvm_mmap(size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1);
		EXPECT_EQ(0, ret_or_errno(madvise(anon, size, MADV_POPULATE_WRITE)));
		EXPECT_TRUE(is_filled(anon, 0, size));
		kvm_munmap(anon, size);
	}
}

TEST(mapping_outlives_the_file_and_the_vm)
{
	struct kvm_vm *vm = vm_create_barebones();
	int fd = vm_create_guest_memfd(vm, mem_size, GMEM_SHARED | GMEM_NO_DM);
	u8 *mem = map_gmem(fd, mem_size);

	memset(mem, PATTERN, page_size);
	kvm_close(fd);
	EXPECT_TRUE(is_filled(mem, PATTERN, page_size));

	kvm_vm_free(vm);
	EXPECT_TRUE(is_filled(mem, PATTERN, page_size));
	EXPECT_TRUE(is_filled(mem + page_size, 0, page_size));
	EXPECT_EQ(-EFAULT, vm_readv(mem));
	kvm_munmap(mem, mem_size);
}

static void require_no_direct_map(void)
{
	struct kvm_vm *vm = vm_create_barebones();
	u64 supported = vm_check_cap(vm, KVM_CAP_GUEST_MEMFD_FLAGS);

	if (!(supported & GMEM_NO_DM))
		TEST_ASSERT_EQ(try_create(vm, page_size, GMEM_NO_DM), -EINVAL);

	__TEST_REQUIRE((supported & (GMEM_SHARED | GMEM_NO_DM)) == (GMEM_SHARED | GMEM_NO_DM),
		       "KVM supports guest_memfd flags 0x%lx, not NODIRMAP on shared memory",
		       supported);
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_MEMFD));

	page_size = getpagesize();
	mem_size = NR_PAGES * page_size;
	require_no_direct_map();

	return test_harness_run(argc, argv);
}
