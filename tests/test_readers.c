// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Our own readers of dump files, on kdump-compressed files made here byte by byte: each codec,
 * pages stored once, and every kind of damage. tests/check-readers does the same with real dumps.
 */
#include "tests/tests.h"

#include <fcntl.h>
#include <lzo/lzo1x.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "target/codec.h"
#include "target/file_reader.h"
#include "target/memory.h"
#include "walkers/workers.h"

enum { PAGE = 4096, PAGES = 40, HOLE = 7, SPARE = 0x1000, IMAGE_MAX = 1 << 20 };

/* The frames of the file: some beside each other, words and ranks of the bitmap apart. */
static uint64_t frame_of(unsigned int i)
{
	static const uint64_t starts[] = { 0, 60, 500, 512, 1023, 4000, 8191, 32760 };

	return starts[i / 5] + i % 5;
}

enum { FRAMES_END = 32765 };

enum content { ZERO, PLAIN, PACKED };

static enum content content_of(unsigned int i)
{
	return (enum content)(i % 3);
}

static uint8_t byte_of(unsigned int i, unsigned int at)
{
	return content_of(i) == ZERO ? 0 : (uint8_t)(i * 7 + (at >> 5) * 3 + 1);
}

static char path[] = "/tmp/iommupt-readers-XXXXXX";

static struct {
	uint8_t bytes[IMAGE_MAX];
	size_t len;
	size_t descs_at;
	size_t file_bitmap_at;
} image;

struct desc {
	uint64_t offset;
	uint32_t size;
	uint32_t flags;
	uint64_t page_flags;
};

static void put(size_t at, const void *data, size_t len)
{
	if (at + len > sizeof(image.bytes))
		abort();
	memcpy(image.bytes + at, data, len);
	if (at + len > image.len)
		image.len = at + len;
}

static void put_32(size_t at, uint32_t value)
{
	put(at, &value, sizeof(value));
}

static void put_64(size_t at, uint64_t value)
{
	put(at, &value, sizeof(value));
}

static size_t pack(enum codec codec, const uint8_t *page, uint8_t *to, size_t room)
{
	static uint8_t work[LZO1X_1_MEM_COMPRESS];
	uLongf zlib_len = room;
	lzo_uint lzo_len = 0;

	switch (codec) {
	case CODEC_ZLIB:
		return compress(to, &zlib_len, page, PAGE) == Z_OK ? zlib_len : 0;
	case CODEC_LZO:
		return lzo1x_1_compress(page, PAGE, to, &lzo_len, work) == LZO_E_OK ? lzo_len : 0;
	case CODEC_SNAPPY:
		return snappy_compress((const char *)page, PAGE, (char *)to, &room) == SNAPPY_OK
			       ? room
			       : 0;
	default:
		return ZSTD_compress(to, room, page, PAGE, 1);
	}
}

/* Offsets in struct disk_dump_header of 64-bit kernels. */
enum { VERSION_AT = 8, MACHINE_AT = 12 + 4 * 65, STATUS_AT = 424, BLOCK_AT = 428, SUB_AT = 432 };
enum { BITMAP_BLOCKS_AT = 436, MAX_AT = 440, SPLIT_AT = PAGE + 12, MAX_64_AT = PAGE + 96 };
enum { BITMAP_AT = 2 * PAGE, BITMAP_BLOCKS = 2 };

static void make_headers(uint32_t version, uint64_t max_mapnr)
{
	image.len = 0;
	memset(image.bytes, 0, sizeof(image.bytes));
	put(0, "KDUMP   ", 8);
	put_32(VERSION_AT, version);
	put(12, "Linux", 6);
	put(MACHINE_AT, "x86_64", 7);
	put_32(STATUS_AT, 1);
	put_32(BLOCK_AT, PAGE);
	put_32(SUB_AT, 1);
	put_32(BITMAP_BLOCKS_AT, BITMAP_BLOCKS);
	put_32(MAX_AT, (uint32_t)max_mapnr);
	put_64(MAX_64_AT, version >= 6 ? max_mapnr : 0);
	image.file_bitmap_at = BITMAP_AT + PAGE;
	image.descs_at = BITMAP_AT + BITMAP_BLOCKS * PAGE;
	image.len = image.descs_at;
}

static void set_bit(size_t bitmap_at, uint64_t bit)
{
	image.bytes[bitmap_at + bit / 8] |= (uint8_t)(1U << bit % 8);
}

