// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

static struct settings set;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool env_is(const char *name, const char *value)
{
	const char *got = secure_getenv(name);

	return got && !strcmp(got, value);
}

static void read_settings(void)
{
	set.permissive = env_is("OFFMAP_MODE", "permissive");
	set.observe = env_is("OFFMAP_MODE", "observe");
	set.verbose = env_is("OFFMAP_VERBOSE", "1");
}

const struct settings *settings(void)
{
	pthread_once(&once, read_settings);
	return &set;
}

/* One write(), so that lines of several threads stay whole. */
static void say_list(const char *format, va_list ap)
{
	char text[1024] = "offmap: ";
	int length, left = sizeof(text) - 9;

	length = vsnprintf(text + 8, left, format, ap);
	if (length < 0)
		return;
	length = 8 + (length < left ? length : left - 1);
	text[length++] = '\n';
	/* nobody to tell it to if that fails */
	if (write(2, text, length) < 0)
		return;
}

void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say_list(format, ap);
	va_end(ap);
}

void say_verbose(const char *format, ...)
{
	va_list ap;

	if (!settings()->verbose)
		return;
	va_start(ap, format);
	say_list(format, ap);
	va_end(ap);
}
