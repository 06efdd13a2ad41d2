// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Page-table formats against tables written as text: tests/formats/. The grammar is at the top of
 * each of those files. Every input is put to pt_translate(), pt_lookup() and pt_walk(), and all
 * have to say what the text says.
 */
#include "tests/tests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "formats/x86_entry.h"
#include "reports/bare_table.h"
#include "tests/fake_memory.h"
#include "walkers/engine.h"
#include "walkers/inventory.h"

enum outcome { MAPPED, EMPTY, INVALID, MISSING, DAMAGED, OUTSIDE, REFUSED, SOFT, OUTCOMES };

static const char *const outcome_words[OUTCOMES] = {
	[EMPTY] = "empty",     [INVALID] = "invalid", [MISSING] = "missing", [DAMAGED] = "damaged",
	[OUTSIDE] = "outside", [REFUSED] = "refused", [SOFT] = "soft",
};

/* What the text says about one input, or what the code does. */
struct answer {
	enum outcome outcome;
	unsigned int level; /* of the table or entry where it ends */
	uint64_t phys;	    /* of the very byte asked for; PT_NO_ADDRESS */
	unsigned int size_lg2;
	char perm[4];
	char attrs[64];
};

struct script {
	const char *path;
	unsigned int line;
	char space_words[128]; /* "FORMAT" and ",key=value" */
	char root[32];
	struct pt_linux_types linux_types; /* of a Linux process's table */
	struct memory *memory;
	struct space *space; /* made when the first input is met */
	unsigned int inputs;
};

/* The text files lie beside this source file, wherever that is. */
static FILE *open_data(const char *name, char path[256])
{
	const char *end = strrchr(__FILE__, '/');

	snprintf(path, 256, "%.*sformats/%s", end ? (int)(end - __FILE__) + 1 : 0, __FILE__, name);
	return fopen(path, "r");
}

static bool number(const char *word, uint64_t *ret)
{
	char *end = NULL;

	if (!word || strncmp(word, "0x", 2) != 0)
		return false;
	*ret = strtoull(word + 2, &end, 16);
	return end != word + 2 && *end == '\0';
}

static void syntax(const struct script *script, const char *what)
{
	expect_at(false, script->path, script->line, "test file: %s", what);
}

static void forget_space(struct script *script)
{
	memory_close(script->memory);
	free(script->space);
	script->linux_types = (struct pt_linux_types){ 0 };
	script->memory = NULL;
	script->space = NULL;
	script->root[0] = '\0';
}

/* space FORMAT key=value...: a new, empty memory, too. */
static void do_space(struct script *script, char **words)
{
	size_t used = 0;

	forget_space(script);
	script->memory = fake_create();
	for (; *words; words++)
		used += (size_t)snprintf(script->space_words + used,
					 sizeof(script->space_words) - used, "%s%s",
					 used ? "," : "", *words);
}

static void do_root(struct script *script, char **words)
{
	snprintf(script->root, sizeof(script->root), "%s", words[0] ? words[0] : "");
}

static void do_ram(struct script *script, char **words)
{
	uint64_t start = 0;
	uint64_t end = 0;

	if (!number(words[0], &start) || !number(words[1], &end))
		syntax(script, "ram START END");
	fake_ram(script->memory, start, end);
}

static void set_status(struct script *script, char **words, enum block_status status)
{
	uint64_t phys = 0;

	if (!number(words[0], &phys))
		syntax(script, "missing/damaged PHYS");
	fake_status(script->memory, phys, status);
}

static void do_missing(struct script *script, char **words)
{
	set_status(script, words, BLOCK_MISSING);
}

static void do_damaged(struct script *script, char **words)
{
	set_status(script, words, BLOCK_DAMAGED);
}

/* "vtd_ss,levels=3" and "0x1000" to root:vtd_ss@0x1000,levels=3 */
static struct error *parse_space(const struct script *script, const char *root, struct space *ret)
{
	char target[256];
	const char *keys = strchr(script->space_words, ',');
	int format_len = keys ? (int)(keys - script->space_words) : (int)sizeof(target);

	snprintf(target, sizeof(target), "root:%.*s@%s%s", format_len, script->space_words, root,
		 keys ? keys : "");
	return bare_table_parse(target, ret);
}

