/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NUMA nodes: which physical addresses belong to which.
 *
 * Linux: include/linux/mmzone.h (struct pglist_data: node_start_pfn, node_spanned_pages),
 * node_data[] of arch/x86/mm/numa.c or mm/numa_memblks.c.
 */
#ifndef IOMMUPT_NODES_H
#define IOMMUPT_NODES_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct kernel;

struct node {
	int number;
	uint64_t start; /* physical addresses that it spans, inclusive */
	uint64_t last;
};

struct nodes {
	struct node *list;
	size_t count;
};

/* nodes_read() - @page_shift: log2 of the kernel's page size. */
struct error *nodes_read(struct kernel *kernel, unsigned int page_shift, struct nodes *ret);
void nodes_free(struct nodes *nodes);

/* nodes_find() - the node of @phys; -1 when none has it, or two span it (interleaved memory). */
int nodes_find(const struct nodes *nodes, uint64_t phys);

#endif
