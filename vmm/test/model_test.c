// SPDX-License-Identifier: MIT
/*
 * The model between a VMM (this program) and a double of KVM.  Each case is a process of
 * its own, as the model may stop it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "direct.h"
#include "fake_kvm.h"
#include "huge.h"
#include "kvm_abi.h"
#include "page.h"
#include "tap.h"

#define MIB (1UL << 20)
#define RAM (8 * MIB)
#define PAGE page_bytes()
#define MIN_PAGE 4096UL

/* Linux 5.11 */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* A claim inside a case: the first false claim ends the case. */
#define must(condition) must_at(condition, #condition, __LINE__)

static void must_at(bool good, const char *text, int line)
{
	if (good)
		return;
	printf("# line %d: %s (errno %d)\n", line, text, errno);
	fflush(stdout);
	_exit(1);
}

/* A case that this machine cannot run is no failure of the model. */
static void cannot_try(const char *why)
{
	if (write(2, why, strlen(why)) < 0)
		_exit(1);
	_exit(77);
}

/* The linker has the model call these: the nth from now fails; 0: none. */
void *__real_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
static int fail_mmap_in, fail_realloc_in, dup_in_mmap = -1;

void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	if (fail_mmap_in && !--fail_mmap_in) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	if (dup_in_mmap >= 0) {
		must(dup(dup_in_mmap) >= 0);
		dup_in_mmap = -1;
	}
	return __real_mmap(addr, size, prot, flags, fd, offset);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fail_realloc_in && !--fail_realloc_in ? NULL : __real_realloc(memory, size);
}

static int vm;

