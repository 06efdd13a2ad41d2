// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Domains of PASIDs (walkers/domains.c) in structures that the test writes: SVA needs devices with
 * PASID and page requests, and a driver that uses them; no sample has any. Offsets are the test's
 * own; the three layouts of iommu_group.pasid_array's entries are those of drivers/iommu/iommu.c: a
 * domain (6.2), a handle (6.11), either with a tag (6.15).
 */
#include "tests/tests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "target/kernel.h"
#include "tests/fake_memory.h"
#include "walkers/domains.h"
#include "walkers/inventory.h"

static const uint64_t KERNEL_BASE = 0xffff888000000000ULL; /* linear map of physical 0 */

/* Where things are, by physical address; zeros elsewhere. */
enum {
	KERNEL_RAM = 1 << 20,
	INIT_TASK = 0x1000,
	IDLE_WORKER = 0x2000, /* a kernel thread that borrows the mm */
	USER_TASK = 0x3000,
	BOOT_CPU = 0x4000,
	MM = 0x5000,
	OTHER_MM = 0x6000, /* no task has it */
	DEVICE = 0x7000,
	GROUP = 0x8000,
	XA_NODE = 0x9000,
	HANDLE = 0xa000,
	SVA_DOMAIN = 0xb000,
	ORPHAN_DOMAIN = 0xc000,
	PAGING_DOMAIN = 0xd000,
	PGD = 0x10000, /* then its user half, then the lower levels */
	LOWER = 0x12000,
};

enum { PID = 4242, PF_KTHREAD = 0x00200000 };
static const uint64_t IOVA = 0x40201000, PHYS = 0x80000;

struct row {
	const char *type, *member;
	uint32_t offset, size;
};

static const struct row rows[] = {
	{ "iommu_domain", "type", 0, 4 },
	{ "iommu_domain", "mm", 8, 8 },
	{ "device", "iommu_group", 16, 8 },
	{ "iommu_group", "pasid_array", 32, 16 },
	{ "xarray", "xa_head", 8, 8 },
	{ "xa_node", "shift", 0, 1 },
	{ "xa_node", "slots", 16, 64 * 8 },
	{ "task_struct", "tasks", 0, 16 },
	{ "task_struct", "pid", 16, 4 },
	{ "task_struct", "tgid", 20, 4 },
	{ "task_struct", "flags", 24, 4 },
	{ "task_struct", "mm", 32, 8 },
	{ "task_struct", "comm", 40, 16 },
	{ "mm_struct", "pgd", 64, 8 },
	{ "cpuinfo_x86", "x86_capability", 8, 88 },
	/* By layout; see find_member(). */
	{ "iommu_attach_handle", "domain", 8, 8 },
	{ "iommu_domain", "cookie_type", 4, 4 },
};

enum layout { ENTRY_IS_DOMAIN, ENTRY_IS_HANDLE, ENTRY_IS_TAGGED };

/* Of the kernel under test. */
static enum layout layout;

static bool is_absent(const struct row *row)
{
	return (layout < ENTRY_IS_HANDLE && strcmp(row->type, "iommu_attach_handle") == 0) ||
	       (layout < ENTRY_IS_TAGGED && strcmp(row->member, "cookie_type") == 0);
}

