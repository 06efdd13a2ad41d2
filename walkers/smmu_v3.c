// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Arm SMMUv3: stream tables, context descriptors, and the driver's domains.
 *
 * Hardware view: Arm System Memory Management Unit Architecture Specification (IHI 0070):
 * 3.3 "Data structures and translation procedure", 5.1 "Level 1 Stream Table Descriptor",
 * 5.2 "Stream Table Entry", 5.3 "Level 1 Context Descriptor", 5.4 "Context Descriptor".
 * Software view, Linux: drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h (struct arm_smmu_device,
 * arm_smmu_domain), include/linux/iommu.h (struct iommu_fwspec: a device's StreamIDs).
 *
 * Two drivers have a struct arm_smmu_device and a struct arm_smmu_domain each: SMMUv3's are the
 * ones with strtab_cfg and s2_cfg.
 */
#include <inttypes.h>
#include <stdarg.h>
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
	SMMU_FEATURES,
	STRTAB_BASE,	 /* up to 6.11: copies of the registers */
	STRTAB_BASE_CFG, /* up to 6.11 */
	STRTAB_LINEAR,	 /* since 6.12 */
	STRTAB_ENTRIES,	 /* since 6.12 */
	STRTAB_L1,	 /* since 6.12 */
	STRTAB_L1_ENTRIES,
	DOMAIN_COMMON,
	DOMAIN_TABLE_OPS,
	DOMAIN_STAGE,
	DOMAIN_ASID,	 /* since 6.9 */
	DOMAIN_ASID_OLD, /* before: in the domain's CD table */
	DOMAIN_VMID,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[SMMU_UNIT] = { "arm_smmu_device", "iommu", "strtab_cfg" },
	[SMMU_FEATURES] = { "arm_smmu_device", "features", "strtab_cfg" },
	[STRTAB_BASE] = { "arm_smmu_device", "strtab_cfg.strtab_base", "strtab_cfg" },
	[STRTAB_BASE_CFG] = { "arm_smmu_device", "strtab_cfg.strtab_base_cfg", "strtab_cfg" },
	[STRTAB_LINEAR] = { "arm_smmu_device", "strtab_cfg.linear.ste_dma", "strtab_cfg" },
	[STRTAB_ENTRIES] = { "arm_smmu_device", "strtab_cfg.linear.num_ents", "strtab_cfg" },
	[STRTAB_L1] = { "arm_smmu_device", "strtab_cfg.l2.l1_dma", "strtab_cfg" },
	[STRTAB_L1_ENTRIES] = { "arm_smmu_device", "strtab_cfg.l2.num_l1_ents", "strtab_cfg" },
	[DOMAIN_COMMON] = { "arm_smmu_domain", "domain", "s2_cfg" },
	[DOMAIN_TABLE_OPS] = { "arm_smmu_domain", "pgtbl_ops", "s2_cfg" },
	[DOMAIN_STAGE] = { "arm_smmu_domain", "stage", "s2_cfg" },
	[DOMAIN_ASID] = { "arm_smmu_domain", "cd.asid", "s2_cfg" },
	[DOMAIN_ASID_OLD] = { "arm_smmu_domain", "s1_cfg.cd.asid", "s2_cfg" },
	[DOMAIN_VMID] = { "arm_smmu_domain", "s2_cfg.vmid", "s2_cfg" },
};

enum {
	ENTRY_WORDS = 8, /* of an STE and of a CD */
	ENTRY_BYTES = 64,
	STES_MAX = 1 << 20,	   /* in a linear table, of what the dump claims */
	L1_STES_MAX = 1 << 17,	   /* the driver's limit: 1 MiB (STRTAB_L1_SZ_SHIFT) */
	STREAMS_PER_DEVICE = 4096, /* more is damage */
	CDS_PER_READ = 1024,
};

/* STE.Config (5.2): bit 2 is set where it does not abort, bits 1 and 0 enable the stages. */
enum { CONFIG_ABORT = 0, CONFIG_BYPASS = 4, CONFIG_S1 = 5, CONFIG_S2 = 6, CONFIG_NESTED = 7 };

