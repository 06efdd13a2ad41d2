// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/kdump_writer.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "target/error.h"
#include "target/memory.h"
#include "target/page_set.h"

enum {
	BLOCK_MAX = 65536,
	UTS_FIELD = 65,
	HEADER_VERSION = 6,
	STATUS_ZLIB = 1,     /* disk_dump_header.status: pages are compressed by zlib */
	PAGE_ZLIB = 1,	     /* page_desc.flags: this one is; 0: stored as it is */
	BITMAP_PIECE = 4096, /* bytes of a bitmap put together at a time */
};

/* As in makedumpfile's struct disk_dump_header and kdump_sub_header of 64-bit kernels. */
struct dump_header {
	char signature[8];
	int32_t header_version;
	char utsname[6][UTS_FIELD]; /* sysname, nodename, release, version, machine, domain */
	char pad[6];
	int64_t timestamp[2];
	uint32_t status;
	int32_t block_size;
	int32_t sub_hdr_size;
	uint32_t bitmap_blocks;
	uint32_t max_mapnr;
	uint32_t total_ram_blocks;
	uint32_t device_blocks;
	uint32_t written_blocks;
	uint32_t current_cpu;
	int32_t nr_cpus;
} __attribute__((packed));

struct dump_sub_header {
	uint64_t phys_base;
	int32_t dump_level;
	int32_t split;
	uint64_t start_pfn;
	uint64_t end_pfn;
	uint64_t offset_vmcoreinfo;
	uint64_t size_vmcoreinfo;
	uint64_t offset_note;
	uint64_t size_note;
	uint64_t offset_eraseinfo;
	uint64_t size_eraseinfo;
	uint64_t start_pfn_64;
	uint64_t end_pfn_64;
	uint64_t max_mapnr_64;
} __attribute__((packed));

struct page_desc {
	uint64_t offset;
	uint32_t size;
	uint32_t flags;
	uint64_t page_flags;
};

/* A page that is in the file: equal ones point to the same data. */
struct written {
	uint64_t hash;
	uint64_t phys;
	uint64_t offset; /* 0: the slot is free */
	uint32_t size;
	uint32_t flags;
};

struct writer {
	FILE *out;
	const struct kdump_contents *contents;
	uint32_t block; /* the kernel's page size: libkdumpfile takes it from VMCOREINFO */
	unsigned int block_lg2;
	uint64_t last_pfn;	/* that page_set_each() came to; UINT64_MAX: none yet */
	uint64_t count;		/* pages to be written */
	uint64_t written_end;	/* one beyond the last page to be written */
	uint64_t max_pfn;	/* one beyond the last that is described */
	uint64_t bitmap_blocks; /* of one of the two */
	uint64_t sub_blocks;
	uint64_t desc_at;
	uint64_t data_at;
	struct written *written; /* by content: open addressing; size is a power of two */
	size_t written_size;
	size_t written_used;
	unsigned char page[BLOCK_MAX];
	unsigned char other[BLOCK_MAX];
	unsigned char packed[BLOCK_MAX * 2];
	unsigned char bitmap[BITMAP_PIECE];
	uint64_t bitmap_piece; /* number of the piece in `bitmap` */
	uint64_t bitmap_at;
	bool bitmap_dirty;
};

static struct error *put(struct writer *writer, uint64_t at, const void *data, size_t len)
{
	if (fseeko(writer->out, (off_t)at, SEEK_SET) == 0 &&
	    fwrite(data, 1, len, writer->out) == len)
		return NULL;
	return error_errno(errno, "the extract cannot be written; check the free space");
}

/* The set is of 4 KiB pages in ascending order; a larger page of the kernel is taken once. */
static bool is_next(struct writer *writer, uint64_t phys)
{
	const uint64_t pfn = phys >> writer->block_lg2;
	const bool next = pfn != writer->last_pfn;

	writer->last_pfn = pfn;
	return next;
}

static struct error *each_page(struct writer *writer,
			       struct error *(*visit)(void *arg, uint64_t phys))
{
	writer->last_pfn = UINT64_MAX;
	return page_set_each(writer->contents->pages, visit, writer);
}

/*
 * The next extent of memory behind @from that the file describes. Extents behind the last page that
 * is written (firmware's flash below 4 GiB, say) are left out: their bitmaps would be larger than
 * all the pages.
 */
static bool next_extent(const struct writer *writer, uint64_t from, uint64_t *start, uint64_t *end)
{
	return memory_next_ram(writer->contents->memory, from, start, end) && *end > from &&
	       *start >> writer->block_lg2 < writer->written_end;
}

static uint64_t find_max_pfn(const struct writer *writer)
{
	uint64_t end = 0;
	uint64_t start = 0;
	uint64_t from = 0;

	while (next_extent(writer, from, &start, &end))
		from = end;
	return from >> writer->block_lg2;
}

static struct error *note_last(void *arg, uint64_t phys)
{
	struct writer *writer = arg;

