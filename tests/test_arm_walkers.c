// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * SMMUv2, SMMUv3 and KVM on arm64 by structures that the test writes: no emulator has an SMMUv2
 * that Linux drives, and Linux in a guest makes few of the SMMUv3's tables. Member offsets are
 * those of Debian's 6.12 arm64 kernel (its BTF), values are what
 * drivers/iommu/arm/arm-smmu/arm-smmu.c and arch/arm64/kvm write; tables are written by the manual.
 */
#include "tests/tests.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "target/kernel.h"
#include "tests/fake_memory.h"
#include "walkers/inventory.h"
#include "walkers/process.h"

enum { KERNEL_RAM = 1 << 24 };

static const uint64_t KERNEL_BASE = 0xffff000000000000ULL; /* linear map of physical 0 */

struct row {
	const char *type, *member, *with;
	uint32_t offset, size;
};

static const struct row rows[] = {
	{ "iommu_device", "list", NULL, 0, 16 },
	{ "iommu_device", "dev", NULL, 32, 8 },
	{ "device", "kobj.name", NULL, 0, 8 },
	{ "device", "iommu", NULL, 752, 8 },
	{ "dev_iommu", "fwspec", NULL, 40, 8 },
	{ "iommu_fwspec", "num_ids", NULL, 12, 4 },
	{ "iommu_fwspec", "ids", NULL, 16, 0 },
	{ "arm_smmu_device", "iommu", "cbs", 216, 56 },
	{ "arm_smmu_device", "cbs", "cbs", 80, 8 },
	{ "arm_smmu_device", "num_context_banks", "cbs", 56, 4 },
	{ "arm_smmu_device", "s2crs", "cbs", 112, 8 },
	{ "arm_smmu_device", "num_mapping_groups", "cbs", 92, 4 },
	{ "arm_smmu_device", "smrs", "cbs", 104, 8 },
	{ "arm_smmu_master_cfg", "smendx", NULL, 8, 0 },
	{ "arm_smmu_s2cr", NULL, NULL, 0, 24 },
	{ "arm_smmu_s2cr", "type", NULL, 12, 4 },
	{ "arm_smmu_s2cr", "cbndx", NULL, 20, 1 },
	{ "arm_smmu_smr", NULL, NULL, 0, 6 },
	{ "arm_smmu_smr", "mask", NULL, 0, 2 },
	{ "arm_smmu_smr", "id", NULL, 2, 2 },
	{ "arm_smmu_smr", "valid", NULL, 4, 1 },
	{ "arm_smmu_cb", NULL, NULL, 0, 40 },
	{ "arm_smmu_cb", "ttbr", NULL, 0, 16 },
	{ "arm_smmu_cb", "tcr", NULL, 16, 8 },
	{ "arm_smmu_cb", "mair", NULL, 24, 8 },
	{ "arm_smmu_cb", "cfg", NULL, 32, 8 },
	{ "arm_smmu_cfg", "cbar", NULL, 4, 4 },
	{ "arm_smmu_cfg", "fmt", NULL, 8, 4 },
	{ "arm_smmu_domain", "domain", "cb_lock", 96, 120 },
	{ "arm_smmu_domain", "pgtbl_ops", "cb_lock", 8, 8 },
	{ "iommu_domain", "type", NULL, 0, 4 },
	{ "io_pgtable", "fmt", NULL, 0, 4 },
	{ "io_pgtable", "ops", NULL, 120, 24 },
	{ "io_pgtable", "cfg.quirks", NULL, 16, 8 },
	{ "io_pgtable", "cfg.pgsize_bitmap", NULL, 24, 8 },
	{ "io_pgtable", "cfg.oas", NULL, 36, 4 },
	{ "arm_lpae_io_pgtable", "pgd", NULL, 168, 8 },
	{ "arm_lpae_io_pgtable", "pgd_bits", NULL, 152, 4 },
	{ "arm_lpae_io_pgtable", "start_level", NULL, 156, 4 },
	{ "arm_lpae_io_pgtable", "bits_per_level", NULL, 160, 4 },
	/* SMMUv3's under the names of 6.12; offsets of the test's own. */
	{ "arm_smmu_device", "iommu", "strtab_cfg", 216, 56 },
	{ "arm_smmu_device", "features", "strtab_cfg", 56, 4 },
	{ "arm_smmu_device", "strtab_cfg.linear.ste_dma", "strtab_cfg", 80, 8 },
	{ "arm_smmu_device", "strtab_cfg.linear.num_ents", "strtab_cfg", 88, 4 },
	{ "arm_smmu_device", "strtab_cfg.l2.l1_dma", "strtab_cfg", 96, 8 },
	{ "arm_smmu_device", "strtab_cfg.l2.num_l1_ents", "strtab_cfg", 104, 4 },
	{ "kvm", "vm_list", NULL, 2320, 16 },
	{ "kvm", "mm", NULL, 72, 8 },
	{ "kvm", "userspace_pid", NULL, 3880, 4 },
	{ "kvm", "online_vcpus", NULL, 2296, 4 },
	{ "kvm", "arch", NULL, 2504, 1112 },
	{ "kvm_arch", "mmu", NULL, 0, 120 },
	{ "kvm_arch", "nested_mmus", NULL, 160, 8 },
	{ "kvm_arch", "nested_mmus_size", NULL, 168, 8 },
	{ "kvm_arch", "pkvm.handle", NULL, 1080, 2 },
	{ "kvm_s2_mmu", NULL, NULL, 0, 120 },
	{ "kvm_s2_mmu", "vmid", NULL, 0, 8 },
	{ "kvm_s2_mmu", "pgd_phys", NULL, 8, 8 },
	{ "kvm_s2_mmu", "pgt", NULL, 16, 8 },
	{ "kvm_s2_mmu", "vtcr", NULL, 24, 8 },
	{ "kvm_s2_mmu", "arch", NULL, 88, 8 },
	{ "kvm_pgtable", "start_level", NULL, 4, 1 },
	/* Offsets of the test's own. */
	{ "task_struct", "tasks", NULL, 0, 16 },
	{ "task_struct", "pid", NULL, 16, 4 },
	{ "task_struct", "tgid", NULL, 20, 4 },
	{ "task_struct", "comm", NULL, 24, 16 },
	{ "task_struct", "mm", NULL, 40, 8 },
	{ "task_struct", "flags", NULL, 48, 4 },
	{ "mm_struct", "pgd", NULL, 0, 8 },
};

static struct error *find_member(struct types *types, const struct type_query *query,
				 struct member *ret)
{
	(void)types;
	*ret = (struct member){ 0 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		if (strcmp(row->type, query->type) == 0 && !row->member == !query->member &&
		    (!row->member || strcmp(row->member, query->member) == 0) &&
		    (!row->with || (query->with && strcmp(row->with, query->with) == 0)))
			*ret = (struct member){ true, row->offset, row->size, 0, 0, NULL };
	}
	return NULL;
}

