/* SPDX-License-Identifier: MIT */
#ifndef OFFMAP_VMM_FILE_H
#define OFFMAP_VMM_FILE_H

#include <limits.h>

/* Why offmap run does not start a program. */
enum vmm_verdict {
	VMM_FINE,
	VMM_NOT_FOUND,
	VMM_NOT_EXECUTABLE,
	VMM_FOREIGN,
	VMM_PRIVILEGED,
};

/*
 * Finds the program as execvp(3) would, and checks its file.  @ret_path is the file, or
 * "" if there is none.
 */
enum vmm_verdict vmm_file_check(const char *name, char ret_path[PATH_MAX]);

/* The verdict as the end of a sentence that starts with the file's name. */
const char *vmm_verdict_text(enum vmm_verdict verdict);

#endif
