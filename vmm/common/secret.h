/* SPDX-License-Identifier: MIT */
/*
 * A secret that no process of the host ever holds: secret = a xor b.  Only a guest, or
 * secret_store() below, computes it, word by word, in the memory under test.
 */
#ifndef OFFMAP_SECRET_H
#define OFFMAP_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#define SECRET_WORDS 4
#define SECRET_BYTES (SECRET_WORDS * 8)

struct secret {
	uint64_t a[SECRET_WORDS];
	uint64_t b[SECRET_WORDS];
};

/* Fresh random halves.  0 or -errno. */
int secret_new(struct secret *ret);

/* A half from 64 hex digits.  0 or -EINVAL. */
int secret_parse_half(const char *hex, uint64_t *ret);

/* One word at a time, so that no vector register holds the whole. */
void secret_store(volatile uint64_t *to, const struct secret *secret);

/*
 * Is the secret at this place?  Compares data xor a with b, so it never computes the
 * secret.
 */
bool secret_is_at(const uint64_t *data, const struct secret *secret);

#endif
