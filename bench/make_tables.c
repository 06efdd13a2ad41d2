// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Usage: make_tables SHAPE FORMAT LEAF_TABLES SCATTER FILE
 *
 * Write a kdump-compressed file (zlib) that holds one large translation table and nothing else, and
 * print what is true of it. SHAPE: stress (leaf tables are empty but for one in each 512 * 512),
 * contiguous or scattered (each leaf table is full). SCATTER: per cent of the 4 MiB blocks in which
 * the tables lie in no order. Shares no code with iommupt:
 *
 * vtd_ss:  Intel VT-d specification D51397, section 9.8: R bit 0, W bit 1, address 51:12.
 * amdv1:   AMD IOMMU specification 48882, section 2.2.3: PR bit 0, next level 11:9, IR 61, IW 62.
 * lpae_s1: Arm ARM DDI 0487, section D8.3: table and page 0b11, AP[1] bit 6, SH 9:8, AF bit 10.
 * File: makedumpfile's IMPLEMENTATION and diskdump_mod.h. A page of zeros is stored once.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PAGE = 4096, FAN = 512, BLOCK = 1024, FIRST_BLOCK = 16, HOLE = 768, HOLE_END = 1024 };
static const size_t MACHINE_AT = 12 + 4UL * 65; /* utsname.machine */
enum { ALL = 1 + FAN * (1 + FAN) };		/* tables below and with one of level 2 */
enum shape { STRESS, CONTIGUOUS, SCATTERED };

