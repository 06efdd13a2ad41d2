// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Intel extended page tables (EPT): second-stage tables of VMX guests.
 *
 * Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3C, section 29.3 "The
 * Extended Page Table Mechanism (EPT)": 29.3.2 "EPT Translation Mechanism" (tables "Format of an
 * EPT PML4 Entry" ... "Format of an EPT Page-Table Entry"), 29.3.3.1 "EPT Misconfigurations",
 * 29.3.5 "Accessed and Dirty Flags for EPT", 29.3.7 "EPT and Memory Typing".
 *
 * An entry is present when it allows reading, writing or executing (bits 2:0); the rights are
 * the AND over all levels. What is taken for granted: execute-only entries are supported, and
 * mode-based execute control is off, so that bit 10 is ignored. Bits 8 and 9 mean something only
 * where EPTP bit 6 turns accessed and dirty flags on (hd=1).
 */
#include <stdio.h>

#include "formats/format.h"
#include "formats/run.h"
#include "target/error.h"

enum {
	EPT_READ = 1 << 0,
	EPT_WRITE = 1 << 1,
	EPT_EXECUTE = 1 << 2,
	EPT_RIGHTS = EPT_READ | EPT_WRITE | EPT_EXECUTE,
	EPT_MEMORY_TYPE_SHIFT = 3, /* leaf: bits 5:3 */
	EPT_IGNORE_PAT = 1 << 6,   /* leaf */
	EPT_PAGE_SIZE = 1 << 7,	   /* leaf at levels 1 and 2 */
	EPT_TABLE_RESERVED = 0x78, /* 6:3 of an entry that points to a table */
	EPT_ACCESSED = 1 << 8,
	EPT_DIRTY = 1 << 9, /* leaf */
	EPT_USER_EXECUTE = 1 << 10,
};

static const uint64_t EPT_VERIFY_PAGING = 1ULL << 57; /* 57, 58, 60: leaf */
static const uint64_t EPT_PAGING_WRITE = 1ULL << 58;
static const uint64_t EPT_SUPERVISOR_SHADOW_STACK = 1ULL << 60;
static const uint64_t EPT_SUBPAGE_WRITE = 1ULL << 61; /* leaf at level 0 */
static const uint64_t EPT_SUPPRESS_VE = 1ULL << 63;   /* leaf, and what is not present */

enum {
	ATTR_ACCESSED = 1 << 0,
	ATTR_DIRTY = 1 << 1,
	ATTR_IGNORE_PAT = 1 << 2,
	ATTR_SUPPRESS_VE = 1 << 3,
	ATTR_TRACKED = 1 << 4, /* a mapping without rights: its owner waits for the fault */
	ATTR_UC = 1 << 5,
	ATTR_WB = 1 << 6,
	ATTR_WC = 1 << 7,
	ATTR_WP = 1 << 8,
	ATTR_WT = 1 << 9,
};

static const char *const attribute_names[] = {
	"accessed", "dirty", "ipat", "suppress-ve", "tracked", "uc", "wb", "wc", "wp", "wt", NULL,
};

/* 29.3.7.2: codes as in the MTRRs; 2, 3 and 7 are reserved. */
static const uint32_t memory_types[8] = { ATTR_UC, ATTR_WC, 0, 0, ATTR_WT, ATTR_WP, ATTR_WB, 0 };

enum { HIGHEST_LEAF_LEVEL = 2 }; /* 1 GiB */

static inline unsigned int memory_type(uint64_t entry)
{
	return (unsigned int)(entry >> EPT_MEMORY_TYPE_SHIFT) & 7;
}

static inline bool is_leaf(unsigned int level, uint64_t entry)
{
	return level == 0 || (level <= HIGHEST_LEAF_LEVEL && (entry & EPT_PAGE_SIZE));
}

/* 29.3.3.1: what makes hardware report a misconfiguration of a present entry. */
static inline bool is_misconfigured(const struct pt_geometry *geometry, unsigned int level,
				    uint64_t entry)
{
	const uint64_t address = entry & pt_bits(51, 12) & ~geometry->strip;

	if ((entry & (EPT_READ | EPT_WRITE)) == EPT_WRITE)
		return true;
	if (address >> geometry->output_bits)
		return true;
	if (!is_leaf(level, entry)) /* bit 7: reserved where there is no such page */
		return entry & (EPT_TABLE_RESERVED | EPT_PAGE_SIZE);
	return memory_types[memory_type(entry)] == 0 ||
	       (address & ((1ULL << pt_entry_lg2(geometry, level)) - 1));
}

