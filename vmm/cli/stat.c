// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"
#include "kernel.h"
#include "report.h"
#include "stat.h"

#define VMSTAT "/proc/vmstat"

static bool read_number(const char *debugfs, const char *directory, const char *name,
			uint64_t *ret)
{
	char path[512];
	bool found;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%s", debugfs, directory, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	found = fscanf(file, "%" SCNu64, ret) == 1;
	fclose(file);
	return found;
}

static void read_mapped(const char *debugfs, struct vm_stat *vm)
{
	static const struct { const char *name; uint64_t size; } sizes[] = {
		{ "pages_4k", 4UL << 10 }, { "pages_2m", 2UL << 20 }, { "pages_1g", 1UL << 30 },
	};
	uint64_t pages;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (!read_number(debugfs, vm->vm.directory, sizes[i].name, &pages))
			continue;
		vm->mapped_known = true;
		vm->mapped += pages * sizes[i].size;
	}
}

static void take_vm(const char *debugfs, struct vm_stat *vm)
{
	struct memslots slots;
	int err;

	if (vm->vm.error)
		return;
	err = vms_read_memslots(debugfs, vm->vm.directory, &slots);
	if (err) {
		vm->vm.error = -err;
		return;
	}
	for (size_t i = 0; i < slots.nr; i++) {
		const struct memslot *s = &slots.slot[i];

		if (s->backing == BACKED_BY_NOTHING)
			continue;
		if (s->backing == BACKED_BY_GMEM && s->no_direct_map)
			vm->protected += s->size;
		else
			vm->plain += s->size;
	}
	memslots_free(&slots);
	read_mapped(debugfs, vm);
}

