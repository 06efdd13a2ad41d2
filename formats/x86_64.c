// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * x86-64 tables: CPU page tables, and with them AMD IOMMU v2 (guest) tables and NPT.
 *
 * AMD64 Architecture Programmer's Manual, volume 2 (24593), section 5.3 "Long-Mode
 * Page Translation" (5.3.1 canonical addresses, 5.3.3 4-Kbyte, 5.3.4 2-Mbyte, 5.3.5
 * 1-Gbyte pages), 5.4 "Page-Translation-Table Entry Fields", 5.6 "Page-Protection
 * Checks" (U/S, R/W and NX combine over all levels).
 */
#include <stdio.h>

#include "formats/format.h"
#include "formats/run.h"
#include "target/error.h"

enum {
	X86_PRESENT = 1 << 0,
	X86_WRITE = 1 << 1,
	X86_USER = 1 << 2,
	X86_WRITE_THROUGH = 1 << 3,
	X86_CACHE_DISABLE = 1 << 4,
	X86_ACCESSED = 1 << 5,
	X86_DIRTY = 1 << 6,
	X86_PAGE_SIZE = 1 << 7, /* levels 1 and 2; the PAT bit at level 0 */
	X86_PAT_SMALL = 1 << 7,
	X86_GLOBAL = 1 << 8,
	X86_PAT_LARGE = 1 << 12,
};

static const uint64_t X86_NO_EXECUTE = 1ULL << 63;

enum {
	ATTR_ACCESSED = 1 << 0,
	ATTR_DIRTY = 1 << 1,
	ATTR_GLOBAL = 1 << 2,
	ATTR_PAT = 1 << 3,
	ATTR_CACHE_DISABLE = 1 << 4,
	ATTR_WRITE_THROUGH = 1 << 5,
	ATTR_USER = 1 << 6,
};

static const char *const attribute_names[] = {
	"accessed", "dirty", "global", "pat", "pcd", "pwt", "user", NULL,
};

enum { HIGHEST_LEAF_LEVEL = 2 }; /* 1 GiB */

static inline uint32_t leaf_attrs(unsigned int level, uint64_t entry)
{
	uint64_t pat = level ? X86_PAT_LARGE : X86_PAT_SMALL;

	return (entry & X86_ACCESSED ? ATTR_ACCESSED : 0U) | (entry & X86_DIRTY ? ATTR_DIRTY : 0U) |
	       (entry & X86_GLOBAL ? ATTR_GLOBAL : 0U) | (entry & pat ? ATTR_PAT : 0U) |
	       (entry & X86_CACHE_DISABLE ? ATTR_CACHE_DISABLE : 0U) |
	       (entry & X86_WRITE_THROUGH ? ATTR_WRITE_THROUGH : 0U) |
	       (entry & X86_USER ? ATTR_USER : 0U);
}

static inline void decode_entry(const struct pt_geometry *geometry, unsigned int level,
                                uint64_t entry, struct pt_run *ret)
{
	if (!(entry & X86_PRESENT)) {
		ret->kind = PT_EMPTY;
		return;
	}
	ret->perm = (uint8_t)(PT_R | (entry & X86_WRITE ? PT_W : 0) |
	                      (entry & X86_NO_EXECUTE ? 0 : PT_X));
	ret->address = entry & pt_bits(51, 12) & ~geometry->strip;
	if (level && !(entry & X86_PAGE_SIZE)) {
		ret->kind = PT_TABLE;
		ret->next_level = (uint8_t)(level - 1);
		ret->attrs = entry & X86_USER ? ATTR_USER : 0;
		return;
	}
	ret->size_lg2 = (uint8_t)pt_entry_lg2(geometry, level);
	if (level)
		ret->address &= ~(uint64_t)X86_PAT_LARGE;
	bool misaligned = ret->address & ((1ULL << ret->size_lg2) - 1);
	ret->kind = level > HIGHEST_LEAF_LEVEL || misaligned ? PT_INVALID : PT_LEAF;
	ret->attrs = leaf_attrs(level, entry);
}

static size_t decode(const struct pt_geometry *geometry, unsigned int level,
                     const uint64_t *entries, unsigned int index, unsigned int count,
                     struct pt_run *runs)
{
	return pt_decode_runs(geometry, level, entries, index, count, pt_bits(51, 12), decode_entry,
	                      runs);
}

static void describe(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
                     char *text, size_t size)
{
	bool leaf = level == 0 || (entry & X86_PAGE_SIZE);

	(void)geometry;
	snprintf(text, size, "P=%d RW=%d US=%d%s%s%s%s%s%s%s", !!(entry & X86_PRESENT),
	         !!(entry & X86_WRITE), !!(entry & X86_USER),
	         entry & X86_WRITE_THROUGH ? " PWT=1" : "",
	         entry & X86_CACHE_DISABLE ? " PCD=1" : "", entry & X86_ACCESSED ? " A=1" : "",
	         leaf && (entry & X86_DIRTY) ? " D=1" : "",
	         level && (entry & X86_PAGE_SIZE) ? " PS=1" : "",
	         leaf && (entry & X86_GLOBAL) ? " G=1" : "", entry & X86_NO_EXECUTE ? " NX=1" : "");
}

static struct error *setup(const struct pt_parameters *parameters, struct pt_geometry *geometry)
{
	unsigned int levels = parameters->levels ? parameters->levels : 4;

	if (levels != 4 && levels != 5)
		return error_new("x86_64 tables have 4 or 5 levels, not %u: give levels=4 or 5",
		                 levels);
	if (parameters->granule_lg2 && parameters->granule_lg2 != 12)
		return error_new("x86_64 tables have a 4k granule only: leave granule= out");
	geometry->levels = (uint8_t)levels;
	geometry->granule_lg2 = 12;
	geometry->input_bits = parameters->input_bits ? parameters->input_bits
	                                              : (uint8_t)(12 + 9 * levels);
	if (geometry->input_bits > 12 + 9 * levels || geometry->input_bits <= 12 + 9 * (levels - 1))
		return error_new("x86_64 tables of %u levels cannot have ias=%u: give %u to %u",
		                 levels, geometry->input_bits, 12 + 9 * (levels - 1) + 1,
		                 12 + 9 * levels);
	geometry->output_bits = parameters->output_bits ? parameters->output_bits : 52;
	geometry->strip = parameters->strip;
	geometry->sign_extend = parameters->sign_extend;
	geometry->dirty_tracking = true;
	return NULL;
}

const struct pt_format pt_format_x86_64 = {
	.name = "x86_64",
	.title = "x86-64 (CPU, AMD IOMMU v2, NPT)",
	.stage = "first",
	.controls_execution = true,
	.attribute_names = attribute_names,
	.attrs_and = ATTR_USER,
	.attrs_dirty = ATTR_ACCESSED | ATTR_DIRTY,
	.setup = setup,
	.decode = decode,
	.describe = describe,
};
