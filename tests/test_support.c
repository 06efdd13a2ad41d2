// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/tests.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool expect_at(bool ok, const char *file, unsigned int line, const char *format, ...)
{
	char message[512];
	va_list args;

	if (ok) {
		CU_assertImplementation(CU_TRUE, line, "", file, "", CU_FALSE);
		return true;
	}
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	CU_assertImplementation(CU_FALSE, line, message, file, "", CU_FALSE);
	return false;
}

void expect_error(struct error *err, const char *word, const char *file, unsigned int line)
{
	expect_at(err != NULL, file, line, "no error, but one about '%s' is due", word);
	if (!err)
		return;
	const char *message = err->message;
	size_t len = strlen(message);

	bool full_stop = len > 0 && message[len - 1] == '.' && !strstr(message, "...");

	expect_at(len > 0 && !full_stop, file, line, "ends in a full stop: %s", message);
	expect_at(!strchr(message, '\n'), file, line, "more than one line: %s", message);
	expect_at(strstr(message, word) != NULL, file, line, "does not name '%s': %s", word,
		  message);
	error_free(err);
}

bool expect_no_error(struct error *err, const char *file, unsigned int line)
{
	bool ok = expect_at(!err, file, line, "error: %s", err ? err->message : "");

	error_free(err);
	return ok;
}

uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t random_below(struct random *random, uint64_t limit)
{
	return random_next(random) % limit;
}

bool random_once_in(struct random *random, unsigned int n)
{
	return random_below(random, n) == 0;
}
