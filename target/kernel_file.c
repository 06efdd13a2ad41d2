// SPDX-License-Identifier: GPL-3.0-or-later
/* A kernel from a vmcore file and symbol files: opening them and holding them together. */
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/btf.h"
#include "target/error.h"
#include "target/kallsyms.h"
#include "target/kernel_private.h"
#include "target/noted.h"
#include "target/system_map.h"
#include "target/vmlinux.h"

/* A new architecture is one new file and one row here. */
static const struct arch_ops *const architectures[] = { &arch_x86_64, &arch_aarch64 };

bool banner_is_at(struct memory *memory, struct virtual_memory *virtual_memory,
		  const struct banner *banner, uint64_t offset)
{
	char page[KERNEL_PAGE];
	const uint64_t address = banner->address + offset;
	const size_t within = (size_t)(address % KERNEL_PAGE);
	/* One page of it is enough: the rest could lie in a page that was filtered out. */
	const size_t len = banner->len < KERNEL_PAGE - within ? banner->len : KERNEL_PAGE - within;

	return virtual_memory->read_page(virtual_memory, memory, address - within, page) ==
		       BLOCK_OK &&
	       memcmp(page + within, banner->text, len) == 0;
}

/* System.map has only its address: then this is all of the text that is known. */
static const char BANNER_START[] = "Linux version ";

static void load_banner(struct kernel *kernel, struct banner *banner)
{
	*banner = (struct banner){ 0 };
	for (size_t i = 0; i < kernel->symbols_count; i++) {
		struct symbols *symbols = kernel->symbols[i];

		if (symbols->ops->find(symbols, "linux_banner", &banner->address, 1) == 0)
			continue;
		for (size_t j = 0; j < kernel->files_count && banner->len == 0; j++) {
			size_t got = vmlinux_read(kernel->files[j], banner->address, banner->text,
						  sizeof(banner->text) - 1);

			banner->len = strnlen(banner->text, got);
		}
		if (banner->len == 0) {
			memcpy(banner->text, BANNER_START, sizeof(BANNER_START));
			banner->len = strlen(BANNER_START);
		}
		return;
	}
}

/* "Linux version 6.1.0-50-amd64 ..." without its end of line, for messages. */
static void banner_line(const struct banner *banner, char *line, size_t size)
{
	int len = (int)strcspn(banner->text, "\n");

	if (strcmp(banner->text, BANNER_START) == 0) {
		snprintf(line, size, "a System.map");
		return;
	}
	snprintf(line, size, "%.*s", len < 60 ? len : 60, banner->text);
}

