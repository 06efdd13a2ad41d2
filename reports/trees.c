// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/trees.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/text.h"

static struct error *add_user(struct tree *tree, const struct space *space)
{
	const struct space **larger =
		realloc(tree->spaces, (tree->count + 1) * sizeof(const struct space *));

	if (!larger)
		return error_no_memory();
	tree->spaces = larger;
	tree->spaces[tree->count++] = space;
	return NULL;
}

static struct error *add_space(struct trees *trees, const struct space *space)
{
	for (size_t i = 0; i < trees->count; i++) {
		if (space_same_table(trees->list[i].spaces[0], space))
			return add_user(&trees->list[i], space);
	}
	struct tree *larger = realloc(trees->list, (trees->count + 1) * sizeof(*larger));
	if (!larger)
		return error_no_memory();
	trees->list = larger;
	trees->list[trees->count] = (struct tree){ 0 };
	struct error *err = add_user(&trees->list[trees->count], space);
	if (!err)
		trees->count++;
	return err;
}

static struct error *add_view(struct trees *trees, const struct inventory *inventory,
			      enum space_view view)
{
	struct error *err = NULL;

	for (size_t i = 0; i < inventory->space_count && !err; i++) {
		const struct space *space = inventory->spaces[i];

		/* A guest's own tables are the guest's memory, at the guest's addresses. */
		if (space->mode == SPACE_TABLE && space->view == view && space->nesting != 1)
			err = add_space(trees, space);
	}
	return err;
}

/* Insertion keeps the order of equals. */
static void sort_by_depth(struct trees *trees)
{
	for (size_t i = 1; i < trees->count; i++) {
		const struct tree tree = trees->list[i];
		size_t j = i;

		for (; j && trees->list[j - 1].spaces[0]->tree.geometry.levels <
				    tree.spaces[0]->tree.geometry.levels;
		     j--)
			trees->list[j] = trees->list[j - 1];
		trees->list[j] = tree;
	}
}

struct error *trees_init(struct trees *trees, const struct inventory *inventory)
{
	*trees = (struct trees){ 0 };
	struct error *err = add_view(trees, inventory, VIEW_HW);

	if (!err)
		err = add_view(trees, inventory, VIEW_SW);
	sort_by_depth(trees);
	return err;
}

struct error *trees_init_selected(struct trees *trees, const struct space *const *spaces,
				  size_t count)
{
	struct error *err = NULL;

	*trees = (struct trees){ 0 };
	for (size_t i = 0; i < count && !err; i++) {
		if (spaces[i]->mode == SPACE_TABLE)
			err = add_space(trees, spaces[i]);
	}
	sort_by_depth(trees);
	return err;
}

void trees_deinit(struct trees *trees)
{
	for (size_t i = 0; i < trees->count; i++)
		free(trees->list[i].spaces);
	free(trees->list);
	*trees = (struct trees){ 0 };
}

static bool named_before(const struct tree *tree, size_t space, size_t device)
{
	const char *name = tree->spaces[space]->devices[device]->name;

	for (size_t i = 0; i <= space; i++) {
		for (size_t j = 0; j < tree->spaces[i]->device_count; j++) {
			if (i == space && j == device)
				return false;
			if (strcmp(tree->spaces[i]->devices[j]->name, name) == 0)
				return true;
		}
	}
	return false;
}

struct error *tree_devices(const struct tree *tree, char **ret)
{
	struct text text;
	struct error *err = text_open(&text);

	if (err)
		return err;
	for (size_t i = 0; i < tree->count; i++) {
		for (size_t j = 0; j < tree->spaces[i]->device_count; j++) {
			if (!named_before(tree, i, j))
				fprintf(text.stream, "%s%s", text_length(&text) ? "|" : "",
					tree->spaces[i]->devices[j]->name);
		}
	}
	return text_finish(&text, ret);
}

struct error *trees_count_once(struct page_set *counted, const struct pt_table *table,
			       bool *repeated)
{
	enum { PAGE_BYTES = 4096 };
	bool added = true;
	struct error *err = NULL;

	if (!table->repeated && table->entry_count * sizeof(uint64_t) >= PAGE_BYTES)
		err = page_set_add(counted, table->phys, &added);
	*repeated = table->repeated || !added;
	return err;
}
