// SPDX-License-Identifier: GPL-3.0-or-later
/* Consistency rules over everything that was found: findings with their evidence. */
#include "reports/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/session.h"
#include "reports/trees.h"
#include "target/error.h"
#include "target/kernel.h"

static const struct column columns[] = {
	{ "severity", COLUMN_TEXT, 8, "error, warning" },
	{ "rule", COLUMN_TEXT, 18, "name of the rule; docs/checks.md has a section on each" },
	{ "space", COLUMN_TEXT, 20, "the space concerned; can be used as a TARGET" },
	{ "iova", COLUMN_ADDRESS, 16, "first input address concerned; may be empty" },
	{ "length", COLUMN_NUMBER, 10, "bytes of input concerned; may be empty" },
	{ "phys", COLUMN_ADDRESS, 14, "page or table concerned; may be empty" },
	{ "detail", COLUMN_TEXT, 0,
	  "the evidence: addresses and raw values of entries, so that it can be verified by hand" },
};

enum { SEVERITY, RULE, SPACE, IOVA, LENGTH, PHYS, DETAIL, COLUMNS };

const struct schema schema_check = { "check", columns, COLUMNS };

/* clang-format off */
const struct rule_row rule_rows[RULES] = {
	[RULE_TABLE_LOOP] = { "table-loop", "error",
		"an entry leads back to a table above it: hardware would walk in a circle" },
	[RULE_TABLE_TWICE] = { "table-twice", "error",
		"one table is reached by two entries of a space: an unmap here unmaps there, too" },
	[RULE_TABLE_SHARED] = { "table-shared", "error",
		"one table is part of two spaces that do not share their root" },
	[RULE_TABLE_OUTSIDE] = { "table-outside", "error",
		"an entry leads to a table that is not in memory" },
	[RULE_ENTRY_INVALID] = { "entry-invalid", "error",
		"an entry has reserved bits, an illegal size or alignment, or disagrees with those it "
		"forms one page with" },
	[RULE_OUTPUT_OUTSIDE] = { "output-outside", "warning",
		"a leaf leads to an address that is neither memory nor a device's resource" },
	[RULE_HW_MODE] = { "hw-mode", "error",
		"hardware translates, blocks or passes through where the kernel believes otherwise" },
	[RULE_HW_ROOT] = { "hw-root", "error",
		"hardware's root table is not that of the kernel's domain" },
	[RULE_HW_FORMAT] = { "hw-format", "error",
		"hardware reads the domain's table in another format than the kernel wrote it" },
	[RULE_HW_LEVELS] = { "hw-levels", "error",
		"hardware walks the domain's table with another number of levels" },
	[RULE_HW_DOMAIN_ID] = { "hw-domain-id", "error",
		"the domain id in hardware's entry is not the one that the kernel flushes by" },
	[RULE_ALIAS_DIFFERS] = { "alias-differs", "error",
		"requests under a device's alias are translated otherwise than its own" },
	[RULE_DOMAIN_ID_SHARED] = { "domain-id-shared", "error",
		"two tables have one domain id in one unit: cached translations of one serve the other" },
	[RULE_STALE_REQUESTER] = { "stale-requester", "warning",
		"hardware translates for a requester that the kernel has no device for" },
	[RULE_FREE_MAPPED] = { "free-mapped", "error",
		"a page that the kernel has free is still mapped" },
	[RULE_SLAB_WRITABLE] = { "slab-writable", "error",
		"user space, its device or a guest may write kernel objects (slab)" },
	[RULE_TABLE_WRITABLE] = { "table-writable", "error",
		"a device, guest or process may write a page table: it can map itself anything" },
	[RULE_TEXT_WRITABLE] = { "text-writable", "error",
		"the kernel's text or constants may be written" },
	[RULE_FILE_WRITABLE] = { "file-writable", "warning",
		"a device or guest may write the page cache of a file: anonymous when it was mapped, named now" },
	[RULE_TABLE_FREE] = { "table-free", "error",
		"a page table that is in use lies in a page that the kernel has free" },
	[RULE_TABLE_STATE] = { "table-state", "error",
		"a page table that is in use lies in a page that the kernel uses for something else" },
	[RULE_ANON_SHARED] = { "anon-shared", "error",
		"anonymous memory that one owner may write is mapped by another, too" },
	[RULE_VMS_SHARE] = { "vms-share", "warning",
		"a page may be written by the devices or guests of two different owners" },
};
/* clang-format on */

/*
 * A live kernel changes between the look at an entry and the look at what it leads to: there a
 * finding counts when two looks in a row have it. The first one only remembers.
 */
struct sightings {
	uint64_t *list; /* a hash of each; in order after the first look */
	size_t count;
	size_t room;
	bool second;
};

