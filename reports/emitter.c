// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/emitter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reports/digits.h"
#include "target/error.h"

/*
 * Rows are put together in a buffer without printf: a dump may have millions of
 * them. STAMP_MAX: the longest row that is copied by stamp_rows(), in CHUNKs.
 */
enum {
	BUFFER_BYTES = 1 << 17,
	NUMBER_ROOM = 24,
	STAMP_MAX = 1024,
	CHUNK = 32,
	CSV_PIECE = 256,
	STAMP_MOVING = 4
};

struct emitter {
	FILE *out;
	const struct schema *schema;
	const struct emitter_ops *ops;
	emitter_sink *sink; /* NULL: rows are written to `out` */
	void *sink_arg;
	bool line_buffered;
	bool begun;
	bool any_row;
	bool flushed; /* since a row began */
	int failed;   /* errno of a write that failed */
	size_t text_columns;
	size_t used;
	char buffer[BUFFER_BYTES + CHUNK];
	size_t starts[]; /* of the last row's numbers in the buffer, by column */
};

struct emitter_ops {
	const char *name;
	void (*begin)(struct emitter *emitter);
	void (*row)(struct emitter *emitter, const struct cell *cells);
	void (*end)(struct emitter *emitter);
};

static void flush_buffer(struct emitter *emitter)
{
	if (emitter->used &&
	    fwrite(emitter->buffer, 1, emitter->used, emitter->out) < emitter->used)
		emitter->failed = errno ? errno : EIO;
	emitter->used = 0;
	emitter->flushed = true;
}

/* Where @len bytes may be written, which are taken by adding to `used`. */
static inline char *reserve(struct emitter *emitter, size_t len)
{
	if (len > BUFFER_BYTES - emitter->used)
		flush_buffer(emitter);
	return emitter->buffer + emitter->used;
}

static inline void put_bytes(struct emitter *emitter, const char *bytes, size_t len)
{
	while (len > BUFFER_BYTES) {
		memcpy(reserve(emitter, BUFFER_BYTES), bytes, BUFFER_BYTES);
		emitter->used += BUFFER_BYTES;
		bytes += BUFFER_BYTES;
		len -= BUFFER_BYTES;
	}
	memcpy(reserve(emitter, len), bytes, len);
	emitter->used += len;
}

static void put_text(struct emitter *emitter, const char *text)
{
	put_bytes(emitter, text, strlen(text));
}

static inline void put_char(struct emitter *emitter, char c)
{
	*reserve(emitter, 1) = c;
	emitter->used++;
}

/* A number, of which a following row may differ in the digits only. */
static void put_number(struct emitter *emitter, size_t column, const char *value, size_t len)
{
	char *to = reserve(emitter, len);

	emitter->starts[column] = emitter->used;
	memcpy(to, value, len);
	emitter->used += len;
}

static size_t format_number(char *text, uint64_t number)
{
	const unsigned int digits = decimal_digits(number);

	decimal_write(text, number, digits);
	return digits;
}

