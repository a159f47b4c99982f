// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "json.h"
#include "report.h"

static const char *through(const struct area *area)
{
	if (area->error)
		return strerror(area->error);
	if (area->in_tables && area->in_core)
		return "direct map: page tables, kcore reads it";
	if (area->in_tables)
		return "direct map: page tables";
	return area->in_core ? "direct map: kcore reads it" : "-";
}

/* Names of other people's processes and files: a terminal is to obey none. */
static void print_name(const char *name)
{
	for (; *name; name++)
		putchar(*name >= ' ' && *name <= '~' ? *name : '?');
}

static void print_size(uint64_t size)
{
	if (size >= 1UL << 20 && !(size & ((1UL << 20) - 1)))
		printf("%8" PRIu64 " M", size >> 20);
	else
		printf("%8" PRIu64 " K", size >> 10);
}

static void print_vm(const struct vm_report *report)
{
	print_name(report->vm.name);
	printf(", process %d, VM %d: ", report->vm.pid, report->vm.vm_fd);
	if (report->error)
		printf("cannot be looked at: %s\n", strerror(report->error));
	else if (report->from_shim)
		printf("%zu memslots\n", report->nr_areas);
	else
		printf("started without offmap, so its memslots are not known; its %zu large mappings\n",
		       report->nr_areas);
	if (report->nr_areas)
		printf("  %-5s %-14s %10s  %-9s %9s %9s  %s\n", "slot",
		       report->from_shim ? "guest address" : "address", "size",
		       "kind", "present", "reachable", "through");
	for (size_t i = 0; i < report->nr_areas; i++) {
		const struct area *a = &report->area[i];

		if (report->from_shim)
			printf("  %-5u 0x%012" PRIx64 " ", a->slot.slot, a->slot.gpa);
		else
			printf("  %-5s 0x%012" PRIx64 " ", "-", a->slot.addr);
		print_size(a->slot.size);
		printf("  %-9s %9" PRIu64 " %9" PRIu64 "  %s%s",
		       slot_kind_name(a->slot.kind), a->present, a->reachable,
		       through(a), *a->path ? "  " : "");
		print_name(a->path);
		printf("%s\n", a->partly ? ", only what the VMM has touched: it has closed the file" : "");
	}
	printf("  %s: the kernel can reach %" PRIu64 " of %" PRIu64 " pages",
	       verdict_name(report->verdict), report->reachable, report->present);
	if (report->known)
		printf(", and %" PRIu64 " of ROMs and the first MiB", report->known);
	printf("\n");
}

static void print_area_json(struct json *json, const struct vm_report *report,
			    const struct area *a)
{
	json_object(json, NULL);
	if (report->from_shim) {
		json_number(json, "slot", a->slot.slot);
		json_number(json, "guest_address", a->slot.gpa);
	} else {
		json_string(json, "mapping", a->path);
	}
	json_number(json, "address", a->slot.addr);
	json_number(json, "size", a->slot.size);
	json_string(json, "kind", slot_kind_name(a->slot.kind));
	json_bool(json, "partly", a->partly);
	json_number(json, "pages", a->pages);
	json_number(json, "present", a->present);
	json_number(json, "reachable", a->reachable);
	json_number(json, "in_page_tables", a->in_tables);
	json_number(json, "in_kcore", a->in_core);
	json_number(json, "blank", a->blank);
	json_string(json, "error", a->error ? strerror(a->error) : NULL);
	json_end(json);
}

