// SPDX-License-Identifier: MIT
/*
 * The smallest use: memory out of the direct map, filled, bound to a VM.
 *
 *   cc minimal.c -o minimal $(pkg-config --cflags --libs liboffmap)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <offmap.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define SIZE (16UL << 20)

static int failed(const char *what, int err)
{
	printf("%s: %s\n", what, strerror(-err));
	return 1;
}

int main(void)
{
	static const char code[] = "\xf4";	/* hlt */
	struct offmap_support support;
	struct offmap_slot slot;
	struct offmap_mem *mem;
	void *addr;
	int kvm, vm, err;

	/* Can this machine do it? */
	err = offmap_probe(-1, &support);
	if (err)
		return failed("probe", err);
	if (!(support.features & OFFMAP_CAN_PROTECT)) {
		printf("got: %s\n", offmap_reason(support.reason));
		return 77;
	}

	/* The VM is made as always. */
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	if (vm < 0)
		return failed("KVM_CREATE_VM", -errno);

	/*
	 * Memory for the VM, mapped here as well, for virtio and the like.  Huge pages
	 * are welcome.
	 */
	err = offmap_create(vm, SIZE, OFFMAP_CREATE_ALLOW_HUGE, &mem);
	if (!err)
		err = offmap_map(mem, NULL, 0, SIZE, 0, &addr);
	if (err)
		return failed("memory", err);

	/* The guest starts with this code. */
	err = offmap_populate(mem, 0x1000, code, sizeof(code));
	if (err)
		return failed("populate", err);

	/* The guest sees the memory from address 0 on. */
	slot = (struct offmap_slot){ .slot = 0, .size = SIZE, .addr = addr };
	err = offmap_bind(vm, mem, &slot);
	if (err)
		return failed("bind", err);

	printf("expect: f4\ngot: %02x\n", ((unsigned char *)addr)[0x1000]);
	offmap_unbind(vm, 0);
	offmap_unmap(addr, SIZE);
	offmap_free(mem);
	return 0;
}
