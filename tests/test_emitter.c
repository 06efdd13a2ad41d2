// SPDX-License-Identifier: GPL-3.0-or-later
/* One record, four forms. JSON and CSV are read back by python3, whose parsers are not ours. */
#include "tests/tests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reports/commands.h"
#include "reports/emitter.h"

static const struct column columns[] = {
	{ "name", COLUMN_TEXT, 6, "" },
	{ "address", COLUMN_ADDRESS, 8, "" },
	{ "bytes", COLUMN_NUMBER, 5, "" },
	{ "last", COLUMN_TEXT, 0, "" },
};
static const struct schema schema = { "test", columns, 4 };

/* What @count rows of @cells become; the caller frees it. */
static char *emit(enum output_format format, const struct schema *of, const struct cell *cells,
		  size_t count)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct emitter *emitter = NULL;

	if (!out || !EXPECT_NO_ERROR(emitter_create(out, format, of, &emitter)))
		abort();
	for (size_t i = 0; i < count; i++)
		EXPECT_NO_ERROR(emitter_row(emitter, cells + i * of->count));
	EXPECT_NO_ERROR(emitter_finish(emitter));
	emitter_destroy(emitter);
	fclose(out);
	return text;
}

static void expect_text(enum output_format format, const struct cell *cells, size_t count,
			const char *should, unsigned int line)
{
	char *is = emit(format, &schema, cells, count);

	expect_at(strcmp(is, should) == 0, __FILE__, line, "is:\n%s\nnot:\n%s", is, should);
	free(is);
}

#define EXPECT_TEXT(format, cells, count, should) \
	expect_text((format), (cells), (count), (should), __LINE__)

static const struct cell plain[] = {
	{ .text = "one" }, { .number = 0x1000 }, { .number = 4096 }, { .text = "end" },
	{ .text = "two" }, { .number = 0 },	 { .number = 0 },    { .text = "" },
};
static const struct cell empty[] = {
	{ .text = "" },	   { .empty = true }, { .empty = true }, { .text = "x" },
	{ .empty = true }, { .empty = true }, { .number = 1 },	 { .empty = true },
};
static const struct cell extreme[] = {
	{ .text = "name longer than its column" },
	{ .number = UINT64_MAX },
	{ .number = UINT64_MAX },
	{ .text = "x" },
};
/* What a damaged or hostile dump may have for a name. */
static const struct cell hostile[] = {
	{ .text = "a,b" },	    { .number = 1 }, { .number = 1 }, { .text = "say \"no\"" },
	{ .text = "two\nlines" },   { .number = 1 }, { .number = 1 }, { .text = "\r\t\\" },
	{ .text = "\xff\xc3\x28" }, { .number = 1 }, { .number = 1 }, { .text = "\x01\x1b[2J\x7f" },
	{ .text = "\"" },	    { .number = 1 }, { .number = 1 }, { .text = "</x>" },
};

static void test_text(void)
{
	EXPECT_TEXT(FORMAT_TEXT, plain, 2,
		    "NAME     ADDRESS  BYTES  LAST\n"
		    "one       0x1000   4096  end\n"
		    "two          0x0      0  \n");
	EXPECT_TEXT(FORMAT_TEXT, empty, 2,
		    "NAME     ADDRESS  BYTES  LAST\n"
		    "-              -      -  x\n"
		    "-              -      1  \n");
	EXPECT_TEXT(FORMAT_TEXT, extreme, 1,
		    "NAME     ADDRESS  BYTES  LAST\n"
		    "name longer than its column  0xffffffffffffffff  18446744073709551615  x\n");
	EXPECT_TEXT(FORMAT_TEXT, NULL, 0, "NAME     ADDRESS  BYTES  LAST\n");
}

static void test_csv(void)
{
	EXPECT_TEXT(FORMAT_CSV, plain, 2,
		    "name,address,bytes,last\none,0x1000,4096,end\ntwo,0x0,0,\n");
	EXPECT_TEXT(FORMAT_CSV, empty, 2, "name,address,bytes,last\n,,,x\n,,1,\n");
	EXPECT_TEXT(FORMAT_CSV, extreme, 1,
		    "name,address,bytes,last\n"
		    "name longer than its column,0xffffffffffffffff,18446744073709551615,x\n");
	EXPECT_TEXT(FORMAT_CSV, hostile, 2,
		    "name,address,bytes,last\n"
		    "\"a,b\",0x1,1,\"say \"\"no\"\"\"\n"
		    "\"two\nlines\",0x1,1,\"\r\t\\\"\n");
	EXPECT_TEXT(FORMAT_CSV, NULL, 0, "name,address,bytes,last\n");
}

