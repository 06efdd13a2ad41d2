// SPDX-License-Identifier: GPL-3.0-or-later
// gdb prints one member a line, behind a comment with its place:
//
//	/* offset    |  size */  type = struct page {
//	/*    0      |     8 */    unsigned long flags;
//	/*    8      |    40 */    union {
//	/*                40 */        struct {             a member of a union: no offset
//	...
//	/*   60: 1   |     4 */    unsigned int in_sysfs : 1;        byte, and bit in that byte
//	/* XXX  4-byte hole  */
//	                               /* total size (bytes):   40 */
//	                           };                       or "} name;"
//
// Offsets count from the outermost structure. gdb 10 and 16 differ in column widths only;
// `set print type hex on` writes 0x in front.
#include "extension/gdb_layout.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"

enum { LAYOUT_DEPTH = 32 };

struct gdb_member {
	char *name; /* NULL: anonymous */
	char *type; /* NULL: its members follow, or it is no structure that could have any */
	uint32_t offset;
	uint32_t size;
	uint8_t bit; /* of a bit-field: least significant bit, counted from `offset` */
	uint8_t bits;
	bool nested; /* opened a brace */
	bool plain;  /* not an array or a pointer: a path may go on into it */
	size_t end;  /* index behind its last descendant */
};

struct gdb_layout {
	struct gdb_member *members; /* each before its own members */
	size_t count;
	uint32_t size;
	bool complete;
};

struct parser {
	struct gdb_layout *layout;
	size_t open[LAYOUT_DEPTH]; /* nested members not closed yet */
	unsigned int depth;	   /* 0: before the outermost brace or behind it */
};

/* What the comment in front of a line says. */
struct place {
	bool has_offset, has_size, has_bit;
	uint32_t offset, size, bit;
};

/* "46: 0 |  1", "8 | 40" or "40"; anything else ("XXX 4-byte hole") says nothing. */
static struct place parse_place(const char *comment)
{
	struct place place = { 0 };
	char *end = NULL;
	uint32_t first = (uint32_t)strtoul(comment, &end, 0);

	if (end == comment)
		return place;
	if (*end == ':') {
		place.has_bit = true;
		place.bit = (uint32_t)strtoul(end + 1, &end, 0);
	}
	end += strspn(end, " ");
	if (*end != '|') {
		place.has_size = strncmp(end, "*/", 2) == 0;
		place.size = first;
		return place;
	}
	place.has_offset = true;
	place.offset = first;
	place.has_size = true;
	place.size = (uint32_t)strtoul(end + 1, NULL, 0);
	return place;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The declared name in "const char *name", "u8 map[16]", "void (*release)(void *)". */
static const char *find_name(const char *code, size_t *len)
{
	const char *at = strstr(code, "(*");
	const char *end = NULL;

	if (at) {
		at += strspn(at, "(* ");
		end = at;
		while (is_name(*end))
			end++;
	} else {
		end = code + strcspn(code, code[0] == '}' ? "[:;" : "[;");
		/* In "enum {A, B} name : 2" as in "int name : 2" the colon ends the name. */
		for (const char *colon = code; colon < end; colon++) {
			if (*colon == ':' && colon[1] == ' ')
				end = colon;
		}
		while (end > code && end[-1] == ' ')
			end--;
		at = end;
		while (at > code && is_name(at[-1]))
			at--;
	}
	*len = (size_t)(end - at);
	return at;
}

/* "refcount_t" of "const refcount_t count;": the type that ptype can be asked for. */
static char *type_of(const char *code, const char *name)
{
	static const char *const qualifiers[] = { "const ", "volatile " };

	for (size_t i = 0; i < sizeof(qualifiers) / sizeof(qualifiers[0]); i++) {
		const size_t len = strlen(qualifiers[i]);

		if (strncmp(code, qualifiers[i], len) == 0)
			code += len;
	}
	while (name > code && name[-1] == ' ')
		name--;
	return strndup(code, (size_t)(name - code));
}

static struct gdb_member *add_member(struct gdb_layout *layout)
{
	if ((layout->count & (layout->count - 1)) == 0) {
		const size_t room = layout->count ? layout->count * 2 : 1;
		struct gdb_member *members = realloc(layout->members, room * sizeof(*members));

		if (!members)
			return NULL;
		layout->members = members;
	}
	struct gdb_member *member = &layout->members[layout->count++];
	*member = (struct gdb_member){ .end = layout->count };
	return member;
}

static struct error *set_name(struct gdb_member *member, const char *code)
{
	size_t len = 0;
	const char *name = find_name(code, &len);