/* @zero_codec: how the page of zeros is stored; it is the first. */
static void make_dump(uint32_t version, enum codec codec, enum codec zero_codec)
{
	uint8_t page[PAGE] = { 0 };
	uint8_t packed[2 * PAGE];
	struct desc zero = { .size = PAGE, .flags = zero_codec };

	make_headers(version, FRAMES_END);
	zero.offset = image.descs_at + PAGES * sizeof(struct desc);
	if (zero_codec != CODEC_NONE)
		zero.size = (uint32_t)pack(zero_codec, page, packed, sizeof(packed));
	put(zero.offset, zero_codec == CODEC_NONE ? page : packed, zero.size);
	for (unsigned int i = 0; i < PAGES; i++) {
		struct desc desc = { image.len, PAGE, CODEC_NONE, 0 };

		set_bit(BITMAP_AT, frame_of(i));
		set_bit(image.file_bitmap_at, frame_of(i));
		for (unsigned int at = 0; at < PAGE; at++)
			page[at] = byte_of(i, at);
		if (content_of(i) == PACKED) {
			desc.size = (uint32_t)pack(codec, page, packed, sizeof(packed));
			desc.flags = codec;
			put(desc.offset, packed, desc.size);
		} else if (content_of(i) == PLAIN) {
			put(desc.offset, page, PAGE);
		} else {
			desc = zero;
		}
		put(image.descs_at + i * sizeof(desc), &desc, sizeof(desc));
	}
	/* memory that is not in the file */
	set_bit(BITMAP_AT, HOLE);
}

static void write_image(void)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(image.bytes, 1, image.len, file) != image.len || fclose(file))
		abort();
}

static struct memory *open_image(unsigned int flags)
{
	struct memory *memory = NULL;

	write_image();
	EXPECT_NO_ERROR(memory_open(path, flags, &memory));
	return memory;
}

struct batch {
	struct block_request requests[PAGES];
	uint64_t room[PAGES][PAGE / 8];
};

/* All pages of the file in one request, from the last to the first. */
static void prepare_all(struct batch *batch)
{
	memset(batch, 0x5a, sizeof(*batch));
	for (unsigned int i = 0; i < PAGES; i++) {
		const unsigned int page = PAGES - 1 - i;

		batch->requests[i] = (struct block_request){ .phys = frame_of(page) * PAGE,
							     .data = batch->room[i],
							     .len = PAGE };
	}
}

static void fetch_all(struct memory *memory, struct batch *batch)
{
	prepare_all(batch);
	memory_fetch(memory, batch->requests, PAGES);
}

static bool is_page(const struct block_request *request, unsigned int page)
{
	const uint8_t *bytes = request->bytes;

	if (request->status != BLOCK_OK || (uintptr_t)bytes % 8)
		return false;
	for (unsigned int at = 0; at < PAGE; at++) {
		if (bytes[at] != byte_of(page, at))
			return false;
	}
	return true;
}

static void expect_all(struct memory *memory, const char *what)
{
	static struct batch batch;

	/* twice: the page of zeros is known the second time */
	for (unsigned int round = 0; round < 2; round++) {
		fetch_all(memory, &batch);
		for (unsigned int i = 0; i < PAGES; i++) {
			const unsigned int page = PAGES - 1 - i;

			EXPECT(is_page(&batch.requests[i], page), "%s: page %u, round %u", what,
			       page, round);
			EXPECT((batch.requests[i].bytes == memory_zeros()) ==
				       (content_of(page) == ZERO),
			       "%s: page %u, round %u, is%s known to be zeros", what, page, round,
			       content_of(page) == ZERO ? " not" : "");
		}
	}
}

