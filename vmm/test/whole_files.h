/* SPDX-License-Identifier: MIT */
/* /proc/kcore and the dump of the page tables, from memory instead of files. */
#ifndef TEST_WHOLE_FILES_H
#define TEST_WHOLE_FILES_H

#include <stddef.h>
#include <stdint.h>

/* The contents of either file, for open() and fopen() of the code under test. */
void whole_file_set(const void *data, size_t size);

/*
 * Reads the file as either kind and calls all functions on it.  Aborts when the answers
 * contradict each other.  0 or -errno of the reader.
 */
int whole_file_ptdump(void);
int whole_file_kcore(void);

#endif
