// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Types from the DWARF of a vmlinux or a module's debug file.
 *
 * DWARF has no index that leads from a structure's name to its definition, and a kernel has
 * some 4000 compilation units that repeat the same headers' types in 150 MB and more. Reading
 * them all takes many seconds, so a unit is read only when it is likely to have the answer:
 *
 *  1. the units whose source file is known to use the type (the hints);
 *  2. what the units read so far have;
 *  3. the other units, of which only those are read whose bytes mention the name at all.
 *
 * libdwarf gets the sections through its object-access interface: it then neither opens the
 * file again nor copies what libelf has mapped.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif

#include <dwarf.h>
#include <elf.h>
#include <fnmatch.h>
#include <gelf.h>
#include <libdwarf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/types.h"
#include "target/vmlinux.h"
#include "target/vmlinux_private.h"

enum {
	MAX_DEPTH = 32, /* of typedefs and nested structures; only damaged DWARF has more */
};

enum section_id {
	SECTION_NONE, /* ELF's section 0, which libdwarf expects to be empty */
	SECTION_INFO,
	SECTION_ABBREV,
	SECTION_STR,
	SECTION_LINE_STR,
	SECTION_STR_OFFSETS,
	/* Not for us, but libdwarf refuses a clang unit without them. */
	SECTION_ADDR,
	SECTION_RNGLISTS,
	SECTION_LOCLISTS,
	SECTION_COUNT,
};

static const char *const section_names[SECTION_COUNT] = {
	[SECTION_NONE] = "",
	[SECTION_INFO] = ".debug_info",
	[SECTION_ABBREV] = ".debug_abbrev",
	[SECTION_STR] = ".debug_str",
	[SECTION_LINE_STR] = ".debug_line_str",
	[SECTION_STR_OFFSETS] = ".debug_str_offsets",
	[SECTION_ADDR] = ".debug_addr",
	[SECTION_RNGLISTS] = ".debug_rnglists",
	[SECTION_LOCLISTS] = ".debug_loclists",
};

struct section {
	uint8_t *data; /* libelf's, or @copy */
	size_t size;
	uint8_t *copy; /* ours, with relocations applied; NULL in a linked file */
};

/* A compilation unit: where it lies in .debug_info, and its source file. */
struct unit {
	Dwarf_Off start;
	Dwarf_Off end;
	Dwarf_Off die;
	const char *source; /* may be NULL */
	bool hinted;	    /* one of the hints' sources */
	bool indexed;
};

/* A structure, union or enum that a unit defines at its top level. */
struct definition {
	const char *name; /* in the string section */
	Dwarf_Off die;
	uint64_t size;
	uint64_t line;
	uint32_t unit;
	bool is_enum;
	uint32_t next; /* in its hash chain, in the order of indexing; NO_DEFINITION ends it */
};

#define NO_DEFINITION UINT32_MAX

/* What was asked before; die 0 = there is no such type. */
struct answer {
	char *tag;
	char *with; /* may be NULL */
	bool is_enum;
	Dwarf_Off die;
};

#ifdef DW_LIBDWARF_VERSION_MAJOR
typedef Dwarf_Obj_Access_Interface_a object_interface;
#else
typedef Dwarf_Obj_Access_Interface object_interface;
#endif

struct dwarf_types {
	struct types types;
	struct vmlinux *vmlinux;
	struct section sections[SECTION_COUNT];
	object_interface interface;
	Dwarf_Debug dbg;

	bool units_known;
	struct unit *units;
	size_t num_units;
	size_t max_units;

	struct definition *definitions;
	size_t num_definitions;
	size_t max_definitions;
	uint32_t *buckets; /* first definition of each hash chain; 2 * max_definitions of them */

	struct answer *answers;
	size_t num_answers;
};

/*
 * Where to look first. A type is matched against each row's names (fnmatch patterns) and the
 * rows are tried in this order. A hint saves time and decides nothing: gcc leaves out what a
 * unit includes but does not use (intel/iommu.c of 6.1 has no struct pasid_entry), so a type
 * that is missing here is looked for in all other units before the kernel is said to have none.
 */
struct hint {
	const char *source; /* the end of the path in DW_AT_name */
	const char *tags[16];
};

static const struct hint hints[] = {
	{ "drivers/iommu/iommu.c",
	  { "iommu_*", "group_device", "dev_iommu", "device", "bus_type", "kset", "kobject",
	    "list_head" } },
	{ "drivers/iommu/intel/iommu.c",
	  { "intel_*", "dmar_*", "device_domain_info", "dev_pasid_info", "pasid_*", "root_entry",
	    "context_entry", "q_inval", "pt_*", "pci_*" } },
	{ "drivers/iommu/amd/iommu.c",
	  { "amd_*", "iommu_dev_data", "protection_domain", "gcr3_tbl_info", "dev_table_entry",
	    "io_pgtable*", "pt_*", "pci_*" } },
	/* Both drivers have a struct arm_smmu_device and a struct arm_smmu_domain. */
	{ "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c", { "arm_smmu_*", "pci_*" } },
	{ "drivers/iommu/arm/arm-smmu/arm-smmu.c", { "arm_smmu_*", "pci_*" } },
	{ "drivers/iommu/io-pgtable-arm.c", { "arm_lpae_*", "io_pgtable*" } },
	{ "drivers/iommu/dma-iommu.c", { "iommu_dma_*", "iova", "iova_*" } },
	{ "drivers/iommu/iommu-sva.c", { "iommu_mm_data" } },
	{ "arch/x86/pci/common.c", { "pci_sysdata" } },
	{ "arch/x86/kvm/mmu/mmu.c", { "kvm", "kvm_*" } },
	{ "arch/arm64/kvm/mmu.c", { "kvm", "kvm_*" } },
	{ "virt/kvm/kvm_main.c", { "kvm", "kvm_*" } },
	{ "drivers/vfio/vfio_iommu_type1.c", { "vfio_*" } },
	{ "drivers/vfio/container.c", { "vfio_*" } },
	{ "drivers/vfio/vfio_main.c", { "vfio", "vfio_*" } },
	{ "mm/page_alloc.c",
	  { "page", "folio", "ptdesc", "pglist_data", "zone", "mem_section", "pageflags" } },
	{ "mm/slub.c", { "slab", "kmem_cache*" } },
	{ "kernel/fork.c", { "mm_struct", "task_struct", "vm_area_struct", "signal_struct" } },
	{ "kernel/module/main.c", { "module", "module_*", "mod_*" } },
	{ "kernel/module.c", { "module", "module_*" } },
	{ "kernel/bpf/btf.c", { "btf", "btf_*" } },
	{ "kernel/resource.c", { "resource" } },
	{ "kernel/printk/printk.c", { "printk_*", "prb_*" } },
	{ "lib/xarray.c", { "xarray", "xa_node" } },
	{ "lib/maple_tree.c", { "maple_*" } },
	{ "lib/rbtree.c", { "rb_*" } },
};

