/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An SQLite file that takes records: a table for each schema, columns of the same names. It is
 * written in one transaction without a journal, under another name until it is complete.
 *
 * Addresses and numbers are INTEGER: signed 64 bits, so that an address in the upper half is
 * negative there; printf('0x%x', iova) shows it.
 */
#ifndef IOMMUPT_DATABASE_H
#define IOMMUPT_DATABASE_H

struct database;
struct emitter;
struct error;
struct schema;

/* database_create() - @path appears when database_close() succeeds. */
struct error *database_create(const char *path, struct database **ret);

/*
 * database_close() - with @err NULL put the file under its name, else remove what was written.
 * Returns @err, or what went wrong here. Releases @database.
 */
struct error *database_close(struct database *database, struct error *err);

/* database_run() - SQL without a result: an index, a view, the meta table. */
struct error *database_run(struct database *database, const char *sql);

/* database_put() - a row of the table `meta`. */
struct error *database_put(struct database *database, const char *key, const char *value);

/* database_emitter() - an emitter whose rows of @schema go into the new table @table. */
struct error *database_emitter(struct database *database, const char *table,
			       const struct schema *schema, struct emitter **ret);

/* database_emitter_done() - release that emitter; the next may be made. */
void database_emitter_done(struct database *database, struct emitter *emitter);

#endif
