// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Intel VT-d: remapping units, root, context and PASID tables, and the driver's domains.
 *
 * Hardware view: VT-d specification, revision 4.1: 9.1 "Root Entry", 9.2 "Scalable-Mode Root
 * Entry", 9.3 "Context Entry", 9.4 "Scalable-Mode Context-Entry", 9.5 "Scalable-Mode PASID
 * Directory Entry", 9.6 "Scalable-Mode PASID Table Entry"; 3.8 "Nested Translation"; 10.4.2/10.4.3
 * capabilities. Software view, Linux: drivers/iommu/intel/iommu.h (struct intel_iommu, dmar_domain,
 * device_domain_info), include/linux/dmar.h (dmar_drhd_units), include/linux/generic_pt/.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/containers.h"
#include "target/error.h"
#include "target/kernel.h"
#include "walkers/domains.h"
#include "walkers/inventory.h"
#include "walkers/nested.h"

enum field {
	DRHD_LIST,
	DRHD_IGNORED,
	DRHD_IOMMU,
	DRHD_SEGMENT,
	UNIT_NAME,
	UNIT_ECAP,
	UNIT_GCMD,
	UNIT_ROOT_ENTRY,
	UNIT_IOMMU_DEVICE,
	DOMAIN_COMMON,
	DOMAIN_PGD,	  /* up to 6.18 */
	DOMAIN_AGAW,	  /* up to 6.18 */
	DOMAIN_FLAGS,	  /* up to 6.5: bit 1 says first level */
	DOMAIN_USE_FIRST, /* 6.6 to 6.18 */
	DOMAIN_DIRTY,	  /* since 6.7 */
	DOMAIN_SS_TOP,	  /* since 6.19: generic_pt */
	DOMAIN_FS_TOP,
	COMMON_OPS,
	DOMAIN_IOMMU_ARRAY, /* since 5.20: an xarray of iommu_domain_info */
	DOMAIN_IOMMU_DID,   /* before: u16 by the unit's number */
	UNIT_SEQ_ID,
	DOMAIN_INFO_IOMMU,
	DOMAIN_INFO_DID,
	UNIT_QI,
	UNIT_PRQ,
	UNIT_IR_TABLE,
	INFO_SEGMENT,
	INFO_BUS,
	INFO_DEVFN,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[DRHD_LIST] = { "dmar_drhd_unit", "list", NULL },
	[DRHD_IGNORED] = { "dmar_drhd_unit", "ignored", NULL },
	[DRHD_IOMMU] = { "dmar_drhd_unit", "iommu", NULL },
	[DRHD_SEGMENT] = { "dmar_drhd_unit", "segment", NULL },
	[UNIT_NAME] = { "intel_iommu", "name", NULL },
	[UNIT_ECAP] = { "intel_iommu", "ecap", NULL },
	[UNIT_GCMD] = { "intel_iommu", "gcmd", NULL },
	[UNIT_ROOT_ENTRY] = { "intel_iommu", "root_entry", NULL },
	[UNIT_IOMMU_DEVICE] = { "intel_iommu", "iommu", NULL },
	[DOMAIN_COMMON] = { "dmar_domain", "domain", NULL },
	[DOMAIN_PGD] = { "dmar_domain", "pgd", NULL },
	[DOMAIN_AGAW] = { "dmar_domain", "agaw", NULL },
	[DOMAIN_FLAGS] = { "dmar_domain", "flags", NULL },
	[DOMAIN_USE_FIRST] = { "dmar_domain", "use_first_level", NULL },
	[DOMAIN_DIRTY] = { "dmar_domain", "dirty_tracking", NULL },
	[DOMAIN_SS_TOP] = { "dmar_domain", "sspt.vtdss_pt.common.top_of_table", NULL },
	[DOMAIN_FS_TOP] = { "dmar_domain", "fspt.x86_64_pt.common.top_of_table", NULL },
	[COMMON_OPS] = { "iommu_domain", "ops", NULL },
	[DOMAIN_IOMMU_ARRAY] = { "dmar_domain", "iommu_array", NULL },
	[DOMAIN_IOMMU_DID] = { "dmar_domain", "iommu_did", NULL },
	[UNIT_SEQ_ID] = { "intel_iommu", "seq_id", NULL },
	[DOMAIN_INFO_IOMMU] = { "iommu_domain_info", "iommu", NULL },
	[DOMAIN_INFO_DID] = { "iommu_domain_info", "did", NULL },
	[UNIT_QI] = { "intel_iommu", "qi", NULL },
	[UNIT_PRQ] = { "intel_iommu", "prq", NULL },
	[UNIT_IR_TABLE] = { "intel_iommu", "ir_table", NULL },
	[INFO_SEGMENT] = { "device_domain_info", "segment", NULL },
	[INFO_BUS] = { "device_domain_info", "bus", NULL },
	[INFO_DEVFN] = { "device_domain_info", "devfn", NULL },
};

