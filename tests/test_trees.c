// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Formats and engine against random trees.
 *
 * A small builder, which shares nothing with the decoders, makes a list of leaves and writes the
 * entries for them; what pt_walk() finds has to be that list again. IOMMUPT_TREES=N makes that
 * many trees a format instead of 2000, IOMMUPT_SEED=S begins at the tree that a failure names.
 */
#include "tests/tests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "tests/fake_memory.h"
#include "walkers/engine.h"

enum { LEAVES_MAX = 20000, PATH = 6, ATTRIBUTES_MAX = 7, ONE_OF_MAX = 5 };

/* How a format writes what the builder means; from the manuals, not from formats/. */
struct dialect {
	const struct pt_format *format;
	uint64_t large;		/* page size bit */
	uint64_t table_ignored; /* bits that may be anything in a table's entry */
	uint64_t leaf_ignored;
	/* Sorted by name; entry bit in a 4K leaf, and in a larger one. */
	struct {
		const char *name;
		uint64_t small, large;
	} attributes[ATTRIBUTES_MAX + 1];
	/* A field of which a leaf has one value; the names come after the attributes'. */
	struct {
		const char *name;
		uint64_t value;
	} one_of[ONE_OF_MAX];
	uint64_t (*permissions)(unsigned int perm);
	unsigned int (*random_permissions)(struct random *random);
	bool sign_extend;
	/* AMD v1: an entry names the level that it leads to, and large pages have replicas. */
	bool amd;
	uint8_t levels[7]; /* 0 ends */
	unsigned int one_of_count;
};

static uint64_t vtd_permissions(unsigned int perm)
{
	return (perm & PT_R ? 1 : 0) | (perm & PT_W ? 2 : 0);
}

static unsigned int vtd_random_permissions(struct random *random)
{
	static const unsigned int perms[] = { PT_R, PT_W, PT_R | PT_W };

	return perms[random_below(random, 3)];
}

static uint64_t x86_permissions(unsigned int perm)
{
	return 1 | (perm & PT_W ? 2 : 0) | (perm & PT_X ? 0 : 1ULL << 63);
}

static unsigned int x86_random_permissions(struct random *random)
{
	return PT_R | (random_once_in(random, 2) ? PT_W : 0) |
	       (random_once_in(random, 2) ? PT_X : 0);
}

static uint64_t fs_permissions(unsigned int perm)
{
	return 1 | (perm & PT_W ? 2 : 0);
}

static unsigned int fs_random_permissions(struct random *random)
{
	return PT_R | (random_once_in(random, 2) ? PT_W : 0);
}

/* What a misconfiguration is not: W without R (Intel SDM 29.3.3.1). */
static uint64_t ept_permissions(unsigned int perm)
{
	return (perm & PT_R ? 1 : 0) | (perm & PT_W ? 2 : 0) | (perm & PT_X ? 4 : 0);
}

static unsigned int ept_random_permissions(struct random *random)
{
	static const unsigned int perms[] = { PT_R, PT_R | PT_W, PT_R | PT_X, PT_RWX, PT_X };

	return perms[random_below(random, 5)];
}

static uint64_t amd_permissions(unsigned int perm)
{
	return 1 | (perm & PT_R ? 1ULL << 61 : 0) | (perm & PT_W ? 1ULL << 62 : 0);
}

static unsigned int amd_random_permissions(struct random *random)
{
	static const unsigned int perms[] = { PT_R, PT_W, PT_R | PT_W, PT_R | PT_W, 0 };

	return perms[random_below(random, 5)];
}

