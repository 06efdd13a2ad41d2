// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Arm SMMUv2 (and v1, MMU-500): context banks, and the driver's domains.
 *
 * Everything that the hardware translates by is in registers: no dump has them. The driver keeps
 * what it wrote in struct arm_smmu_device: s2crs and smrs (stream to context bank), cbs (TTBR, TCR,
 * MAIR of each bank). The hardware view here is made of these copies.
 *
 * Arm System Memory Management Unit Architecture Specification, SMMU architecture version 2.0
 * (IHI 0062): 9.6 "Stream mapping registers" (S2CRn, SMRn), 16.5 "SMMU_CBn_TCR", "SMMU_CBn_TCR2",
 * "SMMU_CBn_TTBRm". Linux: drivers/iommu/arm/arm-smmu/arm-smmu.h, arm-smmu.c
 * (arm_smmu_init_context_bank()), include/linux/iommu.h (struct iommu_fwspec).
 *
 * Two drivers have a struct arm_smmu_device and a struct arm_smmu_domain each: SMMUv2's are the
 * ones with cbs and cb_lock.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"
#include "walkers/domains.h"
#include "walkers/inventory.h"
#include "walkers/io_pgtable.h"
#include "walkers/smmu.h"

enum field {
	SMMU_UNIT,
	SMMU_BANKS,
	SMMU_BANK_COUNT,
	SMMU_STREAMS,
	SMMU_STREAM_COUNT,
	SMMU_MATCHES,
	MASTER_STREAMS,
	STREAM,
	STREAM_TYPE,
	STREAM_BANK,
	MATCH,
	MATCH_MASK,
	MATCH_ID,
	MATCH_VALID,
	BANK,
	BANK_TTBR,
	BANK_TCR,
	BANK_MAIR,
	BANK_CONFIG,
	CONFIG_CBAR,
	CONFIG_FORMAT,
	DOMAIN_COMMON,
	DOMAIN_TABLE_OPS,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[SMMU_UNIT] = { "arm_smmu_device", "iommu", "cbs" },
	[SMMU_BANKS] = { "arm_smmu_device", "cbs", "cbs" },
	[SMMU_BANK_COUNT] = { "arm_smmu_device", "num_context_banks", "cbs" },
	[SMMU_STREAMS] = { "arm_smmu_device", "s2crs", "cbs" },
	[SMMU_STREAM_COUNT] = { "arm_smmu_device", "num_mapping_groups", "cbs" },
	[SMMU_MATCHES] = { "arm_smmu_device", "smrs", "cbs" },
	[MASTER_STREAMS] = { "arm_smmu_master_cfg", "smendx", NULL },
	[STREAM] = { "arm_smmu_s2cr", NULL, NULL },
	[STREAM_TYPE] = { "arm_smmu_s2cr", "type", NULL },
	[STREAM_BANK] = { "arm_smmu_s2cr", "cbndx", NULL },
	[MATCH] = { "arm_smmu_smr", NULL, NULL },
	[MATCH_MASK] = { "arm_smmu_smr", "mask", NULL },
	[MATCH_ID] = { "arm_smmu_smr", "id", NULL },
	[MATCH_VALID] = { "arm_smmu_smr", "valid", NULL },
	[BANK] = { "arm_smmu_cb", NULL, NULL },
	[BANK_TTBR] = { "arm_smmu_cb", "ttbr", NULL },
	[BANK_TCR] = { "arm_smmu_cb", "tcr", NULL },
	[BANK_MAIR] = { "arm_smmu_cb", "mair", NULL },
	[BANK_CONFIG] = { "arm_smmu_cb", "cfg", NULL },
	[CONFIG_CBAR] = { "arm_smmu_cfg", "cbar", NULL },
	[CONFIG_FORMAT] = { "arm_smmu_cfg", "fmt", NULL },
	[DOMAIN_COMMON] = { "arm_smmu_domain", "domain", "cb_lock" },
	[DOMAIN_TABLE_OPS] = { "arm_smmu_domain", "pgtbl_ops", "cb_lock" },
};

