// SPDX-License-Identifier: GPL-3.0-or-later
/* The words of a command line: addresses, ranges, TARGETs, and what is said about wrong ones. */
#include "tests/tests.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/bare_table.h"
#include "reports/selection.h"
#include "reports/session.h"

/* Not numbers, wherever a number is due. */
static const char *const junk[] = {
	"",
	"x",
	"0x",
	"0xg",
	"-1",
	"+1",
	" 1",
	"1 ",
	"\t1",
	"1,",
	"1x",
	"abc",
	"0x1g",
	"0x 1",
	"0x-1",
	"0x+1",
	"--1",
	"1e3",
	"0b1",
	"1_000",
	"0x0x1",
	"18446744073709551616",
	"0x10000000000000000",
	"99999999999999999999",
};

enum { JUNK = sizeof(junk) / sizeof(junk[0]) };

/* A message has no control characters: target/error.h. Changes @text. */
static const char *printable(char *text)
{
	for (char *p = text; *p; p++)
		*p = iscntrl((unsigned char)*p) ? '?' : *p;
	return text;
}

static void test_addresses(void)
{
	static const struct {
		const char *text;
		uint64_t value;
	} valid[] = {
		{ "0", 0 },
		{ "0x0", 0 },
		{ "1", 1 },
		{ "4096", 4096 },
		{ "0x1000", 4096 },
		{ "0XaBcDeF", 0xabcdef },
		{ "010", 10 }, /* no octal */
		{ "0x000000000000000000001", 1 },
		{ "0xffffffffffffffff", UINT64_MAX },
		{ "18446744073709551615", UINT64_MAX },
		{ "0xffff888000000000", 0xffff888000000000 },
	};

	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
		uint64_t value = 42;

		EXPECT_NO_ERROR(address_parse(valid[i].text, &value));
		EXPECT(value == valid[i].value, "'%s' is 0x%" PRIx64, valid[i].text, value);
	}
	for (size_t i = 0; i < JUNK; i++) {
		uint64_t value = 42;
		char quoted[64];

		snprintf(quoted, sizeof(quoted), "'%s'", junk[i]);
		EXPECT_ERROR(address_parse(junk[i], &value), printable(quoted));
	}
}

static void test_ranges(void)
{
	static const struct {
		const char *text;
		uint64_t start;
		uint64_t last;
		bool one;
	} valid[] = {
		/* END is not included */
		{ "0-1", 0, 0, false },
		{ "0x1000-0x2000", 0x1000, 0x1fff, false },
		{ "0x1000..0x2000", 0x1000, 0x1fff, false },
		{ "4096-8192", 4096, 8191, false },
		{ "0x1000-8192", 0x1000, 8191, false },
		{ "5-18446744073709551615", 5, UINT64_MAX - 1, false },
		{ "0-0x10000000000000000", 0, UINT64_MAX, false },
		{ "0xfffffffffffff000-0x10000000000000000", 0xfffffffffffff000, UINT64_MAX, false },
		{ "7..0x10000000000000000", 7, UINT64_MAX, false },
		{ "0xffffffffffffffff..0x10000000000000000", UINT64_MAX, UINT64_MAX, false },
		/* START+LENGTH */
		{ "0+1", 0, 0, false },
		{ "0x1000+0x1000", 0x1000, 0x1fff, false },
		{ "0x1000+4096", 0x1000, 0x1fff, false },
		{ "0+0x10000000000000000", 0, UINT64_MAX, false },
		{ "0xfffffffffffff000+0x1000", 0xfffffffffffff000, UINT64_MAX, false },
		{ "1+18446744073709551615", 1, UINT64_MAX, false },
		/* one address */
		{ "0", 0, 0, true },
		{ "0x1234", 0x1234, 0x1234, true },
		{ "0xffffffffffffffff", UINT64_MAX, UINT64_MAX, true },
	};
	static const char *const invalid[] = {
		/* empty or reversed */
		"0-0",
		"0x1000-0x1000",
		"0x2000-0x1000",
		"0x2000..0x1000",
		"0+0",
		"0x1000+0",
		/* past the end */
		"0xffffffffffffffff+2",
		"0xfffffffffffff000+0x1001",
		"2+18446744073709551615",
		"1+0x10000000000000000",
		"0-0x10000000000000001",
		"0-0x100000000000000000",
		/* junk */
		"-",
		"+",
		"..",
		"0-",
		"0+",
		"0..",
		"-1",
		"+1",
		"..1",
		"0.1",
		"0...1",
		"0--1",
		"0-+1",
		"0+-1",
		"0 - 1",
		"0- 1",
		" 0-1",
		"0-1 ",
		"0-1-2",
		"0+1+2",
		"0-1x",
		"0,1",
		"0:1",
		"a-b",
		"0xg-1",
		"0-0x",
		"18446744073709551616-1",
		"0x1000-0x2000-",
	};

	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
		struct range range;

		EXPECT_NO_ERROR(range_parse(valid[i].text, &range));
		EXPECT(range.start == valid[i].start && range.last == valid[i].last &&
			       range.one_address == valid[i].one,
		       "'%s' is 0x%" PRIx64 " to 0x%" PRIx64, valid[i].text, range.start,
		       range.last);
	}
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		struct range range;
		char quoted[64];

		snprintf(quoted, sizeof(quoted), "'%s'", invalid[i]);
		EXPECT_ERROR(range_parse(invalid[i], &range), quoted);
	}
	for (size_t i = 0; i < JUNK; i++) {
		struct range range;
		char text[96];

		snprintf(text, sizeof(text), "%s", junk[i]);
		EXPECT_ERROR(range_parse(junk[i], &range), printable(text));
		/* The one number that is an END although it has 65 bits. */
		if (strcmp(junk[i], "0x10000000000000000") == 0)
			continue;
		snprintf(text, sizeof(text), "0-%s", junk[i]);
		struct error *err = range_parse(text, &range);
		EXPECT_ERROR(err, printable(text));
		snprintf(text, sizeof(text), "0+%s", junk[i]);
		err = range_parse(text, &range);
		EXPECT_ERROR(err, printable(text));
	}
}

