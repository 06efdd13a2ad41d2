// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/commands.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reports/output.h"
#include "reports/selection.h"
#include "reports/version.h"
#include "target/error.h"
#include "target/memory.h"

/* A new command is one new file and one row here. */
/* clang-format off */
const struct command *const commands[] = {
	&command_list,
	&command_pagemap,
	&command_walk,
	&command_find,
	&command_usage,
	&command_check,
	&command_export,
	&command_extract,
	&command_help,
	NULL,
};
/* clang-format on */

/* One row an option: what getopt needs, who takes it, and its help. */
static const struct option_row {
	const char *name;
	const char *argument; /* NULL: takes none */
	int letter;	      /* short form, or a number above 255 */
	unsigned int set;     /* commands that take it; 0: all */
	bool stand_alone;     /* not inside crash, where crash has the dump open */
	const char *help;
} option_rows[] = {
	{ "core", "FILE", 'c', 0, true,
	  "vmcore to open: ELF, kdump-compressed or flattened; without -c the running kernel" },
	{ "symbols", "FILE", 's', 0, true,
	  "the kernel's debug vmlinux, or a module's debug file, where the dump itself does not say enough; "
	  "may be repeated" },
	{ "format", "FORMAT", 256, OPTION_FORMAT, false,
	  "text (the default), csv, json or jsonl; of pagemap also pagemap, the binary layout of "
	  "/proc/PID/pagemap" },
	{ "output", "FILE", 'o', OPTION_OUTPUT, false,
	  "write to FILE, which appears only when it is complete" },
	{ "view", "VIEW", 257, OPTION_VIEW, false,
	  "hw: what hardware's structures say (the default where there are any); sw: what the "
	  "kernel's own objects say" },
	{ "each", NULL, 258, OPTION_EACH, false, "a row for each leaf entry, not merged" },
	{ "sizes", NULL, 259, OPTION_SIZES, false,
	  "walk the tables, add their memory and what they map" },
	{ "types", "SOURCE", 261, 0, true,
	  "take types only from: btf (the dump's own) or dwarf (the files of -s); else btf, then dwarf" },
	{ "list", NULL, 262, OPTION_EXTRACT, false, "only say what would be written" },
	{ "no-log", NULL, 263, OPTION_EXTRACT, false, "leave the kernel log out" },
	{ "near", "N", 300, OPTION_USAGE, false,
	  "a table with at most N entries in use is near-empty (8)" },
	{ "histogram", NULL, 301, OPTION_USAGE, false,
	  "page sizes and contiguous runs of each space instead" },
	{ "counters", NULL, 302, OPTION_USAGE, false,
	  "the kernel's own counters beside what was found instead" },
	{ "state", NULL, 310, OPTION_STATE, false,
	  "say what the kernel uses each page for: fill in page_state" },
	{ "writable", NULL, 311, OPTION_FIND, false, "only who may write" },
	{ "index", "FILE", 312, OPTION_FIND, false,
	  "keep what all tables map in FILE, made when it is not there: further queries look it up" },
	{ "no-processes", NULL, 313, OPTION_EXTRACT, false,
	  "leave the page tables of processes out" },
	{ "threads", "N", 314, 0, false,
	  "threads that read and decode tables (as many as there are CPUs); 1: none besides the main one" },
	{ "reader", "READER", 315, 0, true,
	  "who reads pages of the dump: own (the default), or library, libkdumpfile alone: to compare them" },
	{ "man", NULL, 260, OPTION_MANUAL, false, "print the whole manual page in man(7) macros" },
	{ "version", NULL, 'V', 0, false,
	  "print the version and those of the libraries, and exit" },
	{ "help", NULL, 'h', 0, false, "print help, and exit" },
};

enum { OPTION_ROWS = sizeof(option_rows) / sizeof(option_rows[0]) };
enum { THREADS_MAX = 64 };
enum { EXTRA_VERSION = 1 << 0, EXTRA_HELP = 1 << 1 };

const struct command *command_by_name(const char *name)
{
	for (const struct command *const *command = commands; *command; command++) {
		if (strcmp((*command)->name, name) == 0)
			return *command;
	}
	return NULL;
}

static const struct option_row *find_row(int letter)
{
	for (size_t i = 0; i < OPTION_ROWS; i++) {
		if (option_rows[i].letter == letter)
			return &option_rows[i];
	}
	return NULL;
}