	if (!is_next(writer, phys))
		return NULL;
	writer->count++;
	if (writer->last_pfn + 1 > writer->written_end)
		writer->written_end = writer->last_pfn + 1;
	return NULL;
}

static struct error *write_headers(struct writer *writer)
{
	const struct kdump_contents *contents = writer->contents;
	const size_t info_len = strlen(contents->vmcoreinfo);
	const Elf64_Nhdr note = { .n_namesz = 11, .n_descsz = (Elf64_Word)info_len, .n_type = 0 };
	const uint64_t note_at = writer->block + sizeof(struct dump_sub_header);
	const uint64_t info_at = note_at + sizeof(note) + 12;
	struct dump_header header = {
		.signature = { 'K', 'D', 'U', 'M', 'P', ' ', ' ', ' ' },
		.header_version = HEADER_VERSION,
		.status = STATUS_ZLIB,
		.block_size = (int32_t)writer->block,
		.sub_hdr_size = (int32_t)writer->sub_blocks,
		.bitmap_blocks = (uint32_t)(writer->bitmap_blocks * 2),
		.max_mapnr = writer->max_pfn > UINT32_MAX ? UINT32_MAX : (uint32_t)writer->max_pfn,
		.nr_cpus = 1,
	};
	struct dump_sub_header sub = {
		.phys_base = contents->phys_base,
		.dump_level = 31,
		.end_pfn = writer->max_pfn,
		.offset_vmcoreinfo = info_at,
		.size_vmcoreinfo = info_len,
		.offset_note = note_at,
		.size_note = sizeof(note) + 12 + ((info_len + 3) & ~(size_t)3),
		.end_pfn_64 = writer->max_pfn,
		.max_mapnr_64 = writer->max_pfn,
	};

	memcpy(header.utsname[0], "Linux", 6);
	snprintf(header.utsname[2], UTS_FIELD, "%s", contents->release);
	snprintf(header.utsname[4], UTS_FIELD, "%s", contents->machine);
	struct error *err = put(writer, 0, &header, sizeof(header));
	if (!err)
		err = put(writer, writer->block, &sub, sizeof(sub));
	if (!err)
		err = put(writer, note_at, &note, sizeof(note));
	if (!err)
		err = put(writer, note_at + sizeof(note), "VMCOREINFO\0", 12);
	return err ? err : put(writer, info_at, contents->vmcoreinfo, info_len);
}

/* Bitmaps are put together a piece at a time; pieces without a bit stay holes. */
static struct error *flush_bitmap(struct writer *writer)
{
	struct error *err = NULL;

	if (writer->bitmap_dirty)
		err = put(writer, writer->bitmap_at + writer->bitmap_piece * BITMAP_PIECE,
			  writer->bitmap, BITMAP_PIECE);
	memset(writer->bitmap, 0, BITMAP_PIECE);
	writer->bitmap_dirty = false;
	return err;
}

static struct error *set_bit(struct writer *writer, uint64_t pfn)
{
	const uint64_t piece = pfn / (BITMAP_PIECE * 8ULL);
	const uint64_t within = pfn % (BITMAP_PIECE * 8ULL);
	struct error *err = NULL;

	if (piece != writer->bitmap_piece)
		err = flush_bitmap(writer);
	writer->bitmap_piece = piece;
	writer->bitmap[within / 8] |= (unsigned char)(1U << (within % 8));
	writer->bitmap_dirty = true;
	return err;
}

static struct error *set_page_bit(void *arg, uint64_t phys)
{
	struct writer *writer = arg;

	return is_next(writer, phys) ? set_bit(writer, writer->last_pfn) : NULL;
}

/* The first bitmap: what is memory. A page that is written is memory in any case. */
static struct error *write_ram_bitmap(struct writer *writer)
{
	struct error *err = NULL;
	uint64_t start = 0;
	uint64_t end = 0;
	uint64_t from = 0;

	while (!err && next_extent(writer, from, &start, &end)) {
		for (uint64_t pfn = start >> writer->block_lg2;
		     pfn < end >> writer->block_lg2 && !err; pfn++)
			err = set_bit(writer, pfn);
		from = end;
	}
	if (!err && from == 0)
		err = each_page(writer, set_page_bit);
	return err ? err : flush_bitmap(writer);
}

/* FNV-1a, by words. */
static uint64_t hash_of(const unsigned char *page, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = 0;

		memcpy(&word, page + i, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3ULL;
		hash ^= hash >> 32;
	}
	return hash;
}

static size_t slot_of(const struct writer *writer, uint64_t hash, size_t probe)
{
	return (size_t)(hash + probe) & (writer->written_size - 1);
}

/* Without memory to grow, or among too many that collide, equal pages are written again. */
enum { WRITTEN_MIN = 1024, PROBES_MAX = 32 };

