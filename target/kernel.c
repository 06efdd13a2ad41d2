// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "target/error.h"
#include "target/kernel_private.h"
#include "target/noted.h"
#include "target/text.h"
#include "target/vmlinux.h"

enum { LIST_MAX = 1 << 20, LIVE_CACHE_MS = 20 };

struct memory *kernel_memory(struct kernel *kernel)
{
	return kernel->memory;
}

const char *kernel_release(struct kernel *kernel)
{
	return kernel->release;
}

void kernel_forget_pages(struct kernel *kernel)
{
	for (size_t i = 0; i < KERNEL_CACHE_PAGES; i++)
		kernel->cache[i].address = UINT64_MAX;
}

struct error *kernel_new(struct memory *memory, struct kernel **ret)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel) {
		memory_close(memory);
		return error_no_memory();
	}
	kernel->memory = memory;
	if (memory->vmcoreinfo)
		vmcoreinfo_get(memory->vmcoreinfo, "OSRELEASE", kernel->release,
			       sizeof(kernel->release));
	kernel_forget_pages(kernel);
	kernel->pages = malloc((size_t)KERNEL_CACHE_PAGES * KERNEL_PAGE);
	if (!kernel->pages) {
		kernel_close(kernel);
		return error_no_memory();
	}
	*ret = kernel;
	return NULL;
}

struct error *kernel_create(struct memory *memory, struct virtual_memory *virtual_memory,
			    struct symbols *symbols, struct types *types, struct kernel **ret)
{
	struct kernel *kernel = NULL;
	struct error *err = kernel_new(memory, &kernel);

	if (!kernel) {
		virtual_memory->destroy(virtual_memory);
		symbols->ops->destroy(symbols);
		types->ops->destroy(types);
		return err;
	}
	kernel->virtual_memory = virtual_memory;
	kernel->symbols[kernel->symbols_count++] = symbols;
	kernel->types[kernel->types_count++] = types;
	*ret = kernel;
	return NULL;
}

void kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return;
	for (size_t i = 0; i < kernel->types_count; i++)
		kernel->types[i]->ops->destroy(kernel->types[i]);
	for (size_t i = 0; i < kernel->symbols_count; i++)
		kernel->symbols[i]->ops->destroy(kernel->symbols[i]);
	for (size_t i = 0; i < kernel->files_count; i++)
		vmlinux_close(kernel->files[i]);
	if (kernel->virtual_memory)
		kernel->virtual_memory->destroy(kernel->virtual_memory);
	memory_close(kernel->memory);
	free(kernel->pages);
	free(kernel);
}

struct error *kernel_add_symbols(struct kernel *kernel, struct symbols *symbols)
{
	if (kernel->symbols_count == KERNEL_SOURCES_MAX) {
		symbols->ops->destroy(symbols);
		return error_new("more than %d sources of symbols", KERNEL_SOURCES_MAX);
	}
	kernel->symbols[kernel->symbols_count++] = symbols;
	return NULL;
}

struct error *kernel_add_types(struct kernel *kernel, struct types *types)
{
	if (kernel->types_count == KERNEL_SOURCES_MAX) {
		types->ops->destroy(types);
		return error_new("more than %d sources of types", KERNEL_SOURCES_MAX);
	}
	kernel->types[kernel->types_count++] = types;
	return NULL;
}

void kernel_reading_symbols(struct kernel *kernel, bool begin)
{
	if (!kernel->reading_symbols)
		return;
	if (begin ? kernel->reading_depth++ : --kernel->reading_depth)
		return;
	kernel->reading_symbols(kernel->memory, begin);
	/* A page that comes out of the cache later would not be seen to be read. */
	if (!begin)
		kernel_forget_pages(kernel);
}

static bool find_symbol(struct kernel *kernel, const char *name, uint64_t *ret)
{
	for (size_t i = 0; i < kernel->symbols_count; i++) {
		struct symbols *symbols = kernel->symbols[i];
		uint64_t address = 0;

		if (symbols->ops->find(symbols, name, &address, 1) == 0)
			continue;
		*ret = address + (symbols->link_time ? kernel->kaslr_offset : 0);
		return true;
	}
	return false;
}

