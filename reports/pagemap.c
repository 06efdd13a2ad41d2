// SPDX-License-Identifier: GPL-3.0-or-later
/* The mappings of a space, like /proc/PID/pagemap: merged runs, or each leaf. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/pagemap_file.h"
#include "reports/progress.h"
#include "reports/selection.h"
#include "reports/table_faults.h"
#include "target/error.h"
#include "walkers/pages.h"

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
	{ "page_state", COLUMN_TEXT, 10,
	  "with --state: what the kernel uses the pages for, tokens joined by |, sorted: anon, compound, "
	  "file (ino=N: its inode), free (pcp: on a per-CPU list), guard, hugetlb, hwpoison, kernel "
	  "(allocated, and nothing else is known), ksm, memcg, mmio (no memory there), offline, pinned "
	  "(an estimate from the reference count), reserved, slab, swapbacked, table (of a process), "
	  "unaccepted, unknown (its struct page is not in the dump), zero, zsmalloc" },
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
	struct page_info info; /* with --state: `state` and `inode` */
};

struct pagemap {
	const struct space *space;
	struct emitter *emitter;
	struct pages *pages;	   /* NULL: page states are not asked for */
	struct pagemap_file *file; /* NULL: records */
	bool each;
	uint64_t start;
	uint64_t last;
	struct row row;
	struct table_faults faults;
	/* Texts of the last permissions and attributes: they rarely change. */
	bool texts_known;
	uint8_t perm;
	uint32_t attrs;
	char perm_text[4];
	char attrs_text[128];
};

static void set_texts(struct pagemap *pagemap, const struct row *row)
{
	if (pagemap->texts_known && pagemap->perm == row->perm && pagemap->attrs == row->attrs)
		return;
	pagemap->texts_known = true;
	pagemap->perm = row->perm;
	pagemap->attrs = row->attrs;
	pt_permission_text(row->perm, pagemap->perm_text);
	pt_attributes_text(&pagemap->space->tree.geometry, row->attrs, pagemap->attrs_text,
			   sizeof(pagemap->attrs_text));
}

static void make_cells(struct pagemap *pagemap, const struct row *row, struct cell cells[COLUMNS])
{
	const bool no_phys = row->unknown || row->phys == PT_NO_ADDRESS;

	set_texts(pagemap, row);
	cells[SPACE] = cell_text(pagemap->space->name);
	cells[IOVA] = cell_number(row->iova);
	cells[LENGTH] = cell_number(row->length);
	cells[PHYS] = no_phys ? cell_empty() : cell_number(row->phys);
	cells[PAGE_SIZE] = row->unknown ? cell_empty() : cell_number(row->page_size);
	cells[PERM] = cell_text(pagemap->perm_text);
	cells[ATTRS] = cell_text(row->unknown ? "unknown" : pagemap->attrs_text);
	cells[PAGE_STATE] = cell_text("");
}

static struct error *emit_row(struct pagemap *pagemap, const struct row *row)
{
	struct cell cells[COLUMNS];
	char state[PAGE_STATE_TEXT];

	make_cells(pagemap, row, cells);
	if (pagemap->pages && !row->unknown) {
		page_state_text(&row->info, state);
		cells[PAGE_STATE] = cell_text(state);
	}
	return emitter_row(pagemap->emitter, cells);
}

/* A row for each of @count leaves, of which @row is the first: no end of RANGE among them. */
static struct error *emit_leaves(struct pagemap *pagemap, const struct row *row, uint64_t count)
{
	const uint64_t steps[COLUMNS] = {
		[IOVA] = row->page_size,
		[PHYS] = row->phys == PT_NO_ADDRESS ? 0 : row->page_size,
	};
	struct cell cells[COLUMNS];

	make_cells(pagemap, row, cells);
	return emitter_rows(pagemap->emitter, cells, steps, count);
}

