/* SPDX-License-Identifier: MIT */
#ifndef DRIVE_H
#define DRIVE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Plays a VMM that does what the bytes say with memslots, in front of the
 * model, and compares with what a VM on plain KVM would have: the same calls
 * succeed, and guest and VMM see the same bytes at all times.  Aborts when
 * they differ.  Permissive mode, as strict would end the program.
 */
void drive(const uint8_t *data, size_t size);

#endif