/* One SMMU under examination. */
struct scan {
	struct kernel *kernel;
	struct memory *memory;
	struct inventory *inventory;
	struct member members[FIELDS];
	const struct unit *unit;
	bool two_level;
	unsigned int split; /* StreamID bits that index a second-level table */
	uint64_t entries;   /* of the stream table's first or only level */
	uint32_t *streams;  /* StreamIDs that belong to a device of the kernel */
	size_t stream_count;
};

/* Whose entries are being read. */
struct stream {
	const struct device *device;
	char name[NAME_BYTES]; /* of its space */
	uint32_t id;
};

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

/* TG0, S2TG (5.2, 5.4): 0 is 4K, 1 is 64K, 2 is 16K; 0 is returned for the reserved value. */
static uint8_t granule_lg2(uint64_t tg)
{
	return tg == 0 ? 12 : tg == 1 ? 16 : tg == 2 ? 14 : 0;
}

/* IPS, S2PS: the width of an output address. */
static uint8_t output_bits(uint64_t ps)
{
	static const uint8_t bits[] = { 32, 36, 40, 42, 44, 48, 52, 52 };

	return bits[ps & 7];
}

/* Without a table: what passes through has the widest addresses. */
static void set_passthrough(struct space *space, const char *why)
{
	const struct pt_parameters parameters = { .input_bits = 48 };

	error_free(pt_geometry_init(&pt_format_lpae_s1, &parameters, &space->tree.geometry));
	space_set_mode(space, SPACE_PASSTHROUGH, "%s", why);
}

static void __attribute__((format(printf, 2, 3)))
add_words(struct space *space, const char *format, ...)
{
	const size_t used = strlen(space->words);
	va_list args;

	va_start(args, format);
	vsnprintf(space->words + used, sizeof(space->words) - used, format, args);
	va_end(args);
}

/* A context descriptor says all of stage 1 (5.4). */
static void read_cd(struct space *space, struct space_step *step)
{
	const uint64_t *word = step->words;
	const unsigned int t0sz = (unsigned int)pt_field(word[0], 5, 0);
	const unsigned int ips = (unsigned int)pt_field(word[0], 34, 32);
	const uint64_t root = word[1] & pt_bits(51, 4);
	const bool aarch64 = word[0] >> 41 & 1;
	const struct pt_parameters parameters = {
		.granule_lg2 = granule_lg2(pt_field(word[0], 7, 6)),
		.input_bits = (uint8_t)(64 - t0sz),
		.output_bits = output_bits(ips),
		.dirty_tracking = word[0] >> 42 & 1,
	};

	if (!(word[0] >> 31 & 1)) {
		snprintf(step->meaning, sizeof(step->meaning), "V=0: not valid");
		space_set_mode(space, SPACE_BLOCKED, "context descriptor is not valid");
		return;
	}
	snprintf(
		step->meaning, sizeof(step->meaning),
		"V=1 ASID=%u T0SZ=%u TG0=%u%s IPS=%u (%u bits) EPD0=%d EPD1=%d AA64=%d HA=%d HD=%d "
		"-> 0x%" PRIx64,
		(unsigned int)pt_field(word[0], 63, 48), t0sz,
		(unsigned int)pt_field(word[0], 7, 6),
		parameters.granule_lg2 == 12   ? " (4K)"
		: parameters.granule_lg2 == 14 ? " (16K)"
		: parameters.granule_lg2 == 16 ? " (64K)"
					       : "",
		ips, output_bits(ips), (int)(word[0] >> 14 & 1), (int)(word[0] >> 30 & 1), aarch64,
		(int)(word[0] >> 43 & 1), (int)(word[0] >> 42 & 1), root);
	add_words(space, " asid=%u", (unsigned int)pt_field(word[0], 63, 48));
	if (word[0] >> 14 & 1)
		space_set_mode(space, SPACE_BLOCKED, "EPD0=1: no walks by TTB0");
	else if (!aarch64)
		space_set_mode(space, SPACE_UNKNOWN, "AArch32 tables (AA64=0) are not decoded");
	else if (word[0] >> 15 & 1)
		space_set_mode(space, SPACE_UNKNOWN, "big-endian tables (ENDI=1) are not decoded");
	else if (parameters.granule_lg2 == 0)
		space_set_mode(space, SPACE_UNKNOWN, "TG0=3 is reserved");
	else
		space_set_tree(space, &pt_format_lpae_s1, &parameters, root);
}

