// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/map_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/format.h"
#include "reports/output.h"
#include "reports/reverse_map.h"
#include "target/error.h"
#include "target/memory.h"
#include "target/text.h"

enum { INDEX_VERSION = 2, BYTE_ORDER_MARK = 0x01020304 };

static const char magic[8] = { 'I', 'O', 'M', 'M', 'U', 'P', 'T', 'I' };

/* Which dump an index is of. */
struct identity {
	uint64_t size;
	int64_t seconds; /* when it was last written */
	int64_t nanoseconds;
	char release[80];
};

struct index_header {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
	struct identity dump;
	uint64_t owner_count;
	uint64_t string_bytes;
	uint64_t run_count;
	uint64_t unknown;
};

/* Texts are offsets into the strings. */
struct index_owner {
	uint64_t last_address;
	uint32_t space;
	uint32_t devices;
	uint32_t owner;
	uint32_t format;
	uint8_t dirty_tracking;
	uint8_t passthrough;
	uint8_t zero[6];
};

static struct error *identify(const struct memory *memory, const char *release,
			      struct identity *ret)
{
	struct stat status;

	memset(ret, 0, sizeof(*ret));
	if (!memory->path || stat(memory->path, &status) || !S_ISREG(status.st_mode) ||
	    status.st_size == 0 || strncmp(memory->path, "/proc/", 6) == 0)
		return error_new(
			"--index is for a vmcore file: what a running kernel maps changes");
	ret->size = (uint64_t)status.st_size;
	ret->seconds = status.st_mtim.tv_sec;
	ret->nanoseconds = status.st_mtim.tv_nsec;
	strncpy(ret->release, release, sizeof(ret->release) - 1);
	return NULL;
}

/* --- reading ------------------------------------------------------------------------- */

/* A mapped file, and its parts; all within its size. */
struct index {
	const char *path;
	void *bytes;
	size_t size;
	const struct index_header *header;
	const struct index_owner *owners;
	const char *strings;
	const struct map_run *runs;
};

static struct error *damaged(const struct index *index)
{
	return error_new(
		"--index %s: is damaged, or no index of this version; remove it, and it is "
		"made again",
		index->path);
}

/* Finds the parts; false unless the file is as long as its header says. */
static bool find_parts(struct index *index)
{
	const struct index_header *header = index->bytes;
	uint64_t left = index->size - sizeof(*header);

	index->header = header;
	if (memcmp(header->magic, magic, sizeof(magic)) != 0 || header->version != INDEX_VERSION ||
	    header->byte_order != BYTE_ORDER_MARK)
		return false;
	if (header->owner_count > left / sizeof(*index->owners))
		return false;
	index->owners = (const struct index_owner *)(header + 1);
	left -= header->owner_count * sizeof(*index->owners);
	if (header->string_bytes > left || header->string_bytes % sizeof(uint64_t))
		return false;
	index->strings = (const char *)(index->owners + header->owner_count);
	left -= header->string_bytes;
	if (left % sizeof(*index->runs) || left / sizeof(*index->runs) != header->run_count)
		return false;
	index->runs = (const struct map_run *)(index->strings + header->string_bytes);
	if (header->string_bytes && index->strings[header->string_bytes - 1])
		return false;
	return true;
}

static const char *text_at(const struct index *index, uint32_t offset)
{
	return offset < index->header->string_bytes ? index->strings + offset : "";
}

static struct error *load_owners(const struct index *index, struct reverse_map *map)
{
	struct error *err = NULL;

	for (uint64_t i = 0; i < index->header->owner_count && !err; i++) {
		const struct index_owner *from = &index->owners[i];
		const struct map_owner owner = {
			.space = strdup(text_at(index, from->space)),
			.devices = strdup(text_at(index, from->devices)),
			.owner = strdup(text_at(index, from->owner)),
			.format = pt_format_find(text_at(index, from->format)),
			.dirty_tracking = from->dirty_tracking,
			.passthrough = from->passthrough,
			.last_address = from->last_address,
		};

		err = reverse_map_add_owner(map, &owner);
		if (!err && !owner.format && !owner.passthrough)
			err = damaged(index);
	}
	return err;
}

/* What the runs @low to @high - 1, a subtree, have in @extent. */
static struct error *look_up(const struct index *index, size_t low, size_t high,
			     struct extent *extent, struct reverse_map *map)
{
	struct error *err = NULL;

	while (low < high && !err) {
		const size_t middle = low + (high - low) / 2;
		const struct map_run *run = &index->runs[middle];

		if (run->subtree_last < extent->start)
			return NULL;
		err = look_up(index, low, middle, extent, map);
		if (err || run->phys > extent->last)
			return err;
		if (run->owner >= map->owner_count || run->length == 0)
			return damaged(index);
		err = reverse_map_clip(map, run, extent, 1);
		low = middle + 1;
	}
	return err;
}

static int by_owner(const void *left, const void *right)
{
	const struct map_run *a = left;
	const struct map_run *b = right;

	if (a->owner != b->owner)
		return (a->owner > b->owner) - (a->owner < b->owner);
	return (a->iova > b->iova) - (a->iova < b->iova);
}

/* Runs in the order in which a walk would have met them, and joined where it would have. */
static struct error *put_in_order(struct reverse_map *map)
{
	struct map_run *runs = map->runs;
	const size_t count = map->run_count;
	struct error *err = NULL;

	if (count)
		qsort(runs, count, sizeof(*runs), by_owner);
	map->runs = NULL;
	map->run_count = 0;
	for (size_t i = 0; i < count && !err; i++)
		err = reverse_map_add(map, &runs[i]);
	free(runs);
	return err;
}

