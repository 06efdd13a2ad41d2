// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Arm tables against random trees: all granules, depths, widths, both stages.
 *
 * A builder that shares nothing with formats/lpae.c writes entries by the manual (DDI 0487, D8.3)
 * for a list of leaves; what pt_walk() finds has to be that list again, item by item.
 * IOMMUPT_TREES=N makes N trees a stage instead of 2000, IOMMUPT_SEED=S begins at tree S.
 */
#include "tests/tests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "tests/fake_memory.h"
#include "walkers/engine.h"

enum { ITEMS_MAX = 30000, MANUAL_LEVELS = 5, TEXT = 128 };

/* What an entry is to say. The manual's names; of stage 2 `unprivileged` and so on are not used. */
struct meaning {
	bool read;	    /* stage 2 */
	bool write;	    /* now: AP[2]=0, S2AP[1]=1 */
	bool dirty_bit;	    /* DBM */
	bool access_flag;   /* AF */
	bool unprivileged;  /* AP[1] */
	bool xn_high;	    /* bit 54: UXN, XN[1] */
	bool xn_low;	    /* bit 53: PXN, XN[0] */
	bool not_global;    /* nG */
	bool non_secure;    /* NS */
	bool guarded;	    /* GP */
	bool no_cache;	    /* nT, in a block */
	unsigned int index; /* AttrIndx, MemAttr */
	unsigned int share; /* SH */
};

/* What table entries take away or add, of all levels on the way. */
struct inherited {
	bool read_only, privileged, uxn, pxn, non_secure;
};

struct item {
	uint64_t iova;
	uint64_t phys;
	unsigned int size_lg2;
	unsigned int perm;
	char text[TEXT];
};

struct builder {
	struct random *random;
	struct memory *memory;
	struct pt_tree tree;
	bool stage2, lpa2, hd;
	unsigned int page; /* log2 of the granule */
	int start;	   /* the manual's level of the root */
	unsigned int ias, oas;
	uint64_t next_table;
	uint64_t tables, bytes;
	uint64_t faults;
	uint64_t at_odds; /* bytes in groups that do not agree */
	/* By the manual's level plus 1: the table written last. */
	struct {
		uint64_t phys, prefix;
		struct inherited inherited;
	} path[MANUAL_LEVELS];
	size_t count;
};

static struct item items[ITEMS_MAX];

static bool coin(struct random *random)
{
	return random_once_in(random, 2);
}

/* log2 of what an entry of the manual's @level maps. */
static unsigned int span(const struct builder *builder, int level)
{
	return builder->page + (unsigned int)(3 - level) * (builder->page - 3);
}

/* Table D8-* "block sizes": the first of the manual's levels that may hold a leaf. */
static int first_leaf_level(const struct builder *builder)
{
	switch (builder->page) {
	case 12:
		return builder->lpa2 ? 0 : 1;
	case 14:
		return builder->lpa2 ? 1 : 2;
	default:
		return builder->oas == 52 ? 1 : 2;
	}
}

/* D8.7.1: how many entries the Contiguous bit joins; 1 where it has no meaning. */
static unsigned int group_of(const struct builder *builder, int level)
{
	static const unsigned int groups[3][4] = { { 1, 16, 16, 16 },
						   { 1, 1, 32, 128 },
						   { 1, 32, 32, 32 } };
	unsigned int group = groups[(builder->page - 12) / 2][level];

	if (level == builder->start && builder->ias - span(builder, level) < 10 &&
	    1U << (builder->ias - span(builder, level)) < group)
		return 1;
	return group;
}

/* D8.3.1, figures of 48-bit, 52-bit and LPA2 descriptors. */
static uint64_t place_address(const struct builder *builder, uint64_t address)
{
	if (builder->lpa2)
		return (address & 0x0003fffffffff000ULL) | address >> 50 << 8;
	if (builder->page == 16)
		return (address & 0x0000ffffffff0000ULL) | address >> 48 << 12;
	return address;
}