enum { NUM_HINTS = sizeof(hints) / sizeof(hints[0]) };

/* ---- Errors and scope guards ---- */

/* Make an error of libdwarf's and release that one. */
static struct error *damaged(struct dwarf_types *self, Dwarf_Error dw_err, const char *what)
{
	const char *why = dw_err ? dwarf_errmsg(dw_err) : "contradicts itself";
	struct error *err = error_new("%s: cannot read its DWARF: %s: %s; copy or install the "
				      "file again, or pass another with -s",
				      vmlinux_path(self->vmlinux), what, why);

	if (dw_err)
		dwarf_dealloc_error(self->dbg, dw_err);
	return err;
}

static void free_die(Dwarf_Die *die)
{
	if (*die)
		dwarf_dealloc_die(*die);
}

static void free_attribute(Dwarf_Attribute *attr)
{
	if (*attr)
		dwarf_dealloc_attribute(*attr);
}

#define SCOPED_DIE __attribute__((cleanup(free_die))) Dwarf_Die
#define SCOPED_ATTRIBUTE __attribute__((cleanup(free_attribute))) Dwarf_Attribute

/* ---- Sections, and libdwarf's access to them ---- */

static int object_load(struct dwarf_types *self, uint64_t index, Dwarf_Small **ret)
{
	if (index >= SECTION_COUNT || !self->sections[index].data)
		return DW_DLV_NO_ENTRY;
	*ret = self->sections[index].data;
	return DW_DLV_OK;
}

static Dwarf_Small object_word_size(void *object __attribute__((unused)))
{
	return 8;
}

static Dwarf_Unsigned object_section_count(void *object __attribute__((unused)))
{
	return SECTION_COUNT;
}

#ifdef DW_LIBDWARF_VERSION_MAJOR

static int object_section_info(void *object, Dwarf_Unsigned index, Dwarf_Obj_Access_Section_a *ret,
			       int *error)
{
	struct dwarf_types *self = object;

	*error = 0;
	if (index >= SECTION_COUNT)
		return DW_DLV_NO_ENTRY;
	*ret = (Dwarf_Obj_Access_Section_a){
		.as_name = section_names[index],
		.as_type = index ? SHT_PROGBITS : SHT_NULL,
		.as_size = self->sections[index].size,
	};
	return DW_DLV_OK;
}

static int object_load_section(void *object, Dwarf_Unsigned index, Dwarf_Small **ret, int *error)
{
	*error = 0;
	return object_load(object, index, ret);
}

static Dwarf_Small object_byte_order(void *object __attribute__((unused)))
{
	return DW_END_little;
}

/* libdwarf takes a section larger than the file for damage; ours may be decompressed. */
static Dwarf_Unsigned object_file_size(void *object)
{
	const struct dwarf_types *self = object;
	Dwarf_Unsigned total = 0;

	for (int i = 0; i < SECTION_COUNT; i++)
		total += self->sections[i].size;
	return total;
}

static const Dwarf_Obj_Access_Methods_a object_methods = {
	.om_get_section_info = object_section_info,
	.om_get_byte_order = object_byte_order,
	.om_get_length_size = object_word_size,
	.om_get_pointer_size = object_word_size,
	.om_get_filesize = object_file_size,
	.om_get_section_count = object_section_count,
	.om_load_section = object_load_section,
};

static void object_init(struct dwarf_types *self)
{
	self->interface.ai_object = self;
	self->interface.ai_methods = &object_methods;
}

#else /* 20210528 and older */

static int object_section_info(void *object, Dwarf_Half index, Dwarf_Obj_Access_Section *ret,
			       int *error)
{
	struct dwarf_types *self = object;

	*error = 0;
	if (index >= SECTION_COUNT)
		return DW_DLV_NO_ENTRY;
	*ret = (Dwarf_Obj_Access_Section){
		.name = section_names[index],
		.type = index ? SHT_PROGBITS : SHT_NULL,
		.size = self->sections[index].size,
	};
	return DW_DLV_OK;
}

static int object_load_section(void *object, Dwarf_Half index, Dwarf_Small **ret, int *error)
{
	*error = 0;
	return object_load(object, index, ret);
}

static Dwarf_Endianness object_byte_order(void *object __attribute__((unused)))
{
	return DW_OBJECT_LSB;
}

static const Dwarf_Obj_Access_Methods object_methods = {
	.get_section_info = object_section_info,
	.get_byte_order = object_byte_order,
	.get_length_size = object_word_size,
	.get_pointer_size = object_word_size,
	.get_section_count = object_section_count,
	.load_section = object_load_section,
};

static void object_init(struct dwarf_types *self)
{
	self->interface.object = self;
	self->interface.methods = &object_methods;
}

#endif

/* How many bytes a relocation of this type writes; 0 for those that debug names never need. */
static size_t relocation_width(unsigned int machine, uint64_t type)
{
	switch (machine) {
	case EM_X86_64:
		if (type == R_X86_64_64)
			return 8;
		return type == R_X86_64_32 || type == R_X86_64_32S ? 4 : 0;
	case EM_AARCH64:
		if (type == R_AARCH64_ABS64)
			return 8;
		return type == R_AARCH64_ABS32 ? 4 : 0;
	default:
		return 0;
	}
}

