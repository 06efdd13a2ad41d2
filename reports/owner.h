/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose a space is, in the words of the `owner` column. */
#ifndef IOMMUPT_OWNER_H
#define IOMMUPT_OWNER_H

struct error;
struct space;

/* space_owner_text() - key=value words, separated by blanks; the caller frees *ret. */
struct error *space_owner_text(const struct space *space, char **ret);

#endif
