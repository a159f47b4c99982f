// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of memslots in debugfs: a line for each kind of memory, with the file
 * that backs it.  File descriptors of the VMM do not matter.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm_syscalls.h"
#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "test_util.h"

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"

static int open_list(int vm_fd, const char *suffix)
{
	char path[128];

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%d-%d%s/memslots", getpid(), vm_fd,
		 suffix);
	return open(path, O_RDONLY);
}

static const char *read_list(int fd)
{
	static char text[65536];
	size_t length = 0;
	ssize_t r;

	while ((r = pread(fd, text + length, sizeof(text) - 1 - length, length)) > 0)
		length += r;
	TEST_ASSERT(!r, __KVM_SYSCALL_ERROR("pread()", (int)r));
	text[length] = '\0';
	return text;
}

static int nr_directories(void)
{
	char prefix[16];
	struct dirent *entry;
	int nr = 0;
	DIR *dir;

	snprintf(prefix, sizeof(prefix), "%d-", getpid());
	dir = opendir(KVM_DEBUGFS);
	while ((entry = readdir(dir)))
		nr += !strncmp(entry->d_name, prefix, strlen(prefix));
	closedir(dir);
	return nr;
}

FIXTURE(list) {
	struct kvm_vm *vm;
	void *mem;
	size_t page;
	int fd;
};

FIXTURE_SETUP(list)
{
	self->vm = vm_create_barebones();
	self->page = getpagesize();
	self->mem = kvm_mmap(4 * self->page, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1);
	self->fd = open_list(self->vm->fd, "");
	TEST_ASSERT(self->fd >= 0, __KVM_SYSCALL_ERROR("open()", self->fd));
}

FIXTURE_TEARDOWN(list)
{
	kvm_munmap(self->mem, 4 * self->page);
	close(self->fd);
	if (self->vm)
		kvm_vm_free(self->vm);
}

TEST_F(list, memory)
{
	char want[256];

	snprintf(want, sizeof(want), "memslots 1 process %d\nend\n", getpid());
	EXPECT_STREQ(want, read_list(self->fd));

	vm_set_user_memory_region(self->vm, 7, 0, 16 * self->page, self->page, self->mem);
	vm_set_user_memory_region(self->vm, 3, KVM_MEM_READONLY, 8 * self->page,
				  2 * self->page, self->mem + self->page);
	snprintf(want, sizeof(want),
		 "memslots 1 process %d\n0 3 8 2 2 %lx memory\n0 7 10 1 0 %lx memory\nend\n",
		 getpid(), (unsigned long)self->mem + self->page,
		 (unsigned long)self->mem);
	EXPECT_STREQ(want, read_list(self->fd));

	vm_set_user_memory_region(self->vm, 3, 0, 0, 0, NULL);
	EXPECT_EQ(NULL, strstr(read_list(self->fd), "\n0 3 "));
}

/* Each slot names the inode of its file, and whether the direct map has it. */
TEST_F(list, guest_memfd)
{
	u64 flags = GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED;
	int supported = vm_check_cap(self->vm, KVM_CAP_GUEST_MEMFD_FLAGS);
	struct stat st;
	char want[256];
	void *mem;
	int fd;

	if ((supported & flags) != flags)
		SKIP(return, "guest_memfd cannot be mapped");
	flags |= supported & GUEST_MEMFD_FLAG_NO_DIRECT_MAP;

	fd = vm_create_guest_memfd(self->vm, 4 * self->page, flags);
	TEST_ASSERT(!fstat(fd, &st), "fstat() failed, errno: %i (%s)", errno,
		    strerror(errno));
	mem = kvm_mmap(2 * self->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	vm_set_user_memory_region2(self->vm, 1, KVM_MEM_GUEST_MEMFD, 0, 2 * self->page,
				   mem, fd, self->page);
	snprintf(want, sizeof(want), "\n0 1 0 2 4 %lx guest_memfd %lu %lx alone %s\nend\n",
		 (unsigned long)mem, (unsigned long)st.st_ino, self->page,
		 flags & GUEST_MEMFD_FLAG_NO_DIRECT_MAP ? "no-direct-map" : "direct-map");
	EXPECT_TRUE(strstr(read_list(self->fd), want)) {
		TH_LOG("got: %s", read_list(self->fd));
	}

	/* The mapping keeps the file, and nothing else does. */
	close(fd);
	EXPECT_TRUE(strstr(read_list(self->fd), want));
	kvm_munmap(mem, 2 * self->page);
	snprintf(want, sizeof(want), "\n0 1 0 2 4 %lx closed\nend\n", (unsigned long)mem);
	EXPECT_TRUE(strstr(read_list(self->fd), want));
}

/* A list that somebody reads outlives the VM's file descriptor. */
TEST_F(list, vm_ends)
{
	int fd = self->vm->fd, nr = nr_directories();

	kvm_vm_free(self->vm);
	self->vm = NULL;
	EXPECT_TRUE(strstr(read_list(self->fd), "\nend\n"));
	EXPECT_EQ(nr, nr_directories());
	close(self->fd);
	EXPECT_EQ(nr - 1, nr_directories());
	self->fd = open_list(fd, "");
	EXPECT_EQ(-1, self->fd);
}

/* A VM that takes over the file descriptor of another one has its list. */
TEST_F(list, same_descriptor)
{
	int nr = nr_directories(), kvm = open_kvm_dev_path_or_exit();
	int vm, vcpu, second;

	vm = __kvm_ioctl(kvm, KVM_CREATE_VM, NULL);
	vcpu = __kvm_ioctl(vm, KVM_CREATE_VCPU, NULL);
	TEST_ASSERT(vcpu >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VCPU, vcpu));
	close(vm);
	second = __kvm_ioctl(kvm, KVM_CREATE_VM, NULL);
	EXPECT_EQ(vm, second);
	EXPECT_EQ(nr + 2, nr_directories());
	close(second);
	close(vcpu);
	EXPECT_EQ(nr, nr_directories());
	close(kvm);
}

int main(int argc, char *argv[])
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_USER_MEMORY));
	__TEST_REQUIRE(!access(KVM_DEBUGFS, X_OK), "no access to " KVM_DEBUGFS);

	return test_harness_run(argc, argv);
}
