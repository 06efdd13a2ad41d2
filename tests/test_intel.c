// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * VT-d's scalable mode as no kernel that is packaged sets it up: nested translation, five-level
 * first stage, reserved modes. The tables are written by hand into a memory of its own, the
 * kernel around them is a handful of symbols and members. VT-d specification 4.1: 9.2, 9.4 to 9.7.
 */
#include <stdlib.h>
#include <string.h>

#include "target/kernel.h"
#include "tests/fake_memory.h"
#include "tests/tests.h"
#include "walkers/inventory.h"

static const uint64_t DIRECT_MAP = 0xffff888000000000ULL;

/* Where everything is, physical. */
enum {
	DRHD = 0x1000,
	DRHD_UNITS = 0x2000,
	UNIT = 0x3000,
	SM = 0x4000,
	ROOT = 0x10000,
	CONTEXTS = 0x11000,
	PASID_DIRECTORY = 0x12000,
	PASID_TABLE = 0x13000,
	SECOND_STAGE = 0x20000, /* four tables */
	GUEST = 0x30000,	/* guest page n (from 5 on) lies at GUEST + (n - 5) * 0x1000 */
};

/* ---- A kernel of a few names ---- */

static const struct {
	const char *type, *member;
	uint32_t offset, size;
} known_members[] = {
	{ "dmar_drhd_unit", "list", 0, 16 },  { "dmar_drhd_unit", "ignored", 16, 1 },
	{ "dmar_drhd_unit", "iommu", 24, 8 }, { "dmar_drhd_unit", "segment", 32, 2 },
	{ "intel_iommu", "name", 0, 13 },     { "intel_iommu", "ecap", 16, 8 },
	{ "intel_iommu", "gcmd", 24, 4 },     { "intel_iommu", "root_entry", 32, 8 },
	{ "intel_iommu", "iommu", 40, 8 },    { "iommu_domain", "type", 0, 4 },
	{ "intel_iommu", "qi", 48, 8 },
};

static size_t find_symbol(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max)
{
	(void)symbols;
	(void)max;
	if (strcmp(name, "dmar_drhd_units") == 0)
		addrs[0] = DIRECT_MAP + DRHD_UNITS;
	else if (strcmp(name, "intel_iommu_sm") == 0)
		addrs[0] = DIRECT_MAP + SM;
	else
		return 0;
	return 1;
}

static void symbols_destroy(struct symbols *symbols)
{
	(void)symbols;
}

static struct error *find_type(struct types *types, const struct type_query *query,
			       struct member *ret)
{
	(void)types;
	*ret = (struct member){ 0 };
	for (size_t i = 0; query->member && i < sizeof(known_members) / sizeof(known_members[0]);
	     i++) {
		if (strcmp(known_members[i].type, query->type) != 0 ||
		    strcmp(known_members[i].member, query->member) != 0)
			continue;
		ret->present = true;
		ret->offset = known_members[i].offset;
		ret->size = known_members[i].size;
	}
	return NULL;
}

static void types_destroy(struct types *types)
{
	(void)types;
}

static bool to_phys(struct virtual_memory *self, struct memory *memory, uint64_t address,
		    uint64_t *ret)
{
	(void)self;
	(void)memory;
	*ret = address - DIRECT_MAP;
	return address >= DIRECT_MAP;
}

static enum block_status read_page(struct virtual_memory *self, struct memory *memory,
				   uint64_t address, void *data)
{
	(void)self;
	return memory_read(memory, address - DIRECT_MAP, data, KERNEL_PAGE);
}

static void virtual_memory_destroy(struct virtual_memory *self)
{
	(void)self;
}

static struct kernel *make_kernel(struct memory *memory)
{
	static const struct symbols_ops symbols_ops = { "test", find_symbol, symbols_destroy };
	static const struct types_ops types_ops = { "test", find_type, NULL, types_destroy };
	static struct symbols symbols = { .ops = &symbols_ops };
	static struct types types = { .ops = &types_ops };
	static struct virtual_memory virtual_memory = { read_page, to_phys,
							virtual_memory_destroy };
	struct kernel *kernel = NULL;

