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
#include "target/kernel_private.h"
#include "target/page_table.h"

struct layout {
	uint64_t root;
	unsigned int granule_lg2;
	int bits; /* width of the upper half in use */
};

static struct error *read_layout(const struct kernel *kernel, struct layout *layout)
{
	const char *info = kernel->memory->vmcoreinfo;
	uint64_t root = 0;
	uint64_t offset = 0;
	int64_t page = 0;
	int64_t va_bits = 0;
	int64_t t1sz = 0;

	if (!vmcoreinfo_number(info, "PAGESIZE", &page) ||
	    !vmcoreinfo_hex(info, "SYMBOL(swapper_pg_dir)", &root) ||
	    !vmcoreinfo_hex(info, "NUMBER(kimage_voffset)", &offset) ||
	    !vmcoreinfo_number(info, "NUMBER(VA_BITS)", &va_bits))
		return error_new("%s: its VMCOREINFO lacks one of PAGESIZE, SYMBOL(swapper_pg_dir), "
				 "NUMBER(kimage_voffset) and NUMBER(VA_BITS), so the kernel's page "
				 "table cannot be found",
				 kernel->memory->path);
	/* Since 5.9; before, no kernel ran narrower than it was built. */
	if (vmcoreinfo_number(info, "NUMBER(TCR_EL1_T1SZ)", &t1sz))
		layout->bits = (int)(64 - t1sz);
	else
		layout->bits = (int)va_bits;
	layout->granule_lg2 = page == 65536 ? 16 : page == 16384 ? 14 : 12;
	layout->root = root - offset;
	/*
	 * 64K pages have one table for both widths. For 48 bits the last 64 of its 1024 entries are
	 * in use (arch/arm64/include/asm/assembler.h: offset_ttbr1).
	 */
	if (page == 65536 && va_bits == 52 && layout->bits == 48)
		layout->root += (1024 - 64) * sizeof(uint64_t);
	if ((page != 4096 && page != 16384 && page != 65536) || layout->bits < 36 ||
	    layout->bits > 52)
		return error_new("%s: its VMCOREINFO tells of pages of %" PRId64
				 " bytes and %d-bit addresses, which arm64 does not have",
				 kernel->memory->path, page, layout->bits);
	return NULL;
}

static struct error *open_virtual_memory(struct kernel *kernel, const struct banner *banner,
					 uint64_t *offset, struct virtual_memory **ret)
{
	struct layout layout;

	*ret = NULL;
	if (!kernel->memory->vmcoreinfo)
		return error_new(
			"%s: has no VMCOREINFO, and an arm64 dump tells the kernel's page table "
			"nowhere else; dump with -device vmcoreinfo (and qemu_fw_cfg loaded in the "
			"guest), or use root:FORMAT@PHYS",
			kernel->memory->path);
	struct error *err = read_layout(kernel, &layout);
	if (err)
		return err;
	const struct pt_parameters parameters = {
		.granule_lg2 = (uint8_t)layout.granule_lg2,
		.input_bits = (uint8_t)layout.bits,
		.output_bits = layout.bits == 52 || layout.granule_lg2 == 16 ? 52 : 48,
		.ttbr1 = true,
		/* Descriptors for 52 bits; 64K pages have only one kind (DDI 0487, D8.3). */
		.lpa2 = layout.bits == 52 && layout.granule_lg2 != 16,
	};
	struct page_table *table = calloc(1, sizeof(*table));
	if (!table)
		return error_no_memory();
	err = page_table_init(table, &pt_format_lpae_s1, &parameters, layout.root);
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
