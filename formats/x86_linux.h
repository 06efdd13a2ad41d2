/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What Linux keeps in the page table of an x86-64 process besides mappings.
 *
 * Linux: arch/x86/include/asm/pgtable_64.h ("Encode and de-code a swap entry"),
 * pgtable_types.h (_PAGE_BIT_SOFTW*, _PAGE_BIT_PROTNONE, _PAGE_SWP_*), pgtable.h (pte_none(),
 * pte_present(), pmd_present(), pmd_mkinvalid()), pgtable-invert.h; include/linux/swap.h (SWP_*),
 * swapops.h (SWP_PFN_BITS, PTE_MARKER_*; leafops.h since 6.19). The same from 5.10 to 7.3 but
 * for the numbers in struct pt_linux_types.
 *
 * An entry with P=0 that is not zero (but for A and D, which some CPUs set by an erratum):
 *	G=1          a page without access: PROT_NONE, or a NUMA hint; otherwise as a present one,
 *	             but with the address inverted, so that it cannot be speculated upon (L1TF)
 *	PS=1, G=0    the same, of a large page that is being split or changed (levels 1, 2)
 *	otherwise    swap entry: 63:59 type, 58:9 the inverted offset, 1 soft-dirty, 2 uffd-wp,
 *	             3 exclusive
 */
#ifndef IOMMUPT_X86_LINUX_H
#define IOMMUPT_X86_LINUX_H

#include <inttypes.h>
#include <stdio.h>

#include "formats/format.h"
#include "formats/x86_entry.h"

enum {
	X86_LINUX_UFFD_WP = 1 << 10,
	X86_LINUX_SOFT_DIRTY = 1 << 11,
	X86_LINUX_SWAP_SOFT_DIRTY = 1 << 1,
	X86_LINUX_SWAP_UFFD_WP = 1 << 2,
	X86_LINUX_SWAP_EXCLUSIVE = 1 << 3,
};

/* Bits of the offset of a marker. */
enum { X86_LINUX_MARK_UFFD_WP = 1, X86_LINUX_MARK_POISONED = 2, X86_LINUX_MARK_GUARD = 4 };

static inline unsigned int x86_linux_swap_type(uint64_t entry)
{
	return (unsigned int)(entry >> 59);
}

static inline uint64_t x86_linux_swap_offset(uint64_t entry)
{
	return pt_field(~entry, 58, 9);
}

/* Whether @entry, which is not present, is more than empty. Only levels 0 to 2 have leaves. */
static inline bool x86_linux_is_soft(const struct pt_geometry *geometry, unsigned int level,
				     uint64_t entry)
{
	return geometry->linux_types.used && level <= X86_HIGHEST_LEAF_LEVEL &&
	       !(entry & X86_PRESENT) && (entry & ~(uint64_t)(X86_ACCESSED | X86_DIRTY));
}

/* PROT_NONE and the like: the page is there, only P is not. */
static inline bool x86_linux_has_page(unsigned int level, uint64_t entry)
{
	return (entry & X86_GLOBAL) || (level && (entry & X86_PAGE_SIZE));
}

/* The kinds of swap types, as an attribute. */
static inline uint32_t x86_linux_swap_kind(const struct pt_linux_types *types, unsigned int type)
{
	if (type < types->hwpoison)
		return X86_ATTR_SWAP;
	if (type < types->migration)
		return X86_ATTR_HWPOISON;
	if (type < types->device_private)
		return X86_ATTR_MIGRATION;
	if (type < types->device_exclusive)
		return X86_ATTR_DEVICE_PRIVATE;
	if (type < types->marker)
		return X86_ATTR_DEVICE_EXCLUSIVE;
	return type < types->swapin_error ? X86_ATTR_MARKER : X86_ATTR_POISONED;
}

/* SWP_PFN_MASK: above the page's number are its accessed and dirty bits (since 6.1). */
static inline uint64_t x86_linux_swap_page(const struct pt_geometry *geometry, uint64_t entry)
{
	const unsigned int physical_bits = geometry->levels == 5 ? 52 : 46; /* MAX_PHYSMEM_BITS */

	return (x86_linux_swap_offset(entry) << 12) & pt_bits(physical_bits - 1, 12);
}

static inline void x86_linux_decode_swap(const struct pt_geometry *geometry, uint64_t entry,
					 struct pt_run *ret)
{
	const uint64_t offset = x86_linux_swap_offset(entry);
	const uint32_t kind =
		x86_linux_swap_kind(&geometry->linux_types, x86_linux_swap_type(entry));

	ret->attrs = kind | (entry & X86_LINUX_SWAP_SOFT_DIRTY ? X86_ATTR_SOFT_DIRTY : 0U) |
		     (entry & X86_LINUX_SWAP_UFFD_WP ? X86_ATTR_UFFD_WP : 0U);
	ret->address = PT_NO_ADDRESS;
	if (kind == X86_ATTR_MARKER)
		ret->attrs |= (offset & X86_LINUX_MARK_UFFD_WP ? X86_ATTR_UFFD_WP : 0U) |
			      (offset & X86_LINUX_MARK_POISONED ? X86_ATTR_POISONED : 0U) |
			      (offset & X86_LINUX_MARK_GUARD ? X86_ATTR_GUARD : 0U);
	else if (kind != X86_ATTR_SWAP && kind != X86_ATTR_POISONED)
		ret->address = x86_linux_swap_page(geometry, entry);
}

