/* SPDX-License-Identifier: MIT */
#ifndef OFFMAP_DIRECT_H
#define OFFMAP_DIRECT_H

#include <stdbool.h>

/* From now on this process is a VMM below a new model; forgets all VMs. */
void direct_start(bool permissive);

/* Shared memfds become guest_memfds; the nth descriptor from now cannot: 0: all can. */
void direct_share(int fails_at);

/* The memory may have pages of 2 MiB. */
void direct_huge(void);

#endif
