// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * AMD-Vi: IOMMU units, device tables, GCR3 tables, and the driver's domains.
 *
 * Hardware view: AMD I/O Virtualization Technology (IOMMU) Specification (48882): 2.2.2.1
 * (the device table entry, with what V, TV and GV mean together), 2.2.6 "I/O Page Tables for
 * Guest Translations" (GCR3 tables). Section numbers are those of revisions 3.x.
 * Software view, Linux: drivers/iommu/amd/amd_iommu_types.h (struct amd_iommu,
 * amd_iommu_pci_seg, protection_domain, iommu_dev_data), include/linux/generic_pt/.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"
#include "walkers/amd_dte.h"
#include "walkers/amd_parts.h"
#include "walkers/domains.h"
#include "walkers/inventory.h"

enum field {
	UNIT_LIST,
	UNIT_INDEX,
	UNIT_SEGMENT, /* since 6.1 a pointer; before the number itself */
	UNIT_IOMMU_DEVICE,
	SEGMENT_ID,
	SEGMENT_LAST_BDF,
	SEGMENT_DEVICE_TABLE, /* since 6.1; before that the tables are global */
	SEGMENT_ALIAS_TABLE,
	SEGMENT_RLOOKUP_TABLE,
	DEVICE_ID,
	DEVICE_GUEST_ID, /* since 6.9: the domain id of a device with guest tables */
	DOMAIN_COMMON,
	DOMAIN_ID,
	DOMAIN_DIRTY,	/* since 6.7 */
	DOMAIN_PT_ROOT, /* 5.10: mode in the low bits */
	DOMAIN_ROOT,	/* 6.1 to 6.18 */
	DOMAIN_MODE,
	DOMAIN_PGD,
	DOMAIN_PD_MODE, /* since 6.8 */
	DOMAIN_V1_TOP,	/* since 6.19: generic_pt */
	DOMAIN_V2_TOP,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[UNIT_LIST] = { "amd_iommu", "list", NULL },
	[UNIT_INDEX] = { "amd_iommu", "index", NULL },
	[UNIT_SEGMENT] = { "amd_iommu", "pci_seg", NULL },
	[UNIT_IOMMU_DEVICE] = { "amd_iommu", "iommu", NULL },
	[SEGMENT_ID] = { "amd_iommu_pci_seg", "id", NULL },
	[SEGMENT_LAST_BDF] = { "amd_iommu_pci_seg", "last_bdf", NULL },
	[SEGMENT_DEVICE_TABLE] = { "amd_iommu_pci_seg", "dev_table", NULL },
	[SEGMENT_ALIAS_TABLE] = { "amd_iommu_pci_seg", "alias_table", NULL },
	[SEGMENT_RLOOKUP_TABLE] = { "amd_iommu_pci_seg", "rlookup_table", NULL },
	[DEVICE_ID] = { "iommu_dev_data", "devid", NULL },
	[DEVICE_GUEST_ID] = { "iommu_dev_data", "gcr3_info.domid", NULL },
	[DOMAIN_COMMON] = { "protection_domain", "domain", NULL },
	[DOMAIN_ID] = { "protection_domain", "id", NULL },
	[DOMAIN_DIRTY] = { "protection_domain", "dirty_tracking", NULL },
	[DOMAIN_PT_ROOT] = { "protection_domain", "pt_root.counter", NULL },
	[DOMAIN_ROOT] = { "protection_domain", "iop.root", NULL },
	[DOMAIN_MODE] = { "protection_domain", "iop.mode", NULL },
	[DOMAIN_PGD] = { "protection_domain", "iop.pgd", NULL },
	[DOMAIN_PD_MODE] = { "protection_domain", "pd_mode", NULL },
	[DOMAIN_V1_TOP] = { "protection_domain", "amdv1.amdpt.common.top_of_table", NULL },
	[DOMAIN_V2_TOP] = { "protection_domain", "amdv2.x86_64_pt.common.top_of_table", NULL },
};

enum {
	PAGE_BYTES = 4096,
	DTES_A_PAGE = PAGE_BYTES / (DTE_WORDS * 8),
	REQUESTERS = 65536,
	GCR3_ENTRIES = 512,
	GCR3_LEVEL_BITS = 9,
	PASID_BITS = 20,
	PASIDS_MAX = 4096, /* of one device that are listed: the tables may be nonsense */
};

