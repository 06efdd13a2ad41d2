/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TARGET and RANGE: from a user's words to address spaces and addresses.
 * The syntax is part of the contract: docs/iommupt.8 section TARGETS.
 */
#ifndef IOMMUPT_SELECTION_H
#define IOMMUPT_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "walkers/inventory.h"

struct error;
struct memory;
struct session;

/* The spaces that a TARGET means, in order; they are the session's. */
struct selection {
	const struct space **spaces;
	size_t count;
	struct memory *memory;
	struct space *bare; /* of root:FORMAT@PHYS and pid:N: made for this selection */
};

/*
 * selection_init() - the spaces of @words ("0000:00:04.0", "pasid=3", ...; @count of them).
 * Never empty: a TARGET that matches nothing is an error that says what there is.
 */
struct error *selection_init(struct selection *selection, struct session *session,
			     char *const *words, size_t count);
void selection_deinit(struct selection *selection);

/* How many of @words belong to the TARGET: the first, and pasid=N behind it. */
size_t selection_words(char *const *words, size_t count);

/* Inclusive addresses. */
struct range {
	uint64_t start;
	uint64_t last;
	bool one_address; /* a single ADDR: the page that holds it */
};

/* START-END (END not included), START..END, START+LENGTH, ADDR; numbers decimal or 0x hex. */
struct error *range_parse(const char *text, struct range *ret);
struct error *address_parse(const char *text, uint64_t *ret);

/* range_check() - an error when @range begins beyond the input addresses of @space. */
struct error *range_check(const struct space *space, const struct range *range);

#endif