static void print_json(const struct kernel_view *view,
		       const struct vm_report *reports, size_t nr)
{
	struct json json = { .to = stdout };

	json_object(&json, NULL);
	json_bool(&json, "page_tables", view->tables != NULL);
	json_bool(&json, "kcore", view->kcore != NULL);
	json_array(&json, "vms");
	for (size_t i = 0; i < nr; i++) {
		json_object(&json, NULL);
		json_number(&json, "pid", reports[i].vm.pid);
		json_string(&json, "name", reports[i].vm.name);
		json_number(&json, "vm_fd", reports[i].vm.vm_fd);
		json_bool(&json, "memslots_known", reports[i].from_shim);
		json_string(&json, "verdict", verdict_name(reports[i].verdict));
		json_string(&json, "error", reports[i].error ?
			    strerror(reports[i].error) : NULL);
		json_number(&json, "present", reports[i].present);
		json_number(&json, "reachable", reports[i].reachable);
		json_number(&json, "reachable_rom_and_window", reports[i].known);
		json_array(&json, "areas");
		for (size_t j = 0; j < reports[i].nr_areas; j++)
			print_area_json(&json, &reports[i], &reports[i].area[j]);
		json_end(&json);
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
}

void audit_print(const struct kernel_view *view, const struct vm_report *reports,
		 size_t nr)
{
	if (!view->tables)
		printf("without the page tables (%s): blank pages cannot be judged\n",
		       strerror(view->tables_error));
	if (!view->kcore)
		printf("without /proc/kcore (%s)\n", strerror(view->kcore_error));
	for (size_t i = 0; i < nr; i++)
		print_vm(&reports[i]);
}

static int audit(pid_t pid, bool as_json)
{
	struct vm_report *reports;
	struct kernel_view view;
	struct vm_process *vms;
	int status = EXIT_YES, err;
	size_t nr;

	err = procfs_find_vms(pid, &vms, &nr);
	if (err == -ENOENT || err == -ESRCH)
		return fail(EXIT_NO_VM, "there is no process %d", pid);
	if (err)
		return fail(EXIT_UNKNOWN, "cannot look for VMs: %s%s", strerror(-err),
			    err == -EACCES ? "; it takes root" : "");
	reports = calloc(nr + 1, sizeof(*reports));
	if (!reports)
		return fail(EXIT_UNKNOWN, "out of memory");
	for (size_t i = 0; i < nr; i++) {
		reports[i].vm = vms[i];
		report_find(&reports[i]);
	}
	/* after the frames: what is present by now has left the map, or never */
	kernel_view_open(&view);
	if (!view.tables && !view.kcore)
		status = fail(EXIT_UNKNOWN, "neither the kernel's page tables (%s) nor /proc/kcore (%s) can be read",
			      strerror(view.tables_error), strerror(view.kcore_error));
	else if (!nr)
		status = fail(EXIT_NO_VM, pid ? "process %d has no VM" :
			      "no process has a VM", pid);
	for (size_t i = 0; !status && i < nr; i++)
		report_judge(&reports[i], &view);
	if (!status) {
		(as_json ? print_json : audit_print)(&view, reports, nr);
		for (size_t i = 0; i < nr; i++) {
			if (reports[i].verdict == REACHABLE)
				status = EXIT_NO;
			else if (reports[i].verdict == UNKNOWN && !status)
				status = EXIT_UNKNOWN;
		}
	}
	for (size_t i = 0; i < nr; i++)
		report_free(&reports[i]);
	kernel_view_close(&view);
	free(reports);
	free(vms);
	return status;
}

static void usage(FILE *to)
{
	fputs("usage: offmap audit [--json] [--all | --pid PID]\n"
	      "Tells for every memslot of every VM how many of its pages are present, and\n"
	      "how many of those the kernel can reach, from the kernel's page tables\n"
	      "(debugfs) and /proc/kcore.  Needs root.\n"
	      "exit status: 0 none, 1 some, 2 the command line is wrong, 3 could not be\n"
	      "told, 4 no VM\n", to);
}

int cmd_audit(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "all", no_argument, NULL, 'a' },
		{ "pid", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	bool as_json = false, all = false;
	long pid = 0;
	char *end;
	int opt;

	while ((opt = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			as_json = true;
			break;
		case 'a':
			all = true;
			break;
		case 'p':
			errno = 0;
			pid = strtol(optarg, &end, 10);
			if (errno || *end || !isdigit((unsigned char)*optarg) ||
			    pid <= 0 || pid > INT32_MAX)
				return fail(EXIT_USAGE, "'%s' is no process id", optarg);
			break;
		case 'h':
			usage(stdout);
			return EXIT_YES;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc || (all && pid)) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return audit(pid, as_json);
}
