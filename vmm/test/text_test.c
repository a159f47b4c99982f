// SPDX-License-Identifier: MIT
/* Tests the readers of /proc and debugfs, also with text that they must refuse. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memslots.h"
#include "page.h"
#include "process.h"
#include "procfs.h"
#include "ptdump.h"
#include "tap.h"

static void test_vma(void)
{
	struct vma vma;

	ok(procfs_parse_vma("7f00-8f00 rw-s 00001000 00:0f 1234   /[kvm-gmem] (deleted)\n", &vma),
	   "maps: a line with a path");
	ok(vma.start == 0x7f00 && vma.end == 0x8f00 && vma.writable && vma.shared &&
	   vma.offset == 0x1000 && vma.inode == 1234, "maps: its numbers");
	is_str(vma.path, "/[kvm-gmem] (deleted)", "maps: a path with blanks");
	ok(procfs_parse_vma("1000-2000 r--p 00000000 00:00 0 \n", &vma), "maps: anonymous");
	ok(!vma.writable && !vma.shared && !*vma.path, "maps: private, read-only, no path");
	ok(!procfs_parse_vma("2000-1000 rw-p 00000000 00:00 0\n", &vma), "maps: a range backwards");
	ok(!procfs_parse_vma("1000-2000 rw 00000000 00:00 0\n", &vma), "maps: no permissions");
	ok(!procfs_parse_vma("", &vma), "maps: an empty line");
}

static void test_tables(void)
{
	struct ptdump_line line;

	ok(ptdump_parse_line("0xffff888000000000-0xffff888000200000           2M     RW         PSE     GLB NX pmd\n",
			     &line) && line.present &&
	   line.end - line.start == 2 << 20, "page tables: a range that is there");
	ok(ptdump_parse_line("0xffff888000099000-0xffff88800009a000           4K     ro                 GLB NX pte\n",
			     &line) && line.present, "page tables: a read-only one");
	ok(ptdump_parse_line("0xffff888000099000-0xffff88800009a000           4K                                 pte\n",
			     &line) && !line.present, "page tables: a hole");
	ok(ptdump_parse_line("0xfff0000000100000-0xfff0000000101000           4K PTE       RW NX SHD AF        UXN    MEM/NORMAL-TAGGED\n",
			     &line) && line.present, "page tables: of arm64");
	ok(ptdump_parse_line("0xfff0000000101000-0xfff0000000102000           4K PTE   F   RW NX SHD AF        UXN    MEM/NORMAL-TAGGED\n",
			     &line) && !line.present, "page tables: of arm64, not valid");
	ok(!ptdump_parse_line("---[ Low Kernel Mapping ]---\n", &line),
	   "page tables: a marker");
	ok(!ptdump_parse_line("0x2000-0x1000 4K RW pte\n", &line),
	   "page tables: a range backwards");
	ok(!ptdump_parse_line("0xfffffffffffffffff-0x1 RW \n", &line),
	   "page tables: a number too large");
}

static int parse(const char *list, struct memslots *ret)
{
	char *text = strdup(list);
	int err = memslots_parse(text, ret);

	free(text);
	return err;
}

static int parse_error(const char *list)
{
	struct memslots slots;
	int err = parse(list, &slots);

	if (!err)
		memslots_free(&slots);
	return err;
}

static void test_memslots(void)
{
	struct memslots slots;
	const struct memslot *s;

	is_int(parse("memslots 1 process 47\n"
		     "0 0 0 c0 0 7f2a2c000000 guest_memfd 41 1000 alone no-direct-map\n"
		     "1 7 c0 40 2 7f2ab0a00000 memory\n"
		     "0 8 100 1 4 0 closed\n"
		     "0 32764 fee00 1 0 7f2ab0a00000 internal\n"
		     "0 9 200 1 4 0 guest_memfd 41 0 private direct-map\n"
		     "end\n", &slots), 0, "memslots: a list");
	s = slots.slot;
	ok(slots.process == 47 && slots.nr == 5, "memslots: its process and its length");
	ok(s[0].backing == BACKED_BY_GMEM && s[0].inode == 41 && s[0].offset == 0x1000 &&
	   s[0].no_direct_map && !s[0].private_only, "memslots: a guest_memfd");
	ok(s[1].backing == BACKED_BY_PROCESS && s[1].as == 1 && s[1].slot == 7 &&
	   s[1].gpa == 0xc0 * page_bytes() && s[1].size == 0x40 * page_bytes() &&
	   s[1].flags == 2 && s[1].addr == 0x7f2ab0a00000, "memslots: ordinary memory");
	ok(s[2].backing == BACKED_BY_NOTHING && s[3].backing == BACKED_BY_KVM &&
	   s[4].private_only && !s[4].no_direct_map, "memslots: the other kinds");
	memslots_free(&slots);
	is_int(parse("memslots 1 process 0\nend\n", &slots), 0, "memslots: none");
	is_int(slots.nr, 0, "memslots: has none");
	is_int(parse_error("memslots 1 process 1\n0 0 0 1 0 0 memory\n"), -ENODATA,
	       "memslots: half a list");
	is_int(parse_error("memslots 1 process 1\n0 0 0 1 0 0 mem"), -ENODATA,
	       "memslots: half a line");
	is_int(parse_error("memslots 1 process 1\nend"), -ENODATA, "memslots: half an end");
	is_int(parse_error("memslots 2 process 1\nend\n"), -EPROTO, "memslots: another format");
	is_int(parse_error("memslots 1 process -1\nend\n"), -EPROTO, "memslots: no process");
	is_int(parse_error(""), -EPROTO, "memslots: nothing");
	is_int(parse_error("memslots 1 process 1\n0 0 0 0 0 0 memory\nend\n"), -EPROTO,
	       "memslots: a slot without a size");
	is_int(parse_error("memslots 1 process 1\n0 0 0 ffffffffffffffff 0 0 memory\nend\n"),
	       -EPROTO, "memslots: a size too large");
	is_int(parse_error("memslots 1 process 1\n0 0 0 1 0 0 guest_memfd 4 0 alone no\nend\n"),
	       -EPROTO, "memslots: a kind of memory that there is not");
	is_int(parse_error("memslots 1 process 1\n0 0 0 1 0 0 memory more\nend\n"), -EPROTO,
	       "memslots: too much on a line");
	is_int(parse_error("memslots 1 process 1\nend\n0 0 0 1 0 0 memory\n"), -EPROTO,
	       "memslots: more after the end");
}

static void test_links(void)
{
	ok(process_link_is_gmem("anon_inode:[kvm-gmem]"), "links: a guest_memfd");
	ok(!process_link_is_gmem("/tmp/file"), "links: another file");
}

static void test_status(void)
{
	struct process_memory memory = process_parse_memory(
		"Name:\tRssAnon: 9 kB\nVmRSS:\t   33 kB\nRssAnon:\t       2 kB\n"
		"RssFile:\t      26 kB\nRssShmem:\t       5 kB\nHugetlbPages:\t   20480 kB\n");

	is_int(memory.anonymous, 2 << 10, "status: anonymous memory");
	is_int(memory.shmem, 5 << 10, "status: shared memory");
	is_int(memory.hugetlb, 20 << 20, "status: memory of hugetlbfs");
	memory = process_parse_memory("Name:\tx\nRssShmem:\t-\n");
	ok(!memory.anonymous && !memory.shmem && !memory.hugetlb, "status: it tells nothing");
}

static void test_json(void)
{
	char *text = NULL;
	size_t size = 0;
	struct json json = { .to = open_memstream(&text, &size) };

	json_object(&json, NULL);
	json_string(&json, "a\"b", "\x01\\\xc3\xa4\xff\xed\xa0\x80");
	json_array(&json, "none");
	json_end(&json);
	json_array(&json, "some");
	json_number(&json, NULL, UINT64_MAX);
	json_bool(&json, NULL, false);
	json_string(&json, NULL, NULL);
	json_end(&json);
	json_end(&json);
	fclose(json.to);
	is_str(text, "{\n  \"a\\\"b\": \"\\u0001\\\\\xc3\xa4\\ufffd\\ufffd\\ufffd\\ufffd\",\n  \"none\": [],\n"
	       "  \"some\": [\n    18446744073709551615,\n    false,\n    null\n  ]\n}\n",
	       "json: strings, numbers, and nothing");
	free(text);
}

int main(void)
{
	test_vma();
	test_tables();
	test_memslots();
	test_links();
	test_status();
	test_json();
	return done();
}
