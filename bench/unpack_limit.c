// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Usage: unpack_limit THREADS FILE [count]
 *
 * Unpack every page of a kdump-compressed file of make_tables by THREADS threads, and nothing else:
 * what a walk of compressed tables is compared with. By the library that iommupt takes for each
 * codec; shares no code with it. With count, how many words are not zero is counted and printed,
 * so that what comes out can be held against the tables.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <lzo/lzo1x.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#if __has_include(<libdeflate.h>)
#include <libdeflate.h>
#define HAVE_LIBDEFLATE 1
#else
#define HAVE_LIBDEFLATE 0
#endif

enum { PAGE = 4096, THREADS_MAX = 64, CHUNK = 256 };
enum { NONE = 0, ZLIB = 1, LZO = 2, ZSTD = 32 };

struct page_desc {
	uint64_t offset;
	uint32_t size;
	uint32_t flags;
	uint64_t page_flags;
};

static const unsigned char *file;
static size_t file_size;
static const struct page_desc *descs;
static size_t desc_count;
static bool counting;
static _Atomic size_t next_desc;
static _Atomic uint64_t words_used;

struct tools {
#if HAVE_LIBDEFLATE
	struct libdeflate_decompressor *deflate;
#endif
	ZSTD_DCtx *zstd;
};

static bool unpack_zlib(const struct tools *tools, const void *packed, size_t len, void *page)
{
#if HAVE_LIBDEFLATE
	return libdeflate_zlib_decompress(tools->deflate, packed, len, page, PAGE, NULL) ==
	       LIBDEFLATE_SUCCESS;
#else
	uLongf out = PAGE;

	(void)tools;
	return uncompress(page, &out, packed, len) == Z_OK && out == PAGE;
#endif
}

static bool unpack(const struct tools *tools, const struct page_desc *desc, void *page)
{
	const void *packed = file + desc->offset;
	lzo_uint lzo_len = PAGE;

	if (desc->offset > file_size || desc->size > file_size - desc->offset)
		return false;
	switch (desc->flags) {
	case NONE:
		memcpy(page, packed, PAGE);
		return desc->size == PAGE;
	case ZLIB:
		return unpack_zlib(tools, packed, desc->size, page);
	case LZO:
		return lzo1x_decompress_safe(packed, desc->size, page, &lzo_len, NULL) ==
			       LZO_E_OK &&
		       lzo_len == PAGE;
	case ZSTD:
		return ZSTD_decompressDCtx(tools->zstd, page, PAGE, packed, desc->size) == PAGE;
	default:
		return false;
	}
}

static uint64_t count_words(const uint64_t *page)
{
	uint64_t used = 0;

	for (size_t i = 0; i < PAGE / sizeof(*page); i++)
		used += page[i] != 0;
	return used;
}

/* Takes CHUNK pages at a time; NULL when all could be unpacked. */
static void *work(void *arg)
{
	uint64_t page[PAGE / sizeof(uint64_t)];
	struct tools tools = { .zstd = ZSTD_createDCtx() };
	uint64_t used = 0;
	void *failed = NULL;

	(void)arg;
#if HAVE_LIBDEFLATE
	tools.deflate = libdeflate_alloc_decompressor();
#endif
	for (size_t start; (start = atomic_fetch_add(&next_desc, CHUNK)) < desc_count && !failed;) {
		for (size_t i = start; i < start + CHUNK && i < desc_count; i++) {
			if (!unpack(&tools, &descs[i], page))
				failed = &next_desc;
			else if (counting)
				used += count_words(page);
		}
	}
	atomic_fetch_add(&words_used, used);
#if HAVE_LIBDEFLATE
	libdeflate_free_decompressor(tools.deflate);
#endif
	ZSTD_freeDCtx(tools.zstd);
	return failed;
}

static uint32_t header32(size_t at)
{
	uint32_t value;

	memcpy(&value, file + at, sizeof(value));
	return value;
}

/* As many descriptors as there are bits in the second bitmap. */
static bool find_descs(void)
{
	const size_t bitmaps = (1 + (size_t)header32(432)) * PAGE;
	const size_t bytes = (size_t)header32(436) * PAGE;

	if (header32(428) != PAGE || bitmaps + bytes > file_size)
		return false;
	for (size_t at = bitmaps + bytes / 2; at < bitmaps + bytes; at++)
		desc_count += (size_t)__builtin_popcount(file[at]);
	descs = (const struct page_desc *)(file + bitmaps + bytes);
	return desc_count <= (file_size - bitmaps - bytes) / sizeof(*descs);
}

static bool map_file(const char *path)
{
	struct stat stat;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &stat) != 0 || stat.st_size < 2L * PAGE)
		return false;
	file_size = (size_t)stat.st_size;
	void *map = mmap(NULL, file_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	file = map;
	return map != MAP_FAILED && memcmp(map, "KDUMP   ", 8) == 0 && find_descs();
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	const size_t count = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	bool good = true;

	if (argc > 4 || count < 1 || count > THREADS_MAX) {
		fputs("usage: unpack_limit THREADS FILE [count]\n", stderr);
		return 2;
	}
	if (lzo_init() != LZO_E_OK || !map_file(argv[2])) {
		fprintf(stderr, "unpack_limit: %s: not a file of make_tables\n", argv[2]);
		return 1;
	}
	counting = argc == 4;
	for (size_t i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			return 1;
	}
	for (size_t i = 0; i < count; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		good = good && !failed;
	}
	printf("pages %zu\n", desc_count);
	if (counting)
		printf("words %" PRIu64 "\n", (uint64_t)words_used);
	return good ? 0 : 1;
}
