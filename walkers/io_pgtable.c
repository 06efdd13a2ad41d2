// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Linux: include/linux/io-pgtable.h (struct io_pgtable, io_pgtable_cfg, enum io_pgtable_fmt),
 * drivers/iommu/io-pgtable-arm.c (struct arm_lpae_io_pgtable). The table's address is the
 * driver's pointer, its depth and width are `start_level` and `pgd_bits`: whether the root
 * tables are concatenated is decided by other rules in 6.12 and in 7.x.
 */
#include "walkers/io_pgtable.h"

#include <inttypes.h>

#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"

enum field {
	FMT,
	OPS,
	QUIRKS,
	PAGE_SIZES,
	OAS,
	LPAE_PGD,
	LPAE_PGD_BITS,
	LPAE_START_LEVEL,
	LPAE_BITS_PER_LEVEL,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[FMT] = { "io_pgtable", "fmt", NULL },
	[OPS] = { "io_pgtable", "ops", NULL },
	[QUIRKS] = { "io_pgtable", "cfg.quirks", NULL },
	[PAGE_SIZES] = { "io_pgtable", "cfg.pgsize_bitmap", NULL },
	[OAS] = { "io_pgtable", "cfg.oas", NULL },
	[LPAE_PGD] = { "arm_lpae_io_pgtable", "pgd", NULL },
	[LPAE_PGD_BITS] = { "arm_lpae_io_pgtable", "pgd_bits", NULL },
	[LPAE_START_LEVEL] = { "arm_lpae_io_pgtable", "start_level", NULL },
	[LPAE_BITS_PER_LEVEL] = { "arm_lpae_io_pgtable", "bits_per_level", NULL },
};

/* enum io_pgtable_fmt: these numbers have never changed. */
enum {
	ARM_32_LPAE_S1 = 0, /* the 32-bit long descriptors are the 4K granule's */
	ARM_32_LPAE_S2 = 1,
	ARM_64_LPAE_S1 = 2,
	ARM_64_LPAE_S2 = 3,
	ARM_V7S = 4,
};

/* io_pgtable_cfg.quirks */
enum { QUIRK_ARM_TTBR1 = 1 << 5, QUIRK_ARM_HD = 1 << 7 };

bool space_set_tree(struct space *space, const struct pt_format *format,
		    const struct pt_parameters *parameters, uint64_t root)
{
	struct error *err = pt_geometry_init(format, parameters, &space->tree.geometry);

	if (err) {
		space_set_mode(space, SPACE_UNKNOWN, "%.150s", err->message);
		error_free(err);
		return false;
	}
	space->mode = SPACE_TABLE;
	space->tree.root = root;
	return true;
}

/* The numbers of an arm_lpae_io_pgtable to a tree's parameters. */
static void set_tree(struct space *space, const uint64_t *values, uint64_t root)
{
	const bool stage2 = values[FMT] == ARM_32_LPAE_S2 || values[FMT] == ARM_64_LPAE_S2;
	const unsigned int granule_lg2 =
		values[PAGE_SIZES] ? (unsigned int)__builtin_ctzll(values[PAGE_SIZES]) : 0;
	const unsigned int widest = granule_lg2 == 16 ? 52 : 48;
	const int start_level = (int)values[LPAE_START_LEVEL];

	if ((granule_lg2 != 12 && granule_lg2 != 14 && granule_lg2 != 16) || start_level < 0 ||
	    start_level > 3 || values[LPAE_PGD_BITS] > granule_lg2 + 1U ||
	    values[LPAE_BITS_PER_LEVEL] != granule_lg2 - 3U) {
		space_set_mode(space, SPACE_UNKNOWN,
			       "its io_pgtable makes no sense: page sizes 0x%" PRIx64
			       ", start level %d, %" PRIu64 " bits in the root",
			       values[PAGE_SIZES], start_level, values[LPAE_PGD_BITS]);
		return;
	}
	const struct pt_parameters parameters = {
		.granule_lg2 = (uint8_t)granule_lg2,
		.input_bits = (uint8_t)(granule_lg2 + (granule_lg2 - 3) * (3U - start_level) +
					values[LPAE_PGD_BITS]),
		.output_bits = (uint8_t)(values[OAS] < widest ? values[OAS] : widest),
		.start_level = (int8_t)start_level,
		.has_start_level = true,
		.dirty_tracking = values[QUIRKS] & QUIRK_ARM_HD,
		.ttbr1 = values[QUIRKS] & QUIRK_ARM_TTBR1,
	};
	space_set_tree(space, stage2 ? &pt_format_lpae_s2 : &pt_format_lpae_s1, &parameters, root);
}

struct error *io_pgtable_fill(struct kernel *kernel, uint64_t ops, struct space *space)
{
	struct member members[FIELDS];
	uint64_t values[FIELDS] = { 0 };
	uint64_t root = 0;

	if (ops == 0) {
		space_set_mode(space, SPACE_BLOCKED, "domain has no table");
		return NULL;
	}
	struct error *err = kernel_resolve(kernel, fields, members, FIELDS);
	const uint64_t pgtable = err ? 0 : ops - members[OPS].offset;

	if (!err)
		err = kernel_get(kernel, pgtable, &members[FMT], &values[FMT]);
	if (!err && values[FMT] > ARM_64_LPAE_S2) {
		space_set_mode(space, SPACE_UNKNOWN,
			       "io_pgtable format %" PRIu64 "%s is not decoded", values[FMT],
			       values[FMT] == ARM_V7S ? " (Armv7 short descriptors)" : "");
		return NULL;
	}
	/* The struct io_pgtable is the first member of the arm_lpae_io_pgtable. */
	for (unsigned int i = QUIRKS; i < FIELDS && !err; i++)
		err = kernel_get(kernel, pgtable, &members[i], &values[i]);
	if (err)
		return err;
	if (!kernel_to_phys(kernel, values[LPAE_PGD], &root))
		space_set_mode(space, SPACE_UNKNOWN, "table at 0x%" PRIx64 " is not mapped",
			       values[LPAE_PGD]);
	else
		set_tree(space, values, root);
	return NULL;
}
