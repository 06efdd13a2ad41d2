// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The engine: order, batches, ranges, and tables that are out to harm it. The trees are VT-d
 * second stage, whose entry is an address with R and W in bits 1:0, and PS in bit 7.
 */
#include "tests/tests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "tests/fake_memory.h"
#include "walkers/engine.h"

enum { RW = 3, LARGE = 0x80 | RW, KIB4 = 1 << 12, MIB2 = 1 << 21, GIB = 1 << 30 };

struct event {
	enum { LEAVES, FAULT } type;
	uint64_t iova;
	uint64_t length;
	uint64_t phys; /* of a fault its table */
	uint64_t entry_addr;
	enum pt_fault_kind kind;
	unsigned int level;
};

enum { EVENTS_MAX = 64 };

/* All that a walk says; events beyond EVENTS_MAX are only checked and counted. */
struct record {
	struct event events[EVENTS_MAX];
	uint64_t event_count;
	uint64_t leaves_bytes;
	uint64_t leaves_items;
	uint64_t skipped_bytes;
	uint64_t faults[PT_FAULT_KINDS];
	uint64_t tables[PT_MAX_LEVELS];
	uint64_t repeated_tables;
	uint64_t next; /* where the next event may begin, at the earliest */
	uint64_t next_table[PT_MAX_LEVELS];
	bool gaps; /* not every byte was accounted for */
	bool disorder;
	bool partial_table;
	unsigned int countdown; /* fail or stop at this call; 0 never */
	volatile sig_atomic_t stop;
	struct error *err;
};

struct host {
	struct memory *memory;
	struct pt_tree tree;
	struct record record;
	struct pt_statistics statistics;
};

static struct error *count_down(struct record *record)
{
	if (record->countdown == 0 || --record->countdown)
		return NULL;
	record->stop = 1;
	return record->err;
}

static struct error *add_event(struct record *record, const struct event *event, bool hides)
{
	if (record->event_count++ < EVENTS_MAX)
		record->events[record->event_count - 1] = *event;
	record->disorder |= event->iova < record->next;
	record->gaps |= event->iova != record->next;
	record->next = hides ? event->iova + event->length : event->iova;
	return count_down(record);
}

static struct error *on_table(void *arg, const struct pt_table *table)
{
	struct record *record = arg;

	record->tables[table->level]++;
	record->repeated_tables += table->repeated;
	record->partial_table |= table->entry_count != 512 || table->run_count > 512;
	record->disorder |= table->iova < record->next_table[table->level];
	record->next_table[table->level] = table->iova + 1;
	return count_down(record);
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct record *record = arg;
	const struct event event = {
		.type = LEAVES,
		.iova = leaves->iova,
		.length = leaves->count << leaves->size_lg2,
		.phys = leaves->phys,
	};

	record->leaves_bytes += event.length;
	record->leaves_items += leaves->count;
	return add_event(record, &event, true);
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct record *record = arg;
	const struct event event = {
		.type = FAULT,
		.iova = fault->iova,
		.length = fault->length,
		.phys = fault->table,
		.entry_addr = fault->entry_addr,
		.kind = fault->kind,
		.level = fault->level,
	};

	record->faults[fault->kind]++;
	record->skipped_bytes += fault->kind == PT_FAULT_SKIPPED ? fault->length : 0;
	return add_event(record, &event, fault->kind != PT_FAULT_REPEATED);
}

static void host_init(struct host *host, unsigned int levels)
{
	const struct pt_parameters parameters = { .levels = (uint8_t)levels };

	memset(host, 0, sizeof(*host));
	host->memory = fake_create();
	fake_ram(host->memory, 0, 1ULL << 30);
	EXPECT_NO_ERROR(pt_geometry_init(&pt_format_vtd_ss, &parameters, &host->tree.geometry));
	host->tree.root = 0x1000;
}

static void host_deinit(struct host *host)
{
	memory_close(host->memory);
}

static void entry(struct host *host, uint64_t table, unsigned int index, uint64_t value)
{
	fake_write(host->memory, table + index * 8ULL, value);
}

static struct error *walk_range(struct host *host, uint64_t start, uint64_t last)
{
	struct record *record = &host->record;
	const struct pt_visitor visitor = {
		.table = on_table, .leaves = on_leaves, .fault = on_fault, .arg = record
	};
	const struct pt_control control = { .stop = &record->stop };

	return pt_walk(&host->tree, host->memory, start, last, &visitor, &control,
		       &host->statistics);
}

/* A walk that must not fail, and whose statistics have to agree with what was visited. */
static const struct record *walk(struct host *host, uint64_t start, uint64_t last)
{
	struct record *record = &host->record;
	uint64_t tables = 0;

	memset(record, 0, sizeof(*record));
	EXPECT_NO_ERROR(walk_range(host, start, last));
	for (unsigned int level = 0; level < PT_MAX_LEVELS; level++)
		tables += record->tables[level];
	EXPECT_NUMBER(host->statistics.tables, tables - record->repeated_tables);
	EXPECT_NUMBER(host->statistics.table_bytes, 4096 * (tables - record->repeated_tables));
	EXPECT_NUMBER(host->statistics.leaves, record->leaves_items);
	EXPECT_NUMBER(host->statistics.mapped_bytes, record->leaves_bytes);
	for (int kind = 0; kind < PT_FAULT_KINDS; kind++)
		EXPECT_NUMBER(host->statistics.faults[kind], record->faults[kind]);
	CU_ASSERT_FALSE(record->disorder);
	CU_ASSERT_FALSE(record->partial_table);
	return record;
}

static const struct record *walk_all(struct host *host)
{
	return walk(host, 0, UINT64_MAX);
}

static void expect_event(const struct record *record, unsigned int i, const struct event *should,
			 unsigned int line)
{
	const struct event *is = &record->events[i];
	bool same = i < record->event_count && is->type == should->type &&
		    is->iova == should->iova && is->length == should->length &&
		    is->phys == should->phys;

	if (same && is->type == FAULT)
		same = is->kind == should->kind && is->level == should->level &&
		       is->entry_addr == should->entry_addr;
	expect_at(same, __FILE__, line,
		  "event %u of %" PRIu64 " is type %d 0x%" PRIx64 "+0x%" PRIx64 " 0x%" PRIx64
		  " kind %d level %u entry 0x%" PRIx64,
		  i, record->event_count, is->type, is->iova, is->length, is->phys, is->kind,
		  is->level, is->entry_addr);
}

#define EXPECT_LEAVES(record, i, iova_, length_, phys_)                                          \
	expect_event(                                                                            \
		record, i,                                                                       \
		&(struct event){                                                                 \
			.type = LEAVES, .iova = (iova_), .length = (length_), .phys = (phys_) }, \
		__LINE__)
