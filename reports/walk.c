// SPDX-License-Identifier: GPL-3.0-or-later
/* One translation, entry by entry, as hardware makes it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/selection.h"
#include "target/error.h"

static const struct column columns[] = {
	{ "level", COLUMN_TEXT, 9,
	  "root, context, pasid-dir, pasid (VT-d), dte, gcr3 (AMD), ste-l1, ste, cd-l1, cd (SMMUv3), "
	  "s2cr, cb (SMMUv2), s2_mmu (KVM on arm64): the way to the tables; memslot: where a "
	  "virtual machine's process has ADDR; a number: the table's level, 0 the leaf-most" },
	{ "table", COLUMN_ADDRESS, 14, "physical address of the structure or table" },
	{ "index", COLUMN_NUMBER, 5, "number of the entry in it; of a memslot its id" },
	{ "entry_addr", COLUMN_ADDRESS, 14, "physical address of the entry" },
	{ "value", COLUMN_TEXT, 18,
	  "raw value; an entry of several 64-bit words has them in ascending order, joined by spaces" },
	{ "meaning", COLUMN_TEXT, 0, "decoded bits; in the last row where and why it stops" },
};

enum { LEVEL, TABLE, INDEX, ENTRY_ADDR, VALUE, MEANING, COLUMNS };

const struct schema schema_walk = { "walk", columns, COLUMNS };

enum { VALUE_BYTES = 8 * 19 + 1, MEANING_BYTES = 480 };

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

/* Of a virtual machine: which part of its memory ADDR is, and where its process has that. */
static struct error *emit_memslot(struct emitter *emitter, const struct space *space, uint64_t gpa)
{
	char meaning[MEANING_BYTES];
	struct cell cells[COLUMNS] = {
		[LEVEL] = cell_text("memslot"), [TABLE] = cell_empty(),
		[INDEX] = cell_empty(),		[ENTRY_ADDR] = cell_empty(),
		[VALUE] = cell_text(""),	[MEANING] = cell_text(meaning),
	};