enum {
	PAGE_BYTES = 4096,
	RIDS = 65536,
	TABLES = 512,		     /* context tables of one unit, at most (scalable mode) */
	PASID_DIRECTORY_MAX = 16384, /* entries: PDTS is 3 bits */
	PASID_TABLE_ENTRIES = 64,
};

/* One unit under examination. */
struct scan {
	struct kernel *kernel;
	struct memory *memory;
	struct inventory *inventory;
	struct member members[FIELDS];
	const struct unit *unit;
	struct unit *own_unit; /* the same, while it is being read */
	bool scalable;
	uint64_t root[TABLES];
	char (*contexts)[PAGE_BYTES]; /* context tables, by number; see context_number() */
	struct block_request *requests;
};

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

/*
 * Of 512 root words, the one that leads to the context table for @rid: the low half of bus's
 * entry, and in scalable mode the high half for functions from 0x80 on.
 */
static unsigned int context_number(const struct scan *scan, uint16_t rid)
{
	return (rid >> 8) * 2U + (scan->scalable && (rid & 0x80) ? 1U : 0U);
}

/* First stage: FSPM 0 is 4 levels, 1 is 5 (9.6). A and D are always kept (3.6.2). */
static bool set_first_stage(struct space *space, unsigned int levels, bool extended_accessed,
			    uint64_t root)
{
	const struct pt_parameters parameters = {
		.levels = (uint8_t)levels,
		.extended_accessed = extended_accessed,
	};
	struct error *err = pt_geometry_init(&pt_format_vtd_fs, &parameters, &space->tree.geometry);

	if (err) {
		space_set_mode(space, SPACE_UNKNOWN, "%.120s", err->message);
		error_free(err);
		return false;
	}
	space->tree.root = root;
	return true;
}

/* AW: 1 is 39 bits and 3 levels, 2 is 48 and 4, 3 is 57 and 5 (9.3, 9.6). */
static bool set_tree(struct space *space, unsigned int aw, uint64_t root, bool dirty)
{
	const struct pt_parameters parameters = {
		.levels = (uint8_t)(aw + 2),
		.dirty_tracking = dirty,
	};

	if (aw < 1 || aw > 3) {
		space_set_mode(space, SPACE_BLOCKED, "address width code %u is reserved", aw);
		return false;
	}
	error_free(pt_geometry_init(&pt_format_vtd_ss, &parameters, &space->tree.geometry));
	space->tree.root = root;
	return true;
}

/* Legacy mode: the context entry says all (9.3). */
static void read_legacy_context(struct space *space, struct space_step *step)
{
	static const char *const types[] = { "second-stage", "second-stage, device-TLB",
					     "pass-through", "reserved" };
	const uint64_t lo = step->words[0];
	const uint64_t hi = step->words[1];
	const unsigned int type = (unsigned int)pt_field(lo, 3, 2);
	const unsigned int aw = (unsigned int)pt_field(hi, 2, 0);

	if (!(lo & 1)) {
		snprintf(step->meaning, sizeof(step->meaning), "P=0: not present");
		space_set_mode(space, SPACE_BLOCKED, "context entry not present");
		return;
	}
	space->domain_id = (int64_t)pt_field(hi, 23, 8);
	snprintf(step->meaning, sizeof(step->meaning),
		 "P=1 FPD=%d TT=%u (%s) AW=%u DID=%" PRId64 " -> 0x%" PRIx64, !!(lo & 2), type,
		 types[type], aw, space->domain_id, lo & pt_bits(51, 12));
	if (!set_tree(space, aw, lo & pt_bits(51, 12), false))
		return;
	if (type == 2)
		space_set_mode(space, SPACE_PASSTHROUGH, "context entry says pass-through");
	else if (type == 3)
		space_set_mode(space, SPACE_BLOCKED,
			       "context entry's translation type 3 is reserved");
	else
		space->mode = SPACE_TABLE;
}

static void describe_pasid_entry(struct space_step *step, const char *type)
{
	const uint64_t *word = step->words;

	snprintf(step->meaning, sizeof(step->meaning),
		 "P=1 FPD=%d PGTT=%u (%s) AW=%u SSADE=%d DID=%u SSPTPTR=0x%" PRIx64
		 " PWSNP=%d PGSNP=%d SRE=%d FSPM=%u WPE=%d EAFE=%d FSPTPTR=0x%" PRIx64,
		 !!(word[0] & 2), (unsigned int)pt_field(word[0], 8, 6), type,
		 (unsigned int)pt_field(word[0], 4, 2), (int)(word[0] >> 9 & 1),
		 (unsigned int)pt_field(word[1], 15, 0), word[0] & pt_bits(51, 12),
		 (int)(word[1] >> 23 & 1), (int)(word[1] >> 24 & 1), (int)(word[2] & 1),
		 (unsigned int)pt_field(word[2], 3, 2), (int)(word[2] >> 4 & 1),
		 (int)(word[2] >> 7 & 1), word[2] & pt_bits(51, 12));
}