#define EXPECT_FAULT(record, i, kind_, level_, table_, entry_addr_, iova_, length_) \
	expect_event(record, i,                                                     \
		     &(struct event){ .type = FAULT,                                \
				      .iova = (iova_),                              \
				      .length = (length_),                          \
				      .phys = (table_),                             \
				      .entry_addr = (entry_addr_),                  \
				      .kind = (kind_),                              \
				      .level = (level_) },                          \
		     __LINE__)

/* Tables 0x1000 (top) to 0x4000 (level 0) by entry 0, and a page 0x7000 at the end. */
static void plain_tree(struct host *host)
{
	host_init(host, 4);
	entry(host, 0x1000, 0, 0x2000 | RW);
	entry(host, 0x2000, 0, 0x3000 | RW);
	entry(host, 0x3000, 0, 0x4000 | RW);
	entry(host, 0x4000, 0, 0x7000 | RW);
}

static uint64_t span(unsigned int level)
{
	return 1ULL << (12 + 9 * level);
}

/* A table whose entry 7 points to itself; what comes behind it is still there. */
static void test_self(void)
{
	for (unsigned int level = 3; level > 0; level--) {
		const uint64_t table = 0x1000ULL * (4 - level);
		struct host host;

		plain_tree(&host);
		entry(&host, table, 7, table | RW);
		entry(&host, table, 8, level == 3 ? 0x2000 | RW : 0x40000000 | LARGE);
		const struct record *record = walk_all(&host);
		EXPECT_LEAVES(record, 0, 0, KIB4, 0x7000);
		EXPECT_FAULT(record, 1, PT_FAULT_LOOP, level - 1, table, table + 56,
			     7 * span(level), span(level));
		if (level < 3) {
			EXPECT_LEAVES(record, 2, 8 * span(level), span(level), 0x40000000);
			CU_ASSERT_EQUAL(record->event_count, 3);
		} else {
			EXPECT_FAULT(record, 2, PT_FAULT_REPEATED, 2, 0x2000, table + 64,
				     8 * span(level), span(level));
		}
		CU_ASSERT_EQUAL(record->faults[PT_FAULT_LOOP], 1);
		host_deinit(&host);
	}
}

/* Every entry of a table points to the table: nothing is entered. */
static void test_self_everywhere(void)
{
	struct host host;

	host_init(&host, 5);
	for (unsigned int i = 0; i < 512; i++)
		entry(&host, 0x1000, i, 0x1000 | RW);
	const struct record *record = walk_all(&host);
	CU_ASSERT_EQUAL(record->faults[PT_FAULT_LOOP], 512);
	CU_ASSERT_EQUAL(record->event_count, 512);
	CU_ASSERT_EQUAL(host.statistics.tables, 1);
	CU_ASSERT_EQUAL(record->next, 1ULL << 57);
	CU_ASSERT_FALSE(record->gaps);
	host_deinit(&host);
}

/* A lower table points to one above it: each level to each higher one. */
static void test_ancestor(void)
{
	for (unsigned int level = 2; level > 0; level--) {
		for (unsigned int above = level + 1; above < 4; above++) {
			const uint64_t table = 0x1000ULL * (4 - level);
			const uint64_t ancestor = 0x1000ULL * (4 - above);
			struct host host;

			plain_tree(&host);
			entry(&host, table, 511, ancestor | RW);
			const struct record *record = walk_all(&host);
			CU_ASSERT_EQUAL(record->event_count, 2);
			EXPECT_FAULT(record, 1, PT_FAULT_LOOP, level - 1, ancestor, table + 4088,
				     511 * span(level), span(level));
			CU_ASSERT_EQUAL(host.statistics.tables, 4);
			host_deinit(&host);
		}
	}
}

/* At level 0 there are no tables: an entry that holds a table's address is a page. */
static void test_leaf_is_table(void)
{
	struct host host;

	plain_tree(&host);
	entry(&host, 0x4000, 1, 0x1000 | RW);
	entry(&host, 0x4000, 3, 0x4000 | RW);
	const struct record *record = walk_all(&host);
	CU_ASSERT_EQUAL(record->event_count, 3);
	EXPECT_LEAVES(record, 1, 0x1000, KIB4, 0x1000);
	EXPECT_LEAVES(record, 2, 0x3000, KIB4, 0x4000);
	host_deinit(&host);
}

/* A table that two entries share is entered twice, read whole, and counted once. */
static void test_repeated(void)
{
	struct host host;

	plain_tree(&host);
	entry(&host, 0x3000, 2, 0x4000 | RW);
	const struct record *record = walk_all(&host);
	CU_ASSERT_EQUAL(record->event_count, 3);
	EXPECT_LEAVES(record, 0, 0, KIB4, 0x7000);
	EXPECT_FAULT(record, 1, PT_FAULT_REPEATED, 0, 0x4000, 0x3010, 2 * MIB2, MIB2);
	EXPECT_LEAVES(record, 2, 2 * MIB2, KIB4, 0x7000);
	CU_ASSERT_EQUAL(record->repeated_tables, 1);
	CU_ASSERT_EQUAL(host.statistics.tables, 4);
	host_deinit(&host);
}

/*
 * Every entry of each table points to the one table below it: 512^levels ways. No more than
 * PT_REPEAT_LIMIT tables are entered again, and every byte of the space is either handed out or
 * reported as skipped, in order.
 */
static void check_dag(unsigned int levels)
{
	struct host host;

	host_init(&host, levels);
	for (unsigned int level = levels - 1; level > 0; level--) {
		for (unsigned int i = 0; i < 512; i++)
			entry(&host, 0x1000ULL * (levels - level), i,
			      0x1000ULL * (levels - level + 1) | RW);
	}
	for (unsigned int i = 0; i < 512; i++)
		entry(&host, 0x1000ULL * levels, i, 0x100000 | RW);
	const struct record *record = walk_all(&host);
	uint64_t references = 0;
	uint64_t entered = 0;
	for (unsigned int level = 0; level < levels; level++) {
		references += level ? 512 * record->tables[level] : 0;
		entered += record->tables[level];
	}
	CU_ASSERT_EQUAL(host.statistics.tables, levels);
	CU_ASSERT_EQUAL(record->faults[PT_FAULT_REPEATED], PT_REPEAT_LIMIT);
	CU_ASSERT_EQUAL(record->repeated_tables, PT_REPEAT_LIMIT);
	CU_ASSERT_EQUAL(entered, levels + PT_REPEAT_LIMIT);
	CU_ASSERT_EQUAL(record->faults[PT_FAULT_SKIPPED],
			references - PT_REPEAT_LIMIT - (levels - 1));
	CU_ASSERT_EQUAL(record->faults[PT_FAULT_LOOP], 0);
	CU_ASSERT_EQUAL(record->leaves_items, 512 * record->tables[0]);
	CU_ASSERT_EQUAL(record->leaves_bytes + record->skipped_bytes, span(levels));
	CU_ASSERT_FALSE(record->gaps);
	host_deinit(&host);
}

static void test_dag(void)
{
	check_dag(3);
	check_dag(4);
	check_dag(5);
}

