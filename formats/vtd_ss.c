// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Intel VT-d second-stage (older manuals: second-level) tables.
 *
 * Intel Virtualization Technology for Directed I/O, Architecture Specification,
 * revision 4.1 (D51397): section 3.7 "Second-Stage Translation", section 9.8
 * "Second-Stage Paging Entries" (SS-PML5E ... SS-PTE), section 3.7.1 for the
 * access rights (the AND over all levels).
 *
 * An entry is present when it allows reading or writing; there is no separate
 * present bit. Bit 2 (execute) counts only where a unit honours execute
 * requests, which Linux never asks for. Linux: drivers/iommu/intel/iommu.h up
 * to 6.12, drivers/iommu/generic_pt/fmt/vtdss.h from 6.19 on.
 */
#include <stdio.h>

#include "formats/format.h"
#include "formats/run.h"
#include "target/error.h"

enum {
	SS_READ = 1 << 0,
	SS_WRITE = 1 << 1,
	SS_EXECUTE = 1 << 2,
	SS_MEMORY_TYPE = 7 << 3, /* leaf only; ignored unless IPAT/EMT are supported */
	SS_IGNORE_PAT = 1 << 6,
	SS_PAGE_SIZE = 1 << 7, /* leaf at levels 1 and 2 */
	SS_ACCESSED = 1 << 8,  /* with second-stage A/D enabled (SSADE) */
	SS_DIRTY = 1 << 9,
	SS_SNOOP = 1 << 11, /* leaf only */
};

static const uint64_t SS_TRANSIENT = 1ULL << 62; /* device-TLB hint of old revisions; leaf */

enum { ATTR_ACCESSED = 1 << 0, ATTR_DIRTY = 1 << 1, ATTR_SNOOP = 1 << 2 };

static const char *const attribute_names[] = { "accessed", "dirty", "snoop", NULL };

enum { HIGHEST_LEAF_LEVEL = 2 }; /* 1 GiB */

static inline void decode_entry(const struct pt_geometry *geometry, unsigned int level,
				uint64_t entry, struct pt_run *ret)
{
	if (!(entry & (SS_READ | SS_WRITE))) {
		ret->kind = PT_EMPTY;
		return;
	}
	ret->perm = (uint8_t)(entry & (SS_READ | SS_WRITE));
	ret->address = entry & pt_bits(51, 12) & ~geometry->strip;
	if (level && !(entry & SS_PAGE_SIZE)) {
		ret->kind = PT_TABLE;
		ret->next_level = (uint8_t)(level - 1);
		return;
	}
	ret->size_lg2 = (uint8_t)pt_entry_lg2(geometry, level);
	/* Section 9.8: in a large page's entry the address bits below its size are reserved. */
	bool misaligned = ret->address & ((1ULL << ret->size_lg2) - 1);
	ret->kind = level > HIGHEST_LEAF_LEVEL || misaligned ? PT_INVALID : PT_LEAF;
	ret->attrs = (entry & SS_ACCESSED ? ATTR_ACCESSED : 0U) |
		     (entry & SS_DIRTY ? ATTR_DIRTY : 0U) | (entry & SS_SNOOP ? ATTR_SNOOP : 0U);
	if (!geometry->dirty_tracking)
		ret->attrs &= ~(uint32_t)(ATTR_ACCESSED | ATTR_DIRTY);
}

static size_t decode(const struct pt_geometry *geometry, unsigned int level,
		     const uint64_t *entries, unsigned int index, unsigned int count,
		     struct pt_run *runs)
{
	return pt_decode_runs(geometry, level, entries, index, count, pt_bits(51, 12), decode_entry,
			      runs);
}

static struct pt_plain plain(const struct pt_geometry *geometry)
{
	(void)geometry;
	return (struct pt_plain){ .used = SS_READ | SS_WRITE };
}

static void describe(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
		     char *text, size_t size)
{
	bool leaf = level == 0 || (entry & SS_PAGE_SIZE);

	(void)geometry;
	snprintf(text, size, "R=%d W=%d", !!(entry & SS_READ), !!(entry & SS_WRITE));
	size_t used = 0;
	while (text[used])
		used++;
	snprintf(text + used, size - used, "%s%s%s%s%s%s%s%s", entry & SS_EXECUTE ? " X=1" : "",
		 level && (entry & SS_PAGE_SIZE) ? " PS=1" : "", entry & SS_ACCESSED ? " A=1" : "",
		 leaf && (entry & SS_DIRTY) ? " D=1" : "",
		 leaf && (entry & SS_SNOOP) ? " SNP=1" : "",
		 leaf && (entry & SS_MEMORY_TYPE) ? " EMT!=0" : "",
		 leaf && (entry & SS_IGNORE_PAT) ? " IPAT=1" : "",
		 leaf && (entry & SS_TRANSIENT) ? " TM=1" : "");
}

static struct error *setup(const struct pt_parameters *parameters, struct pt_geometry *geometry)
{
	unsigned int levels = parameters->levels ? parameters->levels : 4;

	/* Section 3.7: 3, 4 and 5 levels; 2 is kept for tables below a skipped top. */
	if (levels < 2 || levels > 5)
		return error_new("vtd_ss tables have 3, 4 or 5 levels, not %u: give levels=3 to 5",
				 levels);
	if (parameters->granule_lg2 && parameters->granule_lg2 != 12)
		return error_new("vtd_ss tables have a 4k granule only: leave granule= out");
	geometry->levels = (uint8_t)levels;
	geometry->granule_lg2 = 12;
	geometry->input_bits = parameters->input_bits ? parameters->input_bits
						      : (uint8_t)(12 + 9 * levels);
	if (geometry->input_bits > 12 + 9 * levels || geometry->input_bits <= 12 + 9 * (levels - 1))
		return error_new("vtd_ss tables of %u levels cannot have ias=%u: give %u to %u",
				 levels, geometry->input_bits, 12 + 9 * (levels - 1) + 1,
				 12 + 9 * levels);
	geometry->output_bits = parameters->output_bits ? parameters->output_bits : 52;
	geometry->strip = parameters->strip;
	geometry->dirty_tracking = parameters->dirty_tracking;
	return NULL;
}

const struct pt_format pt_format_vtd_ss = {
	.name = "vtd_ss",
	.title = "Intel VT-d second stage",
	.stage = "second",
	.attribute_names = attribute_names,
	.attrs_dirty = ATTR_ACCESSED | ATTR_DIRTY,
	.setup = setup,
	.decode = decode,
	.plain = plain,
	.describe = describe,
};
