/* SPDX-License-Identifier: MIT */
#ifndef OFFMAP_POPULATION_H
#define OFFMAP_POPULATION_H

#include <stdint.h>

#define POPULATION_BYTES (64UL << 20)

/*
 * Nanoseconds for the first touch of a page of guest_memfd, in the direct map and
 * outside. Each is the best of some rounds, by turns.  0 or -errno.
 */
int population(uint64_t *ret_plain_ns, uint64_t *ret_protected_ns);

#endif