static const struct dialect dialects[] = {
	{
		.format = &pt_format_vtd_ss,
		.large = 1 << 7,
		.table_ignored = 0xfff000000000047cULL,
		.leaf_ignored = 0xfff000000000047cULL,
		.levels = { 3, 4, 5 },
		.attributes = { { "accessed", 1 << 8, 1 << 8 },
				{ "dirty", 1 << 9, 1 << 9 },
				{ "snoop", 1 << 11, 1 << 11 } },
		.permissions = vtd_permissions,
		.random_permissions = vtd_random_permissions,
	},
	{
		.format = &pt_format_x86_64,
		.large = 1 << 7,
		.table_ignored = 0x7ff0000000000f78ULL,
		.leaf_ignored = 0x7ff0000000000e00ULL,
		.sign_extend = true,
		.levels = { 4, 5 },
		.attributes = { { "accessed", 1 << 5, 1 << 5 },
				{ "dirty", 1 << 6, 1 << 6 },
				{ "global", 1 << 8, 1 << 8 },
				{ "pat", 1 << 7, 1 << 12 },
				{ "pcd", 1 << 4, 1 << 4 },
				{ "pwt", 1 << 3, 1 << 3 },
				{ "user", 1 << 2, 1 << 2 } },
		.permissions = x86_permissions,
		.random_permissions = x86_random_permissions,
	},
	{
		.format = &pt_format_vtd_fs,
		.large = 1 << 7,
		.table_ignored = 0xfff0000000000f78ULL,
		.leaf_ignored = 0xfff0000000000f00ULL,
		.sign_extend = true,
		.levels = { 4, 5 },
		.attributes = { { "accessed", 1 << 5, 1 << 5 },
				{ "dirty", 1 << 6, 1 << 6 },
				{ "pat", 1 << 7, 1 << 12 },
				{ "pcd", 1 << 4, 1 << 4 },
				{ "pwt", 1 << 3, 1 << 3 },
				{ "user", 1 << 2, 1 << 2 } },
		.permissions = fs_permissions,
		.random_permissions = fs_random_permissions,
	},
	{
		.format = &pt_format_ept,
		.large = 1 << 7,
		.table_ignored = 0xfff0000000000f00ULL,
		.leaf_ignored = 0x7ff0000000000c00ULL,
		.levels = { 4, 5 },
		.attributes = { { "accessed", 1 << 8, 1 << 8 },
				{ "dirty", 1 << 9, 1 << 9 },
				{ "ipat", 1 << 6, 1 << 6 },
				{ "suppress-ve", 1ULL << 63, 1ULL << 63 } },
		.one_of = { { "uc", 0 },
			    { "wb", 6 << 3 },
			    { "wc", 1 << 3 },
			    { "wp", 5 << 3 },
			    { "wt", 4 << 3 } },
		.one_of_count = 5,
		.permissions = ept_permissions,
		.random_permissions = ept_random_permissions,
	},
	{
		.format = &pt_format_amdv1,
		.amd = true,
		.table_ignored = 0x80000000000001feULL,
		.leaf_ignored = 0x800000000000019eULL,
		.levels = { 1, 2, 3, 4, 5, 6 },
		.attributes = { { "accessed", 1 << 5, 1 << 5 },
				{ "dirty", 1 << 6, 1 << 6 },
				{ "fc", 1ULL << 60, 1ULL << 60 },
				{ "u", 1ULL << 59, 1ULL << 59 } },
		.permissions = amd_permissions,
		.random_permissions = amd_random_permissions,
	},
};

/* One leaf, or several that continue each other. */
struct row {
	uint64_t iova; /* as people see it */
	uint64_t phys;
	uint64_t length;
	unsigned int size_lg2;
	unsigned int perm;
	unsigned int attrs; /* of the dialect's list */
	unsigned int one;   /* of its one_of */
	char text[64];	    /* the same in words */
};

struct rows {
	struct row *rows;
	size_t count;
};

struct builder {
	const struct dialect *dialect;
	struct random *random;
	struct memory *memory;
	struct pt_tree tree;
	struct rows leaves;
	uint64_t next_table;
	uint64_t table_count;
	uint64_t top_bytes; /* of the top table */
	/* The table of each level that was written last, and in it the entry: addresses ascend. */
	struct {
		uint64_t phys;
		unsigned int perm;
		bool user;
		bool has_entry;
		uint64_t entry;	   /* number of the last one, in the whole input */
		unsigned int next; /* level of the table that it leads to */
	} path[PATH];
};

static bool rows_join(struct row *row, const struct row *next)
{
	if (row->iova + row->length != next->iova || row->phys + row->length != next->phys ||
	    row->size_lg2 != next->size_lg2 || row->perm != next->perm ||
	    strcmp(row->text, next->text) != 0)
		return false;
	row->length += next->length;
	return true;
}

static void rows_add(struct rows *rows, const struct row *row)
{
	if (rows->count == LEAVES_MAX)
		abort();
	if (rows->count == 0 || !rows_join(&rows->rows[rows->count - 1], row))
		rows->rows[rows->count++] = *row;
}

