// SPDX-License-Identifier: GPL-3.0-or-later
/* One translation, entry by entry, as hardware makes it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/selection.h"
#include "target/error.h"

static const struct column columns[] = {
	{ "level", COLUMN_TEXT, 9,
	  "root, context, pasid-dir, pasid, dte, gcr3: the way to the tables; a number: the table's level, 0 the "
	  "leaf-most" },
	{ "table", COLUMN_ADDRESS, 14, "physical address of the structure or table" },
	{ "index", COLUMN_NUMBER, 5, "number of the entry in it" },
	{ "entry_addr", COLUMN_ADDRESS, 14, "physical address of the entry" },
	{ "value", COLUMN_TEXT, 18,
	  "raw value; an entry of several 64-bit words has them in ascending order, joined by spaces" },
	{ "meaning", COLUMN_TEXT, 0, "decoded bits; in the last row where and why it stops" },
};

enum { LEVEL, TABLE, INDEX, ENTRY_ADDR, VALUE, MEANING, COLUMNS };

const struct schema schema_walk = { "walk", columns, COLUMNS };

enum { VALUE_BYTES = 8 * 19 + 1, MEANING_BYTES = 320 };

static struct error *emit_step(struct emitter *emitter, const struct space_step *step)
{
	char value[VALUE_BYTES] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < step->word_count; i++)
		used += (size_t)snprintf(value + used, sizeof(value) - used, "%s0x%" PRIx64,
					 i ? " " : "", step->words[i]);
	const struct cell cells[COLUMNS] = {
		[LEVEL] = cell_text(step->level),   [TABLE] = cell_number(step->table),
		[INDEX] = cell_number(step->index), [ENTRY_ADDR] = cell_number(step->entry_addr),
		[VALUE] = cell_text(value),	    [MEANING] = cell_text(step->meaning),
	};
	return emitter_row(emitter, cells);
}

/* A last row without an entry: where the way ends before any table. */
static struct error *emit_end(struct emitter *emitter, const char *level, const char *meaning)
{
	const struct cell cells[COLUMNS] = {
		[LEVEL] = cell_text(level), [TABLE] = cell_empty(),
		[INDEX] = cell_empty(),	    [ENTRY_ADDR] = cell_empty(),
		[VALUE] = cell_text(""),    [MEANING] = cell_text(meaning),
	};
	return emitter_row(emitter, cells);
}

static const char *size_text(unsigned int lg2, char *text, size_t size)
{
	static const char units[] = "BKMGTPE";

	snprintf(text, size, "%llu%c", 1ULL << (lg2 % 10), units[lg2 / 10]);
	return text;
}

/* Whether a table met before is met again: hardware goes on, a person should know. */
static bool is_repeated(const struct pt_step *steps, size_t n)
{
	for (size_t i = 0; i <= n; i++) {
		if (steps[i].table == steps[n].run.address && steps[n].run.kind == PT_TABLE)
			return true;
	}
	return false;
}

static void describe_step(const struct pt_geometry *geometry, const struct pt_step *steps, size_t n,
			  uint64_t iova, char *meaning, size_t size)
{
	const struct pt_step *step = &steps[n];
	char bits[128];
	char perm[4];
	char page[16];

	geometry->format->describe(geometry, step->level, step->entry, bits, sizeof(bits));
	pt_permission_text(step->perm, perm);
	switch (step->run.kind) {
	case PT_TABLE:
		if (step->skips) {
			snprintf(meaning, size,
				 "table -> 0x%" PRIx64 " (%s) skips levels whose bits of 0x%" PRIx64
				 " are not zero; translation stops here",
				 step->run.address, bits, iova);
			break;
		}
		snprintf(meaning, size, "table -> 0x%" PRIx64 " (%s)%s", step->run.address, bits,
			 is_repeated(steps, n) ? "; this table was met above: a loop" : "");
		break;
	case PT_LEAF:
		snprintf(meaning, size,
			 "leaf %s -> 0x%" PRIx64 " %s (%s)%s; 0x%" PRIx64 " is 0x%" PRIx64,
			 size_text(step->run.size_lg2, page, sizeof(page)), step->run.address, perm,
			 bits, step->run.torn ? ", its other entries differ" : "", iova,
			 step->run.address + (iova & (((uint64_t)1 << step->run.size_lg2) - 1)));
		break;
	case PT_INVALID:
		snprintf(meaning, size,
			 "invalid: reserved bits or an illegal size (%s); translation stops here",
			 bits);
		break;
	case PT_SOFT:
		snprintf(
			meaning, size,
			"not present to hardware, the kernel's own entry: %s; translation stops here",
			bits);
		break;
	default:
		snprintf(meaning, size, "empty: not present (%s); translation stops here", bits);
	}
}

