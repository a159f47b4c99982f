// SPDX-License-Identifier: MIT
/* What audit makes of memory that changes, or fails, while it looks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "area.h"
#include "cmd.h"
#include "page.h"
#include "procfs.h"
#include "report.h"
#include "tap.h"

#define PAGES 4
#define PAGE page_bytes()

/* The linker has audit call these in place of those of the system. */
int __wrap_mincore(void *addr, size_t size, unsigned char *ret);
int __wrap_procfs_frames(pid_t pid, uint64_t addr, size_t nr, uint64_t *ret_pfns);
int __wrap_procfs_vmas(pid_t pid, struct vma **ret_vmas, size_t *ret_nr);

/* Frame of each page from base on; where the direct map has it, or kcore. */
static uint64_t frame[PAGES];
static uintptr_t base;
static uint64_t in_tables, in_core;
static uint8_t contents;

static struct vma mapping;
static int gmem;

int __wrap_mincore(void *addr, size_t size, unsigned char *ret)
{
	base = (uintptr_t)addr;
	for (size_t i = 0; i < size / PAGE; i++)
		ret[i] = frame[i] != 0;
	return 0;
}

int __wrap_procfs_frames(pid_t pid, uint64_t addr, size_t nr, uint64_t *ret_pfns)
{
	(void)pid;
	memcpy(ret_pfns, frame + (addr - base) / PAGE, nr * sizeof(*ret_pfns));
	return 0;
}

int __wrap_procfs_vmas(pid_t pid, struct vma **ret_vmas, size_t *ret_nr)
{
	(void)pid;
	*ret_vmas = malloc(sizeof(mapping));
	if (!*ret_vmas)
		return -ENOMEM;
	**ret_vmas = mapping;
	*ret_nr = 1;
	return 0;
}

bool ptdump_maps_pfn(const struct ptdump *dump, uint64_t pfn)
{
	(void)dump;
	return pfn == in_tables;
}

int kcore_read_page(const struct kcore *kcore, uint64_t pfn, void *to)
{
	(void)kcore;
	memset(to, pfn == in_core ? contents : 0, PAGE);
	return 0;
}

/* Frames 100, 101, ... of a guest_memfd, all with something in them. */
static struct area new_area(void)
{
	struct area area = {
		.pid = getpid(), .slot = { .size = PAGES * PAGE, .kind = SLOT_PROTECTED }
	};
	uint8_t page[PAGE_MAX_BYTES];

	in_tables = in_core = 0;
	contents = 0x5a;
	memset(page, contents, PAGE);
	gmem = memfd_create("kvm-gmem", MFD_CLOEXEC);
	for (int i = 0; i < PAGES; i++) {
		frame[i] = 100 + i;
		if (pwrite(gmem, page, PAGE, i * PAGE) != (ssize_t)PAGE)
			abort();
	}
	area.slot.gmem_fd = gmem;
	return area;
}

static void judge(struct area *area)
{
	struct kernel_view view = { .tables = (void *)1, .kcore = (void *)1 };

	area_judge(area, &view);
	area_free(area);
	close(gmem);
}

static void test_frames(void)
{
	struct area area = new_area();

	area_find_frames(&area);
	is_int(area.error, 0, "area: its frames are found");
	in_tables = 101;
	in_core = 102;
	judge(&area);
	is_int(area.present, PAGES, "area: all pages are present");
	is_int(area.reachable, 2, "area: one is reachable by each way");
	is_int(area.in_tables, 1, "area: one by the page tables");
}

static void test_frames_change(void)
{
	struct area area = new_area();

	area_find_frames(&area);
	/* given back, and in the direct map again; another has it now */
	in_tables = 101;
	in_core = 102;
	frame[1] = 0;
	frame[2] = 777;
	judge(&area);
	is_int(area.error, 0, "frames that change are no error");
	is_int(area.reachable, 0, "frames that change: nobody reaches the guest by them");
	is_int(area.present, PAGES - 2, "frames that change: they do not count");
}

static void test_lost_page(void)
{
	struct area area = new_area();

	/* what is behind the end of a file is a SIGBUS as well */
	if (ftruncate(gmem, 2 * PAGE))
		abort();
	area_find_frames(&area);
	is_int(area.error, EHWPOISON, "a lost page is an error");
	judge(&area);
	area = new_area();
	area_find_frames(&area);
	in_tables = 101;
	if (ftruncate(gmem, 2 * PAGE))
		abort();
	judge(&area);
	is_int(area.error, EHWPOISON, "a page lost later is an error");
	is_int(area.reachable, 1, "a page lost later: the others are judged");
}

static void add_mapping(struct vm_report *report, bool close_it)
{
	struct area area = new_area();
	struct kernel_view view = { .tables = (void *)1, .kcore = (void *)1 };
	struct stat st;

	if (fstat(gmem, &st))
		abort();
	if (close_it)
		close(gmem);
	base = 1UL << 30;
	mapping = (struct vma){
		.start = base, .end = base + area.slot.size, .writable = true, .shared = true,
		.inode = st.st_ino, .path = "/memfd:kvm-gmem (deleted)",
	};
	*report = (struct vm_report){
		.vm = { .pid = getpid(), .name = "odd\033[31m\x9b\tname", .slots_fd = -1 }
	};
	report_find(report);
	report_judge(report, &view);
	if (!close_it)
		close(gmem);
}

static void test_closed_by_vmm(void)
{
	struct vm_report report;

	add_mapping(&report, false);
	is_int(report.verdict, ABSENT, "a VMM without the shim: its guest_memfd is looked at");
	report_free(&report);
	add_mapping(&report, true);
	is_int(report.verdict, UNKNOWN, "a guest_memfd that the VMM has closed: there is no telling");
	report_free(&report);
}

static void test_names(void)
{
	char said[4096] = "";
	struct vm_report report;
	int out = dup(1), to = memfd_create("stdout", MFD_CLOEXEC);
	struct kernel_view view = { .tables = (void *)1, .kcore = (void *)1 };

	add_mapping(&report, true);
	snprintf(report.area[0].path, sizeof(report.area[0].path), "/dir\r\x7f\xc2\x9b" "file");
	fflush(stdout);
	dup2(to, 1);
	audit_print(&view, &report, 1);
	fflush(stdout);
	dup2(out, 1);
	if (pread(to, said, sizeof(said) - 1, 0) < 0)
		abort();
	ok(strstr(said, "odd?[31m??name, process"), "names of processes have no control bytes");
	ok(strstr(said, "/dir????file, only what"), "paths have none either");
	report_free(&report);
}

/* audit.c is here for how it prints. */
int fail(int status, const char *format, ...)
{
	(void)format;
	return status;
}

void kernel_view_open(struct kernel_view *ret_view)
{
	*ret_view = (struct kernel_view){ 0 };
}

void kernel_view_close(struct kernel_view *view)
{
	(void)view;
}

int main(void)
{
	test_frames();
	test_frames_change();
	test_lost_page();
	test_closed_by_vmm();
	test_names();
	return done();
}