static void attributes_text(const struct dialect *dialect, const struct row *row, char text[64])
{
	text[0] = '\0';
	for (unsigned int i = 0; i < ATTRIBUTES_MAX; i++) {
		if (row->attrs & 1U << i) {
			strcat(text, text[0] ? "|" : "");
			strcat(text, dialect->attributes[i].name);
		}
	}
	if (dialect->one_of_count) {
		strcat(text, text[0] ? "|" : "");
		strcat(text, dialect->one_of[row->one].name);
	}
}

/* The attribute that every level on the way has to have; 0 where there is none. */
static unsigned int user_bit(const struct dialect *dialect)
{
	unsigned int i = 0;

	while (dialect->attributes[i].name && strcmp(dialect->attributes[i].name, "user") != 0)
		i++;
	return dialect->attributes[i].name ? 1U << i : 0;
}

static uint64_t new_table(struct builder *builder)
{
	uint64_t phys = builder->next_table;

	builder->next_table += 4096 * (1 + random_below(builder->random, 3));
	builder->table_count++;
	fake_write(builder->memory, phys, 0);
	return phys;
}

static uint64_t index_address(const struct builder *builder, unsigned int level, uint64_t address)
{
	return builder->path[level].phys + (address >> (12 + 9 * level)) % 512 * 8;
}

/* Whether the input bits between an entry at @level and a table at @next are zero. */
static bool skipped_bits_are_zero(uint64_t address, unsigned int level, unsigned int next)
{
	return (address >> (12 + 9 * (next + 1))) % (1ULL << 9 * (level - next - 1)) == 0;
}

/* Which table a new entry at @level leads to; AMD's may skip levels. */
static unsigned int choose_next(const struct builder *builder, unsigned int level,
				unsigned int leaf_level, uint64_t address)
{
	unsigned int next = level - 1;

	while (builder->dialect->amd && next > leaf_level && random_once_in(builder->random, 6) &&
	       skipped_bits_are_zero(address, level, next - 1))
		next--;
	return next;
}

/* Make a table below @level on the way to @address. */
static void make_table(struct builder *builder, unsigned int level, unsigned int leaf_level,
		       uint64_t address)
{
	const struct dialect *dialect = builder->dialect;
	const unsigned int next = choose_next(builder, level, leaf_level, address);
	bool restrict_it = random_once_in(builder->random, 4);
	unsigned int perm = restrict_it ? dialect->random_permissions(builder->random) : PT_RWX;
	bool user = user_bit(dialect) && !random_once_in(builder->random, 5);
	uint64_t phys = new_table(builder);

	fake_write(builder->memory, index_address(builder, level, address),
		   phys | dialect->permissions(perm) | (user ? 4 : 0) |
			   (dialect->amd ? (next + 1) << 9 : 0) |
			   (random_next(builder->random) & dialect->table_ignored));
	builder->path[level].has_entry = true;
	builder->path[level].entry = address >> (12 + 9 * level);
	builder->path[level].next = next;
	builder->path[next].phys = phys;
	builder->path[next].perm = perm & builder->path[level].perm;
	builder->path[next].user = user && builder->path[level].user;
	builder->path[next].has_entry = false;
}

/* Make the tables on the way to @address; false when one that is there skips over it. */
static bool enter(struct builder *builder, unsigned int leaf_level, uint64_t address)
{
	unsigned int level = builder->tree.geometry.levels - 1U;

	while (level > leaf_level) {
		if (!builder->path[level].has_entry ||
		    builder->path[level].entry != address >> (12 + 9 * level))
			make_table(builder, level, leaf_level, address);
		const unsigned int next = builder->path[level].next;
		if (next < leaf_level || !skipped_bits_are_zero(address, level, next))
			return false;
		level = next;
	}
	return true;
}

/*
 * An AMD leaf: below its size's top bit the address is all ones, and so many slots say the same;
 * what A and D are to become may be in any of them.
 */
static void write_amd_leaf(struct builder *builder, const struct row *row, unsigned int level,
			   uint64_t entry)
{
	static const uint64_t STATE = 3 << 5;
	const unsigned int slots = 1U << ((row->size_lg2 - 12) % 9);
	const uint64_t at = index_address(builder, level, row->iova);
	const unsigned int chosen = (unsigned int)random_below(builder->random, slots);

	if (slots > 1)
		entry |= 7 << 9 | (((row->length / 2) - 1) & ~0xfffULL);
	for (unsigned int i = 0; i < slots; i++)
		fake_write(builder->memory, at + i * 8ULL,
			   i == chosen ? entry : entry & ~(random_next(builder->random) & STATE));
}

