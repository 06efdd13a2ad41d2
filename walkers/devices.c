// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The devices behind IOMMUs, by their groups: what all families share.
 *
 * Linux: drivers/iommu/iommu.c (iommu_group_kset, struct iommu_group, group_device),
 * include/linux/iommu.h (struct dev_iommu), include/linux/pci.h (struct pci_dev, pci_bus),
 * drivers/pci/search.c (pci_for_each_dma_alias).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"

enum field {
	KSET_LIST,
	KOBJECT_ENTRY,
	GROUP_KOBJ,
	GROUP_DEVICES,
	GROUP_ID,
	GROUP_DOMAIN,
	GROUP_DEFAULT_DOMAIN,
	GROUP_OWNER, /* since 5.19 */
	GROUP_DEVICE_LIST,
	GROUP_DEVICE_DEV,
	DEVICE_KOBJ_NAME,
	DEVICE_BUS,
	DEVICE_DRIVER,
	DEVICE_IOMMU,
	DRIVER_NAME,
	DEV_IOMMU_PRIV,
	DEV_IOMMU_UNIT,
	PCI_DEV,
	PCI_BUS,
	PCI_DEVFN,
	PCI_ALIAS_MASK,
	PCI_FLAGS, /* dev_flags */
	PCI_SUBORDINATE,
	PCIE_CAP,
	PCIE_FLAGS,
	ATS_CAP,
	ATS_ENABLED,
	PRI_CAP,
	PRI_ENABLED,
	PASID_CAP,
	PASID_ENABLED,
	BUS_NUMBER,
	BUS_PARENT,
	BUS_SELF,
	BUS_SYSDATA,
	BUS_DOMAIN_NR, /* not on x86: there it is pci_sysdata.domain */
	SYSDATA_DOMAIN,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[KSET_LIST] = { "kset", "list", NULL },
	[KOBJECT_ENTRY] = { "kobject", "entry", NULL },
	[GROUP_KOBJ] = { "iommu_group", "kobj", NULL },
	[GROUP_DEVICES] = { "iommu_group", "devices", NULL },
	[GROUP_ID] = { "iommu_group", "id", NULL },
	[GROUP_DOMAIN] = { "iommu_group", "domain", NULL },
	[GROUP_DEFAULT_DOMAIN] = { "iommu_group", "default_domain", NULL },
	[GROUP_OWNER] = { "iommu_group", "owner", NULL },
	[GROUP_DEVICE_LIST] = { "group_device", "list", NULL },
	[GROUP_DEVICE_DEV] = { "group_device", "dev", NULL },
	[DEVICE_KOBJ_NAME] = { "device", "kobj.name", NULL },
	[DEVICE_BUS] = { "device", "bus", NULL },
	[DEVICE_DRIVER] = { "device", "driver", NULL },
	[DEVICE_IOMMU] = { "device", "iommu", NULL },
	[DRIVER_NAME] = { "device_driver", "name", NULL },
	[DEV_IOMMU_PRIV] = { "dev_iommu", "priv", NULL },
	[DEV_IOMMU_UNIT] = { "dev_iommu", "iommu_dev", NULL },
	[PCI_DEV] = { "pci_dev", "dev", NULL },
	[PCI_BUS] = { "pci_dev", "bus", NULL },
	[PCI_DEVFN] = { "pci_dev", "devfn", NULL },
	[PCI_ALIAS_MASK] = { "pci_dev", "dma_alias_mask", NULL },
	[PCI_FLAGS] = { "pci_dev", "dev_flags", NULL },
	[PCI_SUBORDINATE] = { "pci_dev", "subordinate", NULL },
	[PCIE_CAP] = { "pci_dev", "pcie_cap", NULL },
	[PCIE_FLAGS] = { "pci_dev", "pcie_flags_reg", NULL },
	[ATS_CAP] = { "pci_dev", "ats_cap", NULL },
	[ATS_ENABLED] = { "pci_dev", "ats_enabled", NULL },
	[PRI_CAP] = { "pci_dev", "pri_cap", NULL },
	[PRI_ENABLED] = { "pci_dev", "pri_enabled", NULL },
	[PASID_CAP] = { "pci_dev", "pasid_cap", NULL },
	[PASID_ENABLED] = { "pci_dev", "pasid_enabled", NULL },
	[BUS_NUMBER] = { "pci_bus", "number", NULL },
	[BUS_PARENT] = { "pci_bus", "parent", NULL },
	[BUS_SELF] = { "pci_bus", "self", NULL },
	[BUS_SYSDATA] = { "pci_bus", "sysdata", NULL },
	[BUS_DOMAIN_NR] = { "pci_bus", "domain_nr", NULL },
	[SYSDATA_DOMAIN] = { "pci_sysdata", "domain", NULL },
};

