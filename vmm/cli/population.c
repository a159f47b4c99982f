// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kvm_abi.h"
#include "page.h"
#include "population.h"

#define ROUNDS 3

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Lowers *best if this round took less time. */
static int touch(int vm, uint64_t flags, uint64_t *best)
{
	struct kvm_create_guest_memfd create = {
		.size = POPULATION_BYTES, .flags = flags,
	};
	int fd = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &create);
	volatile uint8_t *mem;
	uint64_t ns;
	int err = 0;

	if (fd < 0)
		return -errno;
	mem = mmap(NULL, POPULATION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED) {
		err = -errno;
		goto close_fd;
	}
	ns = now_ns();
	for (uint64_t at = 0; at < POPULATION_BYTES; at += page_bytes())
		mem[at] = 1;
	ns = (now_ns() - ns) / (POPULATION_BYTES / page_bytes());
	if (!*best || ns < *best)
		*best = ns;
	munmap((void *)mem, POPULATION_BYTES);
close_fd:
	close(fd);
	return err;
}

int population(uint64_t *ret_plain_ns, uint64_t *ret_protected_ns)
{
	uint64_t plain = 0, out = 0;
	int kvm, vm, err = 0;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return -errno;
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	if (vm < 0)
		err = -errno;
	for (int i = 0; !err && i < ROUNDS; i++) {
		err = touch(vm, OFFMAP_GMEM_SHARED, &plain);
		if (!err)
			err = touch(vm, OFFMAP_GMEM_NEEDED, &out);
	}
	if (vm >= 0)
		close(vm);
	close(kvm);
	if (err)
		return err;
	*ret_plain_ns = plain;
	*ret_protected_ns = out;
	return 0;
}
