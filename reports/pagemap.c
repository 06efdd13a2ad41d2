// SPDX-License-Identifier: GPL-3.0-or-later
/* The mappings of a space, like /proc/PID/pagemap: merged runs, or each leaf. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/progress.h"
#include "reports/selection.h"
#include "reports/table_faults.h"
#include "target/error.h"

static const struct column columns[] = {
	{ "space", COLUMN_TEXT, 14, "the address space; can be used as a TARGET" },
	{ "iova", COLUMN_ADDRESS, 18, "first input address (IOVA, GPA or VA)" },
	{ "length", COLUMN_NUMBER, 12, "bytes" },
	{ "phys", COLUMN_ADDRESS, 14,
	  "first output address; empty where the table is unknown, and of a page without one: swapped "
	  "out" },
	{ "page_size", COLUMN_NUMBER, 10, "bytes that one leaf entry maps" },
	{ "perm", COLUMN_TEXT, 4,
	  "what hardware allows, over all levels: three characters of rwx-; x only in formats "
	  "that control execution; --- of what the kernel keeps in entries that map nothing" },
	{ "attrs", COLUMN_TEXT, 16,
	  "tokens joined by |, sorted; `unknown`: a table of this range is not in the dump" },
	{ "page_state", COLUMN_TEXT, 4, "empty in this version" },
};

enum { SPACE, IOVA, LENGTH, PHYS, PAGE_SIZE, PERM, ATTRS, PAGE_STATE, COLUMNS };

const struct schema schema_pagemap = { "pagemap", columns, COLUMNS };

/* A row in the making: what follows may still continue it. */
struct row {
	uint64_t iova;
	uint64_t length; /* 0: no row; never the whole 64-bit space */
	uint64_t phys;	 /* or PT_NO_ADDRESS */
	uint64_t page_size;
	uint32_t attrs;
	uint8_t perm;
	bool unknown;
};

struct pagemap {
	const struct space *space;
	struct emitter *emitter;
	bool each;
	uint64_t start;
	uint64_t last;
	struct row row;
	struct table_faults faults;
	/* Text of the last attributes: they rarely change. */
	uint32_t attrs;
	char attrs_text[128];
};

static struct error *emit_row(struct pagemap *pagemap, const struct row *row)
{
	struct cell cells[COLUMNS] = {
		[SPACE] = cell_text(pagemap->space->name),
		[IOVA] = cell_number(row->iova),
		[LENGTH] = cell_number(row->length),
		[PHYS] = row->unknown || row->phys == PT_NO_ADDRESS ? cell_empty()
								    : cell_number(row->phys),
		[PAGE_SIZE] = row->unknown ? cell_empty() : cell_number(row->page_size),
		[PAGE_STATE] = cell_text(""),
	};
	char perm[4];

	pt_permission_text(row->perm, perm);
	cells[PERM] = cell_text(perm);
	if (row->unknown) {
		cells[ATTRS] = cell_text("unknown");
	} else {
		if (row->attrs != pagemap->attrs || pagemap->attrs_text[0] == '\0') {
			pagemap->attrs = row->attrs;
			pt_attributes_text(&pagemap->space->tree.geometry, row->attrs,
					   pagemap->attrs_text, sizeof(pagemap->attrs_text));
		}
		cells[ATTRS] = cell_text(pagemap->attrs_text);
	}
	return emitter_row(pagemap->emitter, cells);
}

static bool row_continues(const struct row *row, const struct row *next)
{
	if (row->length == 0 || row->iova + row->length != next->iova ||
	    row->length + next->length < row->length || row->unknown != next->unknown)
		return false;
	const bool joined = row->phys == PT_NO_ADDRESS ? next->phys == PT_NO_ADDRESS
						       : row->phys + row->length == next->phys;
	return row->unknown || (joined && row->page_size == next->page_size &&
				row->attrs == next->attrs && row->perm == next->perm);
}

static struct error *flush_row(struct pagemap *pagemap)
{
	struct error *err = pagemap->row.length ? emit_row(pagemap, &pagemap->row) : NULL;

	pagemap->row.length = 0;
	return err;
}

static struct error *add_row(struct pagemap *pagemap, const struct row *next)
{
	if (row_continues(&pagemap->row, next)) {
		pagemap->row.length += next->length;
		return NULL;
	}
	struct error *err = flush_row(pagemap);
	pagemap->row = *next;
	return err;
}

/* Only the part of a row that was asked for: the first leaf may begin before it. */
static void clip(const struct pagemap *pagemap, struct row *row)
{
	if (row->iova < pagemap->start) {
		uint64_t cut = pagemap->start - row->iova;

		row->iova += cut;
		if (row->phys != PT_NO_ADDRESS)
			row->phys += cut;
		row->length -= cut;
	}
	if (row->iova + (row->length - 1) > pagemap->last)
		row->length = pagemap->last - row->iova + 1;
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct pagemap *pagemap = arg;
	struct row row = {
		.iova = leaves->iova,
		.length = leaves->count << leaves->size_lg2,
		.phys = leaves->phys,
		.page_size = 1ULL << leaves->size_lg2,
		.attrs = leaves->attrs,
		.perm = leaves->perm,
	};
	struct error *err = NULL;

	if (!pagemap->each) {
		clip(pagemap, &row);
		return add_row(pagemap, &row);
	}
	row.length = row.page_size;
	err = flush_row(pagemap); /* an unknown part before them */
	for (uint64_t i = 0; i < leaves->count && !err; i++) {
		struct row one = row;

		one.iova += i << leaves->size_lg2;
		if (one.phys != PT_NO_ADDRESS)
			one.phys += i << leaves->size_lg2;
		clip(pagemap, &one);
		err = emit_row(pagemap, &one);
	}
	return err;
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct pagemap *pagemap = arg;

	table_faults_add(&pagemap->faults, fault);
	/* A table that was entered again, or an entry that hardware refuses, hides nothing. */
	if (fault->kind == PT_FAULT_REPEATED || fault->kind == PT_FAULT_INVALID ||
	    fault->kind == PT_FAULT_TORN)
		return NULL;
	const struct row row = {
		.iova = fault->iova,
		.length = fault->length ? fault->length : UINT64_MAX,
		.unknown = true,
	};
	if (pagemap->each) {
		struct error *err = flush_row(pagemap);

		return err ? err : add_row(pagemap, &row);
	}
	return add_row(pagemap, &row);
}

