// SPDX-License-Identifier: MIT
/*
 * A VMM for offmap run, linked statically and with raw system calls: each case does what
 * VMMs do.  It knows nothing of offmap.
 *
 *   run_vmm CASE [argument]
 *
 * Exit: 0; 1 with a line on stderr; 77 with the reason for which it cannot be
 * tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kvm_abi.h"
#include "pass.h"
#include "run_vmm.h"

void must_at(bool good, const char *text, int line)
{
	if (good)
		return;
	fprintf(stderr, "line %d: %s (errno %d)\n", line, text, errno);
	_exit(1);
}

void cannot_try(const char *why)
{
	fprintf(stderr, "%s\n", why);
	_exit(77);
}

int kvm, vm;

static long kvm_ioctl(int fd, unsigned long request, uintptr_t arg)
{
	return syscall(SYS_ioctl, fd, request, arg);
}

int new_vm(void)
{
	int fd = kvm_ioctl(kvm, KVM_CREATE_VM, 0);

	must(fd >= 0);
	return fd;
}

int set_slot(uint32_t id, uint64_t gpa, uint64_t size, void *mem)
{
	struct kvm_userspace_memory_region region = {
		.slot = id, .guest_phys_addr = gpa, .memory_size = size,
		.userspace_addr = (uintptr_t)mem,
	};

	return kvm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, (uintptr_t)&region);
}

uint8_t *map_ram(uint64_t size, int flags)
{
	uint8_t *ram = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	must(ram != MAP_FAILED);
	return ram;
}

uint8_t *new_ram(void)
{
	return map_ram(RAM, MAP_PRIVATE);
}

const char *line_of(const char *name, const void *addr)
{
	static char line[512];
	FILE *file = fopen(name, "re");
	uintptr_t start, end = 0;
	int nr;

	must(file);
	while (fgets(line, sizeof(line), file)) {
		nr = sscanf(line, "%lx-%lx", &start, &end);
		if (nr == 2 ? start <= (uintptr_t)addr && (uintptr_t)addr < end :
		    nr == 1 && start == (uintptr_t)addr)
			break;
		line[0] = 0;
	}
	fclose(file);
	return line;
}

bool is_protected(const void *addr)
{
	return strstr(line_of("/proc/thread-self/maps", addr), "kvm-gmem");
}

#ifdef __x86_64__
/*
 * A vCPU in real mode that runs code from CODE on, until it halts: true.  *out: the byte it
 * sent.
 */
static bool run_guest(const uint8_t *code, size_t size, uint8_t *ram, int *out)
{
	static int vcpu, vcpu_vm = -1;
	long length = kvm_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_run *run;
	bool halts;

	if (vcpu_vm != vm) {
		vcpu_vm = vm;
		vcpu = kvm_ioctl(vm, KVM_CREATE_VCPU, 0);
	}
	must(vcpu >= 0 && length > 0);
	memcpy(ram + CODE, code, size);
	run = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	must(run != MAP_FAILED && !kvm_ioctl(vcpu, KVM_GET_SREGS, (uintptr_t)&sregs));
	sregs.cs.base = sregs.cs.selector = 0;
	must(!kvm_ioctl(vcpu, KVM_SET_SREGS, (uintptr_t)&sregs));
	must(!kvm_ioctl(vcpu, KVM_SET_REGS, (uintptr_t)&regs));
	for (;;) {
		if (kvm_ioctl(vcpu, KVM_RUN, 0) && errno == EINTR)
			continue;
		if (run->exit_reason != KVM_EXIT_IO)
			break;
		*out = *((uint8_t *)run + run->io.data_offset);
	}
	halts = run->exit_reason == KVM_EXIT_HLT;
	munmap(run, length);
	return halts;
}

/* The guest leaves KVM_RUN 50 times, or 20000 times. */
static void run_exits(uint16_t times)
{
	const uint8_t code[] = {
		0xb9, times & 0xff, times >> 8,	/* mov cx, times */
		0xe6, 0x10,			/* out 0x10, al */
		0xe2, 0xfc,			/* loop */
		0xf4,				/* hlt */
	};
	uint8_t *ram = new_ram();
	int out = -1;

	must(!set_slot(0, 0, RAM, ram));
	must(run_guest(code, sizeof(code), ram, &out));
	must(out >= 0);
}

