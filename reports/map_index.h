/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A reverse map in a file, so that a query is a look-up: `find --index FILE`.
 *
 * The file is for this machine's byte order and this version's layout; it names the dump it was
 * made from, and is refused for any other.
 *
 *	header	struct index_header
 *	owners	owner_count * struct index_owner, their strings behind them
 *	runs	run_count * struct map_run, by physical address; the middle of each part is the
 *		root of its subtree, which knows the greatest address below it
 */
#ifndef IOMMUPT_MAP_INDEX_H
#define IOMMUPT_MAP_INDEX_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct extent;
struct memory;
struct reverse_map;

/*
 * map_index_load() - what the index at @path knows of @extents, as reverse_map_init() would have
 * it. *found is false, and @map empty, when there is no such file.
 */
struct error *map_index_load(const char *path, const struct memory *memory, const char *release,
			     struct extent *extents, size_t count, struct reverse_map *map,
			     bool *found);

/* map_index_write() - make the file; sorts @map's runs by physical address. */
struct error *map_index_write(const char *path, const struct memory *memory, const char *release,
			      struct reverse_map *map);

#endif
