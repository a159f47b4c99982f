// SPDX-License-Identifier: MIT
/* Tests audit on memory that changes or fails during the look, and on hostile processes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kernel-page-flags.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "area.h"
#include "audit.h"
#include "cmd.h"
#include "fuse_file.h"
#include "huge.h"
#include "look.h"
#include "page.h"
#include "report.h"
#include "tap.h"
#include "vms.h"

#define PAGES 4
#define PAGE page_bytes()
/* Of the smallest page of any machine. */
#define MOST_PAGES (PAGES + HUGE_BYTES / 4096)

/* The linker has audit call these instead of the system's functions. */
int __wrap_mincore(void *addr, size_t size, unsigned char *ret);
int __wrap_fstatfs(int fd, struct statfs *ret);
int __real_fstatfs(int fd, struct statfs *ret);
int __wrap_process_frames(struct process *process, uint64_t addr, size_t nr,
			  uint64_t *ret_pfns);
bool __wrap_process_is_empty(struct process *process, uint64_t addr, uint64_t size);
int __wrap_memslots_read(int fd, struct memslots *ret);
int __real_memslots_read(int fd, struct memslots *ret);
int __wrap_process_take_gmem(const struct process *process, uint64_t inode);
int __real_process_take_gmem(const struct process *process, uint64_t inode);
int __wrap_sigaction(int sig, const struct sigaction *act, struct sigaction *old);
int __real_sigaction(int sig, const struct sigaction *act, struct sigaction *old);
ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nr_local,
				const struct iovec *remote, unsigned long nr_remote,
				unsigned long flags);
ssize_t __real_process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nr_local,
				const struct iovec *remote, unsigned long nr_remote,
				unsigned long flags);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t at);
ssize_t __real_pread(int fd, void *to, size_t size, off_t at);
int __wrap_madvise(void *addr, size_t size, int advice);
int __real_madvise(void *addr, size_t size, int advice);

/* Frame of each page from base on, and whether the direct map or kcore has it. */
static uint64_t frame[MOST_PAGES];
static size_t nr_frames = PAGES;
static uintptr_t base;
static uint64_t in_tables, in_core;
static uint8_t contents;
static bool no_tables, no_kcore;
/* A frame that kcore has no segment for. */
static uint64_t core_lacks;
/* Reads of lists of memslots, and searches through the descriptors of a process. */
static int nr_lists_read, nr_searches;
/* Calls to map pages, and to read kcore, and the pages that were read there. */
static int nr_mapped, nr_core_reads, nr_core_pages;
/* Other calls of the system. */
static int nr_sigactions, nr_process_reads, nr_preads;
/* Lets the file system of a memfd, or any file system, pass for that of guest_memfd. */
static bool all_are_gmem;
static bool look_everywhere;
static struct process self;
static int gmem;
static uint64_t gmem_inode;
/* What the VMM does during the look, once. */
static void (*during_look)(void);

int __wrap_mincore(void *addr, size_t size, unsigned char *ret)
{
	base = (uintptr_t)addr;
	for (size_t i = 0; i < size / PAGE; i++)
		ret[i] = i < nr_frames && frame[i] != 0;
	return 0;
}

int __wrap_fstatfs(int fd, struct statfs *ret)
{
	int err = __real_fstatfs(fd, ret);

	if (!err && (all_are_gmem || ret->f_type == TMPFS_MAGIC))
		ret->f_type = 0x474d454d;
	return err;
}

bool __wrap_process_is_empty(struct process *process, uint64_t addr, uint64_t size)
{
	(void)process;
	return !look_everywhere && (base < addr || base >= addr + size);
}

int __wrap_process_frames(struct process *process, uint64_t addr, size_t nr,
			  uint64_t *ret_pfns)
{
	(void)process;
	if (during_look)
		during_look();
	during_look = NULL;
	/* arrays are cleared at allocation; clearing large ones again takes long */
	for (size_t i = 0; i < nr_frames && i < nr; i++)
		if (addr + i * PAGE >= base && addr + i * PAGE < base + nr_frames * PAGE)
			ret_pfns[i] = frame[(addr - base) / PAGE + i];
	return 0;
}

int __wrap_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	nr_sigactions++;
	return __real_sigaction(sig, act, old);
}

ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nr_local,
				const struct iovec *remote, unsigned long nr_remote,
				unsigned long flags)
{
	nr_process_reads++;
	return __real_process_vm_readv(pid, local, nr_local, remote, nr_remote, flags);
}

ssize_t __wrap_pread(int fd, void *to, size_t size, off_t at)
{
	nr_preads++;
	return __real_pread(fd, to, size, at);
}

int __wrap_memslots_read(int fd, struct memslots *ret)
{
	nr_lists_read++;
	return __real_memslots_read(fd, ret);
}

int __wrap_process_take_gmem(const struct process *process, uint64_t inode)
{
	nr_searches++;
	return __real_process_take_gmem(process, inode);
}

int __wrap_madvise(void *addr, size_t size, int advice)
{
	nr_mapped++;
	return __real_madvise(addr, size, advice);
}

int ptdump_read(struct ptdump **ret)
{
	*ret = (void *)1;
	return no_tables ? *ret = NULL, -ENOENT : 0;
}

void ptdump_free(struct ptdump *dump)
{
	(void)dump;
}