/* Returns the guest's byte at BYTE; the guest leaves another there, which the VMM sees. */
int guest_byte(uint8_t *ram)
{
	static const uint8_t code[] = {
		0xa0, 0x00, 0x30,		/* mov al, [BYTE] */
		0xe6, 0x10,			/* out 0x10, al */
		0xc6, 0x06, 0x00, 0x30, 0x77,	/* mov byte [BYTE], 0x77 */
		0xf4,				/* hlt */
	};
	int out = -1;

	must(run_guest(code, sizeof(code), ram, &out));
	must(ram[BYTE] == 0x77);
	return out;
}

bool guest_works(uint8_t *ram)
{
	static const uint8_t code[] = {
		0xb9, 0xff, 0xff,		/* mov cx, 0xffff */
		0xe2, 0xfe,			/* loop */
		0xf4,				/* hlt */
	};

	return run_guest(code, sizeof(code), ram, NULL);
}

/* Field 43 of /proc/PID/stat. */
static bool guest_time_is_counted(void)
{
	char text[1024], *at;
	FILE *file = fopen("/proc/self/stat", "re");

	must(file && fgets(text, sizeof(text), file));
	fclose(file);
	at = strrchr(text, ')');
	for (int field = 2; at && field < 43; field++)
		at = strchr(at + 1, ' ');
	must(at);
	return strtoul(at, NULL, 10);
}

/* A KVM that interprets the guest's program may count none. */
void guest_takes_time(uint8_t *ram)
{
	time_t end = time(NULL) + 5;

	while (time(NULL) < end) {
		must(guest_works(ram));
		if (guest_time_is_counted())
			return;
	}
	cannot_try("this KVM counts no time of a guest in real mode");
}
#endif

/* The guest is a program for x86; elsewhere the VMM writes the byte that it leaves. */
void must_see(uint8_t *ram, int byte)
{
	must(is_protected(ram) && ram[BYTE] == byte);
#ifdef __x86_64__
	must(guest_byte(ram) == byte);
#else
	ram[BYTE] = 0x77;
#endif
}

void must_run(uint8_t *ram)
{
	ram[BYTE] = 0x42;
	must_see(ram, 0x42);
}

static void case_raw(void)
{
	uint8_t *ram = new_ram();

	ram[BYTE] = 0x42;
	must(!set_slot(0, 0, RAM, ram));
	must(ram[BYTE] == 0x42 && is_protected(ram + MIB));
	must_run(ram);
}

void allow_only(const uint32_t *calls, size_t nr)
{
	struct sock_filter code[2 * 64 + 2];
	struct sock_fprog program = { .filter = code };
	unsigned short n = 0;

	must(nr <= 64);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	for (size_t i = 0; i < nr; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	program.len = n;
	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program));
}

/* As Firecracker and cloud-hypervisor: a call that is not listed kills. */
static void case_allowlist(void)
{
	static const uint32_t calls[] = {
		SYS_openat, SYS_write, SYS_read, SYS_close, SYS_mmap, SYS_munmap, SYS_brk,
		SYS_newfstatat, SYS_fstat, SYS_ioctl, SYS_exit_group,
	};

	allow_only(calls, sizeof(calls) / sizeof(calls[0]));
	case_raw();
}

void wait_for(pid_t pid, int status)
{
	int got;

	must(pid > 0 && waitpid(pid, &got, 0) == pid);
	must(got == status);
}

/* A child closes its copy of the VM: that of its parent is as before. */
static void close_in_child(pid_t pid)
{
	if (!pid) {
		close(vm);
		_exit(0);
	}
	wait_for(pid, 0);
}