static struct error *find_enumerator(struct types *types, const char *tag, const char *name,
				     bool *found, int64_t *ret)
{
	(void)types;
	(void)tag;
	(void)name;
	(void)ret;
	*found = false;
	return NULL;
}

static void free_types(struct types *types)
{
	free(types);
}

/* The heads of two lists, wherever a test puts them. */
enum { DEVICE_LIST = 0x100, VM_LIST = 0x200, INIT_TASK = 0x300 };

static size_t find_symbol(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max)
{
	(void)symbols;
	if (max && strcmp(name, "iommu_device_list") == 0)
		addrs[0] = KERNEL_BASE + DEVICE_LIST;
	else if (max && strcmp(name, "vm_list") == 0)
		addrs[0] = KERNEL_BASE + VM_LIST;
	else if (max && strcmp(name, "init_task") == 0)
		addrs[0] = KERNEL_BASE + INIT_TASK;
	else
		return 0;
	return 1;
}

static void free_symbols(struct symbols *symbols)
{
	free(symbols);
}

static bool to_phys(struct virtual_memory *self, struct memory *memory, uint64_t address,
		    uint64_t *ret)
{
	(void)self;
	(void)memory;
	*ret = address - KERNEL_BASE;
	return address >= KERNEL_BASE;
}

static enum block_status read_page(struct virtual_memory *self, struct memory *memory,
				   uint64_t address, void *data)
{
	(void)self;
	return address < KERNEL_BASE
		       ? BLOCK_OUTSIDE
		       : memory_read(memory, address - KERNEL_BASE, data, KERNEL_PAGE);
}

static void free_virtual(struct virtual_memory *self)
{
	free(self);
}

/* A kernel with one page of each thing; all addresses in the tests are physical. */
struct host {
	struct memory *memory;
	struct kernel *kernel;
	struct inventory inventory;
};

/* @size bytes of @value at @phys. */
static void put(struct host *host, uint64_t phys, unsigned int size, uint64_t value)
{
	for (unsigned int i = 0; i < size; i++) {
		uint64_t word = 0;
		uint64_t at = phys + i;
		unsigned int shift = (unsigned int)(at % 8) * 8;

		memory_read(host->memory, at & ~7ULL, &word, sizeof(word));
		word &= ~(0xffULL << shift);
		fake_write(host->memory, at & ~7ULL, word | (value >> (8 * i) & 0xff) << shift);
	}
}

static void put_pointer(struct host *host, uint64_t phys, uint64_t to)
{
	put(host, phys, 8, KERNEL_BASE + to);
}

static void put_text(struct host *host, uint64_t phys, const char *text)
{
	for (; *text; text++)
		put(host, phys++, 1, (uint64_t)(unsigned char)*text);
}

static bool host_init(struct host *host)
{
	static const struct types_ops types_ops = { "fake", find_member, find_enumerator,
						    free_types };
	static const struct symbols_ops symbols_ops = { "fake", find_symbol, free_symbols };
	struct types *types = calloc(1, sizeof(*types));
	struct symbols *symbols = calloc(1, sizeof(*symbols));
	struct virtual_memory *virtual_memory = calloc(1, sizeof(*virtual_memory));

	if (!types || !symbols || !virtual_memory)
		abort();
	types->ops = &types_ops;
	symbols->ops = &symbols_ops;
	*virtual_memory = (struct virtual_memory){ read_page, to_phys, free_virtual };
	*host = (struct host){ .memory = fake_create() };
	fake_ram(host->memory, 0, KERNEL_RAM);
	/* Empty lists. */
	put_pointer(host, DEVICE_LIST, DEVICE_LIST);
	put_pointer(host, VM_LIST, VM_LIST);
	return EXPECT_NO_ERROR(
		kernel_create(host->memory, virtual_memory, symbols, types, &host->kernel));
}

/* An inventory on the stack: what it holds is released one by one. */
static void host_deinit(struct host *host)
{
	struct inventory *copy = malloc(sizeof(*copy));

	if (!copy)
		abort();
	*copy = host->inventory;
	inventory_destroy(copy);
	kernel_close(host->kernel);
}

static const struct space *find_space(const struct host *host, const char *name,
				      enum space_view view)
{
	for (size_t i = 0; i < host->inventory.space_count; i++) {
		const struct space *space = host->inventory.spaces[i];

		if (strcmp(space->name, name) == 0 && space->view == view)
			return space;
	}
	return NULL;
}

static void expect_mapped(const struct host *host, const struct space *space, uint64_t iova,
			  uint64_t phys)
{
	uint64_t is = 0;

	if (EXPECT(space && space->mode == SPACE_TABLE, "no table: %s",
		   space ? space->reason : "-"))
		EXPECT(pt_lookup(&space->tree, host->memory, iova, &is) && is == phys,
		       "0x%" PRIx64 " is 0x%" PRIx64 ", not 0x%" PRIx64, iova, is, phys);
}

/* ---- SMMUv2. The places of its structures: */
enum {
	SMMU = 0x1000,
	SMMU_CLASS_DEVICE = 0x2000,
	SMMU_NAME = 0x2800,
	BANKS = 0x3000,
	STREAMS = 0x4000,
	MATCHES = 0x5000,
	CONFIGS = 0x6000,  /* one each 16 bytes */
	DEVICES = 0x10000, /* one each page, with all that belongs to it */
	DEVICE_IOMMU = 0x400,
	DEVICE_FWSPEC = 0x500,
	DEVICE_MASTER = 0x600,
	DEVICE_DOMAIN = 0x700,
	DEVICE_PGTABLE = 0x900,
	TABLES = 0x100000, /* one each page */
};

static void put_smmu(struct host *host, bool matching)
{
	const uint64_t unit = SMMU + 216;

	put_pointer(host, DEVICE_LIST, unit);
	put_pointer(host, DEVICE_LIST + 8, unit);
	put_pointer(host, unit, DEVICE_LIST);
	put_pointer(host, unit + 8, DEVICE_LIST);
	put_pointer(host, unit + 32, SMMU_CLASS_DEVICE);
	put_pointer(host, SMMU_CLASS_DEVICE, SMMU_NAME);
	put_text(host, SMMU_NAME, "smmu.0x000000002b400000");
	put_pointer(host, SMMU + 80, BANKS);
	put(host, SMMU + 56, 4, 8);
	put_pointer(host, SMMU + 112, STREAMS);
	put(host, SMMU + 92, 4, 16);
	if (matching)
		put_pointer(host, SMMU + 104, MATCHES);
}