static uint64_t encode(const struct builder *builder, int level, uint64_t phys,
		       const struct meaning *say, bool contiguous)
{
	uint64_t entry = place_address(builder, phys) | (level == 3 ? 3 : 1);

	if (builder->stage2)
		entry |= (uint64_t)say->index << 2 | (uint64_t)say->read << 6 |
			 (uint64_t)say->write << 7;
	else
		entry |= (uint64_t)say->index << 2 | (uint64_t)say->non_secure << 5 |
			 (uint64_t)say->unprivileged << 6 | (uint64_t)!say->write << 7 |
			 (uint64_t)say->not_global << 11 | (uint64_t)say->guarded << 50;
	if (!builder->lpa2)
		entry |= (uint64_t)say->share << 8;
	if (level < 3)
		entry |= (uint64_t)say->no_cache << 16;
	/* Bits 58:55 and 62:59 are software's, or hardware's hints. */
	return entry | (uint64_t)say->access_flag << 10 | (uint64_t)say->dirty_bit << 51 |
	       (uint64_t)contiguous << 52 | (uint64_t)say->xn_low << 53 |
	       (uint64_t)say->xn_high << 54 |
	       (random_next(builder->random) & 0xff80000000000000ULL);
}

static void add_token(char text[TEXT], bool present, const char *token)
{
	if (present) {
		strcat(text, text[0] ? "|" : "");
		strcat(text, token);
	}
}

enum group { ALONE, JOINED, AT_ODDS };

/* Tokens in the order of the alphabet. */
static void expect_text(const struct builder *builder, const struct meaning *say,
			const struct inherited *inherited, int level, enum group group,
			char text[TEXT])
{
	const bool s1 = !builder->stage2;
	char token[16];

	text[0] = '\0';
	add_token(text, builder->hd && say->access_flag, "accessed");
	snprintf(token, sizeof(token), "attr%u", say->index);
	add_token(text, s1, token);
	add_token(text, group != ALONE, "contig");
	add_token(text, group == AT_ODDS, "contig-bad");
	add_token(text, say->dirty_bit, "dbm");
	add_token(text, builder->hd && say->dirty_bit && say->write, "dirty");
	add_token(text, s1 && say->guarded, "gp");
	add_token(text, !builder->lpa2 && say->share == 3, "ish");
	snprintf(token, sizeof(token), "memattr%x", say->index);
	add_token(text, !s1, token);
	add_token(text, s1 && say->not_global, "ng");
	add_token(text, !builder->hd && !say->access_flag, "no-af");
	add_token(text, s1 && (say->non_secure || inherited->non_secure), "ns");
	add_token(text, level < 3 && say->no_cache, "nt");
	add_token(text, !builder->lpa2 && say->share == 2, "osh");
	add_token(text, s1 && (!say->unprivileged || inherited->privileged), "priv");
	add_token(text, s1 && (say->xn_low || inherited->pxn), "pxn");
	add_token(text, !builder->lpa2 && say->share == 1, "sh-reserved");
	add_token(text, s1 && (say->xn_high || inherited->uxn), "uxn");
	add_token(text, !s1 && say->xn_low, "xn0");
}

static unsigned int expect_perm(const struct builder *builder, const struct meaning *say,
				const struct inherited *inherited)
{
	bool read = true;
	bool write = say->write || (say->dirty_bit && builder->hd);
	bool execute = false;

	if (builder->stage2) {
		read = say->read;
		execute = read && !say->xn_high;
	} else {
		bool privileged = !say->unprivileged || inherited->privileged;

		write = write && !inherited->read_only;
		execute = privileged ? !say->xn_low && !inherited->pxn
				     : !say->xn_high && !inherited->uxn;
	}
	return (read ? PT_R : 0U) | (write ? PT_W : 0U) | (execute ? PT_X : 0U);
}

static uint64_t entry_place(const struct builder *builder, int level, uint64_t iova)
{
	uint64_t index = iova >> span(builder, level);

	if (level != builder->start)
		index &= (1ULL << (builder->page - 3)) - 1;
	return builder->path[level + 1].phys + index * 8;
}