/* A table that cannot be had, at each level, for each reason: reported in its place. */
static void test_unreadable(void)
{
	static const struct {
		enum block_status status;
		enum pt_fault_kind kind;
	} reasons[] = {
		{ BLOCK_MISSING, PT_FAULT_MISSING },
		{ BLOCK_DAMAGED, PT_FAULT_DAMAGED },
		{ BLOCK_OUTSIDE, PT_FAULT_OUTSIDE },
	};

	for (unsigned int i = 0; i < 3; i++) {
		for (unsigned int level = 0; level < 3; level++) {
			const uint64_t table = 0x1000ULL * (3 - level);
			const uint64_t bad = 0x123456000;
			struct host host;

			plain_tree(&host);
			fake_status(host.memory, bad, reasons[i].status);
			entry(&host, table, 3, bad | RW);
			entry(&host, 0x1000, 5, 0xfff00000 | RW);
			fake_status(host.memory, 0xfff00000, BLOCK_OK);
			const struct record *record = walk_all(&host);
			EXPECT_LEAVES(record, 0, 0, KIB4, 0x7000);
			EXPECT_FAULT(record, 1, reasons[i].kind, level, bad, table + 24,
				     3 * span(level + 1), span(level + 1));
			CU_ASSERT_EQUAL(record->event_count, 2);
			CU_ASSERT_EQUAL(host.statistics.tables, 5);
			host_deinit(&host);
		}
		struct host host;

		host_init(&host, 4);
		fake_status(host.memory, 0x1000, reasons[i].status);
		const struct record *record = walk(&host, 0x5000, 0x8fff);
		EXPECT_FAULT(record, 0, reasons[i].kind, 3, 0x1000, 0, 0x5000, 0x4000);
		CU_ASSERT_EQUAL(record->event_count, 1);
		CU_ASSERT_EQUAL(host.statistics.tables, 0);
		host_deinit(&host);
	}
}

/* Two of the same address: one fault of each of them, and both ranges are unknown. */
static void test_unreadable_twice(void)
{
	struct host host;

	plain_tree(&host);
	fake_status(host.memory, 0x9000, BLOCK_MISSING);
	entry(&host, 0x3000, 1, 0x9000 | RW);
	entry(&host, 0x3000, 2, 0x9000 | RW);
	const struct record *record = walk_all(&host);
	CU_ASSERT_EQUAL(record->faults[PT_FAULT_MISSING], 2);
	CU_ASSERT_EQUAL(record->faults[PT_FAULT_REPEATED], 1);
	EXPECT_FAULT(record, 3, PT_FAULT_MISSING, 0, 0x9000, 0x3010, 2 * MIB2, MIB2);
	host_deinit(&host);
}

/* Invalid entries are reported in their place, behind what tables before them hold. */
static void test_order_of_faults(void)
{
	struct host host;

	plain_tree(&host);
	entry(&host, 0x1000, 1, 0x8000000000 | LARGE); /* 512G pages do not exist */
	entry(&host, 0x2000, 1, 0x40001000 | LARGE);   /* misaligned */
	entry(&host, 0x2000, 2, 0x1000 | RW);	       /* a loop */
	entry(&host, 0x2000, 3, 0x5000 | RW);
	entry(&host, 0x2000, 4, 0x80000000 | LARGE);
	entry(&host, 0x3000, 1, 0x201000 | LARGE); /* misaligned */
	entry(&host, 0x5000, 0, 0x600000 | LARGE);
	entry(&host, 0x1000, 2, 0x6000 | RW);
	const struct record *record = walk_all(&host);
	CU_ASSERT_EQUAL(record->event_count, 7);
	EXPECT_LEAVES(record, 0, 0, KIB4, 0x7000);
	EXPECT_FAULT(record, 1, PT_FAULT_INVALID, 1, 0x3000, 0x3008, MIB2, MIB2);
	EXPECT_FAULT(record, 2, PT_FAULT_INVALID, 2, 0x2000, 0x2008, GIB, GIB);
	EXPECT_FAULT(record, 3, PT_FAULT_LOOP, 1, 0x1000, 0x2010, 2ULL * GIB, GIB);
	EXPECT_LEAVES(record, 4, 3ULL * GIB, MIB2, 0x600000);
	EXPECT_LEAVES(record, 5, 4ULL * GIB, GIB, 0x80000000);
	EXPECT_FAULT(record, 6, PT_FAULT_INVALID, 3, 0x1000, 0x1008, 512ULL * GIB, 512ULL * GIB);
	host_deinit(&host);
}

/* Large leaves behind tables, at two levels at once: nothing may overtake what waits. */
static void test_order_of_large_pages(void)
{
	struct host host;

	plain_tree(&host);
	entry(&host, 0x2000, 1, 0x40000000 | LARGE);
	entry(&host, 0x3000, 1, 0x200000 | LARGE);
	entry(&host, 0x1000, 1, 0x5000 | RW);
	entry(&host, 0x5000, 0, 0x80000000 | LARGE);
	const struct record *record = walk_all(&host);
	CU_ASSERT_EQUAL(record->event_count, 4);
	EXPECT_LEAVES(record, 0, 0, KIB4, 0x7000);
	EXPECT_LEAVES(record, 1, MIB2, MIB2, 0x200000);
	EXPECT_LEAVES(record, 2, GIB, GIB, 0x40000000);
	EXPECT_LEAVES(record, 3, 512ULL * GIB, GIB, 0x80000000);
	host_deinit(&host);
}

/* A leaf of 2M at 0, tables with 4K leaves at 2M and 4M, all full, a leaf of 1G at 1G. */
static void range_tree(struct host *host)
{
	host_init(host, 3);
	entry(host, 0x1000, 0, 0x2000 | RW);
	entry(host, 0x1000, 1, 0x40000000 | LARGE);
	entry(host, 0x1000, 511, 0x3000 | RW);
	entry(host, 0x2000, 0, 0x80000000 | LARGE);
	entry(host, 0x2000, 1, 0x4000 | RW);
	entry(host, 0x2000, 2, 0x5000 | RW);
	for (unsigned int i = 0; i < 512; i++) {
		entry(host, 0x4000, i, 0x10000000 + i * 0x1000ULL + RW);
		entry(host, 0x5000, i, 0x20000000 + i * 0x1000ULL + RW);
	}
	entry(host, 0x3000, 511, 0x6000 | RW);
	entry(host, 0x6000, 511, 0x9000 | RW);
}