bool ptdump_maps_pfn(const struct ptdump *dump, uint64_t pfn)
{
	(void)dump;
	return pfn == in_tables;
}

int kcore_open(struct kcore **ret)
{
	*ret = (void *)1;
	return no_kcore ? *ret = NULL, -ENOENT : 0;
}

void kcore_close(struct kcore *kcore)
{
	(void)kcore;
}

int kcore_read_frames(const struct kcore *kcore, uint64_t pfn, size_t nr, void *to)
{
	(void)kcore;
	nr_core_reads++;
	nr_core_pages += nr;
	if (core_lacks >= pfn && core_lacks < pfn + nr)
		return -ENOENT;
	for (size_t i = 0; i < nr; i++)
		memset((char *)to + i * PAGE, pfn + i == in_core ? contents : 0, PAGE);
	return 0;
}

/* Frames 100, 101, ... of a guest_memfd, all with contents. */
static struct area new_area(void)
{
	struct area area = { .process = &self, .pages = PAGES };
	uint8_t page[PAGE_MAX_BYTES];
	struct stat st;

	in_tables = in_core = 0;
	contents = 0x5a;
	memset(page, contents, PAGE);
	gmem = memfd_create("[kvm-gmem]", MFD_CLOEXEC);
	for (int i = 0; i < PAGES; i++) {
		frame[i] = 100 + i;
		if (pwrite(gmem, page, PAGE, i * PAGE) != (ssize_t)PAGE)
			abort();
	}
	if (fstat(gmem, &st))
		abort();
	gmem_inode = st.st_ino;
	area.gmem_fd = gmem;
	return area;
}

static int page_flags = -1;

static void judge(struct area *area)
{
	struct kernel_view view = {
		.tables = (void *)1, .kcore = (void *)1, .page_flags = page_flags,
	};

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

static int64_t blocks_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		abort();
	return st.st_blocks;
}

/* 256 GiB take too long if each page takes a call of the system. */
static void test_calls(void)
{
	struct area area = new_area();
	int64_t blocks;

	frame[2] = 0;
	if (fallocate(gmem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, PAGE))
		abort();
	blocks = blocks_of(gmem);
	nr_mapped = nr_core_reads = nr_core_pages = 0;
	area_find_frames(&area);
	is_int(area.present, PAGES - 1, "calls: a page that the file lacks is not present");
	is_int(blocks_of(gmem), blocks, "calls: nor is it allocated");
	is_int(nr_mapped, 2, "calls: one maps all pages up to a hole");
	judge(&area);
	is_int(nr_core_reads, 2, "calls: one reads frames that follow on each other");
	is_int(nr_core_pages, PAGES - 1, "calls: each of them is read");
}

/* Frames 103, 101, 102, 100, as a guest that has run for a while has them. */
static void shuffle(void)
{
	frame[0] = 103;
	frame[3] = 100;
}

static void test_shuffled(void)
{
	struct area area = new_area();

	/* the other pages have other contents */
	for (int i = 0; i < PAGES; i++)
		if (i && pwrite(gmem, (uint8_t[64]){ i }, 64, i * PAGE) != 64)
			abort();
	shuffle();
	in_tables = 100;
	in_core = 103;
	nr_core_reads = nr_core_pages = nr_sigactions = 0;
	area_find_frames(&area);
	judge(&area);
	is_int(nr_core_reads, 1, "shuffled frames: kcore is read once");
	is_int(nr_core_pages, PAGES, "shuffled frames: each page is");
	is_int(nr_sigactions, 2, "shuffled frames: SIGBUS is caught once");
	is_int(area.in_core, 1, "shuffled frames: a page is compared with its own frame");
	is_int(area.reachable, 2, "shuffled frames: each is judged by its own frame");
}

/* Ordinary memory is read through the process. */
static void test_shuffled_process(void)
{
	uint8_t *mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct area area = new_area();

	area.gmem_fd = -1;
	area.addr = base = (uintptr_t)mem;
	for (int i = 0; i < PAGES; i++)
		memset(mem + i * PAGE, i ? i : contents, PAGE);
	shuffle();
	in_core = 103;
	nr_core_reads = nr_process_reads = nr_preads = 0;
	area_find_frames(&area);
	judge(&area);
	is_int(nr_core_reads, 1, "shuffled frames of a process: kcore is read once");
	is_int(nr_process_reads, 1, "shuffled frames of a process: as is the process");
	is_int(nr_preads, 0, "shuffled frames of a process: and no page alone");
	is_int(area.in_core, 1, "shuffled frames of a process: a page is compared with its own frame");
	/* one page cannot be read: the others are */
	area = new_area();
	area.gmem_fd = -1;
	area.addr = base = (uintptr_t)mem;
	munmap(mem + 2 * PAGE, PAGE);
	in_core = 103;
	memset(mem + 3 * PAGE, contents, PAGE);
	area_find_frames(&area);
	judge(&area);
	is_int(area.in_core, 1, "a page of a process that cannot be read: the others are");
	is_int(area.blank, 1, "a page of a process that cannot be read: it is not judged");
	munmap(mem, 2 * PAGE);
	munmap(mem + 3 * PAGE, PAGE);
}

