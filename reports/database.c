// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/database.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reports/emitter.h"
#include "target/error.h"
#include "target/text.h"

struct database {
	sqlite3 *db;
	sqlite3_stmt *insert; /* of the table that is being filled */
	const char *path;
	char *partial;
};

static struct error *failed(const struct database *database)
{
	return error_new("%s: cannot be written: %s; check the place and its free space",
			 database->path, sqlite3_errmsg(database->db));
}

struct error *database_run(struct database *database, const char *sql)
{
	return sqlite3_exec(database->db, sql, NULL, NULL, NULL) == SQLITE_OK ? NULL
									      : failed(database);
}

static struct error *open_file(struct database *database)
{
	/* mkstemp: mode 0600, the file holds kernel addresses. */
	int fd = mkstemp(database->partial);

	if (fd < 0)
		return error_errno(errno,
				   "%s: cannot be written; check the place and its free space",
				   database->path);
	close(fd);
	if (sqlite3_open(database->partial, &database->db) != SQLITE_OK)
		return failed(database);
	return database_run(database, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
				      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;"
				      "BEGIN; CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT)");
}

struct error *database_create(const char *path, struct database **ret)
{
	struct database *database = calloc(1, sizeof(*database));

	if (!database)
		return error_no_memory();
	database->path = path;
	if (asprintf(&database->partial, "%s.XXXXXX", path) < 0) {
		free(database);
		return error_no_memory();
	}
	struct error *err = open_file(database);
	if (err)
		return database_close(database, err);
	*ret = database;
	return NULL;
}

struct error *database_close(struct database *database, struct error *err)
{
	sqlite3_finalize(database->insert);
	if (!err && error_memory_ran_out)
		err = error_no_memory();
	if (!err)
		err = database_run(database, "COMMIT");
	if (sqlite3_close(database->db) != SQLITE_OK && !err)
		err = error_new("%s: cannot be closed", database->path);
	if (!err && rename(database->partial, database->path))
		err = error_errno(errno, "%s: cannot be written", database->path);
	if (err)
		unlink(database->partial);
	free(database->partial);
	free(database);
	return err;
}

struct error *database_put(struct database *database, const char *key, const char *value)
{
	char *sql = sqlite3_mprintf("INSERT INTO meta VALUES(%Q, %Q)", key, value);

	if (!sql)
		return error_no_memory();
	struct error *err = database_run(database, sql);
	sqlite3_free(sql);
	return err;
}

/* CREATE TABLE or INSERT of @schema's columns; the caller frees it. */
static struct error *make_sql(const char *table, const struct schema *schema, bool insert,
			      char **ret)
{
	struct text text;
	struct error *err = text_open(&text);

	if (err)
		return err;
	FILE *stream = text.stream;
	fprintf(stream, insert ? "INSERT INTO \"%s\" VALUES(" : "CREATE TABLE \"%s\"(", table);
	for (size_t i = 0; i < schema->count; i++) {
		if (i)
			fputc(',', stream);
		if (insert)
			fputc('?', stream);
		else
			fprintf(stream, "\"%s\" %s", schema->columns[i].name,
				schema->columns[i].type == COLUMN_TEXT ? "TEXT" : "INTEGER");
	}
	fputc(')', stream);
	return text_finish(&text, ret);
}

static struct error *insert_row(void *arg, const struct schema *schema, const struct cell *cells)
{
	struct database *database = arg;
	int result = SQLITE_OK;

	for (size_t i = 0; i < schema->count && result == SQLITE_OK; i++) {
		const int column = (int)i + 1;

		if (cells[i].empty)
			result = sqlite3_bind_null(database->insert, column);
		else if (schema->columns[i].type == COLUMN_TEXT)
			result = sqlite3_bind_text(database->insert, column,
						   cells[i].text ? cells[i].text : "", -1,
						   SQLITE_STATIC);
		else
			result = sqlite3_bind_int64(database->insert, column,
						    (sqlite3_int64)cells[i].number);
	}
	if (result == SQLITE_OK)
		result = sqlite3_step(database->insert);
	sqlite3_reset(database->insert);
	return result == SQLITE_DONE ? NULL : failed(database);
}

struct error *database_emitter(struct database *database, const char *table,
			       const struct schema *schema, struct emitter **ret)
{
	char *sql = NULL;
	struct error *err = make_sql(table, schema, false, &sql);

	if (!err)
		err = database_run(database, sql);
	free(sql);
	sql = NULL;
	if (!err)
		err = make_sql(table, schema, true, &sql);
	if (!err && sqlite3_prepare_v2(database->db, sql, -1, &database->insert, NULL) != SQLITE_OK)
		err = failed(database);
	free(sql);
	return err ? err : emitter_create_sink(insert_row, database, schema, ret);
}

void database_emitter_done(struct database *database, struct emitter *emitter)
{
	emitter_destroy(emitter);
	sqlite3_finalize(database->insert);
	database->insert = NULL;
}