static void hex_text(const uint8_t *bytes, size_t len, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < len && 2 * i + 2 < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* Build IDs, where both sides have one, decide whether a vmlinux belongs to the dump. */
static struct error *check_build_id(struct kernel *kernel, const struct vmlinux *vmlinux)
{
	char of_dump[80];
	char of_file[80];
	size_t len = 0;
	const uint8_t *id = vmlinux_build_id(vmlinux, &len);

	if (!kernel->memory->vmcoreinfo || len == 0 ||
	    !vmcoreinfo_get(kernel->memory->vmcoreinfo, "BUILD-ID", of_dump, sizeof(of_dump)))
		return NULL;
	hex_text(id, len, of_file, sizeof(of_file));
	if (strcmp(of_dump, of_file) == 0)
		return NULL;
	return error_new(
		"%s (build ID %s) does not belong to %s (kernel %s, build ID %s); give the "
		"vmlinux of that kernel with -s",
		vmlinux_path(vmlinux), of_file, kernel->memory->path,
		kernel->release[0] ? kernel->release : "of unknown release", of_dump);
}

static struct error *add_system_map(struct kernel *kernel, const char *path)
{
	struct symbols *symbols = NULL;
	struct error *err = system_map_open(path, &symbols);

	if (!err)
		kernel->symbols[kernel->symbols_count++] = symbols;
	return err;
}

static struct error *add_elf_file(struct kernel *kernel, const char *path)
{
	struct vmlinux *file = NULL;
	struct symbols *symbols = NULL;
	struct error *err = vmlinux_open(path, &file);

	if (err)
		return err;
	kernel->files[kernel->files_count++] = file;
	err = vmlinux_symbols(file, &symbols);
	if (err)
		return err;
	uint64_t banner = 0;
	if (symbols->ops->find(symbols, "linux_banner", &banner, 1)) {
		symbols->link_time = true;
		kernel->symbols[kernel->symbols_count++] = symbols;
		kernel->own_file = file;
		err = check_build_id(kernel, file);
	} else {
		/* A module's debug file: its addresses are not the loaded module's. */
		symbols->ops->destroy(symbols);
	}
	return err;
}

/* vmlinux, System.map or a module's debug file: each says itself what it is. */
static struct error *add_file(struct kernel *kernel, const char *path)
{
	if (kernel->files_count == KERNEL_FILES_MAX || kernel->symbols_count == KERNEL_FILES_MAX)
		return error_new("more than %d files with -s; give only those of this kernel",
				 KERNEL_FILES_MAX);
	if (!kernel->symbol_file)
		kernel->symbol_file = path;
	return system_map_is(path) ? add_system_map(kernel, path) : add_elf_file(kernel, path);
}

/*
 * DWARF comes behind what the dump itself says: it is slower to read. The kernel's own knows no
 * type that the BTF made of it does not, so to ask it for what BTF has not would cost half a
 * second for nothing. Of an extract only what was noted is there to be read.
 */
static struct error *add_dwarf(struct kernel *kernel, enum types_from types_from)
{
	const bool has_types = kernel->types_count && types_from == TYPES_ANY;
	const bool noted = noted_is_there(kernel->memory->vmcoreinfo);
	struct error *err = NULL;

	for (size_t i = 0; i < kernel->files_count && !err; i++) {
		struct types *types = NULL;

		if (has_types && (noted || kernel->files[i] == kernel->own_file))
			continue;
		err = vmlinux_dwarf(kernel->files[i], &types);
		if (!err)
			kernel->types[kernel->types_count++] = types;
	}
	return err;
}

/* An extract has noted the answers; there is nothing else to read then. */
static struct error *add_noted(struct kernel *kernel)
{
	const char *info = kernel->memory->vmcoreinfo;
	struct symbols *symbols = NULL;
	struct types *types = NULL;
	struct error *err = noted_symbols(info, &symbols);

	if (!err)
		kernel->symbols[kernel->symbols_count++] = symbols;
	if (!err)
		err = noted_types(info, &types);
	if (!err)
		kernel->types[kernel->types_count++] = types;
	return err;
}

/* With files at hand damage of the dump's own copy is no reason to stop. */
static struct error *unless_files(const struct kernel *kernel, struct error *err)
{
	if (kernel->files_count == 0)
		return err;
	error_free(err);
	return NULL;
}

/*
 * A running kernel's symbols and types are in its files: all of them by one reading, which the
 * loading of a module does not disturb, and on kernels, too, whose VMCOREINFO says nothing of them.
 */
static struct error *add_from_files(struct kernel *kernel, enum types_from types_from,
				    bool *symbols_found, bool *types_found)
{
	struct symbols *symbols = NULL;
	struct types *types = NULL;
	struct error *err = kallsyms_open_text("/proc/kallsyms", &symbols);

	if (symbols)
		kernel->symbols[kernel->symbols_count++] = symbols;
	if (!err && types_from != TYPES_DWARF)
		err = unless_files(kernel, btf_open_folder(kernel, "/sys/kernel/btf", &types));
	if (types)
		kernel->types[kernel->types_count++] = types;
	*symbols_found = symbols;
	*types_found = types;
	kernel->names_hidden = !symbols;
	return err;
}

/* The dump's own symbols and types; behind those of vmlinux, which lack the modules'. */
static struct error *add_from_memory(struct kernel *kernel, enum types_from types_from,
				     bool has_symbols, bool has_types)
{
	struct symbols *symbols = NULL;
	struct types *types = NULL;
	size_t skipped = 0;
	struct error *err = has_symbols ? NULL
					: unless_files(kernel, kallsyms_open(kernel, &symbols));

	if (!err && symbols)
		kernel->symbols[kernel->symbols_count++] = symbols;
	if (!err && !has_types && kernel->symbols_count && types_from != TYPES_DWARF)
		err = unless_files(kernel, btf_open_kernel(kernel, &types));
	if (err || !types)
		return err;
	kernel->types[kernel->types_count++] = types;
	/* Nor is a module that cannot be read: what is missed in it will be said then. */
	error_free(btf_add_modules(kernel, types, &skipped));
	return NULL;
}

static struct error *add_own(struct kernel *kernel, enum types_from types_from)
{
	bool has_symbols = false;
	bool has_types = false;
	struct error *err = kernel->memory->live
				    ? add_from_files(kernel, types_from, &has_symbols, &has_types)
				    : NULL;

	return err ? err : add_from_memory(kernel, types_from, has_symbols, has_types);
}

/* Behind all others: what those have is never looked for in modules. */
static struct error *add_module_symbols(struct kernel *kernel)
{
	struct symbols *symbols = NULL;

	if (kernel->symbols_count == 0)
		return NULL;
	struct error *err = kallsyms_open_modules(kernel, &symbols);

	return err ? err : kernel_add_symbols(kernel, symbols);
}

static struct error *need_symbols(struct kernel *kernel)
{
	if (kernel->memory->live && kernel->symbols_count == 0)
		return error_new(
			"/proc/kallsyms hides the addresses of the kernel's symbols; allow "
			"them to root (sysctl kernel.kptr_restrict=1), or give the "
			"System.map or the debug vmlinux of kernel %s with -s",
			kernel->release[0] ? kernel->release : "*");
	const char *info = kernel->memory->vmcoreinfo;
	const char *release = kernel->release[0] ? kernel->release : "*";
	const char *why = info ? "its VMCOREINFO does not say where they are (Linux does since 6.0)"
			       : "the dump has no VMCOREINFO that says where they are";
	char build_id[80] = "";
	uint64_t address = 0;
	const bool has_data = kernel_symbol(kernel, "init_task", &address);

	if (info)
		vmcoreinfo_get(info, "BUILD-ID", build_id, sizeof(build_id));
	if (has_data)
		return error_new("%s: its kernel's types are needed, it has no BTF; give the debug "
				 "vmlinux of kernel %s%s%s with -s (Debian: package "
				 "linux-image-%s-dbg, /usr/lib/debug/boot/vmlinux-%s)",
				 kernel->memory->path, release, build_id[0] ? ", build ID " : "",
				 build_id, release, release);
	if (kernel->symbols_count)
		why = "its kallsyms have only functions (arm64 before 6.12)";
	return error_new(
		"%s: its kernel's symbols are needed, %s; give the System.map or the debug "
		"vmlinux of kernel %s%s%s with -s (Debian: package linux-image-%s-dbg, "
		"/usr/lib/debug/boot/System.map-%s or vmlinux-%s)",
		kernel->memory->path, why, release, build_id[0] ? ", build ID " : "", build_id,
		release, release, release);
}

static struct error *not_found(const struct kernel *kernel, const struct banner *banner)
{
	char line[64];
	const char *defect = kernel->memory->defect;

	if (defect)
		return error_new(
			"%s: %s, and the kernel's page table cannot be read; copy it again",
			kernel->memory->path, defect);
	if (kernel->memory->live && !kernel->memory->vmcoreinfo)
		return error_new("%s: has no VMCOREINFO (CONFIG_VMCORE_INFO, before 6.9 "
				 "CONFIG_CRASH_CORE), so the kernel's page table cannot be found",
				 kernel->memory->path);
	if (!kernel->memory->vmcoreinfo && kernel->memory->note_count == 0)
		return error_new(
			"%s: has neither VMCOREINFO nor CPU notes, so the kernel's page table "
			"cannot be found; dump with -device vmcoreinfo, or use root:FORMAT@PHYS",
			kernel->memory->path);
	banner_line(banner, line, sizeof(line));
	return error_new(
		"%s (%s) does not belong to %s (kernel %s): its linux_banner is not there; "
		"give the vmlinux of that kernel with -s",
		kernel->symbol_file ? kernel->symbol_file : "the symbol file", line,
		kernel->memory->path, kernel->release[0] ? kernel->release : "of unknown release");
}

/* struct uts_namespace begins with the names, before 5.11 with a counter: is @release there? */
static bool uts_has(struct kernel *kernel, uint64_t address, const char *release)
{
	enum { UTS_FIELD = 65, RELEASE = 2, BEFORE_MAX = 8 };
	char uts[BEFORE_MAX + (RELEASE + 2) * UTS_FIELD];
	struct error *err = kernel_read(kernel, address, uts, sizeof(uts));

	if (err) { /* not in the dump: nothing speaks against it */
		error_free(err);
		return true;
	}
	for (size_t at = 0; at <= BEFORE_MAX; at += sizeof(uint32_t)) {
		if (memcmp(uts + at, "Linux", sizeof("Linux")) == 0 &&
		    strncmp(uts + at + (size_t)RELEASE * UTS_FIELD, release, UTS_FIELD) == 0)
			return true;
	}
	return false;
}

/*
 * Kernels of one series can have their banner at the same address; the data behind the text
 * moves with every change.
 */
static struct error *check_system_maps(struct kernel *kernel)
{
	for (size_t i = 0; i < kernel->symbols_count; i++) {
		struct symbols *symbols = kernel->symbols[i];
		uint64_t address = 0;
		uint64_t told = 0;

		if (symbols->ops->name != SYSTEM_MAP_NAME ||
		    !symbols->ops->find(symbols, "init_uts_ns", &address, 1))
			continue;
		address += kernel->kaslr_offset;
		if (uts_has(kernel, address, kernel->release) &&
		    (!kernel->memory->vmcoreinfo ||
		     !vmcoreinfo_hex(kernel->memory->vmcoreinfo, "SYMBOL(init_uts_ns)", &told) ||
		     told == address))
			continue;
		return error_new(
			"the System.map does not belong to %s (kernel %s): its init_uts_ns "
			"is not there; give the one of that kernel with -s",
			kernel->memory->path, kernel->release);
	}
	return NULL;
}

/* The text is in the dump, at the address that some file has given. */
static void read_release(struct kernel *kernel, const struct banner *banner)
{
	char text[sizeof(BANNER_START) + KERNEL_RELEASE_BYTES] = "";

	error_free(
		kernel_string(kernel, banner->address + kernel->kaslr_offset, text, sizeof(text)));
	sscanf(text, "Linux version %79s", kernel->release);
}

static struct error *open_virtual_memory(struct kernel *kernel)
{
	const struct arch_ops *arch = NULL;
	struct banner banner;

	for (size_t i = 0; i < sizeof(architectures) / sizeof(architectures[0]); i++) {
		if (architectures[i]->arch == kernel->memory->arch)
			arch = architectures[i];
	}
	kernel->arch = arch;
	if (!arch)
		return error_new(
			"%s: is a dump of an architecture that is not known; x86-64 and "
			"little-endian arm64 dumps are read, others only by root:FORMAT@PHYS",
			kernel->memory->path);
	if (kernel->files_count && vmlinux_machine(kernel->files[0]) != arch->elf_machine)
		return error_new(
			"%s is not a %s file, but %s is a %s dump; give that kernel's vmlinux "
			"with -s",
			vmlinux_path(kernel->files[0]), arch->name, kernel->memory->path,
			arch->name);
	load_banner(kernel, &banner);
	struct error *err = arch->open_virtual_memory(kernel, &banner, &kernel->kaslr_offset,
						      &kernel->virtual_memory);
	if (!err && !kernel->virtual_memory)
		err = not_found(kernel, &banner);
	if (!err && kernel->release[0] == '\0' && banner.len)
		read_release(kernel, &banner);
	return err ? err : check_system_maps(kernel);
}

static struct error *add_sources(struct kernel *kernel, const struct kernel_source *source)
{
	struct error *err = NULL;

	kernel->reading_symbols = source->reading_symbols;
	kernel_reading_symbols(kernel, true);
	if (noted_is_there(kernel->memory->vmcoreinfo))
		err = add_noted(kernel);
	else
		err = add_own(kernel, source->types_from);
	if (!err && source->types_from != TYPES_BTF)
		err = add_dwarf(kernel, source->types_from);
	/* /proc/kallsyms has those of modules, too. */
	if (!err && !noted_is_there(kernel->memory->vmcoreinfo) &&
	    (!kernel->memory->live || kernel->names_hidden))
		err = add_module_symbols(kernel);
	kernel_reading_symbols(kernel, false);
	return err;
}

struct error *kernel_open(struct memory *memory, const struct kernel_source *source,
			  struct kernel **ret)
{
	struct kernel *kernel = NULL;
	struct error *err = kernel_new(memory, &kernel);

	if (err)
		return err;
	for (size_t i = 0; i < source->count && !err; i++)
		err = add_file(kernel, source->symbol_files[i]);
	/* Without VMCOREINFO only a vmlinux can lead to the kernel's page table. */
	if (!err && kernel->symbols_count == 0 && !memory->vmcoreinfo && !memory->live)
		err = need_symbols(kernel);
	if (!err)
		err = open_virtual_memory(kernel);
	if (!err)
		err = add_sources(kernel, source);
	if (!err && (kernel->symbols_count == 0 || kernel->types_count == 0))
		err = need_symbols(kernel);
	if (err) {
		kernel_close(kernel);
		return err;
	}
	kernel->notebook = source->notebook;
	*ret = kernel;
	return NULL;
}
