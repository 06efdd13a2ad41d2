// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Usage: make_tables SHAPE FORMAT LEAF_TABLES SCATTER zlib|lzo|zstd|elf FILE [BASE]
 *
 * Write a kdump-compressed or ELF file that holds one large translation table and nothing else, and
 * print what is true of it. SHAPE: stress (leaf tables are empty but for one in each 512 * 512),
 * contiguous or scattered (each leaf table is full). SCATTER: per cent of the 4 MiB blocks in which
 * the tables lie in no order. BASE: the tables lie above. Shares no code with iommupt:
 *
 * vtd_ss:  Intel VT-d specification D51397, section 9.8: R bit 0, W bit 1, address 51:12.
 * amdv1:   AMD IOMMU specification 48882, section 2.2.3: PR bit 0, next level 11:9, IR 61, IW 62.
 * lpae_s1: Arm ARM DDI 0487, section D8.3: table and page 0b11, AP[1] bit 6, SH 9:8, AF bit 10.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/tables.h"

enum { FIRST_BLOCK = 16, HOLE = 768, HOLE_END = 1024 };
enum { ALL = 1 + FAN * (1 + FAN) }; /* tables below and with one of level 2 */
enum shape { STRESS, CONTIGUOUS, SCATTERED };

static enum shape shape;
static const char *format;
static uint64_t leaves;
static uint64_t scatter;
static uint64_t base; /* in blocks */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint64_t div_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* Tables are numbered as a kernel makes them: the root, then each at the first touch. */
static uint64_t number_of(unsigned int level, uint64_t i)
{
	if (level == 3)
		return 0;
	if (level == 2)
		return 1 + i * ALL;
	if (level == 1)
		return number_of(2, i / FAN) + 1 + i % FAN * (FAN + 1ULL);
	return number_of(1, i / FAN) + 1 + i % FAN;
}

/* Number and slot are turned into each other: the permutation is its own inverse. */
static uint64_t slot_of(uint64_t number)
{
	const uint64_t block = number / BLOCK;
	const bool mixed = mix(block) % 100 < scatter;

	return block * BLOCK + (number % BLOCK ^ (mixed ? mix(block + 1) % BLOCK : 0));
}

/* Four blocks in five are tables; PCI's hole below 4 GiB is left out. */
uint64_t block_at(uint64_t block)
{
	uint64_t at = base + FIRST_BLOCK + block + block / 4;

	return base > 0 || at < HOLE ? at : at + HOLE_END - HOLE;
}

bool block_is_memory(uint64_t at)
{
	return at < HOLE || at >= HOLE_END;
}

static uint64_t phys_of(unsigned int level, uint64_t i)
{
	const uint64_t slot = slot_of(number_of(level, i));

	return (block_at(slot / BLOCK) * BLOCK + slot % BLOCK) * (uint64_t)PAGE;
}

static uint64_t entry(unsigned int level, uint64_t phys)
{
	if (strcmp(format, "vtd_ss") == 0)
		return phys | 3;
	if (strcmp(format, "amdv1") == 0)
		return phys | 1 | (uint64_t)level << 9 | 3ULL << 61;
	return phys | (level ? 3 : 0x743);
}

static uint64_t output(uint64_t page)
{
	const uint64_t first = 1ULL << 20;

	return (first + (shape == SCATTERED ? mix(page) % (1ULL << 28) : page)) * PAGE;
}

static uint64_t used(unsigned int level, uint64_t i)
{
	if (level == 0)
		return shape != STRESS ? FAN : i % ((uint64_t)FAN * FAN) == 0;
	uint64_t below = leaves;
	for (unsigned int l = 1; l < level; l++)
		below = div_up(below, FAN);
	const uint64_t left = below - i * FAN;
	return left < FAN ? left : FAN;
}

static void fill(unsigned int level, uint64_t i, uint64_t *page)
{
	const uint64_t count = used(level, i);

	memset(page, 0, PAGE);
	for (uint64_t n = 0; n < count; n++)
		page[n] =
			entry(level, level ? phys_of(level - 1, i * FAN + n) : output(i * FAN + n));
}