static void test_ranges(void)
{
	struct host host;

	range_tree(&host);
	const struct record *record = walk(&host, 0, 0);
	EXPECT_LEAVES(record, 0, 0, MIB2, 0x80000000);
	CU_ASSERT_EQUAL(record->event_count, 1);
	CU_ASSERT_EQUAL(host.statistics.tables, 2);
	/* inside the 2M leaf */
	record = walk(&host, 0x123000, 0x123fff);
	EXPECT_LEAVES(record, 0, 0, MIB2, 0x80000000);
	CU_ASSERT_EQUAL(record->event_count, 1);
	/* one byte at a seam: the last of the 2M leaf, the first of the table behind it */
	record = walk(&host, MIB2 - 1, MIB2);
	EXPECT_LEAVES(record, 0, 0, MIB2, 0x80000000);
	EXPECT_LEAVES(record, 1, MIB2, KIB4, 0x10000000);
	CU_ASSERT_EQUAL(record->event_count, 2);
	/* across two tables, not from their ends */
	record = walk(&host, MIB2 + 0x1fe800, 2 * MIB2 + 0x2800);
	EXPECT_LEAVES(record, 0, MIB2 + 0x1fe000, 0x2000, 0x101fe000);
	EXPECT_LEAVES(record, 1, 2 * MIB2, 0x3000, 0x20000000);
	CU_ASSERT_EQUAL(record->event_count, 2);
	CU_ASSERT_EQUAL(host.statistics.tables, 4);
	/* within one table */
	record = walk(&host, MIB2 + 0x5000, MIB2 + 0x6fff);
	EXPECT_LEAVES(record, 0, MIB2 + 0x5000, 0x2000, 0x10005000);
	CU_ASSERT_EQUAL(record->event_count, 1);
	CU_ASSERT_EQUAL(host.statistics.tables, 3);
	/* where nothing is: no table that does not concern the range is read */
	record = walk(&host, 3 * MIB2, GIB - 1);
	CU_ASSERT_EQUAL(record->event_count, 0);
	CU_ASSERT_EQUAL(host.statistics.tables, 2);
	record = walk(&host, 2ULL * GIB, 3ULL * GIB);
	CU_ASSERT_EQUAL(record->event_count, 0);
	CU_ASSERT_EQUAL(host.statistics.tables, 1);
	/* the very last page */
	record = walk(&host, (1ULL << 39) - 1, (1ULL << 39) - 1);
	EXPECT_LEAVES(record, 0, (1ULL << 39) - KIB4, KIB4, 0x9000);
	CU_ASSERT_EQUAL(record->event_count, 1);
	record = walk(&host, (1ULL << 39) - 1, UINT64_MAX);
	CU_ASSERT_EQUAL(record->event_count, 1);
	/* beyond it */
	record = walk(&host, 1ULL << 39, UINT64_MAX);
	CU_ASSERT_EQUAL(record->event_count, 0);
	CU_ASSERT_EQUAL(host.statistics.tables, 0);
	record = walk(&host, UINT64_MAX, UINT64_MAX);
	CU_ASSERT_EQUAL(record->event_count, 0);
	/* everything */
	record = walk_all(&host);
	CU_ASSERT_EQUAL(record->event_count, 5);
	CU_ASSERT_EQUAL(record->leaves_bytes, 3 * MIB2 + (uint64_t)GIB + KIB4);
	CU_ASSERT_EQUAL(record->leaves_items, 1 + 1024 + 1 + 1);
	host_deinit(&host);
}

/* A fault is reported for the part of it that was asked for. */
static void test_ranges_of_faults(void)
{
	struct host host;

	range_tree(&host);
	fake_status(host.memory, 0x4000, BLOCK_MISSING);
	const struct record *record = walk(&host, MIB2 + 0x3000, MIB2 + 0x4fff);
	EXPECT_FAULT(record, 0, PT_FAULT_MISSING, 0, 0x4000, 0x2008, MIB2 + 0x3000, 0x2000);
	record = walk(&host, 0x3000, MIB2);
	EXPECT_FAULT(record, 1, PT_FAULT_MISSING, 0, 0x4000, 0x2008, MIB2, 1);
	record = walk(&host, MIB2 + 0x1000, UINT64_MAX);
	EXPECT_FAULT(record, 0, PT_FAULT_MISSING, 0, 0x4000, 0x2008, MIB2 + 0x1000, MIB2 - 0x1000);
	record = walk(&host, 2 * MIB2, UINT64_MAX);
	CU_ASSERT_EQUAL(record->faults[PT_FAULT_MISSING], 0);
	host_deinit(&host);
}

/* Two halves of canonical addresses: a range may begin, end or lie in the hole between them. */
static void test_canonical_ranges(void)
{
	const struct pt_parameters parameters = { .sign_extend = true };
	const uint64_t upper = 0xffff800000000000;
	struct host host;

	host_init(&host, 4);
	EXPECT_NO_ERROR(pt_geometry_init(&pt_format_x86_64, &parameters, &host.tree.geometry));
	entry(&host, 0x1000, 255, 0x2000 | RW);
	entry(&host, 0x1000, 256, 0x3000 | RW);
	entry(&host, 0x1000, 511, 0x4000 | RW);
	entry(&host, 0x2000, 511, 0x40000000 | LARGE);
	entry(&host, 0x3000, 0, 0x80000000 | LARGE);
	entry(&host, 0x4000, 511, 0xc0000000 | LARGE);
	const struct record *record = walk_all(&host);
	CU_ASSERT_EQUAL(record->event_count, 3);
	EXPECT_LEAVES(record, 0, 0x7fffc0000000, GIB, 0x40000000);
	EXPECT_LEAVES(record, 1, upper, GIB, 0x80000000);
	EXPECT_LEAVES(record, 2, 0xffffffffc0000000, GIB, 0xc0000000);
	record = walk(&host, 0x800000000000, UINT64_MAX);
	CU_ASSERT_EQUAL(record->event_count, 2);
	EXPECT_LEAVES(record, 0, upper, GIB, 0x80000000);
	record = walk(&host, 0x7fffffffffff, 0x900000000000);
	CU_ASSERT_EQUAL(record->event_count, 1);
	EXPECT_LEAVES(record, 0, 0x7fffc0000000, GIB, 0x40000000);
	record = walk(&host, 0x7fffffffffff, upper);
	CU_ASSERT_EQUAL(record->event_count, 2);
	record = walk(&host, 0x800000000000, upper - 1);
	CU_ASSERT_EQUAL(record->event_count, 0);
	record = walk(&host, UINT64_MAX, UINT64_MAX);
	CU_ASSERT_EQUAL(record->event_count, 1);
	host_deinit(&host);
}

/* Input addresses that begin at a base, as those of a TTBR1 half do. */
static void test_base(void)
{
	const uint64_t base = 0xffffff8000000000;
	struct host host;

	range_tree(&host);
	host.tree.geometry.base = base;
	const struct record *record = walk_all(&host);
	CU_ASSERT_EQUAL(record->event_count, 5);
	EXPECT_LEAVES(record, 0, base, MIB2, 0x80000000);
	EXPECT_LEAVES(record, 4, UINT64_MAX - 0xfff, KIB4, 0x9000);
	record = walk(&host, 0, base - 1);
	CU_ASSERT_EQUAL(record->event_count, 0);
	record = walk(&host, 0, base);
	CU_ASSERT_EQUAL(record->event_count, 1);
	record = walk(&host, base + GIB, UINT64_MAX);
	CU_ASSERT_EQUAL(record->event_count, 2);
	EXPECT_LEAVES(record, 0, base + GIB, GIB, 0x40000000);
	uint64_t phys = 0;
	CU_ASSERT_TRUE(pt_lookup(&host.tree, host.memory, base + 0x1234, &phys));
	CU_ASSERT_EQUAL(phys, 0x80001234);
	CU_ASSERT_FALSE(pt_lookup(&host.tree, host.memory, 0x1234, &phys));
	host_deinit(&host);
}

