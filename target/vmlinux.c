// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/vmlinux.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/error.h"
#include "target/vmlinux_private.h"

struct vmlinux {
	char *path;
	int fd;
	Elf *elf;
	GElf_Ehdr ehdr;
	Elf_Scn *symtab;
	const uint8_t *build_id;
	size_t build_id_len;
};

struct vmlinux_symbols {
	struct symbols symbols;
	Elf *elf;
	Elf_Data *data;
	size_t strings; /* section index of the names */
	size_t count;
	/*
	 * A hash of names: bucket[hash] is the first symbol's number, next[number] the one
	 * after it; 0 ends a chain (symbol 0 is always the empty one).
	 */
	bool indexed;
	size_t mask;
	uint32_t *bucket;
	uint32_t *next;
};

Elf *vmlinux_elf(const struct vmlinux *vmlinux)
{
	return vmlinux->elf;
}

bool vmlinux_is_relocatable(const struct vmlinux *vmlinux)
{
	return vmlinux->ehdr.e_type == ET_REL;
}

const char *vmlinux_path(const struct vmlinux *vmlinux)
{
	return vmlinux->path;
}

unsigned int vmlinux_machine(const struct vmlinux *vmlinux)
{
	return vmlinux->ehdr.e_machine;
}

const uint8_t *vmlinux_build_id(const struct vmlinux *vmlinux, size_t *len)
{
	*len = vmlinux->build_id_len;
	return vmlinux->build_id;
}

/* Look for the build ID in one run of notes. */
static bool vmlinux_find_build_id(struct vmlinux *vmlinux, Elf_Data *notes)
{
	GElf_Nhdr nhdr;
	size_t name, desc, next;

	for (size_t off = 0; notes && (next = gelf_getnote(notes, off, &nhdr, &name, &desc)) > 0;
	     off = next) {
		const char *bytes = notes->d_buf;

		if (nhdr.n_type != NT_GNU_BUILD_ID || nhdr.n_namesz != sizeof("GNU") ||
		    memcmp(bytes + name, "GNU", sizeof("GNU")) != 0 || !nhdr.n_descsz)
			continue;
		vmlinux->build_id = (const uint8_t *)bytes + desc;
		vmlinux->build_id_len = nhdr.n_descsz;
		return true;
	}
	return false;
}

/* The segments are for a file whose section headers do not cover its notes. */
static void vmlinux_read_build_id(struct vmlinux *vmlinux)
{
	size_t phdrs = 0;

	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(vmlinux->elf, scn));) {
		GElf_Shdr shdr;

		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_NOTE &&
		    vmlinux_find_build_id(vmlinux, elf_getdata(scn, NULL)))
			return;
	}
	if (elf_getphdrnum(vmlinux->elf, &phdrs) != 0)
		return;
	for (size_t i = 0; i < phdrs; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(vmlinux->elf, (int)i, &phdr) || phdr.p_type != PT_NOTE)
			continue;
		Elf_Data *notes = elf_getdata_rawchunk(vmlinux->elf, (int64_t)phdr.p_offset,
						       phdr.p_filesz, ELF_T_NHDR);
		if (vmlinux_find_build_id(vmlinux, notes))
			return;
	}
}

static bool range_within(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

/*
 * A copy that broke off still has a good start; without this check it would show as
 * "no symbols" because libelf drops what lies outside the file.
 */
static struct error *vmlinux_check_complete(const struct vmlinux *vmlinux, uint64_t size)
{
	const GElf_Ehdr *ehdr = &vmlinux->ehdr;
	bool complete =
		range_within(ehdr->e_shoff, (uint64_t)ehdr->e_shnum * ehdr->e_shentsize, size);

	for (Elf_Scn *scn = NULL; complete && (scn = elf_nextscn(vmlinux->elf, scn));) {
		GElf_Shdr shdr;

		complete = gelf_getshdr(scn, &shdr) &&
			   (shdr.sh_type == SHT_NOBITS ||
			    range_within(shdr.sh_offset, shdr.sh_size, size));
	}
	if (complete)
		return NULL;
	return error_new("%s: is truncated (its headers name bytes behind its end); "
			 "copy or download it again",
			 vmlinux->path);
}

static struct error *vmlinux_find_symtab(struct vmlinux *vmlinux)
{
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(vmlinux->elf, scn));) {
		GElf_Shdr shdr;

		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_SYMTAB && shdr.sh_entsize) {
			vmlinux->symtab = scn;
			return NULL;
		}
	}
	return error_new("%s: has no symbol table (it is stripped); install the kernel's debug "
			 "package (Debian: linux-image-*-dbg) and pass its vmlinux with -s",
			 vmlinux->path);
}

