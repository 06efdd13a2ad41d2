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
#include "reports/selection.h"
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

/* Tables of one level, in order: a queue, no longer than the engine is ahead at that level. */
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
	size_t last_bucket[PT_MAX_LEVELS]; /* that a table of this level was in */
	/* A kept table of level 1: whatever is mapped below it keeps no more tables. */
	uint64_t kept_start;
	uint64_t kept_last;
	struct nodes nodes;
	struct pages *pages;	  /* NULL: not known */
	struct page_set *counted; /* tables of the spaces before, too; NULL: there is one only */
	unsigned int top_level;
	bool in_guest; /* the tables lie at a guest's addresses */
	struct table_faults faults;
};

static bool is_bucket(const struct usage *usage, size_t i, unsigned int level, int node,
		      uint64_t memcg)
{
	if (i >= usage->bucket_count)
		return false;
	const struct bucket *bucket = &usage->buckets[i];
	return bucket->level == level && bucket->node == node && bucket->memcg == memcg;
}

static size_t find_bucket(struct usage *usage, unsigned int level, int node, uint64_t memcg)
{
	size_t i = 0;

	if (is_bucket(usage, usage->last_bucket[level], level, node, memcg))
		return usage->last_bucket[level];
	while (i < usage->bucket_count && !is_bucket(usage, i, level, node, memcg))
		i++;
	usage->last_bucket[level] = i;
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
	if (!by_refcount_only) {
		if (usage->queues[0].count == 0 && iova >= usage->kept_start &&
		    iova <= usage->kept_last)
			return;
		settle_before(usage, iova, false);
		usage->kept_start = 1;
		usage->kept_last = 0;
	}
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
			if (level == 1 && !by_refcount_only) {
				usage->kept_start = item->start;
				usage->kept_last = item->last;
			}
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

/* Count @table into its row, whose number is put into *@ret, unless it has been counted before. */
static struct error *count_table(struct usage *usage, const struct pt_table *table, bool repeated,
				 size_t *ret)
{
	const bool in_guest = usage->in_guest;
	const int node = in_guest ? -1 : nodes_find(&usage->nodes, table->phys);
	struct page_info info = { 0 };

	if (usage->pages && !in_guest)
		page_look(usage->pages, table->phys, &info);
	struct error *err = get_bucket(usage, table->level, node, info.memcg, ret);
	if (err || repeated)
		return err;
	struct bucket *bucket = &usage->buckets[*ret];
	bucket->tables++;
	bucket->bytes += table->entry_count * sizeof(uint64_t);
	bucket->empty += table->used == 0;
	bucket->near_empty += table->used && table->used <= usage->session->options.near;
	bucket->entries_used += table->used;
	return NULL;
}

/*
 * At level 0 nothing comes below a table but its own leaves and invalid entries, and what has been
 * met before it has been passed. So it can be settled at once, if it is complete.
 */
static struct error *on_lowest_table(struct usage *usage, const struct pt_table *table,
				     const struct pending *item)
{
	if (usage->queues[1].count &&
	    usage->queues[1].items[usage->queues[1].first].last < item->start)
		settle_before(usage, item->start, false);
	if (table->mapping)
		keep_tables(usage, item->start, false);
	struct pending settled = *item;
	settled.needed = table->mapping != 0;
	settled.referenced |= settled.needed;
	settle(usage, table->level, &settled);
	return NULL;
}

static struct error *on_table(void *arg, const struct pt_table *table)
{
	const struct walk_arg *walk = arg;
	struct usage *usage = walk->usage;
	struct pending item = {
		.start = table->iova,
		.last = table_last(table, walk->geometry),
		.bytes = table->entry_count * sizeof(uint64_t),
		.repeated = table->repeated,
		.referenced = table->invalid != 0,
	};
	struct error *err = NULL;

	if (usage->counted)
		err = trees_count_once(usage->counted, table, &item.repeated);
	if (!err)
		err = count_table(usage, table, item.repeated, &item.bucket);
	if (err)
		return err;
	if (item.referenced)
		keep_tables(usage, table->iova, true);
	if (table->level == 0 && usage->top_level &&
	    table->entry_count == 1U << pt_table_lg2(walk->geometry, 0))
		return on_lowest_table(usage, table, &item);
	return push(&usage->queues[table->level], &item);
}

/* Where nothing is asked of the tables' pages they differ in nothing. */
static struct error *on_zeros(void *arg, const struct pt_table *first, const uint64_t *phys,
			      size_t count)
{
	const struct walk_arg *walk = arg;
	struct usage *usage = walk->usage;
	const bool alike = !usage->counted && usage->top_level &&
			   (usage->in_guest || (!usage->pages && !usage->nodes.count));
	struct pt_table table = *first;
	struct error *err = NULL;

	for (size_t i = 0; i < (alike ? 1 : count) && !err; i++) {
		table.phys = phys[i];
		err = on_table(arg, &table);
		table.iova = table_last(&table, walk->geometry) + 1;
	}
	if (err || !alike)
		return err;
	struct bucket *bucket = &usage->buckets[usage->last_bucket[0]];
	const uint64_t more = count - 1;
	const uint64_t bytes = more * first->entry_count * sizeof(uint64_t);
	bucket->tables += more;
	bucket->bytes += bytes;
	bucket->empty += more;
	bucket->freeable += more;
	bucket->freeable_bytes += bytes;
	bucket->refcount += more;
	bucket->refcount_bytes += bytes;
	return NULL;
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
		.kept_start = 1,
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
		.counts_will_do = true,
		.zeros = on_zeros,
	};
	struct pt_statistics statistics;

	usage->in_guest = space->memory != NULL;
	usage->top_level = space->tree.geometry.levels - 1U;
	struct error *err = walk_space(usage->session, space, 0, UINT64_MAX, &visitor, &statistics);
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
	if (!kernel)
		return NULL;
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
	struct usage usage = { .session = session, .kept_start = 1 };
	struct bucket total = { 0 };
	struct error *err = open_places(&usage);

	if (!err && trees->count > 1)
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

/* The tables of the TARGET, or of the whole host. */
static struct error *choose_trees(struct session *session, char **words, size_t count,
				  struct selection *selection, struct trees *ret)
{
	struct inventory *inventory = NULL;
	struct error *err = NULL;

	if (count == 0 || (count == 1 && strcmp(words[0], "all") == 0)) {
		err = session_inventory(session, &inventory);
		return err ? err : trees_init(ret, inventory);
	}
	if (selection_words(words, count) != count)
		return error_new("usage: '%s' is one word too many; give one TARGET",
				 words[count - 1]);
	if (session->options.counters)
		return error_new("usage --counters is about the whole host: give no TARGET");
	err = selection_init(selection, session, words, count);
	if (!err)
		err = trees_init_selected(ret, selection->spaces, selection->count);
	if (!err && ret->count == 0)
		err = error_new("%s: has no page table%s%s", selection->spaces[0]->name,
				selection->spaces[0]->reason[0] ? ": " : "",
				selection->spaces[0]->reason);
	return err;
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct selection selection = { 0 };
	struct trees trees = { 0 };
	struct error *err = choose_trees(session, words, (size_t)count, &selection, &trees);

	(void)status;
	if (!err && session->options.histogram)
		err = histogram_print(session, emitter, &trees);
	else if (!err && session->options.counters)
		err = counters_print(session, emitter, &trees);
	else if (!err)
		err = print_usage(session, emitter, &trees);
	trees_deinit(&trees);
	selection_deinit(&selection);
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
	.arguments = "[TARGET]",
	.summary = "memory in page tables, how full they are, what freeing would return",
	.description =
		"Walks every page table once and prints, for each space, level and NUMA node, how "
		"many table pages there are, how many of them are empty or near-empty, and how many "
		"could be freed: bottom-up (nothing is mapped below them) or by a reference count of "
		"the entries in use. A table that several devices or both views share is counted "
		"once, so the columns can be summed; the sum is also said on stderr. With TARGET only its "
		"tables: of a process (pid:N), which are not in `all`, or of a bare root: too.\n"
		"\n"
		"--histogram prints, for each space, its page sizes and how long its physically "
		"contiguous runs are, and so what larger pages would have been possible. --counters "
		"sets the kernel's own counters (NR_IOMMU_PAGES, NR_SECONDARY_PAGETABLE) against "
		"what was found, names each known difference, and shows what remains.",
	.options = OPTION_FORMAT | OPTION_OUTPUT | OPTION_USAGE,
	.arguments_min = 0,
	.arguments_max = 2,
	.schema = &schema_usage,
	.choose_schema = choose_schema,
	.more_schemas = more_schemas,
	.run = run,
};