/* enum arm_smmu_s2cr_type */
enum { STREAM_TRANSLATES = 0, STREAM_BYPASSES = 1, STREAM_FAULTS = 2 };

/* enum arm_smmu_context_fmt */
enum { FORMAT_NONE = 0, FORMAT_AARCH64 = 1, FORMAT_AARCH32_LONG = 2, FORMAT_AARCH32_SHORT = 3 };

enum { CBAR_STAGE_2 = 0, STREAMS_PER_DEVICE = 128, BANKS_MAX = 128 };

/* One SMMU under examination. */
struct scan {
	struct kernel *kernel;
	struct inventory *inventory;
	struct member members[FIELDS];
	const struct unit *unit;
	uint64_t banks, streams, matches; /* kernel addresses of its arrays; matches may be 0 */
	uint64_t bank_count, stream_count;
};

/* A context bank as the driver wrote it. */
struct bank {
	uint64_t address;
	uint64_t ttbr[2];
	uint32_t tcr[2];
	uint32_t mair[2];
	uint64_t config; /* struct arm_smmu_cfg; 0: not in use */
	uint64_t cbar, format;
};

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

static struct error *read_array(const struct scan *scan, uint64_t base, enum field field,
				void *data, size_t size)
{
	const struct member *member = &scan->members[field];

	if (!member->present || member->size != size)
		return error_new("struct %s has no %s of %zu bytes", fields[field].type,
				 fields[field].member, size);
	return kernel_read(scan->kernel, base + member->offset, data, size);
}

static struct error *read_bank(const struct scan *scan, uint64_t number, struct bank *ret)
{
	const uint64_t base = scan->banks + number * scan->members[BANK].size;

	*ret = (struct bank){ .address = base };
	if (number >= scan->bank_count)
		return error_new("context bank %" PRIu64 " is not one of its %" PRIu64, number,
				 scan->bank_count);
	struct error *err = read_array(scan, base, BANK_TTBR, ret->ttbr, sizeof(ret->ttbr));
	if (!err)
		err = read_array(scan, base, BANK_TCR, ret->tcr, sizeof(ret->tcr));
	if (!err)
		err = read_array(scan, base, BANK_MAIR, ret->mair, sizeof(ret->mair));
	if (!err)
		err = get(scan, base, BANK_CONFIG, &ret->config);
	if (!err && ret->config) {
		err = get(scan, ret->config, CONFIG_CBAR, &ret->cbar);
		if (!err)
			err = get(scan, ret->config, CONFIG_FORMAT, &ret->format);
	}
	return err;
}

/* PASize, VTCR.PS. */
static uint8_t output_bits(uint64_t code)
{
	static const uint8_t bits[] = { 32, 36, 40, 42, 44, 48, 48, 48 };

	return bits[code & 7];
}

/* TG0 and TG1 of stage 1 count differently (CBn_TCR); stage 2 has TG0 only. */
static uint8_t granule_lg2(uint64_t code, bool ttbr1)
{
	static const uint8_t tg0[] = { 12, 16, 14, 0 };
	static const uint8_t tg1[] = { 0, 14, 12, 16 };

	return ttbr1 ? tg1[code & 3] : tg0[code & 3];
}

static bool stage1_tree(const struct bank *bank, struct pt_parameters *parameters, uint64_t *root)
{
	const uint64_t tcr = bank->tcr[0];
	/* EPD0: TTBR0 is off, so the driver uses TTBR1 (Qualcomm's GPU). */
	const bool ttbr1 = bank->format == FORMAT_AARCH64 && (tcr >> 7 & 1);

	*parameters = (struct pt_parameters){
		.granule_lg2 = ttbr1 ? granule_lg2(tcr >> 30, true) : granule_lg2(tcr >> 14, false),
		.input_bits = (uint8_t)(64 - pt_field(tcr, ttbr1 ? 21 : 5, ttbr1 ? 16 : 0)),
		.output_bits = output_bits(bank->tcr[1]),
		.ttbr1 = ttbr1,
	};
	if (bank->format == FORMAT_AARCH32_LONG) {
		parameters->granule_lg2 = 12;
		parameters->input_bits = (uint8_t)(32 - pt_field(tcr, 2, 0));
		parameters->output_bits = 40;
	}
	*root = bank->ttbr[ttbr1] & pt_bits(47, 0);
	return parameters->granule_lg2;
}

