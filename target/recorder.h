/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A memory that remembers what was read of it: what an extract needs.
 *
 * It stands before another memory, passes every request on, and notes each page
 * that was read with success, under the reason that holds at that time. What is
 * read by its physical address is a table, and is kept as a page, so that no entry
 * of it can be taken for an empty one; of kernel virtual memory (a peek) only the
 * words of 8 bytes that were used are kept.
 */
#ifndef IOMMUPT_RECORDER_H
#define IOMMUPT_RECORDER_H

#include <stdint.h>

#include "target/memory.h"

struct page_set;

/* Why a page was read; a page that is read for several reasons has the first. */
enum record_reason {
	RECORD_STRUCTS, /* structures of the kernel, its own page table, the hardware's tables */
	RECORD_TABLES,	/* page tables of IOMMUs and processes */
	RECORD_PAGES,	/* struct page of mapped pages and of tables */
	RECORD_LOG,	/* the kernel log */
	RECORD_REASONS,
	RECORD_NOTHING, /* read, but not to be remembered */
	RECORD_REPLAY,	/* no longer recorded: reads give what was kept, zeros for the rest */
};

/* record_reason_name() - "tables", ...: for people and the `reason` column. */
const char *record_reason_name(enum record_reason reason);

/*
 * recorder_create() - record what is read of @memory, which it takes over, also on error. The
 * result describes itself as @memory does (path, notes, ...).
 */
struct error *recorder_create(struct memory *memory, struct memory **ret);

/* The following take a memory made by recorder_create(). */
void recorder_set_reason(struct memory *recorder, enum record_reason reason);
/* How many bytes were kept of the pages with that reason. */
uint64_t recorder_bytes(const struct memory *recorder, enum record_reason reason);
const struct page_set *recorder_pages(const struct memory *recorder, enum record_reason reason);
/* The first allocation that failed while recording; the caller's to release; NULL: none. */
struct error *recorder_error(struct memory *recorder);

#endif
