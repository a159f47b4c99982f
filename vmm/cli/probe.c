// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd.h"
#include "counters.h"
#include "json.h"
#include "kernel.h"
#include "offmap.h"
#include "report.h"
#include "vmm_file.h"

static void usage(FILE *to)
{
	fputs("usage: offmap probe [--json] [VMM]\n"
	      "Tells whether this machine can keep guest memory out of the direct map,\n"
	      "and whether a VMM can be run that way, and why not.\n"
	      EXIT_CODES, to);
}

/* The results of audit and stat on this machine. */
struct look {
	/* why audit cannot judge, or NULL */
	const char *audit;
	/* NULL: the kernel does not count */
	const char *fast_path;
};

static struct look find_look(void)
{
	struct counter_values values;
	bool has_series = !counters_read("/proc/vmstat", &values);
	int tables, kcore, memslots = access(KVM_DEBUGFS, R_OK | X_OK) ? errno : 0;

	kernel_find_sources(&tables, &kcore);
	return (struct look){
		.audit = kernel_audit_advice(tables, memslots, has_series),
		.fast_path = has_series ? fast_path_name(fast_path_of(&values)) : NULL,
	};
}

static void print_human(const struct offmap_support *s, const struct look *look,
			const char *release, const char *vmm, enum vmm_verdict verdict)
{
	bool can = s->features & OFFMAP_CAN_PROTECT;

	printf("kernel    Linux %s\n", release);
	printf("protect   %s: %s", can ? "yes" : "no", offmap_reason(s->reason));
	if (s->error)
		printf(" (%s)", strerror(s->error));
	printf("\n");
	if (can) {
		printf("write()   %s\n", s->features & OFFMAP_CAN_WRITE ?
		       "yes: memory is filled by the kernel" :
		       "no: memory is filled through a mapping");
		printf("huge      %s\n", s->features & OFFMAP_CAN_HUGE ?
		       "yes: pages of 2 MiB, where there are some" :
		       "no: guest_memfd has small pages only");
		printf("memslots  %u\n", s->max_slots);
		printf("blocks    %s\n", look->fast_path ? look->fast_path :
		       "not counted by this kernel");
	}
	printf("audit     %s%s\n", look->audit ? "no: " : "yes", look->audit ? look->audit : "");
	if (vmm)
		printf("vmm       %s: %s %s\n", verdict ? "no" : "yes", vmm,
		       vmm_verdict_text(verdict));
}

static void print_json(const struct offmap_support *s, const struct look *look,
		       const char *release, const char *vmm, enum vmm_verdict verdict)
{
	struct json json = { .to = stdout };

	json_object(&json, NULL);
	json_string(&json, "kernel", release);
	json_bool(&json, "protect", s->features & OFFMAP_CAN_PROTECT);
	json_bool(&json, "write", s->features & OFFMAP_CAN_WRITE);
	json_bool(&json, "huge", s->features & OFFMAP_CAN_HUGE);
	json_number(&json, "reason", s->reason);
	json_string(&json, "reason_text", offmap_reason(s->reason));
	json_number(&json, "errno", s->error);
	json_number(&json, "guest_memfd_flags", s->guest_memfd_flags);
	json_number(&json, "memslots", s->max_slots);
	json_string(&json, "fast_path", look->fast_path);
	json_bool(&json, "audit", !look->audit);
	json_string(&json, "audit_reason_text", look->audit);
	json_string(&json, "error", NULL);
	if (vmm) {
		json_object(&json, "vmm");
		json_string(&json, "path", vmm);
		json_bool(&json, "runs", !verdict);
		json_string(&json, "reason_text", vmm_verdict_text(verdict));
		json_end(&json);
	} else {
		json_string(&json, "vmm", NULL);
	}
	json_end(&json);
}

int cmd_probe(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	enum vmm_verdict verdict = VMM_FINE;
	struct offmap_support support;
	struct look look;
	char path[PATH_MAX];
	const char *vmm = NULL;
	struct utsname uts;
	bool as_json = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			as_json = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_YES;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind > 1) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (uname(&uts) || offmap_probe(-1, &support))
		return fail(EXIT_UNKNOWN, "cannot ask this machine: %s", strerror(errno));
	if (optind < argc) {
		verdict = vmm_file_check(argv[optind], path);
		vmm = *path ? path : argv[optind];
	}
	look = find_look();
	(as_json ? print_json : print_human)(&support, &look, uts.release, vmm, verdict);
	return support.features & OFFMAP_CAN_PROTECT && !verdict ? EXIT_YES : EXIT_NO;
}
