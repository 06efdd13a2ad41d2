/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One user's session: where output goes, which kernel is looked at, and the
 * options of the command that runs. The stand-alone command has one for its
 * life; inside crash it lasts from `extend` to `extend -u`.
 */
#ifndef IOMMUPT_SESSION_H
#define IOMMUPT_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reports/emitter.h"
#include "target/kernel.h"
#include "walkers/inventory.h"

struct error;
struct kernel;
struct memory;
struct notebook;
struct pages;

/* What one command line asks for. */
struct options {
	const char *core;	 /* -c */
	const char *symbols[16]; /* -s */
	size_t symbol_count;
	enum output_format format; /* --format */
	const char *output;	   /* -o; NULL: the session's out */
	bool view_given;
	enum space_view view;	    /* --view */
	bool each;		    /* --each */
	bool sizes;		    /* --sizes */
	bool manual;		    /* help --man */
	bool list_only;		    /* extract --list */
	bool no_log;		    /* extract --no-log */
	unsigned int near;	    /* usage --near: entries of a near-empty table, at most */
	bool histogram;		    /* usage --histogram */
	bool counters;		    /* usage --counters */
	bool no_processes;	    /* extract --no-processes */
	bool state;		    /* pagemap --state */
	bool binary;		    /* pagemap --format pagemap */
	bool writable;		    /* find --writable */
	const char *index;	    /* find --index */
	enum types_from types_from; /* --types */
	unsigned int threads;	    /* --threads */
};

struct session {
	FILE *out;
	FILE *err;
	FILE *stream; /* of the running command: out, or the file of -o */
	bool in_crash;
	volatile sig_atomic_t stop; /* set by a signal handler: end the command at once */
	struct options options;	    /* of the running command */
	/*
	 * Open what is looked at: a kernel, or physical memory alone for root: targets. The
	 * command: the files of -c and -s. crash: itself.
	 */
	struct error *(*open_kernel)(struct session *session, struct kernel **ret);
	struct error *(*open_memory)(struct session *session, struct memory **ret);
	/* Opened when first needed; kept. */
	struct kernel *kernel;
	struct inventory *inventory;
	struct pages *pages;
	struct memory *memory;	   /* of root: targets, where there is no kernel */
	struct notebook *notebook; /* extract: what is asked of the kernel is noted and recorded */
	char backend[64];	   /* what else --version should tell: "crash 8.0.2" */
};

enum exit_status { EXIT_DONE = 0, EXIT_FINDINGS = 1, EXIT_FAILED = 2 };

/* session_kernel() - the kernel, opened if need be; the session keeps it. */
struct error *session_kernel(struct session *session, struct kernel **ret);
/* session_inventory() - what the host has; found once. Prints its warnings the first time. */
struct error *session_inventory(struct session *session, struct inventory **ret);
/* session_pages() - what the kernel's pages are used for. Warns the first time. */
struct error *session_pages(struct session *session, struct pages **ret);
/* session_memory() - physical memory alone: a kernel is not needed. */
struct error *session_memory(struct session *session, struct memory **ret);

/* session_message() - one line on the session's stderr, "iommupt: " in front. */
void session_message(const struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * session_begin() - before a command: what an earlier one has found of a live kernel is not true
 * any more. session_end() - after it: say how often it had to read again.
 */
void session_begin(struct session *session);
void session_end(struct session *session);

/* session_deinit() - release all that was opened. */
void session_deinit(struct session *session);

#endif
