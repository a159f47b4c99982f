/* SPDX-License-Identifier: MIT */
/* The commands of offmap, and the exit codes that scripts rely on. */
#ifndef OFFMAP_CMD_H
#define OFFMAP_CMD_H

#include <stdbool.h>

/* All commands share these; docs and --help have this table. */
enum {
	EXIT_YES = 0,
	/* probe: cannot; audit: something is reachable; demo: not as promised */
	EXIT_NO = 1,
	EXIT_USAGE = 2,		/* the command line is wrong; of run: EXIT_REFUSED */
	EXIT_UNKNOWN = 3,	/* the result is unknown, or could not be printed */
	EXIT_NO_VM = 4,		/* there is nothing to look at */
	/* only of run, as with env(1) and nohup(1); all others are the VMM's */
	EXIT_REFUSED = 125,
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
};

#define EXIT_CODES \
	"exit status: 0 yes, or done; 1 no; 2 the command line is wrong; 3 it could not be\n" \
	"told or printed; 4 there is no VM\n"

struct command {
	const char *name;
	const char *help;
	int (*main)(int argc, char **argv);
};

int cmd_probe(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_demo(int argc, char **argv);

/*
 * Prints to stderr, as "offmap: …"; fail() returns status.  A command with --json prints
 * no document when it fails: main() prints one with the message of fail().
 */
int fail(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
