// SPDX-License-Identifier: MIT
/* Cases of run_vmm: ways around the calls that the supervisor is asked for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "advice.h"
#include "calls.h"
#include "run_vmm.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

void case_around(void)
{
#ifdef __x86_64__
	struct kvm_userspace_memory_region *region = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long ret;

	must(region != MAP_FAILED);
	*region = (struct kvm_userspace_memory_region){
		.memory_size = RAM, .userspace_addr = (uintptr_t)new_ram() };
	__asm__ volatile("push %%rbx; mov %2, %%ebx; int $0x80; pop %%rbx"
			 : "=a"(ret)
			 : "0"(54L), "r"(vm), "c"((long)KVM_SET_USER_MEMORY_REGION),
			   "d"((uintptr_t)region)
			 : "memory", "r8", "r9", "r10", "r11");
	must((int)ret == -ENOSYS);
	must(syscall(SYS_ioctl | 0x40000000, vm, KVM_SET_USER_MEMORY_REGION, region) == -1 &&
	     errno == ENOSYS);
	/* a pointer whose data changes, a request with more bits */
	must(!syscall(SYS_ioctl, vm, KVM_SET_USER_MEMORY_REGION | 1UL << 40, region));
	must(is_protected((void *)(uintptr_t)region->userspace_addr));
#else
	cannot_try("x86 has them");
#endif
}

/* A child makes a VM, behind an allowlist that it has from its parent. */
void case_fork_allowlist(void)
{
	static const uint32_t calls[] = {
		/* what this program does itself */
		SYS_openat, SYS_read, SYS_write, SYS_close, SYS_newfstatat, SYS_fstat, SYS_brk,
		SYS_mmap, SYS_munmap, SYS_ioctl, SYS_clone, SYS_wait4, SYS_exit_group,
		CALLS_OF_THREAD, CALLS_OF_PARENT, CALLS_OF_NEW_TASK, CALLS_OF_TASK,
		LIMITED_CALLS_OF_TASK,
	};
	uint8_t *ram;
	pid_t pid;

	allow_only(calls, LENGTH(calls));
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		vm = new_vm();
		ram = new_ram();
		must(!set_slot(0, 0, RAM, ram));
		must_run(ram);
		syscall(SYS_exit_group, 0);
	}
	wait_for(pid, 0);
}

/* From now on this process, and its children, may not make one call. */
static void refuse_call(uint32_t call)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = LENGTH(code), .filter = code };

	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

/* The filter that the child has refuses exit(2), so that the task's parent cannot end so. */
void case_fork_no_exit(void)
{
	uint8_t *ram;
	pid_t pid;

	refuse_call(SYS_exit);
	pid = fork();
	if (!pid) {
		vm = new_vm();
		ram = new_ram();
		must(!set_slot(0, 0, RAM, ram));
		must_run(ram);
		_exit(0);
	}
	wait_for(pid, 0);
}

/* A child whose filter refuses one call has no VM. */
static void fork_without(uint32_t call)
{
	pid_t pid = fork();

	if (!pid) {
		refuse_call(call);
		must(syscall(SYS_ioctl, kvm, KVM_CREATE_VM, 0) == -1 && errno == EPERM);
		_exit(0);
	}
	wait_for(pid, 0);
}

void case_fork_no_clone(void)
{
	fork_without(SYS_clone);
}

void case_fork_no_mmap(void)
{
	fork_without(SYS_mmap);
}

/* The guest's memory with its byte, all of it allocated. */
static uint8_t *full_ram(int byte)
{
	uint8_t *ram = new_ram();

	must(!set_slot(0, 0, RAM, ram));
	memset(ram, 7, RAM);
	ram[BYTE] = byte;
	return ram;
}

