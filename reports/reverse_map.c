// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/reverse_map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/owner.h"
#include "reports/progress.h"
#include "reports/session.h"
#include "reports/table_faults.h"
#include "target/error.h"
#include "walkers/process.h"

static int by_start(const void *left, const void *right)
{
	const struct extent *a = left;
	const struct extent *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

size_t extents_sort(struct extent *extents, size_t count)
{
	size_t n = 0;

	if (count == 0)
		return 0;
	qsort(extents, count, sizeof(*extents), by_start);
	for (size_t i = 1; i < count; i++) {
		if (extents[i].start > extents[n].last)
			extents[++n] = extents[i];
		else if (extents[i].last > extents[n].last)
			extents[n].last = extents[i].last;
	}
	return n + 1;
}

/* Room for one more of @size bytes: arrays grow at powers of two. */
static struct error *grow(void **array, size_t count, size_t size)
{
	if (*array && count & (count - 1))
		return NULL;
	void *larger = realloc(*array, (count ? count * 2 : 1) * size);
	if (!larger)
		return error_no_memory();
	*array = larger;
	return NULL;
}

static void owner_deinit(const struct map_owner *owner)
{
	free(owner->space);
	free(owner->devices);
	free(owner->owner);
}

struct error *reverse_map_add_owner(struct reverse_map *map, const struct map_owner *owner)
{
	struct error *err = owner->space && owner->devices && owner->owner
				    ? grow((void **)&map->owners, map->owner_count, sizeof(*owner))
				    : error_no_memory();

	if (err)
		owner_deinit(owner);
	else
		map->owners[map->owner_count++] = *owner;
	return err;
}

/* Leaves are continued by input and output address; tables by their own address alone. */
static bool continues(const struct map_run *last, const struct map_run *next)
{
	return last->owner == next->owner && last->is_table == next->is_table &&
	       last->phys + last->length == next->phys && last->size_lg2 == next->size_lg2 &&
	       last->attrs == next->attrs &&
	       (last->is_table ||
		(last->iova + last->length == next->iova && last->perm == next->perm &&
		 last->length + next->length > last->length));
}

struct error *reverse_map_add(struct reverse_map *map, const struct map_run *run)
{
	struct map_run *last = map->run_count ? &map->runs[map->run_count - 1] : NULL;

	if (last && continues(last, run)) {
		last->length += run->length;
		return NULL;
	}
	struct error *err = grow((void **)&map->runs, map->run_count, sizeof(*run));
	if (!err)
		map->runs[map->run_count++] = *run;
	return err;
}

/* The first extent that does not end before @phys. */
static size_t first_extent(const struct extent *extents, size_t count, uint64_t phys)
{
	size_t low = 0;

	while (low < count) {
		const size_t middle = low + (count - low) / 2;

		if (extents[middle].last < phys)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

struct error *reverse_map_clip(struct reverse_map *map, const struct map_run *run,
			       struct extent *extents, size_t count)
{
	const uint64_t last = run->phys + (run->length - 1);
	struct error *err = NULL;

	for (size_t i = first_extent(extents, count, run->phys);
	     i < count && extents[i].start <= last && !err; i++) {
		const uint64_t from = extents[i].start > run->phys ? extents[i].start : run->phys;
		const uint64_t to = extents[i].last < last ? extents[i].last : last;
		struct map_run part = *run;

		part.phys = from;
		part.length = to - from + 1;
		part.iova += run->is_table ? 0 : from - run->phys;
		extents[i].found |= !run->is_table;
		err = reverse_map_add(map, &part);
	}
	return err;
}

/* The first table of @run that begins behind @phys, or lies there in part; false: none. */
static bool table_behind(const struct map_run *run, uint64_t phys, uint64_t *ret)
{
	const uint64_t bytes = run->attrs;

	*ret = run->phys;
	if (run->phys > phys)
		return true;
	if (!bytes || bytes & (bytes - 1)) /* an index file may say anything */
		return false;
	*ret = (phys & ~(bytes - 1)) + bytes;
	return *ret > phys && *ret - run->phys < run->length;
}

bool reverse_map_next_table(const struct reverse_map *map, struct map_run *table)
{
	const struct map_run *next = NULL;
	uint64_t next_phys = 0;

	for (size_t i = 0; i < map->run_count; i++) {
		const struct map_run *run = &map->runs[i];
		uint64_t phys = run->phys;

		if (!run->is_table || (table->is_table && run->owner < table->owner))
			continue;
		if (table->is_table && run->owner == table->owner &&
		    !table_behind(run, table->phys, &phys))
			continue;
		if (!next || run->owner < next->owner ||
		    (run->owner == next->owner && phys < next_phys)) {
			next = run;
			next_phys = phys;
		}
	}
	if (!next)
		return false;
	*table = *next;
	table->phys = next_phys;
	return true;
}

uint64_t reverse_map_count_tables(const struct reverse_map *map)
{
	uint64_t count = 0;

	for (size_t i = 0; i < map->run_count; i++) {
		const struct map_run *run = &map->runs[i];
		const uint64_t bytes = run->attrs ? run->attrs : run->length;

		if (run->is_table)
			count += (run->phys + (run->length - 1)) / bytes - run->phys / bytes + 1;
	}
	return count;
}

/* One table at work. */
struct build {
	struct session *session;
	struct reverse_map *map;
	struct extent *extents;
	size_t extent_count;
	struct table_faults faults;
	struct error *failed; /* while processes are visited */
};

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct build *build = arg;
	const struct map_run run = {
		.phys = leaves->phys,
		.length = leaves->count << leaves->size_lg2,
		.iova = leaves->iova,
		.owner = (uint32_t)(build->map->owner_count - 1),
		.attrs = leaves->attrs,
		.perm = leaves->perm,
		.size_lg2 = leaves->size_lg2,
	};

	return reverse_map_clip(build->map, &run, build->extents, build->extent_count);
}

static struct error *on_table(void *arg, const struct pt_table *table)
{
	struct build *build = arg;
	const struct map_run run = {
		.phys = table->phys,
		.length = sizeof(uint64_t) * table->entry_count,
		.iova = table->iova,
		.owner = (uint32_t)(build->map->owner_count - 1),
		.attrs = (uint32_t)(sizeof(uint64_t) * table->entry_count),
		.size_lg2 = (uint8_t)table->level,
		.is_table = 1,
	};

	return table->repeated
		       ? NULL
		       : reverse_map_clip(build->map, &run, build->extents, build->extent_count);
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct build *build = arg;

	table_faults_add(&build->faults, fault);
	if (fault->kind != PT_FAULT_REPEATED && fault->kind != PT_FAULT_INVALID &&
	    fault->kind != PT_FAULT_TORN)
		build->map->unknown++;
	return NULL;
}

static struct error *walk_table(struct build *build, const struct space *space)
{
	const struct pt_visitor visitor = {
		.table = on_table,
		.leaves = on_leaves,
		.fault = on_fault,
		.arg = build,
	};
	struct pt_statistics statistics;

	build->faults = (struct table_faults){ 0 };
	struct error *err = walk_space(build->session, space, 0, UINT64_MAX, &visitor, &statistics);
	table_faults_report(&build->faults, build->session, space->name);
	return err;
}

/* A word of @more that @text has not is put behind it. */
static struct error *join_words(char **text, const char *more, char separator)
{
	const size_t size = strlen(*text) + strlen(more) + 2;
	const char stops[] = { separator, '\0' };
	char *joined = realloc(*text, size);

	if (!joined)
		return error_no_memory();
	*text = joined;
	for (size_t len = 0; *more; more += len + (more[len] != '\0')) {
		bool known = false;

		len = strcspn(more, stops);
		for (const char *at = joined; *at && !known;) {
			const size_t n = strcspn(at, stops);

			known = n == len && strncmp(at, more, len) == 0;
			at += n + (at[n] != '\0');
		}
		const size_t used = strlen(joined);
		if (!known && len)
			snprintf(joined + used, size - used, "%s%.*s", used ? stops : "", (int)len,
				 more);
	}
	return NULL;
}

static struct error *describe_space(struct map_owner *owner, const struct space *space)
{
	char *text = NULL;
	struct error *err = space_owner_text(space, &text);

	if (!err)
		err = join_words(&owner->owner, text, ' ');
	free(text);
	for (size_t i = 0; i < space->device_count && !err; i++)
		err = join_words(&owner->devices, space->devices[i]->name, '|');
	return err;
}

uint64_t space_owner_mm(const struct space *space)
{
	if (space->mm)
		return space->mm;
	for (size_t i = 0; i < space->device_count; i++) {
		if (space->devices[i]->owned_by_user)
			return space->devices[i]->user.mm;
	}
	return 0;
}

static struct error *owner_init(struct map_owner *owner, const struct space *space)
{
	*owner = (struct map_owner){
		.space = strdup(space->name),
		.devices = strdup(""),
		.owner = strdup(""),
		.format = space->mode == SPACE_TABLE ? space->tree.geometry.format : NULL,
		.dirty_tracking = space->tree.geometry.dirty_tracking,
		.passthrough = space->mode == SPACE_PASSTHROUGH,
		.last_address = pt_last_address(&space->tree.geometry),
		.mm = space_owner_mm(space),
	};
	return owner->space && owner->devices && owner->owner ? NULL : error_no_memory();
}

/* A space by itself: its owner, and what its table maps. */
static struct error *add_one(struct build *build, const struct space *space)
{
	struct map_owner owner;
	struct error *err = owner_init(&owner, space);

	if (!err)
		err = describe_space(&owner, space);
	if (err) {
		owner_deinit(&owner);
		return err;
	}
	err = reverse_map_add_owner(build->map, &owner);
	return err ? err : walk_table(build, space);
}

static struct error *on_process(void *arg, const struct process *process)
{
	struct build *build = arg;
	struct space space = { 0 };

	if (process->known) {
		process_set_space(process, &space);
		build->failed = add_one(build, &space);
		/* Handed up by add_processes(), which knows it from a damaged list. */
		return build->failed ? error_new("gave up") : NULL;
	}
	session_message(build->session, "warning: pid:%" PRId64 ": unknown: %s", process->pid,
			process->reason);
	build->map->unknown++;
	return NULL;
}

/* A list of processes that cannot be read to its end hides some: said, and counted. */
static struct error *add_processes(struct build *build)
{
	struct error *err = process_for_each(build->session->kernel, on_process, build);

	if (err && !build->failed) {
		session_message(build->session, "warning: processes: %s", err->message);
		build->map->unknown++;
	}
	error_free(err);
	return build->failed;
}

/* Software's view counts only where hardware has none. */
static bool is_superseded(const struct inventory *inventory, const struct space *space)
{
	if (space->view == VIEW_HW)
		return false;
	for (size_t i = 0; i < inventory->space_count; i++) {
		const struct space *other = inventory->spaces[i];

		if (other->view != VIEW_HW)
			continue;
		if (space_same_table(space, other))
			return true;
		for (size_t j = 0; j < other->device_count && space->mode != SPACE_TABLE; j++) {
			for (size_t k = 0; k < space->device_count; k++) {
				if (other->devices[j] == space->devices[k])
					return true;
			}
		}
	}
	return space->mode != SPACE_TABLE && space->device_count == 0;
}

/* Number @index of the inventory, with all that share its table, unless one before it did. */
static struct error *add_space(struct build *build, const struct inventory *inventory, size_t index)
{
	const struct space *space = inventory->spaces[index];
	struct map_owner owner;

	for (size_t i = 0; i < index; i++) {
		if (space_same_table(space, inventory->spaces[i]) &&
		    !is_superseded(inventory, inventory->spaces[i]))
			return NULL;
	}
	struct error *err = owner_init(&owner, space);
	if (!err)
		err = describe_space(&owner, space);
	for (size_t i = index + 1; i < inventory->space_count && !err; i++) {
		if (inventory->spaces[i]->view == space->view &&
		    space_same_table(space, inventory->spaces[i]))
			err = describe_space(&owner, inventory->spaces[i]);
	}
	if (err) {
		owner_deinit(&owner);
		return err;
	}
	err = reverse_map_add_owner(build->map, &owner);
	if (!err && space->mode == SPACE_TABLE)
		err = walk_table(build, space);
	for (size_t i = 0; i < build->extent_count && space->mode == SPACE_PASSTHROUGH; i++)
		build->extents[i].found |= build->extents[i].start <= owner.last_address;
	return err;
}

struct error *reverse_map_init(struct reverse_map *map, struct session *session,
			       struct extent *extents, size_t count)
{
	struct inventory *inventory = NULL;
	struct build build = {
		.session = session,
		.map = map,
		.extents = extents,
		.extent_count = count,
	};

	*map = (struct reverse_map){ 0 };
	struct error *err = session_inventory(session, &inventory);
	for (size_t i = 0; !err && i < inventory->space_count; i++) {
		const struct space *space = inventory->spaces[i];

		/* Stage 1 of a nested translation maps to a guest's addresses. */
		if (is_superseded(inventory, space) || space->mode == SPACE_BLOCKED ||
		    space->nesting == 1)
			continue;
		if (space->mode == SPACE_UNKNOWN) {
			session_message(session, "warning: %s: unknown: %s", space->name,
					space->reason);
			map->unknown++;
			continue;
		}
		err = add_space(&build, inventory, i);
	}
	return err ? err : add_processes(&build);
}

void reverse_map_deinit(struct reverse_map *map)
{
	for (size_t i = 0; i < map->owner_count; i++)
		owner_deinit(&map->owners[i]);
	free(map->owners);
	free(map->runs);
}
