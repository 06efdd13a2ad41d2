// SPDX-License-Identifier: GPL-3.0-or-later
/* Everybody who maps a page of physical memory: the question turned round. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/map_index.h"
#include "reports/reverse_map.h"
#include "reports/selection.h"
#include "target/error.h"
#include "walkers/pages.h"

static const struct column columns[] = {
	{ "space", COLUMN_TEXT, 14,
	  "the address space, of several that share a table the first; can be used as a TARGET" },
	{ "iova", COLUMN_ADDRESS, 18, "first input address (IOVA, GPA or VA)" },
	{ "length", COLUMN_NUMBER, 8, "bytes" },
	{ "phys", COLUMN_ADDRESS, 14, "first output address: what was asked for, or a part of it" },
	{ "perm", COLUMN_TEXT, 4, "what hardware allows, as in pagemap" },
	{ "devices", COLUMN_TEXT, 12, "devices that translate by this table, joined by |" },
	{ "owner", COLUMN_TEXT, 30, "whose space it is: words as in list, of all that share it" },
	{ "page_size", COLUMN_NUMBER, 10,
	  "bytes that the leaf entry maps; empty where no table is in the way" },
	{ "attrs", COLUMN_TEXT, 12, "as in pagemap; passthrough: the device reaches all memory" },
	{ "page_state", COLUMN_TEXT, 10,
	  "what the kernel uses the page for, as in pagemap --state; table: also one of the tables "
	  "that were walked" },
};

enum { SPACE, IOVA, LENGTH, PHYS, PERM, DEVICES, OWNER, PAGE_SIZE, ATTRS, PAGE_STATE, COLUMNS };

const struct schema schema_find = { "find", columns, COLUMNS };

/* What is looked for. */
struct query {
	struct extent *extents;
	size_t count;
	size_t room;
	unsigned int page_shift;
	struct pages *pages; /* NULL: struct pages cannot be read */
};

static struct error *add_extent(struct query *query, uint64_t start, uint64_t last)
{
	if (query->count == query->room) {
		const size_t room = query->room ? query->room * 2 : 16;
		struct extent *larger = realloc(query->extents, room * sizeof(*larger));

		if (!larger)
			return error_no_memory();
		query->extents = larger;
		query->room = room;
	}
	query->extents[query->count++] = (struct extent){ start, last, false };
	return NULL;
}

static struct error *add_page(struct query *query, uint64_t phys)
{
	const uint64_t mask = (1ULL << query->page_shift) - 1;

	return add_extent(query, phys & ~mask, phys | mask);
}

/* pfn:N and pfn:N-M, in pages as RANGE is in bytes. */
static struct error *add_frames(struct query *query, const char *text)
{
	const unsigned int shift = query->page_shift;
	struct range range;
	struct error *err = range_parse(text, &range);

	if (!err && range.last > UINT64_MAX >> shift)
		err = error_new("'pfn:%s' is beyond 64 bits of physical address", text);
	return err ? err
		   : add_extent(query, range.start << shift,
				range.last << shift | ((1ULL << shift) - 1));
}

/* page:ADDR, the address of a struct page. */
static struct error *add_struct_page(struct query *query, const char *text)
{
	uint64_t address = 0;
	uint64_t phys = 0;
	struct error *err = address_parse(text, &address);

	if (err)
		return err;
	if (!query->pages)
		return error_new("page:%s: it is not known where this kernel's struct pages are",
				 text);
	if (!page_phys(query->pages, address, &phys))
		return error_new("page:%s: is not the address of a struct page of this kernel",
				 text);
	return add_page(query, phys);
}

/* +LENGTH: so many bytes from the start of the word before. */
static struct error *lengthen(struct query *query, const char *text)
{
	struct extent *extent = query->count ? &query->extents[query->count - 1] : NULL;
	uint64_t length = 0;
	struct error *err = address_parse(text + 1, &length);

	if (err)
		return err;
	if (!extent)
		return error_new("'%s': a length goes behind an address", text);
	if (length == 0 || extent->start + (length - 1) < extent->start)
		return error_new("'%s': is empty or runs past the end of 64 bits", text);
	extent->last = extent->start + (length - 1);
	return NULL;
}

static struct error *add_word(struct query *query, const char *word)
{
	struct range range;

	if (strncmp(word, "pfn:", 4) == 0)
		return add_frames(query, word + 4);
	if (strncmp(word, "page:", 5) == 0)
		return add_struct_page(query, word + 5);
	if (word[0] == '+')
		return lengthen(query, word);
	struct error *err = range_parse(word, &range);
	if (err) {
		error_free(err);
		return error_new("'%s' is no physical memory; give PHYS, START-END (END not "
				 "included), START+LENGTH, pfn:N, page:STRUCT_PAGE or @FILE",
				 word);
	}
	return range.one_address ? add_page(query, range.start)
				 : add_extent(query, range.start, range.last);
}