/* A PCI segment: one device table, for one unit or several. */
struct segment {
	struct segment *next;
	uint64_t address; /* struct amd_iommu_pci_seg; 0 where the tables are global */
	uint32_t id;
	uint32_t count;	  /* entries that the kernel uses */
	uint64_t table;	  /* physical address */
	uint64_t rlookup; /* kernel address of an array: requester to unit */
	uint64_t (*entries)[DTE_WORDS];
	struct block_request *pages; /* the table's pages, and whether they could be read */
	uint16_t *aliases;	     /* by requester; NULL when it could not be read */
	const struct unit *unit;     /* the first */
};

struct scan {
	struct kernel *kernel;
	struct memory *memory;
	struct inventory *inventory;
	struct member members[FIELDS];
	struct segment *segments;
	uint64_t strip; /* SME's encryption bit */
};

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

static struct error *read_variable(const struct scan *scan, const char *name, void *data,
				   size_t size)
{
	uint64_t address = 0;

	if (!kernel_symbol(scan->kernel, name, &address))
		return error_new("the kernel has no symbol %s", name);
	return kernel_read(scan->kernel, address, data, size);
}

/* ---- Trees ---- */

static bool set_geometry(struct space *space, const struct pt_format *format,
			 const struct pt_parameters *parameters)
{
	struct error *err = pt_geometry_init(format, parameters, &space->tree.geometry);

	if (!err)
		return true;
	space_set_mode(space, SPACE_UNKNOWN, "%.120s", err->message);
	error_free(err);
	return false;
}

static bool set_host_tree(const struct scan *scan, struct space *space, unsigned int mode,
			  bool dirty)
{
	const struct pt_parameters parameters = {
		.levels = (uint8_t)mode,
		.strip = scan->strip,
		.dirty_tracking = dirty,
	};

	if (mode < 1 || mode > 6) {
		space_set_mode(space, SPACE_BLOCKED, "paging mode %u is reserved", mode);
		return false;
	}
	return set_geometry(space, &pt_format_amdv1, &parameters);
}

/* Guest inputs are canonical (2.2.6). */
static bool set_guest_tree(const struct scan *scan, struct space *space, unsigned int levels)
{
	const struct pt_parameters parameters = {
		.levels = (uint8_t)levels,
		.strip = scan->strip,
		.sign_extend = true,
	};

	return set_geometry(space, &pt_format_x86_64, &parameters);
}

/* Any address is its own translation, as far as addresses of memory go: 52 bits. */
static void set_passthrough(struct space *space, const char *why)
{
	const struct pt_parameters parameters = { .levels = 5, .input_bits = 52 };

	if (set_geometry(space, &pt_format_amdv1, &parameters))
		space_set_mode(space, SPACE_PASSTHROUGH, "%s", why);
}

/* ---- Device table entries ---- */

static unsigned int dte_perm(const uint64_t *dte)
{
	return (dte[0] & DTE_IR ? PT_R : 0U) | (dte[0] & DTE_IW ? PT_W : 0U);
}

/* Levels of the guest tables: 0 is 4, 1 is 5; else 0. */
static unsigned int dte_guest_levels(const uint64_t *dte)
{
	const unsigned int mode = (unsigned int)pt_field(dte[2], 55, 54);

	return mode > 1 ? 0 : 4 + mode;
}

static void describe_dte(const struct scan *scan, struct space_step *step)
{
	const uint64_t *dte = step->words;
	char *text = step->meaning;
	const size_t size = sizeof(step->meaning);

	if (!(dte[0] & DTE_V)) {
		snprintf(text, size, "V=0: DMA is forwarded untranslated");
		return;
	}
	int used = snprintf(
		text, size,
		"V=1 TV=%d Mode=%u IR=%d IW=%d HAD=%u PPR=%d I=%d SysMgt=%u DID=%u -> 0x%" PRIx64,
		!!(dte[0] & DTE_TV), dte_mode(dte), !!(dte[0] & DTE_IR), !!(dte[0] & DTE_IW),
		(unsigned int)pt_field(dte[0], 8, 7), (int)(dte[0] >> 52 & 1),
		(int)(dte[1] >> 32 & 1), (unsigned int)pt_field(dte[1], 41, 40),
		(unsigned int)pt_field(dte[1], 15, 0), dte[0] & pt_bits(51, 12) & ~scan->strip);
	if ((dte[0] & DTE_GV) && used > 0 && (size_t)used < size)
		snprintf(text + used, size - (size_t)used,
			 " GV=1 GIOV=%d GLX=%u GuestPagingMode=%u GCR3=0x%" PRIx64,
			 !!(dte[0] & DTE_GIOV), (unsigned int)pt_field(dte[0], 57, 56),
			 (unsigned int)pt_field(dte[2], 55, 54), dte_gcr3(dte) & ~scan->strip);
}

