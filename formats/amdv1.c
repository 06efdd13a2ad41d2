// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * AMD I/O page tables for host translation ("v1").
 *
 * AMD I/O Virtualization Technology (IOMMU) Specification (48882): section 2.2.3 "I/O Page
 * Tables for Host Translations": its figures of the page-table entry that is not present, the
 * page directory entry (PDE) and the page translation entry (PTE), and its tables "Page Table
 * Level Parameters" and "Example Page Size Encodings".
 *
 * The manual counts levels from 1; level 0 here is its level 1. Next Level (NL) 1 to 6 points to
 * a table of that level, which may skip some: the input bits of a skipped level have to be zero.
 * NL 0 is a page of the level's own size. NL 7 is a larger one: the low zero bit of its address
 * tells the size, and the entry is repeated in all the slots that the page covers; such a page is
 * one item. Permissions are the AND over all levels and the device table entry.
 *
 * A present leaf with neither IR nor IW is a leaf: it is there, and refuses each access by its
 * permissions. Linux: drivers/iommu/amd/io_pgtable.c up to 6.18, drivers/iommu/generic_pt/fmt/
 * amdv1.h from 6.19 on.
 */
#include <stdio.h>

#include "formats/format.h"
#include "formats/run.h"
#include "target/error.h"

enum {
	AMD_PRESENT = 1 << 0,
	AMD_ACCESSED = 1 << 5, /* this and dirty where the DTE's HAD says so (2.2.2.1) */
	AMD_DIRTY = 1 << 6,    /* leaf only */
};

#define AMD_UNTRANSLATED (1ULL << 59)	/* U; leaf only */
#define AMD_FORCE_COHERENT (1ULL << 60) /* FC; leaf only */
#define AMD_READ (1ULL << 61)
#define AMD_WRITE (1ULL << 62)
/* Hardware refuses entries with reserved bits (the RZ bit of an IO_PAGE_FAULT event, 2.5.3). */
#define TABLE_RESERVED pt_bits(60, 52)
#define LEAF_RESERVED pt_bits(58, 52)

enum { NL_PAGE = 0, NL_SIZED_PAGE = 7 };

enum { ATTR_ACCESSED = 1 << 0, ATTR_DIRTY = 1 << 1, ATTR_FC = 1 << 2, ATTR_U = 1 << 3 };

static const char *const attribute_names[] = { "accessed", "dirty", "fc", "u", NULL };

enum { HIGHEST_LEAF_LEVEL = 4, HIGHEST_SIZE_LG2 = 52, PAGE_LG2 = 12, LEVEL_BITS = 9 };

static unsigned int next_level(uint64_t entry)
{
	return (unsigned int)pt_field(entry, 11, 9);
}

/* The size that a leaf with NL 7 encodes; 0 when it is none of this level's. */
static unsigned int encoded_size_lg2(unsigned int entry_lg2, uint64_t address)
{
	const uint64_t ones = address | (pt_bits(PAGE_LG2 - 1, 0));
	unsigned int size_lg2 = ~ones ? (unsigned int)__builtin_ctzll(~ones) + 1U : 64;

	/* A level's own size has to be written as NL 0, the next level's is not this level's. */
	if (size_lg2 <= entry_lg2 || size_lg2 >= entry_lg2 + LEVEL_BITS ||
	    size_lg2 > HIGHEST_SIZE_LG2)
		return 0;
	return size_lg2;
}

static void decode_leaf(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
			struct pt_run *ret)
{
	const unsigned int entry_lg2 = pt_entry_lg2(geometry, level);
	unsigned int size_lg2 = entry_lg2;
	bool valid = level <= HIGHEST_LEAF_LEVEL && !(entry & LEAF_RESERVED & ~geometry->strip);