static void case_children(void)
{
	uint8_t *ram = new_ram();

	must(!set_slot(0, 0, RAM, ram));
	close_in_child(vfork());
	must(!set_slot(0, 0, 0, ram) && !set_slot(0, 0, RAM, ram));
	close_in_child(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	must(!set_slot(0, 0, 0, ram) && !set_slot(0, 0, RAM, ram));
	must_run(ram);
	/* the VMM has no child that it does not know of */
	must(waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD);
}

/* As with -daemonize: the VMM is a child, whose memory has no task yet. */
static void case_fork(void)
{
	uint8_t *ram = new_ram();
	pid_t pid;

	must(!set_slot(0, 0, RAM, ram));
	pid = fork();
	if (!pid) {
		must(set_slot(1, 16 * MIB, RAM, ram) == -1 && errno == EIO);
		vm = new_vm();
		case_raw();
		_exit(0);
	}
	wait_for(pid, 0);
	must_run(ram);
}

/* A freed address of RAM is used again. */
static void case_reuse(void)
{
	uint8_t *ram = new_ram();

	memset(ram, 0x11, RAM);
	must(!set_slot(0, 16 * MIB, RAM, ram) && !set_slot(0, 0, 0, ram));
	must(!munmap(ram, RAM));
	must(mmap(ram, RAM, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == ram);
	memset(ram, 0x22, RAM);
	must(!set_slot(0, 0, RAM, ram));
	must_see(ram, 0x22);
}

static void case_dup(void)
{
	uint8_t *ram = new_ram();
	int first = vm;

	must(!set_slot(0, 0, RAM, ram));
	vm = dup(vm);
	must(!set_slot(0, 0, 0, ram));
	vm = first;
	must(set_slot(0, 0, 0, ram) == -1 && errno == EINVAL);
	must(!set_slot(0, 0, RAM, ram));
	must_run(ram);
}

/* It closes all descriptors that it does not know, then opens its own. */
static void case_closefrom(void)
{
	const char *dir = getenv("TMPDIR");
	uint8_t *ram = new_ram();
	struct stat before, after;
	char name[256];
	int image;

	must(!set_slot(0, 0, RAM, ram));
	for (int fd = 3; fd < 1024; fd++)
		if (fd != vm && fd != kvm)
			close(fd);
	snprintf(name, sizeof(name), "%s/offmap-test-XXXXXX", dir ? dir : "/var/tmp");
	image = mkstemp(name);
	unlink(name);
	memset(ram, 'D', RAM);
	must(image >= 0 && write(image, ram, MIB) == (ssize_t)MIB && !fstat(image, &before));
	must(!set_slot(1, 16 * MIB, RAM, new_ram()));
	must(!madvise(ram, RAM, MADV_DONTNEED));
	must(!fstat(image, &after));
	must(after.st_size == before.st_size && after.st_blocks == before.st_blocks);
	must_run(ram);
}

static const char secret[] = "secret of the guest";

/* The old page itself, not a copy of it.  Returns the pipe that has it. */
int keep_old_page(uint8_t *page)
{
	struct iovec part = { page, sizeof(secret) };
	int ends[2];

	memcpy(page, secret, sizeof(secret));
	must(!pipe(ends) && vmsplice(ends[1], &part, 1, 0) == sizeof(secret));
	return ends[0];
}

/* The contents have moved, and are not at their old place. */
void must_be_scrubbed(int kept, const uint8_t *page)
{
	char found[sizeof(secret)] = "";

	must(is_protected(page) && !memcmp(page, secret, sizeof(secret)));
	must(read(kept, found, sizeof(found)) == sizeof(found));
	for (size_t i = 0; i < sizeof(found); i++)
		must(!found[i]);
}

static void case_scrub(void)
{
	uint8_t *ram = new_ram(), *shared = map_ram(RAM, MAP_SHARED);
	int kept = keep_old_page(ram + MIB), kept_shared = keep_old_page(shared + MIB);

	must(!set_slot(0, 0, RAM, ram) && !set_slot(1, 16 * MIB, RAM, shared));
	must_be_scrubbed(kept, ram + MIB);
	must_be_scrubbed(kept_shared, shared + MIB);
}

/* A back end that was forked has the guest's memory.  The VMM does not come to the end. */
static void case_forked_back_end(void)
{
	uint8_t *shared = map_ram(RAM, MAP_SHARED);

	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
	set_slot(0, 0, RAM, shared);
	must(false);
}

/* A back end doubles two bytes, through mappings as back ends have them. */
static pid_t start_back_end(int *ret_socket)
{
	int ends[2];
	pid_t pid;

	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	pid = fork();
	if (pid) {
		close(ends[1]);
		*ret_socket = ends[0];
		return pid;
	}
	/* else it would not see the VMM end */
	close(ends[0]);
	for (;;) {
		int fd = receive_fd(ends[1]);
		uint8_t *at, *low;

		if (fd < 0)
			_exit(0);
		at = mmap(NULL, RAM - MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, MIB);
		low = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		must(at != MAP_FAILED && low != MAP_FAILED && !close(fd));
		at[4 * MIB] *= 2;
		low[BYTE] *= 2;
		must(write(ends[1], "d", 1) == 1);
	}
}

static void have_it_doubled(int socket, int fd)
{
	char done;

	must(!pass_fd(socket, fd));
	must(read(socket, &done, 1) == 1);
}

uint8_t *shared_ram(int *ret_fd)
{
	int fd = memfd_create("back end", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint8_t *ram;

	must(fd >= 0 && !ftruncate(fd, RAM));
	must(!fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(ram != MAP_FAILED);
	*ret_fd = fd;
	return ram;
}

/* vhost-user: a back end has the guest's memory by the VMM's descriptor of it. */
static void case_share(void)
{
	int socket, fd, again;
	pid_t pid = start_back_end(&socket);
	uint8_t *ram = shared_ram(&fd);

	again = fcntl(fd, F_DUPFD, 100);
	ram[5 * MIB] = 5;
	must(!set_slot(0, 0, 0xa0000, ram) && !set_slot(1, MIB, RAM - MIB, ram + MIB));
	must(is_protected(ram) && is_protected(ram + 5 * MIB) && ram[5 * MIB] == 5);
	must(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(again, F_GETFD) == 0);
	ram[BYTE] = 0x11;
	have_it_doubled(socket, fd);
	must(ram[5 * MIB] == 10 && ram[BYTE] == 0x22);
	must_see(ram, 0x22);
	/* the guest has left 0x77 */
	have_it_doubled(socket, again);
	must(ram[5 * MIB] == 20 && ram[BYTE] == (uint8_t)(2 * 0x77));
	must_see(ram, (uint8_t)(2 * 0x77));
	must(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
}

static void case_share_scrub(void)
{
	int fd, kept;
	uint8_t *ram = shared_ram(&fd);

	kept = keep_old_page(ram + MIB);
	must(!set_slot(0, 0, RAM, ram));
	must_be_scrubbed(kept, ram + MIB);
}

/* A back end has the memfd before the guest's memory leaves it. */
static void case_share_late(void)
{
	int socket, fd;
	uint8_t *ram;

	start_back_end(&socket);
	ram = shared_ram(&fd);
	have_it_doubled(socket, fd);
	set_slot(0, 0, RAM, ram);
	must(false);
}

static int child_reads(const uint8_t *at)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(*(volatile const uint8_t *)at);
	must(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Forked device processes read the guest's memory; MADV_DONTFORK is kept. */
static void case_dontfork(void)
{
	uint8_t *ram = new_ram(), *alone = new_ram();

	must(!madvise(alone, RAM, MADV_DONTFORK));
	ram[MIB] = alone[MIB] = 9;
	must(!set_slot(0, 0, RAM, ram) && !set_slot(1, 16 * MIB, RAM, alone));
	must(child_reads(ram + MIB) == 9 && child_reads(alone + MIB) == -1);
}

size_t resident(uint8_t *ram)
{
	static unsigned char pages[RAM / PAGE];
	size_t nr = 0;

	must(!mincore(ram, RAM, pages));
	for (size_t i = 0; i < RAM / PAGE; i++)
		nr += pages[i] & 1;
	return nr;
}

/* prealloc=on,policy=bind,host-nodes=0; and memory that nobody has touched. */
static void case_prealloc(void)
{
	uint8_t *ram = new_ram(), *empty = new_ram();
	unsigned long node = 1;

	if (syscall(SYS_mbind, ram, RAM, MPOL_BIND, &node, 64, 0)) {
		must(errno == ENOSYS);
		cannot_try("the kernel has no NUMA");
	}
	for (size_t i = 0; i < RAM; i += PAGE)
		ram[i] = 0;
	must(!set_slot(0, 0, RAM, ram) && !set_slot(1, 16 * MIB, RAM, empty));
	must(resident(ram) == RAM / PAGE);
	must(resident(empty) == 0);
	must(strstr(line_of("/proc/thread-self/numa_maps", ram + MIB), "bind:0"));
	must(strstr(line_of("/proc/thread-self/numa_maps", empty), "default"));
}

/* Huge pages, the first of which has the end of the guest's first MiB. */
static void case_hugetlb(void)
{
	uint8_t *ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (ram == MAP_FAILED)
		cannot_try("there are no 4 free huge pages");
	ram[BYTE] = 1;
	ram[5 * MIB] = 5;
	must(!set_slot(0, 0, RAM, ram));
	must(ram[BYTE] == 1 && ram[5 * MIB] == 5 && is_protected(ram + MIB));
	must_run(ram);
}

/* The balloon gives memory back. */
static void case_discard(void)
{
	uint8_t *ram = new_ram();

	must(!set_slot(0, 0, RAM, ram));
	memset(ram, 7, RAM);
	must(resident(ram) == RAM / PAGE);
	must(!madvise(ram, RAM, MADV_DONTNEED) && resident(ram) == 0 && ram[MIB] == 0);
	must_run(ram);
}

static void case_map_over(void)
{
	uint8_t *ram = new_ram(), *other = new_ram();
	int file = memfd_create("other", 0);

	must(!set_slot(0, 0, RAM, ram));
	must(mmap(ram, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		  -1, 0) == ram);
	must_run(ram);
	other[BYTE] = 0x31;
	must(mremap(other, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, ram) == ram);
	must_see(ram, 0x31);
	must(file >= 0 && !ftruncate(file, MIB) && pwrite(file, "f", 1, BYTE) == 1);
	must(mmap(ram, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0) == ram);
	must_see(ram, 'f');
}

/* The guest is reset with a new VM, once while the old VM exists. */
static void case_new_vm(void)
{
	uint8_t *ram = new_ram();
	int old = vm;

	must(!set_slot(0, 0, RAM, ram));
	must_run(ram);
	must(!set_slot(0, 0, 0, ram));
	vm = new_vm();
	ram[5 * MIB] = 5;
	must(!set_slot(0, 0, RAM, ram) && ram[5 * MIB] == 5);
	must_run(ram);
	must(!close(old) && !close(vm));
	vm = new_vm();
	/* slots of a VM that is closed hold nothing, once that is noticed */
	sleep(3);
	must(!set_slot(0, 0, RAM, ram) && ram[5 * MIB] == 5);
	must_run(ram);
}

/* It becomes another user, as with QEMU's -run-with user=. */
static void case_setuid(void)
{
	uint8_t *ram = new_ram();

	must(!set_slot(0, 0, RAM, ram));
	if (setresuid(65534, 65534, 65534))
		cannot_try("not root");
	must(!set_slot(1, 16 * MIB, RAM, new_ram()));
	must_run(ram);
}

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	ticks += sig > 0;
}

/* Signals come all the time, as to QEMU's vCPUs, also without SA_RESTART. */
static void case_signals(void)
{
	struct sigaction action = { .sa_handler = tick };
	int interrupted = 0;
	uint8_t *ram = new_ram();
	pid_t pid, self = getpid();

	must(!sigaction(SIGUSR1, &action, NULL));
	pid = fork();
	while (!pid) {
		usleep(1000);
		if (getppid() != self || kill(self, SIGUSR1))
			_exit(0);
	}
	for (int i = 0; i < 300; i++) {
		uint64_t size = i & 1 ? 0 : RAM;

		while (set_slot(0, 0, size, ram)) {
			must(errno == EINTR);
			interrupted++;
		}
	}
	kill(pid, SIGKILL);
	fprintf(stderr, "%d signals, %d calls interrupted\n", (int)ticks, interrupted);
	must(ticks > 0);
}

/* Slots come and go; the VMM's memory is freed when it unmaps it. */
static void case_unplug(void)
{
	uint8_t *ram = new_ram(), *more = new_ram();

	must(!set_slot(0, 0, RAM, ram) && !set_slot(1, 16 * MIB, RAM, more));
	memset(more, 1, RAM);
	must(!set_slot(1, 0, 0, more) && !munmap(more, RAM));
	puts("unplugged");
	fflush(stdout);
	pause();
}

static void case_pause(void)
{
	uint8_t *ram = new_ram();

	must(!set_slot(0, 0, RAM, ram));
	puts("ready");
	fflush(stdout);
	pause();
}

/* A VM, and a refusal before its guest runs. */
static void case_alias(void)
{
	uint8_t *ram = new_ram();

	must(!set_slot(0, 16 * MIB, RAM, ram));
	set_slot(1, 64 * MIB, RAM, ram);
	must(false);
}

static void case_few_exits(void)
{
#ifdef __x86_64__
	run_exits(50);
#else
	cannot_try("the guest is a program for x86");
#endif
}

static void case_many_exits(void)
{
#ifdef __x86_64__
	run_exits(20000);
#else
	cannot_try("the guest is a program for x86");
#endif
}

static void case_no_slot(void)
{
}

/* This case and raw_exit begin without a VM. */
static void case_vm_fails(void)
{
	must(kvm_ioctl(kvm, KVM_CREATE_VM, 0xffff) < 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "raw", case_raw }, { "allowlist", case_allowlist }, { "children", case_children },
	{ "fork", case_fork }, { "reuse", case_reuse }, { "dup", case_dup },
	{ "closefrom", case_closefrom }, { "scrub", case_scrub },
	{ "forked_back_end", case_forked_back_end }, { "dontfork", case_dontfork },
	{ "prealloc", case_prealloc }, { "hugetlb", case_hugetlb }, { "discard", case_discard },
	{ "map_over", case_map_over }, { "new_vm", case_new_vm }, { "setuid", case_setuid },
	{ "signals", case_signals }, { "unplug", case_unplug },
	{ "share", case_share }, { "share_scrub", case_share_scrub }, { "share_late", case_share_late },
	{ "pause", case_pause }, { "alias", case_alias }, { "no_slot", case_no_slot },
	{ "few_exits", case_few_exits }, { "many_exits", case_many_exits },
	{ "vm_fails", case_vm_fails }, { "around", case_around },
	{ "fork_allowlist", case_fork_allowlist }, { "fork_no_exit", case_fork_no_exit },
	{ "fork_no_clone", case_fork_no_clone }, { "fork_no_mmap", case_fork_no_mmap },
	{ "mremap", case_mremap }, { "moved", case_moved }, { "remap", case_remap },
	{ "process_madvise", case_process_madvise }, { "sysv", case_sysv },
	{ "unmapped", case_unmapped }, { "unmapped_later", case_unmapped_later },
	{ "unmapped_busy", case_unmapped_busy }, { "unmapped_running", case_unmapped_running },
	{ "own_guest_memfd", case_own_guest_memfd }, { "no_maps", case_no_maps }, { "exec_waits", case_exec_waits },
	{ "nothing", case_nothing },
	{ "uring", case_uring }, { "uring_share", case_uring_share },
	{ "churn", case_churn }, { "term", case_term },
	{ "locked", case_locked }, { "locked_short", case_locked_short },
	{ "on_node", case_on_node }, { "stays_on_node", case_stays_on_node },
	{ "full", case_full }, { "raw_exit", case_raw_exit },
	{ "first_thread_ends", case_first_thread_ends },
	{ "first_thread_ends_share", case_first_thread_ends_share },
};

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	must(kvm >= 0);
	if (strcmp(argv[1], "vm_fails") && strcmp(argv[1], "raw_exit"))
		vm = new_vm();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!strcmp(argv[1], cases[i].name)) {
			cases[i].run();
			return 0;
		}
	}
	return 2;
}