/* Which table is the one of this number. */
static unsigned int table_of(uint64_t number, uint64_t *i)
{
	*i = 0;
	if (number == 0)
		return 3;
	const uint64_t two = (number - 1) / ALL;
	const uint64_t rest = (number - 1) % ALL;
	*i = two;
	if (rest == 0)
		return 2;
	*i = two * FAN + (rest - 1) / (FAN + 1);
	if ((rest - 1) % (FAN + 1) == 0)
		return 1;
	*i = *i * FAN + (rest - 1) % (FAN + 1) - 1;
	return 0;
}

void put(FILE *out, const void *data, size_t len)
{
	if (fwrite(data, 1, len, out) == len)
		return;
	perror("make_tables");
	exit(1);
}

FILE *file_open_at(const char *path, const char *mode, uint64_t at)
{
	FILE *out = fopen(path, mode);

	if (out && fseeko(out, (off_t)at, SEEK_SET) == 0)
		return out;
	perror(path);
	exit(1);
}

bool slot_taken(const struct tables *tables, uint64_t slot)
{
	return tables->taken[slot / 64] >> slot % 64 & 1;
}

bool slot_fill(uint64_t slot, uint64_t *page)
{
	uint64_t i;
	const unsigned int level = table_of(slot_of(slot), &i);

	if (used(level, i) == 0)
		return false;
	fill(level, i, page);
	return true;
}

static bool tables_init(struct tables *tables)
{
	tables->pages = number_of(0, leaves - 1) + 1;
	tables->blocks = div_up(tables->pages, BLOCK);
	tables->aarch64 = strcmp(format, "lpae_s1") == 0;
	tables->taken = calloc(tables->blocks * BLOCK / 64, sizeof(*tables->taken));
	for (uint64_t number = 0; tables->taken && number < tables->pages; number++) {
		const uint64_t slot = slot_of(number);

		tables->taken[slot / 64] |= 1ULL << slot % 64;
	}
	return tables->taken;
}

/* Pages that are neighbours with their outputs neighbours, too, are one run. */
static uint64_t count_runs(void)
{
	uint64_t runs = 0;
	uint64_t before = 0;

	if (shape == STRESS) /* each used entry is far from the next */
		return div_up(leaves, (uint64_t)FAN * FAN);
	for (uint64_t page = 0; page < leaves * FAN; page++) {
		const uint64_t phys = output(page);

		runs += page == 0 || phys != before + PAGE;
		before = phys;
	}
	return runs;
}

static void print_truth(void)
{
	uint64_t count = leaves;

	printf("root 0x%" PRIx64 "\nruns %" PRIu64 "\n", phys_of(3, 0), count_runs());
	for (unsigned int level = 0; level < 4; level++) {
		uint64_t sum = 0;
		uint64_t empty = 0;

		for (uint64_t i = 0; i < count; i++) {
			sum += used(level, i);
			empty += used(level, i) == 0;
		}
		printf("level %u tables %" PRIu64 " entries %" PRIu64 " empty %" PRIu64 "\n", level,
		       count, sum, empty);
		if (level == 0)
			printf("mapped %" PRIu64 "\n", sum * PAGE);
		count = div_up(count, FAN);
	}
}

int main(int argc, char **argv)
{
	struct tables tables = { 0 };

	if (argc != 7 && argc != 8) {
		fprintf(stderr, "usage: make_tables stress|contiguous|scattered "
				"vtd_ss|amdv1|lpae_s1 LEAF_TABLES SCATTER zlib|lzo|zstd|elf FILE "
				"[BASE]\n");
		return 2;
	}
	shape = argv[1][0] == 'c' ? CONTIGUOUS : strcmp(argv[1], "stress") ? SCATTERED : STRESS;
	format = argv[2];
	leaves = strtoull(argv[3], NULL, 0);
	scatter = strtoull(argv[4], NULL, 0);
	base = argc == 8 ? strtoull(argv[7], NULL, 0) / BLOCK / PAGE : 0;
	if (leaves == 0 || leaves > 1ULL << 27) {
		fprintf(stderr, "make_tables: LEAF_TABLES is 1 to 2^27\n");
		return 2;
	}
	if (!tables_init(&tables)) {
		perror("make_tables");
		return 1;
	}
	if (strcmp(argv[5], "elf") == 0) {
		elf_write(argv[6], &tables);
	} else if (!kdump_write(argv[6], argv[5], &tables)) {
		fprintf(stderr, "make_tables: %s is no codec that is known\n", argv[5]);
		free(tables.taken);
		return 2;
	}
	print_truth();
	free(tables.taken);
	return 0;
}