/* refuse WORD FORMAT key=value...: such a space cannot be, and the message names WORD. */
static void do_refuse(struct script *script, char **words)
{
	struct space space = { 0 };

	if (!words[0] || !words[1]) {
		syntax(script, "refuse WORD FORMAT key=value...");
		return;
	}
	do_space(script, words + 1);
	expect_error(parse_space(script, "0x1000", &space), words[0], script->path, script->line);
	script->inputs++;
}

static const struct pt_tree *get_tree(struct script *script)
{
	if (!script->space) {
		script->space = calloc(1, sizeof(*script->space));
		if (!script->space)
			abort();
		struct error *err = parse_space(script, script->root, script->space);
		if (!expect_no_error(err, script->path, script->line))
			return NULL;
		script->space->tree.geometry.linux_types = script->linux_types;
	}
	return &script->space->tree;
}

/* linux HWPOISON MIGRATION DEVICE-PRIVATE DEVICE-EXCLUSIVE MARKER SWAPIN-ERROR */
static void do_linux(struct script *script, char **words)
{
	enum { TYPES = 6 };
	uint8_t types[TYPES] = { 0 };

	for (int i = 0; i < TYPES; i++) {
		if (!words[i]) {
			syntax(script, "linux: six numbers");
			return;
		}
		types[i] = (uint8_t)atoi(words[i]);
	}
	script->linux_types = (struct pt_linux_types){
		.used = true,
		.hwpoison = types[0],
		.migration = types[1],
		.device_private = types[2],
		.device_exclusive = types[3],
		.marker = types[4],
		.swapin_error = types[5],
	};
}

/* describe LEVEL VALUE = TEXT */
static void do_describe(struct script *script, char **words)
{
	const struct pt_tree *tree = get_tree(script);
	char should[256] = "";
	char is[256];
	uint64_t value = 0;

	if (!words[0] || !number(words[1], &value) || !words[2] || strcmp(words[2], "=") != 0 ||
	    !tree) {
		syntax(script, "describe LEVEL VALUE = TEXT");
		return;
	}
	for (char **word = words + 3; *word; word++) {
		size_t used = strlen(should);
		snprintf(should + used, sizeof(should) - used, "%s%s", used ? " " : "", *word);
	}
	const struct pt_geometry *geometry = &tree->geometry;
	geometry->format->describe(geometry, (unsigned int)atoi(words[0]), value, is, sizeof(is));
	expect_at(strcmp(is, should) == 0, script->path, script->line, "describes '%s', not '%s'",
		  is, should);
	script->inputs++;
}

static bool parse_size(const char *word, unsigned int *ret)
{
	static const char units[] = "KMGT";
	char text[16];

	for (unsigned int lg2 = 12; lg2 < 50; lg2++) {
		snprintf(text, sizeof(text), "%u%c", 1U << lg2 % 10, units[lg2 / 10 - 1]);
		if (word && strcmp(word, text) == 0) {
			*ret = lg2;
			return true;
		}
	}
	return false;
}

/* The words behind "->" */
static bool parse_answer(char **words, struct answer *ret)
{
	*ret = (struct answer){ 0 };
	/* soft PHYS|- SIZE ATTRS */
	if (words[0] && strcmp(words[0], outcome_words[SOFT]) == 0 && words[1] && words[2] &&
	    words[3]) {
		ret->outcome = SOFT;
		ret->phys = PT_NO_ADDRESS;
		snprintf(ret->perm, sizeof(ret->perm), "---");
		snprintf(ret->attrs, sizeof(ret->attrs), "%s", words[3]);
		bool fits = parse_size(words[2], &ret->size_lg2) && !words[4];
		ret->level = (ret->size_lg2 - 12) / 9;
		return fits && (strcmp(words[1], "-") == 0 || number(words[1], &ret->phys));
	}
	for (unsigned int i = MAPPED + 1; i < SOFT && words[0]; i++) {
		if (strcmp(words[0], outcome_words[i]) != 0)
			continue;
		ret->outcome = (enum outcome)i;
		if (i == REFUSED)
			return !words[1];
		if (!words[1] || strcmp(words[1], "level") != 0 || !words[2])
			return false;
		ret->level = (unsigned int)atoi(words[2]);
		return !words[3];
	}
	if (!number(words[0], &ret->phys) || !parse_size(words[1], &ret->size_lg2) || !words[2] ||
	    strlen(words[2]) != 3)
		return false;
	memcpy(ret->perm, words[2], 4);
	snprintf(ret->attrs, sizeof(ret->attrs), "%s", words[3] ? words[3] : "");
	ret->level = (ret->size_lg2 - 12) / 9;
	return true;
}

