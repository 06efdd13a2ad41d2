/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel under study: its memory by virtual address, its symbols and its
 * types. What the walkers see of a target.
 *
 * A struct kernel owns what it was made from. It is not thread-safe.
 */
#ifndef IOMMUPT_KERNEL_H
#define IOMMUPT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/memory.h"
#include "target/symbols.h"
#include "target/types.h"

struct error;
struct kernel;
struct notebook;

/* How kernel virtual memory is read; crash has its own, files use the kernel's page table. */
struct virtual_memory {
	/* One page-sized, page-aligned block of kernel virtual memory. */
	enum block_status (*read_page)(struct virtual_memory *self, struct memory *memory,
				       uint64_t address, void *data);
	/* Physical address of kernel virtual @address; false when it is not mapped. */
	bool (*to_phys)(struct virtual_memory *self, struct memory *memory, uint64_t address,
			uint64_t *ret);
	void (*destroy)(struct virtual_memory *self);
};

enum { KERNEL_PAGE = 4096, KERNEL_FILES_MAX = 16, KERNEL_SOURCES_MAX = KERNEL_FILES_MAX + 2 };

/* Where types may come from. */
enum types_from { TYPES_ANY, TYPES_BTF, TYPES_DWARF };

/* What a kernel is opened from, besides its memory. */
struct kernel_source {
	const char *const *symbol_files; /* vmlinux, module debug files; may be none */
	size_t count;
	enum types_from types_from;
	struct notebook *notebook; /* notes what is asked for, for an extract; may be NULL */
	/* Called before symbols and types are read (true) and after (false); may be NULL. */
	void (*reading_symbols)(struct memory *memory, bool begin);
};

/*
 * kernel_open() - make a kernel of @memory, which it takes over, also on error. Symbols and types
 * come from the dump itself where it has them, else from the files of @source. Checks that
 * vmlinux belongs to the dump.
 */
struct error *kernel_open(struct memory *memory, const struct kernel_source *source,
			  struct kernel **ret);

/* kernel_create() - from ready-made parts (crash); takes over all of them, also on error. */
struct error *kernel_create(struct memory *memory, struct virtual_memory *virtual_memory,
			    struct symbols *symbols, struct types *types, struct kernel **ret);

void kernel_close(struct kernel *kernel);

/* One more source, asked behind those that there are; @kernel takes it over, also on error. */
struct error *kernel_add_symbols(struct kernel *kernel, struct symbols *symbols);
struct error *kernel_add_types(struct kernel *kernel, struct types *types);

/*
 * kernel_reading_symbols() - between a call with true and one with false, which may be nested,
 * symbols or types are read: what a look-up needs, but not what an extract holds.
 */
void kernel_reading_symbols(struct kernel *kernel, bool begin);

struct memory *kernel_memory(struct kernel *kernel);

/* kernel_forget_pages() - empty the cache of virtual pages. */
void kernel_forget_pages(struct kernel *kernel);

/*
 * kernel_vmcoreinfo() - the text of a VMCOREINFO note that lets the kernel's page table be found
 * again: the dump's own, or one in its manner. The caller frees it.
 */
struct error *kernel_vmcoreinfo(struct kernel *kernel, char **ret);

/* kernel_release() - "6.1.0-50-amd64", or "" when it cannot be known. */
const char *kernel_release(struct kernel *kernel);

/* kernel_symbol() - the run-time address of the first symbol called @name; false if none. */
bool kernel_symbol(struct kernel *kernel, const char *name, uint64_t *ret);

/*
 * kernel_resolve() - look up @count members at once: one table per user. A member that the
 * kernel does not have is answered by present == false.
 */
struct error *kernel_resolve(struct kernel *kernel, const struct type_query *queries,
			     struct member *members, size_t count);

/*
 * kernel_enumerator() - the value of enum @enum_tag's @name; *found is false when this kernel has
 * none. An empty @enum_tag means any enum.
 */
struct error *kernel_enumerator(struct kernel *kernel, const char *enum_tag, const char *name,
				bool *found, int64_t *ret);

/* kernel_read() - @len bytes at kernel virtual @address, or an error naming the address. */
struct error *kernel_read(struct kernel *kernel, uint64_t address, void *data, size_t len);

/* A part of a structure, in bytes. */
struct part {
	uint32_t offset;
	uint32_t len;
};

/* kernel_read_parts() - as kernel_read(); but only @parts of it are used: an extract has no more.
 */
struct error *kernel_read_parts(struct kernel *kernel, uint64_t address, void *data, size_t len,
				const struct part *parts, size_t count);

/* kernel_get() - the integer in @member of the structure at @base; absent is an error. */
struct error *kernel_get(struct kernel *kernel, uint64_t base, const struct member *member,
			 uint64_t *ret);

/* kernel_string() - up to @size - 1 bytes of the string at @address. */
struct error *kernel_string(struct kernel *kernel, uint64_t address, char *text, size_t size);

/*
 * kernel_member_string() - the same of the array of characters that @member of the structure at
 * @base is, of which no byte behind its end is read. What says how long it is may be damaged.
 */
struct error *kernel_member_string(struct kernel *kernel, uint64_t base,
				   const struct member *member, char *text, size_t size);

/* kernel_to_phys() - physical address of kernel virtual @address; false if not mapped. */
bool kernel_to_phys(struct kernel *kernel, uint64_t address, uint64_t *ret);

/*
 * Iterate a struct list_head ring, bounded: a ring that does not close, or a node that
 * cannot be read, ends it with an error in @cursor.
 *
 *	struct list_cursor cursor = list_begin(head_address);
 *	while (list_next(kernel, &cursor))
 *		... cursor.node ...
 *	if (cursor.error) ...
 */
struct list_cursor {
	uint64_t head;
	uint64_t node;
	uint64_t count;
	struct error *error; /* the caller's, when list_next() has returned false */
};

static inline struct list_cursor list_begin(uint64_t head)
{
	return (struct list_cursor){ .head = head, .node = head };
}

bool list_next(struct kernel *kernel, struct list_cursor *cursor);

#endif