	EXPECT_NO_ERROR(kernel_create(memory, &virtual_memory, &symbols, &types, &kernel));
	return kernel;
}

/* ---- What is in its memory ---- */

static void write_unit(struct memory *memory)
{
	uint64_t name = 0;

	fake_ram(memory, 0, 0x100000);
	fake_write(memory, DRHD_UNITS, DIRECT_MAP + DRHD);
	fake_write(memory, DRHD, DIRECT_MAP + DRHD_UNITS);
	fake_write(memory, DRHD + 24, DIRECT_MAP + UNIT);
	memcpy(&name, "dmar0", 5);
	fake_write(memory, UNIT, name);
	fake_write(memory, UNIT + 16, 1ULL << 43); /* ECAP.SMTS */
	fake_write(memory, UNIT + 24, 1ULL << 31); /* GCMD.TE */
	fake_write(memory, UNIT + 32, DIRECT_MAP + ROOT);
	fake_write(memory, SM, 1);
	fake_write(memory, ROOT, CONTEXTS | 1);
	/* 00:04.0: P=1, PDTS=0 (128 entries), RID_PASID=0. */
	fake_write(memory, CONTEXTS + 0x20 * 32, PASID_DIRECTORY | 1);
	fake_write(memory, PASID_DIRECTORY, PASID_TABLE | 1);
}

static void write_pasid(struct memory *memory, unsigned int pasid, uint64_t word0, uint64_t word1,
			uint64_t word2)
{
	fake_write(memory, PASID_TABLE + pasid * 64, word0);
	fake_write(memory, PASID_TABLE + pasid * 64 + 8, word1);
	fake_write(memory, PASID_TABLE + pasid * 64 + 16, word2);
}

/* Guest pages 5 to 10 behind a four-level second stage. */
static void write_second_stage(struct memory *memory)
{
	for (uint64_t level = 3; level > 0; level--) {
		const uint64_t table = SECOND_STAGE + (3 - level) * 0x1000;

		fake_write(memory, table, (table + 0x1000) | 3); /* R W */
	}
	for (uint64_t page = 5; page <= 10; page++)
		fake_write(memory, SECOND_STAGE + 0x3000 + page * 8,
			   (GUEST + (page - 5) * 0x1000) | 3);
}

/* Five levels in guest pages 5 to 9: IOVA 0x1000 is guest page 10. */
static void write_first_stage(struct memory *memory)
{
	for (uint64_t page = 5; page < 9; page++)
		fake_write(memory, GUEST + (page - 5) * 0x1000, ((page + 1) << 12) | 7);
	fake_write(memory, GUEST + 4 * 0x1000 + 8, (10 << 12) | 7 | 1 << 10); /* P RW US EA */
}

static const struct space *find_space(const struct inventory *inventory, const char *name)
{
	for (size_t i = 0; i < inventory->space_count; i++) {
		if (strcmp(inventory->spaces[i]->name, name) == 0)
			return inventory->spaces[i];
	}
	EXPECT(false, "there is no space %s", name);
	return NULL;
}

static struct inventory *discover(struct kernel *kernel)
{
	struct inventory *inventory = NULL;

	if (!EXPECT_NO_ERROR(inventory_create(kernel, &inventory)))
		return NULL;
	EXPECT(inventory->warning_count == 0, "warning: %s",
	       inventory->warning_count ? inventory->warnings[0] : "");
	return inventory;
}