static void put_bank(struct host *host, unsigned int number, unsigned int cbar, unsigned int format,
		     uint64_t ttbr0, uint64_t ttbr1, uint64_t tcr)
{
	const uint64_t bank = BANKS + 40ULL * number;
	const uint64_t config = CONFIGS + 16ULL * number;

	put(host, bank, 8, ttbr0);
	put(host, bank + 8, 8, ttbr1);
	put(host, bank + 16, 8, tcr);
	put(host, bank + 24, 8, 0xf404ff44);
	put_pointer(host, bank + 32, config);
	put(host, config + 4, 4, cbar);
	put(host, config + 8, 4, format);
}

/* A device with one StreamID, in stream mapping group @group. */
static void put_device(struct host *host, unsigned int number, unsigned int group,
		       unsigned int type, unsigned int bank)
{
	const uint64_t base = DEVICES + 0x1000ULL * number;
	const uint64_t stream = STREAMS + 24ULL * group;
	struct device *device = NULL;

	put_pointer(host, base + 752, base + DEVICE_IOMMU);
	put_pointer(host, base + DEVICE_IOMMU + 40, base + DEVICE_FWSPEC);
	put(host, base + DEVICE_FWSPEC + 12, 4, 1);
	put(host, base + DEVICE_FWSPEC + 16, 4, 0x400 + number);
	put(host, base + DEVICE_MASTER + 8, 2, group);
	put(host, stream + 12, 4, type);
	put(host, stream + 20, 1, bank);
	put(host, MATCHES + 6ULL * group, 2, 0x7f);
	put(host, MATCHES + 6ULL * group + 2, 2, 0x400 + number);
	put(host, MATCHES + 6ULL * group + 4, 1, 1);
	if (!EXPECT_NO_ERROR(inventory_add_device(&host->inventory, &device)))
		return;
	snprintf(device->name, sizeof(device->name), "dev%u", number);
	device->address = KERNEL_BASE + base;
	device->iommu_data = KERNEL_BASE + base + DEVICE_MASTER;
	device->iommu_device = KERNEL_BASE + SMMU + 216;
	device->group = (int)number;
}

static uint64_t table(unsigned int number)
{
	return TABLES + 0x1000ULL * number;
}

/* Stage 1, 39 bits (T0SZ 25), 4K, IPS 40 bits, EPD1; ASID 7. L1 1, L2 2, L3 3. */
static void put_stage1(struct host *host)
{
	put_bank(host, 3, 1, 1, 7ULL << 48 | table(0), 7ULL << 48,
		 (2ULL << 32) | 1 << 23 | 0x3500 | 25);
	put(host, table(0) + 8, 8, table(1) | 3);
	put(host, table(1) + 16, 8, table(2) | 3);
	put(host, table(2) + 24, 8, 0x8877000 | 0xf43);
	put(host, table(0) + 511ULL * 8, 8, 0xffc0000f41);  /* the last 1G below 40 bits */
	put(host, table(0) + 510ULL * 8, 8, 0x10000000f41); /* beyond 40 bits */
}

static void test_smmu_v2_stage1(void)
{
	struct host host;

	if (!host_init(&host))
		return;
	put_smmu(&host, true);
	put_stage1(&host);
	put_device(&host, 0, 5, 0, 3);
	put_device(&host, 1, 6, 1, 255); /* bypass */
	put_device(&host, 2, 7, 2, 255); /* fault */
	put_device(&host, 3, 8, 0, 4);	 /* to a bank that nobody uses */
	put_device(&host, 4, 9, 0, 9);	 /* to one that there is not */
	EXPECT_NO_ERROR(walker_smmu_v2.discover(host.kernel, &host.inventory));
	CU_ASSERT_EQUAL(host.inventory.unit_count, 1);
	CU_ASSERT_STRING_EQUAL(host.inventory.units[0]->name, "smmu.0x000000002b400000");
	const struct space *space = find_space(&host, "dev0", VIEW_HW);
	expect_mapped(&host, space, 0x40403123, 0x8877123);
	expect_mapped(&host, space, 0x7fc0000000, 0xffc0000000);
	if (space) {
		uint64_t phys = 0;

		EXPECT(!pt_lookup(&space->tree, host.memory, 0x7f80000000, &phys), "beyond OAS");
		CU_ASSERT_EQUAL(space->step_count, 2);
		CU_ASSERT_EQUAL(space->steps[0].words[0], 3);
		CU_ASSERT_EQUAL(space->steps[0].words[1], 0x807f0400);
		CU_ASSERT_EQUAL(space->steps[1].entry_addr, BANKS + 3 * 40);
		CU_ASSERT_EQUAL(space->steps[1].words[0], 7ULL << 48 | table(0));
		EXPECT(strstr(space->steps[1].meaning, "ASID=7") != NULL, "%s",
		       space->steps[1].meaning);
	}
	space = find_space(&host, "dev1", VIEW_HW);
	CU_ASSERT(space && space->mode == SPACE_PASSTHROUGH);
	space = find_space(&host, "dev2", VIEW_HW);
	CU_ASSERT(space && space->mode == SPACE_BLOCKED);
	space = find_space(&host, "dev3", VIEW_HW);
	CU_ASSERT(space && space->mode == SPACE_BLOCKED);
	space = find_space(&host, "dev4", VIEW_HW);
	CU_ASSERT(space && space->mode == SPACE_UNKNOWN);
	CU_ASSERT_EQUAL(host.inventory.warning_count, 1);
	host_deinit(&host);
}

/* Streams are not matched, and a bank translates by TTBR1 only: TCR's fields are 16 higher. */
static void test_smmu_v2_ttbr1(void)
{
	struct host host;

	if (!host_init(&host))
		return;
	put_smmu(&host, false);
	/* TG1 4K is 2, T1SZ 25, EPD0 */
	put_bank(&host, 1, 1, 1, 5ULL << 48, 5ULL << 48 | table(0),
		 (5ULL << 32) | 2U << 30 | 25 << 16 | 1 << 7);
	put(&host, table(0) + 511ULL * 8, 8, 0xc0000f41);
	put_device(&host, 0, 2, 0, 1);
	EXPECT_NO_ERROR(walker_smmu_v2.discover(host.kernel, &host.inventory));
	const struct space *space = find_space(&host, "dev0", VIEW_HW);
	expect_mapped(&host, space, 0xffffffffc0000010, 0xc0000010);
	if (space)
		CU_ASSERT_EQUAL(space->steps[0].word_count, 1);
	host_deinit(&host);
}

