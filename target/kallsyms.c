// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * kallsyms: scripts/kallsyms.c writes the tables, kernel/kallsyms.c reads them.
 *
 *	num_syms	u32
 *	names		for each symbol a length and that many bytes, each of which is a token;
 *			the text of the tokens is the type's letter and the name. A length from
 *			128 on takes two bytes (since 6.1; before it no name was that long).
 *	token_index	256 * u16, where in token_table the text of a token begins
 *	token_table	NUL-terminated texts
 *	offsets		for each symbol 32 bits, see enum encoding
 *	relative_base	u64, in some encodings
 *
 * The type's letter is of no use: 7.x calls data text.
 */
#include "target/kallsyms.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"

enum {
	SYMBOLS_MAX = 1 << 22, /* 200 thousand in a distribution's kernel */
	MODULES_MAX = 1 << 12,
	NAME_LONGEST = 1023, /* KSYM_NAME_LEN is 512, the type's letter included */
	NAMES_MAX = 1 << 28, /* bytes of all names */
	NAMES_FIRST = 1 << 20,
	TOKENS = 256,
	TOKEN_SIZE = 256,
	TOKEN_SHORT = 8,   /* copied whatever the length is: nearly all are shorter */
	STRING_PIECE = 64, /* of a module's string table: most names in one read */
};

/* How a symbol's entry in `offsets` makes its address. */
enum encoding {
	/* From the place of the entry itself: 7.x, which has no relative_base. */
	FROM_PLACE,
	/* From relative_base, upwards: arm64, and all without the one below. */
	FROM_BASE,
	/*
	 * CONFIG_KALLSYMS_ABSOLUTE_PERCPU (x86-64 before 6.15): negative ones from relative_base,
	 * others are the value itself.
	 */
	FROM_BASE_OR_ABSOLUTE,
	ENCODINGS
};

struct tables {
	const char *vmcoreinfo;
	uint64_t names, num_syms, token_table, token_index, offsets;
	bool has_base;
	uint64_t base; /* what kallsyms_relative_base holds */
};

/* Apart from the whole texts, so that what nearly every byte of `names` needs stays in L1. */
struct tokens {
	struct {
		char start[TOKEN_SHORT];
		uint16_t len;
	} token[TOKENS];
	char text[TOKENS][TOKEN_SIZE];
};

struct entry {
	uint64_t address; /* as in `offsets` until the encoding is known */
	uint32_t name;	  /* in kallsyms.names */
	uint32_t hash;	  /* of the name */
	uint32_t next;	  /* number of the next one in its bucket plus 1; 0 ends */
};

/*
 * Chains rather than open addressing: a damaged table may have the same name a million times,
 * and adding one more must still cost nothing.
 */
struct kallsyms {
	struct symbols symbols;
	struct entry *entries;
	size_t count, room;
	char *names; /* NUL-terminated */
	size_t names_len, names_room;
	uint32_t *bucket; /* number of the first entry plus 1 */
	size_t mask;
};

/* The bytes of `names` one after another; nothing behind the last one is asked for. */
struct reader {
	struct kernel *kernel;
	uint64_t address; /* of what comes after the buffer */
	size_t at, len;
	uint8_t buffer[KERNEL_PAGE];
};

static uint32_t name_hash(const char *name, size_t len)
{
	const uint64_t factor = 0x9e3779b97f4a7c15ULL;
	uint64_t hash = len;
	uint64_t word = 0;

	for (; len >= sizeof(word); len -= sizeof(word), name += sizeof(word)) {
		memcpy(&word, name, sizeof(word));
		hash = (hash ^ word) * factor;
		hash ^= hash >> 32;
	}
	word = 0;
	for (size_t i = 0; i < len; i++)
		word = word << 8 | (unsigned char)name[i];
	hash = (hash ^ word) * factor;
	return (uint32_t)(hash >> 32);
}