static int set_slot(uint32_t id, uint32_t flags, uint64_t gpa, uint64_t size, void *mem)
{
	struct kvm_userspace_memory_region region = {
		.slot = id, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = size, .userspace_addr = (uintptr_t)mem,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static uint8_t *new_ram(uint64_t size)
{
	uint8_t *ram = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(ram != MAP_FAILED);
	return ram;
}

static int guest_byte(uint64_t gpa)
{
	uint8_t byte;

	return fake_guest_read(vm, gpa, &byte) ? -1 : byte;
}

static bool is_protected(uint64_t gpa)
{
	const struct fake_slot *slot = fake_kvm_slot_at(vm, gpa);

	return slot && slot->gmem >= 0;
}

static void run_vcpu(void)
{
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);

	must(vcpu >= 0 && !ioctl(vcpu, KVM_RUN, 0UL));
	must(fake_kvm_runs() > 0);
	close(vcpu);
}

/* Guest and VMM see each other's writes. */
static void must_be_one(uint64_t gpa, uint8_t *mem)
{
	*mem = 0x5a;
	must(guest_byte(gpa) == 0x5a);
	must(!fake_guest_write(vm, gpa, 0xa5));
	must(*mem == 0xa5);
}

static void case_block_is_moved(void)
{
	uint8_t *ram = new_ram(RAM);

	ram[0] = 1;
	ram[3 * MIB + 17] = 2;
	ram[RAM - 1] = 3;
	must(!set_slot(0, 0, 0, RAM, ram));
	must(guest_byte(0) == 1 && guest_byte(3 * MIB + 17) == 2 && guest_byte(RAM - 1) == 3);
	must(ram[0] == 1 && ram[3 * MIB + 17] == 2 && ram[RAM - 1] == 3);
	must(guest_byte(MIB) == 0 && guest_byte(RAM) == -1);
	must(is_protected(0) && is_protected(MIB) && is_protected(RAM - 1));
	must_be_one(2 * MIB, ram + 2 * MIB);
	run_vcpu();
}

static void case_slot_goes_and_comes(void)
{
	uint8_t *ram = new_ram(RAM);
	const struct fake_slot *slots;

	must(!set_slot(0, 0, 0, RAM, ram));
	ram[4 * MIB] = 9;
	must(!set_slot(0, 0, 0, 0, ram));
	must(fake_kvm_slots(vm, &slots) == 0);
	must(!set_slot(0, 0, 0, 2 * MIB, ram));
	must(!set_slot(1, 0, 64 * MIB, RAM - 2 * MIB, ram + 2 * MIB));
	must(guest_byte(66 * MIB) == 9 && is_protected(66 * MIB));
	must_be_one(64 * MIB, ram + 2 * MIB);
	/* moved to another place, without being deleted */
	must(!set_slot(1, 0, 128 * MIB, RAM - 2 * MIB, ram + 2 * MIB));
	must(guest_byte(130 * MIB) == 9 && guest_byte(66 * MIB) == -1);
}

/* The slots of q35: all of RAM, then ROM windows and SMM's alias in the first MiB. */
static void case_q35(void)
{
	uint8_t *ram = new_ram(RAM);

	memset(ram + 0xa0000, 0x11, 0x20000);
	memset(ram + 0xe0000, 0x22, 0x20000);
	must(!set_slot(0, 0, 0, RAM, ram));
	must(!set_slot(0, 0, 0, 0, ram));
	must(!set_slot(0, 0, 0, 0xa0000, ram));
	must(!set_slot(1, 0, MIB, RAM - MIB, ram + MIB));
	must(!set_slot(2, 0, 0xa0000, 0x40000, ram + 0xa0000));
	must(!set_slot(3, KVM_MEM_READONLY, 0xe0000, 0x20000, ram + 0xe0000));
	must(!set_slot(4, 0, 0xfeda0000, 0x20000, ram + 0xa0000));
	must(guest_byte(0xa0000) == 0x11 && guest_byte(0xfeda0000) == 0x11);
	must(guest_byte(0xe0000) == 0x22);
	must(fake_guest_write(vm, 0xe0000, 1) == -1);
	must(!fake_guest_write(vm, 0xfeda0005, 0x77));
	must(guest_byte(0xa0005) == 0x77 && ram[0xa0005] == 0x77);
	must(is_protected(0) && is_protected(0x9f000) && is_protected(MIB));
	must(!is_protected(0xa0000) && !is_protected(0xe0000) && is_protected(0xc0000));
	/* one slot for all again, of several kinds */
	for (int i = 0; i < 5; i++)
		must(!set_slot(i, 0, 0, 0, ram));
	must(!set_slot(0, 0, 0, RAM, ram));
	must(is_protected(0x9f000) && !is_protected(0xa0000) && is_protected(MIB));
	for (uint64_t gpa = 0; gpa < RAM; gpa += 64 * 1024 - MIN_PAGE)
		must_be_one(gpa, ram + gpa);
	must(!set_slot(0, 0, 0, 0, ram));
	must(guest_byte(0) == -1 && guest_byte(0xa0000) == -1 && guest_byte(MIB) == -1);
}

/* VGA shows a bank of its memory in the first MiB too.  The guest changes the bank. */
static void case_vga(void)
{
	uint8_t *vram = new_ram(RAM);

	must(!set_slot(0, KVM_MEM_LOG_DIRTY_PAGES, 0xfd000000, RAM, vram));
	vram[0] = 1;
	vram[0x20000] = 2;
	for (uint64_t bank = 0; bank <= 0x20000; bank += 0x20000) {
		must(!set_slot(1, KVM_MEM_LOG_DIRTY_PAGES, 0xa0000, 0x10000, vram + bank));
		must(guest_byte(0xa0000) == vram[bank] && guest_byte(0xfd000000 + bank) == vram[bank]);
		must(!is_protected(0xa0000) && !is_protected(0xfd00ffff + bank));
		must(is_protected(0xfd010000 + bank) && guest_byte(0xfd020000) == 2);
		must_be_one(0xa0005, vram + bank + 5);
		must_be_one(0xfd000007 + bank, vram + bank + 7);
		must(!set_slot(1, 0, 0, 0, vram));
	}
	must(!is_protected(0xfd000000) && is_protected(0xfd010000) && !is_protected(0xfd020000));
	must_be_one(0xfd000000, vram);
	must_be_one(0xfd010000, vram + 0x10000);
}

static void case_alias(void)
{
	uint8_t *ram = new_ram(RAM);

	must(!set_slot(0, 0, 16 * MIB, RAM, ram));
	set_slot(1, 0, 64 * MIB, MIB, ram + MIB);
	must(false);
}

static void case_alias_permissive(void)
{
	uint8_t *ram = new_ram(RAM);

	ram[MIB] = 5;
	must(!set_slot(0, 0, 16 * MIB, RAM, ram));
	must(!set_slot(1, 0, 64 * MIB, MIB, ram + MIB));
	must(guest_byte(17 * MIB) == 5 && guest_byte(64 * MIB) == 5);
	must(!is_protected(17 * MIB) && !is_protected(64 * MIB));
	must(is_protected(16 * MIB) && is_protected(18 * MIB));
	must_be_one(17 * MIB + 1, ram + MIB + 1);
	must_be_one(64 * MIB + 1, ram + MIB + 1);
}

static void case_read_only_of_ram(void)
{
	uint8_t *ram = new_ram(RAM);

	must(!set_slot(0, 0, 16 * MIB, RAM, ram));
	must(!set_slot(0, 0, 0, 0, ram));
	set_slot(0, KVM_MEM_READONLY, 16 * MIB, RAM, ram);
	must(false);
}

static void case_rom(void)
{
	uint8_t *rom = new_ram(MIB), *ram = new_ram(RAM);

	rom[0] = 0xea;
	must(!set_slot(0, KVM_MEM_READONLY, 0xfff00000, MIB, rom));
	must(!set_slot(1, 0, 0, RAM, ram));
	must(!is_protected(0xfff00000) && guest_byte(0xfff00000) == 0xea);
	must(set_slot(0, 0, 0xfff00000, MIB, rom) == -1 && errno == EINVAL);
	run_vcpu();
}

static void case_smm(void)
{
	uint8_t *ram = new_ram(RAM);

	must(!set_slot(0, 0, 0, RAM, ram));
	set_slot(1 << 16, 0, 0, RAM, ram);
	must(false);
}

static void case_shared_file(void)
{
	char name[] = "/var/tmp/offmap-test-XXXXXX";
	int fd = mkstemp(name);
	uint8_t *ram;

	must(fd >= 0 && !ftruncate(fd, RAM));
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unlink(name);
	must(ram != MAP_FAILED);
	set_slot(0, 0, 0, RAM, ram);
	must(false);
}

/* For vhost-user: the back end would see other memory than the guest. */
static void case_shared_memfd(void)
{
	int memfd = memfd_create("backend", 0);
	uint8_t *ram;

	must(memfd >= 0 && !ftruncate(memfd, RAM));
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	must(ram != MAP_FAILED);
	set_slot(0, 0, 0, RAM, ram);
	must(false);
}

static void case_shared_memfd_permissive(void)
{
	int memfd = memfd_create("backend", 0);
	uint8_t *ram, byte;

	must(memfd >= 0 && !ftruncate(memfd, RAM));
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	must(ram != MAP_FAILED && !set_slot(0, 0, 16 * MIB, RAM, ram));
	must(!fake_guest_write(vm, 17 * MIB, 9));
	must(pread(memfd, &byte, 1, MIB) == 1 && byte == 9 && !is_protected(17 * MIB));
}

static uint8_t *map_memfd(int memfd, uint64_t offset, uint64_t size)
{
	uint8_t *ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, offset);

	must(ram != MAP_FAILED);
	return ram;
}

static int new_memfd(void)
{
	int memfd = memfd_create("backend", 0);

	must(memfd >= 0 && !ftruncate(memfd, RAM));
	return memfd;
}

/* A back end maps the descriptor that the VMM gives it, and sees the guest's data. */
static void must_be_shared(int memfd, uint64_t offset, uint64_t gpa)
{
	uint8_t *seen = map_memfd(memfd, 0, RAM);

	must_be_one(gpa, seen + offset);
	munmap(seen, RAM);
}