/* Stage 2: 40 bits from level 1 on (SL0 1), so two tables in a row; 64K from level 2 on. */
static void test_smmu_v2_stage2(void)
{
	struct host host;

	if (!host_init(&host))
		return;
	put_smmu(&host, true);
	put_bank(&host, 0, 0, 1, table(0), 0, 2 << 16 | 1 << 6 | 24);
	put(&host, table(1) + 8, 8, 0x800007fd); /* number 513 */
	put_bank(&host, 1, 0, 1, table(16), 0, 2 << 16 | 1 << 14 | 1 << 6 | 24);
	put(&host, table(16) + 8, 8, 0x600007fd);	    /* L2 1 */
	put_bank(&host, 2, 0, 3, table(16), 0, 0);	    /* short descriptors */
	put_bank(&host, 3, 0, 1, table(0), 0, 3 << 6 | 24); /* SL0 is reserved */
	for (unsigned int i = 0; i < 4; i++)
		put_device(&host, i, i, 0, i);
	EXPECT_NO_ERROR(walker_smmu_v2.discover(host.kernel, &host.inventory));
	const struct space *space = find_space(&host, "dev0", VIEW_HW);
	expect_mapped(&host, space, 0x8040000123, 0x80000123);
	expect_mapped(&host, find_space(&host, "dev1", VIEW_HW), 0x20000123, 0x60000123);
	space = find_space(&host, "dev2", VIEW_HW);
	CU_ASSERT(space && space->mode == SPACE_UNKNOWN);
	space = find_space(&host, "dev3", VIEW_HW);
	CU_ASSERT(space && space->mode == SPACE_UNKNOWN);
	host_deinit(&host);
}

/* A domain's io_pgtable, as both SMMU drivers have it. */
static void put_pgtable(struct host *host, uint64_t at, unsigned int format, uint64_t quirks,
			uint64_t sizes, unsigned int root_bits, unsigned int start_level)
{
	put(host, at, 4, format);
	put(host, at + 16, 8, quirks);
	put(host, at + 24, 8, sizes);
	put(host, at + 36, 4, 48);
	put(host, at + 152, 4, root_bits);
	put(host, at + 156, 4, start_level);
	put(host, at + 160, 4, (unsigned int)__builtin_ctzll(sizes) - 3);
	put_pointer(host, at + 168, table(0));
}

/* What an io_pgtable of these numbers says of @iova; the domain is device 0's. */
static void check_domain(unsigned int format, uint64_t quirks, uint64_t sizes,
			 unsigned int root_bits, unsigned int start_level, uint64_t entry_at,
			 uint64_t entry, uint64_t iova, uint64_t phys)
{
	const uint64_t base = DEVICES;
	struct host host;

	if (!host_init(&host))
		return;
	put_smmu(&host, true);
	put_stage1(&host);
	put_device(&host, 0, 0, 0, 3);
	host.inventory.devices[0]->domain = KERNEL_BASE + base + DEVICE_DOMAIN + 96;
	put(&host, base + DEVICE_DOMAIN + 96, 4, 3); /* IOMMU_DOMAIN_DMA */
	put_pointer(&host, base + DEVICE_DOMAIN + 8, base + DEVICE_PGTABLE + 120);
	put_pgtable(&host, base + DEVICE_PGTABLE, format, quirks, sizes, root_bits, start_level);
	put(&host, entry_at, 8, entry);
	EXPECT_NO_ERROR(walker_smmu_v2.discover(host.kernel, &host.inventory));
	char name[NAME_BYTES];
	snprintf(name, sizeof(name), "domain:0x%" PRIx64, host.inventory.devices[0]->domain);
	expect_mapped(&host, find_space(&host, name, VIEW_SW), iova, phys);
	host_deinit(&host);
}

static void test_io_pgtable(void)
{
	const uint64_t sizes4k = 0x40201000;
	const uint64_t sizes64k = 0x20010000;

	/* ARM_64_LPAE_S1, 39 bits, 4K */
	check_domain(2, 0, sizes4k, 9, 1, table(0), 0x40000f41, 0x123, 0x40000123);
	/* with TTBR1 */
	check_domain(2, 1 << 5, sizes4k, 9, 1, table(0), 0x40000f41, 0xffffff8000000123,
		     0x40000123);
	/* ARM_64_LPAE_S2, 40 bits: two tables in a row */
	check_domain(3, 0, sizes4k, 10, 1, table(1), 0x400007fd, 0x8000000123, 0x40000123);
	/* 64K, 42 bits */
	check_domain(2, 0, sizes64k, 13, 2, table(0), 0x60000f41, 0x123, 0x60000123);
	/* ARM_32_LPAE_S1, 32 bits: four entries */
	check_domain(0, 0, sizes4k, 2, 1, table(0) + 24, 0x40000f41, 0xc0000123, 0x40000123);
}

/* ---- KVM on arm64. A VM each 0x8000 bytes. */
enum { VMS = 0x20000, VM_BYTES = 0x8000, VM_PGT = 0x4000, VM_NESTED = 0x5000 };

static uint64_t vm(unsigned int number)
{
	return VMS + (uint64_t)VM_BYTES * number;
}

static void put_mmu(struct host *host, uint64_t mmu, uint64_t arch, uint64_t pgt, uint64_t root,
		    uint64_t vtcr, int start_level)
{
	put(host, mmu + 8, 8, root);
	put_pointer(host, mmu + 16, pgt);
	put(host, mmu + 24, 8, vtcr);
	put_pointer(host, mmu + 88, arch);
	put(host, pgt + 4, 1, (uint64_t)(uint8_t)start_level);
}

/* Link @count VMs into vm_list. */
static void put_vms(struct host *host, unsigned int count)
{
	uint64_t last = VM_LIST;

	for (unsigned int i = 0; i < count; i++) {
		uint64_t node = vm(i) + 2320;

		put_pointer(host, last, node);
		put_pointer(host, node + 8, last);
		last = node;
		put(host, vm(i) + 3880, 4, 1234);
	}
	put_pointer(host, last, VM_LIST);
	put_pointer(host, VM_LIST + 8, last);
}

/* VTCR_EL2: T0SZ, SL0, TG0, PS as KVM computes them. */
static uint64_t vtcr(unsigned int bits, unsigned int sl0, unsigned int tg0, unsigned int ps)
{
	return 1ULL << 31 | 1 << 21 | ps << 16 | tg0 << 14 | 0x3500U | sl0 << 6 | (64 - bits);
}