/* Any part of memory, and why there is none. */
static void expect_parts(struct memory *memory)
{
	uint8_t bytes[3 * PAGE];

	CU_ASSERT_EQUAL(memory_read(memory, 2 * PAGE - 3, bytes, 6), BLOCK_OK);
	for (unsigned int i = 0; i < 6; i++)
		EXPECT_NUMBER(bytes[i], i < 3 ? byte_of(1, PAGE - 3 + i) : byte_of(2, i - 3));
	CU_ASSERT_EQUAL(memory_read(memory, PAGE + 5, bytes, 2 * PAGE), BLOCK_OK);
	EXPECT_NUMBER(bytes[0], byte_of(1, 5));
	EXPECT_NUMBER(bytes[2 * PAGE - 1], byte_of(3, 4));
	/* two packed pages, 512 apart, in turns: they have the same place in a cache of 2 MiB */
	for (unsigned int i = 0; i < 4; i++) {
		const unsigned int page = i % 2 ? 17 : 2;

		CU_ASSERT_EQUAL(memory_read(memory, frame_of(page) * PAGE + 64, bytes, 8),
				BLOCK_OK);
		EXPECT_NUMBER(bytes[7], byte_of(page, 71));
	}
	CU_ASSERT_EQUAL(memory_read(memory, 0, bytes, 0), BLOCK_OK);
	CU_ASSERT_EQUAL(memory_read(memory, HOLE * PAGE, bytes, 8), BLOCK_MISSING);
	CU_ASSERT_EQUAL(memory_read(memory, HOLE * PAGE, bytes, PAGE), BLOCK_MISSING);
	CU_ASSERT_EQUAL(memory_read(memory, 5 * PAGE, bytes, PAGE), BLOCK_OUTSIDE);
	CU_ASSERT_EQUAL(memory_read(memory, 5 * PAGE - 1, bytes, 2), BLOCK_OUTSIDE);
	CU_ASSERT_EQUAL(memory_read(memory, 32767ULL * PAGE, bytes, PAGE), BLOCK_OUTSIDE);
	CU_ASSERT_EQUAL(memory_read(memory, 32768ULL * PAGE, bytes, PAGE), BLOCK_OUTSIDE);
	CU_ASSERT_EQUAL(memory_read(memory, 1ULL << 60, bytes, PAGE), BLOCK_OUTSIDE);
	CU_ASSERT_EQUAL(memory_read(memory, UINT64_MAX, bytes, 2), BLOCK_OUTSIDE);
}

static const enum codec codecs[] = { CODEC_ZLIB, CODEC_LZO, CODEC_SNAPPY, CODEC_ZSTD };
enum { CODECS = sizeof(codecs) / sizeof(codecs[0]) };

static void test_codecs(void)
{
	char what[64];

	for (size_t i = 0; i < CODECS; i++) {
		for (unsigned int zero = 0; zero < 2; zero++) {
			for (unsigned int flags = 0; flags <= MEMORY_BY_LIBRARY;
			     flags += MEMORY_BY_LIBRARY) {
				make_dump(6, codecs[i], zero ? codecs[i] : CODEC_NONE);
				struct memory *memory = open_image(flags);

				if (!memory)
					return;
				snprintf(what, sizeof(what), "codec %u, zeros %s",
					 (unsigned int)codecs[i], zero ? "packed" : "plain");
				CU_ASSERT_EQUAL(memory->concurrent, flags == 0);
				if (flags == 0)
					expect_all(memory, what);
				expect_parts(memory);
				memory_close(memory);
			}
		}
	}
}

static void test_versions(void)
{
	for (uint32_t version = 1; version <= 6; version++) {
		make_dump(version, CODEC_ZLIB, CODEC_NONE);
		struct memory *memory = open_image(0);

		if (!memory)
			return;
		EXPECT(memory->concurrent, "version %u is not ours", version);
		expect_all(memory, "version");
		memory_close(memory);
	}
}

/* Ours and the library's answer of every page, for a file that is not quite as usual. */
static void expect_same(const char *what)
{
	struct memory *ours = open_image(0);
	struct memory *library = open_image(MEMORY_BY_LIBRARY);
	uint64_t one[PAGE / 8];
	uint64_t other[PAGE / 8];

	if (!ours || !library)
		return;
	for (unsigned int i = 0; i < PAGES * 3; i++) {
		/* each page, and what is around it */
		const uint64_t frame = frame_of(i % PAGES) + (uint64_t)(i / PAGES) * 3;
		enum block_status status = memory_read(library, frame * PAGE, other, PAGE);
		struct block_request request = { .phys = frame * PAGE, .data = one, .len = PAGE };

		memory_fetch(ours, &request, 1);
		EXPECT(request.status == status &&
			       (status != BLOCK_OK || memcmp(request.bytes, other, PAGE) == 0),
		       "%s: frame %llu is %s, not %s", what, (unsigned long long)frame,
		       block_status_text(request.status), block_status_text(status));
	}
	memory_close(ours);
	memory_close(library);
}

