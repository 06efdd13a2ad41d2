/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The layout of a structure, read from what gdb's `ptype/or` prints: gdb has no other way to
 * tell where a bit-field lies. Text in, offsets out; nothing of crash is needed here.
 */
#ifndef IOMMUPT_GDB_LAYOUT_H
#define IOMMUPT_GDB_LAYOUT_H

#include <stddef.h>

#include "target/types.h"

struct error;
struct gdb_layout;

/*
 * gdb_layout_parse() - the layout that @text (len bytes) shows. *ret is NULL without an error
 * when it shows none: a type without members, or only declared.
 */
struct error *gdb_layout_parse(const char *text, size_t len, struct gdb_layout **ret);
void gdb_layout_destroy(struct gdb_layout *layout);

enum gdb_layout_answer {
	LAYOUT_ABSENT,
	LAYOUT_FOUND,
	LAYOUT_ELSEWHERE, /* within a member whose own layout `ptype/or` has not shown */
};

/*
 * gdb_layout_find() - where the member at the dotted @path lies; @path NULL is the structure
 * itself. LAYOUT_ELSEWHERE: ask again for *rest in the type called *type, and add
 * @ret->offset; both strings live as long as the layout and @path.
 */
enum gdb_layout_answer gdb_layout_find(const struct gdb_layout *layout, const char *path,
				       struct member *ret, const char **type, const char **rest);

#endif
