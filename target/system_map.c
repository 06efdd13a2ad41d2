// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/system_map.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "target/error.h"

const char SYSTEM_MAP_NAME[] = "System.map";

enum {
	BYTES_MAX = 1 << 28, /* a distribution's has 4 to 10 million */
	LINE_LEAST = 4,	     /* "0 A\n" and a name */
};

struct entry {
	uint64_t address;
	uint32_t name; /* offset into text */
	uint32_t next; /* number of the next one in its bucket plus 1; 0 ends */
};

struct system_map {
	struct symbols symbols;
	char *text; /* the file; each name is NUL-terminated in place */
	struct entry *entries;
	size_t count;
	uint32_t *bucket; /* number of the first entry plus 1 */
	size_t mask;
};

static uint32_t name_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash ^ hash >> 16;
}

/* "ADDRESS TYPE NAME" at @line: the address, and where the name begins; NULL if it is not so. */
static const char *parse_line(const char *line, uint64_t *address)
{
	enum { DIGITS_MIN = 8, DIGITS_MAX = 16 };
	const size_t digits = strspn(line, "0123456789abcdef");

	if (digits < DIGITS_MIN || digits > DIGITS_MAX || line[digits] != ' ' ||
	    !isalpha((unsigned char)line[digits + 1]) || line[digits + 2] != ' ' ||
	    !isgraph((unsigned char)line[digits + 3]))
		return NULL;
	*address = strtoull(line, NULL, 16);
	return line + digits + 3;
}

bool system_map_is(const char *path)
{
	char line[256] = "";
	uint64_t address = 0;
	FILE *file = fopen(path, "re");
	const bool read = file && fgets(line, sizeof(line), file);

	if (file)
		fclose(file);
	return read && parse_line(line, &address);
}

static size_t system_map_find(struct symbols *symbols, const char *name, uint64_t *addrs,
			      size_t max)
{
	const struct system_map *self = (struct system_map *)symbols;
	size_t found = 0;

	if (!self->bucket)
		return 0;
	for (uint32_t i = self->bucket[name_hash(name) & self->mask]; i;) {
		const struct entry *entry = &self->entries[i - 1];

		i = entry->next;
		if (strcmp(self->text + entry->name, name) != 0)
			continue;
		if (found < max)
			addrs[found] = entry->address;
		found++;
	}
	return found;
}

static void system_map_destroy(struct symbols *symbols)
{
	struct system_map *self = (struct system_map *)symbols;

	free(self->text);
	free(self->entries);
	free(self->bucket);
	free(self);
}

static const struct symbols_ops system_map_ops = {
	.name = SYSTEM_MAP_NAME,
	.find = system_map_find,
	.destroy = system_map_destroy,
};

static struct error *read_text(const char *path, char **ret, size_t *size)
{
	struct stat st;
	FILE *file = fopen(path, "re");

	if (!file || fstat(fileno(file), &st) != 0) {
		struct error *err = error_errno(
			errno, "%s: cannot open; check the path and its permissions", path);

		if (file)
			fclose(file);
		return err;
	}
	*size = st.st_size > 0 && st.st_size <= BYTES_MAX ? (size_t)st.st_size : 0;
	*ret = malloc(*size + 1);
	if (*ret)
		*size = fread(*ret, 1, *size, file);
	fclose(file);
	if (!*ret)
		return error_no_memory();
	(*ret)[*size] = '\0';
	return NULL;
}

/* Backwards over the entries, so that a chain is in the order of the file. */
static struct error *index_entries(struct system_map *self)
{
	size_t size = 1;

	while (size < self->count)
		size <<= 1;
	self->bucket = calloc(size, sizeof(*self->bucket));
	if (!self->bucket)
		return error_no_memory();
	self->mask = size - 1;
	for (size_t i = self->count; i-- > 0;) {
		const char *name = self->text + self->entries[i].name;
		uint32_t *bucket = &self->bucket[name_hash(name) & self->mask];

		self->entries[i].next = *bucket;
		*bucket = (uint32_t)i + 1;
	}
	return NULL;
}

static struct error *parse(struct system_map *self, const char *path, size_t size)
{
	self->entries = calloc(size / LINE_LEAST + 1, sizeof(*self->entries));
	if (!self->entries)
		return error_no_memory();
	for (char *line = self->text; line && *line;) {
		char *end = line + strcspn(line, "\n");
		char *const next = *end ? end + 1 : end;
		struct entry *entry = &self->entries[self->count];
		const char *name = parse_line(line, &entry->address);

		*end = '\0';
		if (!name)
			return error_new(
				"%s: is damaged: '%.40s' is no line of a System.map; copy it again",
				path, line);
		entry->name = (uint32_t)(name - self->text);
		self->count++;
		line = next;
	}
	return index_entries(self);
}

struct error *system_map_open(const char *path, struct symbols **ret)
{
	struct system_map *self = calloc(1, sizeof(*self));
	uint64_t address = 0;
	size_t size = 0;

	if (!self)
		return error_no_memory();
	self->symbols.ops = &system_map_ops;
	self->symbols.link_time = true;
	struct error *err = read_text(path, &self->text, &size);
	if (!err)
		err = parse(self, path, size);
	/* The file that Debian puts into /boot has one line, which says so. */
	if (!err && !system_map_find(&self->symbols, "linux_banner", &address, 1))
		err = error_new(
			"%s: is not a whole System.map, it has no linux_banner (Debian: the "
			"one in /boot is empty, that of the package linux-image-*-dbg in "
			"/usr/lib/debug/boot is not)",
			path);
	if (err) {
		system_map_destroy(&self->symbols);
		return err;
	}
	*ret = &self->symbols;
	return NULL;
}