static void test_kvm(void)
{
	struct host host;

	if (!host_init(&host))
		return;
	put_vms(&host, 4);
	/* 40 bits from level 1 on: two root tables. */
	put_mmu(&host, vm(0) + 2504, vm(0) + 2504, vm(0) + VM_PGT, table(0), vtcr(40, 1, 0, 2), 1);
	put(&host, table(1) + 8, 8, 0x800007fd);
	put(&host, table(0), 8, 1 << 2); /* a page of owner 1: no mapping */
	/* Another VM of the same process; a 16K kernel, 48 bits from level 1 on. */
	put_mmu(&host, vm(1) + 2504, vm(1) + 2504, vm(1) + VM_PGT, table(8), vtcr(48, 2, 2, 5), 1);
	put(&host, table(12), 8, table(16) | 3);  /* second table, entry 0 */
	put(&host, table(16) + 8, 8, 0x420007fd); /* L2 1: 32M */
	/* pKVM */
	put_mmu(&host, vm(2) + 2504, vm(2) + 2504, vm(2) + VM_PGT, 0, 0, 0);
	put(&host, vm(2) + 2504 + 1080, 2, 0x1001);
	/* Not yet initialized */
	EXPECT_NO_ERROR(walker_kvm_arm64.discover(host.kernel, &host.inventory));
	CU_ASSERT_EQUAL(host.inventory.space_count, 4);
	const struct space *space = find_space(&host, "vm:1234", VIEW_HW);
	expect_mapped(&host, space, 0x8040000123, 0x80000123);
	if (space) {
		struct pt_step steps[PT_MAX_LEVELS];
		char text[128];

		CU_ASSERT_EQUAL(space->pid, 1234);
		CU_ASSERT_EQUAL(pt_translate(&space->tree, host.memory, 0, steps), 1);
		CU_ASSERT_EQUAL(steps[0].run.kind, PT_EMPTY);
		space->tree.geometry.format->describe(&space->tree.geometry, 2, steps[0].entry,
						      text, sizeof(text));
		CU_ASSERT_STRING_EQUAL(text, "valid=0; KVM's mark: page of owner 1");
		EXPECT(strstr(space->steps[0].meaning, "2 tables in a row") != NULL, "%s",
		       space->steps[0].meaning);
	}
	char name[NAME_BYTES];
	snprintf(name, sizeof(name), "vm:0x%" PRIx64, KERNEL_BASE + vm(1));
	expect_mapped(&host, find_space(&host, name, VIEW_HW), 0x800002000123, 0x42000123);
	snprintf(name, sizeof(name), "vm:0x%" PRIx64, KERNEL_BASE + vm(2));
	space = find_space(&host, name, VIEW_HW);
	CU_ASSERT(space && space->mode == SPACE_UNKNOWN && strstr(space->reason, "pKVM"));
	snprintf(name, sizeof(name), "vm:0x%" PRIx64, KERNEL_BASE + vm(3));
	space = find_space(&host, name, VIEW_HW);
	CU_ASSERT(space && space->mode == SPACE_BLOCKED);
	host_deinit(&host);
}

/* Nested stage-2 tables: an array of structures (6.12), of pointers (7.x). */
static void check_nested(bool pointers)
{
	const uint64_t arch = vm(0) + 2504;
	const uint64_t array = vm(0) + VM_NESTED;
	struct host host;

	if (!host_init(&host))
		return;
	put_vms(&host, 1);
	put_mmu(&host, arch, arch, vm(0) + VM_PGT, table(0), vtcr(40, 1, 0, 2), 1);
	put_pointer(&host, arch + 160, array);
	put(&host, arch + 168, 8, 3);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t mmu = pointers ? array + 0x200 + 0x100ULL * i : array + 120ULL * i;

		if (pointers)
			put_pointer(&host, array + 8ULL * i, mmu);
		/* The one in the middle is free. */
		put_mmu(&host, mmu, arch, vm(0) + VM_PGT + 0x100 * (i + 1),
			i == 1 ? 0 : table(8 * (i + 1)), vtcr(40, 1, 0, 2), 1);
	}
	put(&host, table(8) + 8, 8, 0x800007fd);
	put(&host, table(24) + 8, 8, 0xc00007fd);
	EXPECT_NO_ERROR(walker_kvm_arm64.discover(host.kernel, &host.inventory));
	CU_ASSERT_EQUAL(host.inventory.space_count, 3);
	expect_mapped(&host, find_space(&host, "vm:1234 nested=0", VIEW_HW), 0x40000123,
		      0x80000123);
	expect_mapped(&host, find_space(&host, "vm:1234 nested=2", VIEW_HW), 0x40000123,
		      0xc0000123);
	host_deinit(&host);
}

static void test_kvm_nested(void)
{
	check_nested(false);
	check_nested(true);
}

/* ---- SMMUv3: IHI 0070, 5.1 to 5.4. The places of its tables: */
enum {
	STREAM_TABLE = 0x200000, /* also: the second level of a two-level one */
	STREAM_L1 = 0x210000,
	CD_TABLES = 0x220000, /* one each page */
	STREAM_COUNT = 64,
};

enum { STE_ABORT = 0, STE_BYPASS = 4, STE_S1 = 5, STE_S2 = 6, STE_NESTED = 7 };

static void put_smmu_v3(struct host *host, bool two_level)
{
	put_smmu(host, false);
	put_text(host, SMMU_NAME, "smmu3.0x0000000009050000");
	put(host, SMMU + 56, 4, two_level);
	put(host, SMMU + 80, 8, two_level ? 0 : STREAM_TABLE);
	put(host, SMMU + 88, 4, two_level ? 0 : STREAM_COUNT);
	put(host, SMMU + 96, 8, two_level ? STREAM_L1 : 0);
	put(host, SMMU + 104, 4, two_level ? 4 : 0);
}

/* The device called @name with StreamID @sid. */
static void put_master(struct host *host, unsigned int number, const char *name, uint32_t sid)
{
	const uint64_t base = DEVICES + 0x1000ULL * number;

	put_device(host, number, 0, 0, 0);
	put(host, base + DEVICE_FWSPEC + 16, 4, sid);
	snprintf(host->inventory.devices[number]->name, NAME_BYTES, "%s", name);
}

static void put_ste(struct host *host, unsigned int index, unsigned int config, uint64_t word0,
		    uint64_t word1)
{
	put(host, STREAM_TABLE + 64ULL * index, 8, word0 | config << 1 | 1);
	put(host, STREAM_TABLE + 64ULL * index + 8, 8, word1);
}

static uint64_t cd_page(unsigned int number)
{
	return CD_TABLES + 0x1000ULL * number;
}

/* S1ContextPtr with S1Fmt and S1CDMax. */
static uint64_t cds(uint64_t phys, uint64_t format, uint64_t max_lg2)
{
	return phys | format << 4 | max_lg2 << 59;
}

/* A descriptor of a stage 1 of 39 bits, 4K, 40-bit output, whose ASID and tables are @number. */
static void put_cd(struct host *host, uint64_t table_phys, unsigned int index, unsigned int number)
{
	const uint64_t at = table_phys + 64ULL * index;

	put(host, at, 8, (uint64_t)number << 48 | 1ULL << 41 | 2ULL << 32 | 1ULL << 31 | 25);
	put(host, at + 8, 8, table(number));
	/* IOVA 0x40000000 is a block of 1G at @number + 1 GiB. */
	put(host, table(number) + 8, 8, (number + 1ULL) << 30 | 0xf41);
}

