// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/resources.h"

#include <stdio.h>
#include <stdlib.h>

#include "target/error.h"
#include "target/kernel.h"

enum field { START, END, NAME, SIBLING, CHILD, FIELDS };

static const struct type_query fields[FIELDS] = {
	[START] = { "resource", "start", NULL }, [END] = { "resource", "end", NULL },
	[NAME] = { "resource", "name", NULL },	 [SIBLING] = { "resource", "sibling", NULL },
	[CHILD] = { "resource", "child", NULL },
};

enum { RESOURCES_MAX = 65536, DEPTH_MAX = 32 };

struct scan {
	struct kernel *kernel;
	struct member members[FIELDS];
	struct resources *resources;
};

static struct error *append(struct resources *resources, uint64_t start, uint64_t last,
			    const char *name)
{
	enum { ROOM_MIN = 16 };

	if (resources->count == RESOURCES_MAX)
		return error_new("the tree of resources does not end");
	/* Room grows at powers of two. */
	if (resources->count == 0 ||
	    (resources->count >= ROOM_MIN && (resources->count & (resources->count - 1)) == 0)) {
		size_t room = resources->count ? resources->count * 2 : ROOM_MIN;
		struct resource *larger = realloc(resources->list, room * sizeof(*larger));

		if (!larger)
			return error_no_memory();
		resources->list = larger;
	}
	struct resource *resource = &resources->list[resources->count++];
	*resource = (struct resource){ .start = start, .last = last };
	snprintf(resource->name, sizeof(resource->name), "%s", name);
	return NULL;
}

static struct error *add(const struct scan *scan, uint64_t address)
{
	char name[RESOURCE_NAME_BYTES] = "";
	uint64_t values[FIELDS] = { 0 };
	struct error *err = NULL;

	for (unsigned int field = START; field <= NAME && !err; field++)
		err = kernel_get(scan->kernel, address, &scan->members[field], &values[field]);
	if (err)
		return err;
	/* A name that was filtered out is no reason to lose the range. */
	if (values[NAME])
		error_free(kernel_string(scan->kernel, values[NAME], name, sizeof(name)));
	return append(scan->resources, values[START], values[END], name);
}

static struct error *read_below(const struct scan *scan, uint64_t root)
{
	uint64_t stack[DEPTH_MAX];
	unsigned int depth = 0;
	uint64_t at = 0;
	struct error *err = kernel_get(scan->kernel, root, &scan->members[CHILD], &at);

	while (!err && (at || depth)) {
		if (at == 0) {
			err = kernel_get(scan->kernel, stack[--depth], &scan->members[SIBLING],
					 &at);
			continue;
		}
		err = add(scan, at);
		if (!err && depth == DEPTH_MAX)
			err = error_new("the tree of resources is too deep");
		if (err)
			break;
		stack[depth++] = at;
		err = kernel_get(scan->kernel, at, &scan->members[CHILD], &at);
	}
	return err;
}

/*
 * An ITS has no resource, but devices write their interrupts to it: its second 64 KiB frame
 * (drivers/irqchip/irq-gic-v3-its.c: its_nodes, struct its_node).
 */
static struct error *add_its(const struct scan *scan)
{
	enum { ITS_ENTRY, ITS_PHYS, ITS_FIELDS };
	static const struct type_query its_fields[ITS_FIELDS] = {
		[ITS_ENTRY] = { "its_node", "entry", NULL },
		[ITS_PHYS] = { "its_node", "phys_base", NULL },
	};
	enum { FRAMES_BYTES = 0x20000 };
	struct member members[ITS_FIELDS];
	uint64_t head = 0;

	if (!kernel_symbol(scan->kernel, "its_nodes", &head))
		return NULL;
	struct error *err = kernel_resolve(scan->kernel, its_fields, members, ITS_FIELDS);
	if (err || !members[ITS_PHYS].present || !members[ITS_ENTRY].present)
		return err;
	struct list_cursor cursor = list_begin(head);
	while (!err && list_next(scan->kernel, &cursor)) {
		uint64_t phys = 0;

		err = kernel_get(scan->kernel, cursor.node - members[ITS_ENTRY].offset,
				 &members[ITS_PHYS], &phys);
		if (!err)
			err = append(scan->resources, phys, phys + FRAMES_BYTES - 1, "GICv3 ITS");
	}
	return err ? err : cursor.error;
}

struct error *resources_read(struct kernel *kernel, struct resources *ret)
{
	struct scan scan = { .kernel = kernel, .resources = ret };
	uint64_t root = 0;

	*ret = (struct resources){ 0 };
	if (!kernel_symbol(kernel, "iomem_resource", &root))
		return NULL;
	struct error *err = kernel_resolve(kernel, fields, scan.members, FIELDS);
	if (!err)
		err = read_below(&scan, root);
	if (!err)
		err = add_its(&scan);
	if (err)
		resources_free(ret);
	return err;
}

void resources_free(struct resources *resources)
{
	free(resources->list);
	*resources = (struct resources){ 0 };
}

const struct resource *resources_find(const struct resources *resources, uint64_t phys)
{
	const struct resource *found = NULL;

	for (size_t i = 0; i < resources->count; i++) {
		if (phys >= resources->list[i].start && phys <= resources->list[i].last)
			found = &resources->list[i];
	}
	return found;
}