/* @FILE, or - for standard input: more such words. */
static struct error *add_file(struct query *query, const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char word[256];
	struct error *err = file ? NULL : error_new("@%s: cannot be opened", path);

	while (!err && fscanf(file, "%255s", word) == 1)
		err = add_word(query, word);
	if (file && file != stdin)
		fclose(file);
	return err;
}

static struct error *query_init(struct query *query, struct session *session, int count,
				char **words)
{
	struct error *err = session_pages(session, &query->pages);

	/* Who maps a page can be told without them. */
	if (err && session->kernel) {
		session_message(session, "warning: %s", err->message);
		error_free(err);
		err = NULL;
	}
	query->page_shift = query->pages ? pages_shift(query->pages) : 12;
	for (int i = 0; i < count && !err; i++) {
		if (words[i][0] == '@' || strcmp(words[i], "-") == 0)
			err = add_file(query, words[i][0] == '@' ? words[i] + 1 : words[i]);
		else
			err = add_word(query, words[i]);
	}
	if (!err && query->count == 0)
		err = error_new("find: there is no address in what was given");
	if (!err)
		query->count = extents_sort(query->extents, query->count);
	return err;
}

/* What rows are made of. */
struct find {
	struct session *session;
	struct emitter *emitter;
	const struct reverse_map *map;
	struct query *query;
	bool any_table; /* a page that was asked for is one of the tables */
};

/* The pages from @phys on, up to @last, of one state; with no struct pages, all of them. */
static uint64_t look(const struct find *find, uint64_t phys, uint64_t last, struct page_info *info)
{
	struct pages *pages = find->query->pages;
	const uint64_t page_last = phys | ((1ULL << find->query->page_shift) - 1);

	*info = (struct page_info){ 0 };
	if (!pages)
		return last - phys + 1;
	if (!find->any_table)
		return page_look_run(pages, phys, last, info);
	page_look(pages, phys, info);
	for (size_t i = 0; i < find->map->run_count; i++) {
		const struct map_run *run = &find->map->runs[i];

		if (run->is_table && phys >= run->phys && phys - run->phys < run->length)
			info->state = (info->state & ~(uint32_t)PAGE_KERNEL) | PAGE_TABLE;
	}
	return (page_last < last ? page_last : last) - phys + 1;
}

static struct error *emit_part(const struct find *find, const struct map_run *run,
			       const struct page_info *info)
{
	const struct map_owner *owner = &find->map->owners[run->owner];
	const struct pt_geometry geometry = { .format = owner->format,
					      .dirty_tracking = owner->dirty_tracking };
	char perm[4];
	char attrs[128] = "passthrough";
	char state[PAGE_STATE_TEXT];

	pt_permission_text(run->perm, perm);
	page_state_text(info, state);
	if (owner->format)
		pt_attributes_text(&geometry, run->attrs, attrs, sizeof(attrs));
	const struct cell cells[COLUMNS] = {
		[SPACE] = cell_text(owner->space),
		[IOVA] = cell_number(run->iova),
		[LENGTH] = cell_number(run->length),
		[PHYS] = cell_number(run->phys),
		[PERM] = cell_text(perm),
		[DEVICES] = cell_text(owner->devices),
		[OWNER] = cell_text(owner->owner),
		[PAGE_SIZE] = owner->format ? cell_number(1ULL << run->size_lg2) : cell_empty(),
		[ATTRS] = cell_text(attrs),
		[PAGE_STATE] = cell_text(state),
	};

	return emitter_row(find->emitter, cells);
}

static struct error *emit_run(const struct find *find, const struct map_run *run)
{
	const uint64_t last = run->phys + (run->length - 1);
	struct map_run part = *run;
	struct page_info info;
	struct error *err = NULL;

	if (run->is_table || (find->session->options.writable && !(run->perm & PT_W)))
		return NULL;
	for (uint64_t done = 0; done < run->length && !err; done += part.length) {
		part.phys = run->phys + done;
		part.iova = run->iova + done;
		part.length = look(find, part.phys, last, &info);
		err = emit_part(find, &part, &info);
	}
	return err;
}

/* A device that is passed through reaches all that was asked for: neighbours are one row. */
static struct error *emit_passthrough(const struct find *find, uint32_t index)
{
	/* A range may be all memory: states are only told of so much. */
	static const uint64_t states_max = 64ULL << 20;
	const uint64_t end = find->map->owners[index].last_address;
	const struct extent *extents = find->query->extents;
	struct error *err = NULL;

	for (size_t i = 0; i < find->query->count && extents[i].start <= end && !err; i++) {
		const uint64_t start = extents[i].start;

		while (i + 1 < find->query->count && extents[i + 1].start == extents[i].last + 1 &&
		       extents[i + 1].start <= end)
			i++;
		const struct map_run run = {
			.phys = start,
			.iova = start,
			.length = (extents[i].last < end ? extents[i].last : end) - start + 1,
			.owner = index,
			.perm = PT_R | PT_W,
		};
		const struct page_info none = { 0 };

		err = run.length <= states_max ? emit_run(find, &run)
					       : emit_part(find, &run, &none);
	}
	return err;
}

