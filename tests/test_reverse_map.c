// SPDX-License-Identifier: GPL-3.0-or-later
/* Page tables among the runs: each once, whatever the order and however they were joined. */
#include "tests/tests.h"

#include <stdlib.h>

#include "reports/reverse_map.h"
#include "target/error.h"

/* Pages that hold a table: owner, address, level, bytes. */
static const struct table {
	uint32_t owner;
	uint64_t phys;
	uint8_t level;
	uint32_t bytes;
} tables[] = {
	{ 0, 0x1000, 0, 4096 },	 { 0, 0x2000, 0, 4096 }, { 0, 0x3000, 0, 4096 },
	{ 0, 0x4000, 1, 4096 },	 { 0, 0x5000, 0, 4096 }, { 0, 0x8000, 0, 16384 },
	{ 0, 0xc000, 2, 16384 }, { 1, 0x1000, 0, 4096 }, { 1, 0x2000, 3, 1024 },
	{ 1, 0x2400, 3, 1024 },
};

enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static void expect_all(const struct reverse_map *map)
{
	struct map_run at = { 0 };

	EXPECT_NUMBER(reverse_map_count_tables(map), TABLES);
	for (size_t i = 0; i < TABLES; i++) {
		if (!EXPECT(reverse_map_next_table(map, &at), "table %zu is missing", i))
			return;
		EXPECT_NUMBER(at.owner, tables[i].owner);
		EXPECT_NUMBER(at.phys, tables[i].phys);
		EXPECT_NUMBER(at.size_lg2, tables[i].level);
	}
	EXPECT(!reverse_map_next_table(map, &at), "0x%llx is one more",
	       (unsigned long long)at.phys);
}

static void test_orders(void)
{
	struct random random = { 7 };

	for (unsigned int round = 0; round < 200; round++) {
		struct reverse_map map = { 0 };
		size_t order[TABLES] = { 0 };

		for (size_t i = 0; i < TABLES; i++) {
			const size_t other = round ? random_below(&random, i + 1) : i;

			order[i] = order[other];
			order[other] = i;
		}
		for (size_t i = 0; i < TABLES; i++) {
			const struct table *table = &tables[order[i]];
			const struct map_run run = {
				.phys = table->phys,
				.length = table->bytes,
				.owner = table->owner,
				.attrs = table->bytes,
				.size_lg2 = table->level,
				.is_table = 1,
			};
			/* Leaves are no tables. */
			const struct map_run leaf = { .phys = i << 12, .length = 4096, .iova = i };

			EXPECT_NO_ERROR(reverse_map_add(&map, &run));
			if (random_once_in(&random, 2))
				EXPECT_NO_ERROR(reverse_map_add(&map, &leaf));
		}
		expect_all(&map);
		reverse_map_deinit(&map);
	}
}

/* What was asked for begins and ends in the middle of tables. */
static void test_clipped(void)
{
	struct extent extents[] = { { 0x1800, 0x27ff, false }, { 0x3fff, 0x3fff, false } };
	const struct map_run run = {
		.phys = 0x1000, .length = 0x3000, .attrs = 4096, .is_table = 1
	};
	struct reverse_map map = { 0 };
	struct map_run at = { 0 };

	EXPECT_NO_ERROR(reverse_map_clip(&map, &run, extents, 2));
	EXPECT_NUMBER(reverse_map_count_tables(&map), 3);
	for (unsigned int i = 0; i < 3; i++) {
		static const uint64_t should[] = { 0x1800, 0x2000, 0x3fff };

		EXPECT(reverse_map_next_table(&map, &at), "table %u is missing", i);
		EXPECT_NUMBER(at.phys, should[i]);
	}
	EXPECT(!reverse_map_next_table(&map, &at), "one more");
	reverse_map_deinit(&map);
}

/* A damaged index file ends in no loop. */
static void test_damaged(void)
{
	static const uint32_t bytes[] = { 0, 3, 0x80000000 };

	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		struct map_run run = {
			.phys = UINT64_MAX - 4095, .length = 4096, .attrs = bytes[i], .is_table = 1
		};
		const struct reverse_map map = { .runs = &run, .run_count = 1 };
		struct map_run at = { 0 };

		EXPECT(reverse_map_next_table(&map, &at), "none");
		EXPECT(!reverse_map_next_table(&map, &at), "more than one");
	}
}

void suite_reverse_map(void)
{
	CU_pSuite suite = CU_add_suite("reverse map", NULL, NULL);

	CU_add_test(suite, "order of tables", test_orders);
	CU_add_test(suite, "parts of tables", test_clipped);
	CU_add_test(suite, "damaged sizes", test_damaged);
}
