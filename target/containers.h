/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Containers of the kernel under study, other than list_head (target/kernel.h):
 * red-black trees and xarrays.
 *
 * Each is untrusted: a tree deeper than any real one, a node met too often or one
 * that cannot be read ends the visit with an error; what was met before it has been
 * handed to the visitor.
 *
 * Linux: include/linux/rbtree_types.h (struct rb_root, rb_node), include/linux/xarray.h
 * (struct xarray, xa_node; entries are pointers, values or internal ones by their low two bits).
 */
#ifndef IOMMUPT_CONTAINERS_H
#define IOMMUPT_CONTAINERS_H

#include <stdint.h>

struct error;
struct kernel;

/* Called for each element; an error ends the visit and is handed up. */
typedef struct error *rb_visit(void *arg, uint64_t node);
typedef struct error *xarray_visit(void *arg, uint64_t index, uint64_t entry);

/* rb_for_each() - each struct rb_node of the struct rb_root at @root, in order. */
struct error *rb_for_each(struct kernel *kernel, uint64_t root, rb_visit *visit, void *arg);

/*
 * xarray_for_each() - each entry of the struct xarray at @xarray, by ascending index. Internal
 * entries (zero and retry entries, siblings) are left out; a tagged pointer or a value comes as
 * it is stored.
 */
struct error *xarray_for_each(struct kernel *kernel, uint64_t xarray, xarray_visit *visit,
			      void *arg);

#endif
