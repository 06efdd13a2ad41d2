/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The codecs of kdump-compressed files. */
#ifndef IOMMUPT_CODEC_H
#define IOMMUPT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* page_desc.flags, in makedumpfile's diskdump_mod.h: by which codec, if any, a page is packed. */
enum codec { CODEC_NONE = 0, CODEC_ZLIB = 1, CODEC_LZO = 2, CODEC_SNAPPY = 4, CODEC_ZSTD = 32 };

/* What one thread needs to unpack. */
struct unpacker;

/* unpacker_create() - NULL where memory is short. */
struct unpacker *unpacker_create(void);
void unpacker_destroy(struct unpacker *unpacker);

/* codec_known() - can it be unpacked here? */
bool codec_known(uint32_t codec);

/* unpack() - false unless @packed_len bytes at @packed are just @len bytes, which are in @data
 * then. */
bool unpack(struct unpacker *unpacker, enum codec codec, const void *packed, size_t packed_len,
	    void *data, size_t len);

#endif
