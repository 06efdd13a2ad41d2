/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text that is put together by printing. open_memstream() is not used: without memory that of glibc
 * (2.36) loses a write, or the whole, and neither ferror() nor fclose() tells.
 */
#ifndef IOMMUPT_TEXT_H
#define IOMMUPT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct error;

struct text {
	FILE *stream; /* to print to */
	char *bytes;  /* what has been flushed, with a NUL behind it; NULL: nothing */
	size_t len;
	size_t room;
	bool failed; /* memory ran out */
};

/* text_open() - an empty text; @text must stay where it is. */
struct error *text_open(struct text *text);

/* text_length() - bytes printed so far. */
size_t text_length(struct text *text);

/* text_so_far() - what has been printed; NULL when memory ran out. The text's own. */
const char *text_so_far(struct text *text);

/* text_finish() - all of it, which the caller frees; @text is closed, also on error. */
struct error *text_finish(struct text *text, char **ret);

/* text_deinit() - close a text that is not wanted; may be called after text_finish(). */
void text_deinit(struct text *text);

#endif
