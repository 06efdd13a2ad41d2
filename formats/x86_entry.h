/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bits that all tables of the x86-64 shape share: the CPU's own, AMD's guest
 * tables, nested ones, and VT-d's first stage. Each format's file says what its
 * manual does with the rest.
 */
#ifndef IOMMUPT_X86_ENTRY_H
#define IOMMUPT_X86_ENTRY_H

#include "formats/format.h"
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

#define X86_NO_EXECUTE (1ULL << 63)

/* In alphabetical order, as their names are. */
enum {
	X86_ATTR_ACCESSED = 1 << 0,
	X86_ATTR_DEVICE_EXCLUSIVE = 1 << 1, /* here and below: of Linux processes only */
	X86_ATTR_DEVICE_PRIVATE = 1 << 2,
	X86_ATTR_DIRTY = 1 << 3,
	X86_ATTR_GLOBAL = 1 << 4,
	X86_ATTR_GUARD = 1 << 5,
	X86_ATTR_HWPOISON = 1 << 6,
	X86_ATTR_INVALIDATED = 1 << 7,
	X86_ATTR_MARKER = 1 << 8,
	X86_ATTR_MIGRATION = 1 << 9,
	X86_ATTR_PAT = 1 << 10,
	X86_ATTR_CACHE_DISABLE = 1 << 11,
	X86_ATTR_POISONED = 1 << 12,
	X86_ATTR_PROT_NONE = 1 << 13,
	X86_ATTR_WRITE_THROUGH = 1 << 14,
	X86_ATTR_SOFT_DIRTY = 1 << 15,
	X86_ATTR_SWAP = 1 << 16,
	X86_ATTR_UFFD_WP = 1 << 17,
	X86_ATTR_USER = 1 << 18,
};

#define X86_ATTRIBUTE_NAMES                                                                       \
	"accessed", "device-exclusive", "device-private", "dirty", "global", "guard", "hwpoison", \
		"invalidated", "marker", "migration", "pat", "pcd", "poisoned", "prot-none",      \
		"pwt", "soft-dirty", "swap", "uffd-wp", "user"

enum { X86_HIGHEST_LEAF_LEVEL = 2 }; /* 1 GiB */

static inline uint32_t x86_leaf_attrs(unsigned int level, uint64_t entry)
{
	uint64_t pat = level ? X86_PAT_LARGE : X86_PAT_SMALL;

	return (entry & X86_ACCESSED ? X86_ATTR_ACCESSED : 0U) |
	       (entry & X86_DIRTY ? X86_ATTR_DIRTY : 0U) |
	       (entry & X86_GLOBAL ? X86_ATTR_GLOBAL : 0U) | (entry & pat ? X86_ATTR_PAT : 0U) |
	       (entry & X86_CACHE_DISABLE ? X86_ATTR_CACHE_DISABLE : 0U) |
	       (entry & X86_WRITE_THROUGH ? X86_ATTR_WRITE_THROUGH : 0U) |
	       (entry & X86_USER ? X86_ATTR_USER : 0U);
}

static inline void x86_decode_entry(const struct pt_geometry *geometry, unsigned int level,
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
		ret->attrs = entry & X86_USER ? X86_ATTR_USER : 0;
		return;
	}
	ret->size_lg2 = (uint8_t)pt_entry_lg2(geometry, level);
	if (level)
		ret->address &= ~(uint64_t)X86_PAT_LARGE;
	bool misaligned = ret->address & ((1ULL << ret->size_lg2) - 1);
	ret->kind = level > X86_HIGHEST_LEAF_LEVEL || misaligned ? PT_INVALID : PT_LEAF;
	ret->attrs = x86_leaf_attrs(level, entry);
}

/* Parameters of these tables: 4 or 5 levels of 4 KiB pages. */
static inline struct error *x86_setup(const char *name, const struct pt_parameters *parameters,
				      struct pt_geometry *geometry)
{
	unsigned int levels = parameters->levels ? parameters->levels : 4;

	if (levels != 4 && levels != 5)
		return error_new("%s tables have 4 or 5 levels, not %u: give levels=4 or 5", name,
				 levels);
	if (parameters->granule_lg2 && parameters->granule_lg2 != 12)
		return error_new("%s tables have a 4k granule only: leave granule= out", name);
	geometry->levels = (uint8_t)levels;
	geometry->granule_lg2 = 12;
	geometry->input_bits = parameters->input_bits ? parameters->input_bits
						      : (uint8_t)(12 + 9 * levels);
	if (geometry->input_bits > 12 + 9 * levels || geometry->input_bits <= 12 + 9 * (levels - 1))
		return error_new("%s tables of %u levels cannot have ias=%u: give %u to %u", name,
				 levels, geometry->input_bits, 12 + 9 * (levels - 1) + 1,
				 12 + 9 * levels);
	geometry->output_bits = parameters->output_bits ? parameters->output_bits : 52;
	geometry->strip = parameters->strip;
	geometry->sign_extend = parameters->sign_extend;
	geometry->dirty_tracking = true;
	return NULL;
}

#endif