static void test_json(void)
{
	EXPECT_TEXT(FORMAT_JSON, plain, 2,
		    "[\n"
		    "{\"name\":\"one\",\"address\":\"0x1000\",\"bytes\":4096,\"last\":\"end\"},\n"
		    "{\"name\":\"two\",\"address\":\"0x0\",\"bytes\":0,\"last\":\"\"}\n"
		    "]\n");
	EXPECT_TEXT(FORMAT_JSON, empty, 2,
		    "[\n"
		    "{\"name\":\"\",\"address\":null,\"bytes\":null,\"last\":\"x\"},\n"
		    "{\"name\":null,\"address\":null,\"bytes\":1,\"last\":null}\n"
		    "]\n");
	EXPECT_TEXT(FORMAT_JSON, NULL, 0, "[\n]\n");
}

static void test_jsonl(void)
{
	EXPECT_TEXT(FORMAT_JSONL, extreme, 1,
		    "{\"name\":\"name longer than its column\",\"address\":\"0xffffffffffffffff\","
		    "\"bytes\":18446744073709551615,\"last\":\"x\"}\n");
	EXPECT_TEXT(
		FORMAT_JSONL, hostile, 4,
		"{\"name\":\"a,b\",\"address\":\"0x1\",\"bytes\":1,\"last\":\"say \\\"no\\\"\"}\n"
		"{\"name\":\"two\\u000alines\",\"address\":\"0x1\",\"bytes\":1,"
		"\"last\":\"\\u000d\\u0009\\\\\"}\n"
		"{\"name\":\"\\u00ff\\u00c3(\",\"address\":\"0x1\",\"bytes\":1,"
		"\"last\":\"\\u0001\\u001b[2J\\u007f\"}\n"
		"{\"name\":\"\\\"\",\"address\":\"0x1\",\"bytes\":1,\"last\":\"</x>\"}\n");
	EXPECT_TEXT(FORMAT_JSONL, NULL, 0, "");
}

/* A cell of each power of two, and its neighbours, as an independent printf() writes it. */
static void test_numbers(void)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		for (int around = -1; around <= 1; around++) {
			const uint64_t number = (1ULL << bit) + (uint64_t)around;
			const struct cell cells[] = { { .text = "" },
						      { .number = number },
						      { .number = number },
						      { .text = "" } };
			char should[128];

			snprintf(should, sizeof(should),
				 "name,address,bytes,last\n,0x%" PRIx64 ",%" PRIu64 ",\n", number,
				 number);
			EXPECT_TEXT(FORMAT_CSV, cells, 1, should);
		}
	}
}

/* Every byte but NUL in one text. */
static void all_bytes(char text[256])
{
	for (int i = 1; i < 256; i++)
		text[i - 1] = (char)i;
	text[255] = '\0';
}

/* Give @input to a python program; true when it ends with status 0. */
static bool python(const char *program, const char *input)
{
	char command[1024];

	snprintf(command, sizeof(command), "python3 -c '%s'", program);
	FILE *pipe = popen(command, "w");
	if (!pipe)
		return false;
	fputs(input, pipe);
	return pclose(pipe) == 0;
}

static void test_python(void)
{
	char bytes[256];
	const struct cell cells[] = {
		{ .text = bytes },   { .number = UINT64_MAX }, { .number = UINT64_MAX },
		{ .text = "\n\"," }, { .text = "" },	       { .empty = true },
		{ .empty = true },   { .text = "z" },
	};

	all_bytes(bytes);
	char *text = emit(FORMAT_JSON, &schema, cells, 2);
	CU_ASSERT_TRUE(python("import json, sys; d = json.load(sys.stdin); "
			      "b = \"\".join(map(chr, range(1, 256))); "
			      "assert d == [{\"name\": b, \"address\": \"0xffffffffffffffff\", "
			      "\"bytes\": 2**64 - 1, \"last\": \"\\n\\\",\"}, {\"name\": \"\", "
			      "\"address\": None, \"bytes\": None, \"last\": \"z\"}], d",
			      text));
	free(text);
	text = emit(FORMAT_JSONL, &schema, cells, 2);
	CU_ASSERT_TRUE(python("import json, sys; d = [json.loads(l) for l in sys.stdin]; "
			      "assert len(d) == 2 and d[0][\"bytes\"] == 2**64 - 1, d",
			      text));
	free(text);
	text = emit(FORMAT_JSON, &schema, NULL, 0);
	CU_ASSERT_TRUE(python("import json, sys; assert json.load(sys.stdin) == []", text));
	/* The checker itself can say no. */
	CU_ASSERT_FALSE(python("import json, sys\ntry: json.load(sys.stdin)\n"
			       "except ValueError: sys.exit(1)",
			       "[1,]"));
	free(text);
	text = emit(FORMAT_CSV, &schema, cells, 2);
	CU_ASSERT_TRUE(
		python("import csv, io, sys; "
		       "t = sys.stdin.buffer.read().decode(\"latin-1\"); "
		       "d = list(csv.reader(io.StringIO(t, newline=\"\"))); "
		       "b = \"\".join(map(chr, range(1, 256))); "
		       "assert d == [[\"name\", \"address\", \"bytes\", \"last\"], "
		       "[b, \"0xffffffffffffffff\", \"18446744073709551615\", \"\\n\\\",\"], "
		       "[\"\", \"\", \"\", \"z\"]], d",
		       text));
	free(text);
}

