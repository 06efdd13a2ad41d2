// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/memcg.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"

enum field {
	OBJCG_MEMCG,
	MEMCG_CGROUP,
	CGROUP_KN,
	NODE_NAME,
	NODE_PARENT,	 /* up to 6.14 */
	NODE_PARENT_RCU, /* since 6.15 */
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[OBJCG_MEMCG] = { "obj_cgroup", "memcg", NULL },
	[MEMCG_CGROUP] = { "mem_cgroup", "css.cgroup", NULL },
	[CGROUP_KN] = { "cgroup", "kn", NULL },
	[NODE_NAME] = { "kernfs_node", "name", NULL },
	[NODE_PARENT] = { "kernfs_node", "parent", NULL },
	[NODE_PARENT_RCU] = { "kernfs_node", "__parent", NULL },
};

enum { FLAG_OBJEXTS = 1, FLAG_KMEM = 2, FLAGS = 7, DEPTH_MAX = 32, NAME_MAX_BYTES = 128 };

struct lookup {
	struct kernel *kernel;
	struct member members[FIELDS];
};

static struct error *get(const struct lookup *lookup, uint64_t base, enum field field,
			 uint64_t *ret)
{
	return kernel_get(lookup->kernel, base, &lookup->members[field], ret);
}

/* "/NAME" in front of what @text has already. */
static struct error *prepend(const struct lookup *lookup, uint64_t node, char *text, size_t size)
{
	char name[NAME_MAX_BYTES];
	uint64_t address = 0;
	struct error *err = get(lookup, node, NODE_NAME, &address);

	if (!err)
		err = kernel_string(lookup->kernel, address, name, sizeof(name));
	if (err)
		return err;
	const size_t len = strlen(name) + 1;
	const size_t used = strlen(text);
	if (used + len + 1 > size)
		return error_new("the path of a cgroup is too long");
	memmove(text + len, text, used + 1);
	text[0] = '/';
	memcpy(text + 1, name, len - 1);
	return NULL;
}

static struct error *build_path(const struct lookup *lookup, uint64_t node, char *text, size_t size)
{
	const enum field field = lookup->members[NODE_PARENT].present ? NODE_PARENT
								      : NODE_PARENT_RCU;
	struct error *err = NULL;

	for (unsigned int depth = 0; !err && depth < DEPTH_MAX; depth++) {
		uint64_t parent = 0;

		err = get(lookup, node, field, &parent);
		if (err || parent == 0)
			break;
		err = prepend(lookup, node, text, size);
		node = parent;
	}
	if (!err && text[0] == '\0')
		snprintf(text, size, "/");
	return err;
}

struct error *memcg_path(struct kernel *kernel, uint64_t memcg_data, char *text, size_t size)
{
	struct lookup lookup = { .kernel = kernel };
	uint64_t at = memcg_data & ~(uint64_t)FLAGS;
	struct error *err = NULL;

	text[0] = '\0';
	if (memcg_data == 0 || memcg_data & FLAG_OBJEXTS)
		return NULL;
	err = kernel_resolve(kernel, fields, lookup.members, FIELDS);
	if (!err && memcg_data & FLAG_KMEM)
		err = get(&lookup, at, OBJCG_MEMCG, &at);
	if (!err)
		err = get(&lookup, at, MEMCG_CGROUP, &at);
	if (!err)
		err = get(&lookup, at, CGROUP_KN, &at);
	return err ? err : build_path(&lookup, at, text, size);
}
