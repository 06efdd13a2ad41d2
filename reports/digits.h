/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Numbers as text without printf, for output of millions of rows. The caller asks for the number
 * of digits, makes room, and has exactly so many bytes written: no NUL, no prefix.
 */
#ifndef IOMMUPT_DIGITS_H
#define IOMMUPT_DIGITS_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum { DIGITS_MAX = 20 };

extern const uint64_t digits_powers[DIGITS_MAX]; /* of ten */
extern const char digits_pairs[201];		 /* 000102...99 */

static inline unsigned int hex_digits(uint64_t number)
{
	return (67U - (unsigned int)__builtin_clzll(number | 1)) / 4;
}

/* The eight digits of @number, in the order of memory. */
static inline uint64_t hex_eight(uint32_t number)
{
	uint64_t nibbles = number;

	nibbles = (nibbles << 16 | nibbles) & 0x0000ffff0000ffffULL;
	nibbles = (nibbles << 8 | nibbles) & 0x00ff00ff00ff00ffULL;
	nibbles = (nibbles << 4 | nibbles) & 0x0f0f0f0f0f0f0f0fULL;
	const uint64_t letters = (nibbles + 0x0606060606060606ULL) >> 4 & 0x0101010101010101ULL;
	return htobe64(nibbles + 0x3030303030303030ULL + letters * ('a' - '0' - 10));
}

/* hex_write() - @digits is hex_digits() of @number. */
static inline void hex_write(char *at, uint64_t number, unsigned int digits)
{
	const uint64_t low = hex_eight((uint32_t)number);

	if (digits >= 8) { /* the eights overlap */
		const uint64_t high = hex_eight((uint32_t)(number >> 4 * (digits - 8)));

		memcpy(at, &high, sizeof(high));
		memcpy(at + digits - 8, &low, sizeof(low));
		return;
	}
	for (unsigned int i = 0; i < digits; i++)
		at[i] = ((const char *)&low)[8 - digits + i];
}

static inline unsigned int decimal_digits(uint64_t number)
{
	/* 1233 / 4096 is a little more than the logarithm of two. */
	const unsigned int bits = 64U - (unsigned int)__builtin_clzll(number | 1);
	const unsigned int least = bits * 1233 >> 12;

	return least + ((number | 1) >= digits_powers[least]);
}

/* decimal_write() - @digits is decimal_digits() of @number. */
static inline void decimal_write(char *at, uint64_t number, unsigned int digits)
{
	while (digits >= 2) {
		digits -= 2;
		memcpy(at + digits, digits_pairs + 2 * (number % 100), 2);
		number /= 100;
	}
	if (digits)
		at[0] = (char)('0' + number);
}

#endif