/* Stage 2 is in the STE itself (5.2). */
static void read_stage2(struct space *space, const uint64_t *ste)
{
	const unsigned int sl0 = (unsigned int)pt_field(ste[2], 39, 38);
	const uint8_t granule = granule_lg2(pt_field(ste[2], 47, 46));
	const struct pt_parameters parameters = {
		.granule_lg2 = granule,
		.input_bits = (uint8_t)(64 - pt_field(ste[2], 37, 32)),
		.output_bits = output_bits(pt_field(ste[2], 50, 48)),
		/* DDI 0487, VTCR_EL2.SL0: 4K counts from level 2 up, the others from level 3. */
		.start_level =
			(int8_t)(granule == 12 ? (sl0 == 3 ? 3 : 2 - (int)sl0) : 3 - (int)sl0),
		.has_start_level = true,
		.dirty_tracking = ste[2] >> 55 & 1,
	};

	add_words(space, " vmid=%u", (unsigned int)pt_field(ste[2], 15, 0));
	if (!(ste[2] >> 51 & 1))
		space_set_mode(space, SPACE_UNKNOWN, "AArch32 tables (S2AA64=0) are not decoded");
	else if (ste[2] >> 52 & 1)
		space_set_mode(space, SPACE_UNKNOWN,
			       "big-endian tables (S2ENDI=1) are not decoded");
	else if (granule == 0)
		space_set_mode(space, SPACE_UNKNOWN, "S2TG=3 is reserved");
	else
		space_set_tree(space, &pt_format_lpae_s2, &parameters, ste[3] & pt_bits(51, 4));
}

/* A space of @stream with the way that led here. */
static struct error *add_space(const struct scan *scan, const struct stream *stream,
			       const struct space *context, const char *kind, struct space **ret)
{
	struct error *err =
		inventory_add_hw_space(scan->inventory, scan->unit, stream->device, kind, ret);

	if (err)
		return err;
	memcpy((*ret)->name, stream->name, sizeof(stream->name));
	memcpy((*ret)->words, context->words, sizeof(context->words));
	memcpy((*ret)->steps, context->steps, sizeof(context->steps));
	(*ret)->step_count = context->step_count;
	return NULL;
}

/* The same without substreams or tables behind it: @context has the mode already. */
static struct error *add_settled(const struct scan *scan, const struct stream *stream,
				 const struct space *context)
{
	struct space *space = NULL;
	struct error *err = add_space(scan, stream, context, "device", &space);

	if (err)
		return err;
	space->mode = context->mode;
	space->tree = context->tree;
	memcpy(space->reason, context->reason, sizeof(space->reason));
	return NULL;
}

/* A table of CDs, or a piece of a linear one: SubstreamIDs @first to @first + @count - 1. */
struct cd_table {
	uint64_t phys;
	uint32_t first;
	uint32_t count; /* at most CDS_PER_READ */
	bool has_own;	/* CD 0 is for transactions without SubstreamID */
};

static struct error *read_one_cd(const struct scan *scan, const struct stream *stream,
				 const struct space *context, const struct cd_table *table,
				 uint32_t index, const uint64_t *cd)
{
	const bool own = table->has_own && table->first + index == 0;
	struct space *space = NULL;

	if (!own && !(cd[0] >> 31 & 1))
		return NULL;
	struct error *err = add_space(scan, stream, context, own ? "device" : "pasid", &space);
	if (err)
		return err;
	if (!own) {
		space->has_pasid = true;
		space->pasid = table->first + index;
		snprintf(space->name, sizeof(space->name), "%.40s pasid=%u", stream->name,
			 space->pasid);
	}
	read_cd(space, space_add_step(space, "cd", table->phys, index, cd, ENTRY_WORDS));
	return NULL;
}