static void test_blank(void)
{
	static const uint8_t zeroes[PAGE_MAX_BYTES];
	struct area area = new_area();

	if (pwrite(gmem, zeroes, PAGE, PAGE) != (ssize_t)PAGE)
		abort();
	area_find_frames(&area);
	in_tables = 101;
	in_core = 102;
	nr_core_pages = 0;
	judge(&area);
	is_int(area.blank, 1, "a blank page is counted");
	is_int(nr_core_pages, PAGES - 1, "a blank page: kcore proves nothing, and is not read");
	is_int(area.reachable, 2, "a blank page: the page tables tell; the others are compared");
	/* one byte, the last, is enough */
	area = new_area();
	if (pwrite(gmem, zeroes, PAGE, PAGE) != (ssize_t)PAGE ||
	    pwrite(gmem, "x", 1, 2 * PAGE - 1) != 1)
		abort();
	area_find_frames(&area);
	nr_core_pages = 0;
	judge(&area);
	is_int(area.blank, 0, "a page with one byte is not blank");
	is_int(nr_core_pages, PAGES, "a page with one byte is read in kcore");
}

static void test_core_lacks(void)
{
	struct area area = new_area();

	area_find_frames(&area);
	core_lacks = 102;
	in_core = 103;
	judge(&area);
	core_lacks = 0;
	is_int(area.blank, 1, "a frame that kcore lacks cannot be judged by it");
	is_int(area.in_core, 1, "a frame that kcore lacks: those around it are");
}

/* Some small pages, then frames that follow on each other from the first on. */
static struct area huge_area(uint64_t first)
{
	uint64_t pages = HUGE_BYTES / PAGE;
	struct area area = new_area();
	uint8_t page[PAGE_MAX_BYTES];

	memset(page, contents, PAGE);
	nr_frames = area.pages = PAGES + pages;
	if (ftruncate(gmem, nr_frames * PAGE) ||
	    pwrite(gmem, page, PAGE, PAGES * PAGE) != (ssize_t)PAGE)
		abort();
	for (uint64_t i = 0; i < pages; i++)
		frame[PAGES + i] = first + i;
	return area;
}

static uint64_t huge_in(uint64_t first, size_t changed)
{
	struct area area = huge_area(first);

	if (changed)
		frame[changed]++;
	area_find_frames(&area);
	judge(&area);
	is_int(area.present, nr_frames, "huge pages: all are present");
	nr_frames = PAGES;
	return area.huge;
}

static void test_huge(void)
{
	uint64_t pages = HUGE_BYTES / PAGE, tail = 1ULL << KPF_COMPOUND_TAIL;
	struct area area;

	is_int(huge_in(4 * pages, 0), 0, "huge pages: none is known without /proc/kpageflags");
	page_flags = memfd_create("kpageflags", MFD_CLOEXEC);
	for (uint64_t i = 1; i < pages; i++)
		if (pwrite(page_flags, &tail, 8, (4 * pages + i) * 8) != 8)
			abort();
	is_int(huge_in(4 * pages, 0), pages, "huge pages: one is counted");
	is_int(huge_in(2 * pages, 0), 0, "huge pages: small ones in a row are not");
	is_int(huge_in(4 * pages + 1, 0), 0, "huge pages: a part of one is not");
	is_int(huge_in(4 * pages, PAGES + 7), 0, "huge pages: one that is split is not");
	area = huge_area(4 * pages);
	area_find_frames(&area);
	ok(huge_agrees(base, 0), "huge pages: the file is mapped where they fit");
	in_tables = 4 * pages + 3;
	in_core = 4 * pages;
	judge(&area);
	is_int(area.reachable, 2, "huge pages: each of their pages is judged");
	is_int(area.huge, pages, "huge pages: whatever comes of it");
	area = huge_area(4 * pages);
	area_find_frames(&area);
	frame[PAGES + 5] = 0;
	judge(&area);
	is_int(area.present, nr_frames - 1, "huge pages: a page given back does not count");
	is_int(area.huge, pages - 1, "huge pages: nor as a part of one");
	nr_frames = PAGES;
	close(page_flags);
	page_flags = -1;
}

static void test_frames_change(void)
{
	struct area area = new_area();

	area_find_frames(&area);
	/* given back, and in the direct map again; another page has its frame now */
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

	/* a page beyond the end of the file raises SIGBUS as well */
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

/* Makes a directory that stands for KVM's in debugfs. */
static char debugfs[] = "/tmp/offmap-audit-XXXXXX";

static void write_list(pid_t creator, int vm_fd, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%d-%d", debugfs, creator, vm_fd);
	mkdir(path, 0700);
	strcat(path, "/memslots");
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file))
		abort();
}

