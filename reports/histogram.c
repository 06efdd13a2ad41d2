// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/histogram.h"

#include <inttypes.h>
#include <stdio.h>

#include "reports/commands.h"
#include "reports/progress.h"
#include "reports/table_faults.h"
#include "reports/trees.h"
#include "target/error.h"

static const struct column columns[] = {
	{ "space", COLUMN_TEXT, 25, "the space; shared tables count once" },
	{ "item", COLUMN_TEXT, 14,
	  "leaves: entries of that page size. runs: stretches that are contiguous in input and "
	  "output and have equal permissions, of at least `size` and less than twice that. Of the "
	  "aligned stretches of `size`, a larger page: large-used: mapped by one (or larger); "
	  "large-possible: mapped by smaller pages although one would do; not-contiguous: the "
	  "memory is not in one piece; misaligned: it is, but does not begin at a multiple of "
	  "`size`; perm-differs: permissions are not the same throughout; partly-mapped: not all of "
	  "it is mapped" },
	{ "size", COLUMN_NUMBER, 12, "bytes" },
	{ "count", COLUMN_NUMBER, 10, "how many" },
	{ "bytes", COLUMN_NUMBER, 14, "bytes that these map" },
};

enum { SPACE, ITEM, SIZE, COUNT, BYTES, COLUMNS };

const struct schema schema_histogram = { "usage --histogram", columns, COLUMNS };

enum verdict {
	LARGE_USED,
	LARGE_POSSIBLE,
	NOT_CONTIGUOUS,
	MISALIGNED,
	PERM_DIFFERS,
	PARTLY_MAPPED,
	VERDICTS
};

static const char *const verdict_names[VERDICTS] = {
	"large-used", "large-possible", "not-contiguous",
	"misaligned", "perm-differs",	"partly-mapped",
};

struct tally {
	uint64_t count;
	uint64_t bytes;
};

/* An aligned stretch of the input that one larger page could map. */
struct stretch {
	uint8_t size_lg2;
	bool open;
	bool split; /* outputs do not continue each other */
	bool mixed; /* permissions differ */
	uint8_t perm;
	uint64_t number; /* iova >> size_lg2 */
	uint64_t mapped;
	uint64_t phys; /* output of its first byte, were it mapped from there on */
	struct tally tallies[VERDICTS];
};

enum { STRETCHES = 2, SIZES = 64 };

struct histogram {
	struct tally leaves[SIZES];
	struct tally runs[SIZES];
	struct stretch stretches[STRETCHES];
	uint64_t run_iova;
	uint64_t run_phys;
	uint64_t run_bytes;
	uint8_t run_perm;
	struct table_faults faults;
};

static void close_run(struct histogram *histogram)
{
	if (histogram->run_bytes == 0)
		return;
	struct tally *tally = &histogram->runs[63 - __builtin_clzll(histogram->run_bytes)];
	tally->count++;
	tally->bytes += histogram->run_bytes;
	histogram->run_bytes = 0;
}

static void close_stretch(struct stretch *stretch)
{
	const uint64_t size = 1ULL << stretch->size_lg2;
	enum verdict verdict = LARGE_POSSIBLE;

	if (!stretch->open)
		return;
	stretch->open = false;
	if (stretch->mapped != size)
		verdict = PARTLY_MAPPED;
	else if (stretch->mixed)
		verdict = PERM_DIFFERS;
	else if (stretch->split)
		verdict = NOT_CONTIGUOUS;
	else if (stretch->phys & (size - 1))
		verdict = MISALIGNED;
	stretch->tallies[verdict].count++;
	stretch->tallies[verdict].bytes += stretch->mapped;
}

/* A piece of leaves that lies in one stretch. */
static void add_piece(struct stretch *stretch, uint64_t iova, uint64_t phys, uint64_t bytes,
		      uint8_t perm)
{
	const uint64_t size = 1ULL << stretch->size_lg2;
	const uint64_t origin = phys - (iova & (size - 1));

	if (!stretch->open || stretch->number != iova >> stretch->size_lg2) {
		close_stretch(stretch);
		stretch->open = true;
		stretch->split = false;
		stretch->mixed = false;
		stretch->perm = perm;
		stretch->number = iova >> stretch->size_lg2;
		stretch->mapped = 0;
		stretch->phys = origin;
	}
	stretch->split |= origin != stretch->phys;
	stretch->mixed |= perm != stretch->perm;
	stretch->mapped += bytes;
}