/* First stage, alone or nested: FSPM 0 is 4 levels, 1 is 5, others are reserved. */
static void set_by_pasid_entry(struct space *space, const uint64_t *word)
{
	const unsigned int mode = (unsigned int)pt_field(word[2], 3, 2);

	if (mode > 1)
		space_set_mode(space, SPACE_BLOCKED, "first-stage paging mode %u is reserved",
			       mode);
	else if (set_first_stage(space, mode + 4, word[2] >> 7 & 1, word[2] & pt_bits(51, 12)))
		space->mode = SPACE_TABLE;
}

/*
 * Nested translation (3.8): the first stage maps to guest addresses and its tables lie at such;
 * a space of its own shows the second stage.
 */
static struct error *add_second_stage(const struct scan *scan, const struct device *device,
				      struct space *first)
{
	const uint64_t *word = first->steps[first->step_count - 1].words;
	struct space *second = NULL;
	struct error *err =
		inventory_add_hw_space(scan->inventory, scan->unit, device, first->kind, &second);

	if (err)
		return err;
	snprintf(second->name, sizeof(second->name), "%.50s stage=2", first->name);
	second->nesting = 2;
	second->has_pasid = first->has_pasid;
	second->pasid = first->pasid;
	second->domain_id = first->domain_id;
	memcpy(second->steps, first->steps, sizeof(second->steps));
	second->step_count = first->step_count;
	if (!set_tree(second, (unsigned int)pt_field(word[0], 4, 2), word[0] & pt_bits(51, 12),
		      word[0] >> 9 & 1)) {
		space_set_mode(first, SPACE_BLOCKED, "its second stage: %.100s", second->reason);
		return NULL;
	}
	second->mode = SPACE_TABLE;
	return nested_memory_create(scan->memory, &second->tree, &first->memory);
}

/* Scalable mode: a PASID table entry says all (9.6). */
static void read_pasid_entry(struct space *space, struct space_step *step)
{
	static const char *const types[] = { "reserved", "first-stage",	 "second-stage",
					     "nested",	 "pass-through", "reserved",
					     "reserved", "reserved" };
	const uint64_t *word = step->words;
	const unsigned int type = (unsigned int)pt_field(word[0], 8, 6);
	const unsigned int aw = (unsigned int)pt_field(word[0], 4, 2);
	const bool dirty = word[0] >> 9 & 1;

	if (!(word[0] & 1)) {
		snprintf(step->meaning, sizeof(step->meaning), "P=0: not present");
		space_set_mode(space, SPACE_BLOCKED, "PASID entry not present");
		return;
	}
	space->domain_id = (int64_t)pt_field(word[1], 15, 0);
	describe_pasid_entry(step, types[type]);
	switch (type) {
	case 2:
		if (set_tree(space, aw, word[0] & pt_bits(51, 12), dirty))
			space->mode = SPACE_TABLE;
		break;
	case 4:
		if (set_tree(space, aw, 0, false))
			space_set_mode(space, SPACE_PASSTHROUGH, "PASID entry says pass-through");
		break;
	case 1:
	case 3:
		set_by_pasid_entry(space, word);
		if (type == 3)
			space->nesting = 1;
		break;
	default:
		space_set_mode(space, SPACE_BLOCKED,
			       "PASID entry's translation type %u is reserved", type);
	}
}

/* The PASID table entries of one 4 KiB table, from PASID @first on. */
static struct error *read_pasid_table(const struct scan *scan, const struct device *device,
				      const struct space *context, uint64_t table,
				      uint64_t directory, const uint64_t *directory_entry,
				      uint32_t rid_pasid, uint32_t first)
{
	uint64_t entries[PASID_TABLE_ENTRIES][8];
	enum block_status status = memory_read(scan->memory, table, entries, sizeof(entries));

	for (uint32_t i = 0; i < PASID_TABLE_ENTRIES; i++) {
		const bool own = first + i == rid_pasid;
		struct space *space = NULL;

		if (!own && (status != BLOCK_OK || !(entries[i][0] & 1)))
			continue;
		struct error *err = inventory_add_hw_space(scan->inventory, scan->unit, device,
							   own ? "device" : "pasid", &space);
		if (err)
			return err;
		if (!own)
			snprintf(space->name, sizeof(space->name), "%.40s pasid=%u", device->name,
				 first + i);
		space->has_pasid = true;
		space->pasid = first + i;
		memcpy(space->steps, context->steps, sizeof(space->steps));
		space->step_count = context->step_count;
		struct space_step *step = space_add_step(space, "pasid-dir", directory, first / 64,
							 directory_entry, 1);
		snprintf(step->meaning, sizeof(step->meaning), "P=%d FPD=%d -> 0x%" PRIx64,
			 (int)(*directory_entry & 1), !!(*directory_entry & 2), table);
		if (status != BLOCK_OK) {
			space_set_mode(space, SPACE_UNKNOWN, "PASID table at 0x%" PRIx64 " is %s",
				       table, block_status_text(status));
			continue;
		}
		step = space_add_step(space, "pasid", table, i, entries[i], 8);
		read_pasid_entry(space, step);
		if (space->nesting == 1)
			err = add_second_stage(scan, device, space);
		if (err)
			return err;
	}
	return NULL;
}