static bool stage2_tree(const struct bank *bank, struct pt_parameters *parameters, uint64_t *root)
{
	const uint64_t vtcr = bank->tcr[0];
	const int sl0 = (int)pt_field(vtcr, 7, 6);

	*parameters = (struct pt_parameters){
		.granule_lg2 = granule_lg2(vtcr >> 14, false),
		.input_bits = (uint8_t)(64 - pt_field(vtcr, 5, 0)),
		.output_bits = output_bits(vtcr >> 16),
		.has_start_level = true,
	};
	if (bank->format == FORMAT_AARCH32_LONG) {
		/* T0SZ is of 4 bits and signed, SL0 is 0 or 1. */
		int t0sz = (int)pt_field(vtcr, 3, 0);

		parameters->granule_lg2 = 12;
		parameters->input_bits = (uint8_t)(32 - (t0sz < 8 ? t0sz : t0sz - 16));
		parameters->output_bits = 40;
	}
	parameters->start_level = (int8_t)(parameters->granule_lg2 == 12 ? 2 - sl0 : 3 - sl0);
	*root = bank->ttbr[0] & pt_bits(47, 0);
	return parameters->granule_lg2 && sl0 < 3;
}

static void set_tree(struct space *space, const struct bank *bank)
{
	struct pt_parameters parameters;
	uint64_t root = 0;
	bool stage2 = bank->cbar == CBAR_STAGE_2;

	if (bank->format != FORMAT_AARCH64 && bank->format != FORMAT_AARCH32_LONG)
		space_set_mode(space, SPACE_UNKNOWN, "context format %" PRIu64 "%s is not decoded",
			       bank->format,
			       bank->format == FORMAT_AARCH32_SHORT ? " (Armv7 short descriptors)"
								    : "");
	else if (stage2 ? stage2_tree(bank, &parameters, &root)
			: stage1_tree(bank, &parameters, &root))
		space_set_tree(space, stage2 ? &pt_format_lpae_s2 : &pt_format_lpae_s1, &parameters,
			       root);
	else
		space_set_mode(space, SPACE_UNKNOWN, "TCR 0x%" PRIx32 " is reserved", bank->tcr[0]);
}

/* The copies lie in the kernel's structures; what is shown are the registers' values. */
static struct space_step *add_step(const struct scan *scan, struct space *space, const char *level,
				   uint64_t array, uint64_t index, uint32_t size,
				   const uint64_t *words, unsigned int count)
{
	uint64_t table = 0;

	kernel_to_phys(scan->kernel, array, &table);
	struct space_step *step =
		space_add_step(space, level, table, (unsigned int)index, words, count);
	kernel_to_phys(scan->kernel, array + index * size, &step->entry_addr);
	return step;
}

static void add_bank_step(const struct scan *scan, struct space *space, uint64_t number,
			  const struct bank *bank)
{
	const uint64_t words[] = {
		bank->ttbr[0],
		bank->ttbr[1],
		bank->tcr[0] | (uint64_t)bank->tcr[1] << 32,
		bank->mair[0] | (uint64_t)bank->mair[1] << 32,
	};
	const bool stage2 = bank->cbar == CBAR_STAGE_2;
	struct space_step *step = add_step(scan, space, "cb", scan->banks, number,
					   scan->members[BANK].size, words,
					   sizeof(words) / sizeof(words[0]));

	if (bank->config == 0)
		snprintf(step->meaning, sizeof(step->meaning), "context bank is not in use");
	else
		snprintf(step->meaning, sizeof(step->meaning),
			 "the driver's copy: %s stage %d, %s=%" PRIu64 ", %s 0x%" PRIx32
			 ", MAIR 0x%" PRIx64,
			 bank->format == FORMAT_AARCH64 ? "AArch64" : "AArch32", stage2 ? 2 : 1,
			 stage2 ? "VTTBR bits 63:48" : "ASID", bank->ttbr[0] >> 48,
			 stage2 ? "VTCR" : "TCR", bank->tcr[0], words[3]);
}

