/* SPDX-License-Identifier: MIT */
/* How offmap run speaks while the VMM runs: as "offmap: …", to stderr. */
#ifndef OFFMAP_SAY_H
#define OFFMAP_SAY_H

#include <stdbool.h>

/* Say what is done too. */
void say_more(bool more);

/*
 * From now on to the system's log: the terminal, or the pipe, that stderr was
 * belongs to others again.
 */
void say_to_log(void);

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
