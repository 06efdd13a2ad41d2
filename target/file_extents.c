// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Files in which parts of memory lie as they are: ELF core files, raw images.
 *
 * Answered are blocks that lie within one part; the bytes stay in the file. All else is
 * libkdumpfile's: holes, what is cut off, blocks over an edge.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/file_map.h"
#include "target/file_reader.h"

enum { ROW_PAGE = 1 << 12, ROW_MAX = 1 << 18 };

struct extent {
	uint64_t start; /* physical address */
	uint64_t end;
	uint64_t offset; /* in the file */
};

struct extents {
	struct file_reader reader;
	struct file_map map;
	struct extent *extents; /* in ascending order, none over another */
	size_t count;
};

/* The last extent that begins at or below @phys; the first one if there is none. */
static const struct extent *find(const struct extents *self, uint64_t phys)
{
	size_t low = 0;
	size_t high = self->count;

	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (self->extents[middle].start <= phys)
			low = middle;
		else
			high = middle;
	}
	return &self->extents[low];
}

static bool holds(const struct extent *extent, const struct block_request *request)
{
	return request->phys >= extent->start && request->phys < extent->end &&
	       request->len <= extent->end - request->phys;
}

static void answer(const struct extents *self, uint64_t size, const struct extent *extent,
		   struct block_request *request)
{
	const uint64_t offset = extent->offset + (request->phys - extent->start);

	request->bytes = self->map.bytes + offset;
	if (!file_map_has(size, offset, request->len))
		request->status = BLOCK_DAMAGED;
	else if ((uintptr_t)request->bytes % sizeof(uint64_t))
		request->bytes = memcpy(request->data, request->bytes, request->len);
}

/*
 * Pages that follow each other in the file and in the caller's room are read in one go, whose copy
 * stays in the cache: to map each would cost several times that. How many: 0 where they cannot.
 */
static size_t read_row(const struct extents *self, const struct extent *extent,
		       struct block_request *requests, size_t count)
{
	const uint64_t offset = extent->offset + (requests[0].phys - extent->start);
	size_t n = 1;
	size_t len = requests[0].len;

	if (len < ROW_PAGE || offset > INT64_MAX)
		return 0;
	while (n < count && len + requests[n].len <= ROW_MAX && holds(extent, &requests[n]) &&
	       requests[n].phys == requests[0].phys + len &&
	       requests[n].data == (char *)requests[0].data + len)
		len += requests[n++].len;
	if (pread(self->map.fd, requests[0].data, len, (off_t)offset) != (ssize_t)len)
		return 0;
	for (size_t i = 0; i < n; i++) {
		requests[i].status = BLOCK_OK;
		requests[i].bytes = requests[i].data;
	}
	return n;
}

static size_t extents_fetch(struct file_reader *reader, struct block_request *requests,
			    size_t count)
{
	const struct extents *self = (struct extents *)reader;
	const uint64_t size = file_map_size(&self->map);
	const struct extent *extent = self->extents;
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		struct block_request *request = &requests[i];

		request->status = BLOCK_OK;
		request->bytes = NULL;
		if (!holds(extent, request))
			extent = find(self, request->phys);
		if (!holds(extent, request)) {
			left++;
			continue;
		}
		const size_t row = read_row(self, extent, request, count - i);
		if (row)
			i += row - 1;
		else
			answer(self, size, extent, request);
	}
	return left;
}

static void extents_destroy(struct file_reader *reader)
{
	struct extents *self = (struct extents *)reader;

	file_map_deinit(&self->map);
	free(self->extents);
	free(self);
}

static const struct file_reader_ops extents_ops = {
	.fetch = extents_fetch,
	.destroy = extents_destroy,
};

static struct extents *create(int fd, size_t max)
{
	struct extents *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->reader.ops = &extents_ops;
	self->extents = calloc(max, sizeof(*self->extents));
	if (self->extents && file_map_init(&self->map, fd))
		return self;
	extents_destroy(&self->reader);
	return NULL;
}

struct file_reader *file_reader_raw(int fd)
{
	struct extents *self = create(fd, 1);

