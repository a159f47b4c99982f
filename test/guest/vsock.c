// SPDX-License-Identifier: MIT
/*
 * Talks by vsock, between a guest and its host.
 *
 *   vsock listen PORT       waits for one connection, and prints its data
 *   vsock send CID PORT     sends its standard input
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static void fail(const char *what)
{
	fprintf(stderr, "vsock: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void copy(int from, int to)
{
	static char buffer[1 << 16];
	ssize_t length;

	while ((length = read(from, buffer, sizeof(buffer))) > 0)
		for (ssize_t done = 0, n; done < length; done += n) {
			n = write(to, buffer + done, length - done);
			if (n < 0)
				fail("write");
		}
	if (length < 0)
		fail("read");
}

int main(int argc, char **argv)
{
	struct sockaddr_vm at = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	if (argc == 3 && !strcmp(argv[1], "listen")) {
		at.svm_port = strtoul(argv[2], NULL, 0);
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1))
			fail("listen");
		fd = accept(fd, NULL, NULL);
		if (fd < 0)
			fail("accept");
		copy(fd, 1);
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "send")) {
		at.svm_cid = strtoul(argv[2], NULL, 0);
		at.svm_port = strtoul(argv[3], NULL, 0);
		if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
			fail("connect");
		copy(0, fd);
		return 0;
	}
	fprintf(stderr, "usage: vsock listen PORT | vsock send CID PORT\n");
	return 2;
}
