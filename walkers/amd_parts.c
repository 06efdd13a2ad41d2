// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/amd_parts.h"

#include <stdlib.h>

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
	ALIAS_TABLE_SIZE,   /* up to 6.15: since then these are no pages of their own */
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

enum {
	PAGE_BYTES = 4096,
	LOG_BYTES = 8192,	      /* EVTLOG_SIZE_DEF, PPRLOG_SIZE_DEF */
	LOG_BYTES_MAX = 512 << 10,    /* EVTLOG_SIZE_MAX, PPRLOG_SIZE_MAX */
	DOMAIN_IDS_BYTES = 65536 / 8, /* MAX_DOMAIN_ID bits */
};

/* 0 where there is no such member, or it cannot be read. */
static uint64_t value_of(struct kernel *kernel, uint64_t base, const struct member *member)
{
	uint64_t value = 0;

	if (member->present)
		error_free(kernel_get(kernel, base, member, &value));
	return value;
}

/* A variable of @size bytes; false where there is none, or it cannot be read. */
static bool read_variable(struct kernel *kernel, const char *name, void *ret, size_t size)
{
	uint64_t address = 0;

	if (!kernel_symbol(kernel, name, &address))
		return false;
	struct error *err = kernel_read(kernel, address, ret, size);
	error_free(err);
	return !err;
}

/* The driver allocates whole pages, as many as a power of two: get_order(). */
static uint64_t allocated(uint64_t bytes)
{
	uint64_t size = PAGE_BYTES;

	while (size < bytes)
		size *= 2;
	return size;
}

/* Since 6.12 a log may be larger: on family 19h with SNP (init.c: amd_iommu_apply_erratum_snp()).
 */
static uint64_t log_bytes(struct kernel *kernel, const char *name)
{
	int32_t bytes = 0;

	if (name && read_variable(kernel, name, &bytes, sizeof(bytes)) && bytes > 0 &&
	    bytes <= LOG_BYTES_MAX)
		return (uint64_t)bytes;
	return LOG_BYTES;
}

