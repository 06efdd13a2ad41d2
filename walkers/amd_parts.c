// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/amd_parts.h"

#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"

enum field {
	CMD_BUF,
	EVT_BUF,
	PPR_LOG,
	GA_LOG,
	GA_LOG_TAIL,
	CMD_SEM,
	DEV_TABLE_SIZE,
	ALIAS_TABLE_SIZE,   /* up to 6.14: since then these are no pages of their own */
	RLOOKUP_TABLE_SIZE, /* of two tables: by requester the unit, and its interrupts */
	IRQ_LOOKUP_TABLE,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[CMD_BUF] = { "amd_iommu", "cmd_buf", NULL },
	[EVT_BUF] = { "amd_iommu", "evt_buf", NULL },
	[PPR_LOG] = { "amd_iommu", "ppr_log", NULL },
	[GA_LOG] = { "amd_iommu", "ga_log", NULL },
	[GA_LOG_TAIL] = { "amd_iommu", "ga_log_tail", NULL },
	[CMD_SEM] = { "amd_iommu", "cmd_sem", NULL },
	[DEV_TABLE_SIZE] = { "amd_iommu_pci_seg", "dev_table_size", NULL },
	[ALIAS_TABLE_SIZE] = { "amd_iommu_pci_seg", "alias_table_size", NULL },
	[RLOOKUP_TABLE_SIZE] = { "amd_iommu_pci_seg", "rlookup_table_size", NULL },
	[IRQ_LOOKUP_TABLE] = { "amd_iommu_pci_seg", "irq_lookup_table", NULL },
};

enum { PAGE_BYTES = 4096 };

/* 0 where there is no such member, or it cannot be read. */
static uint64_t value_of(struct kernel *kernel, uint64_t base, const struct member *member)
{
	uint64_t value = 0;

	if (member->present)
		error_free(kernel_get(kernel, base, member, &value));
	return value;
}

static void add_unit_parts(struct kernel *kernel, struct unit *unit, uint64_t iommu,
			   const struct member *members)
{
	static const struct {
		enum field field;
		const char *name;
		uint64_t pages;
	} parts[] = {
		{ CMD_BUF, "queue", 2 },	 { EVT_BUF, "event-log", 2 },
		{ PPR_LOG, "page-requests", 2 }, { GA_LOG, "ga-log", 4 },
		{ GA_LOG_TAIL, "ga-log", 1 },	 { CMD_SEM, "wait", 1 },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (value_of(kernel, iommu, &members[parts[i].field]))
			unit_add_part(unit, parts[i].name, parts[i].pages * PAGE_BYTES);
	}
}

static void add_segment_parts(struct kernel *kernel, struct unit *unit, uint64_t segment,
			      const struct member *members)
{
	static const struct {
		enum field field;
		const char *name;
	} parts[] = {
		{ DEV_TABLE_SIZE, "device-table" },
		{ ALIAS_TABLE_SIZE, "alias-table" },
		{ RLOOKUP_TABLE_SIZE, "rlookup-table" },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const uint64_t bytes = value_of(kernel, segment, &members[parts[i].field]);

		if (bytes)
			unit_add_part(unit, parts[i].name,
				      (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1));
		if (bytes && parts[i].field == RLOOKUP_TABLE_SIZE &&
		    value_of(kernel, segment, &members[IRQ_LOOKUP_TABLE]))
			unit_add_part(unit, "irq-lookup-table",
				      (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1));
	}
}

struct error *amd_parts_read(struct kernel *kernel, struct unit *unit, uint64_t iommu,
			     uint64_t segment)
{
	struct member members[FIELDS];
	struct error *err = kernel_resolve(kernel, fields, members, FIELDS);

	if (err)
		return err;
	add_unit_parts(kernel, unit, iommu, members);
	if (segment)
		add_segment_parts(kernel, unit, segment, members);
	return NULL;
}