/* The first entry called @name from @number of a chain on. */
static const struct entry *search_chain(const struct kallsyms *self, uint32_t number, uint32_t hash,
					const char *name)
{
	while (number) {
		const struct entry *entry = &self->entries[number - 1];

		if (entry->hash == hash && strcmp(self->names + entry->name, name) == 0)
			return entry;
		number = entry->next;
	}
	return NULL;
}

static const struct entry *first_entry(const struct kallsyms *self, const char *name)
{
	const uint32_t hash = name_hash(name, strlen(name));

	return self->bucket ? search_chain(self, self->bucket[hash & self->mask], hash, name)
			    : NULL;
}

/* The next one of the same name. */
static const struct entry *next_entry(const struct kallsyms *self, const struct entry *entry)
{
	return search_chain(self, entry->next, entry->hash, self->names + entry->name);
}

/* Index all entries anew. Backwards, so that a chain is in the order of the tables. */
static struct error *kallsyms_index(struct kallsyms *self)
{
	size_t size = 1;

	while (size < self->count)
		size <<= 1;
	free(self->bucket);
	self->bucket = calloc(size, sizeof(*self->bucket));
	if (!self->bucket)
		return error_no_memory();
	self->mask = size - 1;
	for (size_t i = self->count; i-- > 0;) {
		struct entry *entry = &self->entries[i];
		uint32_t *bucket = &self->bucket[entry->hash & self->mask];

		entry->next = *bucket;
		*bucket = (uint32_t)i + 1;
	}
	return NULL;
}

static size_t kallsyms_find(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max)
{
	const struct kallsyms *self = (struct kallsyms *)symbols;
	const struct entry *entry = first_entry(self, name);
	size_t found = 0;

	for (; entry; entry = next_entry(self, entry)) {
		if (found < max)
			addrs[found] = entry->address;
		found++;
	}
	return found;
}

static void kallsyms_destroy(struct symbols *symbols)
{
	struct kallsyms *self = (struct kallsyms *)symbols;

	free(self->entries);
	free(self->names);
	free(self->bucket);
	free(self);
}

static const struct symbols_ops kallsyms_ops = {
	.name = "kallsyms",
	.find = kallsyms_find,
	.destroy = kallsyms_destroy,
};

size_t kallsyms_count(const struct symbols *symbols)
{
	return ((const struct kallsyms *)symbols)->count;
}

/* Room for @count more entries; false: out of memory. */
static bool reserve_entries(struct kallsyms *self, size_t count)
{
	/* What is known at the start is exactly what is needed; modules come one by one. */
	const size_t least = self->count + count;
	const size_t room = least > 2 * self->room ? least : 2 * self->room;

	if (least <= self->room)
		return true;
	struct entry *entries = realloc(self->entries, room * sizeof(*entries));
	if (!entries)
		return false;
	self->entries = entries;
	self->room = room;
	return true;
}

/* Room for one more name of any length, and for what is copied beyond its end. */
static struct error *reserve_name(struct kallsyms *self)
{
	const size_t need = NAME_LONGEST + TOKEN_SIZE + STRING_PIECE + 1;
	size_t room = self->names_room ? 2 * self->names_room : NAMES_FIRST;

	if (self->names_room - self->names_len >= need)
		return NULL;
	if (room > NAMES_MAX)
		return error_new("the names of its symbols have more than %d bytes", NAMES_MAX);
	char *names = realloc(self->names, room);
	if (!names)
		return error_no_memory();
	self->names = names;
	self->names_room = room;
	return NULL;
}

static struct error *reader_fill(struct reader *reader)
{
	reader->at = 0;
	reader->len = KERNEL_PAGE - (size_t)(reader->address % KERNEL_PAGE);
	struct error *err =
		kernel_read(reader->kernel, reader->address, reader->buffer, reader->len);
	reader->address += reader->len;
	return err;
}