static struct error *emit_table_step(struct emitter *emitter, const struct pt_geometry *geometry,
				     const struct pt_step *steps, size_t n, uint64_t iova)
{
	const struct pt_step *step = &steps[n];
	char level[8];
	char value[32] = "";
	char meaning[MEANING_BYTES];

	snprintf(level, sizeof(level), "%u", step->level);
	if (step->status == BLOCK_OK) {
		snprintf(value, sizeof(value), "0x%" PRIx64, step->entry);
		describe_step(geometry, steps, n, iova, meaning, sizeof(meaning));
	} else {
		snprintf(meaning, sizeof(meaning),
			 "unknown: the table is %s; it cannot be followed",
			 block_status_text(step->status));
	}
	const struct cell cells[COLUMNS] = {
		[LEVEL] = cell_text(level),	    [TABLE] = cell_number(step->table),
		[INDEX] = cell_number(step->index), [ENTRY_ADDR] = cell_number(step->entry_addr),
		[VALUE] = cell_text(value),	    [MEANING] = cell_text(meaning),
	};
	return emitter_row(emitter, cells);
}

static struct error *walk_space(struct emitter *emitter, const struct selection *selection,
				const struct space *space, uint64_t iova)
{
	struct pt_step steps[PT_MAX_LEVELS];
	char meaning[MEANING_BYTES];
	char perm[4];
	struct error *err = NULL;

	for (unsigned int i = 0; i < space->step_count && !err; i++)
		err = emit_step(emitter, &space->steps[i]);
	if (err)
		return err;
	switch (space->mode) {
	case SPACE_PASSTHROUGH:
		pt_permission_text(space->tree.perm ? space->tree.perm : PT_R | PT_W, perm);
		snprintf(meaning, sizeof(meaning), "%s: 0x%" PRIx64 " is 0x%" PRIx64 " %s",
			 space->reason, iova, iova, perm);
		return emit_end(emitter, "pass", meaning);
	case SPACE_BLOCKED:
		snprintf(meaning, sizeof(meaning), "%s; translation stops here", space->reason);
		return emit_end(emitter, "stop", meaning);
	case SPACE_UNKNOWN:
		snprintf(meaning, sizeof(meaning), "unknown: %s", space->reason);
		return emit_end(emitter, "unknown", meaning);
	case SPACE_TABLE:
		break;
	}
	size_t count = pt_translate(&space->tree, selection->memory, iova, steps);
	for (size_t i = 0; i < count && !err; i++)
		err = emit_table_step(emitter, &space->tree.geometry, steps, i, iova);
	return err;
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct selection selection;
	struct range range = { .one_address = true };
	const size_t target_words = selection_words(words, (size_t)count);

	(void)status;
	if ((size_t)count != target_words + 1)
		return error_new("walk: give TARGET and one ADDR");
	struct error *err = address_parse(words[target_words], &range.start);
	if (err)
		return err;
	range.last = range.start;
	err = selection_init(&selection, session, words, target_words);
	for (size_t i = 0; i < selection.count && !err; i++) {
		err = range_check(selection.spaces[i], &range);
		if (!err)
			err = walk_space(emitter, &selection, selection.spaces[i], range.start);
	}
	selection_deinit(&selection);
	return err;
}

const struct command command_walk = {
	.name = "walk",
	.arguments = "TARGET ADDR",
	.summary = "one translation, level by level",
	.description =
		"Shows every entry that hardware reads to translate ADDR: the root, context and PASID "
		"entries (AMD: device table and GCR3 entries), then the page tables from the top. Each row has the entry's physical "
		"address, its raw value and its bits in words; the last one says what ADDR becomes, or "
		"where and why the translation stops. In a domain's view (--view sw) the way begins "
		"at the domain's table.",
	.options = OPTION_VIEW | OPTION_FORMAT | OPTION_OUTPUT,
	.arguments_min = 2,
	.arguments_max = 3,
	.schema = &schema_walk,
	.run = run,
};