/* The tables on the way to @level; those at hand are used again. */
static void descend(struct builder *builder, int level, uint64_t iova)
{
	struct random *random = builder->random;

	for (int above = builder->start; above < level; above++) {
		const uint64_t prefix = iova >> span(builder, above);
		struct inherited inherited = builder->path[above + 1].inherited;
		const uint64_t high = random_once_in(random, 3) ? random_next(random) >> 59 : 0;

		if (builder->path[above + 2].phys && builder->path[above + 2].prefix == prefix)
			continue;
		uint64_t table = builder->next_table;
		builder->next_table += (1 + random_below(random, 3)) << builder->page;
		builder->tables++;
		builder->bytes += 1ULL << builder->page;
		fake_write(builder->memory, entry_place(builder, above, iova),
			   place_address(builder, table) | high << 59 | 3 |
				   (random_next(random) & 0x007800000000000cULL));
		if (!builder->stage2) {
			inherited.pxn |= high & 1;
			inherited.uxn |= high >> 1 & 1;
			inherited.privileged |= high >> 2 & 1;
			inherited.read_only |= high >> 3 & 1;
			inherited.non_secure |= high >> 4 & 1;
		}
		builder->path[above + 2].phys = table;
		builder->path[above + 2].prefix = prefix;
		builder->path[above + 2].inherited = inherited;
		/* What was below the old one is not below this one. */
		for (int below = above + 3; below < MANUAL_LEVELS; below++)
			builder->path[below].phys = 0;
	}
}

static struct meaning random_meaning(const struct builder *builder)
{
	struct random *random = builder->random;

	return (struct meaning){
		.read = coin(random),
		.write = coin(random),
		.dirty_bit = random_once_in(random, 4),
		.access_flag = !random_once_in(random, 4),
		.unprivileged = coin(random),
		.xn_high = coin(random),
		.xn_low = coin(random),
		.not_global = coin(random),
		.non_secure = random_once_in(random, 4),
		.guarded = random_once_in(random, 4),
		.no_cache = random_once_in(random, 8),
		.index = (unsigned int)random_below(random, builder->stage2 ? 16 : 8),
		.share = (unsigned int)random_below(random, 4),
	};
}

static void add_item(struct builder *builder, uint64_t iova, uint64_t phys, int level,
		     unsigned int size_lg2, const struct meaning *say, enum group group)
{
	const struct inherited *inherited = &builder->path[level + 1].inherited;

	if (builder->count == ITEMS_MAX)
		abort();
	struct item *item = &items[builder->count++];
	*item = (struct item){
		.iova = iova | builder->tree.geometry.base,
		.phys = phys,
		.size_lg2 = size_lg2,
		.perm = expect_perm(builder, say, inherited),
	};
	expect_text(builder, say, inherited, level, group, item->text);
	builder->at_odds += group == AT_ODDS ? 1ULL << size_lg2 : 0;
}

static uint64_t random_phys(const struct builder *builder, unsigned int align)
{
	if (align >= builder->oas)
		return 0;
	return random_next(builder->random) & ((1ULL << builder->oas) - 1) & ~0ULL << align;
}

/* Single leaves, most of them continuing each other. Returns where they end. */
static uint64_t place_leaves(struct builder *builder, int level, uint64_t iova)
{
	struct random *random = builder->random;
	const unsigned int size = span(builder, level);
	const uint64_t end = 1ULL << builder->ias;
	struct meaning say = random_meaning(builder);
	uint64_t phys = random_phys(builder, size);
	uint64_t count = random_once_in(random, 12) ? 200 : 1 + random_below(random, 8);

	for (iova = (iova + (1ULL << size) - 1) >> size << size; count && iova < end; count--) {
		descend(builder, level, iova);
		fake_write(builder->memory, entry_place(builder, level, iova),
			   encode(builder, level, phys, &say,
				  group_of(builder, level) == 1 && coin(random)));
		add_item(builder, iova, phys, level, size, &say, ALONE);
		iova += 1ULL << size;
		phys += 1ULL << size;
		if (phys >> builder->oas || random_once_in(random, 20))
			phys = random_phys(builder, size);
		if (random_once_in(random, 20))
			say = random_meaning(builder);
	}
	return iova;
}

/* One of the ways in which a group can be wrong, at its member number @odd. */
static void spoil(const struct builder *builder, unsigned int way, struct meaning *say,
		  uint64_t *phys, bool *contiguous, unsigned int size)
{
	switch (way) {
	case 0:
		*contiguous = false;
		break;
	case 1:
		say->index ^= 1;
		break;
	case 2:
		say->xn_high = !say->xn_high;
		break;
	default:
		*phys = random_phys(builder, size + 8) | (*phys & (255ULL << size));
		*phys ^= 1ULL << size;
		break;
	}
}

