// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * AMD-Vi, what no guest makes: a kernel of a few structures in a fake memory whose device table
 * has every kind of entry, GCR3 tables of 1 to 3 levels, aliases that differ; and page tables
 * whose replicas disagree. Layouts are invented here; bits are the manual's (48882).
 */
#include "tests/tests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "target/kernel.h"
#include "tests/fake_memory.h"
#include "walkers/inventory.h"

/* ---- Replicas of one large page ---- */

struct met {
	struct pt_leaves leaves[16];
	size_t leaves_count;
	struct pt_fault faults[16];
	size_t fault_count;
};

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct met *met = arg;

	if (met->leaves_count < 16)
		met->leaves[met->leaves_count++] = *leaves;
	return NULL;
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct met *met = arg;

	if (met->fault_count < 16)
		met->faults[met->fault_count++] = *fault;
	return NULL;
}

static void amdv1_tree(struct pt_tree *tree, uint8_t levels)
{
	const struct pt_parameters parameters = { .levels = levels, .dirty_tracking = true };

	*tree = (struct pt_tree){ .root = 0x1000 };
	EXPECT_NO_ERROR(pt_geometry_init(&pt_format_amdv1, &parameters, &tree->geometry));
}

static void walk(const struct pt_tree *tree, struct memory *memory, uint64_t start, uint64_t last,
		 struct met *met)
{
	const struct pt_visitor visitor = { .leaves = on_leaves, .fault = on_fault, .arg = met };
	struct pt_statistics statistics;

	*met = (struct met){ 0 };
	EXPECT_NO_ERROR(pt_walk(tree, memory, start, last, &visitor, NULL, &statistics));
}

static void expect_leaves(const struct pt_leaves *is, uint64_t iova, uint64_t phys, uint64_t count,
			  unsigned int size_lg2, unsigned int perm)
{
	EXPECT_NUMBER(is->iova, iova);
	EXPECT_NUMBER(is->phys, phys);
	EXPECT_NUMBER(is->count, count);
	EXPECT_NUMBER(is->size_lg2, size_lg2);
	EXPECT_NUMBER(is->perm, perm);
}

/* 16K at 0x304000: four entries, the third of which is @third. */
static struct memory *torn_table(uint64_t third)
{
	struct memory *memory = fake_create();

	for (unsigned int i = 0; i < 8; i++)
		fake_write(memory, 0x1000 + i * 8, 0x6000000000305e01ULL + (i / 4) * 0x4000);
	fake_write(memory, 0x1010, third);
	return memory;
}

static void test_replicas_agree(void)
{
	struct memory *memory = torn_table(0x6000000000305e41ULL); /* D */
	struct pt_tree tree;
	struct met met;

	amdv1_tree(&tree, 1);
	walk(&tree, memory, 0, UINT64_MAX, &met);
	EXPECT_NUMBER(met.fault_count, 0);
	EXPECT_NUMBER(met.leaves_count, 2); /* one dirty, one not */
	expect_leaves(&met.leaves[0], 0, 0x304000, 1, 14, PT_R | PT_W);
	expect_leaves(&met.leaves[1], 0x4000, 0x308000, 1, 14, PT_R | PT_W);
	EXPECT(met.leaves[0].attrs && !met.leaves[1].attrs, "the first only is dirty");
	/* A part of a page is that page, whole. */
	walk(&tree, memory, 0x2000, 0x2fff, &met);
	EXPECT_NUMBER(met.leaves_count, 1);
	expect_leaves(&met.leaves[0], 0, 0x304000, 1, 14, PT_R | PT_W);
	memory_close(memory);
	/* Two equal pages that continue each other are one run of two items. */
	memory = torn_table(0x6000000000305e01ULL);
	walk(&tree, memory, 0, UINT64_MAX, &met);
	EXPECT_NUMBER(met.leaves_count, 1);
	expect_leaves(&met.leaves[0], 0, 0x304000, 2, 14, PT_R | PT_W);
	memory_close(memory);
}

