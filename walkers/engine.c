// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/engine.h"

#include <stdlib.h>
#include <string.h>

#include "formats/scan.h"
#include "target/error.h"
#include "target/page_set.h"
#include "walkers/live.h"
#include "walkers/workers.h"

/*
 * How the order is kept although tables come in batches: each depth has a
 * frame, an ordered list of what is still to be handed out and of tables still
 * to be visited. Going through a frame fills the next one, and what is not a
 * table moves on to it, too, if tables wait there; when that one is full, its
 * tables are fetched in one request and it is gone through in turn.
 */

enum { NO_FAULT = PT_FAULT_KINDS };

/* An element of a frame: leaves or a fault to hand out, or a table to enter. */
struct item {
	uint64_t iova;	   /* as the tables count */
	struct pt_run run; /* leaves, an invalid entry, or the entry that leads to the table */
	uint8_t fault;	   /* enum pt_fault_kind to report; of a table, before it is entered */
	bool is_table;
	bool repeated;		   /* a table reached before */
	const struct item *parent; /* the table that holds the entry */
	uint64_t entry_addr;
	uint64_t part_span; /* of a part of a table, what it covers minus one; 0: all of it */
	struct block_request *request; /* of a table */
};

/* Small where batches are. */
enum { FRAME_ITEMS = PT_BATCH_BYTES >> 6 };

/* What can be told of a table before its turn comes. */
struct finding {
	const struct pt_run *runs; /* of the frame; NULL: see `counted` */
	uint32_t run_count;
	uint32_t used;
	bool counted; /* entries in use are ordinary leaves: they need no runs */
	/*
	 * All entries in use, `used` of them, lead to these tables of zeros: address, and in its
	 * low bits the number of the entry. NULL: they do not, or it is not known.
	 */
	const uint64_t *barren;
};

/* Entries of a table whose tables are looked at ahead: of 4 KiB. */
enum { CHILDREN_MAX = 512 };

/* Runs of a frame's tables, found ahead; a table for which there is no room is decoded later. */
enum { FRAME_RUNS = PT_BATCH_BYTES >> 6 };

/* Frames of one depth that are fetched ahead of the one whose turn it is. */
enum { RING = 8 };

/* A table larger than the smallest page of any dump may be there in parts. */
enum { PART_LG2 = 12, PART_BYTES = 1 << PART_LG2, PARTS_MAX = PT_MAX_ENTRIES * 8 / PART_BYTES };

struct frame {
	struct job job; /* first: the frame is its job */
	struct item *items;
	struct block_request *requests;
	struct finding *findings; /* one a request */
	struct pt_run *runs;
	/* For findings' `barren`, CHILDREN_MAX a table; made when first needed. */
	uint64_t *children;
	char *blocks;
	uint64_t first_iova; /* of the first item, which is a table */
	size_t item_count;
	size_t table_count;
	size_t table_max;
	bool closed; /* nothing is added any more */
	bool fetched;
	bool submitted; /* the job's own state is the workers' */
};

/* The frames of one depth, oldest first; only the last may be open. */
struct ring {
	struct frame *frames[RING]; /* made when first needed */
	unsigned int first;
	unsigned int count;
};

struct walk {
	const struct pt_tree *tree;
	const struct pt_geometry *geometry;
	struct memory *memory;
	const struct pt_visitor *visitor;
	const struct pt_control *control;
	struct pt_statistics *statistics;
	uint64_t start; /* as the tables count */
	uint64_t last;
	struct page_set *seen;
	uint64_t repeats;
	struct pt_plain plain;		   /* of level 0; `used` 0: every table is decoded */
	bool zero_is_empty[PT_MAX_LEVELS]; /* a table of zeros at this level maps nothing */
	struct pt_run *runs[PT_MAX_LEVELS];
	struct ring rings[PT_MAX_LEVELS];
	struct workers *workers; /* made when a walk turns out to be large; NULL: no threads */
	bool no_workers;
	void *scratch; /* live: the second reading of a table */
	bool gone;     /* live: the tree is not in use any more; this has been reported */
};

static size_t table_bytes(const struct pt_geometry *geometry, unsigned int level)
{
	return sizeof(uint64_t) << pt_table_lg2(geometry, level);
}

/* What a table at @level covers minus one, safe for a 64-bit space. */
static uint64_t table_span(const struct pt_geometry *geometry, unsigned int level)
{
	unsigned int lg2 = pt_entry_lg2(geometry, level) + pt_table_lg2(geometry, level);

	return lg2 >= 64 ? ~0ULL : (1ULL << lg2) - 1;
}

static void frame_destroy(struct frame *frame)
{
	if (!frame)
		return;
	free(frame->items);
	free(frame->requests);
	free(frame->findings);
	free(frame->runs);
	free(frame->children);
	free(frame->blocks);
	free(frame);
}

static struct error *frame_create(const struct pt_geometry *geometry, unsigned int level,
				  struct frame **ret)
{
	const size_t bytes = table_bytes(geometry, level);
	const size_t lower = level + 1U < geometry->levels ? 1U << geometry->granule_lg2 : bytes;
	struct frame *frame = calloc(1, sizeof(*frame));

	if (!frame)
		return error_no_memory();
	/* A frame below the top may meet tables of any lower level: all are a granule. */
	frame->table_max = level + 1U < geometry->levels ? PT_BATCH_BYTES / lower : 1;
	if (frame->table_max == 0)
		frame->table_max = 1;
	frame->items = malloc(FRAME_ITEMS * sizeof(*frame->items));
	frame->requests = malloc(frame->table_max * sizeof(*frame->requests));
	frame->findings = malloc(frame->table_max * sizeof(*frame->findings));
	frame->runs = malloc(FRAME_RUNS * sizeof(*frame->runs));
	frame->blocks = malloc(frame->table_max * lower);
	if (!frame->items || !frame->requests || !frame->findings || !frame->runs ||
	    !frame->blocks) {
		frame_destroy(frame);
		return error_no_memory();
	}
	*ret = frame;
	return NULL;
}

