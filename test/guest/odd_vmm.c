// SPDX-License-Identifier: MIT
/*
 * A VMM that may try to mislead offmap audit.  It prepares a VM, prints "ready", and
 * waits to be killed.
 *
 *   odd_vmm protected       memory outside the direct map
 *   odd_vmm forged          ordinary memory, and a list that says otherwise
 *   odd_vmm closed          memory outside the direct map, whose file is closed
 *   odd_vmm fuse            as closed, with a file of FUSE of that name and inode
 *   odd_vmm huge            a memslot of half a TiB, with hardly a page
 *   odd_vmm nothing         a VM without memory
 *   odd_vmm reused          a second VM that has the descriptor of the first VM
 *   odd_vmm thread          a VM made by a thread that has ended
 *   odd_vmm many NUMBER     as many VMs without memory
 *   odd_vmm dying SECONDS   VMs of processes that live for some milliseconds
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuse_file.h"
#include "kvm_uapi.h"

#define MIB (1UL << 20)
#define TIB (1UL << 40)
#define FLAGS (GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED | \
	       GUEST_MEMFD_FLAG_NO_DIRECT_MAP)

static int kvm;

static int need(int ret, const char *what)
{
	if (ret < 0) {
		perror(what);
		exit(1);
	}
	return ret;
}

static int new_vm(void)
{
	return need(ioctl(kvm, KVM_CREATE_VM, 0UL), "KVM_CREATE_VM");
}

static void *map(size_t size, int flags, int fd)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (mem == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return mem;
}

static void add_plain(int vm, size_t size, size_t touched)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = 16 * MIB, .memory_size = size,
	};
	void *mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	/* allocate only the touched pages */
	need(madvise(mem, size, MADV_NOHUGEPAGE), "madvise");
	memset(mem, 0x41, touched);
	region.userspace_addr = (uintptr_t)mem;
	need(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static int new_gmem(int vm)
{
	struct kvm_create_guest_memfd create = { .size = 4 * MIB, .flags = FLAGS };

	return need(ioctl(vm, KVM_CREATE_GUEST_MEMFD, &create), "KVM_CREATE_GUEST_MEMFD");
}

static int add_protected(int vm)
{
	struct kvm_userspace_memory_region2 region = {
		.flags = KVM_MEM_GUEST_MEMFD, .memory_size = 4 * MIB,
		.guest_phys_addr = 16 * MIB, .guest_memfd = new_gmem(vm),
	};
	void *mem = map(4 * MIB, MAP_SHARED, region.guest_memfd);

	memset(mem, 0x42, 2 * MIB);
	region.userspace_addr = (uintptr_t)mem;
	need(ioctl(vm, KVM_SET_USER_MEMORY_REGION2, &region), "KVM_SET_USER_MEMORY_REGION2");
	return region.guest_memfd;
}

/* A list as offmap run wrote it before KVM listed memslots. */
static void forge(int vm)
{
	int list = memfd_create("offmap-slots", 0);

	dprintf(list, "offmap-slots 1 1\n%d 0 0 400000 7f0000000000 protected %d 0\nend 1\n",
		vm, new_gmem(vm));
	add_plain(vm, 4 * MIB, 4 * MIB);
}

/* Kill the server first, as it never answers to a close. */
static void add_fuse(int vm)
{
	int gmem = add_protected(vm);
	struct fuse_file file;
	const char *why;
	struct stat st;

	need(fstat(gmem, &st), "fstat");
	why = fuse_file_start(&file, "[kvm-gmem]", st.st_ino);
	if (why) {
		puts(why);
		exit(1);
	}
	close(gmem);
	need(open(file.path, O_RDWR), file.path);
}

static void reuse(void)
{
	int first = new_vm(), second;

	add_plain(first, 4 * MIB, 4 * MIB);
	need(ioctl(first, KVM_CREATE_VCPU, 0UL), "KVM_CREATE_VCPU");
	close(first);
	second = new_vm();
	if (second != first)
		need(-1, "another descriptor");
	add_protected(second);
}

static void *in_thread(void *unused)
{
	(void)unused;
	add_protected(new_vm());
	return NULL;
}

static void die_often(int seconds)
{
	time_t until = time(NULL) + seconds;
	struct timespec pause = { 0, 2000000 };

	while (time(NULL) < until) {
		pid_t pid = need(fork(), "fork");

		if (!pid) {
			add_protected(new_vm());
			nanosleep(&pause, NULL);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	exit(0);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int number = argc > 2 ? atoi(argv[2]) : 0;
	pthread_t thread;

	kvm = need(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	if (!strcmp(how, "protected"))
		add_protected(new_vm());
	else if (!strcmp(how, "forged"))
		forge(new_vm());
	else if (!strcmp(how, "closed"))
		close(add_protected(new_vm()));
	else if (!strcmp(how, "fuse"))
		add_fuse(new_vm());
	else if (!strcmp(how, "huge"))
		add_plain(new_vm(), TIB / 2, MIB);
	else if (!strcmp(how, "reused"))
		reuse();
	else if (!strcmp(how, "thread"))
		need(-pthread_create(&thread, NULL, in_thread, NULL) |
		     -pthread_join(thread, NULL), "thread");
	else if (!strcmp(how, "nothing"))
		new_vm();
	else if (!strcmp(how, "many"))
		for (int i = 0; i < number; i++)
			new_vm();
	else if (strcmp(how, "dying"))
		return 2;
	puts("ready");
	fflush(stdout);
	if (!strcmp(how, "dying"))
		die_often(number);
	for (;;)
		pause();
}