static void test_unusual(void)
{
	/* page frames behind the number of frames that the header gives */
	make_dump(6, CODEC_ZLIB, CODEC_NONE);
	put_64(MAX_64_AT, 4003);
	expect_same("max_mapnr");
	/* one of several files */
	make_dump(6, CODEC_ZLIB, CODEC_NONE);
	put_32(SPLIT_AT, 1);
	put_64(PAGE + 80, 0);
	put_64(PAGE + 88, 1024);
	expect_same("split");
	/* codecs that nobody knows, and two at once */
	static const uint32_t flags[] = { 8, 16, 64, 0x80000000, 3, 33, 0x101 };
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		make_dump(6, CODEC_ZLIB, CODEC_NONE);
		put_32(image.descs_at + 2 * sizeof(struct desc) + 12, flags[i]);
		put_32(image.descs_at + 4 * sizeof(struct desc) + 12, flags[i]);
		expect_same("flags");
	}
	/* pages without a codec of another size */
	make_dump(6, CODEC_ZLIB, CODEC_NONE);
	put_32(image.descs_at + 4 * sizeof(struct desc) + 8, PAGE / 2);
	expect_same("size");
	make_dump(6, CODEC_LZO, CODEC_LZO);
	expect_same("as usual");
}

/* Page @page of the damaged file is damaged, all others are as they were. */
static void expect_damaged(unsigned int page, const char *what, unsigned int round)
{
	static struct batch batch;
	struct block_request part = { .phys = frame_of(page) * PAGE + 7, .len = 1, .data = &batch };

	write_image();
	int fd = open(path, O_RDONLY);
	struct file_reader *reader = file_reader_kdump(fd, 12);
	CU_ASSERT_PTR_NOT_NULL(reader);
	if (!reader)
		return;
	prepare_all(&batch);
	CU_ASSERT_EQUAL(file_reader_fetch(reader, batch.requests, PAGES), 0);
	for (unsigned int i = 0; i < PAGES; i++) {
		const unsigned int other = PAGES - 1 - i;

		if (other == page)
			EXPECT(batch.requests[i].status == BLOCK_DAMAGED, "%s, round %u: %s", what,
			       round, block_status_text(batch.requests[i].status));
		else
			EXPECT(is_page(&batch.requests[i], other), "%s, round %u: page %u", what,
			       round, other);
	}
	CU_ASSERT_EQUAL(file_reader_fetch(reader, &part, 1), 0);
	CU_ASSERT_EQUAL(part.status, BLOCK_DAMAGED);
	file_reader_destroy(reader);
	close(fd);
}

static void test_damaged_descriptors(void)
{
	enum { PLAIN_PAGE = 1, PACKED_PAGE = 2 };
	const size_t plain = PLAIN_PAGE * sizeof(struct desc);
	const size_t packed = PACKED_PAGE * sizeof(struct desc);
	static const uint32_t sizes[] = { 0, 1, PAGE - 1, PAGE + 1, 65536, 65537, UINT32_MAX };

	for (size_t codec = 0; codec < CODECS; codec++) {
		const uint64_t offsets[] = { IMAGE_MAX,	 1ULL << 40,	    INT64_MAX,
					     1ULL << 63, UINT64_MAX - PAGE, UINT64_MAX };

		for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
			make_dump(6, codecs[codec], CODEC_NONE);
			put_64(image.descs_at + packed, offsets[i]);
			expect_damaged(PACKED_PAGE, "offset", (unsigned int)i);
		}
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			make_dump(6, codecs[codec], CODEC_NONE);
			put_32(image.descs_at + plain + 8, sizes[i]);
			memset(image.bytes + image.len, 0x11, 1 << 17);
			image.len += 1 << 17;
			expect_damaged(PLAIN_PAGE, "size", (unsigned int)i);
		}
		/* more than libkdumpfile takes, with a page at its beginning */
		make_dump(6, codecs[codec], CODEC_NONE);
		put_32(image.descs_at + packed + 8, MEMORY_BLOCK_MAX + 1);
		image.len += 1 << 17;
		expect_damaged(PACKED_PAGE, "packed size", MEMORY_BLOCK_MAX + 1);
		/* all of the page but the end, and nothing but its beginning */
		make_dump(6, codecs[codec], CODEC_NONE);
		uint32_t size = 0;
		memcpy(&size, image.bytes + image.descs_at + packed + 8, sizeof(size));
		for (uint32_t less = 0; less < size; less++) {
			put_32(image.descs_at + packed + 8, less);
			expect_damaged(PACKED_PAGE, "packed size", less);
		}
	}
}