/* All PASIDs of a device, by its scalable-mode context entry (9.4, 9.5). */
static struct error *read_pasids(const struct scan *scan, const struct device *device,
				 const struct space *context)
{
	const uint64_t *word = context->steps[context->step_count - 1].words;
	const uint64_t directory = word[0] & pt_bits(51, 12);
	const uint32_t count = 1U << (pt_field(word[0], 11, 9) + 7);
	const uint32_t rid_pasid = (uint32_t)pt_field(word[1], 19, 0);
	uint64_t *entries = malloc(PASID_DIRECTORY_MAX * sizeof(*entries));
	bool own_found = false;
	struct error *err = NULL;

	if (!entries)
		return error_no_memory();
	enum block_status status =
		memory_read(scan->memory, directory, entries, (uint32_t)(count * sizeof(*entries)));
	/* An alias has its device's tables. */
	if (device->alias_of[0] == '\0')
		unit_add_part(scan->own_unit, "pasid",
			      (count * sizeof(*entries) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1ULL));
	for (uint32_t i = 0; i < count && status == BLOCK_OK && !err; i++) {
		if (!(entries[i] & 1))
			continue;
		if (device->alias_of[0] == '\0')
			unit_add_part(scan->own_unit, "pasid", PAGE_BYTES);
		own_found |= i == rid_pasid / PASID_TABLE_ENTRIES;
		err = read_pasid_table(scan, device, context, entries[i] & pt_bits(51, 12),
				       directory, &entries[i], rid_pasid, i * PASID_TABLE_ENTRIES);
	}
	free(entries);
	if (err || own_found)
		return err;
	struct space *space = NULL;
	err = inventory_add_hw_space(scan->inventory, scan->unit, device, "device", &space);
	if (err)
		return err;
	memcpy(space->steps, context->steps, sizeof(space->steps));
	space->step_count = context->step_count;
	if (status == BLOCK_OK)
		space_set_mode(space, SPACE_BLOCKED, "PASID directory entry not present");
	else
		space_set_mode(space, SPACE_UNKNOWN, "PASID directory at 0x%" PRIx64 " is %s",
			       directory, block_status_text(status));
	return NULL;
}

static void describe_scalable_context(struct space_step *step)
{
	const uint64_t *word = step->words;

	snprintf(step->meaning, sizeof(step->meaning),
		 "P=%d FPD=%d DTE=%d PASIDE=%d PRE=%d PDTS=%u RID_PASID=%u -> 0x%" PRIx64,
		 (int)(word[0] & 1), !!(word[0] & 2), !!(word[0] & 4), !!(word[0] & 8),
		 !!(word[0] & 16), (unsigned int)pt_field(word[0], 11, 9),
		 (unsigned int)pt_field(word[1], 19, 0), word[0] & pt_bits(51, 12));
}

/* The hardware's entries for one requester; @device is its name and owner. */
static struct error *read_requester(const struct scan *scan, const struct device *device)
{
	const uint16_t rid = device->dma_rid;
	const unsigned int number = context_number(scan, rid);
	const uint64_t root_word = scan->root[number];
	const unsigned int words = scan->scalable ? 4 : 2;
	const unsigned int index = scan->scalable ? rid & 0x7fU : rid & 0xffU;
	struct space *space = NULL;
	struct space context = { .kind = "device" };