/* Write the leaf @row, whose iova is as the tables count, and remember what it has to become. */
static void place(struct builder *builder, const struct row *row)
{
	const struct dialect *dialect = builder->dialect;
	const unsigned int leaf_level = (row->size_lg2 - 12) / 9;
	const unsigned int top = builder->tree.geometry.levels - 1U;
	const uint64_t end = 1ULL << (12 + 9 * (top + 1)) % 64;
	struct row result = *row;
	uint64_t entry = row->phys | dialect->permissions(row->perm) |
			 (random_next(builder->random) & dialect->leaf_ignored) |
			 (leaf_level ? dialect->large : 0) | dialect->one_of[row->one].value;

	if (!enter(builder, leaf_level, row->iova))
		return;
	for (unsigned int i = 0; i < ATTRIBUTES_MAX; i++) {
		if (row->attrs & 1U << i)
			entry |= leaf_level ? dialect->attributes[i].large
					    : dialect->attributes[i].small;
	}
	if (dialect->amd)
		write_amd_leaf(builder, row, leaf_level, entry);
	else
		fake_write(builder->memory, index_address(builder, leaf_level, row->iova), entry);
	result.perm &= builder->path[leaf_level].perm;
	if (!builder->path[leaf_level].user)
		result.attrs &= ~user_bit(dialect);
	if (dialect->sign_extend && row->iova >= end / 2)
		result.iova |= ~(end - 1);
	attributes_text(dialect, &result, result.text);
	if (builder->leaves.count == LEAVES_MAX)
		abort();
	builder->leaves.rows[builder->leaves.count++] = result;
}

static uint64_t random_phys(struct random *random, unsigned int size_lg2)
{
	unsigned int bits = 16 + (unsigned int)random_below(random, 37);

	return random_next(random) & ((1ULL << bits) - 1) & ~((1ULL << size_lg2) - 1);
}

static unsigned int random_attributes(const struct builder *builder)
{
	unsigned int count = 0;

	while (count < ATTRIBUTES_MAX && builder->dialect->attributes[count].name)
		count++;
	return (unsigned int)random_below(builder->random, 1U << count);
}

static unsigned int random_one(const struct builder *builder)
{
	const unsigned int count = builder->dialect->one_of_count;

	return count ? (unsigned int)random_below(builder->random, count) : 0;
}

/* log2 of a page size that the tree has room for. */
static unsigned int random_size(const struct builder *builder, uint64_t end)
{
	static const unsigned int sizes[] = { 12, 12, 12, 12, 12, 12, 21, 21, 30 };
	static const unsigned int amd_sizes[] = { 12, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19,
						  20, 21, 21, 22, 23, 26, 29, 30, 30, 31, 34,
						  37, 38, 39, 40, 43, 47, 48, 49, 51, 52 };
	struct random *random = builder->random;

	if (!builder->dialect->amd)
		return sizes[random_below(random, sizeof(sizes) / sizeof(sizes[0]))];
	unsigned int size =
		amd_sizes[random_below(random, sizeof(amd_sizes) / sizeof(amd_sizes[0]))];
	return 1ULL << size < end ? size : 12;
}

/* A group of leaves of one size from *@cursor on, most of them continuing each other. */
static void place_group(struct builder *builder, uint64_t *cursor, uint64_t end)
{
	struct random *random = builder->random;
	struct row row = {
		.size_lg2 = random_size(builder, end),
		.perm = builder->dialect->random_permissions(random),
		.attrs = random_attributes(builder),
		.one = random_one(builder),
	};
	uint64_t count = random_once_in(random, 12) ? 600 : 1 + random_below(random, 12);

	/* Not too many replicas to write. */
	if (builder->dialect->amd && count > 12 && (row.size_lg2 - 12) % 9 > 3)
		count = 12;
	row.length = 1ULL << row.size_lg2;
	row.iova = (*cursor + row.length - 1) & ~(row.length - 1);
	row.phys = random_phys(random, row.size_lg2);
	for (; count && row.iova < end; count--) {
		place(builder, &row);
		row.iova += row.length;
		if (!random_once_in(random, 16))
			row.phys += row.length;
		if (row.phys >> 52 || random_once_in(random, 40))
			row.phys = random_phys(random, row.size_lg2);
		if (random_once_in(random, 40))
			row.perm = builder->dialect->random_permissions(random);
		if (random_once_in(random, 40))
			row.attrs = random_attributes(builder);
		if (random_once_in(random, 40))
			row.one = random_one(builder);
	}
	*cursor = row.iova;
}