/* What the host side of a DTE does to an address, with no regard to guest tables. */
static void set_host_side(const struct scan *scan, struct space *space, const uint64_t *dte)
{
	const unsigned int perm = dte_perm(dte);

	space->tree.perm = (uint8_t)(perm | PT_X);
	if (!perm) {
		space_set_mode(space, SPACE_BLOCKED, "IR and IW are 0 in the device table entry");
	} else if (dte_mode(dte) == 0) {
		space->tree.perm = (uint8_t)perm;
		set_passthrough(space, "Mode 0 in the device table entry");
	} else if (set_host_tree(scan, space, dte_mode(dte), dte[0] >> 7 & 1)) {
		space->mode = SPACE_TABLE;
		space->tree.root = dte[0] & pt_bits(51, 12) & ~scan->strip;
	}
}

/* ---- Guest tables: GCR3 ---- */

/* One device's GCR3 tables under examination. */
struct guest {
	const struct scan *scan;
	const struct unit *unit;
	const struct device *device;
	const struct space *dte; /* its first step; what the host side does */
	bool pasid_0_is_own;	 /* GIOV: requests without a PASID use number 0 */
	bool own_found;
	unsigned int count;
};

static struct error *add_space(const struct scan *scan, const struct unit *unit,
			       const struct device *device, const char *kind,
			       const struct space *from, struct space **ret)
{
	struct error *err = inventory_add_hw_space(scan->inventory, unit, device, kind, ret);

	if (err)
		return err;
	struct space *space = *ret;
	space->mode = from->mode;
	space->tree = from->tree;
	space->domain_id = from->domain_id;
	memcpy(space->reason, from->reason, sizeof(space->reason));
	memcpy(space->steps, from->steps, sizeof(space->steps));
	space->step_count = from->step_count;
	return NULL;
}

/* A space for one PASID; @way has the GCR3 steps to it. */
static struct error *add_pasid(struct guest *guest, const struct space *way, uint32_t pasid,
			       struct space **ret)
{
	const bool own = pasid == 0 && guest->pasid_0_is_own;

	guest->own_found |= own;
	guest->count++;
	struct error *err = add_space(guest->scan, guest->unit, guest->device,
				      own ? "device" : "pasid", way, ret);
	if (err)
		return err;
	if (!own)
		snprintf((*ret)->name, sizeof((*ret)->name), "%.40s pasid=%u", guest->device->name,
			 pasid);
	(*ret)->has_pasid = true;
	(*ret)->pasid = pasid;
	return NULL;
}

static struct error *add_guest_table(struct guest *guest, const struct space *way, uint32_t pasid,
				     uint64_t entry)
{
	const uint64_t *dte = guest->dte->steps[0].words;
	struct space *space = NULL;
	struct error *err = add_pasid(guest, way, pasid, &space);

	if (err)
		return err;
	space->tree.perm = (uint8_t)(dte_perm(dte) | PT_X);
	if (dte_guest_levels(dte) == 0) {
		space_set_mode(space, SPACE_BLOCKED, "guest paging mode %u is reserved",
			       (unsigned int)pt_field(dte[2], 55, 54));
	} else if (!dte_perm(dte)) {
		space_set_mode(space, SPACE_BLOCKED, "IR and IW are 0 in the device table entry");
	} else if (set_guest_tree(guest->scan, space, dte_guest_levels(dte))) {
		space->mode = SPACE_TABLE;
		space->tree.root = entry & pt_bits(51, 12) & ~guest->scan->strip;
	}
	return NULL;
}

/* PASIDs from @first on, by the GCR3 table at @table; @level 0 holds the tables' addresses. */
static struct error *read_gcr3(struct guest *guest, const struct space *way, uint64_t table,
			       unsigned int level, uint32_t first)
{
	uint64_t entries[GCR3_ENTRIES];
	const uint32_t stride = 1U << (level * GCR3_LEVEL_BITS);
	struct error *err = NULL;
	struct space *space = NULL;
	enum block_status status =
		memory_read(guest->scan->memory, table, entries, sizeof(entries));

	if (status != BLOCK_OK) {
		err = add_pasid(guest, way, first, &space);
		if (!err)
			space_set_mode(space, SPACE_UNKNOWN,
				       "GCR3 table at 0x%" PRIx64 " (PASIDs from %u on) is %s",
				       table, first, block_status_text(status));
		return err;
	}
	for (uint32_t i = 0; i < GCR3_ENTRIES && !err; i++) {
		const uint32_t pasid = first + i * stride;
		struct space below = *way;

		if (pasid >> PASID_BITS || guest->count >= PASIDS_MAX)
			break;
		if (!(entries[i] & 1))
			continue;
		const uint64_t next = entries[i] & pt_bits(51, 12) & ~guest->scan->strip;
		struct space_step *step = space_add_step(&below, "gcr3", table, i, &entries[i], 1);
		snprintf(step->meaning, sizeof(step->meaning), "V=1 -> 0x%" PRIx64, next);
		err = level ? read_gcr3(guest, &below, next, level - 1, pasid)
			    : add_guest_table(guest, &below, pasid, entries[i]);
	}
	return err;
}