static struct error *set_format(struct options *options, const char *value)
{
	options->binary = strcmp(value, "pagemap") == 0;
	if (options->binary)
		return NULL;
	if (!output_format_find(value, &options->format))
		return error_new("--format %s: is none of text, csv, json, jsonl, pagemap", value);
	return NULL;
}

static struct error *set_near(struct options *options, const char *value)
{
	enum { NEAR_MAX = 1 << 16 };
	uint64_t number = 0;
	struct error *err = address_parse(value, &number);

	if (!err && number <= NEAR_MAX) {
		options->near = (unsigned int)number;
		return NULL;
	}
	error_free(err);
	return error_new("--near %s: is not a number of entries from 0 to %d", value, NEAR_MAX);
}

static struct error *set_threads(struct options *options, const char *value)
{
	uint64_t number = 0;
	struct error *err = address_parse(value, &number);

	if (!err && number >= 1 && number <= THREADS_MAX) {
		options->threads = (unsigned int)number;
		return NULL;
	}
	error_free(err);
	return error_new("--threads %s: is not a number from 1 to %d", value, THREADS_MAX);
}

/* As many as there are CPUs that we may run on. */
static unsigned int usual_threads(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	const int count = CPU_COUNT(&set);
	return count < THREADS_MAX ? (unsigned int)count : THREADS_MAX;
}

static struct error *set_option(struct session *session, const struct option_row *row,
				const char *value, unsigned int *extra)
{
	struct options *options = &session->options;

	if (row->stand_alone && session->in_crash)
		return error_new("--%s: crash has the dump open already; leave it out", row->name);
	switch (row->letter) {
	case 'c':
		options->core = value;
		break;
	case 's':
		if (options->symbol_count == sizeof(options->symbols) / sizeof(char *))
			return error_new("more than %zu files with -s", options->symbol_count);
		options->symbols[options->symbol_count++] = value;
		break;
	case 'o':
		options->output = value;
		break;
	case 256:
		return set_format(options, value);
	case 257:
		options->view_given = true;
		options->view = strcmp(value, "sw") == 0 ? VIEW_SW : VIEW_HW;
		if (strcmp(value, "sw") != 0 && strcmp(value, "hw") != 0)
			return error_new("--view %s: is neither hw nor sw", value);
		break;
	case 258:
		options->each = true;
		break;
	case 259:
		options->sizes = true;
		break;
	case 261:
		options->types_from = strcmp(value, "btf") == 0 ? TYPES_BTF : TYPES_DWARF;
		if (strcmp(value, "btf") != 0 && strcmp(value, "dwarf") != 0)
			return error_new("--types %s: is neither btf nor dwarf", value);
		break;
	case 262:
		options->list_only = true;
		break;
	case 263:
		options->no_log = true;
		break;
	case 300:
		return set_near(options, value);
	case 301:
		options->histogram = true;
		break;
	case 302:
		options->counters = true;
		break;
	case 310:
		options->state = true;
		break;
	case 311:
		options->writable = true;
		break;
	case 312:
		options->index = value;
		break;
	case 313:
		options->no_processes = true;
		break;
	case 314:
		return set_threads(options, value);
	case 315:
		options->by_library = strcmp(value, "library") == 0;
		if (!options->by_library && strcmp(value, "own") != 0)
			return error_new("--reader %s: is neither own nor library", value);
		break;
	case 260:
		options->manual = true;
		break;
	case 'V':
		*extra |= EXTRA_VERSION;
		break;
	default:
		*extra |= EXTRA_HELP;
	}
	return NULL;
}

/* What one command line was found to hold. */
struct command_line {
	const struct command *command;
	unsigned int given; /* option sets that were used */
	const char *given_name;
	unsigned int extra;
	int count; /* words behind the command */
	char **words;
};

static struct error *parse_options(struct session *session, int argc, char **argv,
				   struct command_line *line)
{
	struct option longs[OPTION_ROWS + 1] = { 0 };
	int letter = 0;
	struct error *err = NULL;