/* Rows beyond what is buffered, and one cell larger than the buffer. */
static void test_volume(void)
{
	enum { ROWS = 20000, LONG = 200000 };
	struct cell *cells = calloc(ROWS * 4, sizeof(*cells));
	char *text = malloc(LONG + 1);

	if (!cells || !text)
		abort();
	for (unsigned int i = 0; i < ROWS; i++) {
		cells[4 * i] = cell_text("n");
		cells[4 * i + 1] = cell_number(i);
		cells[4 * i + 2] = cell_number(i);
		cells[4 * i + 3] = cell_text("e");
	}
	memset(text, 'y', LONG);
	text[LONG] = '\0';
	cells[4 * 5] = cell_text(text);
	char *csv = emit(FORMAT_CSV, &schema, cells, ROWS);
	const char *at = strchr(csv, '\n') + 1;
	for (unsigned int i = 0; i < ROWS; i++) {
		char should[64];
		const char *end = strchr(at, '\n');

		if (i == 5) {
			EXPECT_NUMBER(strspn(at, "y"), LONG);
			at += LONG - 1;
		}
		snprintf(should, sizeof(should), "%s,0x%x,%u,e\n", i == 5 ? "y" : "n", i, i);
		if (!EXPECT(end && strncmp(at, should, strlen(should)) == 0, "row %u is %.40s", i,
			    at))
			break;
		at = end + 1;
	}
	CU_ASSERT_EQUAL(*at, '\0');
	free(csv);
	free(cells);
	free(text);
}

/* Many rows at once are what they are one by one, over every change of a number's width. */
static void test_rows(void)
{
	static const uint64_t firsts[] = { 0, 1, 9, 0xfff0, 99999, 0xffffff000, UINT64_MAX - 5000 };
	static const uint64_t steps[][4] = {
		{ 0, 0x1000, 1, 0 },	 { 0, 1, 0, 0 },
		{ 0, 0, 0, 0 },		 { 0, 0, 4096, 0 },
		{ 0, 7, 999, 0 },	 { 0, UINT64_MAX, UINT64_MAX, 0 },
		{ 0, 1ULL << 60, 3, 0 }, { 0, 1ULL << 33, 1ULL << 62, 0 },
	};
	enum { COUNT = 3000, KINDS = sizeof(steps) / sizeof(steps[0]) };
	struct cell one_by_one[COUNT][4];

	for (unsigned int round = 0; round < 4 * 7 * KINDS; round++) {
		const enum output_format format = round % 4;
		const uint64_t *step = steps[round / 28];
		const uint64_t first = firsts[round / 4 % 7];
		char *many = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&many, &size);
		struct emitter *emitter = NULL;
		struct cell cells[] = { { .text = round % 3 ? "name" : "a,\"b" },
					{ .number = first },
					{ .number = first, .empty = round % 5 == 0 },
					{ .text = "end" } };

		for (unsigned int i = 0; i < COUNT; i++) {
			memcpy(one_by_one[i], cells, sizeof(cells));
			for (unsigned int j = 1; j < 3; j++)
				one_by_one[i][j].number += i * step[j];
		}
		if (!out || !EXPECT_NO_ERROR(emitter_create(out, format, &schema, &emitter)))
			abort();
		EXPECT_NO_ERROR(emitter_rows(emitter, cells, step, 1));
		EXPECT_NO_ERROR(emitter_rows(emitter, cells, step, COUNT - 1));
		EXPECT_NO_ERROR(emitter_rows(emitter, cells, step, 0));
		EXPECT_NUMBER(cells[1].number, first + COUNT * step[1]);
		EXPECT_NO_ERROR(emitter_finish(emitter));
		emitter_destroy(emitter);
		fclose(out);
		char *should = emit(format, &schema, one_by_one[0], COUNT);
		EXPECT(strcmp(many, should) == 0, "round %u: differs", round);
		free(should);
		free(many);
	}
}