/*
 * Thousands of tables among leaves of all sizes. Level 1 tables have long rows of 2M leaves that
 * do not join, more than a frame holds, between two tables; every table has to be read once,
 * whole, and the requests have to come in batches.
 */
enum { BIG_UPPER = 24, BIG_FIRST = 0x100000 };

static uint64_t big_tree(struct host *host, uint64_t *leaves)
{
	uint64_t next = BIG_FIRST;
	uint64_t tables = 2;

	host_init(host, 4);
	entry(host, 0x1000, 0, 0x2000 | RW);
	for (unsigned int u = 0; u < BIG_UPPER; u++) {
		const uint64_t upper = next;

		next += 4096;
		tables++;
		entry(host, 0x2000, 2 * u, upper | RW);
		entry(host, 0x2000, 2 * u + 1, (uint64_t)GIB * (3 * u + 1) | LARGE);
		*leaves += 1;
		for (unsigned int i = 0; i < 512; i++) {
			bool table = u < 12 ? i % 2 == 0 : u % 11 == 1 && i == 0;

			if (table) {
				entry(host, upper, i, next | RW);
				entry(host, next, i, 0x7000 | RW);
				next += 4096;
				tables++;
			} else {
				entry(host, upper, i, (uint64_t)MIB2 * 3 * (1000 - i) | LARGE);
			}
			*leaves += 1;
		}
	}
	return tables;
}

static void test_batches(void)
{
	struct host host;
	uint64_t leaves = 0;
	const uint64_t tables = big_tree(&host, &leaves);

	fake_counts_reset(host.memory);
	const struct record *record = walk_all(&host);
	const struct fake_counts *counts = fake_counts(host.memory);
	CU_ASSERT_EQUAL(record->tables[0] + record->tables[1] + record->tables[2] +
				record->tables[3],
			tables);
	CU_ASSERT_EQUAL(record->leaves_items, leaves);
	CU_ASSERT_EQUAL(record->event_count, leaves);
	CU_ASSERT_EQUAL(record->faults[PT_FAULT_REPEATED], 0);
	CU_ASSERT_EQUAL(counts->requests, tables);
	CU_ASSERT_EQUAL(counts->partial, 0);
	EXPECT(tables > 3000 && counts->calls < tables / 50,
	       "%" PRIu64 " calls for %" PRIu64 " tables", counts->calls, tables);
	CU_ASSERT_TRUE(counts->largest <= PT_BATCH_BYTES);
	CU_ASSERT_TRUE(counts->largest >= PT_BATCH_BYTES / 2);
	for (uint64_t table = BIG_FIRST; table < BIG_FIRST + (tables - 2) * 4096; table += 4096) {
		if (fake_reads_of(host.memory, table) != 1)
			EXPECT_NUMBER(fake_reads_of(host.memory, table), 1);
	}
	host_deinit(&host);
}

/* A small part of a large tree costs few reads. */
static void test_batches_of_a_range(void)
{
	struct host host;
	uint64_t leaves = 0;

	big_tree(&host, &leaves);
	fake_counts_reset(host.memory);
	const struct record *record = walk(&host, 4ULL * GIB + 4 * MIB2, 4ULL * GIB + 5 * MIB2 - 1);
	CU_ASSERT_EQUAL(record->event_count, 1);
	CU_ASSERT_EQUAL(fake_counts(host.memory)->requests, 4);
	CU_ASSERT_EQUAL(fake_counts(host.memory)->calls, 4);
	host_deinit(&host);
}

static void on_progress(void *arg, const struct pt_statistics *statistics, uint64_t iova)
{
	uint64_t *seen = arg;

	seen[0]++;
	CU_ASSERT_TRUE(statistics->tables >= seen[1]);
	seen[1] = statistics->tables;
	CU_ASSERT_TRUE(iova <= pt_bits(47, 0));
}

static void test_progress(void)
{
	struct host host;
	uint64_t leaves = 0;
	uint64_t seen[2] = { 0 };
	const struct pt_visitor nobody = { 0 };
	const struct pt_control control = { .progress = on_progress, .progress_arg = seen };
	uint64_t tables = big_tree(&host, &leaves);

	/* A visitor that wants nothing gets the statistics. */
	EXPECT_NO_ERROR(pt_walk(&host.tree, host.memory, 0, UINT64_MAX, &nobody, &control,
				&host.statistics));
	CU_ASSERT_EQUAL(host.statistics.tables, tables);
	CU_ASSERT_EQUAL(host.statistics.leaves, leaves);
	CU_ASSERT_TRUE(seen[0] >= 4);
	host_deinit(&host);
}

/* The order to stop ends the walk with an error; nothing is leaked (the sanitizers look). */
static void test_stop(void)
{
	struct host host;
	uint64_t leaves = 0;
	const uint64_t tables = big_tree(&host, &leaves);

	host.record.stop = 1;
	EXPECT_ERROR(walk_range(&host, 0, UINT64_MAX), "interrupted");
	CU_ASSERT_EQUAL(host.statistics.tables, 0);
	for (unsigned int at = 1; at < 2000; at += 333) {
		memset(&host.record, 0, sizeof(host.record));
		host.record.countdown = at;
		EXPECT_ERROR(walk_range(&host, 0, UINT64_MAX), "interrupted");
		CU_ASSERT_TRUE(host.statistics.tables < tables);
		CU_ASSERT_TRUE(host.statistics.leaves < leaves);
	}
	host_deinit(&host);
}

/* An error of the visitor ends the walk there and comes back as it is. */
static void test_visitor_error(void)
{
	struct host host;
	uint64_t leaves = 0;

	big_tree(&host, &leaves);
	fake_status(host.memory, BIG_FIRST + 4096, BLOCK_MISSING);
	for (unsigned int at = 1; at < 1500; at += at < 12 ? 1 : 111) {
		struct error *mine = error_new("enough of it");

		memset(&host.record, 0, sizeof(host.record));
		host.record.countdown = at;
		host.record.err = mine;
		struct error *err = walk_range(&host, 0, UINT64_MAX);
		CU_ASSERT_PTR_EQUAL(err, mine);
		CU_ASSERT_EQUAL(host.record.countdown, 0);
		error_free(mine);
	}
	host_deinit(&host);
}

/*
 * Small pools of tables that point to each other at random, against a recursion that does
 * literally what hardware does, but for loops.
 */