int stat_take(const char *vmstat, const char *debugfs, struct stat_sample *ret)
{
	struct stat_sample sample = { 0 };
	struct vm_entry *vms = NULL;
	int err = counters_read(vmstat, &sample.counters);

	if (err)
		return err;
	sample.vms_error = -vms_find(debugfs, 0, &vms, &sample.nr_vms);
	if (!sample.vms_error) {
		sample.vm = calloc(sample.nr_vms + 1, sizeof(*sample.vm));
		if (!sample.vm) {
			free(vms);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < sample.nr_vms; i++) {
		sample.vm[i].vm = vms[i];
		take_vm(debugfs, &sample.vm[i]);
	}
	free(vms);
	*ret = sample;
	return 0;
}

void stat_free(struct stat_sample *sample)
{
	free(sample->vm);
	*sample = (struct stat_sample){ 0 };
}

static void print_counter(const struct stat_sample *sample,
			  const struct stat_sample *before, int i)
{
	const struct counter_values *now = &sample->counters;

	if (!now->known[i])
		return;
	if (counters[i].is_gauge)
		printf("%-20s %12" PRIu64 " KiB", counters[i].name, now->value[i] >> 10);
	else
		printf("%-20s %12" PRIu64 "    ", counters[i].name, now->value[i]);
	if (before && !counters[i].is_gauge)
		printf(" +%-8" PRIu64, now->value[i] - before->counters.value[i]);
	printf("  %s\n", counters[i].help);
}

static void print_name(const char *name)
{
	for (; *name; name++)
		putchar(*name >= ' ' && *name <= '~' ? *name : '?');
}

static uint64_t partly_used(const struct stat_sample *s)
{
	const uint64_t *value = s->counters.value;

	/* the kernel's two counters are not read at one moment */
	return value[COUNTER_FREE] > value[COUNTER_FREE_BLOCKS] ?
	       value[COUNTER_FREE] - value[COUNTER_FREE_BLOCKS] : 0;
}

void stat_print(const struct stat_sample *sample, const struct stat_sample *before)
{
	for (int i = 0; i < NR_COUNTERS; i++)
		print_counter(sample, before, i);
	printf("%-20s %12" PRIu64 " KiB  Free memory in blocks that are partly used.\n",
	       "free_partly_used", partly_used(sample) >> 10);
	printf("%-20s %12s      Blocks leave the direct map as a whole.\n", "fast_path",
	       fast_path_name(fast_path_of(&sample->counters)));
	if (sample->vms_error)
		printf("VMs: %s\n", kernel_memslots_advice(sample->vms_error));
	else if (sample->nr_vms)
		printf("%8s %-16s %8s %14s %14s %14s\n", "process", "name", "VM",
		       "out of map MiB", "in map MiB", "mapped MiB");
	for (size_t i = 0; i < sample->nr_vms; i++) {
		const struct vm_stat *v = &sample->vm[i];

		printf("%8d ", v->vm.vm.pid);
		print_name(v->vm.vm.name);
		printf("%*s %8d", (int)(16 - strnlen(v->vm.vm.name, 16)), "",
		       v->vm.vm.vm_fd);
		if (v->vm.error)
			printf("  %s\n", kernel_memslots_advice(v->vm.error));
		else if (v->mapped_known)
			printf(" %14" PRIu64 " %14" PRIu64 " %14" PRIu64 "\n",
			       v->protected >> 20, v->plain >> 20, v->mapped >> 20);
		else
			printf(" %14" PRIu64 " %14" PRIu64 " %14s\n",
			       v->protected >> 20, v->plain >> 20, "-");
	}
}

void stat_print_json(const struct stat_sample *sample)
{
	struct json json = { .to = stdout };

	json_object(&json, NULL);
	for (int i = 0; i < NR_COUNTERS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s%s", counters[i].name,
			 counters[i].is_gauge ? "_bytes" : "");
		json_known(&json, name, sample->counters.known[i], sample->counters.value[i]);
	}
	json_number(&json, "free_partly_used_bytes", partly_used(sample));
	json_string(&json, "fast_path", fast_path_name(fast_path_of(&sample->counters)));
	json_string(&json, "vms_error", sample->vms_error ?
		    kernel_memslots_advice(sample->vms_error) : NULL);
	json_array(&json, "vms");
	for (size_t i = 0; i < sample->nr_vms; i++) {
		const struct vm_stat *v = &sample->vm[i];

		json_object(&json, NULL);
		json_number(&json, "pid", v->vm.vm.pid);
		json_string(&json, "name", v->vm.vm.name);
		json_string(&json, "directory", *v->vm.directory ? v->vm.directory : NULL);
		json_string(&json, "error", v->vm.error ?
			    kernel_memslots_advice(v->vm.error) : NULL);
		json_known(&json, "nodirmap_bytes", !v->vm.error, v->protected);
		json_known(&json, "in_map_bytes", !v->vm.error, v->plain);
		json_known(&json, "mapped_bytes", v->mapped_known, v->mapped);
		json_end(&json);
	}
	json_end(&json);
	json_string(&json, "error", NULL);
	json_end(&json);
	fflush(stdout);
}

/* Prints the value of a label, without characters that are not printable ASCII. */
static void put_label(const char *value)
{
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value >= ' ' && *value <= '~' ? *value : '?');
	}
}

static void metric(const char *name, const char *type, const char *help)
{
	printf("# HELP offmap_%s %s\n# TYPE offmap_%s %s\n", name, help, name, type);
}

static void vm_metric(const char *name, const struct vm_stat *v, uint64_t value)
{
	printf("offmap_%s{pid=\"%d\",name=\"", name, v->vm.vm.pid);
	put_label(v->vm.vm.name);
	printf("\",vm=\"%s\"} %" PRIu64 "\n", v->vm.directory, value);
}

