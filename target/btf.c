// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Types from the kernel's own BTF (Documentation/bpf/btf.rst).
 *
 * The bytes come from a dump and may be anything, while libbpf, of which the oldest in use looks
 * at little more than the header, believes them. So every record, name and reference is checked
 * here before libbpf sees them; what is left to a query is that chains of types end and that
 * members lie within their structure.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif

#include "target/btf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/error.h"
#include "target/kernel.h"
#include "target/types.h"

enum {
	MAX_BYTES = 256 << 20, /* of vmlinux's BTF, and of all modules' together; really 3-7 MB */
	MAX_MODULES = 4096,
	MAX_DEPTH = 32,	     /* of typedefs and nested structures; only damaged BTF has more */
	MAX_STEPS = 1 << 18, /* members looked at for one query; the largest structure has 2000 */
};

/* BTF of vmlinux, or of a module on top of vmlinux's. */
struct source {
	struct btf *btf; /* NULL: not read, or of no use */
	uint32_t first;	 /* its own type IDs: from @first to before @end */
	uint32_t end;
	uint32_t strings_end; /* its last name's offset is less than this */
	bool enums_tell_sign; /* made by a pahole that marks the enums with negative values */
	uint32_t *buckets;    /* first type ID of each hash chain; 0 ends it */
	uint32_t *next;	      /* the following ID in its chain, at [ID - first] */
	uint32_t num_buckets; /* a power of 2 */
};

/* A module whose BTF is read when it is first needed. */
struct module {
	uint64_t address; /* of the kernel's copy of the BTF */
	uint32_t size;
	char *path; /* or of the file that has it; owned; NULL: the kernel's copy */
	bool tried;
	struct source source;
};

struct btf_types {
	struct types types;
	struct kernel *kernel;
	struct source vmlinux;
	struct module *modules;
	size_t num_modules;
	size_t max_modules;
	size_t skipped;
};

static struct error *damaged(const struct btf_types *self, const char *what)
{
	return error_new("%s: the kernel's own type information (BTF) is damaged: %s; give the "
			 "debug vmlinux with -s",
			 kernel_memory(self->kernel)->path, what);
}

/* ---- Checks of the raw bytes ---- */

/* What follows a struct btf_type: words of 32 bits, by_vlen: repeated vlen times. */
struct record {
	bool known;
	bool refers; /* btf_type.type is a type ID */
	bool by_vlen;
	uint8_t words;
	uint8_t names; /* bit n: word n is an offset into the strings */
	uint8_t ids;   /* bit n: word n is a type ID */
};

static const struct record records[] = {
	[BTF_KIND_INT] = { .known = true, .words = 1 },
	[BTF_KIND_PTR] = { .known = true, .refers = true },
	[BTF_KIND_ARRAY] = { .known = true, .words = 3, .ids = 3 },
	[BTF_KIND_STRUCT] = { .known = true, .by_vlen = true, .words = 3, .names = 1, .ids = 2 },
	[BTF_KIND_UNION] = { .known = true, .by_vlen = true, .words = 3, .names = 1, .ids = 2 },
	[BTF_KIND_ENUM] = { .known = true, .by_vlen = true, .words = 2, .names = 1 },
	[BTF_KIND_FWD] = { .known = true },
	[BTF_KIND_TYPEDEF] = { .known = true, .refers = true },
	[BTF_KIND_VOLATILE] = { .known = true, .refers = true },
	[BTF_KIND_CONST] = { .known = true, .refers = true },
	[BTF_KIND_RESTRICT] = { .known = true, .refers = true },
	[BTF_KIND_FUNC] = { .known = true, .refers = true },
	[BTF_KIND_FUNC_PROTO] = { .known = true,
				  .refers = true,
				  .by_vlen = true,
				  .words = 2,
				  .names = 1,
				  .ids = 2 },
	[BTF_KIND_VAR] = { .known = true, .refers = true, .words = 1 },
	[BTF_KIND_DATASEC] = { .known = true, .by_vlen = true, .words = 3, .ids = 1 },
	[BTF_KIND_FLOAT] = { .known = true },
	[BTF_KIND_DECL_TAG] = { .known = true, .refers = true, .words = 1 },
	[BTF_KIND_TYPE_TAG] = { .known = true, .refers = true },
	[BTF_KIND_ENUM64] = { .known = true, .by_vlen = true, .words = 3, .names = 1 },
};