/* Each entry by itself, and a finding; what follows is as it was. */
static void test_replicas_differ(void)
{
	static const struct {
		uint64_t third;
		unsigned int perm; /* 0: nothing there */
		uint64_t phys;
	} cases[] = {
		{ 0, 0, 0 },
		{ 0x2000000000305e01ULL, PT_R, 0x306000 },
		{ 0x7000000000305e01ULL, PT_R | PT_W, 0x306000 },
		{ 0x6000000000405e01ULL, PT_R | PT_W, 0x406000 },
		{ 0x6000000000306001ULL, PT_R | PT_W, 0x306000 }, /* a page of its own, right */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct memory *memory = torn_table(cases[i].third);
		struct pt_step steps[PT_MAX_LEVELS];
		struct pt_tree tree;
		struct met met;
		uint64_t covered = 0;

		amdv1_tree(&tree, 1);
		walk(&tree, memory, 0, UINT64_MAX, &met);
		EXPECT(met.fault_count > 0, "case %zu: no finding", i);
		for (size_t j = 0; j < met.fault_count; j++) {
			EXPECT_NUMBER(met.faults[j].kind, PT_FAULT_TORN);
			EXPECT(met.faults[j].iova + met.faults[j].length <= 0x4000,
			       "case %zu: fault to 0x%" PRIx64, i,
			       met.faults[j].iova + met.faults[j].length);
		}
		for (size_t j = 0; j < met.leaves_count; j++) {
			const struct pt_leaves *leaves = &met.leaves[j];
			uint64_t phys = 0;

			covered += leaves->count << leaves->size_lg2;
			EXPECT_NUMBER(leaves->size_lg2, leaves->iova < 0x4000 ? 12 : 14);
			EXPECT(pt_lookup(&tree, memory, leaves->iova, &phys) &&
				       phys == leaves->phys,
			       "case %zu: pt_lookup(0x%" PRIx64 ") is 0x%" PRIx64, i, leaves->iova,
			       phys);
			if (leaves->iova == 0x2000)
				expect_leaves(leaves, 0x2000, cases[i].phys, leaves->count, 12,
					      cases[i].perm);
		}
		EXPECT_NUMBER(covered, cases[i].perm ? 0x8000 : 0x7000);
		EXPECT_NUMBER(pt_translate(&tree, memory, 0x1000, steps), 1);
		EXPECT(steps[0].run.torn, "case %zu: pt_translate() says nothing", i);
		EXPECT_NUMBER(pt_translate(&tree, memory, 0x5000, steps), 1);
		EXPECT(!steps[0].run.torn, "case %zu: the next page is whole", i);
		memory_close(memory);
	}
}

/* A large page larger than the top table itself. */
static void test_replicas_cut_off(void)
{
	const struct pt_parameters parameters = { .levels = 2, .input_bits = 22 };
	struct pt_tree tree = { .root = 0x1000 };
	struct memory *memory = fake_create();
	struct met met;

	EXPECT_NO_ERROR(pt_geometry_init(&pt_format_amdv1, &parameters, &tree.geometry));
	fake_write(memory, 0x1000, 0x60000000013ffe01ULL); /* 8M, by two entries of four */
	fake_write(memory, 0x1008, 0x60000000013ffe01ULL);
	walk(&tree, memory, 0, UINT64_MAX, &met);
	EXPECT_NUMBER(met.leaves_count, 1);
	expect_leaves(&met.leaves[0], 0, 0x1000000, 2, 21, PT_R | PT_W);
	EXPECT_NUMBER(met.fault_count, 1);
	memory_close(memory);
}

/* A missing table behind skipped levels hides only what it covers, and only in the range asked. */
static void test_skipped_and_missing(void)
{
	struct memory *memory = fake_create();
	struct pt_tree tree;
	struct met met;

	amdv1_tree(&tree, 4);
	fake_ram(memory, 0, 0x100000);
	fake_status(memory, 0x10000, BLOCK_MISSING);
	fake_write(memory, 0x1010, 0x6000000000010201ULL); /* level 4, NL=1 */
	walk(&tree, memory, 0, UINT64_MAX, &met);
	EXPECT_NUMBER(met.fault_count, 1);
	EXPECT_NUMBER(met.faults[0].iova, 0x10000000000ULL);
	EXPECT_NUMBER(met.faults[0].length, 0x200000);
	walk(&tree, memory, 0x10000200000ULL, UINT64_MAX, &met);
	EXPECT_NUMBER(met.fault_count, 0);
	walk(&tree, memory, 0x10000100000ULL, 0x100001fffffULL, &met);
	EXPECT_NUMBER(met.fault_count, 1);
	EXPECT_NUMBER(met.faults[0].iova, 0x10000100000ULL);
	EXPECT_NUMBER(met.faults[0].length, 0x100000);
	memory_close(memory);
}

/* The device table entry's IR and IW bound everything below. */
static void test_root_permissions(void)
{
	struct memory *memory = fake_create();
	struct pt_step steps[PT_MAX_LEVELS];
	struct pt_tree tree;
	struct met met;

	amdv1_tree(&tree, 1);
	tree.perm = PT_R | PT_X;
	fake_write(memory, 0x1000, 0x6000000000010001ULL);
	walk(&tree, memory, 0, UINT64_MAX, &met);
	EXPECT_NUMBER(met.leaves_count, 1);
	expect_leaves(&met.leaves[0], 0, 0x10000, 1, 12, PT_R);
	EXPECT_NUMBER(pt_translate(&tree, memory, 0, steps), 1);
	EXPECT_NUMBER(steps[0].perm, PT_R);
	memory_close(memory);
}

