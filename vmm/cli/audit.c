// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "audit.h"
#include "cmd.h"
#include "json.h"
#include "look.h"
#include "vms.h"

static const char *through(const struct part *part)
{
	if (part->error)
		return strerror(part->error);
	if (part->in_tables && part->in_core)
		return "direct map: page tables, kcore reads it";
	if (part->in_tables)
		return "direct map: page tables";
	return part->in_core ? "direct map: kcore reads it" : "-";
}

/* Other users choose names of processes and files: print no control characters. */
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

static void print_part(const struct vm_report *report, const struct part *p)
{
	if (report->from_kvm && p->slot.slot >= 0)
		printf("  %-5d 0x%012" PRIx64 " ", p->slot.slot, p->slot.gpa);
	else
		printf("  %-5s 0x%012" PRIx64 " ", "-", p->slot.addr);
	print_size(p->slot.size);
	printf("  %-9s %9" PRIu64 " %9" PRIu64 "  %s%s", part_kind_name(p->kind), p->present,
	       p->reachable, through(p), *p->path ? "  " : "");
	print_name(p->path);
	printf("%s\n", p->partly ? ", only what the VMM has touched: it has closed the file" : "");
}

/* Skip an empty guest_memfd that is in no memslot. */
static bool is_shown(const struct part *p)
{
	return p->kind != PART_UNBOUND || p->present || p->error;
}

static void print_memory(uint64_t bytes, const char *kind)
{
	if (bytes)
		printf("  its process has %" PRIu64 " KiB of %s, in the direct map as of any process\n",
		       bytes >> 10, kind);
}

void audit_print_vm(const struct vm_report *report)
{
	print_name(report->vm.name);
	printf(", process %d, VM ", report->vm.pid);
	if (report->vm.vm_fd >= 0)
		printf("%d: ", report->vm.vm_fd);
	else
		printf("%s: ", report->directory);
	if (report->from_kvm)
		printf("%zu memslots\n", report->nr_parts);
	else
		printf("its memslots are not known; its %zu large mappings\n",
		       report->nr_parts);
	if (report->nr_parts)
		printf("  %-5s %-14s %10s  %-9s %9s %9s  %s\n", "slot",
		       report->from_kvm ? "guest address" : "address", "size",
		       "kind", "present", "reachable", "through");
	for (size_t i = 0; i < report->nr_parts; i++)
		if (is_shown(&report->part[i]))
			print_part(report, &report->part[i]);
	printf("  %s: the kernel can reach %" PRIu64 " of %" PRIu64 " pages",
	       verdict_name(report->verdict), report->reachable, report->present);
	if (report->huge)
		printf(" (%" PRIu64 " of them in pages of 2 MiB)", report->huge);
	if (report->known)
		printf(", and %" PRIu64 " of ROMs, the first MiB and KVM", report->known);
	if (report->verdict == UNKNOWN)
		printf("; %s", report->why);
	printf("\n");
	print_memory(report->memory.anonymous, "anonymous memory");
	print_memory(report->memory.shmem, "shared memory");
	print_memory(report->memory.hugetlb, "memory of hugetlbfs");
}

static void print_part_json(struct json *json, const struct vm_report *report,
			    const struct part *p)
{
	bool is_slot = report->from_kvm && p->slot.slot >= 0;
	bool is_gmem = p->slot.backing == BACKED_BY_GMEM;

	json_object(json, NULL);
	json_known(json, "slot", is_slot, p->slot.slot);
	json_known(json, "address_space", is_slot, p->slot.as);
	json_known(json, "guest_address", is_slot, p->slot.gpa);
	json_string(json, "mapping", report->from_kvm ? NULL : p->path);
	json_known(json, "address", p->kind != PART_UNBOUND, p->slot.addr);
	json_number(json, "size", p->slot.size);
	json_string(json, "kind", part_kind_name(p->kind));
	json_known(json, "guest_memfd", is_gmem, p->slot.inode);
	json_known(json, "offset", is_gmem, p->slot.offset);
	json_bool(json, "partly", p->partly);
	json_number(json, "pages", p->pages);
	json_number(json, "present", p->present);
	json_number(json, "reachable", p->reachable);
	json_number(json, "in_page_tables", p->in_tables);
	json_number(json, "in_kcore", p->in_core);
	json_number(json, "blank", p->blank);
	json_number(json, "huge", p->huge);
	json_string(json, "error", p->error ? strerror(p->error) : NULL);
	json_end(json);
}

