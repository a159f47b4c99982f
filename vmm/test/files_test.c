// SPDX-License-Identifier: MIT
/*
 * Dumps of the page tables and kcore files, as the kernel writes them and as it never
 * would.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kcore.h"
#include "kcore_scan.h"
#include "page.h"
#include "ptdump.h"
#include "tap.h"
#include "whole_files.h"

#ifdef __aarch64__
#define MARKER "---[ Linear Mapping start ]---\n"
#else
#define MARKER "---[ Low Kernel Mapping ]---\n"
#endif

#define PAGE page_bytes()
#define FIRST "0xffff888000000000-0xffff888000200000           2M     RW                 NX pmd\n"
#define USER "0x0000000000200000-0x0000000000400000           2M     RW                 NX pmd\n"
#define HOLE "0xffff888000200000-0xffff888000400000           2M                        pmd\n"
#define THIRD "0xffff888000400000-0xffff888000600000           2M     ro                 NX pmd\n"
#define OTHER "0xffffc90000000000-0xffffc90000200000           2M     RW                 NX pmd\n"

static int read_tables(const char *text, struct ptdump **ret)
{
	struct ptdump *dump;
	int err;

	whole_file_set(text, strlen(text));
	err = ptdump_read(&dump);
	if (ret)
		*ret = dump;
	else if (!err)
		ptdump_free(dump);
	return err;
}

static void test_tables(void)
{
	struct ptdump *dump;

#ifdef __aarch64__
	skip("page tables: what is in their text", "the texts of this test are of x86");
	return;
#endif
	is_int(read_tables("---[ User Space ]---\n" MARKER FIRST HOLE THIRD
			   "---[ vmalloc() Area ]---\n" OTHER, &dump), 0, "page tables: read");
	ok(ptdump_maps_pfn(dump, 0) && ptdump_maps_pfn(dump, 511), "page tables: a range that is there");
	ok(!ptdump_maps_pfn(dump, 512) && !ptdump_maps_pfn(dump, 1023), "page tables: a hole");
	ok(ptdump_maps_pfn(dump, 1024), "page tables: a read-only range is there, too");
	ok(!ptdump_maps_pfn(dump, 1536) && !ptdump_maps_pfn(dump, UINT64_MAX),
	   "page tables: nothing is beyond the end");
	is_int(ptdump_count_all(dump), 1024, "page tables: other areas do not count");
	ptdump_free(dump);
	is_int(read_tables(FIRST MARKER HOLE THIRD, &dump), 0,
	       "page tables: the first line before its marker");
	ok(ptdump_maps_pfn(dump, 5), "page tables: it counts");
	ptdump_free(dump);
	is_int(read_tables(USER "---[ LDT remap ]---\n" FIRST "---[ mm-local region ]---\n" HOLE MARKER THIRD,
			   &dump), 0, "page tables: three markers on one place");
	ok(ptdump_maps_pfn(dump, 5), "page tables: the first line counts");
	is_int(ptdump_count_all(dump), 1024, "page tables: and none of before");
	ptdump_free(dump);
	is_int(read_tables(MARKER THIRD HOLE FIRST, NULL), -EPROTO,
	       "page tables: ranges that descend, of which a search would miss some");
	is_int(read_tables(MARKER FIRST FIRST, NULL), -EPROTO, "page tables: ranges that overlap");
	is_int(read_tables(MARKER HOLE, NULL), -EPROTO, "page tables: nothing is mapped");
	is_int(read_tables(OTHER, NULL), -EPROTO, "page tables: no direct map");
	is_int(read_tables("", NULL), -EPROTO, "page tables: nothing");
	is_int(read_tables(MARKER "0xffff888000000123-0xffff888000001123 4K RW pte\n", NULL),
	       -EPROTO, "page tables: not whole pages");
}

/* A file with one segment, 4 pages of RAM from frame 16 on, filled with 1, 2, ... */
struct core {
	Elf64_Ehdr header;
	Elf64_Phdr ph[2];
};

static uint8_t *new_core(struct core *core)
{
	uint8_t *file = calloc(8, PAGE_MAX_BYTES);

	if (!file)
		abort();
	*core = (struct core){
		.header = { .e_phoff = sizeof(core->header), .e_phnum = 2,
			    .e_phentsize = sizeof(core->ph[0]) },
		/* a segment that is not RAM has no physical address */
		.ph = { { .p_type = PT_LOAD, .p_paddr = -1, .p_memsz = PAGE },
			{ .p_type = PT_LOAD, .p_paddr = 16 * PAGE,
			  .p_vaddr = 0xffff888000000000 + 16 * PAGE, .p_memsz = 4 * PAGE,
			  .p_offset = PAGE_MAX_BYTES } },
	};
	memcpy(core->header.e_ident, ELFMAG, SELFMAG);
	for (int i = 0; i < 4; i++)
		memset(file + PAGE_MAX_BYTES + i * PAGE, i + 1, PAGE);
	return file;
}

