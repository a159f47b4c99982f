/* SPDX-License-Identifier: MIT */
#ifndef OFFMAP_DIRECT_H
#define OFFMAP_DIRECT_H

#include <stdbool.h>

/* Makes this process a VMM of a new model, and forgets all VMs. */
void direct_start(bool permissive);

/* Shared memfds become guest_memfds.  The nth descriptor from now cannot; 0: all can. */
void direct_share(int fails_at);

/* The memory may have pages of 2 MiB. */
void direct_huge(void);

#endif