/* Packed pages that are shorter or longer than a page. */
static void test_other_sizes(void)
{
	static const size_t lens[] = { 1, PAGE - 1, PAGE + 1, 2 * PAGE };
	static uint8_t page[2 * PAGE];

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (size_t codec = 0; codec < CODECS; codec++) {
			uint8_t packed[3 * PAGE];
			uint8_t work[LZO1X_1_MEM_COMPRESS];
			uLongf zlib_len = sizeof(packed);
			lzo_uint lzo_len = 0;
			size_t len = sizeof(packed);

			memset(page, 0x42, sizeof(page));
			if (codecs[codec] == CODEC_ZLIB &&
			    compress(packed, &zlib_len, page, lens[i]) == Z_OK)
				len = zlib_len;
			else if (codecs[codec] == CODEC_LZO &&
				 lzo1x_1_compress(page, lens[i], packed, &lzo_len, work) ==
					 LZO_E_OK)
				len = lzo_len;
			else if (codecs[codec] == CODEC_SNAPPY)
				snappy_compress((char *)page, lens[i], (char *)packed, &len);
			else if (codecs[codec] == CODEC_ZSTD)
				len = ZSTD_compress(packed, sizeof(packed), page, lens[i], 1);
			make_dump(6, codecs[codec], CODEC_NONE);
			struct desc desc = { image.len, (uint32_t)len, codecs[codec], 0 };
			put(image.len, packed, len);
			put(image.descs_at + 2 * sizeof(desc), &desc, sizeof(desc));
			expect_damaged(2, "other size", (unsigned int)i);
		}
	}
}

/* Whatever is written over it: no crash. By the reader alone, or with all that opens a dump. */
static int probe_image(bool alone)
{
	static struct batch batch;
	struct memory *memory = NULL;
	uint8_t bytes[64];

	if (alone) {
		int fd = open(path, O_RDONLY);
		struct file_reader *reader = file_reader_kdump(fd, 12);

		prepare_all(&batch);
		for (uint64_t frame = 0; frame < 33000 && reader; frame += 31) {
			struct block_request request = { .phys = frame * PAGE + 4060,
							 .len = sizeof(bytes),
							 .data = bytes };
			file_reader_fetch(reader, &request, 1);
		}
		if (reader)
			file_reader_fetch(reader, batch.requests, PAGES);
		file_reader_destroy(reader);
		return close(fd);
	}
	struct error *err = memory_open(path, 0, &memory);
	if (!err)
		fetch_all(memory, &batch);
	error_free(err);
	memory_close(memory);
	return 0;
}

static void expect_survival(const char *what, unsigned int round)
{
	int status = 0;

	write_image();
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		alarm(60);
		_exit(probe_image(round % 4));
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	EXPECT(status == 0, "%s, round %u: status 0x%x", what, round, (unsigned int)status);
}

static void test_noise(void)
{
	struct random random = { 11 };

	for (unsigned int round = 0; round < 300; round++) {
		make_dump(6, codecs[round % CODECS], CODEC_NONE);
		const size_t begin = round % 2 ? image.descs_at : image.file_bitmap_at;
		const size_t end = round % 3 ? image.len
					     : image.descs_at + PAGES * sizeof(struct desc);

		for (unsigned int i = 0; i <= round % 16; i++)
			image.bytes[begin + random_below(&random, end - begin)] =
				(uint8_t)random_next(&random);
		expect_survival("noise", round);
	}
	for (unsigned int round = 0; round < 100; round++) {
		make_dump(6, codecs[round % CODECS], CODEC_NONE);
		image.len = random_below(&random, image.len);
		expect_survival("cut off", round);
	}
	/* the headers' numbers */
	static const size_t places[] = { VERSION_AT, BLOCK_AT, SUB_AT,	 BITMAP_BLOCKS_AT,
					 MAX_AT,     SPLIT_AT, MAX_64_AT };
	static const uint32_t values[] = { 0,	  1,	   3,	       512,	  PAGE * 2,
					   65536, 1 << 20, 0x7fffffff, UINT32_MAX };
	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (unsigned int k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			make_dump(6, CODEC_ZLIB, CODEC_NONE);
			put_32(places[i], values[k]);
			expect_survival("header", i * 100 + k);
		}
	}
}

