/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Type information: where a member of a kernel structure lies.
 *
 * A provider (DWARF in vmlinux, crash's gdb, BTF) answers one question at a
 * time; `struct kernel` asks each only once and keeps the answer.
 *
 * A structure or a member that the kernel does not have is a regular answer,
 * not an error: layouts are told apart by what exists, never by version.
 */
#ifndef IOMMUPT_TYPES_H
#define IOMMUPT_TYPES_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct type_query;

/* Where a member lies within its structure. */
struct member {
	bool present;	    /* false: the kernel has no such structure or member */
	uint32_t offset;    /* bytes from the start of the structure to the storage unit */
	uint32_t size;	    /* bytes of the member; of its storage unit for a bit-field */
	uint8_t bit_offset; /* bit-field: least significant bit within the little-endian unit */
	uint8_t bit_size;   /* bit-field: width in bits; 0 for a plain member */
	const struct type_query *query; /* what was asked, set by kernel_resolve(); for messages */
};

/* The kind of structure that a name stands for, and one member of it. */
struct type_query {
	const char *type;   /* structure or union tag, without "struct" */
	const char *member; /* dotted path, e.g. "common.top_of_table"; members of anonymous
			       structures and unions are named directly. NULL: the structure
			       itself; the answer is offset 0 and size = sizeof */
	const char *with;   /* NULL, or: where several structures share the name, take the one
			       that has this member */
};

struct types;

struct types_ops {
	const char *name; /* for messages and --version: "dwarf", "btf", "gdb" */
	/*
	 * Answer @query into @ret. `ret->present == false` when there is no such type or
	 * member. An error only when the information itself is damaged or unreadable.
	 */
	struct error *(*find)(struct types *types, const struct type_query *query,
			      struct member *ret);
	/* The value of an enumerator, e.g. enum pageflags' "PG_slab"; *found false if none. */
	struct error *(*enumerator)(struct types *types, const char *enum_tag, const char *name,
				    bool *found, int64_t *ret);
	void (*destroy)(struct types *types);
};

/* Embedded first in each provider's own structure. */
struct types {
	const struct types_ops *ops;
};

/*
 * member_set_bits() - answer with a bit-field: @start bits into the structure, which begins
 * @base bytes into what was asked for and has @struct_size bytes; @width bits of a type of
 * @type_size bytes. Its unit is one of the type where such a one holds it all, else just the
 * bytes that hold it. All providers use this, so that they agree.
 */
void member_set_bits(struct member *member, uint64_t base, uint64_t start, uint64_t width,
		     uint64_t type_size, uint64_t struct_size);

#endif