/* ---- A kernel with one unit and a device table ---- */

enum {
	UNIT = 0x100000,	 /* struct amd_iommu */
	UNIT_LIST = 0x100800,	 /* amd_iommu_list */
	SEGMENT = 0x101000,	 /* struct amd_iommu_pci_seg */
	SME_MASK = 0x102000,	 /* sme_me_mask */
	DEVICE_DATA = 0x103000,	 /* struct iommu_dev_data */
	ALIASES = 0x200000,	 /* alias_table */
	RLOOKUP = 0x300000,	 /* rlookup_table: zeros */
	DEVICE_TABLE = 0x400000, /* physical and virtual are the same here */
	GUESTS = 0x500000,	 /* GCR3 tables */
	IRQ_LOOKUP = 0x600000,	 /* irq_lookup_table */
	VARIABLES = 0x700000,	 /* of the driver, 8 bytes each: see variables */
	LAST_RID = 0x1ff,
};

/* Where the members are. */
static const struct {
	const char *type, *member;
	uint32_t offset, size;
} layout[] = {
	{ "amd_iommu", "list", 0, 16 },
	{ "amd_iommu", "index", 16, 4 },
	{ "amd_iommu", "pci_seg", 24, 8 },
	{ "amd_iommu", "iommu", 32, 8 },
	{ "amd_iommu", "cmd_buf", 40, 8 },
	{ "amd_iommu", "evt_buf", 48, 8 },
	{ "amd_iommu", "ppr_log", 56, 8 },
	{ "amd_iommu", "ga_log", 64, 8 },
	{ "amd_iommu", "ga_log_tail", 72, 8 },
	{ "amd_iommu", "cmd_sem", 80, 8 },
	{ "amd_iommu_pci_seg", "id", 0, 2 },
	{ "amd_iommu_pci_seg", "last_bdf", 2, 2 },
	{ "amd_iommu_pci_seg", "dev_table", 8, 8 },
	{ "amd_iommu_pci_seg", "alias_table", 16, 8 },
	{ "amd_iommu_pci_seg", "rlookup_table", 24, 8 },
	{ "amd_iommu_pci_seg", "irq_lookup_table", 32, 8 },
	{ "amd_iommu_pci_seg", "dev_table_size", 40, 4 },
	{ "iommu_dev_data", "devid", 0, 2 },
	{ "list_head", "next", 0, 8 },
	{ "iommu_domain", "type", 0, 4 },
};

static struct error *find_member(struct types *types, const struct type_query *query,
				 struct member *ret)
{
	(void)types;
	*ret = (struct member){ 0 };
	for (size_t i = 0; i < sizeof(layout) / sizeof(layout[0]); i++) {
		if (query->member && strcmp(layout[i].type, query->type) == 0 &&
		    strcmp(layout[i].member, query->member) == 0)
			*ret = (struct member){ .present = true,
						.offset = layout[i].offset,
						.size = layout[i].size };
	}
	return NULL;
}

static void destroy_types(struct types *types)
{
	(void)types;
}

enum { EVTLOG_SIZE, GUEST_IR, ID_BITMAP, IRQ_CACHE, VARIABLE_COUNT };

static const char *const variables[VARIABLE_COUNT] = {
	[EVTLOG_SIZE] = "amd_iommu_evtlog_size",
	[GUEST_IR] = "amd_iommu_guest_ir",
	[ID_BITMAP] = "amd_iommu_pd_alloc_bitmap",
	[IRQ_CACHE] = "amd_iommu_irq_cache",
};

/* The kernels to be: up to 6.12 all of these variables, since 6.16 the first two. */
static unsigned int variable_count = GUEST_IR + 1;

static uint64_t variable_address(unsigned int variable)
{
	return VARIABLES + variable * 8ULL;
}

static size_t find_symbol(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max)
{
	uint64_t address = strcmp(name, "amd_iommu_list") == 0 ? UNIT_LIST
			   : strcmp(name, "sme_me_mask") == 0  ? SME_MASK
							       : 0;

	(void)symbols;
	for (unsigned int i = 0; i < variable_count; i++) {
		if (strcmp(name, variables[i]) == 0)
			address = variable_address(i);
	}
	if (address && max)
		addrs[0] = address;
	return address != 0;
}

static void destroy_symbols(struct symbols *symbols)
{
	(void)symbols;
}