struct scan {
	struct kernel *kernel;
	struct inventory *inventory;
	struct member members[FIELDS];
	uint64_t pci_bus_type;
};

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

/* A member that this kernel may not have, or whose value does not matter much: 0 then. */
static uint64_t get_or_zero(const struct scan *scan, uint64_t base, enum field field)
{
	uint64_t value = 0;

	if (scan->members[field].present)
		error_free(get(scan, base, field, &value));
	return value;
}

static struct error *read_segment(const struct scan *scan, uint64_t bus, uint32_t *ret)
{
	uint64_t value = 0;
	struct error *err = NULL;

	if (scan->members[BUS_DOMAIN_NR].present) {
		err = get(scan, bus, BUS_DOMAIN_NR, &value);
	} else if (scan->members[SYSDATA_DOMAIN].present) {
		uint64_t sysdata = 0;

		err = get(scan, bus, BUS_SYSDATA, &sysdata);
		if (!err && sysdata)
			err = get(scan, sysdata, SYSDATA_DOMAIN, &value);
	}
	*ret = (uint32_t)value;
	return err;
}

static struct error *read_rid(const struct scan *scan, uint64_t pci_dev, uint16_t *ret)
{
	uint64_t bus = 0;
	uint64_t number = 0;
	uint64_t devfn = 0;
	struct error *err = get(scan, pci_dev, PCI_BUS, &bus);

	if (!err)
		err = get(scan, bus, BUS_NUMBER, &number);
	if (!err)
		err = get(scan, pci_dev, PCI_DEVFN, &devfn);
	*ret = (uint16_t)(number << 8 | (devfn & 0xff));
	return err;
}

struct error *device_add_alias(struct device *device, uint16_t rid)
{
	if (rid == device->rid)
		return NULL;
	for (size_t i = 0; i < device->alias_count; i++) {
		if (device->alias_rids[i] == rid)
			return NULL;
	}
	uint16_t *larger = realloc(device->alias_rids,
				   (device->alias_count + 1) * sizeof(*device->alias_rids));
	if (!larger)
		return error_no_memory();
	device->alias_rids = larger;
	device->alias_rids[device->alias_count++] = rid;
	return NULL;
}

/* Quirked devices use other functions' IDs on their own bus: a bitmap of devfn. */
static struct error *add_masked_aliases(const struct scan *scan, struct device *device)
{
	uint64_t mask[4];
	uint64_t address = get_or_zero(scan, device->pci_address, PCI_ALIAS_MASK);

	if (address == 0)
		return NULL;
	struct error *err = kernel_read(scan->kernel, address, mask, sizeof(mask));
	for (unsigned int devfn = 0; devfn < 256 && !err; devfn++) {
		if (mask[devfn / 64] >> (devfn % 64) & 1)
			err = device_add_alias(device, (uint16_t)((device->rid & 0xff00) | devfn));
	}
	return err;
}

