// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * x86-64: where the kernel's own page table is.
 *
 * Kernel virtual memory is one more address space in the x86_64 format: it is read through
 * the kernel's page table. Its root comes from VMCOREINFO (kernel/vmcore_info.c and
 * arch/x86/kernel/machine_kexec_64.c: swapper_pg_dir, phys_base, pgtable_l5_enabled,
 * KERNELOFFSET) or, without it, from the CR3 of a CPU note. Layout: Documentation/arch/x86/
 * x86_64/mm.rst. KASLR moves the image by multiples of 2 MiB (CONFIG_PHYSICAL_ALIGN) within
 * 1 GiB.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "target/error.h"
#include "target/kernel_private.h"
#include "target/notes.h"
#include "target/page_table.h"

static const uint64_t KERNEL_MAP = 0xffffffff80000000ULL; /* __START_KERNEL_map */
static const uint64_t KASLR_STEP = 2ULL << 20;
static const uint64_t KASLR_MAX = 1ULL << 30;

static struct error *init_table(struct page_table *table, uint64_t root, bool la57)
{
	const struct pt_parameters parameters = {
		.levels = la57 ? 5 : 4,
		.sign_extend = true,
	};

	return page_table_init(table, &pt_format_x86_64, &parameters, root);
}

/* Is this the kernel's table? With a banner to look for: where, at which KASLR offset? */
static bool try_table(struct kernel *kernel, struct page_table *table, const struct banner *banner,
		      bool offset_known, uint64_t *offset)
{
	struct virtual_memory *virtual_memory = &table->virtual_memory;

	if (banner->len == 0)
		return offset_known;
	if (offset_known)
		return banner_is_at(kernel->memory, virtual_memory, banner, *offset);
	for (*offset = 0; *offset < KASLR_MAX; *offset += KASLR_STEP) {
		if (banner_is_at(kernel->memory, virtual_memory, banner, *offset))
			return true;
	}
	return false;
}

struct candidate {
	uint64_t root;
	bool la57;
};

enum { CANDIDATES_MAX = 64 };

/* Every table that may be the kernel's, best first. */
static size_t find_candidates(struct kernel *kernel, struct candidate *candidates)
{
	const char *info = kernel->memory->vmcoreinfo;
	size_t n = 0;
	uint64_t address = 0;
	int64_t number = 0;

	if (info && vmcoreinfo_hex(info, "SYMBOL(swapper_pg_dir)", &address) &&
	    vmcoreinfo_number(info, "NUMBER(phys_base)", &number)) {
		int64_t la57 = 0;

		vmcoreinfo_number(info, "NUMBER(pgtable_l5_enabled)", &la57);
		candidates[n++] =
			(struct candidate){ address - KERNEL_MAP + (uint64_t)number, la57 != 0 };
	}
	bool la57 = false;
	for (unsigned int cpu = 0; n + 2 < CANDIDATES_MAX; cpu++) {
		if (!notes_cr3(kernel->memory, cpu, &address, &la57))
			break;
		/*
		 * Bits 11:0 hold the PCID. With page-table isolation a CPU in user mode has the
		 * other half of an 8 KiB pair, bit 12 set (arch/x86/include/asm/pgtable.h:
		 * PTI_PGTABLE_SWITCH_BIT); the kernel's half is below it.
		 */
		candidates[n++] = (struct candidate){ address & pt_bits(51, 13), la57 };
		if (address & pt_bits(12, 12))
			candidates[n++] = (struct candidate){ address & pt_bits(51, 12), la57 };
	}
	/* No note at all, and the kernel was not moved: init_top_pgt is where it was linked. */
	if (kernel_symbol(kernel, "init_top_pgt", &address) && address >= KERNEL_MAP)
		candidates[n++] = (struct candidate){ address - KERNEL_MAP, false };
	return n;
}

static struct error *open_virtual_memory(struct kernel *kernel, const struct banner *banner,
					 uint64_t *offset, struct virtual_memory **ret)
{
	struct candidate candidates[CANDIDATES_MAX + 1];
	const char *info = kernel->memory->vmcoreinfo;
	bool offset_known = info && vmcoreinfo_hex(info, "KERNELOFFSET", offset);
	size_t count = find_candidates(kernel, candidates);
	struct page_table *table = calloc(1, sizeof(*table));

	*ret = NULL;
	if (!table)
		return error_no_memory();
	for (size_t i = 0; i < count; i++) {
		struct error *err = init_table(table, candidates[i].root, candidates[i].la57);

		if (err) {
			free(table);
			return err;
		}
		if (try_table(kernel, table, banner, offset_known, offset)) {
			*ret = &table->virtual_memory;
			return NULL;
		}
	}
	free(table);
	return NULL;
}

static void write_vmcoreinfo(struct kernel *kernel, FILE *out)
{
	const struct page_table *table = (struct page_table *)kernel->virtual_memory;

	fprintf(out,
		"SYMBOL(swapper_pg_dir)=%" PRIx64 "\nNUMBER(phys_base)=0\n"
		"NUMBER(pgtable_l5_enabled)=%d\nKERNELOFFSET=%" PRIx64 "\n",
		KERNEL_MAP + table->tree.root, table->tree.geometry.levels == 5,
		kernel->kaslr_offset);
}

const struct arch_ops arch_x86_64 = {
	.arch = ARCH_X86_64,
	.name = "x86-64",
	.elf_machine = EM_X86_64,
	.open_virtual_memory = open_virtual_memory,
	.write_vmcoreinfo = write_vmcoreinfo,
};