static enum block_status read_page(struct virtual_memory *self, struct memory *memory,
				   uint64_t address, void *data)
{
	(void)self;
	return memory_read(memory, address, data, KERNEL_PAGE);
}

static bool to_phys(struct virtual_memory *self, struct memory *memory, uint64_t address,
		    uint64_t *ret)
{
	(void)self;
	(void)memory;
	*ret = address;
	return true;
}

static void destroy_virtual_memory(struct virtual_memory *self)
{
	(void)self;
}

static const struct symbols_ops symbols_ops = { "fake", find_symbol, destroy_symbols };
static const struct types_ops types_ops = {
	.name = "fake",
	.find = find_member,
	.destroy = destroy_types,
};

/* A host, its memory still to be written to. */
struct host {
	struct memory *memory;
	struct kernel *kernel;
	struct inventory *inventory;
};

static void write_dte(const struct host *host, uint16_t rid, uint64_t word0, uint64_t word1,
		      uint64_t word2)
{
	const uint64_t at = DEVICE_TABLE + rid * 32ULL;

	fake_write(host->memory, at, word0);
	fake_write(host->memory, at + 8, word1);
	fake_write(host->memory, at + 16, word2);
}

/* As the driver leaves a device table: V and TV everywhere, aliases their own. */
static void host_init(struct host *host)
{
	static struct symbols symbols = { .ops = &symbols_ops };
	static struct types types = { .ops = &types_ops };
	static struct virtual_memory virtual_memory = { read_page, to_phys,
							destroy_virtual_memory };

	*host = (struct host){ .memory = fake_create() };
	fake_ram(host->memory, 0, 0x1000000);
	fake_write(host->memory, UNIT_LIST, UNIT);
	fake_write(host->memory, UNIT, UNIT_LIST);
	fake_write(host->memory, UNIT + 16, 3); /* index */
	fake_write(host->memory, UNIT + 24, SEGMENT);
	fake_write(host->memory, SEGMENT, (uint64_t)LAST_RID << 16 | 7); /* last_bdf, id */
	fake_write(host->memory, SEGMENT + 8, DEVICE_TABLE);
	fake_write(host->memory, SEGMENT + 16, ALIASES);
	fake_write(host->memory, SEGMENT + 24, RLOOKUP);
	for (unsigned int rid = 0; rid <= LAST_RID; rid++)
		write_dte(host, (uint16_t)rid, 3, 0, 0);
	for (uint64_t rid = 0; rid <= LAST_RID; rid += 4)
		fake_write(host->memory, ALIASES + rid * 2,
			   rid | (rid + 1) << 16 | (rid + 2) << 32 | (rid + 3) << 48);
	host->memory->path = strdup("fake");
	EXPECT_NO_ERROR(
		kernel_create(host->memory, &virtual_memory, &symbols, &types, &host->kernel));
	host->inventory = calloc(1, sizeof(*host->inventory));
	if (!host->inventory)
		abort();
}

static void host_deinit(struct host *host)
{
	inventory_destroy(host->inventory);
	kernel_close(host->kernel);
}

/* A device that the kernel knows, behind the unit; its iommu_dev_data is not there. */
static struct device *add_device(const struct host *host, uint16_t rid)
{
	struct device *device = NULL;

	if (!EXPECT_NO_ERROR(inventory_add_device(host->inventory, &device)))
		abort();
	device->is_pci = true;
	device->has_dma_rid = true;
	device->segment = device->dma_segment = 7;
	device->rid = device->dma_rid = rid;
	device->iommu_device = UNIT + 32;
	device_pci_name(7, rid, device->name, sizeof(device->name));
	return device;
}

static void discover(const struct host *host)
{
	EXPECT_NO_ERROR(walker_amd.discover(host->kernel, host->inventory));
}

static const struct space *find_space(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->inventory->space_count; i++) {
		if (strcmp(host->inventory->spaces[i]->name, name) == 0)
			return host->inventory->spaces[i];
	}
	EXPECT(false, "no space %s", name);
	return NULL;
}

static void expect_mode(const struct host *host, const char *name, enum space_mode mode,
			const char *reason)
{
	const struct space *space = find_space(host, name);

	EXPECT(space && space->mode == mode && strstr(space->reason, reason),
	       "%s: mode %d, not %d; '%s', not '%s'", name, space ? (int)space->mode : -1,
	       (int)mode, space ? space->reason : "", reason);
}