/* A bridge on the way up may put its own ID on what passes (drivers/pci/search.c). */
static struct error *add_bridge_alias(const struct scan *scan, struct device *device,
				      uint64_t bridge)
{
	enum { PCIE_TYPE_PCI_BRIDGE = 7, PCIE_TYPE_PCIE_BRIDGE = 8 }; /* PCIe base spec 7.5.3.2 */
	enum { FLAG_PCIE_BRIDGE_ALIAS = 1 << 5 };
	uint64_t subordinate = 0;
	uint64_t number = 0;
	uint16_t rid = 0;
	bool secondary = get_or_zero(scan, bridge, PCI_FLAGS) & FLAG_PCIE_BRIDGE_ALIAS;

	if (get_or_zero(scan, bridge, PCIE_CAP)) {
		unsigned int type = get_or_zero(scan, bridge, PCIE_FLAGS) >> 4 & 0xf;

		secondary = type == PCIE_TYPE_PCI_BRIDGE;
		if (!secondary && type != PCIE_TYPE_PCIE_BRIDGE)
			return NULL; /* ports keep the requester's ID */
	}
	if (!secondary) {
		struct error *err = read_rid(scan, bridge, &rid);

		return err ? err : device_add_alias(device, rid);
	}
	struct error *err = get(scan, bridge, PCI_SUBORDINATE, &subordinate);
	if (!err)
		err = get(scan, subordinate, BUS_NUMBER, &number);
	return err ? err : device_add_alias(device, (uint16_t)(number << 8));
}

static struct error *add_aliases(const struct scan *scan, struct device *device)
{
	enum { DEPTH_MAX = 64 };
	uint64_t bus = 0;
	struct error *err = add_masked_aliases(scan, device);

	if (!err)
		err = get(scan, device->pci_address, PCI_BUS, &bus);
	for (int depth = 0; !err && depth < DEPTH_MAX; depth++) {
		uint64_t parent = 0;
		uint64_t bridge = 0;

		err = get(scan, bus, BUS_PARENT, &parent);
		if (err || parent == 0)
			break;
		err = get(scan, bus, BUS_SELF, &bridge);
		if (!err && bridge)
			err = add_bridge_alias(scan, device, bridge);
		bus = parent;
	}
	return err;
}

static struct error *read_pci(const struct scan *scan, struct device *device)
{
	uint64_t bus = 0;

	device->is_pci = true;
	device->pci_address = device->address - scan->members[PCI_DEV].offset;
	struct error *err = read_rid(scan, device->pci_address, &device->rid);
	if (!err)
		err = get(scan, device->pci_address, PCI_BUS, &bus);
	if (!err)
		err = read_segment(scan, bus, &device->segment);
	if (err)
		return err;
	device->has_dma_rid = true;
	device->dma_segment = device->segment;
	device->dma_rid = device->rid;
	device_pci_name(device->segment, device->rid, device->name, sizeof(device->name));
	device->ats_capable = get_or_zero(scan, device->pci_address, ATS_CAP);
	device->ats_enabled = get_or_zero(scan, device->pci_address, ATS_ENABLED);
	device->pri_capable = get_or_zero(scan, device->pci_address, PRI_CAP);
	device->pri_enabled = get_or_zero(scan, device->pci_address, PRI_ENABLED);
	device->pasid_capable = get_or_zero(scan, device->pci_address, PASID_CAP);
	device->pasid_enabled = get_or_zero(scan, device->pci_address, PASID_ENABLED);
	return add_aliases(scan, device);
}

static struct error *read_name(const struct scan *scan, struct device *device)
{
	uint64_t address = 0;
	struct error *err = get(scan, device->address, DEVICE_KOBJ_NAME, &address);

	if (!err && address)
		err = kernel_string(scan->kernel, address, device->name, sizeof(device->name));
	if (!err && device->name[0] == '\0')
		snprintf(device->name, sizeof(device->name), "device:0x%" PRIx64, device->address);
	return err;
}

static struct error *read_driver(const struct scan *scan, struct device *device)
{
	uint64_t driver = 0;
	uint64_t name = 0;
	struct error *err = get(scan, device->address, DEVICE_DRIVER, &driver);

