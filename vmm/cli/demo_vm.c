// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demo_vm.h"

#define PAGE 4096UL
#define ROM_BYTES (64UL << 10)
#define CODE_BYTES 256UL
/* Where a PC has RAM only. */
#define FIRST_PAGE (1UL << 20)
/* Limit for an emulated machine under load. */
#define PATIENCE_MS (180 * 1000)

static int failed(struct demo_vm *vm, const char *step)
{
	int err = errno;

	vm->step = step;
	return err ? -err : -EIO;
}

#if DEMO_VM_HAS_GUEST

extern const uint8_t demo_guest[CODE_BYTES], demo_order[];

/* The ROM: a file without a name, behind a descriptor. */
static int make_rom(struct demo_vm *vm)
{
	uint8_t code[CODE_BYTES];
	int fd = memfd_create("offmap-demo", 0);

	memcpy(code, demo_guest, sizeof(code));
	memcpy(code + (demo_order - demo_guest), &vm->order, sizeof(vm->order));
	if (fd >= 0 && (ftruncate(fd, ROM_BYTES) ||
			pwrite(fd, code, sizeof(code), ROM_BYTES - sizeof(code)) !=
				(ssize_t)sizeof(code))) {
		close(fd);
		return -1;
	}
	return fd;
}

#else

static int make_rom(struct demo_vm *vm)
{
	(void)vm;
	errno = ENOSYS;
	return -1;
}

#endif

/* Aligned, and clear of the last word of its page, which the guest writes. */
static int make_order(struct demo_vm *vm)
{
	struct demo_order *order = &vm->order;
	struct secret secret;
	int err = secret_new(&secret);

	if (err)
		return err;
	order->first_page = FIRST_PAGE;
	order->end = DEMO_VM_BYTES;
	order->secret_at = FIRST_PAGE +
		secret.a[0] % ((DEMO_VM_BYTES - FIRST_PAGE) / PAGE) * PAGE +
		secret.b[0] % (PAGE / 8 - SECRET_WORDS - 1) * 8;
	order->secret = secret;
	return 0;
}

static void exec_vmm(const char *vmm, bool protect, int rom)
{
	char bios[32], memory[16];
	/* offmap run -- in front */
	const char *args[] = {
		"offmap", "run", "--", vmm, "-accel", "kvm", "-M", "microvm,smm=off",
		"-cpu", "host", "-m", memory, "-nodefaults", "-no-user-config",
		"-display", "none", "-serial", "stdio", "-bios", bios, NULL
	};

	snprintf(bios, sizeof(bios), "/proc/self/fd/%d", rom);
	snprintf(memory, sizeof(memory), "%lu", DEMO_VM_BYTES >> 20);
	if (protect)
		execv("/proc/self/exe", (char **)args);
	else
		execv(vmm, (char **)(args + 3));
	dprintf(2, "%s: %s\n", vmm, strerror(errno));
}

static void child(struct demo_vm *vm, const char *vmm, bool protect, int rom, int serial)
{
	int null = open("/dev/null", O_RDONLY);

	/* the VM ends with this program, however that ends */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null >= 0 && dup2(null, 0) >= 0 && dup2(serial, 1) >= 0 &&
	    dup2(vm->errors, 2) >= 0)
		exec_vmm(vmm, protect, rom);
	_exit(127);
}

int demo_vm_start(struct demo_vm *vm, const char *vmm, bool protect)
{
	int rom, err, serial[2];

	*vm = (struct demo_vm){ .pid = -1, .serial = -1, .errors = -1 };
	err = make_order(vm);
	if (err) {
		vm->step = "random numbers";
		return err;
	}
	rom = make_rom(vm);
	if (rom < 0)
		return failed(vm, "making the guest's ROM");
	vm->errors = memfd_create("offmap-demo-errors", MFD_CLOEXEC);
	if (vm->errors < 0 || pipe2(serial, O_CLOEXEC)) {
		err = failed(vm, "making a serial port");
		goto close_rom;
	}
	vm->serial = serial[0];
	vm->pid = fork();
	if (!vm->pid)
		child(vm, vmm, protect, rom, serial[1]);
	if (vm->pid < 0)
		err = failed(vm, "fork");
	close(serial[1]);
close_rom:
	close(rom);
	return err;
}

int demo_vm_wait(struct demo_vm *vm)
{
	struct pollfd poll_fd = { .fd = vm->serial, .events = POLLIN };
	char byte = 0;
	int ready;

	do {
		ready = poll(&poll_fd, 1, PATIENCE_MS);
	} while (ready < 0 && errno == EINTR);
	errno = ready ? errno : ETIMEDOUT;
	if (ready < 1)
		return failed(vm, "waiting for the guest");
	errno = ECHILD;
	if (read(vm->serial, &byte, 1) != 1 || byte != '!')
		return failed(vm, "waiting for the guest");
	return 0;
}

const char *demo_vm_error(const struct demo_vm *vm, char *text, size_t size)
{
	ssize_t got = vm->errors < 0 ? -1 : pread(vm->errors, text, size - 1, 0);
	char *line;

	text[got < 0 ? 0 : got] = 0;
	while (got > 0 && text[got - 1] == '\n')
		text[--got] = 0;
	line = strrchr(text, '\n');
	return line ? line + 1 : text;
}

void demo_vm_stop(struct demo_vm *vm)
{
	if (vm->pid > 0) {
		kill(vm->pid, SIGKILL);
		waitpid(vm->pid, NULL, 0);
	}
	if (vm->serial >= 0)
		close(vm->serial);
	if (vm->errors >= 0)
		close(vm->errors);
}