static void remove_lists(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/*", debugfs);
	if (system(command))
		abort();
}

static struct vm_report new_report(pid_t pid)
{
	struct vm_report report = { .vm = { .pid = pid, .vm_fd = 9, .name = "test" } };

	snprintf(report.directory, sizeof(report.directory), "%d-9", pid);
	return report;
}

/* audit of this process, with these lines as its memslots; NULL: there are none. */
static struct vm_report audit_of(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static struct vm_report audit_of(const char *format, ...)
{
	struct vm_report report = new_report(getpid());
	char lines[512], text[1024];
	va_list ap;

	if (format) {
		va_start(ap, format);
		vsnprintf(lines, sizeof(lines), format, ap);
		va_end(ap);
		snprintf(text, sizeof(text), "memslots 1 process %d\n%send\n", getpid(), lines);
		write_list(getpid(), 9, text);
	}
	report_make(&report, debugfs, NULL);
	remove_lists();
	return report;
}

#define PROTECTED_SLOT "0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n"

static void verdict_is(struct vm_report *report, enum verdict wanted, const char *why,
		       const char *claim)
{
	bool good = report->verdict == wanted && strstr(report->why, why);

	if (!good)
		printf("# %s: %s\n", verdict_name(report->verdict), report->why);
	ok(good, claim);
	report_free(report);
}

static void test_verdicts(void)
{
	struct vm_report report;

	new_area();
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n",
			  gmem_inode);
	is_int(report.present, PAGES, "audit: the guest_memfd that KVM names is found");
	verdict_is(&report, ABSENT, "", "audit: absent");
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n"
			  "0 1 100000 40000 0 7e000000 memory\n", gmem_inode);
	verdict_is(&report, UNKNOWN, "memslot 1: it is ordinary memory",
		   "audit: the guest has ordinary memory that the process does not map now");
	in_tables = 102;
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n",
			  gmem_inode);
	is_int(report.reachable, 1, "audit: a page is in the page tables");
	verdict_is(&report, REACHABLE, "", "audit: reachable");
	in_tables = 0;
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 private no-direct-map\n",
			  gmem_inode);
	is_int(report.nr_parts, 2, "audit: what a guest shares is looked at, too");
	verdict_is(&report, UNKNOWN, "memslot 0: its shared pages are ordinary memory",
		   "audit: the guest shares pages that the process does not map now");
	report = audit_of("%s", "");
	verdict_is(&report, UNKNOWN, "no page", "audit: of no memslot it is not said that it is absent");
	frame[0] = frame[1] = frame[2] = frame[3] = 0;
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n",
			  gmem_inode);
	verdict_is(&report, UNKNOWN, "no page", "audit: of no page neither");
	report = audit_of(NULL);
	ok(!report.from_kvm, "audit: without the memslots these are not known");
	/* debugfs is mounted or not */
	verdict_is(&report, UNKNOWN, "/sys/kernel/debug",
		   "audit: and the verdict is unknown, with the reason");
	close(gmem);
}

/* Makes a list of the first slot, and this one. */
static const char *later_slot;

static void make_later_slot(void)
{
	char first[128], text[512];

	snprintf(first, sizeof(first), PROTECTED_SLOT, gmem_inode);
	snprintf(text, sizeof(text), "memslots 1 process %d\n%s%send\n", getpid(), first, later_slot);
	write_list(getpid(), 9, text);
}

static struct vm_report audit_with_later(const char *slot)
{
	later_slot = slot;
	during_look = make_later_slot;
	return audit_of(PROTECTED_SLOT, gmem_inode);
}

static void test_later_slots(void)
{
	struct vm_report report;
	char slot[128];

	new_area();
	report = audit_with_later("0 1 100000 5000 0 7e000000 memory\n");
	verdict_is(&report, UNKNOWN, "memslot 1: it was made during the look",
		   "later: the VMM makes a slot of ordinary memory again");
	report = audit_with_later("0 1 100000 5000 4 7e000000 guest_memfd 1 0 alone direct-map\n");
	verdict_is(&report, UNKNOWN, "memslot 1: it was made", "later: or one in the direct map");
	report = audit_with_later("0 1 100000 5000 4 7e000000 guest_memfd 1 0 alone no-direct-map\n");
	verdict_is(&report, UNKNOWN, "memslot 1: it was made", "later: or one that nobody has looked at");
	snprintf(slot, sizeof(slot), "0 1 100 4 4 7e000000 guest_memfd %" PRIu64 " 4000 alone no-direct-map\n",
		 gmem_inode);
	report = audit_with_later(slot);
	verdict_is(&report, ABSENT, "", "later: another part of the same guest_memfd is protected");
	report = audit_with_later("0 1 100000 40 2 7e000000 memory\n0 2 f0 10 0 7d000000 memory\n");
	verdict_is(&report, ABSENT, "", "later: a ROM, and the first MiB, do not change the verdict");
	report = audit_with_later("0 1 100000 1001 2 7e000000 memory\n");
	verdict_is(&report, UNKNOWN, "memslot 1: it was made", "later: more than 16 MiB of ROMs do");
	report = audit_with_later("");
	verdict_is(&report, ABSENT, "", "later: nothing");
	during_look = remove_lists;
	report = audit_of(PROTECTED_SLOT, gmem_inode);
	is_int(report.error, ESRCH, "later: the VM is not there any more");
	verdict_is(&report, UNKNOWN, "ended", "later: and has ended");
	close(gmem);
}

static void test_no_sources(void)
{
	struct vm_report report;

	new_area();
	no_tables = no_kcore = true;
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n",
			  gmem_inode);
	verdict_is(&report, UNKNOWN, "neither", "audit: unknown without page tables and kcore");
	no_kcore = false;
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n",
			  gmem_inode);
	verdict_is(&report, ABSENT, "", "audit: kcore alone tells of pages that are not blank");
	in_core = 101;
	contents = 0x77;
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n",
			  gmem_inode);
	verdict_is(&report, UNKNOWN, "blank pages", "audit: nothing of a page that kcore has with other contents");
	in_core = 0;
	if (pwrite(gmem, (uint8_t[4096]){ 0 }, 4096, 0) != 4096)
		abort();
	contents = 0;
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n",
			  gmem_inode);
	verdict_is(&report, UNKNOWN, "blank pages", "audit: but nothing of those that are");
	no_tables = false;
	close(gmem);
}

