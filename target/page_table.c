// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/page_table.h"

#include <stdlib.h>

static bool to_phys(struct virtual_memory *self, struct memory *memory, uint64_t address,
		    uint64_t *ret)
{
	const struct page_table *table = (struct page_table *)self;

	return pt_lookup(&table->tree, memory, address, ret);
}

static enum block_status read_page(struct virtual_memory *self, struct memory *memory,
				   uint64_t address, void *data)
{
	const struct page_table *table = (struct page_table *)self;
	struct pt_step steps[PT_MAX_LEVELS];
	size_t n = pt_translate(&table->tree, memory, address, steps);

	if (n == 0)
		return BLOCK_OUTSIDE;
	const struct pt_step *last = &steps[n - 1];
	if (last->status != BLOCK_OK)
		return last->status;
	if (last->run.kind != PT_LEAF)
		return BLOCK_OUTSIDE;
	uint64_t within = address & ((1ULL << last->run.size_lg2) - 1);
	return memory_read(memory, last->run.address + within, data, KERNEL_PAGE);
}

static void destroy(struct virtual_memory *self)
{
	free(self);
}

struct error *page_table_init(struct page_table *table, const struct pt_format *format,
			      const struct pt_parameters *parameters, uint64_t root)
{
	table->virtual_memory = (struct virtual_memory){
		.read_page = read_page,
		.to_phys = to_phys,
		.destroy = destroy,
	};
	table->tree.root = root;
	return pt_geometry_init(format, parameters, &table->tree.geometry);
}