/* What a pass over all records found. */
struct scan {
	uint32_t count;
	uint32_t max_name;
	uint32_t max_id;
};

static void note(uint32_t *max, uint32_t value)
{
	if (value > *max)
		*max = value;
}

/* The record at @at, of which @left words are there; 0: it is not whole, else its words. */
static size_t scan_record(struct scan *scan, const uint32_t *at, size_t left)
{
	const struct btf_type *type = (const struct btf_type *)at;
	const size_t head = sizeof(*type) / sizeof(*at);

	if (left < head || btf_kind(type) >= sizeof(records) / sizeof(records[0]))
		return 0;
	const struct record *record = &records[btf_kind(type)];
	const size_t items = record->by_vlen ? btf_vlen(type) : 1;
	if (!record->known || left - head < items * record->words)
		return 0;
	note(&scan->max_name, type->name_off);
	if (record->refers)
		note(&scan->max_id, type->type);
	at += head;
	for (size_t i = 0; i < items; i++, at += record->words) {
		for (unsigned int word = 0; word < 2 && word < record->words; word++) {
			if (record->names >> word & 1)
				note(&scan->max_name, at[word]);
			if (record->ids >> word & 1)
				note(&scan->max_id, at[word]);
		}
	}
	return head + items * record->words;
}

/* NULL, or what is wrong with the header of @data. */
static const char *check_header(const struct source *base, const uint8_t *data, size_t size,
				struct btf_header *ret)
{
	if (size < sizeof(*ret))
		return "it ends within its header";
	memcpy(ret, data, sizeof(*ret));
	if (ret->magic != BTF_MAGIC || ret->version != BTF_VERSION)
		return "it has no header";
	/* A longer header than ours is a newer one, to which fields were added. */
	if (ret->hdr_len < sizeof(*ret) || ret->hdr_len % sizeof(uint32_t) || ret->hdr_len > size)
		return "size of the header";
	const uint64_t after = size - ret->hdr_len;
	if (ret->type_off % sizeof(uint32_t) || ret->type_len % sizeof(uint32_t) ||
	    (uint64_t)ret->type_off + ret->type_len > ret->str_off ||
	    (uint64_t)ret->str_off + ret->str_len > after)
		return "place of its sections";
	const uint8_t *strings = data + ret->hdr_len + ret->str_off;
	if (ret->str_len ? strings[ret->str_len - 1] || (!base && strings[0]) : !base)
		return "names";
	return NULL;
}

/* NULL and @source's numbers, or what is wrong with @data. It is aligned to 4 bytes. */
static const char *check(struct source *source, const struct source *base, const uint8_t *data,
			 size_t size)
{
	struct btf_header header;
	struct scan scan = { 0 };
	const char *wrong = check_header(base, data, size, &header);

	if (wrong)
		return wrong;
	const void *types = data + header.hdr_len + header.type_off;
	const uint32_t *at = types;
	for (size_t left = header.type_len / sizeof(*at); left;) {
		const size_t words = scan_record(&scan, at, left);

		if (!words)
			return "record of a type";
		scan.count++;
		at += words;
		left -= words;
	}
	source->first = base ? base->end : 1;
	source->end = source->first + scan.count;
	source->strings_end = (base ? base->strings_end : 0) + header.str_len;
	if (source->end > INT32_MAX || source->strings_end > INT32_MAX)
		return "number of types";
	if (scan.max_name >= source->strings_end)
		return "name of a type";
	return scan.max_id >= source->end ? "reference to a type" : NULL;
}

/* ---- Sources ---- */

static const struct btf_type *type_at(const struct source *source, uint32_t id)
{
	return btf__type_by_id(source->btf, id);
}

static const char *name_at(const struct source *source, uint32_t offset)
{
	const char *name = btf__str_by_offset(source->btf, offset);

	return name ? name : "";
}

static bool is_definition(const struct btf_type *type)
{
	return btf_is_composite(type) || btf_is_any_enum(type);
}

static uint32_t *source_chain(const struct source *source, const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return &source->buckets[(hash ^ (hash >> 16)) & (source->num_buckets - 1)];
}

static uint32_t source_next(const struct source *source, uint32_t id)
{
	return source->next[id - source->first];
}

