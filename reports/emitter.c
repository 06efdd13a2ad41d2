// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/emitter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/error.h"

/*
 * Rows are put together in a buffer without printf: a dump may have millions of
 * them. A row is bounded by its texts; ROW_ROOM is kept free for the numbers.
 */
enum { BUFFER_BYTES = 1 << 16, NUMBER_ROOM = 24 };

struct emitter {
	FILE *out;
	const struct schema *schema;
	const struct emitter_ops *ops;
	emitter_sink *sink; /* NULL: rows are written to `out` */
	void *sink_arg;
	bool line_buffered;
	bool begun;
	bool any_row;
	size_t text_columns;
	size_t used;
	char buffer[BUFFER_BYTES];
};

struct emitter_ops {
	const char *name;
	void (*begin)(struct emitter *emitter);
	void (*row)(struct emitter *emitter, const struct cell *cells);
	void (*end)(struct emitter *emitter);
};

static void flush_buffer(struct emitter *emitter)
{
	/* A failure stays in the stream's error flag; emitter_row() looks at it. */
	if (emitter->used)
		fwrite(emitter->buffer, 1, emitter->used, emitter->out);
	emitter->used = 0;
}

static void put_bytes(struct emitter *emitter, const char *bytes, size_t len)
{
	while (len) {
		if (emitter->used == BUFFER_BYTES)
			flush_buffer(emitter);
		size_t room = BUFFER_BYTES - emitter->used;
		size_t piece = len < room ? len : room;

		memcpy(emitter->buffer + emitter->used, bytes, piece);
		emitter->used += piece;
		bytes += piece;
		len -= piece;
	}
}

static void put_text(struct emitter *emitter, const char *text)
{
	put_bytes(emitter, text, strlen(text));
}

static void put_char(struct emitter *emitter, char c)
{
	put_bytes(emitter, &c, 1);
}

static size_t format_number(char *text, uint64_t number)
{
	char digits[NUMBER_ROOM];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	for (size_t i = 0; i < n; i++)
		text[i] = digits[n - 1 - i];
	return n;
}

static size_t format_address(char *text, uint64_t number)
{
	static const char hex[] = "0123456789abcdef";
	unsigned int nibbles = number ? (67U - (unsigned int)__builtin_clzll(number)) / 4 : 1;

	text[0] = '0';
	text[1] = 'x';
	for (unsigned int i = 0; i < nibbles; i++)
		text[2 + i] = hex[number >> (4 * (nibbles - 1 - i)) & 0xf];
	return 2 + nibbles;
}

/* A cell's plain text: @room holds numbers. Returns its length, *ret where it is. */
static size_t plain(const struct column *column, const struct cell *cell, char *room,
		    const char **ret)
{
	*ret = room;
	if (cell->empty)
		return 0;
	if (column->type == COLUMN_TEXT) {
		*ret = cell->text ? cell->text : "";
		return strlen(*ret);
	}
	if (column->type == COLUMN_ADDRESS)
		return format_address(room, cell->number);
	if (column->type == COLUMN_SIGNED && (int64_t)cell->number < 0) {
		room[0] = '-';
		return 1 + format_number(room + 1, -cell->number);
	}
	return format_number(room, cell->number);
}

/* What a terminal might act upon: names come from the dump. */
static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static void text_cell(struct emitter *emitter, size_t i, const char *value, size_t len)
{
	const struct column *column = &emitter->schema->columns[i];
	bool last = i + 1 == emitter->text_columns;

	if (len == 0 && !last) {
		value = "-";
		len = 1;
	}
	if (column->type == COLUMN_TEXT) {
		for (size_t at = 0; at < len; at++) {
			if (is_control(value[at]))
				put_char(emitter, '?');
			else
				put_char(emitter, value[at]);
		}
		for (size_t pad = len; pad < column->width && !last; pad++)
			put_char(emitter, ' ');
	} else {
		for (size_t pad = len; pad < column->width; pad++)
			put_char(emitter, ' ');
		put_bytes(emitter, value, len);
	}
	put_text(emitter, last ? "\n" : "  ");
}

static void text_begin(struct emitter *emitter)
{
	for (size_t i = 0; i < emitter->text_columns; i++) {
		char upper[64];
		size_t n = 0;

		for (const char *c = emitter->schema->columns[i].name; *c && n < sizeof(upper); c++)
			upper[n++] = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
		text_cell(emitter, i, upper, n);
	}
}

static void text_row(struct emitter *emitter, const struct cell *cells)
{
	for (size_t i = 0; i < emitter->text_columns; i++) {
		char room[NUMBER_ROOM];
		const char *value = NULL;
		size_t len = plain(&emitter->schema->columns[i], &cells[i], room, &value);

		text_cell(emitter, i, value, len);
	}
}

static void nothing(struct emitter *emitter)
{
	(void)emitter;
}

static void csv_begin(struct emitter *emitter)
{
	for (size_t i = 0; i < emitter->schema->count; i++) {
		put_text(emitter, i ? "," : "");
		put_text(emitter, emitter->schema->columns[i].name);
	}
	put_char(emitter, '\n');
}

