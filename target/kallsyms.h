/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The symbols that a kernel carries itself (kallsyms), read out of a dump.
 *
 * Their addresses are run-time ones. Which symbols there are depends on the kernel:
 * with CONFIG_KALLSYMS_ALL all of them, without it (arm64 before 6.12) only text.
 */
#ifndef IOMMUPT_KALLSYMS_H
#define IOMMUPT_KALLSYMS_H

#include <stddef.h>

#include "target/symbols.h"

struct error;
struct kernel;

/*
 * kallsyms_open() - a provider of @kernel's own symbols, found by the VMCOREINFO of its dump.
 * *ret is NULL without an error when VMCOREINFO does not say where they are (before 6.0); an
 * error says that they are there but cannot be used. Needs only @kernel's memory. The caller
 * owns *ret, which keeps nothing of @kernel.
 */
struct error *kallsyms_open(struct kernel *kernel, struct symbols **ret);

/*
 * kallsyms_open_text() - a provider of the symbols that the file at @path lists in the manner of
 * /proc/kallsyms, those of modules included. *ret is NULL without an error when there is no such
 * file, or when the kernel hides the addresses from this process (they are all 0: kptr_restrict).
 */
struct error *kallsyms_open_text(const char *path, struct symbols **ret);

/*
 * kallsyms_add_modules() - add the symbols of the loaded modules to @symbols, which
 * kallsyms_open() made. @kernel must have types by now. Modules whose symbols cannot be read
 * are left out and counted in *skipped. After an error what was read before it can be found.
 * Not to be called twice.
 */
struct error *kallsyms_add_modules(struct kernel *kernel, struct symbols *symbols, size_t *skipped);

/*
 * kallsyms_open_modules() - a provider of the symbols of @kernel's loaded modules alone, which are
 * read when it is asked for the first time. It must not outlive @kernel, which may own it.
 */
struct error *kallsyms_open_modules(struct kernel *kernel, struct symbols **ret);

/* kallsyms_count() - how many symbols there are, those of modules that were added included. */
size_t kallsyms_count(const struct symbols *symbols);

#endif
