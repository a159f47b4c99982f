// SPDX-License-Identifier: MIT
/*
 * hibernate_late KIND   Makes memory of that kind after hibernation has begun.
 *
 * The process that hibernates by /dev/snapshot is not frozen with the others.  It makes
 * the memory after the kernel has checked whether it can hibernate, and before the image.
 * Needs "freezer" in /sys/power/pm_test: then the kernel goes as far as the image, and
 * reports success.
 *
 * Exit: 0 refused as busy, and not without such memory; 1 not so, 2 unknown.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/suspend_ioctls.h>

#include "mem.h"

#define NR_PAGES 16

/* 0 or -errno */
static int make_image(int snapshot)
{
	int in_suspend, err;

	if (ioctl(snapshot, SNAPSHOT_FREEZE)) {
		perror("SNAPSHOT_FREEZE");
		return -ENOTTY;
	}
	err = ioctl(snapshot, SNAPSHOT_CREATE_IMAGE, &in_suspend) ? -errno : 0;
	if (ioctl(snapshot, SNAPSHOT_UNFREEZE)) {
		perror("SNAPSHOT_UNFREEZE");
		return -ENOTTY;
	}
	return err;
}

/* The result of an image where KIND, if there is one, is made late. */
static int try(const struct mem_kind *kind)
{
	struct mem mem;
	int snapshot, err;

	snapshot = open("/dev/snapshot", O_RDONLY | O_CLOEXEC);
	if (snapshot < 0) {
		perror("/dev/snapshot");
		return -ENOTTY;
	}
	if (kind && (mem_open(&mem, kind, NR_PAGES) || mem_populate(&mem)))
		return -ENOTTY;
	err = make_image(snapshot);
	if (kind && mem_close(&mem))
		err = -ENOTTY;
	close(snapshot);
	return err;
}

int main(int argc, char **argv)
{
	const struct mem_kind *kind = argc == 2 ? mem_kind_by_name(argv[1]) : NULL;
	int with, without;

	if (!kind) {
		fprintf(stderr, "usage: hibernate_late KIND\nkinds: %s\n",
			mem_kind_names());
		return 2;
	}
	if (mem_no_limit())
		return 2;
	without = try(NULL);
	with = try(kind);
	printf("without such memory: %s\nwith it: %s\n", strerror(-without),
	       strerror(-with));
	if (without || with == -ENOTTY)
		return 2;
	return with != -EBUSY;
}