bool kernel_symbol(struct kernel *kernel, const char *name, uint64_t *ret)
{
	bool found = find_symbol(kernel, name, ret);

	if (kernel->notebook)
		notebook_symbol(kernel->notebook, name, found, found ? *ret : 0);
	return found;
}

static struct error *resolve_one(struct kernel *kernel, const struct type_query *query,
				 struct member *ret)
{
	*ret = (struct member){ .present = false };
	for (size_t i = 0; i < kernel->types_count && !ret->present; i++) {
		struct types *types = kernel->types[i];
		struct error *err = types->ops->find(types, query, ret);

		if (err)
			return err;
	}
	if (kernel->notebook)
		notebook_member(kernel->notebook, query, ret);
	return NULL;
}

struct error *kernel_resolve(struct kernel *kernel, const struct type_query *queries,
			     struct member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error *err = resolve_one(kernel, &queries[i], &members[i]);

		if (err)
			return err;
		members[i].query = &queries[i];
	}
	return NULL;
}

struct error *kernel_enumerator(struct kernel *kernel, const char *enum_tag, const char *name,
				bool *found, int64_t *ret)
{
	*found = false;
	*ret = 0;
	for (size_t i = 0; i < kernel->types_count && !*found; i++) {
		struct types *types = kernel->types[i];
		struct error *err = types->ops->enumerator(types, enum_tag, name, found, ret);

		if (err)
			return err;
	}
	if (kernel->notebook)
		notebook_enumerator(kernel->notebook, enum_tag, name, *found, *ret);
	return NULL;
}

/*
 * Before a recorder the page itself is only looked into, and what is used of it is told later;
 * the tables that lead to it are read as ever.
 */
static enum block_status read_page(struct kernel *kernel, uint64_t page, char *data, uint64_t *phys)
{
	struct virtual_memory *virtual_memory = kernel->virtual_memory;
	struct block_request request = { .data = data, .len = KERNEL_PAGE, .peek = true };

	if (!kernel->memory->ops->keep || !kernel_to_phys(kernel, page, &request.phys))
		return virtual_memory->read_page(virtual_memory, kernel->memory, page, data);
	*phys = request.phys;
	kernel->memory->ops->read(kernel->memory, &request, 1);
	return request.status;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A running kernel's page is soon another one. */
static bool is_cached(const struct kernel *kernel, size_t slot, uint64_t page)
{
	return kernel->cache[slot].address == page &&
	       (!kernel->memory->live || now_ms() - kernel->cache[slot].read_at < LIVE_CACHE_MS);
}

/* Whole pages are cached: structures lie close together and are read field by field. */
static enum block_status cached_page(struct kernel *kernel, uint64_t page, const char **ret,
				     uint64_t *phys)
{
	const size_t slot = (size_t)((page / KERNEL_PAGE) % KERNEL_CACHE_PAGES);
	char *data = kernel->pages + slot * KERNEL_PAGE;

	if (!is_cached(kernel, slot, page)) {
		kernel->cache[slot].address = UINT64_MAX;
		kernel->cache[slot].read_at = kernel->memory->live ? now_ms() : 0;
		kernel->cache[slot].status =
			read_page(kernel, page, data, &kernel->cache[slot].phys);
		kernel->cache[slot].address = page;
	}
	*ret = data;
	*phys = kernel->cache[slot].phys;
	return kernel->cache[slot].status;
}

/* A recorder is told what was used. It has been read: its page is in the cache, or can be. */
static void keep(struct kernel *kernel, uint64_t address, size_t len)
{
	while (len && kernel->memory->ops->keep) {
		const size_t within = (size_t)(address % KERNEL_PAGE);
		const size_t piece = len < KERNEL_PAGE - within ? len : KERNEL_PAGE - within;
		const char *page = NULL;
		uint64_t phys = 0;

		if (cached_page(kernel, address - within, &page, &phys) == BLOCK_OK)
			kernel->memory->ops->keep(kernel->memory, phys + within, (uint32_t)piece);
		address += piece;
		len -= piece;
	}
}

static struct error *copy(struct kernel *kernel, uint64_t address, void *data, size_t len)
{
	char *to = data;

