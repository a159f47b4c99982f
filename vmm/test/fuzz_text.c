// SPDX-License-Identifier: MIT
/* What is read of /proc, debugfs and other people's processes may be anything. */
#include <stdlib.h>
#include <string.h>

#include "procfs.h"
#include "ptdump.h"
#include "slots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slot_line *slots;
	struct ptdump_line line;
	struct vma vma;
	char *text;
	size_t nr;

	text = malloc(size + 1);
	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	if (procfs_parse_vma(text, &vma) && vma.start >= vma.end)
		abort();
	if (ptdump_parse_line(text, &line) && line.start > line.end)
		abort();
	if (!slots_parse(text, &slots, &nr))
		free(slots);
	free(text);
	return 0;
}