/* Of a command that ends early the rows so far are there, and nothing is closed. */
static void test_give_up(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct emitter *emitter = NULL;

	if (!out || !EXPECT_NO_ERROR(emitter_create(out, FORMAT_JSON, &schema, &emitter)))
		abort();
	emitter_give_up(emitter);
	EXPECT_NUMBER(size, 0);
	EXPECT_NO_ERROR(emitter_row(emitter, plain));
	emitter_give_up(emitter);
	EXPECT(strcmp(text, "[\n{\"name\":\"one\",\"address\":\"0x1000\",\"bytes\":4096,"
			    "\"last\":\"end\"}") == 0,
	       "is: %s", text);
	emitter_destroy(emitter);
	fclose(out);
	free(text);
}

/* A full disk is an error, not silence. */
static void test_full_disk(void)
{
	FILE *out = fopen("/dev/full", "w");
	struct emitter *emitter = NULL;

	if (!out)
		return;
	EXPECT_NO_ERROR(emitter_create(out, FORMAT_CSV, &schema, &emitter));
	EXPECT_NO_ERROR(emitter_row(emitter, plain));
	EXPECT_ERROR(emitter_finish(emitter), "No space left");
	emitter_destroy(emitter);
	/* Rows without end: the first write that fails ends them. */
	struct cell cells[4];

	memcpy(cells, plain, sizeof(cells));
	EXPECT_NO_ERROR(emitter_create(out, FORMAT_CSV, &schema, &emitter));
	EXPECT_NO_ERROR(emitter_row(emitter, plain));
	EXPECT_ERROR(emitter_rows(emitter, cells, (uint64_t[]){ 0, 0, 0, 0 }, 1ULL << 62),
		     "No space left");
	emitter_destroy(emitter);
	fclose(out);
}

static void test_names(void)
{
	static const char *const names[] = { "text", "csv", "json", "jsonl" };
	enum output_format format = FORMAT_TEXT;

	for (int i = 0; i < 4; i++) {
		CU_ASSERT_TRUE(output_format_find(names[i], &format));
		CU_ASSERT_EQUAL(format, (enum output_format)i);
	}
	CU_ASSERT_FALSE(output_format_find("", &format));
	CU_ASSERT_FALSE(output_format_find("xml", &format));
	CU_ASSERT_FALSE(output_format_find("jso", &format));
	CU_ASSERT_FALSE(output_format_find("CSV", &format));
}

static void expect_header(const struct schema *of, const char *name, const char *should)
{
	char *csv = emit(FORMAT_CSV, of, NULL, 0);

	CU_ASSERT_STRING_EQUAL(of->name, name);
	EXPECT(strcmp(csv, should) == 0, "%s: header is %s", name, csv);
	for (size_t i = 0; i < of->count; i++)
		EXPECT(of->columns[i].description && of->columns[i].description[0],
		       "%s: column %s is not described", name, of->columns[i].name);
	free(csv);
}

/* Scripts depend on these: design.md, "CSV columns". */
static void test_contract(void)
{
	expect_header(&schema_pagemap, "pagemap",
		      "space,iova,length,phys,page_size,perm,attrs,page_state\n");
	expect_header(&schema_list, "list",
		      "space,kind,view,format,root,levels,granule,stage,owner,devices,table_pages,"
		      "table_bytes,mapped_bytes,unknown_tables\n");
	expect_header(&schema_walk, "walk", "level,table,index,entry_addr,value,meaning\n");
	CU_ASSERT_EQUAL(schema_pagemap.columns[1].type, COLUMN_ADDRESS);
	CU_ASSERT_EQUAL(schema_pagemap.columns[2].type, COLUMN_NUMBER);
	CU_ASSERT_EQUAL(schema_pagemap.columns[3].type, COLUMN_ADDRESS);
	CU_ASSERT_EQUAL(schema_pagemap.columns[4].type, COLUMN_NUMBER);
	CU_ASSERT_EQUAL(schema_list.columns[4].type, COLUMN_ADDRESS);
	CU_ASSERT_EQUAL(schema_walk.columns[3].type, COLUMN_ADDRESS);
}

void suite_emitter(void)
{
	CU_pSuite suite = CU_add_suite("emitter", NULL, NULL);

	CU_add_test(suite, "text", test_text);
	CU_add_test(suite, "CSV", test_csv);
	CU_add_test(suite, "JSON", test_json);
	CU_add_test(suite, "JSON Lines", test_jsonl);
	CU_add_test(suite, "numbers and addresses", test_numbers);
	CU_add_test(suite, "python reads it back", test_python);
	CU_add_test(suite, "more than a buffer", test_volume);
	CU_add_test(suite, "full disk", test_full_disk);
	CU_add_test(suite, "many rows", test_rows);
	CU_add_test(suite, "early end", test_give_up);
	CU_add_test(suite, "names of output formats", test_names);
	CU_add_test(suite, "columns of the contract", test_contract);
}