static struct error *report(struct walk *walk, enum pt_fault_kind kind, unsigned int level,
			    uint64_t table, uint64_t entry_addr, uint64_t iova, uint64_t span)
{
	walk->statistics->faults[kind]++;
	if (!walk->visitor->fault)
		return NULL;
	/* Only what lies in the range that was asked for. */
	uint64_t first = iova < walk->start ? walk->start : iova;
	uint64_t last = walk->last - iova < span ? walk->last : iova + span;
	struct pt_fault fault = {
		.kind = kind,
		.level = level,
		.table = table,
		.entry_addr = entry_addr,
		.iova = pt_address_to_user(walk->geometry, first),
		.length = last - first + 1,
	};
	return walk->visitor->fault(walk->visitor->arg, &fault);
}

/* Hand out leaves or software entries, clipped to the range. */
static struct error *emit_leaves(struct walk *walk, uint64_t iova, const struct pt_run *run)
{
	struct pt_leaves leaves = {
		.iova = iova,
		.phys = run->address,
		.attrs = run->attrs,
		.size_lg2 = run->size_lg2,
		.perm = run->perm,
	};
	uint64_t first = 0;
	uint64_t items = run->count;

	if (iova < walk->start)
		first = (walk->start - iova) >> run->size_lg2;
	uint64_t beyond = ((walk->last - iova) >> run->size_lg2) + 1;
	if (items > beyond)
		items = beyond;
	if (first >= items)
		return NULL;
	leaves.count = items - first;
	leaves.iova = pt_address_to_user(walk->geometry, iova + (first << run->size_lg2));
	if (run->address != PT_NO_ADDRESS)
		leaves.phys += first << run->size_lg2;
	if (run->kind == PT_SOFT) {
		walk->statistics->soft_bytes += leaves.count << run->size_lg2;
		return walk->visitor->soft ? walk->visitor->soft(walk->visitor->arg, &leaves)
					   : NULL;
	}
	walk->statistics->leaves += leaves.count;
	walk->statistics->mapped_bytes += leaves.count << run->size_lg2;
	return walk->visitor->leaves ? walk->visitor->leaves(walk->visitor->arg, &leaves) : NULL;
}

static struct error *report_item(struct walk *walk, const struct item *item)
{
	const struct pt_geometry *geometry = walk->geometry;
	const unsigned int level = item->run.next_level;

	if (item->fault != PT_FAULT_INVALID && item->fault != PT_FAULT_TORN)
		return report(walk, item->fault, level, item->run.address, item->entry_addr,
			      item->iova,
			      item->part_span ? item->part_span : table_span(geometry, level));
	const struct pt_run *holder = &item->parent->run;
	const unsigned int entry_lg2 = pt_entry_lg2(geometry, holder->next_level);

	return report(walk, item->fault, holder->next_level, holder->address, item->entry_addr,
		      item->iova, ((uint64_t)item->run.count << entry_lg2) - 1);
}

/* Hand out what is not a table. */
static struct error *hand_out(struct walk *walk, const struct item *item)
{
	return item->fault == NO_FAULT ? emit_leaves(walk, item->iova, &item->run)
				       : report_item(walk, item);
}

/* Only a root may be larger than what is fetched at once; it is not waited for by threads. */
static void fetch(struct memory *memory, struct block_request *requests, size_t count)
{
	if (requests[0].len <= MEMORY_BLOCK_MAX) {
		memory_prefetch(memory, requests, count);
		return;
	}
	memory->ops->read(memory, requests, count);
	for (size_t i = 0; i < count; i++)
		requests[i].bytes = requests[i].data;
}

/* Whether all that is below @item lies in the range that was asked for. */
static bool is_whole(const struct walk *walk, const struct item *item)
{
	const uint64_t span = item->part_span ? item->part_span
					      : table_span(walk->geometry, item->run.next_level);

	return item->iova >= walk->start && item->iova <= walk->last &&
	       walk->last - item->iova >= span;
}

/*
 * Whether all tables that the entries of a table at level 1 lead to are known to be of zeros: then
 * these go into @children. How many; 0: no.
 */
static size_t find_barren(const struct walk *walk, const uint64_t *entries, unsigned int count,
			  uint64_t *children)
{
	struct pt_run runs[CHILDREN_MAX];
	size_t found = 0;
	const size_t run_count =
		walk->geometry->format->decode(walk->geometry, 1, entries, 0, count, runs);

	for (size_t i = 0; i < run_count; i++) {
		if (runs[i].kind == PT_TABLE && runs[i].next_level == 0 &&
		    runs[i].address % PART_BYTES == 0)
			children[found++] = runs[i].address | runs[i].index;
		else if (runs[i].kind != PT_EMPTY)
			return 0;
	}
	return found && walk->memory->ops->are_zeros(walk->memory, children, found,
						     (uint32_t)table_bytes(walk->geometry, 0))
		       ? found
		       : 0;
}

/* Tables that lead to tables of zeros only are known by what the dump says of these. */
static void examine_children(const struct walk *walk, struct frame *frame, const struct item *item,
			     struct finding *finding)
{
	const unsigned int count = (unsigned int)(item->request->len / sizeof(uint64_t));
	const size_t number = (size_t)(item->request - frame->requests);

