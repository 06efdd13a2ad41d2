// SPDX-License-Identifier: GPL-3.0-or-later
/* Rules about the tables themselves: one walk of each. */
#include <inttypes.h>
#include <stdlib.h>

#include "reports/check.h"
#include "reports/progress.h"
#include "reports/session.h"
#include "reports/table_faults.h"
#include "reports/trees.h"
#include "target/error.h"
#include "walkers/resources.h"

enum { COLLISIONS_MAX = 1024 };

/* A table that a space met before has, too. */
struct collision {
	uint64_t table;
	uint64_t iova;
	unsigned int level;
};

/* One space under examination. */
struct scan {
	struct checker *checker;
	const struct tree *tree;
	const struct space *space;
	const struct resources *resources;
	struct collision *collisions; /* room for COLLISIONS_MAX */
	size_t collision_count;
	bool within_other; /* its root is a table of another space: so is all of it */
	struct table_faults faults;
};

/*
 * A root that is another space's table: VT-d's driver programs the table below the top one where
 * a unit has fewer levels (up to 6.18), AMD's keeps the old root when a domain grows.
 */
static struct error *on_table(void *arg, const struct pt_table *table)
{
	struct scan *scan = arg;
	bool added = false;

	scan->checker->counts[RULE_TABLE_LOOP].looked++;
	scan->checker->counts[RULE_TABLE_TWICE].looked += !table->repeated;
	scan->checker->counts[RULE_TABLE_OUTSIDE].looked++;
	scan->checker->counts[RULE_ENTRY_INVALID].looked += table->entry_count;
	if (table->repeated || scan->within_other)
		return NULL;
	struct error *err = page_set_add(scan->checker->tables, table->phys, &added);
	if (err || added) {
		scan->checker->counts[RULE_TABLE_SHARED].looked++;
		return err;
	}
	if (table->phys == scan->space->tree.root) {
		scan->within_other = true;
	} else if (scan->collision_count < COLLISIONS_MAX) {
		scan->collisions[scan->collision_count++] =
			(struct collision){ table->phys, table->iova, table->level };
	}
	return NULL;
}

/* The first page of [phys, last] that is neither memory nor a resource; false: none. */
static bool find_stray(const struct scan *scan, uint64_t phys, uint64_t last, uint64_t *ret)
{
	for (uint64_t at = phys; at <= last;) {
		uint64_t start = 0;
		uint64_t end = 0;

		if (!memory_next_ram(scan->checker->memory, at, &start, &end))
			start = UINT64_MAX;
		if (start <= at) {
			at = end;
			continue;
		}
		const struct resource *resource = resources_find(scan->resources, at);
		if (!resource) {
			*ret = at;
			return true;
		}
		if (resource->last == UINT64_MAX)
			return false;
		at = resource->last + 1;
	}
	return false;
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct scan *scan = arg;
	struct rule_count *count = &scan->checker->counts[RULE_OUTPUT_OUTSIDE];
	const uint64_t bytes = leaves->count << leaves->size_lg2;
	uint64_t stray = 0;

	count->looked += leaves->count;
	if (scan->resources->count == 0) {
		count->unknown += leaves->count;
		return NULL;
	}
	if (!find_stray(scan, leaves->phys, leaves->phys + (bytes - 1), &stray))
		return NULL;
	const struct finding finding = {
		.rule = RULE_OUTPUT_OUTSIDE,
		.space = scan->space->name,
		.iova = leaves->iova + (stray - leaves->phys),
		.has_iova = true,
		.length = 1ULL << leaves->size_lg2,
		.phys = stray,
		.has_phys = true,
	};
	return check_report(scan->checker, &finding,
			    "0x%" PRIx64 " is neither in the dump's memory nor in iomem_resource",
			    stray);
}