static struct error *read_cd_table(const struct scan *scan, const struct stream *stream,
				   const struct space *context, const struct cd_table *table)
{
	const uint32_t bytes = table->count * ENTRY_BYTES;
	uint64_t *cds = malloc(bytes);

	if (!cds)
		return error_no_memory();
	struct error *err = NULL;
	enum block_status status = memory_read(scan->memory, table->phys, cds, bytes);
	for (uint32_t i = 0; i < table->count && status == BLOCK_OK && !err; i++)
		err = read_one_cd(scan, stream, context, table, i, cds + (size_t)i * ENTRY_WORDS);
	free(cds);
	if (err || status == BLOCK_OK)
		return err;
	if (!table->has_own || table->first)
		return inventory_warn(scan->inventory,
				      error_new("context descriptors at 0x%" PRIx64 " are %s",
						table->phys, block_status_text(status)),
				      stream->name);
	struct space *space = NULL;
	err = add_space(scan, stream, context, "device", &space);
	if (!err)
		space_set_mode(space, SPACE_UNKNOWN, "context descriptor at 0x%" PRIx64 " is %s",
			       table->phys, block_status_text(status));
	return err;
}

/* S1Fmt=0: one array of 2^S1CDMax. */
static struct error *read_linear_cds(const struct scan *scan, const struct stream *stream,
				     const struct space *context, uint64_t phys, uint32_t count,
				     bool has_own)
{
	struct error *err = NULL;

	for (uint32_t first = 0; first < count && !err; first += CDS_PER_READ) {
		const struct cd_table table = {
			.phys = phys + (uint64_t)first * ENTRY_BYTES,
			.first = first,
			.count = count - first < CDS_PER_READ ? count - first : CDS_PER_READ,
			.has_own = has_own,
		};

		err = read_cd_table(scan, stream, context, &table);
	}
	return err;
}

/* One first-level descriptor and the CDs behind it (5.3). */
static struct error *read_l1_cd(const struct scan *scan, const struct stream *stream,
				const struct space *context, uint64_t l1, uint32_t index,
				uint64_t entry, uint32_t per_table, bool has_own)
{
	struct space way = *context;
	const struct cd_table table = {
		.phys = entry & pt_bits(55, 12),
		.first = index * per_table,
		.count = per_table,
		.has_own = has_own,
	};
	struct space_step *step = space_add_step(&way, "cd-l1", l1, index, &entry, 1);

	if (entry & 1) {
		snprintf(step->meaning, sizeof(step->meaning), "V=1 -> 0x%" PRIx64, table.phys);
		return read_cd_table(scan, stream, &way, &table);
	}
	if (!has_own || index)
		return NULL;
	snprintf(step->meaning, sizeof(step->meaning), "V=0: not valid");
	space_set_mode(&way, SPACE_BLOCKED, "first-level context descriptor is not valid");
	return add_settled(scan, stream, &way);
}

/* S1Fmt 1 or 2: a first level of pointers to tables of 4 KiB or 64 KiB. */
static struct error *read_two_level_cds(const struct scan *scan, const struct stream *stream,
					const struct space *context, uint64_t l1, uint32_t count,
					uint32_t per_table, bool has_own)
{
	const uint32_t entries = count > per_table ? count / per_table : 1;
	uint64_t *descriptors = malloc(entries * sizeof(*descriptors));

	if (!descriptors)
		return error_no_memory();
	struct error *err = NULL;
	enum block_status status = memory_read(scan->memory, l1, descriptors,
					       (uint32_t)(entries * sizeof(*descriptors)));
	for (uint32_t i = 0; i < entries && status == BLOCK_OK && !err; i++)
		err = read_l1_cd(scan, stream, context, l1, i, descriptors[i], per_table, has_own);
	free(descriptors);
	if (status == BLOCK_OK)
		return err;
	struct space way = *context;
	space_set_mode(&way, SPACE_UNKNOWN,
		       "first-level context descriptors at 0x%" PRIx64 " are %s", l1,
		       block_status_text(status));
	return add_settled(scan, stream, &way);
}