static inline void decode_entry(const struct pt_geometry *geometry, unsigned int level,
				uint64_t entry, struct pt_run *ret)
{
	const bool tracked = !(entry & EPT_RIGHTS) && pt_marked(&geometry->tracked, entry);

	if (!(entry & EPT_RIGHTS) && !tracked) {
		ret->kind = PT_EMPTY;
		return;
	}
	/* PT_R, PT_W and PT_X are these very bits. */
	ret->perm = (uint8_t)(entry & EPT_RIGHTS);
	ret->address = entry & pt_bits(51, 12) & ~geometry->strip;
	if (is_misconfigured(geometry, level, entry)) {
		ret->kind = PT_INVALID;
		return;
	}
	if (!is_leaf(level, entry)) {
		ret->kind = PT_TABLE;
		ret->next_level = (uint8_t)(level - 1);
		return;
	}
	ret->kind = PT_LEAF;
	ret->size_lg2 = (uint8_t)pt_entry_lg2(geometry, level);
	ret->attrs = memory_types[memory_type(entry)] | (tracked ? ATTR_TRACKED : 0U) |
		     (entry & EPT_IGNORE_PAT ? ATTR_IGNORE_PAT : 0U) |
		     (entry & EPT_SUPPRESS_VE ? ATTR_SUPPRESS_VE : 0U);
	if (geometry->dirty_tracking)
		ret->attrs |= (entry & EPT_ACCESSED ? ATTR_ACCESSED : 0U) |
			      (entry & EPT_DIRTY ? ATTR_DIRTY : 0U);
}

static size_t decode(const struct pt_geometry *geometry, unsigned int level,
		     const uint64_t *entries, unsigned int index, unsigned int count,
		     struct pt_run *runs)
{
	return pt_decode_runs(geometry, level, entries, index, count,
			      pt_bits(geometry->output_bits - 1U, 12), decode_entry, runs);
}

static struct pt_plain plain(const struct pt_geometry *geometry)
{
	const uint64_t too_high = geometry->output_bits < 52 ? pt_bits(51, geometry->output_bits)
							     : 0;

	/* Readable and write-back: nearly all are. */
	return (struct pt_plain){
		.used = EPT_RIGHTS,
		.fixed = EPT_READ | 7 << EPT_MEMORY_TYPE_SHIFT | (too_high & ~geometry->strip),
		.value = EPT_READ | 6 << EPT_MEMORY_TYPE_SHIFT,
	};
}

static void describe(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
		     char *text, size_t size)
{
	static const char *const types[] = { "UC", "WC", "2", "3", "WT", "WP", "WB", "7" };
	const bool leaf = is_leaf(level, entry);
	char type[16] = "";

	(void)geometry;
	if (leaf)
		snprintf(type, sizeof(type), " MT=%s", types[memory_type(entry)]);
	snprintf(text, size, "R=%d W=%d X=%d%s%s%s%s%s%s%s%s%s%s%s", !!(entry & EPT_READ),
		 !!(entry & EPT_WRITE), !!(entry & EPT_EXECUTE),
		 entry & EPT_USER_EXECUTE ? " XU=1" : "", type,
		 leaf && (entry & EPT_IGNORE_PAT) ? " IPAT=1" : "",
		 level && (entry & EPT_PAGE_SIZE) ? " PS=1" : "",
		 entry & EPT_ACCESSED ? " A=1" : "", leaf && (entry & EPT_DIRTY) ? " D=1" : "",
		 leaf && (entry & EPT_VERIFY_PAGING) ? " VGP=1" : "",
		 leaf && (entry & EPT_PAGING_WRITE) ? " PW=1" : "",
		 leaf && (entry & EPT_SUPERVISOR_SHADOW_STACK) ? " SSS=1" : "",
		 level == 0 && (entry & EPT_SUBPAGE_WRITE) ? " SPP=1" : "",
		 entry & EPT_SUPPRESS_VE ? " SVE=1" : "");
}

static struct error *setup(const struct pt_parameters *parameters, struct pt_geometry *geometry)
{
	const unsigned int levels = parameters->levels ? parameters->levels : 4;

	/* 29.3.2: a page walk of 4 or 5 levels, by EPTP bits 5:3. */
	if (levels != 4 && levels != 5)
		return error_new("ept tables have 4 or 5 levels, not %u: give levels=4 or 5",
				 levels);
	if (parameters->granule_lg2 && parameters->granule_lg2 != 12)
		return error_new("ept tables have a 4k granule only: leave granule= out");
	geometry->levels = (uint8_t)levels;
	geometry->granule_lg2 = 12;
	geometry->input_bits = parameters->input_bits ? parameters->input_bits
						      : (uint8_t)(12 + 9 * levels);
	if (geometry->input_bits > 12 + 9 * levels || geometry->input_bits <= 12 + 9 * (levels - 1))
		return error_new("ept tables of %u levels cannot have ias=%u: give %u to %u",
				 levels, geometry->input_bits, 12 + 9 * (levels - 1) + 1,
				 12 + 9 * levels);
	geometry->output_bits = parameters->output_bits ? parameters->output_bits : 52;
	if (geometry->output_bits < 13 || geometry->output_bits > 52)
		return error_new("ept tables hold addresses of 13 to 52 bits, not oas=%u",
				 geometry->output_bits);
	geometry->strip = parameters->strip;
	geometry->dirty_tracking = parameters->dirty_tracking;
	return NULL;
}

const struct pt_format pt_format_ept = {
	.name = "ept",
	.title = "Intel EPT",
	.stage = "second",
	.controls_execution = true,
	.attribute_names = attribute_names,
	.attrs_dirty = ATTR_ACCESSED | ATTR_DIRTY,
	.setup = setup,
	.decode = decode,
	.plain = plain,
	.describe = describe,
};