static void case_share(void)
{
	int memfd = new_memfd(), again = fcntl(memfd, F_DUPFD_CLOEXEC, 0);
	uint8_t *ram = map_memfd(memfd, 0, RAM);

	direct_share(0);
	ram[3 * MIB] = 3;
	/* q35: two slots, of which one becomes read-only in part */
	must(!set_slot(0, 0, 0, 0xa0000, ram));
	must(!set_slot(1, 0, 0xc0000, RAM - 0xc0000, ram + 0xc0000));
	must(is_protected(0) && is_protected(0xe0000) && guest_byte(3 * MIB) == 3);
	must(!fcntl(memfd, F_GETFD) && fcntl(again, F_GETFD) == FD_CLOEXEC);
	must_be_shared(memfd, 0xe0000, 0xe0000);
	must_be_shared(again, 5 * MIB, 5 * MIB);
	must(!set_slot(1, 0, 0, 0, ram));
	must(!set_slot(1, KVM_MEM_READONLY, 0xc0000, 0x20000, ram + 0xc0000));
	must(!set_slot(2, 0, 0xe0000, RAM - 0xe0000, ram + 0xe0000));
	must(!is_protected(0xc0000) && is_protected(0xe0000) && is_protected(MIB));
	must_be_shared(memfd, 0, 0);
	must_be_shared(memfd, 0xe0000, 0xe0000);
	must_be_shared(memfd, RAM - 1, RAM - 1);
	must(!madvise(ram + 2 * MIB, 2 * MIB, MADV_REMOVE) && guest_byte(3 * MIB) == 0);
}

/* As Firecracker: one memfd, with several mappings and a slot for each. */
static void case_share_two_mappings(void)
{
	int memfd = new_memfd();
	uint8_t *high = map_memfd(memfd, 6 * MIB, 2 * MIB), *low = map_memfd(memfd, 0, 6 * MIB);

	direct_share(0);
	high[MIB] = 7;
	must(!set_slot(1, 0, 64 * MIB, 2 * MIB, high) && !set_slot(0, 0, 0, 6 * MIB, low));
	must(is_protected(0) && is_protected(64 * MIB) && guest_byte(65 * MIB) == 7);
	must_be_shared(memfd, 2 * MIB, 2 * MIB);
	must_be_shared(memfd, 7 * MIB, 65 * MIB);
}

static void case_share_in_part(void)
{
	uint8_t *ram = map_memfd(new_memfd(), 0, RAM - MIB);

	direct_share(0);
	set_slot(0, 0, 0, RAM - MIB, ram);
	must(false);
}

static void case_share_private(void)
{
	int memfd = new_memfd();
	uint8_t *ram = map_memfd(memfd, 0, RAM);

	direct_share(0);
	must(mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE, memfd, 0) != MAP_FAILED);
	set_slot(0, 0, 0, RAM, ram);
	must(false);
}

/* Another process has the memfd: mapped, or as a descriptor. */
static void share_late(bool mapped)
{
	int memfd = new_memfd(), ends[2];
	uint8_t *ram = map_memfd(memfd, 0, RAM);
	char byte;

	direct_share(0);
	must(!pipe(ends));
	if (!fork()) {
		if (mapped)
			close(memfd);
		else
			munmap(ram, RAM);
		must(write(ends[1], "", 1) == 1);
		/* until this process ends */
		close(ends[1]);
		while (getppid() != 1)
			usleep(1000);
		_exit(0);
	}
	must(read(ends[0], &byte, 1) == 1);
	set_slot(0, 0, 0, RAM, ram);
	must(false);
}

static void case_share_late(void)
{
	share_late(false);
}

static void case_share_late_mapped(void)
{
	share_late(true);
}

/* As above, without a descriptor: a child that was forked has it. */
static void case_anonymous_late(void)
{
	uint8_t *ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(ram != MAP_FAILED);
	if (!fork()) {
		while (getppid() != 1)
			usleep(1000);
		_exit(0);
	}
	set_slot(0, 0, 0, RAM, ram);
	must(false);
}

static void case_share_new_vm(void)
{
	uint8_t *ram = map_memfd(new_memfd(), 0, RAM);

	direct_share(0);
	must(!set_slot(0, 0, 16 * MIB, RAM, ram));
	close(vm);
	vm = ioctl(open("/dev/kvm", O_RDWR), KVM_CREATE_VM, 0UL);
	must(vm >= 0);
	set_slot(0, 0, 16 * MIB, RAM, ram);
	must(false);
}

/* After any failure the VMM has its memfd as before. */
static void share_fails(int lend, int map)
{
	int memfd = new_memfd(), again = dup(memfd);
	uint8_t *ram = map_memfd(memfd, 0, RAM), byte;

	must(again >= 0);
	ram[MIB] = 5;
	direct_share(lend);
	fail_mmap_in = map;
	must(!set_slot(0, 0, 16 * MIB, RAM, ram) && !is_protected(16 * MIB));
	must(!fail_mmap_in && guest_byte(17 * MIB) == 5);
	must(!fake_guest_write(vm, 17 * MIB, 9));
	must(pread(memfd, &byte, 1, MIB) == 1 && byte == 9);
	must(pread(again, &byte, 1, MIB) == 1 && byte == 9);
	must_be_shared(again, MIB, 17 * MIB);
}

static void case_share_lend_fails(void)
{
	share_fails(2, 0);
}

static void case_share_map_fails(void)
{
	share_fails(0, 1);
}

/* A descriptor that appears while the contents are copied would stay the old memfd. */
static void case_share_changes(void)
{
	int memfd = new_memfd();
	uint8_t *ram = map_memfd(memfd, 0, RAM), byte;

	direct_share(0);
	dup_in_mmap = memfd;
	must(!set_slot(0, 0, 16 * MIB, RAM, ram) && !is_protected(16 * MIB));
	must(dup_in_mmap < 0);
	must(!fake_guest_write(vm, 17 * MIB, 9));
	must(pread(memfd, &byte, 1, MIB) == 1 && byte == 9);
}