static void bare(const char *target, struct space *space)
{
	memset(space, 0, sizeof(*space));
	struct error *err = bare_table_parse(target, space);
	EXPECT(!err, "%s: %s", target, err ? err->message : "");
	error_free(err);
}

/* The usual values, and each key that means something to these formats. */
static void test_bare_tables(void)
{
	struct space space;
	const struct pt_geometry *geometry = &space.tree.geometry;

	bare("root:vtd_ss@0x1000", &space);
	CU_ASSERT_PTR_EQUAL(geometry->format, &pt_format_vtd_ss);
	CU_ASSERT_STRING_EQUAL(space.name, "root:vtd_ss@0x1000");
	CU_ASSERT_STRING_EQUAL(space.kind, "root");
	CU_ASSERT_EQUAL(space.mode, SPACE_TABLE);
	EXPECT_NUMBER(space.tree.root, 0x1000);
	EXPECT_NUMBER(geometry->levels, 4);
	EXPECT_NUMBER(geometry->input_bits, 48);
	EXPECT_NUMBER(geometry->output_bits, 52);
	EXPECT_NUMBER(geometry->granule_lg2, 12);
	EXPECT_NUMBER(geometry->strip, 0);
	CU_ASSERT_FALSE(geometry->dirty_tracking);
	CU_ASSERT_FALSE(geometry->sign_extend);

	bare("root:vtd_ss@8192:3", &space);
	EXPECT_NUMBER(space.tree.root, 8192);
	EXPECT_NUMBER(geometry->levels, 3);
	EXPECT_NUMBER(geometry->input_bits, 39);
	bare("root:vtd_ss@0x1000,levels=5,hd=1,cbit=47,oas=46,granule=4k,arch=x86_64", &space);
	EXPECT_NUMBER(geometry->levels, 5);
	EXPECT_NUMBER(geometry->input_bits, 57);
	EXPECT_NUMBER(geometry->output_bits, 46);
	EXPECT_NUMBER(geometry->strip, 1ULL << 47);
	CU_ASSERT_TRUE(geometry->dirty_tracking);
	bare("root:vtd_ss@0x1000:4,hd=0,ias=40", &space);
	EXPECT_NUMBER(geometry->input_bits, 40);
	CU_ASSERT_FALSE(geometry->dirty_tracking);
	bare("root:x86_64@0xfffffffff000:5,sign-extend=1", &space);
	CU_ASSERT_PTR_EQUAL(geometry->format, &pt_format_x86_64);
	EXPECT_NUMBER(space.tree.root, 0xfffffffff000);
	EXPECT_NUMBER(geometry->levels, 5);
	EXPECT_NUMBER(geometry->input_bits, 57);
	CU_ASSERT_TRUE(geometry->sign_extend);
	bare("root:x86_64@0x1010,sign-extend=0", &space); /* 16-byte aligned will do */
	EXPECT_NUMBER(space.tree.root, 0x1010);
	CU_ASSERT_FALSE(geometry->sign_extend);
	/* A later word wins over an earlier one. */
	bare("root:vtd_ss@0x1000:3,levels=5", &space);
	EXPECT_NUMBER(geometry->levels, 5);
}