/* A group of entries with the Contiguous bit: one item, or with a member that is @odd, none. */
static uint64_t place_group(struct builder *builder, int level, uint64_t iova)
{
	struct random *random = builder->random;
	const unsigned int size = span(builder, level);
	const unsigned int count = group_of(builder, level);
	const unsigned int item = size + (unsigned int)__builtin_ctz(count);
	const bool bad = random_once_in(random, 3);
	const unsigned int odd = (unsigned int)random_below(random, count);
	const unsigned int way = (unsigned int)random_below(random, 4);
	struct meaning all = random_meaning(builder);
	struct meaning sum = all;

	iova = (iova + (1ULL << item) - 1) >> item << item;
	if (iova >> builder->ias || item >= builder->oas)
		return iova;
	const uint64_t base = random_phys(builder, item);
	descend(builder, level, iova);
	for (unsigned int i = 0; i < count; i++) {
		struct meaning say = all;
		uint64_t phys = base + ((uint64_t)i << size);
		bool contiguous = true;

		if (builder->hd && coin(random)) {
			/* Hardware has seen some of them only. */
			say.access_flag = !say.access_flag;
			say.write ^= say.dirty_bit;
		}
		if (bad && i == odd)
			spoil(builder, way, &say, &phys, &contiguous, size);
		sum.access_flag |= say.access_flag;
		sum.write |= say.write;
		fake_write(builder->memory,
			   entry_place(builder, level, iova + ((uint64_t)i << size)),
			   encode(builder, level, phys, &say, contiguous));
		if (bad)
			add_item(builder, iova + ((uint64_t)i << size), phys, level, size, &say,
				 contiguous ? AT_ODDS : ALONE);
	}
	if (!bad)
		add_item(builder, iova, base, level, item, &sum, JOINED);
	return iova + (1ULL << item);
}

/* An entry that translates nothing: hardware faults, for a reason or for none. */
static uint64_t place_nothing(struct builder *builder, uint64_t iova)
{
	struct random *random = builder->random;
	const int level =
		builder->start + (int)random_below(random, (uint64_t)(4 - builder->start));
	const unsigned int size = span(builder, level);
	const struct meaning say = random_meaning(builder);
	uint64_t entry = random_next(random) & ~1ULL; /* not valid: software's */
	bool fault = true;

	iova = (iova + (1ULL << size) - 1) >> size << size;
	if (iova >> builder->ias)
		return iova;
	if (coin(random))
		fault = false;
	else if (level < first_leaf_level(builder)) /* a block where none can be */
		entry = encode(builder, 2, 0, &say, false);
	else if (builder->oas < 48 && coin(random)) /* too large an address */
		entry = encode(builder, level, 1ULL << (builder->oas > size ? builder->oas : size),
			       &say, false);
	else if (builder->oas < 48) /* the same of a table */
		entry = 1ULL << 47 | (level == 3 ? 1 : 3);
	else if (level == 3) /* 0b01 */
		entry = encode(builder, 2, 0, &say, false);
	else
		fault = false;
	descend(builder, level, iova);
	fake_write(builder->memory, entry_place(builder, level, iova), entry);
	builder->faults += fault;
	return iova + (1ULL << size);
}

static void place_all(struct builder *builder)
{
	struct random *random = builder->random;
	const uint64_t end = 1ULL << builder->ias;
	uint64_t iova = coin(random) ? 0 : random_next(random) % end;
	size_t groups = 1 + random_below(random, 10);

	for (; groups && iova < end; groups--) {
		int level = 3 - (int)random_below(random, 3);

		if (level < builder->start)
			level = builder->start;
		if (level < first_leaf_level(builder))
			level = 3;
		if (random_once_in(random, 6))
			iova = place_nothing(builder, iova);
		else if (group_of(builder, level) > 1 && coin(random))
			iova = place_group(builder, level, iova);
		else
			iova = place_leaves(builder, level, iova);
		if (coin(random))
			iova += random_next(random) % end >> random_below(random, 30);
	}
}