/* A device that is passed through: one row says it all. */
static struct error *emit_passthrough(struct pagemap *pagemap)
{
	const uint64_t end = pt_last_address(&pagemap->space->tree.geometry);
	const uint64_t last = pagemap->last < end ? pagemap->last : end;
	char perm[4];
	struct cell cells[COLUMNS] = {
		[SPACE] = cell_text(pagemap->space->name),
		[IOVA] = cell_number(pagemap->start),
		[LENGTH] = cell_number(last - pagemap->start + 1),
		[PHYS] = cell_number(pagemap->start),
		[PAGE_SIZE] = cell_empty(),
		[ATTRS] = cell_text("passthrough"),
		[PAGE_STATE] = cell_text(""),
	};

	pt_permission_text(pagemap->space->tree.perm ? pagemap->space->tree.perm : PT_R | PT_W, perm);
	cells[PERM] = cell_text(perm);
	return emitter_row(pagemap->emitter, cells);
}

static struct error *print_space(struct session *session, struct emitter *emitter,
				 const struct selection *selection, const struct space *space,
				 const struct range *range)
{
	struct pagemap pagemap = {
		.space = space,
		.emitter = emitter,
		.each = session->options.each,
		.start = range->start,
		.last = range->last,
	};
	struct pt_visitor visitor = {
		.leaves = on_leaves,
		.soft = on_leaves,
		.fault = on_fault,
		.arg = &pagemap,
	};
	struct pt_statistics statistics;
	struct progress progress;

	switch (space->mode) {
	case SPACE_PASSTHROUGH:
		return emit_passthrough(&pagemap);
	case SPACE_BLOCKED:
		session_message(session, "%s: nothing is translated: %s", space->name,
				space->reason);
		return NULL;
	case SPACE_UNKNOWN:
		return error_new("%s: unknown: %s", space->name, space->reason);
	case SPACE_TABLE:
		break;
	}
	if (range->one_address) {
		uint64_t mask = (1ULL << space->tree.geometry.granule_lg2) - 1;

		pagemap.start &= ~mask;
		pagemap.last |= mask;
	}
	progress_init(&progress, session, space->name);
	struct error *err = pt_walk(&space->tree, selection->memory, pagemap.start, pagemap.last,
				    &visitor, &progress.control, &statistics);
	progress_deinit(&progress);
	if (!err)
		err = flush_row(&pagemap);
	table_faults_report(&pagemap.faults, session, space->name);
	return err;
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct selection selection;
	struct range range = { .start = 0, .last = UINT64_MAX };
	const size_t target_words = selection_words(words, (size_t)count);
	struct error *err = NULL;

	if ((size_t)count > target_words + 1)
		return error_new("pagemap: '%s' is one word too many; give TARGET [RANGE]",
				 words[target_words + 1]);
	if ((size_t)count == target_words + 1)
		err = range_parse(words[target_words], &range);
	if (err)
		return err;
	emitter_text_columns(emitter, PAGE_STATE); /* there is no --state yet to fill it in */
	err = selection_init(&selection, session, words, target_words);
	for (size_t i = 0; i < selection.count && !err; i++) {
		err = range_check(selection.spaces[i], &range);
		/* Of several spaces, one that is too narrow for the range has nothing there. */
		if (err && selection.count > 1) {
			error_free(err);
			err = NULL;
			continue;
		}
		if (err)
			break;
		err = print_space(session, emitter, &selection, selection.spaces[i], &range);
		if (err && selection.count > 1 && selection.spaces[i]->mode == SPACE_UNKNOWN) {
			session_message(session, "warning: %s", err->message);
			error_free(err);
			err = NULL;
		}
	}
	selection_deinit(&selection);
	(void)status;
	return err;
}

const struct command command_pagemap = {
	.name = "pagemap",
	.arguments = "TARGET [RANGE]",
	.summary = "the mappings of a space, like /proc/PID/pagemap",
	.description =
		"Prints what the space maps, in ascending input addresses. Neighbours with equal "
		"page size, permissions and attributes whose output addresses continue each other "
		"are one row; with --each every leaf entry is a row of its own.\n"
		"\n"
		"Only what lies in RANGE is printed, and a row is cut at its ends. A part of the "
		"space whose table is not in the dump is printed with empty phys and the attribute "
		"`unknown`, and counted on stderr; it is never left out. A device that is passed "
		"through has one row, with the attribute `passthrough`. With `all` a table that "
		"several devices share is printed once; processes are not in it.\n"
		"\n"
		"Of a process (pid:N) also what the kernel keeps in entries that are not present is "
		"printed, with perm `---`: prot-none (PROT_NONE or a NUMA hint), migration, swap, "
		"hwpoison, marker (with guard, poisoned or uffd-wp), device-private, "
		"device-exclusive, invalidated (a large page being split). All but swap and marker "
		"have the address of a page in phys. An entry that is empty has no row.",
	.options = OPTION_VIEW | OPTION_FORMAT | OPTION_OUTPUT | OPTION_EACH,
	.arguments_min = 1,
	.arguments_max = 3,
	.schema = &schema_pagemap,
	.run = run,
};
