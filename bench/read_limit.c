// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Usage: read_limit THREADS: bytes a second that THREADS threads together read from memory: they
 * add up 512 MiB each, which hold no zero pages, three times; the middle time counts.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { THREADS_MAX = 64, ROUNDS = 3 };
static const size_t WORDS = (512UL << 20) / sizeof(uint64_t);

struct part {
	pthread_t thread;
	uint64_t *words;
	uint64_t sum;
};

static void *fill(void *arg)
{
	struct part *part = arg;

	for (size_t i = 0; i < WORDS; i++)
		part->words[i] = i * 0x9e3779b97f4a7c15ULL + 1;
	return NULL;
}

enum { LANES = 2, STEP = 4 * LANES };
typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t)), may_alias));

static void *add(void *arg)
{
	struct part *part = arg;
	lanes a = { 0 };
	lanes b = { 0 };
	lanes c = { 0 };
	lanes d = { 0 };

	for (size_t i = 0; i < WORDS; i += STEP) {
		const lanes *at = (const lanes *)(part->words + i);

		a += at[0];
		b += at[1];
		c += at[2];
		d += at[3];
	}
	a += b + c + d;
	part->sum += a[0] + a[1];
	return NULL;
}

static double run(struct part *parts, size_t count, void *(*work)(void *))
{
	struct timespec start;
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t i = 0; i < count; i++) {
		if (pthread_create(&parts[i].thread, NULL, work, &parts[i]) != 0)
			exit(1);
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(parts[i].thread, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
	static struct part parts[THREADS_MAX];
	double times[ROUNDS];
	const size_t count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

	if (count < 1 || count > THREADS_MAX) {
		fprintf(stderr, "usage: read_limit THREADS\n");
		return 2;
	}
	for (size_t i = 0; i < count; i++) {
		parts[i].words = mmap(NULL, WORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (parts[i].words == MAP_FAILED) {
			perror("read_limit");
			return 1;
		}
		madvise(parts[i].words, WORDS * sizeof(uint64_t), MADV_HUGEPAGE);
	}
	run(parts, count, fill);
	for (size_t i = 0; i < ROUNDS; i++)
		times[i] = run(parts, count, add);
	const double low = times[0] < times[1] ? times[0] : times[1];
	const double high = times[0] < times[1] ? times[1] : times[0];
	const double middle = times[2] < low ? low : times[2] > high ? high : times[2];
	printf("%.0f\n", (double)(WORDS * sizeof(uint64_t) * count) / middle);
	return parts[0].sum == 1;
}
