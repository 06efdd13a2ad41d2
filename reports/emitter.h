/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one way out for records: a schema says the columns, a back end writes
 * rows as text, CSV, JSON or JSON Lines. Reports never print data themselves.
 *
 * Addresses are written as 0x hex without padding, numbers as decimal; a cell
 * may be empty ("" in CSV, null in JSON).
 */
#ifndef IOMMUPT_EMITTER_H
#define IOMMUPT_EMITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct error;
struct emitter;

enum output_format { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON, FORMAT_JSONL };

enum column_type {
	COLUMN_TEXT,
	COLUMN_ADDRESS, /* 0x hex; a string in JSON */
	COLUMN_NUMBER,	/* decimal; a number in JSON */
	COLUMN_SIGNED,	/* the same; the cell's number is an int64_t */
};

struct column {
	const char *name;
	enum column_type type;
	uint8_t width;		 /* least width in text output */
	const char *description; /* for the manual */
};

/* Columns are only ever added at the end: scripts depend on them. */
struct schema {
	const char *name;
	const struct column *columns;
	size_t count;
};

/*
 * One value: of a text cell `text` (NULL is ""), of others `number`; `empty`: none at all. Text is
 * kept as it is, but in text output control characters of a dump are shown as `?`.
 */
struct cell {
	const char *text;
	uint64_t number;
	bool empty;
};

static inline struct cell cell_text(const char *text)
{
	return (struct cell){ .text = text };
}

static inline struct cell cell_number(uint64_t number)
{
	return (struct cell){ .number = number };
}

static inline struct cell cell_empty(void)
{
	return (struct cell){ .empty = true };
}

/* "text", "csv", "json", "jsonl"; false for anything else. */
bool output_format_find(const char *name, enum output_format *ret);

/* emitter_create() - rows of @schema to @out, which stays the caller's. */
struct error *emitter_create(FILE *out, enum output_format format, const struct schema *schema,
			     struct emitter **ret);

/*
 * emitter_create_sink() - rows go to @row instead of a stream: another place for what the commands
 * say (a database). An error of @row ends the command.
 */
typedef struct error *emitter_sink(void *arg, const struct schema *schema,
				   const struct cell *cells);
struct error *emitter_create_sink(emitter_sink *row, void *arg, const struct schema *schema,
				  struct emitter **ret);

/*
 * emitter_text_columns() - in text, show only the first @count columns: people need no columns
 * that are empty throughout. To be called before the first row; other formats have them all.
 */
void emitter_text_columns(struct emitter *emitter, size_t count);

/* emitter_row() - one row, @cells in the schema's order. An error when it cannot be written. */
struct error *emitter_row(struct emitter *emitter, const struct cell *cells);

/*
 * emitter_rows() - @count rows: of @cells, and of what becomes of them when each number grows by
 * its column's step time and again. @cells are left as of the row behind the last.
 */
struct error *emitter_rows(struct emitter *emitter, struct cell *cells, const uint64_t *steps,
			   uint64_t count);

/* emitter_finish() - close what is open (JSON's array) and flush; a header even without rows. */
struct error *emitter_finish(struct emitter *emitter);

/*
 * emitter_give_up() - instead of emitter_finish(), of a command that ends early: the rows so far
 * are written, and nothing is closed.
 */
void emitter_give_up(struct emitter *emitter);

void emitter_destroy(struct emitter *emitter);

#endif