static void nested_is_two_spaces(void)
{
	struct memory *memory = fake_create();
	struct kernel *kernel = make_kernel(memory);
	uint64_t guest = 0;
	uint64_t phys = 0;

	write_unit(memory);
	write_second_stage(memory);
	write_first_stage(memory);
	/* P, AW=2 (4 levels), PGTT=3; DID=7, PWSNP; SRE, FSPM=1 (5 levels), EAFE. */
	write_pasid(memory, 0, SECOND_STAGE | 3 << 6 | 2 << 2 | 1, 7 | 1 << 23,
		    0x5000 | 1 << 7 | 1 << 2 | 1);
	struct inventory *inventory = discover(kernel);
	const struct space *first = inventory ? find_space(inventory, "0000:00:04.0") : NULL;
	const struct space *second = inventory ? find_space(inventory, "0000:00:04.0 stage=2")
					       : NULL;
	if (first && second) {
		EXPECT_NUMBER(first->mode, SPACE_TABLE);
		EXPECT_NUMBER(first->nesting, 1);
		EXPECT_NUMBER(first->tree.geometry.levels, 5);
		EXPECT_NUMBER(first->tree.geometry.extended_accessed, 1);
		EXPECT(first->tree.geometry.format == &pt_format_vtd_fs, "format of the first");
		EXPECT_NUMBER(second->mode, SPACE_TABLE);
		EXPECT_NUMBER(second->nesting, 2);
		EXPECT_NUMBER(second->tree.geometry.levels, 4);
		EXPECT(second->tree.geometry.format == &pt_format_vtd_ss, "format of the second");
		EXPECT(pt_lookup(&first->tree, space_memory(first, memory), 0x1abc, &guest),
		       "0x1abc is not mapped by the first stage");
		EXPECT_NUMBER(guest, 0xaabc);
		EXPECT(pt_lookup(&second->tree, space_memory(second, memory), guest, &phys),
		       "0xaabc is not mapped by the second stage");
		EXPECT_NUMBER(phys, GUEST + 0x5abc);
		const char *meaning = first->steps[first->step_count - 1].meaning;
		EXPECT(strstr(meaning, "PGTT=3 (nested)") && strstr(meaning, "PWSNP=1") &&
			       strstr(meaning, "PGSNP=0") && strstr(meaning, "SRE=1") &&
			       strstr(meaning, "FSPM=1") && strstr(meaning, "WPE=0") &&
			       strstr(meaning, "EAFE=1") && strstr(meaning, "DID=7"),
		       "PASID entry: %s", meaning);
	}
	inventory_destroy(inventory);
	kernel_close(kernel);
}

/* A guest page that the second stage does not have is outside, not empty. */
static void nested_without_second(void)
{
	struct memory *memory = fake_create();
	struct kernel *kernel = make_kernel(memory);
	struct pt_step steps[PT_MAX_LEVELS];

	write_unit(memory);
	write_second_stage(memory);
	write_first_stage(memory);
	fake_write(memory, SECOND_STAGE + 0x3000 + 7 * 8, 0); /* guest page 7: a table */
	write_pasid(memory, 0, SECOND_STAGE | 3 << 6 | 2 << 2 | 1, 7, 0x5000 | 1 << 2);
	struct inventory *inventory = discover(kernel);
	const struct space *first = inventory ? find_space(inventory, "0000:00:04.0") : NULL;
	if (first) {
		size_t n = pt_translate(&first->tree, space_memory(first, memory), 0x1000, steps);

		EXPECT_NUMBER(n, 3);
		EXPECT_NUMBER(steps[n - 1].status, BLOCK_OUTSIDE);
	}
	inventory_destroy(inventory);
	/* AW=0 is reserved: then neither stage can be followed. */
	write_pasid(memory, 0, SECOND_STAGE | 3 << 6 | 1, 7, 0x5000 | 1 << 2);
	inventory = discover(kernel);
	first = inventory ? find_space(inventory, "0000:00:04.0") : NULL;
	if (first) {
		EXPECT_NUMBER(first->mode, SPACE_BLOCKED);
		EXPECT(strstr(first->reason, "reserved") != NULL, "reason: %s", first->reason);
	}
	inventory_destroy(inventory);
	kernel_close(kernel);
}