	struct space_step *step = space_add_step(&context, "root", scan->unit->root, rid >> 8,
						 &scan->root[(size_t)(rid >> 8) * 2], 2);
	snprintf(step->meaning, sizeof(step->meaning), "P=%d%s -> 0x%" PRIx64, (int)(root_word & 1),
		 !scan->scalable ? ""
		 : rid & 0x80	 ? " upper half"
				 : " lower half",
		 root_word & pt_bits(51, 12));
	const struct block_request *request = &scan->requests[number];
	if (!(root_word & 1)) {
		space_set_mode(&context, SPACE_BLOCKED, "root entry not present");
	} else if (request->status != BLOCK_OK) {
		space_set_mode(&context, SPACE_UNKNOWN, "context table at 0x%" PRIx64 " is %s",
			       request->phys, block_status_text(request->status));
	} else {
		uint64_t entry[4];

		memcpy(entry, scan->contexts[number] + (size_t)index * words * sizeof(*entry),
		       words * sizeof(*entry));
		step = space_add_step(&context, "context", request->phys, index, entry, words);
		if (scan->scalable) {
			describe_scalable_context(step);
			if (entry[0] & 1)
				return read_pasids(scan, device, &context);
			space_set_mode(&context, SPACE_BLOCKED, "context entry not present");
		} else {
			read_legacy_context(&context, step);
		}
	}
	struct error *err =
		inventory_add_hw_space(scan->inventory, scan->unit, device, "device", &space);
	if (err)
		return err;
	space->mode = context.mode;
	space->tree = context.tree;
	space->domain_id = context.domain_id;
	memcpy(space->reason, context.reason, sizeof(space->reason));
	memcpy(space->steps, context.steps, sizeof(space->steps));
	space->step_count = context.step_count;
	return NULL;
}

/* Is there a present context entry for @rid? */
static bool context_present(const struct scan *scan, uint16_t rid)
{
	const unsigned int number = context_number(scan, rid);
	const size_t bytes = scan->scalable ? 32 : 16;
	const size_t index = scan->scalable ? rid & 0x7f : rid & 0xff;
	uint64_t lo = 0;

	if (!(scan->root[number] & 1) || scan->requests[number].status != BLOCK_OK)
		return false;
	memcpy(&lo, scan->contexts[number] + index * bytes, sizeof(lo));
	return lo & 1;
}

/* Note in @rids the requester IDs that the DMA of the unit's devices may carry beside their own. */
static void mark_aliases(const struct scan *scan, bool *rids)
{
	for (size_t i = 0; i < scan->inventory->device_count; i++) {
		const struct device *device = scan->inventory->devices[i];

		for (size_t j = 0; device->unit == scan->unit && j < device->alias_count; j++)
			rids[device->alias_rids[j]] = true;
	}
}

/*
 * The devices that the kernel puts behind this unit, then what only the tables know. The driver
 * gives each alias an entry of its own, equal to its device's, so one without is a row, too.
 */
static struct error *read_requesters(const struct scan *scan)
{
	const size_t known = scan->inventory->device_count;
	bool aliases[RIDS] = { false };
	struct error *err = NULL;

	mark_aliases(scan, aliases);

	for (size_t i = 0; i < known && !err; i++) {
		if (scan->inventory->devices[i]->unit == scan->unit &&
		    scan->inventory->devices[i]->has_dma_rid)
			err = read_requester(scan, scan->inventory->devices[i]);
	}
	for (unsigned int rid = 0; rid < RIDS && !err; rid++) {
		bool alias = false;

		if (!aliases[rid] && !context_present(scan, (uint16_t)rid))
			continue;
		struct device *device = inventory_find_rid(scan->inventory, scan->unit->segment,
							   (uint16_t)rid, &alias);
		if (device && !alias && device->unit == scan->unit)
			continue;
		err = inventory_add_requester(scan->inventory, scan->unit, (uint16_t)rid,
					      alias ? device : NULL, &device);
		if (!err)
			err = read_requester(scan, device);
	}
	return err;
}

static struct error *read_tables(struct scan *scan)
{
	enum block_status status =
		memory_read(scan->memory, scan->unit->root, scan->root, sizeof(scan->root));

	if (status != BLOCK_OK)
		return inventory_warn(scan->inventory,
				      error_new("root table at 0x%" PRIx64 " is %s",
						scan->unit->root, block_status_text(status)),
				      scan->unit->name);
	scan->contexts = malloc(sizeof(*scan->contexts) * TABLES);
	scan->requests = calloc(TABLES, sizeof(*scan->requests));
	struct block_request *present = calloc(TABLES, sizeof(*present));
	struct error *err = NULL;
	if (scan->contexts && scan->requests && present) {
		size_t count = 0;

		for (unsigned int i = 0; i < TABLES; i++) {
			if ((scan->scalable || i % 2 == 0) && (scan->root[i] & 1))
				present[count++] = (struct block_request){
					.phys = scan->root[i] & pt_bits(51, 12),
					.data = scan->contexts[i],
					.len = PAGE_BYTES,
				};
		}
		unit_add_part(scan->own_unit, "context", count * PAGE_BYTES);
		scan->memory->ops->read(scan->memory, present, count);
		for (size_t i = 0, j = 0; i < TABLES && j < count; i++) {
			if (present[j].data == scan->contexts[i])
				scan->requests[i] = present[j++];
		}
		err = read_requesters(scan);
	} else {
		err = error_no_memory();
	}
	free(scan->contexts);
	free(scan->requests);
	free(present);
	return err;
}

