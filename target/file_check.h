/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is a vmcore file all there? libkdumpfile 0.5.1 reads zeros, or worse, behind
 * the end of a file that is cut off, and crashes on some damaged headers: so
 * that is found out before it sees the file.
 */
#ifndef IOMMUPT_FILE_CHECK_H
#define IOMMUPT_FILE_CHECK_H

#include <stddef.h>
#include <stdint.h>

struct error;

/* A part of physical memory whose bytes lie behind the end of the file: [start, end). */
struct cut {
	uint64_t start;
	uint64_t end;
};

/*
 * file_check_whole() - examine the vmcore @fd (called @path in messages). Of an ELF file that is
 * cut off, *cuts (the caller's to free) is what is lost; the rest can be used. A kdump-compressed
 * file that is cut off cannot be trusted at all: an error, as for damaged headers.
 */
struct error *file_check_whole(const char *path, int fd, struct cut **cuts, size_t *count);

#endif
