// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "offmap.h"

static const struct command commands[] = {
	{ "probe", "what this machine, and a VMM, can do", cmd_probe },
	{ "run", "start a VMM with its guest memory out of the direct map", cmd_run },
	{ "audit", "which pages of a VM the kernel can reach", cmd_audit },
	{ "demo", "show it: what a scan finds of a plain and of a protected VM", cmd_demo },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void say(const char *format, va_list ap)
{
	fputs("offmap: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

int fail(int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	return status;
}

void warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
}

static void usage(FILE *to)
{
	fputs("usage: offmap COMMAND [options]\n", to);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(to, "  %-7s %s\n", commands[i].name, commands[i].help);
	fputs("offmap COMMAND --help tells more; offmap --version\n", to);
}

/* What nobody got has not been said. */
static int flushed(int status)
{
	if (fflush(stdout) || ferror(stdout))
		return fail(EXIT_USAGE, "cannot print: %s", strerror(errno));
	return status;
}

int main(int argc, char **argv)
{
	uint32_t version = offmap_version();

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return flushed(EXIT_YES);
	}
	if (!strcmp(argv[1], "--version")) {
		printf("offmap %u.%u\n", version >> 16, version & 0xffff);
		return flushed(EXIT_YES);
	}
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return flushed(commands[i].main(argc - 1, argv + 1));
	usage(stderr);
	return fail(EXIT_USAGE, "there is no command '%s'", argv[1]);
}