	if (item->run.next_level != 1 || !walk->zero_is_empty[0] || !walk->memory->ops->are_zeros ||
	    count > CHILDREN_MAX || !is_whole(walk, item))
		return;
	if (!frame->children)
		frame->children = malloc(frame->table_max * CHILDREN_MAX * sizeof(uint64_t));
	if (!frame->children)
		return;
	uint64_t *children = frame->children + number * CHILDREN_MAX;
	finding->used = (uint32_t)find_barren(walk, item->request->bytes, count, children);
	if (finding->used)
		finding->barren = children;
}

/* What of @item's table, which could be read, can be told without its ancestors. */
static void examine(const struct walk *walk, const struct item *item, struct pt_run *room,
		    size_t room_count, struct finding *ret)
{
	const struct block_request *request = item->request;
	const unsigned int level = item->run.next_level;
	const unsigned int count = (unsigned int)(request->len / sizeof(uint64_t));

	*ret = (struct finding){ 0 };
	if (request->bytes == memory_zeros() && walk->zero_is_empty[level]) {
		ret->counted = true;
		return;
	}
	ret->counted = level == 0 && walk->plain.used && is_whole(walk, item) &&
		       pt_scan(&walk->plain, request->bytes, count, &ret->used);
	if (ret->counted)
		return;
	ret->used = 0;
	if (count > room_count)
		return;
	ret->runs = room;
	ret->run_count = (uint32_t)walk->geometry->format->decode(walk->geometry, level,
								  request->bytes, 0, count, room);
}

static void fetch_frame(const struct walk *walk, struct frame *frame)
{
	if (frame->table_count && !frame->fetched)
		fetch(walk->memory, frame->requests, frame->table_count);
	frame->fetched = true;
}

/* All that can be done for a frame before its turn comes; by any thread. */
static void prepare_frame(void *arg, struct job *job)
{
	const struct walk *walk = arg;
	struct frame *frame = (struct frame *)job;
	size_t used = 0;

	fetch_frame(walk, frame);
	for (size_t i = 0; i < frame->item_count; i++) {
		const struct item *item = &frame->items[i];

		if (!item->is_table || item->request->status != BLOCK_OK || !item->request->bytes)
			continue;
		struct finding *finding = &frame->findings[item->request - frame->requests];
		*finding = (struct finding){ 0 };
		examine_children(walk, frame, item, finding);
		if (finding->barren)
			continue;
		examine(walk, item, frame->runs + used, FRAME_RUNS - used, finding);
		used += finding->run_count;
	}
}

/* Not for a live kernel, of which each table is read when its turn comes: see visit_live(). */
static void read_frame(const struct walk *walk, struct frame *frame)
{
	fetch_frame(walk, frame);
	memory_finish(walk->memory, frame->requests, frame->table_count);
}

/* What no thread but this one could read. */
static void finish_frame(const struct walk *walk, struct frame *frame)
{
	for (size_t i = 0; i < frame->item_count; i++) {
		const struct item *item = &frame->items[i];

		if (!item->is_table || !memory_is_left(item->request))
			continue;
		memory_finish(walk->memory, item->request, 1);
		if (item->request->status == BLOCK_OK)
			examine(walk, item, NULL, 0,
				&frame->findings[item->request - frame->requests]);
	}
}

static struct error *visit_frame(struct walk *walk, unsigned int depth, const struct frame *frame);

/* The oldest frame of @depth: its turn has come. */
static struct error *visit_oldest(struct walk *walk, unsigned int depth)
{
	struct ring *ring = &walk->rings[depth];
	struct frame *frame = ring->frames[ring->first];

	if (frame->submitted) {
		workers_finish(walk->workers, &frame->job);
		finish_frame(walk, frame);
	} else if (!walk->memory->live) {
		read_frame(walk, frame);
		prepare_frame(walk, &frame->job);
	}
	if (walk->control && walk->control->stop && *walk->control->stop)
		return error_new("interrupted");
	if (walk->control && walk->control->progress)
		walk->control->progress(walk->control->progress_arg, walk->statistics,
					pt_address_to_user(walk->geometry, frame->first_iova));
	struct error *err = visit_frame(walk, depth, frame);
	frame->item_count = 0;
	frame->table_count = 0;
	frame->closed = false;
	frame->fetched = false;
	frame->submitted = false;
	ring->first = (ring->first + 1) % RING;
	ring->count--;
	return err;
}

/* Threads are for walks that are large: several full frames wait at one depth. */
static bool have_workers(struct walk *walk, const struct ring *ring)
{
	enum { FRAMES = 3 };

	if (walk->memory->live)
		return false;
	if (!walk->workers && !walk->no_workers && ring->count >= FRAMES && walk->control &&
	    walk->control->threads > 1)
		walk->workers = workers_create(walk->control->threads - 1, prepare_frame, walk);
	walk->no_workers |= ring->count >= FRAMES && !walk->workers;
	return walk->workers;
}

/* Nothing is added to the last frame of @depth any more: it may be prepared. */
static struct error *close_frame(struct walk *walk, unsigned int depth)
{
	struct ring *ring = &walk->rings[depth];
	struct frame *frame = ring->frames[(ring->first + ring->count - 1) % RING];

	frame->closed = true;
	if (have_workers(walk, ring)) {
		if (!walk->memory->concurrent)
			read_frame(walk, frame);
		frame->submitted = true;
		workers_submit(walk->workers, &frame->job);
	}
	return ring->count == RING ? visit_oldest(walk, depth) : NULL;
}

/* Go through all that waits at @depth. */
static struct error *frame_flush(struct walk *walk, unsigned int depth)
{
	struct ring *ring = &walk->rings[depth];
	struct error *err = NULL;

