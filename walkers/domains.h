/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The software view that all families share: the iommu_domain objects of the
 * groups, attached or kept as a group's default.
 */
#ifndef IOMMUPT_DOMAINS_H
#define IOMMUPT_DOMAINS_H

#include <stdbool.h>
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

/* What a family knows about its domains; the rest is the same in all. */
struct domain_family {
	const char *driver; /* of the units whose devices have such domains */
	/* The format in which devices read a process's table (SVA); NULL: the family has no SVA. */
	const struct pt_format *process_format;
	/* Say that @space passes through, with the geometry of the widest address. */
	void (*set_passthrough)(struct space *space, const char *why);
	/*
	 * Fill in the mode and tree of @space, whose `domain` and `type` are set, from the driver's
	 * structure around the iommu_domain. An error makes the space unknown, with the error as
	 * its reason.
	 */
	struct error *(*read)(const void *arg, struct space *space);
	/* Has this identity domain a real one-to-one table? NULL: none has. */
	bool (*identity_has_table)(const void *arg, uint64_t domain);
};

/* domains_discover() - add a space for each domain of the devices behind @family's units. */
struct error *domains_discover(struct kernel *kernel, struct inventory *inventory,
			       const struct domain_family *family, const void *arg);

#endif
