// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "procfs.h"
#include "vmas.h"

/* <linux/fs.h> of Linux 6.11 */
struct map_query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};

#define MAP_QUERY _IOWR('f', 17, struct map_query)
#define MAP_QUERY_RWX 0x07
#define MAP_QUERY_COVERING_OR_NEXT 0x10

static void read_flags(const char *line, struct ram_vma *vma)
{
	vma->userfaultfd = strstr(line, " um") || strstr(line, " uw") || strstr(line, " ui");
	vma->hugetlb = strstr(line, " ht");
	vma->dont_fork = strstr(line, " dc");
	vma->dont_dump = strstr(line, " dd");
}

static int add(struct ram_vma **vmas, size_t *nr, const struct vma *vma)
{
	struct ram_vma *more = realloc(*vmas, (*nr + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	*vmas = more;
	more += (*nr)++;
	*more = (struct ram_vma){
		.start = vma->start, .end = vma->end, .writable = vma->writable,
		.shared = vma->shared, .offset = vma->offset, .inode = vma->inode,
	};
	snprintf(more->path, sizeof(more->path), "%s", vma->path);
	return 0;
}

int vmas_read(pid_t pid, uint64_t addr, uint64_t until, struct ram_vma **ret_vmas,
	      size_t *ret_nr)
{
	struct ram_vma *vmas = NULL;
	size_t nr = 0, space = 0;
	bool inside = false;
	char *line = NULL;
	uint64_t kib;
	struct vma vma;
	char path[64];
	int err = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!err && getline(&line, &space, file) > 0) {
		if (procfs_parse_vma(line, &vma)) {
			if (vma.start >= until)
				break;
			inside = vma.end > addr;
			if (inside)
				err = add(&vmas, &nr, &vma);
		} else if (inside && sscanf(line, "KernelPageSize: %" SCNu64, &kib) == 1) {
			vmas[nr - 1].page_size = kib << 10;
		} else if (inside && !strncmp(line, "VmFlags:", 8)) {
			read_flags(line, &vmas[nr - 1]);
		}
	}
	if (!err && ferror(file))
		err = -EIO;
	free(line);
	fclose(file);
	if (err) {
		free(vmas);
		return err;
	}
	*ret_vmas = vmas;
	*ret_nr = nr;
	return 0;
}

int vmas_open(pid_t pid, struct vmas *ret_vmas)
{
	struct vmas vmas;
	struct vma_at at;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	vmas.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (vmas.fd < 0)
		return -errno;
	err = vmas_at(&vmas, 0, &at);
	if (err == -ENOTTY) {
		close(vmas.fd);
		return err;
	}
	*ret_vmas = vmas;
	return 0;
}

void vmas_close(struct vmas *vmas)
{
	close(vmas->fd);
}

int vmas_at(const struct vmas *vmas, uint64_t addr, struct vma_at *ret)
{
	struct map_query query = {
		.size = sizeof(query),
		.query_flags = MAP_QUERY_COVERING_OR_NEXT,
		.query_addr = addr,
	};

	*ret = (struct vma_at){ 0 };
	if (ioctl(vmas->fd, MAP_QUERY, &query))
		return -errno;
	*ret = (struct vma_at){
		.start = query.vma_start, .end = query.vma_end,
		.offset = query.vma_offset, .inode = query.inode,
		.accessible = query.vma_flags & MAP_QUERY_RWX,
	};
	return 0;
}
