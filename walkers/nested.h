/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory as a guest sees it: physical addresses of the guest, which a second-stage table leads
 * to the host's. The first-stage tables of a nested translation lie in it.
 */
#ifndef IOMMUPT_NESTED_H
#define IOMMUPT_NESTED_H

struct error;
struct memory;
struct pt_tree;

/*
 * nested_memory_create() - a memory whose addresses go through @second_stage, a copy of which it
 * keeps, to @below, which must outlive it. Released by memory_close().
 */
struct error *nested_memory_create(struct memory *below, const struct pt_tree *second_stage,
				   struct memory **ret);

#endif
