/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Errors that a person can act on.
 *
 * A function that can fail returns `struct error *`: NULL when it did what it
 * says, otherwise an error that the caller owns and either hands up or
 * releases with error_free(). The message is one line without a final newline
 * or full stop, names what was looked at, and says what to do next.
 */
#ifndef IOMMUPT_ERROR_H
#define IOMMUPT_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

struct error {
	char *message; /* never NULL */
};

/*
 * error_new() - make an error; never returns NULL (out of memory gives a
 * statically allocated error, which error_free() leaves alone).
 */
struct error *error_new(const char *format, ...)
	__attribute__((format(printf, 1, 2), warn_unused_result, returns_nonnull));

/* error_errno() - the same, with ": <strerror(errnum)>" behind it. */
struct error *error_errno(int errnum, const char *format, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result, returns_nonnull));

/* error_no_memory() - the static error for a failed allocation. */
extern struct error error_out_of_memory;
/*
 * Has it been given since this was last cleared? Some errors become warnings, or mean that
 * something is not there; what comes of these is not to be trusted when the reason was memory.
 */
extern bool error_memory_ran_out;
/* Inline, for the analyzers: they see that it is never NULL. */
static inline struct error *__attribute__((warn_unused_result, returns_nonnull))
error_no_memory(void)
{
	__atomic_store_n(&error_memory_ran_out, true, __ATOMIC_RELAXED);
	return &error_out_of_memory;
}

/* error_free() - release an error; NULL is allowed. */
void error_free(struct error *err);

#endif