static inline uint32_t x86_linux_page_attrs(uint64_t entry)
{
	return (entry & X86_LINUX_SOFT_DIRTY ? X86_ATTR_SOFT_DIRTY : 0U) |
	       (entry & X86_LINUX_UFFD_WP ? X86_ATTR_UFFD_WP : 0U);
}

static inline uint64_t x86_linux_page(const struct pt_geometry *geometry, unsigned int level,
				      uint64_t entry)
{
	return ~entry & pt_bits(51, pt_entry_lg2(geometry, level)) & ~geometry->strip;
}

/* One entry of a process's table. */
static inline void x86_linux_decode_entry(const struct pt_geometry *geometry, unsigned int level,
					  uint64_t entry, struct pt_run *ret)
{
	x86_decode_entry(geometry, level, entry, ret);
	if (ret->kind == PT_LEAF)
		ret->attrs |= x86_linux_page_attrs(entry);
	if (!x86_linux_is_soft(geometry, level, entry))
		return;
	ret->kind = PT_SOFT;
	ret->size_lg2 = (uint8_t)pt_entry_lg2(geometry, level);
	if (!x86_linux_has_page(level, entry)) {
		x86_linux_decode_swap(geometry, entry, ret);
		return;
	}
	ret->address = x86_linux_page(geometry, level, entry);
	ret->attrs = (x86_leaf_attrs(level, entry) & ~(uint32_t)X86_ATTR_GLOBAL) |
		     x86_linux_page_attrs(entry) |
		     (entry & X86_GLOBAL ? X86_ATTR_PROT_NONE : X86_ATTR_INVALIDATED);
}

/* Read, exclusive, write: what the page may be when it is back. */
static inline const char *x86_linux_migration_text(const struct pt_linux_types *types,
						   unsigned int type)
{
	if (type + 1U == types->device_private)
		return "writable";
	return type == types->migration ? "read-only" : "read-only, exclusive";
}

static inline void x86_linux_describe_swap(const struct pt_geometry *geometry, uint64_t entry,
					   char *text, size_t size)
{
	const struct pt_linux_types *types = &geometry->linux_types;
	const unsigned int type = x86_linux_swap_type(entry);
	const uint64_t offset = x86_linux_swap_offset(entry);
	const uint64_t page = x86_linux_swap_page(geometry, entry);

	switch (x86_linux_swap_kind(types, type)) {
	case X86_ATTR_SWAP:
		snprintf(text, size, "swapped out: swap file %u, page 0x%" PRIx64 "%s%s%s", type,
			 offset, entry & X86_LINUX_SWAP_EXCLUSIVE ? " exclusive" : "",
			 entry & X86_LINUX_SWAP_SOFT_DIRTY ? " soft-dirty" : "",
			 entry & X86_LINUX_SWAP_UFFD_WP ? " uffd-wp" : "");
		break;
	case X86_ATTR_HWPOISON:
		snprintf(text, size, "hardware-poisoned page 0x%" PRIx64, page);
		break;
	case X86_ATTR_MIGRATION:
		snprintf(text, size, "page 0x%" PRIx64 " is being migrated (%s)", page,
			 x86_linux_migration_text(types, type));
		break;
	case X86_ATTR_DEVICE_PRIVATE:
		snprintf(text, size, "in a device's private memory: page 0x%" PRIx64 " (%s)", page,
			 type == types->device_private ? "writable" : "read-only");
		break;
	case X86_ATTR_DEVICE_EXCLUSIVE:
		snprintf(text, size, "page 0x%" PRIx64 " is a device's for a while (exclusive)",
			 page);
		break;
	case X86_ATTR_MARKER:
		snprintf(text, size, "marker:%s%s%s",
			 offset & X86_LINUX_MARK_UFFD_WP ? " uffd-wp" : "",
			 offset & X86_LINUX_MARK_POISONED ? " poisoned" : "",
			 offset & X86_LINUX_MARK_GUARD ? " guard" : "");
		break;
	default:
		snprintf(text, size, "its page could not be read back from swap");
	}
}

/* An entry for which x86_linux_is_soft() holds, in words. */
static inline void x86_linux_describe(const struct pt_geometry *geometry, unsigned int level,
				      uint64_t entry, char *text, size_t size)
{
	if (!x86_linux_has_page(level, entry))
		x86_linux_describe_swap(geometry, entry, text, size);
	else
		snprintf(text, size, "%s: page 0x%" PRIx64,
			 entry & X86_GLOBAL ? "PROT_NONE or NUMA hint"
					    : "large page being split or changed",
			 x86_linux_page(geometry, level, entry));
}

#endif