/* The guest runs on ordinary memory, and its VMM tries to hide that. */
static void test_forged_list(void)
{
	int list = memfd_create("offmap-slots", 0), decoy;
	struct vm_report report;

	new_area();
	decoy = gmem;
	dprintf(list, "offmap-slots 1 1\n9 0 0 100000 7f0000000000 protected %d 0\nend 1\n", decoy);
	base = 1UL << 30;
	in_tables = 103;
	report = audit_of("0 0 100000 4 0 %lx memory\n", 1UL << 30);
	is_int(report.reachable, 1, "a forged list: KVM's is the one that counts");
	verdict_is(&report, REACHABLE, "", "a forged list: reachable");
	close(list);
	close(decoy);
}

static void test_kinds(void)
{
	struct vm_report report;

	new_area();
	close(gmem);
	base = 1UL << 30;
	in_tables = 103;
	report = audit_of("0 0 100000 4 2 %lx memory\n", 1UL << 30);
	is_int(report.known, 1, "a ROM does not change the verdict");
	verdict_is(&report, UNKNOWN, "no page", "a ROM alone: nothing is known of the guest");
	report = audit_of("0 0 100000 1001 2 %lx memory\n", 1UL << 30);
	verdict_is(&report, REACHABLE, "", "more than 16 MiB of ROMs are memory");
	report = audit_of("0 0 0 4 0 %lx memory\n", 1UL << 30);
	is_int(report.known, 1, "the first MiB does not change the verdict");
	report_free(&report);
	report = audit_of("0 0 f0 4 0 %lx memory\n0 1 ffff0 4 0 %lx memory\n", 1UL << 30, 1UL << 30);
	is_int(report.known, 2, "the same memory elsewhere does not");
	is_int(report.reachable, 0, "and is not the guest's twice");
	report_free(&report);
	report = audit_of("0 0 f0 2 0 %lx memory\n0 1 ffff0 4 0 %lx memory\n", 1UL << 30, 1UL << 30);
	verdict_is(&report, REACHABLE, "", "more than that memory does");
	report = audit_of("0 0 0 101 0 %lx memory\n", 1UL << 30);
	verdict_is(&report, REACHABLE, "", "a slot that goes beyond it does");
	report = audit_of("0 32764 0 4 0 %lx internal\n", 1UL << 30);
	is_int(report.known, 1, "memslots of KVM's own do not change the verdict");
	report_free(&report);
}

static void test_closed_by_vmm(void)
{
	struct vm_report report;

	new_area();
	base = 1UL << 30;
	close(gmem);
	report = audit_of("0 0 0 4 4 %lx guest_memfd %" PRIu64 " 0 alone no-direct-map\n",
			  1UL << 30, gmem_inode);
	is_int(report.present, PAGES, "a guest_memfd that the VMM has closed: what it has touched is seen");
	verdict_is(&report, UNKNOWN, "closed", "but there is no telling");
	report = audit_of("0 0 0 4 4 %lx closed\n", 1UL << 30);
	verdict_is(&report, UNKNOWN, "no page", "a guest_memfd that nobody has: there is no memory");
}

static void test_unbound(void)
{
	struct vm_report report;
	int other;

	new_area();
	other = gmem;
	new_area();
	in_tables = 101;
	base = 1UL << 30;
	report = audit_of("0 0 0 4 4 7f000000 guest_memfd %" PRIu64 " 0 alone no-direct-map\n",
			  gmem_inode);
	is_int(report.nr_parts, 2, "a guest_memfd in no memslot is looked at");
	is_int(report.part[1].kind, PART_UNBOUND, "and told apart");
	report_free(&report);
	close(gmem);
	close(other);
}

#define MANY 200

/* Writes a list of one protected memslot. */
static void write_own_list(int vm_fd, uint64_t inode)
{
	char text[256];

	snprintf(text, sizeof(text), "memslots 1 process %d\n" PROTECTED_SLOT "end\n", getpid(),
		 inode);
	write_list(getpid(), vm_fd, text);
}

/* What each of them costs does not grow with their number. */
static void test_many_unbound(void)
{
	int own, others, unbound[MANY], unbound_parts = 0;
	struct vm_report report = new_report(getpid());

	new_area();
	others = gmem;
	for (int i = 0; i < MANY; i++) {
		unbound[i] = memfd_create("[kvm-gmem]", MFD_CLOEXEC);
		write_own_list(1000 + i, gmem_inode);
	}
	new_area();
	own = gmem;
	write_own_list(9, gmem_inode);
	nr_lists_read = nr_searches = 0;
	report_make(&report, debugfs, NULL);
	for (size_t i = 0; i < report.nr_parts; i++)
		unbound_parts += report.part[i].kind == PART_UNBOUND && report.part[i].gmem_fd >= 0;
	is_int(unbound_parts, MANY, "many guest_memfds in no memslot: all are looked at");
	is_int(report.nr_parts, MANY + 1, "many guest_memfds: none that another VM has");
	/* that of the VM when the look begins and ends, and once those of the process */
	is_int(nr_lists_read, MANY + 3, "many guest_memfds: each list is read once for all");
	is_int(nr_searches, 1, "many guest_memfds: only that of the memslot is searched for");
	report_free(&report);
	remove_lists();
	for (int i = 0; i < MANY; i++)
		close(unbound[i]);
	close(others);
	close(own);
}