void audit_print_json(struct json *json, const struct vm_report *report)
{
	json_object(json, NULL);
	json_number(json, "pid", report->vm.pid);
	json_string(json, "name", report->vm.name);
	json_known(json, "vm_fd", report->vm.vm_fd >= 0, report->vm.vm_fd);
	json_bool(json, "memslots_known", report->from_kvm);
	json_string(json, "verdict", verdict_name(report->verdict));
	json_string(json, "why", *report->why ? report->why : NULL);
	json_string(json, "error", report->error ? strerror(report->error) : NULL);
	json_number(json, "present", report->present);
	json_number(json, "reachable", report->reachable);
	json_number(json, "huge", report->huge);
	json_number(json, "reachable_rom_and_window", report->known);
	json_number(json, "process_anonymous_bytes", report->memory.anonymous);
	json_number(json, "process_shmem_bytes", report->memory.shmem);
	json_number(json, "process_hugetlb_bytes", report->memory.hugetlb);
	json_array(json, "areas");
	for (size_t i = 0; i < report->nr_parts; i++)
		if (is_shown(&report->part[i]))
			print_part_json(json, report, &report->part[i]);
	json_end(json);
	json_end(json);
}

int audit_status(int status, const struct vm_report *report)
{
	if (report->verdict == REACHABLE || status == EXIT_NO)
		return EXIT_NO;
	return report->verdict == UNKNOWN ? EXIT_UNKNOWN : status;
}

/* One line on a terminal. */
struct line {
	bool is_terminal;
	bool is_written;
	size_t vm;
	size_t nr_vms;
	pid_t pid;
};

static void show_progress(const struct report_progress *progress, void *data)
{
	struct line *line = data;

	if (!line->is_terminal)
		return;
	line->is_written = true;
	fprintf(stderr, "\r\033[Koffmap: VM %zu of %zu, process %d: %" PRIu64 " of %" PRIu64 " MiB",
		line->vm, line->nr_vms, line->pid, progress->done >> 20,
		progress->bytes >> 20);
}

static void clear(struct line *line)
{
	if (line->is_written)
		fputs("\r\033[K", stderr);
	line->is_written = false;
}

/* A second for each GiB, as on a slow machine, and 60 more to start. */
static unsigned int default_seconds(void)
{
	struct sysinfo info;

	return 60 + (sysinfo(&info) ? 0 : info.totalram * info.mem_unit >> 30);
}

#define ALL_HAVE_ENDED "all VMs have ended meanwhile"

/* In a list of *json, or if that is NULL, for people.  Returns the exit status. */
static int look_at_all(const struct look *given, const struct vm_entry *vms, size_t nr,
		       struct json *json)
{
	struct line line = { .is_terminal = isatty(STDERR_FILENO), .nr_vms = nr };
	struct look look = *given;
	int status = EXIT_YES;
	size_t left = nr;

	look.progress = show_progress;
	look.data = &line;
	for (size_t i = 0; i < nr; i++) {
		struct vm_report report = { .vm = vms[i].vm };

		strcpy(report.directory, vms[i].directory);
		line.vm = i + 1;
		line.pid = vms[i].vm.pid;
		look_at(&look, &report);
		clear(&line);
		if (report.error == ESRCH && !vms_exist(look.debugfs, report.directory)) {
			/* the VM has ended, and has no memory any more */
			left--;
		} else {
			if (json)
				audit_print_json(json, &report);
			else
				audit_print_vm(&report);
			status = audit_status(status, &report);
		}
		report_free(&report);
	}
	if (!left)
		warn(ALL_HAVE_ENDED);
	return left ? status : EXIT_NO_VM;
}