	while (len) {
		const size_t within = (size_t)(address % KERNEL_PAGE);
		const size_t piece = len < KERNEL_PAGE - within ? len : KERNEL_PAGE - within;
		const char *page = NULL;
		uint64_t phys = 0;
		enum block_status status = cached_page(kernel, address - within, &page, &phys);

		if (status != BLOCK_OK)
			return error_new("kernel memory at 0x%" PRIx64 " is %s%s%s", address,
					 block_status_text(status),
					 kernel->memory->defect ? ": " : "",
					 kernel->memory->defect ? kernel->memory->defect : "");
		memcpy(to, page + within, piece);
		to += piece;
		address += piece;
		len -= piece;
	}
	return NULL;
}

struct error *kernel_read(struct kernel *kernel, uint64_t address, void *data, size_t len)
{
	struct error *err = copy(kernel, address, data, len);

	if (!err)
		keep(kernel, address, len);
	return err;
}

struct error *kernel_read_parts(struct kernel *kernel, uint64_t address, void *data, size_t len,
				const struct part *parts, size_t count)
{
	struct error *err = copy(kernel, address, data, len);

	for (size_t i = 0; i < count && !err; i++)
		keep(kernel, address + parts[i].offset, parts[i].len);
	return err;
}

struct error *kernel_get(struct kernel *kernel, uint64_t base, const struct member *member,
			 uint64_t *ret)
{
	uint64_t value = 0; /* little-endian hosts and targets only */

	if (!member->present || member->size > sizeof(value) || member->bit_size > 64 ||
	    member->bit_offset > 63)
		return error_new(
			"this kernel's struct %s has no member %s of a known size; where it "
			"belongs to a module, give the module's debug file with -s (Debian: "
			"package linux-image-*-dbg); else report the kernel's version",
			member->query ? member->query->type : "?",
			member->query ? member->query->member : "?");
	struct error *err = kernel_read(kernel, base + member->offset, &value, member->size);
	if (err)
		return err;
	if (member->bit_size)
		value = value >> member->bit_offset & ~0ULL >> (64 - member->bit_size);
	*ret = value;
	return NULL;
}

struct error *kernel_string(struct kernel *kernel, uint64_t address, char *text, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++) {
		struct error *err = kernel_read(kernel, address + i, &text[i], 1);

		if (err)
			return err;
		if (text[i] == '\0')
			return NULL;
	}
	text[size - 1] = '\0';
	return NULL;
}

struct error *kernel_member_string(struct kernel *kernel, uint64_t base,
				   const struct member *member, char *text, size_t size)
{
	if (member->size < size)
		size = member->size;
	return size ? kernel_string(kernel, base + member->offset, text, size) : NULL;
}

bool kernel_to_phys(struct kernel *kernel, uint64_t address, uint64_t *ret)
{
	return kernel->virtual_memory->to_phys(kernel->virtual_memory, kernel->memory, address,
					       ret);
}

struct error *kernel_vmcoreinfo(struct kernel *kernel, char **ret)
{
	struct text text;
	struct error *err = text_open(&text);

	if (err)
		return err;
	if (kernel->memory->vmcoreinfo) {
		fputs(kernel->memory->vmcoreinfo, text.stream);
	} else {
		if (kernel->release[0])
			fprintf(text.stream, "OSRELEASE=%s\n", kernel->release);
		if (kernel->arch && kernel->arch->write_vmcoreinfo)
			kernel->arch->write_vmcoreinfo(kernel, text.stream);
	}
	return text_finish(&text, ret);
}

bool list_next(struct kernel *kernel, struct list_cursor *cursor)
{
	uint64_t next = 0;

	cursor->error = kernel_read(kernel, cursor->node, &next, sizeof(next));
	if (cursor->error || next == cursor->head)
		return false;
	if (next == 0 || cursor->count++ >= LIST_MAX) {
		cursor->error = error_new(
			"the kernel list at 0x%" PRIx64 " does not close: damaged", cursor->head);
		return false;
	}
	cursor->node = next;
	return true;
}
