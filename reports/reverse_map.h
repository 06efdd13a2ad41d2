/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who maps which physical memory: the tables of all spaces, turned round.
 *
 * Each table is walked once, whoever shares it; of what it maps only the parts that lie in given
 * extents of physical memory are kept.
 */
#ifndef IOMMUPT_REVERSE_MAP_H
#define IOMMUPT_REVERSE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct pt_format;
struct session;
struct space;

/* Physical addresses, inclusive. */
struct extent {
	uint64_t start;
	uint64_t last;
	bool found; /* something in it is mapped */
};

/* A space, or all that share one table. */
struct map_owner {
	char *space;			/* name of the first */
	char *devices;			/* of all, joined by | */
	char *owner;			/* words of all */
	const struct pt_format *format; /* of a table */
	bool dirty_tracking;
	bool passthrough; /* every address up to last_address is mapped to itself */
	uint64_t last_address;
	uint64_t mm; /* struct mm_struct that owns the memory; 0: the kernel's, not known, or of an
		      * index */
};

/* space_owner_mm() - that, of a space. */
uint64_t space_owner_mm(const struct space *space);

/* A contiguous mapping, or with is_table page-table pages of the owner. */
struct map_run {
	uint64_t phys;
	uint64_t length;
	uint64_t iova;
	uint32_t owner; /* index */
	uint32_t attrs; /* of tables: the bytes of each */
	uint8_t perm;
	uint8_t size_lg2; /* page size; of a table, its level */
	uint8_t is_table;
	uint8_t zero[5];
	uint64_t
		subtree_last; /* of an index file: greatest address in the subtree below this run */
};

struct reverse_map {
	struct map_owner *owners;
	size_t owner_count;
	struct map_run *runs; /* by owner, then input address */
	size_t run_count;
	uint64_t unknown; /* tables and spaces that could not be read */
};

/* extents_sort() - ascending, and those that overlap joined; returns how many are left. */
size_t extents_sort(struct extent *extents, size_t count);

/*
 * reverse_map_init() - walk all spaces; keep what maps @extents (sorted; `found` is set). What
 * could not be seen is reported on the session's stderr. To be ended by _deinit even on error.
 */
struct error *reverse_map_init(struct reverse_map *map, struct session *session,
			       struct extent *extents, size_t count);
void reverse_map_deinit(struct reverse_map *map);

/* reverse_map_add() - append @run, or let it lengthen the last one. */
struct error *reverse_map_add(struct reverse_map *map, const struct map_run *run);
/* reverse_map_add_owner() - append @owner, whose strings are taken over, also on error. */
struct error *reverse_map_add_owner(struct reverse_map *map, const struct map_owner *owner);
/* reverse_map_clip() - add the parts of @run that lie in @extents. */
struct error *reverse_map_clip(struct reverse_map *map, const struct map_run *run,
			       struct extent *extents, size_t count);

/*
 * reverse_map_next_table() - the page table behind *table, by owner and address, whatever the
 * order in which a walk met them; the first one if that is no table. False: there is none.
 */
bool reverse_map_next_table(const struct reverse_map *map, struct map_run *table);
/* reverse_map_count_tables() - page tables, of which some part may be missing. */
uint64_t reverse_map_count_tables(const struct reverse_map *map);

#endif