/* Stage 1: from the STE to its context descriptors (5.2: S1Fmt, S1ContextPtr, S1CDMax, S1DSS). */
static struct error *read_stage1(const struct scan *scan, const struct stream *stream,
				 struct space *context, const uint64_t *ste)
{
	const uint32_t count =
		1U << (pt_field(ste[0], 63, 59) < 20 ? pt_field(ste[0], 63, 59) : 20);
	const unsigned int format = (unsigned int)pt_field(ste[0], 5, 4);
	const unsigned int default_substream = (unsigned int)(ste[1] & 3);
	const uint64_t table = ste[0] & pt_bits(55, 6);
	const bool has_own = count == 1 || default_substream == 2;
	struct error *err = NULL;

	if (!has_own) {
		if (default_substream == 1)
			set_passthrough(context, "without a SubstreamID: bypass (S1DSS=1)");
		else
			space_set_mode(context, SPACE_BLOCKED,
				       "without a SubstreamID: terminated (S1DSS=%u)",
				       default_substream);
		err = add_settled(scan, stream, context);
	}
	if (err)
		return err;
	if (count == 1 || format == 0)
		return read_linear_cds(scan, stream, context, table, count, has_own);
	return read_two_level_cds(scan, stream, context, table, count,
				  format == 1 ? 64 : CDS_PER_READ, has_own);
}

static void describe_ste(struct space_step *step)
{
	static const char *const configs[] = { "abort",	 "reserved", "reserved", "reserved",
					       "bypass", "stage 1",  "stage 2",	 "nested" };
	const uint64_t *ste = step->words;
	const unsigned int config = (unsigned int)pt_field(ste[0], 3, 1);
	const size_t size = sizeof(step->meaning);
	int used = 0;

	if (!(ste[0] & 1)) {
		snprintf(step->meaning, size, "V=0: not valid");
		return;
	}
	used = snprintf(step->meaning, size, "V=1 Config=%u (%s) EATS=%u STRW=%u", config,
			configs[config], (unsigned int)pt_field(ste[1], 29, 28),
			(unsigned int)pt_field(ste[1], 31, 30));
	if (config == CONFIG_S1 || config == CONFIG_NESTED)
		used += snprintf(step->meaning + used, size - (size_t)used,
				 " S1Fmt=%u S1CDMax=%u S1DSS=%u -> 0x%" PRIx64,
				 (unsigned int)pt_field(ste[0], 5, 4),
				 (unsigned int)pt_field(ste[0], 63, 59), (unsigned int)(ste[1] & 3),
				 ste[0] & pt_bits(55, 6));
	if (config == CONFIG_S2 || config == CONFIG_NESTED)
		snprintf(step->meaning + used, size - (size_t)used,
			 " VMID=%u T0SZ=%u SL0=%u TG=%u PS=%u -> 0x%" PRIx64,
			 (unsigned int)pt_field(ste[2], 15, 0),
			 (unsigned int)pt_field(ste[2], 37, 32),
			 (unsigned int)pt_field(ste[2], 39, 38),
			 (unsigned int)pt_field(ste[2], 47, 46),
			 (unsigned int)pt_field(ste[2], 50, 48), ste[3] & pt_bits(51, 4));
}

/*
 * Nested: what the device sends goes through the guest's stage 1, whose tables lie at guest
 * physical addresses, then through stage 2. Only the latter is one table of physical addresses.
 */
static struct error *read_nested(const struct scan *scan, const struct stream *stream,
				 struct space *context, const uint64_t *ste)
{
	struct space *space = NULL;
	struct error *err = NULL;
	struct space stage1 = *context;

	read_stage2(context, ste);
	err = add_settled(scan, stream, context);
	space_set_mode(&stage1, SPACE_UNKNOWN,
		       "stage 1 of nested translation is the guest's: its CD table is at guest "
		       "physical 0x%" PRIx64,
		       ste[0] & pt_bits(55, 6));
	if (!err)
		err = add_space(scan, stream, &stage1, "pasid", &space);
	if (err)
		return err;
	snprintf(space->name, sizeof(space->name), "%.40s stage=1", stream->name);
	space->mode = stage1.mode;
	memcpy(space->reason, stage1.reason, sizeof(space->reason));
	return NULL;
}

