// SPDX-License-Identifier: MIT
/* What is read of /proc, debugfs and the shim's list, and what is not believed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "procfs.h"
#include "ptdump.h"
#include "slots.h"
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

static int parse(const char *list, size_t *ret_nr)
{
	struct slot_line *slots;
	char *text = strdup(list);
	int err = slots_parse(text, &slots, ret_nr);

	free(text);
	if (!err)
		free(slots);
	return err;
}

static void test_slots(void)
{
	size_t nr = 7;

	is_int(parse("offmap-slots 1 3\n9 0 0 1000 7f000 protected 5 0\nend 3\n", &nr), 0, "slots: a list");
	is_int(nr, 1, "slots: has one");
	is_int(parse("offmap-slots 1 3\nend 3\n", &nr), 0, "slots: none");
	is_int(nr, 0, "slots: has none");
	is_int(parse("offmap-slots 1 3\n9 0 0 1000 7f000 rom -1 0\n", &nr), -EAGAIN, "slots: half a list");
	is_int(parse("offmap-slots 1 4\nend 3\n", &nr), -EAGAIN, "slots: two lists");
	is_int(parse("offmap-slots 2 3\nend 3\n", &nr), -EPROTO, "slots: another format");
	is_int(parse("", &nr), -EPROTO, "slots: nothing");
	is_int(parse("offmap-slots 1 3\n9 0 0 1001 7f000 rom -1 0\nend 3\n", &nr), -EPROTO,
	       "slots: a size that is none");
	is_int(parse("offmap-slots 1 3\n9 0 0 1000 7f000 mapping -1 0\nend 3\n", &nr), -EPROTO,
	       "slots: a kind that no slot has");
	is_int(parse("offmap-slots 1 3\n9 0 0 1000 7f000 rom -1 0 more\nend 3\n", &nr), -EPROTO,
	       "slots: too much on a line");
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
	test_slots();
	test_json();
	return done();
}
