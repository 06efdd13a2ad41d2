// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/containers.h"

#include <inttypes.h>
#include <stdbool.h>

#include "target/error.h"
#include "target/kernel.h"

/* A red-black tree of 2^64 nodes is 128 deep at most. */
enum { RB_DEPTH_MAX = 128, VISITS_MAX = 1 << 24 };

struct rb_walk {
	struct kernel *kernel;
	struct member left;
	struct member right;
	rb_visit *visit;
	void *arg;
	uint64_t visits;
};

static struct error *rb_walk_below(struct rb_walk *walk, uint64_t top)
{
	uint64_t stack[RB_DEPTH_MAX] = { 0 };
	unsigned int depth = 0;
	struct error *err = NULL;

	for (uint64_t node = top; !err && (node || depth);) {
		if (node) {
			if (depth == RB_DEPTH_MAX || walk->visits++ == VISITS_MAX)
				return error_new("red-black tree with a node at 0x%" PRIx64
						 " does not end",
						 node);
			stack[depth++] = node;
			err = kernel_get(walk->kernel, node, &walk->left, &node);
			continue;
		}
		node = stack[--depth];
		err = walk->visit(walk->arg, node);
		if (!err)
			err = kernel_get(walk->kernel, node, &walk->right, &node);
	}
	return err;
}

struct error *rb_for_each(struct kernel *kernel, uint64_t root, rb_visit *visit, void *arg)
{
	enum { ROOT_NODE, LEFT, RIGHT, FIELDS };
	static const struct type_query fields[FIELDS] = {
		[ROOT_NODE] = { "rb_root", "rb_node", NULL },
		[LEFT] = { "rb_node", "rb_left", NULL },
		[RIGHT] = { "rb_node", "rb_right", NULL },
	};
	struct member members[FIELDS];
	uint64_t top = 0;
	struct error *err = kernel_resolve(kernel, fields, members, FIELDS);

	if (!err)
		err = kernel_get(kernel, root, &members[ROOT_NODE], &top);
	if (err)
		return err;
	struct rb_walk walk = {
		.kernel = kernel,
		.left = members[LEFT],
		.right = members[RIGHT],
		.visit = visit,
		.arg = arg,
	};
	return rb_walk_below(&walk, top);
}

struct xa_walk {
	struct kernel *kernel;
	struct member slots;
	struct member shift;
	xarray_visit *visit;
	void *arg;
	uint64_t visits;
};

/* Low bits 10: internal; a node's are a pointer, above those of siblings, retry and zero. */
static bool is_internal(uint64_t entry)
{
	return (entry & 3) == 2;
}

static bool is_node(uint64_t entry)
{
	return is_internal(entry) && entry > 4096;
}

static struct error *xa_walk_entry(struct xa_walk *walk, uint64_t entry, uint64_t index,
				   uint64_t shift_above);

static struct error *xa_walk_node(struct xa_walk *walk, uint64_t node, uint64_t index,
				  uint64_t shift_above)
{
	enum { SLOTS_MAX = 64 };
	uint64_t slots[SLOTS_MAX];
	uint64_t shift = 0;
	const size_t count = walk->slots.size / sizeof(uint64_t);
	struct error *err = kernel_get(walk->kernel, node, &walk->shift, &shift);

	if (err)
		return err;
	/* Shifts fall on the way down, so the recursion is bounded whatever the memory holds. */
	if (count > SLOTS_MAX || shift >= shift_above)
		return error_new("xarray node at 0x%" PRIx64 " is not one", node);
	err = kernel_read(walk->kernel, node + walk->slots.offset, slots, walk->slots.size);
	for (size_t i = 0; i < count && !err; i++)
		err = xa_walk_entry(walk, slots[i], index + ((uint64_t)i << shift), shift);
	return err;
}

static struct error *xa_walk_entry(struct xa_walk *walk, uint64_t entry, uint64_t index,
				   uint64_t shift_above)
{
	if (walk->visits++ == VISITS_MAX)
		return error_new("xarray does not end");
	if (is_node(entry))
		return shift_above ? xa_walk_node(walk, entry & ~3ULL, index, shift_above)
				   : error_new("xarray holds a node below its last level");
	if (entry == 0 || is_internal(entry))
		return NULL;
	return walk->visit(walk->arg, index, entry);
}

struct error *xarray_for_each(struct kernel *kernel, uint64_t xarray, xarray_visit *visit,
			      void *arg)
{
	enum { HEAD, SHIFT, SLOTS, FIELDS };
	static const struct type_query fields[FIELDS] = {
		[HEAD] = { "xarray", "xa_head", NULL },
		[SHIFT] = { "xa_node", "shift", NULL },
		[SLOTS] = { "xa_node", "slots", NULL },
	};
	struct member members[FIELDS];
	uint64_t head = 0;
	struct error *err = kernel_resolve(kernel, fields, members, FIELDS);

	if (!err)
		err = kernel_get(kernel, xarray, &members[HEAD], &head);
	if (!err && !members[SLOTS].present)
		err = error_new("this kernel has no struct xa_node");
	if (err)
		return err;
	struct xa_walk walk = {
		.kernel = kernel,
		.slots = members[SLOTS],
		.shift = members[SHIFT],
		.visit = visit,
		.arg = arg,
	};
	return xa_walk_entry(&walk, head, 0, 64);
}