/* The list names another process than that of the VM. */
static void test_other_process(void)
{
	struct vm_report report = new_report(getpid());

	write_list(getpid(), 9, "memslots 1 process 1\nend\n");
	report_make(&report, debugfs, NULL);
	verdict_is(&report, UNKNOWN, "ended", "a process that is not the one of the VM: unknown");
	write_list(getpid(), 9, "memslots 1 process 1\n0 0 0 1 0 ");
	report = new_report(getpid());
	report_make(&report, debugfs, NULL);
	verdict_is(&report, UNKNOWN, "form", "half a list: unknown");
	remove_lists();
}

static int told;

static void count_progress(const struct report_progress *progress, void *data)
{
	(void)progress;
	(void)data;
	told++;
}

static double seconds_of(struct vm_report *report, unsigned int limit)
{
	struct look look = {
		.debugfs = debugfs, .seconds = limit, .progress = count_progress
	};
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	look_at(&look, report);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
}

/* Memory does not grow with the claimed size. */
static void test_four_tib(void)
{
	struct vm_report report = new_report(getpid());
	char text[512];
	struct rusage usage;
	double seconds;

	base = 0;
	frame[0] = frame[1] = frame[2] = frame[3] = 0;
	snprintf(text, sizeof(text), "memslots 1 process %d\n0 0 0 20000000 0 10000 memory\n"
		 "0 1 20000000 20000000 0 10000 memory\nend\n", getpid());
	write_list(getpid(), 9, text);
	look_everywhere = true;
	seconds = seconds_of(&report, 120);
	look_everywhere = false;
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("# 4 TiB claimed: %.1f s, %ld MiB\n", seconds, usage.ru_maxrss >> 10);
	is_int(report.nr_parts, 2, "4 TiB claimed: all of it was looked at");
	ok(usage.ru_maxrss < 512 << 10, "4 TiB claimed: in less than 512 MiB");
	verdict_is(&report, UNKNOWN, "ordinary memory", "4 TiB claimed: unknown");
	remove_lists();
}