static void place_all(struct builder *builder)
{
	struct random *random = builder->random;
	const uint64_t end = pt_last_address(&builder->tree.geometry) + 1;
	uint64_t cursor = 0;
	size_t groups = 1 + random_below(random, 12);

	if (random_once_in(random, 4))
		cursor = end - 4096 * (1 + random_below(random, 4096));
	else if (random_once_in(random, 3))
		cursor = end / 2 - 4096 * random_below(random, 700);
	else if (random_once_in(random, 2))
		cursor = random_next(random) % end & ~0xfffULL;
	cursor %= end; /* of a small tree */
	for (; groups && cursor < end; groups--) {
		place_group(builder, &cursor, end);
		switch (random_below(random, 6)) {
		case 0:
			cursor += 4096 * random_below(random, 64);
			break;
		case 1:
			cursor += 4096 * random_below(random, 1 << 12);
			break;
		case 2:
			cursor += random_next(random) % (end >> random_below(random, 16)) &
				  ~0xfffULL;
			break;
		default:
			break;
		}
	}
}

static bool build(struct builder *builder)
{
	const struct dialect *dialect = builder->dialect;
	unsigned int count = 2;

	while (dialect->levels[count])
		count++;
	const uint8_t levels = dialect->levels[random_below(builder->random, count)];
	/* Of 6 levels the top table may be smaller; the texts have the full 64 bits. */
	const unsigned int bits = levels < 6 ? 12U + 9U * levels
					     : 58 + (unsigned int)random_below(builder->random, 6);
	const struct pt_parameters parameters = {
		.levels = levels,
		.input_bits = (uint8_t)bits,
		.sign_extend = dialect->sign_extend,
		.dirty_tracking = true,
	};
	struct error *err = pt_geometry_init(dialect->format, &parameters, &builder->tree.geometry);

	if (!EXPECT_NO_ERROR(err))
		return false;
	builder->next_table = 4096 * (1 + random_below(builder->random, 1ULL << 39));
	builder->tree.root = new_table(builder);
	unsigned int top = parameters.levels - 1U;
	builder->top_bytes = 8ULL << (bits - (12 + 9 * top));
	builder->path[top].phys = builder->tree.root;
	builder->path[top].perm = PT_RWX;
	builder->path[top].user = true;
	place_all(builder);
	return true;
}

/* What a walk finds. */
struct found {
	const struct pt_geometry *geometry;
	struct rows rows;
	uint64_t tables;
	uint64_t faults;
	uint64_t next; /* no iova below this one may come */
	bool descends;
	uint64_t bytes;
	uint64_t items;
};

static struct error *on_table(void *arg, const struct pt_table *table)
{
	struct found *found = arg;

	(void)table;
	found->tables++;
	return NULL;
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct found *found = arg;
	struct row row = {
		.iova = leaves->iova,
		.phys = leaves->phys,
		.length = leaves->count << leaves->size_lg2,
		.size_lg2 = leaves->size_lg2,
		.perm = leaves->perm,
	};

	pt_attributes_text(found->geometry, leaves->attrs, row.text, sizeof(row.text));
	found->descends |= found->items && row.iova < found->next;
	found->next = row.iova + row.length;
	found->bytes += row.length;
	found->items += leaves->count;
	rows_add(&found->rows, &row);
	return NULL;
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct found *found = arg;

	(void)fault;
	found->faults++;
	return NULL;
}

static bool same_rows(const struct rows *is, const struct rows *should, char text[320])
{
	size_t i = 0;

	while (i < is->count && i < should->count) {
		const struct row *a = &is->rows[i];
		const struct row *b = &should->rows[i];

		if (a->iova != b->iova || a->phys != b->phys || a->length != b->length ||
		    a->size_lg2 != b->size_lg2 || a->perm != b->perm ||
		    strcmp(a->text, b->text) != 0) {
			snprintf(text, 320,
				 "row %zu is 0x%" PRIx64 "+0x%" PRIx64 " 0x%" PRIx64
				 " %s, not 0x%" PRIx64 "+0x%" PRIx64 " 0x%" PRIx64 " %s",
				 i, a->iova, a->length, a->phys, a->text, b->iova, b->length,
				 b->phys, b->text);
			return false;
		}
		i++;
	}
	snprintf(text, 320, "%zu rows, not %zu", is->count, should->count);
	return is->count == should->count;
}