static struct error *find_member(struct types *types, const struct type_query *query,
				 struct member *ret)
{
	(void)types;
	*ret = (struct member){ 0 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (query->member && strcmp(rows[i].type, query->type) == 0 &&
		    strcmp(rows[i].member, query->member) == 0 && !is_absent(&rows[i]))
			*ret = (struct member){ true, rows[i].offset, rows[i].size, 0, 0, NULL };
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

static size_t find_symbol(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max)
{
	(void)symbols;
	if (max && strcmp(name, "init_task") == 0)
		addrs[0] = KERNEL_BASE + INIT_TASK;
	else if (max && strcmp(name, "boot_cpu_data") == 0)
		addrs[0] = KERNEL_BASE + BOOT_CPU;
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

struct host {
	struct memory *memory;
	struct kernel *kernel;
	struct inventory *inventory;
	struct device *device;
};

static void put_pointer(struct host *host, uint64_t phys, uint64_t to)
{
	fake_write(host->memory, phys, KERNEL_BASE + to);
}

static void put_task(struct host *host, uint64_t task, uint64_t next, uint32_t pid, uint64_t flags,
		     uint64_t mm)
{
	uint64_t comm[2] = { 0 };

	snprintf((char *)comm, sizeof(comm), "sva-%u", pid);
	put_pointer(host, task, next);
	fake_write(host->memory, task + 16, (uint64_t)pid << 32 | pid);
	fake_write(host->memory, task + 24, flags);
	put_pointer(host, task + 32, mm);
	fake_write(host->memory, task + 40, comm[0]);
	fake_write(host->memory, task + 48, comm[1]);
}

/* IOVA to PHYS in four levels of 4 KiB tables, by entries with the flags @table and @page. */
static void put_page_table(struct host *host, uint64_t table, uint64_t page)
{
	uint64_t at = PGD;

	for (unsigned int level = 3; level > 0; level--) {
		const uint64_t below = LOWER + 0x1000ULL * (3 - level);

		fake_write(host->memory, at + (IOVA >> (12 + 9 * level) & 511) * 8, below | table);
		at = below;
	}
	fake_write(host->memory, at + (IOVA >> 12 & 511) * 8, PHYS | page);
}

/* The entry of PASID @pasid stands for @domain: in a handle, with a tag, or itself. */
static void put_pasid(struct host *host, unsigned int pasid, uint64_t domain, bool by_handle)
{
	enum { TAG_HANDLE = 1 };
	const uint64_t handle = HANDLE + 0x40ULL * pasid;
	const uint64_t tag = layout == ENTRY_IS_TAGGED && by_handle ? TAG_HANDLE : 0;

	put_pointer(host, handle + 8, domain);
	put_pointer(host, XA_NODE + 16 + 8ULL * pasid, (by_handle ? handle : domain) + tag);
}

static void put_structures(struct host *host)
{
	enum { XA_INTERNAL = 2, PTI_WORD = 7, PTI_BIT = 11 };

	put_task(host, INIT_TASK, IDLE_WORKER, 0, PF_KTHREAD, 0);
	put_task(host, IDLE_WORKER, USER_TASK, 7, PF_KTHREAD, MM);
	put_task(host, USER_TASK, INIT_TASK, PID, 0, MM);
	put_pointer(host, MM + 64, PGD);
	put_pointer(host, OTHER_MM + 64, PGD);
	/* Page-table isolation: only the CPU in user mode has the table behind the pgd. */
	fake_write(host->memory, BOOT_CPU + 8 + (PTI_WORD / 2) * 8, 1ULL << (32 + PTI_BIT));
	put_pointer(host, DEVICE + 16, GROUP);
	put_pointer(host, GROUP + 32 + 8, XA_NODE + XA_INTERNAL);
	fake_write(host->memory, SVA_DOMAIN, DOMAIN_SVA);
	put_pointer(host, SVA_DOMAIN + 8, MM);
	fake_write(host->memory, ORPHAN_DOMAIN, DOMAIN_SVA);
	put_pointer(host, ORPHAN_DOMAIN + 8, OTHER_MM);
	fake_write(host->memory, PAGING_DOMAIN, DOMAIN_UNMANAGED);
}

static bool add_device(struct host *host)
{
	struct unit *unit = NULL;

	if (!EXPECT_NO_ERROR(inventory_add_unit(host->inventory, &unit)) ||
	    !EXPECT_NO_ERROR(inventory_add_device(host->inventory, &host->device)))
		return false;
	snprintf(unit->driver, sizeof(unit->driver), "fake-iommu");
	snprintf(host->device->name, sizeof(host->device->name), "0000:00:04.0");
	host->device->unit = unit;
	host->device->address = KERNEL_BASE + DEVICE;
	return true;
}

static bool host_init(struct host *host, enum memory_arch arch)
{
	static const struct types_ops types_ops = { "fake", find_member, find_enumerator,
						    free_types };
	static const struct symbols_ops symbols_ops = { "fake", find_symbol, free_symbols };
	static const char arm64_info[] = "PAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffff888000000000\n"
					 "NUMBER(kimage_voffset)=0xffff888000000000\n"
					 "NUMBER(VA_BITS)=48\nNUMBER(TCR_EL1_T1SZ)=0x10\n";
	struct types *types = calloc(1, sizeof(*types));
	struct symbols *symbols = calloc(1, sizeof(*symbols));
	struct virtual_memory *virtual_memory = calloc(1, sizeof(*virtual_memory));

	*host = (struct host){ .memory = fake_create() };
	host->inventory = calloc(1, sizeof(*host->inventory));
	if (!types || !symbols || !virtual_memory || !host->inventory)
		abort();
	types->ops = &types_ops;
	symbols->ops = &symbols_ops;
	*virtual_memory = (struct virtual_memory){ read_page, to_phys, free_virtual };
	host->memory->arch = arch;
	if (arch == ARCH_AARCH64)
		host->memory->vmcoreinfo = strdup(arm64_info);
	fake_ram(host->memory, 0, KERNEL_RAM);
	put_structures(host);
	return EXPECT_NO_ERROR(kernel_create(host->memory, virtual_memory, symbols, types,
					     &host->kernel)) &&
	       add_device(host);
}

static void host_deinit(struct host *host)
{
	inventory_destroy(host->inventory);
	kernel_close(host->kernel);
}

static const struct space *find_domain(const struct host *host, uint64_t phys)
{
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "domain:0x%" PRIx64, KERNEL_BASE + phys);
	for (size_t i = 0; i < host->inventory->space_count; i++)
		if (strcmp(host->inventory->spaces[i]->name, name) == 0)
			return host->inventory->spaces[i];
	return NULL;
}

static void set_passthrough(struct space *space, const char *why)
{
	space_set_mode(space, SPACE_PASSTHROUGH, "%s", why);
}

/* Of a paging domain; SVA's are not the family's to read. */
static struct error *read_domain(const void *arg, struct space *space)
{
	(void)arg;
	EXPECT_NUMBER(space->domain, KERNEL_BASE + PAGING_DOMAIN);
	space_set_mode(space, SPACE_BLOCKED, "read by the family");
	return NULL;
}

static void discover(struct host *host, const struct pt_format *format)
{
	const struct domain_family family = { "fake-iommu", format, set_passthrough, read_domain,
					      NULL };

	EXPECT_NO_ERROR(domains_discover(host->kernel, host->inventory, &family, NULL));
}

/* The table that a device reads: the process's own, in the format of the device. */
static void expect_process(const struct host *host, const struct pt_format *format)
{
	const struct space *space = find_domain(host, SVA_DOMAIN);
	uint64_t phys = 0;

	if (!EXPECT(space && space->mode == SPACE_TABLE, "%s: no table: %s", format->name,
		    space ? space->reason : "-"))
		return;
	CU_ASSERT_PTR_EQUAL(space->tree.geometry.format, format);
	EXPECT_NUMBER(space->tree.root, PGD);
	EXPECT_NUMBER(space->tree.geometry.levels, 4);
	EXPECT_NUMBER(space->pid, PID);
	EXPECT_NUMBER(space->mm, KERNEL_BASE + MM);
	CU_ASSERT_STRING_EQUAL(space->comm, "sva-4242");
	CU_ASSERT_STRING_EQUAL(space->type, "sva");
	CU_ASSERT(space->view == VIEW_SW);
	CU_ASSERT(space->device_count == 1 && space->devices[0] == host->device);
	EXPECT(pt_lookup(&space->tree, host->memory, IOVA + 0x123, &phys) && phys == PHYS + 0x123,
	       "%s: IOVA + 0x123 is 0x%" PRIx64, format->name, phys);
	CU_ASSERT(!pt_lookup(&space->tree, host->memory, IOVA + 0x1000, &phys));
}

static void check_family(const struct pt_format *format, enum memory_arch arch, uint64_t table,
			 uint64_t page)
{
	struct host host;

	for (layout = ENTRY_IS_DOMAIN; layout <= ENTRY_IS_TAGGED; layout++) {
		const bool by_handle = layout != ENTRY_IS_DOMAIN;

		if (!host_init(&host, arch))
			return;
		put_page_table(&host, table, page);
		put_pasid(&host, 1, SVA_DOMAIN, by_handle);
		put_pasid(&host, 2, ORPHAN_DOMAIN, by_handle);
		/* Where there are tags some entries are domains still. */
		put_pasid(&host, 63, PAGING_DOMAIN, layout == ENTRY_IS_HANDLE);
		discover(&host, format);
		EXPECT(host.inventory->space_count == 3, "%s, layout %d: %zu spaces", format->name,
		       (int)layout, host.inventory->space_count);
		expect_process(&host, format);
		const struct space *space = find_domain(&host, ORPHAN_DOMAIN);
		EXPECT(space && space->mode == SPACE_UNKNOWN && space->pid == -1 &&
			       strstr(space->reason, "no process has the mm_struct"),
		       "%s", space ? space->reason : "-");
		EXPECT_NUMBER(host.inventory->warning_count, 1);
		space = find_domain(&host, PAGING_DOMAIN);
		CU_ASSERT(space && space->mode == SPACE_BLOCKED);
		host_deinit(&host);
	}
}

static void test_sva_vtd(void)
{
	check_family(&pt_format_vtd_fs, ARCH_X86_64, 7, 7);
}

static void test_sva_amd(void)
{
	check_family(&pt_format_x86_64, ARCH_X86_64, 7, 7);
}

/* Bits of a page descriptor: valid, may be used by user mode, accessed (DDI 0487, D8.3). */
static void test_sva_smmu_v3(void)
{
	check_family(&pt_format_lpae_s1, ARCH_AARCH64, 3, 1 << 10 | 1 << 6 | 3);
}

/* A family without SVA says so; it does not guess. */
static void test_sva_unsupported(void)
{
	struct host host;

	layout = ENTRY_IS_DOMAIN;
	if (!host_init(&host, ARCH_X86_64))
		return;
	put_pasid(&host, 1, SVA_DOMAIN, false);
	discover(&host, NULL);
	const struct space *space = find_domain(&host, SVA_DOMAIN);
	CU_ASSERT(space && space->mode == SPACE_UNKNOWN && strstr(space->reason, "sva domains"));
	host_deinit(&host);
}

/* PASID 0 is the group's own domain; it is not met a second time. A handle may be out of reach. */
static void test_pasid_entries(void)
{
	struct host host;

	layout = ENTRY_IS_HANDLE;
	if (!host_init(&host, ARCH_X86_64))
		return;
	put_pasid(&host, 0, ORPHAN_DOMAIN, true);
	put_pointer(&host, XA_NODE + 16 + 8, KERNEL_RAM);
	put_pasid(&host, 2, PAGING_DOMAIN, true);
	discover(&host, &pt_format_x86_64);
	EXPECT_NUMBER(host.inventory->space_count, 1);
	EXPECT_NUMBER(host.inventory->warning_count, 1);
	CU_ASSERT_PTR_NOT_NULL(find_domain(&host, PAGING_DOMAIN));
	host_deinit(&host);
}

void suite_domains(void)
{
	CU_pSuite suite = CU_add_suite("domains", NULL, NULL);

	CU_add_test(suite, "SVA: VT-d first stage", test_sva_vtd);
	CU_add_test(suite, "SVA: AMD-Vi", test_sva_amd);
	CU_add_test(suite, "SVA: SMMUv3 stage 1", test_sva_smmu_v3);
	CU_add_test(suite, "SVA: a family without", test_sva_unsupported);
	CU_add_test(suite, "entries of PASIDs", test_pasid_entries);
}
