/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A set of physical pages: one bit for each 4 KiB, kept in chunks that exist
 * only where something was added. 88 GiB of tables need about 3 MB. Or one of
 * words: one bit for each 8 bytes.
 */
#ifndef IOMMUPT_PAGE_SET_H
#define IOMMUPT_PAGE_SET_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct page_set;

struct error *page_set_create(struct page_set **ret);
struct error *page_set_create_words(struct page_set **ret);
void page_set_destroy(struct page_set *set);

enum { PAGE_SET_MASK = 8 };

/* page_set_mask() - of a set of words, those in the 4 KiB page of @phys: bit 0 is its first. */
void page_set_mask(const struct page_set *set, uint64_t phys, uint64_t mask[PAGE_SET_MASK]);

/* page_set_add() - add the page (word) of @phys; *added is false when it was in already. */
struct error *page_set_add(struct page_set *set, uint64_t phys, bool *added);

bool page_set_has(const struct page_set *set, uint64_t phys);
uint64_t page_set_count(const struct page_set *set);

/*
 * page_set_each() - call @visit with the address of every page, in ascending order; an error
 * of its ends the iteration.
 */
struct error *page_set_each(const struct page_set *set,
			    struct error *(*visit)(void *arg, uint64_t phys), void *arg);

#endif
