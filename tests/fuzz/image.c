// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/fuzz/image.h"

#include "target/error.h"

/* The parts of a kernel; one at a time. */
static struct parts {
	struct memory memory;
	struct virtual_memory virtual_memory;
	struct symbols symbols;
	struct types types;
	const struct image *image;
} parts;

static void read_nothing(struct memory *memory, struct block_request *requests, size_t count)
{
	(void)memory;
	for (size_t i = 0; i < count; i++)
		requests[i].status = BLOCK_OUTSIDE;
}

static enum block_status probe_nothing(struct memory *memory, uint64_t phys)
{
	(void)memory;
	(void)phys;
	return BLOCK_OUTSIDE;
}

static void destroy_memory(struct memory *memory)
{
	(void)memory;
}

static enum block_status read_page(struct virtual_memory *self, struct memory *memory,
				   uint64_t address, void *data)
{
	const struct input *bytes = &parts.image->bytes;
	const uint64_t at = address - IMAGE_AT;

	(void)self;
	(void)memory;
	if (address < IMAGE_AT || at >= bytes->size)
		return BLOCK_MISSING;
	const size_t len = bytes->size - at < KERNEL_PAGE ? bytes->size - at : KERNEL_PAGE;
	memcpy(data, bytes->data + at, len);
	memset((char *)data + len, 0, KERNEL_PAGE - len);
	return BLOCK_OK;
}

static bool to_phys(struct virtual_memory *self, struct memory *memory, uint64_t address,
		    uint64_t *ret)
{
	(void)self;
	(void)memory;
	*ret = address - IMAGE_AT;
	return address >= IMAGE_AT;
}

static void destroy_virtual_memory(struct virtual_memory *self)
{
	(void)self;
}

static size_t find_symbol(struct symbols *symbols, const char *name, uint64_t *addresses,
			  size_t max)
{
	const struct image *image = parts.image;

	(void)symbols;
	for (size_t i = 0; i < image->symbol_count; i++) {
		if (strcmp(image->symbols[i].name, name) != 0)
			continue;
		if (max)
			addresses[0] = image->symbols[i].address;
		return 1;
	}
	return 0;
}

static void destroy_symbols(struct symbols *symbols)
{
	(void)symbols;
}

static struct error *find_member(struct types *types, const struct type_query *query,
				 struct member *ret)
{
	const struct image *image = parts.image;

	(void)types;
	*ret = (struct member){ .present = false };
	for (size_t i = 0; i < image->member_count && query->member; i++) {
		const struct image_member *member = &image->members[i];

		if (strcmp(member->type, query->type) == 0 &&
		    strcmp(member->member, query->member) == 0)
			*ret = (struct member){
				.present = true,
				.offset = member->offset,
				.size = member->size,
			};
	}
	return NULL;
}

static struct error *find_enumerator(struct types *types, const char *enum_tag, const char *name,
				     bool *found, int64_t *ret)
{
	(void)types;
	(void)enum_tag;
	(void)name;
	*found = false;
	*ret = 0;
	return NULL;
}

static void destroy_types(struct types *types)
{
	(void)types;
}

struct kernel *image_kernel(struct image *image)
{
	static const struct memory_ops memory_ops = {
		.name = "image",
		.read = read_nothing,
		.probe = probe_nothing,
		.destroy = destroy_memory,
	};
	static const struct symbols_ops symbols_ops = {
		.name = "image",
		.find = find_symbol,
		.destroy = destroy_symbols,
	};
	static const struct types_ops types_ops = {
		.name = "image",
		.find = find_member,
		.enumerator = find_enumerator,
		.destroy = destroy_types,
	};
	static char path[] = "image";
	struct kernel *kernel = NULL;

	parts = (struct parts){
		.memory = { .ops = &memory_ops,
			    .path = path,
			    .borrowed = true,
			    .vmcoreinfo = image->vmcoreinfo },
		.virtual_memory = { read_page, to_phys, destroy_virtual_memory },
		.symbols.ops = &symbols_ops,
		.types.ops = &types_ops,
		.image = image,
	};
	REQUIRE(!kernel_create(&parts.memory, &parts.virtual_memory, &parts.symbols, &parts.types,
			       &kernel));
	return kernel;
}