static struct error *read_context(const struct scan *scan, struct space *space, uint64_t number)
{
	struct bank bank;
	struct error *err = read_bank(scan, number, &bank);

	if (err)
		return err;
	add_bank_step(scan, space, number, &bank);
	if (bank.config == 0)
		space_set_mode(space, SPACE_BLOCKED, "context bank %" PRIu64 " is not in use",
			       number);
	else
		set_tree(space, &bank);
	return NULL;
}

/* The SMR register's value of a stream mapping group; 0 when streams are not matched. */
static struct error *read_match(const struct scan *scan, uint64_t group, uint64_t *ret)
{
	const uint64_t smr = scan->matches + group * scan->members[MATCH].size;
	uint64_t id = 0;
	uint64_t mask = 0;
	uint64_t valid = 0;

	*ret = 0;
	if (scan->matches == 0)
		return NULL;
	struct error *err = get(scan, smr, MATCH_ID, &id);
	if (!err)
		err = get(scan, smr, MATCH_MASK, &mask);
	if (!err)
		err = get(scan, smr, MATCH_VALID, &valid);
	*ret = (valid ? 1ULL << 31 : 0) | mask << 16 | id;
	return err;
}

/* What becomes of a stream by its mapping group's S2CR. */
static struct error *read_stream(const struct scan *scan, struct space *space, uint64_t group)
{
	static const char *const types[] = { "translates", "bypasses", "faults" };
	const uint32_t size = scan->members[STREAM].size;
	const uint64_t s2cr = scan->streams + group * size;
	uint64_t type = 0;
	uint64_t bank = 0;
	uint64_t smr = 0;

	if (group >= scan->stream_count)
		return error_new("stream mapping group %" PRIu64 " is not one of its %" PRIu64,
				 group, scan->stream_count);
	struct error *err = get(scan, s2cr, STREAM_TYPE, &type);
	if (!err)
		err = get(scan, s2cr, STREAM_BANK, &bank);
	if (!err)
		err = read_match(scan, group, &smr);
	if (err)
		return err;
	const uint64_t words[] = { type << 16 | bank, smr };
	struct space_step *step = add_step(scan, space, "s2cr", scan->streams, group, size, words,
					   scan->matches ? 2 : 1);
	snprintf(step->meaning, sizeof(step->meaning),
		 "the driver's copy: %s, context bank %" PRIu64,
		 type <= STREAM_FAULTS ? types[type] : "reserved", bank);
	if (scan->matches) {
		size_t used = strlen(step->meaning);

		snprintf(step->meaning + used, sizeof(step->meaning) - used,
			 "; StreamIDs 0x%x mask 0x%x%s", (unsigned int)(smr & 0xffff),
			 (unsigned int)(smr >> 16 & 0x7fff), smr >> 31 ? "" : ", not valid");
	}
	switch (type) {
	case STREAM_TRANSLATES:
		return read_context(scan, space, bank);
	case STREAM_BYPASSES:
		error_free(pt_geometry_init(&pt_format_lpae_s1, NULL, &space->tree.geometry));
		space_set_mode(space, SPACE_PASSTHROUGH, "S2CR says bypass");
		return NULL;
	default:
		space_set_mode(space, SPACE_BLOCKED, "S2CR says fault");
		return NULL;
	}
}