	if (next_level(entry) == NL_SIZED_PAGE) {
		size_lg2 = encoded_size_lg2(entry_lg2, ret->address);
		valid &= size_lg2 != 0;
		ret->address &= ~((1ULL << size_lg2) - 1);
	} else {
		valid &= (ret->address & ((1ULL << size_lg2) - 1)) == 0;
	}
	ret->size_lg2 = (uint8_t)size_lg2;
	ret->kind = valid ? PT_LEAF : PT_INVALID;
	ret->attrs = (entry & AMD_FORCE_COHERENT ? ATTR_FC : 0U) |
		     (entry & AMD_UNTRANSLATED ? ATTR_U : 0U);
	if (geometry->dirty_tracking)
		ret->attrs |= (entry & AMD_ACCESSED ? ATTR_ACCESSED : 0U) |
			      (entry & AMD_DIRTY ? ATTR_DIRTY : 0U);
}

static inline void decode_entry(const struct pt_geometry *geometry, unsigned int level,
				uint64_t entry, struct pt_run *ret)
{
	const unsigned int next = next_level(entry);

	if (!(entry & AMD_PRESENT)) {
		ret->kind = PT_EMPTY;
		return;
	}
	ret->perm = (uint8_t)((entry & AMD_READ ? PT_R : 0) | (entry & AMD_WRITE ? PT_W : 0));
	ret->address = entry & pt_bits(51, 12) & ~geometry->strip;
	if (next == NL_PAGE || next == NL_SIZED_PAGE) {
		decode_leaf(geometry, level, entry, ret);
		return;
	}
	/* The next table's level is lower; here it counts from 0. */
	ret->kind = next > level || (entry & TABLE_RESERVED & ~geometry->strip) ? PT_INVALID
										: PT_TABLE;
	ret->next_level = (uint8_t)(next - 1);
}

/*
 * The replicas of the large page that begins at number @i: as many as the block holds, when they
 * agree in all but A and D, and @run is theirs. Otherwise each entry is taken by itself, as
 * hardware may that reads just this one.
 */
static unsigned int take_replicas(const struct pt_geometry *geometry, unsigned int level,
				  const uint64_t *entries, unsigned int i, unsigned int count,
				  struct pt_run *run)
{
	const unsigned int entry_lg2 = pt_entry_lg2(geometry, level);
	const unsigned int slots = 1U << (run->size_lg2 - entry_lg2);
	const unsigned int position = run->index & (slots - 1);
	const uint64_t first = entries[i];
	unsigned int end = i + slots - position;
	uint64_t changes = 0;
	uint64_t state = 0;

	/* Not the first of them, although what comes before it is in the block, too. */
	bool torn = (position && i) ||
		    run->index - position + slots > 1U << pt_table_lg2(geometry, level);
	if (end > count)
		end = count;
	for (unsigned int j = i; j < end && !torn; j++) {
		changes |= entries[j] ^ first;
		state |= entries[j];
	}
	torn |= (changes & ~(uint64_t)(AMD_ACCESSED | AMD_DIRTY)) != 0;
	if (torn) {
		run->torn = true;
		run->address += (uint64_t)position << entry_lg2;
		run->size_lg2 = (uint8_t)entry_lg2;
		return 1;
	}
	if (geometry->dirty_tracking)
		run->attrs |= (state & AMD_ACCESSED ? ATTR_ACCESSED : 0U) |
			      (state & AMD_DIRTY ? ATTR_DIRTY : 0U);
	return end - i;
}

/* Whether @next goes on where @run, which is made of whole items, ends. */
static bool continues(const struct pt_run *run, const struct pt_run *next, unsigned int entry_lg2)
{
	if (run->kind != next->kind)
		return false;
	if (run->kind != PT_LEAF)
		return run->kind == PT_EMPTY;
	return run->attrs == next->attrs && run->perm == next->perm &&
	       run->size_lg2 == next->size_lg2 && run->torn == next->torn &&
	       run->address + ((uint64_t)run->count << entry_lg2) == next->address;
}

static size_t decode(const struct pt_geometry *geometry, unsigned int level,
		     const uint64_t *entries, unsigned int index, unsigned int count,
		     struct pt_run *runs)
{
	const unsigned int entry_lg2 = pt_entry_lg2(geometry, level);
	unsigned int taken = 0;
	size_t n = 0;

