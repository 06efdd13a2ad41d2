/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The commands, their options and their help: one table each, from which the
 * command line, `help`, the manual page and crash's help text are all made.
 */
#ifndef IOMMUPT_COMMANDS_H
#define IOMMUPT_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

#include "reports/session.h"

struct emitter;

/* The options that a command takes besides the global ones. */
enum option_set {
	OPTION_VIEW = 1 << 0,
	OPTION_OUTPUT = 1 << 1, /* -o */
	OPTION_EACH = 1 << 2,
	OPTION_SIZES = 1 << 3,
	OPTION_MANUAL = 1 << 4,
	OPTION_EXTRACT = 1 << 5,
	OPTION_FORMAT = 1 << 6, /* --format alone */
	OPTION_USAGE = 1 << 16, /* --near, --histogram, --counters */
	OPTION_STATE = 1 << 20,
	OPTION_FIND = 1 << 21, /* --writable, --index */
};

struct command {
	const char *name;
	const char *arguments;	 /* "TARGET [RANGE]" */
	const char *summary;	 /* one line */
	const char *description; /* paragraphs, separated by empty lines; for help and manual */
	unsigned int options;	 /* enum option_set */
	int arguments_min;
	int arguments_max;
	const struct schema *schema; /* NULL: writes no records */
	/* The schema where the options ask for another kind of record; NULL: always `schema`. */
	const struct schema *(*choose_schema)(const struct options *options);
	const struct schema *const *more_schemas; /* what it may choose; NULL-terminated */
	/* A list for the help, item by item: its title ("Rules"); false at the end. May be NULL. */
	const char *list_title;
	bool (*list_item)(size_t i, const char **name, const char **text);
	/*
	 * Run with the words behind the command name. @emitter is there when the command has
	 * a schema. *@status is EXIT_DONE unless the command changes it.
	 */
	struct error *(*run)(struct session *session, struct emitter *emitter, int count,
			     char **words, int *status);
};

/* One row a command; NULL-terminated. */
extern const struct command *const commands[];
extern const struct command command_list, command_pagemap, command_walk, command_find,
	command_usage, command_check, command_export, command_extract, command_help;

extern const struct schema schema_list, schema_pagemap, schema_walk, schema_find, schema_extract,
	schema_usage, schema_histogram, schema_counters, schema_check;

const struct command *command_by_name(const char *name);

/* iommupt_run() - one command line; argv[0] is the program. Returns an enum exit_status. */
int iommupt_run(struct session *session, int argc, char **argv);

/* help_print() - the help of one command, or of all with @command NULL. */
void help_print(FILE *out, const struct command *command, bool in_crash);
/* help_manual() - the manual page iommupt(8) in man(7) macros. */
void help_manual(FILE *out);

#define IOMMUPT_VERSION "0.1.0"

#endif
