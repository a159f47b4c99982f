// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "cmd.h"
#include "offmap.h"
#include "run.h"
#include "vmm_file.h"

static void usage(FILE *to)
{
	fputs("usage: offmap run [options] [--] VMM [argument...]\n"
	      "Starts a VMM with its guest memory out of the host kernel's direct map.\n"
	      "  --strict       stop it if a part of the memory cannot be (default)\n"
	      "  --permissive   say so and go on\n"
	      "  --share-guest-memfd\n"
	      "                 let vhost-user back ends have the memory as guest_memfd, where\n"
	      "                 the VMM shares it as a memfd\n"
	      "  --huge         let the memory have pages of 2 MiB, where there are some\n"
	      "  --verbose      say what is protected\n"
	      "exit status: that of the VMM; 125 the command line is wrong, offmap refused or\n"
	      "stopped the VMM, or it ended without a VM; 126 the VMM cannot be run; 127 it is\n"
	      "not there\n"
	      "example: offmap run -- qemu-system-x86_64 -accel kvm -M q35 -m 4G disk.qcow2\n", to);
}

static int check_machine(const struct run_options *run)
{
	struct offmap_support support;
	const char *why = NULL;

	if (offmap_probe(-1, &support))
		return fail(EXIT_REFUSED, "cannot ask this machine");
	if (!(support.features & OFFMAP_CAN_PROTECT))
		why = offmap_reason(support.reason);
	else if (run->huge && !(support.features & OFFMAP_CAN_HUGE))
		why = "guest_memfd has no GUEST_MEMFD_FLAG_ALLOW_HUGE here: this kernel has no pages of 2 MiB for it (--huge)";
	if (why && !run->permissive)
		return fail(EXIT_REFUSED, "%s", why);
	if (why)
		warn("warning: %s", why);
	return 0;
}

static int check_vmm(const char *name)
{
	char path[PATH_MAX];
	enum vmm_verdict verdict = vmm_file_check(name, path);

	if (!verdict)
		return 0;
	return fail(verdict == VMM_NOT_FOUND ? EXIT_NOT_FOUND :
		    verdict == VMM_NOT_EXECUTABLE ? EXIT_CANNOT_RUN : EXIT_REFUSED,
		    "%s %s", *path ? path : name, vmm_verdict_text(verdict));
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "strict", no_argument, NULL, 's' },
		{ "permissive", no_argument, NULL, 'p' },
		{ "share-guest-memfd", no_argument, NULL, 'g' },
		{ "huge", no_argument, NULL, '2' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct run_options run = { 0 };
	int opt, status;

	while ((opt = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			run.permissive = false;
			break;
		case 'p':
			run.permissive = true;
			break;
		case 'g':
			run.share = true;
			break;
		case '2':
			run.huge = true;
			break;
		case 'v':
			run.verbose = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_YES;
		default:
			usage(stderr);
			return EXIT_REFUSED;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_REFUSED;
	}
	status = check_machine(&run);
	if (!status)
		status = check_vmm(argv[optind]);
	return status ? status : launch(&run, argv + optind);
}
