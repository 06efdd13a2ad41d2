// SPDX-License-Identifier: GPL-3.0-or-later
/* Everything that the other commands say, as tables for SQL: each command run into a table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/database.h"
#include "reports/progress.h"
#include "reports/trees.h"
#include "target/error.h"
#include "target/page_set.h"
#include "walkers/pages.h"

/* Raised when a table or column changes its meaning; columns that are only added keep it. */
#define SCHEMA_VERSION "1"

static const struct column unit_columns[] = {
	{ "unit", COLUMN_TEXT, 0, "name" },
	{ "driver", COLUMN_TEXT, 0, "its driver" },
	{ "mode", COLUMN_TEXT, 0, "legacy, scalable, off, ..." },
	{ "segment", COLUMN_NUMBER, 0, "PCI segment" },
	{ "root", COLUMN_ADDRESS, 0, "physical address of its top structure" },
};

static const struct schema schema_units = { "units", unit_columns, 5 };

static const struct column device_columns[] = {
	{ "device", COLUMN_TEXT, 0, "name" },
	{ "unit", COLUMN_TEXT, 0, "the IOMMU in charge" },
	{ "driver", COLUMN_TEXT, 0, "bound driver" },
	{ "iommu_group", COLUMN_SIGNED, 0, "IOMMU group; -1: none" },
	{ "alias_of", COLUMN_TEXT, 0, "device that this requester stands for" },
	{ "user_owned", COLUMN_NUMBER, 0, "1: VFIO or iommufd owns its DMA" },
	{ "ats", COLUMN_NUMBER, 0, "1: enabled" },
	{ "pri", COLUMN_NUMBER, 0, "1: enabled" },
	{ "pasid", COLUMN_NUMBER, 0, "1: enabled" },
	{ "domain", COLUMN_ADDRESS, 0, "struct iommu_domain of its group" },
};

enum { DEVICE_COLUMNS = sizeof(device_columns) / sizeof(device_columns[0]) };

static const struct schema schema_devices = { "devices", device_columns, DEVICE_COLUMNS };

static const struct column member_columns[] = {
	{ "space", COLUMN_TEXT, 0, "space" },
	{ "view", COLUMN_TEXT, 0, "hw or sw" },
	{ "device", COLUMN_TEXT, 0, "device that translates by it" },
};

static const struct schema schema_members = { "space_devices", member_columns, 3 };

static const struct column table_columns[] = {
	{ "space", COLUMN_TEXT, 0, "first space that has the table" },
	{ "level", COLUMN_NUMBER, 0, "0: leaf-most" },
	{ "phys", COLUMN_ADDRESS, 0, "physical address of the table" },
	{ "iova", COLUMN_ADDRESS, 0, "first input address that it covers" },
	{ "entries", COLUMN_NUMBER, 0, "entries" },
	{ "used", COLUMN_NUMBER, 0, "entries in use" },
};

enum { TABLE_COLUMNS = sizeof(table_columns) / sizeof(table_columns[0]) };

static const struct schema schema_tables = { "tables", table_columns, TABLE_COLUMNS };

static const struct column page_columns[] = {
	{ "phys", COLUMN_ADDRESS, 0, "first physical address" },
	{ "length", COLUMN_NUMBER, 0, "bytes" },
	{ "page_state", COLUMN_TEXT, 0, "what the kernel uses these pages for" },
	{ "page", COLUMN_ADDRESS, 0, "kernel address of the first one's struct page" },
};

static const struct schema schema_pages = { "pages", page_columns, 4 };

struct export
{
	struct session *session;
	struct database *database;
	struct inventory *inventory;
};

typedef struct error *fill_table(const struct export *export, struct emitter *emitter);

static struct error *fill_units(const struct export *export, struct emitter *emitter)
{
	struct error *err = NULL;

	for (size_t i = 0; i < export->inventory->unit_count && !err; i++) {
		const struct unit *unit = export->inventory->units[i];
		const struct cell cells[] = {
			cell_text(unit->name),	    cell_text(unit->driver), cell_text(unit->mode),
			cell_number(unit->segment), cell_number(unit->root),
		};

		err = emitter_row(emitter, cells);
	}
	return err;
}

static struct error *fill_devices(const struct export *export, struct emitter *emitter)
{
	struct error *err = NULL;