/* With translation off a unit passes everything through (6.6, GCMD.TE). */
static struct error *add_untranslated(const struct scan *scan)
{
	struct error *err = NULL;

	for (size_t i = 0; i < scan->inventory->device_count && !err; i++) {
		struct space *space = NULL;

		if (scan->inventory->devices[i]->unit != scan->unit)
			continue;
		err = inventory_add_hw_space(scan->inventory, scan->unit,
					     scan->inventory->devices[i], "device", &space);
		if (err)
			break;
		set_tree(space, 2, 0, false);
		space_set_mode(space, SPACE_PASSTHROUGH, "translation is off in %s",
			       scan->unit->name);
	}
	return err;
}

/*
 * The devices of a unit, and the requester ID that the driver programs for each: for a child
 * of VMD that is VMD's, for an ACPI device the one in its DRHD scope (pci_real_dma_dev(),
 * drivers/iommu/intel/iommu.c: device_to_iommu()).
 */
static struct error *claim_devices(const struct scan *scan, const struct unit *unit)
{
	/* device_domain_info is the device's own data; 5.10 may have (void *)-2 there. */
	static const uint64_t DEFERRED = (uint64_t)-2;
	struct error *err = NULL;

	for (size_t i = 0; i < scan->inventory->device_count && !err; i++) {
		struct device *device = scan->inventory->devices[i];
		uint64_t segment = 0;
		uint64_t bus = 0;
		uint64_t devfn = 0;

		if (device->iommu_device != unit->address)
			continue;
		device->unit = unit;
		if (device->iommu_data == 0 || device->iommu_data == DEFERRED)
			continue;
		err = get(scan, device->iommu_data, INFO_SEGMENT, &segment);
		if (!err)
			err = get(scan, device->iommu_data, INFO_BUS, &bus);
		if (!err)
			err = get(scan, device->iommu_data, INFO_DEVFN, &devfn);
		if (!err) {
			device->has_dma_rid = true;
			device->dma_segment = (uint32_t)segment;
			device->dma_rid = (uint16_t)(bus << 8 | devfn);
		}
		err = inventory_warn(scan->inventory, err, device->name);
	}
	return err;
}

/*
 * What the driver has for a unit beside page tables (drivers/iommu/intel/dmar.c: dmar_enable_qi(),
 * prq.c: PRQ_ORDER 4, irq_remapping.h: INTR_REMAP_PAGE_ORDER 8). A unit that knows scalable mode
 * has descriptors of 256 bits in its queue, also where that mode is not used.
 */
static void add_parts(const struct scan *scan, struct unit *unit, uint64_t iommu, bool wide_queue)
{
	static const struct {
		enum field field;
		const char *name;
		uint64_t pages;
	} parts[] = {
		{ UNIT_QI, "queue", 1 },
		{ UNIT_PRQ, "page-requests", 16 },
		{ UNIT_IR_TABLE, "irq-remap", 256 },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const bool wide = parts[i].field == UNIT_QI && wide_queue;
		uint64_t address = 0;

		if (scan->members[parts[i].field].present)
			error_free(get(scan, iommu, parts[i].field, &address));
		if (address)
			unit_add_part(unit, parts[i].name,
				      parts[i].pages * PAGE_BYTES * (wide ? 2 : 1));
	}
	unit_add_part(unit, "root", PAGE_BYTES);
}

static struct error *read_unit(struct scan *scan, uint64_t iommu, uint64_t segment)
{
	enum { ECAP_SMTS = 43, GCMD_TE = 31 };
	uint64_t ecap = 0;
	uint64_t gcmd = 0;
	uint64_t root_entry = 0;
	uint64_t sm_symbol = 0;
	int32_t sm = 0;
	struct unit *unit = NULL;
	struct error *err = inventory_add_unit(scan->inventory, &unit);

	if (err)
		return err;
	scan->unit = unit;
	scan->own_unit = unit;
	snprintf(unit->driver, sizeof(unit->driver), "intel-iommu");
	snprintf(unit->name, sizeof(unit->name), "dmar:0x%" PRIx64, iommu);
	unit->segment = (uint32_t)segment;
	unit->address = iommu + scan->members[UNIT_IOMMU_DEVICE].offset;
	err = kernel_member_string(scan->kernel, iommu, &scan->members[UNIT_NAME], unit->name,
				   sizeof(unit->name));
	if (!err)
		err = get(scan, iommu, UNIT_ECAP, &ecap);
	if (!err)
		err = get(scan, iommu, UNIT_GCMD, &gcmd);
	if (!err)
		err = get(scan, iommu, UNIT_ROOT_ENTRY, &root_entry);
	/* intel_iommu_sm: the driver's wish; ECAP.SMTS: the unit's ability. */
	if (!err && kernel_symbol(scan->kernel, "intel_iommu_sm", &sm_symbol))
		err = kernel_read(scan->kernel, sm_symbol, &sm, sizeof(sm));
	if (err)
		return err;
	scan->scalable = sm && (ecap >> ECAP_SMTS & 1);
	unit->translating = gcmd >> GCMD_TE & 1;
	snprintf(unit->mode, sizeof(unit->mode), "%s",
		 !unit->translating ? "off"
		 : scan->scalable   ? "scalable"
				    : "legacy");
	err = claim_devices(scan, unit);
	if (err)
		return err;
	if (!unit->translating)
		return add_untranslated(scan);
	if (root_entry == 0 || !kernel_to_phys(scan->kernel, root_entry, &unit->root))
		return error_new("its root table (0x%" PRIx64 ") is not mapped", root_entry);
	add_parts(scan, unit, iommu, ecap >> ECAP_SMTS & 1);
	return read_tables(scan);
}

