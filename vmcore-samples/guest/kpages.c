// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What the kernel says of every page of RAM: /proc/kpageflags, neighbours with equal flags in one
 * record. The bits are those of Documentation/admin-guide/mm/pagemap.rst.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 4096, BATCH = 8192 };

/* Run length, and what its pages have in common. */
struct run {
	uint64_t first;
	uint64_t count;
	uint64_t flags;
};

static void print_run(const struct run *run)
{
	if (run->count)
		printf("kpages 0x%" PRIx64 " %" PRIu64 " 0x%" PRIx64 "\n", run->first * PAGE,
		       run->count, run->flags);
}

int main(void)
{
	static uint64_t flags[BATCH];
	FILE *file = fopen("/proc/kpageflags", "r");
	struct run run = { 0 };
	uint64_t pfn = 0;
	size_t n;

	if (!file) {
		perror("kpages: /proc/kpageflags");
		return EXIT_FAILURE;
	}
	setvbuf(file, NULL, _IONBF, 0);
	while ((n = fread(flags, sizeof(*flags), BATCH, file)) > 0) {
		for (size_t i = 0; i < n; i++, pfn++) {
			if (run.count && flags[i] == run.flags) {
				run.count++;
				continue;
			}
			print_run(&run);
			run = (struct run){ pfn, 1, flags[i] };
		}
	}
	print_run(&run);
	return ferror(file) || fclose(file) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
