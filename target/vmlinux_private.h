/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What dwarf.c needs of a vmlinux beyond vmlinux.h.
 */
#ifndef IOMMUPT_VMLINUX_PRIVATE_H
#define IOMMUPT_VMLINUX_PRIVATE_H

#include <libelf.h>
#include <stdbool.h>

struct vmlinux;

/* The file as libelf has it; belongs to @vmlinux. */
Elf *vmlinux_elf(const struct vmlinux *vmlinux);

/* Not linked to an address (a module's debug file, an object): ET_REL. */
bool vmlinux_is_relocatable(const struct vmlinux *vmlinux);

#endif
