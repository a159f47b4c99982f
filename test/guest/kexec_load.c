// SPDX-License-Identifier: MIT
/*
 * Loads the kernel that follows this one.
 *
 * kexec_load crash|now KERNEL INITRD "ARGS"
 * "crash" is for when this kernel has crashed; "now" starts it at once.
 *
 * Exit: 0 it is loaded, 2 on failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failed(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 2;
}

int main(int argc, char **argv)
{
	int crash = argc == 5 && !strcmp(argv[1], "crash");
	int kernel, initrd;

	if (!crash && (argc != 5 || strcmp(argv[1], "now"))) {
		fprintf(stderr, "usage: kexec_load crash|now KERNEL INITRD \"ARGS\"\n");
		return 2;
	}
	kernel = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (kernel < 0)
		return failed(argv[2]);
	initrd = open(argv[3], O_RDONLY | O_CLOEXEC);
	if (initrd < 0)
		return failed(argv[3]);
	/* the length includes the terminating byte */
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[4]) + 1,
		    argv[4], crash ? KEXEC_FILE_ON_CRASH : 0))
		return failed("kexec_file_load");
	if (crash)
		return 0;
	reboot(RB_KEXEC);
	return failed("reboot");
}