/* Requests without a PASID, where no guest table translates them. */
static struct error *add_own(struct guest *guest)
{
	struct space *space = NULL;
	struct error *err =
		add_space(guest->scan, guest->unit, guest->device, "device", guest->dte, &space);

	if (!err && guest->pasid_0_is_own)
		space_set_mode(space, SPACE_BLOCKED, "no GCR3 entry for PASID 0");
	return err;
}

/* GV is set: guest tables by PASID, and below them perhaps host tables. */
static struct error *read_guest(const struct scan *scan, const struct unit *unit,
				const struct device *device, struct space *dte)
{
	const uint64_t *words = dte->steps[0].words;
	const unsigned int glx = (unsigned int)pt_field(words[0], 57, 56);
	struct guest guest = {
		.scan = scan,
		.unit = unit,
		.device = device,
		.dte = dte,
		.pasid_0_is_own = words[0] & DTE_GIOV,
	};
	struct space *space = NULL;

	if (glx == 3 || (dte_mode(words) && guest.pasid_0_is_own)) {
		space_set_mode(dte, glx == 3 ? SPACE_BLOCKED : SPACE_UNKNOWN,
			       glx == 3 ? "GLX 3 is reserved"
					: "nested: guest tables on host tables are not decoded");
		return add_space(scan, unit, device, "device", dte, &space);
	}
	if (dte_mode(words)) {
		struct error *err = inventory_warn(
			scan->inventory,
			error_new("its PASIDs have guest tables on host tables (nested): "
				  "they are not decoded"),
			device->name);

		return err ? err : add_own(&guest);
	}
	struct error *err = NULL;
	if (!guest.pasid_0_is_own)
		err = add_own(&guest);
	if (!err)
		err = read_gcr3(&guest, dte, dte_gcr3(words) & ~scan->strip, glx, 0);
	if (!err && guest.count >= PASIDS_MAX)
		err = inventory_warn(
			scan->inventory,
			error_new("it has PASIDs without end: %u are listed", PASIDS_MAX),
			device->name);
	if (!err && guest.pasid_0_is_own && !guest.own_found)
		err = add_own(&guest);
	return err;
}

/* ---- Requesters ---- */

static struct segment *find_segment(const struct scan *scan, uint32_t id)
{
	struct segment *segment = scan->segments;

	while (segment && segment->id != id)
		segment = segment->next;
	return segment;
}

static enum block_status entry_status(const struct segment *segment, uint32_t rid)
{
	return rid < segment->count ? segment->pages[rid / DTES_A_PAGE].status : BLOCK_OUTSIDE;
}

/* What hardware has for one requester. */
static struct error *read_requester(const struct scan *scan, const struct unit *unit,
				    const struct segment *segment, const struct device *device)
{
	const uint16_t rid = device->dma_rid;
	struct space dte = { .kind = "device", .domain_id = -1 };
	struct space *space = NULL;

	if (entry_status(segment, rid) != BLOCK_OK) {
		space_set_mode(&dte, SPACE_UNKNOWN, "device table entry 0x%x is %s", rid,
			       rid < segment->count ? block_status_text(entry_status(segment, rid))
						    : "beyond the table");
		return add_space(scan, unit, device, "device", &dte, &space);
	}
	const uint64_t *words = segment->entries[rid];
	struct space_step *step =
		space_add_step(&dte, "dte", segment->table, rid, words, DTE_WORDS);
	describe_dte(scan, step);
	if (!(words[0] & DTE_V)) {
		set_passthrough(&dte, "V=0 in the device table entry: DMA is not translated");
	} else if (!(words[0] & DTE_TV)) {
		space_set_mode(&dte, SPACE_BLOCKED,
			       "TV=0 in the device table entry: there is no translation");
	} else {
		dte.domain_id = (int64_t)pt_field(words[1], 15, 0);
		set_host_side(scan, &dte, words);
		if (words[0] & DTE_GV)
			return read_guest(scan, unit, device, &dte);
	}
	return add_space(scan, unit, device, "device", &dte, &space);
}

