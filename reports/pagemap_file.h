/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file laid out as /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst): 64 bits for
 * each 4 KiB of input addresses, at 8 times the page's number. Sparse: only what is mapped is
 * written.
 */
#ifndef IOMMUPT_PAGEMAP_FILE_H
#define IOMMUPT_PAGEMAP_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct error;

enum { PAGEMAP_FILE_ENTRIES = 1 << 16 };

/* Bits of an entry; others that a process's can have are never set. */
#define PAGEMAP_FILE (1ULL << 61) /* page of a file, or shared memory */
#define PAGEMAP_SWAP (1ULL << 62)
#define PAGEMAP_PRESENT (1ULL << 63)

struct pagemap_file {
	int fd;
	uint64_t first; /* page number of the first entry in the buffer */
	uint64_t count;
	uint64_t *entries;
};

/* pagemap_file_init() - write to @stream, which must be seekable and stays the caller's. */
struct error *pagemap_file_init(struct pagemap_file *file, FILE *stream);
/*
 * pagemap_file_add() - the entries of @length bytes from @iova on: @flags, and page frames from
 * @phys on with PAGEMAP_PRESENT. In any order; ascending is fast.
 */
struct error *pagemap_file_add(struct pagemap_file *file, uint64_t iova, uint64_t length,
			       uint64_t phys, uint64_t flags);
/* pagemap_file_finish() - write what is buffered. */
struct error *pagemap_file_finish(struct pagemap_file *file);
void pagemap_file_deinit(struct pagemap_file *file);

#endif