	for (size_t i = 0; i < export->inventory->device_count && !err; i++) {
		const struct device *device = export->inventory->devices[i];
		const struct cell cells[DEVICE_COLUMNS] = {
			cell_text(device->name),
			cell_text(device->unit ? device->unit->name : ""),
			cell_text(device->driver),
			cell_number((uint64_t)(int64_t)device->group),
			cell_text(device->alias_of),
			cell_number(device->owned_by_user),
			cell_number(device->ats_enabled),
			cell_number(device->pri_enabled),
			cell_number(device->pasid_enabled),
			cell_number(device->domain),
		};

		err = emitter_row(emitter, cells);
	}
	return err;
}

static struct error *fill_members(const struct export *export, struct emitter *emitter)
{
	struct error *err = NULL;

	for (size_t i = 0; i < export->inventory->space_count && !err; i++) {
		const struct space *space = export->inventory->spaces[i];

		for (size_t j = 0; j < space->device_count && !err; j++) {
			const struct cell cells[] = {
				cell_text(space->name),
				cell_text(space->view == VIEW_HW ? "hw" : "sw"),
				cell_text(space->devices[j]->name),
			};

			err = emitter_row(emitter, cells);
		}
	}
	return err;
}

struct tables_arg {
	struct emitter *emitter;
	const char *space;
};

static struct error *on_table(void *arg, const struct pt_table *table)
{
	const struct tables_arg *tables = arg;
	const struct cell cells[TABLE_COLUMNS] = {
		cell_text(tables->space), cell_number(table->level),	   cell_number(table->phys),
		cell_number(table->iova), cell_number(table->entry_count), cell_number(table->used),
	};
	return table->repeated ? NULL : emitter_row(tables->emitter, cells);
}

static struct error *fill_tables(const struct export *export, struct emitter *emitter)
{
	struct trees trees = { 0 };
	struct error *err = trees_init(&trees, export->inventory);

	for (size_t i = 0; i < trees.count && !err; i++) {
		const struct space *space = trees.list[i].spaces[0];
		struct tables_arg arg = { emitter, space->name };
		const struct pt_visitor visitor = { .table = on_table, .arg = &arg };
		struct pt_statistics statistics;
		struct progress progress;

		progress_init(&progress, export->session, space->name);
		err = pt_walk(&space->tree,
			      space_memory(space, kernel_memory(export->session->kernel)), 0,
			      UINT64_MAX, &visitor, &progress.control, &statistics);
		progress_deinit(&progress);
	}
	trees_deinit(&trees);
	return err;
}

/* Mapped pages, each once, as stretches of one state. */
struct pages_arg {
	struct emitter *emitter;
	struct pages *pages;
	struct page_set *seen;
};

static struct error *on_page_leaves(void *arg, const struct pt_leaves *leaves)
{
	const struct pages_arg *pages = arg;
	const uint64_t last = leaves->phys + ((leaves->count << leaves->size_lg2) - 1);
	struct error *err = NULL;

	for (uint64_t phys = leaves->phys; phys <= last && !err;) {
		struct page_info info;
		char state[PAGE_STATE_TEXT];
		bool added = false;
		uint64_t length = 4096 - (phys & 4095);

		err = page_set_add(pages->seen, phys, &added);
		if (!err && added) {
			length = page_look_run(pages->pages, phys, last, &info);
			page_state_text(&info, state);
			/* Up to what another space has shown already. */
			for (uint64_t at = 4096; at < length && added && !err; at += 4096) {
				err = page_set_add(pages->seen, phys + at, &added);
				if (!added)
					length = at;
			}
			const struct cell cells[] = { cell_number(phys), cell_number(length),
						      cell_text(state), cell_number(info.address) };
			if (!err)
				err = emitter_row(pages->emitter, cells);
		}
		phys += length;
	}
	return err;
}

static struct error *fill_pages(const struct export *export, struct emitter *emitter)
{
	struct pages_arg arg = { .emitter = emitter };
	struct trees trees = { 0 };
	struct error *err = session_pages(export->session, &arg.pages);

	if (err) {
		session_message(export->session, "warning: pages: %s", err->message);
		error_free(err);
		return NULL;
	}
	err = page_set_create(&arg.seen);
	if (!err)
		err = trees_init(&trees, export->inventory);
	for (size_t i = 0; i < trees.count && !err; i++) {
		const struct space *space = trees.list[i].spaces[0];
		const struct pt_visitor visitor = { .leaves = on_page_leaves, .arg = &arg };
		struct pt_statistics statistics;
		struct progress progress;

		progress_init(&progress, export->session, space->name);
		err = pt_walk(&space->tree, kernel_memory(export->session->kernel), 0, UINT64_MAX,
			      &visitor, &progress.control, &statistics);
		progress_deinit(&progress);
	}
	trees_deinit(&trees);
	page_set_destroy(arg.seen);
	return err;
}

