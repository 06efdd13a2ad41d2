/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Symbols: the link-time or run-time addresses of names.
 *
 * Names are not unique in a kernel (`identity_domain`, `arm_smmu_ops`): a
 * look-up gives every match and the caller chooses by what is there.
 */
#ifndef IOMMUPT_SYMBOLS_H
#define IOMMUPT_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols;

struct symbols_ops {
	const char *name; /* "vmlinux", "crash", "kallsyms" */
	/*
	 * Store up to @max addresses of symbols called @name into @addrs and return how many
	 * there are (may be more than @max; 0 when there is none). Addresses are as the source
	 * has them; struct kernel adds the KASLR offset where the source is a link-time one.
	 */
	size_t (*find)(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max);
	void (*destroy)(struct symbols *symbols);
};

/* Embedded first in each provider's own structure. */
struct symbols {
	const struct symbols_ops *ops;
	bool link_time; /* addresses are link-time: add the KASLR offset */
};

#endif
