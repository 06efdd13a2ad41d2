// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Where the memory of page tables went: by space, level and NUMA node, how full the tables are,
 * and what freeing empty ones would return.
 *
 * Two policies are compared. Bottom-up: a table with nothing mapped anywhere below it goes, and
 * so do the tables that only led to such ones. Reference count: each table counts its entries in
 * use and is freed by the unmap that takes the last one away ("IOMMU Observability", LPC 2023;
 * the series "iommu/intel: Free empty page tables on unmaps"); an entry that translates nothing
 * but is not zero still counts there. A root is never freed while its owner lives.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/counters.h"
#include "reports/histogram.h"
#include "reports/progress.h"
#include "reports/table_faults.h"
#include "reports/trees.h"
#include "target/error.h"
#include "walkers/memcg.h"
#include "walkers/nodes.h"
#include "walkers/pages.h"

static const struct column columns[] = {
	{ "space", COLUMN_TEXT, 25, "the space whose tables these are; shared tables count once" },
	{ "level", COLUMN_NUMBER, 5, "level of the tables, 0 the leaf-most" },
	{ "node", COLUMN_NUMBER, 4, "NUMA node of the tables' memory; empty when not known" },
	{ "tables", COLUMN_NUMBER, 9, "table pages" },
	{ "bytes", COLUMN_NUMBER, 12, "bytes in them" },
	{ "empty", COLUMN_NUMBER, 9, "tables without any entry in use" },
	{ "near_empty", COLUMN_NUMBER, 10,
	  "tables with at least one entry in use, and at most --near N" },
	{ "entries_used", COLUMN_NUMBER, 12, "entries in use in all of them" },
	{ "freeable", COLUMN_NUMBER, 9,
	  "tables below the root with nothing mapped below them: what dropping empty tables "
	  "bottom-up would free" },
	{ "freeable_bytes", COLUMN_NUMBER, 14, "bytes in those" },
	{ "refcount", COLUMN_NUMBER, 9,
	  "tables that a count of entries in use would have freed at the last unmap" },
	{ "refcount_bytes", COLUMN_NUMBER, 14, "bytes in those" },
	{ "memcg", COLUMN_TEXT, 12, "memory cgroup that the tables are charged to" },
	{ "devices", COLUMN_TEXT, 12, "devices that translate by them, joined by |" },
};

enum {
	SPACE,
	LEVEL,
	NODE,
	TABLES,
	BYTES,
	EMPTY,
	NEAR_EMPTY,
	ENTRIES_USED,
	FREEABLE,
	FREEABLE_BYTES,
	REFCOUNT,
	REFCOUNT_BYTES,
	MEMCG,
	DEVICES,
	COLUMNS,
};

const struct schema schema_usage = { "usage", columns, COLUMNS };

enum { MEMCG_BYTES = 512 };

/* One row: the tables of one level, node and memcg. */
struct bucket {
	unsigned int level;
	int node;	/* -1: not known */
	uint64_t memcg; /* as in struct page; 0: none */
	uint64_t tables;
	uint64_t bytes;
	uint64_t empty;
	uint64_t near_empty;
	uint64_t entries_used;
	uint64_t freeable;
	uint64_t freeable_bytes;
	uint64_t refcount;
	uint64_t refcount_bytes;
};

/* A table that was met and whose part of the space has not been passed yet. */
struct pending {
	uint64_t start; /* of its input addresses, as people see them */
	uint64_t last;
	uint64_t bytes;
	size_t bucket;
	bool repeated;
	bool needed;	 /* something is mapped or unknown below it */
	bool referenced; /* or an entry that is not zero keeps it, by reference count */
};

/* Tables of one level, in order: a queue. */
struct queue {
	struct pending *items;
	size_t first;
	size_t count;
	size_t room;
};

struct usage {
	struct session *session;
	struct bucket *buckets;
	size_t bucket_count;
	struct queue queues[PT_MAX_LEVELS];
	struct nodes nodes;
	struct pages *pages;	  /* NULL: not known */
	struct page_set *counted; /* tables of the spaces before, too */
	unsigned int top_level;
	struct table_faults faults;
};

static size_t find_bucket(struct usage *usage, unsigned int level, int node, uint64_t memcg)
{
	size_t i = 0;

	while (i < usage->bucket_count &&
	       (usage->buckets[i].level != level || usage->buckets[i].node != node ||
		usage->buckets[i].memcg != memcg))
		i++;
	return i;
}

