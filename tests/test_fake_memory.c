// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/fake_memory.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096, RAM_MAX = 8 };

struct page {
	struct page *next;
	uint64_t phys;
	enum block_status status;
	unsigned int reads;
	uint64_t words[FAKE_PAGE / sizeof(uint64_t)];
};

struct fake {
	struct memory memory;
	struct fake_counts counts;
	struct {
		uint64_t start, end;
	} ram[RAM_MAX];
	size_t ram_count;
	struct page *buckets[BUCKETS];
};

static struct page **find(const struct fake *fake, uint64_t phys)
{
	uint64_t frame = phys / FAKE_PAGE;
	struct page **slot =
		(struct page **)&fake->buckets[(frame ^ frame >> 12 ^ frame >> 24) % BUCKETS];

	while (*slot && (*slot)->phys != frame * FAKE_PAGE)
		slot = &(*slot)->next;
	return slot;
}

static struct page *get(struct fake *fake, uint64_t phys)
{
	struct page **slot = find(fake, phys);

	if (!*slot) {
		*slot = calloc(1, sizeof(**slot));
		if (!*slot)
			abort();
		(*slot)->phys = phys & ~(uint64_t)(FAKE_PAGE - 1);
	}
	return *slot;
}

static enum block_status fake_probe(struct memory *memory, uint64_t phys)
{
	const struct fake *fake = (struct fake *)memory;
	const struct page *page = *find(fake, phys);

	if (page)
		return page->status;
	for (size_t i = 0; i < fake->ram_count; i++) {
		if (phys >= fake->ram[i].start && phys < fake->ram[i].end)
			return BLOCK_OK;
	}
	return BLOCK_OUTSIDE;
}

static enum block_status read_block(struct fake *fake, uint64_t phys, char *data, uint32_t len)
{
	struct page *first = *find(fake, phys);

	if (first && !fake->memory.concurrent)
		first->reads++;
	while (len) {
		enum block_status status = fake_probe(&fake->memory, phys);
		uint32_t offset = (uint32_t)(phys % FAKE_PAGE);
		uint32_t piece = FAKE_PAGE - offset < len ? FAKE_PAGE - offset : len;
		const struct page *page = *find(fake, phys);

		if (status != BLOCK_OK)
			return status;
		if (page)
			memcpy(data, (const char *)page->words + offset, piece);
		else
			memset(data, 0, piece);
		phys += piece;
		data += piece;
		len -= piece;
	}
	return BLOCK_OK;
}

static void fake_read(struct memory *memory, struct block_request *requests, size_t count)
{
	struct fake *fake = (struct fake *)memory;
	uint64_t bytes = 0;

	if (!memory->concurrent) {
		fake->counts.calls++;
		fake->counts.requests += count;
	}
	for (size_t i = 0; i < count; i++) {
		struct block_request *request = &requests[i];

		bytes += request->len;
		if (!memory->concurrent)
			fake->counts.partial += request->len != FAKE_PAGE ||
						request->phys % FAKE_PAGE;
		/* Whoever looks at what could not be read shall see nonsense, not old bytes. */
		memset(request->data, 0xa5, request->len);
		request->status = read_block(fake, request->phys, request->data, request->len);
	}
	if (bytes > fake->counts.largest && !memory->concurrent)
		fake->counts.largest = bytes;
}

static void fake_destroy(struct memory *memory)
{
	struct fake *fake = (struct fake *)memory;

	for (size_t i = 0; i < BUCKETS; i++) {
		struct page *page = fake->buckets[i];

		while (page) {
			struct page *next = page->next;

			free(page);
			page = next;
		}
	}
	free(fake);
}

static const struct memory_ops fake_ops = {
	.name = "fake",
	.read = fake_read,
	.probe = fake_probe,
	.destroy = fake_destroy,
};

static bool fake_are_zeros(struct memory *memory, const uint64_t *phys, size_t count, uint32_t len)
{
	static const char zeros[FAKE_PAGE];
	char bytes[FAKE_PAGE];

	for (size_t i = 0; i < count; i++) {
		if (len != FAKE_PAGE ||
		    read_block((struct fake *)memory, phys[i] & ~(FAKE_PAGE - 1ULL), bytes, len) !=
			    BLOCK_OK ||
		    memcmp(bytes, zeros, len) != 0)
			return false;
	}
	return true;
}

static const struct memory_ops zeros_ops = {
	.name = "fake",
	.read = fake_read,
	.probe = fake_probe,
	.are_zeros = fake_are_zeros,
	.destroy = fake_destroy,
};

void fake_knows_zeros(struct memory *memory)
{
	memory->ops = &zeros_ops;
}

struct memory *fake_create(void)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	if (!fake)
		abort();
	fake->memory.ops = &fake_ops;
	return &fake->memory;
}

void fake_ram(struct memory *memory, uint64_t start, uint64_t end)
{
	struct fake *fake = (struct fake *)memory;

	if (fake->ram_count == RAM_MAX)
		abort();
	fake->ram[fake->ram_count].start = start;
	fake->ram[fake->ram_count++].end = end;
}

void fake_write(struct memory *memory, uint64_t phys, uint64_t value)
{
	get((struct fake *)memory, phys)->words[phys % FAKE_PAGE / sizeof(uint64_t)] = value;
}

void fake_concurrent(struct memory *memory)
{
	memory->concurrent = true;
}

void fake_status(struct memory *memory, uint64_t phys, enum block_status status)
{
	get((struct fake *)memory, phys)->status = status;
}

const struct fake_counts *fake_counts(const struct memory *memory)
{
	return &((const struct fake *)memory)->counts;
}

void fake_counts_reset(struct memory *memory)
{
	((struct fake *)memory)->counts = (struct fake_counts){ 0 };
}

unsigned int fake_reads_of(const struct memory *memory, uint64_t phys)
{
	const struct page *page = *find((const struct fake *)memory, phys);

	return page ? page->reads : 0;
}