/* Any geometry that the architecture has. False: this one has none. */
static bool random_geometry(struct builder *builder)
{
	static const uint8_t granules[] = { 12, 14, 16 };
	struct random *random = builder->random;
	struct pt_parameters parameters = {
		.dirty_tracking = builder->hd = coin(random),
		.ttbr1 = !builder->stage2 && random_once_in(random, 4),
		.has_start_level = true,
	};

	builder->page = granules[random_below(random, 3)];
	builder->lpa2 = builder->page != 16 && coin(random);
	const bool wide = builder->lpa2 || builder->page == 16;
	builder->oas = wide && coin(random) ? 52 : 36 + (unsigned int)random_below(random, 13);
	if (builder->lpa2)
		builder->oas = 52;
	builder->start = (builder->lpa2 && builder->page == 12 ? -1 : builder->page == 16 ? 1 : 0);
	builder->start += (int)random_below(random, (uint64_t)(4 - builder->start));
	/* One bit of index at least; stage 2 may have up to 16 tables in a row. */
	const unsigned int most = builder->page - 3 + (builder->stage2 ? 4 : 0);
	builder->ias = span(builder, builder->start) + 1 + (unsigned int)random_below(random, most);
	if (builder->ias > (wide ? 52U : 48U))
		builder->ias = wide ? 52 : 48;
	parameters.granule_lg2 = (uint8_t)builder->page;
	parameters.lpa2 = builder->lpa2;
	parameters.input_bits = (uint8_t)builder->ias;
	parameters.output_bits = (uint8_t)builder->oas;
	parameters.start_level = (int8_t)builder->start;
	return EXPECT_NO_ERROR(
		pt_geometry_init(builder->stage2 ? &pt_format_lpae_s2 : &pt_format_lpae_s1,
				 &parameters, &builder->tree.geometry));
}

static void build(struct builder *builder)
{
	const uint64_t root_bytes = 8ULL << (builder->ias - span(builder, builder->start));
	const uint64_t align = root_bytes > 64 ? root_bytes : 64;
	uint64_t root = (1 + random_below(builder->random, 1000)) * (align > 65536 ? align : 65536);

	/* A small root lies anywhere in a page, between other people's data. */
	if (root_bytes < 4096)
		root += align * random_below(builder->random, 4096 / align);
	for (uint64_t i = 1; i < 8 && root_bytes < 4096; i++)
		fake_write(builder->memory, root + root_bytes + (i - 1) * 8, ~0ULL);
	builder->tree.root = root;
	builder->path[builder->start + 1].phys = root;
	builder->tables = 1;
	builder->bytes = root_bytes;
	builder->next_table = 1ULL << (28 + random_below(builder->random, 7));
	fake_ram(builder->memory, 0, 1ULL << 52);
	place_all(builder);
}

struct found {
	const struct builder *builder;
	uint64_t start, last;
	size_t next; /* of items[] */
	size_t wrong;
	uint64_t faults;
	uint64_t at_odds; /* bytes */
	char first[256];
};

static void skip_outside(struct found *found)
{
	while (found->next < found->builder->count &&
	       items[found->next].iova + ((1ULL << items[found->next].size_lg2) - 1) < found->start)
		found->next++;
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct found *found = arg;
	struct item is = { leaves->iova, leaves->phys, leaves->size_lg2, leaves->perm, "" };

	pt_attributes_text(&found->builder->tree.geometry, leaves->attrs, is.text, TEXT);
	for (uint64_t i = 0; i < leaves->count; i++) {
		const struct item *should = &items[found->next];

		if (found->next == found->builder->count ||
		    (is.iova != should->iova || is.phys != should->phys ||
		     is.size_lg2 != should->size_lg2 || is.perm != should->perm ||
		     strcmp(is.text, should->text) != 0)) {
			if (!found->wrong++)
				snprintf(found->first, sizeof(found->first),
					 "0x%" PRIx64 " 0x%" PRIx64 " 2^%u %u %s, not 0x%" PRIx64
					 " 0x%" PRIx64 " 2^%u %u %s",
					 is.iova, is.phys, is.size_lg2, is.perm, is.text,
					 should->iova, should->phys, should->size_lg2, should->perm,
					 should->text);
			return NULL;
		}
		found->next++;
		is.iova += 1ULL << is.size_lg2;
		is.phys += 1ULL << is.size_lg2;
	}
	return NULL;
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct found *found = arg;

	if (fault->kind == PT_FAULT_INVALID)
		found->faults++;
	else if (fault->kind == PT_FAULT_TORN)
		found->at_odds += fault->length;
	return NULL;
}

