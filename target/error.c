// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char no_memory_message[] = "out of memory";
struct error error_out_of_memory = { .message = no_memory_message };
bool error_memory_ran_out;

/* Names out of a dump or a file may hold anything; a terminal takes some of it for orders. */
static void make_one_line(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

static struct error *error_vnew(int errnum, const char *format, va_list args)
{
	struct error *err = malloc(sizeof(*err));
	char *text = NULL;

	if (!err)
		return error_no_memory();
	if (vasprintf(&text, format, args) < 0) {
		free(err);
		return error_no_memory();
	}
	err->message = text;
	if (errnum) {
		char *longer = NULL;

		if (asprintf(&longer, "%s: %s", text, strerror(errnum)) >= 0) {
			err->message = longer;
			free(text);
		}
	}
	make_one_line(err->message);
	return err;
}

struct error *error_new(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *err = error_vnew(0, format, args);
	va_end(args);
	return err;
}

struct error *error_errno(int errnum, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct error *err = error_vnew(errnum, format, args);
	va_end(args);
	return err;
}

void error_free(struct error *err)
{
	if (!err || err == &error_out_of_memory)
		return;
	free(err->message);
	free(err);
}