/*
 * Whether an entry says more than what the driver puts into every entry at first: V and TV, with
 * neither permission nor table.
 */
static bool in_use(const struct segment *segment, uint32_t rid)
{
	const uint64_t word = segment->entries[rid][0];

	return entry_status(segment, rid) == BLOCK_OK && (word & DTE_V) &&
	       (word & (DTE_IR | DTE_IW | DTE_GV | pt_bits(11, 9)));
}

/* The unit in charge of a requester that is no device. */
static const struct unit *unit_of(const struct scan *scan, const struct segment *segment,
				  uint16_t rid)
{
	uint64_t iommu = 0;

	if (segment->rlookup)
		error_free(kernel_read(scan->kernel, segment->rlookup + rid * sizeof(iommu), &iommu,
				       sizeof(iommu)));
	for (size_t i = 0; i < scan->inventory->unit_count && iommu; i++) {
		const struct unit *unit = scan->inventory->units[i];

		if (unit->address == iommu + scan->members[UNIT_IOMMU_DEVICE].offset)
			return unit;
	}
	return segment->unit;
}

/* Requesters that stand for a device of the segment: their entries matter even when unused. */
static void mark_aliases(const struct scan *scan, const struct segment *segment, bool *marks)
{
	for (size_t i = 0; i < scan->inventory->device_count; i++) {
		const struct device *device = scan->inventory->devices[i];

		if (!device->unit || device->dma_segment != segment->id)
			continue;
		for (size_t j = 0; j < device->alias_count; j++) {
			if (device->alias_rids[j] < segment->count)
				marks[device->alias_rids[j]] = true;
		}
	}
}

/* What only the device table knows: aliases, and entries in use that no device stands for. */
static struct error *read_others(const struct scan *scan, const struct segment *segment)
{
	bool *aliases = calloc(segment->count, sizeof(*aliases));
	struct error *err = NULL;

	if (!aliases)
		return error_no_memory();
	mark_aliases(scan, segment, aliases);
	for (uint32_t rid = 0; rid < segment->count && !err; rid++) {
		bool alias = false;

		if (!aliases[rid] && !in_use(segment, rid))
			continue;
		struct device *device =
			inventory_find_rid(scan->inventory, segment->id, (uint16_t)rid, &alias);
		if (device && !alias)
			continue;
		const struct unit *unit = unit_of(scan, segment, (uint16_t)rid);
		err = inventory_add_requester(scan->inventory, unit, (uint16_t)rid, device,
					      &device);
		if (!err)
			err = read_requester(scan, unit, segment, device);
	}
	free(aliases);
	return err;
}

/* ---- Units and segments ---- */

/* Pages one by one: one that is not in the dump leaves the others. */
static struct error *read_device_table(const struct scan *scan, struct segment *segment)
{
	const size_t pages = (segment->count + DTES_A_PAGE - 1) / DTES_A_PAGE;

	segment->entries = calloc(pages, PAGE_BYTES);
	segment->pages = calloc(pages, sizeof(*segment->pages));
	if (!segment->entries || !segment->pages)
		return error_no_memory();
	for (size_t i = 0; i < pages; i++)
		segment->pages[i] = (struct block_request){
			.phys = segment->table + i * PAGE_BYTES,
			.data = segment->entries[i * DTES_A_PAGE],
			.len = PAGE_BYTES,
		};
	scan->memory->ops->read(scan->memory, segment->pages, pages);
	/* Whatever a read that failed may have left there. */
	for (size_t i = 0; i < pages; i++) {
		if (segment->pages[i].status != BLOCK_OK)
			memset(segment->pages[i].data, 0, PAGE_BYTES);
	}
	return NULL;
}

static struct error *read_alias_table(const struct scan *scan, struct segment *segment,
				      uint64_t address)
{
	uint16_t *aliases = calloc(segment->count, sizeof(*aliases));

	if (!aliases)
		return error_no_memory();
	struct error *err =
		kernel_read(scan->kernel, address, aliases, segment->count * sizeof(*aliases));
	if (err) {
		free(aliases);
		return inventory_warn(scan->inventory, err, "the AMD IOMMU's alias table");
	}
	segment->aliases = aliases;
	return NULL;
}

