/* SPDX-License-Identifier: MIT */
#ifndef DRIVE_H
#define DRIVE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Plays a VMM in front of the model.  The bytes choose its calls with memslots.  It
 * compares with a VM on plain KVM: the same calls succeed, and guest and VMM see the same
 * bytes at all times.  Aborts when they differ.  The mode is permissive, as strict would
 * end the program.
 */
void drive(const uint8_t *data, size_t size);

#endif