static void add_unit_parts(struct kernel *kernel, struct unit *unit, uint64_t iommu,
			   const struct member *members)
{
	const struct {
		enum field field;
		const char *name;
		uint64_t bytes;
	} parts[] = {
		{ CMD_BUF, "queue", 8192 },
		{ EVT_BUF, "event-log", log_bytes(kernel, "amd_iommu_evtlog_size") },
		{ PPR_LOG, "page-requests", log_bytes(kernel, "amd_iommu_pprlog_size") },
		{ GA_LOG, "ga-log", 4096 },
		{ GA_LOG_TAIL, "ga-log", 8 },
		{ CMD_SEM, "wait", 1 },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (value_of(kernel, iommu, &members[parts[i].field]))
			unit_add_part(unit, parts[i].name, allocated(parts[i].bytes));
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
			unit_add_part(unit, parts[i].name, allocated(bytes));
		if (bytes && parts[i].field == RLOOKUP_TABLE_SIZE &&
		    value_of(kernel, segment, &members[IRQ_LOOKUP_TABLE]))
			unit_add_part(unit, "irq-lookup-table", allocated(bytes));
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a;
	const uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * GCR3 tables, of the host's own guest tables: with a host table below (nested) they are the
 * guest's. Only the top one is counted: those below come from get_zeroed_page(), up to 7.3 at
 * least (iommu.c: __get_gcr3_pte()).
 */
static void add_gcr3(struct unit *unit, const struct amd_segment_tables *segment, uint64_t *room)
{
	size_t count = 0;
	uint64_t bytes = 0;

	for (uint32_t rid = 0; rid < segment->count; rid++) {
		const uint64_t *dte = segment->entries[rid];

		if ((dte[0] & DTE_V) && (dte[0] & DTE_GV) && dte_mode(dte) == 0)
			room[count++] = dte_gcr3(dte);
	}
	/* A device's aliases have its table. */
	qsort(room, count, sizeof(*room), by_value);
	for (size_t i = 0; i < count; i++)
		bytes += i == 0 || room[i] != room[i - 1] ? PAGE_BYTES : 0;
	if (bytes)
		unit_add_part(unit, "gcr3", bytes);
}

/* Whether the driver has given a requester an interrupt table; else the entry is another's. */
static bool has_irq_table(struct kernel *kernel, uint64_t lookup, uint32_t rid)
{
	uint64_t table = 0;
	struct error *err =
		kernel_read(kernel, lookup + rid * sizeof(table), &table, sizeof(table));

	error_free(err);
	return !err && table;
}

/*
 * Interrupt remapping tables: since 6.16 pages that are counted; before, of the slab cache
 * amd_iommu_irq_cache. Requesters that share one may have different lengths in their entries
 * (iommu.c: set_dte_irq_entry()): it was made for the longest.
 */
static void add_irq_tables(struct kernel *kernel, struct unit *unit,
			   const struct amd_segment_tables *segment, uint64_t lookup,
			   uint64_t *room)
{
	enum { LENGTH_BITS = 4, IRTE_32 = 4, IRTE_128 = 16 };
	int32_t guest_mode = 0; /* enum amd_iommu_intr_mode_type: LEGACY is 0 */
	uint64_t address = 0;
	uint64_t bytes = 0;
	size_t count = 0;

	if (kernel_symbol(kernel, "amd_iommu_irq_cache", &address) || !lookup ||
	    !read_variable(kernel, "amd_iommu_guest_ir", &guest_mode, sizeof(guest_mode)))
		return;
	for (uint32_t rid = 0; rid < segment->count; rid++) {
		const uint64_t *dte = segment->entries[rid];

		if (dte_irq_table(dte) && has_irq_table(kernel, lookup, rid))
			room[count++] = dte_irq_table(dte) | dte_irq_entries_lg2(dte);
	}
	qsort(room, count, sizeof(*room), by_value);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 == count || room[i] >> LENGTH_BITS != room[i + 1] >> LENGTH_BITS)
			bytes += allocated((guest_mode ? IRTE_128 : IRTE_32) *
					   (1ULL << pt_field(room[i], LENGTH_BITS - 1, 0)));
	}
	if (bytes)
		unit_add_part(unit, "irq-remap", bytes);
}

static struct error *add_entries_parts(struct kernel *kernel, struct unit *unit,
				       const struct amd_segment_tables *segment,
				       const struct member *members)
{
	uint64_t *room = calloc(segment->count, sizeof(*room));

	if (!room)
		return error_no_memory();
	add_gcr3(unit, segment, room);
	add_irq_tables(kernel, unit, segment,
		       value_of(kernel, segment->address, &members[IRQ_LOOKUP_TABLE]), room);
	free(room);
	return NULL;
}

/* The bitmap of domain ids; since 6.13 an ida (init.c: early_amd_iommu_init()). */
static void add_domain_ids(struct kernel *kernel, struct unit *unit)
{
	uint64_t bitmap = 0;

	if (read_variable(kernel, "amd_iommu_pd_alloc_bitmap", &bitmap, sizeof(bitmap)) && bitmap)
		unit_add_part(unit, "domain-ids", allocated(DOMAIN_IDS_BYTES));
}

struct error *amd_parts_read(struct kernel *kernel, struct unit *unit, uint64_t iommu,
			     const struct amd_segment_tables *segment, bool first)
{
	struct member members[FIELDS];
	struct error *err = kernel_resolve(kernel, fields, members, FIELDS);

	if (err)
		return err;
	add_unit_parts(kernel, unit, iommu, members);
	if (first)
		add_domain_ids(kernel, unit);
	if (!segment->address)
		return NULL;
	add_segment_parts(kernel, unit, segment->address, members);
	return add_entries_parts(kernel, unit, segment, members);
}