static void add_to_stretches(struct stretch *stretch, const struct pt_leaves *leaves)
{
	const uint64_t size = 1ULL << stretch->size_lg2;
	const uint64_t bytes = leaves->count << leaves->size_lg2;

	if (leaves->size_lg2 >= stretch->size_lg2) {
		stretch->tallies[LARGE_USED].count += bytes >> stretch->size_lg2;
		stretch->tallies[LARGE_USED].bytes += bytes;
		return;
	}
	for (uint64_t at = 0; at < bytes;) {
		const uint64_t iova = leaves->iova + at;
		uint64_t piece = size - (iova & (size - 1));

		if (piece > bytes - at)
			piece = bytes - at;
		add_piece(stretch, iova, leaves->phys + at, piece, leaves->perm);
		at += piece;
	}
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct histogram *histogram = arg;
	const uint64_t bytes = leaves->count << leaves->size_lg2;

	histogram->leaves[leaves->size_lg2].count += leaves->count;
	histogram->leaves[leaves->size_lg2].bytes += bytes;
	if (histogram->run_bytes == 0 ||
	    histogram->run_iova + histogram->run_bytes != leaves->iova ||
	    histogram->run_phys + histogram->run_bytes != leaves->phys ||
	    histogram->run_perm != leaves->perm) {
		close_run(histogram);
		histogram->run_iova = leaves->iova;
		histogram->run_phys = leaves->phys;
		histogram->run_perm = leaves->perm;
	}
	histogram->run_bytes += bytes;
	for (size_t i = 0; i < STRETCHES; i++)
		add_to_stretches(&histogram->stretches[i], leaves);
	return NULL;
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	table_faults_add(&((struct histogram *)arg)->faults, fault);
	return NULL;
}

static struct error *emit(struct emitter *emitter, const char *space, const char *item,
			  unsigned int size_lg2, const struct tally *tally)
{
	const struct cell cells[COLUMNS] = {
		[SPACE] = cell_text(space),
		[ITEM] = cell_text(item),
		[SIZE] = cell_number(1ULL << size_lg2),
		[COUNT] = cell_number(tally->count),
		[BYTES] = cell_number(tally->bytes),
	};

	return tally->count ? emitter_row(emitter, cells) : NULL;
}

static struct error *emit_all(struct emitter *emitter, const char *space,
			      const struct histogram *histogram)
{
	struct error *err = NULL;

	for (unsigned int lg2 = 0; lg2 < SIZES && !err; lg2++)
		err = emit(emitter, space, "leaves", lg2, &histogram->leaves[lg2]);
	for (unsigned int lg2 = 0; lg2 < SIZES && !err; lg2++)
		err = emit(emitter, space, "runs", lg2, &histogram->runs[lg2]);
	for (size_t i = 0; i < STRETCHES; i++) {
		const struct stretch *stretch = &histogram->stretches[i];

		for (int verdict = 0; verdict < VERDICTS && !err; verdict++)
			err = emit(emitter, space, verdict_names[verdict], stretch->size_lg2,
				   &stretch->tallies[verdict]);
	}
	return err;
}

static struct error *print_space(struct session *session, struct emitter *emitter,
				 const struct space *space)
{
	struct histogram histogram = { 0 };
	const struct pt_visitor visitor = {
		.leaves = on_leaves,
		.fault = on_fault,
		.arg = &histogram,
	};
	struct pt_statistics statistics;

	for (unsigned int i = 0; i < STRETCHES; i++)
		histogram.stretches[i].size_lg2 =
			(uint8_t)pt_entry_lg2(&space->tree.geometry, i + 1);
	struct error *err = walk_space(session, space, 0, UINT64_MAX, &visitor, &statistics);
	close_run(&histogram);
	for (size_t i = 0; i < STRETCHES; i++)
		close_stretch(&histogram.stretches[i]);
	if (!err)
		err = emit_all(emitter, space->name, &histogram);
	table_faults_report(&histogram.faults, session, space->name);
	return err;
}

struct error *histogram_print(struct session *session, struct emitter *emitter,
			      const struct trees *trees)
{
	struct error *err = NULL;

	for (size_t i = 0; i < trees->count && !err; i++)
		err = print_space(session, emitter, trees->list[i].spaces[0]);
	return err;
}
