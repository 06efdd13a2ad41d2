/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Answers that an extract carries in its VMCOREINFO note, so that it needs
 * neither kallsyms nor BTF: the symbols and members that were asked for when it
 * was made, those that do not exist included. In the manner of VMCOREINFO:
 *
 *	IOMMUPT_SYMBOL(dmar_drhd_units)=ffffffff82bca140
 *	IOMMUPT_SYMBOL(amd_iommu_list)=none
 *	IOMMUPT_MEMBER(intel_iommu.root_entry)=120:8:0:0	offset:size:bit:bits
 *	IOMMUPT_MEMBER(dmar_domain.use_first_level)=none
 *	IOMMUPT_ENUMERATOR(pageflags.PG_slab)=9
 */
#ifndef IOMMUPT_NOTED_H
#define IOMMUPT_NOTED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "target/symbols.h"
#include "target/types.h"

struct error;

/* noted_is_there() - does the VMCOREINFO text @info hold such answers? */
bool noted_is_there(const char *info);

/* Providers over @info, which must outlive them. */
struct error *noted_symbols(const char *info, struct symbols **ret);
struct error *noted_types(const char *info, struct types **ret);

/* Write an answer as a line; what has been written before is not written again. */
struct notebook;
struct error *notebook_create(struct notebook **ret);
void notebook_destroy(struct notebook *notebook);
/* @found false: none. A failed allocation shows in notebook_text(). */
void notebook_symbol(struct notebook *notebook, const char *name, bool found, uint64_t address);
void notebook_member(struct notebook *notebook, const struct type_query *query,
		     const struct member *member);
void notebook_enumerator(struct notebook *notebook, const char *enum_tag, const char *name,
			 bool found, int64_t value);
/* The lines so far, NULL when memory ran out; the notebook's, until the next call. */
const char *notebook_text(struct notebook *notebook);

#endif