/* Chain the named structures, unions and enums by name, in ascending order. */
static struct error *source_index(struct source *source)
{
	const uint32_t count = source->end - source->first;

	/* Of a kernel's types, one in eight is a named structure or enum. */
	for (source->num_buckets = 64; source->num_buckets < count / 8;)
		source->num_buckets *= 2;
	source->buckets = calloc(source->num_buckets, sizeof(*source->buckets));
	source->next = calloc((size_t)count + 1, sizeof(*source->next));
	if (!source->buckets || !source->next)
		return error_no_memory();
	for (uint32_t id = source->end; id-- > source->first;) {
		const struct btf_type *type = type_at(source, id);

		if (!is_definition(type))
			continue;
		if (btf_is_enum64(type) || (btf_is_enum(type) && btf_kflag(type)))
			source->enums_tell_sign = true;
		const char *name = name_at(source, type->name_off);
		if (!*name)
			continue;
		uint32_t *chain = source_chain(source, name);
		source->next[id - source->first] = *chain;
		*chain = id;
	}
	return NULL;
}

static void source_deinit(struct source *source)
{
	btf__free(source->btf);
	free(source->buckets);
	free(source->next);
	*source = (struct source){ .btf = NULL };
}

/*
 * libbpf before 1.4 declares btf__new_split() but does not export it; what all versions do for
 * BTF that continues another is to read a file.
 */
static struct btf *parse_split(const void *data, uint32_t size, struct btf *base)
{
	char path[64];
	struct btf *btf = NULL;
	const int fd = memfd_create("btf", MFD_CLOEXEC);

	if (fd < 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, data, size) == (ssize_t)size)
		btf = btf__parse_raw_split(path, base);
	close(fd);
	return btf;
}

/* libbpf prints what it does not like; here that is an error message's work. */
static struct btf *parse(const void *data, uint32_t size, struct btf *base)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct btf *btf = base ? parse_split(data, size, base) : btf__new(data, size);

	libbpf_set_print(print);
	return btf;
}

/* Make @source of @data; @base is vmlinux's, or NULL when this is. */
static struct error *source_init(struct btf_types *self, struct source *source,
				 const struct source *base, const void *data, uint32_t size)
{
	const char *wrong = check(source, base, data, size);

	if (wrong)
		return damaged(self, wrong);
	source->enums_tell_sign = base && base->enums_tell_sign;
	source->btf = parse(data, size, base ? base->btf : NULL);
	if (!source->btf || btf__type_cnt(source->btf) != source->end) {
		source_deinit(source);
		return damaged(self, "libbpf does not accept it");
	}
	struct error *err = source_index(source);
	if (err)
		source_deinit(source);
	return err;
}

static struct error *source_read(struct btf_types *self, struct source *source,
				 const struct source *base, uint64_t address, uint32_t size)
{
	void *data = malloc(size);

	if (!data)
		return error_no_memory();
	kernel_reading_symbols(self->kernel, true);
	struct error *err = kernel_read(self->kernel, address, data, size);
	kernel_reading_symbols(self->kernel, false);
	if (err) {
		struct error *why = err;

		err = error_new("%s: the kernel's own type information (BTF) cannot be read: %s; "
				"give the debug vmlinux with -s",
				kernel_memory(self->kernel)->path, why->message);
		error_free(why);
	} else {
		err = source_init(self, source, base, data, size);
	}
	free(data);
	return err;
}

/* The whole file at @path, of at most MAX_BYTES; sysfs says how long it is. */
static struct error *read_file(const char *path, void **ret, uint32_t *size)
{
	struct stat status;
	FILE *file = fopen(path, "re");

	*ret = NULL;
	if (!file || fstat(fileno(file), &status) || status.st_size <= 0 ||
	    status.st_size > MAX_BYTES) {
		if (file)
			fclose(file);
		return error_new("%s: cannot be read; give the debug vmlinux with -s", path);
	}
	*ret = malloc((size_t)status.st_size);
	*size = *ret ? (uint32_t)fread(*ret, 1, (size_t)status.st_size, file) : 0;
	fclose(file);
	return *ret ? NULL : error_no_memory();
}

