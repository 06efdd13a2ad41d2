/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The memory backends for files, one row each in memory.c. Each open function
 * takes over @fd (closes it in the end, or at once on error). The common fields
 * of struct memory that it leaves NULL are simply not known.
 */
#ifndef IOMMUPT_BACKENDS_H
#define IOMMUPT_BACKENDS_H

#include "target/memory.h"

/* Vmcore files: ELF, kdump-compressed, flattened. */
struct error *memory_kdumpfile_open(const char *path, int fd, struct memory **ret);

/* A plain image of physical memory from address 0. */
struct error *memory_raw_open(const char *path, int fd, struct memory **ret);

/* The running kernel's; sets `path` itself. memory_kcore_is(): is @fd its /proc/kcore? */
bool memory_kcore_is(int fd);
struct error *memory_kcore_open(const char *path, int fd, struct memory **ret);

/* memory_kcore_refused() - why open() of it gave the error @number, and what to do. */
struct error *memory_kcore_refused(const char *path, int number);

#endif