static bool row_continues(const struct row *row, const struct row *next)
{
	if (row->length == 0 || row->iova + row->length != next->iova ||
	    row->length + next->length < row->length || row->unknown != next->unknown)
		return false;
	const bool joined = row->phys == PT_NO_ADDRESS ? next->phys == PT_NO_ADDRESS
						       : row->phys + row->length == next->phys;
	return row->unknown ||
	       (joined && row->page_size == next->page_size && row->attrs == next->attrs &&
		row->perm == next->perm && page_same_state(&row->info, &next->info));
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

/* To the file, or a row that may continue the last one, or one of its own. */
static struct error *put_row(struct pagemap *pagemap, const struct row *row)
{
	if (pagemap->file)
		return pagemap_file_add(pagemap->file, row->iova, row->length, row->phys,
					PAGEMAP_PRESENT |
						(row->info.state & PAGE_FILE ? PAGEMAP_FILE : 0));
	return pagemap->each ? emit_row(pagemap, row) : add_row(pagemap, row);
}

/* A row for each part whose pages are used for the same. */
static struct error *put_by_state(struct pagemap *pagemap, const struct row *row)
{
	const uint64_t last = row->phys + row->length - 1;
	struct row part = *row;
	struct error *err = NULL;

	if (!pagemap->pages || row->phys == PT_NO_ADDRESS)
		return put_row(pagemap, row);
	for (uint64_t done = 0; done < row->length && !err; done += part.length) {
		part.iova = row->iova + done;
		part.phys = row->phys + done;
		part.length = page_look_run(pagemap->pages, part.phys, last, &part.info);
		err = put_row(pagemap, &part);
	}
	return err;
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
		return put_by_state(pagemap, &row);
	}
	row.length = row.page_size;
	err = flush_row(pagemap); /* an unknown part before them */
	const uint64_t end = leaves->iova + ((leaves->count << leaves->size_lg2) - 1);
	if (!err && !pagemap->pages && leaves->iova >= pagemap->start && end <= pagemap->last)
		return emit_leaves(pagemap, &row, leaves->count);
	for (uint64_t i = 0; i < leaves->count && !err; i++) {
		struct row one = row;

		one.iova += i << leaves->size_lg2;
		if (one.phys != PT_NO_ADDRESS)
			one.phys += i << leaves->size_lg2;
		clip(pagemap, &one);
		err = put_by_state(pagemap, &one);
	}
	return err;
}

/* For the file: to the kernel a page that may not be touched is present, all else swapped out. */
static struct error *on_soft_to_file(void *arg, const struct pt_leaves *leaves)
{
	struct pagemap *pagemap = arg;
	char attrs[128];

	pt_attributes_text(&pagemap->space->tree.geometry, leaves->attrs, attrs, sizeof(attrs));
	if (strstr(attrs, "prot-none"))
		return on_leaves(arg, leaves);
	struct row row = {
		.iova = leaves->iova,
		.length = leaves->count << leaves->size_lg2,
		.phys = PT_NO_ADDRESS,
	};
	clip(pagemap, &row);
	return pagemap_file_add(pagemap->file, row.iova, row.length, 0, PAGEMAP_SWAP);
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct pagemap *pagemap = arg;

	table_faults_add(&pagemap->faults, fault);
	/* A table that was entered again, or an entry that hardware refuses, hides nothing. */
	if (fault->kind == PT_FAULT_REPEATED || fault->kind == PT_FAULT_INVALID ||
	    fault->kind == PT_FAULT_TORN)
		return NULL;
	if (pagemap->file)
		return NULL; /* the layout has no way to say so: a hole, and a line on stderr */
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

/* The whole of a device that is passed through is no file that one could want. */
static struct error *put_passthrough(struct pagemap *pagemap, uint64_t last)
{
	if ((last - pagemap->start) >> 40)
		return error_new("%s is passed through: everything maps to itself; give a RANGE",
				 pagemap->space->name);
	return pagemap_file_add(pagemap->file, pagemap->start, last - pagemap->start + 1,
				pagemap->start, PAGEMAP_PRESENT);
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

