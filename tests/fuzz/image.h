/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A kernel whose memory is the bytes of an input, from IMAGE_AT on; what is behind them is not
 * there. For what reads structures of a kernel by their virtual addresses.
 */
#ifndef IOMMUPT_FUZZ_IMAGE_H
#define IOMMUPT_FUZZ_IMAGE_H

#include "target/kernel.h"
#include "tests/fuzz/fuzz.h"

#define IMAGE_AT 0xffffffff80000000ULL

struct image_symbol {
	const char *name;
	uint64_t address;
};

struct image_member {
	const char *type, *member;
	uint32_t offset, size;
};

struct image {
	struct input bytes;
	char *vmcoreinfo; /* or NULL */
	const struct image_symbol *symbols;
	size_t symbol_count;
	const struct image_member *members;
	size_t member_count;
};

/* image_kernel() - @image must outlive it. */
struct kernel *image_kernel(struct image *image);

#endif