static int open_core(uint8_t *file, const struct core *core, struct kcore **ret)
{
	struct kcore *kcore;
	int err;

	memcpy(file, core, sizeof(*core));
	whole_file_set(file, PAGE_MAX_BYTES + 4 * PAGE);
	err = kcore_open(&kcore);
	if (ret)
		*ret = kcore;
	else if (!err)
		kcore_close(kcore);
	return err;
}

static void test_core(void)
{
	static uint8_t pages[4 * PAGE_MAX_BYTES];
	struct core core;
	uint8_t *file = new_core(&core);
	struct kcore *kcore;

	is_int(open_core(file, &core, &kcore), 0, "kcore: opened");
	is_int(kcore->nr, 1, "kcore: RAM is what has a physical address");
	is_int(kcore_read_frames(kcore, 18, 1, pages), 0, "kcore: a frame");
	ok(pages[0] == 3 && pages[PAGE - 1] == 3, "kcore: its contents");
	is_int(kcore_read_frames(kcore, 16, 4, pages), 0, "kcore: all of them");
	ok(pages[0] == 1 && pages[4 * PAGE - 1] == 4, "kcore: their contents");
	is_int(kcore_read_frames(kcore, 15, 1, pages), -ENOENT, "kcore: before the first");
	is_int(kcore_read_frames(kcore, 20, 1, pages), -ENOENT, "kcore: behind the last");
	is_int(kcore_read_frames(kcore, 19, 2, pages), -ENOENT, "kcore: half in it");
	is_int(kcore_read_frames(kcore, UINT64_MAX, 1, pages), -ENOENT, "kcore: no such frame");
	is_int(kcore_direct_map_offset(kcore) >> 40, 0xffff88, "kcore: where the direct map is");
	kcore_close(kcore);
	core.ph[1].p_memsz += 5 * PAGE;
	open_core(file, &core, &kcore);
	is_int(kcore_read_frames(kcore, 22, 1, pages), -EIO, "kcore: the file is too short");
	kcore_close(kcore);
	free(file);
}

static void refused(void (*spoil)(struct core *core), const char *claim)
{
	struct core core;
	uint8_t *file = new_core(&core);

	spoil(&core);
	is_int(open_core(file, &core, NULL), -EPROTO, claim);
	free(file);
}

static void no_elf(struct core *core) { core->header.e_ident[0] = 0; }
static void odd_entries(struct core *core) { core->header.e_phentsize = 1; }
static void no_ram(struct core *core) { core->ph[1].p_paddr = -1; }
static void odd_phys(struct core *core) { core->ph[1].p_paddr += 4072; }
static void odd_addr(struct core *core) { core->ph[1].p_vaddr += 8; }
static void over_the_end(struct core *core) { core->ph[1].p_memsz = -1; }
static void far_offset(struct core *core) { core->ph[1].p_offset = -1; }

static void test_core_refused(void)
{
	refused(no_elf, "kcore: no ELF file");
	refused(odd_entries, "kcore: entries of another size");
	refused(no_ram, "kcore: no RAM");
	refused(odd_phys, "kcore: RAM that is not whole pages");
	refused(odd_addr, "kcore: RAM that is not whole pages of the direct map");
	refused(over_the_end, "kcore: RAM without an end");
	refused(far_offset, "kcore: an offset that is none");
}

static void test_scan(void)
{
	static struct kcore_result result;
	struct core core;
	uint8_t *file = new_core(&core);
	uint64_t *at = (uint64_t *)(file + PAGE_MAX_BYTES + 3 * PAGE - SECRET_BYTES);
	struct secret secret;

	if (secret_new(&secret))
		abort();
	secret_store(at, &secret);
	/* the half page at the end, and anything beyond it, is not looked at */
	core.ph[1].p_memsz = 3 * PAGE + 512;
	open_core(file, &core, NULL);
	is_int(kcore_scan(&secret, 1, &result), 0, "scan: done");
	ok(result.nr_finds == 1 && result.find[0].phys == 19 * PAGE - SECRET_BYTES,
	   "scan: found in the last words of a page");
	is_int(result.scanned_bytes, 3 * PAGE, "scan: whole pages only");
	ok(kcore_first_find(&result, 0) == &result.find[0] && !kcore_first_find(&result, 1),
	   "scan: by its number");
	secret_store(at + SECRET_WORDS - 1, &secret);
	core.ph[1].p_memsz = 4 * PAGE;
	open_core(file, &core, NULL);
	is_int(kcore_scan(&secret, 1, &result), 0, "scan: over the end of a page");
	ok(result.nr_finds == 1 && result.find[0].phys == 19 * PAGE - 8,
	   "scan: found over the end of a page");
	free(file);
}

int main(void)
{
	test_tables();
	test_core();
	test_core_refused();
	test_scan();
	return done();
}