static void print_answer(const struct answer *answer, char text[128])
{
	if (answer->outcome == MAPPED || answer->outcome == SOFT)
		snprintf(text, 128, "0x%" PRIx64 " 2^%u %s %s", answer->phys, answer->size_lg2,
			 answer->perm, answer->attrs);
	else if (answer->outcome < OUTCOMES)
		snprintf(text, 128, "%s level %u", outcome_words[answer->outcome], answer->level);
	else
		snprintf(text, 128, "(nothing that can be)");
}

static void compare(const struct script *script, const char *who, const struct answer *is,
		    const struct answer *should)
{
	char text[2][128];
	bool same = is->outcome == should->outcome && is->level == should->level;

	if (same && (is->outcome == MAPPED || is->outcome == SOFT))
		same = is->phys == should->phys && is->size_lg2 == should->size_lg2 &&
		       strcmp(is->perm, should->perm) == 0 && strcmp(is->attrs, should->attrs) == 0;
	print_answer(is, text[0]);
	print_answer(should, text[1]);
	expect_at(same, script->path, script->line, "%s says %s, not %s", who, text[0], text[1]);
}

/* What the last step of a translation says. */
static struct answer answer_of_steps(const struct pt_geometry *geometry,
				     const struct pt_step *steps, size_t count, uint64_t input)
{
	static const enum outcome of_status[] = {
		[BLOCK_MISSING] = MISSING, [BLOCK_OUTSIDE] = OUTSIDE, [BLOCK_DAMAGED] = DAMAGED
	};
	static const enum outcome of_kind[] = { [PT_EMPTY] = EMPTY,
						[PT_TABLE] = OUTCOMES,
						[PT_LEAF] = MAPPED,
						[PT_INVALID] = INVALID,
						[PT_SOFT] = SOFT };
	struct answer answer = { .outcome = REFUSED };

	if (count == 0)
		return answer;
	const struct pt_step *last = &steps[count - 1];
	answer.level = last->level;
	answer.outcome = last->status != BLOCK_OK ? of_status[last->status]
			 : last->skips		  ? EMPTY
						  : of_kind[last->run.kind];
	if (answer.outcome != MAPPED && answer.outcome != SOFT)
		return answer;
	answer.size_lg2 = last->run.size_lg2;
	answer.phys = last->run.address;
	if (answer.phys != PT_NO_ADDRESS)
		answer.phys += input & ((1ULL << last->run.size_lg2) - 1);
	pt_permission_text(last->perm, answer.perm);
	pt_attributes_text(geometry, last->effective.attrs, answer.attrs, sizeof(answer.attrs));
	return answer;
}

static void check_translation(const struct script *script, uint64_t input,
			      const struct answer *should)
{
	const struct pt_tree *tree = &script->space->tree;
	struct pt_step steps[PT_MAX_LEVELS];
	uint64_t phys = 0;
	size_t count = pt_translate(tree, script->memory, input, steps);
	struct answer is = answer_of_steps(&tree->geometry, steps, count, input);

	compare(script, "pt_translate()", &is, should);
	for (size_t i = 0; i < count; i++) {
		unsigned int level = i == 0 ? tree->geometry.levels - 1U
					    : steps[i - 1].run.next_level;

		expect_at(steps[i].level == level && (i == 0 || level < steps[i - 1].level),
			  script->path, script->line, "step %zu is at level %u", i, steps[i].level);
	}
	bool found = pt_lookup(tree, script->memory, input, &phys);
	expect_at(found == (should->outcome == MAPPED) && (!found || phys == should->phys),
		  script->path, script->line, "pt_lookup() says %d 0x%" PRIx64, found, phys);
}