static struct error *read_units(struct scan *scan, uint64_t head)
{
	struct error *err = NULL;
	struct list_cursor cursor = list_begin(head);

	while (!err && list_next(scan->kernel, &cursor)) {
		const uint64_t drhd = cursor.node - scan->members[DRHD_LIST].offset;
		uint64_t ignored = 0;
		uint64_t iommu = 0;
		uint64_t segment = 0;

		err = get(scan, drhd, DRHD_IGNORED, &ignored);
		if (!err)
			err = get(scan, drhd, DRHD_IOMMU, &iommu);
		if (!err)
			err = get(scan, drhd, DRHD_SEGMENT, &segment);
		if (!err && !ignored && iommu)
			err = read_unit(scan, iommu, segment);
		err = inventory_warn(scan->inventory, err, "an Intel IOMMU");
	}
	return err ? err : inventory_warn(scan->inventory, cursor.error, "dmar_drhd_units");
}

/* Whether a domain has a first-stage table: three ways to say it, by age. */
static struct error *is_first_stage(const struct scan *scan, uint64_t domain, uint64_t common,
				    bool *ret)
{
	enum { FLAG_USE_FIRST_LEVEL = 1 << 1 };
	uint64_t value = 0;
	uint64_t ops = 0;
	struct error *err = NULL;

	if (scan->members[DOMAIN_FS_TOP].present) {
		err = get(scan, common, COMMON_OPS, &value);
		*ret = kernel_symbol(scan->kernel, "intel_fs_paging_domain_ops", &ops) &&
		       value == ops;
	} else if (scan->members[DOMAIN_USE_FIRST].present) {
		err = get(scan, domain, DOMAIN_USE_FIRST, &value);
		*ret = value;
	} else {
		err = get(scan, domain, DOMAIN_FLAGS, &value);
		*ret = value & FLAG_USE_FIRST_LEVEL;
	}
	return err;
}

static struct error *read_root(const struct scan *scan, uint64_t domain, bool first_stage,
			       uint64_t *root, unsigned int *levels)
{
	enum { TOP_LEVEL_MASK = 7 }; /* generic_pt/common.h: level in the low bits of the top */
	uint64_t value = 0;
	struct error *err = NULL;

	if (scan->members[DOMAIN_SS_TOP].present) {
		err = get(scan, domain, first_stage ? DOMAIN_FS_TOP : DOMAIN_SS_TOP, root);
		*levels = (unsigned int)(*root & TOP_LEVEL_MASK) + 1;
		*root &= ~(uint64_t)TOP_LEVEL_MASK;
		return err;
	}
	err = get(scan, domain, DOMAIN_PGD, root);
	if (!err)
		err = get(scan, domain, DOMAIN_AGAW, &value);
	*levels = (unsigned int)value + 2;
	return err;
}

/* The unit whose struct intel_iommu is at @iommu. */
static const struct unit *unit_of(const struct scan *scan, uint64_t iommu)
{
	for (size_t i = 0; i < scan->inventory->unit_count; i++) {
		if (scan->inventory->units[i]->address ==
		    iommu + scan->members[UNIT_IOMMU_DEVICE].offset)
			return scan->inventory->units[i];
	}
	return NULL;
}

struct ids_arg {
	const struct scan *scan;
	struct space *space;
};

static struct error *on_domain_info(void *arg, uint64_t index, uint64_t entry)
{
	const struct ids_arg *ids = arg;
	uint64_t iommu = 0;
	uint64_t did = 0;
	struct error *err = get(ids->scan, entry, DOMAIN_INFO_IOMMU, &iommu);

	(void)index;
	if (!err)
		err = get(ids->scan, entry, DOMAIN_INFO_DID, &did);
	const struct unit *unit = err ? NULL : unit_of(ids->scan, iommu);
	return unit ? space_add_id(ids->space, unit, (int64_t)did) : err;
}

