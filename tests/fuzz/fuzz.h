/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What every fuzzer is: one function over bytes, as libFuzzer calls it. AFL++ takes the same
 * through its driver, and replay.c runs it over given files without any engine. README.md has
 * what each one covers.
 */
#ifndef IOMMUPT_FUZZ_H
#define IOMMUPT_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for any input; abort() is what the engines take for a finding. */
#define REQUIRE(condition)                                                                      \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* The input, taken from the front; zeros behind its end. */
struct input {
	const uint8_t *data;
	size_t size;
};

static inline uint64_t input_bytes(struct input *input, size_t count)
{
	uint64_t value = 0;
	const size_t there = count < input->size ? count : input->size;

	if (there)
		memcpy(&value, input->data, there);
	input->data += there;
	input->size -= there;
	return value;
}

static inline uint8_t input_u8(struct input *input)
{
	return (uint8_t)input_bytes(input, 1);
}

static inline uint64_t input_u64(struct input *input)
{
	return input_bytes(input, 8);
}

#endif