static pid_t start_victim(const char *path, int *ret_fd)
{
	int ready[2];
	pid_t pid;

	if (pipe(ready))
		abort();
	pid = fork();
	if (!pid) {
		int fd = path ? open(path, O_RDWR) : -1;

		if (write(ready[1], &fd, sizeof(fd)) != sizeof(fd))
			_exit(1);
		for (;;)
			pause();
	}
	if (read(ready[0], ret_fd, sizeof(*ret_fd)) != sizeof(*ret_fd))
		abort();
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void stop_victim(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A list that never finishes opening. */
static void make_endless_list(pid_t pid)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%d-9", debugfs, pid);
	mkdir(path, 0700);
	strcat(path, "/memslots");
	if (mkfifo(path, 0600))
		abort();
}

static void test_dying(void)
{
	char text[128];
	struct vm_report report;
	int fd;
	pid_t pid = start_victim(NULL, &fd);

	report = new_report(pid);
	make_endless_list(pid);
	told = 0;
	ok(seconds_of(&report, 1) < 5, "a look without an end: it is ended");
	ok(told >= 2, "a look without an end: meanwhile there is a sign of life");
	verdict_is(&report, UNKNOWN, "within 1 seconds", "a look without an end: unknown");
	remove_lists();
	snprintf(text, sizeof(text), "memslots 1 process %d\nend\n", pid);
	write_list(pid, 9, text);
	report = new_report(pid);
	stop_victim(pid);
	seconds_of(&report, 10);
	is_int(report.error, ESRCH, "a VM that dies meanwhile: its process is not another one");
	verdict_is(&report, UNKNOWN, "ended", "a VM that dies meanwhile: unknown");
	remove_lists();
}

#define FUSE_INODE 47

/* The server does not answer to the close, which then does not finish. */
static void test_fuse(void)
{
	struct fuse_file file;
	const char *why = fuse_file_start(&file, "[kvm-gmem]", FUSE_INODE);
	struct vm_report report;
	char text[256];
	pid_t pid;
	int fd;

	if (why) {
		skip("a descriptor of FUSE under the name of guest_memfd", why);
		return;
	}
	pid = start_victim(file.path, &fd);
	ok(fd >= 0, "a process has a descriptor of FUSE under the name of guest_memfd");
	snprintf(text, sizeof(text), "memslots 1 process %d\n0 0 0 4 4 %lx guest_memfd %d 0 alone no-direct-map\nend\n",
		 pid, 1UL << 30, FUSE_INODE);
	write_list(pid, 9, text);
	report = new_report(pid);
	ok(seconds_of(&report, 20) < 10, "FUSE: it is not taken, and nobody waits");
	verdict_is(&report, UNKNOWN, "", "FUSE: unknown");
	/* as if it were taken */
	all_are_gmem = true;
	report = new_report(pid);
	ok(seconds_of(&report, 1) < 10, "FUSE, taken all the same: it is left to itself");
	verdict_is(&report, UNKNOWN, "", "FUSE, taken all the same: unknown");
	all_are_gmem = false;
	fuse_file_stop(&file);
	stop_victim(pid);
	remove_lists();
}

static void test_finding(void)
{
	struct vm_entry *vms;
	char text[64];
	size_t nr;
	int fd;
	pid_t pid;

	snprintf(text, sizeof(text), "memslots 1 process %d\nend\n", getpid());
	for (int i = 0; i < 1000; i++)
		write_list(getpid(), 1000 + i, text);
	is_int(vms_find(debugfs, getpid(), &vms, &nr), 0, "1000 VMs");
	is_int(nr, 1000, "1000 VMs: all are found");
	is_int(vms[999].vm.vm_fd, 1999, "1000 VMs: in their order");
	free(vms);
	remove_lists();
	/* created by a thread other than the first */
	write_list(1, 5, text);
	is_int(vms_find(debugfs, getpid(), &vms, &nr), 0, "a VM of a thread");
	ok(nr == 1 && vms[0].vm.pid == getpid(), "a VM of a thread: its process is found");
	free(vms);
	remove_lists();
	write_list(getpid(), 5, "memslots 1 process 0\nend\n");
	ok(!vms_find(debugfs, getpid(), &vms, &nr) && nr == 1 && vms[0].error == ESRCH,
	   "a VM whose process is gone is named");
	free(vms);
	remove_lists();
	pid = start_victim(NULL, &fd);
	stop_victim(pid);
	is_int(vms_find(debugfs, pid, &vms, &nr), -ESRCH, "no such process");
}

static int reader;
static bool is_closed;

/* Nobody but the child can have the pipe open now. */
static void ask_reader(const struct report_progress *progress, void *data)
{
	struct pollfd poll_for = { .fd = reader };

	(void)progress;
	dup2(*(int *)data, 1);
	is_closed = poll(&poll_for, 1, 0) == 1 && poll_for.revents & POLLHUP;
}

/* Somebody reads what offmap prints, and waits for the end of it. */
static void test_standard_files(void)
{
	struct vm_report report = new_report(getpid());
	int out = dup(1), pipe_fds[2];
	struct look look = {
		.debugfs = debugfs, .seconds = 1, .progress = ask_reader, .data = &out
	};

	if (pipe(pipe_fds))
		abort();
	reader = pipe_fds[0];
	make_endless_list(getpid());
	fflush(stdout);
	dup2(pipe_fds[1], 1);
	close(pipe_fds[1]);
	look_at(&look, &report);
	dup2(out, 1);
	ok(is_closed, "the process that looks does not keep standard output open");
	report_free(&report);
	remove_lists();
	close(reader);
	close(out);
}

/* A look that takes a second, with standard error there.  Returns its exit status. */
static int look_with_stderr(int to, bool as_json)
{
	struct look look = { .debugfs = debugfs, .seconds = 1 };
	struct vm_entry vm = { .vm = { .pid = getpid(), .vm_fd = 9, .name = "test" } };
	int out = dup(1), err = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int status;

	snprintf(vm.directory, sizeof(vm.directory), "%d-9", getpid());
	make_endless_list(getpid());
	fflush(stdout);
	dup2(null, 1);
	dup2(to, 2);
	status = audit_vms(&look, &vm, 1, as_json);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	close(null);
	remove_lists();
	return status;
}

/* Reads all that a terminal on standard error got, until nobody has it open. */
static int look_on_terminal(bool as_json, char *ret_said, size_t size)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave, status;
	size_t done = 0;
	ssize_t got;

	if (master < 0 || grantpt(master) || unlockpt(master))
		abort();
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	status = look_with_stderr(slave, as_json);
	close(slave);
	while (done < size - 1 && (got = read(master, ret_said + done, size - 1 - done)) > 0)
		done += got;
	ret_said[done] = 0;
	close(master);
	return status;
}

static void test_progress(void)
{
	int file = memfd_create("stderr", MFD_CLOEXEC);
	char said[4096], line[64];

	snprintf(line, sizeof(line), "\r\033[Koffmap: VM 1 of 1, process %d: 0 of 0 MiB", getpid());
	is_int(look_on_terminal(false, said, sizeof(said)), EXIT_UNKNOWN,
	       "progress: the look is a whole one");
	ok(strstr(said, line) == said, "progress: a terminal shows it");
	ok(strlen(said) > 4 && !strcmp(said + strlen(said) - 4, "\r\033[K"),
	   "progress: it does not stay there");
	look_on_terminal(true, said, sizeof(said));
	ok(strstr(said, line) == said, "progress: with --json as well");
	look_with_stderr(file, false);
	is_int(lseek(file, 0, SEEK_END), 0, "progress: a file does not get it");
	close(file);
}

/* What is printed to standard output in between. */
struct capture {
	int out, to;
};

static struct capture capture(void)
{
	struct capture capture = { dup(1), memfd_create("stdout", MFD_CLOEXEC) };

	fflush(stdout);
	dup2(capture.to, 1);
	return capture;
}

static const char *captured(const struct capture *capture)
{
	static char said[16384];
	ssize_t got;

	fflush(stdout);
	dup2(capture->out, 1);
	got = pread(capture->to, said, sizeof(said) - 1, 0);
	if (got < 0)
		abort();
	said[got] = 0;
	close(capture->to);
	close(capture->out);
	return said;
}

static const char *printed_of(const struct vm_report *report)
{
	struct capture to = capture();

	audit_print_vm(report);
	return captured(&to);
}