	if (!self)
		return NULL;
	self->extents[self->count++] = (struct extent){ 0, self->map.size, 0 };
	return &self->reader;
}

/* Copied, since nothing in the file need be aligned. False where it is not all there. */
static bool get(const struct file_map *map, uint64_t offset, void *data, size_t len)
{
	if (!file_map_has(map->size, offset, len))
		return false;
	memcpy(data, map->bytes + offset, len);
	return true;
}

/* Of Xen's core files libkdumpfile finds pages by sections of their own (".xen_pages", ...). */
static bool is_xen(const struct file_map *map, const Elf64_Ehdr *header)
{
	Elf64_Shdr names;

	if (header->e_shnum == 0)
		return false;
	return !get(map, header->e_shoff + header->e_shstrndx * sizeof(names), &names,
		    sizeof(names)) ||
	       !file_map_has(map->size, names.sh_offset, names.sh_size) ||
	       memmem(map->bytes + names.sh_offset, names.sh_size, ".xen", 4);
}

static uint64_t segment_count(const struct file_map *map, const Elf64_Ehdr *header)
{
	Elf64_Shdr first;

	if (header->e_phnum != PN_XNUM)
		return header->e_phnum;
	return get(map, header->e_shoff, &first, sizeof(first)) ? first.sh_info : 0;
}

static int compare(const void *a, const void *b)
{
	const struct extent *one = a;
	const struct extent *other = b;

	if (one->start != other->start)
		return one->start < other->start ? -1 : 1;
	return one->offset < other->offset ? -1 : one->offset > other->offset;
}

/*
 * /proc/vmcore has the kernel's text twice, in a segment of its own and in that of the memory
 * around. As in libkdumpfile the one that begins first counts.
 */
static void remove_overlaps(struct extents *self)
{
	uint64_t covered = 0;
	size_t kept = 0;

	qsort(self->extents, self->count, sizeof(*self->extents), compare);
	for (size_t i = 0; i < self->count; i++) {
		struct extent extent = self->extents[i];

		if (extent.start < covered) {
			extent.offset += covered - extent.start;
			extent.start = covered;
		}
		if (extent.start >= extent.end)
			continue;
		covered = extent.end;
		self->extents[kept++] = extent;
	}
	self->count = kept;
}

static void add_segment(struct extents *self, const Elf64_Phdr *segment)
{
	const uint64_t size = self->map.size;
	uint64_t len = segment->p_filesz;

	if (segment->p_type != PT_LOAD || segment->p_paddr >= MEMORY_END ||
	    segment->p_offset >= size)
		return;
	if (len > size - segment->p_offset)
		len = size - segment->p_offset;
	if (len > MEMORY_END - segment->p_paddr)
		len = MEMORY_END - segment->p_paddr;
	self->extents[self->count++] = (struct extent){
		segment->p_paddr,
		segment->p_paddr + len,
		segment->p_offset,
	};
}

static bool load_segments(struct extents *self, const Elf64_Ehdr *header, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		Elf64_Phdr segment;

		if (!get(&self->map, header->e_phoff + i * sizeof(segment), &segment,
			 sizeof(segment)))
			return false;
		add_segment(self, &segment);
	}
	remove_overlaps(self);
	return self->count;
}

struct file_reader *file_reader_elf(int fd)
{
	struct file_map map;
	Elf64_Ehdr header;
	uint64_t count = 0;

	if (!file_map_init(&map, fd))
		return NULL;
	if (get(&map, 0, &header, sizeof(header)) && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
	    header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
	    header.e_phentsize == sizeof(Elf64_Phdr) && !is_xen(&map, &header))
		count = segment_count(&map, &header);
	const uint64_t max = map.size / sizeof(Elf64_Phdr);
	file_map_deinit(&map);
	if (count == 0 || count > max)
		return NULL;
	struct extents *self = create(fd, count);
	if (!self || load_segments(self, &header, count))
		return self ? &self->reader : NULL;
	extents_destroy(&self->reader);
	return NULL;
}