	for (size_t i = 0; i < OPTION_ROWS; i++)
		longs[i] =
			(struct option){ option_rows[i].name,
					 option_rows[i].argument ? required_argument : no_argument,
					 NULL, option_rows[i].letter };
	optind = 0; /* glibc: start afresh; crash has used getopt before us */
	opterr = 0;
	while (!err && (letter = getopt_long(argc, argv, ":c:s:o:Vh", longs, NULL)) != -1) {
		const struct option_row *row = find_row(letter);

		if (letter == ':')
			return error_new("%s: needs a value; see `iommupt help`", argv[optind - 1]);
		if (!row)
			return error_new("%s: is not an option that is known; see `iommupt help`",
					 argv[optind - 1]);
		err = set_option(session, row, optarg, &line->extra);
		if (row->set) {
			line->given |= row->set;
			if (line->command == NULL)
				line->given_name = row->name;
		}
	}
	line->count = argc - optind;
	line->words = argv + optind;
	return err;
}

static struct error *check_words(const struct command_line *line)
{
	const struct command *command = line->command;

	if (line->given & ~command->options)
		return error_new("%s: --%s does not go with this command; see `iommupt help %s`",
				 command->name, line->given_name, command->name);
	if (line->count < command->arguments_min || line->count > command->arguments_max)
		return error_new("%s: too %s words; usage: iommupt %s %s", command->name,
				 line->count < command->arguments_min ? "few" : "many",
				 command->name, command->arguments);
	return NULL;
}

static struct error *parse(struct session *session, int argc, char **argv,
			   struct command_line *line)
{
	struct error *err = parse_options(session, argc, argv, line);

	if (err || line->extra)
		return err;
	if (line->count == 0)
		return error_new("no command; see `iommupt help`");
	line->command = command_by_name(line->words[0]);
	if (!line->command)
		return error_new("'%s' is not a command that is known; see `iommupt help`",
				 line->words[0]);
	line->count--;
	line->words++;
	if (session->options.binary && line->command != &command_pagemap)
		return error_new("%s: --format pagemap goes with the command pagemap only",
				 line->command->name);
	return check_words(line);
}

/* Records go through an emitter and, with -o, into a file that appears when complete. */
static struct error *run_with_output(struct session *session, const struct command_line *line,
				     int *status)
{
	struct output output;
	struct emitter *emitter = NULL;
	struct error *err = output_open(&output, session->out, session->options.output);

	if (err)
		return err;
	session->stream = output.stream;
	const struct command *command = line->command;
	const struct schema *schema = command->choose_schema
					      ? command->choose_schema(&session->options)
					      : command->schema;
	if (schema && !session->options.binary)
		err = emitter_create(output.stream, session->options.format, schema, &emitter);
	if (!err)
		err = line->command->run(session, emitter, line->count, line->words, status);
	if (emitter) {
		if (err)
			emitter_give_up(emitter);
		else
			err = emitter_finish(emitter);
		emitter_destroy(emitter);
	}
	if (!err && memory_lost())
		err = error_new(
			"the dump was cut off or could not be read while it was in use: what "
			"was found in it is not to be trusted; run this again");
	if (!err && error_memory_ran_out)
		err = error_no_memory();
	return output_close(&output, err);
}

/*
 * In crash a reader of our output (`| head`, a pager) that has had enough is no error; outside,
 * SIGPIPE ends us. Writing to a pipe fails for no other reason.
 */
static bool reader_has_gone(const struct session *session)
{
	struct stat status;

	return session->in_crash && ferror(session->out) &&
	       fstat(fileno(session->out), &status) == 0 && S_ISFIFO(status.st_mode);
}

int iommupt_run(struct session *session, int argc, char **argv)
{
	struct command_line line = { 0 };
	int status = EXIT_DONE;

	session->options = (struct options){
		.format = FORMAT_TEXT,
		.near = 8,
		.threads = usual_threads(),
	};
	session_begin(session);
	error_memory_ran_out = false;
	struct error *err = parse(session, argc, argv, &line);
	if (!err && line.extra & EXTRA_VERSION)
		version_print(session->out, session->backend);
	else if (!err && line.extra & EXTRA_HELP)
		help_print(session->out, line.count ? command_by_name(line.words[0]) : NULL,
			   session->in_crash);
	else if (!err)
		err = run_with_output(session, &line, &status);
	/* Of what is printed without an emitter nobody has asked yet. */
	if (!err && (fflush(session->out) || ferror(session->out)))
		err = error_errno(errno, "output cannot be written");
	session_end(session);
	if (err) {
		if (!reader_has_gone(session))
			session_message(session, "%s", err->message);
		error_free(err);
		status = EXIT_FAILED;
	}
	return status;
}

