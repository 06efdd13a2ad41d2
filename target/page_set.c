// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/page_set.h"

#include <stdlib.h>
#include <string.h>

#include "target/error.h"

enum { CHUNK_LG2 = 15, CHUNK_BITS = 1 << CHUNK_LG2, PAGE_LG2 = 12, WORD_LG2 = 3 };

struct chunk {
	uint64_t number; /* of the chunk: 128 MiB of memory, or 256 KiB in a set of words */
	uint64_t bits[CHUNK_BITS / 64];
};

struct page_set {
	struct chunk **slots; /* open addressing; size is a power of two */
	size_t size;
	size_t used;
	unsigned int unit_lg2; /* bytes that a bit stands for */
	uint64_t count;
	struct chunk *last; /* the one met last: neighbours come together */
};

static struct error *create(unsigned int unit_lg2, struct page_set **ret)
{
	struct page_set *set = calloc(1, sizeof(*set));

	if (!set)
		return error_no_memory();
	set->unit_lg2 = unit_lg2;
	set->size = 64;
	set->slots = calloc(set->size, sizeof(struct chunk *));
	if (!set->slots) {
		free(set);
		return error_no_memory();
	}
	*ret = set;
	return NULL;
}

struct error *page_set_create(struct page_set **ret)
{
	return create(PAGE_LG2, ret);
}

struct error *page_set_create_words(struct page_set **ret)
{
	return create(WORD_LG2, ret);
}

void page_set_destroy(struct page_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->size; i++)
		free(set->slots[i]);
	free(set->slots);
	free(set);
}

static struct chunk **find_slot(struct chunk **slots, size_t size, uint64_t number)
{
	size_t i = (size_t)((number * 0x9e3779b97f4a7c15ULL) >> 32) & (size - 1);

	while (slots[i] && slots[i]->number != number)
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static bool grow(struct page_set *set)
{
	size_t size = set->size * 2;
	struct chunk **slots = calloc(size, sizeof(struct chunk *));

	if (!slots)
		return false;
	for (size_t i = 0; i < set->size; i++) {
		if (set->slots[i])
			*find_slot(slots, size, set->slots[i]->number) = set->slots[i];
	}
	free(set->slots);
	set->slots = slots;
	set->size = size;
	return true;
}

/* The chunk of that number, made if need be; NULL: out of memory. */
static struct chunk *get_chunk(struct page_set *set, uint64_t number)
{
	struct chunk *chunk = *find_slot(set->slots, set->size, number);

	if (chunk)
		return chunk;
	if (set->used * 2 >= set->size && !grow(set))
		return NULL;
	chunk = calloc(1, sizeof(*chunk));
	if (chunk) {
		chunk->number = number;
		*find_slot(set->slots, set->size, number) = chunk;
		set->used++;
	}
	return chunk;
}

struct error *page_set_add(struct page_set *set, uint64_t phys, bool *added)
{
	const uint64_t unit = phys >> set->unit_lg2;
	const uint64_t number = unit >> CHUNK_LG2;

	if (!set->last || set->last->number != number) {
		set->last = get_chunk(set, number);
		if (!set->last)
			return error_no_memory();
	}
	uint64_t *word = &set->last->bits[unit % CHUNK_BITS / 64];
	const uint64_t bit = 1ULL << (unit % 64);
	*added = !(*word & bit);
	set->count += *added;
	*word |= bit;
	return NULL;
}

bool page_set_has(const struct page_set *set, uint64_t phys)
{
	const uint64_t unit = phys >> set->unit_lg2;
	const struct chunk *chunk = *find_slot(set->slots, set->size, unit >> CHUNK_LG2);

	return chunk && (chunk->bits[unit % CHUNK_BITS / 64] >> (unit % 64) & 1);
}

void page_set_mask(const struct page_set *set, uint64_t phys, uint64_t mask[PAGE_SET_MASK])
{
	const uint64_t first = phys >> PAGE_LG2 << (PAGE_LG2 - WORD_LG2);
	const struct chunk *chunk = *find_slot(set->slots, set->size, first >> CHUNK_LG2);

	for (size_t i = 0; i < PAGE_SET_MASK; i++)
		mask[i] = chunk ? chunk->bits[first % CHUNK_BITS / 64 + i] : 0;
}

uint64_t page_set_count(const struct page_set *set)
{
	return set->count;
}

static int compare_chunks(const void *a, const void *b)
{
	const struct chunk *const *left = a;
	const struct chunk *const *right = b;

	return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

static struct error *each_in_chunk(const struct chunk *chunk, unsigned int unit_lg2,
				   struct error *(*visit)(void *arg, uint64_t phys), void *arg)
{
	struct error *err = NULL;

	for (uint64_t word = 0; word < CHUNK_BITS / 64 && !err; word++) {
		for (uint64_t bits = chunk->bits[word]; bits && !err; bits &= bits - 1) {
			uint64_t unit = word * 64 + (uint64_t)__builtin_ctzll(bits);

			err = visit(arg, ((chunk->number << CHUNK_LG2) + unit) << unit_lg2);
		}
	}
	return err;
}

struct error *page_set_each(const struct page_set *set,
			    struct error *(*visit)(void *arg, uint64_t phys), void *arg)
{
	const struct chunk **sorted = malloc((set->used + 1) * sizeof(const struct chunk *));
	struct error *err = NULL;
	size_t count = 0;

	if (!sorted)
		return error_no_memory();
	for (size_t i = 0; i < set->size; i++) {
		if (set->slots[i])
			sorted[count++] = set->slots[i];
	}
	qsort(sorted, count, sizeof(const struct chunk *), compare_chunks);
	for (size_t i = 0; i < count && !err; i++)
		err = each_in_chunk(sorted[i], set->unit_lg2, visit, arg);
	free(sorted);
	return err;
}