/* Where a segment's tables are: in its structure, or before 6.1 in global variables. */
static struct error *find_tables(const struct scan *scan, struct segment *segment,
				 uint64_t *device_table, uint64_t *alias_table)
{
	struct error *err = NULL;
	uint64_t last = 0;

	if (segment->address) {
		err = get(scan, segment->address, SEGMENT_LAST_BDF, &last);
		if (!err)
			err = get(scan, segment->address, SEGMENT_DEVICE_TABLE, device_table);
		if (!err)
			err = get(scan, segment->address, SEGMENT_ALIAS_TABLE, alias_table);
		if (!err)
			err = get(scan, segment->address, SEGMENT_RLOOKUP_TABLE, &segment->rlookup);
	} else {
		uint16_t last_bdf = 0;

		err = read_variable(scan, "amd_iommu_last_bdf", &last_bdf, sizeof(last_bdf));
		last = last_bdf;
		if (!err)
			err = read_variable(scan, "amd_iommu_dev_table", device_table,
					    sizeof(*device_table));
		if (!err)
			err = read_variable(scan, "amd_iommu_alias_table", alias_table,
					    sizeof(*alias_table));
		if (!err)
			err = read_variable(scan, "amd_iommu_rlookup_table", &segment->rlookup,
					    sizeof(segment->rlookup));
	}
	segment->count = (uint32_t)(last < REQUESTERS ? last : REQUESTERS - 1) + 1;
	return err;
}

static struct error *read_segment(const struct scan *scan, struct segment *segment)
{
	uint64_t device_table = 0;
	uint64_t alias_table = 0;
	struct error *err = find_tables(scan, segment, &device_table, &alias_table);

	if (err)
		return err;
	if (!device_table || !kernel_to_phys(scan->kernel, device_table, &segment->table))
		return error_new("its device table (0x%" PRIx64 ") is not mapped", device_table);
	err = read_device_table(scan, segment);
	if (!err && alias_table)
		err = read_alias_table(scan, segment, alias_table);
	return err;
}

static void segment_destroy(struct segment *segment)
{
	free(segment->entries);
	free(segment->pages);
	free(segment->aliases);
	free(segment);
}

/* The segment of a unit, read when it is met first. */
static struct error *get_segment(struct scan *scan, uint64_t iommu, struct segment **ret)
{
	uint64_t address = 0;
	uint64_t id = 0;
	struct error *err = get(scan, iommu, UNIT_SEGMENT, &address);

	if (err)
		return err;
	/* Once a number; late 5.10 (5.10.251) has the structure, with the tables still global. */
	if (scan->members[SEGMENT_ID].present)
		err = get(scan, address, SEGMENT_ID, &id);
	else
		id = address;
	if (!scan->members[SEGMENT_DEVICE_TABLE].present)
		address = 0;
	*ret = err ? NULL : find_segment(scan, (uint32_t)id);
	if (err || *ret)
		return err;
	struct segment *segment = calloc(1, sizeof(*segment));
	if (!segment)
		return error_no_memory();
	segment->address = address;
	segment->id = (uint32_t)id;
	err = read_segment(scan, segment);
	if (err) {
		segment_destroy(segment);
		return err;
	}
	segment->next = scan->segments;
	scan->segments = segment;
	*ret = segment;
	return NULL;
}

/* The devices of a unit, the number by which the driver programs each, and its IVRS alias. */
static struct error *claim_devices(const struct scan *scan, const struct unit *unit,
				   const struct segment *segment)
{
	struct error *err = NULL;

	for (size_t i = 0; i < scan->inventory->device_count && !err; i++) {
		struct device *device = scan->inventory->devices[i];
		uint64_t id = 0;

		if (device->iommu_device != unit->address)
			continue;
		device->unit = unit;
		if (device->iommu_data == 0)
			continue;
		err = get(scan, device->iommu_data, DEVICE_ID, &id);
		if (!err) {
			device->has_dma_rid = true;
			device->dma_segment = segment->id;
			device->dma_rid = (uint16_t)id;
			if (segment->aliases && device->dma_rid < segment->count &&
			    segment->aliases[device->dma_rid] != device->dma_rid)
				err = device_add_alias(device, segment->aliases[device->dma_rid]);
		}
		err = inventory_warn(scan->inventory, err, device->name);
	}
	return err;
}

/* amd_iommu_init.c: enum iommu_init_state; from IOMMU_ENABLED on the units are at work. */
static bool is_enabled(const struct scan *scan)
{
	enum { IOMMU_ENABLED = 3 };
	int32_t state = IOMMU_ENABLED;

	error_free(read_variable(scan, "init_state", &state, sizeof(state)));
	return state >= IOMMU_ENABLED;
}

