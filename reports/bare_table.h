/* SPDX-License-Identifier: GPL-3.0-or-later */
/* root:FORMAT@PHYS[:LEVELS][,key=value]...: a bare table, no kernel needed. */
#ifndef IOMMUPT_BARE_TABLE_H
#define IOMMUPT_BARE_TABLE_H

struct error;
struct space;

/* bare_table_parse() - fill in @space from @target; an error names the word that is wrong. */
struct error *bare_table_parse(const char *target, struct space *space);

#endif
