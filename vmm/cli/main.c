// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "json.h"
#include "offmap.h"

static const struct command commands[] = {
	{ "probe", "what this machine, and a VMM, can do", cmd_probe },
	{ "run", "start a VMM with its guest memory out of the direct map", cmd_run },
	{ "audit", "which pages of a VM the kernel can reach", cmd_audit },
	{ "stat", "how much memory is out of the direct map, and at what cost", cmd_stat },
	{ "demo", "show it: what a scan finds of a plain and of a protected VM", cmd_demo },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* The message of the last failure. */
static char failure[512];

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
	vsnprintf(failure, sizeof(failure), format, ap);
	va_end(ap);
	warn("%s", failure);
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
	fputs("offmap help COMMAND tells more; offmap --version\n", to);
}

/* Output that cannot be written is a failure. */
static int flushed(int status, int failed)
{
	if (fflush(stdout) || ferror(stdout))
		return fail(failed, "cannot print: %s", strerror(errno));
	return status;
}

/* Is --json among the options?  getopt_long(3) takes --j and --js for it. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 2; i < argc && strcmp(argv[i], "--"); i++)
		if (strlen(argv[i]) > 2 && !strncmp("--json", argv[i], strlen(argv[i])))
			return true;
	return false;
}

/* Prints a failure as JSON. */
static void print_failure(int status)
{
	struct json json = { .to = stdout };

	json_object(&json, NULL);
	json_string(&json, "error", *failure ? failure : "the command line is wrong");
	json_number(&json, "status", status);
	json_end(&json);
}

static int run_command(const struct command *command, int argc, char **argv)
{
	bool is_run = command->main == cmd_run;
	bool as_json = !is_run && wants_json(argc, argv);
	char name[32];
	int status;

	/* getopt(3) prints this name in its messages */
	snprintf(name, sizeof(name), "offmap %s", command->name);
	argv[1] = name;
	status = command->main(argc - 1, argv + 1);
	if (as_json && (*failure || status == EXIT_USAGE))
		print_failure(status);
	return flushed(status, is_run ? EXIT_REFUSED : EXIT_UNKNOWN);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* offmap help COMMAND is offmap COMMAND --help. */
static int help(int argc, char **argv)
{
	static char option[] = "--help";
	const struct command *command;
	char *args[] = { argv[0], NULL, option, NULL };

	if (argc < 3) {
		usage(stdout);
		return flushed(EXIT_YES, EXIT_UNKNOWN);
	}
	command = find_command(argv[2]);
	if (!command || argc > 3) {
		usage(stderr);
		return fail(EXIT_USAGE, "there is no command '%s'", argv[argc - 1]);
	}
	return run_command(command, 3, args);
}

int main(int argc, char **argv)
{
	uint32_t version = offmap_version();
	const struct command *command;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help(strcmp(argv[1], "help") ? 2 : argc, argv);
	if (!strcmp(argv[1], "--version")) {
		printf("offmap %u.%u\n", version >> 16, version & 0xffff);
		return flushed(EXIT_YES, EXIT_UNKNOWN);
	}
	command = find_command(argv[1]);
	if (command)
		return run_command(command, argc, argv);
	usage(stderr);
	return fail(EXIT_USAGE, "there is no command '%s'", argv[1]);
}
