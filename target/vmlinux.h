/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A vmlinux file (or a module's debug file): its symbol table and sections by
 * libelf, its types by libdwarf.
 *
 * Objects: vmlinux_open() maps the file; the symbols and types made from it
 * borrow it and must be destroyed before vmlinux_close().
 */
#ifndef IOMMUPT_VMLINUX_H
#define IOMMUPT_VMLINUX_H

#include <stddef.h>
#include <stdint.h>

#include "target/symbols.h"
#include "target/types.h"

struct error;
struct vmlinux;

/*
 * vmlinux_open() - open @path as an ELF file with symbols. Errors (file missing, no
 * permission, not ELF, truncated, no symbol table) name the path and what to do.
 */
struct error *vmlinux_open(const char *path, struct vmlinux **ret);
void vmlinux_close(struct vmlinux *vmlinux);

const char *vmlinux_path(const struct vmlinux *vmlinux);

/* ELF e_machine (EM_X86_64, EM_AARCH64). */
unsigned int vmlinux_machine(const struct vmlinux *vmlinux);

/* The GNU build ID note's bytes; *len 0 and NULL when there is none. Owned by @vmlinux. */
const uint8_t *vmlinux_build_id(const struct vmlinux *vmlinux, size_t *len);

/*
 * vmlinux_read() - bytes that the file itself holds for link-time address @addr (e.g.
 * linux_banner in .rodata): copies up to @len bytes into @buf, returns how many.
 */
size_t vmlinux_read(const struct vmlinux *vmlinux, uint64_t addr, void *buf, size_t len);

/* vmlinux_symbols() - a symbols provider over the file's .symtab. */
struct error *vmlinux_symbols(struct vmlinux *vmlinux, struct symbols **ret);

/*
 * vmlinux_dwarf() - a types provider over the file's DWARF. Cheap: only the compilation
 * units that are asked for are read, when they are asked for.
 */
struct error *vmlinux_dwarf(struct vmlinux *vmlinux, struct types **ret);

#endif