void stat_print_prometheus(const struct stat_sample *sample)
{
	enum fast_path path = fast_path_of(&sample->counters);

	for (int i = 0; i < NR_COUNTERS; i++) {
		char name[64];

		if (!sample->counters.known[i])
			continue;
		snprintf(name, sizeof(name), "%s%s", counters[i].name,
			 counters[i].is_gauge ? "_bytes" : "_total");
		metric(name, counters[i].is_gauge ? "gauge" : "counter", counters[i].help);
		printf("offmap_%s %" PRIu64 "\n", name, sample->counters.value[i]);
	}
	if (path != FAST_PATH_UNUSED) {
		metric("fast_path", "gauge", "1: blocks leave the direct map as a whole. 0: pages leave one by one.");
		printf("offmap_fast_path %d\n", path == FAST_PATH_ON);
	}
	metric("vms_unknown", "gauge", "VMs whose memslots are not known; -1: VMs cannot be found.");
	if (sample->vms_error) {
		printf("offmap_vms_unknown -1\n");
	} else {
		size_t unknown = 0;

		for (size_t i = 0; i < sample->nr_vms; i++)
			unknown += sample->vm[i].vm.error != 0;
		printf("offmap_vms_unknown %zu\n", unknown);
	}
	metric("vm_nodirmap_bytes", "gauge", "Memory of a VM that is kept out of the direct map.");
	for (size_t i = 0; i < sample->nr_vms; i++)
		if (!sample->vm[i].vm.error)
			vm_metric("vm_nodirmap_bytes", &sample->vm[i], sample->vm[i].protected);
	metric("vm_in_map_bytes", "gauge", "Memory of a VM that is in the direct map.");
	for (size_t i = 0; i < sample->nr_vms; i++)
		if (!sample->vm[i].vm.error)
			vm_metric("vm_in_map_bytes", &sample->vm[i], sample->vm[i].plain);
	metric("vm_mapped_bytes", "gauge", "Memory that the guest of a VM has mapped.");
	for (size_t i = 0; i < sample->nr_vms; i++)
		if (sample->vm[i].mapped_known)
			vm_metric("vm_mapped_bytes", &sample->vm[i], sample->vm[i].mapped);
}

enum format { HUMAN, JSON, PROMETHEUS };

static int cannot(int err)
{
	if (err == -ENODATA)
		return fail(EXIT_UNKNOWN, VMSTAT " has no %s: the kernel lacks the series",
			    counters[COUNTER_OUT].kernel_name);
	return fail(EXIT_UNKNOWN, VMSTAT ": %s", strerror(-err));
}

static int show(enum format format, unsigned int seconds)
{
	struct stat_sample sample, before = { 0 };
	bool first = true;
	int err;

	for (;;) {
		err = stat_take(VMSTAT, KVM_DEBUGFS, &sample);
		if (err)
			return cannot(err);
		if (format == JSON)
			stat_print_json(&sample);
		else if (format == PROMETHEUS)
			stat_print_prometheus(&sample);
		else
			stat_print(&sample, first ? NULL : &before);
		stat_free(&before);
		before = sample;
		if (!seconds || fflush(stdout) || ferror(stdout))
			break;
		first = false;
		sleep(seconds);
		if (format == HUMAN)
			printf("\n");
	}
	stat_free(&before);
	return EXIT_YES;
}

static void usage(FILE *to)
{
	fputs("usage: offmap stat [--json] [SECONDS]\n"
	      "       offmap stat --prometheus\n"
	      "Shows how much memory is out of the direct map, in the pool and by VM, and what\n"
	      "that has cost since boot: once, or every so many seconds.  VMs take root.\n"
	      "  --prometheus  for the textfile collector of node_exporter\n" EXIT_CODES, to);
}

int cmd_stat(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "prometheus", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	enum format format = HUMAN;
	unsigned long seconds = 0;
	char *end = "";
	int opt;

	while ((opt = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			format = JSON;
			break;
		case 'p':
			format = PROMETHEUS;
			break;
		case 'h':
			usage(stdout);
			return EXIT_YES;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		seconds = strtoul(argv[optind], &end, 10);
		if (*end || !seconds || seconds > 86400 || argv[optind][0] == '-')
			return fail(EXIT_USAGE, "'%s' is no number of seconds, which is 1 to 86400",
				    argv[optind]);
	}
	if (argc - optind > 1 || (seconds && format == PROMETHEUS)) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return show(format, seconds);
}
