// SPDX-License-Identifier: MIT
/*
 * Tests that a failure names the file, the mount or the kernel option that is missing, and
 * so what to do.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "kernel.h"
#include "offmap.h"
#include "tap.h"
#include "vmm_file.h"

#ifndef DEBUGFS_MAGIC
#define DEBUGFS_MAGIC 0x64626720
#endif

int __wrap_statfs(const char *path, struct statfs *ret);
int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);

/* What is at the place of debugfs. */
static enum { MOUNTED, NOT_MOUNTED, NO_DIRECTORY } debugfs;

int __wrap_statfs(const char *path, struct statfs *ret)
{
	if (strcmp(path, "/sys/kernel/debug") || debugfs == NO_DIRECTORY) {
		errno = ENOENT;
		return -1;
	}
	*ret = (struct statfs){ .f_type = debugfs == MOUNTED ? DEBUGFS_MAGIC : SYSFS_MAGIC };
	return 0;
}

/* Has the page tables, as an empty file, and no kcore. */
static bool no_kcore;

int __wrap_open(const char *path, int flags, ...)
{
	if (no_kcore && !strcmp(path, "/proc/kcore")) {
		errno = ENOENT;
		return -1;
	}
	return __real_open(no_kcore && !strcmp(path, PTDUMP_FILE) ? "/dev/null" : path, flags);
}

static void says(const char *text, const char *thing, const char *remedy)
{
	char claim[256];
	bool good = text && strstr(text, thing) && strstr(text, remedy);

	snprintf(claim, sizeof(claim), "advice: %s: %s", thing, remedy);
	if (!good)
		printf("# %s\n", text ? text : "nothing");
	ok(good, claim);
}

#define MEMSLOTS "/sys/kernel/debug/kvm"

static void test_sources(void)
{
	static const struct {
		const char *(*advice)(int error);
		int error;
		int debugfs;
		const char *thing, *remedy;
	} rows[] = {
		{ kernel_tables_advice, ENOENT, MOUNTED, PTDUMP_FILE, "CONFIG_PTDUMP_DEBUGFS" },
		{ kernel_tables_advice, ENOENT, NOT_MOUNTED, "debugfs is not mounted",
		  "mount -t debugfs debugfs /sys/kernel/debug" },
		{ kernel_tables_advice, ENOENT, NO_DIRECTORY, "/sys/kernel/debug", "CONFIG_DEBUG_FS" },
		{ kernel_tables_advice, EACCES, MOUNTED, "/sys/kernel/debug", "root" },
		{ kernel_tables_advice, EPERM, MOUNTED, "/sys/kernel/debug", "lockdown" },
		{ kernel_tables_advice, EPROTO, MOUNTED, PTDUMP_FILE, "install" },
		{ kernel_tables_advice, EIO, MOUNTED, PTDUMP_FILE, "cannot be read" },
		{ kernel_tables_advice, ENODATA, MOUNTED, PTDUMP_FILE, "CONFIG_PROC_KCORE" },
		{ kernel_memslots_advice, ENOENT, MOUNTED, MEMSLOTS, "lacks the series" },
		{ kernel_memslots_advice, ENOENT, NOT_MOUNTED, "debugfs is not mounted",
		  "mount -t debugfs debugfs /sys/kernel/debug" },
		{ kernel_memslots_advice, ENOENT, NO_DIRECTORY, "/sys/kernel/debug", "CONFIG_DEBUG_FS" },
		{ kernel_memslots_advice, EACCES, MOUNTED, "/sys/kernel/debug", "root" },
		{ kernel_memslots_advice, EPROTO, MOUNTED, MEMSLOTS, "install" },
		{ kernel_memslots_advice, ENODATA, MOUNTED, MEMSLOTS, "install" },
		{ kernel_memslots_advice, EIO, MOUNTED, MEMSLOTS, "cannot be read" },
		{ kernel_kcore_advice, ENOENT, MOUNTED, "/proc/kcore", "CONFIG_PROC_KCORE" },
		{ kernel_kcore_advice, EACCES, MOUNTED, "/proc/kcore", "CAP_SYS_RAWIO" },
		{ kernel_kcore_advice, EPERM, MOUNTED, "/proc/kcore", "lockdown" },
		{ kernel_kcore_advice, EIO, MOUNTED, "/proc/kcore", "cannot be read" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		debugfs = rows[i].debugfs;
		says(rows[i].advice(rows[i].error), rows[i].thing, rows[i].remedy);
	}
}

/* debugfs/kvm is there on any kernel with KVM. */
static void test_audit(void)
{
	debugfs = MOUNTED;
	ok(!kernel_audit_advice(0, 0, true), "advice: audit can judge");
	says(kernel_audit_advice(0, 0, false), MEMSLOTS, "lacks the series");
	says(kernel_audit_advice(0, EACCES, true), "/sys/kernel/debug", "root");
	says(kernel_audit_advice(ENOENT, 0, true), PTDUMP_FILE, "CONFIG_PTDUMP_DEBUGFS");
}

/* A kernel that has page tables, and no kcore. */
static void test_no_kcore(void)
{
	int tables, kcore;

	no_kcore = true;
	kernel_find_sources(&tables, &kcore);
	no_kcore = false;
	is_int(kcore, ENOENT, "no kcore");
	is_int(tables, PTDUMP_NEEDS_KCORE ? ENODATA : 0,
	       "no kcore: the page tables are of use, except on arm64");
}

static void test_reasons(void)
{
	static const struct {
		uint32_t reason;
		const char *thing, *remedy;
	} rows[] = {
		{ OFFMAP_REASON_NO_KVM, "/dev/kvm", "the kernel lacks KVM, or the CPU virtualisation" },
		{ OFFMAP_REASON_KVM_DENIED, "/dev/kvm", "be in its group" },
		{ OFFMAP_REASON_KVM_FAILS, "/dev/kvm", "cannot be opened" },
		{ OFFMAP_REASON_KVM_API, "KVM", "version 12" },
		{ OFFMAP_REASON_NO_VM, "KVM", "cannot create a VM" },
		{ OFFMAP_REASON_NO_GUEST_MEMFD, "guest_memfd", "the kernel or the type of the VM" },
		{ OFFMAP_REASON_NO_FLAG, "GUEST_MEMFD_FLAG_NO_DIRECT_MAP", "lacks the series" },
	};
	size_t nr = sizeof(rows) / sizeof(rows[0]);

	for (size_t i = 0; i < nr; i++)
		says(offmap_reason(rows[i].reason), rows[i].thing, rows[i].remedy);
	/* a new reason needs a row */
	ok(strstr(offmap_reason(nr + 1), "does not know"), "advice: all reasons are in this table");
}

static void test_vmms(void)
{
	says(vmm_verdict_text(VMM_NOT_FOUND), "is not there", "");
	says(vmm_verdict_text(VMM_NOT_EXECUTABLE), "executable", "");
	says(vmm_verdict_text(VMM_FOREIGN), "another machine", "");
	says(vmm_verdict_text(VMM_PRIVILEGED), "setuid", "run it as root");
}

int main(void)
{
	test_sources();
	test_audit();
	test_no_kcore();
	test_reasons();
	test_vmms();
	return done();
}
