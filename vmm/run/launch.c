// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pass.h"
#include "run.h"
#include "say.h"

#define CANNOT_RUN 126
#define NOT_FOUND 127

/* Keeps a descriptor open in the supervisor, above those that it closes. */
static int keep(int fd, int as)
{
	return dup3(fd, as, O_CLOEXEC) == as ? as : -1;
}

/*
 * systemd and others send a signal to all processes of a service.  The VMM is to end by it,
 * and the supervisor with the VMM: it serves the VMM until then.  The task, which has all
 * signals blocked, does the same.
 */
static void ignore_signals(void)
{
	static const int signals[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE,
	};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

/* Drops all of the launching process but its stderr. */
static void become_supervisor(int socket, struct supervisor *supervisor)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), high = fcntl(socket, F_DUPFD_CLOEXEC, 16);
	int terminal = isatty(0) ? fcntl(0, F_DUPFD_CLOEXEC, 16) : -1;

	setsid();
	prctl(PR_SET_NAME, "offmap-run");
	ignore_signals();
	if (null < 0 || high < 0 || dup2(null, 0) || dup2(null, 1) != 1 ||
	    keep(high, 3) < 0 || (terminal >= 0 && keep(terminal, 4) < 0))
		_exit(EXIT_STOPPED);
	syscall(SYS_close_range, terminal < 0 ? 4 : 5, ~0U, 0);
	supervisor->terminal = terminal < 0 ? -1 : 4;
	if (chdir("/"))
		_exit(EXIT_STOPPED);
	supervisor->listener = receive_fd(3);
	/* the VMM never starts, and has said why */
	if (supervisor->listener < 0)
		_exit(0);
	if (write(3, "g", 1) != 1)
		_exit(EXIT_STOPPED);
	close(3);
	supervise(supervisor);
	_exit(0);
}

/* The supervisor is a grandchild, so that the VMM has no child that it does not know of. */
static pid_t start_supervisor(int ends[2], struct supervisor *supervisor)
{
	pid_t between, pid = -1;

	between = fork();
	if (!between) {
		pid = fork();
		if (!pid) {
			close(ends[0]);
			become_supervisor(ends[1], supervisor);
		}
		_exit(write(ends[1], &pid, sizeof(pid)) != sizeof(pid));
	}
	close(ends[1]);
	if (between < 0)
		return -1;
	waitpid(between, NULL, 0);
	return read(ends[0], &pid, sizeof(pid)) == sizeof(pid) ? pid : -1;
}

static int exec_vmm(char **args)
{
	int error;

	execvp(args[0], args);
	error = errno;
	if (error == ENOENT || error == ENOTDIR) {
		say("%s is not there", args[0]);
		return NOT_FOUND;
	}
	say("%s cannot be run: %s", args[0], strerror(error));
	return CANNOT_RUN;
}

int launch(const struct run_options *options, char **args)
{
	struct supervisor supervisor = { .options = *options, .launched = getpid(), .terminal = -1 };
	int ends[2], listener, err;
	pid_t pid;
	char go;

	say_more(options->verbose);
	if (syscall(SYS_kcmp, getpid(), getpid(), KCMP_VM, 0, 0)) {
		say("this kernel cannot compare processes (CONFIG_KCMP): %s", strerror(errno));
		return EXIT_STOPPED;
	}
	if (getrandom(&supervisor.magic, sizeof(supervisor.magic), 0) != sizeof(supervisor.magic) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) {
		say("cannot start: %s", strerror(errno));
		return EXIT_STOPPED;
	}
	pid = start_supervisor(ends, &supervisor);
	if (pid < 0) {
		say("cannot start a supervisor: %s", strerror(errno));
		return EXIT_STOPPED;
	}
	/* for YAMA; this fails on a kernel without YAMA, which does not matter */
	prctl(PR_SET_PTRACER, pid, 0, 0, 0);
	listener = filter_install(supervisor.magic);
	if (listener < 0) {
		say("no seccomp filter for the VMM: %s", listener == -EBUSY ?
		    "there is a supervisor already, as some containers have it" :
		    listener == -EINVAL || listener == -ENOSYS ?
		    "this kernel has none (CONFIG_SECCOMP_FILTER)" : strerror(-listener));
		return EXIT_STOPPED;
	}
	err = pass_fd(ends[0], listener);
	close(listener);
	if (err || read(ends[0], &go, 1) != 1) {
		say("the supervisor has ended");
		return EXIT_STOPPED;
	}
	close(ends[0]);
	return exec_vmm(args);
}
