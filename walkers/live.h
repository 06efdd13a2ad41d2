/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the tables of a running kernel, which takes no lock.
 *
 * A table is believed when it was read twice with the same content and, between these two readings,
 * every entry on the way to it was found as it was when it was followed: its own entry first, then
 * the one above it, at last the tree's witnesses. In this order each look proves the one before: a
 * table that was linked when it was reached, and whose table above is still linked afterwards, was
 * linked all the time. (Unless, within these microseconds, it was freed, used for something else
 * and linked at the same place again, twice, with the same foreign content.)
 *
 * A way that has changed is gone anew from the root. What does not hold still after LIVE_TRIES is
 * reported as PT_FAULT_CHANGED: unknown.
 */
#ifndef IOMMUPT_LIVE_H
#define IOMMUPT_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "walkers/engine.h"

enum { LIVE_TRIES = 16 };

/* A word of memory that was read and followed. */
struct live_word {
	uint64_t phys;
	uint64_t value;
};

/* The words on the way from a root to a table, the root's first. */
struct live_path {
	struct live_word words[PT_MAX_LEVELS];
	size_t count;
};

/* live_holds() - are all words of @path, and the witnesses of @tree, still what they were? */
bool live_holds(const struct pt_tree *tree, struct memory *memory, const struct live_path *path);

/* live_witnessed() - the witnesses alone: is the tree as a whole still in use? */
bool live_witnessed(const struct pt_tree *tree, struct memory *memory);

/* live_descend() - what live_descend() has met. */
struct live_way {
	struct pt_run run; /* of the entry at the end, with what it has inherited */
	uint64_t entry_addr;
	unsigned int level; /* of the table that holds this entry */
	struct live_path path;
	enum block_status status; /* of the reading */
};

/*
 * live_descend() - go from the root of @tree to the entry for @address (as the tables count) that
 * leads to a table of @level or is no table, or is below that.
 */
void live_descend(const struct pt_tree *tree, struct memory *memory, uint64_t address,
		  unsigned int level, struct live_way *ret);

/*
 * live_read() - the table of @request, to which @path leads: BLOCK_OK when it can be believed,
 * BLOCK_CHANGED with *moved when the way to it has changed, BLOCK_CHANGED when its content did not
 * hold still.
 */
void live_read(const struct pt_tree *tree, struct memory *memory, const struct live_path *path,
	       struct block_request *request, void *scratch, bool *moved);

/* live_count() - one more thing was read again because it had changed: for a message. */
void live_count(struct memory *memory);

#endif
