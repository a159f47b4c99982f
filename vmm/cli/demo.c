// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd.h"
#include "demo_vm.h"
#include "json.h"
#include "kcore_scan.h"
#include "offmap.h"
#include "page.h"
#include "population.h"
#include "report.h"
#include "vmm_file.h"

#define DEFAULT_VMM "qemu-system-x86_64"

enum { PLAIN, PROTECTED, KINDS };

struct shown {
	const char *name;
	/* With --swap, the contrary of what the name says. */
	bool protect;
	struct demo_vm vm;
	struct vm_report report;
	/* Where the VM's secret is, and where the scan found it. */
	uint64_t secret_at;
	const struct kcore_find *found;
	const char *verdict;
	/* of cmd.h: shown, not so, unknown */
	int status;
};

struct demo {
	char vmm[PATH_MAX];
	struct shown vm[KINDS];
	struct kcore_result scan;
	uint64_t plain_ns;
	uint64_t protected_ns;
	struct utsname uts;
};

static int cannot(const struct shown *s, int err)
{
	char text[4096];
	const char *said = demo_vm_error(&s->vm, text, sizeof(text));

	return fail(EXIT_UNKNOWN, "%s VM: %s: %s%s%s", s->name, s->vm.step,
		    err == -ECHILD ? "the VMM has ended" : strerror(-err),
		    *said ? ": " : "", said);
}

static int start_vms(struct demo *demo)
{
	int err;

	for (int i = 0; i < KINDS; i++) {
		err = demo_vm_start(&demo->vm[i].vm, demo->vmm, demo->vm[i].protect);
		if (err)
			return cannot(&demo->vm[i], err);
	}
	for (int i = 0; i < KINDS; i++) {
		err = demo_vm_wait(&demo->vm[i].vm);
		if (err)
			return cannot(&demo->vm[i], err);
	}
	return 0;
}

/* Comes before any other read of the memory, as a read can leave copies. */
static int scan(struct demo *demo)
{
	struct secret secrets[KINDS];
	int err;

	for (int i = 0; i < KINDS; i++)
		secrets[i] = demo->vm[i].vm.order.secret;
	err = kcore_scan(secrets, KINDS, &demo->scan);
	if (err)
		return fail(EXIT_UNKNOWN, "cannot search /proc/kcore: %s%s", strerror(-err),
			    err == -EACCES || err == -EPERM ? "; it takes root" : "");
	return 0;
}

static int find_memory(struct shown *s)
{
	struct vm_process *vms;
	int err;
	size_t nr;

	err = procfs_find_vms(s->vm.pid, &vms, &nr);
	if (err)
		return fail(EXIT_UNKNOWN, "%s VM: cannot be looked at: %s", s->name,
			    strerror(-err));
	if (nr == 1)
		s->report.vm = vms[0];
	free(vms);
	if (nr != 1)
		return fail(EXIT_UNKNOWN, "%s VM: its process has %zu VMs", s->name, nr);
	report_find(&s->report);
	return 0;
}

/* Looks for the secret in each place where the process may have the guest's RAM. */
static bool find_in_area(struct shown *s, const struct area *area, int mem)
{
	uint64_t offset = s->vm.order.secret_at % page_bytes(), page[PAGE_MAX_BYTES / 8];

	for (uint64_t i = 0; !area->error && i < area->pages; i++) {
		if (!area->pfn[i] || !area_read(area, mem, i, (uint8_t *)page) ||
		    !secret_is_at(page + offset / 8, &s->vm.order.secret))
			continue;
		s->secret_at = area->pfn[i] * page_bytes() + offset;
		return true;
	}
	return false;
}

static int find_secret(struct shown *s)
{
	bool found = false;
	char path[64];
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", s->vm.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; !found && i < s->report.nr_areas; i++)
		found = find_in_area(s, &s->report.area[i], mem);
	if (mem >= 0)
		close(mem);
	return found ? 0 : fail(EXIT_UNKNOWN, "%s VM: its secret is not in its memory", s->name);
}