static void every_translation_type(void)
{
	static const struct {
		const char *name;
		enum space_mode mode;
		unsigned int levels;
		const char *reason;
	} expected[] = {
		{ "0000:00:04.0", SPACE_TABLE, 4, "" },
		{ "0000:00:04.0 pasid=1", SPACE_PASSTHROUGH, 4, "PASID entry says pass-through" },
		{ "0000:00:04.0 pasid=2", SPACE_TABLE, 5, "" },
		{ "0000:00:04.0 pasid=3", SPACE_BLOCKED, 0, "type 5 is reserved" },
		{ "0000:00:04.0 pasid=4", SPACE_BLOCKED, 0, "paging mode 2 is reserved" },
		{ "0000:00:04.0 pasid=5", SPACE_TABLE, 5, "" },
	};
	struct memory *memory = fake_create();
	struct kernel *kernel = make_kernel(memory);

	write_unit(memory);
	write_pasid(memory, 0, SECOND_STAGE | 2 << 6 | 2 << 2 | 1, 2, 0); /* second stage */
	write_pasid(memory, 1, 4 << 6 | 2 << 2 | 1, 1, 0);		  /* pass-through */
	write_pasid(memory, 2, 1 << 6 | 1, 1, GUEST | 1 << 2);		  /* first, 5 levels */
	write_pasid(memory, 3, 5 << 6 | 1, 1, 0);			  /* reserved */
	write_pasid(memory, 4, 1 << 6 | 1, 1, GUEST | 2 << 2);		  /* reserved */
	write_pasid(memory, 5, SECOND_STAGE | 2 << 6 | 3 << 2 | 1, 2, 0); /* second, 5 levels */
	struct inventory *inventory = discover(kernel);
	for (size_t i = 0; inventory && i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct space *space = find_space(inventory, expected[i].name);

		if (!space)
			continue;
		EXPECT_NUMBER(space->mode, expected[i].mode);
		EXPECT_NUMBER(space->tree.geometry.levels, expected[i].levels);
		EXPECT_NUMBER(space->nesting, 0);
		EXPECT(strstr(space->reason, expected[i].reason) != NULL, "%s: %s", space->name,
		       space->reason);
	}
	inventory_destroy(inventory);
	kernel_close(kernel);
}

/* The invalidation queue is as the unit can be, not as it is used (dmar.c: dmar_enable_qi()). */
static void queue_of_the_unit(void)
{
	static const struct {
		uint64_t ecap, sm, pages;
	} cases[] = { { 1ULL << 43, 1, 2 }, { 1ULL << 43, 0, 2 }, { 0, 1, 1 }, { 0, 0, 1 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct memory *memory = fake_create();
		struct kernel *kernel = make_kernel(memory);
		uint64_t pages = 0;

		write_unit(memory);
		fake_write(memory, UNIT + 16, cases[i].ecap);
		fake_write(memory, SM, cases[i].sm);
		fake_write(memory, UNIT + 48, DIRECT_MAP);
		struct inventory *inventory = discover(kernel);
		const struct unit *unit = inventory ? inventory->units[0] : NULL;
		for (size_t j = 0; unit && j < unit->part_count; j++) {
			if (strcmp(unit->parts[j].name, "queue") == 0)
				pages = unit->parts[j].bytes / KERNEL_PAGE;
		}
		EXPECT_NUMBER(pages, cases[i].pages);
		inventory_destroy(inventory);
		kernel_close(kernel);
	}
}

void suite_intel(void)
{
	CU_pSuite suite = CU_add_suite("intel", NULL, NULL);

	CU_add_test(suite, "nested translation is two spaces", nested_is_two_spaces);
	CU_add_test(suite, "nested translation with parts missing", nested_without_second);
	CU_add_test(suite, "every translation type of a PASID entry", every_translation_type);
	CU_add_test(suite, "the invalidation queue", queue_of_the_unit);
}
