/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the two drivers of Arm SMMUs have in common: units are found through the kernel's list of
 * IOMMU devices, and a device's StreamIDs in its firmware specification.
 */
#ifndef IOMMUPT_SMMU_H
#define IOMMUPT_SMMU_H

#include <stdint.h>

struct device;
struct error;
struct inventory;
struct kernel;

/* A unit: the kernel address of its struct iommu_device, and its name. */
typedef struct error *smmu_visit(void *arg, uint64_t iommu_device, const char *name);

/*
 * smmu_for_each() - the units whose class device's name begins with @prefix: "smmu." (v2) or
 * "smmu3." (iommu_device_sysfs_add() in drivers/iommu/arm/). An error of one unit becomes a
 * warning in @inventory. A kernel without IOMMUs has none.
 */
struct error *smmu_for_each(struct kernel *kernel, struct inventory *inventory, const char *prefix,
			    smmu_visit *visit, void *arg);

/*
 * smmu_stream_ids() - where the StreamIDs of @device lie (kernel address of @count u32):
 * iommu_fwspec.ids (include/linux/iommu.h). More than @most is an error: damage.
 */
struct error *smmu_stream_ids(struct kernel *kernel, const struct device *device, uint64_t most,
			      uint64_t *address, uint64_t *count);

#endif
