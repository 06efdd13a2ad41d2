// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/counters.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/progress.h"
#include "reports/trees.h"
#include "target/error.h"
#include "walkers/node_stats.h"
#include "walkers/pages.h"

static const struct column columns[] = {
	{ "counter", COLUMN_TEXT, 23, "the kernel's counter, as in enum node_stat_item" },
	{ "item", COLUMN_TEXT, 16,
	  "kernel: what the kernel counts, all nodes together. iommu-tables, vm-tables: page tables "
	  "found here that it counts. remainder: what of it was not found. Others: memory of the "
	  "IOMMU drivers that it counts, too (docs/usage.md)" },
	{ "pages", COLUMN_SIGNED, 10, "pages; of the remainder also negative" },
	{ "detail", COLUMN_TEXT, 30, "in words" },
};

enum { COUNTER, ITEM, PAGES, DETAIL, COLUMNS };

const struct schema schema_counters = { "usage --counters", columns, COLUMNS };

/* Pages of tables by who has them. */
struct found {
	uint64_t iommu;
	uint64_t vm;
	uint64_t roots;	  /* of VMs, which KVM does not count */
	uint64_t unknown; /* tables that could not be read */
	unsigned int page_shift;
};

/* Tables of one space, those that it has alone or before others. */
struct counting {
	struct page_set *counted;
	uint64_t bytes;
};

static struct error *on_table(void *arg, const struct pt_table *table)
{
	struct counting *counting = arg;
	bool repeated = false;
	struct error *err = trees_count_once(counting->counted, table, &repeated);

	counting->bytes += repeated ? 0 : table->entry_count * sizeof(uint64_t);
	return err;
}

static struct error *count_tree(struct session *session, const struct space *space,
				struct page_set *counted, struct found *found)
{
	struct counting counting = { .counted = counted };
	const struct pt_visitor visitor = { .table = on_table, .arg = &counting };
	struct pt_statistics statistics;

	struct error *err = walk_space(session, space, 0, UINT64_MAX, &visitor, &statistics);
	const uint64_t pages = counting.bytes >> found->page_shift;
	if (strcmp(space->kind, "vm") != 0) {
		/* A root smaller than a page takes one. */
		found->iommu += (counting.bytes + (1ULL << found->page_shift) - 1) >>
				found->page_shift;
	} else {
		found->vm += pages - (space->root_uncounted && pages ? 1 : 0);
		found->roots += space->root_uncounted && pages ? 1 : 0;
	}
	found->unknown += statistics.faults[PT_FAULT_MISSING] +
			  statistics.faults[PT_FAULT_DAMAGED] + statistics.faults[PT_FAULT_CHANGED];
	return err;
}

static struct error *emit(struct emitter *emitter, const char *counter, const char *item,
			  int64_t pages, const char *detail)
{
	const struct cell cells[COLUMNS] = {
		[COUNTER] = cell_text(counter),
		[ITEM] = cell_text(item),
		[PAGES] = cell_number((uint64_t)pages),
		[DETAIL] = cell_text(detail),
	};

	return emitter_row(emitter, cells);
}

/* Queues, root and context tables, ...: NR_IOMMU_PAGES counts whatever iommu-pages.h hands out. */
static struct error *emit_parts(struct emitter *emitter, const char *counter,
				const struct inventory *inventory, int64_t *remainder)
{
	struct error *err = NULL;

	for (size_t i = 0; i < inventory->unit_count && !err; i++) {
		const struct unit *unit = inventory->units[i];

		for (size_t j = 0; j < unit->part_count && !err; j++) {
			const int64_t pages = (int64_t)(unit->parts[j].bytes / KERNEL_PAGE);

			*remainder -= pages;
			err = emit(emitter, counter, unit->parts[j].name, pages, unit->name);
		}
	}
	return err;
}

static struct error *emit_remainder(struct emitter *emitter, const char *counter, int64_t remainder,
				    const struct found *found)
{
	const char *detail = "all is accounted for";

	if (remainder > 0)
		detail = found->unknown
				 ? "not found; some tables could not be read"
				 : "not found: detached tables that wait to be freed, domains "
				   "that nothing leads to, other structures of the drivers";
	else if (remainder < 0)
		detail = "more was found than is counted";
	return emit(emitter, counter, "remainder", remainder, detail);
}

static struct error *print_counter(struct session *session, struct emitter *emitter,
				   const struct inventory *inventory, const char *counter,
				   bool iommu, bool vm, const struct found *found)
{
	bool exists = false;
	int64_t value = 0;
	struct error *err = node_stat_read(session->kernel, counter, &exists, &value);

	if (err || !exists) {
		if (!err)
			session_message(session, "this kernel has no counter %s", counter);
		return err;
	}
	int64_t remainder = value;
	err = emit(emitter, counter, "kernel", value, "all nodes, with what single CPUs hold");
	if (!err && iommu) {
		remainder -= (int64_t)found->iommu;
		err = emit(emitter, counter, "iommu-tables", (int64_t)found->iommu,
			   "page tables of IOMMUs");
	}
	if (!err && vm) {
		remainder -= (int64_t)found->vm;
		char detail[120];

		snprintf(detail, sizeof(detail),
			 "second-stage page tables of virtual machines, without %" PRIu64
			 " roots, which KVM's TDP MMU does not count",
			 found->roots);
		err = emit(emitter, counter, "vm-tables", (int64_t)found->vm, detail);
	}
	if (!err && iommu)
		err = emit_parts(emitter, counter, inventory, &remainder);
	return err ? err : emit_remainder(emitter, counter, remainder, found);
}

struct error *counters_print(struct session *session, struct emitter *emitter,
			     const struct trees *trees)
{
	struct inventory *inventory = NULL;
	struct found found = { .page_shift = 12 };
	struct pages *pages = NULL;
	struct page_set *counted = NULL;
	bool iommu_counted = false;
	int64_t ignored = 0;
	struct error *err = session_inventory(session, &inventory);

	/* The kernel counts in pages of its own size. */
	error_free(session_pages(session, &pages));
	if (pages)
		found.page_shift = pages_shift(pages);
	if (!err)
		err = page_set_create(&counted);
	for (size_t i = 0; i < trees->count && !err; i++)
		err = count_tree(session, trees->list[i].spaces[0], counted, &found);
	page_set_destroy(counted);
	/* Since 6.11 (NR_IOMMU_PAGES is new in it) the drivers count in both. */
	if (!err)
		err = node_stat_read(session->kernel, "NR_IOMMU_PAGES", &iommu_counted, &ignored);
	if (!err)
		err = print_counter(session, emitter, inventory, "NR_IOMMU_PAGES", true, false,
				    &found);
	if (!err)
		err = print_counter(session, emitter, inventory, "NR_SECONDARY_PAGETABLE",
				    iommu_counted, true, &found);
	return err;
}