/* Find the STE of @id; false, with the reason in @context's mode, when there is none. */
static bool find_ste(const struct scan *scan, uint32_t id, struct space *context)
{
	const uint32_t index = scan->two_level ? id & ((1U << scan->split) - 1) : id;
	uint64_t table = scan->unit->root;
	uint64_t ste[ENTRY_WORDS];
	uint64_t l1 = 0;

	if ((scan->two_level ? id >> scan->split : id) >= scan->entries) {
		space_set_mode(context, SPACE_BLOCKED, "StreamID is beyond the stream table");
		return false;
	}
	if (scan->two_level) {
		const uint64_t at = table + (uint64_t)(id >> scan->split) * sizeof(l1);
		enum block_status status = memory_read(scan->memory, at, &l1, sizeof(l1));

		if (status != BLOCK_OK) {
			space_set_mode(context, SPACE_UNKNOWN,
				       "stream table at 0x%" PRIx64 " is %s", at,
				       block_status_text(status));
			return false;
		}
		struct space_step *step =
			space_add_step(context, "ste-l1", table, id >> scan->split, &l1, 1);
		snprintf(step->meaning, sizeof(step->meaning), "Span=%u -> 0x%" PRIx64,
			 (unsigned int)(l1 & 0x1f), l1 & pt_bits(55, 6));
		/* 5.1: 2^(Span - 1) entries; 0 says that there are none. */
		if ((l1 & 0x1f) == 0 || index >> ((l1 & 0x1f) - 1)) {
			space_set_mode(context, SPACE_BLOCKED,
				       "no second-level stream table entry");
			return false;
		}
		table = l1 & pt_bits(55, 6);
	}
	enum block_status status =
		memory_read(scan->memory, table + (uint64_t)index * ENTRY_BYTES, ste, sizeof(ste));
	if (status != BLOCK_OK) {
		space_set_mode(context, SPACE_UNKNOWN, "stream table entry at 0x%" PRIx64 " is %s",
			       table + (uint64_t)index * ENTRY_BYTES, block_status_text(status));
		return false;
	}
	describe_ste(space_add_step(context, "ste", table, index, ste, ENTRY_WORDS));
	return true;
}

/* What hardware does with one StreamID. */
static struct error *read_stream(const struct scan *scan, const struct stream *stream)
{
	struct space context = { .kind = "device" };

	add_words(&context, "sid=0x%" PRIx32, stream->id);
	if (!find_ste(scan, stream->id, &context))
		return add_settled(scan, stream, &context);
	const uint64_t *ste = context.steps[context.step_count - 1].words;
	if (!(ste[0] & 1)) {
		space_set_mode(&context, SPACE_BLOCKED, "stream table entry is not valid");
		return add_settled(scan, stream, &context);
	}
	switch (pt_field(ste[0], 3, 1)) {
	case CONFIG_BYPASS:
		set_passthrough(&context, "stream table entry says bypass");
		break;
	case CONFIG_S1:
		return read_stage1(scan, stream, &context, ste);
	case CONFIG_S2:
		read_stage2(&context, ste);
		break;
	case CONFIG_NESTED:
		return read_nested(scan, stream, &context, ste);
	default:
		space_set_mode(&context, SPACE_BLOCKED, "stream table entry says abort");
	}
	return add_settled(scan, stream, &context);
}

/* Remember that @id belongs to a device. */
static struct error *note_stream(struct scan *scan, uint32_t id)
{
	if ((scan->stream_count & (scan->stream_count - 1)) == 0) {
		const size_t room = scan->stream_count ? scan->stream_count * 2 : 1;
		uint32_t *larger = reallocarray(scan->streams, room, sizeof(*larger));

		if (!larger)
			return error_no_memory();
		scan->streams = larger;
	}
	scan->streams[scan->stream_count++] = id;
	return NULL;
}

/* The StreamIDs of a device are in its firmware specification: they are not its requester ID. */
static struct error *read_device(struct scan *scan, const struct device *device)
{
	uint64_t ids = 0;
	uint64_t count = 0;
	struct error *err = smmu_stream_ids(scan->kernel, device, STREAMS_PER_DEVICE, &ids, &count);

