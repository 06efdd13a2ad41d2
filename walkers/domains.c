// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/domains.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"

struct scan {
	struct kernel *kernel;
	struct inventory *inventory;
	struct member type;
	domain_fill *fill;
	void *arg;
};

static const char *type_name(uint64_t type)
{
	switch (type) {
	case DOMAIN_BLOCKED:
		return "blocked";
	case DOMAIN_UNMANAGED:
		return "unmanaged";
	case DOMAIN_DMA:
		return "dma";
	case DOMAIN_IDENTITY:
		return "identity";
	case DOMAIN_DMA_FQ:
		return "dma-fq";
	case DOMAIN_SVA:
		return "sva";
	case DOMAIN_PLATFORM:
		return "platform";
	case DOMAIN_NESTED:
		return "nested";
	default:
		return "unknown";
	}
}

static struct space *find_space(const struct inventory *inventory, uint64_t domain)
{
	for (size_t i = 0; i < inventory->space_count; i++) {
		struct space *space = inventory->spaces[i];

		if (space->view == VIEW_SW && space->domain == domain)
			return space;
	}
	return NULL;
}

static struct error *add_domain(const struct scan *scan, uint64_t domain,
				const struct device *device, struct space **ret)
{
	uint64_t type = 0;
	struct error *err = inventory_add_space(scan->inventory, ret);

	if (err)
		return err;
	struct space *space = *ret;
	snprintf(space->name, sizeof(space->name), "domain:0x%" PRIx64, domain);
	space->kind = "domain";
	space->view = VIEW_SW;
	space->domain = domain;
	space->unit = device->unit;
	err = kernel_get(scan->kernel, domain, &scan->type, &type);
	if (!err) {
		snprintf(space->type, sizeof(space->type), "%s", type_name(type));
		err = scan->fill(scan->arg, space, (uint32_t)type);
	}
	if (err) {
		space->mode = SPACE_UNKNOWN;
		snprintf(space->reason, sizeof(space->reason), "%.159s", err->message);
		err = inventory_warn(scan->inventory, err, space->name);
	}
	return err;
}

/* @attached: the device translates by it; otherwise it is only kept for later. */
static struct error *note_domain(const struct scan *scan, uint64_t domain,
				 const struct device *device, bool attached)
{
	struct space *space = find_space(scan->inventory, domain);
	struct error *err = NULL;

	if (domain == 0)
		return NULL;
	if (!space)
		err = add_domain(scan, domain, device, &space);
	if (!err && attached)
		err = space_add_device(space, device);
	return err;
}

struct error *domains_discover(struct kernel *kernel, struct inventory *inventory,
			       const char *driver, domain_fill *fill, void *arg)
{
	static const struct type_query query = { "iommu_domain", "type", NULL };
	struct scan scan = { .kernel = kernel, .inventory = inventory, .fill = fill, .arg = arg };
	struct error *err = kernel_resolve(kernel, &query, &scan.type, 1);

	for (size_t i = 0; i < inventory->device_count && !err; i++) {
		const struct device *device = inventory->devices[i];

		if (!device->unit || strcmp(device->unit->driver, driver) != 0)
			continue;
		err = note_domain(&scan, device->domain, device, true);
		if (!err && device->default_domain != device->domain)
			err = note_domain(&scan, device->default_domain, device, false);
	}
	return err;
}
