// SPDX-License-Identifier: MIT
/* Any contents of /proc/kcore and of the dump of the page tables. */
#include "whole_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	whole_file_set(data + 1, size - 1);
	if (data[0] & 1)
		whole_file_ptdump();
	else
		whole_file_kcore();
	return 0;
}