/* One request to io_uring, and its result. */
static int uring(const struct io_uring_sqe *wanted)
{
	struct io_uring_params params = { 0 };
	const struct io_uring_cqe *done;
	struct io_uring_sqe *sqe;
	int fd = syscall(SYS_io_uring_setup, 1, &params), result;
	uint8_t *submit, *complete;

	if (fd < 0)
		cannot_try("there is no io_uring");
	submit = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	complete = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_CQ_RING);
	sqe = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	must(submit != MAP_FAILED && complete != MAP_FAILED && sqe != MAP_FAILED);
	*sqe = *wanted;
	*(uint32_t *)(submit + params.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(submit + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
	done = (const struct io_uring_cqe *)(complete + params.cq_off.cqes);
	result = done->res;
	munmap(submit, PAGE);
	munmap(complete, PAGE);
	munmap(sqe, PAGE);
	close(fd);
	return result;
}

static int uring_advise(uint8_t *ram, int advice)
{
	return uring(&(struct io_uring_sqe){
		.opcode = IORING_OP_MADVISE, .fd = -1, .addr = (uintptr_t)ram, .len = RAM,
		.fadvise_advice = advice });
}

static int uring_file(int fd, int opcode, int advice)
{
	return uring(&(struct io_uring_sqe){
		.opcode = opcode, .fd = fd, .len = RAM, .addr = RAM, .fadvise_advice = advice });
}

/* The supervisor does not see io_uring's requests: a discard is lost, nothing else. */
void case_uring(void)
{
	uint8_t *ram = full_ram(0x42);

	must(!uring_advise(ram, MADV_DONTNEED) && resident(ram) == RAM / PAGE);
	must_see(ram, 0x42);
	must(uring_advise(ram, MADV_FREE) == -EINVAL);
	must_see(ram, 0x77);
	must(!uring_advise(ram, MADV_REMOVE) && resident(ram) == 0);
	must_run(ram);
}

/*
 * The same by the descriptor of the guest_memfd, which the VMM has to share it.  The
 * guest's page has no other mapping by then.
 */
void case_uring_share(void)
{
	int fd;
	uint8_t *ram = shared_ram(&fd);

	must(!set_slot(0, 0, RAM, ram));
	memset(ram, 7, RAM);
	must_run(ram);
	must(!uring_advise(ram, MADV_DONTNEED));
	must(!uring_file(fd, IORING_OP_FADVISE, POSIX_FADV_DONTNEED));
	must(!posix_fadvise(fd, 0, RAM, POSIX_FADV_DONTNEED));
	must(resident(ram) == RAM / PAGE);
	must_see(ram, 0x77);
}

static bool lacks(long result)
{
	return result == -1 && errno == ENOSYS;
}

/* Pages can be discarded by madvise(2) only, of which the supervisor knows. */
void case_process_madvise(void)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_DONTNEED_LOCKED,
	};
	uint8_t *ram = full_ram(0x42);
	struct iovec part = { ram, RAM };
	int self = syscall(SYS_pidfd_open, getpid(), 0);
	pid_t pid;

	must(self >= 0);
	for (size_t i = 0; i < LENGTH(advice); i++)
		must(lacks(syscall(SYS_process_madvise, self, &part, 1, advice[i], 0)));
	must_see(ram, 0x42);
	pid = fork();
	if (!pid) {
		must(syscall(SYS_process_madvise, self, &part, 1, MADV_PAGEOUT, 0) == (long)RAM);
		_exit(0);
	}
	wait_for(pid, 0);
	must(resident(ram) == RAM / PAGE);
	must_see(ram, 0x77);
}

/* Calls that would map other memory over the guest's; shmat(2) does so with one flag only. */
void case_remap(void)
{
	uint8_t *ram = full_ram(0x42);
	int id = shmget(IPC_PRIVATE, MIB, 0600);
	uint8_t *other;

	/* CONFIG_SYSVIPC */
	must(id >= 0 || errno == ENOSYS);
	must(lacks((long)shmat(id, ram, SHM_REMAP)));
	if (id >= 0) {
		other = shmat(id, NULL, 0);
		must(!shmctl(id, IPC_RMID, NULL) && other != (void *)-1);
	}
	must(lacks(syscall(SYS_remap_file_pages, ram, PAGE, 0, 8, 0)));
	must_see(ram, 0x42);
}

/* The VMM does not come to the end. */
void case_sysv(void)
{
	int id = shmget(IPC_PRIVATE, RAM, 0600);
	void *ram = shmat(id, NULL, 0);

	must(!shmctl(id, IPC_RMID, NULL) && ram != (void *)-1);
	set_slot(0, 0, RAM, ram);
	must(false);
}

static bool refused(const void *mapping)
{
	return mapping == MAP_FAILED && errno == EFAULT;
}

/* guest_memfd does not grow, and is at one address. */
void case_mremap(void)
{
	uint8_t *ram = full_ram(0x42);

	must(refused(mremap(ram, RAM, 2 * RAM, MREMAP_MAYMOVE)));
	must(refused(mremap(ram, RAM, RAM, MREMAP_MAYMOVE | MREMAP_DONTUNMAP)));
	must_see(ram, 0x42);
	must(!set_slot(0, 0, 0, ram));
	must(refused(mremap(ram, RAM, 2 * RAM, MREMAP_MAYMOVE)));
	must(!set_slot(0, 0, RAM, ram));
	must_see(ram, 0x77);
}