	if (space->memslot_count == 0)
		return NULL;
	snprintf(meaning, sizeof(meaning), "none: an access exits to the VMM (MMIO)");
	for (size_t i = 0; i < space->memslot_count; i++) {
		const struct memslot *slot = &space->memslots[i];

		if (gpa < slot->start || gpa > slot->last)
			continue;
		cells[INDEX] = cell_number(slot->id);
		snprintf(meaning, sizeof(meaning),
			 "0x%" PRIx64 "-0x%" PRIx64 " is HVA 0x%" PRIx64 "%s%s; 0x%" PRIx64
			 " is HVA 0x%" PRIx64,
			 slot->start, slot->last + 1, slot->hva,
			 slot->read_only ? ", read-only" : "", slot->dirty_log ? ", dirty log" : "",
			 gpa, slot->hva + (gpa - slot->start));
		break;
	}
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

/* Devices are no memory; a file that does not say what is memory cannot tell (raw images). */
static bool is_outside_ram(struct memory *memory, uint64_t phys)
{
	uint64_t start = 0;
	uint64_t end = 0;

	/* A raw image does not say what is memory. */
	return memory->arch != ARCH_UNKNOWN && memory_next_ram(memory, 0, &start, &end) &&
	       memory->ops->probe(memory, phys) == BLOCK_OUTSIDE;
}

static void describe_step(struct memory *memory, const struct pt_geometry *geometry,
			  const struct pt_step *steps, size_t n, uint64_t iova, char *meaning,
			  size_t size)
{
	const struct pt_step *step = &steps[n];
	char bits[192];
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
			 "leaf %s -> 0x%" PRIx64 " %s (%s)%s%s; 0x%" PRIx64 " is 0x%" PRIx64,
			 size_text(step->run.size_lg2, page, sizeof(page)), step->run.address, perm,
			 bits, step->run.torn ? ", its other entries differ" : "",
			 is_outside_ram(memory, step->run.address) ? ", not RAM" : "", iova,
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

static void __attribute__((format(printf, 3, 4)))
add_note(char *meaning, size_t size, const char *format, ...)
{
	const size_t used = strlen(meaning);
	va_list args;

	va_start(args, format);
	vsnprintf(meaning + used, size - used, format, args);
	va_end(args);
}

/* Of a leaf: which levels above take something of what it alone would allow. */
static void note_inherited(const struct pt_geometry *geometry, const struct pt_step *steps,
			   size_t n, char *meaning, size_t size)
{
	static const struct pt_run unrestricted = { .attrs = 0, .perm = PT_RWX };
	struct pt_run all = unrestricted;
	struct pt_run alone = steps[n].run;
	char perm[4];

	all.attrs = geometry->format->attrs_and;
	pt_inherit(geometry, &all, &alone);
	if (alone.perm == steps[n].perm)
		return;
	pt_permission_text(alone.perm, perm);
	add_note(meaning, size, "; the leaf alone allows %s", perm);
	for (size_t i = 0; i < n; i++) {
		struct pt_run below = steps[n].run;

		pt_inherit(geometry, &steps[i].run, &below);
		if (below.perm == alone.perm)
			continue;
		pt_permission_text(below.perm, perm);
		add_note(meaning, size, ", level %u %s of it", steps[i].level, perm);
	}
}

/* What takes more than the entry itself to say. */
static void add_notes(const struct pt_geometry *geometry, const struct pt_step *steps, size_t n,
		      char *meaning, size_t size)
{
	const struct pt_step *step = &steps[n];
	const unsigned int per_table = geometry->granule_lg2 - 3U;
	const unsigned int table_lg2 = pt_table_lg2(geometry, step->level);

	if (n == 0 && table_lg2 > per_table)
		add_note(meaning, size, "; root table %u of %u in a row, its entry %u",
			 (step->index >> per_table) + 1, 1U << (table_lg2 - per_table),
			 step->index & ((1U << per_table) - 1));
	if (step->run.kind != PT_LEAF)
		return;
	if (step->run.size_lg2 > pt_entry_lg2(geometry, step->level))
		add_note(meaning, size, "; one of %u entries that act as one",
			 1U << (step->run.size_lg2 - pt_entry_lg2(geometry, step->level)));
	note_inherited(geometry, steps, n, meaning, size);
}

static struct error *emit_table_step(struct emitter *emitter, struct memory *memory,
				     const struct pt_geometry *geometry,
				     const struct pt_step *steps, size_t n, uint64_t iova)
{
	const struct pt_step *step = &steps[n];
	char level[8];
	char value[32] = "";
	char meaning[MEANING_BYTES];

	snprintf(level, sizeof(level), "%u", step->level);
	if (step->status == BLOCK_OK) {
		snprintf(value, sizeof(value), "0x%" PRIx64, step->entry);
		describe_step(memory, geometry, steps, n, iova, meaning, sizeof(meaning));
		add_notes(geometry, steps, n, meaning, sizeof(meaning));
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
	if (!err)
		err = emit_memslot(emitter, space, iova);
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
	size_t count =
		pt_translate(&space->tree, space_memory(space, selection->memory), iova, steps);
	for (size_t i = 0; i < count && !err; i++)
		err = emit_table_step(emitter, selection->memory, &space->tree.geometry, steps, i,
				      iova);
	return err;
}

/* Of a nested translation the second stage goes on where the first has arrived. */
static bool first_stage_output(const struct selection *selection, size_t i, uint64_t *address)
{
	const struct space *space = selection->spaces[i];
	const struct space *before = i ? selection->spaces[i - 1] : NULL;

	if (space->nesting != 2 || !before || before->nesting != 1)
		return true;
	return pt_lookup(&before->tree, space_memory(before, selection->memory), *address, address);
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
		uint64_t address = range.start;

		if (!first_stage_output(&selection, i, &address))
			continue;
		err = selection.spaces[i]->nesting == 2 ? NULL
							: range_check(selection.spaces[i], &range);
		if (!err)
			err = walk_space(emitter, &selection, selection.spaces[i], address);
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
		"entries (AMD: device table and GCR3 entries; SMMU: stream table entries and context "
		"descriptors), then the page tables from the top; of a "
		"virtual machine the memslot first. Each row has the entry's physical "
		"address, its raw value and its bits in words; the last one says what ADDR becomes, or "
		"where and why the translation stops. In a domain's view (--view sw) the way begins "
		"at the domain's table. Of a nested translation the first stage comes first, then the second "
		"stage of the guest address that it ends at.",
	.options = OPTION_VIEW | OPTION_FORMAT | OPTION_OUTPUT,
	.arguments_min = 2,
	.arguments_max = 3,
	.schema = &schema_walk,
	.run = run,
};
