/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The distinct page tables of a host: each once, with all the spaces that use it. A table that
 * hardware and software view share, or several devices, is walked and counted once. First stages
 * of nested translation are left out: they lie in a guest's memory.
 */
#ifndef IOMMUPT_TREES_H
#define IOMMUPT_TREES_H

#include <stdbool.h>
#include <stddef.h>

#include "target/page_set.h"
#include "walkers/engine.h"
#include "walkers/inventory.h"

struct error;

/* Every user of one table; the first names it: hardware's where there is one. */
struct tree {
	const struct space **spaces;
	size_t count;
};

struct trees {
	struct tree *list; /* the deepest tables first, else in the inventory's order */
	size_t count;
};

/* trees_init() - the tables of @inventory; the spaces stay the inventory's. */
struct error *trees_init(struct trees *trees, const struct inventory *inventory);
/* trees_init_selected() - those of @count spaces, first stages of nested translation, too. */
struct error *trees_init_selected(struct trees *trees, const struct space *const *spaces,
				  size_t count);
void trees_deinit(struct trees *trees);

/* tree_devices() - names of the devices that translate by it, joined by '|'; caller frees. */
struct error *tree_devices(const struct tree *tree, char **ret);

/*
 * trees_count_once() - *repeated: @table was met before, in this space or in one before it. Spaces
 * may have tables in common without being one: hardware may walk a table with fewer levels than the
 * kernel. A root smaller than a page has no page of its own; it is never counted with another.
 */
struct error *trees_count_once(struct page_set *counted, const struct pt_table *table,
			       bool *repeated);

#endif