static struct error *source_read_file(struct btf_types *self, struct source *source,
				      const struct source *base, const char *path)
{
	void *data = NULL;
	uint32_t size = 0;
	struct error *err = read_file(path, &data, &size);

	if (!err)
		err = source_init(self, source, base, data, size);
	free(data);
	return err;
}

/* ---- Members ---- */

/* One search through a source's types, which hostile BTF must not make endless. */
struct search {
	const struct btf_types *self;
	const struct source *source;
	unsigned int steps;
};

/* The type behind @id without typedefs and qualifiers; void is a type of BTF_KIND_UNKN. */
static struct error *bare_type(const struct search *search, uint32_t id,
			       const struct btf_type **ret)
{
	const struct btf_type *type = type_at(search->source, id);

	for (int depth = 0; type && (btf_is_mod(type) || btf_is_typedef(type)); depth++) {
		if (depth == MAX_DEPTH)
			return damaged(search->self, "chain of typedefs");
		type = type_at(search->source, type->type);
	}
	*ret = type;
	return type ? NULL : damaged(search->self, "reference to a type");
}

static uint32_t plain_size(const struct btf_type *type)
{
	switch (btf_kind(type)) {
	case BTF_KIND_PTR:
		return sizeof(uint64_t);
	case BTF_KIND_INT:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FLOAT:
		return type->size;
	default:
		return 0;
	}
}

/* sizeof type @id; *ret is its bare type, or the bare type of an array's elements. */
static struct error *type_size(const struct search *search, uint32_t id,
			       const struct btf_type **ret, uint64_t *size)
{
	struct error *err = bare_type(search, id, ret);

	*size = 1;
	for (int depth = 0; !err && btf_is_array(*ret); depth++) {
		const struct btf_array *array = btf_array(*ret);

		if (depth == MAX_DEPTH || __builtin_mul_overflow(*size, array->nelems, size))
			return damaged(search->self, "size of an array");
		err = bare_type(search, array->type, ret);
	}
	if (!err && __builtin_mul_overflow(*size, plain_size(*ret), size))
		return damaged(search->self, "size of an array");
	return err;
}

/*
 * First bit and width (0: not a bit-field) of member @index of @structure, whose bare type is
 * @type. Where the structure's kind_flag is set, the member says both; before that, in 2018, a
 * bit-field had an integer type of its own that does.
 */
static void member_bits(const struct btf_type *structure, uint32_t index,
			const struct btf_type *type, uint64_t *start, uint64_t *width)
{
	*start = btf_member_bit_offset(structure, index);
	*width = btf_member_bitfield_size(structure, index);
	if (*width == 0 && btf_is_int(type) &&
	    (btf_int_offset(type) || btf_int_bits(type) != 8 * (uint64_t)type->size)) {
		*start += btf_int_offset(type);
		*width = btf_int_bits(type);
	}
}

static struct error *describe_member(const struct search *search, const struct btf_type *structure,
				     uint32_t index, uint64_t base, struct member *ret)
{
	const struct btf_type *type = NULL;
	uint64_t size, start, width;
	struct error *err = type_size(search, btf_members(structure)[index].type, &type, &size);

	if (err)
		return err;
	member_bits(structure, index, type, &start, &width);
	if (width > 64 || (!width && start % 8) || start / 8 > structure->size ||
	    (width ? start + width > 8 * (uint64_t)structure->size
		   : size > structure->size - start / 8))
		return damaged(search->self, "place of a structure's member");
	ret->present = true;
	if (width) {
		member_set_bits(ret, base, start, width, size, structure->size);
	} else {
		ret->offset = (uint32_t)(base + start / 8);
		ret->size = (uint32_t)size;
	}
	return NULL;
}

/* As find_member(), in the structure or union @inner that is member @index of @structure. */
static struct error *find_inside(struct search *search, const struct btf_type *structure,
				 uint32_t index, const char *path, uint64_t base, int depth,
				 struct member *ret);

/*
 * Find the member that the dotted @path names, in @structure and in the anonymous ones that it
 * embeds; ret->present stays false when there is none.
 */
