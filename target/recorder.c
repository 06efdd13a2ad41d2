// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/recorder.h"

#include <stdlib.h>

#include "target/error.h"
#include "target/page_set.h"

struct recorder {
	struct memory memory;
	struct memory *inner;
	enum record_reason reason;
	struct page_set *all;
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

static void record(struct recorder *self, uint64_t phys, uint32_t len)
{
	enum { PAGE = 4096 };

	for (uint64_t page = phys & ~(uint64_t)(PAGE - 1); page < phys + len; page += PAGE) {
		bool added = false;

		if (!self->error)
			self->error = page_set_add(self->all, page, &added);
		if (!self->error && added)
			self->error = page_set_add(self->by_reason[self->reason], page, &added);
	}
}

static void recorder_read(struct memory *memory, struct block_request *requests, size_t count)
{
	struct recorder *self = (struct recorder *)memory;

	self->inner->ops->read(self->inner, requests, count);
	for (size_t i = 0; i < count && self->reason < RECORD_REASONS; i++) {
		if (requests[i].status == BLOCK_OK)
			record(self, requests[i].phys, requests[i].len);
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
	error_free(self->error);
	memory_close(self->inner);
	free(self);
}

static const struct memory_ops recorder_ops = {
	.name = "recorder",
	.read = recorder_read,
	.probe = recorder_probe,
	.next_ram = recorder_next_ram,
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

struct error *recorder_error(struct memory *recorder)
{
	struct recorder *self = (struct recorder *)recorder;
	struct error *err = self->error;

	self->error = NULL;
	return err;
}