static void test_device_table(void)
{
	struct host host;

	host_init(&host);
	for (uint16_t rid = 0x10; rid <= 0x18; rid++)
		add_device(&host, rid);
	write_dte(&host, 0x10, 0, 0, 0);			 /* V=0 */
	write_dte(&host, 0x11, 1, 0, 0);			 /* TV=0 */
	write_dte(&host, 0x12, 3, 0, 0);			 /* neither IR nor IW */
	write_dte(&host, 0x13, 0x6000000000000003ULL, 5, 0);	 /* Mode 0 */
	write_dte(&host, 0x14, 0x2000000000000003ULL, 5, 0);	 /* Mode 0, only read */
	write_dte(&host, 0x15, 0x6000000000600803ULL, 0x42, 0);	 /* Mode 4 */
	write_dte(&host, 0x16, 0x4000000000600983ULL, 0x42, 0);	 /* the same; write; HAD */
	write_dte(&host, 0x17, 0x6000000000600e03ULL, 0x42, 0);	 /* Mode 7 */
	write_dte(&host, 0x18, 0x0000000000600803ULL, 0x42, 0);	 /* Mode 4 without IR, IW */
	write_dte(&host, 0x1f0, 0x6000000000600c03ULL, 0x43, 0); /* unknown to the kernel */
	discover(&host);
	EXPECT_NUMBER(host.inventory->unit_count, 1);
	EXPECT_NUMBER(host.inventory->units[0]->root, DEVICE_TABLE);
	CU_ASSERT_STRING_EQUAL(host.inventory->units[0]->name, "ivhd3");
	EXPECT_NUMBER(host.inventory->space_count, 10);
	EXPECT_NUMBER(host.inventory->warning_count, 0);
	expect_mode(&host, "0007:00:02.0", SPACE_PASSTHROUGH, "V=0");
	expect_mode(&host, "0007:00:02.1", SPACE_BLOCKED, "TV=0");
	expect_mode(&host, "0007:00:02.2", SPACE_BLOCKED, "IR and IW");
	expect_mode(&host, "0007:00:02.3", SPACE_PASSTHROUGH, "Mode 0");
	EXPECT_NUMBER(find_space(&host, "0007:00:02.3")->tree.perm, PT_R | PT_W);
	expect_mode(&host, "0007:00:02.4", SPACE_PASSTHROUGH, "Mode 0");
	EXPECT_NUMBER(find_space(&host, "0007:00:02.4")->tree.perm, PT_R);
	expect_mode(&host, "0007:00:02.5", SPACE_TABLE, "");
	const struct space *space = find_space(&host, "0007:00:02.5");
	EXPECT_NUMBER(space->tree.root, 0x600000);
	EXPECT_NUMBER(space->tree.geometry.levels, 4);
	EXPECT_NUMBER(space->tree.geometry.dirty_tracking, false);
	EXPECT_NUMBER(space->domain_id, 0x42);
	EXPECT_NUMBER(space->steps[0].entry_addr, DEVICE_TABLE + 0x15 * 32);
	EXPECT(strstr(space->steps[0].meaning, "V=1 TV=1 Mode=4 IR=1 IW=1 HAD=0"), "says %s",
	       space->steps[0].meaning);
	space = find_space(&host, "0007:00:02.6");
	EXPECT_NUMBER(space->tree.perm, PT_W | PT_X);
	EXPECT_NUMBER(space->tree.geometry.dirty_tracking, true);
	expect_mode(&host, "0007:00:02.7", SPACE_BLOCKED, "mode 7");
	expect_mode(&host, "0007:00:03.0", SPACE_BLOCKED, "IR and IW");
	EXPECT_NUMBER(find_space(&host, "0007:01:1e.0")->tree.geometry.levels, 6);
	host_deinit(&host);
}

/* Aliases: one whose entry leads elsewhere, one that agrees, one whose entry is unused. */
static void test_aliases(void)
{
	struct host host;

	host_init(&host);
	struct device *device = add_device(&host, 0x100);
	/* By the alias table, which the driver looks up by its own number of the device. */
	device->dma_rid = 0;
	device->iommu_data = DEVICE_DATA;
	fake_write(host.memory, DEVICE_DATA, 0x100);
	fake_write(host.memory, ALIASES + 0x100 * 2, 0x0103010201010180ULL);
	EXPECT_NO_ERROR(device_add_alias(device, 0x188));
	EXPECT_NO_ERROR(device_add_alias(device, 0x190));
	write_dte(&host, 0x100, 0x6000000000600803ULL, 0x42, 0);
	write_dte(&host, 0x180, 0x6000000000700803ULL, 0x43, 0);
	write_dte(&host, 0x188, 0x6000000000600803ULL, 0x42, 0);
	discover(&host);
	EXPECT_NUMBER(device->dma_rid, 0x100);
	EXPECT_NUMBER(device->alias_count, 3);
	EXPECT_NUMBER(host.inventory->space_count, 4);
	expect_mode(&host, "0007:01:12.0", SPACE_BLOCKED, "IR and IW");
	EXPECT_NUMBER(find_space(&host, "0007:01:10.0")->tree.root, 0x700000);
	CU_ASSERT_STRING_EQUAL(find_space(&host, "0007:01:10.0")->devices[0]->alias_of,
			       "0007:01:00.0");
	EXPECT_NUMBER(find_space(&host, "0007:01:11.0")->tree.root, 0x600000);
	EXPECT_NUMBER(host.inventory->warning_count, 0);
	host_deinit(&host);
}

