/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What target/kernel.c and the opening of a kernel from files share. */
#ifndef IOMMUPT_KERNEL_PRIVATE_H
#define IOMMUPT_KERNEL_PRIVATE_H

#include <stdio.h>

#include "target/kernel.h"

struct arch_ops;
struct notebook;
struct vmlinux;

/* A fuzzer makes a kernel for each input. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
enum { KERNEL_CACHE_PAGES = 48 };
#else
enum { KERNEL_CACHE_PAGES = 256 };
#endif
enum { KERNEL_RELEASE_BYTES = 80 };

struct kernel {
	struct memory *memory;
	struct virtual_memory *virtual_memory;
	struct symbols *symbols[KERNEL_SOURCES_MAX]; /* asked in order */
	size_t symbols_count;
	struct types *types[KERNEL_SOURCES_MAX]; /* asked in order */
	size_t types_count;
	struct vmlinux *files[KERNEL_SOURCES_MAX];
	size_t files_count;
	struct vmlinux *own_file; /* of those, the kernel's own, not a module's; or NULL */
	const char *
		symbol_file; /* path of the first file that was given, for messages while opening */
	uint64_t kaslr_offset;	   /* run-time minus link-time address */
	struct notebook *notebook; /* borrowed; NULL: nothing is noted */
	void (*reading_symbols)(struct memory *memory, bool begin); /* or NULL */
	unsigned int reading_depth;
	bool names_hidden;	     /* live: /proc/kallsyms is of no use */
	const struct arch_ops *arch; /* NULL inside crash */
	char release[KERNEL_RELEASE_BYTES];
	char *pages; /* direct-mapped cache of virtual pages */
	struct {
		uint64_t address; /* UINT64_MAX: empty */
		uint64_t phys;	  /* for memory_ops.keep only */
		uint64_t read_at; /* live: when, see now_ms() */
		enum block_status status;
	} cache[KERNEL_CACHE_PAGES];
};

/* The linux_banner of the vmlinux file, to be met in the dump's memory. */
struct banner {
	uint64_t address; /* link-time; 0 when vmlinux has none */
	char text[512];
	size_t len;
};

/*
 * An architecture finds the kernel's own page table and KASLR offset: one row each in
 * kernel_file.c.
 */
struct arch_ops {
	enum memory_arch arch;
	const char *name;
	unsigned int elf_machine;
	/*
	 * On success *offset and *ret (owned by the caller). *ret NULL without an error means
	 * that no page table was found in which @banner is where it should be.
	 */
	struct error *(*open_virtual_memory)(struct kernel *kernel, const struct banner *banner,
					     uint64_t *offset, struct virtual_memory **ret);
	/*
	 * Lines of VMCOREINFO by which open_virtual_memory() finds the same again; NULL where it
	 * opens nothing without VMCOREINFO.
	 */
	void (*write_vmcoreinfo)(struct kernel *kernel, FILE *out);
};

/* kernel_new() - a kernel with nothing but @memory, which it takes over, also on error. */
struct error *kernel_new(struct memory *memory, struct kernel **ret);

extern const struct arch_ops arch_aarch64;
extern const struct arch_ops arch_x86_64;

/* Does @memory, read through @virtual_memory, hold the banner moved by @offset? */
bool banner_is_at(struct memory *memory, struct virtual_memory *virtual_memory,
		  const struct banner *banner, uint64_t offset);

#endif
