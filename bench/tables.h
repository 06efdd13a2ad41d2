/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables that make_tables makes, and the files that it writes them into. */
#ifndef BENCH_TABLES_H
#define BENCH_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PAGE = 4096, FAN = 512, BLOCK = 1024 };

/* Where the tables lie: in slots of a page, BLOCK of them in a row; the blocks ascend. */
struct tables {
	uint64_t pages;	 /* how many there are */
	uint64_t blocks; /* in how many blocks of slots */
	uint64_t *taken; /* a bit a slot */
	bool aarch64;	 /* else x86_64 */
};

bool slot_taken(const struct tables *tables, uint64_t slot);

/* slot_fill() - the table of a slot that is taken; false: it is all zeros. */
bool slot_fill(uint64_t slot, uint64_t *page);

/* block_at() - a block's place in physical memory, in blocks. */
uint64_t block_at(uint64_t block);

/* block_is_memory() - of that place: is there memory, whether the file has it or not? */
bool block_is_memory(uint64_t at);

/* kdump_write() - @codec is zlib, lzo or zstd; false: it is none of these. Errors end the program,
 * here as below. */
bool kdump_write(const char *path, const char *codec, const struct tables *tables);

/* elf_write() - a segment for each row of blocks; virtual addresses are the physical ones. */
void elf_write(const char *path, const struct tables *tables);

/* put() - write; file_open_at() - open there. */
void put(FILE *out, const void *data, size_t len);
FILE *file_open_at(const char *path, const char *mode, uint64_t at);

#endif
