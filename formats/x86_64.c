// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * x86-64 tables: CPU page tables, and with them AMD IOMMU v2 (guest) tables and NPT.
 *
 * AMD64 Architecture Programmer's Manual, volume 2 (24593), section 5.3 "Long-Mode
 * Page Translation" (5.3.1 canonical addresses, 5.3.3 4-Kbyte, 5.3.4 2-Mbyte, 5.3.5
 * 1-Gbyte pages), 5.4 "Page-Translation-Table Entry Fields", 5.6 "Page-Protection
 * Checks" (U/S, R/W and NX combine over all levels). What Linux keeps in a process's table
 * besides: formats/x86_linux.h.
 */
#include <stdio.h>

#include "formats/format.h"
#include "formats/run.h"
#include "formats/x86_entry.h"
#include "formats/x86_linux.h"
#include "target/error.h"

static const char *const attribute_names[] = {
	X86_ATTRIBUTE_NAMES,
	NULL,
};

static size_t decode(const struct pt_geometry *geometry, unsigned int level,
		     const uint64_t *entries, unsigned int index, unsigned int count,
		     struct pt_run *runs)
{
	/* Two calls, so that each has its function inlined. */
	if (geometry->linux_types.used)
		return pt_decode_runs(geometry, level, entries, index, count, pt_bits(51, 12),
				      x86_linux_decode_entry, runs);
	return pt_decode_runs(geometry, level, entries, index, count, pt_bits(51, 12),
			      x86_decode_entry, runs);
}

static struct pt_plain plain(const struct pt_geometry *geometry)
{
	if (!geometry->linux_types.used)
		return (struct pt_plain){ .used = X86_PRESENT };
	/* What is neither present nor empty: x86_linux_is_soft(). */
	return (struct pt_plain){
		.used = ~(uint64_t)(X86_ACCESSED | X86_DIRTY),
		.fixed = X86_PRESENT,
		.value = X86_PRESENT,
	};
}

static void describe(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
		     char *text, size_t size)
{
	bool leaf = level == 0 || (entry & X86_PAGE_SIZE);

	if (x86_linux_is_soft(geometry, level, entry)) {
		x86_linux_describe(geometry, level, entry, text, size);
		return;
	}
	snprintf(text, size, "P=%d RW=%d US=%d%s%s%s%s%s%s%s", !!(entry & X86_PRESENT),
		 !!(entry & X86_WRITE), !!(entry & X86_USER),
		 entry & X86_WRITE_THROUGH ? " PWT=1" : "",
		 entry & X86_CACHE_DISABLE ? " PCD=1" : "", entry & X86_ACCESSED ? " A=1" : "",
		 leaf && (entry & X86_DIRTY) ? " D=1" : "",
		 level && (entry & X86_PAGE_SIZE) ? " PS=1" : "",
		 leaf && (entry & X86_GLOBAL) ? " G=1" : "", entry & X86_NO_EXECUTE ? " NX=1" : "");
}

static struct error *setup(const struct pt_parameters *parameters, struct pt_geometry *geometry)
{
	return x86_setup("x86_64", parameters, geometry);
}

const struct pt_format pt_format_x86_64 = {
	.name = "x86_64",
	.title = "x86-64 (CPU, AMD IOMMU v2, NPT)",
	.stage = "first",
	.controls_execution = true,
	.attribute_names = attribute_names,
	.attrs_and = X86_ATTR_USER,
	.attrs_dirty = X86_ATTR_ACCESSED | X86_ATTR_DIRTY,
	.setup = setup,
	.decode = decode,
	.plain = plain,
	.describe = describe,
};
