/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The memory backends for files, one row each in memory.c. Each open function
 * takes over @fd (closes it in the end, or at once on error). The common fields
 * of struct memory that it leaves NULL are simply not known. @flags: enum memory_flags.
 */
#ifndef IOMMUPT_BACKENDS_H
#define IOMMUPT_BACKENDS_H

#include "target/memory.h"

/* Vmcore files: ELF, kdump-compressed, flattened. */
struct error *memory_kdumpfile_open(const char *path, int fd, unsigned int flags,
				    struct memory **ret);

/* A plain image of physical memory from address 0. */
struct error *memory_raw_open(const char *path, int fd, unsigned int flags, struct memory **ret);

#endif