static void expect_stage1(const struct host *host, const char *name, unsigned int number)
{
	char words[16];
	const struct space *space = find_space(host, name, VIEW_HW);

	snprintf(words, sizeof(words), "asid=%u", number);
	expect_mapped(host, space, 0x40123456, ((number + 1ULL) << 30) + 0x123456);
	EXPECT(space && strstr(space->words, words), "%s: %s", name, space ? space->words : "-");
}

static void expect_mode(const struct host *host, const char *name, enum space_mode mode,
			const char *reason)
{
	const struct space *space = find_space(host, name, VIEW_HW);

	EXPECT(space && space->mode == mode && strstr(space->reason, reason), "%s: %d, %s", name,
	       space ? (int)space->mode : -1, space ? space->reason : "no such space");
}

/* Entries that have no table of their own, and a StreamID that no device has. */
static void test_smmu_v3_entries(void)
{
	struct host host;

	if (!host_init(&host))
		return;
	put_smmu_v3(&host, false);
	put_master(&host, 0, "0000:00:01.0", 8);
	put_master(&host, 1, "0000:00:02.0", 16);
	put_master(&host, 2, "0000:00:03.0", 24);
	put_master(&host, 3, "2b600000.dma", 63);
	put_master(&host, 4, "0000:00:04.0", STREAM_COUNT);
	put_ste(&host, 8, STE_ABORT, 0, 0);
	put_ste(&host, 16, STE_BYPASS, 0, 0);
	put_ste(&host, 63, STE_S1, cds(cd_page(0), 0, 0), 0);
	put_ste(&host, 50, STE_S1, cds(cd_page(1), 0, 0), 0);
	put_cd(&host, cd_page(0), 0, 1);
	put_cd(&host, cd_page(1), 0, 2);
	EXPECT_NO_ERROR(walker_smmu_v3.discover(host.kernel, &host.inventory));
	CU_ASSERT_EQUAL(host.inventory.unit_count, 1);
	CU_ASSERT_STRING_EQUAL(host.inventory.units[0]->mode, "linear");
	CU_ASSERT_EQUAL(host.inventory.units[0]->root, STREAM_TABLE);
	expect_mode(&host, "0000:00:01.0", SPACE_BLOCKED, "says abort");
	expect_mode(&host, "0000:00:02.0", SPACE_PASSTHROUGH, "says bypass");
	expect_mode(&host, "0000:00:03.0", SPACE_BLOCKED, "not valid");
	expect_mode(&host, "0000:00:04.0", SPACE_BLOCKED, "beyond the stream table");
	expect_stage1(&host, "2b600000.dma", 1);
	expect_stage1(&host, "sid:0x32", 2);
	CU_ASSERT_EQUAL(host.inventory.space_count, 6);
	host_deinit(&host);
}

/* STE.Config (5.2): 0b0xx aborts, whatever the two bits below are; V=0 comes first. */
static void test_smmu_v3_configs(void)
{
	struct host host;

	if (!host_init(&host))
		return;
	put_smmu_v3(&host, false);
	for (unsigned int config = 0; config < 8; config++) {
		char name[NAME_BYTES];

		snprintf(name, sizeof(name), "config%u", config);
		put_master(&host, config, name, config + 1);
		put_ste(&host, config + 1, config, config & 1 ? cds(cd_page(config), 0, 0) : 0, 0);
		put_cd(&host, cd_page(config), 0, config);
		put(&host, STREAM_TABLE + 64ULL * (config + 1) + 16, 8,
		    1ULL << 51 | 2ULL << 48 | 1ULL << 38 | 25ULL << 32 | 9);
		put(&host, STREAM_TABLE + 64ULL * (config + 1) + 24, 8, table(12));
	}
	put(&host, table(12) + 8, 8, 0xc00007fd);
	EXPECT_NO_ERROR(walker_smmu_v3.discover(host.kernel, &host.inventory));
	for (unsigned int config = 0; config < 4; config++) {
		char name[NAME_BYTES];

		snprintf(name, sizeof(name), "config%u", config);
		expect_mode(&host, name, SPACE_BLOCKED, "says abort");
	}
	expect_mode(&host, "config4", SPACE_PASSTHROUGH, "says bypass");
	expect_stage1(&host, "config5", 5);
	expect_mapped(&host, find_space(&host, "config6", VIEW_HW), 0x40000010, 0xc0000010);
	expect_mapped(&host, find_space(&host, "config7", VIEW_HW), 0x40000010, 0xc0000010);
	CU_ASSERT_EQUAL(host.inventory.space_count, 9); /* nested is two */
	host_deinit(&host);
}

/* A stage 1 of STE.S1DSS @dss, with two CDs each of which has a table. */
static void put_stage1_of(struct host *host, unsigned int number, const char *name,
			  unsigned int format, unsigned int max_lg2, unsigned int dss)
{
	const uint64_t first = cd_page(32 * number);
	const uint64_t table_of_cds = format ? cd_page(32 * number + 16) : first;

	put_master(host, number, name, number + 1);
	put_ste(host, number + 1, STE_S1, cds(first, format, max_lg2), dss);
	if (format)
		put(host, first, 8, table_of_cds | 1);
	put_cd(host, table_of_cds, 0, 2 * number + 1);
	put_cd(host, table_of_cds, 1, 2 * number + 2);
}

/* S1DSS in each format of CD tables (5.2): what a transaction without SubstreamID gets. */
static void test_smmu_v3_default_substream(void)
{
	struct host host;

	for (unsigned int format = 0; format < 3; format++) {
		const unsigned int max_lg2 = format == 2 ? 10 : format ? 6 : 1;

		if (!host_init(&host))
			return;
		put_smmu_v3(&host, false);
		put_stage1_of(&host, 0, "terminate", format, max_lg2, 0);
		put_stage1_of(&host, 1, "bypass", format, max_lg2, 1);
		put_stage1_of(&host, 2, "substream0", format, max_lg2, 2);
		put_stage1_of(&host, 3, "reserved", format, max_lg2, 3);
		/* S1CDMax=0: no substreams, and S1DSS and S1Fmt are ignored. */
		put_stage1_of(&host, 4, "single", 0, 0, 0);
		EXPECT_NO_ERROR(walker_smmu_v3.discover(host.kernel, &host.inventory));
		expect_mode(&host, "terminate", SPACE_BLOCKED, "S1DSS=0");
		expect_stage1(&host, "terminate pasid=0", 1);
		expect_stage1(&host, "terminate pasid=1", 2);
		expect_mode(&host, "bypass", SPACE_PASSTHROUGH, "S1DSS=1");
		expect_stage1(&host, "bypass pasid=1", 4);
		expect_stage1(&host, "substream0", 5);
		expect_stage1(&host, "substream0 pasid=1", 6);
		/* With S1DSS 2 SubstreamID 0 itself is refused. */
		CU_ASSERT(find_space(&host, "substream0 pasid=0", VIEW_HW) == NULL);
		expect_mode(&host, "reserved", SPACE_BLOCKED, "S1DSS=3");
		expect_stage1(&host, "single", 9);
		CU_ASSERT(find_space(&host, "single pasid=1", VIEW_HW) == NULL);
		CU_ASSERT_EQUAL(host.inventory.space_count, 12);
		host_deinit(&host);
	}
}