static void test_wrong_bare_tables(void)
{
	static const struct {
		const char *target;
		const char *word; /* that the message has to name */
	} wrong[] = {
		{ "root:", "root:" },
		{ "root:vtd_ss", "root:vtd_ss" },
		{ "root:0x1000", "root:0x1000" },
		{ "root:@0x1000", "''" },
		{ "root:vtd@0x1000", "'vtd'" },
		{ "root:VTD_SS@0x1000", "'VTD_SS'" },
		{ "root:ext4@0x1000", "vtd_ss" }, /* says what there is */
		{ "root:ext4@0x1000", "x86_64" },
		{ "root:vtd_ss@", "''" },
		{ "root:vtd_ss@x", "'x'" },
		{ "root:vtd_ss@-4096", "'-4096'" },
		{ "root:vtd_ss@0x1000 ", "'0x1000 '" },
		{ "root:vtd_ss@@0x1000", "'@0x1000'" },
		{ "root:vtd_ss@0x10000000000000000", "'0x10000000000000000'" },
		{ "root:vtd_ss@0x1001", "0x1001" },
		{ "root:vtd_ss@0x1004", "0x1004" },
		{ "root:vtd_ss@0x1000:", "levels=" },
		{ "root:vtd_ss@0x1000:x", "levels=x" },
		{ "root:vtd_ss@0x1000:7", "levels=7" },
		{ "root:vtd_ss@0x1000:3:4", "levels=3:4" },
		{ "root:vtd_ss@0x1000,levels=6", "levels=3 to 5" },
		{ "root:vtd_ss@0x1000,levels=-3", "levels=-3" },
		{ "root:vtd_ss@0x1000,levels=259", "levels=259" }, /* not 3 */
		{ "root:vtd_ss@0x1000,levels", "'levels'" },
		{ "root:vtd_ss@0x1000,levels=", "levels=" },
		{ "root:vtd_ss@0x1000,level=3", "'level'" },
		{ "root:vtd_ss@0x1000,LEVELS=3", "'LEVELS'" },
		{ "root:vtd_ss@0x1000, levels=3", "' levels'" },
		{ "root:vtd_ss@0x1000,=3", "''" },
		{ "root:vtd_ss@0x1000,3", "'3'" },
		{ "root:vtd_ss@0x1000,ias=65", "ias=65" },
		{ "root:vtd_ss@0x1000,ias=304", "ias=304" }, /* not 48 */
		{ "root:vtd_ss@0x1000,ias=57", "ias=57" },
		{ "root:vtd_ss@0x1000,oas=65", "oas=65" },
		{ "root:vtd_ss@0x1000,oas=x", "oas=x" },
		{ "root:vtd_ss@0x1000,cbit=64", "cbit=64" },
		{ "root:vtd_ss@0x1000,cbit=-1", "cbit=-1" },
		{ "root:vtd_ss@0x1000,hd=2", "hd=2" },
		{ "root:vtd_ss@0x1000,hd=yes", "hd=yes" },
		{ "root:vtd_ss@0x1000,hd=", "hd=" },
		{ "root:x86_64@0x1000,sign-extend=on", "sign-extend=on" },
		{ "root:vtd_ss@0x1000,ttbr1=x", "ttbr1=x" },
		{ "root:vtd_ss@0x1000,lpa2=x", "lpa2=x" },
		{ "root:vtd_ss@0x1000,granule=2M", "granule=2M" },
		{ "root:vtd_ss@0x1000,granule=4096", "granule=4096" },
		{ "root:vtd_ss@0x1000,granule=16k", "granule" },
		{ "root:vtd_ss@0x1000,concat=17", "concat=17" },
		{ "root:vtd_ss@0x1000,start-level=4", "start-level=4" },
		{ "root:vtd_ss@0x1000,start-level=--1", "start-level=--1" },
		{ "root:vtd_ss@0x1000,arch=sparc", "arch=sparc" },
		{ "root:vtd_ss@0x1000,levels=3,hd=1,colour=red", "'colour'" },
		{ "root:x86_64@0x1000:3", "levels=4 or 5" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct space space = { 0 };
		struct error *err = bare_table_parse(wrong[i].target, &space);

		EXPECT(err != NULL, "%s is accepted", wrong[i].target);
		if (err)
			EXPECT_ERROR(err, wrong[i].word);
	}
}

/* A TARGET as long as can be given is neither a crash nor cut without an end. */
static void test_long_target(void)
{
	char target[5000] = "root:vtd_ss@0x1000";
	struct space space = { 0 };

	while (strlen(target) < sizeof(target) - 16)
		strcat(target, ",hd=1");
	bare(target, &space);
	EXPECT(strlen(space.name) < sizeof(space.name), "name is not ended");
	strcat(target, ",zz");
	EXPECT_ERROR(bare_table_parse(target, &space), "'zz'");
}

static void test_range_check(void)
{
	struct space space;
	struct range range = { 0, 0, true };

	bare("root:vtd_ss@0x1000:3", &space);
	EXPECT_NO_ERROR(range_check(&space, &range));
	range.start = (1ULL << 39) - 1;
	EXPECT_NO_ERROR(range_check(&space, &range));
	range.start = 1ULL << 39;
	EXPECT_ERROR(range_check(&space, &range), "0x8000000000");
	range.one_address = false;
	EXPECT_ERROR(range_check(&space, &range), "0x7fffffffff");
	/* A range may begin in the hole of canonical addresses, one address may not. */
	bare("root:x86_64@0x1000,sign-extend=1", &space);
	range.start = 0x800000000000;
	EXPECT_NO_ERROR(range_check(&space, &range));
	range.one_address = true;
	EXPECT_ERROR(range_check(&space, &range), "0x800000000000");
	range.start = 0xffff800000000000;
	EXPECT_NO_ERROR(range_check(&space, &range));
	space.mode = SPACE_BLOCKED;
	range.start = 0x800000000000;
	EXPECT_NO_ERROR(range_check(&space, &range));
}

static struct error *no_kernel(struct session *session, struct kernel **ret)
{
	(void)session;
	(void)ret;
	return error_new("no kernel here");
}

static struct error *no_memory_file(struct session *session, struct memory **ret)
{
	(void)session;
	(void)ret;
	return error_new("no memory here");
}

/* A TARGET is read before a kernel is opened for it. */
static void expect_target(const char *first, const char *second, const char *word)
{
	struct session session = { .open_kernel = no_kernel, .open_memory = no_memory_file };
	char a[64];
	char b[64];
	char *words[] = { a, b };
	struct selection selection;

	snprintf(a, sizeof(a), "%s", first);
	snprintf(b, sizeof(b), "%s", second ? second : "");
	EXPECT_ERROR(selection_init(&selection, &session, words, second ? 2 : 1), word);
	selection_deinit(&selection);
}

static void test_targets(void)
{
	expect_target("domain:", NULL, "''");
	expect_target("domain:x", NULL, "'x'");
	expect_target("domain:0x", NULL, "'0x'");
	expect_target("domain:0xffff888000000000", NULL, "no kernel here");
	expect_target("group:", NULL, "'group:'");
	expect_target("group:x", NULL, "'group:x'");
	expect_target("group:-1", NULL, "'group:-1'");
	expect_target("group:4294967296", NULL, "'group:4294967296'");
	expect_target("group:12", NULL, "no kernel here");
	expect_target("pid:", NULL, "'pid:' is not a process");
	expect_target("pid:x", NULL, "'pid:x'");
	expect_target("pid:-1", NULL, "'pid:-1'");
	expect_target("pid:0", NULL, "'pid:0'");
	expect_target("pid:12x", NULL, "'pid:12x'");
	expect_target("pid:2147483648", NULL, "'pid:2147483648'");
	expect_target("pid:12", "pasid=3", "no PASID");
	expect_target("pid:2147483647", NULL, "no kernel here");
	expect_target("0000:00:04.0", "pasid=x", "pasid=x");
	expect_target("0000:00:04.0", "pasid=", "pasid=");
	expect_target("0000:00:04.0", "pasid=1048576", "pasid=1048576");
	expect_target("0000:00:04.0", "pasid=1048575", "no kernel here");
	expect_target("0000:00:04.0,pasid=zz", NULL, "pasid=zz");
	expect_target("0000:00:04.0 pasid=zz", NULL, "pasid=zz");
	expect_target("0000:00:04.0/pasid=3", NULL, "no kernel here");
	expect_target("00:04.0", NULL, "no kernel here");
	expect_target("all", NULL, "no kernel here");
	expect_target("root:vtd_ss@0x1000", NULL, "no memory here");
	expect_target("root:nothing@0x1000", NULL, "'nothing'");
}

static void test_words(void)
{
	char device[] = "00:04.0";
	char pasid[] = "pasid=3";
	char range[] = "0-0x1000";
	char *with[] = { device, pasid, range };
	char *without[] = { device, range, pasid };

	CU_ASSERT_EQUAL(selection_words(with, 3), 2);
	CU_ASSERT_EQUAL(selection_words(with, 2), 2);
	CU_ASSERT_EQUAL(selection_words(with, 1), 1);
	CU_ASSERT_EQUAL(selection_words(without, 3), 1);
	CU_ASSERT_EQUAL(selection_words(with, 0), 0);
}

void suite_selection(void)
{
	CU_pSuite suite = CU_add_suite("selection", NULL, NULL);

	CU_add_test(suite, "addresses", test_addresses);
	CU_add_test(suite, "ranges", test_ranges);
	CU_add_test(suite, "root: targets", test_bare_tables);
	CU_add_test(suite, "root: targets that are wrong", test_wrong_bare_tables);
	CU_add_test(suite, "root: target without end", test_long_target);
	CU_add_test(suite, "range within a space", test_range_check);
	CU_add_test(suite, "other targets", test_targets);
	CU_add_test(suite, "words of a target", test_words);
}