static int look(struct demo *demo)
{
	struct kernel_view view;
	int status = 0;

	for (int i = 0; !status && i < KINDS; i++)
		status = find_memory(&demo->vm[i]);
	kernel_view_open(&view);
	for (int i = 0; !status && i < KINDS; i++) {
		report_judge(&demo->vm[i].report, &view);
		status = find_secret(&demo->vm[i]);
	}
	kernel_view_close(&view);
	return status;
}

/* If the scan found copies, too, shows the guest's own page. */
static void choose_find(struct shown *s, size_t secret, const struct kcore_result *scan)
{
	s->found = kcore_first_find(scan, secret);
	for (size_t i = 0; i < scan->nr_finds; i++)
		if (scan->find[i].secret == secret && scan->find[i].phys == s->secret_at)
			s->found = &scan->find[i];
}

static void judge_plain(struct shown *s)
{
	s->status = EXIT_NO;
	if (!s->found) {
		s->verdict = "NOT FOUND: this search cannot be trusted";
	} else if (s->found->phys != s->secret_at) {
		s->verdict = "FOUND IN A WRONG PLACE: this search cannot be trusted";
	} else if (s->report.verdict == ABSENT) {
		s->verdict = "FOUND, but not by audit, which cannot be trusted";
	} else {
		s->verdict = "FOUND: the kernel can read it";
		s->status = EXIT_YES;
	}
}

static void judge_protected(struct shown *s)
{
	s->status = EXIT_NO;
	if (s->found) {
		s->verdict = "FOUND: not protected";
	} else if (s->report.verdict == REACHABLE) {
		s->verdict = "not found, but the kernel can reach other pages";
	} else if (s->report.verdict == UNKNOWN) {
		s->verdict = "not found, but audit cannot tell";
		s->status = EXIT_UNKNOWN;
	} else {
		s->verdict = "absent: the kernel cannot read it";
		s->status = EXIT_YES;
	}
}

static void print_human(const struct demo *demo)
{
	printf("\nLinux %s.  In each of two VMs (%s) the guest wrote a fresh\n"
	       "random secret into its memory.  Then %" PRIu64 " MiB of RAM were searched for both\n"
	       "through /proc/kcore, and offmap audit asked the kernel's page tables.\n\n",
	       demo->uts.release, demo->vmm, demo->scan.scanned_bytes >> 20);
	printf("%-10s  %-15s  %-14s  %-15s  %-31s  %s\n", "VM", "memory", "secret is at",
	       "secret found at", "audit: kernel can reach", "verdict");
	for (int i = 0; i < KINDS; i++) {
		const struct shown *s = &demo->vm[i];
		char found[24] = "nowhere", reach[48];

		if (s->found)
			snprintf(found, sizeof(found), "0x%012" PRIx64, s->found->phys);
		snprintf(reach, sizeof(reach), "%" PRIu64 " of %" PRIu64 " pages: %s",
			 s->report.reachable, s->report.present,
			 verdict_name(s->report.verdict));
		printf("%-10s  %-15s  0x%012" PRIx64 "  %-15s  %-31s  %s\n", s->name,
		       s->protect ? "offmap run" : "ordinary", s->secret_at, found,
		       reach, s->verdict);
	}
	printf("\nPopulation, first touch of %lu MiB: plain %" PRIu64
	       " ns a page, protected %" PRIu64 " ns a page: %.2f times.\n"
	       "(guest_memfd both.  Under emulation only the ratio means something.)\n",
	       POPULATION_BYTES >> 20, demo->plain_ns, demo->protected_ns,
	       (double)demo->protected_ns / demo->plain_ns);
}

static void print_vm_json(struct json *json, const struct demo *demo, int i)
{
	const struct shown *s = &demo->vm[i];

	json_object(json, NULL);
	json_string(json, "name", s->name);
	json_bool(json, "offmap_run", s->protect);
	json_number(json, "secret_at", s->secret_at);
	json_array(json, "secret_found_at");
	for (size_t j = 0; j < demo->scan.nr_finds; j++)
		if (demo->scan.find[j].secret == (size_t)i)
			json_number(json, NULL, demo->scan.find[j].phys);
	json_end(json);
	json_string(json, "audit", verdict_name(s->report.verdict));
	json_number(json, "present", s->report.present);
	json_number(json, "reachable", s->report.reachable);
	json_string(json, "verdict", s->verdict);
	json_bool(json, "as_promised", s->status == EXIT_YES);
	json_end(json);
}