/* Context descriptors: in one array and in two levels, with and without one for no SubstreamID. */
static void test_smmu_v3_substreams(void)
{
	struct host host;

	if (!host_init(&host))
		return;
	put_smmu_v3(&host, false);
	put_master(&host, 0, "linear", 1);
	put_master(&host, 1, "4k", 2);
	put_master(&host, 2, "64k", 3);
	/* Four, one of them not valid; CD 0 is for no SubstreamID (S1DSS 2). */
	put_ste(&host, 1, STE_S1, cds(cd_page(0), 0, 2), 2);
	put_cd(&host, cd_page(0), 0, 1);
	put_cd(&host, cd_page(0), 1, 2);
	put_cd(&host, cd_page(0), 3, 3);
	put_cd(&host, cd_page(0), 4, 4); /* behind the end */
	/* 256 in tables of 64, the second of which there is not; S1DSS 0. */
	put_ste(&host, 2, STE_S1, cds(cd_page(1), 1, 8), 0);
	put(&host, cd_page(1), 8, cd_page(2) | 1);
	put(&host, cd_page(1) + 24, 8, cd_page(3) | 1);
	put_cd(&host, cd_page(2), 0, 5);
	put_cd(&host, cd_page(3), 63, 6);
	/* 2048 in tables of 1024; S1DSS 1. */
	put_ste(&host, 3, STE_S1, cds(cd_page(4), 2, 11), 1);
	put(&host, cd_page(4) + 8, 8, cd_page(16) | 1);
	put_cd(&host, cd_page(16), 1, 7);
	EXPECT_NO_ERROR(walker_smmu_v3.discover(host.kernel, &host.inventory));
	expect_stage1(&host, "linear", 1);
	expect_stage1(&host, "linear pasid=1", 2);
	expect_stage1(&host, "linear pasid=3", 3);
	expect_mode(&host, "4k", SPACE_BLOCKED, "S1DSS=0");
	expect_stage1(&host, "4k pasid=0", 5);
	expect_stage1(&host, "4k pasid=255", 6);
	expect_mode(&host, "64k", SPACE_PASSTHROUGH, "S1DSS=1");
	expect_stage1(&host, "64k pasid=1025", 7);
	CU_ASSERT_EQUAL(host.inventory.space_count, 8);
	const struct space *space = find_space(&host, "4k pasid=255", VIEW_HW);
	if (EXPECT(space && space->step_count == 3, "the way to a CD in two levels")) {
		CU_ASSERT_EQUAL(space->steps[1].entry_addr, cd_page(1) + 24);
		CU_ASSERT_EQUAL(space->steps[2].entry_addr, cd_page(3) + 63 * 64);
		CU_ASSERT(space->has_pasid && space->pasid == 255);
	}
	host_deinit(&host);
}

/* Stage 2 of 40 bits from level 1 on is two tables in a row; nested, the guest has stage 1. */
static void test_smmu_v3_stage2(void)
{
	const uint64_t word2 = 1ULL << 51 | 2ULL << 48 | 1ULL << 38 | 24ULL << 32 | 9;
	struct host host;

	if (!host_init(&host))
		return;
	put_smmu_v3(&host, false);
	put_master(&host, 0, "plain", 1);
	put_master(&host, 1, "nested", 2);
	put_ste(&host, 1, STE_S2, 0, 0);
	put_ste(&host, 2, STE_NESTED, cds(0x12345000, 0, 0), 0);
	for (unsigned int i = 1; i <= 2; i++) {
		put(&host, STREAM_TABLE + 64ULL * i + 16, 8, word2);
		put(&host, STREAM_TABLE + 64ULL * i + 24, 8, table(2));
	}
	put(&host, table(3) + 16, 8, 0xc00007fd);
	EXPECT_NO_ERROR(walker_smmu_v3.discover(host.kernel, &host.inventory));
	expect_mapped(&host, find_space(&host, "plain", VIEW_HW), 0x8080000010, 0xc0000010);
	expect_mapped(&host, find_space(&host, "nested", VIEW_HW), 0x8080000010, 0xc0000010);
	expect_mode(&host, "nested stage=1", SPACE_UNKNOWN, "physical 0x12345000");
	CU_ASSERT_EQUAL(host.inventory.space_count, 3);
	host_deinit(&host);
}

/* Two levels: StreamID bits 7 to 0 index the second. */
static void test_smmu_v3_two_level(void)
{
	struct host host;

	if (!host_init(&host))
		return;
	put_smmu_v3(&host, true);
	put(&host, STREAM_L1 + 8, 8, STREAM_TABLE | 7); /* 64 entries */
	put_master(&host, 0, "there", 0x105);
	put_master(&host, 1, "beyond", 0x140);
	put_master(&host, 2, "none", 0x205);
	put_ste(&host, 5, STE_S1, cds(cd_page(0), 0, 0), 0);
	put_ste(&host, 64, STE_S1, cds(cd_page(0), 0, 0), 0); /* 0x140, were it in the table */
	put_ste(&host, 6, STE_S1, cds(cd_page(1), 0, 0), 0);
	put_cd(&host, cd_page(0), 0, 1);
	put_cd(&host, cd_page(1), 0, 2);
	EXPECT_NO_ERROR(walker_smmu_v3.discover(host.kernel, &host.inventory));
	CU_ASSERT_STRING_EQUAL(host.inventory.units[0]->mode, "2-level");
	expect_stage1(&host, "there", 1);
	expect_mode(&host, "beyond", SPACE_BLOCKED, "no second-level");
	expect_mode(&host, "none", SPACE_BLOCKED, "no second-level");
	expect_stage1(&host, "sid:0x106", 2);
	CU_ASSERT_EQUAL(host.inventory.space_count, 4);
	host_deinit(&host);
}

/* ---- Processes: TTBR0 in every width and granule that Linux has. */
enum { TASK = 0x400, MM = 0x500, USER_TABLES = 0x200000 };

/* What a kernel says of itself, and by the manual what follows: DDI 0487, D8.2. */
struct user_tables {
	const char *info;   /* VMCOREINFO */
	unsigned int page;  /* log2 of the granule */
	unsigned int bits;  /* of an address */
	int start;	    /* the manual's level of the root */
	uint64_t phys;	    /* of a page */
	uint64_t placed_at; /* the same as it is in an entry */
};

