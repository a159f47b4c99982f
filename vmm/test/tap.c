// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "tap.h"

static int count;
static int failed;

void ok(bool good, const char *claim)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, claim);
	failed += !good;
	fflush(stdout);
}

void is_int(long long got, long long wanted, const char *claim)
{
	if (got != wanted)
		printf("# got %lld, wanted %lld\n", got, wanted);
	ok(got == wanted, claim);
}

void is_str(const char *got, const char *wanted, const char *claim)
{
	if (strcmp(got, wanted))
		printf("# got \"%s\", wanted \"%s\"\n", got, wanted);
	ok(!strcmp(got, wanted), claim);
}

void skip(const char *claim, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++count, claim, why);
}

int done(void)
{
	printf("1..%d\n", count);
	return failed ? 1 : 0;
}