static void print_option(FILE *out, const struct option_row *row)
{
	char left[64];
	int used = 0;

	if (row->letter < 256)
		used = snprintf(left, sizeof(left), "-%c, ", row->letter);
	snprintf(left + used, sizeof(left) - (size_t)used, "--%s%s%s", row->name,
		 row->argument ? " " : "", row->argument ? row->argument : "");
	fprintf(out, "  %-20s %s\n", left, row->help);
}

static void print_columns(FILE *out, const struct schema *schema)
{
	fprintf(out, "\nColumns of %s (CSV header, JSON keys):\n", schema->name);
	for (size_t i = 0; i < schema->count; i++)
		fprintf(out, "  %-14s %s\n", schema->columns[i].name,
			schema->columns[i].description);
}

static void print_list(FILE *out, const struct command *command)
{
	const char *name = NULL;
	const char *text = NULL;

	if (command->list_item)
		fprintf(out, "\n%s:\n", command->list_title);
	for (size_t i = 0; command->list_item && command->list_item(i, &name, &text); i++)
		fprintf(out, "  %-18s %s\n", name, text);
}

static const char target_help[] =
	"TARGET is one of:\n"
	"  0000:3b:00.0        a PCI device (3b:00.0 when the segment is 0), and its PASIDs\n"
	"  0000:3b:00.0 pasid=N  one PASID of it\n"
	"  domain:ADDR         an iommu_domain, by its kernel address\n"
	"  vm:PID, vm:ADDR     a virtual machine, by its process or its struct kvm: all of its tables;\n"
	"                      the `space` column names a single one\n"
	"  group:N             the devices of an IOMMU group\n"
	"  dmar0, ivhd0, ...   all that a unit translates\n"
	"  pid:N               a process, by its PID or that of a thread: its user addresses\n"
	"  all                 everything but processes; a table shared by several devices once\n"
	"  root:FORMAT@PHYS[:LEVELS][,key=value]...\n"
	"                      a bare table, without a kernel: in a vmcore, or in a raw image of\n"
	"                      physical memory; keys: levels ias oas granule start-level concat\n"
	"                      cbit sign-extend ttbr1 lpa2 hd arch\n"
	"RANGE is START-END (END not included), START..END, START+LENGTH, or one ADDR: the page\n"
	"that holds it. Numbers are decimal, or hex with 0x.\n";

static void print_one(FILE *out, const struct command *command, bool in_crash)
{
	fprintf(out, "Usage: iommupt %s%s%s [options]\n%s.\n\n%s\n", command->name,
		command->arguments[0] ? " " : "", command->arguments, command->summary,
		command->description);
	if (command->options)
		fputs("\nOptions:\n", out);
	for (size_t i = 0; i < OPTION_ROWS; i++) {
		if (option_rows[i].set & command->options)
			print_option(out, &option_rows[i]);
	}
	print_list(out, command);
	if (command->schema)
		print_columns(out, command->schema);
	for (const struct schema *const *more = command->more_schemas; more && *more; more++)
		print_columns(out, *more);
	if (strstr(command->arguments, "TARGET"))
		fprintf(out, "\n%s", target_help);
	(void)in_crash;
}

void help_print(FILE *out, const struct command *command, bool in_crash)
{
	if (command) {
		print_one(out, command, in_crash);
		return;
	}
	fprintf(out,
		"Usage: iommupt %sCOMMAND [arguments] [options]\n"
		"Shows what the IOMMU page tables of a Linux %s say.\n\nCommands:\n",
		in_crash ? "" : "[-c VMCORE] [-s FILE]... ",
		in_crash ? "kernel" : "vmcore, or of the running kernel,");
	for (const struct command *const *row = commands; *row; row++)
		fprintf(out, "  %-8s %-15s %s\n", (*row)->name, (*row)->arguments, (*row)->summary);
	fputs("\nOptions:\n", out);
	for (size_t i = 0; i < OPTION_ROWS; i++) {
		if (!option_rows[i].stand_alone || !in_crash)
			print_option(out, &option_rows[i]);
	}
	fprintf(out,
		"\n%s\nExit status: 0 done; 1 done, and findings; 2 could not be done: one line on "
		"stderr says why.\nMore: `iommupt help COMMAND`.\n",
		target_help);
}

