// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/nodes.h"

#include <stdbool.h>
#include <stdlib.h>

#include "target/error.h"
#include "target/kernel.h"

enum { NODES_MAX = 1024 };

enum field { START_PFN, SPANNED, FIELDS };

static const struct type_query fields[FIELDS] = {
	[START_PFN] = { "pglist_data", "node_start_pfn", NULL },
	[SPANNED] = { "pglist_data", "node_spanned_pages", NULL },
};

static struct error *add_node(struct kernel *kernel, const struct member *members,
			      unsigned int page_shift, int number, uint64_t pgdat,
			      struct nodes *nodes)
{
	uint64_t start = 0;
	uint64_t spanned = 0;
	struct error *err = kernel_get(kernel, pgdat, &members[START_PFN], &start);

	if (!err)
		err = kernel_get(kernel, pgdat, &members[SPANNED], &spanned);
	if (err || spanned == 0)
		return err;
	struct node *larger = realloc(nodes->list, (nodes->count + 1) * sizeof(*larger));
	if (!larger)
		return error_no_memory();
	nodes->list = larger;
	nodes->list[nodes->count++] = (struct node){
		.number = number,
		.start = start << page_shift,
		.last = ((start + spanned) << page_shift) - 1,
	};
	return NULL;
}

/* nr_node_ids is a variable only where the kernel can have several. */
static uint32_t count_nodes(struct kernel *kernel)
{
	uint64_t address = 0;
	uint32_t count = 1;

	if (kernel_symbol(kernel, "nr_node_ids", &address))
		error_free(kernel_read(kernel, address, &count, sizeof(count)));
	return count < NODES_MAX ? count : NODES_MAX;
}

struct error *nodes_read(struct kernel *kernel, unsigned int page_shift, struct nodes *ret)
{
	struct member members[FIELDS];
	uint64_t array = 0;
	uint64_t single = 0;
	const uint32_t count = count_nodes(kernel);
	struct error *err = kernel_resolve(kernel, fields, members, FIELDS);

	*ret = (struct nodes){ 0 };
	if (!err && kernel_symbol(kernel, "contig_page_data", &single))
		return add_node(kernel, members, page_shift, 0, single, ret);
	if (!err && !kernel_symbol(kernel, "node_data", &array))
		err = error_new("this kernel has neither node_data nor contig_page_data");
	for (uint32_t i = 0; i < count && !err; i++) {
		uint64_t pgdat = 0;

		err = kernel_read(kernel, array + i * sizeof(pgdat), &pgdat, sizeof(pgdat));
		if (!err && pgdat)
			err = add_node(kernel, members, page_shift, (int)i, pgdat, ret);
	}
	if (err)
		nodes_free(ret);
	return err;
}

void nodes_free(struct nodes *nodes)
{
	free(nodes->list);
	*nodes = (struct nodes){ 0 };
}

int nodes_find(const struct nodes *nodes, uint64_t phys)
{
	int found = -1;

	for (size_t i = 0; i < nodes->count; i++) {
		if (phys < nodes->list[i].start || phys > nodes->list[i].last)
			continue;
		if (found >= 0)
			return -1;
		found = nodes->list[i].number;
	}
	return found;
}