/* A device may have several StreamIDs; their groups nearly always are the same. */
static struct error *read_device(const struct scan *scan, const struct device *device)
{
	const uint64_t array = device->iommu_data + scan->members[MASTER_STREAMS].offset;
	uint64_t ids = 0;
	uint64_t count = 0;
	int16_t groups[STREAMS_PER_DEVICE];
	struct error *err = smmu_stream_ids(scan->kernel, device, STREAMS_PER_DEVICE, &ids, &count);

	if (!err)
		err = kernel_read(scan->kernel, array, groups, count * sizeof(*groups));
	for (uint64_t i = 0; i < count && !err; i++) {
		struct space *space = NULL;
		bool seen = groups[i] < 0; /* INVALID_SMENDX */

		for (uint64_t j = 0; j < i; j++)
			seen |= groups[j] == groups[i];
		if (seen)
			continue;
		err = inventory_add_hw_space(scan->inventory, scan->unit, device, "device", &space);
		if (!err)
			err = read_stream(scan, space, (uint64_t)groups[i]);
		if (err && space)
			space_set_mode(space, SPACE_UNKNOWN, "%.159s", err->message);
	}
	return inventory_warn(scan->inventory, err, device->name);
}

static struct error *read_unit(void *arg, uint64_t iommu_device, const char *name)
{
	struct scan *scan = arg;
	const uint64_t smmu = iommu_device - scan->members[SMMU_UNIT].offset;
	struct unit *unit = NULL;
	struct error *err = inventory_add_unit(scan->inventory, &unit);

	if (err)
		return err;
	scan->unit = unit;
	snprintf(unit->name, sizeof(unit->name), "%s", name);
	snprintf(unit->driver, sizeof(unit->driver), "arm-smmu");
	snprintf(unit->mode, sizeof(unit->mode), "registers");
	unit->address = iommu_device;
	unit->translating = true;
	err = get(scan, smmu, SMMU_BANKS, &scan->banks);
	if (!err)
		err = get(scan, smmu, SMMU_BANK_COUNT, &scan->bank_count);
	if (!err)
		err = get(scan, smmu, SMMU_STREAMS, &scan->streams);
	if (!err)
		err = get(scan, smmu, SMMU_STREAM_COUNT, &scan->stream_count);
	if (!err)
		err = get(scan, smmu, SMMU_MATCHES, &scan->matches);
	if (scan->bank_count > BANKS_MAX)
		scan->bank_count = BANKS_MAX;
	for (size_t i = 0; i < scan->inventory->device_count && !err; i++) {
		struct device *device = scan->inventory->devices[i];

		if (device->iommu_device != iommu_device)
			continue;
		device->unit = unit;
		if (device->iommu_data)
			err = read_device(scan, device);
	}
	return err;
}

static void set_passthrough(struct space *space, const char *why)
{
	error_free(pt_geometry_init(&pt_format_lpae_s1, NULL, &space->tree.geometry));
	space_set_mode(space, SPACE_PASSTHROUGH, "%s", why);
}

static struct error *read_domain(const void *arg, struct space *space)
{
	const struct scan *scan = arg;
	uint64_t ops = 0;

	space->object = space->domain - scan->members[DOMAIN_COMMON].offset;
	struct error *err = get(scan, space->object, DOMAIN_TABLE_OPS, &ops);
	return err ? err : io_pgtable_fill(scan->kernel, ops, space);
}

static const struct domain_family domains = {
	.driver = "arm-smmu",
	.set_passthrough = set_passthrough,
	.read = read_domain,
};

static struct error *discover(struct kernel *kernel, struct inventory *inventory)
{
	struct scan scan = { .kernel = kernel, .inventory = inventory };

	struct error *err = kernel_resolve(kernel, fields, scan.members, FIELDS);
	/* A kernel without the driver has no such struct. */
	if (err || !scan.members[SMMU_UNIT].present)
		return err;
	err = smmu_for_each(kernel, inventory, "smmu.", read_unit, &scan);
	return err ? err : domains_discover(kernel, inventory, &domains, &scan);
}

const struct walker walker_smmu_v2 = {
	.name = "smmu-v2",
	.discover = discover,
};
