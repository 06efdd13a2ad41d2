/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A device table entry of an AMD unit: four words of 64 bits.
 *
 * AMD I/O Virtualization Technology (IOMMU) Specification (48882), revisions 3.x, 2.2.2.1. Of
 * addresses, SME's encryption bit is left as it is.
 */
#ifndef IOMMUPT_AMD_DTE_H
#define IOMMUPT_AMD_DTE_H

#include <stdint.h>

#include "formats/format.h"

enum { DTE_WORDS = 4 };

/* Bits of the first word. */
static const uint64_t DTE_V = 1ULL << 0;
static const uint64_t DTE_TV = 1ULL << 1;
static const uint64_t DTE_GIOV = 1ULL << 54;
static const uint64_t DTE_GV = 1ULL << 55;
static const uint64_t DTE_IR = 1ULL << 61;
static const uint64_t DTE_IW = 1ULL << 62;

/* Levels of the host table; 0: none, addresses are forwarded. */
static inline unsigned int dte_mode(const uint64_t *dte)
{
	return (unsigned int)pt_field(dte[0], 11, 9);
}

/* The GCR3 table, with GV. */
static inline uint64_t dte_gcr3(const uint64_t *dte)
{
	return pt_field(dte[0], 60, 58) << 12 | pt_field(dte[1], 31, 16) << 15 |
	       pt_field(dte[1], 63, 43) << 31;
}

/* The interrupt remapping table; 0: none. */
static inline uint64_t dte_irq_table(const uint64_t *dte)
{
	return dte[2] & pt_bits(51, 6);
}

/* log2 of how many entries that has (IntTabLen). */
static inline unsigned int dte_irq_entries_lg2(const uint64_t *dte)
{
	return (unsigned int)pt_field(dte[2], 4, 1);
}

#endif
