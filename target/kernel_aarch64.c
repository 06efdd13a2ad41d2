// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * arm64: where the kernel's own page table is.
 *
 * Kernel virtual memory is what TTBR1_EL1 maps: one more address space in the lpae_s1 format, of
 * the upper half. VMCOREINFO says all about it (arch/arm64/kernel/vmcore_info.c, crash_core.c
 * before 6.9): swapper_pg_dir and kimage_voffset its root, PAGESIZE its granule, TCR_EL1_T1SZ its
 * width. VA_BITS is only what the kernel was built for: one built for 52 bits runs with 48 (47 with
 * 16K pages) on a CPU that has no more (arch/arm64/include/asm/memory.h: VA_BITS_MIN).
 *
 * QEMU's notes of an arm64 CPU hold no system register, so that without VMCOREINFO the root is not
 * known.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>

#include "formats/format.h"
#include "target/error.h"
#include "target/kernel_aarch64.h"
#include "target/kernel_private.h"
#include "target/page_table.h"

/* The numbers of VMCOREINFO that this is about. */
struct numbers {
	uint64_t root;	  /* kernel address of swapper_pg_dir */
	uint64_t voffset; /* kernel image: virtual minus physical address */
	int64_t page;
	int64_t va_bits; /* that the kernel was built for */
	int64_t bits;	 /* in use */
};

static struct error *read_numbers(const struct memory *memory, struct numbers *ret)
{
	const char *info = memory->vmcoreinfo;
	int64_t t1sz = 0;

	if (!info)
		return error_new(
			"%s: has no VMCOREINFO, and an arm64 dump tells the kernel's page table "
			"nowhere else; dump with -device vmcoreinfo (and qemu_fw_cfg loaded in the "
			"guest), or use root:FORMAT@PHYS",
			memory->path);
	if (!vmcoreinfo_number(info, "PAGESIZE", &ret->page) ||
	    !vmcoreinfo_hex(info, "SYMBOL(swapper_pg_dir)", &ret->root) ||
	    !vmcoreinfo_hex(info, "NUMBER(kimage_voffset)", &ret->voffset) ||
	    !vmcoreinfo_number(info, "NUMBER(VA_BITS)", &ret->va_bits))
		return error_new(
			"%s: its VMCOREINFO lacks one of PAGESIZE, SYMBOL(swapper_pg_dir), "
			"NUMBER(kimage_voffset) and NUMBER(VA_BITS), so the kernel's page "
			"table cannot be found",
			memory->path);
	/* Since 5.9; before, no kernel ran narrower than it was built. */
	ret->bits = vmcoreinfo_number(info, "NUMBER(TCR_EL1_T1SZ)", &t1sz) ? 64 - t1sz
									   : ret->va_bits;
	if ((ret->page != 4096 && ret->page != 16384 && ret->page != 65536) || ret->bits < 36 ||
	    ret->bits > 52)
		return error_new("%s: its VMCOREINFO tells of pages of %" PRId64
				 " bytes and %" PRId64 "-bit addresses, which arm64 does not have",
				 memory->path, ret->page, ret->bits);
	return NULL;
}

static void set_parameters(const struct numbers *numbers, struct pt_parameters *ret)
{
	const uint8_t granule_lg2 = numbers->page == 65536 ? 16 : numbers->page == 16384 ? 14 : 12;
	const bool wide = numbers->bits == 52;

	*ret = (struct pt_parameters){
		.granule_lg2 = granule_lg2,
		.input_bits = (uint8_t)numbers->bits,
		.output_bits = wide || granule_lg2 == 16 ? 52 : 48,
		/* Descriptors for 52 bits; 64K pages have only one kind (DDI 0487, D8.3). */
		.lpa2 = wide && granule_lg2 != 16,
	};
}

struct error *aarch64_parameters(const struct memory *memory, struct pt_parameters *ret)
{
	struct numbers numbers = { 0 };
	struct error *err = read_numbers(memory, &numbers);

	if (!err)
		set_parameters(&numbers, ret);
	return err;
}

static uint64_t find_root(const struct numbers *numbers)
{
	const uint64_t root = numbers->root - numbers->voffset;

	/*
	 * 64K pages have one table for both widths. For 48 bits the last 64 of its 1024 entries are
	 * in use (arch/arm64/include/asm/assembler.h: offset_ttbr1).
	 */
	if (numbers->page == 65536 && numbers->va_bits == 52 && numbers->bits == 48)
		return root + (1024 - 64) * sizeof(uint64_t);
	return root;
}

static struct error *open_virtual_memory(struct kernel *kernel, const struct banner *banner,
					 uint64_t *offset, struct virtual_memory **ret)
{
	struct numbers numbers = { 0 };
	struct pt_parameters parameters;

	*ret = NULL;
	struct error *err = read_numbers(kernel->memory, &numbers);
	if (err)
		return err;
	struct page_table *table = calloc(1, sizeof(*table));
	if (!table)
		return error_no_memory();
	set_parameters(&numbers, &parameters);
	parameters.ttbr1 = true;
	err = page_table_init(table, &pt_format_lpae_s1, &parameters, find_root(&numbers));
	vmcoreinfo_hex(kernel->memory->vmcoreinfo, "KERNELOFFSET", offset);
	if (!err && (banner->len == 0 ||
		     banner_is_at(kernel->memory, &table->virtual_memory, banner, *offset)))
		*ret = &table->virtual_memory;
	else
		free(table);
	return err;
}

const struct arch_ops arch_aarch64 = {
	.arch = ARCH_AARCH64,
	.name = "arm64",
	.elf_machine = EM_AARCH64,
	.open_virtual_memory = open_virtual_memory,
};
