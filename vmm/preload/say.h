/* SPDX-License-Identifier: MIT */
/* How the shim is set, and how it speaks: to stderr, as "offmap: …". */
#ifndef OFFMAP_SAY_H
#define OFFMAP_SAY_H

#include <stdbool.h>

struct settings {
	/* OFFMAP_MODE: strict (also when unset), permissive, observe */
	bool permissive;
	/* protect nothing, but keep the list of slots for offmap audit */
	bool observe;
	/* OFFMAP_VERBOSE: say what is done too */
	bool verbose;
};

/* The exit status of a VMM that was stopped. */
#define EXIT_STOPPED 125

const struct settings *settings(void);

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