/* Apply the RELA section @scn to @section's copy; the file's bytes are little-endian as we are. */
static struct error *section_relocate(struct dwarf_types *self, struct section *section,
				      Elf_Scn *scn, const GElf_Shdr *shdr)
{
	Elf *elf = vmlinux_elf(self->vmlinux);
	Elf_Data *relocations = elf_getdata(scn, NULL);
	Elf_Scn *symtab = elf_getscn(elf, shdr->sh_link);
	Elf_Data *symbols = symtab ? elf_getdata(symtab, NULL) : NULL;

	if (!relocations || !symbols)
		return damaged(self, NULL, "relocations");
	if (!section->copy) {
		section->copy = malloc(section->size + 1);
		if (!section->copy)
			return error_no_memory();
		memcpy(section->copy, section->data, section->size);
		section->data = section->copy;
	}
	for (size_t i = 0; i < relocations->d_size / sizeof(Elf64_Rela); i++) {
		GElf_Rela rela;
		GElf_Sym sym;

		if (!gelf_getrela(relocations, (int)i, &rela))
			return damaged(self, NULL, "relocations");
		size_t width =
			relocation_width(vmlinux_machine(self->vmlinux), GELF_R_TYPE(rela.r_info));
		if (!width)
			continue;
		if (!gelf_getsym(symbols, (int)GELF_R_SYM(rela.r_info), &sym) ||
		    rela.r_offset > section->size || section->size - rela.r_offset < width)
			return damaged(self, NULL, "relocations");
		uint64_t value = sym.st_value + (uint64_t)rela.r_addend;
		memcpy(section->copy + rela.r_offset, &value, width);
	}
	return NULL;
}

/*
 * Only of a relocatable file: a vmlinux linked with --emit-relocs has the sections too, and
 * there they are applied already.
 */
static struct error *sections_relocate(struct dwarf_types *self, const size_t *section_index)
{
	Elf *elf = vmlinux_elf(self->vmlinux);
	struct error *err = NULL;

	for (Elf_Scn *scn = NULL; !err && (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr shdr;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_RELA)
			continue;
		for (int id = SECTION_INFO; !err && id < SECTION_COUNT; id++) {
			if (section_index[id] && section_index[id] == shdr.sh_info)
				err = section_relocate(self, &self->sections[id], scn, &shdr);
		}
	}
	return err;
}

static enum section_id section_by_name(const char *name)
{
	for (int id = SECTION_INFO; id < SECTION_COUNT; id++) {
		if (strcmp(name, section_names[id]) == 0)
			return id;
	}
	return SECTION_NONE;
}

static struct error *section_load(struct dwarf_types *self, enum section_id id, Elf_Scn *scn,
				  const GElf_Shdr *shdr)
{
	/* libelf replaces the section's bytes in memory; a second time there is nothing to do. */
	if ((shdr->sh_flags & SHF_COMPRESSED) && elf_compress(scn, 0, 0) < 0)
		return error_new("%s: cannot decompress %s (%s); decompress it with `objcopy "
				 "--decompress-debug-sections`",
				 vmlinux_path(self->vmlinux), section_names[id], elf_errmsg(-1));
	Elf_Data *data = elf_getdata(scn, NULL);
	if (!data)
		return damaged(self, NULL, section_names[id]);
	self->sections[id].data = data->d_buf;
	self->sections[id].size = data->d_buf ? data->d_size : 0;
	return NULL;
}

static struct error *sections_load(struct dwarf_types *self)
{
	Elf *elf = vmlinux_elf(self->vmlinux);
	size_t section_index[SECTION_COUNT] = { 0 };
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings) != 0)
		return damaged(self, NULL, "section names");
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr shdr;
		const char *name;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS ||
		    !(name = elf_strptr(elf, strings, shdr.sh_name)))
			continue;
		enum section_id id = section_by_name(name);
		if (id == SECTION_NONE || section_index[id])
			continue;
		section_index[id] = elf_ndxscn(scn);
		struct error *err = section_load(self, id, scn, &shdr);
		if (err)
			return err;
	}
	if (!self->sections[SECTION_INFO].size || !self->sections[SECTION_ABBREV].size)
		return error_new("%s: has no DWARF (.debug_info); install the kernel's debug "
				 "package (Debian: linux-image-*-dbg) and pass its vmlinux with -s",
				 vmlinux_path(self->vmlinux));
	if (!vmlinux_is_relocatable(self->vmlinux))
		return NULL;
	return sections_relocate(self, section_index);
}

/* ---- Debugging information entries ---- */

static struct error *die_at(struct dwarf_types *self, Dwarf_Off offset, Dwarf_Die *ret)
{
	Dwarf_Error dw_err = NULL;
	int res = dwarf_offdie_b(self->dbg, offset, true, ret, &dw_err);

	return res == DW_DLV_OK ? NULL : damaged(self, dw_err, "entry");
}

/* *ret = NULL when there is none. */
static struct error *die_child(struct dwarf_types *self, Dwarf_Die die, Dwarf_Die *ret)
{
	Dwarf_Error dw_err = NULL;
	int res = dwarf_child(die, ret, &dw_err);

	if (res == DW_DLV_ERROR)
		return damaged(self, dw_err, "child entry");
	if (res == DW_DLV_NO_ENTRY)
		*ret = NULL;
	return NULL;
}

static struct error *die_offset(struct dwarf_types *self, Dwarf_Die die, Dwarf_Off *ret)
{
	Dwarf_Error dw_err = NULL;

	if (dwarf_dieoffset(die, ret, &dw_err) != DW_DLV_OK)
		return damaged(self, dw_err, "entry's offset");
	return NULL;
}

/* Replace *die by the one behind it, or NULL. Always onwards: DW_AT_sibling may be damaged. */
static struct error *die_advance(struct dwarf_types *self, Dwarf_Die *die)
{
	SCOPED_DIE old = *die;
	Dwarf_Error dw_err = NULL;
	Dwarf_Off from, to;

	*die = NULL;
	int res = dwarf_siblingof_b(self->dbg, old, true, die, &dw_err);
	if (res == DW_DLV_ERROR) {
		*die = NULL;
		return damaged(self, dw_err, "next entry");
	}
	if (res == DW_DLV_NO_ENTRY) {
		*die = NULL;
		return NULL;
	}
	struct error *err = die_offset(self, old, &from);
	if (!err)
		err = die_offset(self, *die, &to);
	if (!err && to <= from)
		err = damaged(self, NULL, "next entry");
	return err;
}

