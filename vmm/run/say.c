// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "say.h"

static bool verbose, to_log;

void say_more(bool more)
{
	verbose = more;
}

void say_to_log(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 2) != 2)
		close(2);
	if (null > 2)
		close(null);
	openlog("offmap", LOG_PID, LOG_DAEMON);
	to_log = true;
}

/* Uses one write(), so that lines of several processes stay whole. */
static void say_list(const char *format, va_list ap)
{
	char text[1024] = "offmap: ";
	int length, left = sizeof(text) - 9;

	length = vsnprintf(text + 8, left, format, ap);
	if (length < 0)
		return;
	length = 8 + (length < left ? length : left - 1);
	if (to_log) {
		syslog(LOG_WARNING, "%.*s", length - 8, text + 8);
		return;
	}
	text[length++] = '\n';
	/* a failure cannot be reported anywhere */
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

	if (!verbose)
		return;
	va_start(ap, format);
	say_list(format, ap);
	va_end(ap);
}