/* What a walk over one page meets. */
struct met {
	struct pt_leaves leaves;
	struct pt_fault fault;
	unsigned int leaves_calls; /* soft ones, too */
	bool soft;
	unsigned int fault_calls;
	unsigned int deepest; /* table level */
};

static struct error *on_table(void *arg, const struct pt_table *table)
{
	((struct met *)arg)->deepest = table->level;
	return NULL;
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct met *met = arg;

	met->leaves = *leaves;
	met->leaves_calls++;
	return NULL;
}

static struct error *on_soft(void *arg, const struct pt_leaves *leaves)
{
	((struct met *)arg)->soft = true;
	return on_leaves(arg, leaves);
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct met *met = arg;

	met->fault = *fault;
	met->fault_calls++;
	return NULL;
}

static struct answer answer_of_met(const struct pt_geometry *geometry, const struct met *met,
				   uint64_t input)
{
	static const enum outcome of_fault[PT_FAULT_KINDS] = {
		[PT_FAULT_MISSING] = MISSING,	[PT_FAULT_DAMAGED] = DAMAGED,
		[PT_FAULT_OUTSIDE] = OUTSIDE,	[PT_FAULT_LOOP] = OUTCOMES,
		[PT_FAULT_REPEATED] = OUTCOMES, [PT_FAULT_SKIPPED] = OUTCOMES,
		[PT_FAULT_INVALID] = INVALID,	[PT_FAULT_TORN] = OUTCOMES,
	};
	struct answer answer = { .outcome = EMPTY, .level = met->deepest };

	if (met->leaves_calls + met->fault_calls == 0)
		return answer;
	answer.outcome = OUTCOMES;
	if (met->leaves_calls + met->fault_calls > 1)
		return answer;
	if (met->fault_calls) {
		answer.outcome = of_fault[met->fault.kind];
		answer.level = met->fault.level;
		return answer;
	}
	if (met->leaves.count != 1 || (input - met->leaves.iova) >> met->leaves.size_lg2)
		return answer;
	answer.outcome = met->soft ? SOFT : MAPPED;
	answer.phys = met->leaves.phys;
	if (answer.phys != PT_NO_ADDRESS)
		answer.phys += input - met->leaves.iova;
	answer.size_lg2 = met->leaves.size_lg2;
	pt_permission_text(met->leaves.perm, answer.perm);
	pt_attributes_text(geometry, met->leaves.attrs, answer.attrs, sizeof(answer.attrs));
	return answer;
}

static void check_walk(const struct script *script, uint64_t input, const struct answer *should)
{
	const struct pt_tree *tree = &script->space->tree;
	struct met met = { .deepest = tree->geometry.levels - 1U };
	const struct pt_visitor visitor = {
		.table = on_table,
		.leaves = on_leaves,
		.soft = on_soft,
		.fault = on_fault,
		.arg = &met,
	};
	struct pt_statistics statistics;
	struct error *err = pt_walk(tree, script->memory, input & ~0xfffULL, input | 0xfff,
				    &visitor, NULL, &statistics);

	if (!expect_no_error(err, script->path, script->line))
		return;
	if (should->outcome == REFUSED) {
		expect_at(met.leaves_calls + met.fault_calls + statistics.tables == 0, script->path,
			  script->line, "pt_walk() finds something where no address is");
		return;
	}
	struct answer is = answer_of_met(&tree->geometry, &met, input);
	/* The walk gives the attributes' size; the level of a leaf is its consequence. */
	if (is.outcome == MAPPED || is.outcome == SOFT)
		is.level = met.deepest;
	compare(script, "pt_walk()", &is, should);
	expect_at((statistics.mapped_bytes != 0) == (is.outcome == MAPPED) &&
			  (statistics.soft_bytes != 0) == (is.outcome == SOFT),
		  script->path, script->line, "0x%" PRIx64 " bytes mapped, 0x%" PRIx64 " soft",
		  statistics.mapped_bytes, statistics.soft_bytes);
	if (met.fault_calls)
		expect_at(met.fault.iova == (input & ~0xfffULL) && met.fault.length == 0x1000,
			  script->path, script->line, "fault is at 0x%" PRIx64 "+0x%" PRIx64,
			  met.fault.iova, met.fault.length);
}