static struct error *die_tag(struct dwarf_types *self, Dwarf_Die die, Dwarf_Half *ret)
{
	Dwarf_Error dw_err = NULL;

	if (dwarf_tag(die, ret, &dw_err) != DW_DLV_OK)
		return damaged(self, dw_err, "entry's tag");
	return NULL;
}

/* *ret = NULL when there is none; it lies in a section and stays. */
static struct error *die_name(struct dwarf_types *self, Dwarf_Die die, const char **ret)
{
	Dwarf_Error dw_err = NULL;
	char *name = NULL;
	int res = dwarf_diename(die, &name, &dw_err);

	if (res == DW_DLV_ERROR)
		return damaged(self, dw_err, "entry's name");
	*ret = res == DW_DLV_OK && *name ? name : NULL;
	return NULL;
}

/* *ret = NULL when there is none. */
static struct error *die_attribute(struct dwarf_types *self, Dwarf_Die die, Dwarf_Half attr,
				   Dwarf_Attribute *ret)
{
	Dwarf_Error dw_err = NULL;
	int res = dwarf_attr(die, attr, ret, &dw_err);

	if (res == DW_DLV_ERROR)
		return damaged(self, dw_err, "attribute");
	if (res == DW_DLV_NO_ENTRY)
		*ret = NULL;
	return NULL;
}

/* The N of a location that is just `DW_OP_plus_uconst N`, as old compilers wrote them. */
static bool expression_offset(const uint8_t *bytes, size_t len, int64_t *ret)
{
	uint64_t value = 0;

	if (!len || bytes[0] != DW_OP_plus_uconst)
		return false;
	for (size_t i = 1; i < len && i <= 9; i++) {
		value |= (uint64_t)(bytes[i] & 0x7f) << (7 * (i - 1));
		if (!(bytes[i] & 0x80)) {
			*ret = (int64_t)value;
			return i + 1 == len;
		}
	}
	return false;
}

static bool block_offset(struct dwarf_types *self, Dwarf_Attribute attr, int64_t *ret,
			 Dwarf_Error *dw_err)
{
	Dwarf_Block *block = NULL;

	if (dwarf_formblock(attr, &block, dw_err) != DW_DLV_OK)
		return false;
	bool understood = expression_offset(block->bl_data, block->bl_len, ret);
	dwarf_dealloc(self->dbg, block, DW_DLA_BLOCK);
	return understood;
}

static bool attribute_constant(struct dwarf_types *self, Dwarf_Attribute attr, int64_t *ret,
			       Dwarf_Error *dw_err)
{
	Dwarf_Half form;
	Dwarf_Signed number;
	Dwarf_Unsigned natural;
	Dwarf_Ptr bytes;

	if (dwarf_whatform(attr, &form, dw_err) != DW_DLV_OK)
		return false;
	switch (form) {
	case DW_FORM_sdata:
	case DW_FORM_implicit_const:
		if (dwarf_formsdata(attr, &number, dw_err) != DW_DLV_OK)
			return false;
		*ret = number;
		return true;
	case DW_FORM_exprloc:
		return dwarf_formexprloc(attr, &natural, &bytes, dw_err) == DW_DLV_OK &&
		       expression_offset(bytes, natural, ret);
	case DW_FORM_block:
	case DW_FORM_block1:
	case DW_FORM_block2:
	case DW_FORM_block4:
		return block_offset(self, attr, ret, dw_err);
	default:
		if (dwarf_formudata(attr, &natural, dw_err) != DW_DLV_OK)
			return false;
		*ret = (int64_t)natural;
		return true;
	}
}

/* The value of a constant attribute; @present may be NULL, @ret is 0 when there is none. */
static struct error *die_constant(struct dwarf_types *self, Dwarf_Die die, Dwarf_Half attribute,
				  bool *present, int64_t *ret)
{
	SCOPED_ATTRIBUTE attr = NULL;
	Dwarf_Error dw_err = NULL;
	struct error *err = die_attribute(self, die, attribute, &attr);

	*ret = 0;
	if (present)
		*present = attr != NULL;
	if (err || !attr || attribute_constant(self, attr, ret, &dw_err))
		return err;
	return damaged(self, dw_err, "attribute that should be a constant");
}

/* The entry of DW_AT_type; *ret = NULL when there is none (void). */
static struct error *die_type(struct dwarf_types *self, Dwarf_Die die, Dwarf_Die *ret)
{
	SCOPED_ATTRIBUTE attr = NULL;
	Dwarf_Error dw_err = NULL;
	Dwarf_Off offset;
	struct error *err = die_attribute(self, die, DW_AT_type, &attr);

	*ret = NULL;
	if (err || !attr)
		return err;
	if (dwarf_global_formref(attr, &offset, &dw_err) != DW_DLV_OK)
		return damaged(self, dw_err, "reference to a type");
	return die_at(self, offset, ret);
}

/* The type behind @die's, without typedefs and qualifiers; *tag 0 and *ret NULL for void. */
static struct error *die_bare_type(struct dwarf_types *self, Dwarf_Die die, Dwarf_Die *ret,
				   Dwarf_Half *tag)
{
	struct error *err = die_type(self, die, ret);

	*tag = 0;
	for (int depth = 0; !err && *ret; depth++) {
		err = die_tag(self, *ret, tag);
		if (err || (*tag != DW_TAG_typedef && *tag != DW_TAG_const_type &&
			    *tag != DW_TAG_volatile_type && *tag != DW_TAG_restrict_type &&
			    *tag != DW_TAG_atomic_type))
			return err;
		if (depth == MAX_DEPTH)
			return damaged(self, NULL, "chain of typedefs");
		SCOPED_DIE alias = *ret;
		*tag = 0;
		err = die_type(self, alias, ret);
	}
	return err;
}

/* How many elements an array has, all dimensions together; 0 for a flexible one. */
static struct error *array_elements(struct dwarf_types *self, Dwarf_Die array, uint64_t *ret)
{
	SCOPED_DIE range = NULL;
	struct error *err = die_child(self, array, &range);

