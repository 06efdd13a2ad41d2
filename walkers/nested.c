// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/nested.h"

#include <stdlib.h>

#include "target/error.h"
#include "target/memory.h"
#include "walkers/engine.h"

enum { PAGE = 4096 };

struct nested {
	struct memory memory;
	struct memory *below;
	struct pt_tree tree;
};

/* Where @address of the guest lies; not mapped is BLOCK_OUTSIDE, an unreadable table its status. */
static enum block_status translate(const struct nested *self, uint64_t address, uint64_t *ret)
{
	struct pt_step steps[PT_MAX_LEVELS];
	const size_t n = pt_translate(&self->tree, self->below, address, steps);

	if (n == 0)
		return BLOCK_OUTSIDE;
	const struct pt_step *last = &steps[n - 1];
	if (last->status != BLOCK_OK)
		return last->status;
	if (last->run.kind != PT_LEAF)
		return BLOCK_OUTSIDE;
	*ret = last->run.address + (address & ((1ULL << last->run.size_lg2) - 1));
	return BLOCK_OK;
}

static void nested_read(struct memory *memory, struct block_request *requests, size_t count)
{
	const struct nested *self = (struct nested *)memory;

	for (size_t i = 0; i < count; i++) {
		struct block_request *request = &requests[i];
		uint32_t done = 0;

		request->status = BLOCK_OK;
		while (done < request->len && request->status == BLOCK_OK) {
			const uint64_t address = request->phys + done;
			uint32_t piece = PAGE - (uint32_t)(address % PAGE);
			uint64_t phys = 0;

			if (piece > request->len - done)
				piece = request->len - done;
			request->status = translate(self, address, &phys);
			if (request->status == BLOCK_OK)
				request->status = memory_read(self->below, phys,
							      (char *)request->data + done, piece);
			done += piece;
		}
	}
}

static enum block_status nested_probe(struct memory *memory, uint64_t address)
{
	const struct nested *self = (struct nested *)memory;
	uint64_t phys = 0;
	const enum block_status status = translate(self, address, &phys);

	return status == BLOCK_OK ? self->below->ops->probe(self->below, phys) : status;
}

static void nested_destroy(struct memory *memory)
{
	free(memory);
}

static const struct memory_ops nested_ops = {
	.name = "nested",
	.read = nested_read,
	.probe = nested_probe,
	.destroy = nested_destroy,
};

struct error *nested_memory_create(struct memory *below, const struct pt_tree *second_stage,
				   struct memory **ret)
{
	struct nested *self = calloc(1, sizeof(*self));

	if (!self)
		return error_no_memory();
	self->memory.ops = &nested_ops;
	self->memory.arch = below->arch;
	self->memory.live = below->live;
	self->below = below;
	self->tree = *second_stage;
	*ret = &self->memory;
	return NULL;
}