/* INPUT -> ... */
static void do_input(struct script *script, char **words)
{
	struct answer should;
	uint64_t input = 0;

	if (!number(words[0], &input) || !parse_answer(words + 2, &should)) {
		syntax(script, "INPUT -> PHYS SIZE PERM [ATTRS], or INPUT -> WORD level N");
		return;
	}
	if (!get_tree(script))
		return;
	check_translation(script, input, &should);
	check_walk(script, input, &should);
	script->inputs++;
}

/* PHYS: VALUE */
static void do_entry(struct script *script, char **words)
{
	uint64_t phys = 0;
	uint64_t value = 0;

	words[0][strlen(words[0]) - 1] = '\0';
	if (!number(words[0], &phys) || phys % 8 || !number(words[1], &value) || words[2])
		syntax(script, "PHYS: VALUE  # which entry");
	fake_write(script->memory, phys, value);
}

static void do_line(struct script *script, char **words)
{
	static const struct {
		const char *word;
		void (*run)(struct script *script, char **words);
	} directives[] = {
		{ "space", do_space },	     { "root", do_root },	{ "ram", do_ram },
		{ "missing", do_missing },   { "damaged", do_damaged }, { "refuse", do_refuse },
		{ "describe", do_describe }, { "linux", do_linux },
	};

	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
		if (strcmp(words[0], directives[i].word) == 0) {
			directives[i].run(script, words + 1);
			return;
		}
	}
	if (!script->memory)
		syntax(script, "a space must come first");
	else if (words[1] && strcmp(words[1], "->") == 0)
		do_input(script, words);
	else if (words[0][strlen(words[0]) - 1] == ':')
		do_entry(script, words);
	else
		syntax(script, "not a line of this grammar");
}

/* Run a text file; @least inputs have to be in it, so that a file not understood is a failure. */
static void run_file(const char *name, unsigned int least)
{
	char path[256];
	char line[256];
	struct script script = { .path = path };
	FILE *file = open_data(name, path);

	if (!EXPECT(file != NULL, "%s cannot be opened", path))
		return;
	while (fgets(line, sizeof(line), file)) {
		enum { WORDS = 24 };
		char *words[WORDS + 1] = { NULL };
		size_t count = 0;

		script.line++;
		line[strcspn(line, "#\n")] = '\0';
		for (char *word = strtok(line, " \t"); word && count < WORDS;
		     word = strtok(NULL, " \t"))
			words[count++] = word;
		if (count)
			do_line(&script, words);
	}
	fclose(file);
	forget_space(&script);
	expect_at(script.inputs >= least, path, script.line, "%u inputs, fewer than %u",
		  script.inputs, least);
}

static void test_amdv1(void)
{
	run_file("amdv1.txt", 120);
}

static void test_amdv1_invalid(void)
{
	run_file("amdv1-invalid.txt", 90);
}

static void test_vtd_ss(void)
{
	run_file("vtd_ss.txt", 100);
}

static void test_vtd_ss_invalid(void)
{
	run_file("vtd_ss-invalid.txt", 60);
}

static void test_ept(void)
{
	run_file("ept.txt", 140);
}

static void test_ept_invalid(void)
{
	run_file("ept-invalid.txt", 90);
}

static void test_vtd_fs(void)
{
	run_file("vtd_fs.txt", 40);
}

static void test_x86_64(void)
{
	run_file("x86_64.txt", 90);
}

static void test_x86_64_invalid(void)
{
	run_file("x86_64-invalid.txt", 50);
}

static void test_x86_64_linux(void)
{
	run_file("x86_64-linux.txt", 60);
}