	for (unsigned int i = 0; i < count; i += taken) {
		struct pt_run *run = &runs[n];

		*run = (struct pt_run){ .index = index + i };
		decode_entry(geometry, level, entries[i], run);
		taken = 1;
		if (run->kind == PT_EMPTY)
			taken = pt_scan_row(entries + i, count - i, 0);
		else if (run->kind == PT_LEAF && run->size_lg2 == entry_lg2)
			taken = pt_row_length(entries + i, count - i,
					      pt_bits(51, 12) & ~geometry->strip,
					      1ULL << entry_lg2);
		else if (run->kind == PT_LEAF)
			taken = take_replicas(geometry, level, entries, i, count, run);
		run->count = taken;
		if (n && continues(&runs[n - 1], run, entry_lg2))
			runs[n - 1].count += taken;
		else
			n++;
	}
	return n;
}

static struct pt_plain plain(const struct pt_geometry *geometry)
{
	return (struct pt_plain){
		.used = AMD_PRESENT,
		.fixed = pt_bits(11, 9) | (LEAF_RESERVED & ~geometry->strip),
	};
}

static void describe(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
		     char *text, size_t size)
{
	const unsigned int next = next_level(entry);
	const bool leaf = next == NL_PAGE || next == NL_SIZED_PAGE;

	(void)geometry;
	(void)level;
	snprintf(text, size, "PR=%d NL=%u IR=%d IW=%d%s%s%s%s%s", !!(entry & AMD_PRESENT), next,
		 !!(entry & AMD_READ), !!(entry & AMD_WRITE), entry & AMD_ACCESSED ? " A=1" : "",
		 leaf && (entry & AMD_DIRTY) ? " D=1" : "",
		 leaf && (entry & AMD_UNTRANSLATED) ? " U=1" : "",
		 leaf && (entry & AMD_FORCE_COHERENT) ? " FC=1" : "",
		 entry & (leaf ? LEAF_RESERVED : TABLE_RESERVED) ? " reserved!=0" : "");
}

static struct error *setup(const struct pt_parameters *parameters, struct pt_geometry *geometry)
{
	const unsigned int levels = parameters->levels ? parameters->levels : 3;

	/* 2.2.2.1: Mode 1 to 6. Linux begins with 3 and adds levels when it needs them. */
	if (levels < 1 || levels > 6)
		return error_new("amdv1 tables have 1 to 6 levels, not %u: give levels=1 to 6",
				 levels);
	if (parameters->granule_lg2 && parameters->granule_lg2 != PAGE_LG2)
		return error_new("amdv1 tables have a 4k granule only: leave granule= out");
	/* A level 6 table has 128 entries: bits 63:57. */
	const unsigned int least = PAGE_LG2 + LEVEL_BITS * (levels - 1) + 1;
	const unsigned int most = levels == 6 ? 64 : PAGE_LG2 + LEVEL_BITS * levels;
	geometry->levels = (uint8_t)levels;
	geometry->granule_lg2 = PAGE_LG2;
	geometry->input_bits = parameters->input_bits ? parameters->input_bits : (uint8_t)most;
	if (geometry->input_bits > most || geometry->input_bits < least)
		return error_new("amdv1 tables of %u levels cannot have ias=%u: give %u to %u",
				 levels, geometry->input_bits, least, most);
	geometry->output_bits = parameters->output_bits ? parameters->output_bits : 52;
	geometry->strip = parameters->strip;
	geometry->dirty_tracking = parameters->dirty_tracking;
	return NULL;
}

const struct pt_format pt_format_amdv1 = {
	.name = "amdv1",
	.title = "AMD IOMMU v1 (host)",
	.stage = "",
	.attribute_names = attribute_names,
	.attrs_dirty = ATTR_ACCESSED | ATTR_DIRTY,
	.setup = setup,
	.decode = decode,
	.plain = plain,
	.describe = describe,
};
