// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/text.h"

#include <stdlib.h>
#include <string.h>

#include "target/error.h"

static bool grow(struct text *text, size_t len)
{
	size_t room = text->room ? text->room : 128;

	while (room < len)
		room *= 2;
	if (text->bytes && room == text->room)
		return true;
	char *larger = realloc(text->bytes, room);
	if (!larger)
		return false;
	text->bytes = larger;
	text->room = room;
	return true;
}

/* As cookie_write_function_t has it: 0 is an error. */
static ssize_t take(void *cookie, const char *bytes, size_t len)
{
	struct text *text = cookie;

	if (text->failed || !grow(text, text->len + len + 1)) {
		text->failed = true;
		return 0;
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
	return (ssize_t)len;
}

struct error *text_open(struct text *text)
{
	const cookie_io_functions_t functions = { .write = take };

	*text = (struct text){ 0 };
	text->stream = fopencookie(text, "w", functions);
	if (text->stream && grow(text, 1)) {
		text->bytes[0] = '\0';
		return NULL;
	}
	text_deinit(text);
	return error_no_memory();
}

size_t text_length(struct text *text)
{
	fflush(text->stream);
	return text->len;
}

const char *text_so_far(struct text *text)
{
	return fflush(text->stream) || text->failed ? NULL : text->bytes;
}

struct error *text_finish(struct text *text, char **ret)
{
	const bool failed = fclose(text->stream) != 0 || text->failed;

	text->stream = NULL;
	if (failed) {
		text_deinit(text);
		return error_no_memory();
	}
	*ret = text->bytes;
	text->bytes = NULL;
	return NULL;
}

void text_deinit(struct text *text)
{
	if (text->stream)
		fclose(text->stream);
	text->stream = NULL;
	free(text->bytes);
	text->bytes = NULL;
}