static void check_range(const struct builder *builder, uint64_t seed, uint64_t start, uint64_t last)
{
	struct found found = { .builder = builder, .start = start, .last = last };
	const struct pt_visitor visitor = { .leaves = on_leaves, .fault = on_fault, .arg = &found };
	struct pt_statistics statistics;
	size_t end = 0;

	skip_outside(&found);
	if (!EXPECT_NO_ERROR(pt_walk(&builder->tree, builder->memory, start, last, &visitor, NULL,
				     &statistics)))
		return;
	while (end < builder->count && items[end].iova <= last)
		end++;
	EXPECT(found.wrong == 0 && found.next == end,
	       "stage %d tree 0x%" PRIx64 ": item %zu of %zu: %s", builder->stage2 + 1, seed,
	       found.next, end, found.first);
	if (start == 0 && last == UINT64_MAX) {
		EXPECT(found.faults == builder->faults && found.at_odds == builder->at_odds,
		       "stage %d tree 0x%" PRIx64 ": %" PRIu64 " faults, not %" PRIu64,
		       builder->stage2 + 1, seed, found.faults, builder->faults);
		EXPECT(statistics.tables == builder->tables &&
			       statistics.table_bytes == builder->bytes,
		       "stage %d tree 0x%" PRIx64 ": %" PRIu64 " tables, not %" PRIu64,
		       builder->stage2 + 1, seed, statistics.tables, builder->tables);
	}
}

/* The way of one address: the item, its permissions and attributes, or nothing. */
static void check_translation(const struct builder *builder, uint64_t seed, uint64_t iova)
{
	const struct item *item = NULL;
	struct pt_step steps[PT_MAX_LEVELS];
	char text[TEXT] = "";

	for (size_t i = 0; i < builder->count && !item; i++) {
		if ((iova - items[i].iova) >> items[i].size_lg2 == 0)
			item = &items[i];
	}
	size_t n = pt_translate(&builder->tree, builder->memory, iova, steps);
	const struct pt_step *last = n ? &steps[n - 1] : NULL;
	bool mapped = last && last->run.kind == PT_LEAF;
	if (mapped)
		pt_attributes_text(&builder->tree.geometry, last->effective.attrs, text, TEXT);
	EXPECT(mapped == (item != NULL) &&
		       (!item ||
			(last->run.address == item->phys && last->perm == item->perm &&
			 last->run.size_lg2 == item->size_lg2 && strcmp(text, item->text) == 0)),
	       "stage %d tree 0x%" PRIx64 ": 0x%" PRIx64 " is %d 0x%" PRIx64 " %s",
	       builder->stage2 + 1, seed, iova, mapped, last ? last->run.address : 0, text);
}

static uint64_t random_address(const struct builder *builder)
{
	struct random *random = builder->random;

	if (builder->count == 0 || random_once_in(random, 5))
		return builder->tree.geometry.base | random_next(random) >> (64 - builder->ias);
	const struct item *item = &items[random_below(random, builder->count)];
	return item->iova + random_below(random, (1ULL << item->size_lg2) + 2) - 1;
}

static void check_tree(bool stage2, uint64_t seed)
{
	struct random random = { seed };
	struct builder builder = { .random = &random, .memory = fake_create(), .stage2 = stage2 };

	if (random_geometry(&builder)) {
		build(&builder);
		check_range(&builder, seed, 0, UINT64_MAX);
		for (int i = 0; i < 3; i++) {
			uint64_t a = random_address(&builder);
			uint64_t b = random_address(&builder);

			check_range(&builder, seed, a < b ? a : b, a < b ? b : a);
			check_translation(&builder, seed, a);
			check_translation(&builder, seed, b);
		}
	}
	memory_close(builder.memory);
}

static uint64_t environment(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : usual;
}

static void check_trees(bool stage2)
{
	const uint64_t first = environment("IOMMUPT_SEED", 0xa4641);
	const uint64_t count = environment("IOMMUPT_TREES", 2000);

	printf("(%" PRIu64 " trees from seed 0x%" PRIx64 ") ", count, first);
	for (uint64_t i = 0; i < count; i++)
		check_tree(stage2, first + i);
}

static void test_stage1(void)
{
	check_trees(false);
}

static void test_stage2(void)
{
	check_trees(true);
}

void suite_lpae(void)
{
	CU_pSuite suite = CU_add_suite("lpae", NULL, NULL);

	CU_add_test(suite, "lpae_s1: random trees", test_stage1);
	CU_add_test(suite, "lpae_s2: random trees", test_stage2);
}