/* A walk from @start to @last finds the leaves that have a byte in it, and no others. */
static void check_walk(const struct builder *builder, uint64_t seed, uint64_t start, uint64_t last)
{
	static struct row is[LEAVES_MAX];
	static struct row should[LEAVES_MAX];
	struct found found = { .geometry = &builder->tree.geometry, .rows = { is, 0 } };
	struct rows expected = { should, 0 };
	const struct pt_visitor visitor = {
		.table = on_table, .leaves = on_leaves, .fault = on_fault, .arg = &found
	};
	struct pt_statistics statistics;
	const bool all = start == 0 && last == UINT64_MAX;
	char text[320];
	size_t leaves = 0;

	for (size_t i = 0; i < builder->leaves.count; i++) {
		const struct row *leaf = &builder->leaves.rows[i];

		if (leaf->iova <= last && leaf->iova + leaf->length - 1 >= start) {
			rows_add(&expected, leaf);
			leaves++;
		}
	}
	struct error *err =
		pt_walk(&builder->tree, builder->memory, start, last, &visitor, NULL, &statistics);
	if (!EXPECT_NO_ERROR(err))
		return;
	const char *name = builder->dialect->format->name;
	EXPECT(same_rows(&found.rows, &expected, text), "%s tree 0x%" PRIx64 ": %s", name, seed,
	       text);
	EXPECT(!found.descends, "%s tree 0x%" PRIx64 ": leaves do not ascend", name, seed);
	EXPECT(found.faults == 0, "%s tree 0x%" PRIx64 ": %" PRIu64 " faults", name, seed,
	       found.faults);
	EXPECT(!all || found.tables == builder->table_count,
	       "%s tree 0x%" PRIx64 ": %" PRIu64 " tables, not %" PRIu64, name, seed, found.tables,
	       builder->table_count);
	const uint64_t table_bytes = found.tables ? (found.tables - 1) * 4096 + builder->top_bytes
						  : 0;
	EXPECT(statistics.tables == found.tables && statistics.table_bytes == table_bytes &&
		       statistics.leaves == leaves && found.items == leaves &&
		       statistics.mapped_bytes == found.bytes,
	       "%s tree 0x%" PRIx64 ": statistics are wrong", name, seed);
}

static void check_lookup(const struct builder *builder, uint64_t seed, uint64_t address)
{
	const struct row *leaf = NULL;
	uint64_t phys = 0;

	for (size_t i = 0; i < builder->leaves.count && !leaf; i++) {
		if (address - builder->leaves.rows[i].iova < builder->leaves.rows[i].length)
			leaf = &builder->leaves.rows[i];
	}
	bool found = pt_lookup(&builder->tree, builder->memory, address, &phys);
	EXPECT(found == (leaf != NULL) && (!leaf || phys == leaf->phys + (address - leaf->iova)),
	       "%s tree 0x%" PRIx64 ": pt_lookup(0x%" PRIx64 ") is %d 0x%" PRIx64,
	       builder->dialect->format->name, seed, address, found, phys);
}

/* An address in a leaf, beside one, or anywhere. */
static uint64_t random_address(const struct builder *builder)
{
	struct random *random = builder->random;

	if (builder->leaves.count == 0)
		return random_next(random);
	const struct row *leaf = &builder->leaves.rows[random_below(random, builder->leaves.count)];
	switch (random_below(random, 6)) {
	case 0:
		return leaf->iova;
	case 1:
		return leaf->iova - 1;
	case 2:
		return leaf->iova + leaf->length;
	case 3:
		return leaf->iova + leaf->length - 1;
	case 4:
		return leaf->iova + random_below(random, leaf->length);
	default:
		return random_next(random);
	}
}

static void check_tree(const struct dialect *dialect, uint64_t seed)
{
	static struct row leaves[LEAVES_MAX];
	struct random random = { seed };
	struct builder builder = {
		.dialect = dialect,
		.random = &random,
		.memory = fake_create(),
		.leaves = { leaves, 0 },
	};

	if (build(&builder)) {
		check_walk(&builder, seed, 0, UINT64_MAX);
		for (int i = 0; i < 3; i++) {
			uint64_t a = random_address(&builder);
			uint64_t b = random_address(&builder);

			check_walk(&builder, seed, a < b ? a : b, a < b ? b : a);
			check_lookup(&builder, seed, a);
			check_lookup(&builder, seed, b);
		}
	}
	memory_close(builder.memory);
}

