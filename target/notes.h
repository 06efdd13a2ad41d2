/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ELF notes of a dump file: the CPU registers, which libkdumpfile does not give
 * out. Found by the program headers of an ELF file or the sub-header of a
 * kdump-compressed one.
 */
#ifndef IOMMUPT_NOTES_H
#define IOMMUPT_NOTES_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct memory;

/*
 * notes_load() - fill in memory->notes from the file @fd; a file with none, or whose notes
 * are damaged, has note_count 0 or fewer notes. Also sets memory->vmcoreinfo and memory->arch
 * where they are unknown and the file tells them, and memory->defect when an ELF file is
 * shorter than its headers say. Only a failed allocation is an error.
 */
struct error *notes_load(struct memory *memory, int fd);

/* notes_cr3() - CR3 and CR4.LA57 of x86-64 CPU number @cpu from QEMU's note; see notes.c. */
bool notes_cr3(const struct memory *memory, unsigned int cpu, uint64_t *cr3, bool *la57);

#endif