int audit_vms(const struct look *look, const struct vm_entry *vms, size_t nr, bool as_json)
{
	struct json json = { .to = stdout };
	int tables, kcore, status;

	kernel_find_sources(&tables, &kcore);
	if (tables && kcore)
		return fail(EXIT_UNKNOWN, "%s; and %s", kernel_tables_advice(tables),
			    kernel_kcore_advice(kcore));
	if (as_json) {
		json_object(&json, NULL);
		json_bool(&json, "page_tables", !tables);
		json_bool(&json, "kcore", !kcore);
		json_array(&json, "vms");
	} else {
		if (tables)
			printf("without the page tables, blank pages cannot be judged: %s\n",
			       kernel_tables_advice(tables));
		if (kcore)
			printf("without /proc/kcore: %s\n", kernel_kcore_advice(kcore));
	}
	status = look_at_all(look, vms, nr, as_json ? &json : NULL);
	if (as_json) {
		json_end(&json);
		json_string(&json, "error", status == EXIT_NO_VM ? ALL_HAVE_ENDED : NULL);
		if (status == EXIT_NO_VM)
			json_number(&json, "status", status);
		json_end(&json);
	}
	return status;
}

static int audit(pid_t pid, const struct look *look, bool as_json)
{
	struct vm_entry *vms;
	size_t nr;
	int status, err = vms_find(look->debugfs, pid, &vms, &nr);

	if (err == -ESRCH)
		return fail(EXIT_NO_VM, "there is no process %d", pid);
	if (err)
		return fail(EXIT_UNKNOWN, "cannot look for VMs in /proc and %s: %s%s",
			    look->debugfs, strerror(-err),
			    err == -EACCES ? "; it takes root" : "");
	if (!nr && pid)
		status = fail(EXIT_NO_VM, "process %d has no VM", pid);
	else if (!nr)
		status = fail(EXIT_NO_VM, "no process has a VM");
	else
		status = audit_vms(look, vms, nr, as_json);
	free(vms);
	return status;
}

/* For shell completion: prints the pid of each process that has a VM. */
static int list_processes(const char *debugfs)
{
	struct vm_entry *vms;
	size_t nr;
	int err = vms_find(debugfs, 0, &vms, &nr);

	if (err)
		return fail(EXIT_UNKNOWN, "cannot look for VMs: %s", strerror(-err));
	for (size_t i = 0; i < nr; i++)
		if (!i || vms[i].vm.pid != vms[i - 1].vm.pid)
			printf("%d\n", vms[i].vm.pid);
	free(vms);
	return nr ? EXIT_YES : EXIT_NO_VM;
}

static void usage(FILE *to)
{
	fputs("usage: offmap audit [--json] [--timeout SECONDS] [--all | --pid PID]\n"
	      "       offmap audit --list\n"
	      "Tells for every memslot of every VM, as KVM lists them, how many of its pages\n"
	      "are present, and how many of those the kernel can reach, from the kernel's page\n"
	      "tables (debugfs) and /proc/kcore.  Needs root.\n"
	      "  --timeout  for each VM, else 60 and one for each GiB of this machine\n"
	      "  --list     print the processes that have a VM\n" EXIT_CODES, to);
}

static bool parse_number(const char *text, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(text, &end, 10);
	return !errno && !*end && isdigit((unsigned char)*text) && *ret > 0 && *ret <= INT_MAX;
}

int cmd_audit(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "all", no_argument, NULL, 'a' },
		{ "pid", required_argument, NULL, 'p' },
		{ "timeout", required_argument, NULL, 't' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct look look = { .debugfs = KVM_DEBUGFS, .seconds = default_seconds() };
	bool as_json = false, all = false, list = false;
	long pid = 0, seconds;
	int opt;

	while ((opt = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			as_json = true;
			break;
		case 'a':
			all = true;
			break;
		case 'l':
			list = true;
			break;
		case 'p':
			if (!parse_number(optarg, &pid))
				return fail(EXIT_USAGE, "'%s' is no process id", optarg);
			break;
		case 't':
			if (!parse_number(optarg, &seconds))
				return fail(EXIT_USAGE, "'%s' is no number of seconds", optarg);
			look.seconds = seconds;
			break;
		case 'h':
			usage(stdout);
			return EXIT_YES;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc || (all && pid) || (list && (as_json || pid))) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return list ? list_processes(look.debugfs) : audit(pid, &look, as_json);
}