	for (uint64_t i = 0; i < count && !err; i++) {
		struct stream stream = { .device = device };

		err = kernel_read(scan->kernel, ids + i * sizeof(stream.id), &stream.id,
				  sizeof(stream.id));
		memcpy(stream.name, device->name, sizeof(stream.name));
		if (i)
			snprintf(stream.name, sizeof(stream.name), "%.40s sid=0x%" PRIx32,
				 device->name, stream.id);
		if (!err)
			err = note_stream(scan, stream.id);
		if (!err)
			err = read_stream(scan, &stream);
	}
	return inventory_warn(scan->inventory, err, device->name);
}

static bool is_known_stream(const struct scan *scan, uint32_t id)
{
	for (size_t i = 0; i < scan->stream_count; i++) {
		if (scan->streams[i] == id)
			return true;
	}
	return false;
}

/* An entry that translates although no device of the kernel has its StreamID. */
static struct error *add_unknown_stream(const struct scan *scan, uint32_t id)
{
	struct stream stream = { .id = id };
	struct device *device = NULL;
	struct error *err = inventory_add_device(scan->inventory, &device);

	if (err)
		return err;
	snprintf(device->name, sizeof(device->name), "sid:0x%" PRIx32, id);
	device->unit = scan->unit;
	memcpy(stream.name, device->name, sizeof(stream.name));
	stream.device = device;
	return read_stream(scan, &stream);
}

/* @count STEs at @phys, of the StreamIDs from @first on. */
static struct error *read_unknown_streams(const struct scan *scan, uint64_t phys, uint32_t first,
					  uint32_t count)
{
	enum { AT_ONCE = 256 };
	uint64_t stes[AT_ONCE * ENTRY_WORDS];
	struct error *err = NULL;

	for (uint32_t done = 0; done < count && !err; done += AT_ONCE) {
		const uint32_t some = count - done < AT_ONCE ? count - done : AT_ONCE;

		/* Why a device's entry cannot be read has been told where it was looked for. */
		if (memory_read(scan->memory, phys + (uint64_t)done * ENTRY_BYTES, stes,
				some * ENTRY_BYTES) != BLOCK_OK)
			continue;
		for (uint32_t i = 0; i < some && !err; i++) {
			const uint64_t word = stes[(size_t)i * ENTRY_WORDS];

			if ((word & 1) && pt_field(word, 3, 1) > CONFIG_BYPASS &&
			    !is_known_stream(scan, first + done + i))
				err = add_unknown_stream(scan, first + done + i);
		}
	}
	return err;
}

static struct error *read_strangers(const struct scan *scan)
{
	struct error *err = NULL;

	if (!scan->two_level)
		return read_unknown_streams(scan, scan->unit->root, 0, (uint32_t)scan->entries);
	for (uint64_t i = 0; i < scan->entries && !err; i++) {
		uint64_t l1 = 0;

		if (memory_read(scan->memory, scan->unit->root + i * sizeof(l1), &l1, sizeof(l1)) !=
			    BLOCK_OK ||
		    (l1 & 0x1f) == 0)
			continue;
		const unsigned int span = (unsigned int)(l1 & 0x1f) - 1;
		err = read_unknown_streams(scan, l1 & pt_bits(55, 6), (uint32_t)(i << scan->split),
					   1U << (span < scan->split ? span : scan->split));
	}
	return err;
}

/* Up to 6.11 the driver kept what it wrote to the registers (6.3: STRTAB_BASE, STRTAB_BASE_CFG). */
static struct error *find_by_registers(struct scan *scan, uint64_t smmu, uint64_t *root)
{
	uint64_t config = 0;
	struct error *err = get(scan, smmu, STRTAB_BASE, root);

	if (!err)
		err = get(scan, smmu, STRTAB_BASE_CFG, &config);
	*root &= pt_bits(51, 6);
	scan->two_level = pt_field(config, 17, 16) == 1;
	scan->split = (unsigned int)pt_field(config, 10, 6);
	const unsigned int size = (unsigned int)pt_field(config, 5, 0);
	const unsigned int first = scan->two_level && size > scan->split ? size - scan->split
				   : scan->two_level			 ? 0
									 : size;
	scan->entries = 1ULL << (first < 32 ? first : 32);
	return err;
}

