// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "huge.h"
#include "kernel.h"
#include "page.h"

#define DEBUGFS "/sys/kernel/debug"
#define DEBUGFS_MAGIC 0x64626720

void kernel_view_open(struct kernel_view *ret_view)
{
	*ret_view = (struct kernel_view){
		.page_flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC),
	};
	ret_view->kcore_error = -kcore_open(&ret_view->kcore);
	ret_view->tables_error = -ptdump_read(&ret_view->tables);
}

void kernel_view_close(struct kernel_view *view)
{
	ptdump_free(view->tables);
	kcore_close(view->kcore);
	if (view->page_flags >= 0)
		close(view->page_flags);
	*view = (struct kernel_view){ .page_flags = -1 };
}

/* Pages are aligned to their size: a smaller one ends, or starts, in the middle. */
bool kernel_is_huge(const struct kernel_view *view, uint64_t pfn)
{
	uint64_t pages = HUGE_BYTES / page_bytes(), flags;
	off_t middle = (pfn & ~(pages - 1)) + pages / 2;

	return view->page_flags >= 0 &&
	       pread(view->page_flags, &flags, sizeof(flags), middle * sizeof(flags)) ==
	       sizeof(flags) && flags & 1ULL << KPF_COMPOUND_TAIL;
}

void kernel_find_sources(int *ret_tables, int *ret_kcore)
{
	int tables = open(PTDUMP_FILE, O_RDONLY | O_CLOEXEC);
	struct kcore *kcore;

	*ret_tables = tables < 0 ? errno : 0;
	if (tables >= 0)
		close(tables);
	*ret_kcore = -kcore_open(&kcore);
	if (!*ret_kcore)
		kcore_close(kcore);
	else if (PTDUMP_NEEDS_KCORE && !*ret_tables)
		*ret_tables = ENODATA;
}

#define MEMSLOTS "KVM's list of memslots in " DEBUGFS "/kvm"
#define SAME_RELEASE ": install the offmap of this kernel's release"

/* missing: the advice if debugfs lacks the file; unreadable: if it has the file. */
static const char *debugfs_advice(int error, const char *missing, const char *unreadable)
{
	struct statfs fs;

	if (error == EACCES || error == EPERM)
		return "only root can read " DEBUGFS ", and nobody under lockdown";
	if (error != ENOENT)
		return unreadable;
	if (statfs(DEBUGFS, &fs))
		return "there is no " DEBUGFS ": the kernel lacks CONFIG_DEBUG_FS, or sysfs is not mounted";
	if (fs.f_type != DEBUGFS_MAGIC)
		return "debugfs is not mounted: mount -t debugfs debugfs " DEBUGFS;
	return missing;
}

const char *kernel_tables_advice(int error)
{
	if (error == EPROTO)
		return PTDUMP_FILE " does not show the direct map in a form that is known" SAME_RELEASE;
	if (error == ENODATA)
		return "where the direct map is in " PTDUMP_FILE ", only /proc/kcore tells: it takes CONFIG_PROC_KCORE and CAP_SYS_RAWIO, and no lockdown=confidentiality";
	return debugfs_advice(error, "there is no " PTDUMP_FILE ": the kernel lacks CONFIG_PTDUMP_DEBUGFS",
			      PTDUMP_FILE " cannot be read");
}

const char *kernel_kcore_advice(int error)
{
	if (error == ENOENT)
		return "there is no /proc/kcore: the kernel lacks CONFIG_PROC_KCORE";
	if (error == EACCES || error == EPERM)
		return "only root with CAP_SYS_RAWIO can read /proc/kcore, and nobody under lockdown=confidentiality";
	return "/proc/kcore cannot be read";
}

const char *kernel_memslots_advice(int error)
{
	if (error == EPROTO || error == ENODATA)
		return MEMSLOTS " has a form that is not known" SAME_RELEASE;
	return debugfs_advice(error, "KVM does not list its memslots in " DEBUGFS "/kvm: the kernel lacks the series, or has an older one",
			      MEMSLOTS " cannot be read");
}

const char *kernel_audit_advice(int tables, int memslots, bool has_series)
{
	if (tables)
		return kernel_tables_advice(tables);
	if (memslots)
		return kernel_memslots_advice(memslots);
	/* any KVM has its directory */
	return has_series ? NULL : kernel_memslots_advice(ENOENT);
}