/* A page that does not exist yet would be asked of this program. */
static uint8_t *ram_of_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range.len = RAM, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	uint8_t *ram = new_ram(RAM);

	if (fd < 0)
		cannot_try("userfaultfd(2) is not permitted");
	range.range.start = (uintptr_t)ram;
	must(!ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &range));
	return ram;
}

static void case_userfaultfd(void)
{
	set_slot(0, 0, 16 * MIB, RAM, ram_of_userfaultfd());
	must(false);
}

static void case_userfaultfd_permissive(void)
{
	uint8_t *ram = ram_of_userfaultfd(), *other = new_ram(RAM);

	must(!set_slot(0, 0, 16 * MIB, RAM, ram) && !is_protected(16 * MIB));
	must(!set_slot(1, 0, 32 * MIB, RAM, other) && is_protected(32 * MIB));
}

/* memory-backend-memfd and -file with share=off, memory-backend-ram,share=on */
static void case_other_backends(void)
{
	char name[] = "/var/tmp/offmap-test-XXXXXX";
	int memfd = memfd_create("backend", 0), file = mkstemp(name);
	uint8_t *a, *b, *c;

	unlink(name);
	must(memfd >= 0 && file >= 0 && !ftruncate(memfd, RAM) && !ftruncate(file, RAM));
	must(pwrite(file, "f", 1, MIB) == 1 && pwrite(memfd, "m", 1, MIB) == 1);
	a = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE, memfd, 0);
	b = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	c = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(a != MAP_FAILED && b != MAP_FAILED && c != MAP_FAILED);
	c[MIB] = 's';
	must(!set_slot(0, 0, 0, RAM, a) && !set_slot(1, 0, 16 * MIB, RAM, b) &&
	     !set_slot(2, 0, 32 * MIB, RAM, c));
	must(guest_byte(MIB) == 'm' && guest_byte(17 * MIB) == 'f' &&
	     guest_byte(33 * MIB) == 's');
	must(is_protected(MIB) && is_protected(17 * MIB) && is_protected(33 * MIB));
}

static void case_no_capability(void)
{
	fake_kvm.gmem_flags = OFFMAP_GMEM_SHARED;
	set_slot(0, 0, 0, RAM, new_ram(RAM));
	must(false);
}

static void case_no_capability_permissive(void)
{
	uint8_t *ram = new_ram(RAM);

	fake_kvm.gmem_flags = -1;
	must(!set_slot(0, KVM_MEM_LOG_DIRTY_PAGES, 0, RAM, ram));
	must(!is_protected(0));
	must(fake_kvm_slot_at(vm, 0)->flags == KVM_MEM_LOG_DIRTY_PAGES);
	must(!set_slot(0, 0, 0, RAM, ram) && !fake_kvm_slot_at(vm, 0)->flags);
	must_be_one(MIB, ram + MIB);
	run_vcpu();
}

static void case_no_memory(void)
{
	fake_kvm.create_gmem_error = ENOMEM;
	set_slot(0, 0, 0, RAM, new_ram(RAM));
	must(false);
}

static void case_own_guest_memfd(void)
{
	struct kvm_userspace_memory_region2 region = {
		.flags = KVM_MEM_GUEST_MEMFD, .memory_size = RAM,
		.userspace_addr = (uintptr_t)new_ram(RAM),
	};

	ioctl(vm, KVM_SET_USER_MEMORY_REGION2, &region);
	must(false);
}

/* The guest runs: a call fails, and the VMM lives. */
static void case_plugged_while_running(void)
{
	uint8_t *ram = new_ram(RAM), *more = new_ram(RAM);

	must(!set_slot(0, 0, 0, RAM, ram));
	run_vcpu();
	must(!set_slot(1, 0, 64 * MIB, RAM, more) && is_protected(64 * MIB));
	must(set_slot(2, 0, 128 * MIB, MIB, ram + MIB) == -1 && errno == EPERM);
	must(guest_byte(128 * MIB) == -1 && is_protected(MIB));
	must_be_one(MIB, ram + MIB);
	fake_kvm.create_gmem_error = ENOMEM;
	must(set_slot(2, 0, 128 * MIB, RAM, new_ram(RAM)) == -1 && errno == EPERM);
	fake_kvm.create_gmem_error = 0;
	must(!set_slot(1, 0, 0, 0, more));
	must(guest_byte(64 * MIB) == -1);
}

static int open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void case_memory_is_given_back(void)
{
	uint8_t *ram = new_ram(RAM);
	int before = open_files();

	must(!set_slot(0, 0, 0, RAM, ram));
	/* two memories, each known twice */
	must(open_files() == before + 4);
	must(!set_slot(0, 0, 0, 0, ram));
	must(!munmap(ram, RAM / 2));
	must(open_files() == before + 2);
	must(mmap(ram + RAM / 2, RAM / 2, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	must(open_files() == before);
	/* other memory is there now */
	ram[RAM / 2] = 4;
	must(!set_slot(0, 0, 0, RAM / 2, ram + RAM / 2) && guest_byte(0) == 4);
	must_be_one(0, ram + RAM / 2);
}

static void case_madvise(void)
{
	uint8_t *ram = new_ram(RAM + MIB);

	must(!set_slot(0, 0, 0, RAM, ram));
	memset(ram, 7, RAM + MIB);
	must(!madvise(ram + MIB, MIB, MADV_DONTNEED));
	must(guest_byte(MIB) == 0 && ram[MIB] == 0 && guest_byte(MIB - 1) == 7 &&
	     guest_byte(2 * MIB) == 7);
	/* half of the range is guest memory, half is not */
	must(!madvise(ram + RAM - MIB, 2 * MIB, MADV_DONTNEED));
	must(ram[RAM - 1] == 0 && ram[RAM] == 0 && guest_byte(RAM - 1) == 0);
#ifdef MADV_POPULATE_WRITE
	must(!madvise(ram, MIB, MADV_POPULATE_WRITE));
#endif
	must(madvise(ram, MIB, 12345) == -1 && errno == EINVAL);
}

static void case_dirty_log(void)
{
	uint64_t bits[RAM / MIN_PAGE / 64];
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = bits };
	struct kvm_clear_dirty_log clear = { .slot = 0 };
	uint8_t *ram = new_ram(RAM);

	must(!set_slot(0, 0, 0, RAM, ram));
	must(ioctl(vm, KVM_GET_DIRTY_LOG, &log) == -1 && errno == ENOENT);
	must(!set_slot(0, KVM_MEM_LOG_DIRTY_PAGES, 0, RAM, ram));
	memset(bits, 0, sizeof(bits));
	must(!ioctl(vm, KVM_GET_DIRTY_LOG, &log));
	for (size_t i = 0; i < RAM / PAGE / 64; i++)
		must(bits[i] == UINT64_MAX);
	must(!ioctl(vm, KVM_CLEAR_DIRTY_LOG, &clear));
	must(!set_slot(0, 0, 0, RAM, ram));
	must(is_protected(MIB));
}

#ifdef __x86_64__
static void case_kvmclock(void)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[4];
	} cpuid = { .head.nent = 4 };
	int kvm = open("/dev/kvm", O_RDWR), vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);

	must(!ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid));
	must(cpuid.head.nent == 2 && cpuid.head.entries[1].eax & 1);
	/* the double says ECANCELED when it sees kvm-clock */
	must(ioctl(vcpu, KVM_SET_CPUID2, &cpuid) == -1 && errno == ECANCELED);
}
#else
#define case_kvmclock NULL
#endif

