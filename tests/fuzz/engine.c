// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The engine over a small memory whose tables the input writes: trees of any shape, loops, tables
 * reached many times, pages that are missing. Each record of the input is one entry: a page, an
 * index, 8 bytes, and whether their address is to be that of a page.
 */
#include "walkers/engine.h"
#include "target/error.h"
#include "tests/fuzz/fuzz.h"

enum { PAGES = 32, PAGE_LG2 = 12, PAGE_BYTES = 1 << PAGE_LG2, BASE = 0x100000 };
enum { CALLS_MAX = 1 << 12, LOOKUPS = 32 };

struct small_memory {
	struct memory memory;
	uint8_t status[PAGES]; /* enum block_status */
	uint8_t pages[PAGES][PAGE_BYTES];
};

static enum block_status small_probe(struct memory *memory, uint64_t phys)
{
	const struct small_memory *self = (const struct small_memory *)memory;
	const uint64_t page = (phys - BASE) >> PAGE_LG2;

	return phys < BASE || page >= PAGES ? BLOCK_OUTSIDE : (enum block_status)self->status[page];
}

static void small_read(struct memory *memory, struct block_request *requests, size_t count)
{
	const struct small_memory *self = (const struct small_memory *)memory;

	for (size_t i = 0; i < count; i++) {
		struct block_request *request = &requests[i];
		const uint64_t last = request->phys + request->len - 1;

		request->status = small_probe(memory, request->phys);
		for (uint64_t at = request->phys; at <= last && request->status == BLOCK_OK;
		     at = (at | (PAGE_BYTES - 1)) + 1)
			request->status = small_probe(memory, at);
		if (request->status == BLOCK_OK)
			memcpy(request->data, &self->pages[0][0] + (request->phys - BASE),
			       request->len);
	}
}

static void small_destroy(struct memory *memory)
{
	(void)memory;
}

static const struct memory_ops small_ops = {
	.name = "small",
	.read = small_read,
	.probe = small_probe,
	.destroy = small_destroy,
};

/* What one walk has handed out. */
struct seen {
	const struct pt_tree *tree;
	volatile sig_atomic_t stop;
	unsigned int calls;
	uint64_t next; /* table address behind the last leaf */
	uint64_t leaves;
	uint64_t mapped;
	uint64_t faults;
	uint64_t start, last;
	uint64_t iova[LOOKUPS], phys[LOOKUPS];
	unsigned int lookups;
	bool torn;
};

static void count_call(struct seen *seen)
{
	if (++seen->calls >= CALLS_MAX)
		seen->stop = 1;
}

/* In ascending order, without overlap, each inside the range that was asked for. */
static void check_order(struct seen *seen, const struct pt_leaves *leaves)
{
	const struct pt_geometry *geometry = &seen->tree->geometry;
	const uint64_t bytes = leaves->count << leaves->size_lg2;
	uint64_t first = 0;

	REQUIRE(leaves->count > 0);
	REQUIRE(pt_address_to_table(geometry, leaves->iova, &first));
	REQUIRE(first >= seen->next || seen->next == 0);
	REQUIRE(first + bytes - 1 <= pt_last_address(geometry));
	seen->next = first + bytes;
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct seen *seen = arg;

	check_order(seen, leaves);
	seen->leaves += leaves->count;
	seen->mapped += leaves->count << leaves->size_lg2;
	if (seen->lookups < LOOKUPS) {
		seen->iova[seen->lookups] = leaves->iova;
		seen->phys[seen->lookups++] = leaves->phys;
	}
	count_call(seen);
	return NULL;
}

static struct error *on_soft(void *arg, const struct pt_leaves *leaves)
{
	check_order(arg, leaves);
	count_call(arg);
	return NULL;
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct seen *seen = arg;

	REQUIRE(fault->kind < PT_FAULT_KINDS);
	seen->faults++;
	seen->torn |= fault->kind == PT_FAULT_TORN;
	count_call(seen);
	return NULL;
}

static struct error *on_table(void *arg, const struct pt_table *table)
{
	REQUIRE(table->level < PT_MAX_LEVELS);
	REQUIRE(table->phys >= BASE && table->phys < BASE + PAGES * PAGE_BYTES);
	count_call(arg);
	return NULL;
}

static struct error *make_tree(struct input *input, struct pt_tree *tree)
{
	static const uint8_t granules[] = { 0, 12, 14, 16 };
	const uint8_t flags = input_u8(input);
	size_t formats = 0;

	while (pt_formats[formats])
		formats++;
	REQUIRE(formats);
	const struct pt_parameters parameters = {
		.levels = input_u8(input) % 7,
		.granule_lg2 = granules[flags & 3],
		.sign_extend = flags & 4,
		.lpa2 = flags & 8,
		.ttbr1 = flags & 16,
	};
	const struct pt_format *format = pt_formats[input_u8(input) % formats];

	tree->root = BASE;
	tree->perm = (uint8_t)(flags >> 5);
	return pt_geometry_init(format, &parameters, &tree->geometry);
}

static void write_tables(struct input *input, struct small_memory *memory)
{
	memset(memory->status, BLOCK_OK, sizeof(memory->status));
	memset(memory->pages, 0, sizeof(memory->pages));
	while (input->size) {
		const uint8_t page = input_u8(input);
		const uint64_t index = input_bytes(input, 2) % (PAGE_BYTES / sizeof(uint64_t));
		uint64_t entry = input_u64(input);

		if (page & 0x80) /* leads to a page */
			entry = (entry & ~0x000ffffffffff000ULL) |
				(BASE + ((entry >> PAGE_LG2) % PAGES << PAGE_LG2));
		if (page & 0x40 && index % 8 == 0)
			memory->status[page % PAGES] = (uint8_t)(index / 8 % 4);
		memcpy(&memory->pages[page % PAGES][index * sizeof(entry)], &entry, sizeof(entry));
	}
}

/* The way of single addresses ends where the walk has said. */
static void check_lookups(const struct seen *seen, struct memory *memory)
{
	for (unsigned int i = 0; i < seen->lookups; i++) {
		uint64_t phys = 0;

		REQUIRE(pt_lookup(seen->tree, memory, seen->iova[i], &phys));
		REQUIRE(phys == seen->phys[i]);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct small_memory memory = { .memory.ops = &small_ops };
	struct input input = { data, size };
	struct pt_tree tree = { 0 };
	struct error *err = make_tree(&input, &tree);
	struct seen seen = { .tree = &tree, .last = UINT64_MAX };

	if (err) {
		error_free(err);
		return 0;
	}
	const bool whole = input_u8(&input) & 1;
	seen.start = whole ? 0 : input_u64(&input);
	seen.last = whole ? UINT64_MAX : input_u64(&input);
	write_tables(&input, &memory);
	const struct pt_visitor visitor = {
		.table = on_table,
		.leaves = on_leaves,
		.fault = on_fault,
		.soft = on_soft,
		.arg = &seen,
	};
	const struct pt_control control = { .stop = &seen.stop };
	struct pt_statistics statistics;
	err = pt_walk(&tree, &memory.memory, seen.start, seen.last, &visitor, &control,
		      &statistics);
	REQUIRE(!err || seen.stop);
	error_free(err);
	REQUIRE(statistics.leaves == seen.leaves && statistics.mapped_bytes == seen.mapped);
	REQUIRE(statistics.tables <= PAGES);
	check_lookups(&seen, &memory.memory);
	return 0;
}
