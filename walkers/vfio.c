// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * VFIO: who has taken a group's DMA for a process, and which process that is.
 *
 * Linux: drivers/iommu/iommu.c (iommu_group_claim_dma_owner(), since 5.19), drivers/vfio/vfio.h
 * (struct vfio_group, vfio_container), drivers/vfio/vfio_iommu_type1.c (struct vfio_iommu,
 * vfio_dma). All of VFIO is in modules: without their types an owner stays nameless.
 */
#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"

enum field {
	GROUP_IOMMU_GROUP,
	GROUP_CONTAINER,
	CONTAINER_IOMMU_DATA,
	IOMMU_DMA_LIST,
	DMA_NODE,
	DMA_TASK,
	TASK_TGID,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[GROUP_IOMMU_GROUP] = { "vfio_group", "iommu_group", NULL },
	[GROUP_CONTAINER] = { "vfio_group", "container", NULL },
	[CONTAINER_IOMMU_DATA] = { "vfio_container", "iommu_data", NULL },
	[IOMMU_DMA_LIST] = { "vfio_iommu", "dma_list.rb_node", NULL },
	[DMA_NODE] = { "vfio_dma", "node", NULL },
	[DMA_TASK] = { "vfio_dma", "task", NULL },
	[TASK_TGID] = { "task_struct", "tgid", NULL },
};

struct scan {
	struct kernel *kernel;
	struct member members[FIELDS];
};

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

/* Each mapping knows the task that asked for it; one is as good as another. */
static struct error *find_process(const struct scan *scan, struct device *device)
{
	uint64_t iommu = 0;
	uint64_t node = 0;
	uint64_t task = 0;
	uint64_t tgid = 0;
	struct error *err = get(scan, device->vfio_container, CONTAINER_IOMMU_DATA, &iommu);

	if (!err && iommu)
		err = get(scan, iommu, IOMMU_DMA_LIST, &node);
	if (err || node == 0)
		return err;
	err = get(scan, node - scan->members[DMA_NODE].offset, DMA_TASK, &task);
	if (!err && task)
		err = get(scan, task, TASK_TGID, &tgid);
	if (!err && task)
		device->owner_pid = (int64_t)tgid;
	return err;
}

/* The owner is only an address: a vfio_group when that leads back to the group. */
static struct error *find_container(const struct scan *scan, struct device *device)
{
	uint64_t group = 0;
	struct error *err = get(scan, device->dma_owner, GROUP_IOMMU_GROUP, &group);

	if (err || group != device->group_address)
		return err;
	err = get(scan, device->dma_owner, GROUP_CONTAINER, &device->vfio_container);
	return err || device->vfio_container == 0 ? err : find_process(scan, device);
}

struct error *vfio_discover(struct kernel *kernel, struct inventory *inventory)
{
	struct scan scan = { .kernel = kernel };
	bool resolved = false;

	for (size_t i = 0; i < inventory->device_count; i++) {
		struct device *device = inventory->devices[i];

		if (device->dma_owner == 0)
			continue;
		if (!resolved) {
			struct error *err = kernel_resolve(kernel, fields, scan.members, FIELDS);

			if (err)
				return err;
			resolved = true;
		}
		/* Another user of the group (iommufd), or no types: it is owned, that is all. */
		if (scan.members[GROUP_IOMMU_GROUP].present)
			error_free(find_container(&scan, device));
	}
	return NULL;
}