static struct error *emit_all(const struct find *find)
{
	const struct reverse_map *map = find->map;
	struct error *err = NULL;
	size_t at = 0;

	for (uint32_t owner = 0; owner < map->owner_count && !err; owner++) {
		if (map->owners[owner].passthrough)
			err = emit_passthrough(find, owner);
		for (; at < map->run_count && map->runs[at].owner == owner && !err; at++)
			err = emit_run(find, &map->runs[at]);
	}
	return err;
}

/* A page that is itself a table is worth a line, whoever maps it. */
static void report_tables(struct find *find)
{
	enum { LINES_MAX = 10 };
	const uint64_t count = reverse_map_count_tables(find->map);
	struct map_run table = { 0 };

	find->any_table = count != 0;
	for (size_t i = 0; i < LINES_MAX && reverse_map_next_table(find->map, &table); i++)
		session_message(find->session, "0x%" PRIx64 " is a page table of %s (level %u)",
				table.phys, find->map->owners[table.owner].space, table.size_lg2);
	if (count > LINES_MAX)
		session_message(find->session, "and %" PRIu64 " more page tables",
				count - LINES_MAX);
}

/* That nobody maps a page is an answer, too. */
static void report_unmapped(const struct find *find)
{
	const struct query *query = find->query;
	const struct extent *first = NULL;
	size_t unmapped = 0;
	char state[PAGE_STATE_TEXT] = "";

	for (size_t i = 0; i < query->count; i++) {
		if (query->extents[i].found)
			continue;
		if (unmapped++ == 0)
			first = &query->extents[i];
	}
	if (unmapped == 0)
		return;
	struct page_info info;
	look(find, first->start, first->start, &info);
	page_state_text(&info, state);
	if (query->count == 1)
		session_message(find->session, "0x%" PRIx64 ": nobody maps it%s%s", first->start,
				state[0] ? "; page state: " : "", state);
	else
		session_message(find->session,
				"nobody maps %zu of %zu extents; the first: 0x%" PRIx64
				" (page state: %s)",
				unmapped, query->count, first->start, state);
}

/* With an index: from the file, which is made of everything when it is not there yet. */
static struct error *use_index(struct session *session, struct query *query,
			       struct reverse_map *map)
{
	const char *path = session->options.index;
	struct kernel *kernel = session->kernel;
	struct extent everything = { 0, UINT64_MAX, false };
	bool found = false;
	struct error *err = map_index_load(path, kernel_memory(kernel), kernel_release(kernel),
					   query->extents, query->count, map, &found);

	if (err || found)
		return err;
	err = reverse_map_init(map, session, &everything, 1);
	if (!err)
		err = map_index_write(path, kernel_memory(kernel), kernel_release(kernel), map);
	reverse_map_deinit(map);
	*map = (struct reverse_map){ 0 };
	return err ? err
		   : map_index_load(path, kernel_memory(kernel), kernel_release(kernel),
				    query->extents, query->count, map, &found);
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct query query = { 0 };
	struct reverse_map map = { 0 };
	struct find find = { .session = session, .emitter = emitter, .map = &map, .query = &query };
	struct error *err = query_init(&query, session, count, words);

	(void)status;
	if (!err)
		err = session->options.index
			      ? use_index(session, &query, &map)
			      : reverse_map_init(&map, session, query.extents, query.count);
	if (!err) {
		report_tables(&find);
		err = emit_all(&find);
	}
	if (!err)
		report_unmapped(&find);
	if (!err && map.unknown)
		session_message(session,
				"%" PRIu64 " tables or spaces could not be read: who else maps it "
				"is unknown",
				map.unknown);
	reverse_map_deinit(&map);
	free(query.extents);
	return err;
}

const struct command command_find = {
	.name = "find",
	.arguments = "PHYS|pfn:N|page:ADDR [RANGE]",
	.summary = "everybody who maps physical memory",
	.description =
		"Prints who maps a page: every device, PASID, virtual machine and process whose table "
		"leads there, at which input address and with what permissions. A table that several "
		"devices share is walked once and has one row. A device that is passed through reaches "
		"everything and has a row, too. What software alone knows (a domain without devices) "
		"is searched as well.\n"
		"\n"
		"Each word is a part of physical memory: PHYS, the page that holds it; START-END (END "
		"not included), START..END or START+LENGTH; pfn:N or pfn:N-M, counted in pages; "
		"page:ADDR, by its struct page; +LENGTH behind any of them: so many bytes from there; "
		"@FILE, or - for standard input: a file of such words. There may be thousands: all are "
		"looked for in one walk. Rows are ordered by space, then by input address.\n"
		"\n"
		"That nobody maps it is said on stderr, with the state of the page, and is no failure. "
		"So are tables that are not in the dump: then somebody else may map it. With --index "
		"FILE the reverse map of everything is kept in FILE; an index of another dump is refused.",
	.options = OPTION_FORMAT | OPTION_OUTPUT | OPTION_FIND,
	.arguments_min = 1,
	.arguments_max = 1 << 20,
	.schema = &schema_find,
	.run = run,
};