	if (ring->count && !ring->frames[(ring->first + ring->count - 1) % RING]->closed)
		err = close_frame(walk, depth);
	while (!err && ring->count)
		err = visit_oldest(walk, depth);
	return err;
}

/* The frame that takes one more item, and with @table one more table. */
static struct error *open_frame(struct walk *walk, unsigned int depth, bool table,
				struct frame **ret)
{
	struct ring *ring = &walk->rings[depth];
	struct error *err = NULL;

	if (ring->count) {
		*ret = ring->frames[(ring->first + ring->count - 1) % RING];
		if (!(*ret)->closed && (*ret)->item_count < FRAME_ITEMS &&
		    (!table || (*ret)->table_count < (*ret)->table_max))
			return NULL;
		if (!(*ret)->closed)
			err = close_frame(walk, depth);
	}
	struct frame **place = &ring->frames[(ring->first + ring->count) % RING];
	if (!err && !*place)
		err = frame_create(walk->geometry, walk->geometry->levels - 1U - depth, place);
	if (err)
		return err;
	ring->count++;
	*ret = *place;
	return NULL;
}

/* Is the table at @phys the one at @item or above it? */
static bool is_ancestor(const struct item *item, uint64_t phys)
{
	for (; item; item = item->parent) {
		if (item->run.address == phys)
			return true;
	}
	return false;
}

/* Hand out @item when its turn comes: behind the tables that wait at @depth. */
static struct error *add_item(struct walk *walk, unsigned int depth, const struct item *item)
{
	struct frame *frame = NULL;

	if (depth >= walk->geometry->levels || walk->rings[depth].count == 0)
		return hand_out(walk, item);
	struct error *err = open_frame(walk, depth, false, &frame);
	if (err)
		return err;
	frame->items[frame->item_count++] = *item;
	return NULL;
}

static struct error *add_fault(struct walk *walk, unsigned int depth, const struct item *item,
			       enum pt_fault_kind fault)
{
	struct item copy = *item;

	copy.is_table = false;
	copy.fault = (uint8_t)fault;
	return add_item(walk, depth, &copy);
}

/* The table of @item has been reached before: is it entered, and what is to be reported of it? */
static void check_repeated(struct walk *walk, struct item *item)
{
	item->is_table = true;
	item->repeated = true;
	item->fault = PT_FAULT_REPEATED;
	if (is_ancestor(item->parent, item->run.address)) {
		item->fault = PT_FAULT_LOOP;
		item->is_table = false;
	} else if (walk->repeats++ >= PT_REPEAT_LIMIT) {
		item->fault = PT_FAULT_SKIPPED;
		item->is_table = false;
	}
}

/* Decide whether the table of @item is entered, and what is to be reported about it. */
static struct error *check_table(struct walk *walk, struct item *item)
{
	bool added = false;
	struct error *err = page_set_add(walk->seen, item->run.address, &added);

	item->is_table = true;
	if (!err && !added)
		check_repeated(walk, item);
	return err;
}

/* Enter the table of @item, or report why not, when its turn comes. */
static struct error *add_table(struct walk *walk, unsigned int depth, struct item *item)
{
	struct frame *frame = NULL;
	struct error *err = check_table(walk, item);

	if (!err && !item->is_table)
		return add_item(walk, depth, item);
	if (!err)
		err = open_frame(walk, depth, true, &frame);
	if (err)
		return err;
	size_t bytes = table_bytes(walk->geometry, item->run.next_level);
	item->request = &frame->requests[frame->table_count];
	*item->request = (struct block_request){
		.phys = item->run.address,
		.data = frame->blocks + frame->table_count * bytes,
		.len = (uint32_t)bytes,
	};
	if (frame->item_count == 0)
		frame->first_iova = item->iova;
	frame->table_count++;
	frame->items[frame->item_count++] = *item;
	return NULL;
}

/* One run of a table's block. @item is the table, at @depth. */
static struct error *visit_run(struct walk *walk, unsigned int depth, const struct item *item,
			       const struct pt_run *from_block)
{
	const unsigned int level = item->run.next_level;
	const unsigned int entry_lg2 = pt_entry_lg2(walk->geometry, level);
	const uint64_t iova = item->iova + ((uint64_t)from_block->index << entry_lg2);
	uint64_t span = ((uint64_t)from_block->count << entry_lg2) - 1;

	/* Where levels are skipped the table covers less than the entry that leads to it. */
	if (from_block->kind == PT_TABLE)
		span = table_span(walk->geometry, from_block->next_level);
	if (from_block->kind == PT_EMPTY || iova > walk->last || iova + span < walk->start)
		return NULL;
	struct item below = {
		.iova = iova,
		.run = *from_block,
		.fault = NO_FAULT,
		.parent = item,
		.entry_addr = item->run.address + from_block->index * sizeof(uint64_t),
	};
	struct pt_run *run = &below.run;
	if (run->kind == PT_INVALID)
		return add_fault(walk, depth + 1, &below, PT_FAULT_INVALID);
	pt_inherit(walk->geometry, &item->run, run);
	if (run->kind == PT_TABLE)
		return add_table(walk, depth + 1, &below);
	if (run->torn) {
		struct error *err = add_fault(walk, depth + 1, &below, PT_FAULT_TORN);

		if (err)
			return err;
	}
	/* From here on items count, not entries: an item may be made of several. */
	run->count = from_block->count >> (run->size_lg2 - entry_lg2);
	return add_item(walk, depth + 1, &below);
}

static enum pt_fault_kind fault_of_status(enum block_status status)
{
	switch (status) {
	case BLOCK_OUTSIDE:
		return PT_FAULT_OUTSIDE;
	case BLOCK_DAMAGED:
		return PT_FAULT_DAMAGED;
	case BLOCK_CHANGED:
		return PT_FAULT_CHANGED;
	default:
		return PT_FAULT_MISSING;
	}
}

