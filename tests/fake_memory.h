/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Physical memory that a test writes: a backend of its own behind struct memory.
 *
 * Pages that were written hold what was written. Others read as zeros where the
 * test says that there is RAM, and are BLOCK_OUTSIDE elsewhere. Single pages can
 * be made missing or damaged. Reads are counted.
 */
#ifndef IOMMUPT_TESTS_FAKE_MEMORY_H
#define IOMMUPT_TESTS_FAKE_MEMORY_H

#include "target/memory.h"

enum { FAKE_PAGE = 4096 };

struct fake_counts {
	uint64_t calls;	   /* of ops->read */
	uint64_t requests; /* blocks asked for */
	uint64_t largest;  /* most bytes asked for in one call */
	uint64_t partial;  /* requests for less or more than one aligned page */
};

/* Released by memory_close(). */
struct memory *fake_create(void);
void fake_ram(struct memory *memory, uint64_t start, uint64_t end);
/* Makes the page that holds @phys, which is 8-byte aligned, if there is none. */
void fake_write(struct memory *memory, uint64_t phys, uint64_t value);
/* The whole page of @phys reads as @status. */
void fake_status(struct memory *memory, uint64_t phys, enum block_status status);

/* From now on it may be read by several threads; reads are not counted any more. */
void fake_concurrent(struct memory *memory);

/* From now on pages of zeros are known without being read, as a dump may know them. */
void fake_knows_zeros(struct memory *memory);

const struct fake_counts *fake_counts(const struct memory *memory);
void fake_counts_reset(struct memory *memory);
/* How many blocks were asked for that begin in the page of @phys. */
unsigned int fake_reads_of(const struct memory *memory, uint64_t phys);

#endif