static enum shape shape;
static const char *format;
static uint64_t leaves;
static uint64_t scatter;

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
static uint64_t block_at(uint64_t block)
{
	uint64_t at = FIRST_BLOCK + block + block / 4;

	return at < HOLE ? at : at + HOLE_END - HOLE;
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

struct page_desc {
	uint64_t offset;
	uint32_t size;
	uint32_t flags;
	uint64_t page_flags;
};

static void put(FILE *out, const void *data, size_t len)
{
	if (fwrite(data, 1, len, out) == len)
		return;
	perror("make_tables");
	exit(1);
}

static FILE *open_at(const char *path, const char *mode, uint64_t at)
{
	FILE *out = fopen(path, mode);

	if (out && fseeko(out, (off_t)at, SEEK_SET) == 0)
		return out;
	perror(path);
	exit(1);
}

static void set32(unsigned char *header, size_t at, uint32_t value)
{
	memcpy(header + at, &value, sizeof(value));
}

/* struct disk_dump_header at its 64-bit offsets, then struct kdump_sub_header. */
static void put_headers(FILE *out, uint64_t max_pfn, uint64_t bitmap_blocks)
{
	unsigned char header[2 * PAGE] = "KDUMP   ";

	set32(header, 8, 6);
	memcpy(header + 12, "Linux", 6);
	snprintf((char *)header + MACHINE_AT, 65, "%s",
		 strcmp(format, "lpae_s1") ? "x86_64" : "aarch64");
	set32(header, 424, 1);
	set32(header, 428, PAGE);
	set32(header, 432, 1);
	set32(header, 436, (uint32_t)(2 * bitmap_blocks));
	set32(header, 440, (uint32_t)max_pfn);
	set32(header, 460, 1);
	set32(header, PAGE + 8, 31);
	memcpy(header + PAGE + 96, &max_pfn, sizeof(max_pfn));
	put(out, header, sizeof(header));
}

static bool is_there(const uint64_t *slots, uint64_t blocks, uint64_t pfn, uint64_t *block)
{
	while (*block < blocks && block_at(*block) < pfn / BLOCK)
		++*block;
	const uint64_t slot = *block * BLOCK + pfn % BLOCK;
	return *block < blocks && block_at(*block) == pfn / BLOCK &&
	       (slots[slot / 64] >> slot % 64 & 1);
}

static void put_bitmaps(FILE *out, const uint64_t *slots, uint64_t blocks, uint64_t bytes)
{
	for (unsigned int second = 0; second < 2; second++) {
		uint64_t block = 0;

		for (uint64_t at = 0; at < bytes; at++) {
			unsigned char bits = 0;

			for (uint64_t pfn = at * 8; pfn < at * 8 + 8; pfn++) {
				const uint64_t of = pfn / BLOCK;
				const bool ram = of < HOLE || of >= HOLE_END;

				if (second ? is_there(slots, blocks, pfn, &block) : ram)
					bits |= (unsigned char)(1U << pfn % 8);
			}
			put(out, &bits, 1);
		}
	}
}

/* Number of tables; @slots gets a bit for each. */
static uint64_t mark(uint64_t *slots, uint64_t numbers)
{
	for (uint64_t number = 0; number < numbers; number++) {
		const uint64_t slot = slot_of(number);

		slots[slot / 64] |= 1ULL << slot % 64;
	}
	return numbers;
}

static void put_pages(const char *path, const uint64_t *slots, uint64_t slot_count, uint64_t at,
		      uint64_t data_at)
{
	FILE *descs = open_at(path, "r+", at);
	FILE *data = open_at(path, "r+", data_at);
	uint64_t page[FAN] = { 0 };
	unsigned char packed[2 * PAGE];
	const struct page_desc zero = { data_at, PAGE, 0, 0 };

	put(data, page, PAGE);
	data_at += PAGE;
	for (uint64_t slot = 0; slot < slot_count; slot++) {
		uint64_t i;
		uLongf len = sizeof(packed);

		if (!(slots[slot / 64] >> slot % 64 & 1))
			continue;
		const unsigned int level = table_of(slot_of(slot), &i);
		if (used(level, i) == 0) {
			put(descs, &zero, sizeof(zero));
			continue;
		}
		fill(level, i, page);
		compress2(packed, &len, (const unsigned char *)page, PAGE, Z_BEST_SPEED);
		const bool smaller = len < PAGE;
		const struct page_desc desc = { data_at, smaller ? (uint32_t)len : PAGE, smaller,
						0 };
		put(descs, &desc, sizeof(desc));
		put(data, smaller ? (void *)packed : (void *)page, desc.size);
		data_at += desc.size;
	}
	if (fclose(descs) != 0 || fclose(data) != 0) {
		perror(path);
		exit(1);
	}
}

static void print_truth(void)
{
	uint64_t count = leaves;

	printf("root 0x%" PRIx64 "\n", phys_of(3, 0));
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
	if (argc != 6) {
		fprintf(stderr, "usage: make_tables stress|contiguous|scattered "
				"vtd_ss|amdv1|lpae_s1 LEAF_TABLES SCATTER FILE\n");
		return 2;
	}
	shape = argv[1][0] == 'c' ? CONTIGUOUS : strcmp(argv[1], "stress") ? SCATTERED : STRESS;
	format = argv[2];
	leaves = strtoull(argv[3], NULL, 0);
	scatter = strtoull(argv[4], NULL, 0);
	if (leaves == 0 || leaves > 1ULL << 27) {
		fprintf(stderr, "make_tables: LEAF_TABLES is 1 to 2^27\n");
		return 2;
	}
	const uint64_t numbers = number_of(0, leaves - 1) + 1;
	const uint64_t blocks = div_up(numbers, BLOCK);
	const uint64_t bitmap_blocks = div_up((block_at(blocks) + 1) * BLOCK, 8ULL * PAGE);
	const uint64_t max_pfn = bitmap_blocks * 8 * PAGE;
	uint64_t *slots = calloc(blocks * BLOCK / 64, sizeof(*slots));
	if (!slots) {
		perror("make_tables");
		return 1;
	}
	const uint64_t pages = mark(slots, numbers);
	FILE *out = open_at(argv[5], "w", 0);
	put_headers(out, max_pfn, bitmap_blocks);
	put_bitmaps(out, slots, blocks, bitmap_blocks * PAGE);
	if (fclose(out) != 0) {
		perror(argv[5]);
		free(slots);
		return 1;
	}
	const uint64_t descs_at = (2 + 2 * bitmap_blocks) * PAGE;
	put_pages(argv[5], slots, blocks * BLOCK, descs_at,
		  descs_at + pages * sizeof(struct page_desc));
	print_truth();
	free(slots);
	return 0;
}