static struct error *read_devices(const struct scan *scan, const struct unit *unit,
				  const struct segment *segment)
{
	const size_t known = scan->inventory->device_count;
	struct error *err = NULL;

	for (size_t i = 0; i < known && !err; i++) {
		const struct device *device = scan->inventory->devices[i];
		struct space *space = NULL;

		if (device->unit != unit || !device->has_dma_rid)
			continue;
		if (unit->translating) {
			err = read_requester(scan, unit, segment, device);
			continue;
		}
		err = inventory_add_hw_space(scan->inventory, unit, device, "device", &space);
		if (!err)
			set_passthrough(space, "translation is off");
	}
	return err;
}

/* What the driver has beside page tables; that of a segment, with its first unit. */
static struct error *read_parts(const struct scan *scan, struct unit *unit, uint64_t iommu,
				const struct segment *segment)
{
	const struct amd_segment_tables tables = {
		.address = segment->unit ? 0 : segment->address,
		.entries = (const uint64_t(*)[DTE_WORDS])segment->entries,
		.count = segment->count,
	};
	const bool first = scan->inventory->unit_count == 1;

	return amd_parts_read(scan->kernel, unit, iommu, &tables, first);
}

static struct error *read_unit(struct scan *scan, uint64_t iommu)
{
	struct unit *unit = NULL;
	struct segment *segment = NULL;
	uint64_t index = 0;
	struct error *err = get(scan, iommu, UNIT_INDEX, &index);

	if (!err)
		err = inventory_add_unit(scan->inventory, &unit);
	if (err)
		return err;
	snprintf(unit->name, sizeof(unit->name), "ivhd%" PRIu64, index);
	snprintf(unit->driver, sizeof(unit->driver), "amd-iommu");
	unit->address = iommu + scan->members[UNIT_IOMMU_DEVICE].offset;
	unit->translating = is_enabled(scan);
	snprintf(unit->mode, sizeof(unit->mode), "%s", unit->translating ? "on" : "off");
	err = get_segment(scan, iommu, &segment);
	if (err)
		return err;
	unit->segment = segment->id;
	unit->root = segment->table;
	err = read_parts(scan, unit, iommu, segment);
	if (err)
		return err;
	if (!segment->unit)
		segment->unit = unit;
	err = claim_devices(scan, unit, segment);
	return err ? err : read_devices(scan, unit, segment);
}

static struct error *read_units(struct scan *scan, uint64_t head)
{
	struct error *err = NULL;
	struct list_cursor cursor = list_begin(head);

	while (!err && list_next(scan->kernel, &cursor))
		err = inventory_warn(scan->inventory,
				     read_unit(scan, cursor.node - scan->members[UNIT_LIST].offset),
				     "an AMD IOMMU");
	if (!err)
		err = inventory_warn(scan->inventory, cursor.error, "amd_iommu_list");
	for (const struct segment *segment = scan->segments; segment && !err;
	     segment = segment->next) {
		if (segment->unit && segment->unit->translating)
			err = read_others(scan, segment);
	}
	return err;
}

/* ---- Domains ---- */

/* What the software says: a v1 table (mode 1 to 6, or 0 for none) or a v2 one. */
struct domain_table {
	uint64_t root; /* kernel address */
	unsigned int mode;
	bool guest;
};

static struct error *read_generic(const struct scan *scan, uint64_t domain,
				  struct domain_table *ret)
{
	enum { TOP_LEVEL_MASK = 7, PD_MODE_V2 = 2 }; /* generic_pt/common.h; amd_iommu_types.h */
	uint64_t pd_mode = 0;
	uint64_t top = 0;
	struct error *err = get(scan, domain, DOMAIN_PD_MODE, &pd_mode);

	ret->guest = pd_mode == PD_MODE_V2;
	if (!err && pd_mode)
		err = get(scan, domain, ret->guest ? DOMAIN_V2_TOP : DOMAIN_V1_TOP, &top);
	ret->root = top & ~(uint64_t)TOP_LEVEL_MASK;
	ret->mode = ret->root ? (unsigned int)(top & TOP_LEVEL_MASK) + 1 : 0;
	return err;
}

static struct error *read_io_pgtable(const struct scan *scan, uint64_t domain,
				     struct domain_table *ret)
{
	enum { PAGE_MODE_4_LEVEL = 4 };
	int32_t guest_levels = PAGE_MODE_4_LEVEL;
	uint64_t mode = 0;
	struct error *err = get(scan, domain, DOMAIN_PGD, &ret->root);