enum { POOL = 10, POOL_FIRST = 0x10000, POOL_ENTRIES = 5 };

struct naive {
	struct memory *memory;
	struct event events[20000];
	size_t count;
	uint64_t entered;
	bool reached[POOL];
};

static void naive_event(struct naive *naive, const struct event *event)
{
	if (naive->count == sizeof(naive->events) / sizeof(naive->events[0]))
		abort();
	naive->events[naive->count++] = *event;
}

static void naive_visit(struct naive *naive, const uint64_t *way, unsigned int depth,
			unsigned int level, uint64_t iova)
{
	const uint64_t table = way[depth];

	naive->entered++;
	naive->reached[(table - POOL_FIRST) / 4096] = true;
	for (unsigned int i = 0; i < 512; i++) {
		struct event event = { .iova = iova + i * span(level),
				       .length = span(level),
				       .entry_addr = table + 8 * i };
		uint64_t value = 0;

		memory_read(naive->memory, table + 8 * i, &value, sizeof(value));
		if ((value & 3) == 0)
			continue;
		event.phys = value & 0xffffffffff000;
		event.type = level == 0 || value & 0x80 ? LEAVES : FAULT;
		if (event.type == LEAVES) {
			naive_event(naive, &event);
			continue;
		}
		uint64_t longer[4] = { 0 };
		bool loop = false;
		for (unsigned int d = 0; d <= depth; d++) {
			loop |= way[d] == event.phys;
			longer[d] = way[d];
		}
		longer[depth + 1] = event.phys;
		event.kind = PT_FAULT_LOOP;
		event.level = level - 1;
		if (loop)
			naive_event(naive, &event);
		else
			naive_visit(naive, longer, depth + 1, level - 1, event.iova);
	}
}

struct comparison {
	const struct naive *naive;
	size_t next;
	bool differs;
	uint64_t repeated;
};

static struct error *compare_event(struct comparison *comparison, const struct event *is)
{
	const struct event *should = &comparison->naive->events[comparison->next];

	if (comparison->next++ >= comparison->naive->count || is->type != should->type ||
	    is->iova != should->iova || is->phys != should->phys || is->length != should->length ||
	    (is->type == FAULT && (is->kind != should->kind || is->level != should->level ||
				   is->entry_addr != should->entry_addr)))
		comparison->differs = true;
	return NULL;
}

static struct error *compare_leaves(void *arg, const struct pt_leaves *leaves)
{
	for (uint64_t i = 0; i < leaves->count; i++) {
		const struct event event = { .type = LEAVES,
					     .iova = leaves->iova + (i << leaves->size_lg2),
					     .phys = leaves->phys + (i << leaves->size_lg2),
					     .length = 1ULL << leaves->size_lg2 };

		compare_event(arg, &event);
	}
	return NULL;
}

static struct error *compare_fault(void *arg, const struct pt_fault *fault)
{
	struct comparison *comparison = arg;
	const struct event event = { .type = FAULT,
				     .iova = fault->iova,
				     .phys = fault->table,
				     .length = fault->length,
				     .kind = fault->kind,
				     .level = fault->level,
				     .entry_addr = fault->entry_addr };

	comparison->repeated += fault->kind == PT_FAULT_REPEATED;
	return fault->kind == PT_FAULT_REPEATED ? NULL : compare_event(comparison, &event);
}

static void random_pool(struct host *host, struct random *random)
{
	for (unsigned int t = 0; t < POOL; t++) {
		for (unsigned int n = 0; n < POOL_ENTRIES; n++) {
			unsigned int i = (unsigned int)random_below(random, 512);
			uint64_t value = POOL_FIRST + 4096 * random_below(random, POOL);

			if (random_once_in(random, 3))
				value = (uint64_t)GIB * (1 + random_below(random, 100)) | 0x80;
			entry(host, POOL_FIRST + 4096 * t, i, value | RW);
		}
	}
}

static void test_random_pools(void)
{
	static struct naive naive;
	struct random random = { 0x9001 };

	for (unsigned int round = 0; round < 2000; round++) {
		struct host host;
		struct comparison comparison = { .naive = &naive };
		const struct pt_visitor visitor = { .leaves = compare_leaves,
						    .fault = compare_fault,
						    .arg = &comparison };
		uint64_t distinct = 0;

		host_init(&host, 3);
		host.tree.root = POOL_FIRST;
		random_pool(&host, &random);
		memset(&naive, 0, sizeof(naive));
		naive.memory = host.memory;
		naive_visit(&naive, (uint64_t[4]){ POOL_FIRST }, 0, 2, 0);
		for (unsigned int t = 0; t < POOL; t++)
			distinct += naive.reached[t];
		EXPECT_NO_ERROR(pt_walk(&host.tree, host.memory, 0, UINT64_MAX, &visitor, NULL,
					&host.statistics));
		EXPECT(!comparison.differs && comparison.next == naive.count,
		       "round %u: event %zu of %zu", round, comparison.next, naive.count);
		EXPECT_NUMBER(host.statistics.tables, distinct);
		EXPECT_NUMBER(comparison.repeated, naive.entered - distinct);
		host_deinit(&host);
	}
}

/* All that a visitor is told, in order, as a hash. */
struct digest {
	uint64_t hash;
	uint64_t calls;
};

static void digest_add(struct digest *digest, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		digest->hash = (digest->hash ^ words[i]) * 0x100000001b3ULL;
	digest->calls++;
}

static struct error *digest_table(void *arg, const struct pt_table *table)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < table->entry_count; i++)
		used += (table->entries[i] & RW) != 0;
	EXPECT(table->used == used, "table 0x%" PRIx64 ": %u of %u entries in use", table->phys,
	       table->used, used);
	EXPECT(table->level || table->mapping == used, "table 0x%" PRIx64 ": %u of %u pages",
	       table->phys, table->mapping, used);
	const uint64_t words[] = { 1,		table->phys,	table->iova,	table->level,
				   table->used, table->mapping, table->invalid, table->repeated };

	digest_add(arg, words, sizeof(words) / sizeof(words[0]));
	return NULL;
}

static struct error *digest_leaves(void *arg, const struct pt_leaves *leaves)
{
	const uint64_t words[] = { 2,
				   leaves->iova,
				   leaves->phys,
				   leaves->count,
				   leaves->attrs,
				   leaves->size_lg2,
				   leaves->perm };

	digest_add(arg, words, sizeof(words) / sizeof(words[0]));
	return NULL;
}

static struct error *digest_fault(void *arg, const struct pt_fault *fault)
{
	const uint64_t words[] = {
		3,	     fault->kind,  fault->level, fault->table, fault->entry_addr,
		fault->iova, fault->length
	};

	digest_add(arg, words, sizeof(words) / sizeof(words[0]));
	return NULL;
}

