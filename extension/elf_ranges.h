/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which physical memory an ELF vmcore holds. crash reads what an ELF file leaves out as zeros
 * (p_memsz beyond p_filesz), and with a single PT_LOAD reads whatever lies around it in the
 * file; only the program headers tell.
 */
#ifndef IOMMUPT_ELF_RANGES_H
#define IOMMUPT_ELF_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "target/memory.h"

struct error;

struct elf_range {
	uint64_t start;	     /* physical */
	uint64_t end_file;   /* the file has the bytes up to here */
	uint64_t end_memory; /* there is memory up to here */
};

struct elf_ranges {
	struct elf_range *ranges;
	size_t count; /* 0: not an ELF file, or one without physical addresses: not known */
};

/* elf_ranges_load() - of the file @path. Only a failed allocation is an error. */
struct error *elf_ranges_load(const char *path, struct elf_ranges *ret);
void elf_ranges_unload(struct elf_ranges *ranges);

/* elf_ranges_probe() - BLOCK_OK, BLOCK_MISSING or BLOCK_OUTSIDE; BLOCK_OK where nothing is known.
 */
enum block_status elf_ranges_probe(const struct elf_ranges *ranges, uint64_t phys);

#endif
