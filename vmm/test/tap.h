/* SPDX-License-Identifier: MIT */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>

/* Print the result of one claim. */
void ok(bool good, const char *claim);
void is_int(long long got, long long wanted, const char *claim);
void is_str(const char *got, const char *wanted, const char *claim);
void skip(const char *claim, const char *why);

/* Prints the plan; for main() to return. */
int done(void);

#endif
