/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Kernel virtual memory by the kernel's own page table: what every architecture's
 * arch_ops (target/kernel_private.h) makes once it has found root and geometry.
 */
#ifndef IOMMUPT_PAGE_TABLE_H
#define IOMMUPT_PAGE_TABLE_H

#include "target/kernel.h"
#include "walkers/engine.h"

struct page_table {
	struct virtual_memory virtual_memory;
	struct pt_tree tree;
};

/* page_table_init() - set up @table, which was allocated with calloc() and whose owner may free it
 * (or call virtual_memory.destroy). @parameters: see pt_geometry_init(). */
struct error *page_table_init(struct page_table *table, const struct pt_format *format,
			      const struct pt_parameters *parameters, uint64_t root);

#endif
