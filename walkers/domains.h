/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The software view that all families share: the iommu_domain objects of the
 * groups, attached or kept as a group's default.
 */
#ifndef IOMMUPT_DOMAINS_H
#define IOMMUPT_DOMAINS_H

#include <stdint.h>

struct error;
struct inventory;
struct kernel;
struct pt_format;
struct space;

/* iommu_domain.type (include/linux/iommu.h). */
enum domain_type {
	DOMAIN_BLOCKED = 0,
	DOMAIN_UNMANAGED = 1,
	DOMAIN_DMA = 3,
	DOMAIN_IDENTITY = 4,
	DOMAIN_DMA_FQ = 11,
	DOMAIN_SVA = 16,
	DOMAIN_PLATFORM = 32,
	DOMAIN_NESTED = 64,
};

/*
 * Fill in the mode and tree of @space, whose `domain` and `type` are set; @type is the
 * kernel's number. Given by the family, which knows what contains the iommu_domain. An
 * error makes the space unknown, with the error as its reason.
 */
typedef struct error *domain_fill(void *arg, struct space *space, uint32_t type);

/*
 * domain_set_mm() - the table of an SVA domain: that of its mm_struct, in @format, as the device
 * sees it. The domain's owner becomes the process.
 */
struct error *domain_set_mm(struct kernel *kernel, struct space *space,
			    const struct pt_format *format);

/* domains_discover() - add a space for each domain of the devices behind @driver's units. */
struct error *domains_discover(struct kernel *kernel, struct inventory *inventory,
			       const char *driver, domain_fill *fill, void *arg);

#endif
