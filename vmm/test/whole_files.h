/* SPDX-License-Identifier: MIT */
/* /proc/kcore and the dump of the page tables, from memory in place of files. */
#ifndef TEST_WHOLE_FILES_H
#define TEST_WHOLE_FILES_H

#include <stddef.h>
#include <stdint.h>

/* What open() and fopen() of the code under test find in either. */
void whole_file_set(const void *data, size_t size);

/*
 * Reads it as either and asks all there is to ask; aborts when what is said
 * contradicts itself.  0 or -errno of the reader.
 */
int whole_file_ptdump(void);
int whole_file_kcore(void);

#endif