static inline struct error *reader_byte(struct reader *reader, uint8_t *ret)
{
	if (reader->at == reader->len) {
		struct error *err = reader_fill(reader);

		if (err)
			return err;
	}
	*ret = reader->buffer[reader->at++];
	return NULL;
}

static struct error *reader_length(struct reader *reader, size_t *ret)
{
	uint8_t low = 0;
	uint8_t high = 0;
	struct error *err = reader_byte(reader, &low);

	if (!err && low & 0x80)
		err = reader_byte(reader, &high);
	*ret = (size_t)(low & 0x7f) | (size_t)high << 7;
	return err;
}

static struct error *load_tokens(struct kernel *kernel, const struct tables *tables,
				 struct tokens *tokens)
{
	uint16_t index[TOKENS];
	struct error *err = kernel_read(kernel, tables->token_index, index, sizeof(index));

	for (size_t i = 0; i < TOKENS && !err; i++) {
		char *text = tokens->text[i];

		err = kernel_string(kernel, tables->token_table + index[i], text, TOKEN_SIZE);
		if (err)
			break;
		memcpy(tokens->token[i].start, text, TOKEN_SHORT);
		tokens->token[i].len = (uint16_t)strlen(text);
		/* The text is cut off there, so it did not end. */
		if (tokens->token[i].len == TOKEN_SIZE - 1)
			err = error_new("token %zu of its names has no end", i);
	}
	return err;
}

/* The text of the @len tokens at @from to @to; where it ends, or NULL when behind @limit. */
static char *expand_tokens(const struct tokens *tokens, const uint8_t *from, size_t len, char *to,
			   const char *limit)
{
	for (; len && to <= limit; from++, len--) {
		const size_t text_len = tokens->token[*from].len;

		memcpy(to, tokens->token[*from].start, TOKEN_SHORT);
		if (text_len > TOKEN_SHORT)
			memcpy(to, tokens->text[*from], text_len);
		to += text_len;
	}
	return to <= limit ? to : NULL;
}

/* The next symbol of `names`, without its address. */
static struct error *load_name(struct kallsyms *self, struct reader *reader,
			       const struct tokens *tokens, struct entry *ret)
{
	size_t len = 0;
	struct error *err = reserve_name(self);

	if (!err)
		err = reader_length(reader, &len);
	if (err)
		return err;
	char *const start = self->names + self->names_len;
	char *to = start;
	while (len) {
		err = reader->at == reader->len ? reader_fill(reader) : NULL;
		if (err)
			return err;
		const size_t left = reader->len - reader->at;
		const size_t piece = len < left ? len : left;
		to = expand_tokens(tokens, reader->buffer + reader->at, piece, to,
				   start + NAME_LONGEST);
		if (!to)
			return error_new("symbol %zu has a name of more than %d characters",
					 self->count, NAME_LONGEST);
		reader->at += piece;
		len -= piece;
	}
	if (to - start < 2)
		return error_new("symbol %zu has no name", self->count);
	*to++ = '\0';
	/* The first character is the type's letter. */
	ret->name = (uint32_t)self->names_len + 1;
	ret->hash = name_hash(start + 1, (size_t)(to - start) - 2);
	self->names_len += (size_t)(to - start);
	return NULL;
}

static struct error *load_names(struct kallsyms *self, struct kernel *kernel,
				const struct tables *tables, const uint32_t *offsets, size_t count)
{
	struct reader reader = { .kernel = kernel, .address = tables->names };
	struct tokens *tokens = calloc(1, sizeof(*tokens));

	if (!tokens || !reserve_entries(self, count)) {
		free(tokens);
		return error_no_memory();
	}
	struct error *err = load_tokens(kernel, tables, tokens);
	while (self->count < count && !err) {
		struct entry *entry = &self->entries[self->count];

		entry->address = offsets[self->count];
		err = load_name(self, &reader, tokens, entry);
		self->count += !err;
	}
	free(tokens);
	return err;
}

