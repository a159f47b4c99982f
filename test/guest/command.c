// SPDX-License-Identifier: MIT
#include "command.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int command_run(char **command)
{
	int status;
	pid_t pid;

	/* or the child prints the buffered output again */
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror(command[0]);
		return 2;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
