// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

/* Of a VMM without the shim, mappings that could hold a guest. */
#define MIN_MAPPING (1UL << 20)

static struct area *add_area(struct vm_report *report)
{
	struct area *more;

	more = realloc(report->area, (report->nr_areas + 1) * sizeof(*more));
	if (!more)
		return NULL;
	report->area = more;
	more[report->nr_areas] = (struct area){
		.pid = report->vm.pid, .slot.gmem_fd = -1
	};
	return &more[report->nr_areas++];
}

/* A list is written while we read it: try until it is whole. */
static int read_slots(const struct vm_process *vm, struct slot_line **slots, size_t *nr)
{
	int fd = procfs_take_fd(vm->pid, vm->slots_fd);
	int err, tries = 100;

	if (fd < 0)
		return fd;
	while ((err = slots_read(fd, slots, nr)) == -EAGAIN && --tries)
		usleep(10000);
	close(fd);
	return err;
}

static int add_slots(struct vm_report *report)
{
	struct slot_line *slots;
	struct area *area;
	size_t nr;
	int err;

	err = read_slots(&report->vm, &slots, &nr);
	for (size_t i = 0; !err && i < nr; i++) {
		if (slots[i].vm_fd != report->vm.vm_fd)
			continue;
		area = add_area(report);
		if (area)
			area->slot = slots[i];
		else
			err = -ENOMEM;
	}
	if (!err)
		free(slots);
	return err;
}

static int add_mappings(struct vm_report *report)
{
	pid_t pid = report->vm.pid;
	struct area *area;
	struct vma *vmas;
	size_t nr;
	int err = procfs_vmas(pid, &vmas, &nr);

	for (size_t i = 0; !err && i < nr; i++) {
		const struct vma *v = &vmas[i];
		bool gmem = strstr(v->path, "kvm-gmem") != NULL;

		if (!gmem && (!v->writable || v->end - v->start < MIN_MAPPING ||
			      v->path[0] == '['))
			continue;
		area = add_area(report);
		if (!area) {
			err = -ENOMEM;
			break;
		}
		area->slot = (struct slot_line){
			.addr = v->start, .size = v->end - v->start,
			.kind = SLOT_UNKNOWN, .gmem_fd = -1,
			.gmem_offset = v->offset,
		};
		snprintf(area->path, sizeof(area->path), "%.63s",
			 *v->path ? v->path : "anonymous");
		if (gmem) {
			area->slot.gmem_fd = procfs_find_fd(pid, v->inode, "kvm-gmem");
			/* closed by the VMM: its own page tables have to do */
			if (area->slot.gmem_fd < 0)
				area->slot.gmem_fd = -1;
			area->partly = area->slot.gmem_fd < 0;
		}
	}
	if (!err)
		free(vmas);
	return err;
}

void report_find(struct vm_report *report)
{
	int err;

	report->from_shim = report->vm.slots_fd >= 0;
	err = report->from_shim ? add_slots(report) : add_mappings(report);
	if (err)
		report->error = -err;
	for (size_t i = 0; i < report->nr_areas; i++)
		area_find_frames(&report->area[i]);
}

static bool is_known(enum slot_kind kind)
{
	return kind == SLOT_ROM || kind == SLOT_WINDOW;
}

void report_judge(struct vm_report *report, const struct kernel_view *view)
{
	bool blind = report->error || !report->nr_areas;

	for (size_t i = 0; i < report->nr_areas; i++) {
		struct area *area = &report->area[i];

		area_judge(area, view);
		report->present += area->present;
		if (is_known(area->slot.kind))
			report->known += area->reachable;
		else
			report->reachable += area->reachable;
		/* without the page tables, blank pages were not looked at */
		if (area->error || area->partly || (!view->tables && area->blank))
			blind = true;
	}
	report->verdict = report->reachable ? REACHABLE : blind ? UNKNOWN : ABSENT;
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

void report_free(struct vm_report *report)
{
	for (size_t i = 0; i < report->nr_areas; i++)
		area_free(&report->area[i]);
	free(report->area);
}
