/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who uses a device through VFIO: the process whose memory is mapped in the group's container.
 *
 * Linux: drivers/vfio/vfio.h (struct vfio_group), container.c (struct vfio_container; the group is
 * the owner in iommu_group_claim_dma_owner()), vfio_iommu_type1.c (struct vfio_iommu, vfio_dma).
 * These structures live in modules: without their types the user is not known.
 */
#ifndef IOMMUPT_VFIO_H
#define IOMMUPT_VFIO_H

struct error;
struct inventory;
struct kernel;

/* vfio_discover() - fill in `user` of each device whose group VFIO owns. */
struct error *vfio_discover(struct kernel *kernel, struct inventory *inventory);

#endif