static uint64_t environment(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : usual;
}

static void check_trees(const struct dialect *dialect)
{
	const uint64_t first = environment("IOMMUPT_SEED", 0x10adeda110c8ULL);
	const uint64_t count = environment("IOMMUPT_TREES", 2000);

	printf("(%" PRIu64 " trees from seed 0x%" PRIx64 ") ", count, first);
	for (uint64_t i = 0; i < count; i++)
		check_tree(dialect, first + i);
}

static void test_amdv1(void)
{
	check_trees(&dialects[3]);
}

static void test_vtd_ss(void)
{
	check_trees(&dialects[0]);
}

static void test_x86_64(void)
{
	check_trees(&dialects[1]);
}

static void test_vtd_fs(void)
{
	check_trees(&dialects[2]);
}

static void test_ept(void)
{
	check_trees(&dialects[3]);
}

enum { BLOCK = 512 };

/* Nonsense of several kinds; some of it nearly makes sense. */
static void random_block(struct random *random, unsigned int level, uint64_t block[BLOCK])
{
	const unsigned int kind = (unsigned int)random_below(random, 6);
	const uint64_t stride = 1ULL << (12 + 9 * level);
	uint64_t entry = random_next(random);

	if (kind >= 4) /* aligned leaves */
		entry = (entry & ~(stride - 1)) | (entry & 0xf7f) | 0x80 | 3;
	if (kind == 5) /* up to the highest address and beyond it */
		entry |= 0x000ffffffff00000ULL & ~(stride - 1);
	for (unsigned int i = 0; i < BLOCK; i++) {
		if (kind == 0)
			entry = random_next(random);
		else if (kind == 1)
			entry = random_next(random) & random_next(random) & random_next(random);
		else if (kind == 2)
			entry = random_once_in(random, 3) ? random_next(random) : 0;
		else if (kind == 3)
			entry ^= random_once_in(random, 8) ? 1ULL << random_below(random, 64) : 0;
		else
			entry += random_once_in(random, 16) ? 2 * stride : stride;
		if (kind >= 4 && random_once_in(random, 24))
			entry ^= 1ULL << random_below(random, 64);
		block[i] = entry;
	}
}

/* AMD's large pages, some of whose replicas are not quite what they should be. */
static void random_amd_block(struct random *random, unsigned int level, uint64_t block[BLOCK])
{
	const unsigned int entry_lg2 = 12 + 9 * level;
	unsigned int i = 0;

	while (i < BLOCK) {
		const unsigned int lg2 = (unsigned int)random_below(random, 9);
		const uint64_t length = 1ULL << (entry_lg2 + lg2);
		unsigned int count = random_once_in(random, 6) ? 1 : 1U << lg2;
		uint64_t entry = (random_next(random) & 0x000fffffffe00000ULL & ~(length - 1)) |
				 0x6000000000000001ULL;

		if (lg2 && !random_once_in(random, 20))
			entry |= 7 << 9 | ((length / 2 - 1) & ~0xfffULL);
		if (random_once_in(random, 8))
			count = 1U << random_below(random, 9);
		if (!random_once_in(random, 6))
			i = (i + (1U << lg2) - 1) & ~((1U << lg2) - 1);
		for (; count && i < BLOCK; count--, i++) {
			block[i] = entry ^ (random_once_in(random, 4) ? 3 << 5 : 0);
			if (random_once_in(random, 100))
				block[i] ^= 1ULL << random_below(random, 64);
		}
	}
}

/* Where the memory of entry @i begins, by the item that is or holds it and begins at @first. */
static uint64_t output_of(const struct pt_run *run, unsigned int first, unsigned int i,
			  unsigned int entry_lg2)
{
	const unsigned int slots = 1U << (run->size_lg2 - entry_lg2);

	return run->address + ((uint64_t)((first & (slots - 1)) + i - first) << entry_lg2);
}