/* Decode the table, unless that has been done ahead or is not needed; fill in its counts. */
static void decode(struct walk *walk, const struct finding *finding, struct pt_run *room,
		   struct pt_table *table)
{
	table->used = finding->used;
	if (finding->barren && (!walk->visitor->table || walk->visitor->counts_will_do))
		return;
	if (finding->counted) {
		table->mapping = table->used;
		walk->statistics->leaves += table->used;
		walk->statistics->mapped_bytes += (uint64_t)table->used
						  << pt_entry_lg2(walk->geometry, table->level);
		return;
	}
	table->used = 0;
	table->runs = finding->runs ? finding->runs : room;
	table->run_count = finding->run_count;
	if (!finding->runs)
		table->run_count = walk->geometry->format->decode(
			walk->geometry, table->level, table->entries, 0, table->entry_count, room);
	for (size_t i = 0; i < table->run_count; i++) {
		const struct pt_run *run = &table->runs[i];

		table->used += run->kind == PT_EMPTY ? 0 : run->count;
		table->mapping += run->kind == PT_LEAF ? run->count : 0;
		table->invalid += run->kind == PT_INVALID ? run->count : 0;
	}
}

/* Tables of zeros in a row, at the ends of neighbouring entries of one table. */
struct barren {
	uint64_t phys[CHILDREN_MAX];
	unsigned int first; /* entry */
	unsigned int count;
};

static struct error *visit_zeros(struct walk *walk, const struct item *item, struct barren *zeros)
{
	const struct pt_visitor *visitor = walk->visitor;
	const unsigned int entry_lg2 = pt_entry_lg2(walk->geometry, 1);
	struct pt_table table = {
		.phys = zeros->phys[0],
		.iova = pt_address_to_user(walk->geometry,
					   item->iova + ((uint64_t)zeros->first << entry_lg2)),
		.entries = memory_zeros(),
		.entry_count = 1U << pt_table_lg2(walk->geometry, 0),
	};
	const unsigned int count = zeros->count;
	struct error *err = NULL;

	zeros->count = 0;
	walk->statistics->tables += count;
	walk->statistics->table_bytes += (uint64_t)count * table.entry_count * sizeof(uint64_t);
	if (count && visitor->zeros)
		return visitor->zeros(visitor->arg, &table, zeros->phys, count);
	for (unsigned int i = 0; i < count && !err && visitor->table; i++) {
		table.phys = zeros->phys[i];
		err = visitor->table(visitor->arg, &table);
		table.iova += 1ULL << entry_lg2;
	}
	return err;
}

/* A table of zeros that was reached before, by entry @index of the table of @item. */
static struct error *visit_zeros_again(struct walk *walk, unsigned int depth,
				       const struct item *item, uint64_t phys, unsigned int index)
{
	struct item below = {
		.iova = item->iova + ((uint64_t)index << pt_entry_lg2(walk->geometry, 1)),
		.run = { .address = phys, .index = index, .count = 1, .kind = PT_TABLE },
		.fault = NO_FAULT,
		.parent = item,
		.entry_addr = item->run.address + index * sizeof(uint64_t),
	};

	check_repeated(walk, &below);
	struct error *err = add_fault(walk, depth, &below, below.fault);
	if (err || !below.is_table || !walk->visitor->table)
		return err;
	const struct pt_table table = {
		.phys = phys,
		.iova = pt_address_to_user(walk->geometry, below.iova),
		.entries = memory_zeros(),
		.entry_count = 1U << pt_table_lg2(walk->geometry, 0),
		.repeated = true,
	};
	return walk->visitor->table(walk->visitor->arg, &table);
}

/* Below a table, at @depth, that leads to tables of zeros only: these need no frame. */
static struct error *visit_barren(struct walk *walk, unsigned int depth, const struct item *item,
				  const struct finding *finding)
{
	struct barren zeros = { .count = 0 };
	struct error *err = frame_flush(walk, depth);

	for (size_t i = 0; i < finding->used && !err; i++) {
		const unsigned int index = (unsigned int)finding->barren[i] % CHILDREN_MAX;
		const uint64_t phys = finding->barren[i] - index;
		bool added = false;

		err = page_set_add(walk->seen, phys, &added);
		if (!err && (!added || index != zeros.first + zeros.count))
			err = visit_zeros(walk, item, &zeros);
		if (!err && !added) {
			err = visit_zeros_again(walk, depth, item, phys, index);
			continue;
		}
		if (zeros.count == 0)
			zeros.first = index;
		zeros.phys[zeros.count++] = phys;
	}
	return err ? err : visit_zeros(walk, item, &zeros);
}

/* A table, or the part of one that could be read. */
static struct error *visit_block(struct walk *walk, unsigned int depth, const struct item *item,
				 const struct finding *finding)
{
	const struct block_request *request = item->request;
	struct pt_table table = {
		.phys = request->phys,
		.iova = pt_address_to_user(walk->geometry, item->iova),
		.entries = request->bytes,
		.entry_count = (unsigned int)(request->len / sizeof(uint64_t)),
		.level = item->run.next_level,
		.repeated = item->repeated,
	};

	decode(walk, finding, walk->runs[depth], &table);
	struct error *err = NULL;
	if (walk->visitor->table)
		err = walk->visitor->table(walk->visitor->arg, &table);
	if (!err && finding->barren)
		return visit_barren(walk, depth + 1, item, finding);
	for (size_t i = 0; i < table.run_count && !err; i++)
		err = visit_run(walk, depth, item, &table.runs[i]);
	return err;
}

static struct error *visit_parts(struct walk *walk, unsigned int depth, const struct item *item);

