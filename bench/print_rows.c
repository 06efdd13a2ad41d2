// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Usage: print_rows COUNT SPACE: the rows that `pagemap --each --format csv` has of the first COUNT
 * pages of make_tables' contiguous table of vtd_ss, by a plain loop of fprintf(): what figure E is
 * compared to. Shares no code with iommupt. To stdout.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t page = 4096;
static const uint64_t first_output = 1ULL << 32; /* make_tables' output() */

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: print_rows COUNT SPACE\n", stderr);
		return 2;
	}
	const uint64_t count = strtoull(argv[1], NULL, 0);

	fputs("space,iova,length,phys,page_size,perm,attrs,page_state\n", stdout);
	for (uint64_t i = 0; i < count; i++)
		fprintf(stdout, "%s,0x%" PRIx64 ",%" PRIu64 ",0x%" PRIx64 ",%" PRIu64 ",%s,%s,%s\n",
			argv[2], i * page, page, first_output + i * page, page, "rw-", "", "");
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
