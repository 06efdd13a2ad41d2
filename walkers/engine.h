/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one engine that iterates an address space, whatever its format.
 *
 * It goes through a tree in ascending input addresses, hands each table page to
 * the visitor once as a whole block, and asks memory for tables in batches: up
 * to PT_BATCH_BYTES of sibling and cousin tables at a time. Memory used is
 * O(levels x batch), whatever the size of the tree.
 *
 * Tables are evidence, not truth. A table that is its own ancestor is reported
 * and not entered. A table that is reached again by another way is entered
 * again (hardware would), but only PT_REPEAT_LIMIT times in one walk, so that
 * the work is linear in the distinct tables; what is left out is reported.
 *
 * Tables of a live kernel change, and can be freed and used for something else between the reading
 * of the entry that leads there and of the table. So there each table is read by itself, twice, and
 * in between the way to it is read again, from its entry up to the tree's witnesses: see
 * walkers/live.h.
 */
#ifndef IOMMUPT_ENGINE_H
#define IOMMUPT_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/format.h"
#include "target/memory.h"

/* Fuzzers' tables are few: with small batches they fill some, too, and are quicker. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
enum { PT_BATCH_BYTES = 1 << 14, PT_REPEAT_LIMIT = 1 << 8 };
#else
enum { PT_BATCH_BYTES = 1 << 18, PT_REPEAT_LIMIT = 1 << 16 };
#endif

enum { PT_WITNESSES_MAX = 4, PT_WITNESS_WORDS = 8 };

/* What in physical memory says that a tree is in use: an entry that holds its root, a pointer. */
struct pt_witness {
	uint64_t phys;
	uint64_t words[PT_WITNESS_WORDS]; /* as they were when the tree was found */
	unsigned int count;
};

/* Where a tree is: the geometry says how to read it. */
struct pt_tree {
	struct pt_geometry geometry;
	uint64_t root; /* physical address of the top table */
	uint8_t perm;  /* what leads to the root allows (an AMD DTE); 0: everything */
	/* Of a live kernel's; looked at before anything in the tree is believed. */
	struct pt_witness witnesses[PT_WITNESSES_MAX];
	unsigned int witness_count;
};

/* pt_add_witness() - @count words at @phys that will change before the tables are freed. */
void pt_add_witness(struct pt_tree *tree, uint64_t phys, const uint64_t *words, unsigned int count);

/* One table page, given to the visitor whole. */
struct pt_table {
	uint64_t phys;
	uint64_t iova; /* first input address that it covers, as people see it */
	const uint64_t *entries;
	const struct pt_run *runs; /* NULL: it was not decoded, the counts say it all */
	size_t run_count;
	unsigned int entry_count;
	unsigned int used;    /* entries that are not PT_EMPTY */
	unsigned int mapping; /* of these, PT_LEAF */
	unsigned int invalid; /* of these, PT_INVALID */
	unsigned int level;
	bool repeated; /* reached before in this walk */
};

/* Leaves that continue each other: one run of a block, with what it inherited. */
struct pt_leaves {
	uint64_t iova;	/* as people see it */
	uint64_t phys;	/* PT_NO_ADDRESS: software entries that lead to no page */
	uint64_t count; /* items, each of 1 << size_lg2 bytes */
	uint32_t attrs;
	uint8_t size_lg2; /* page size */
	uint8_t perm;	  /* effective: the AND over the levels */
};

/* What can be wrong with a table or an entry. */
enum pt_fault_kind {
	PT_FAULT_MISSING,  /* table page not in the dump: unknown, not empty */
	PT_FAULT_DAMAGED,  /* table page in the dump but unreadable: unknown */
	PT_FAULT_OUTSIDE,  /* table address is not memory */
	PT_FAULT_LOOP,	   /* table is its own ancestor: not entered */
	PT_FAULT_REPEATED, /* table reached before: entered again */
	PT_FAULT_SKIPPED,  /* the same, and not entered: PT_REPEAT_LIMIT */
	PT_FAULT_INVALID,  /* entry with reserved bits or an illegal size */
	PT_FAULT_TORN,	   /* entries of one large page that differ: each is shown by itself */
	PT_FAULT_CHANGED,  /* live: changed too fast to be read, or gone meanwhile: unknown */
	PT_FAULT_KINDS,
};