static struct error *get_bucket(struct usage *usage, unsigned int level, int node, uint64_t memcg,
				size_t *ret)
{
	*ret = find_bucket(usage, level, node, memcg);
	if (*ret < usage->bucket_count)
		return NULL;
	struct bucket *larger =
		realloc(usage->buckets, (usage->bucket_count + 1) * sizeof(*usage->buckets));
	if (!larger)
		return error_no_memory();
	usage->buckets = larger;
	usage->buckets[usage->bucket_count++] =
		(struct bucket){ .level = level, .node = node, .memcg = memcg };
	return NULL;
}

static struct error *push(struct queue *queue, const struct pending *item)
{
	if (queue->first + queue->count == queue->room) {
		if (queue->first > queue->count) {
			memmove(queue->items, queue->items + queue->first,
				queue->count * sizeof(*queue->items));
			queue->first = 0;
		} else {
			size_t room = queue->room ? queue->room * 2 : 64;
			struct pending *larger = realloc(queue->items, room * sizeof(*larger));

			if (!larger)
				return error_no_memory();
			queue->items = larger;
			queue->room = room;
		}
	}
	queue->items[queue->first + queue->count++] = *item;
	return NULL;
}

/* The walk has passed a table: nothing more can come below it. */
static void settle(struct usage *usage, unsigned int level, const struct pending *item)
{
	struct bucket *bucket = &usage->buckets[item->bucket];

	if (item->repeated || level == usage->top_level)
		return;
	bucket->freeable += !item->needed;
	bucket->freeable_bytes += item->needed ? 0 : item->bytes;
	bucket->refcount += !item->referenced;
	bucket->refcount_bytes += item->referenced ? 0 : item->bytes;
}

static void settle_before(struct usage *usage, uint64_t iova, bool all)
{
	for (unsigned int level = 0; level < PT_MAX_LEVELS; level++) {
		struct queue *queue = &usage->queues[level];

		while (queue->count && (all || queue->items[queue->first].last < iova)) {
			settle(usage, level, &queue->items[queue->first]);
			queue->first++;
			queue->count--;
		}
	}
}

/*
 * Something at @iova keeps the tables on the way to it. Leaves come in order, so these are at the
 * heads of their queues once what lies before has been passed.
 */
static void keep_tables(struct usage *usage, uint64_t iova, bool by_refcount_only)
{
	if (!by_refcount_only)
		settle_before(usage, iova, false);
	for (unsigned int level = 0; level < PT_MAX_LEVELS; level++) {
		struct queue *queue = &usage->queues[level];

		for (size_t i = 0; i < queue->count; i++) {
			struct pending *item = &queue->items[queue->first + i];

			if (item->start > iova)
				break;
			if (item->last < iova)
				continue;
			item->referenced = true;
			item->needed |= !by_refcount_only;
		}
	}
}

static uint64_t table_last(const struct pt_table *table, const struct pt_geometry *geometry)
{
	const unsigned int lg2 =
		pt_entry_lg2(geometry, table->level) + pt_table_lg2(geometry, table->level);

	return table->iova + (lg2 >= 64 ? UINT64_MAX : (1ULL << lg2) - 1);
}

struct walk_arg {
	struct usage *usage;
	const struct pt_geometry *geometry;
};

static struct error *on_table(void *arg, const struct pt_table *table)
{
	const struct walk_arg *walk = arg;
	struct usage *usage = walk->usage;
	struct pending item = {
		.start = table->iova,
		.last = table_last(table, walk->geometry),
		.bytes = table->entry_count * sizeof(uint64_t),
	};
	uint64_t used = 0;
	struct error *err = trees_count_once(usage->counted, table, &item.repeated);

