// SPDX-License-Identifier: MIT
/* Any contents of files of /proc, debugfs and other users' processes. */
#include <stdlib.h>
#include <string.h>

#include "memslots.h"
#include "procfs.h"
#include "ptdump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memslots slots;
	struct ptdump_line line;
	struct vma vma;
	char *text;

	text = malloc(size + 1);
	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	if (procfs_parse_vma(text, &vma) && vma.start >= vma.end)
		abort();
	if (ptdump_parse_line(text, &line) && line.start > line.end)
		abort();
	if (!memslots_parse(text, &slots))
		memslots_free(&slots);
	free(text);
	return 0;
}