/* A worker looks at a page; nobody else may take its job. */
struct look {
	struct job job;
	const volatile uint8_t *page;
	bool zeros;
	atomic_bool done;
};

static void look_at(void *arg, struct job *job)
{
	struct look *look = (struct look *)job;

	(void)arg;
	look->zeros = look->page[0] == 0 && look->page[PAGE - 1] == 0;
	atomic_store(&look->done, true);
}

static bool worker_sees_zeros(const volatile uint8_t *page)
{
	struct look look = { .page = page };
	struct workers *workers = workers_create(1, look_at, NULL);

	if (!workers)
		return false;
	workers_submit(workers, &look.job);
	while (!atomic_load(&look.done))
		usleep(1000);
	workers_finish(workers, &look.job);
	workers_destroy(workers);
	return look.zeros;
}

/* Cut off when it is open already: what is gone is damaged, what was given out is zeros. */
static int probe_cut(void)
{
	static struct batch batch;
	struct memory *memory = NULL;
	const volatile uint8_t *left = NULL;

	if (memory_open(path, 0, &memory))
		return 1;
	fetch_all(memory, &batch);
	for (unsigned int i = 0; i < PAGES; i++) {
		const uint8_t *bytes = batch.requests[i].bytes;

		/* not copied, not the zeros: in the file itself */
		if (content_of(PAGES - 1 - i) == PLAIN && (const void *)bytes != batch.room[i])
			left = bytes;
	}
	if (!left || memory_lost() || truncate(path, PAGE))
		return 2;
	if (!worker_sees_zeros(left) || left[0] != 0 || !memory_lost())
		return 3;
	fetch_all(memory, &batch);
	for (unsigned int i = 0; i < PAGES; i++) {
		if (batch.requests[i].status == BLOCK_OK)
			return 4;
	}
	memory_close(memory);
	return 0;
}

static void test_cut_while_open(void)
{
	int status = 0;

	make_dump(6, CODEC_ZLIB, CODEC_NONE);
	/* the first plain page at a multiple of 8, so that it is left in the file */
	struct desc desc = { (image.len + PAGE - 1) / PAGE * PAGE, PAGE, CODEC_NONE, 0 };
	uint8_t page[PAGE];
	for (unsigned int at = 0; at < PAGE; at++)
		page[at] = byte_of(1, at);
	put(desc.offset, page, PAGE);
	put(image.descs_at + sizeof(desc), &desc, sizeof(desc));
	write_image();
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		alarm(60);
		_exit(probe_cut());
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	EXPECT(status == 0, "cut off while open: status 0x%x", (unsigned int)status);
	CU_ASSERT_FALSE(memory_lost());
}

static void *fetch_again(void *arg)
{
	struct batch *batch = malloc(sizeof(*batch));
	bool ok = batch;

	for (unsigned int round = 0; round < 50 && ok; round++) {
		fetch_all(arg, batch);
		for (unsigned int i = 0; i < PAGES; i++)
			ok &= is_page(&batch->requests[i], PAGES - 1 - i);
	}
	free(batch);
	return ok ? arg : NULL;
}

static void test_threads(void)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];

	make_dump(6, CODEC_ZSTD, CODEC_NONE);
	struct memory *memory = open_image(0);
	if (!memory)
		return;
	for (unsigned int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, fetch_again, memory), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		void *ret = NULL;

		pthread_join(threads[i], &ret);
		CU_ASSERT_PTR_EQUAL(ret, memory);
	}
	memory_close(memory);
}

static int prepare(void)
{
	strcpy(path + strlen(path) - 6, "XXXXXX");
	int fd = mkstemp(path);

	return fd < 0 ? 1 : close(fd);
}

static int clean(void)
{
	return unlink(path);
}

void suite_readers(void)
{
	CU_pSuite suite = CU_add_suite("readers", prepare, clean);

	CU_add_test(suite, "every codec", test_codecs);
	CU_add_test(suite, "every version of the header", test_versions);
	CU_add_test(suite, "unusual files are as the library has them", test_unusual);
	CU_add_test(suite, "damaged descriptors", test_damaged_descriptors);
	CU_add_test(suite, "packed pages of another size", test_other_sizes);
	CU_add_test(suite, "noise, cuts, headers", test_noise);
	CU_add_test(suite, "cut off while open", test_cut_while_open);
	CU_add_test(suite, "threads", test_threads);
}
