/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the kernel says a page of memory is used for: its struct page.
 *
 * A struct pages belongs to one kernel, which must outlive it; not thread-safe. It reads
 * the struct page asked for and little else (the head of its compound page, of its
 * free block; mem_section; the inode of a file), through the kernel's cache of
 * pages: ask in ascending addresses. What is read under extract is recorded as any read is.
 *
 * Layouts are told apart by the enumerators and members that exist. The encodings:
 *
 *	page type	up to 6.10 the type's bit is *cleared* in all ones; 6.11 the same
 *			with other bits; since 6.12 the top byte is the type (enum pagetype)
 *	slab		PG_slab up to 6.11, a page type since
 *	hugetlb		compound_dtor of the second page up to 6.5, PG_hugetlb in its flags up to
 *			6.8, a page type since
 *	tail page	compound_head is the head's address | 1 up to 7.0; since 7.1 compound_info
 *			is that, or a mask of the tail's own address
 */
#ifndef IOMMUPT_PAGES_H
#define IOMMUPT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct kernel;
struct pages;

/* One bit a token of `page_state`, in alphabetical order. */
enum page_state {
	PAGE_ANON = 1 << 0,
	PAGE_COMPOUND = 1 << 1, /* part of a larger page, head or tail */
	PAGE_FILE = 1 << 2,	/* of the page cache or shared memory */
	PAGE_FREE = 1 << 3,	/* in a free block of the buddy allocator, or with PAGE_PCP */
	PAGE_GUARD = 1 << 4,
	PAGE_HUGETLB = 1 << 5,
	PAGE_HWPOISON = 1 << 6,
	PAGE_INODE = 1 << 7, /* page_info.inode is valid: ino=N */
	PAGE_KERNEL =
		1 << 8, /* allocated, and nothing else is known: the kernel's own or a driver's */
	PAGE_KSM = 1 << 9,
	PAGE_MEMCG = 1 << 10, /* charged to a memory cgroup */
	PAGE_MMIO = 1 << 11,  /* no struct page: no memory there */
	PAGE_OFFLINE = 1 << 12,
	PAGE_PCP = 1 << 13, /* free, on a per-CPU list */
	/* Estimate: a reference count (of a large page, a pin count) as pin_user_pages() makes it.
	 */
	PAGE_PINNED = 1 << 14,
	PAGE_RESERVED = 1 << 15,
	PAGE_SLAB = 1 << 16,
	PAGE_SWAPBACKED = 1 << 17,
	PAGE_TABLE = 1 << 18, /* a page table of a process; a caller that knows of others adds it */
	PAGE_UNACCEPTED = 1 << 19,
	PAGE_UNKNOWN = 1 << 20, /* the struct page is not in the dump, or makes no sense */
	PAGE_ZERO = 1 << 21,	/* the zero page, or the huge zero page */
	PAGE_ZSMALLOC = 1 << 22,
};

struct page_info {
	uint32_t state;	   /* enum page_state */
	uint32_t refcount; /* of the head */
	uint64_t address;  /* kernel address of the struct page; 0 with PAGE_MMIO */
	uint64_t head;	   /* kernel address of the compound page's head, else `address` */
	uint64_t inode;	   /* i_ino, with PAGE_INODE */
	uint64_t memcg;	   /* memcg_data, or up to 5.10 mem_cgroup, as it is stored; 0: none */
};

/*
 * pages_create() - find the struct pages of @kernel and its per-CPU lists of free pages. An
 * error says what is not known of this kernel; pages_warning() what could not be read (NULL:
 * nothing), in one line that belongs to the pages.
 */
struct error *pages_create(struct kernel *kernel, struct pages **ret);
void pages_destroy(struct pages *pages);
const char *pages_warning(const struct pages *pages);

/* pages_shift() - log2 of the kernel's page size. */
unsigned int pages_shift(const struct pages *pages);

/* pages_look_at_sections() - for an extract: all that says where there are struct pages. */
void pages_look_at_sections(struct pages *pages);

/* page_look() - what the page that holds @phys is used for. Never fails: PAGE_UNKNOWN. */
void page_look(struct pages *pages, uint64_t phys, struct page_info *ret);

/*
 * page_look_run() - the same, and for how many bytes from @phys on, up to @last (inclusive), the
 * state is that: at least to the end of the page or @last.
 */
uint64_t page_look_run(struct pages *pages, uint64_t phys, uint64_t last, struct page_info *ret);

/* page_phys() - the physical address whose struct page is at @address; false if it is none. */
bool page_phys(struct pages *pages, uint64_t address, uint64_t *ret);

/* page_same_state() - would both be written the same? */
bool page_same_state(const struct page_info *a, const struct page_info *b);

enum { PAGE_STATE_TEXT = 256 };

/* page_state_text() - tokens joined by '|', sorted; @text has room for PAGE_STATE_TEXT. */
void page_state_text(const struct page_info *info, char text[PAGE_STATE_TEXT]);

#endif
