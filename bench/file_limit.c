// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Usage: file_limit THREADS FILE mapped|read
 *
 * Add up every word of FILE, by THREADS threads and once: from its mapping, or by pread() of 256
 * KiB into a buffer that stays in the CPU's cache. What a walk of uncompressed tables is compared
 * with: the least that the bytes of a file in the page cache cost. Prints the sum.
 */
#include <fcntl.h>
#include <inttypes.h>
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

enum { THREADS_MAX = 64, CHUNK = 256 << 10 };

static int fd;
static size_t file_size;
static const unsigned char *map; /* NULL: pread() */
static _Atomic size_t next_chunk;
static _Atomic uint64_t total;

enum { LANES = 2, STEP = 4 * LANES };
typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t)), may_alias));

static uint64_t add(const uint64_t *words, size_t count)
{
	lanes a = { 0 };
	lanes b = { 0 };
	lanes c = { 0 };
	lanes d = { 0 };
	uint64_t rest = 0;
	size_t i = 0;

	for (; i + STEP <= count; i += STEP) {
		const lanes *at = (const lanes *)(words + i);

		a += at[0];
		b += at[1];
		c += at[2];
		d += at[3];
	}
	for (; i < count; i++)
		rest += words[i];
	a += b + c + d;
	return rest + a[0] + a[1];
}

static void *work(void *arg)
{
	uint64_t *buffer = aligned_alloc(4096, CHUNK);
	uint64_t sum = 0;

	for (size_t at; (at = atomic_fetch_add(&next_chunk, CHUNK)) < file_size;) {
		const size_t len = file_size - at < CHUNK ? file_size - at : CHUNK;
		const void *bytes = map ? map + at : (const void *)buffer;

		if (!map && (!buffer || pread(fd, buffer, len, (off_t)at) != (ssize_t)len))
			exit(1);
		sum += add(bytes, len / sizeof(uint64_t));
	}
	free(buffer);
	atomic_fetch_add(&total, sum);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	struct stat stat;
	const size_t count = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;

	if (count < 1 || count > THREADS_MAX) {
		fputs("usage: file_limit THREADS FILE mapped|read\n", stderr);
		return 2;
	}
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) != 0) {
		perror(argv[2]);
		return 1;
	}
	file_size = (size_t)stat.st_size;
	if (strcmp(argv[3], "mapped") == 0) {
		map = mmap(NULL, file_size, PROT_READ, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			return 1;
	}
	for (size_t i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			return 1;
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("%" PRIu64 "\n", (uint64_t)total);
	return 0;
}