	if (!err && ret->root) {
		/* amd_iommu_gpt_level: since 6.7; before, always 4. */
		error_free(read_variable(scan, "amd_iommu_gpt_level", &guest_levels,
					 sizeof(guest_levels)));
		ret->guest = true;
		ret->mode = (unsigned int)guest_levels;
		return NULL;
	}
	if (!err)
		err = get(scan, domain, DOMAIN_ROOT, &ret->root);
	if (!err)
		err = get(scan, domain, DOMAIN_MODE, &mode);
	ret->mode = (unsigned int)mode;
	return err;
}

static struct error *read_table(const struct scan *scan, uint64_t domain, struct domain_table *ret)
{
	enum { PT_ROOT_MODE_MASK = 7 };
	uint64_t value = 0;

	if (scan->members[DOMAIN_V1_TOP].present)
		return read_generic(scan, domain, ret);
	if (scan->members[DOMAIN_ROOT].present)
		return read_io_pgtable(scan, domain, ret);
	struct error *err = get(scan, domain, DOMAIN_PT_ROOT, &value);
	ret->mode = (unsigned int)(value & PT_ROOT_MODE_MASK);
	ret->root = value & ~(uint64_t)PT_ROOT_MODE_MASK;
	return err;
}

/*
 * The id that the domain's caches are flushed by (amd/iommu.c: set_dte_entry(),
 * domain_flush_pages()): one for all units, unless guest tables have one a device.
 */
static struct error *read_ids(const struct scan *scan, uint64_t domain, bool guest,
			      struct space *space)
{
	const struct inventory *inventory = scan->inventory;
	uint64_t id = 0;
	struct error *err = NULL;

	if (guest && scan->members[DEVICE_GUEST_ID].present)
		return NULL;
	err = get(scan, domain, DOMAIN_ID, &id);
	for (size_t i = 0; i < inventory->unit_count && !err; i++)
		err = space_add_id(space, inventory->units[i], (int64_t)id);
	return err;
}

static struct error *read_domain(const void *arg, struct space *space)
{
	const struct scan *scan = arg;
	const uint64_t domain = space->domain - scan->members[DOMAIN_COMMON].offset;
	struct domain_table table = { 0 };
	uint64_t dirty = 0;

	space->object = domain;
	struct error *err = read_table(scan, domain, &table);
	if (!err)
		err = read_ids(scan, domain, table.guest, space);
	if (!err && scan->members[DOMAIN_DIRTY].present)
		err = get(scan, domain, DOMAIN_DIRTY, &dirty);
	if (err)
		return err;
	if (table.mode == 0 && table.root == 0) {
		set_passthrough(space, "domain without a table");
	} else if (table.guest ? set_guest_tree(scan, space, table.mode)
			       : set_host_tree(scan, space, table.mode, dirty)) {
		space->mode = SPACE_TABLE;
		if (!kernel_to_phys(scan->kernel, table.root, &space->tree.root))
			space_set_mode(space, SPACE_UNKNOWN, "table at 0x%" PRIx64 " is not mapped",
				       table.root);
	}
	return NULL;
}

static const struct domain_family domains = {
	.driver = "amd-iommu",
	.process_format = &pt_format_x86_64,
	.set_passthrough = set_passthrough,
	.read = read_domain,
};

static struct error *discover(struct kernel *kernel, struct inventory *inventory)
{
	uint64_t head = 0;
	uint64_t address = 0;

	/* No symbol: a kernel without the driver. */
	if (!kernel_symbol(kernel, "amd_iommu_list", &head))
		return NULL;
	struct scan *scan = calloc(1, sizeof(*scan));
	if (!scan)
		return error_no_memory();
	scan->kernel = kernel;
	scan->memory = kernel_memory(kernel);
	scan->inventory = inventory;
	struct error *err = kernel_resolve(kernel, fields, scan->members, FIELDS);
	/* SME: one address bit, in tables and in the addresses that they hold, says "encrypted". */
	if (!err && kernel_symbol(kernel, "sme_me_mask", &address))
		err = kernel_read(kernel, address, &scan->strip, sizeof(scan->strip));
	if (!err)
		err = read_units(scan, head);
	if (!err)
		err = domains_discover(kernel, inventory, &domains, scan);
	while (scan->segments) {
		struct segment *segment = scan->segments;

		scan->segments = segment->next;
		segment_destroy(segment);
	}
	free(scan);
	return err;
}

const struct walker walker_amd = {
	.name = "amd",
	.discover = discover,
};