static size_t format_address(char *text, uint64_t number)
{
	const unsigned int digits = hex_digits(number);

	text[0] = '0';
	text[1] = 'x';
	hex_write(text + 2, number, digits);
	return 2 + digits;
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
		put_number(emitter, i, value, len);
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

static void csv_quoted(struct emitter *emitter, const char *value)
{
	put_char(emitter, '"');
	for (; *value; value++) {
		if (*value == '"')
			put_char(emitter, '"');
		put_char(emitter, *value);
	}
	put_char(emitter, '"');
}

/* RFC 4180: quotes only where they are needed, which shows while the text is copied. */
static void csv_text(struct emitter *emitter, const char *value)
{
	char *to = reserve(emitter, CSV_PIECE);

	for (size_t len = 0; len < CSV_PIECE; len++) {
		/* cppcheck-suppress arrayIndexOutOfBounds ; the loop ends where the text does */
		const char c = value[len];

		if (c == '\0') {
			emitter->used += len;
			return;
		}
		if (c == ',' || c == '"' || c == '\n' || c == '\r') {
			csv_quoted(emitter, value);
			return;
		}
		to[len] = c;
	}
	if (strpbrk(value, ",\"\n\r"))
		csv_quoted(emitter, value);
	else
		put_text(emitter, value);
}

static void csv_row(struct emitter *emitter, const struct cell *cells)
{
	for (size_t i = 0; i < emitter->schema->count; i++) {
		const struct column *column = &emitter->schema->columns[i];
		char room[NUMBER_ROOM];
		const char *value = NULL;

		if (i)
			put_char(emitter, ',');
		const size_t len = plain(column, &cells[i], room, &value);
		if (column->type == COLUMN_TEXT)
			csv_text(emitter, len ? value : "");
		else
			put_number(emitter, i, value, len);
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
			static const char hex[] = "0123456789abcdef";
			const char escaped[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

			put_bytes(emitter, escaped, sizeof(escaped));
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
		if (cells[i].empty) {
			put_text(emitter, "null");
		} else if (column->type == COLUMN_TEXT) {
			json_string(emitter, value, len);
		} else {
			const char *quote = column->type == COLUMN_ADDRESS ? "\"" : "";

			put_text(emitter, quote);
			put_number(emitter, i, value, len);
			put_text(emitter, quote);
		}
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

static inline struct error *check(struct emitter *emitter)
{
	if (emitter->line_buffered) {
		flush_buffer(emitter);
		if (fflush(emitter->out) != 0)
			emitter->failed = errno ? errno : EIO;
	}
	return emitter->failed ? error_errno(emitter->failed, "output cannot be written") : NULL;
}

static struct emitter *allocate(const struct schema *schema)
{
	struct emitter *emitter =
		calloc(1, sizeof(*emitter) + schema->count * sizeof(emitter->starts[0]));

	if (emitter)
		emitter->schema = schema;
	return emitter;
}

struct error *emitter_create(FILE *out, enum output_format format, const struct schema *schema,
			     struct emitter **ret)
{
	struct emitter *emitter = allocate(schema);

	if (!emitter)
		return error_no_memory();
	emitter->out = out;
	emitter->ops = &formats[format];
	emitter->line_buffered = isatty(fileno(out));
	emitter->text_columns = schema->count;
	*ret = emitter;
	return NULL;
}

struct error *emitter_create_sink(emitter_sink *row, void *arg, const struct schema *schema,
				  struct emitter **ret)
{
	struct emitter *emitter = allocate(schema);

	if (!emitter)
		return error_no_memory();
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

/*
 * ---- Rows that differ in the digits of some numbers only ----
 *
 * As long as the numbers keep their widths, such a row is the last one with other digits in it,
 * whatever the format.
 */
struct moving {
	uint64_t number;
	uint64_t step;
	uint32_t at; /* in the row */
	uint32_t digits;
	bool hex;
};

struct stamp {
	size_t len;
	size_t count;
	struct moving moving[STAMP_MOVING];
	char text[STAMP_MAX + CHUNK];
};

/* The last number with as many digits. */
static uint64_t last_of_width(const struct moving *moving)
{
	if (moving->hex)
		return UINT64_MAX >> (64 - 4 * moving->digits);
	return moving->digits < DIGITS_MAX ? digits_powers[moving->digits] - 1 : UINT64_MAX;
}

/* The row of @cells, which is in the buffer from @at; false: it cannot be used so. */
static bool stamp_take(struct stamp *stamp, const struct emitter *emitter, size_t at,
		       const struct cell *cells, const uint64_t *steps)
{
	if (emitter->line_buffered || emitter->flushed || emitter->used - at > STAMP_MAX)
		return false;
	stamp->len = emitter->used - at;
	stamp->count = 0;
	memcpy(stamp->text, emitter->buffer + at, stamp->len);
	for (size_t i = 0; i < emitter->text_columns; i++) {
		const struct column *column = &emitter->schema->columns[i];
		const bool hex = column->type == COLUMN_ADDRESS;

		if (!steps[i] || cells[i].empty || column->type == COLUMN_TEXT)
			continue;
		if (stamp->count == STAMP_MOVING || column->type == COLUMN_SIGNED)
			return false;
		stamp->moving[stamp->count++] = (struct moving){
			.number = cells[i].number,
			.step = steps[i],
			.at = (uint32_t)(emitter->starts[i] - at + (hex ? 2 : 0)),
			.digits = hex ? hex_digits(cells[i].number)
				      : decimal_digits(cells[i].number),
			.hex = hex,
		};
	}
	return true;
}

static inline void stamp_row(struct stamp *stamp, char *to)
{
	for (size_t i = 0; i < stamp->len; i += CHUNK)
		memcpy(to + i, stamp->text + i, CHUNK);
	for (size_t i = 0; i < stamp->count; i++) {
		struct moving *moving = &stamp->moving[i];

		moving->number += moving->step;
		if (moving->hex)
			hex_write(to + moving->at, moving->number, moving->digits);
		else
			decimal_write(to + moving->at, moving->number, moving->digits);
	}
}

/* Up to @count rows below the one of @stamp: as many as keep the widths. Returns how many. */
static uint64_t stamp_rows(struct stamp *stamp, struct emitter *emitter, uint64_t count)
{
	for (size_t i = 0; i < stamp->count; i++) {
		const struct moving *moving = &stamp->moving[i];
		const uint64_t fit = (last_of_width(moving) - moving->number) / moving->step;

		if (fit < count)
			count = fit;
	}
	for (uint64_t row = 0; row < count && !emitter->failed; row++) {
		stamp_row(stamp, reserve(emitter, stamp->len));
		emitter->used += stamp->len;
	}
	return count;
}

static void cells_step(struct cell *cells, const struct schema *schema, const uint64_t *steps,
		       uint64_t times)
{
	for (size_t i = 0; i < schema->count; i++)
		cells[i].number += steps[i] * times;
}

struct error *emitter_rows(struct emitter *emitter, struct cell *cells, const uint64_t *steps,
			   uint64_t count)
{
	struct error *err = NULL;
	struct stamp stamp;
	uint64_t more = 0;

	for (uint64_t done = 0; done < count && !err; done += 1 + more) {
		/* JSON's first row begins unlike the others. */
		const bool usual = !emitter->sink && emitter->any_row;
		if (usual)
			reserve(emitter, STAMP_MAX);
		const size_t at = emitter->used;

		more = 0;
		emitter->flushed = false;
		err = emitter_row(emitter, cells);
		if (!err && usual && done + 1 < count &&
		    stamp_take(&stamp, emitter, at, cells, steps))
			more = stamp_rows(&stamp, emitter, count - done - 1);
		cells_step(cells, emitter->schema, steps, 1 + more);
	}
	return err ? err : emitter->sink ? NULL : check(emitter);
}

/* What is in the buffer, and what the stream holds, goes out. */
static void flush(struct emitter *emitter)
{
	flush_buffer(emitter);
	if (fflush(emitter->out) != 0)
		emitter->failed = errno ? errno : EIO;
}

struct error *emitter_finish(struct emitter *emitter)
{
	if (emitter->sink)
		return NULL;
	begin(emitter);
	emitter->ops->end(emitter);
	flush(emitter);
	return check(emitter);
}

void emitter_give_up(struct emitter *emitter)
{
	if (!emitter->sink)
		flush(emitter);
}

void emitter_destroy(struct emitter *emitter)
{
	free(emitter);
}
