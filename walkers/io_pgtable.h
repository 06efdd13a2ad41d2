/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Linux's io-pgtable library, as the Arm SMMU drivers use it: where a domain's table
 * is and what its geometry is.
 */
#ifndef IOMMUPT_IO_PGTABLE_H
#define IOMMUPT_IO_PGTABLE_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct kernel;
struct pt_format;
struct pt_parameters;
struct space;

/*
 * io_pgtable_fill() - fill in the mode and tree of @space from @ops, a domain's `pgtbl_ops`
 * (address of a struct io_pgtable_ops, 0 when the domain has no table yet). An error when memory
 * cannot be read; what cannot be decoded makes the space unknown, with the reason.
 */
struct error *io_pgtable_fill(struct kernel *kernel, uint64_t ops, struct space *space);

/*
 * space_set_tree() - @space translates by a table of @format at @root. Parameters that contradict
 * each other make it unknown, with the reason. False then.
 */
bool space_set_tree(struct space *space, const struct pt_format *format,
		    const struct pt_parameters *parameters, uint64_t root);

#endif