/* One row of the table of formats each, found by its name, with names that can be shown. */
static void test_table_of_formats(void)
{
	CU_ASSERT_PTR_EQUAL(pt_format_find("ept"), &pt_format_ept);
	CU_ASSERT_PTR_EQUAL(pt_format_find("vtd_ss"), &pt_format_vtd_ss);
	CU_ASSERT_PTR_EQUAL(pt_format_find("x86_64"), &pt_format_x86_64);
	CU_ASSERT_PTR_EQUAL(pt_format_find("vtd_fs"), &pt_format_vtd_fs);
	CU_ASSERT_PTR_NULL(pt_format_find("vtd"));
	CU_ASSERT_PTR_NULL(pt_format_find("vtd_ss2"));
	CU_ASSERT_PTR_NULL(pt_format_find(""));
	for (const struct pt_format *const *format = pt_formats; *format; format++) {
		const char *const *names = (*format)->attribute_names;
		unsigned int count = 0;

		CU_ASSERT_PTR_EQUAL(pt_format_find((*format)->name), *format);
		for (; names[count]; count++)
			EXPECT(count == 0 || strcmp(names[count - 1], names[count]) < 0,
			       "%s: attribute %s is not in alphabetical order", (*format)->name,
			       names[count]);
		EXPECT(((*format)->attrs_and | (*format)->attrs_dirty) >> count == 0,
		       "%s: a mask has bits without a name", (*format)->name);
	}
}

/* Joined by '|', sorted, and cut between names when there is no room. */
static void test_texts(void)
{
	struct pt_geometry geometry;
	char text[64];

	if (!EXPECT_NO_ERROR(pt_geometry_init(&pt_format_x86_64, NULL, &geometry)))
		return;
	const uint32_t all = X86_ATTR_ACCESSED | X86_ATTR_DIRTY | X86_ATTR_GLOBAL | X86_ATTR_PAT |
			     X86_ATTR_CACHE_DISABLE | X86_ATTR_WRITE_THROUGH | X86_ATTR_USER;
	pt_attributes_text(&geometry, all, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "accessed|dirty|global|pat|pcd|pwt|user");
	pt_attributes_text(&geometry, 0, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "");
	pt_attributes_text(&geometry, X86_ATTR_PAT | X86_ATTR_USER, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "pat|user");
	memset(text, 'z', sizeof(text));
	pt_attributes_text(&geometry, all, text, 10);
	EXPECT(strlen(text) < 10 && text[10] == 'z', "more than 10 bytes written");
	pt_permission_text(PT_R | PT_X, text);
	CU_ASSERT_STRING_EQUAL(text, "r-x");
	pt_permission_text(PT_W, text);
	CU_ASSERT_STRING_EQUAL(text, "-w-");
	CU_ASSERT_EQUAL(pt_bits(51, 12), 0x000ffffffffff000ULL);
	CU_ASSERT_EQUAL(pt_bits(63, 0), ~0ULL);
	CU_ASSERT_EQUAL(pt_field(0xabcd, 11, 4), 0xbc);
}

/* Formats say a great deal about an entry: never more than there is room for. */
static void test_describe_is_bounded(void)
{
	for (const struct pt_format *const *format = pt_formats; *format; format++) {
		struct pt_geometry geometry;
		char text[80];

		if (!EXPECT_NO_ERROR(pt_geometry_init(*format, NULL, &geometry)))
			continue;
		for (unsigned int level = 0; level < geometry.levels; level++) {
			memset(text, 'z', sizeof(text));
			(*format)->describe(&geometry, level, ~0ULL, text, 16);
			EXPECT(memchr(text, '\0', 16) && text[16] == 'z', "%s level %u: %.80s",
			       (*format)->name, level, text);
		}
	}
}

void suite_formats(void)
{
	CU_pSuite suite = CU_add_suite("formats", NULL, NULL);

	CU_add_test(suite, "amdv1.txt", test_amdv1);
	CU_add_test(suite, "amdv1-invalid.txt", test_amdv1_invalid);
	CU_add_test(suite, "vtd_ss.txt", test_vtd_ss);
	CU_add_test(suite, "vtd_ss-invalid.txt", test_vtd_ss_invalid);
	CU_add_test(suite, "ept.txt", test_ept);
	CU_add_test(suite, "ept-invalid.txt", test_ept_invalid);
	CU_add_test(suite, "vtd_fs.txt", test_vtd_fs);
	CU_add_test(suite, "x86_64.txt", test_x86_64);
	CU_add_test(suite, "x86_64-invalid.txt", test_x86_64_invalid);
	CU_add_test(suite, "x86_64-linux.txt", test_x86_64_linux);
	CU_add_test(suite, "table of formats", test_table_of_formats);
	CU_add_test(suite, "texts of attributes and permissions", test_texts);
	CU_add_test(suite, "describe() keeps within its room", test_describe_is_bounded);
}
