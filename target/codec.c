// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Each call answers as libkdumpfile does: a page is right if all of it comes out and no more.
 * zlib's format is read by libdeflate where the build has it, in half the time of zlib itself.
 */
#include "target/codec.h"

#include <lzo/lzo1x.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zstd.h>
#if __has_include(<libdeflate.h>)
#include <libdeflate.h>
#define HAVE_LIBDEFLATE 1
#else
#include <zlib.h>
#define HAVE_LIBDEFLATE 0
#endif

struct unpacker {
#if HAVE_LIBDEFLATE
	struct libdeflate_decompressor *deflate;
#else
	z_stream deflate;
	bool deflate_ready;
#endif
	ZSTD_DCtx *zstd;
};

#if HAVE_LIBDEFLATE

static bool deflate_init(struct unpacker *self)
{
	self->deflate = libdeflate_alloc_decompressor();
	return self->deflate;
}

static void deflate_deinit(struct unpacker *self)
{
	libdeflate_free_decompressor(self->deflate);
}

static bool unpack_zlib(struct unpacker *self, const void *packed, size_t packed_len, void *data,
			size_t len)
{
	return libdeflate_zlib_decompress(self->deflate, packed, packed_len, data, len, NULL) ==
	       LIBDEFLATE_SUCCESS;
}

#else

static bool deflate_init(struct unpacker *self)
{
	self->deflate_ready = inflateInit(&self->deflate) == Z_OK;
	return self->deflate_ready;
}

static void deflate_deinit(struct unpacker *self)
{
	if (self->deflate_ready)
		inflateEnd(&self->deflate);
}

static bool unpack_zlib(struct unpacker *self, const void *packed, size_t packed_len, void *data,
			size_t len)
{
	z_stream *stream = &self->deflate;

	stream->next_in = (Bytef *)packed;
	stream->avail_in = (uInt)packed_len;
	stream->next_out = data;
	stream->avail_out = (uInt)len;
	return inflateReset(stream) == Z_OK && inflate(stream, Z_FINISH) == Z_STREAM_END &&
	       stream->avail_out == 0;
}

#endif

struct unpacker *unpacker_create(void)
{
	struct unpacker *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->zstd = ZSTD_createDCtx();
	if (deflate_init(self) && self->zstd)
		return self;
	unpacker_destroy(self);
	return NULL;
}

void unpacker_destroy(struct unpacker *unpacker)
{
	if (!unpacker)
		return;
	deflate_deinit(unpacker);
	ZSTD_freeDCtx(unpacker->zstd);
	free(unpacker);
}

bool codec_known(uint32_t codec)
{
	return codec == CODEC_ZLIB || codec == CODEC_LZO || codec == CODEC_SNAPPY ||
	       codec == CODEC_ZSTD;
}

bool unpack(struct unpacker *unpacker, enum codec codec, const void *packed, size_t packed_len,
	    void *data, size_t len)
{
	lzo_uint lzo_len = len;
	size_t snappy_len = len;

	switch (codec) {
	case CODEC_ZLIB:
		return unpack_zlib(unpacker, packed, packed_len, data, len);
	case CODEC_LZO:
		return lzo1x_decompress_safe(packed, packed_len, data, &lzo_len, NULL) ==
			       LZO_E_OK &&
		       lzo_len == len;
	case CODEC_SNAPPY:
		return snappy_uncompress(packed, packed_len, data, &snappy_len) == SNAPPY_OK &&
		       snappy_len == len;
	case CODEC_ZSTD:
		/* An error's code is larger than any length. */
		return ZSTD_decompressDCtx(unpacker->zstd, data, len, packed, packed_len) == len;
	default:
		return false;
	}
}