	if (pagemap->file)
		return put_passthrough(pagemap, last);
	pt_permission_text(pagemap->space->tree.perm ? pagemap->space->tree.perm : PT_R | PT_W,
			   perm);
	cells[PERM] = cell_text(perm);
	return emitter_row(pagemap->emitter, cells);
}

static struct error *print_space(struct session *session, struct emitter *emitter,
				 struct pagemap_file *file, const struct selection *selection,
				 const struct space *space, const struct range *range)
{
	struct pagemap pagemap = {
		.space = space,
		.emitter = emitter,
		.pages = session->options.state ? session->pages : NULL,
		.file = file,
		.each = session->options.each && !file,
		.start = range->start,
		.last = range->last,
	};
	struct pt_visitor visitor = {
		.leaves = on_leaves,
		.soft = file ? on_soft_to_file : on_leaves,
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
	struct error *err = pt_walk(&space->tree, space_memory(space, selection->memory),
				    pagemap.start, pagemap.last, &visitor, &progress.control,
				    &statistics);
	progress_deinit(&progress);
	if (!err)
		err = flush_row(&pagemap);
	table_faults_report(&pagemap.faults, session, space->name);
	return err;
}

/* Every space that was selected; of several, one that is not to be had is only reported. */
static struct error *print_spaces(struct session *session, struct emitter *emitter,
				  struct pagemap_file *file, const struct selection *selection,
				  const struct range *range)
{
	struct error *err = NULL;

	for (size_t i = 0; i < selection->count && !err; i++) {
		const struct space *space = selection->spaces[i];

		err = range_check(space, range);
		/* Of several spaces, one that is too narrow for the range has nothing there. */
		if (err && selection->count > 1) {
			error_free(err);
			err = NULL;
			continue;
		}
		if (!err)
			err = print_space(session, emitter, file, selection, space, range);
		if (err && selection->count > 1 && space->mode == SPACE_UNKNOWN) {
			session_message(session, "warning: %s", err->message);
			error_free(err);
			err = NULL;
		}
	}
	return err;
}

/* --format pagemap: addresses alone would not tell the spaces apart. */
static struct error *write_file(struct session *session, const struct selection *selection,
				const struct range *range)
{
	struct pagemap_file file;
	char names[256] = "";

	for (size_t i = 0; i < selection->count && selection->count > 1; i++) {
		const size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
			 selection->spaces[i]->name);
	}
	if (selection->count > 1)
		return error_new("--format pagemap holds one space, and these are %zu: %s",
				 selection->count, names);
	struct error *err = pagemap_file_init(&file, session->stream);
	if (!err)
		err = print_spaces(session, NULL, &file, selection, range);
	if (!err)
		err = pagemap_file_finish(&file);
	pagemap_file_deinit(&file);
	return err;
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct selection selection;
	struct range range = { .start = 0, .last = UINT64_MAX };
	struct pages *pages = NULL;
	const size_t target_words = selection_words(words, (size_t)count);
	struct error *err = NULL;

	if ((size_t)count > target_words + 1)
		return error_new("pagemap: '%s' is one word too many; give TARGET [RANGE]",
				 words[target_words + 1]);
	if ((size_t)count == target_words + 1)
		err = range_parse(words[target_words], &range);
	if (err)
		return err;
	if (emitter)
		emitter_text_columns(emitter, session->options.state ? COLUMNS : PAGE_STATE);
	err = selection_init(&selection, session, words, target_words);
	if (!err && session->options.state)
		err = session_pages(session, &pages);
	if (!err)
		err = emitter ? print_spaces(session, emitter, NULL, &selection, &range)
			      : write_file(session, &selection, &range);
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
		"have the address of a page in phys. An entry that is empty has no row.\n"
		"\n"
		"With --state a row also ends where the use of the pages changes; page_size stays that "
		"of the leaf. With --format pagemap -o FILE the mappings of one space are written as "
		"/proc/PID/pagemap has them: 64 bits for each 4 KiB of input addresses, at 8 times the "
		"page's number, in a sparse file that ends with the last mapped page. Set are "
		"bit 63 (mapped), the page frame number (bits 54:0, in units of 4 KiB) and, with --state, "
		"bit 61 (a file's page, or shared memory); of a process bit 62 (swapped out, without where to). Permissions are not in that layout, and a part "
		"that is not known is a hole in it: it is counted on stderr.",
	.options = OPTION_VIEW | OPTION_FORMAT | OPTION_OUTPUT | OPTION_EACH | OPTION_STATE,
	.arguments_min = 1,
	.arguments_max = 3,
	.schema = &schema_pagemap,
	.run = run,
};