static uint64_t finding_hash(const struct finding *finding)
{
	const uint64_t words[] = { finding->rule, finding->iova, finding->phys };
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (const char *at = finding->space; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 0x100000001b3ULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return hash;
}

static int by_value(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left;
	const uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static struct error *remember(struct sightings *self, uint64_t hash)
{
	if (self->count == self->room) {
		const size_t room = self->room ? 2 * self->room : 64;
		uint64_t *larger = reallocarray(self->list, room, sizeof(*larger));

		if (!larger)
			return error_no_memory();
		self->list = larger;
		self->room = room;
	}
	self->list[self->count++] = hash;
	return NULL;
}

static bool seen_before(const struct sightings *self, uint64_t hash)
{
	return self->count &&
	       bsearch(&hash, self->list, self->count, sizeof(hash), by_value) != NULL;
}

static struct error *emit(struct checker *checker, const struct finding *finding, const char *text)
{
	const struct rule_row *row = &rule_rows[finding->rule];
	const struct cell cells[COLUMNS] = {
		[SEVERITY] = cell_text(row->severity),
		[RULE] = cell_text(row->name),
		[SPACE] = cell_text(finding->space),
		[IOVA] = finding->has_iova ? cell_number(finding->iova) : cell_empty(),
		[LENGTH] = finding->length ? cell_number(finding->length) : cell_empty(),
		[PHYS] = finding->has_phys ? cell_number(finding->phys) : cell_empty(),
		[DETAIL] = cell_text(text),
	};

	return emitter_row(checker->emitter, cells);
}

struct error *check_report(struct checker *checker, const struct finding *finding,
			   const char *format, ...)
{
	struct rule_count *count = &checker->counts[finding->rule];
	char text[320];
	va_list args;

	if (!checker->wanted[finding->rule])
		return NULL;
	if (checker->sightings && !checker->sightings->second)
		return remember(checker->sightings, finding_hash(finding));
	if (checker->sightings && !seen_before(checker->sightings, finding_hash(finding)))
		return NULL;
	count->findings++;
	if (++count->printed > FINDINGS_EACH)
		return NULL;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return emit(checker, finding, text);
}

struct error *check_space_done(struct checker *checker, const char *space)
{
	struct error *err = NULL;

	for (unsigned int rule = 0; rule < RULES && !err; rule++) {
		struct rule_count *count = &checker->counts[rule];

		if (count->printed > FINDINGS_EACH) {
			const struct finding more = { .rule = rule, .space = space };
			char text[64];

			snprintf(text, sizeof(text), "and %" PRIu64 " more like these",
				 count->printed - FINDINGS_EACH);
			err = emit(checker, &more, text);
		}
		count->printed = 0;
	}
	return err;
}

/* Always said: how much was looked at, and how much could not be. */
static uint64_t summarize(const struct checker *checker)
{
	uint64_t findings = 0;

	for (unsigned int rule = 0; rule < RULES; rule++) {
		const struct rule_count *count = &checker->counts[rule];

		if (!checker->wanted[rule])
			continue;
		findings += count->findings;
		session_message(
			checker->session,
			"%s: %" PRIu64 " looked at, %" PRIu64 " not known, %" PRIu64 " findings",
			rule_rows[rule].name, count->looked, count->unknown, count->findings);
	}
	return findings;
}

static struct error *choose_rules(struct checker *checker, int count, char **words)
{
	for (unsigned int rule = 0; rule < RULES; rule++)
		checker->wanted[rule] = count == 0;
	for (int i = 0; i < count; i++) {
		unsigned int rule = 0;

		while (rule < RULES && strcmp(rule_rows[rule].name, words[i]) != 0)
			rule++;
		if (rule == RULES)
			return error_new(
				"check: '%s' is not a rule; `iommupt help check` lists them",
				words[i]);
		checker->wanted[rule] = true;
	}
	return NULL;
}

static struct error *run_parts(struct checker *checker)
{
	struct trees trees = { 0 };
	struct error *err = session_inventory(checker->session, &checker->inventory);

	if (!err)
		err = page_set_create(&checker->tables);
	if (!err)
		err = trees_init(&trees, checker->inventory);
	if (!err)
		err = check_hardware(checker);
	if (!err)
		err = check_tables(checker, &trees);
	if (!err)
		err = check_pages(checker, &trees);
	trees_deinit(&trees);
	page_set_destroy(checker->tables);
	checker->tables = NULL;
	return err;
}

/* Twice, everything found anew. */
static struct error *run_live(struct checker *checker)
{
	struct sightings sightings = { .count = 0 };

	checker->sightings = &sightings;
	struct error *err = run_parts(checker);
	if (!err && sightings.count) {
		qsort(sightings.list, sightings.count, sizeof(*sightings.list), by_value);
		sightings.second = true;
		memset(checker->counts, 0, sizeof(checker->counts));
		session_begin(checker->session);
		err = run_parts(checker);
	}
	free(sightings.list);
	checker->sightings = NULL;
	return err;
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct checker checker = { .session = session, .emitter = emitter };
	struct error *err = choose_rules(&checker, count, words);

	struct kernel *kernel = NULL;

	if (!err)
		err = session_kernel(session, &kernel);
	if (err)
		return err;
	checker.memory = kernel_memory(kernel);
	err = checker.memory->live ? run_live(&checker) : run_parts(&checker);
	if (!err && summarize(&checker))
		*status = EXIT_FINDINGS;
	return err;
}

static bool list_rule(size_t i, const char **name, const char **text)
{
	if (i >= RULES)
		return false;
	*name = rule_rows[i].name;
	*text = rule_rows[i].reason;
	return true;
}

const struct command command_check = {
	.name = "check",
	.arguments = "[RULE]...",
	.summary = "consistency rules over all tables: findings with their evidence",
	.description =
		"Holds every table, entry, device and domain against the rules below, or only "
		"against the RULEs that are named. Each finding is a row with its evidence. On "
		"stderr each rule says how much was looked at and how much could not be, because "
		"pages are not in the dump. Exit status 1: there are findings.\n"
		"\n"
		"docs/checks.md says of each rule what it means, how to verify a finding by hand and "
		"what usually causes it.",
	.options = OPTION_FORMAT | OPTION_OUTPUT,
	.arguments_min = 0,
	.arguments_max = RULES,
	.schema = &schema_check,
	.list_title = "Rules",
	.list_item = list_rule,
	.run = run,
};
