/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the AMD driver has for a unit beside page tables, and counts with them (NR_IOMMU_PAGES):
 * docs/usage.md has the list.
 *
 * Linux: drivers/iommu/amd/amd_iommu_types.h (struct amd_iommu, struct amd_iommu_pci_seg,
 * CMD_BUFFER_SIZE, GA_LOG_SIZE, MAX_DOMAIN_ID), init.c (alloc_*(), early_amd_iommu_init()),
 * iommu.c (setup_gcr3_table(), alloc_irq_table()).
 */
#ifndef IOMMUPT_AMD_PARTS_H
#define IOMMUPT_AMD_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "walkers/amd_dte.h"

struct error;
struct kernel;
struct unit;

/* Of a PCI segment. */
struct amd_segment_tables {
	uint64_t address;		      /* struct amd_iommu_pci_seg; 0: count nothing of it */
	const uint64_t (*entries)[DTE_WORDS]; /* the device table; zeros where it is unknown */
	uint32_t count;
};

/*
 * amd_parts_read() - add the parts of the struct amd_iommu at @iommu to @unit; and those of its
 * @segment, which has an address for its first unit only. With @first, the first of all units,
 * also what the driver has once. What cannot be read is not added.
 */
struct error *amd_parts_read(struct kernel *kernel, struct unit *unit, uint64_t iommu,
			     const struct amd_segment_tables *segment, bool first);

#endif