static struct error *load(const struct index *index, const struct identity *dump,
			  struct extent *extents, size_t count, struct reverse_map *map)
{
	if (memcmp(&index->header->dump, dump, sizeof(*dump)) != 0)
		return error_new("--index %s: was made from another dump, or this one has changed "
				 "since; remove it, and it is made again",
				 index->path);
	struct error *err = load_owners(index, map);
	map->unknown = index->header->unknown;
	for (size_t i = 0; i < count && !err; i++) {
		err = look_up(index, 0, index->header->run_count, &extents[i], map);
		for (size_t j = 0; j < map->owner_count; j++)
			extents[i].found |= map->owners[j].passthrough &&
					    extents[i].start <= map->owners[j].last_address;
	}
	return err ? err : put_in_order(map);
}

struct error *map_index_load(const char *path, const struct memory *memory, const char *release,
			     struct extent *extents, size_t count, struct reverse_map *map,
			     bool *found)
{
	struct index index = { .path = path };
	struct identity dump;
	struct stat status;

	*map = (struct reverse_map){ 0 };
	*found = false;
	struct error *err = identify(memory, release, &dump);
	if (err)
		return err;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? NULL
				       : error_errno(errno, "--index %s: cannot be opened", path);
	*found = true;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode) ||
	    (size_t)status.st_size < sizeof(struct index_header)) {
		close(fd);
		return damaged(&index);
	}
	index.size = (size_t)status.st_size;
	index.bytes = mmap(NULL, index.size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (index.bytes == MAP_FAILED)
		return error_errno(errno, "--index %s: cannot be read", path);
	err = find_parts(&index) ? load(&index, &dump, extents, count, map) : damaged(&index);
	munmap(index.bytes, index.size);
	return err;
}

/* --- writing ------------------------------------------------------------------------- */

static int by_phys(const void *left, const void *right)
{
	const struct map_run *a = left;
	const struct map_run *b = right;

	if (a->phys != b->phys)
		return (a->phys > b->phys) - (a->phys < b->phys);
	return by_owner(left, right);
}

/* Fill in subtree_last of the runs @low to @high - 1; returns that of their root. */
static uint64_t build_subtree(struct map_run *runs, size_t low, size_t high)
{
	const size_t middle = low + (high - low) / 2;

	if (low >= high)
		return 0;
	const uint64_t left = build_subtree(runs, low, middle);
	const uint64_t right = build_subtree(runs, middle + 1, high);
	uint64_t last = runs[middle].phys + (runs[middle].length - 1);
	last = left > last ? left : last;
	last = right > last ? right : last;
	runs[middle].subtree_last = last;
	return last;
}

/* The offset at which @text comes to lie. */
static uint32_t put_text(struct text *strings, const char *text)
{
	const size_t at = text_length(strings);

	fwrite(text, 1, strlen(text) + 1, strings->stream);
	return (uint32_t)at;
}

static void write_owners(FILE *out, struct text *strings, const struct reverse_map *map)
{
	for (size_t i = 0; i < map->owner_count; i++) {
		const struct map_owner *owner = &map->owners[i];
		const struct index_owner record = {
			.last_address = owner->last_address,
			.space = put_text(strings, owner->space),
			.devices = put_text(strings, owner->devices),
			.owner = put_text(strings, owner->owner),
			.format = put_text(strings, owner->format ? owner->format->name : ""),
			.dirty_tracking = owner->dirty_tracking,
			.passthrough = owner->passthrough,
		};

		fwrite(&record, sizeof(record), 1, out);
	}
}

static struct error *write_parts(FILE *out, struct index_header *header, struct reverse_map *map)
{
	char *bytes = NULL;
	struct text strings;
	struct error *err = text_open(&strings);

	if (err)
		return err;
	fwrite(header, sizeof(*header), 1, out);
	write_owners(out, &strings, map);
	do { /* end with a NUL, the runs aligned */
		fputc('\0', strings.stream);
	} while (text_length(&strings) % sizeof(uint64_t) && !strings.failed);
	header->string_bytes = text_length(&strings);
	err = text_finish(&strings, &bytes);
	if (err)
		return err;
	fwrite(bytes, 1, header->string_bytes, out);
	free(bytes);
	if (map->run_count)
		fwrite(map->runs, sizeof(*map->runs), map->run_count, out);
	/* Not rewind(): it would forget that something could not be written. */
	if (fseeko(out, 0, SEEK_SET))
		return error_errno(errno, "cannot be written");
	fwrite(header, sizeof(*header), 1, out);
	return fflush(out) || ferror(out) ? error_errno(errno, "cannot be written") : NULL;
}

struct error *map_index_write(const char *path, const struct memory *memory, const char *release,
			      struct reverse_map *map)
{
	struct index_header header = {
		.version = INDEX_VERSION,
		.byte_order = BYTE_ORDER_MARK,
		.owner_count = map->owner_count,
		.run_count = map->run_count,
		.unknown = map->unknown,
	};
	struct output output;

	memcpy(header.magic, magic, sizeof(magic));
	struct error *err = identify(memory, release, &header.dump);
	if (err)
		return err;
	if (map->run_count)
		qsort(map->runs, map->run_count, sizeof(*map->runs), by_phys);
	build_subtree(map->runs, 0, map->run_count);
	err = output_open(&output, NULL, path);
	if (!err)
		err = output_close(&output, write_parts(output.stream, &header, map));
	if (!err)
		return NULL;
	error_free(err);
	return error_new("--index %s: cannot be written; check the place and its free space", path);
}
