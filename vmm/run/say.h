/* SPDX-License-Identifier: MIT */
/* Messages of offmap run while the VMM runs: "offmap: …", to stderr. */
#ifndef OFFMAP_SAY_H
#define OFFMAP_SAY_H

#include <stdbool.h>

/* Should say_verbose() print? */
void say_more(bool more);

/*
 * Sends messages to the system's log from now on: the terminal or pipe of stderr belongs
 * to others again.
 */
void say_to_log(void);

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
