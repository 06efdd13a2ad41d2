// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/vfio.h"

#include <stdio.h>
#include <string.h>

#include "target/containers.h"
#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"

enum field {
	GROUP_IOMMU_GROUP,
	GROUP_CONTAINER,
	CONTAINER_DATA,
	IOMMU_DMA_LIST,
	DMA_NODE,
	DMA_MM,
	DMA_TASK,
	TASK_TGID,
	TASK_COMM,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[GROUP_IOMMU_GROUP] = { "vfio_group", "iommu_group", NULL },
	[GROUP_CONTAINER] = { "vfio_group", "container", NULL },
	[CONTAINER_DATA] = { "vfio_container", "iommu_data", NULL },
	[IOMMU_DMA_LIST] = { "vfio_iommu", "dma_list", NULL },
	[DMA_NODE] = { "vfio_dma", "node", NULL },
	[DMA_MM] = { "vfio_dma", "mm", NULL },
	[DMA_TASK] = { "vfio_dma", "task", NULL },
	[TASK_TGID] = { "task_struct", "tgid", NULL },
	[TASK_COMM] = { "task_struct", "comm", NULL },
};

struct scan {
	struct kernel *kernel;
	struct member members[FIELDS];
	/* Of the container at hand: of its first mapping that has one. */
	uint64_t mm;
	uint64_t task;
};

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

static struct error *on_dma(void *arg, uint64_t node)
{
	struct scan *scan = arg;
	const uint64_t dma = node - scan->members[DMA_NODE].offset;
	struct error *err = NULL;

	/* 5.10's has no mm in some configurations. */
	if (scan->mm == 0 && scan->members[DMA_MM].present)
		err = get(scan, dma, DMA_MM, &scan->mm);
	return err || scan->task ? err : get(scan, dma, DMA_TASK, &scan->task);
}

/* The task that asked for the mapping: a thread of the process. */
static struct error *read_process(const struct scan *scan, struct dma_user *user)
{
	uint64_t tgid = 0;
	struct error *err = get(scan, scan->task, TASK_TGID, &tgid);

	if (err)
		return err;
	user->pid = (int64_t)tgid;
	return kernel_member_string(scan->kernel, scan->task, &scan->members[TASK_COMM], user->comm,
				    sizeof(user->comm));
}

static struct error *read_user(struct scan *scan, struct device *device)
{
	uint64_t group = 0;
	uint64_t data = 0;
	struct error *err = get(scan, device->dma_owner, GROUP_IOMMU_GROUP, &group);

	/* iommufd and some drivers own groups as well: then it is no vfio_group. */
	if (err || group != device->group_address) {
		error_free(err);
		return NULL;
	}
	device->user.vfio_group = device->dma_owner;
	err = get(scan, device->dma_owner, GROUP_CONTAINER, &device->user.container);
	if (!err && device->user.container)
		err = get(scan, device->user.container, CONTAINER_DATA, &data);
	if (err || data == 0 || !scan->members[IOMMU_DMA_LIST].present)
		return err;
	scan->mm = 0;
	scan->task = 0;
	err = rb_for_each(scan->kernel, data + scan->members[IOMMU_DMA_LIST].offset, on_dma, scan);
	device->user.mm = scan->mm;
	return err || scan->task == 0 ? err : read_process(scan, &device->user);
}

struct error *vfio_discover(struct kernel *kernel, struct inventory *inventory)
{
	struct scan scan = { .kernel = kernel };
	struct error *err = kernel_resolve(kernel, fields, scan.members, FIELDS);

	for (size_t i = 0; i < inventory->device_count && !err; i++) {
		struct device *device = inventory->devices[i];

		device->user.pid = -1;
		if (device->dma_owner && scan.members[GROUP_IOMMU_GROUP].present)
			err = inventory_warn(inventory, read_user(&scan, device), device->name);
	}
	return err;
}