/* All names, with their entries of `offsets` as they are. */
static struct error *load_entries(struct kallsyms *self, struct kernel *kernel,
				  const struct tables *tables)
{
	uint32_t count = 0;
	struct error *err = kernel_read(kernel, tables->num_syms, &count, sizeof(count));

	if (err)
		return err;
	if (count == 0 || count > SYMBOLS_MAX)
		return error_new("it claims to have %" PRIu32 " symbols", count);
	uint32_t *offsets = malloc(count * sizeof(*offsets));
	if (!offsets)
		return error_no_memory();
	err = kernel_read(kernel, tables->offsets, offsets, count * sizeof(*offsets));
	if (!err)
		err = load_names(self, kernel, tables, offsets, count);
	free(offsets);
	return err;
}

static uint64_t entry_address(const struct kallsyms *self, const struct entry *entry,
			      const struct tables *tables, enum encoding encoding)
{
	const uint32_t offset = (uint32_t)entry->address;
	const uint64_t extended = (uint64_t)(int64_t)(int32_t)offset;

	switch (encoding) {
	case FROM_PLACE:
		return tables->offsets + (uint64_t)(entry - self->entries) * sizeof(offset) +
		       extended;
	case FROM_BASE:
		return tables->base + offset;
	default:
		return (int32_t)offset < 0 ? tables->base - 1 - extended : offset;
	}
}

/* Does one of the symbols called @name lie at @address? *present: is there one at all? */
static bool lies_at(const struct kallsyms *self, const struct tables *tables,
		    enum encoding encoding, const char *name, uint64_t address, bool *present)
{
	const struct entry *entry = first_entry(self, name);

	*present = false;
	for (; entry; entry = next_entry(self, entry)) {
		*present = true;
		if (entry_address(self, entry, tables, encoding) == address)
			return true;
	}
	return false;
}

/*
 * VMCOREINFO has the addresses of some symbols. _stext must be there and right; the others
 * are data, which not every kernel's kallsyms has, and swapper_pg_dir is only another word for
 * init_top_pgt on x86. (SYMBOL(mem_section) and SYMBOL(vmemmap) are values of variables.)
 */
static bool encoding_fits(const struct kallsyms *self, const struct tables *tables,
			  enum encoding encoding)
{
	static const struct {
		const char *key, *name;
	} anchors[] = {
		{ "SYMBOL(_stext)", "_stext" },
		{ "SYMBOL(init_uts_ns)", "init_uts_ns" },
		{ "SYMBOL(swapper_pg_dir)", "swapper_pg_dir" },
		{ "SYMBOL(init_top_pgt)", "init_top_pgt" },
		{ "SYMBOL(prb)", "prb" },
	};

	if (encoding != FROM_PLACE && !tables->has_base)
		return false;
	for (size_t i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++) {
		uint64_t address = 0;
		bool present = false;

		if (vmcoreinfo_hex(tables->vmcoreinfo, anchors[i].key, &address) &&
		    lies_at(self, tables, encoding, anchors[i].name, address, &present))
			continue;
		if (present || i == 0)
			return false;
	}
	return true;
}

/* Which encoding it is shows in nothing but the result. */
static struct error *decode_addresses(struct kallsyms *self, const struct tables *tables)
{
	enum encoding encoding = FROM_PLACE;

	while (encoding < ENCODINGS && !encoding_fits(self, tables, encoding))
		encoding++;
	if (encoding == ENCODINGS)
		return error_new("its addresses do not agree with those in VMCOREINFO");
	for (size_t i = 0; i < self->count; i++) {
		struct entry *entry = &self->entries[i];

		entry->address = entry_address(self, entry, tables, encoding);
	}
	return NULL;
}