static const char *json_of(const struct vm_entry *vm, int *ret_status)
{
	struct look look = { .debugfs = debugfs, .seconds = 60 };
	struct capture to = capture();

	*ret_status = audit_vms(&look, vm, 1, true);
	return captured(&to);
}

/* For vmm_cli.t, which looks at all of it. */
static void leave(const char *variable, const char *text)
{
	FILE *to = getenv(variable) ? fopen(getenv(variable), "w") : NULL;

	if (getenv(variable) && (!to || fputs(text, to) < 0 || fclose(to)))
		abort();
}

static void test_json(void)
{
	struct vm_entry vm = { .vm = { .pid = getpid(), .vm_fd = -1, .name = "a\"b\n" } };
	int status, fd;
	const char *said;
	char list[128];

	snprintf(vm.directory, sizeof(vm.directory), "%d-9", getpid());
	new_area();
	write_own_list(9, gmem_inode);
	said = json_of(&vm, &status);
	is_int(status, EXIT_YES, "JSON: all is absent");
	ok(strstr(said, "\"mapping\": null") && strstr(said, "\"vm_fd\": null"),
	   "JSON: what does not apply is null");
	ok(strstr(said, "\"error\": null\n}\n") && !strstr(said, "\"status\""), "JSON: no error");
	leave("JSON_OUT", said);
	snprintf(list, sizeof(list), "memslots 1 process %d\n0 0 0 4 0 7e000000 memory\nend\n", getpid());
	write_list(getpid(), 9, list);
	said = json_of(&vm, &status);
	ok(strstr(said, "\"slot\": null") && strstr(said, "\"guest_address\": null") &&
	   strstr(said, "\"address\": null"), "JSON: nor has a guest_memfd in no memslot");
	ok(strstr(said, "\"guest_memfd\": null"), "JSON: nor ordinary memory");
	remove_lists();
	close(gmem);
	vm.vm.pid = start_victim(NULL, &fd);
	stop_victim(vm.vm.pid);
	said = json_of(&vm, &status);
	is_int(status, EXIT_NO_VM, "JSON: all VMs have ended");
	ok(strstr(said, "\"vms\": [],\n  \"error\": \"all VMs have ended meanwhile\",\n  \"status\": 4\n}\n"),
	   "JSON: it says so");
	leave("JSON_ENDED_OUT", said);
}

static void test_names(void)
{
	struct vm_report report;
	const char *said;

	report = audit_of("0 0 0 4 0 %lx memory\n", 1UL << 30);
	strcpy(report.vm.name, "odd\033[31m\x9b\tname");
	snprintf(report.part[0].path, sizeof(report.part[0].path), "/dir\r\x7f\xc2\x9b" "file");
	said = printed_of(&report);
	ok(strstr(said, "odd?[31m??name, process"), "names of processes have no control bytes");
	ok(strstr(said, "/dir????file\n"), "paths have none either");
	report_free(&report);
}

/* A memslot that the VMM has deleted for the look may leave its memory mapped. */
static void test_rest_of_process(void)
{
	struct vm_report report;
	size_t size = 8UL << 20;
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memset(shared, 1, size);
	report = audit_of("%s", "");
	ok(report.memory.shmem >= size, "the rest of the process: its shared memory");
	report.memory = (struct process_memory){ .shmem = 5 << 10, .hugetlb = 20 << 20 };
	ok(strstr(printed_of(&report), "  its process has 5 KiB of shared memory, in"),
	   "the rest of the process: is shown");
	ok(strstr(printed_of(&report), "  its process has 20480 KiB of memory of hugetlbfs, in"),
	   "the rest of the process: as is that of hugetlbfs");
	ok(!strstr(printed_of(&report), "anonymous"), "the rest of the process: nothing is not");
	report_free(&report);
	munmap(shared, size);
}

static void test_status(void)
{
	struct vm_report absent = { .verdict = ABSENT }, unknown = { .verdict = UNKNOWN },
			 reachable = { .verdict = REACHABLE };

	is_int(audit_status(EXIT_YES, &absent), EXIT_YES, "status: absent");
	is_int(audit_status(EXIT_YES, &unknown), EXIT_UNKNOWN, "status: unknown");
	is_int(audit_status(EXIT_UNKNOWN, &absent), EXIT_UNKNOWN, "status: one is unknown");
	is_int(audit_status(EXIT_UNKNOWN, &reachable), EXIT_NO, "status: one is reachable");
	is_int(audit_status(EXIT_NO, &unknown), EXIT_NO, "status: and stays so");
}

/* Includes audit.c, to test how it prints. */
int fail(int status, const char *format, ...)
{
	(void)format;
	return status;
}

void warn(const char *format, ...)
{
	(void)format;
}

int main(void)
{
	if (!mkdtemp(debugfs) || process_open(getpid(), &self))
		abort();
	test_frames();
	test_calls();
	test_shuffled();
	test_shuffled_process();
	test_blank();
	test_core_lacks();
	test_huge();
	test_frames_change();
	test_lost_page();
	test_verdicts();
	test_later_slots();
	test_no_sources();
	test_forged_list();
	test_kinds();
	test_closed_by_vmm();
	test_unbound();
	test_many_unbound();
	test_other_process();
	test_four_tib();
	test_dying();
	test_fuse();
	test_finding();
	test_standard_files();
	test_progress();
	test_json();
	test_names();
	test_rest_of_process();
	test_status();
	process_close(&self);
	rmdir(debugfs);
	return done();
}
