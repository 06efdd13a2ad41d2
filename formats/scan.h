/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A whole block of entries at once, by vectors: what most tables need no decoding for.
 *
 * The vectors are AVX2 where the CPU has it (asked at run time), else what every CPU of the
 * architecture has: SSE2, NEON.
 */
#ifndef IOMMUPT_FORMATS_SCAN_H
#define IOMMUPT_FORMATS_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/format.h"

/*
 * pt_scan() - count the entries in use of a block into *used. False when an entry in use is not
 * as @plain says: then the block has to be decoded.
 */
bool pt_scan(const struct pt_plain *plain, const uint64_t *entries, unsigned int count,
	     unsigned int *used);

/*
 * pt_scan_row() - how many of the @count entries, at least one, each are the one before plus
 * @stride.
 */
unsigned int pt_scan_row(const uint64_t *entries, unsigned int count, uint64_t stride);

#endif