static struct error *visit_table(struct walk *walk, unsigned int depth, const struct item *item,
				 const struct finding *finding)
{
	const struct block_request *request = item->request;

	if (request->status != BLOCK_OK && request->len > PART_BYTES && !walk->memory->live)
		return visit_parts(walk, depth, item);
	if (request->status != BLOCK_OK)
		return add_fault(walk, depth + 1, item, fault_of_status(request->status));
	if (!item->repeated) {
		walk->statistics->tables++;
		walk->statistics->table_bytes += request->len;
	}
	return visit_block(walk, depth, item, finding);
}

/* One part of a table, @count pages long; all of them can be read, or none. */
static struct error *visit_part(struct walk *walk, unsigned int depth, const struct item *item,
				unsigned int first, unsigned int count, enum block_status status)
{
	const unsigned int entry_lg2 = pt_entry_lg2(walk->geometry, item->run.next_level);
	const unsigned int part_lg2 = entry_lg2 + PART_LG2 - 3;
	struct item part = *item;
	struct block_request request = {
		.phys = item->request->phys + (uint64_t)first * PART_BYTES,
		.data = (char *)item->request->data + (size_t)first * PART_BYTES,
		.len = count * PART_BYTES,
	};

	request.bytes = request.data;
	part.iova += (uint64_t)first << part_lg2;
	part.part_span = ((uint64_t)count << part_lg2) - 1;
	part.run.address = request.phys;
	part.request = &request;
	if (part.iova > walk->last || part.iova + part.part_span < walk->start)
		return NULL;
	if (status != BLOCK_OK)
		return add_fault(walk, depth + 1, &part, fault_of_status(status));
	walk->statistics->table_bytes += item->repeated ? 0 : request.len;
	struct finding finding;
	examine(walk, &part, NULL, 0, &finding);
	struct error *err = visit_block(walk, depth, &part, &finding);
	/* Nothing may be left behind that points to this function's `part`. */
	if (!err && depth + 1 < walk->geometry->levels)
		err = frame_flush(walk, depth + 1);
	return err;
}

/*
 * A table of several pages (64K, or root tables in a row) of which not all are in the dump: what
 * is there counts, and the rest is reported.
 */
static struct error *visit_parts(struct walk *walk, unsigned int depth, const struct item *item)
{
	const unsigned int count = item->request->len / PART_BYTES;
	enum block_status status[PARTS_MAX];
	struct error *err = NULL;
	bool any = false;

	for (unsigned int i = 0; i < count; i++) {
		status[i] = memory_read(
			walk->memory, item->request->phys + (uint64_t)i * PART_BYTES,
			(char *)item->request->data + (size_t)i * PART_BYTES, PART_BYTES);
		any |= status[i] == BLOCK_OK;
	}
	if (!any)
		return add_fault(walk, depth + 1, item, fault_of_status(item->request->status));
	walk->statistics->tables += item->repeated ? 0 : 1;
	for (unsigned int i = 0, end = 0; i < count && !err; i = end) {
		for (end = i + 1; end < count && status[end] == status[i];)
			end++;
		err = visit_part(walk, depth, item, i, end - i, status[i]);
	}
	return err;
}

/* The entries that lead to the table of @item, as they were when they were followed. */
static void live_path_of(const struct item *item, struct live_path *path)
{
	size_t depth = 0;

	for (const struct item *above = item; above->parent; above = above->parent)
		depth++;
	path->count = depth;
	for (const struct item *above = item; above->parent; above = above->parent) {
		const struct block_request *block = above->parent->request;
		const uint64_t at = above->entry_addr - block->phys;
		struct live_word *word = &path->words[--depth];

		word->phys = above->entry_addr;
		memcpy(&word->value, (const char *)block->data + at, sizeof(word->value));
	}
}

/* All that is left of the tree is unknown. */
static struct error *report_gone(struct walk *walk, const struct item *item)
{
	walk->gone = true;
	return report(walk, PT_FAULT_CHANGED, item->run.next_level, item->run.address,
		      item->entry_addr, item->iova, walk->last - item->iova);
}

/* What is now where the entry to the table of @item was: a leaf of the same size, or nothing. */
static struct error *visit_replaced(struct walk *walk, unsigned int depth, const struct item *item,
				    const struct live_way *way)
{
	struct item now = *item;
	const uint64_t span = table_span(walk->geometry, item->run.next_level);

	if (way->status == BLOCK_OK && way->run.kind == PT_EMPTY)
		return NULL;
	if (way->status != BLOCK_OK || way->run.kind != PT_LEAF ||
	    (1ULL << way->run.size_lg2) - 1 != span)
		return add_fault(
			walk, depth + 1, item,
			fault_of_status(way->status == BLOCK_OK ? BLOCK_CHANGED : way->status));
	now.is_table = false;
	now.fault = NO_FAULT;
	now.run = way->run;
	now.run.count = 1;
	return add_item(walk, depth + 1, &now);
}

/*
 * The way to the table of @item has changed: go it anew, until what is at its end can be believed.
 * *again: it is a table of the same level, now that of @item, and has been read.
 */