	member->plain = !strpbrk(name + len, "[:(") && !(name > code && name[-1] == '*');
	if (len == 0)
		return NULL;
	member->name = strndup(name, len);
	if (member->name && !member->nested && member->plain) {
		member->type = type_of(code, name);
		if (!member->type)
			return error_no_memory();
	}
	return member->name ? NULL : error_no_memory();
}

/*
 * gdb names the byte that holds the first bit; the storage unit is where the declared type
 * would lie. A packed field may cross its unit: then the bytes that it touches are the unit.
 */
static void set_bits(struct gdb_member *member, const char *code, const struct place *place)
{
	const char *colon = strrchr(code, ':');
	const uint32_t unit = member->size ? member->size : 1;
	const uint32_t within = member->offset % unit;

	if (!colon || colon[1] != ' ' || !isdigit((unsigned char)colon[2]))
		return;
	member->bits = (uint8_t)strtoul(colon + 1, NULL, 10);
	member->bit = (uint8_t)(within * 8 + place->bit);
	member->offset -= within;
	if (member->bit + member->bits > unit * 8) {
		member->offset += within;
		member->bit = (uint8_t)place->bit;
		member->size = (place->bit + member->bits + 7) / 8;
	}
}

static struct error *parse_member(struct parser *parser, const char *code,
				  const struct place *place)
{
	const uint32_t inherited =
		parser->depth > 1 ? parser->layout->members[parser->open[parser->depth - 1]].offset
				  : 0;
	struct gdb_member *member = add_member(parser->layout);

	if (!member)
		return error_no_memory();
	member->offset = place->has_offset ? place->offset : inherited;
	member->size = place->size;
	if (code[strlen(code) - 1] == '{') {
		member->nested = true;
		if (parser->depth == LAYOUT_DEPTH)
			return error_new("gdb shows structures nested deeper than %d; report the "
					 "kernel's version",
					 LAYOUT_DEPTH);
		parser->open[parser->depth++] = parser->layout->count - 1;
		return NULL;
	}
	struct error *err = set_name(member, code);
	if (!err)
		set_bits(member, code, place);
	return err;
}

static struct error *parse_close(struct parser *parser, const char *code)
{
	if (--parser->depth == 0) {
		parser->layout->complete = true;
		return NULL;
	}
	struct gdb_member *member = &parser->layout->members[parser->open[parser->depth]];
	member->end = parser->layout->count;
	return set_name(member, code);
}

/* One line without its final newline; @line may be changed. */
static struct error *parse_line(struct parser *parser, char *line)
{
	static const char total[] = "/* total size (bytes):";
	char *code = line + strspn(line, " ");
	struct place place = { 0 };

	if (strncmp(code, total, strlen(total)) == 0) {
		if (parser->depth == 1)
			parser->layout->size = (uint32_t)strtoul(code + strlen(total), NULL, 0);
		return NULL;
	}
	if (strncmp(code, "/*", 2) == 0) {
		char *end = strstr(code, "*/");

		if (!end)
			return NULL;
		place = parse_place(code + 2);
		code = end + 2;
		code += strspn(code, " ");
	}
	for (size_t len = strlen(code); len && code[len - 1] == ' '; len--)
		code[len - 1] = '\0';
	if (parser->depth == 0) {
		const size_t len = strlen(code);

		if (strncmp(code, "type = ", 7) == 0 && code[len - 1] == '{')
			parser->depth = 1;
		return NULL;
	}
	if (code[0] == '}')
		return parse_close(parser, code);
	return place.has_size && code[0] ? parse_member(parser, code, &place) : NULL;
}

struct error *gdb_layout_parse(const char *text, size_t len, struct gdb_layout **ret)
{
	struct gdb_layout *layout = calloc(1, sizeof(*layout));
	struct parser parser = { .layout = layout };
	char *copy = strndup(text, len);
	char *rest = copy;
	struct error *err = NULL;

	*ret = NULL;
	if (!layout || !copy) {
		free(copy);
		free(layout);
		return error_no_memory();
	}
	for (char *line = NULL; !err && !layout->complete && (line = strsep(&rest, "\n"));)
		err = parse_line(&parser, line);
	free(copy);
	if (!err && layout->complete && layout->count) {
		*ret = layout;
		return NULL;
	}
	gdb_layout_destroy(layout);
	return err;
}

void gdb_layout_destroy(struct gdb_layout *layout)
{
	if (!layout)
		return;
	for (size_t i = 0; i < layout->count; i++) {
		free(layout->members[i].name);
		free(layout->members[i].type);
	}
	free(layout->members);
	free(layout);
}

static enum gdb_layout_answer find_within(const struct gdb_layout *layout, size_t from, size_t to,
					  const char *path, struct member *ret, const char **type,
					  const char **rest)
{
	const size_t len = strcspn(path, ".");

	for (size_t i = from; i < to; i = layout->members[i].end) {
		const struct gdb_member *member = &layout->members[i];
		enum gdb_layout_answer answer = LAYOUT_ABSENT;

		if (!member->name) {
			answer = find_within(layout, i + 1, member->end, path, ret, type, rest);
			if (answer != LAYOUT_ABSENT)
				return answer;
			continue;
		}
		if (strncmp(member->name, path, len) != 0 || member->name[len])
			continue;
		*ret = (struct member){
			.present = true,
			.offset = member->offset,
			.size = member->size,
			.bit_offset = member->bit,
			.bit_size = member->bits,
		};
		if (!path[len])
			return LAYOUT_FOUND;
		*rest = path + len + 1;
		*type = member->type;
		if (member->nested && member->plain)
			return find_within(layout, i + 1, member->end, *rest, ret, type, rest);
		return member->type ? LAYOUT_ELSEWHERE : LAYOUT_ABSENT;
	}
	return LAYOUT_ABSENT;
}

enum gdb_layout_answer gdb_layout_find(const struct gdb_layout *layout, const char *path,
				       struct member *ret, const char **type, const char **rest)
{
	if (path)
		return find_within(layout, 0, layout->count, path, ret, type, rest);
	*ret = (struct member){ .present = true, .size = layout->size };
	return LAYOUT_FOUND;
}