static void case_capabilities(void)
{
	int kvm = open("/dev/kvm", O_RDWR);

	must(ioctl(kvm, KVM_CHECK_EXTENSION, (long)KVM_CAP_NR_MEMSLOTS) == 192);
	must(ioctl(kvm, KVM_CHECK_EXTENSION, (long)KVM_CAP_DIRTY_LOG_RING) == 0);
	must(ioctl(kvm, KVM_CHECK_EXTENSION, (long)KVM_CAP_X86_SMM) == 0);
	must(ioctl(kvm, KVM_CHECK_EXTENSION, (long)KVM_CAP_USER_MEMORY) == 1);
	must(ioctl(kvm, 0xdeadbeefUL) == -1 && errno == ENOTTY);
}

static void case_bad_slots(void)
{
	uint8_t *ram = new_ram(RAM);

	must(set_slot(0, 0, 0, RAM - 1, ram) == -1 && errno == EINVAL);
	must(set_slot(0, 0, 1, RAM, ram) == -1 && errno == EINVAL);
	must(set_slot(0, 0, 0, RAM, ram + 1) == -1 && errno == EINVAL);
	must(set_slot(0, 0, -MIB, 2 * MIB, ram) == -1 && errno == EINVAL);
	must(set_slot(0, 0x80, 0, RAM, ram) == -1 && errno == EINVAL);
	must(set_slot(192, 0, 0, RAM, ram) == -1 && errno == EINVAL);
	must(set_slot(5, 0, 0, 0, ram) == -1 && errno == EINVAL);
	must(!set_slot(0, 0, 0, RAM, ram));
	must(set_slot(1, 0, RAM - PAGE, PAGE, new_ram(PAGE)) == -1 && errno == EEXIST);
	must(set_slot(0, 0, 0, RAM / 2, ram) == -1 && errno == EINVAL);
	must(set_slot(0, KVM_MEM_READONLY, 0, RAM, ram) == -1 && errno == EINVAL);
	must_be_one(0, ram);
}

/* KVM refuses in the middle: no part of the slot is left, and the call can be repeated. */
static void case_kvm_fails(void)
{
	const struct fake_slot *slots;
	uint8_t *ram = new_ram(RAM);

	ram[MIB] = 8;
	fake_kvm.fail_region_in = 2;
	must(set_slot(0, 0, 0, RAM, ram) == -1 && errno == ENOMEM);
	must(fake_kvm_slots(vm, &slots) == 0);
	must(!set_slot(0, 0, 0, RAM, ram) && guest_byte(MIB) == 8);
	must(is_protected(0) && is_protected(MIB));
}

/* The memory of a slot cannot become ordinary: the slot stays as it was. */
static void case_expose_fails(void)
{
	uint8_t *ram = new_ram(RAM);

	must(!set_slot(0, 0, 0, RAM, ram) && !set_slot(1, 0, 16 * MIB, MIB, new_ram(MIB)));
	fail_mmap_in = 1;
	must(set_slot(2, KVM_MEM_READONLY, 64 * MIB, 64 << 10, ram) == -1 && errno == ENOMEM);
	must(is_protected(0) && guest_byte(64 * MIB) == -1);
	/* taking the two pieces away, in the order of the model */
	for (int nth = 1; nth <= 2; nth++) {
		fake_kvm.fail_region_in = nth;
		must(set_slot(2, KVM_MEM_READONLY, 64 * MIB, 64 << 10, ram) == -1 && errno == ENOMEM);
		must(guest_byte(64 * MIB) == -1);
		must_be_one(0, ram);
		must_be_one(MIB, ram + MIB);
	}
	must(!set_slot(2, KVM_MEM_READONLY, 64 * MIB, 64 << 10, ram) && !is_protected(0));
	must_be_one(0, ram);
}

/* KVM takes a slot at neither place: the slot is gone, and the others are as before. */
static void case_move_fails(void)
{
	uint64_t bits[RAM / MIN_PAGE / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bits };
	uint8_t *ram = new_ram(RAM), *other = new_ram(RAM);

	must(!set_slot(0, 0, 16 * MIB, RAM, ram));
	must(!set_slot(1, KVM_MEM_LOG_DIRTY_PAGES, 32 * MIB, RAM, other));
	fake_kvm.fail_region_in = 2;
	must(set_slot(0, 0, 64 * MIB, RAM, ram) == -1 && errno == ENOMEM);
	must_be_one(16 * MIB, ram);
	fake_kvm.fail_region_in = 2;
	fake_kvm.fail_region_more = 1;
	must(set_slot(0, 0, 64 * MIB, RAM, ram) == -1 && errno == ENOMEM);
	must(guest_byte(16 * MIB) == -1 && guest_byte(64 * MIB) == -1);
	must_be_one(32 * MIB, other);
	must(!ioctl(vm, KVM_GET_DIRTY_LOG, &log));
	must(!set_slot(0, 0, 64 * MIB, RAM, ram));
	must_be_one(64 * MIB, ram);
}

