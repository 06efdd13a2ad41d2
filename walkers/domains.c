// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/domains.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/format.h"
#include "target/containers.h"
#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"
#include "walkers/process.h"

struct scan {
	struct kernel *kernel;
	struct inventory *inventory;
	struct member type;
	const struct domain_family *family;
	const void *arg;
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

/*
 * How devices read the table of a process: mm_struct.pgd itself. On x86 that is both halves of it,
 * and not the page-table isolation's half for user mode.
 */
static struct error *device_geometry(const struct pt_geometry *process,
				     const struct pt_format *format, struct pt_geometry *ret)
{
	const struct pt_parameters parameters = {
		.levels = process->levels,
		.strip = process->strip,
		.sign_extend = true,
	};

	if (process->format == &pt_format_x86_64)
		return pt_geometry_init(format, &parameters, ret);
	*ret = *process;
	ret->linux_types = (struct pt_linux_types){ 0 };
	return NULL;
}

/* An SVA domain's table is that of its mm_struct; the domain's owner is the process. */
static struct error *set_process_table(struct kernel *kernel, struct space *space,
				       const struct pt_format *format)
{
	static const struct type_query query = { "iommu_domain", "mm", NULL };
	struct process process;
	struct member member;
	uint64_t mm = 0;
	struct error *err = kernel_resolve(kernel, &query, &member, 1);

	if (!err)
		err = kernel_get(kernel, space->domain, &member, &mm);
	if (!err)
		err = process_of_mm(kernel, mm, &process);
	if (!err)
		err = device_geometry(&process.tree.geometry, format, &space->tree.geometry);
	if (err)
		return err;
	if (!process.known || !kernel_to_phys(kernel, process.pgd, &space->tree.root))
		return error_new("the page table of pid:%" PRId64 " is not mapped", process.pid);
	space->mode = SPACE_TABLE;
	space->pid = process.pid;
	space->mm = process.mm;
	snprintf(space->comm, sizeof(space->comm), "%s", process.comm);
	return NULL;
}

/* How a domain translates, by its type; paging domains are the family's. */
static struct error *fill_domain(const struct scan *scan, struct space *space, uint64_t type)
{
	const struct domain_family *family = scan->family;

	switch (type) {
	case DOMAIN_BLOCKED:
		space_set_mode(space, SPACE_BLOCKED, "blocking domain");
		return NULL;
	case DOMAIN_IDENTITY:
		if (family->identity_has_table &&
		    family->identity_has_table(scan->arg, space->domain))
			return family->read(scan->arg, space);
		family->set_passthrough(space, "identity domain");
		return NULL;
	case DOMAIN_UNMANAGED:
	case DOMAIN_DMA:
	case DOMAIN_DMA_FQ:
		return family->read(scan->arg, space);
	case DOMAIN_SVA:
		if (family->process_format)
			return set_process_table(scan->kernel, space, family->process_format);
		break;
	default:
		break;
	}
	space_set_mode(space, SPACE_UNKNOWN, "%s domains are not decoded yet", space->type);
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
		err = fill_domain(scan, space, type);
	}
	if (err) {
		space->mode = SPACE_UNKNOWN;
		snprintf(space->reason, sizeof(space->reason), "%.159s", err->message);
		err = inventory_warn(scan->inventory, err, space->name);
	}
	return err;
}

/* While the group has the domain, the domain has its tables. */
static struct error *witness_group(const struct scan *scan, struct space *space,
				   const struct device *device, bool attached)
{
	static const struct type_query queries[] = {
		{ "iommu_group", "default_domain", NULL },
		{ "iommu_group", "domain", NULL },
	};
	struct member member;

	if (!kernel_memory(scan->kernel)->live)
		return NULL;
	struct error *err = kernel_resolve(scan->kernel, &queries[attached], &member, 1);

	if (!err && member.present && device->group_address && space->mode == SPACE_TABLE)
		tree_add_witness(scan->kernel, &space->tree, device->group_address + member.offset,
				 &space->domain, 1);
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
	if (!space) {
		err = add_domain(scan, domain, device, &space);
		if (!err && (domain == device->domain || domain == device->default_domain))
			err = witness_group(scan, space, device, attached);
	}
	if (!err && attached)
		err = space_add_device(space, device);
	return err;
}

