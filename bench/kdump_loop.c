// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Usage: kdump_loop FILE ROOT
 *
 * A walk of a 4-level table of make_tables (vtd_ss) as one writes it by hand: each table by one
 * kdump_read() of libkdumpfile, each entry looked at in turn, runs joined. Prints what it found.
 * A peer that ours is compared with; shares no code with iommupt.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <libkdumpfile/kdumpfile.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGE = 4096, FAN = 512 };
static const uint64_t ADDRESS = 0xffffffffff000; /* bits 51:12 */
static const uint64_t PRESENT = 3;		 /* R or W */

struct walk {
	kdump_ctx_t *dump;
	uint64_t tables[4];
	uint64_t entries[4];
	uint64_t runs;
	uint64_t mapped;
	uint64_t next_iova; /* what would continue the last run */
	uint64_t next_phys;
};

static void leaf(struct walk *walk, uint64_t iova, uint64_t phys)
{
	walk->runs += iova != walk->next_iova || phys != walk->next_phys;
	walk->mapped += PAGE;
	walk->next_iova = iova + PAGE;
	walk->next_phys = phys + PAGE;
}

static void visit(struct walk *walk, unsigned int level, uint64_t phys, uint64_t iova)
{
	uint64_t table[FAN];
	size_t len = sizeof(table);

	if (kdump_read(walk->dump, KDUMP_MACHPHYSADDR, phys, table, &len) != KDUMP_OK) {
		fprintf(stderr, "kdump_loop: %s\n", kdump_get_err(walk->dump));
		exit(1);
	}
	walk->tables[level]++;
	for (uint64_t i = 0; i < FAN; i++) {
		const uint64_t at = iova + (i << (12 + 9 * level));

		if (!(table[i] & PRESENT))
			continue;
		walk->entries[level]++;
		if (level == 0)
			leaf(walk, at, table[i] & ADDRESS);
		else
			visit(walk, level - 1, table[i] & ADDRESS, at);
	}
}

int main(int argc, char **argv)
{
	struct walk walk = { .dump = kdump_new(), .next_iova = 1 };
	const int fd = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (!walk.dump || fd < 0 || kdump_open_fd(walk.dump, fd) != KDUMP_OK) {
		fputs("usage: kdump_loop FILE ROOT\n", stderr);
		return 2;
	}
	visit(&walk, 3, strtoull(argv[2], NULL, 0), 0);
	for (unsigned int level = 0; level < 4; level++)
		printf("level %u tables %" PRIu64 " entries %" PRIu64 "\n", level,
		       walk.tables[level], walk.entries[level]);
	printf("mapped %" PRIu64 "\nruns %" PRIu64 "\n", walk.mapped, walk.runs);
	kdump_free(walk.dump);
	close(fd);
	return 0;
}