static struct error *vmlinux_open_elf(struct vmlinux *vmlinux)
{
	struct stat st;

	vmlinux->fd = open(vmlinux->path, O_RDONLY | O_CLOEXEC);
	if (vmlinux->fd < 0 || fstat(vmlinux->fd, &st) != 0)
		return error_errno(errno, "%s: cannot open; check the path and its permissions",
				   vmlinux->path);
	if (!S_ISREG(st.st_mode))
		return error_new("%s: is not a file; pass the kernel's vmlinux with -s",
				 vmlinux->path);
	if (elf_version(EV_CURRENT) == EV_NONE)
		return error_new("%s: libelf is older than this program was built for (%s); "
				 "install the libelf it was built with",
				 vmlinux->path, elf_errmsg(-1));
	vmlinux->elf = elf_begin(vmlinux->fd, ELF_C_READ_MMAP, NULL);
	if (!vmlinux->elf || elf_kind(vmlinux->elf) != ELF_K_ELF ||
	    !gelf_getehdr(vmlinux->elf, &vmlinux->ehdr))
		return error_new("%s: is not an ELF file; pass an uncompressed vmlinux with debug "
				 "information (not vmlinuz or bzImage) with -s",
				 vmlinux->path);
	if (vmlinux->ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    vmlinux->ehdr.e_ident[EI_DATA] != ELFDATA2LSB)
		return error_new("%s: is not 64-bit little-endian ELF; pass a vmlinux of x86-64 or "
				 "arm64 with -s",
				 vmlinux->path);

	struct error *err = vmlinux_check_complete(vmlinux, (uint64_t)st.st_size);
	if (!err)
		err = vmlinux_find_symtab(vmlinux);
	if (!err)
		vmlinux_read_build_id(vmlinux);
	return err;
}

struct error *vmlinux_open(const char *path, struct vmlinux **ret)
{
	struct vmlinux *vmlinux = calloc(1, sizeof(*vmlinux));

	if (!vmlinux)
		return error_no_memory();
	vmlinux->fd = -1;
	vmlinux->path = strdup(path);
	struct error *err = vmlinux->path ? vmlinux_open_elf(vmlinux) : error_no_memory();
	if (err) {
		vmlinux_close(vmlinux);
		return err;
	}
	*ret = vmlinux;
	return NULL;
}

void vmlinux_close(struct vmlinux *vmlinux)
{
	if (!vmlinux)
		return;
	elf_end(vmlinux->elf);
	if (vmlinux->fd >= 0)
		close(vmlinux->fd);
	free(vmlinux->path);
	free(vmlinux);
}

size_t vmlinux_read(const struct vmlinux *vmlinux, uint64_t addr, void *buf, size_t len)
{
	size_t size;
	const char *file = elf_rawfile(vmlinux->elf, &size);

	/* All sections of a relocatable file claim address 0. */
	if (!file || vmlinux_is_relocatable(vmlinux))
		return 0;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(vmlinux->elf, scn));) {
		GElf_Shdr shdr;

		if (!gelf_getshdr(scn, &shdr) || !(shdr.sh_flags & SHF_ALLOC) ||
		    (shdr.sh_flags & SHF_TLS) || shdr.sh_type == SHT_NOBITS ||
		    addr < shdr.sh_addr || addr - shdr.sh_addr >= shdr.sh_size ||
		    !range_within(shdr.sh_offset, shdr.sh_size, size))
			continue;
		uint64_t skip = addr - shdr.sh_addr;
		size_t got = shdr.sh_size - skip < len ? shdr.sh_size - skip : len;
		memcpy(buf, file + shdr.sh_offset + skip, got);
		return got;
	}
	return 0;
}

