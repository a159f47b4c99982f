// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "page.h"
#include "report.h"
#include "vms.h"

/* Mappings that could hold a guest. */
#define MIN_MAPPING (1UL << 20)
/* ROMs beyond this size could be memory of a guest under another name. */
#define MAX_ROM (16UL << 20)
#define FIRST_MIB (1UL << 20)
/* Pieces whose frames are found before the page tables are read. */
#define MAX_AREAS 16
/* Pieces of one report_find(). */
#define MAX_FOUND 64

#define MEM_READONLY 2

static void explain(struct vm_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Keeps the first reason. */
static void explain(struct vm_report *report, const char *format, ...)
{
	va_list ap;

	if (*report->why)
		return;
	va_start(ap, format);
	vsnprintf(report->why, sizeof(report->why), format, ap);
	va_end(ap);
}

static struct part *add_part(struct vm_report *report)
{
	struct part *more;

	if (report->nr_parts % 64 == 0) {
		more = realloc(report->part, (report->nr_parts + 64) * sizeof(*more));
		if (!more)
			return NULL;
		report->part = more;
	}
	more = &report->part[report->nr_parts++];
	*more = (struct part){ .gmem_fd = -1 };
	return more;
}

static enum part_kind kind_of(const struct memslot *slot)
{
	switch (slot->backing) {
	case BACKED_BY_GMEM:
		return slot->no_direct_map ? PART_PROTECTED : PART_GMEM;
	case BACKED_BY_NOTHING:
		return PART_CLOSED;
	case BACKED_BY_KVM:
		return PART_KVM;
	case BACKED_BY_PROCESS:
		break;
	}
	if (slot->flags & MEM_READONLY)
		return PART_ROM;
	return slot->gpa + slot->size <= FIRST_MIB ? PART_WINDOW : PART_PLAIN;
}

/*
 * offmap run keeps its guest_memfds in another process that shares the VMM's memory.
 * Searches all such processes.
 */
static int take_from_others(pid_t pid, uint64_t inode)
{
	struct process other;
	struct dirent *entry;
	int fd = -ENOENT;
	DIR *dir = opendir("/proc");

	while (dir && fd == -ENOENT && (entry = readdir(dir))) {
		pid_t sharer = atoi(entry->d_name);

		if (sharer <= 0 || sharer == pid ||
		    syscall(SYS_kcmp, pid, sharer, KCMP_VM, 0UL, 0UL) ||
		    process_open(sharer, &other))
			continue;
		fd = process_take_gmem(&other, inode);
		process_close(&other);
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* Shared pages of a slot with guest_memfd are a part of their own. */
static bool is_gmem(const struct part *part)
{
	return part->slot.backing == BACKED_BY_GMEM && part->kind != PART_PLAIN;
}

/* Takes the guest_memfd of a part, from an earlier part if that has it. */
static void take_gmem(struct vm_report *report, struct part *part)
{
	for (struct part *p = report->part; p < part; p++) {
		if (!is_gmem(p) || p->slot.inode != part->slot.inode)
			continue;
		part->gmem_fd = p->gmem_fd;
		part->partly = p->partly;
		part->error = p->error;
		return;
	}
	part->gmem_fd = process_take_gmem(&report->process, part->slot.inode);
	if (part->gmem_fd == -ENOENT)
		part->gmem_fd = take_from_others(report->process.pid, part->slot.inode);
	if (part->gmem_fd == -ENOENT)
		/* the VMM has closed it: only its own page tables remain */
		part->partly = true;
	else if (part->gmem_fd < 0)
		part->error = -part->gmem_fd;
	if (part->gmem_fd < 0)
		part->gmem_fd = -1;
}

static int add_slot(struct vm_report *report, const struct memslot *slot)
{
	struct part *part = add_part(report);

	if (!part)
		return -ENOMEM;
	part->slot = *slot;
	part->kind = kind_of(slot);
	if (slot->backing != BACKED_BY_GMEM || !slot->private_only)
		return 0;
	/* shared pages of the guest are in ordinary memory */
	part = add_part(report);
	if (!part)
		return -ENOMEM;
	part->slot = *slot;
	part->kind = PART_PLAIN;
	return 0;
}

static void bound_roms(struct vm_report *report)
{
	uint64_t size = 0;

	for (size_t i = 0; i < report->nr_parts; i++)
		if (report->part[i].kind == PART_ROM)
			size += report->part[i].slot.size;
	for (size_t i = 0; size > MAX_ROM && i < report->nr_parts; i++)
		if (report->part[i].kind == PART_ROM)
			report->part[i].kind = PART_PLAIN;
}

/*
 * A PC shows its firmware below 4 GiB as well: other slots of that memory are windows,
 * too.
 */
static void find_aliases(struct vm_report *report)
{
	for (size_t i = 0; i < report->nr_parts; i++) {
		const struct part *window = &report->part[i];
		uint64_t end = window->slot.addr + window->slot.size;

		if (window->kind != PART_WINDOW || window->slot.gpa >= FIRST_MIB)
			continue;
		for (size_t k = 0; k < report->nr_parts; k++) {
			struct part *p = &report->part[k];

			if (p->kind == PART_PLAIN && p->slot.backing == BACKED_BY_PROCESS &&
			    p->slot.addr >= window->slot.addr && p->slot.addr < end &&
			    p->slot.size <= end - p->slot.addr)
				p->kind = PART_WINDOW;
		}
	}
}

struct unbound_visit {
	struct vm_report *report;
	struct inodes in_slots;
};

/* A guest_memfd that has left its memslot can hold data of the guest. */
static int visit_unbound(int fd, const char *link, uint64_t inode, void *data)
{
	struct unbound_visit *visit = data;
	struct vm_report *report = visit->report;
	struct part *part;
	struct stat st;

	if (!process_link_is_gmem(link) || vms_have_inode(&visit->in_slots, inode))
		return 0;
	for (size_t i = 0; i < report->nr_parts; i++)
		if (is_gmem(&report->part[i]) && report->part[i].slot.inode == inode)
			return 0;
	part = add_part(report);
	if (!part)
		return -ENOMEM;
	part->kind = PART_UNBOUND;
	part->slot.backing = BACKED_BY_GMEM;
	part->slot.inode = inode;
	part->slot.slot = -1;
	part->gmem_fd = process_take_fd(&report->process, fd, inode);
	/* under another number by now */
	if (part->gmem_fd < 0)
		take_gmem(report, part);
	/* closed meanwhile, or of another file system under that name */
	if (part->gmem_fd < 0 && part->partly)
		report->nr_parts--;
	else if (part->gmem_fd >= 0 && !fstat(part->gmem_fd, &st) && st.st_size > 0)
		part->slot.size = st.st_size & ~(page_bytes() - 1);
	return 0;
}

static int add_unbound(struct vm_report *report, const char *debugfs)
{
	struct unbound_visit visit = { .report = report };
	int err = vms_gmem_inodes(debugfs, report->process.pid, &visit.in_slots);

	if (err)
		return err;
	err = process_for_each_fd(&report->process, visit_unbound, &visit);
	free(visit.in_slots.inode);
	return err;
}

/* The memslots of the VM in this directory, if they are those of this process. */
static int add_slots(struct vm_report *report, const char *debugfs, const char *directory,
		     pid_t pid)
{
	struct memslots slots;
	int err = vms_read_memslots(debugfs, directory, &slots);

	if (err)
		return err;
	report->from_kvm = true;
	if (slots.process != pid)
		err = -ESRCH;
	for (size_t i = 0; !err && i < slots.nr; i++)
		err = add_slot(report, &slots.slot[i]);
	memslots_free(&slots);
	bound_roms(report);
	find_aliases(report);
	return err;
}

static int add_memslots(struct vm_report *report, const char *debugfs)
{
	int err = add_slots(report, debugfs, report->directory, report->process.pid);

	if (err)
		return err;
	for (size_t i = 0; i < report->nr_parts; i++)
		if (is_gmem(&report->part[i]))
			take_gmem(report, &report->part[i]);
	return add_unbound(report, debugfs);
}

static int add_mappings(struct vm_report *report)
{
	struct part *part;
	struct vma *vmas;
	size_t nr;
	int err = procfs_vmas(report->vm.pid, &vmas, &nr);

	if (err)
		return err;
	for (size_t i = 0; !err && i < nr; i++) {
		const struct vma *v = &vmas[i];
		bool gmem = process_link_is_gmem(v->path);

		if (!gmem && (!v->writable || v->end - v->start < MIN_MAPPING ||
			      v->path[0] == '['))
			continue;
		part = add_part(report);
		if (!part) {
			err = -ENOMEM;
			break;
		}
		part->kind = PART_MAPPING;
		part->slot.addr = v->start;
		part->slot.size = v->end - v->start;
		part->slot.offset = v->offset;
		part->slot.slot = -1;
		snprintf(part->path, sizeof(part->path), "%.63s",
			 *v->path ? v->path : "anonymous");
		if (gmem) {
			part->slot.backing = BACKED_BY_GMEM;
			part->slot.inode = v->inode;
			take_gmem(report, part);
		}
	}
	free(vmas);
	return err;
}

static int open_process(struct vm_report *report)
{
	int err = process_open(report->vm.pid, &report->process);

	report->has_process = !err;
	if (!err && !*report->directory)
		snprintf(report->directory, sizeof(report->directory), "%d-%d",
			 report->vm.pid, report->vm.vm_fd);
	return err;
}

static int find_parts(struct vm_report *report, const char *debugfs)
{
	int err = open_process(report);

	if (err)
		return err;
	err = add_memslots(report, debugfs);
	if (report->from_kvm)
		return err;
	report->memslots_error = -err;
	return add_mappings(report);
}

static bool has_memory(const struct part *part)
{
	return !part->error && part->kind != PART_CLOSED;
}

/* The next piece, from a part and an offset in it; false at the end. */
static bool next_area(struct vm_report *report, size_t *part, uint64_t *at,
		      struct area *ret)
{
	struct part *p;

	while (*part < report->nr_parts &&
	       (!has_memory(&report->part[*part]) || *at == report->part[*part].slot.size)) {
		(*part)++;
		*at = 0;
	}
	if (*part == report->nr_parts)
		return false;
	p = &report->part[*part];
	*ret = (struct area){ .process = &report->process, .part = *part, .gmem_fd = -1 };
	ret->pages = (p->slot.size - *at < AREA_BYTES ? p->slot.size - *at : AREA_BYTES) /
		     page_bytes();
	if (p->gmem_fd >= 0) {
		ret->gmem_fd = p->gmem_fd;
		ret->addr = p->slot.offset + *at;
	} else {
		ret->addr = p->slot.addr + *at;
	}
	*at += ret->pages * page_bytes();
	return true;
}

static bool is_known(enum part_kind kind)
{
	return kind == PART_ROM || kind == PART_WINDOW || kind == PART_KVM;
}

static void add_to_part(struct vm_report *report, const struct area *area)
{
	struct part *part = &report->part[area->part];

	part->pages += area->pages;
	part->present += area->present;
	part->reachable += area->reachable;
	part->in_tables += area->in_tables;
	part->in_core += area->in_core;
	part->blank += area->blank;
	part->huge += area->huge;
	if (area->error)
		part->error = area->error;
}

static void explain_part(struct vm_report *report, const struct part *part, bool tables)
{
	char name[32] = "a mapping";

	if (part->kind == PART_UNBOUND)
		snprintf(name, sizeof(name), "guest_memfd %" PRIu64, part->slot.inode);
	else if (report->from_kvm)
		snprintf(name, sizeof(name), "memslot %d", part->slot.slot);
	if (part->error)
		explain(report, "%s: %s", name, strerror(part->error));
	else if (part->partly)
		explain(report, "%s: the process has closed its guest_memfd, so that pages of the guest alone cannot be found",
			name);
	/* what the process does not map now, its VM can still have */
	else if (part->kind == PART_PLAIN)
		explain(report, "%s: %s ordinary memory, of which the process shows only what it has mapped now",
			name, part->slot.private_only ? "its shared pages are" : "it is");
	else if (!tables && part->blank)
		explain(report, "%s: without the page tables, its %" PRIu64 " blank pages cannot be judged",
			name, part->blank);
}

static void conclude(struct vm_report *report, bool tables)
{
	uint64_t in_slots = 0;

	if (report->error)
		explain(report, "it cannot be looked at: %s", report->error == ESRCH ?
			"its process has ended" : strerror(report->error));
	for (size_t i = 0; i < report->nr_parts; i++) {
		const struct part *part = &report->part[i];

		if (is_known(part->kind)) {
			report->known += part->reachable;
		} else {
			report->present += part->present;
			report->reachable += part->reachable;
			report->huge += part->huge;
			in_slots += part->kind == PART_UNBOUND ? 0 : part->present;
		}
		explain_part(report, part, tables);
	}
	/* a VM without a page is not absent */
	if (!in_slots)
		explain(report, report->nr_parts ? "no page of its memory is present" :
			"it has no memory");
	report->verdict = report->reachable ? REACHABLE : *report->why ? UNKNOWN : ABSENT;
}

/*
 * Is the memory of a later part in an earlier one?  A guest_memfd outside the direct map
 * stays there, whatever part of it is in a memslot.
 */
static bool covers(const struct part *part, const struct part *later)
{
	const struct memslot *a = &part->slot, *b = &later->slot;

	if (is_gmem(part) != is_gmem(later))
		return false;
	if (is_gmem(later))
		return a->inode == b->inode &&
		       (later->kind == PART_PROTECTED ||
			(a->offset <= b->offset && a->offset + a->size >= b->offset + b->size));
	return part->kind == later->kind && a->addr <= b->addr &&
	       a->addr + a->size >= b->addr + b->size;
}

static bool was_looked_at(const struct vm_report *report, const struct part *later)
{
	if (is_known(later->kind) || later->kind == PART_CLOSED)
		return true;
	for (size_t i = 0; i < report->nr_parts; i++)
		if (covers(&report->part[i], later))
			return true;
	return false;
}

/* A VMM can delete a memslot when the look begins, and make it again. */
static void look_for_later_slots(struct vm_report *report, const char *debugfs)
{
	struct vm_report later = { 0 };
	int err = add_slots(&later, debugfs, report->directory, report->process.pid);

	/* without its directory the VM has ended */
	if (err)
		report->error = err == -ENOENT ? ESRCH : -err;
	for (size_t i = 0; !err && i < later.nr_parts; i++)
		if (!was_looked_at(report, &later.part[i]))
			explain(report, "memslot %d: it was made during the look",
				later.part[i].slot.slot);
	free(later.part);
}

/* A process can map other memory than its VM has: no verdict without KVM's list. */
static void conclude_by_kvm(struct vm_report *report, bool tables)
{
	if (!report->from_kvm)
		explain(report, "%s", kernel_memslots_advice(report->memslots_error));
	conclude(report, tables);
	if (!report->from_kvm)
		report->verdict = UNKNOWN;
}

void report_find(struct vm_report *report)
{
	uint64_t at = 0;
	size_t part = 0;
	int err;

	report->area = calloc(MAX_FOUND, sizeof(*report->area));
	err = report->area ? find_parts(report, KVM_DEBUGFS) : -ENOMEM;
	while (!err && report->nr_areas < MAX_FOUND) {
		struct area *area = &report->area[report->nr_areas];

		if (!next_area(report, &part, &at, area))
			break;
		area_find_frames(area);
		if (area->pfn || area->error) {
			report->nr_areas++;
		} else {
			add_to_part(report, area);
			area_free(area);
		}
	}
	if (!err && part < report->nr_parts && report->nr_areas == MAX_FOUND)
		err = -EFBIG;
	report->error = -err;
}

void report_judge(struct vm_report *report, const struct kernel_view *view)
{
	for (size_t i = 0; i < report->nr_areas; i++) {
		area_judge(&report->area[i], view);
		add_to_part(report, &report->area[i]);
	}
	conclude_by_kvm(report, view->tables);
}

/* Half of the work is finding frames, half is judging them. */
static void add_progress(struct report_progress *progress, const struct area *area, int halves)
{
	if (progress)
		progress->done += area->pages * page_bytes() / 2 * halves;
}

/* Judges the pieces by page tables that are newer than their frames. */
static void judge_areas(struct vm_report *report, bool *tables,
			struct report_progress *progress)
{
	struct kernel_view view;

	if (!report->nr_areas)
		return;
	kernel_view_open(&view);
	if (!view.tables)
		*tables = false;
	if (!view.tables && !view.kcore)
		explain(report, "neither the page tables nor /proc/kcore can be read");
	for (size_t i = 0; i < report->nr_areas; i++) {
		area_judge(&report->area[i], &view);
		add_to_part(report, &report->area[i]);
		add_progress(progress, &report->area[i], 1);
		area_free(&report->area[i]);
	}
	report->nr_areas = 0;
	kernel_view_close(&view);
}

static void look_at_areas(struct vm_report *report, const char *debugfs,
			  struct report_progress *progress)
{
	bool tables = true;
	uint64_t at = 0;
	size_t part = 0;

	for (size_t i = 0; progress && i < report->nr_parts; i++)
		if (has_memory(&report->part[i]))
			progress->bytes += report->part[i].slot.size;
	while (next_area(report, &part, &at, &report->area[report->nr_areas])) {
		struct area *area = &report->area[report->nr_areas];

		area_find_frames(area);
		add_progress(progress, area, area->pfn ? 1 : 2);
		if (!area->pfn) {
			add_to_part(report, area);
			area_free(area);
			continue;
		}
		if (++report->nr_areas == MAX_AREAS)
			judge_areas(report, &tables, progress);
	}
	judge_areas(report, &tables, progress);
	if (!report->error && !process_lives(&report->process))
		report->error = ESRCH;
	if (!report->error && report->from_kvm)
		look_for_later_slots(report, debugfs);
	conclude_by_kvm(report, tables);
}

void report_make(struct vm_report *report, const char *debugfs,
		 struct report_progress *progress)
{
	int err;

	report->area = calloc(MAX_AREAS, sizeof(*report->area));
	err = report->area ? find_parts(report, debugfs) : -ENOMEM;
	report->error = -err;
	if (err) {
		conclude(report, true);
		return;
	}
	report->memory = process_memory(&report->process);
	look_at_areas(report, debugfs, progress);
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[ABSENT] = "absent",
		[REACHABLE] = "reachable",
		[UNKNOWN] = "unknown",
	};

	return names[verdict];
}

const char *part_kind_name(enum part_kind kind)
{
	static const char *const names[NR_PART_KINDS] = {
		[PART_PROTECTED] = "protected",
		[PART_GMEM] = "gmem",
		[PART_PLAIN] = "plain",
		[PART_ROM] = "rom",
		[PART_WINDOW] = "window",
		[PART_KVM] = "kvm",
		[PART_CLOSED] = "closed",
		[PART_UNBOUND] = "unbound",
		[PART_MAPPING] = "mapping",
	};

	return names[kind];
}

void report_free(struct vm_report *report)
{
	for (size_t i = 0; i < report->nr_areas; i++)
		area_free(&report->area[i]);
	free(report->area);
	for (size_t i = 0; i < report->nr_parts; i++) {
		int fd = report->part[i].gmem_fd;

		for (size_t k = i; fd >= 0 && k < report->nr_parts; k++)
			if (report->part[k].gmem_fd == fd)
				report->part[k].gmem_fd = -1;
		if (fd >= 0)
			close(fd);
	}
	free(report->part);
	if (report->has_process)
		process_close(&report->process);
	*report = (struct vm_report){ 0 };
}
