/* SPDX-License-Identifier: MIT */
#ifndef GUEST_BENCH_GUEST_H
#define GUEST_BENCH_GUEST_H

#include <stddef.h>

#include "tiny_vm.h"

/* The guest stores to each page of its memory, from the first page on. */
int bench_guest_touch(struct tiny_vm *vm, size_t pages);

#endif
