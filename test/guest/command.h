/* SPDX-License-Identifier: MIT */
/* Runs a command in the middle of a test. */
#ifndef GUEST_COMMAND_H
#define GUEST_COMMAND_H

/*
 * Runs it and waits for it.  Returns its exit status; 127 if there is none of that name,
 * 2 if it did not end by itself.
 */
int command_run(char **command);

#endif