/* The raw value of an entry, as evidence. */
static uint64_t entry_value(const struct scan *scan, uint64_t entry_addr)
{
	uint64_t value = 0;

	if (memory_read(scan->checker->memory, entry_addr, &value, sizeof(value)) != BLOCK_OK)
		return 0;
	return value;
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	static const struct {
		enum rule rule;
		const char *text;
	} rows[PT_FAULT_KINDS] = {
		[PT_FAULT_MISSING] = { RULES, NULL },
		[PT_FAULT_DAMAGED] = { RULES, NULL },
		[PT_FAULT_CHANGED] = { RULES, NULL },
		[PT_FAULT_OUTSIDE] = { RULE_TABLE_OUTSIDE, "leads to a table outside memory" },
		[PT_FAULT_LOOP] = { RULE_TABLE_LOOP, "leads back to a table above it" },
		[PT_FAULT_REPEATED] = { RULE_TABLE_TWICE, "leads to a table reached before" },
		[PT_FAULT_SKIPPED] = { RULE_TABLE_TWICE, "leads to a table reached before" },
		[PT_FAULT_INVALID] = { RULE_ENTRY_INVALID, "is refused by hardware" },
		[PT_FAULT_TORN] = { RULE_ENTRY_INVALID,
				    "disagrees with those that it forms one page with" },
	};
	struct scan *scan = arg;
	const enum rule rule = rows[fault->kind].rule;

	if (rule == RULES) {
		scan->checker->counts[RULE_ENTRY_INVALID].unknown++;
		scan->checker->counts[RULE_TABLE_LOOP].unknown++;
		scan->checker->counts[RULE_TABLE_TWICE].unknown++;
		scan->checker->counts[RULE_TABLE_SHARED].unknown++;
		scan->checker->counts[RULE_TABLE_OUTSIDE].unknown++;
		scan->checker->counts[RULE_OUTPUT_OUTSIDE].unknown++;
		table_faults_add(&scan->faults, fault);
		return NULL;
	}
	const struct finding finding = {
		.rule = rule,
		.space = scan->space->name,
		.iova = fault->iova,
		.has_iova = true,
		.length = fault->length,
		.phys = fault->table,
		.has_phys = true,
	};
	if (fault->entry_addr == 0)
		return check_report(scan->checker, &finding,
				    "the root table of level %u is at 0x%" PRIx64
				    ", which is not memory",
				    fault->level, fault->table);
	return check_report(scan->checker, &finding,
			    "the entry at 0x%" PRIx64 " (0x%" PRIx64
			    ") %s: level %u, table 0x%" PRIx64,
			    fault->entry_addr, entry_value(scan, fault->entry_addr),
			    rows[fault->kind].text, fault->level, fault->table);
}

/* Which other space has a table: looked for only when there is one that two have. */
struct search {
	struct scan *scan;
	const struct space *other;
	struct error *err;
};

static struct error *on_other_table(void *arg, const struct pt_table *table)
{
	const struct search *search = arg;
	struct scan *scan = search->scan;

	for (size_t i = 0; i < scan->collision_count; i++) {
		const struct collision *collision = &scan->collisions[i];

		if (collision->table != table->phys)
			continue;
		const struct finding finding = {
			.rule = RULE_TABLE_SHARED,
			.space = scan->space->name,
			.iova = collision->iova,
			.has_iova = true,
			.phys = collision->table,
			.has_phys = true,
		};
		return check_report(
			scan->checker, &finding,
			"its table of level %u is also %s's of level %u, at 0x%" PRIx64 " there",
			collision->level, search->other->name, table->level, table->iova);
	}
	return NULL;
}

static struct error *walk(struct scan *scan, const struct space *space,
			  const struct pt_visitor *visitor)
{
	struct pt_statistics statistics;
	struct progress progress;

	progress_init(&progress, scan->checker->session, space->name);
	struct error *err = pt_walk(&space->tree, space_memory(space, scan->checker->memory), 0,
				    UINT64_MAX, visitor, &progress.control, &statistics);
	progress_deinit(&progress);
	return err;
}

static struct error *report_collisions(struct scan *scan, const struct trees *trees)
{
	struct error *err = NULL;

	for (size_t i = 0; i < trees->count && !err && &trees->list[i] != scan->tree; i++) {
		struct search search = { .scan = scan, .other = trees->list[i].spaces[0] };
		const struct pt_visitor visitor = { .table = on_other_table, .arg = &search };

		err = walk(scan, search.other, &visitor);
	}
	return err;
}

static struct error *check_tree(struct checker *checker, const struct trees *trees, size_t number,
				const struct resources *resources)
{
	struct scan scan = {
		.checker = checker,
		.tree = &trees->list[number],
		.space = trees->list[number].spaces[0],
		.resources = resources,
		.collisions = malloc(COLLISIONS_MAX * sizeof(struct collision)),
	};
	const struct pt_visitor visitor = {
		.table = on_table,
		.leaves = on_leaves,
		.fault = on_fault,
		.arg = &scan,
	};

	if (!scan.collisions)
		return error_no_memory();
	struct error *err = walk(&scan, scan.space, &visitor);
	if (!err && scan.collision_count)
		err = report_collisions(&scan, trees);
	if (!err)
		err = check_space_done(checker, scan.space->name);
	table_faults_report(&scan.faults, checker->session, scan.space->name);
	free(scan.collisions);
	return err;
}

struct error *check_tables(struct checker *checker, const struct trees *trees)
{
	struct resources resources;
	struct error *err = resources_read(checker->session->kernel, &resources);

	if (err)
		err = inventory_warn(checker->inventory, err, "iomem_resource");
	for (size_t i = 0; i < trees->count && !err; i++)
		err = check_tree(checker, trees, i, &resources);
	resources_free(&resources);
	return err;
}