/*
 * Domains of single PASIDs, SVA's among them: iommu_group.pasid_array (drivers/iommu/iommu.c),
 * since 6.2. Its entries are domains; since 6.11 handles of attachments; since 6.15 either, told
 * apart by the tag in the low bits (iommu_make_pasid_array_entry()).
 */
enum pasid_field { DEVICE_GROUP, PASID_ARRAY, HANDLE_DOMAIN, COOKIE_TYPE, PASID_FIELDS };

static const struct type_query pasid_fields[PASID_FIELDS] = {
	[DEVICE_GROUP] = { "device", "iommu_group", NULL },
	[PASID_ARRAY] = { "iommu_group", "pasid_array", NULL },
	[HANDLE_DOMAIN] = { "iommu_attach_handle", "domain", NULL },
	[COOKIE_TYPE] = { "iommu_domain", "cookie_type", NULL }, /* since 6.15 */
};

struct pasids {
	const struct scan *scan;
	const struct device *device;
	const struct member *members;
};

static struct error *note_pasid(void *arg, uint64_t pasid, uint64_t entry)
{
	enum { TAG_MASK = 3, TAG_HANDLE = 1 };
	const struct pasids *pasids = arg;
	const struct member *handle = &pasids->members[HANDLE_DOMAIN];
	const bool tagged = pasids->members[COOKIE_TYPE].present;
	const bool is_handle = tagged ? (entry & TAG_MASK) == TAG_HANDLE : handle->present;
	uint64_t domain = entry & ~(uint64_t)TAG_MASK;
	struct error *err = NULL;

	if (pasid == 0) /* the group's own domain */
		return NULL;
	if (is_handle)
		err = kernel_get(pasids->scan->kernel, domain, handle, &domain);
	if (!err)
		return note_domain(pasids->scan, domain, pasids->device, true);
	return inventory_warn(pasids->scan->inventory, err, pasids->device->name);
}

static struct error *note_pasids(const struct scan *scan, const struct device *device,
				 const struct member *members)
{
	struct pasids pasids = { scan, device, members };
	uint64_t group = 0;

	if (!members[PASID_ARRAY].present || !members[DEVICE_GROUP].present || !device->address)
		return NULL;
	struct error *err =
		kernel_get(scan->kernel, device->address, &members[DEVICE_GROUP], &group);
	if (!err && group)
		err = xarray_for_each(scan->kernel, group + members[PASID_ARRAY].offset, note_pasid,
				      &pasids);
	return inventory_warn(scan->inventory, err, device->name);
}

struct error *domains_discover(struct kernel *kernel, struct inventory *inventory,
			       const struct domain_family *family, const void *arg)
{
	static const struct type_query query = { "iommu_domain", "type", NULL };
	struct scan scan = {
		.kernel = kernel, .inventory = inventory, .family = family, .arg = arg
	};
	struct member members[PASID_FIELDS];
	struct error *err = kernel_resolve(kernel, &query, &scan.type, 1);

	if (!err)
		err = kernel_resolve(kernel, pasid_fields, members, PASID_FIELDS);

	for (size_t i = 0; i < inventory->device_count && !err; i++) {
		const struct device *device = inventory->devices[i];

		if (!device->unit || strcmp(device->unit->driver, family->driver) != 0)
			continue;
		err = note_domain(&scan, device->domain, device, true);
		if (!err && device->default_domain != device->domain)
			err = note_domain(&scan, device->default_domain, device, false);
		if (!err)
			err = note_pasids(&scan, device, members);
	}
	return err;
}