static struct error *find_tables(struct kernel *kernel, struct tables *tables)
{
	const struct {
		const char *key;
		uint64_t *address;
	} needed[] = {
		{ "SYMBOL(kallsyms_num_syms)", &tables->num_syms },
		{ "SYMBOL(kallsyms_token_table)", &tables->token_table },
		{ "SYMBOL(kallsyms_token_index)", &tables->token_index },
		{ "SYMBOL(kallsyms_offsets)", &tables->offsets },
	};
	uint64_t base = 0;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!vmcoreinfo_hex(tables->vmcoreinfo, needed[i].key, needed[i].address))
			return error_new("VMCOREINFO has no %s", needed[i].key);
	}
	tables->has_base =
		vmcoreinfo_hex(tables->vmcoreinfo, "SYMBOL(kallsyms_relative_base)", &base);
	return tables->has_base ? kernel_read(kernel, base, &tables->base, sizeof(tables->base))
				: NULL;
}

static struct error *kallsyms_load(struct kallsyms *self, struct kernel *kernel,
				   struct tables *tables)
{
	struct error *err = find_tables(kernel, tables);

	if (!err)
		err = load_entries(self, kernel, tables);
	if (!err)
		err = kallsyms_index(self);
	if (!err)
		err = decode_addresses(self, tables);
	return err;
}

struct error *kallsyms_open(struct kernel *kernel, struct symbols **ret)
{
	const struct memory *memory = kernel_memory(kernel);
	struct tables tables = { .vmcoreinfo = memory->vmcoreinfo };

	*ret = NULL;
	if (!tables.vmcoreinfo ||
	    !vmcoreinfo_hex(tables.vmcoreinfo, "SYMBOL(kallsyms_names)", &tables.names))
		return NULL;
	struct kallsyms *self = calloc(1, sizeof(*self));
	if (!self)
		return error_no_memory();
	self->symbols.ops = &kallsyms_ops;
	struct error *cause = kallsyms_load(self, kernel, &tables);
	if (!cause) {
		*ret = &self->symbols;
		return NULL;
	}
	struct error *err =
		error_new("%s: the kernel's own symbol table (kallsyms) cannot be used: %s; give "
			  "the kernel's vmlinux or System.map with -s",
			  memory->path, cause->message);
	error_free(cause);
	kallsyms_destroy(&self->symbols);
	return err;
}

/* The running kernel's own list. */

/* "ffffffff81000000 T _stext", and "\t[module]" behind symbols of modules. */
static char *parse_line(char *line, uint64_t *address)
{
	char *at = NULL;

	*address = strtoull(line, &at, 16);
	if (at == line || at[0] != ' ' || at[1] == '\0' || at[2] != ' ')
		return NULL;
	at += 3;
	at[strcspn(at, "\t\n")] = '\0';
	return *at && strlen(at) <= NAME_LONGEST ? at : NULL;
}

static struct error *add_line(struct kallsyms *self, char *line)
{
	uint64_t address = 0;
	const char *name = parse_line(line, &address);

	if (!name)
		return NULL;
	if (self->count == SYMBOLS_MAX)
		return error_new("it has more than %d symbols", SYMBOLS_MAX);
	struct error *err = reserve_name(self);
	if (!err && !reserve_entries(self, 1))
		err = error_no_memory();
	if (err)
		return err;
	const size_t len = strlen(name);
	memcpy(self->names + self->names_len, name, len + 1);
	self->entries[self->count++] = (struct entry){
		.address = address,
		.name = (uint32_t)self->names_len,
		.hash = name_hash(name, len),
	};
	self->names_len += len + 1;
	return NULL;
}

static struct error *load_text(struct kallsyms *self, FILE *file, bool *hidden)
{
	struct error *err = NULL;
	char *line = NULL;
	size_t size = 0;

	*hidden = true;
	while (!err && getline(&line, &size, file) > 0) {
		const size_t before = self->count;

		err = add_line(self, line);
		if (self->count > before && self->entries[before].address)
			*hidden = false;
	}
	free(line);
	return err ? err : kallsyms_index(self);
}

struct error *kallsyms_open_text(const char *path, struct symbols **ret)
{
	FILE *file = fopen(path, "re");
	bool hidden = false;

