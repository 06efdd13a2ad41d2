/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Types from the kernel's own BTF, which lies in the dump itself: no debug file is needed.
 *
 * Kernels since 5.10 with CONFIG_DEBUG_INFO_BTF have vmlinux's; since 5.11 each loaded module
 * can have one too, which continues vmlinux's.
 */
#ifndef IOMMUPT_BTF_H
#define IOMMUPT_BTF_H

#include <stddef.h>

struct error;
struct kernel;
struct types;

/*
 * btf_open_kernel() - a types provider over the BTF between __start_BTF and __stop_BTF of
 * @kernel. *ret is NULL without an error when this kernel has none; an error says that it is
 * there, but not in the dump or damaged. The provider must not outlive @kernel, which may own it.
 *
 * Where several structures share a name and the query has no `with`, the first one answers.
 */
struct error *btf_open_kernel(struct kernel *kernel, struct types **ret);

/*
 * btf_add_modules() - let @types, which btf_open_kernel() made of @kernel, also answer from the
 * BTF of the loaded modules; call it once. A kernel that has none is not an error.
 *
 * Here the modules are only listed: the BTF of one is read when a query is about a type that
 * neither vmlinux nor the modules before it define. What vmlinux defines is never looked for in
 * modules, even where it has no such member.
 *
 * A module whose BTF cannot be had is skipped. *skipped, which may be NULL, is how many that are
 * so far. After an error (the kernel's list is damaged) the modules before it are in use.
 */
struct error *btf_add_modules(struct kernel *kernel, struct types *types, size_t *skipped);

/*
 * btf_open_folder() - the same from the files of a running kernel, /sys/kernel/btf: vmlinux, and
 * one of each module, read when needed. *ret is NULL without an error when there is no vmlinux.
 */
struct error *btf_open_folder(struct kernel *kernel, const char *folder, struct types **ret);

/* btf_modules_skipped() - how many modules queries to @types have had to skip by now, in all. */
size_t btf_modules_skipped(const struct types *types);

#endif
