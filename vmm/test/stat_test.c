// SPDX-License-Identifier: MIT
/* Tests how offmap stat uses the kernel's counters and KVM's lists. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "page.h"
#include "stat.h"
#include "tap.h"

static char dir[] = "/tmp/offmap-stat-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		abort();
}

static const char counted[] =
	"nr_free_pages 1000\nnr_nodirmap 1024\nnr_nodirmap_holes 40\nnr_free_nodirmap 600\n"
	"nr_free_nodirmap_blocks 512\nnodirmap_block_zap 7\nnodirmap_block_return 5\n"
	"nodirmap_zap_fail 0\nnodirmap_flush 9\nnodirmap_slow_page 3\nnodirmap 1\n";

static void test_counters(void)
{
	struct counter_values values;

	write_file("vmstat", counted);
	is_int(counters_read(path_of("vmstat"), &values), 0, "counters: read");
	is_int(values.value[COUNTER_OUT], 1024 * page_bytes(), "counters: pages are bytes");
	is_int(values.value[COUNTER_HOLES], 40 * page_bytes(), "counters: holes");
	is_int(values.value[COUNTER_ZAPS], 7, "counters: events are as they are");
	is_int(fast_path_of(&values), FAST_PATH_ON, "fast path: on");
	values.value[COUNTER_ZAPS] = 0;
	is_int(fast_path_of(&values), FAST_PATH_OFF, "fast path: pages leave, and no block");
	values.value[COUNTER_SLOW_PAGES] = 0;
	is_int(fast_path_of(&values), FAST_PATH_UNUSED, "fast path: nothing has left");
	write_file("vmstat", "nr_free_pages 1000\n");
	is_int(counters_read(path_of("vmstat"), &values), -ENODATA, "counters: another kernel");
	is_int(counters_read(path_of("none"), &values), -ENOENT, "counters: no file");
}

/* The text that print() writes to stdout. */
static char *printed(void (*print)(const struct stat_sample *sample),
		     const struct stat_sample *sample)
{
	static char text[16384];
	int out = dup(1);
	FILE *to;
	size_t size;

	fflush(stdout);
	to = freopen(path_of("out"), "w", stdout);
	if (!to)
		abort();
	print(sample);
	fflush(stdout);
	dup2(out, 1);
	close(out);
	to = fopen(path_of("out"), "r");
	size = fread(text, 1, sizeof(text) - 1, to);
	text[size] = 0;
	fclose(to);
	return text;
}

/* For vmm_cli.t, which looks at all of it. */
static void leave(const char *variable, const char *text)
{
	FILE *to = getenv(variable) ? fopen(getenv(variable), "w") : NULL;

	if (getenv(variable) && (!to || fputs(text, to) < 0 || fclose(to)))
		abort();
}

static void print_for_people(const struct stat_sample *sample)
{
	stat_print(sample, NULL);
}

/* A later sample than this one, with four more flushes and less memory. */
static void print_growth(const struct stat_sample *before)
{
	struct stat_sample sample = *before;

	sample.counters.value[COUNTER_FLUSHES] += 4;
	sample.counters.value[COUNTER_OUT] /= 2;
	stat_print(&sample, before);
}

static void take_one(struct stat_sample *ret)
{
	char name[64], text[512];

	snprintf(name, sizeof(name), "kvm/%d-9", getpid());
	mkdir(path_of("kvm"), 0700);
	mkdir(path_of(name), 0700);
	snprintf(name, sizeof(name), "kvm/%d-9/memslots", getpid());
	snprintf(text, sizeof(text), "memslots 1 process %d\n"
		 "0 0 0 1000 4 7f00000000 guest_memfd 5 0 alone no-direct-map\n"
		 "0 1 1000 100 0 7f10000000 memory\n0 2 2000 100 4 0 closed\nend\n", getpid());
	write_file(name, text);
	snprintf(name, sizeof(name), "kvm/%d-9/pages_4k", getpid());
	write_file(name, "16\n");
	snprintf(name, sizeof(name), "kvm/%d-9/pages_2m", getpid());
	write_file(name, "1\n");
	write_file("vmstat", counted);
	snprintf(text, sizeof(text), "%s/kvm", dir);
	is_int(stat_take(path_of("vmstat"), text, ret), 0, "stat: taken");
}

/* Other processes of this machine may have VMs, too. */
static struct vm_stat *own(const struct stat_sample *sample)
{
	for (size_t i = 0; i < sample->nr_vms; i++)
		if (sample->vm[i].vm.vm.pid == getpid())
			return &sample->vm[i];
	abort();
}

static void test_sample(void)
{
	struct stat_sample sample;
	const char *text;
	char half[64], line[64];

	take_one(&sample);
	is_int(own(&sample)->protected, 0x1000 * page_bytes(), "stat: memory of a VM out of the map");
	is_int(own(&sample)->plain, 0x100 * page_bytes(), "stat: and in it");
	is_int(own(&sample)->mapped, (16 << 12) + (2 << 20), "stat: what the guest has mapped");
	text = printed(print_for_people, &sample);
	ok(strstr(text, "fast_path") && strstr(text, "out of map MiB"), "stat: for people");
	ok(!strchr(text, '+'), "stat: the first time nothing has grown");
	text = printed(print_growth, &sample);
	ok(strstr(text, " 13     +4 ") && strstr(text, " 7     +0 "),
	   "stat: the second time events are counted from the first");
	snprintf(half, sizeof(half), " %d KiB  Memory in blocks outside",
		 (int)(512 * page_bytes() >> 10));
	ok(strstr(text, half), "stat: memory is not");
	text = printed(stat_print_json, &sample);
	ok(strstr(text, "\"slow_pages\": 3,") && strstr(text, "\"fast_path\": \"on\"") &&
	   strstr(text, "\"free_partly_used_bytes\": "), "stat: as JSON");
	leave("JSON_OUT", text);
	strcpy(own(&sample)->vm.vm.name, "a\"b\\c\n");
	text = printed(stat_print_prometheus, &sample);
	ok(strstr(text, "\noffmap_block_zaps_total 7\n"), "stat: for Prometheus");
	ok(strstr(text, "name=\"a\\\"b\\\\c?\""), "stat: labels are quoted");
	leave("PROMETHEUS_OUT", text);
	own(&sample)->mapped_known = false;
	own(&sample)->mapped = 0;
	snprintf(line, sizeof(line), " %14d %14d %14s\n", (int)(own(&sample)->protected >> 20),
		 (int)(own(&sample)->plain >> 20), "-");
	ok(strstr(printed(print_for_people, &sample), line), "stat: mapped memory is not known");
	ok(strstr(printed(stat_print_json, &sample), "\"mapped_bytes\": null"),
	   "stat: as JSON it is null");
	stat_free(&sample);
}

/* Includes stat.c, to test how it prints. */
int fail(int status, const char *format, ...)
{
	(void)format;
	return status;
}

int main(void)
{
	char command[64];

	if (!mkdtemp(dir))
		abort();
	test_counters();
	test_sample();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		abort();
	return done();
}
