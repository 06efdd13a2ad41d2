/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * System.map: the link-time addresses of a kernel's symbols as text, one a line:
 *
 *	ffffffff82000100 R linux_banner
 *
 * For kernels that do not say where their own symbol table is (before 6.0), it
 * stands in for a vmlinux of a hundred times its size where types come from BTF.
 */
#ifndef IOMMUPT_SYSTEM_MAP_H
#define IOMMUPT_SYSTEM_MAP_H

#include <stdbool.h>

#include "target/symbols.h"

struct error;

/* The name of its struct symbols_ops, to be told by its address. */
extern const char SYSTEM_MAP_NAME[];

/* system_map_is() - does the file at @path begin like one? */
bool system_map_is(const char *path);

/*
 * system_map_open() - a provider of the symbols in @path; the caller owns it. Errors name the
 * path and what to do.
 */
struct error *system_map_open(const char *path, struct symbols **ret);

#endif