/* The memory is moved to another address, and has a slot there.  It does not come to the end. */
void case_moved(void)
{
	uint8_t *ram = full_ram(0x42), *to = new_ram();

	must(!set_slot(0, 0, 0, ram));
	must(mremap(ram, RAM, RAM, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to && to[BYTE] == 0x42);
	set_slot(0, 0, RAM, to);
	must(false);
}

/* There is other memory.  The VMM is stopped, unless offmap run is permissive. */
static void is_ordinary(uint8_t *ram)
{
	must(syscall(SYS_ioctl, vm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS) > 0);
	must(!is_protected(ram) && ram[BYTE] == 0x31);
#ifdef __x86_64__
	must(guest_byte(ram) == 0x31);
#endif
}

static void look_at(uint8_t *ram)
{
	memset(ram, 0x31, RAM);
	sleep(LOOKED);
	is_ordinary(ram);
}

static void unmap_and_map(uint8_t *ram)
{
	must(!munmap(ram, RAM));
	must(mmap(ram, RAM, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == ram);
}

/* The VMM unmaps memory that has a slot, and maps other memory there. */
void case_unmapped(void)
{
	uint8_t *ram = full_ram(0x42);

	unmap_and_map(ram);
	look_at(ram);
}

/* The same, while the VMM makes calls all the time. */
void case_unmapped_busy(void)
{
	uint8_t *ram = full_ram(0x42);

	unmap_and_map(ram);
	memset(ram, 0x31, RAM);
	for (unsigned int i = 0; i < LOOKED * 20; i++) {
		must(syscall(SYS_ioctl, vm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS) > 0);
		usleep(50000);
	}
	is_ordinary(ram);
}

/* The same, when the guest has run: the VMM goes on, and the guest has no memory. */
void case_unmapped_running(void)
{
#ifdef __x86_64__
	uint8_t *ram = full_ram(0x42);

	guest_takes_time(ram);
	unmap_and_map(ram);
	memset(ram, 0x31, RAM);
	sleep(LOOKED);
	must(syscall(SYS_ioctl, vm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS) > 0);
	must(!is_protected(ram) && !guest_works(ram));
#else
	cannot_try("the guest is a program for x86");
#endif
}

/* As of a confidential VM.  The VMM is stopped, unless offmap run is permissive. */
void case_own_guest_memfd(void)
{
	struct kvm_create_guest_memfd create = { .size = RAM };
	struct kvm_userspace_memory_region2 region = {
		.flags = KVM_MEM_GUEST_MEMFD, .memory_size = RAM,
		.userspace_addr = (uintptr_t)new_ram(),
	};

	region.guest_memfd = syscall(SYS_ioctl, vm, KVM_CREATE_GUEST_MEMFD, &create);
	must((int)region.guest_memfd >= 0);
	must(syscall(SYS_ioctl, vm, KVM_SET_USER_MEMORY_REGION2, &region) == -1 && errno == EPERM);
}

/* Hides the mappings of tasks from all in this mount namespace. */
static void hide_maps(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	char path[300], name[16];
	FILE *file;

	must(dir);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file && fgets(name, sizeof(name), file) && !strncmp(name, "offmap-task", 11)) {
			snprintf(path, sizeof(path), "/proc/%s/maps", entry->d_name);
			must(!mount("/dev/null", path, NULL, MS_BIND, NULL));
		}
		if (file)
			fclose(file);
	}
	closedir(dir);
}

/* The supervisor cannot tell what is at an address that it knows.  It does not come to the end. */
void case_no_maps(void)
{
	uint8_t *ram = full_ram(0x42);

	must(!set_slot(0, 0, 0, ram));
	hide_maps();
	set_slot(0, 0, RAM, ram);
	must(false);
}

/* Other memory where a slot was, after a time in which it cannot be accessed. */
void case_unmapped_later(void)
{
	uint8_t *ram = full_ram(0x42);

	must(mmap(ram, RAM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == ram);
	sleep(LOOKED);
	must(!mprotect(ram, RAM, PROT_READ | PROT_WRITE));
	look_at(ram);
}

/* Gives execve() its argument.  The supervisor is asked for another call before. */
static void *give_argument(void *data)
{
	int fd = *(int *)data;
	struct uffdio_copy copy = { .src = (uintptr_t)map_ram(PAGE, MAP_PRIVATE), .len = PAGE };
	struct uffd_msg fault;

	strcpy((char *)(uintptr_t)copy.src, "nothing");
	must(read(fd, &fault, sizeof(fault)) == sizeof(fault));
	must(!madvise(map_ram(PAGE, MAP_PRIVATE), PAGE, MADV_DONTNEED));
	copy.dst = fault.arg.pagefault.address & ~(PAGE - 1);
	must(!ioctl(fd, UFFDIO_COPY, &copy));
	return NULL;
}

/*
 * The kernel waits in execve() for a thread that makes a call which the supervisor is asked
 * for, as it does for a file that another process of the tree serves by FUSE.
 */
void case_exec_waits(void)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	char *argument = (char *)map_ram(PAGE, MAP_PRIVATE);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	pthread_t thread;

	if (fd < 0)
		cannot_try("userfaultfd(2) is not permitted");
	range.range.start = (uintptr_t)argument;
	range.range.len = PAGE;
	must(!ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &range));
	must(!pthread_create(&thread, NULL, give_argument, &fd));
	execl("/proc/self/exe", "run_vmm", argument, NULL);
	must(false);
}

void case_nothing(void)
{
	must_see(full_ram(0x42), 0x42);
}
