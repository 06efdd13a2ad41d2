// SPDX-License-Identifier: GPL-3.0-or-later
/* The stand-alone command: a session over files. */
#include <signal.h>
#include <stddef.h>

#include "reports/commands.h"
#include "target/error.h"
#include "target/kernel.h"
#include "target/memory.h"
#include "target/recorder.h"

static struct session session;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	session.stop = 1;
}

/* Without -c the live kernel is meant. */
static struct error *open_core(const struct session *self, unsigned int flags, struct memory **ret)
{
	if (self->options.by_library)
		flags |= MEMORY_BY_LIBRARY;
	return self->options.core ? memory_open(self->options.core, flags, ret)
				  : memory_open_live(ret);
}

/* An extract notes what symbols and types say, and leaves out where they are. */
static void skip_symbols(struct memory *memory, bool begin)
{
	recorder_set_reason(memory, begin ? RECORD_NOTHING : RECORD_STRUCTS);
}

static struct error *open_kernel(struct session *self, struct kernel **ret)
{
	const struct options *options = &self->options;
	struct memory *memory = NULL;
	struct error *err = open_core(self, 0, &memory);
	if (!err && self->notebook)
		err = recorder_create(memory, &memory);
	/* Nor is the search for the kernel to be seen in it: skip_symbols() begins. */
	if (!err && self->notebook)
		recorder_set_reason(memory, RECORD_NOTHING);
	const struct kernel_source source = {
		.symbol_files = options->symbols,
		.count = options->symbol_count,
		.types_from = options->types_from,
		.notebook = self->notebook,
		.reading_symbols = self->notebook ? skip_symbols : NULL,
	};

	return err ? err : kernel_open(memory, &source, ret);
}

static struct error *open_memory(struct session *self, struct memory **ret)
{
	return open_core(self, MEMORY_RAW_ALLOWED, ret);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = SA_RESETHAND };

	session.out = stdout;
	session.err = stderr;
	session.open_kernel = open_kernel;
	session.open_memory = open_memory;
	/* The first asks for an orderly end, a second ends at once. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* A file that may not grow (ulimit -f) is an error of write(), and what is written is
	 * removed. */
	signal(SIGXFSZ, SIG_IGN);
	int status = iommupt_run(&session, argc, argv);
	session_deinit(&session);
	return status;
}