	if (err || driver == 0)
		return err;
	err = get(scan, driver, DRIVER_NAME, &name);
	if (!err && name)
		err = kernel_string(scan->kernel, name, device->driver, sizeof(device->driver));
	return err;
}

static struct error *read_device(const struct scan *scan, struct device *device)
{
	uint64_t bus = 0;
	uint64_t iommu = 0;
	struct error *err = get(scan, device->address, DEVICE_BUS, &bus);

	if (err)
		return err;
	if (bus && bus == scan->pci_bus_type)
		err = read_pci(scan, device);
	else
		err = read_name(scan, device);
	if (!err)
		err = read_driver(scan, device);
	if (!err)
		err = get(scan, device->address, DEVICE_IOMMU, &iommu);
	if (!err && iommu) {
		err = get(scan, iommu, DEV_IOMMU_PRIV, &device->iommu_data);
		if (!err)
			err = get(scan, iommu, DEV_IOMMU_UNIT, &device->iommu_device);
	}
	return err;
}

static struct error *read_group_device(const struct scan *scan, uint64_t group, int id,
				       uint64_t group_device)
{
	struct device *device = NULL;
	struct error *err = inventory_add_device(scan->inventory, &device);

	if (err)
		return err;
	device->group = id;
	snprintf(device->name, sizeof(device->name), "group:%d", id);
	err = get(scan, group_device, GROUP_DEVICE_DEV, &device->address);
	if (!err)
		err = get(scan, group, GROUP_DOMAIN, &device->domain);
	if (!err)
		err = read_device(scan, device);
	device->default_domain = get_or_zero(scan, group, GROUP_DEFAULT_DOMAIN);
	device->group_address = group;
	device->dma_owner = get_or_zero(scan, group, GROUP_OWNER);
	/* Before 5.19 nobody wrote down who owns a group: a foreign domain tells. */
	device->owned_by_user = scan->members[GROUP_OWNER].present
					? device->dma_owner != 0
					: device->domain &&
						  device->domain != device->default_domain;
	return inventory_warn(scan->inventory, err, device->name);
}

static struct error *read_group(const struct scan *scan, uint64_t group)
{
	uint64_t id = 0;
	struct error *err = get(scan, group, GROUP_ID, &id);

	if (err)
		return inventory_warn(scan->inventory, err, "an IOMMU group");
	struct list_cursor cursor = list_begin(group + scan->members[GROUP_DEVICES].offset);
	while (!err && list_next(scan->kernel, &cursor))
		err = read_group_device(scan, group, (int)id,
					cursor.node - scan->members[GROUP_DEVICE_LIST].offset);
	if (!err)
		err = inventory_warn(scan->inventory, cursor.error, "an IOMMU group's devices");
	return err;
}

struct error *devices_discover(struct kernel *kernel, struct inventory *inventory)
{
	struct scan scan = { .kernel = kernel, .inventory = inventory };
	uint64_t address = 0;
	uint64_t kset = 0;

	/* drivers/iommu/iommu.c is built in wherever there is an IOMMU driver. */
	if (!kernel_symbol(kernel, "iommu_group_kset", &address))
		return NULL;
	struct error *err = kernel_resolve(kernel, fields, scan.members, FIELDS);
	if (!err)
		err = kernel_read(kernel, address, &kset, sizeof(kset));
	if (err || kset == 0)
		return err;
	kernel_symbol(kernel, "pci_bus_type", &scan.pci_bus_type);
	struct list_cursor cursor = list_begin(kset + scan.members[KSET_LIST].offset);
	while (!err && list_next(kernel, &cursor))
		err = read_group(&scan, cursor.node - scan.members[KOBJECT_ENTRY].offset -
						scan.members[GROUP_KOBJ].offset);
	if (!err)
		err = inventory_warn(inventory, cursor.error, "the list of IOMMU groups");
	return err;
}
