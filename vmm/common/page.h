/* SPDX-License-Identifier: MIT */
#ifndef OFFMAP_PAGE_H
#define OFFMAP_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* The smallest and the largest page of any machine, for buffers. */
#define PAGE_MIN_BYTES 4096UL
#define PAGE_MAX_BYTES (64UL << 10)

/* The page size never changes, so a loop may ask for it each time. */
__attribute__((const, noinline, unused))
static uint64_t page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Rounds up to whole pages. */
static inline uint64_t page_round(uint64_t size)
{
	return (size + page_bytes() - 1) & ~(page_bytes() - 1);
}

static inline uint64_t word_at(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* memcmp() takes longer, above all where vector instructions are emulated. */
static inline bool page_is_zero(const uint8_t *page)
{
	for (const uint8_t *at = page; at < page + page_bytes(); at += 32)
		if (word_at(at) | word_at(at + 8) | word_at(at + 16) | word_at(at + 24))
			return false;
	return true;
}

#endif
