/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The physical address space as the kernel has divided it: /proc/iomem.
 *
 * Linux: kernel/resource.c (iomem_resource, the root of a tree), include/linux/ioport.h (struct
 * resource).
 */
#ifndef IOMMUPT_RESOURCES_H
#define IOMMUPT_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct kernel;

/* A range that the kernel knows; a leaf of the tree or what no child covers of its parent. */
enum { RESOURCE_NAME_BYTES = 32 };

struct resource {
	uint64_t start;
	uint64_t last;
	char name[RESOURCE_NAME_BYTES];
};

struct resources {
	/* Every resource below the root, parents before children; then interrupt doorbells. */
	struct resource *list;
	size_t count;
};

/* resources_read() - an empty list when this kernel's cannot be found. */
struct error *resources_read(struct kernel *kernel, struct resources *ret);
void resources_free(struct resources *resources);

/* resources_find() - the innermost resource that holds @phys; NULL: none. */
const struct resource *resources_find(const struct resources *resources, uint64_t phys);

#endif