/*
 * Without memory for the model's own lists there is no slot, and the call can be
 * repeated.
 */
static void case_no_memory_for_lists(void)
{
	must(!set_slot(0, 0, 16 * MIB, MIB, new_ram(MIB)));
	run_vcpu();
	for (int slot = 1; slot < 20; slot++) {
		uint8_t *ram = new_ram(MIB);
		int before = open_files(), tries = 0;

		do {
			/* moved or not, but no more than once */
			must(open_files() <= before + 2);
			ram[0] = ++tries;
			fail_realloc_in = tries;
		} while (set_slot(slot, 0, (16 + slot) * MIB, MIB, ram));
		fail_realloc_in = 0;
		must(tries > 2 && open_files() == before + 2);
		must(guest_byte((16 + slot) * MIB) == tries);
	}
}

static void case_vm_number_is_used_again(void)
{
	uint8_t *ram = new_ram(RAM);
	int kvm = open("/dev/kvm", O_RDWR), old = vm;

	must(!set_slot(0, 0, 0, RAM, ram));
	close(vm);
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	must(vm == old);
	munmap(ram, RAM);
	ram = new_ram(RAM);
	must(!set_slot(0, 0, 0, RAM, ram) && is_protected(0));
	must_be_one(MIB, ram + MIB);
}

/* The VMM resets its guest by making a new VM with the same memory. */
static void case_vm_is_made_anew(void)
{
	uint8_t *ram = new_ram(RAM);
	int kvm = open("/dev/kvm", O_RDWR), old = vm;

	must(!set_slot(0, 0, 0, RAM, ram));
	ram[MIB] = 6;
	ram[5 * MIB] = 7;
	/* half of it while the old VM exists, half when it is closed */
	must(!set_slot(0, 0, 0, 0, ram));
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	must(vm >= 0 && !set_slot(0, 0, 0, 4 * MIB, ram));
	must(guest_byte(MIB) == 6 && is_protected(0) && is_protected(MIB));
	must(!close(old));
	must(!set_slot(1, 0, 4 * MIB, RAM - 4 * MIB, ram + 4 * MIB));
	must(guest_byte(5 * MIB) == 7 && is_protected(5 * MIB));
	must_be_one(MIB, ram + MIB);
	must_be_one(5 * MIB, ram + 5 * MIB);
	run_vcpu();
	/* no memory for it: the call fails, and the guest's memory is as it was */
	must(!close(vm));
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	fake_kvm.create_gmem_error = ENOMEM;
	must(set_slot(1, 0, 4 * MIB, RAM - 4 * MIB, ram + 4 * MIB) == -1 && errno == EPERM);
	fake_kvm.create_gmem_error = 0;
	must(!set_slot(1, 0, 4 * MIB, RAM - 4 * MIB, ram + 4 * MIB));
	must(guest_byte(5 * MIB) == 0xa5 && is_protected(5 * MIB));
}

/* Another VM that still exists has it: that is an alias. */
static void case_two_vms(void)
{
	uint8_t *ram = new_ram(RAM);

	must(!set_slot(0, 0, 0, RAM, ram));
	vm = ioctl(open("/dev/kvm", O_RDWR), KVM_CREATE_VM, 0UL);
	set_slot(0, 0, 0, RAM, ram);
	must(false);
}