	for (*ret = 1; !err && range; err = err ? err : die_advance(self, &range)) {
		Dwarf_Half tag;
		bool counted, bounded;
		int64_t count, last;

		err = die_tag(self, range, &tag);
		if (err || tag != DW_TAG_subrange_type)
			continue;
		err = die_constant(self, range, DW_AT_count, &counted, &count);
		if (!err)
			err = die_constant(self, range, DW_AT_upper_bound, &bounded, &last);
		if (!err)
			*ret *= (uint64_t)(counted ? count : bounded ? last + 1 : 0);
	}
	return err;
}

/* sizeof the type that @die's DW_AT_type names. */
static struct error *die_type_size(struct dwarf_types *self, Dwarf_Die die, int depth,
				   uint64_t *ret)
{
	SCOPED_DIE type = NULL;
	Dwarf_Half tag;
	bool present;
	int64_t size;
	uint64_t elements;
	struct error *err = die_bare_type(self, die, &type, &tag);

	*ret = 0;
	if (err || !type)
		return err;
	err = die_constant(self, type, DW_AT_byte_size, &present, &size);
	if (err)
		return err;
	if (present || tag != DW_TAG_array_type) {
		*ret = present ? (uint64_t)size : tag == DW_TAG_pointer_type ? sizeof(uint64_t) : 0;
		return NULL;
	}
	if (depth == MAX_DEPTH)
		return damaged(self, NULL, "nested arrays");
	err = array_elements(self, type, &elements);
	if (!err)
		err = die_type_size(self, type, depth + 1, ret);
	*ret *= elements;
	return err;
}

/* ---- Compilation units ---- */

/* Room for one more in an array that doubles; false when there is no memory. */
static bool grow(void **array, size_t count, size_t *max, size_t element)
{
	if (count < *max)
		return true;
	size_t bigger = *max ? *max * 2 : 64;
	void *moved = reallocarray(*array, bigger, element);
	if (!moved)
		return false;
	*array = moved;
	*max = bigger;
	return true;
}

static bool unit_is_from(const struct unit *unit, const char *source)
{
	if (!unit->source)
		return false;
	size_t len = strlen(unit->source);
	size_t tail = strlen(source);

	return len >= tail && strcmp(unit->source + len - tail, source) == 0 &&
	       (len == tail || unit->source[len - tail - 1] == '/');
}

static bool unit_is_hinted(const struct unit *unit)
{
	for (size_t h = 0; h < NUM_HINTS; h++) {
		if (unit_is_from(unit, hints[h].source))
			return true;
	}
	return false;
}

static struct error *unit_add(struct dwarf_types *self, Dwarf_Off start, Dwarf_Off end)
{
	SCOPED_DIE die = NULL;
	Dwarf_Error dw_err = NULL;
	struct unit unit = { .start = start, .end = end };
	int res = dwarf_siblingof_b(self->dbg, NULL, true, &die, &dw_err);

	if (res == DW_DLV_ERROR)
		return damaged(self, dw_err, "compilation unit's entry");
	if (res == DW_DLV_NO_ENTRY) {
		die = NULL;
		return NULL; /* an empty unit */
	}
	struct error *err = die_offset(self, die, &unit.die);
	if (!err)
		err = die_name(self, die, &unit.source);
	if (err)
		return err;
	unit.hinted = unit_is_hinted(&unit);
	if (!grow((void **)&self->units, self->num_units, &self->max_units, sizeof(unit)))
		return error_no_memory();
	self->units[self->num_units++] = unit;
	return NULL;
}

/*
 * Read the headers of all units, once. libdwarf keeps the place in @dbg, so after an error
 * the walk is taken to its end; else the next one would begin in the middle.
 */
static struct error *units_read(struct dwarf_types *self)
{
	struct error *err = NULL;
	Dwarf_Off start = 0;

	if (self->units_known)
		return NULL;
	self->num_units = 0;
	for (;;) {
		Dwarf_Unsigned length, type_offset, end = 0;
		Dwarf_Off abbrev;
		Dwarf_Half version, address_size, length_size, extension_size, kind;
		Dwarf_Sig8 signature;
		Dwarf_Error dw_err = NULL;
		int res = dwarf_next_cu_header_d(self->dbg, true, &length, &version, &abbrev,
						 &address_size, &length_size, &extension_size,
						 &signature, &type_offset, &end, &kind, &dw_err);

		if (res == DW_DLV_ERROR) {
			error_free(err);
			return damaged(self, dw_err, "header of a compilation unit");
		}
		if (res == DW_DLV_NO_ENTRY)
			break;
		if (!err && (end <= start || end > self->sections[SECTION_INFO].size))
			err = damaged(self, NULL, "header of a compilation unit");
		if (!err)
			err = unit_add(self, start, end);
		start = end;
	}
	self->units_known = !err;
	return err;
}

/* ---- Index of definitions ---- */

static uint32_t name_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash ^ (hash >> 16);
}

static uint32_t *definitions_chain(const struct dwarf_types *self, const char *name)
{
	return &self->buckets[name_hash(name) & (2 * self->max_definitions - 1)];
}

static uint32_t definitions_first(const struct dwarf_types *self, const char *name)
{
	return self->max_definitions ? *definitions_chain(self, name) : NO_DEFINITION;
}

/* Put definition @i, whose `next` is not set, at the end of its chain. */
static void definitions_link(struct dwarf_types *self, uint32_t i)
{
	uint32_t *link = definitions_chain(self, self->definitions[i].name);

	while (*link != NO_DEFINITION)
		link = &self->definitions[*link].next;
	self->definitions[i].next = NO_DEFINITION;
	*link = i;
}

static bool definitions_grow(struct dwarf_types *self)
{
	size_t max = self->max_definitions;

	if (!grow((void **)&self->definitions, self->num_definitions, &max,
		  sizeof(*self->definitions)))
		return false;
	if (max == self->max_definitions)
		return true;
	uint32_t *buckets = reallocarray(NULL, 2 * max, sizeof(*buckets));
	if (!buckets)
		return false;
	memset(buckets, 0xff, 2 * max * sizeof(*buckets));
	free(self->buckets);
	self->buckets = buckets;
	self->max_definitions = max;
	for (uint32_t i = 0; i < self->num_definitions; i++)
		definitions_link(self, i);
	return true;
}

/*
 * Headers put the same definition into thousands of units: of a unit that no hint names, one
 * that is in the index already (as far as size and line can tell) is not added again. The few
 * hinted units have all theirs in it, so that answers do not depend on what was asked before.
 */