static struct error *visit_moved(struct walk *walk, unsigned int depth, struct item *item,
				 bool *again)
{
	const unsigned int level = item->run.next_level;
	struct live_way way = { .status = BLOCK_CHANGED };
	bool moved = true;

	*again = false;
	for (int tries = 0; tries < LIVE_TRIES && moved; tries++) {
		live_count(walk->memory);
		if (!live_witnessed(walk->tree, walk->memory))
			return report_gone(walk, item);
		live_descend(walk->tree, walk->memory, item->iova, level, &way);
		if (way.status != BLOCK_OK || way.run.kind != PT_TABLE ||
		    way.run.next_level != level) {
			moved = !live_holds(walk->tree, walk->memory, &way.path);
			continue;
		}
		item->run = way.run;
		item->entry_addr = way.entry_addr;
		item->request->phys = way.run.address;
		live_read(walk->tree, walk->memory, &way.path, item->request, walk->scratch,
			  &moved);
		*again = !moved;
	}
	if (*again)
		return NULL;
	if (moved)
		way.status = BLOCK_CHANGED;
	return visit_replaced(walk, depth, item, &way);
}

/* A table of a live kernel, see walkers/live.h. */
static struct error *visit_live(struct walk *walk, unsigned int depth, struct item *item)
{
	struct live_path path;
	struct error *err = NULL;
	bool moved = false;
	bool read = true;

	if (walk->gone)
		return NULL;
	live_path_of(item, &path);
	live_read(walk->tree, walk->memory, &path, item->request, walk->scratch, &moved);
	if (moved)
		err = visit_moved(walk, depth, item, &read);
	if (err || !read)
		return err;
	struct finding finding = { 0 };
	item->request->bytes = item->request->data;
	if (item->request->status == BLOCK_OK)
		examine(walk, item, NULL, 0, &finding);
	return visit_table(walk, depth, item, &finding);
}

/* Go through a frame whose tables have been read; its depth is that of its tables. */
static struct error *visit_frame(struct walk *walk, unsigned int depth, const struct frame *frame)
{
	struct error *err = NULL;

	for (size_t i = 0; i < frame->item_count && !err && !walk->gone; i++) {
		struct item *item = &frame->items[i];

		if (!item->is_table) {
			err = add_item(walk, depth + 1, item);
			continue;
		}
		if (item->fault != NO_FAULT)
			err = add_fault(walk, depth + 1, item, item->fault);
		if (!err)
			err = walk->memory->live
				      ? visit_live(walk, depth, item)
				      : visit_table(
						walk, depth, item,
						&frame->findings[item->request - frame->requests]);
	}
	if (!err && depth + 1 < walk->geometry->levels)
		err = frame_flush(walk, depth + 1);
	return err;
}

/* The part of the tables' own address range that people's [start, last] means. */
static bool clip_range(struct walk *walk, uint64_t start, uint64_t last)
{
	const struct pt_geometry *geometry = walk->geometry;
	const uint64_t end = pt_last_address(geometry);

	if (geometry->sign_extend) {
		const uint64_t half = end >> 1;
		const uint64_t upper = ~half; /* first address of the upper canonical half */

		if (start > half && start < upper)
			start = upper;
		if (last > half && last < upper)
			last = half;
		if (start > last)
			return false;
		walk->start = start & end;
		walk->last = last & end;
		return true;
	}
	const uint64_t base = geometry->base;
	if (last < base || start > (base | end))
		return false;
	walk->start = start < base ? 0 : start - base;
	walk->last = last - base < end ? last - base : end;
	return walk->start <= walk->last;
}

/* Which tables need no decoding. */
static void choose_short_cuts(struct walk *walk)
{
	const struct pt_geometry *geometry = walk->geometry;
	const bool counts_will_do = !walk->visitor->leaves || walk->visitor->counts_will_do;
	const uint64_t zero = 0;

	for (unsigned int level = 0; level < geometry->levels; level++) {
		struct pt_run run;

		geometry->format->decode(geometry, level, &zero, 0, 1, &run);
		walk->zero_is_empty[level] = run.kind == PT_EMPTY;
	}
	if (counts_will_do && !geometry->empty.mask && !geometry->tracked.mask)
		walk->plain = geometry->format->plain(geometry);
}

static struct error *walk_init(struct walk *walk)
{
	const unsigned int levels = walk->geometry->levels;
	struct error *err = page_set_create(&walk->seen);

	choose_short_cuts(walk);
	if (!err && walk->memory->live) {
		walk->scratch = malloc((size_t)PT_MAX_ENTRIES * sizeof(uint64_t));
		err = walk->scratch ? NULL : error_no_memory();
	}
	for (unsigned int depth = 0; depth < levels && !err; depth++) {
		unsigned int lg2 = pt_table_lg2(walk->geometry, levels - 1 - depth);

		if (lg2 < walk->geometry->granule_lg2 - 3U)
			lg2 = walk->geometry->granule_lg2 - 3U;
		walk->runs[depth] = malloc(sizeof(struct pt_run) << lg2);
		if (!err && !walk->runs[depth])
			err = error_no_memory();
	}
	return err;
}

static void walk_deinit(struct walk *walk)
{
	workers_destroy(walk->workers);
	for (unsigned int depth = 0; depth < PT_MAX_LEVELS; depth++) {
		for (unsigned int i = 0; i < RING; i++)
			frame_destroy(walk->rings[depth].frames[i]);
		free(walk->runs[depth]);
	}
	page_set_destroy(walk->seen);
	free(walk->scratch);
}

/* What leads to the top table. */
struct pt_run pt_root_run(const struct pt_tree *tree)
{
	return (struct pt_run){
		.address = tree->root,
		.attrs = tree->geometry.format->attrs_and,
		.kind = PT_TABLE,
		.perm = tree->perm ? tree->perm : PT_RWX,
		.next_level = (uint8_t)(tree->geometry.levels - 1),
	};
}