	*ret = NULL;
	if (!file)
		return NULL;
	struct kallsyms *self = calloc(1, sizeof(*self));
	struct error *err = self ? NULL : error_no_memory();
	if (self)
		self->symbols.ops = &kallsyms_ops;
	if (!err)
		err = load_text(self, file, &hidden);
	fclose(file);
	if (!err && !hidden) {
		*ret = &self->symbols;
		return NULL;
	}
	if (self)
		kallsyms_destroy(&self->symbols);
	return err;
}

/* Modules. */

enum { LIST, KALLSYMS, SYMTAB, NUM_SYMTAB, STRTAB, MEMBERS };

static const struct type_query queries[MEMBERS] = {
	[LIST] = { .type = "module", .member = "list" },
	[KALLSYMS] = { .type = "module", .member = "kallsyms" },
	/* Its own structure since 4.5 (8244062ef1e5). */
	[SYMTAB] = { .type = "mod_kallsyms", .member = "symtab" },
	[NUM_SYMTAB] = { .type = "mod_kallsyms", .member = "num_symtab" },
	[STRTAB] = { .type = "mod_kallsyms", .member = "strtab" },
};

/* The string at @address to the end of self->names; *len without its NUL. */
static struct error *load_string(struct kallsyms *self, struct kernel *kernel, uint64_t address,
				 size_t *len)
{
	struct error *err = reserve_name(self);

	for (*len = 0; *len <= NAME_LONGEST && !err;) {
		char *to = self->names + self->names_len + *len;
		/* Never over the end of a page: the next may have no memory. */
		size_t piece = KERNEL_PAGE - (size_t)(address % KERNEL_PAGE);

		if (piece > STRING_PIECE)
			piece = STRING_PIECE;
		err = kernel_read(kernel, address, to, piece);
		if (err)
			return err;
		const size_t got = strnlen(to, piece);
		*len += got;
		address += got;
		if (got < piece)
			return NULL;
	}
	return err ? err : error_new("the string that ends at 0x%" PRIx64 " is too long", address);
}

static struct error *add_module_symbol(struct kallsyms *self, struct kernel *kernel,
				       const Elf64_Sym *sym, uint64_t strtab)
{
	size_t len = 0;

	if (sym->st_shndx == SHN_UNDEF || sym->st_name == 0)
		return NULL;
	struct error *err = load_string(self, kernel, strtab + sym->st_name, &len);
	if (err || len == 0)
		return err;
	if (self->count >= SYMBOLS_MAX)
		return error_new("it has more than %d symbols", SYMBOLS_MAX);
	if (!reserve_entries(self, 1))
		return error_no_memory();
	self->entries[self->count++] = (struct entry){
		.address = sym->st_value,
		.name = (uint32_t)self->names_len,
		.hash = name_hash(self->names + self->names_len, len),
	};
	self->names_len += len + 1;
	return NULL;
}

/*
 * The symbols of the module at @module. *budget is how many may still be looked at in all
 * modules together.
 */
static struct error *add_module(struct kallsyms *self, struct kernel *kernel,
				const struct member *members, uint64_t module, uint64_t *budget)
{
	uint64_t kallsyms = 0;
	uint64_t symtab = 0;
	uint64_t count = 0;
	uint64_t strtab = 0;
	struct error *err = kernel_get(kernel, module, &members[KALLSYMS], &kallsyms);

	if (!err)
		err = kernel_get(kernel, kallsyms, &members[SYMTAB], &symtab);
	if (!err)
		err = kernel_get(kernel, kallsyms, &members[NUM_SYMTAB], &count);
	if (!err)
		err = kernel_get(kernel, kallsyms, &members[STRTAB], &strtab);
	if (!err && count > *budget)
		err = error_new("the module at 0x%" PRIx64 " has too many symbols", module);
	for (uint64_t i = 0; i < count && !err; i++) {
		Elf64_Sym sym;

		--*budget;
		err = kernel_read(kernel, symtab + i * sizeof(sym), &sym, sizeof(sym));
		if (!err)
			err = add_module_symbol(self, kernel, &sym, strtab);
	}
	return err;
}

