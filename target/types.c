// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/types.h"

void member_set_bits(struct member *member, uint64_t base, uint64_t start, uint64_t width,
		     uint64_t type_size, uint64_t struct_size)
{
	uint64_t unit = type_size ? type_size : 1;
	uint64_t offset = start / (8 * unit) * unit;

	if (start + width > 8 * (offset + unit) || offset + unit > struct_size) {
		offset = start / 8;
		unit = (start % 8 + width + 7) / 8;
	}
	member->offset = (uint32_t)(base + offset);
	member->size = (uint32_t)unit;
	member->bit_offset = (uint8_t)(start - 8 * offset);
	member->bit_size = (uint8_t)width;
}