static void map_fixed(uint8_t *at, uint64_t size, int prot)
{
	must(mmap(at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
}

/* Other memory over a slot: the guest sees it, and it is protected as well. */
static void case_mapped_over(void)
{
	uint8_t *ram = new_ram(RAM), *other = new_ram(PAGE);

	must(!set_slot(0, 0, 0, RAM, ram));
	run_vcpu();
	memset(ram, 7, RAM);
	map_fixed(ram + 2 * MIB, MIB, PROT_READ | PROT_WRITE);
	must(guest_byte(2 * MIB) == 0 && guest_byte(MIB) == 7 && guest_byte(3 * MIB) == 7);
	must(is_protected(MIB) && is_protected(2 * MIB) && is_protected(3 * MIB));
	must_be_one(2 * MIB, ram + 2 * MIB);
	*other = 8;
	must(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, ram + 5 * MIB) ==
	     ram + 5 * MIB);
	must(guest_byte(5 * MIB) == 8 && guest_byte(5 * MIB + PAGE) == 7);
	must_be_one(5 * MIB, ram + 5 * MIB);
	must_be_one(6 * MIB, ram + 6 * MIB);
	/* it cannot be protected: no slot, rather than one that shows other memory */
	fake_kvm.create_gmem_error = ENOMEM;
	map_fixed(ram + 2 * MIB, MIB, PROT_READ | PROT_WRITE);
	must(guest_byte(2 * MIB) == -1);
	/* nor anywhere else */
	must(set_slot(0, 0, 64 * MIB, RAM, ram) == -1 && errno == EPERM);
	must(guest_byte(2 * MIB) == -1 && guest_byte(66 * MIB) == -1);
	fake_kvm.create_gmem_error = 0;
	must(!set_slot(0, 0, 64 * MIB, RAM, ram));
	must_be_one(66 * MIB, ram + 2 * MIB);
	must(!set_slot(0, 0, 0, 0, ram) && !set_slot(0, 0, 0, RAM, ram));
	must_be_one(2 * MIB, ram + 2 * MIB);
	/* the range is only reserved from now on: the VMM is about to delete the slot */
	map_fixed(ram, RAM, PROT_NONE);
	must(guest_byte(MIB) == 7 && !set_slot(0, 0, 0, 0, ram));
}

/* Memory whose address is this far from a multiple of 2 MiB. */
static uint8_t *huge_ram(uint64_t size, uint64_t from)
{
	uint8_t *room = new_ram(size + 2 * HUGE_BYTES);

	/*
	 * The host may use huge pages for all memory; here a touched page must be one
	 * page.
	 */
	madvise(room, size + 2 * HUGE_BYTES, MADV_NOHUGEPAGE);
	fake_kvm.gmem_flags |= GUEST_MEMFD_FLAG_ALLOW_HUGE;
	direct_huge();
	return room + (-(uintptr_t)room & (HUGE_BYTES - 1)) + from;
}

/* Can the guest, and the VMM, have a page of 2 MiB there? */
static bool guest_fits(uint64_t gpa)
{
	const struct fake_slot *slot = fake_kvm_slot_at(vm, gpa);

	return slot->gmem >= 0 && huge_agrees(slot->gpa, slot->gmem_offset);
}

static bool vmm_fits(uint64_t gpa)
{
	const struct fake_slot *slot = fake_kvm_slot_at(vm, gpa);

	return huge_agrees(slot->hva, slot->gmem_offset);
}

/* Was this text, in one line, the only message?  "": there was none. */
static bool said_only(const char *text)
{
	char said[1024] = "", *end;

	must(pread(2, said, sizeof(said) - 1, 0) >= 0);
	end = strchr(said, '\n');
	return *text ? strstr(said, text) && end && !end[1] : !*said;
}

/* How many times 2 MiB, rounded down: the host may allocate more than one page at once. */
static uint64_t huge_allocated(uint64_t gpa)
{
	struct stat st;

	must(!fstat(fake_kvm_slot_at(vm, gpa)->gmem, &st));
	must(st.st_blocks);
	return st.st_blocks * 512 / HUGE_BYTES;
}

static void case_huge(void)
{
	uint8_t *ram = huge_ram(RAM, 0), *high = huge_ram(RAM, MIB);

	ram[17] = 1;
	ram[3 * MIB + 17] = 2;
	ram[RAM - 1] = 3;
	must(!set_slot(0, 0, 0, RAM, ram) && !set_slot(1, 0, 65 * MIB, RAM, high));
	must(guest_fits(2 * MIB) && vmm_fits(2 * MIB) && guest_fits(66 * MIB) &&
	     vmm_fits(66 * MIB));
	must(guest_byte(17) == 1 && guest_byte(3 * MIB + 17) == 2 && guest_byte(RAM - 1) == 3);
	/* a page that is moved brings all of its 2 MiB along, and nothing else */
	must(huge_allocated(0) == 0 && huge_allocated(2 * MIB) == 2);
	for (uint64_t at = 0; at < RAM; at += MIB - PAGE) {
		must_be_one(at, ram + at);
		must_be_one(65 * MIB + at, high + at);
	}
	must(!madvise(ram + 2 * MIB, HUGE_BYTES, MADV_DONTNEED) && guest_byte(3 * MIB + 17) == 0);
	must(said_only(""));
}

/* Other slots, and another VM, with the same memory. */
static void case_huge_again(void)
{
	int kvm = open("/dev/kvm", O_RDWR);
	uint8_t *ram = huge_ram(RAM, 0);

	must(!set_slot(0, 0, 0, RAM, ram));
	must(!set_slot(0, 0, 0, 0, ram) && !set_slot(0, 0, 0, 5 * MIB, ram));
	must(!set_slot(1, 0, 5 * MIB, 3 * MIB, ram + 5 * MIB));
	must(guest_fits(2 * MIB) && guest_fits(6 * MIB) && vmm_fits(6 * MIB));
	ram[5 * MIB] = 5;
	must(!close(vm));
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	must(!set_slot(0, 0, 33 * MIB, 7 * MIB, ram + MIB));
	must(guest_fits(34 * MIB) && vmm_fits(34 * MIB) && guest_byte(37 * MIB) == 5);
	must(huge_allocated(37 * MIB) == 1 && said_only(""));
}

static void case_huge_address(void)
{
	uint8_t *ram = huge_ram(RAM, PAGE);

	must(!set_slot(0, 0, 16 * MIB, RAM, ram));
	must(guest_fits(16 * MIB) && !vmm_fits(16 * MIB));
	must_be_one(17 * MIB, ram + MIB);
	/* once */
	must(!set_slot(0, 0, 16 * MIB, 0, ram) && !set_slot(0, 0, 16 * MIB, RAM, ram));
	must(said_only("0x1000000-0x17fffff (slot 0) has small pages in the VMM"));
}

static void case_huge_odd_size(void)
{
	uint8_t *ram = huge_ram(2 * MIB, MIB);

	must(!set_slot(0, 0, 17 * MIB, 2 * MIB, ram) && is_protected(17 * MIB));
	must_be_one(18 * MIB, ram + MIB);
	must(said_only("no whole aligned 2 MiB"));
}

static void case_huge_share(void)
{
	uint8_t *ram = map_memfd(new_memfd(), 0, RAM);

	fake_kvm.gmem_flags |= GUEST_MEMFD_FLAG_ALLOW_HUGE;
	direct_share(0);
	direct_huge();
	must(!set_slot(0, 0, 17 * MIB, RAM, ram) && !guest_fits(18 * MIB));
	must_be_one(18 * MIB, ram + MIB);
	must(said_only("its place in the shared memfd"));
}

static void case_huge_unknown(void)
{
	uint8_t *ram = huge_ram(RAM, 0);

	fake_kvm.gmem_flags &= ~GUEST_MEMFD_FLAG_ALLOW_HUGE;
	ram[3 * MIB] = 3;
	must(!set_slot(0, 0, 0, RAM, ram) && is_protected(3 * MIB) && guest_byte(3 * MIB) == 3);
	must(huge_allocated(3 * MIB) == 0 && said_only("KVM has none of 2 MiB"));
}

static const struct model_case {
	const char *claim;
	void (*run)(void);
	bool permissive;
	/* exit status 125 and this text on stderr; or 0 */
	const char *stops;
} cases[] = {
	{ "a block is moved, and guest and VMM share it", case_block_is_moved, false, NULL },
	{ "slots are deleted, made anew and moved", case_slot_goes_and_comes, false, NULL },
	{ "q35: ROM windows and SMM's alias in the first MiB", case_q35, false, NULL },
	{ "VGA: its memory has a window in the first MiB", case_vga, false, NULL },
	{ "an alias stops the VMM", case_alias, false, "a page can be in one slot only" },
	{ "an alias becomes ordinary, permissive", case_alias_permissive, true, NULL },
	{ "read-only RAM stops the VMM", case_read_only_of_ram, false, "read-only" },
	{ "a ROM stays as it is", case_rom, false, NULL },
	{ "SMM's address space stops the VMM", case_smm, false, "SMM off" },
	{ "a shared file stops the VMM, and is named", case_shared_file, false, "/var/tmp/offmap-test-" },
	{ "a shared memfd stops the VMM", case_shared_memfd, false, "vhost-user" },
	{ "a shared memfd stays, permissive", case_shared_memfd_permissive, true, NULL },
	{ "a shared memfd becomes guest_memfd, and so do the descriptors of it", case_share, false, NULL },
	{ "a shared memfd has two mappings", case_share_two_mappings, false, NULL },
	{ "a shared memfd that is mapped in part stops the VMM", case_share_in_part, false,
		"all of a memfd has to be mapped" },
	{ "a shared memfd that is mapped privately as well stops the VMM", case_share_private,
		false, "in another way as well" },
	{ "a shared memfd that another process has open stops the VMM", case_share_late, false,
		"has already" },
	{ "a shared memfd that another process has mapped stops the VMM",
		case_share_late_mapped, false, "has already" },
	{ "shared memory that a child has stops the VMM", case_anonymous_late, false,
		"has as well" },
	{ "a shared memfd for a VM that is made anew stops the VMM", case_share_new_vm, false,
		"it is of another VM" },
	{ "a descriptor cannot be replaced: all are as before", case_share_lend_fails, true, NULL },
	{ "a guest_memfd cannot be mapped: all is as before", case_share_map_fails, true, NULL },
	{ "a descriptor is opened meanwhile: all is as before", case_share_changes, true, NULL },
	{ "memory that userfaultfd fills stops the VMM", case_userfaultfd, false, "userfaultfd fills it" },
	{ "memory that userfaultfd fills stays, permissive", case_userfaultfd_permissive, true,
	  NULL },
	{ "private memfd and file, and shared memory, are moved", case_other_backends, false, NULL },
	{ "a kernel without the flag stops the VMM", case_no_capability, false, "lacks the series" },
	{ "a kernel without guest_memfd, permissive", case_no_capability_permissive, true, NULL },
	{ "no memory to be had stops the VMM", case_no_memory, false, "Cannot allocate memory" },
	{ "a guest_memfd of the VMM's own stops it", case_own_guest_memfd, false, "of its own" },
	{ "memory is plugged while the guest runs", case_plugged_while_running, false, NULL },
	{ "memory is given back when it is unmapped", case_memory_is_given_back, false, NULL },
	{ "madvise() does what it does to anonymous memory", case_madvise, false, NULL },
	{ "the dirty log says that all may be dirty", case_dirty_log, false, NULL },
	{ "kvm-clock is left to the guest", case_kvmclock, false, NULL },
	{ "capabilities: fewer slots, no dirty ring, no SMM", case_capabilities, false, NULL },
	{ "slots that KVM refuses are refused", case_bad_slots, false, NULL },
	{ "KVM fails in the middle of a slot", case_kvm_fails, false, NULL },
	{ "a slot stays when its memory cannot become ordinary", case_expose_fails, false, NULL },
	{ "a slot that can be moved nowhere", case_move_fails, false, NULL },
	{ "no memory for the model's own lists", case_no_memory_for_lists, false, NULL },
	{ "a closed VM's number is used again", case_vm_number_is_used_again, false, NULL },
	{ "a VM is made anew, with the same memory", case_vm_is_made_anew, false, NULL },
	{ "two VMs with the same memory are stopped", case_two_vms, false, "a page can be in one slot only" },
	{ "other memory is mapped over a slot", case_mapped_over, false, NULL },
	{ "huge pages: guest and VMM address agree with the offset", case_huge, false, NULL },
	{ "huge pages: other slots and another VM, with the same memory", case_huge_again, false, NULL },
	{ "huge pages: an address that differs is named, and the guest has them",
		case_huge_address, false, NULL },
	{ "huge pages: memory without whole 2 MiB is named", case_huge_odd_size, false, NULL },
	{ "huge pages: a shared memfd at another offset is named", case_huge_share, false, NULL },
	{ "huge pages: a VM that has none is named", case_huge_unknown, false, NULL },
};

static void start_case(const struct model_case *c, int err_fd)
{
	int kvm;

	dup2(err_fd, 2);
	fake_kvm_reset();
	direct_start(c->permissive);
	kvm = open("/dev/kvm", O_RDWR);
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	close(kvm);
	must(vm >= 0);
	c->run();
	_exit(0);
}

static void try_case(const struct model_case *c)
{
	int err_fd = memfd_create("stderr", 0), status, wanted = c->stops ? 125 : 0;
	char said[8192] = "";
	pid_t pid;

	if (!c->run) {
		skip(c->claim, "only x86 has it");
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid)
		start_case(c, err_fd);
	waitpid(pid, &status, 0);
	if (pread(err_fd, said, sizeof(said) - 1, 0) < 0)
		abort();
	close(err_fd);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		skip(c->claim, said);
	} else if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted) {
		for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n"))
			printf("# %s\n", line);
		printf("# status 0x%x\n", status);
		ok(false, c->claim);
	} else {
		ok(!c->stops || strstr(said, c->stops), c->claim);
	}
}

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		try_case(&cases[i]);
	return done();
}