	if (err)
		return err;
	for (size_t i = 0; i < table->run_count; i++) {
		used += table->runs[i].kind == PT_EMPTY ? 0 : table->runs[i].count;
		item.referenced |= table->runs[i].kind == PT_INVALID;
	}
	struct page_info info = { 0 };
	if (usage->pages)
		page_look(usage->pages, table->phys, &info);
	err = get_bucket(usage, table->level, nodes_find(&usage->nodes, table->phys), info.memcg,
			 &item.bucket);
	if (err)
		return err;
	struct bucket *bucket = &usage->buckets[item.bucket];
	if (!item.repeated) {
		bucket->tables++;
		bucket->bytes += item.bytes;
		bucket->empty += used == 0;
		bucket->near_empty += used && used <= usage->session->options.near;
		bucket->entries_used += used;
	}
	if (item.referenced)
		keep_tables(usage, table->iova, true);
	return push(&usage->queues[table->level], &item);
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	const struct walk_arg *walk = arg;

	keep_tables(walk->usage, leaves->iova, false);
	return NULL;
}

/* What cannot be seen may be mapped: the tables on the way to it are not free. */
static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	const struct walk_arg *walk = arg;

	table_faults_add(&walk->usage->faults, fault);
	if (fault->kind != PT_FAULT_REPEATED && fault->kind != PT_FAULT_INVALID &&
	    fault->kind != PT_FAULT_TORN)
		keep_tables(walk->usage, fault->iova, false);
	return NULL;
}

static int compare_buckets(const void *a, const void *b)
{
	const struct bucket *left = a;
	const struct bucket *right = b;

	if (left->level != right->level)
		return left->level < right->level ? 1 : -1;
	if (left->node != right->node)
		return left->node < right->node ? -1 : 1;
	return (left->memcg > right->memcg) - (left->memcg < right->memcg);
}

static struct error *emit_bucket(const struct usage *usage, struct emitter *emitter,
				 const char *space, const struct bucket *bucket,
				 const char *devices)
{
	char memcg[MEMCG_BYTES];
	struct error *err = memcg_path(usage->session->kernel, bucket->memcg, memcg, sizeof(memcg));

	if (err) {
		session_message(usage->session, "warning: memcg 0x%" PRIx64 ": %s", bucket->memcg,
				err->message);
		error_free(err);
	}
	const struct cell cells[COLUMNS] = {
		[SPACE] = cell_text(space),
		[LEVEL] = cell_number(bucket->level),
		[NODE] = bucket->node < 0 ? cell_empty() : cell_number((uint64_t)bucket->node),
		[TABLES] = cell_number(bucket->tables),
		[BYTES] = cell_number(bucket->bytes),
		[EMPTY] = cell_number(bucket->empty),
		[NEAR_EMPTY] = cell_number(bucket->near_empty),
		[ENTRIES_USED] = cell_number(bucket->entries_used),
		[FREEABLE] = cell_number(bucket->freeable),
		[FREEABLE_BYTES] = cell_number(bucket->freeable_bytes),
		[REFCOUNT] = cell_number(bucket->refcount),
		[REFCOUNT_BYTES] = cell_number(bucket->refcount_bytes),
		[MEMCG] = cell_text(memcg),
		[DEVICES] = cell_text(devices),
	};
	return emitter_row(emitter, cells);
}

static void add_totals(struct bucket *total, const struct bucket *bucket)
{
	total->tables += bucket->tables;
	total->bytes += bucket->bytes;
	total->empty += bucket->empty;
	total->near_empty += bucket->near_empty;
	total->freeable += bucket->freeable;
	total->freeable_bytes += bucket->freeable_bytes;
	total->refcount += bucket->refcount;
	total->refcount_bytes += bucket->refcount_bytes;
}

static void usage_reset(struct usage *usage)
{
	for (unsigned int level = 0; level < PT_MAX_LEVELS; level++)
		free(usage->queues[level].items);
	free(usage->buckets);
	*usage = (struct usage){
		.session = usage->session,
		.nodes = usage->nodes,
		.pages = usage->pages,
		.counted = usage->counted,
	};
}

static struct error *measure(struct usage *usage, const struct space *space)
{
	struct walk_arg arg = { usage, &space->tree.geometry };
	const struct pt_visitor visitor = {
		.table = on_table,
		.leaves = on_leaves,
		.fault = on_fault,
		.arg = &arg,
	};
	struct pt_statistics statistics;
	struct progress progress;

	usage->top_level = space->tree.geometry.levels - 1U;
	progress_init(&progress, usage->session, space->name);
	struct error *err = pt_walk(&space->tree,
				    space_memory(space, kernel_memory(usage->session->kernel)), 0,
				    UINT64_MAX, &visitor, &progress.control, &statistics);
	progress_deinit(&progress);
	settle_before(usage, 0, true);
	table_faults_report(&usage->faults, usage->session, space->name);
	return err;
}