/* What this file writes itself. */
static const struct own_table {
	const struct schema *schema;
	fill_table *fill;
} own_tables[] = {
	{ &schema_units, fill_units },	   { &schema_devices, fill_devices },
	{ &schema_members, fill_members }, { &schema_tables, fill_tables },
	{ &schema_pages, fill_pages },
};

/* Commands whose records are tables as they are. */
static const struct command_table {
	const char *name;
	const struct command *command;
	const struct schema *schema;
	const char *words[2];
	int count;
	bool sizes, histogram, counters;
} command_tables[] = {
	{ "spaces", &command_list, &schema_list, { NULL }, 0, .sizes = true },
	{ "mappings", &command_pagemap, &schema_pagemap, { "all" }, 1, false, false, false },
	{ "usage", &command_usage, &schema_usage, { NULL }, 0, false, false, false },
	{ "histogram", &command_usage, &schema_histogram, { NULL }, 0, .histogram = true },
	{ "counters", &command_usage, &schema_counters, { NULL }, 0, .counters = true },
	{ "findings", &command_check, &schema_check, { NULL }, 0, false, false, false },
};

static const char indexes[] = "CREATE INDEX mappings_phys ON mappings(phys);"
			      "CREATE INDEX mappings_iova ON mappings(space, iova);"
			      "CREATE INDEX tables_phys ON tables(phys);"
			      "CREATE INDEX pages_phys ON pages(phys);"
			      "CREATE INDEX spaces_name ON spaces(space);"
			      "CREATE INDEX space_devices_device ON space_devices(device);";

static struct error *write_own(const struct export *export, const struct own_table *table)
{
	struct emitter *emitter = NULL;
	struct error *err =
		database_emitter(export->database, table->schema->name, table->schema, &emitter);

	if (!err)
		err = table->fill(export, emitter);
	database_emitter_done(export->database, emitter);
	return err;
}

static struct error *write_command(const struct export *export, const struct command_table *table)
{
	struct options *options = &export->session->options;
	char *words[2] = { (char *)table->words[0], (char *)table->words[1] };
	struct emitter *emitter = NULL;
	int ignored = EXIT_DONE;
	struct error *err =
		database_emitter(export->database, table->name, table->schema, &emitter);

	options->sizes = table->sizes;
	options->histogram = table->histogram;
	options->counters = table->counters;
	if (!err)
		err = table->command->run(export->session, emitter, table->count, words, &ignored);
	database_emitter_done(export->database, emitter);
	return err;
}

static struct error *write_meta(const struct export *export)
{
	struct error *err = database_put(export->database, "schema_version", SCHEMA_VERSION);

	if (!err)
		err = database_put(export->database, "iommupt_version", IOMMUPT_VERSION);
	return err ? err
		   : database_put(export->database, "kernel_release",
				  kernel_release(export->session->kernel));
}

static struct error *write_all(const struct export *export)
{
	struct error *err = write_meta(export);

	for (size_t i = 0; i < sizeof(own_tables) / sizeof(own_tables[0]) && !err; i++)
		err = write_own(export, &own_tables[i]);
	for (size_t i = 0; i < sizeof(command_tables) / sizeof(command_tables[0]) && !err; i++)
		err = write_command(export, &command_tables[i]);
	return err ? err : database_run(export->database, indexes);
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct export export = { .session = session };
	struct error *err = session_inventory(session, &export.inventory);

	(void)emitter;
	(void)count;
	(void)status;
	if (!err)
		err = database_create(words[0], &export.database);
	return err ? err : database_close(export.database, write_all(&export));
}

const struct command command_export = {
	.name = "export",
	.arguments = "FILE.sqlite",
	.summary = "all of it as tables of an SQLite file",
	.description =
		"Writes what the other commands say into an SQLite database: units, devices, spaces "
		"(list --sizes), space_devices, tables (every table page), mappings (pagemap all), "
		"usage, histogram, counters and findings (check); columns have the names of the "
		"commands' columns, addresses are integers. `meta` has schema_version.\n"
		"\n"
		"It is one transaction without a journal; the file appears when it is complete. "
		"docs/export.md has the tables and example queries.",
	.options = 0,
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