static bool definitions_have(const struct dwarf_types *self, const struct definition *new)
{
	for (uint32_t i = definitions_first(self, new->name); i != NO_DEFINITION;
	     i = self->definitions[i].next) {
		const struct definition *old = &self->definitions[i];

		if (old->size == new->size && old->line == new->line &&
		    old->is_enum == new->is_enum &&strcmp(old->name, new->name) == 0)
			return true;
	}
	return false;
}

static struct error *index_entry(struct dwarf_types *self, uint32_t unit, Dwarf_Die die,
				 Dwarf_Half tag)
{
	struct definition new = { .unit = unit, .is_enum = tag == DW_TAG_enumeration_type };
	Dwarf_Error dw_err = NULL;
	Dwarf_Bool declaration = false;
	int64_t size = 0, line = 0;
	struct error *err = die_name(self, die, &new.name);

	if (err || !new.name)
		return err;
	if (dwarf_hasattr(die, DW_AT_declaration, &declaration, &dw_err) == DW_DLV_ERROR)
		return damaged(self, dw_err, "type");
	if (declaration)
		return NULL;
	err = die_offset(self, die, &new.die);
	if (!err)
		err = die_constant(self, die, DW_AT_byte_size, NULL, &size);
	if (!err)
		err = die_constant(self, die, DW_AT_decl_line, NULL, &line);
	if (err)
		return err;
	new.size = (uint64_t)size;
	new.line = (uint64_t)line;
	if (!self->units[unit].hinted && definitions_have(self, &new))
		return NULL;
	if (!definitions_grow(self))
		return error_no_memory();
	self->definitions[self->num_definitions] = new;
	definitions_link(self, (uint32_t)self->num_definitions++);
	return NULL;
}

static struct error *unit_index(struct dwarf_types *self, uint32_t unit)
{
	SCOPED_DIE root = NULL;
	SCOPED_DIE die = NULL;

	if (self->units[unit].indexed)
		return NULL;
	struct error *err = die_at(self, self->units[unit].die, &root);
	if (!err)
		err = die_child(self, root, &die);
	while (!err && die) {
		Dwarf_Half tag;

		err = die_tag(self, die, &tag);
		if (!err && (tag == DW_TAG_structure_type || tag == DW_TAG_union_type ||
			     tag == DW_TAG_enumeration_type))
			err = index_entry(self, unit, die, tag);
		if (!err)
			err = die_advance(self, &die);
	}
	self->units[unit].indexed = !err;
	return err;
}

/* ---- Members ---- */

/* Bytes from the start of the structure; 0 for a member of a union. */
static struct error *member_offset(struct dwarf_types *self, Dwarf_Die member, uint64_t *ret)
{
	int64_t offset;
	struct error *err = die_constant(self, member, DW_AT_data_member_location, NULL, &offset);

	*ret = (uint64_t)offset;
	return err;
}

/*
 * First bit of the bit-field @member within its structure. DWARF 2 and 3 count from the most
 * significant bit of a storage unit.
 */
static struct error *member_first_bit(struct dwarf_types *self, Dwarf_Die member, int64_t width,
				      uint64_t type_size, uint64_t *ret)
{
	bool present, sized;
	int64_t bit, storage;
	uint64_t offset;
	struct error *err = die_constant(self, member, DW_AT_data_bit_offset, &present, &bit);

	*ret = (uint64_t)bit;
	if (err || present)
		return err;
	err = member_offset(self, member, &offset);
	if (!err)
		err = die_constant(self, member, DW_AT_bit_offset, &present, &bit);
	if (!err)
		err = die_constant(self, member, DW_AT_byte_size, &sized, &storage);
	if (err)
		return err;
	if (!sized)
		storage = (int64_t)type_size;
	*ret = 8 * offset + (uint64_t)(present ? 8 * storage - bit - width : 0);
	return NULL;
}

static struct error *describe_member(struct dwarf_types *self, Dwarf_Die structure,
				     Dwarf_Die member, uint64_t base, struct member *ret)
{
	uint64_t offset, size, start;
	int64_t width, struct_size;
	bool is_bit_field;
	struct error *err = die_type_size(self, member, 0, &size);

	if (!err)
		err = die_constant(self, member, DW_AT_bit_size, &is_bit_field, &width);
	if (err)
		return err;
	if (!is_bit_field) {
		err = member_offset(self, member, &offset);
		*ret = (struct member){ .present = !err,
					.offset = (uint32_t)(base + offset),
					.size = (uint32_t)size };
		return err;
	}
	err = die_constant(self, structure, DW_AT_byte_size, NULL, &struct_size);
	if (!err)
		err = member_first_bit(self, member, width, size, &start);
	if (err)
		return err;
	if (width < 1 || width > 64)
		return damaged(self, NULL, "width of a bit-field");
	ret->present = true;
	member_set_bits(ret, base, start, (uint64_t)width, size, (uint64_t)struct_size);
	return NULL;
}

/*
 * Find the member that the dotted @path names, in @structure and in the anonymous ones that
 * it embeds; ret->present stays false when there is none.
 */
static struct error *find_member(struct dwarf_types *self, Dwarf_Die structure, const char *path,
				 uint64_t base, int depth, struct member *ret)
{
	size_t len = strcspn(path, ".");
	SCOPED_DIE member = NULL;
	struct error *err = die_child(self, structure, &member);

	if (depth == MAX_DEPTH)
		return err ? err : damaged(self, NULL, "nested structures");
	for (; !err && member; err = err ? err : die_advance(self, &member)) {
		SCOPED_DIE type = NULL;
		Dwarf_Half tag, type_tag;
		const char *name = NULL;
		uint64_t offset;

		err = die_tag(self, member, &tag);
		if (err || tag != DW_TAG_member)
			continue;
		err = die_name(self, member, &name);
		if (err || (name && (strncmp(name, path, len) != 0 || name[len])))
			continue;
		if (name && !path[len])
			return describe_member(self, structure, member, base, ret);
		err = die_bare_type(self, member, &type, &type_tag);
		if (!err)
			err = member_offset(self, member, &offset);
		if (!err && (type_tag == DW_TAG_structure_type || type_tag == DW_TAG_union_type))
			err = find_member(self, type, name ? path + len + 1 : path, base + offset,
					  depth + 1, ret);
		if (err || name || ret->present)
			return err;
	}
	return err;
}