struct pt_fault {
	enum pt_fault_kind kind;
	unsigned int level;  /* of the table that cannot be had, or of the invalid entry */
	uint64_t table;	     /* physical address of that table */
	uint64_t entry_addr; /* physical address of the entry that leads there; 0 for a root */
	uint64_t iova;	     /* first input address concerned, as people see it */
	uint64_t length;     /* bytes of input concerned (0: the whole 64-bit space) */
};

/* Called in ascending order of input address; any may be NULL; an error ends the walk. */
struct pt_visitor {
	struct error *(*table)(void *arg, const struct pt_table *table);
	struct error *(*leaves)(void *arg, const struct pt_leaves *leaves);
	struct error *(*fault)(void *arg, const struct pt_fault *fault);
	void *arg;
	/* What the kernel keeps in entries that map nothing (PT_SOFT); perm is 0. */
	struct error *(*soft)(void *arg, const struct pt_leaves *leaves);
	/*
	 * leaves() may be left out for a table at level 0 that has nothing but ordinary ones: what
	 * table() is told of it is enough.
	 */
	bool counts_will_do;
	/*
	 * @count tables in a row that map nothing, of level 0, met the first time; the first of
	 * them is @first, each is at its @phys. NULL: table() is called for each.
	 */
	struct error *(*zeros)(void *arg, const struct pt_table *first, const uint64_t *phys,
			       size_t count);
};

/* Counts over one walk. */
struct pt_statistics {
	uint64_t tables; /* distinct table pages read */
	uint64_t table_bytes;
	uint64_t mapped_bytes;
	uint64_t leaves;     /* items */
	uint64_t soft_bytes; /* of PT_SOFT entries: in none of the two above */
	uint64_t faults[PT_FAULT_KINDS];
};

/* The order to stop, and the means to show that work goes on. */
struct pt_control {
	volatile sig_atomic_t *stop; /* non-zero: give up at once; may be NULL */
	void (*progress)(void *arg, const struct pt_statistics *statistics, uint64_t iova);
	void *progress_arg; /* progress is called once a batch; may be NULL */
	/* Threads that read and decode, this one included; what is visited, and when, is the same.
	 */
	unsigned int threads;
};

/* pt_root_run() - what leads to the top table of @tree. */
struct pt_run pt_root_run(const struct pt_tree *tree);

/*
 * pt_walk() - visit what @tree maps from @start to @last (inclusive, as people see them).
 * @statistics is filled in even when an error is returned. An interrupted walk returns an
 * error that says so.
 */
struct error *pt_walk(const struct pt_tree *tree, struct memory *memory, uint64_t start,
		      uint64_t last, const struct pt_visitor *visitor,
		      const struct pt_control *control, struct pt_statistics *statistics);

/* One step of a translation: the entry met at one level. */
struct pt_step {
	struct pt_run run;	 /* decoded, of one entry */
	struct pt_run effective; /* the same with what the levels above add and take */
	uint64_t table;		 /* physical address of the table */
	uint64_t entry_addr;	 /* physical address of the entry */
	uint64_t entry;		 /* raw value, when status is BLOCK_OK */
	unsigned int level;
	unsigned int index;
	unsigned int perm; /* effective so far */
	bool skips; /* a table, but the address has bits set that the way to it skips: the end */
	enum block_status status; /* whether the entry could be read */
};

/*
 * pt_translate() - the way of one address @iova down the tree, as hardware goes it. Fills
 * @steps (room for PT_MAX_LEVELS) and returns how many; the last one is a leaf, or says why
 * the translation stops. @iova must be an input of the tree (pt_address_to_table()).
 */
size_t pt_translate(const struct pt_tree *tree, struct memory *memory, uint64_t iova,
		    struct pt_step *steps);

/* pt_lookup() - the output address of @iova; false when it is not mapped or not known. */
bool pt_lookup(const struct pt_tree *tree, struct memory *memory, uint64_t iova, uint64_t *ret);

#endif
