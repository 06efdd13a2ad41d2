// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A dump file of any content: opening it, what it says is memory, and reading some of it, by our
 * own readers and by libkdumpfile.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "target/error.h"
#include "target/memory.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void read_some(struct memory *memory)
{
	static const uint64_t addresses[] = { 0, 0xfff, 0x1000, 0x1ff8, 0x100000, ~0ULL - 7 };
	static uint8_t buffers[16][4096];
	struct block_request requests[16];
	uint64_t start = 0;
	uint64_t end = 0;
	size_t count = 0;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		requests[count++] = (struct block_request){ .phys = addresses[i], .len = 8 };
	for (int i = 0; i < 5 && memory_next_ram(memory, end, &start, &end); i++) {
		REQUIRE(start < end);
		requests[count++] = (struct block_request){ .phys = start, .len = 4096 };
		requests[count++] = (struct block_request){ .phys = end - 8, .len = 4096 };
	}
	for (size_t i = 0; i < count; i++)
		requests[i].data = buffers[i];
	memory_fetch(memory, requests, count);
	for (size_t i = 0; i < count; i++) {
		uint8_t again[4096];

		REQUIRE(requests[i].status <= BLOCK_DAMAGED);
		if (requests[i].status != BLOCK_OK)
			continue;
		REQUIRE(memory_read(memory, requests[i].phys, again, requests[i].len) == BLOCK_OK);
		REQUIRE(memcmp(again, requests[i].bytes, requests[i].len) == 0);
	}
}

static void open_once(const char *path, unsigned int flags)
{
	struct memory *memory = NULL;
	struct error *err = memory_open(path, flags, &memory);

	REQUIRE(!err || (err->message[0] && !strchr(err->message, '\n')));
	error_free(err);
	if (memory)
		read_some(memory);
	memory_close(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	const int fd = memfd_create("dump", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	open_once(path, 0);
	open_once(path, MEMORY_BY_LIBRARY | MEMORY_RAW_ALLOWED);
	close(fd);
	return 0;
}