static struct error *print_tree(struct usage *usage, struct emitter *emitter,
				const struct tree *tree, struct bucket *total)
{
	char *devices = NULL;
	struct error *err = measure(usage, tree->spaces[0]);

	if (!err)
		err = tree_devices(tree, &devices);
	if (!err && usage->bucket_count)
		qsort(usage->buckets, usage->bucket_count, sizeof(*usage->buckets),
		      compare_buckets);
	for (size_t i = 0; i < usage->bucket_count && !err; i++) {
		add_totals(total, &usage->buckets[i]);
		err = emit_bucket(usage, emitter, tree->spaces[0]->name, &usage->buckets[i],
				  devices);
	}
	free(devices);
	usage_reset(usage);
	return err;
}

/* Node and memcg of a table: where they cannot be known their cells stay empty, and it is said. */
static struct error *open_places(struct usage *usage)
{
	struct kernel *kernel = usage->session->kernel;
	struct error *err = pages_create(kernel, &usage->pages);

	if (!err)
		err = nodes_read(kernel, pages_shift(usage->pages), &usage->nodes);
	if (err)
		session_message(usage->session, "warning: nodes and memcgs: %s", err->message);
	error_free(err);
	return NULL;
}

static struct error *print_usage(struct session *session, struct emitter *emitter,
				 const struct trees *trees)
{
	struct usage usage = { .session = session };
	struct bucket total = { 0 };
	struct error *err = open_places(&usage);

	if (!err)
		err = page_set_create(&usage.counted);
	for (size_t i = 0; i < trees->count && !err; i++)
		err = print_tree(&usage, emitter, &trees->list[i], &total);
	nodes_free(&usage.nodes);
	pages_destroy(usage.pages);
	page_set_destroy(usage.counted);
	if (err)
		return err;
	session_message(session,
			"%" PRIu64 " table pages, %" PRIu64 " bytes, in %zu spaces; %" PRIu64
			" empty, %" PRIu64
			" near-empty; freeing empty ones bottom-up returns %" PRIu64
			" bytes, by reference count %" PRIu64 " bytes",
			total.tables, total.bytes, trees->count, total.empty, total.near_empty,
			total.freeable_bytes, total.refcount_bytes);
	return NULL;
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct inventory *inventory = NULL;
	struct trees trees = { 0 };
	struct error *err = session_inventory(session, &inventory);

	(void)count;
	(void)words;
	(void)status;
	if (!err)
		err = trees_init(&trees, inventory);
	if (!err && session->options.histogram)
		err = histogram_print(session, emitter, &trees);
	else if (!err && session->options.counters)
		err = counters_print(session, emitter, &trees);
	else if (!err)
		err = print_usage(session, emitter, &trees);
	trees_deinit(&trees);
	return err;
}

static const struct schema *choose_schema(const struct options *options)
{
	return options->histogram  ? &schema_histogram
	       : options->counters ? &schema_counters
				   : &schema_usage;
}

static const struct schema *const more_schemas[] = { &schema_histogram, &schema_counters, NULL };

const struct command command_usage = {
	.name = "usage",
	.arguments = "",
	.summary = "memory in page tables, how full they are, what freeing would return",
	.description =
		"Walks every page table once and prints, for each space, level and NUMA node, how "
		"many table pages there are, how many of them are empty or near-empty, and how many "
		"could be freed: bottom-up (nothing is mapped below them) or by a reference count of "
		"the entries in use. A table that several devices or both views share is counted "
		"once, so the columns can be summed; the sum is also said on stderr.\n"
		"\n"
		"--histogram prints, for each space, its page sizes and how long its physically "
		"contiguous runs are, and so what larger pages would have been possible. --counters "
		"sets the kernel's own counters (NR_IOMMU_PAGES, NR_SECONDARY_PAGETABLE) against "
		"what was found, names each known difference, and shows what remains.",
	.options = OPTION_FORMAT | OPTION_OUTPUT | OPTION_USAGE,
	.arguments_min = 0,
	.arguments_max = 0,
	.schema = &schema_usage,
	.choose_schema = choose_schema,
	.more_schemas = more_schemas,
	.run = run,
};
