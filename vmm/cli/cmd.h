/* SPDX-License-Identifier: MIT */
/* The commands of offmap, and what a script may rely on. */
#ifndef OFFMAP_CMD_H
#define OFFMAP_CMD_H

#include <stdbool.h>

enum {
	EXIT_YES = 0,
	/* probe: cannot; audit: something is reachable; demo: not as promised */
	EXIT_NO = 1,
	EXIT_USAGE = 2,
	EXIT_UNKNOWN = 3,	/* audit, demo: could not be told */
	EXIT_NO_VM = 4,		/* audit: nothing to look at */
	/* run: as env(1) and nohup(1) have them */
	EXIT_REFUSED = 125,
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
};

struct command {
	const char *name;
	const char *help;
	int (*main)(int argc, char **argv);
};

int cmd_probe(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_demo(int argc, char **argv);

/* To stderr, as "offmap: …"; the first gives what it was given. */
int fail(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