/* Since 6.12 there are only the addresses of the tables, and the feature that says of which. */
static struct error *find_by_tables(struct scan *scan, uint64_t smmu, uint64_t *root)
{
	enum { FEATURE_TWO_LEVEL = 1 << 0, SPLIT = 8 };
	uint64_t features = 0;
	struct error *err = get(scan, smmu, SMMU_FEATURES, &features);

	scan->two_level = features & FEATURE_TWO_LEVEL;
	scan->split = SPLIT;
	if (!err)
		err = get(scan, smmu, scan->two_level ? STRTAB_L1 : STRTAB_LINEAR, root);
	if (!err)
		err = get(scan, smmu, scan->two_level ? STRTAB_L1_ENTRIES : STRTAB_ENTRIES,
			  &scan->entries);
	return err;
}

static struct error *read_devices(struct scan *scan)
{
	const size_t known = scan->inventory->device_count;
	struct error *err = NULL;

	for (size_t i = 0; i < known && !err; i++) {
		struct device *device = scan->inventory->devices[i];

		if (device->iommu_device != scan->unit->address)
			continue;
		device->unit = scan->unit;
		err = read_device(scan, device);
	}
	return err ? err : read_strangers(scan);
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
	snprintf(unit->driver, sizeof(unit->driver), "arm-smmu-v3");
	unit->address = iommu_device;
	unit->translating = true;
	err = scan->members[STRTAB_BASE].present ? find_by_registers(scan, smmu, &unit->root)
						 : find_by_tables(scan, smmu, &unit->root);
	if (err)
		return err;
	snprintf(unit->mode, sizeof(unit->mode), "%s", scan->two_level ? "2-level" : "linear");
	const uint64_t most = scan->two_level ? L1_STES_MAX : STES_MAX;
	if (scan->entries > most)
		scan->entries = most;
	err = read_devices(scan);
	free(scan->streams);
	scan->streams = NULL;
	scan->stream_count = 0;
	return err;
}

static struct error *read_domain(const void *arg, struct space *space)
{
	const struct scan *scan = arg;
	enum { STAGE_1 = 0, STAGE_2 = 1 };
	const enum field asid = scan->members[DOMAIN_ASID].present ? DOMAIN_ASID : DOMAIN_ASID_OLD;
	uint64_t ops = 0;
	uint64_t stage = 0;
	uint64_t id = 0;

	space->object = space->domain - scan->members[DOMAIN_COMMON].offset;
	struct error *err = get(scan, space->object, DOMAIN_TABLE_OPS, &ops);
	if (!err)
		err = get(scan, space->object, DOMAIN_STAGE, &stage);
	if (err)
		return err;
	if (ops == 0) {
		/* Made at the first attach only, up to 6.12. */
		space_set_mode(space, SPACE_BLOCKED, "domain has no table");
		return NULL;
	}
	err = get(scan, space->object, stage == STAGE_1 ? asid : DOMAIN_VMID, &id);
	if (!err && stage <= STAGE_2)
		add_words(space, "%s=%" PRIu64, stage == STAGE_1 ? "asid" : "vmid", id);
	return err ? err : io_pgtable_fill(scan->kernel, ops, space);
}

static const struct domain_family domains = {
	.driver = "arm-smmu-v3",
	.process_format = &pt_format_lpae_s1,
	.set_passthrough = set_passthrough,
	.read = read_domain,
};

static struct error *discover(struct kernel *kernel, struct inventory *inventory)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	if (!scan)
		return error_no_memory();
	scan->kernel = kernel;
	scan->memory = kernel_memory(kernel);
	scan->inventory = inventory;
	struct error *err = kernel_resolve(kernel, fields, scan->members, FIELDS);
	/* A kernel without the driver has no such struct. */
	if (!err && scan->members[SMMU_UNIT].present)
		err = smmu_for_each(kernel, inventory, "smmu3.", read_unit, scan);
	if (!err)
		err = domains_discover(kernel, inventory, &domains, scan);
	free(scan);
	return err;
}

const struct walker walker_smmu_v3 = {
	.name = "smmu-v3",
	.discover = discover,
};