/* Text for man(7): a backslash, and a dot or quote at the start of a line, are special. */
static void roff_text(FILE *out, const char *text)
{
	bool line_start = true;

	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\n' && text[1] == '\n') {
			fputs("\n.PP\n", out);
			text++;
		} else
			fputc(*text, out);
		line_start = *text == '\n';
	}
	fputc('\n', out);
}

static void roff_option(FILE *out, const struct option_row *row)
{
	fputs(".TP\n", out);
	if (row->letter < 256)
		fprintf(out, "\\fB\\-%c\\fR, ", row->letter);
	fprintf(out, "\\fB\\-\\-%s\\fR%s%s\n", row->name, row->argument ? " " : "",
		row->argument ? row->argument : "");
	roff_text(out, row->help);
}

static void roff_columns(FILE *out, const struct schema *schema)
{
	fprintf(out, ".PP\nColumns of %s:\n", schema->name);
	for (size_t i = 0; i < schema->count; i++) {
		fprintf(out, ".TP\n.I %s\n", schema->columns[i].name);
		roff_text(out, schema->columns[i].description);
	}
}

static void roff_command(FILE *out, const struct command *command)
{
	fprintf(out, ".SS %s %s\n", command->name, command->arguments);
	roff_text(out, command->summary);
	fputs(".PP\n", out);
	roff_text(out, command->description);
	const char *name = NULL;
	const char *text = NULL;
	if (command->list_item)
		fprintf(out, ".PP\n%s:\n", command->list_title);
	for (size_t i = 0; command->list_item && command->list_item(i, &name, &text); i++) {
		fprintf(out, ".TP\n.I %s\n", name);
		roff_text(out, text);
	}
	if (command->schema)
		roff_columns(out, command->schema);
	for (const struct schema *const *more = command->more_schemas; more && *more; more++)
		roff_columns(out, *more);
}

void help_manual(FILE *out)
{
	fprintf(out, ".TH IOMMUPT 8 \"\" \"iommupt %s\" \"System Administration\"\n",
		IOMMUPT_VERSION);
	fputs(".SH NAME\niommupt \\- show what IOMMU page tables in a vmcore say\n"
	      ".SH SYNOPSIS\n.B iommupt\n[\\fB\\-c\\fR VMCORE] [\\fB\\-s\\fR FILE]... COMMAND "
	      "[arguments] [options]\n.PP\nInside \\fBcrash\\fR(8), after \\fBextend "
	      "iommupt.so\\fR:\n.br\n.B iommupt\nCOMMAND [arguments] [options]\n.SH DESCRIPTION\n",
	      out);
	roff_text(out,
		  "Opens a Linux vmcore and shows what every IOMMU page table on that host said: "
		  "which device could reach which memory, and by which entries. Without "
		  "-c it reads the running kernel: /proc/kcore, /proc/kallsyms and "
		  "/sys/kernel/btf, as root; tables that change meanwhile are read again, and what "
		  "does not hold still is shown as unknown.");
	fputs(".SH COMMANDS\n", out);
	for (const struct command *const *row = commands; *row; row++)
		roff_command(out, *row);
	fputs(".SH OPTIONS\n", out);
	for (size_t i = 0; i < OPTION_ROWS; i++)
		roff_option(out, &option_rows[i]);
	fputs(".SH TARGETS\n.nf\n", out);
	roff_text(out, target_help);
	fputs(".fi\n.SH EXIT STATUS\n", out);
	roff_text(out,
		  "0: done. 1: done, and a check has findings. 2: could not be done; one line on "
		  "stderr says why and what to do next.");
	fputs(".SH SEE ALSO\n.BR crash (8),\n.BR makedumpfile (8)\n", out);
}

static struct error *run_help(struct session *session, struct emitter *emitter, int count,
			      char **words, int *status)
{
	const struct command *command = count ? command_by_name(words[0]) : NULL;

	(void)emitter;
	(void)status;
	if (session->options.manual) {
		help_manual(session->out);
		return NULL;
	}
	if (count && !command)
		return error_new("'%s' is not a command that is known; see `iommupt help`",
				 words[0]);
	help_print(session->out, command, session->in_crash);
	return NULL;
}

const struct command command_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "help for all, or for one command",
	.description = "Prints what a command does, its options and its columns.",
	.options = OPTION_MANUAL,
	.arguments_min = 0,
	.arguments_max = 1,
	.run = run_help,
};
