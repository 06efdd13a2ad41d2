/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing a kdump-compressed vmcore (zlib): a few pages of a dump as a dump of
 * its own. The layout is makedumpfile's (diskdump_mod.h), header version 6,
 * which libkdumpfile and crash read.
 */
#ifndef IOMMUPT_KDUMP_WRITER_H
#define IOMMUPT_KDUMP_WRITER_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct error;
struct memory;
struct page_set;

struct kdump_contents {
	struct memory *memory;	      /* where pages and the extents of RAM come from */
	const struct page_set *pages; /* what to write, in 4 KiB pages */
	const char *release;	      /* of the kernel; "" when not known */
	const char *machine;	      /* "x86_64", "aarch64" */
	const char *vmcoreinfo;	      /* text of the note to write */
	uint64_t phys_base;
	volatile sig_atomic_t *stop; /* non-zero: give up; may be NULL */
};

/* kdump_write() - to @out, a seekable empty file. Memory used is bounded by what is written. */
struct error *kdump_write(FILE *out, const struct kdump_contents *contents);

#endif