/* ---- Looking for a type ---- */

/*
 * What tells whether a unit's bytes can contain a name at all: the name itself in .debug_info,
 * or a reference to one of the places in .debug_str where it ends a string (linkers let a
 * string share another's tail). Reading 150 MB so takes a tenth of a second, decoding them
 * half a minute.
 */
struct mention {
	const char *name;
	size_t size;	 /* of the name with its final NUL */
	uint8_t *places; /* a bit for each byte of .debug_str; NULL: not usable, take every unit */
	size_t num_places;
	uint8_t coarse[1 << 13]; /* a bit for each value of a place's low 16 bits: stays cached */
};

/* NULL when there is no memory. */
static struct mention *mention_create(const struct dwarf_types *self, const char *name)
{
	const struct section *str = &self->sections[SECTION_STR];
	struct mention *mention = calloc(1, sizeof(*mention));

	if (!mention)
		return NULL;
	mention->name = name;
	mention->size = strlen(name) + 1;
	/* References by number (clang's DWARF 5) would have to be decoded. */
	if (self->sections[SECTION_STR_OFFSETS].size || str->size == 0)
		return mention;
	mention->places = calloc(1, str->size / 8 + 1);
	if (!mention->places) {
		free(mention);
		return NULL;
	}
	const uint8_t *end = str->data + str->size;
	for (const uint8_t *at = str->data;
	     at && (at = memmem(at, (size_t)(end - at), name, mention->size)); at++) {
		size_t place = (size_t)(at - str->data);

		mention->places[place / 8] |= (uint8_t)(1 << place % 8);
		mention->coarse[place % 65536 / 8] |= (uint8_t)(1 << place % 8);
		mention->num_places++;
	}
	return mention;
}

static void mention_destroy(struct mention *mention)
{
	free(mention->places);
	free(mention);
}

static bool unit_mentions(const struct dwarf_types *self, const struct unit *unit,
			  const struct mention *mention)
{
	const uint8_t *bytes = self->sections[SECTION_INFO].data + unit->start;
	size_t len = unit->end - unit->start;
	size_t strings = self->sections[SECTION_STR].size;

	if (!mention->places)
		return true;
	for (size_t i = 0; mention->num_places && i + sizeof(uint32_t) <= len; i++) {
		uint32_t place;

		memcpy(&place, bytes + i, sizeof(place));
		if ((mention->coarse[place % 65536 / 8] >> place % 8 & 1) && place < strings &&
		    (mention->places[place / 8] >> place % 8 & 1))
			return true;
	}
	return memmem(bytes, len, mention->name, mention->size) != NULL;
}

/* What is looked for: a structure or enum, and the member that it must have. */
struct wanted {
	const char *tag;
	const char *with; /* may be NULL */
	bool is_enum;
};

#define ANY_UNIT UINT32_MAX

/* *ret = 0 when no definition in the index, from @unit, is the wanted one. */
static struct error *index_find(struct dwarf_types *self, const struct wanted *wanted,
				uint32_t unit, Dwarf_Off *ret)
{
	for (uint32_t i = definitions_first(self, wanted->tag); i != NO_DEFINITION;
	     i = self->definitions[i].next) {
		const struct definition *definition = &self->definitions[i];
		struct member member = { .present = !wanted->with };

		if (definition->is_enum != wanted->is_enum ||
		    (unit != ANY_UNIT && definition->unit != unit) ||
		    strcmp(definition->name, wanted->tag) != 0)
			continue;
		if (wanted->with) {
			SCOPED_DIE die = NULL;
			struct error *err = die_at(self, definition->die, &die);
			if (!err)
				err = find_member(self, die, wanted->with, 0, 0, &member);
			if (err)
				return err;
		}
		if (member.present) {
			*ret = definition->die;
			return NULL;
		}
	}
	*ret = 0;
	return NULL;
}

static bool hint_matches(const struct hint *hint, const char *tag)
{
	for (size_t i = 0; i < sizeof(hint->tags) / sizeof(hint->tags[0]) && hint->tags[i]; i++) {
		if (fnmatch(hint->tags[i], tag, 0) == 0)
			return true;
	}
	return false;
}

static struct error *search_hinted(struct dwarf_types *self, const struct wanted *wanted,
				   Dwarf_Off *ret)
{
	for (size_t h = 0; h < NUM_HINTS; h++) {
		if (!hint_matches(&hints[h], wanted->tag))
			continue;
		for (uint32_t i = 0; i < self->num_units; i++) {
			if (!unit_is_from(&self->units[i], hints[h].source))
				continue;
			struct error *err = unit_index(self, i);
			if (!err)
				err = index_find(self, wanted, i, ret);
			if (err || *ret)
				return err;
		}
	}
	return NULL;
}

static struct error *search_others(struct dwarf_types *self, const struct wanted *wanted,
				   Dwarf_Off *ret)
{
	struct mention *mention = mention_create(self, wanted->tag);
	struct error *err = NULL;

	if (!mention)
		return error_no_memory();
	for (uint32_t i = 0; !err && !*ret && i < self->num_units; i++) {
		if (self->units[i].indexed || !unit_mentions(self, &self->units[i], mention))
			continue;
		err = unit_index(self, i);
		if (!err)
			err = index_find(self, wanted, i, ret);
	}
	mention_destroy(mention);
	return err;
}