static void print_json(const struct demo *demo)
{
	struct json json = { .to = stdout };

	json_object(&json, NULL);
	json_string(&json, "kernel", demo->uts.release);
	json_string(&json, "vmm", demo->vmm);
	json_number(&json, "searched_bytes", demo->scan.scanned_bytes);
	json_array(&json, "vms");
	for (int i = 0; i < KINDS; i++)
		print_vm_json(&json, demo, i);
	json_end(&json);
	json_object(&json, "population");
	json_number(&json, "bytes", POPULATION_BYTES);
	json_number(&json, "plain_ns_per_page", demo->plain_ns);
	json_number(&json, "protected_ns_per_page", demo->protected_ns);
	json_end(&json);
	json_string(&json, "error", NULL);
	json_end(&json);
}

static int check_machine(struct demo *demo, const char *vmm)
{
	enum vmm_verdict verdict = vmm_file_check(vmm, demo->vmm);
	struct offmap_support support;

	if (!DEMO_VM_HAS_GUEST)
		return fail(EXIT_UNKNOWN, "the guest of the demo is a program for x86, which this machine is not");
	if (verdict)
		return fail(EXIT_UNKNOWN, "%s %s", *demo->vmm ? demo->vmm : vmm,
			    vmm_verdict_text(verdict));
	if (uname(&demo->uts) || offmap_probe(-1, &support))
		return fail(EXIT_UNKNOWN, "cannot ask this machine");
	if (!(support.features & OFFMAP_CAN_PROTECT))
		return fail(EXIT_UNKNOWN, "%s", offmap_reason(support.reason));
	return 0;
}

static int give(struct demo *demo, bool as_json)
{
	int status = start_vms(demo), err;

	if (!status)
		status = scan(demo);
	if (!status)
		status = look(demo);
	for (int i = 0; i < KINDS; i++)
		demo_vm_stop(&demo->vm[i].vm);
	if (status)
		return status;
	err = population(&demo->plain_ns, &demo->protected_ns);
	if (err)
		return fail(EXIT_UNKNOWN, "population: %s", strerror(-err));
	for (int i = 0; i < KINDS; i++)
		choose_find(&demo->vm[i], i, &demo->scan);
	judge_plain(&demo->vm[PLAIN]);
	judge_protected(&demo->vm[PROTECTED]);
	(as_json ? print_json : print_human)(demo);
	for (int i = 0; i < KINDS; i++)
		if (demo->vm[i].status == EXIT_NO || !status)
			status = demo->vm[i].status;
	return status;
}

static void usage(FILE *to)
{
	fputs("usage: offmap demo [--json] [--swap] [VMM]\n"
	      "Starts two VMs, one as it is and one through offmap run, and shows whether\n"
	      "the kernel can read what their guests wrote.  Needs root, and a QEMU for x86\n"
	      "(" DEFAULT_VMM ", if no VMM is given).\n"
	      "  --swap     protect the other VM, for which this has to fail\n"
	      "exit status: 0 the secret of the plain VM is found and that of the protected\n"
	      "one is not; 1 it is otherwise; 2 the command line is wrong; 3 the demo cannot\n"
	      "be given here, or audit cannot tell\n", to);
}

int cmd_demo(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "swap", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct demo demo = { .vm = {
		[PLAIN] = { .name = "plain", .vm = { .pid = -1, .serial = -1, .errors = -1 } },
		[PROTECTED] = { .name = "protected", .protect = true,
				.vm = { .pid = -1, .serial = -1, .errors = -1 } },
	} };
	bool as_json = false;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			as_json = true;
			break;
		case 's':
			demo.vm[PLAIN].protect = !demo.vm[PLAIN].protect;
			demo.vm[PROTECTED].protect = !demo.vm[PROTECTED].protect;
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
	status = check_machine(&demo, optind < argc ? argv[optind] : DEFAULT_VMM);
	if (!status)
		status = give(&demo, as_json);
	for (int i = 0; i < KINDS; i++)
		report_free(&demo.vm[i].report);
	return status;
}