#define INFO(page, built, t1sz)                               \
	"PAGESIZE=" page "\nNUMBER(VA_BITS)=" built "\n" t1sz \
	"SYMBOL(swapper_pg_dir)=ffff800081000000\n"           \
	"NUMBER(kimage_voffset)=0xffff800040000000\n"

static const struct user_tables user_tables[] = {
	{ INFO("4096", "39", ""), 12, 39, 1, 0x8877000, 0x8877000 },
	{ INFO("4096", "48", "NUMBER(TCR_EL1_T1SZ)=0x10\n"), 12, 48, 0, 0x8877000, 0x8877000 },
	/* Built for 52 bits, on a CPU of 48: five levels at most, four in use. */
	{ INFO("4096", "52", "NUMBER(TCR_EL1_T1SZ)=0x10\n"), 12, 48, 0, 0x8877000, 0x8877000 },
	/* LPA2: address bits 51:50 are in 9:8. */
	{ INFO("4096", "52", "NUMBER(TCR_EL1_T1SZ)=0xc\n"), 12, 52, -1, 0xc000008877000,
	  0x8877300 },
	{ INFO("16384", "36", ""), 14, 36, 2, 0x8878000, 0x8878000 },
	{ INFO("16384", "47", "NUMBER(TCR_EL1_T1SZ)=0x11\n"), 14, 47, 1, 0x8878000, 0x8878000 },
	{ INFO("16384", "52", "NUMBER(TCR_EL1_T1SZ)=0xc\n"), 14, 52, 0, 0x8000008878000,
	  0x8878200 },
	{ INFO("65536", "42", ""), 16, 42, 2, 0x8880000, 0x8880000 },
	{ INFO("65536", "52", "NUMBER(TCR_EL1_T1SZ)=0x10\n"), 16, 48, 1, 0x8880000, 0x8880000 },
	/* 64K has address bits 51:48 in 15:12. */
	{ INFO("65536", "52", "NUMBER(TCR_EL1_T1SZ)=0xc\n"), 16, 52, 1, 0xa000008880000,
	  0x888a000 },
};

static void put_task(struct host *host)
{
	put_pointer(host, INIT_TASK, TASK);
	put_pointer(host, INIT_TASK + 8, TASK);
	put_pointer(host, TASK, INIT_TASK);
	put_pointer(host, TASK + 8, INIT_TASK);
	put(host, TASK + 16, 4, 77);
	put(host, TASK + 20, 4, 77);
	put_text(host, TASK + 24, "user");
	put_pointer(host, TASK + 40, MM);
	put_pointer(host, MM, USER_TABLES);
}

/* The tables that lead to @address, and a page's entry with @bits. */
static void put_way(struct host *host, const struct user_tables *test, uint64_t address,
		    uint64_t bits)
{
	uint64_t at = USER_TABLES;

	for (int level = test->start; level <= 3; level++) {
		const unsigned int shift =
			test->page + (unsigned int)(3 - level) * (test->page - 3);
		uint64_t index = address >> shift;

		if (level > test->start)
			index &= (1ULL << (test->page - 3)) - 1;
		if (level == 3)
			put(host, at + index * 8, 8, test->placed_at | bits);
		else
			put(host, at + index * 8, 8, (at + 0x20000) | 3);
		at += 0x20000;
	}
}

static void check_user(const struct user_tables *test, uint64_t address, uint64_t bits,
		       unsigned int perm)
{
	struct pt_step steps[PT_MAX_LEVELS];
	struct process process;
	uint64_t table_address = 0;
	struct host host;

	if (!host_init(&host))
		return;
	host.memory->arch = ARCH_AARCH64;
	host.memory->vmcoreinfo = strdup(test->info);
	put_task(&host);
	put_way(&host, test, address, bits);
	if (EXPECT_NO_ERROR(process_find(host.kernel, 77, &process))) {
		const size_t n = pt_translate(&process.tree, host.memory, address + 0x123, steps);
		const struct pt_step *last = &steps[n - 1];

		EXPECT(process.known && n == (size_t)(4 - test->start) &&
			       last->run.kind == PT_LEAF && last->perm == perm &&
			       last->run.size_lg2 == test->page && last->run.address == test->phys,
		       "%u-bit, 2^%u: %zu levels, kind %d, perm %d, 0x%" PRIx64, test->bits,
		       test->page, n, last->run.kind, last->perm, last->run.address);
		/* The first address beyond the user's. */
		EXPECT(!pt_address_to_table(&process.tree.geometry, 1ULL << test->bits,
					    &table_address),
		       "%u bits", test->bits);
	}
	host_deinit(&host);
}

/* Linux's pages (arch/arm64/include/asm/pgtable-prot.h): user, AF, nG; SH where there is one. */
static void test_processes(void)
{
	const uint64_t page = 0xc43;		/* AP[1], AF, nG */
	const uint64_t no_execute = 3ULL << 53; /* UXN, PXN */
	const uint64_t dirty_modifier = 1ULL << 51;
	const uint64_t read_only = 1 << 7;

	for (size_t i = 0; i < sizeof(user_tables) / sizeof(user_tables[0]); i++) {
		const struct user_tables *test = &user_tables[i];
		const uint64_t last = (1ULL << test->bits) - (1ULL << test->page);

		check_user(test, last, page | no_execute | dirty_modifier, PT_R | PT_W);
		/* Writable and clean; read-only; executable for the user. */
		check_user(test, last, page | no_execute | dirty_modifier | read_only, PT_R | PT_W);
		check_user(test, 0x7ULL << test->page, page | no_execute | read_only, PT_R);
		check_user(test, last, page | 1ULL << 53 | read_only, PT_R | PT_X);
	}
}

void suite_arm_walkers(void)
{
	CU_pSuite suite = CU_add_suite("arm_walkers", NULL, NULL);

	CU_add_test(suite, "SMMUv2: stage 1, bypass, fault", test_smmu_v2_stage1);
	CU_add_test(suite, "SMMUv2: TTBR1", test_smmu_v2_ttbr1);
	CU_add_test(suite, "SMMUv2: stage 2", test_smmu_v2_stage2);
	CU_add_test(suite, "SMMUv3: stream table entries", test_smmu_v3_entries);
	CU_add_test(suite, "SMMUv3: STE.Config", test_smmu_v3_configs);
	CU_add_test(suite, "SMMUv3: S1DSS", test_smmu_v3_default_substream);
	CU_add_test(suite, "SMMUv3: substreams", test_smmu_v3_substreams);
	CU_add_test(suite, "SMMUv3: stage 2, nested", test_smmu_v3_stage2);
	CU_add_test(suite, "SMMUv3: two-level stream table", test_smmu_v3_two_level);
	CU_add_test(suite, "processes", test_processes);
	CU_add_test(suite, "io_pgtable", test_io_pgtable);
	CU_add_test(suite, "KVM arm64", test_kvm);
	CU_add_test(suite, "KVM arm64: nested", test_kvm_nested);
}