/* A large tree with whatever can be wrong in it. */
static void faulty_tree(struct host *host, struct random *random)
{
	uint64_t leaves = 0;
	const uint64_t tables = big_tree(host, &leaves);

	for (unsigned int i = 0; i < 400; i++) {
		const uint64_t table = BIG_FIRST + 4096 * random_below(random, tables - 2);
		const unsigned int index = (unsigned int)random_below(random, 512);

		switch (random_below(random, 5)) {
		case 0:
			fake_status(host->memory, table, BLOCK_MISSING + random_below(random, 3));
			break;
		case 1: /* another table, or itself */
			entry(host, table, index,
			      (BIG_FIRST + 4096 * random_below(random, tables - 2)) | RW);
			break;
		case 2: /* misaligned where it is a large page */
			entry(host, table, index, 0x40001000 | LARGE);
			break;
		default: /* a row of pages */
			for (unsigned int n = index; n < 512; n++)
				entry(host, table, n, (0x7000 + 0x1000ULL * n) | RW);
		}
	}
}

/* One thread or several, decoded or counted: the same is told, in the same order. */
static void test_threads(void)
{
	struct random random = { 0x74ead5 };

	for (unsigned int round = 0; round < 12; round++) {
		struct digest first = { 0 };
		struct pt_statistics first_statistics = { 0 };
		struct host host;

		faulty_tree(&host, &random);
		for (unsigned int threads = 1; threads <= 8; threads *= 2) {
			struct digest digest = { 0 };
			const struct pt_visitor visitor = {
				.table = digest_table,
				.leaves = digest_leaves,
				.fault = digest_fault,
				.arg = &digest,
				.counts_will_do = round % 3 == 0,
			};
			const struct pt_control control = { .threads = threads };

			if (threads == 4)
				fake_concurrent(host.memory);
			EXPECT_NO_ERROR(pt_walk(&host.tree, host.memory, 0, UINT64_MAX, &visitor,
						&control, &host.statistics));
			if (threads == 1) {
				first = digest;
				first_statistics = host.statistics;
			}
			EXPECT(digest.calls > 3000 && digest.calls == first.calls &&
				       digest.hash == first.hash &&
				       memcmp(&first_statistics, &host.statistics,
					      sizeof(first_statistics)) == 0,
			       "round %u, %u threads: differs", round, threads);
		}
		host_deinit(&host);
	}
}

/* What leaves and faults say, in order; of tables, which may come ahead of others, the sum. */
struct zeros_digest {
	struct digest events;
	uint64_t tables;
	uint64_t table_count;
	uint64_t rows; /* of tables of zeros */
	uint64_t next[PT_MAX_LEVELS];
	bool disorder; /* in a level, or leaves before their table */
};

static struct error *zeros_table(void *arg, const struct pt_table *table)
{
	struct zeros_digest *digest = arg;
	struct digest one = { 0 };
	struct error *err = digest_table(&one, table);

	digest->tables += one.hash;
	digest->table_count++;
	digest->disorder |= table->iova < digest->next[table->level];
	digest->next[table->level] = table->iova + 1;
	return err;
}

static struct error *zeros_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct zeros_digest *digest = arg;

	digest->disorder |= leaves->iova + 1 < digest->next[0];
	return digest_leaves(&digest->events, leaves);
}

static struct error *zeros_fault(void *arg, const struct pt_fault *fault)
{
	return digest_fault(&((struct zeros_digest *)arg)->events, fault);
}

/* Each of a row as a table of its own. */
static struct error *zeros_row(void *arg, const struct pt_table *first, const uint64_t *phys,
			       size_t count)
{
	struct pt_table table = *first;
	struct error *err = NULL;

	((struct zeros_digest *)arg)->rows++;
	for (size_t i = 0; i < count && !err; i++, table.iova += MIB2) {
		table.phys = phys[i];
		err = zeros_table(arg, &table);
	}
	return err;
}

/*
 * Tables of level 1, some of which lead to tables of zeros only, in part to the same ones, and with
 * gaps in between; some to a table that maps something, or to none that can be read.
 */
static void zeros_tree(struct host *host, struct random *random)
{
	enum { UPPER = 40, FIRST = 0x100000, LEAF = 0x8000000 };

	host_init(host, 3);
	for (unsigned int u = 0; u < UPPER; u++) {
		const uint64_t upper = FIRST + 4096ULL * u;
		const bool barren = u % 3 != 0;
		const bool again = random_once_in(random, 2);

		entry(host, 0x1000, u, upper | RW);
		for (unsigned int i = 0; i < 512; i++) {
			uint64_t leaf = LEAF + 4096ULL * (u * 512 + i);

			if (random_once_in(random, 10))
				continue;
			if (again && random_once_in(random, 4))
				leaf = LEAF + 4096 * (512 + random_below(random, 512));
			entry(host, upper, i, leaf | RW);
			if (!barren && random_once_in(random, 50))
				entry(host, leaf, i, 0x7000 | RW);
			else if (!barren && random_once_in(random, 100))
				fake_status(host->memory, leaf, BLOCK_MISSING);
		}
	}
}

/* It makes no difference whether tables of zeros are read, or known for what they are. */
static void test_zeros(void)
{
	struct random random = { 0x2e505 };

	for (unsigned int round = 0; round < 12; round++) {
		const uint64_t start = round % 2 ? GIB + 77 * MIB2 + 4096 : 0;
		const uint64_t last = round % 4 == 3 ? 30ULL * GIB + 5 * MIB2 - 1 : UINT64_MAX;
		struct zeros_digest read = { 0 };
		struct pt_statistics read_statistics = { 0 };
		struct host host;
		uint64_t rows = 0;

		zeros_tree(&host, &random);
		for (unsigned int way = 0; way < 6; way++) {
			struct zeros_digest digest = { 0 };
			const struct pt_visitor visitor = {
				.table = zeros_table,
				.leaves = zeros_leaves,
				.fault = zeros_fault,
				.arg = &digest,
				.counts_will_do = round % 3 == 0,
				.zeros = way % 2 ? zeros_row : NULL,
			};
			const struct pt_control control = { .threads = way < 4 ? 1 : 3 };

			if (way == 2)
				fake_knows_zeros(host.memory);
			if (way == 4)
				fake_concurrent(host.memory);
			EXPECT_NO_ERROR(pt_walk(&host.tree, host.memory, start, last, &visitor,
						&control, &host.statistics));
			rows += digest.rows;
			CU_ASSERT_TRUE(way % 2 == 1 || digest.rows == 0);
			if (way == 0) {
				read = digest;
				read_statistics = host.statistics;
				CU_ASSERT_TRUE(read.events.calls > 1000);
				CU_ASSERT_TRUE(read.table_count > 8000);
			}
			CU_ASSERT_FALSE(digest.disorder);
			EXPECT(digest.events.calls == read.events.calls &&
				       digest.events.hash == read.events.hash &&
				       digest.tables == read.tables &&
				       digest.table_count == read.table_count &&
				       memcmp(&read_statistics, &host.statistics,
					      sizeof(read_statistics)) == 0,
			       "round %u, way %u: differs", round, way);
		}
		CU_ASSERT_TRUE(rows > 100); /* some were known */
		host_deinit(&host);
	}
}

