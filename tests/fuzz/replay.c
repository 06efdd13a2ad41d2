// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Usage: FUZZER [-n MUTATIONS] FILE|DIRECTORY...
 *
 * Runs the fuzzer over the inputs given, and over MUTATIONS changed copies of each: for compilers
 * without a fuzzing engine, and to see an old finding again. The changes are the same every time.
 */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX = 1 << 20, GROW_MAX = 64 };

static unsigned long inputs;
static unsigned long mutations;
static unsigned long per_input;
static uint64_t random_state = 0x9e3779b97f4a7c15ULL;

/* xorshift64* */
static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL;
}

/* One change: a bit, a byte, a word of a special value, a piece copied, removed or put in. */
static size_t mutate(uint8_t *data, size_t size)
{
	static const uint64_t special[] = { 0, 1, ~0ULL, 1ULL << 63, 0x7fffffff, 0xffff, 4096 };
	const size_t at = size ? next_random() % size : 0;
	const size_t other = size ? next_random() % size : 0;
	const size_t most = size - (at > other ? at : other);
	const uint64_t value = special[next_random() % (sizeof(special) / sizeof(special[0]))];
	const size_t bytes = 1ULL << next_random() % 4;
	const size_t grow = next_random() % GROW_MAX;

	switch (size ? next_random() % 6 : 5) {
	case 0:
		data[at] ^= (uint8_t)(1U << next_random() % 8);
		return size;
	case 1:
		data[at] = (uint8_t)next_random();
		return size;
	case 2:
		memcpy(data + at, &value, size - at < bytes ? size - at : bytes);
		return size;
	case 3:
		memmove(data + at, data + other, most < GROW_MAX ? most : GROW_MAX);
		return size;
	case 4:
		return at;
	default:
		for (size_t i = 0; i < grow; i++)
			data[size + i] = (uint8_t)next_random();
		return size + grow;
	}
}

static void run_file(const char *path)
{
	static uint8_t original[INPUT_MAX];
	static uint8_t changed[INPUT_MAX + 8 * GROW_MAX];
	FILE *file = fopen(path, "rb");

	if (!file) {
		perror(path);
		exit(2);
	}
	const size_t size = fread(original, 1, sizeof(original), file);
	fclose(file);
	LLVMFuzzerTestOneInput(original, size);
	inputs++;
	for (unsigned long i = 0; i < per_input; i++) {
		size_t now = size;

		memcpy(changed, original, size);
		for (uint64_t times = 1 + next_random() % 7; times; times--)
			now = mutate(changed, now);
		/* Of its exact size, so that a sanitizer sees the first byte too far. */
		uint8_t *copy = malloc(now ? now : 1);
		if (!copy)
			abort();
		memcpy(copy, changed, now);
		LLVMFuzzerTestOneInput(copy, now);
		free(copy);
		mutations++;
	}
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void run_path(const char *path)
{
	struct stat status;
	struct dirent **names = NULL;

	if (stat(path, &status) || !S_ISDIR(status.st_mode)) {
		run_file(path);
		return;
	}
	const int count = scandir(path, &names, NULL, compare_names);
	for (int i = 0; i < count; i++) {
		char name[PATH_MAX];

		snprintf(name, sizeof(name), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			run_path(name);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	int option = 0;

	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n')
			return 2;
		per_input = strtoul(optarg, NULL, 10);
	}
	/* A fuzzer may go to another folder. */
	for (int i = optind; i < argc; i++) {
		char *path = realpath(argv[i], NULL);

		if (path)
			argv[i] = path;
	}
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = optind; i < argc; i++)
		run_path(argv[i]);
	printf("%s: %lu inputs, %lu changed ones\n", argv[0], inputs, mutations);
	return inputs ? 0 : 2;
}
