// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/noted.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/memory.h"
#include "target/text.h"

enum { KEY_BYTES = 256 };

static void symbol_key(char *key, const char *name)
{
	snprintf(key, KEY_BYTES, "IOMMUPT_SYMBOL(%s)", name);
}

static void enumerator_key(char key[KEY_BYTES], const char *enum_tag, const char *name)
{
	snprintf(key, KEY_BYTES, "IOMMUPT_ENUMERATOR(%s.%s)", enum_tag, name);
}

static void member_key(char *key, const struct type_query *query)
{
	snprintf(key, KEY_BYTES, "IOMMUPT_MEMBER(%s%s%s%s%s)", query->type, query->with ? "/" : "",
		 query->with ? query->with : "", query->member ? "." : "",
		 query->member ? query->member : "");
}

bool noted_is_there(const char *info)
{
	return info && (strncmp(info, "IOMMUPT_", 8) == 0 || strstr(info, "\nIOMMUPT_"));
}

struct noted_symbols {
	struct symbols symbols;
	const char *info;
};

static size_t find_symbol(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max)
{
	const struct noted_symbols *self = (struct noted_symbols *)symbols;
	char key[KEY_BYTES];
	uint64_t address = 0;

	symbol_key(key, name);
	if (!vmcoreinfo_hex(self->info, key, &address))
		return 0;
	if (max)
		addrs[0] = address;
	return 1;
}

static void destroy_symbols(struct symbols *symbols)
{
	free(symbols);
}

static const struct symbols_ops noted_symbols_ops = {
	.name = "noted",
	.find = find_symbol,
	.destroy = destroy_symbols,
};

struct error *noted_symbols(const char *info, struct symbols **ret)
{
	struct noted_symbols *self = calloc(1, sizeof(*self));

	if (!self)
		return error_no_memory();
	self->symbols.ops = &noted_symbols_ops;
	self->info = info;
	*ret = &self->symbols;
	return NULL;
}

struct noted_types {
	struct types types;
	const char *info;
};

static struct error *find_member(struct types *types, const struct type_query *query,
				 struct member *ret)
{
	const struct noted_types *self = (struct noted_types *)types;
	char key[KEY_BYTES];
	char text[64];
	unsigned int bit_offset = 0;
	unsigned int bit_size = 0;

	*ret = (struct member){ .present = false };
	member_key(key, query);
	if (!vmcoreinfo_get(self->info, key, text, sizeof(text)) || strcmp(text, "none") == 0)
		return NULL;
	char *end = NULL;
	ret->offset = (uint32_t)strtoul(text, &end, 10);
	if (*end == ':')
		ret->size = (uint32_t)strtoul(end + 1, &end, 10);
	if (*end == ':')
		bit_offset = (unsigned int)strtoul(end + 1, &end, 10);
	if (*end == ':')
		bit_size = (unsigned int)strtoul(end + 1, &end, 10);
	if (*end || bit_offset > 63 || bit_size > 63)
		return error_new("the extract's note has a damaged line: %s=%s; make it again", key,
				 text);
	ret->bit_offset = (uint8_t)bit_offset;
	ret->bit_size = (uint8_t)bit_size;
	ret->present = true;
	return NULL;
}

static struct error *find_enumerator(struct types *types, const char *enum_tag, const char *name,
				     bool *found, int64_t *ret)
{
	const struct noted_types *self = (struct noted_types *)types;
	char key[KEY_BYTES];
	char text[64];

	*ret = 0;
	*found = false;
	enumerator_key(key, enum_tag, name);
	if (!vmcoreinfo_get(self->info, key, text, sizeof(text)) || strcmp(text, "none") == 0)
		return NULL;
	char *end = NULL;
	*ret = strtoll(text, &end, 10);
	if (*end || end == text)
		return error_new("the extract's note has a damaged line: %s=%s; make it again", key,
				 text);
	*found = true;
	return NULL;
}

static void destroy_types(struct types *types)
{
	free(types);
}

static const struct types_ops noted_types_ops = {
	.name = "noted",
	.find = find_member,
	.enumerator = find_enumerator,
	.destroy = destroy_types,
};

struct error *noted_types(const char *info, struct types **ret)
{
	struct noted_types *self = calloc(1, sizeof(*self));

	if (!self)
		return error_no_memory();
	self->types.ops = &noted_types_ops;
	self->info = info;
	*ret = &self->types;
	return NULL;
}

struct notebook {
	struct text text;
};

struct error *notebook_create(struct notebook **ret)
{
	struct notebook *notebook = calloc(1, sizeof(*notebook));

	if (!notebook)
		return error_no_memory();
	struct error *err = text_open(&notebook->text);
	if (err) {
		free(notebook);
		return err;
	}
	*ret = notebook;
	return NULL;
}

void notebook_destroy(struct notebook *notebook)
{
	if (!notebook)
		return;
	text_deinit(&notebook->text);
	free(notebook);
}

const char *notebook_text(struct notebook *notebook)
{
	return text_so_far(&notebook->text);
}

static bool is_noted(struct notebook *notebook, const char *key)
{
	char value[64];
	const char *text = notebook_text(notebook);

	return text && vmcoreinfo_get(text, key, value, sizeof(value));
}

void notebook_symbol(struct notebook *notebook, const char *name, bool found, uint64_t address)
{
	char key[KEY_BYTES];

	symbol_key(key, name);
	if (is_noted(notebook, key))
		return;
	if (found)
		fprintf(notebook->text.stream, "%s=%" PRIx64 "\n", key, address);
	else
		fprintf(notebook->text.stream, "%s=none\n", key);
}

void notebook_member(struct notebook *notebook, const struct type_query *query,
		     const struct member *member)
{
	char key[KEY_BYTES];

	member_key(key, query);
	if (is_noted(notebook, key))
		return;
	if (member->present)
		fprintf(notebook->text.stream, "%s=%u:%u:%u:%u\n", key, member->offset,
			member->size, member->bit_offset, member->bit_size);
	else
		fprintf(notebook->text.stream, "%s=none\n", key);
}

void notebook_enumerator(struct notebook *notebook, const char *enum_tag, const char *name,
			 bool found, int64_t value)
{
	char key[KEY_BYTES];

	enumerator_key(key, enum_tag, name);
	if (is_noted(notebook, key))
		return;
	if (found)
		fprintf(notebook->text.stream, "%s=%" PRId64 "\n", key, value);
	else
		fprintf(notebook->text.stream, "%s=none\n", key);
}