/* GV, GIOV as asked, GLX, GCR3 root; IR and IW; Mode 0. */
static void write_guest_dte(const struct host *host, uint16_t rid, uint64_t glx, bool giov,
			    uint64_t gcr3, uint64_t word2)
{
	write_dte(host, rid,
		  0x6080000000000003ULL | (giov ? 1ULL << 54 : 0) | glx << 56 |
			  (gcr3 >> 12 & 7) << 58,
		  0x42 | (gcr3 >> 15 & 0xffff) << 16 | (gcr3 >> 31) << 43, word2);
}

/* One level: 512 PASIDs. Two: bits 17:9 lead. Three: bits 19:18. */
static void test_guest_tables(void)
{
	struct host host;

	host_init(&host);
	for (uint16_t rid = 0x20; rid <= 0x24; rid++)
		add_device(&host, rid);
	write_guest_dte(&host, 0x20, 0, true, GUESTS + 0x3000, 0);
	fake_write(host.memory, GUESTS + 0x3000, 0x700001);
	fake_write(host.memory, GUESTS + 0x3000 + 511 * 8, 0x701001);
	fake_write(host.memory, GUESTS + 0x3000 + 510 * 8, 0x701000); /* not valid */
	write_guest_dte(&host, 0x21, 1, false, GUESTS, 1ULL << 54);   /* 5 levels */
	fake_write(host.memory, GUESTS + 2 * 8, (GUESTS + 0x1000) | 1);
	fake_write(host.memory, GUESTS + 0x1000 + 3 * 8, 0x702001);
	write_guest_dte(&host, 0x22, 2, true, GUESTS + 0x4000, 0);
	fake_write(host.memory, GUESTS + 0x4000 + 3 * 8, GUESTS | 1);
	fake_write(host.memory, GUESTS + 0x4000 + 4 * 8, GUESTS | 1); /* beyond 20 bits */
	write_guest_dte(&host, 0x23, 0, true, 0x8000000000ULL, 0);    /* not memory */
	write_dte(&host, 0x24, 0x60c0000000600803ULL, 0x42, 0);	      /* nested: Mode 4, GIOV */
	discover(&host);

	const struct space *space = find_space(&host, "0007:00:04.0");
	EXPECT_NUMBER(space->mode, SPACE_TABLE);
	CU_ASSERT_STRING_EQUAL(space->kind, "device");
	CU_ASSERT_STRING_EQUAL(space->tree.geometry.format->name, "x86_64");
	EXPECT_NUMBER(space->tree.root, 0x700000);
	EXPECT_NUMBER(space->tree.geometry.levels, 4);
	EXPECT_NUMBER(space->pasid, 0);
	EXPECT_NUMBER(space->step_count, 2);
	space = find_space(&host, "0007:00:04.0 pasid=511");
	CU_ASSERT_STRING_EQUAL(space->kind, "pasid");
	EXPECT_NUMBER(space->tree.root, 0x701000);

	expect_mode(&host, "0007:00:04.1", SPACE_PASSTHROUGH, "Mode 0");
	space = find_space(&host, "0007:00:04.1 pasid=1027");
	EXPECT_NUMBER(space->tree.root, 0x702000);
	EXPECT_NUMBER(space->tree.geometry.levels, 5);
	EXPECT_NUMBER(space->step_count, 3);
	EXPECT_NUMBER(space->steps[2].entry_addr, GUESTS + 0x1000 + 3 * 8);

	/* PASIDs from 3 << 18 on; and the device itself has no entry for number 0. */
	expect_mode(&host, "0007:00:04.2", SPACE_BLOCKED, "PASID 0");
	EXPECT_NUMBER(find_space(&host, "0007:00:04.2 pasid=787459")->step_count, 4);
	expect_mode(&host, "0007:00:04.3", SPACE_UNKNOWN, "GCR3 table at 0x8000000000");
	expect_mode(&host, "0007:00:04.4", SPACE_UNKNOWN, "nested");
	EXPECT_NUMBER(host.inventory->space_count, 8);
	host_deinit(&host);
}

