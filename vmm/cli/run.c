// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "offmap.h"
#include "vmm_file.h"

#define SHIM "liboffmap-preload.so"
#ifndef SHIM_DIR
#define SHIM_DIR "/usr/local/lib"
#endif

struct run {
	const char *mode;
	bool verbose;
	bool dry_run;
	char shim[PATH_MAX];
	char vmm[PATH_MAX];
	/* LD_PRELOAD, with what was there before */
	char *preload;
};

static void usage(FILE *to)
{
	fputs("usage: offmap run [options] [--] VMM [argument...]\n"
	      "Starts a VMM with its guest memory out of the host kernel's direct map.\n"
	      "  --strict       stop it if a part of the memory cannot be (default)\n"
	      "  --permissive   say so and go on\n"
	      "  --observe      protect nothing, only let offmap audit see the memslots\n"
	      "  --verbose      say what is protected\n"
	      "  --dry-run      print the environment and do not start it\n"
	      "exit status: that of the VMM; 2 the command line is wrong; 125 offmap refused\n"
	      "or stopped the VMM; 126 the VMM cannot be run; 127 it is not there\n", to);
}

/* Beside this program, as it is built and as it is installed. */
static int find_shim(char ret[PATH_MAX])
{
	static const char *const places[] = { "%.*s/../lib/" SHIM, "%.*s/" SHIM };
	char self[PATH_MAX / 2], path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length > 0) {
		self[length] = 0;
		length = strrchr(self, '/') - self;
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(path, sizeof(path), i ? places[1] : places[0],
				 (int)length, self);
			if (!access(path, R_OK) && realpath(path, ret))
				return 0;
		}
	}
	return access(SHIM_DIR "/" SHIM, R_OK) ||
	       !realpath(SHIM_DIR "/" SHIM, ret) ? -ENOENT : 0;
}

/* The list is separated by blanks and colons, so a path has none of them. */
static int set_environment(struct run *run)
{
	const char *before = getenv("LD_PRELOAD");

	if (strpbrk(run->shim, " :"))
		return fail(EXIT_REFUSED, "the path of the shim, %s, has a blank or a colon, which LD_PRELOAD cannot have",
			    run->shim);
	if (asprintf(&run->preload, "%s%s%s", run->shim, before && *before ? ":" : "",
		     before ? before : "") < 0 ||
	    setenv("LD_PRELOAD", run->preload, 1) ||
	    setenv("OFFMAP_MODE", run->mode, 1) ||
	    setenv("OFFMAP_VERBOSE", run->verbose ? "1" : "0", 1))
		return fail(EXIT_REFUSED, "out of memory");
	return 0;
}

/*
 * A dynamic linker that cannot load the shim says so and goes on without it.
 * So it is asked first what it would load, as ldd(1) does.
 */
static int check_loads(const struct run *run)
{
	char line[PATH_MAX + 64];
	bool found = false;
	int status, out[2];
	FILE *file;
	pid_t pid;

	if (pipe(out))
		return fail(EXIT_REFUSED, "pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		if (setenv("LD_TRACE_LOADED_OBJECTS", "1", 1) || dup2(out[1], 1) < 0 ||
		    close(out[0]) || close(out[1]))
			_exit(EXIT_REFUSED);
		execl(run->vmm, run->vmm, (char *)NULL);
		_exit(EXIT_CANNOT_RUN);
	}
	close(out[1]);
	file = fdopen(out[0], "r");
	while (file && fgets(line, sizeof(line), file))
		found |= strstr(line, run->shim) != NULL;
	if (file)
		fclose(file);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return fail(EXIT_REFUSED, "cannot ask the dynamic linker: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CANNOT_RUN)
		return fail(EXIT_CANNOT_RUN, "%s cannot be run", run->vmm);
	if (!found)
		return fail(EXIT_REFUSED, "%s: its dynamic linker does not load %s", run->vmm,
			    run->shim);
	return 0;
}

static int check_machine(const struct run *run)
{
	struct offmap_support support;

	if (offmap_probe(-1, &support))
		return fail(EXIT_REFUSED, "cannot ask this machine");
	if (support.features & OFFMAP_CAN_PROTECT || !strcmp(run->mode, "observe"))
		return 0;
	if (!strcmp(run->mode, "strict"))
		return fail(EXIT_REFUSED, "%s", offmap_reason(support.reason));
	warn("warning: %s", offmap_reason(support.reason));
	return 0;
}

static int check_vmm(struct run *run, const char *name)
{
	enum vmm_verdict verdict = vmm_file_check(name, run->vmm);

	if (!verdict)
		return 0;
	return fail(verdict == VMM_NOT_FOUND ? EXIT_NOT_FOUND :
		    verdict == VMM_NOT_EXECUTABLE ? EXIT_CANNOT_RUN : EXIT_REFUSED,
		    "%s %s", *run->vmm ? run->vmm : name, vmm_verdict_text(verdict));
}

static int start(struct run *run, char **args)
{
	int err = check_vmm(run, args[0]);

	if (!err)
		err = check_machine(run);
	if (!err && find_shim(run->shim))
		err = fail(EXIT_REFUSED, SHIM " is not beside this program, nor in " SHIM_DIR);
	if (!err)
		err = set_environment(run);
	if (err)
		return err;
	if (run->dry_run) {
		printf("LD_PRELOAD=%s OFFMAP_MODE=%s OFFMAP_VERBOSE=%d %s\n",
		       run->preload, run->mode, run->verbose, run->vmm);
		return EXIT_YES;
	}
	err = check_loads(run);
	if (err)
		return err;
	execv(run->vmm, args);
	return fail(EXIT_CANNOT_RUN, "%s: %s", run->vmm, strerror(errno));
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "strict", no_argument, NULL, 's' },
		{ "permissive", no_argument, NULL, 'p' },
		{ "observe", no_argument, NULL, 'o' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct run run = { .mode = "strict" };
	int opt, status;

	while ((opt = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			run.mode = "strict";
			break;
		case 'p':
			run.mode = "permissive";
			break;
		case 'o':
			run.mode = "observe";
			break;
		case 'v':
			run.verbose = true;
			break;
		case 'n':
			run.dry_run = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_YES;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	status = start(&run, argv + optind);
	free(run.preload);
	return status;
}
