// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Usage: compare [--raw] DUMP: every page of DUMP, as our reader and as libkdumpfile have it.
 *
 * Blocks are fetched in batches by several threads at once, in a shuffled order, whole pages and
 * parts of one or several; each must have the status and the bytes that the library gives. Prints
 * "N blocks, M bytes, Z known zeros, K not equal"; exit status 1 if any differs.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/memory.h"

enum { BATCH = 512, THREADS = 3, UNIT = 4096 };

/* A block as large as the smallest page is compared of every page; others of one in so many. */
enum { SPARSE = 7 };

static struct memory *ours;
static struct memory *library;
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t blocks;
static uint64_t bytes;
static uint64_t zeros;
static uint64_t unequal;

struct range {
	uint64_t start;
	uint64_t end;
	uint32_t len;  /* of a block */
	uint64_t step; /* from one to the next */
	unsigned int seed;
};

static void differs(const struct block_request *request, enum block_status want)
{
	if (unequal++ < 10)
		fprintf(stderr, "0x%" PRIx64 "+%" PRIu32 ": ours is %s, the library's %s\n",
			request->phys, request->len, block_status_text(request->status),
			block_status_text(want));
}

static void compare(const struct block_request *requests, size_t count)
{
	static char want[MEMORY_BLOCK_MAX];

	pthread_mutex_lock(&library_lock);
	for (size_t i = 0; i < count; i++) {
		const struct block_request *request = &requests[i];
		enum block_status status = memory_read(library, request->phys, want, request->len);

		blocks++;
		if (status != request->status) {
			differs(request, status);
			continue;
		}
		if (status != BLOCK_OK)
			continue;
		bytes += request->len;
		zeros += request->bytes == memory_zeros();
		if ((uintptr_t)request->bytes % 8 ||
		    memcmp(want, request->bytes, request->len) != 0)
			differs(request, status);
	}
	pthread_mutex_unlock(&library_lock);
}

static void shuffle(struct block_request *requests, size_t count, unsigned int *seed)
{
	for (size_t i = count; i > 1; i--) {
		const size_t other = (size_t)rand_r(seed) % i;
		const uint64_t phys = requests[other].phys;

		requests[other].phys = requests[i - 1].phys;
		requests[i - 1].phys = phys;
	}
}

static void *compare_range(void *arg)
{
	struct range *range = arg;
	struct block_request *requests = calloc(BATCH, sizeof(*requests));
	char *data = aligned_alloc(UNIT, (size_t)BATCH * range->len);

	if (!requests || !data)
		abort();
	for (uint64_t at = range->start; at < range->end;) {
		size_t count = 0;

		for (; count < BATCH && at < range->end; at += range->step, count++)
			requests[count] = (struct block_request){ .phys = at,
								  .data = data + count * range->len,
								  .len = range->len };
		shuffle(requests, count, &range->seed);
		memory_fetch(ours, requests, count);
		compare(requests, count);
	}
	free(requests);
	free(data);
	return NULL;
}

/* [start, end) in equal parts, one a thread; blocks of @len. */
static void compare_extent(uint64_t start, uint64_t end, uint32_t len)
{
	pthread_t threads[THREADS];
	struct range ranges[THREADS];
	const uint64_t part = ((end - start) / THREADS / len + 1) * len;

	for (unsigned int i = 0; i < THREADS; i++) {
		ranges[i] = (struct range){ start + i * part, start + (i + 1) * part, len,
					    len == UNIT ? len : (uint64_t)len * SPARSE, i };
		if (ranges[i].end > end)
			ranges[i].end = end;
		if (pthread_create(&threads[i], NULL, compare_range, &ranges[i]))
			abort();
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* All that either takes for memory, and some pages around. */
static void compare_all(uint32_t len)
{
	enum { AROUND = 16 };
	uint64_t start = 0;
	uint64_t end = 0;
	uint64_t from = 0;

	while (memory_next_ram(library, from, &start, &end)) {
		from = end;
		start -= start >= AROUND * UNIT ? AROUND * UNIT : start;
		compare_extent(start, end + AROUND * UNIT, len);
	}
	if (from == 0)
		fprintf(stderr, "no memory in it\n");
}

static struct memory *open_dump(const char *path, unsigned int flags)
{
	struct memory *memory = NULL;
	struct error *err = memory_open(path, flags, &memory);

	if (!err)
		return memory;
	fprintf(stderr, "compare: %s\n", err->message);
	exit(2);
}

int main(int argc, char **argv)
{
	/* one page; the pages of larger kernels; less, and over the edge of a page */
	static const uint32_t lens[] = { UNIT, 4 * UNIT, 16 * UNIT, 1000 };
	const bool raw = argc == 3 && strcmp(argv[1], "--raw") == 0;

	if (argc != 2 + raw)
		return 2;
	ours = open_dump(argv[argc - 1], raw);
	library = open_dump(argv[argc - 1], MEMORY_BY_LIBRARY | (unsigned int)raw);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		compare_all(lens[i]);
	printf("%" PRIu64 " blocks, %" PRIu64 " bytes, %" PRIu64 " known zeros, %" PRIu64
	       " not equal%s\n",
	       blocks, bytes, zeros, unequal, ours->concurrent ? "" : ", by the library both");
	memory_close(ours);
	memory_close(library);
	return unequal ? 1 : 0;
}
