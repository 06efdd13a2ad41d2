// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/smmu.h"

#include <inttypes.h>
#include <string.h>

#include "target/containers.h"
#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"

enum unit_field { UNIT_LIST, UNIT_DEVICE, DEVICE_NAME, UNIT_FIELDS };

static const struct type_query unit_fields[UNIT_FIELDS] = {
	[UNIT_LIST] = { "iommu_device", "list", NULL },
	[UNIT_DEVICE] = { "iommu_device", "dev", NULL },
	[DEVICE_NAME] = { "device", "kobj.name", NULL },
};

enum id_field { DEVICE_IOMMU, DEVICE_FWSPEC, FWSPEC_COUNT, FWSPEC_IDS, ID_FIELDS };

static const struct type_query id_fields[ID_FIELDS] = {
	[DEVICE_IOMMU] = { "device", "iommu", NULL },
	[DEVICE_FWSPEC] = { "dev_iommu", "fwspec", NULL },
	[FWSPEC_COUNT] = { "iommu_fwspec", "num_ids", NULL },
	[FWSPEC_IDS] = { "iommu_fwspec", "ids", NULL },
};

/* The name of a unit's class device; "" when it has none. */
static struct error *read_name(struct kernel *kernel, const struct member *members,
			       uint64_t iommu_device, char *name)
{
	uint64_t device = 0;
	uint64_t text = 0;
	struct error *err = kernel_get(kernel, iommu_device, &members[UNIT_DEVICE], &device);

	name[0] = '\0';
	if (!err && device)
		err = kernel_get(kernel, device, &members[DEVICE_NAME], &text);
	return err || !text ? err : kernel_string(kernel, text, name, NAME_BYTES);
}

struct error *smmu_for_each(struct kernel *kernel, struct inventory *inventory, const char *prefix,
			    smmu_visit *visit, void *arg)
{
	struct member members[UNIT_FIELDS];
	uint64_t head = 0;

	if (!kernel_symbol(kernel, "iommu_device_list", &head))
		return NULL;
	struct error *err = kernel_resolve(kernel, unit_fields, members, UNIT_FIELDS);
	struct list_cursor cursor = list_begin(head);
	while (!err && list_next(kernel, &cursor)) {
		const uint64_t iommu_device = cursor.node - members[UNIT_LIST].offset;
		char name[NAME_BYTES];

		err = read_name(kernel, members, iommu_device, name);
		if (!err && strncmp(name, prefix, strlen(prefix)) == 0)
			err = visit(arg, iommu_device, name);
		err = inventory_warn(inventory, err, "an SMMU");
	}
	return err ? err : inventory_warn(inventory, cursor.error, "iommu_device_list");
}

struct error *smmu_stream_ids(struct kernel *kernel, const struct device *device, uint64_t most,
			      uint64_t *address, uint64_t *count)
{
	struct member members[ID_FIELDS];
	uint64_t iommu = 0;
	uint64_t fwspec = 0;
	struct error *err = kernel_resolve(kernel, id_fields, members, ID_FIELDS);

	*address = 0;
	*count = 0;
	if (!err)
		err = kernel_get(kernel, device->address, &members[DEVICE_IOMMU], &iommu);
	if (!err && iommu)
		err = kernel_get(kernel, iommu, &members[DEVICE_FWSPEC], &fwspec);
	if (err || !fwspec)
		return err;
	*address = fwspec + members[FWSPEC_IDS].offset;
	err = kernel_get(kernel, fwspec, &members[FWSPEC_COUNT], count);
	if (!err && *count > most)
		err = error_new("it claims to have %" PRIu64 " StreamIDs", *count);
	return err;
}