static struct error *find_member(struct search *search, const struct btf_type *structure,
				 const char *path, uint64_t base, int depth, struct member *ret)
{
	const size_t len = strcspn(path, ".");
	const struct btf_member *members = btf_members(structure);

	if (depth == MAX_DEPTH)
		return damaged(search->self, "nested structures");
	for (uint32_t i = 0; i < btf_vlen(structure); i++) {
		const char *name = name_at(search->source, members[i].name_off);

		if (++search->steps > MAX_STEPS)
			return damaged(search->self, "nested structures");
		if (*name && (strncmp(name, path, len) != 0 || name[len]))
			continue;
		if (*name && !path[len])
			return describe_member(search, structure, i, base, ret);
		struct error *err = find_inside(search, structure, i, *name ? path + len + 1 : path,
						base, depth, ret);
		if (err || *name || ret->present)
			return err;
	}
	return NULL;
}

static struct error *find_inside(struct search *search, const struct btf_type *structure,
				 uint32_t index, const char *path, uint64_t base, int depth,
				 struct member *ret)
{
	const struct btf_type *inner = NULL;
	const uint32_t start = btf_member_bit_offset(structure, index);
	struct error *err = bare_type(search, btf_members(structure)[index].type, &inner);

	if (err || !btf_is_composite(inner))
		return err;
	if (start % 8 || start / 8 > structure->size || inner->size > structure->size - start / 8)
		return damaged(search->self, "place of a structure's member");
	return find_member(search, inner, path, base + start / 8, depth + 1, ret);
}

/* The structure or union called @tag that has the member @with; NULL when there is none. */
static struct error *find_structure(struct search *search, const char *tag, const char *with,
				    const struct btf_type **ret)
{
	const struct source *source = search->source;

	*ret = NULL;
	for (uint32_t id = *source_chain(source, tag); id; id = source_next(source, id)) {
		const struct btf_type *type = type_at(source, id);
		struct member member = { .present = !with };

		if (!btf_is_composite(type) || strcmp(name_at(source, type->name_off), tag) != 0)
			continue;
		if (with) {
			struct error *err = find_member(search, type, with, 0, 0, &member);
			if (err)
				return err;
		}
		if (member.present) {
			*ret = type;
			return NULL;
		}
	}
	return NULL;
}

/* *defined: @source has the structure, so that its answer is the answer. */
static struct error *source_find(const struct btf_types *self, const struct source *source,
				 const struct type_query *query, bool *defined, struct member *ret)
{
	struct search search = { .self = self, .source = source };
	const struct btf_type *type = NULL;
	struct error *err = find_structure(&search, query->type, query->with, &type);

	*ret = (struct member){ .present = false };
	*defined = type != NULL;
	if (err || !type)
		return err;
	if (query->member)
		return find_member(&search, type, query->member, 0, 0, ret);
	ret->present = true;
	ret->size = type->size;
	return NULL;
}

/* ---- Enumerators ---- */

/* Before pahole 1.24 (2022) every value was a signed one of 32 bits. */
static int64_t enum_value(const struct source *source, const struct btf_type *type, uint32_t index)
{
	if (btf_is_enum64(type))
		return (int64_t)btf_enum64_value(&btf_enum64(type)[index]);
	const int32_t value = btf_enum(type)[index].val;
	return source->enums_tell_sign && !btf_kflag(type) ? (int64_t)(uint32_t)value : value;
}

static bool enum_find(const struct source *source, const struct btf_type *type, const char *name,
		      int64_t *ret)
{
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const uint32_t offset = btf_is_enum64(type) ? btf_enum64(type)[i].name_off
							    : btf_enum(type)[i].name_off;

		if (strcmp(name_at(source, offset), name) == 0) {
			*ret = enum_value(source, type, i);
			return true;
		}
	}
	return false;
}

/* *defined: @source has the enum. One without values is only declared. */
static bool source_find_enumerator(const struct source *source, const char *tag, const char *name,
				   bool *defined, int64_t *ret)
{
	*defined = false;
	for (uint32_t id = *source_chain(source, tag); id; id = source_next(source, id)) {
		const struct btf_type *type = type_at(source, id);

		if (!btf_is_any_enum(type) || btf_vlen(type) == 0 ||
		    strcmp(name_at(source, type->name_off), tag) != 0)
			continue;
		*defined = true;
		if (enum_find(source, type, name, ret))
			return true;
	}
	return false;
}

/* In any enum, those without a name too. */
static bool source_find_any_enumerator(const struct source *source, const char *name, int64_t *ret)
{
	for (uint32_t id = source->first; id < source->end; id++) {
		const struct btf_type *type = type_at(source, id);

		if (btf_is_any_enum(type) && enum_find(source, type, name, ret))
			return true;
	}
	return false;
}

