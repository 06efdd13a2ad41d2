/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the AMD driver has for a unit beside page tables, and counts with them (NR_IOMMU_PAGES).
 *
 * Linux: drivers/iommu/amd/amd_iommu_types.h (struct amd_iommu, struct amd_iommu_pci_seg,
 * CMD_BUFFER_SIZE, EVT_BUFFER_SIZE, PPR_LOG_SIZE, GA_LOG_SIZE), init.c (alloc_*()).
 */
#ifndef IOMMUPT_AMD_PARTS_H
#define IOMMUPT_AMD_PARTS_H

#include <stdint.h>

struct error;
struct kernel;
struct unit;

/*
 * amd_parts_read() - add the parts of the struct amd_iommu at @iommu to @unit; with @segment, its
 * struct amd_iommu_pci_seg, also those of the segment: only of its first unit. What cannot be read
 * is not added.
 */
struct error *amd_parts_read(struct kernel *kernel, struct unit *unit, uint64_t iommu,
			     uint64_t segment);

#endif
