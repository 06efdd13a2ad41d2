// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Tables as a kdump-compressed file: makedumpfile's IMPLEMENTATION and diskdump_mod.h. A page of
 * zeros is stored once. zlib and zstd at level 1, for speed.
 */
#include <lzo/lzo1x.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "bench/tables.h"

static const size_t MACHINE_AT = 12 + 4UL * 65; /* utsname.machine */

struct page_desc {
	uint64_t offset;
	uint32_t size;
	uint32_t flags;
	uint64_t page_flags;
};

/* How pages are packed: length, 0 when it does not get shorter. */
struct codec {
	const char *name;
	uint32_t flag;
	size_t (*pack)(const void *page, void *packed, size_t room);
};

/* Set up once: it is half a megabyte, which costs more than to pack a page. */
static size_t pack_zlib(const void *page, void *packed, size_t room)
{
	static z_stream stream;

	if (!stream.state && deflateInit(&stream, Z_BEST_SPEED) != Z_OK)
		return 0;
	stream.next_in = (Bytef *)page;
	stream.avail_in = PAGE;
	stream.next_out = packed;
	stream.avail_out = (uInt)room;
	return deflateReset(&stream) == Z_OK && deflate(&stream, Z_FINISH) == Z_STREAM_END
		       ? room - stream.avail_out
		       : 0;
}

static size_t pack_lzo(const void *page, void *packed, size_t room)
{
	static unsigned char memory[LZO1X_1_MEM_COMPRESS];
	lzo_uint len = room;

	return lzo1x_1_compress(page, PAGE, packed, &len, memory) == LZO_E_OK ? len : 0;
}

static size_t pack_zstd(const void *page, void *packed, size_t room)
{
	static ZSTD_CCtx *context;

	if (!context)
		context = ZSTD_createCCtx();
	if (!context)
		return 0;
	const size_t len = ZSTD_compressCCtx(context, packed, room, page, PAGE, 1);
	return ZSTD_isError(len) ? 0 : len;
}

static const struct codec codecs[] = {
	{ "zlib", 1, pack_zlib },
	{ "lzo", 2, pack_lzo },
	{ "zstd", 32, pack_zstd },
};

static void set32(unsigned char *header, size_t at, uint32_t value)
{
	memcpy(header + at, &value, sizeof(value));
}

/* struct disk_dump_header at its 64-bit offsets, then struct kdump_sub_header. */
static void put_headers(FILE *out, const struct tables *tables, uint64_t bitmap_blocks)
{
	const uint64_t max_pfn = bitmap_blocks * 8 * PAGE;
	unsigned char header[2 * PAGE] = "KDUMP   ";

	set32(header, 8, 6);
	memcpy(header + 12, "Linux", 6);
	snprintf((char *)header + MACHINE_AT, 65, "%s", tables->aarch64 ? "aarch64" : "x86_64");
	set32(header, 424, 1);
	set32(header, 428, PAGE);
	set32(header, 432, 1);
	set32(header, 436, (uint32_t)(2 * bitmap_blocks));
	set32(header, 440, (uint32_t)max_pfn);
	set32(header, 460, 1);
	set32(header, PAGE + 8, 31);
	memcpy(header + PAGE + 96, &max_pfn, sizeof(max_pfn));
	put(out, header, sizeof(header));
}

static bool is_there(const struct tables *tables, uint64_t pfn, uint64_t *block)
{
	while (*block < tables->blocks && block_at(*block) < pfn / BLOCK)
		++*block;
	return *block < tables->blocks && block_at(*block) == pfn / BLOCK &&
	       slot_taken(tables, *block * BLOCK + pfn % BLOCK);
}

static void put_bitmaps(FILE *out, const struct tables *tables, uint64_t bytes)
{
	for (unsigned int second = 0; second < 2; second++) {
		uint64_t block = 0;

		for (uint64_t at = 0; at < bytes; at++) {
			unsigned char bits = 0;

			for (uint64_t pfn = at * 8; pfn < at * 8 + 8; pfn++) {
				if (second ? is_there(tables, pfn, &block)
					   : block_is_memory(pfn / BLOCK))
					bits |= (unsigned char)(1U << pfn % 8);
			}
			put(out, &bits, 1);
		}
	}
}

static void put_pages(FILE *descs, FILE *data, const struct tables *tables,
		      const struct codec *codec, uint64_t data_at)
{
	uint64_t page[FAN] = { 0 };
	unsigned char packed[2 * PAGE];
	const struct page_desc zero = { data_at, PAGE, 0, 0 };

	put(data, page, PAGE);
	data_at += PAGE;
	for (uint64_t slot = 0; slot < tables->blocks * BLOCK; slot++) {
		if (!slot_taken(tables, slot))
			continue;
		if (!slot_fill(slot, page)) {
			put(descs, &zero, sizeof(zero));
			continue;
		}
		const size_t len = codec->pack(page, packed, sizeof(packed));
		const bool smaller = len > 0 && len < PAGE;
		const struct page_desc desc = { data_at, smaller ? (uint32_t)len : PAGE,
						smaller ? codec->flag : 0, 0 };
		put(descs, &desc, sizeof(desc));
		put(data, smaller ? (void *)packed : (void *)page, desc.size);
		data_at += desc.size;
	}
}

static void file_close(FILE *file, const char *path)
{
	if (fclose(file) == 0)
		return;
	perror(path);
	exit(1);
}

static const struct codec *codec_named(const char *name)
{
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		if (strcmp(codecs[i].name, name) == 0)
			return &codecs[i];
	}
	return NULL;
}

bool kdump_write(const char *path, const char *name, const struct tables *tables)
{
	const struct codec *codec = codec_named(name);
	const uint64_t frames = (block_at(tables->blocks) + 1) * BLOCK;
	const uint64_t bitmap_blocks = (frames + 8ULL * PAGE - 1) / (8ULL * PAGE);
	const uint64_t descs_at = (2 + 2 * bitmap_blocks) * PAGE;
	const uint64_t data_at = descs_at + tables->pages * sizeof(struct page_desc);

	if (!codec || lzo_init() != LZO_E_OK)
		return false;
	FILE *out = file_open_at(path, "w", 0);
	put_headers(out, tables, bitmap_blocks);
	put_bitmaps(out, tables, bitmap_blocks * PAGE);
	file_close(out, path);
	FILE *descs = file_open_at(path, "r+", descs_at);
	FILE *data = file_open_at(path, "r+", data_at);
	put_pages(descs, data, tables, codec, data_at);
	file_close(descs, path);
	file_close(data, path);
	return true;
}
