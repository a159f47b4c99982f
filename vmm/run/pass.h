/* SPDX-License-Identifier: MIT */
/* Passes a descriptor to another process, with a byte that nobody reads. */
#ifndef OFFMAP_PASS_H
#define OFFMAP_PASS_H

/* 0 or -errno */
int pass_fd(int socket, int fd);

/* Receives a descriptor with FD_CLOEXEC; -EPIPE if the other end is closed or sends none. */
int receive_fd(int socket);

#endif