/* Up to 5.19 each unit's id of a domain lies at the unit's number. */
static struct error *read_did_array(const struct scan *scan, uint64_t domain, struct space *space)
{
	struct error *err = NULL;

	for (size_t i = 0; i < scan->inventory->unit_count && !err; i++) {
		const struct unit *unit = scan->inventory->units[i];
		uint64_t seq_id = 0;
		uint16_t did = 0;

		err = get(scan, unit->address - scan->members[UNIT_IOMMU_DEVICE].offset,
			  UNIT_SEQ_ID, &seq_id);
		if (err || seq_id >= scan->members[DOMAIN_IOMMU_DID].size / sizeof(did))
			continue;
		err = kernel_read(scan->kernel,
				  domain + scan->members[DOMAIN_IOMMU_DID].offset +
					  seq_id * sizeof(did),
				  &did, sizeof(did));
		if (!err && did)
			err = space_add_id(space, unit, did);
	}
	return err;
}

static struct error *read_ids(const struct scan *scan, uint64_t domain, struct space *space)
{
	struct ids_arg arg = { scan, space };

	if (scan->members[DOMAIN_IOMMU_ARRAY].present)
		return xarray_for_each(scan->kernel,
				       domain + scan->members[DOMAIN_IOMMU_ARRAY].offset,
				       on_domain_info, &arg);
	if (scan->members[DOMAIN_IOMMU_DID].present)
		return read_did_array(scan, domain, space);
	return NULL;
}

static struct error *read_domain(const void *arg, struct space *space)
{
	const struct scan *scan = arg;
	const uint64_t domain = space->domain - scan->members[DOMAIN_COMMON].offset;
	uint64_t root = 0;
	uint64_t dirty = 0;
	unsigned int levels = 0;
	bool first_stage = false;

	space->object = domain;
	struct error *err = is_first_stage(scan, domain, space->domain, &first_stage);

	if (!err)
		err = read_root(scan, domain, first_stage, &root, &levels);
	if (!err && scan->members[DOMAIN_DIRTY].present)
		err = get(scan, domain, DOMAIN_DIRTY, &dirty);
	if (!err)
		err = read_ids(scan, domain, space);
	if (err)
		return err;
	if (root == 0) {
		space_set_mode(space, SPACE_BLOCKED, "domain has no table");
	} else if (first_stage ? set_first_stage(space, levels, false, 0)
			       : set_tree(space, levels - 2, 0, dirty)) {
		space->mode = SPACE_TABLE;
		if (!kernel_to_phys(scan->kernel, root, &space->tree.root))
			space_set_mode(space, SPACE_UNKNOWN, "table at 0x%" PRIx64 " is not mapped",
				       root);
	}
	return NULL;
}

/*
 * An identity domain of before 6.12 is a dmar_domain, si_domain, and has a real one-to-one
 * table unless the hardware passes through (hw_pass_through); a newer one is a bare static
 * object without a table.
 */
static bool identity_has_table(const void *arg, uint64_t common)
{
	const struct scan *scan = arg;
	uint64_t address = 0;
	uint64_t si_domain = 0;
	int32_t pass_through = 0;

	if (!kernel_symbol(scan->kernel, "si_domain", &address))
		return false;
	error_free(kernel_read(scan->kernel, address, &si_domain, sizeof(si_domain)));
	if (si_domain == 0 || si_domain + scan->members[DOMAIN_COMMON].offset != common)
		return false;
	if (kernel_symbol(scan->kernel, "hw_pass_through", &address))
		error_free(kernel_read(scan->kernel, address, &pass_through, sizeof(pass_through)));
	return !pass_through;
}

static void set_passthrough(struct space *space, const char *why)
{
	set_tree(space, 2, 0, false);
	space_set_mode(space, SPACE_PASSTHROUGH, "%s", why);
}

static const struct domain_family domains = {
	.driver = "intel-iommu",
	.process_format = &pt_format_vtd_fs,
	.set_passthrough = set_passthrough,
	.read = read_domain,
	.identity_has_table = identity_has_table,
};

static struct error *discover(struct kernel *kernel, struct inventory *inventory)
{
	uint64_t head = 0;

	/* No symbol: a kernel without the driver. */
	if (!kernel_symbol(kernel, "dmar_drhd_units", &head))
		return NULL;
	struct scan *scan = calloc(1, sizeof(*scan));
	if (!scan)
		return error_no_memory();
	scan->kernel = kernel;
	scan->memory = kernel_memory(kernel);
	scan->inventory = inventory;
	struct error *err = kernel_resolve(kernel, fields, scan->members, FIELDS);
	if (!err)
		err = read_units(scan, head);
	if (!err)
		err = domains_discover(kernel, inventory, &domains, scan);
	free(scan);
	return err;
}

const struct walker walker_intel = {
	.name = "intel",
	.discover = discover,
};