static struct error *add_listed_modules(struct kallsyms *self, struct kernel *kernel,
					const struct member *members, uint64_t head,
					size_t *skipped)
{
	struct list_cursor cursor = list_begin(head);
	uint64_t budget = SYMBOLS_MAX;

	while (list_next(kernel, &cursor)) {
		const size_t count = self->count;
		const size_t names_len = self->names_len;

		if (cursor.count > MODULES_MAX)
			return error_new("the kernel's list of modules at 0x%" PRIx64
					 " does not close: damaged",
					 head);
		struct error *err = add_module(self, kernel, members,
					       cursor.node - members[LIST].offset, &budget);
		if (!err)
			continue;
		error_free(err);
		self->count = count;
		self->names_len = names_len;
		++*skipped;
	}
	return cursor.error;
}

struct error *kallsyms_add_modules(struct kernel *kernel, struct symbols *symbols, size_t *skipped)
{
	struct kallsyms *self = (struct kallsyms *)symbols;
	const char *path = kernel_memory(kernel)->path;
	struct member members[MEMBERS];
	uint64_t head = 0;

	*skipped = 0;
	if (!kallsyms_find(symbols, "modules", &head, 1) &&
	    !kernel_symbol(kernel, "modules", &head))
		return error_new(
			"%s: the kernel's own symbol table (kallsyms) has no 'modules', so "
			"symbols of modules are not known; give the kernel's vmlinux with -s",
			path);
	struct error *err = kernel_resolve(kernel, queries, members, MEMBERS);
	if (err)
		return err;
	for (size_t i = 0; i < MEMBERS; i++) {
		if (!members[i].present)
			return error_new("%s: the type information of its kernel has no struct %s "
					 "with a member %s, so symbols of modules are not known; "
					 "give the kernel's debug vmlinux with -s",
					 path, queries[i].type, queries[i].member);
	}
	struct error *of_list = add_listed_modules(self, kernel, members, head, skipped);
	err = kallsyms_index(self);
	if (!err)
		return of_list;
	error_free(of_list);
	return err;
}

struct module_symbols {
	struct symbols symbols;
	struct kernel *kernel;
	struct symbols *loaded; /* NULL: not yet */
};

static size_t module_symbols_find(struct symbols *symbols, const char *name, uint64_t *addrs,
				  size_t max)
{
	struct module_symbols *self = (struct module_symbols *)symbols;
	size_t skipped = 0;

	if (!self->loaded) {
		struct kallsyms *modules = calloc(1, sizeof(*modules));

		if (!modules)
			return 0;
		modules->symbols.ops = &kallsyms_ops;
		self->loaded = &modules->symbols;
		kernel_reading_symbols(self->kernel, true);
		/* What cannot be read is not there: who needs it will say what is missing. */
		error_free(kallsyms_add_modules(self->kernel, self->loaded, &skipped));
		kernel_reading_symbols(self->kernel, false);
	}
	return kallsyms_find(self->loaded, name, addrs, max);
}

static void module_symbols_destroy(struct symbols *symbols)
{
	struct module_symbols *self = (struct module_symbols *)symbols;

	if (self->loaded)
		kallsyms_destroy(self->loaded);
	free(self);
}

struct error *kallsyms_open_modules(struct kernel *kernel, struct symbols **ret)
{
	static const struct symbols_ops ops = {
		.name = "modules",
		.find = module_symbols_find,
		.destroy = module_symbols_destroy,
	};
	struct module_symbols *self = calloc(1, sizeof(*self));

	if (!self)
		return error_no_memory();
	self->symbols.ops = &ops;
	self->kernel = kernel;
	*ret = &self->symbols;
	return NULL;
}