/* Tables without end: every entry leads on, to the same page. */
static void test_guest_tables_bounded(void)
{
	struct host host;

	host_init(&host);
	add_device(&host, 0x20);
	write_guest_dte(&host, 0x20, 2, true, GUESTS, 0);
	for (unsigned int i = 0; i < 512; i++)
		fake_write(host.memory, GUESTS + i * 8, GUESTS | 1);
	discover(&host);
	EXPECT(host.inventory->space_count <= 4097, "%zu spaces", host.inventory->space_count);
	EXPECT_NUMBER(host.inventory->warning_count, 1);
	host_deinit(&host);
}

/* SME: bit 47 in the roots of both kinds, and in what is below. */
static void test_encryption_bit(void)
{
	struct host host;

	host_init(&host);
	fake_write(host.memory, SME_MASK, 1ULL << 47);
	add_device(&host, 0x20);
	add_device(&host, 0x21);
	write_dte(&host, 0x20, 0x6000800000600803ULL, 0x42, 0);
	write_guest_dte(&host, 0x21, 0, true, (1ULL << 47) | GUESTS, 0);
	fake_write(host.memory, GUESTS, (1ULL << 47) | 0x700001);
	discover(&host);
	EXPECT_NUMBER(find_space(&host, "0007:00:04.0")->tree.root, 0x600000);
	EXPECT_NUMBER(find_space(&host, "0007:00:04.0")->tree.geometry.strip, 1ULL << 47);
	EXPECT_NUMBER(find_space(&host, "0007:00:04.1")->tree.root, 0x700000);
	EXPECT_NUMBER(find_space(&host, "0007:00:04.1")->tree.geometry.strip, 1ULL << 47);
	host_deinit(&host);
}

/* A page of the device table that is not in the dump: unknown, and the others are read. */
static void test_missing_page(void)
{
	struct host host;

	host_init(&host);
	add_device(&host, 0x20);
	add_device(&host, 0x100);
	add_device(&host, 0x300); /* beyond the table */
	write_dte(&host, 0x100, 0x6000000000600803ULL, 0x42, 0);
	fake_status(host.memory, DEVICE_TABLE, BLOCK_MISSING);
	discover(&host);
	expect_mode(&host, "0007:00:04.0", SPACE_UNKNOWN, "device table entry 0x20");
	expect_mode(&host, "0007:01:00.0", SPACE_TABLE, "");
	expect_mode(&host, "0007:03:00.0", SPACE_UNKNOWN, "beyond");
	host_deinit(&host);
}

/* ---- What the driver has beside page tables ---- */

static uint64_t part_pages(const struct host *host, const char *name)
{
	const struct unit *unit = host->inventory->units[0];

	for (size_t i = 0; i < unit->part_count; i++) {
		if (strcmp(unit->parts[i].name, name) == 0)
			return unit->parts[i].bytes / KERNEL_PAGE;
	}
	return 0;
}

/* An interrupt table at @table of 1 << @length entries, that @rid's software knows, or does not. */
static void write_irq_table(const struct host *host, uint16_t rid, uint64_t table,
			    unsigned int length, bool known)
{
	write_dte(host, rid, 3, 0, 2ULL << 60 | table | length << 1 | 1);
	fake_write(host->memory, IRQ_LOOKUP + rid * 8ULL, known ? 0x900000 : 0);
}

static void write_interrupts(const struct host *host, uint64_t guest_ir)
{
	fake_write(host->memory, SEGMENT + 32, IRQ_LOOKUP);
	fake_write(host->memory, variable_address(GUEST_IR), guest_ir);
	write_dte(host, 0x10, 3, 0, 1); /* IV alone, as the driver begins */
	write_irq_table(host, 0x11, 0xa00000, 9, true);
	write_irq_table(host, 0x12, 0xa10000, 11, true);
	write_irq_table(host, 0x13, 0xa00000, 9, true);	  /* an alias of 0x11 */
	write_irq_table(host, 0x14, 0xa10000, 9, true);	  /* one of 0x12 */
	write_irq_table(host, 0x15, 0xa20080, 9, true);	  /* 128-byte aligned */
	write_irq_table(host, 0x16, 0xa30000, 11, false); /* a former kernel's */
}