/* RFC 4180: quotes only where they are needed. */
static void csv_value(struct emitter *emitter, const char *value, size_t len)
{
	bool quote = false;

	for (size_t i = 0; i < len; i++)
		quote |= value[i] == ',' || value[i] == '"' || value[i] == '\n' || value[i] == '\r';
	if (!quote) {
		put_bytes(emitter, value, len);
		return;
	}
	put_char(emitter, '"');
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '"')
			put_char(emitter, '"');
		put_char(emitter, value[i]);
	}
	put_char(emitter, '"');
}

static void csv_row(struct emitter *emitter, const struct cell *cells)
{
	for (size_t i = 0; i < emitter->schema->count; i++) {
		char room[NUMBER_ROOM];
		const char *value = NULL;
		size_t len = plain(&emitter->schema->columns[i], &cells[i], room, &value);

		if (i)
			put_char(emitter, ',');
		csv_value(emitter, value, len);
	}
	put_char(emitter, '\n');
}

/*
 * RFC 8259 strings. Kernel names may hold any byte: what is not printable ASCII is written as
 * \u00XX, which keeps the output valid whatever the dump says.
 */
static void json_string(struct emitter *emitter, const char *value, size_t len)
{
	put_char(emitter, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c == '"' || c == '\\') {
			put_char(emitter, '\\');
			put_char(emitter, (char)c);
		} else if (c < 0x20 || c > 0x7e) {
			char escaped[8];

			snprintf(escaped, sizeof(escaped), "\\u%04x", c);
			put_text(emitter, escaped);
		} else {
			put_char(emitter, (char)c);
		}
	}
	put_char(emitter, '"');
}

static void json_object(struct emitter *emitter, const struct cell *cells)
{
	for (size_t i = 0; i < emitter->schema->count; i++) {
		const struct column *column = &emitter->schema->columns[i];
		char room[NUMBER_ROOM];
		const char *value = NULL;
		size_t len = plain(column, &cells[i], room, &value);

		put_char(emitter, i ? ',' : '{');
		json_string(emitter, column->name, strlen(column->name));
		put_char(emitter, ':');
		if (cells[i].empty)
			put_text(emitter, "null");
		else if (column->type != COLUMN_TEXT && column->type != COLUMN_ADDRESS)
			put_bytes(emitter, value, len);
		else
			json_string(emitter, value, len);
	}
	put_char(emitter, '}');
}

static void json_begin(struct emitter *emitter)
{
	put_char(emitter, '[');
}

static void json_row(struct emitter *emitter, const struct cell *cells)
{
	put_text(emitter, emitter->any_row ? ",\n" : "\n");
	json_object(emitter, cells);
}

static void json_end(struct emitter *emitter)
{
	put_text(emitter, "\n]\n");
}

static void jsonl_row(struct emitter *emitter, const struct cell *cells)
{
	json_object(emitter, cells);
	put_char(emitter, '\n');
}

/* A new output format is one more row here, and its name in enum output_format. */
static const struct emitter_ops formats[] = {
	[FORMAT_TEXT] = { "text", text_begin, text_row, nothing },
	[FORMAT_CSV] = { "csv", csv_begin, csv_row, nothing },
	[FORMAT_JSON] = { "json", json_begin, json_row, json_end },
	[FORMAT_JSONL] = { "jsonl", nothing, jsonl_row, nothing },
};

bool output_format_find(const char *name, enum output_format *ret)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].name, name) == 0) {
			*ret = (enum output_format)i;
			return true;
		}
	}
	return false;
}

static struct error *check(struct emitter *emitter)
{
	if (emitter->line_buffered) {
		flush_buffer(emitter);
		fflush(emitter->out);
	}
	if (!ferror(emitter->out))
		return NULL;
	return error_errno(errno, "output cannot be written");
}

struct error *emitter_create(FILE *out, enum output_format format, const struct schema *schema,
			     struct emitter **ret)
{
	struct emitter *emitter = calloc(1, sizeof(*emitter));

	if (!emitter)
		return error_no_memory();
	emitter->out = out;
	emitter->schema = schema;
	emitter->ops = &formats[format];
	emitter->line_buffered = isatty(fileno(out));
	emitter->text_columns = schema->count;
	*ret = emitter;
	return NULL;
}

struct error *emitter_create_sink(emitter_sink *row, void *arg, const struct schema *schema,
				  struct emitter **ret)
{
	struct emitter *emitter = calloc(1, sizeof(*emitter));

	if (!emitter)
		return error_no_memory();
	emitter->schema = schema;
	emitter->sink = row;
	emitter->sink_arg = arg;
	*ret = emitter;
	return NULL;
}

void emitter_text_columns(struct emitter *emitter, size_t count)
{
	emitter->text_columns = count;
}

static void begin(struct emitter *emitter)
{
	if (!emitter->begun)
		emitter->ops->begin(emitter);
	emitter->begun = true;
}

struct error *emitter_row(struct emitter *emitter, const struct cell *cells)
{
	if (emitter->sink)
		return emitter->sink(emitter->sink_arg, emitter->schema, cells);
	begin(emitter);
	emitter->ops->row(emitter, cells);
	emitter->any_row = true;
	return check(emitter);
}

struct error *emitter_finish(struct emitter *emitter)
{
	if (emitter->sink)
		return NULL;
	begin(emitter);
	emitter->ops->end(emitter);
	flush_buffer(emitter);
	fflush(emitter->out);
	return check(emitter);
}

void emitter_destroy(struct emitter *emitter)
{
	free(emitter);
}
