/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own readers of dump files, for the hot path: the file is mapped, blocks
 * are left where they are or decompressed into the caller's room, by several
 * threads at once. What is unusual they leave to libkdumpfile.
 */
#ifndef IOMMUPT_FILE_READER_H
#define IOMMUPT_FILE_READER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "target/memory.h"

struct file_reader;

struct file_reader_ops {
	/*
	 * As memory_fetch(), of blocks of any length; `bytes` is a multiple of 8. How many
	 * requests are left to others: these are BLOCK_OK with `bytes` NULL. Any thread may call
	 * it.
	 */
	size_t (*fetch)(struct file_reader *reader, struct block_request *requests, size_t count);
	/* As memory_ops.are_zeros; may be NULL. */
	bool (*are_zeros)(struct file_reader *reader, const uint64_t *phys, size_t count,
			  uint32_t len);
	void (*destroy)(struct file_reader *reader);
};

/* Embedded first in each reader's own structure. */
struct file_reader {
	const struct file_reader_ops *ops;
};

/*
 * These give a reader of @fd, which must stay open as long; NULL where the file is none that it
 * reads, or memory is short: then libkdumpfile does all.
 */

/* ELF core files of 64-bit little-endian machines, not Xen's. */
struct file_reader *file_reader_elf(int fd);
/* kdump-compressed files with pages of 1 << @page_shift bytes, of 64-bit little-endian machines. */
struct file_reader *file_reader_kdump(int fd, unsigned int page_shift);
/* Byte N of the file is physical address N. */
struct file_reader *file_reader_raw(int fd);

/* file_reader_fetch() - see file_reader_ops.fetch. */
static inline size_t file_reader_fetch(struct file_reader *reader, struct block_request *requests,
				       size_t count)
{
	return reader->ops->fetch(reader, requests, count);
}

/* file_reader_are_zeros() - see file_reader_ops.are_zeros; @reader may be NULL. */
static inline bool file_reader_are_zeros(struct file_reader *reader, const uint64_t *phys,
					 size_t count, uint32_t len)
{
	return reader && reader->ops->are_zeros && reader->ops->are_zeros(reader, phys, count, len);
}

/* file_reader_copy() - make what memory_fetch() answered the answer of memory_ops.read. */
static inline void file_reader_copy(struct block_request *requests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct block_request *request = &requests[i];

		if (request->status == BLOCK_OK && request->bytes != request->data)
			memcpy(request->data, request->bytes, request->len);
	}
}

/* file_reader_destroy() - @reader may be NULL. */
static inline void file_reader_destroy(struct file_reader *reader)
{
	if (reader)
		reader->ops->destroy(reader);
}

#endif
