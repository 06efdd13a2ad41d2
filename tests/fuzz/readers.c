// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Our own readers, which in use see only what libkdumpfile has accepted: here any file, by the
 * first byte's choice of reader and page size. And the codecs.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "target/codec.h"
#include "target/file_reader.h"
#include "tests/fuzz/fuzz.h"

enum { ELF, KDUMP, RAW, CODEC, KINDS };
enum { REQUESTS = 24, BLOCK_MAX = 1 << 16 };

static uint64_t room[REQUESTS][BLOCK_MAX / sizeof(uint64_t)];
static int file;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	file = memfd_create("dump", MFD_CLOEXEC);
	REQUIRE(file >= 0);
	return 0;
}

static void check_answer(const struct block_request *request)
{
	uint8_t sum = 0;

	REQUIRE(request->status <= BLOCK_DAMAGED);
	if (request->status != BLOCK_OK || !request->bytes)
		return;
	REQUIRE((uintptr_t)request->bytes % sizeof(uint64_t) == 0);
	for (uint32_t i = 0; i < request->len; i++)
		sum ^= ((const uint8_t *)request->bytes)[i];
	memset(request->data, sum, request->len > 8 ? 8 : 0);
}

static void ask(struct file_reader *reader, unsigned int page_lg2)
{
	struct block_request requests[REQUESTS];
	const uint32_t page = 1U << page_lg2;

	for (unsigned int i = 0; i < REQUESTS; i++) {
		/* Whole pages, parts of one, over the end of one; and addresses of no memory. */
		static const uint64_t away[] = { 0, 0, 8, -16ULL };
		const uint64_t frame = i < 20 ? i / 2 : 1ULL << (i - 20) * 12;

		requests[i] = (struct block_request){
			.phys = (frame << page_lg2) + away[i % 4],
			.len = i % 4 < 2 ? page : 64,
			.data = room[i],
		};
	}
	const size_t left = file_reader_fetch(reader, requests, REQUESTS);
	size_t counted = 0;
	for (unsigned int i = 0; i < REQUESTS; i++) {
		counted += memory_is_left(&requests[i]);
		check_answer(&requests[i]);
	}
	REQUIRE(left == counted);
}

static void unpack_once(struct input *input)
{
	static const enum codec codecs[] = { CODEC_ZLIB, CODEC_LZO, CODEC_SNAPPY, CODEC_ZSTD };
	static struct unpacker *unpacker;
	const enum codec codec = codecs[input_u8(input) % 4];
	uint8_t *page = malloc(4096);

	if (!unpacker)
		unpacker = unpacker_create();
	REQUIRE(page && unpacker);
	unpack(unpacker, codec, input->data, input->size, page, 4096);
	free(page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	const uint8_t how = input_u8(&input);
	const unsigned int page_lg2 = 12 + (how >> 2) % 3 * 2;
	struct file_reader *reader = NULL;

	if (how % KINDS == CODEC) {
		unpack_once(&input);
		return 0;
	}
	REQUIRE(ftruncate(file, 0) == 0 &&
		pwrite(file, input.data, input.size, 0) == (ssize_t)input.size);
	if (how % KINDS == ELF)
		reader = file_reader_elf(file);
	else if (how % KINDS == KDUMP)
		reader = file_reader_kdump(file, page_lg2);
	else
		reader = file_reader_raw(file);
	if (!reader)
		return 0;
	ask(reader, page_lg2);
	file_reader_destroy(reader);
	return 0;
}