/* Formats whose leaf tables are scanned, and entries for which a scan gives up. */
static const struct scanned {
	const struct pt_format *format;
	uint64_t table; /* bits of an entry that leads to a table */
	uint64_t next_level;
	uint64_t leaf;
	uint64_t odd[2];
} scanned[] = {
	/* AMD 48882 section 2.2.3: a larger page (7 at 11:9); a reserved next level */
	{ &pt_format_amdv1,
	  3ULL << 61 | 1,
	  1 << 9,
	  3ULL << 61 | 1,
	  { 3ULL << 61 | 7 << 9 | 0x7001, 3ULL << 61 | 3 << 9 | 0x7001 } },
	/* DDI 0487 D8.3: a block at the last level, which is reserved, with bits and without */
	{ &pt_format_lpae_s1, 3, 0, 0x743, { 0x10741, 0x10001 } },
};

struct scan_check {
	const struct pt_geometry *geometry;
	unsigned int counted;
	unsigned int decoded;
};

static struct error *on_scanned(void *arg, const struct pt_table *table)
{
	struct scan_check *check = arg;
	struct pt_run runs[512];
	unsigned int of[16] = { 0 };

	if (table->level)
		return NULL;
	const size_t count = check->geometry->format->decode(check->geometry, 0, table->entries, 0,
							     table->entry_count, runs);
	for (size_t i = 0; i < count; i++)
		of[runs[i].kind] += runs[i].count;
	EXPECT_NUMBER(table->used, table->entry_count - of[PT_EMPTY]);
	EXPECT_NUMBER(table->mapping, of[PT_LEAF]);
	EXPECT_NUMBER(table->invalid, of[PT_INVALID]);
	check->counted += table->runs == NULL;
	check->decoded += table->runs != NULL;
	return NULL;
}

/* A scan that gives up in the middle of a table leaves no count behind. */
static void scan_tables(const struct scanned *kind, struct random *random)
{
	enum { TABLES = 64 };
	struct host host = { .memory = fake_create() };
	const struct pt_geometry *geometry = &host.tree.geometry;
	uint64_t table = 0x100000;
	struct scan_check check = { .geometry = geometry };
	const struct pt_visitor visitor = {
		.table = on_scanned,
		.arg = &check,
		.counts_will_do = true,
	};

	fake_ram(host.memory, 0, 1ULL << 30);
	EXPECT_NO_ERROR(pt_geometry_init(kind->format, NULL, &host.tree.geometry));
	host.tree.root = table;
	for (unsigned int level = geometry->levels - 1U; level > 1; level--, table += 4096)
		entry(&host, table, 0, (table + 4096) | kind->table | kind->next_level * level);
	for (unsigned int i = 0; i < TABLES; i++) {
		const uint64_t leaves = table + 4096 * (i + 1);
		const unsigned int used = (unsigned int)random_below(random, 513);

		entry(&host, table, i, leaves | kind->table | kind->next_level);
		for (unsigned int n = 0; n < used; n++)
			entry(&host, leaves, (unsigned int)random_below(random, 512),
			      kind->leaf | (0x40000000 + 4096 * random_below(random, 4096)));
		for (unsigned int n = i % 4; n < 3; n++) /* one in four has none */
			entry(&host, leaves, 100 + (unsigned int)random_below(random, 300),
			      kind->odd[random_below(random, 2)]);
	}
	for (unsigned int threads = 1; threads <= 2; threads++) {
		const struct pt_control control = { .threads = threads };

		if (threads == 2)
			fake_concurrent(host.memory);
		check.counted = 0;
		check.decoded = 0;
		EXPECT_NO_ERROR(pt_walk(&host.tree, host.memory, 0, UINT64_MAX, &visitor, &control,
					&host.statistics));
		EXPECT_NUMBER(check.counted, TABLES / 4);
		EXPECT_NUMBER(check.decoded, TABLES - TABLES / 4);
	}
	memory_close(host.memory);
}

static void test_scans(void)
{
	struct random random = { 0x5ca9 };

	for (size_t i = 0; i < sizeof(scanned) / sizeof(scanned[0]); i++) {
		for (unsigned int round = 0; round < 5; round++)
			scan_tables(&scanned[i], &random);
	}
}

/* Whole pages of noise as tables: any answer will do, as long as there is one, in order. */
static void test_noise(void)
{
	struct random random = { 0x5011d };

	for (unsigned int round = 0; round < 40; round++) {
		struct host host;

		host_init(&host, 3 + round % 3);
		for (unsigned int t = 1; t < 32; t++) {
			for (unsigned int i = 0; i < 512; i++) {
				uint64_t value = random_next(&random);

				if (random_once_in(&random, 64))
					value = (value & 0x1f083);
				else if (random_once_in(&random, 4))
					value &= ~3ULL;
				entry(&host, 0x1000 * t, i, value);
			}
		}
		const struct record *record = walk_all(&host);
		CU_ASSERT_TRUE(record->event_count > 0);
		CU_ASSERT_TRUE(record->faults[PT_FAULT_REPEATED] <= PT_REPEAT_LIMIT);
		host_deinit(&host);
	}
}

void suite_engine(void)
{
	CU_pSuite suite = CU_add_suite("engine", NULL, NULL);

	CU_add_test(suite, "table that points to itself", test_self);
	CU_add_test(suite, "table that points to itself everywhere", test_self_everywhere);
	CU_add_test(suite, "table that points to an ancestor", test_ancestor);
	CU_add_test(suite, "page that is a table", test_leaf_is_table);
	CU_add_test(suite, "table reached twice", test_repeated);
	CU_add_test(suite, "512 ways at each level", test_dag);
	CU_add_test(suite, "table missing, damaged, outside", test_unreadable);
	CU_add_test(suite, "table missing, met twice", test_unreadable_twice);
	CU_add_test(suite, "order: faults", test_order_of_faults);
	CU_add_test(suite, "order: large pages", test_order_of_large_pages);
	CU_add_test(suite, "ranges", test_ranges);
	CU_add_test(suite, "ranges: faults", test_ranges_of_faults);
	CU_add_test(suite, "ranges: canonical addresses", test_canonical_ranges);
	CU_add_test(suite, "ranges: addresses with a base", test_base);
	CU_add_test(suite, "batches: every table once and whole", test_batches);
	CU_add_test(suite, "batches: part of a large tree", test_batches_of_a_range);
	CU_add_test(suite, "progress", test_progress);
	CU_add_test(suite, "stop", test_stop);
	CU_add_test(suite, "error of a visitor", test_visitor_error);
	CU_add_test(suite, "random tables against a recursion", test_random_pools);
	CU_add_test(suite, "threads", test_threads);
	CU_add_test(suite, "tables of zeros", test_zeros);
	CU_add_test(suite, "scans", test_scans);
	CU_add_test(suite, "noise as tables", test_noise);
}