struct error *pt_walk(const struct pt_tree *tree, struct memory *memory, uint64_t start,
		      uint64_t last, const struct pt_visitor *visitor,
		      const struct pt_control *control, struct pt_statistics *statistics)
{
	struct walk walk = {
		.tree = tree,
		.geometry = &tree->geometry,
		.memory = memory,
		.visitor = visitor,
		.control = control,
		.statistics = statistics,
	};
	struct item root = {
		.run = pt_root_run(tree),
		.fault = NO_FAULT,
	};

	*statistics = (struct pt_statistics){ 0 };
	if (!clip_range(&walk, start, last))
		return NULL;
	struct error *err = walk_init(&walk);
	if (!err)
		err = add_table(&walk, 0, &root);
	if (!err)
		err = frame_flush(&walk, 0);
	walk_deinit(&walk);
	return err;
}

/* Whether @address has bits of levels that lie between the entry and the table it points to. */
static bool has_skipped_bits(const struct pt_geometry *geometry, const struct pt_step *step,
			     uint64_t address)
{
	const uint64_t entry_last = (1ULL << pt_entry_lg2(geometry, step->level)) - 1;

	return (address & entry_last) > table_span(geometry, step->run.next_level);
}

/*
 * A leaf that says it is one of several entries that act as one: whether the others agree
 * takes a look at all of them. What cannot be read leaves the entry at its word.
 */
static void read_whole_item(const struct pt_geometry *geometry, struct memory *memory,
			    struct pt_step *step)
{
	enum { ENTRIES_MAX = 512 };
	const unsigned int entry_lg2 = pt_entry_lg2(geometry, step->level);
	const unsigned int count = 1U << (step->run.size_lg2 - entry_lg2);
	const unsigned int first = step->index & ~(count - 1);
	const uint64_t table = step->entry_addr - step->index * sizeof(uint64_t);
	uint64_t entries[ENTRIES_MAX];
	struct pt_run runs[ENTRIES_MAX];

	if (count > ENTRIES_MAX || first + count > 1U << pt_table_lg2(geometry, step->level) ||
	    memory_read(memory, table + first * sizeof(*entries), entries,
			(uint32_t)(count * sizeof(*entries))) != BLOCK_OK)
		return;
	size_t n = geometry->format->decode(geometry, step->level, entries, first, count, runs);
	for (size_t i = 0; i < n; i++) {
		const uint64_t entries_in = step->index - runs[i].index;
		const uint64_t offset = (entries_in << entry_lg2) >> runs[i].size_lg2
									     << runs[i].size_lg2;

		if (step->index < runs[i].index || entries_in >= runs[i].count)
			continue;
		step->run = runs[i];
		step->run.index = step->index;
		step->run.count = 1;
		if (runs[i].kind == PT_LEAF)
			step->run.address += offset;
	}
}

/* Read and decode the entry of @step, whose table, level and index are set. */
static void read_step(const struct pt_geometry *geometry, struct memory *memory,
		      const struct pt_run *above, struct pt_step *step)
{
	step->entry_addr = step->table + step->index * sizeof(uint64_t);
	step->status = memory_read(memory, step->entry_addr, &step->entry, sizeof(step->entry));
	if (step->status != BLOCK_OK)
		return;
	geometry->format->decode(geometry, step->level, &step->entry, step->index, 1, &step->run);
	if (step->run.kind == PT_LEAF && step->run.size_lg2 > pt_entry_lg2(geometry, step->level))
		read_whole_item(geometry, memory, step);
	step->effective = step->run;
	pt_inherit(geometry, above, &step->effective);
	step->perm = step->effective.perm;
}

static size_t translate_once(const struct pt_tree *tree, struct memory *memory, uint64_t iova,
			     struct pt_step *steps)
{
	const struct pt_geometry *geometry = &tree->geometry;
	uint64_t address = 0;
	struct pt_run above = pt_root_run(tree);
	size_t n = 0;

	if (!pt_address_to_table(geometry, iova, &address))
		return 0;
	while (n < PT_MAX_LEVELS) {
		struct pt_step *step = &steps[n++];
		const unsigned int level = above.next_level;
		uint64_t mask = (1ULL << pt_table_lg2(geometry, level)) - 1;

		*step = (struct pt_step){ .table = above.address, .level = level };
		step->index = (unsigned int)((address >> pt_entry_lg2(geometry, level)) & mask);
		read_step(geometry, memory, &above, step);
		if (step->status != BLOCK_OK || step->run.kind != PT_TABLE)
			break;
		step->skips = has_skipped_bits(geometry, step, address);
		if (step->skips)
			break;
		above = step->effective;
	}
	return n;
}

/* A live kernel's entries are believed when all of them are still there after the last was read. */
size_t pt_translate(const struct pt_tree *tree, struct memory *memory, uint64_t iova,
		    struct pt_step *steps)
{
	size_t n = translate_once(tree, memory, iova, steps);

	for (int tries = 1; memory->live && n; tries++) {
		struct live_path path = { .count = 0 };

		for (size_t i = 0; i < n && steps[i].status == BLOCK_OK; i++)
			path.words[path.count++] =
				(struct live_word){ steps[i].entry_addr, steps[i].entry };
		if (live_holds(tree, memory, &path))
			break;
		live_count(memory);
		if (tries == LIVE_TRIES) {
			steps[n - 1].status = BLOCK_CHANGED;
			break;
		}
		n = translate_once(tree, memory, iova, steps);
	}
	return n;
}

bool pt_lookup(const struct pt_tree *tree, struct memory *memory, uint64_t iova, uint64_t *ret)
{
	struct pt_step steps[PT_MAX_LEVELS];
	size_t n = pt_translate(tree, memory, iova, steps);

	if (n == 0 || steps[n - 1].status != BLOCK_OK || steps[n - 1].run.kind != PT_LEAF)
		return false;
	const struct pt_run *run = &steps[n - 1].run;
	*ret = run->address + (iova & ((1ULL << run->size_lg2) - 1));
	return true;
}