static void grow_written(struct writer *writer)
{
	struct written *old = writer->written;
	const size_t old_size = writer->written_size;
	const size_t size = old_size ? old_size * 2 : WRITTEN_MIN;
	struct written *larger = calloc(size, sizeof(*larger));

	if (!larger)
		return;
	writer->written = larger;
	writer->written_size = size;
	writer->written_used = 0;
	for (size_t i = 0; i < old_size; i++) {
		for (size_t probe = 0; old[i].offset && probe < PROBES_MAX; probe++) {
			struct written *slot = &larger[slot_of(writer, old[i].hash, probe)];

			if (slot->offset)
				continue;
			*slot = old[i];
			writer->written_used++;
			break;
		}
	}
	free(old);
}

static void remember(struct writer *writer, uint64_t hash, uint64_t phys,
		     const struct page_desc *desc)
{
	if (writer->written_used * 2 >= writer->written_size)
		grow_written(writer);
	for (size_t probe = 0; writer->written_size && probe < PROBES_MAX; probe++) {
		struct written *slot = &writer->written[slot_of(writer, hash, probe)];

		if (slot->offset)
			continue;
		*slot = (struct written){ hash, phys, desc->offset, desc->size, desc->flags };
		writer->written_used++;
		return;
	}
}

/* Is a page like the one at hand in the file? The bytes decide, not the hash. */
static bool find_equal(struct writer *writer, uint64_t hash, struct page_desc *desc)
{
	for (size_t probe = 0; writer->written_size && probe < PROBES_MAX; probe++) {
		const struct written *slot = &writer->written[slot_of(writer, hash, probe)];

		if (!slot->offset)
			return false;
		if (slot->hash != hash ||
		    memory_read(writer->contents->memory, slot->phys, writer->other,
				writer->block) != BLOCK_OK ||
		    memcmp(writer->page, writer->other, writer->block) != 0)
			continue;
		*desc = (struct page_desc){ slot->offset, slot->size, slot->flags, 0 };
		return true;
	}
	return false;
}

static struct error *write_data(struct writer *writer, struct page_desc *desc)
{
	uLongf len = sizeof(writer->packed);
	const unsigned char *data = writer->packed;

	desc->flags = PAGE_ZLIB;
	if (compress2(writer->packed, &len, writer->page, writer->block, Z_BEST_COMPRESSION) !=
		    Z_OK ||
	    len >= writer->block) {
		data = writer->page;
		len = writer->block;
		desc->flags = 0;
	}
	desc->offset = writer->data_at;
	desc->size = (uint32_t)len;
	writer->data_at += len;
	return put(writer, desc->offset, data, len);
}

static struct error *write_page(void *arg, uint64_t phys)
{
	struct writer *writer = arg;
	struct page_desc desc = { 0 };
	struct error *err = NULL;

	if (!is_next(writer, phys))
		return NULL;
	phys = writer->last_pfn << writer->block_lg2;
	if (writer->contents->stop && *writer->contents->stop)
		return error_new("interrupted");
	enum block_status status =
		memory_read(writer->contents->memory, phys, writer->page, writer->block);
	if (status != BLOCK_OK)
		return error_new("page 0x%llx was read before and is now %s",
				 (unsigned long long)phys, block_status_text(status));
	const uint64_t hash = hash_of(writer->page, writer->block);
	if (!find_equal(writer, hash, &desc)) {
		err = write_data(writer, &desc);
		remember(writer, hash, phys, &desc);
	}
	if (!err)
		err = put(writer, writer->desc_at, &desc, sizeof(desc));
	writer->desc_at += sizeof(desc);
	return err;
}

static void set_block(struct writer *writer)
{
	int64_t bytes = 0;

	vmcoreinfo_number(writer->contents->vmcoreinfo, "PAGESIZE", &bytes);
	writer->block_lg2 = bytes == 65536 ? 16 : bytes == 16384 ? 14 : 12;
	writer->block = 1U << writer->block_lg2;
}

struct error *kdump_write(FILE *out, const struct kdump_contents *contents)
{
	struct writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return error_no_memory();
	writer->out = out;
	writer->contents = contents;
	set_block(writer);
	struct error *err = each_page(writer, note_last);
	writer->max_pfn = find_max_pfn(writer);
	if (writer->written_end > writer->max_pfn)
		writer->max_pfn = writer->written_end;
	writer->bitmap_blocks =
		(writer->max_pfn + 8ULL * writer->block - 1) / (8ULL * writer->block);
	writer->sub_blocks = (sizeof(struct dump_sub_header) + 64 + strlen(contents->vmcoreinfo)) /
				     writer->block +
			     1;
	if (!err)
		err = write_headers(writer);
	writer->bitmap_at = (1 + writer->sub_blocks) * writer->block;
	if (!err)
		err = write_ram_bitmap(writer);
	writer->bitmap_at += writer->bitmap_blocks * writer->block;
	if (!err)
		err = each_page(writer, set_page_bit);
	if (!err)
		err = flush_bitmap(writer);
	writer->desc_at = writer->bitmap_at + writer->bitmap_blocks * writer->block;
	writer->data_at = writer->desc_at + writer->count * sizeof(struct page_desc);
	if (!err)
		err = each_page(writer, write_page);
	free(writer->written);
	free(writer);
	return err;
}