static void test_interrupt_tables(void)
{
	static const struct {
		uint64_t guest_ir;
		unsigned int variables;
		uint64_t pages;
	} cases[] = {
		{ 0, GUEST_IR + 1, 1 + 2 + 1 }, /* 4 bytes an entry */
		{ 1, GUEST_IR + 1, 2 + 8 + 2 }, /* 16 */
		{ 2, GUEST_IR + 1, 2 + 8 + 2 },
		{ 1, VARIABLE_COUNT, 0 }, /* objects of a slab cache */
		{ 1, GUEST_IR, 0 },	  /* who knows how long an entry is? */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host host;

		host_init(&host);
		write_interrupts(&host, cases[i].guest_ir);
		variable_count = cases[i].variables;
		discover(&host);
		variable_count = GUEST_IR + 1;
		EXPECT(part_pages(&host, "irq-remap") == cases[i].pages,
		       "case %zu: %" PRIu64 " pages", i, part_pages(&host, "irq-remap"));
		EXPECT_NUMBER(host.inventory->warning_count, 0);
		host_deinit(&host);
	}
}

/* Of GCR3 tables the top ones, once each; none of a guest's own. */
static void test_gcr3_parts(void)
{
	struct host host;

	host_init(&host);
	write_guest_dte(&host, 0x20, 0, true, GUESTS, 0);
	write_guest_dte(&host, 0x21, 0, true, GUESTS, 0); /* an alias */
	write_guest_dte(&host, 0x22, 1, false, GUESTS + 0x1000, 0);
	fake_write(host.memory, GUESTS + 0x1000, (GUESTS + 0x2000) | 1);
	write_guest_dte(&host, 0x23, 0, true, 0x8000000000ULL, 0); /* nothing in it is needed */
	write_dte(&host, 0x24, 0x6080000000600803ULL, 0x42, 0);	   /* nested: Mode 4 */
	write_dte(&host, 0x25, 0x6080000000000002ULL, 0x42, 0);	   /* V=0 */
	discover(&host);
	EXPECT_NUMBER(part_pages(&host, "gcr3"), 3);
	host_deinit(&host);
}

static void test_unit_parts(void)
{
	struct host host;

	host_init(&host);
	for (uint64_t at = 40; at <= 80; at += 8)
		fake_write(host.memory, UNIT + at, 0x900000);
	fake_write(host.memory, SEGMENT + 40, 0x3000);
	fake_write(host.memory, variable_address(EVTLOG_SIZE), 512 << 10);
	fake_write(host.memory, variable_address(ID_BITMAP), 0x900000);
	variable_count = VARIABLE_COUNT;
	discover(&host);
	variable_count = GUEST_IR + 1;
	EXPECT_NUMBER(part_pages(&host, "queue"), 2);
	EXPECT_NUMBER(part_pages(&host, "event-log"), 128);
	EXPECT_NUMBER(part_pages(&host, "page-requests"), 2);
	EXPECT_NUMBER(part_pages(&host, "ga-log"), 2);
	EXPECT_NUMBER(part_pages(&host, "wait"), 1);
	EXPECT_NUMBER(part_pages(&host, "device-table"), 4); /* a power of two */
	EXPECT_NUMBER(part_pages(&host, "domain-ids"), 2);
	EXPECT_NUMBER(host.inventory->units[0]->part_count, 7);
	host_deinit(&host);
	/* Nothing there, and a size that cannot be. */
	host_init(&host);
	fake_write(host.memory, UNIT + 48, 0x900000);
	fake_write(host.memory, variable_address(EVTLOG_SIZE), 0x7fffffff);
	discover(&host);
	EXPECT_NUMBER(part_pages(&host, "event-log"), 2);
	EXPECT_NUMBER(host.inventory->units[0]->part_count, 1);
	host_deinit(&host);
}

void suite_amd(void)
{
	CU_pSuite suite = CU_add_suite("amd", NULL, NULL);

	CU_add_test(suite, "replicas that agree are one page", test_replicas_agree);
	CU_add_test(suite, "replicas that differ stand for themselves", test_replicas_differ);
	CU_add_test(suite, "a page larger than the top table", test_replicas_cut_off);
	CU_add_test(suite, "skipped levels and a missing table", test_skipped_and_missing);
	CU_add_test(suite, "what the device table entry allows", test_root_permissions);
	CU_add_test(suite, "device table entries of every kind", test_device_table);
	CU_add_test(suite, "aliases", test_aliases);
	CU_add_test(suite, "GCR3 tables of 1 to 3 levels", test_guest_tables);
	CU_add_test(suite, "GCR3 tables without end", test_guest_tables_bounded);
	CU_add_test(suite, "SME's encryption bit", test_encryption_bit);
	CU_add_test(suite, "a device table with a hole", test_missing_page);
	CU_add_test(suite, "interrupt tables that the kernel counts", test_interrupt_tables);
	CU_add_test(suite, "GCR3 tables that the kernel counts", test_gcr3_parts);
	CU_add_test(suite, "queues, logs, a bitmap", test_unit_parts);
}
