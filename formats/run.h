/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Joining entries into runs: shared by the formats' decode functions.
 *
 * Each format gives an inline function that decodes one entry. The loop here
 * calls it only where an entry differs from what its neighbour foretells: an
 * empty block and a block of contiguous leaves are recognised by vectors.
 */
#ifndef IOMMUPT_FORMATS_RUN_H
#define IOMMUPT_FORMATS_RUN_H

#include "formats/format.h"
#include "formats/scan.h"

typedef void pt_decode_entry(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
			     struct pt_run *ret);

/* Whether the leaf @next continues @run, whose item size is a single entry's. */
static inline bool pt_run_continues(const struct pt_run *run, const struct pt_run *next)
{
	if (run->kind != next->kind || next->kind == PT_TABLE)
		return false;
	if (run->kind == PT_EMPTY)
		return true;
	if (run->kind == PT_INVALID)
		return false;
	if (run->address == PT_NO_ADDRESS || next->address == PT_NO_ADDRESS)
		return run->attrs == next->attrs && run->size_lg2 == next->size_lg2 &&
		       run->address == next->address;
	return run->attrs == next->attrs && run->perm == next->perm &&
	       run->size_lg2 == next->size_lg2 &&
	       run->address + ((uint64_t)run->count << run->size_lg2) == next->address;
}

/*
 * How many of the entries from @entries on, at least one, continue each other: by one @stride
 * each, with nothing but the address (@address_mask) changing. The entries are equal but for a sum,
 * so a carry out of the address is what would change more.
 */
static inline unsigned int pt_row_length(const uint64_t *entries, unsigned int count,
					 uint64_t address_mask, uint64_t stride)
{
	/* The address's own bits from the stride upwards, without a gap. */
	const uint64_t from_stride = address_mask & -stride;
	const uint64_t carry = from_stride + stride;
	const uint64_t field = address_mask & stride
				       ? from_stride & ~carry &
						 (carry ? (carry & -carry) - 1 : ~0ULL)
				       : 0;
	const uint64_t room = (~entries[0] & field) / stride;

	if (room < count - 1)
		count = (unsigned int)room + 1;
	return pt_scan_row(entries, count, stride);
}

/*
 * pt_decode_runs() - the loop for formats whose items are single entries. @address_mask is
 * the widest span of address bits in a leaf entry at this level: while only those bits
 * change, and by exactly one page, the neighbour's meaning holds.
 */
static inline __attribute__((always_inline)) size_t
pt_decode_runs(const struct pt_geometry *geometry, unsigned int level, const uint64_t *entries,
	       unsigned int index, unsigned int count, uint64_t address_mask,
	       pt_decode_entry *decode_entry, struct pt_run *runs)
{
	const uint64_t stride = 1ULL << pt_entry_lg2(geometry, level);
	/* What is stripped is no part of the address: a carry into it is no next page. */
	const uint64_t address = address_mask & ~geometry->strip;
	size_t n = 0;

	for (unsigned int i = 0; i < count;) {
		struct pt_run *run = &runs[n];

		*run = (struct pt_run){ .index = index + i, .count = 1 };
		if (!pt_marked(&geometry->empty, entries[i]))
			decode_entry(geometry, level, entries[i], run);
		if (run->kind == PT_EMPTY)
			run->count = pt_scan_row(entries + i, count - i, 0);
		else if (run->kind == PT_LEAF)
			run->count = pt_row_length(entries + i, count - i, address, stride);
		i += run->count;
		if (n && pt_run_continues(&runs[n - 1], run))
			runs[n - 1].count += run->count;
		else
			n++;
	}
	return n;
}

#endif
