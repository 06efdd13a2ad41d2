/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What arm64 kernels say of the page tables that they run with: their own and processes'. */
#ifndef IOMMUPT_KERNEL_AARCH64_H
#define IOMMUPT_KERNEL_AARCH64_H

struct error;
struct memory;
struct pt_parameters;

/*
 * aarch64_parameters() - granule and widths in use, by the VMCOREINFO of @memory: those of TTBR0
 * (user addresses) and, with ttbr1 set by the caller, of TTBR1.
 */
struct error *aarch64_parameters(const struct memory *memory, struct pt_parameters *ret);

#endif
