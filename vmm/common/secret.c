// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "secret.h"

int secret_new(struct secret *ret)
{
	ssize_t got = getrandom(ret, sizeof(*ret), 0);

	if (got < 0)
		return -errno;
	return got == sizeof(*ret) ? 0 : -EIO;
}

int secret_parse_half(const char *hex, uint64_t *ret)
{
	uint8_t *bytes = (uint8_t *)ret;
	unsigned int byte;

	if (strlen(hex) != 2 * SECRET_BYTES)
		return -EINVAL;
	for (int i = 0; i < SECRET_BYTES; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -EINVAL;
		bytes[i] = byte;
	}
	return 0;
}

static void __attribute__((noinline))
store_word(volatile uint64_t *to, uint64_t a, uint64_t b)
{
	*to = a ^ b;
}

void secret_store(volatile uint64_t *to, const struct secret *secret)
{
	for (int i = 0; i < SECRET_WORDS; i++)
		store_word(to + i, secret->a[i], secret->b[i]);
	/* The last word must not stay in a register. */
	store_word(&(volatile uint64_t){ 0 }, 0, 0);
}

static bool __attribute__((noinline))
word_matches(uint64_t data, uint64_t a, uint64_t b)
{
	return (data ^ a) == b;
}

bool secret_is_at(const uint64_t *data, const struct secret *secret)
{
	for (int i = 0; i < SECRET_WORDS; i++)
		if (!word_matches(data[i], secret->a[i], secret->b[i]))
			return false;
	return true;
}