/* ---- Modules ---- */

static void module_skip(struct btf_types *self, struct module *module, struct error *err)
{
	error_free(err);
	source_deinit(&module->source);
	self->skipped++;
}

/* The source of @module, read if need be; NULL when it is of no use. */
static const struct source *module_source(struct btf_types *self, struct module *module)
{
	if (!module->tried) {
		struct error *err = module->path
					    ? source_read_file(self, &module->source,
							       &self->vmlinux, module->path)
					    : source_read(self, &module->source, &self->vmlinux,
							  module->address, module->size);

		module->tried = true;
		if (err)
			module_skip(self, module, err);
	}
	return module->source.btf ? &module->source : NULL;
}

static struct error *modules_add(struct btf_types *self, const struct module *module)
{
	if (self->num_modules == self->max_modules) {
		const size_t more = self->max_modules ? 2 * self->max_modules : 64;
		struct module *modules = reallocarray(self->modules, more, sizeof(*modules));

		if (!modules)
			return error_no_memory();
		self->modules = modules;
		self->max_modules = more;
	}
	self->modules[self->num_modules++] = *module;
	return NULL;
}

enum { MODULE_LIST, MODULE_BTF, BTF_DATA, BTF_DATA_SIZE, LAYOUT };

static const struct type_query layout_queries[LAYOUT] = {
	[MODULE_LIST] = { .type = "btf_module", .member = "list" },
	[MODULE_BTF] = { .type = "btf_module", .member = "btf" },
	[BTF_DATA] = { .type = "btf", .member = "data" },
	[BTF_DATA_SIZE] = { .type = "btf", .member = "data_size" },
};

/* *known false: this kernel has no such structures. */
static struct error *layout_find(const struct btf_types *self, struct member *layout, bool *known)
{
	*known = true;
	for (int i = 0; i < LAYOUT; i++) {
		bool defined = false;
		struct error *err =
			source_find(self, &self->vmlinux, &layout_queries[i], &defined, &layout[i]);

		if (err)
			return err;
		layout[i].query = &layout_queries[i];
		*known = *known && layout[i].present && !layout[i].bit_size;
	}
	return NULL;
}

/* Where the BTF of the struct btf_module at @address is. */
static struct error *module_locate(struct btf_types *self, const struct member *layout,
				   uint64_t address, uint64_t *data, uint64_t *size)
{
	uint64_t btf = 0;
	struct error *err = kernel_get(self->kernel, address, &layout[MODULE_BTF], &btf);

	if (!err)
		err = kernel_get(self->kernel, btf, &layout[BTF_DATA], data);
	if (!err)
		err = kernel_get(self->kernel, btf, &layout[BTF_DATA_SIZE], size);
	return err;
}

static struct error *modules_list(struct btf_types *self, const struct member *layout,
				  uint64_t head)
{
	struct list_cursor cursor = list_begin(head);
	uint64_t total = 0;
	struct error *err = NULL;

	while (!err && list_next(self->kernel, &cursor)) {
		uint64_t data = 0, size = 0;
		struct error *bad = module_locate(
			self, layout, cursor.node - layout[MODULE_LIST].offset, &data, &size);

		if (bad || size < sizeof(struct btf_header) || size > MAX_BYTES - total ||
		    self->num_modules == MAX_MODULES) {
			error_free(bad);
			self->skipped++;
			continue;
		}
		total += size;
		const struct module module = { .address = data, .size = (uint32_t)size };
		err = modules_add(self, &module);
	}
	return err ? err : cursor.error;
}

struct error *btf_add_modules(struct kernel *kernel, struct types *types, size_t *skipped)
{
	struct btf_types *self = (struct btf_types *)types;
	struct member layout[LAYOUT];
	uint64_t head = 0;
	bool known = false;
	struct error *err = layout_find(self, layout, &known);

	if (!err && known && kernel_symbol(kernel, "btf_modules", &head))
		err = modules_list(self, layout, head);
	if (skipped)
		*skipped = self->skipped;
	return err;
}

size_t btf_modules_skipped(const struct types *types)
{
	return ((const struct btf_types *)types)->skipped;
}