static uint32_t name_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash ^ (hash >> 16);
}

/* The name of symbol @number, NULL when it is none that a look-up may find. */
static const char *symbol_name(const struct vmlinux_symbols *self, size_t number, GElf_Sym *sym)
{
	if (!gelf_getsym(self->data, (int)number, sym) || sym->st_shndx == SHN_UNDEF)
		return NULL;
	unsigned int type = GELF_ST_TYPE(sym->st_info);
	if (type != STT_NOTYPE && type != STT_OBJECT && type != STT_FUNC)
		return NULL;
	const char *name = elf_strptr(self->elf, self->strings, sym->st_name);
	return name && *name ? name : NULL;
}

/* Backwards, so that a chain is in the order of the file. */
static void symbols_index(struct vmlinux_symbols *self)
{
	for (size_t i = self->count - 1; i > 0; i--) {
		GElf_Sym sym;
		const char *name = symbol_name(self, i, &sym);

		if (!name)
			continue;
		uint32_t *bucket = &self->bucket[name_hash(name) & self->mask];
		self->next[i] = *bucket;
		*bucket = (uint32_t)i;
	}
	self->indexed = true;
}

static size_t symbols_find(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max)
{
	struct vmlinux_symbols *self = (struct vmlinux_symbols *)symbols;
	size_t found = 0;

	if (!self->count)
		return 0;
	if (!self->indexed)
		symbols_index(self);
	for (uint32_t i = self->bucket[name_hash(name) & self->mask]; i; i = self->next[i]) {
		GElf_Sym sym;
		const char *candidate = symbol_name(self, i, &sym);

		if (!candidate || strcmp(candidate, name) != 0)
			continue;
		if (found < max)
			addrs[found] = sym.st_value;
		found++;
	}
	return found;
}

static void symbols_destroy(struct symbols *symbols)
{
	struct vmlinux_symbols *self = (struct vmlinux_symbols *)symbols;

	free(self->bucket);
	free(self->next);
	free(self);
}

static const struct symbols_ops vmlinux_symbols_ops = {
	.name = "vmlinux",
	.find = symbols_find,
	.destroy = symbols_destroy,
};

struct error *vmlinux_symbols(struct vmlinux *vmlinux, struct symbols **ret)
{
	struct vmlinux_symbols *self = calloc(1, sizeof(*self));
	GElf_Shdr shdr;

	if (!self)
		return error_no_memory();
	self->symbols.ops = &vmlinux_symbols_ops;
	self->symbols.link_time = true;
	self->elf = vmlinux->elf;
	self->data = elf_getdata(vmlinux->symtab, NULL);
	if (!self->data || !gelf_getshdr(vmlinux->symtab, &shdr)) {
		symbols_destroy(&self->symbols);
		return error_new("%s: cannot read its symbol table (%s); copy or download it again",
				 vmlinux->path, elf_errmsg(-1));
	}
	self->strings = shdr.sh_link;
	/* A relocatable file's values are offsets in sections, never addresses: it has none. */
	if (!vmlinux_is_relocatable(vmlinux))
		self->count = self->data->d_size / sizeof(Elf64_Sym);
	self->mask = 1;
	while (self->mask < self->count)
		self->mask <<= 1;
	self->bucket = calloc(self->mask, sizeof(*self->bucket));
	self->next = calloc(self->count + 1, sizeof(*self->next));
	self->mask--;
	if (!self->bucket || !self->next) {
		symbols_destroy(&self->symbols);
		return error_no_memory();
	}
	*ret = &self->symbols;
	return NULL;
}