/* Whether entry number @i of @run says what the entry says by itself. */
static bool agrees(const struct pt_run *run, unsigned int i, const struct pt_run *alone,
		   unsigned int entry_lg2)
{
	enum { STATE = 3 }; /* accessed and dirty: of a large page, if any replica says so */
	const bool replicas = run->kind == PT_LEAF && run->size_lg2 > entry_lg2;

	if (run->kind != alone->kind)
		return false;
	if (run->kind == PT_EMPTY || run->kind == PT_INVALID)
		return true;
	if (run->kind == PT_TABLE)
		return run->count == 1 && run->address == alone->address &&
		       run->perm == alone->perm && run->next_level == alone->next_level &&
		       run->attrs == alone->attrs;
	return output_of(run, run->index, i, entry_lg2) == output_of(alone, i, i, entry_lg2) &&
	       (run->attrs | (replicas ? STATE : 0)) == (alone->attrs | (replicas ? STATE : 0)) &&
	       (run->attrs & alone->attrs) == alone->attrs && run->perm == alone->perm &&
	       (run->torn || run->size_lg2 == alone->size_lg2);
}

static bool could_join(const struct pt_run *run, const struct pt_run *next, unsigned int entry_lg2)
{
	return run->kind == PT_LEAF && next->kind == PT_LEAF && run->attrs == next->attrs &&
	       run->perm == next->perm && run->size_lg2 == next->size_lg2 &&
	       run->torn == next->torn &&
	       run->address + ((uint64_t)run->count << entry_lg2) == next->address;
}

static void check_block(const struct pt_geometry *geometry, unsigned int level,
			const uint64_t *block, unsigned int first, unsigned int count)
{
	struct pt_run runs[BLOCK];
	size_t n = geometry->format->decode(geometry, level, block + first, first, count, runs);
	const unsigned int entry_lg2 = 12 + 9 * level;
	unsigned int next = first;
	bool ok = n <= count;

	for (size_t r = 0; r < n && ok; r++) {
		ok = runs[r].index == next && runs[r].count > 0 &&
		     runs[r].count <= first + count - next &&
		     (r == 0 || !could_join(&runs[r - 1], &runs[r], entry_lg2));
		for (unsigned int i = next; i < next + runs[r].count && ok; i++) {
			struct pt_run alone;

			ok = geometry->format->decode(geometry, level, &block[i], i, 1, &alone) ==
				     1 &&
			     alone.index == i && alone.count == 1 &&
			     agrees(&runs[r], i, &alone, entry_lg2);
		}
		next += runs[r].count;
	}
	EXPECT(ok && next == first + count,
	       "%s level %u: runs end or are wrong before entry %u of %u", geometry->format->name,
	       level, next, first + count);
}

static bool is_lpae(const struct pt_format *format)
{
	return strncmp(format->name, "lpae", 4) == 0;
}

/* decode(): runs cover every entry, in order, and say what each entry says alone. */
static void test_decode(void)
{
	struct random random = { 0xdec0de };

	for (const struct pt_format *const *format = pt_formats; *format; format++) {
		for (unsigned int round = 0; round < 2000; round++) {
			uint64_t block[BLOCK] = { 0 };
			struct pt_parameters parameters = {
				.levels = (uint8_t)(4 + round % 2),
				.dirty_tracking = round % 3,
				.lpa2 = round % 2,
				.strip = round % 4 ? 0 : 1ULL << (12 + random_below(&random, 40)),
			};
			struct pt_geometry geometry;

			if (!EXPECT_NO_ERROR(pt_geometry_init(*format, &parameters, &geometry)))
				return;
			unsigned int level = (unsigned int)random_below(&random, geometry.levels);
			if (*format == &pt_format_amdv1 && random_once_in(&random, 2))
				random_amd_block(&random, level, block);
			else
				random_block(&random, level, block);
			/* Arm's items of several entries have a test of their own. */
			for (unsigned int i = 0; i < BLOCK && is_lpae(*format); i++)
				block[i] &= ~(1ULL << 52);
			check_block(&geometry, level, block, 0, BLOCK);
			unsigned int first = (unsigned int)random_below(&random, BLOCK);
			unsigned int count = 1 + (unsigned int)random_below(&random, BLOCK - first);
			check_block(&geometry, level, block, first, count);
		}
	}
}

void suite_trees(void)
{
	CU_pSuite suite = CU_add_suite("trees", NULL, NULL);

	CU_add_test(suite, "amdv1: random trees", test_amdv1);
	CU_add_test(suite, "vtd_ss: random trees", test_vtd_ss);
	CU_add_test(suite, "x86_64: random trees", test_x86_64);
	CU_add_test(suite, "vtd_fs: random trees", test_vtd_fs);
	CU_add_test(suite, "ept: random trees", test_ept);
	CU_add_test(suite, "decode(): blocks against single entries", test_decode);
}