/* ---- The provider ---- */

static struct error *btf_types_find(struct types *types, const struct type_query *query,
				    struct member *ret)
{
	struct btf_types *self = (struct btf_types *)types;
	bool defined = false;
	struct error *err = source_find(self, &self->vmlinux, query, &defined, ret);

	for (size_t i = 0; i < self->num_modules && !err && !defined; i++) {
		const struct source *source = module_source(self, &self->modules[i]);

		if (!source)
			continue;
		struct error *bad = source_find(self, source, query, &defined, ret);
		if (bad) {
			module_skip(self, &self->modules[i], bad);
			*ret = (struct member){ .present = false };
			defined = false;
		}
	}
	return err;
}

static bool find_enumerator(const struct source *source, const char *tag, const char *name,
			    bool *defined, int64_t *ret)
{
	if (tag)
		return source_find_enumerator(source, tag, name, defined, ret);
	*defined = source_find_any_enumerator(source, name, ret);
	return *defined;
}

static struct error *btf_types_enumerator(struct types *types, const char *enum_tag,
					  const char *name, bool *found, int64_t *ret)
{
	struct btf_types *self = (struct btf_types *)types;
	bool defined = false;

	*found = find_enumerator(&self->vmlinux, enum_tag, name, &defined, ret);
	for (size_t i = 0; i < self->num_modules && !defined; i++) {
		const struct source *source = module_source(self, &self->modules[i]);

		if (source)
			*found = find_enumerator(source, enum_tag, name, &defined, ret);
	}
	return NULL;
}

static void btf_types_destroy(struct types *types)
{
	struct btf_types *self = (struct btf_types *)types;

	for (size_t i = 0; i < self->num_modules; i++) {
		source_deinit(&self->modules[i].source);
		free(self->modules[i].path);
	}
	free(self->modules);
	source_deinit(&self->vmlinux);
	free(self);
}

static const struct types_ops btf_types_ops = {
	.name = "btf",
	.find = btf_types_find,
	.enumerator = btf_types_enumerator,
	.destroy = btf_types_destroy,
};

struct error *btf_open_kernel(struct kernel *kernel, struct types **ret)
{
	uint64_t start = 0, stop = 0;

	*ret = NULL;
	if (!kernel_symbol(kernel, "__start_BTF", &start) ||
	    !kernel_symbol(kernel, "__stop_BTF", &stop) || start == stop)
		return NULL;
	struct btf_types *self = calloc(1, sizeof(*self));
	if (!self)
		return error_no_memory();
	self->types.ops = &btf_types_ops;
	self->kernel = kernel;
	struct error *err =
		stop < start || stop - start > MAX_BYTES
			? damaged(self, "its size")
			: source_read(self, &self->vmlinux, NULL, start, (uint32_t)(stop - start));
	if (err) {
		btf_types_destroy(&self->types);
		return err;
	}
	*ret = &self->types;
	return NULL;
}

/* The modules' files beside vmlinux's; each is read when it is first needed. */
static struct error *folder_modules(struct btf_types *self, const char *folder)
{
	struct error *err = NULL;
	DIR *stream = opendir(folder);

	for (const struct dirent *entry; stream && !err && (entry = readdir(stream));) {
		struct module module = { .address = 0 };

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "vmlinux") == 0 ||
		    self->num_modules == MAX_MODULES)
			continue;
		if (asprintf(&module.path, "%s/%s", folder, entry->d_name) < 0)
			err = error_no_memory();
		else
			err = modules_add(self, &module);
	}
	if (stream)
		closedir(stream);
	return err;
}

struct error *btf_open_folder(struct kernel *kernel, const char *folder, struct types **ret)
{
	char *path = NULL;
	struct error *err = NULL;

	*ret = NULL;
	if (asprintf(&path, "%s/vmlinux", folder) < 0)
		return error_no_memory();
	struct btf_types *self = access(path, R_OK) == 0 ? calloc(1, sizeof(*self)) : NULL;
	if (self) {
		self->types.ops = &btf_types_ops;
		self->kernel = kernel;
		err = source_read_file(self, &self->vmlinux, NULL, path);
		if (!err)
			err = folder_modules(self, folder);
		if (err)
			btf_types_destroy(&self->types);
		else
			*ret = &self->types;
	}
	free(path);
	return err;
}
