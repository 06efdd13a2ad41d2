// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/page_set.h"

struct recorder {
	struct memory memory;
	struct memory *inner;
	enum record_reason reason;
	struct page_set *all;
	struct page_set *whole; /* of those, what is kept as it is */
	struct page_set *words; /* of the others, what was used */
	struct page_set *by_reason[RECORD_REASONS];
	struct error *error;
};

const char *record_reason_name(enum record_reason reason)
{
	static const char *const names[RECORD_REASONS] = {
		[RECORD_STRUCTS] = "structs",
		[RECORD_TABLES] = "tables",
		[RECORD_PAGES] = "struct-pages",
		[RECORD_LOG] = "log",
	};

	return names[reason];
}

enum { PAGE = 4096, WORD = 8 };

static void add(struct recorder *self, struct page_set *set, uint64_t phys)
{
	bool added = false;

	if (!self->error)
		self->error = page_set_add(set, phys, &added);
}

static void record_pages(struct recorder *self, uint64_t phys, uint32_t len)
{
	for (uint64_t page = phys & ~(uint64_t)(PAGE - 1); page < phys + len; page += PAGE) {
		bool added = false;

		if (!self->error)
			self->error = page_set_add(self->all, page, &added);
		if (added)
			add(self, self->by_reason[self->reason], page);
	}
}

static void record_whole(struct recorder *self, uint64_t phys, uint32_t len)
{
	record_pages(self, phys, len);
	for (uint64_t page = phys & ~(uint64_t)(PAGE - 1); page < phys + len; page += PAGE)
		add(self, self->whole, page);
}

static void recorder_keep(struct memory *memory, uint64_t phys, uint32_t len)
{
	struct recorder *self = (struct recorder *)memory;

	if (self->reason >= RECORD_REASONS)
		return;
	record_pages(self, phys, len);
	for (uint64_t word = phys & ~(uint64_t)(WORD - 1); word < phys + len; word += WORD)
		add(self, self->words, word);
}

/* Zeros for what was not kept. @phys and @len are multiples of a page. */
static void mask(const struct recorder *self, uint64_t phys, char *data, uint32_t len)
{
	for (uint32_t at = 0; at < len; at += PAGE) {
		uint64_t words[PAGE_SET_MASK];

		if (page_set_has(self->whole, phys + at))
			continue;
		page_set_mask(self->words, phys + at, words);
		for (size_t i = 0; i < PAGE / WORD; i++) {
			if (!(words[i / 64] >> i % 64 & 1))
				memset(data + at + i * WORD, 0, WORD);
		}
	}
}

static void recorder_read(struct memory *memory, struct block_request *requests, size_t count)
{
	struct recorder *self = (struct recorder *)memory;

	self->inner->ops->read(self->inner, requests, count);
	for (size_t i = 0; i < count; i++) {
		const struct block_request *request = &requests[i];

		if (request->status != BLOCK_OK)
			continue;
		if (self->reason == RECORD_REPLAY)
			mask(self, request->phys, request->data, request->len);
		else if (self->reason < RECORD_REASONS && !request->peek)
			record_whole(self, request->phys, request->len);
	}
}

static enum block_status recorder_probe(struct memory *memory, uint64_t phys)
{
	struct recorder *self = (struct recorder *)memory;

	return self->inner->ops->probe(self->inner, phys);
}

static bool recorder_next_ram(struct memory *memory, uint64_t from, uint64_t *start, uint64_t *end)
{
	struct recorder *self = (struct recorder *)memory;

	return memory_next_ram(self->inner, from, start, end);
}

static void recorder_destroy(struct memory *memory)
{
	struct recorder *self = (struct recorder *)memory;

	/* What describes the memory is the inner one's. */
	for (size_t i = 0; i < RECORD_REASONS; i++)
		page_set_destroy(self->by_reason[i]);
	page_set_destroy(self->all);
	page_set_destroy(self->whole);
	page_set_destroy(self->words);
	error_free(self->error);
	memory_close(self->inner);
	free(self);
}

static const struct memory_ops recorder_ops = {
	.name = "recorder",
	.read = recorder_read,
	.probe = recorder_probe,
	.next_ram = recorder_next_ram,
	.keep = recorder_keep,
	.destroy = recorder_destroy,
};

struct error *recorder_create(struct memory *memory, struct memory **ret)
{
	struct recorder *self = calloc(1, sizeof(*self));

	if (!self) {
		memory_close(memory);
		return error_no_memory();
	}
	self->memory = *memory;
	self->memory.ops = &recorder_ops;
	self->memory.borrowed = true;
	self->memory.concurrent = false; /* what is read is noted */
	self->inner = memory;
	struct error *err = page_set_create(&self->all);
	if (!err)
		err = page_set_create(&self->whole);
	if (!err)
		err = page_set_create_words(&self->words);
	for (size_t i = 0; i < RECORD_REASONS && !err; i++)
		err = page_set_create(&self->by_reason[i]);
	if (err) {
		recorder_destroy(&self->memory);
		return err;
	}
	*ret = &self->memory;
	return NULL;
}

void recorder_set_reason(struct memory *recorder, enum record_reason reason)
{
	((struct recorder *)recorder)->reason = reason;
}

const struct page_set *recorder_pages(const struct memory *recorder, enum record_reason reason)
{
	return ((const struct recorder *)recorder)->by_reason[reason];
}

struct bytes_kept {
	const struct recorder *recorder;
	uint64_t bytes;
};

static struct error *count_bytes(void *arg, uint64_t phys)
{
	struct bytes_kept *kept = arg;
	uint64_t words[PAGE_SET_MASK];

	if (page_set_has(kept->recorder->whole, phys)) {
		kept->bytes += PAGE;
		return NULL;
	}
	page_set_mask(kept->recorder->words, phys, words);
	for (size_t i = 0; i < PAGE_SET_MASK; i++)
		kept->bytes += (uint64_t)__builtin_popcountll(words[i]) * WORD;
	return NULL;
}

uint64_t recorder_bytes(const struct memory *recorder, enum record_reason reason)
{
	struct bytes_kept kept = { .recorder = (const struct recorder *)recorder };

	error_free(page_set_each(recorder_pages(recorder, reason), count_bytes, &kept));
	return kept.bytes;
}

struct error *recorder_error(struct memory *recorder)
{
	struct recorder *self = (struct recorder *)recorder;
	struct error *err = self->error;

	self->error = NULL;
	return err;
}
