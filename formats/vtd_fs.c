// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Intel VT-d first-stage (older manuals: first-level) tables, scalable mode only.
 *
 * Intel Virtualization Technology for Directed I/O, Architecture Specification,
 * revision 4.1 (D51397): section 3.6 "First-Stage Translation" (3.6.1 access rights, 3.6.3
 * canonical addresses), section 9.7 "First-Stage Paging Entries" (FS-PML5E ... FS-PTE).
 *
 * The entries are the CPU's; what differs: an extended-accessed bit (10, only where the
 * PASID entry has EAFE), no use for the global bit, and execution, which counts only for
 * units with execute requests (ECAP.ERS). Linux asks for neither, so perm has no x.
 */
#include <stdio.h>

#include "formats/format.h"
#include "formats/run.h"
#include "formats/x86_entry.h"
#include "target/error.h"

enum { FS_EXTENDED_ACCESSED = 1 << 10 };

static const char *const attribute_names[] = {
	X86_ATTRIBUTE_NAMES,
	NULL,
};

static inline void decode_entry(const struct pt_geometry *geometry, unsigned int level,
				uint64_t entry, struct pt_run *ret)
{
	x86_decode_entry(geometry, level, entry, ret);
	ret->perm &= PT_R | PT_W;
	ret->attrs &= ~(uint32_t)X86_ATTR_GLOBAL;
}

static size_t decode(const struct pt_geometry *geometry, unsigned int level,
		     const uint64_t *entries, unsigned int index, unsigned int count,
		     struct pt_run *runs)
{
	return pt_decode_runs(geometry, level, entries, index, count, pt_bits(51, 12), decode_entry,
			      runs);
}

static struct pt_plain plain(const struct pt_geometry *geometry)
{
	(void)geometry;
	return (struct pt_plain){ .used = X86_PRESENT };
}

static void describe(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
		     char *text, size_t size)
{
	bool leaf = level == 0 || (entry & X86_PAGE_SIZE);

	snprintf(text, size, "P=%d R/W=%d U/S=%d A=%d%s%s%s%s%s%s", !!(entry & X86_PRESENT),
		 !!(entry & X86_WRITE), !!(entry & X86_USER), !!(entry & X86_ACCESSED),
		 leaf && (entry & X86_DIRTY) ? " D=1" : "",
		 level && (entry & X86_PAGE_SIZE) ? " PS=1" : "",
		 geometry->extended_accessed && (entry & FS_EXTENDED_ACCESSED) ? " EA=1" : "",
		 entry & X86_WRITE_THROUGH ? " PWT=1" : "",
		 entry & X86_CACHE_DISABLE ? " PCD=1" : "", entry & X86_NO_EXECUTE ? " XD=1" : "");
}

static struct error *setup(const struct pt_parameters *parameters, struct pt_geometry *geometry)
{
	struct pt_parameters canonical = *parameters;

	/* Section 3.6: inputs are canonical addresses. */
	canonical.sign_extend = true;
	geometry->extended_accessed = parameters->extended_accessed;
	return x86_setup("vtd_fs", &canonical, geometry);
}

const struct pt_format pt_format_vtd_fs = {
	.name = "vtd_fs",
	.title = "Intel VT-d first stage",
	.stage = "first",
	.attribute_names = attribute_names,
	.attrs_and = X86_ATTR_USER,
	.attrs_dirty = X86_ATTR_ACCESSED | X86_ATTR_DIRTY,
	.setup = setup,
	.decode = decode,
	.plain = plain,
	.describe = describe,
};