static bool same_string(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static const struct answer *answers_find(const struct dwarf_types *self,
					 const struct wanted *wanted)
{
	for (size_t i = 0; i < self->num_answers; i++) {
		const struct answer *answer = &self->answers[i];

		if (answer->is_enum == wanted->is_enum && same_string(answer->tag, wanted->tag) &&
		    same_string(answer->with, wanted->with))
			return answer;
	}
	return NULL;
}

static struct error *answers_add(struct dwarf_types *self, const struct wanted *wanted,
				 Dwarf_Off die)
{
	struct answer *more = reallocarray(self->answers, self->num_answers + 1, sizeof(*more));

	if (!more)
		return error_no_memory();
	self->answers = more;
	struct answer new = { .is_enum = wanted->is_enum, .die = die };
	new.tag = strdup(wanted->tag);
	new.with = wanted->with ? strdup(wanted->with) : NULL;
	if (!new.tag || (wanted->with && !new.with)) {
		free(new.tag);
		free(new.with);
		return error_no_memory();
	}
	self->answers[self->num_answers++] = new;
	return NULL;
}

/* The entry that defines the wanted type; *ret = NULL when there is none. */
static struct error *find_type(struct dwarf_types *self, const struct wanted *wanted,
			       Dwarf_Die *ret)
{
	const struct answer *known = answers_find(self, wanted);
	struct error *err = NULL;
	Dwarf_Off die = known ? known->die : 0;

	*ret = NULL;
	if (!known) {
		err = units_read(self);
		if (!err)
			err = search_hinted(self, wanted, &die);
		if (!err && !die)
			err = index_find(self, wanted, ANY_UNIT, &die);
		if (!err && !die)
			err = search_others(self, wanted, &die);
		if (!err)
			err = answers_add(self, wanted, die);
	}
	return err || !die ? err : die_at(self, die, ret);
}

/* ---- The provider ---- */

static struct error *dwarf_types_find(struct types *types, const struct type_query *query,
				      struct member *ret)
{
	struct dwarf_types *self = (struct dwarf_types *)types;
	struct wanted wanted = { .tag = query->type, .with = query->with };
	SCOPED_DIE die = NULL;
	int64_t size;
	struct error *err = find_type(self, &wanted, &die);

	*ret = (struct member){ 0 };
	if (err || !die)
		return err;
	if (query->member)
		return find_member(self, die, query->member, 0, 0, ret);
	err = die_constant(self, die, DW_AT_byte_size, &ret->present, &size);
	ret->size = (uint32_t)size;
	return err;
}

static struct error *enum_find(struct dwarf_types *self, Dwarf_Die enumeration, const char *name,
			       bool *found, int64_t *ret)
{
	SCOPED_DIE die = NULL;
	struct error *err = die_child(self, enumeration, &die);

	while (!err && die) {
		Dwarf_Half tag;
		const char *candidate = NULL;

		err = die_tag(self, die, &tag);
		if (!err && tag == DW_TAG_enumerator)
			err = die_name(self, die, &candidate);
		if (!err && candidate && strcmp(candidate, name) == 0)
			return die_constant(self, die, DW_AT_const_value, found, ret);
		if (!err)
			err = die_advance(self, &die);
	}
	return err;
}

/* Look through all enums of a unit; the nameless ones are not in the index. */
static struct error *unit_find_enumerator(struct dwarf_types *self, const struct unit *unit,
					  const char *name, bool *found, int64_t *ret)
{
	SCOPED_DIE root = NULL;
	SCOPED_DIE die = NULL;
	struct error *err = die_at(self, unit->die, &root);

	if (!err)
		err = die_child(self, root, &die);
	while (!err && die) {
		Dwarf_Half tag;

		err = die_tag(self, die, &tag);
		if (!err && tag == DW_TAG_enumeration_type)
			err = enum_find(self, die, name, found, ret);
		if (err || *found)
			return err;
		err = die_advance(self, &die);
	}
	return err;
}

static struct error *hinted_find_enumerator(struct dwarf_types *self, const char *name, bool *found,
					    int64_t *ret)
{
	struct error *err = units_read(self);

	if (err)
		return err;
	struct mention *mention = mention_create(self, name);
	if (!mention)
		return error_no_memory();
	for (size_t h = 0; h < NUM_HINTS && !err && !*found; h++) {
		for (size_t i = 0; i < self->num_units && !err && !*found; i++) {
			if (unit_is_from(&self->units[i], hints[h].source) &&
			    unit_mentions(self, &self->units[i], mention))
				err = unit_find_enumerator(self, &self->units[i], name, found, ret);
		}
	}
	mention_destroy(mention);
	return err;
}

static struct error *dwarf_types_enumerator(struct types *types, const char *enum_tag,
					    const char *name, bool *found, int64_t *ret)
{
	struct dwarf_types *self = (struct dwarf_types *)types;
	struct wanted wanted = { .tag = enum_tag, .is_enum = true };
	SCOPED_DIE die = NULL;

	*found = false;
	if (!enum_tag)
		return hinted_find_enumerator(self, name, found, ret);
	struct error *err = find_type(self, &wanted, &die);
	if (err || !die)
		return err;
	return enum_find(self, die, name, found, ret);
}

static void dwarf_types_destroy(struct types *types)
{
	struct dwarf_types *self = (struct dwarf_types *)types;

	if (self->dbg) {
#ifdef DW_LIBDWARF_VERSION_MAJOR
		dwarf_object_finish(self->dbg);
#else
		Dwarf_Error dw_err = NULL;
		dwarf_object_finish(self->dbg, &dw_err);
#endif
	}
	for (size_t i = 0; i < self->num_answers; i++) {
		free(self->answers[i].tag);
		free(self->answers[i].with);
	}
	for (int i = 0; i < SECTION_COUNT; i++)
		free(self->sections[i].copy);
	free(self->answers);
	free(self->definitions);
	free(self->buckets);
	free(self->units);
	free(self);
}

static const struct types_ops dwarf_types_ops = {
	.name = "dwarf",
	.find = dwarf_types_find,
	.enumerator = dwarf_types_enumerator,
	.destroy = dwarf_types_destroy,
};

struct error *vmlinux_dwarf(struct vmlinux *vmlinux, struct types **ret)
{
	struct dwarf_types *self = calloc(1, sizeof(*self));

	if (!self)
		return error_no_memory();
	self->types.ops = &dwarf_types_ops;
	self->vmlinux = vmlinux;
	struct error *err = sections_load(self);
	if (!err) {
		Dwarf_Error dw_err = NULL;

		object_init(self);
		if (dwarf_object_init_b(&self->interface, NULL, NULL, DW_GROUPNUMBER_ANY,
					&self->dbg, &dw_err) != DW_DLV_OK) {
			self->dbg = NULL;
			err = damaged(self, dw_err, "sections");
		}
	}
	if (err) {
		dwarf_types_destroy(&self->types);
		return err;
	}
	*ret = &self->types;
	return NULL;
}
