// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * struct page: include/linux/mm_types.h, page-flags.h, mmzone.h; mm/page_alloc.c (free
 * blocks, per-CPU lists), mm/gup.c (pins).
 */
#include "walkers/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"
#include "target/page_set.h"

enum field {
	PAGE,
	PAGE_FLAGS,
	PAGE_REFCOUNT,
	PAGE_MAPPING,
	PAGE_PRIVATE,
	PAGE_TYPE,
	PAGE_LRU,
	PAGE_COMPOUND_HEAD, /* up to 7.0 */
	PAGE_COMPOUND_INFO, /* since 7.1 (fc3f334ce2b9) */
	PAGE_COMPOUND_DTOR, /* of the second page, up to 6.5 */
	PAGE_COMPOUND_ORDER,
	PAGE_PINCOUNT,	 /* 5.7 to 5.17: of the third page, order 2 and up */
	FOLIO_PINCOUNT,	 /* since 5.18, any order above 0 */
	PAGE_MEMCG_DATA, /* since 5.11 */
	PAGE_MEM_CGROUP, /* before */
	SPACE_HOST,	 /* address_space */
	INODE_NUMBER,
	SECTION,
	SECTION_MAP,
	SECTION_USAGE,
	USAGE_SUBSECTIONS,
	NODE_ZONES,
	ZONE,
	ZONE_PRESENT,
	ZONE_PCP,     /* since 5.14: struct per_cpu_pages */
	ZONE_PAGESET, /* before: struct per_cpu_pageset */
	PCP_LISTS,    /* of per_cpu_pages */
	PAGESET_PCP,  /* of per_cpu_pageset */
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[PAGE] = { "page", NULL, NULL },
	[PAGE_FLAGS] = { "page", "flags", NULL },
	[PAGE_REFCOUNT] = { "page", "_refcount", NULL },
	[PAGE_MAPPING] = { "page", "mapping", NULL },
	[PAGE_PRIVATE] = { "page", "private", NULL },
	[PAGE_TYPE] = { "page", "page_type", NULL },
	[PAGE_LRU] = { "page", "lru", NULL },
	[PAGE_COMPOUND_HEAD] = { "page", "compound_head", NULL },
	[PAGE_COMPOUND_INFO] = { "page", "compound_info", NULL },
	[PAGE_COMPOUND_DTOR] = { "page", "compound_dtor", NULL },
	[PAGE_COMPOUND_ORDER] = { "page", "compound_order", NULL },
	[PAGE_PINCOUNT] = { "page", "hpage_pinned_refcount", NULL },
	[FOLIO_PINCOUNT] = { "folio", "_pincount", NULL },
	[PAGE_MEMCG_DATA] = { "page", "memcg_data", NULL },
	[PAGE_MEM_CGROUP] = { "page", "mem_cgroup", NULL },
	[SPACE_HOST] = { "address_space", "host", NULL },
	[INODE_NUMBER] = { "inode", "i_ino", NULL },
	[SECTION] = { "mem_section", NULL, NULL },
	[SECTION_MAP] = { "mem_section", "section_mem_map", NULL },
	[SECTION_USAGE] = { "mem_section", "usage", NULL },
	[USAGE_SUBSECTIONS] = { "mem_section_usage", "subsection_map", NULL },
	[NODE_ZONES] = { "pglist_data", "node_zones", NULL },
	[ZONE] = { "zone", NULL, NULL },
	[ZONE_PRESENT] = { "zone", "present_pages", NULL },
	[ZONE_PCP] = { "zone", "per_cpu_pageset", NULL },
	[ZONE_PAGESET] = { "zone", "pageset", NULL },
	[PCP_LISTS] = { "per_cpu_pages", "lists", NULL },
	[PAGESET_PCP] = { "per_cpu_pageset", "pcp", NULL },
};

/* Page types: since 6.12 a number in the top byte, before a bit that is cleared. */
enum type {
	TYPE_BUDDY,
	TYPE_OFFLINE,
	TYPE_TABLE,
	TYPE_GUARD,
	TYPE_HUGETLB,
	TYPE_SLAB,
	TYPE_ZSMALLOC,
	TYPE_UNACCEPTED,
	TYPES,
};

static const struct {
	const char *name;  /* enum pagetype: PGTY_ since 6.12, PG_ in 6.11 */
	uint32_t state;	   /* enum page_state */
	uint32_t bit_5_10; /* macros: no debug information has them */
	uint32_t bit_5_11; /* since PG_kmemcg is gone, as is struct page.mem_cgroup */
} types[TYPES] = {
	[TYPE_BUDDY] = { "buddy", PAGE_FREE, 0x80, 0x80 },
	[TYPE_OFFLINE] = { "offline", PAGE_OFFLINE, 0x100, 0x100 },
	[TYPE_TABLE] = { "table", PAGE_TABLE, 0x400, 0x200 },
	[TYPE_GUARD] = { "guard", PAGE_GUARD, 0x800, 0x400 },
	[TYPE_HUGETLB] = { "hugetlb", PAGE_HUGETLB, 0, 0x800 },
	[TYPE_SLAB] = { "slab", PAGE_SLAB, 0, 0 },
	[TYPE_ZSMALLOC] = { "zsmalloc", PAGE_ZSMALLOC, 0, 0 },
	[TYPE_UNACCEPTED] = { "unaccepted", PAGE_UNACCEPTED, 0, 0 },
};

/* Flags of enum pageflags: their bit, or -1 where the kernel has none. */
enum flag {
	FLAG_HEAD,
	FLAG_RESERVED,
	FLAG_SLAB,
	FLAG_SWAPBACKED,
	FLAG_HWPOISON,
	FLAG_HUGETLB,
	FLAGS
};

static const char *const flag_names[FLAGS] = {
	[FLAG_HEAD] = "PG_head",	 [FLAG_RESERVED] = "PG_reserved",
	[FLAG_SLAB] = "PG_slab",	 [FLAG_SWAPBACKED] = "PG_swapbacked",
	[FLAG_HWPOISON] = "PG_hwpoison", [FLAG_HUGETLB] = "PG_hugetlb",
};

enum {
	STRUCT_PAGE_MAX = 256,
	ORDER_MAX = 24,	   /* 2^24 pages: more than any free block or compound page */
	BUDDY_ORDERS = 14, /* orders of free blocks: 0 to 10, to 13 on arm64 with 64 KiB pages */
	PIN_BIAS = 1024,   /* include/linux/mm.h: GUP_PIN_COUNTING_BIAS */
	SUBSECTION_LG2 = 21,
	PHYS_BITS_MAX = 52,
};

enum presence { ABSENT, PRESENT, NOT_KNOWN };

/* Of every struct page that is looked at these are used; of a second or third one, others, too. */
static const enum field page_fields[] = {
	PAGE_FLAGS,	    PAGE_REFCOUNT,	PAGE_MAPPING,	 PAGE_PRIVATE,	  PAGE_TYPE,
	PAGE_COMPOUND_HEAD, PAGE_COMPOUND_INFO, PAGE_MEMCG_DATA, PAGE_MEM_CGROUP,
};

enum { PAGE_FIELDS = sizeof(page_fields) / sizeof(page_fields[0]) };

struct pages {
	struct kernel *kernel;
	struct member members[FIELDS];
	struct part parts[PAGE_FIELDS]; /* where page_fields are; none: a length of 0 */
	unsigned int shift;
	uint32_t page_bytes;	  /* sizeof(struct page) */
	uint64_t vmemmap;	  /* where the struct page of pfn 0 is, or would be */
	uint64_t sections;	  /* mem_section, an array of pointers to roots; 0: not known */
	unsigned int section_lg2; /* log2 of the bytes of a section; 0: not known */
	int flags[FLAGS];
	uint32_t types[TYPES]; /* the number, or the bit; 0: none */
	uint32_t type_base;    /* cleared bits: what the type field has when it is one */
	bool type_numbers;
	int64_t hugetlb_dtor; /* -1: none */
	uint64_t zero;	      /* physical, of the zero page; UINT64_MAX: not known */
	uint64_t huge_zero;
	struct page_set *pcp;
	char warning[200];
	/* What was seen last: neighbours often ask the same. */
	uint64_t subsection;
	enum presence subsection_presence;
	uint64_t free_start, free_end;
	uint64_t mapping;
	uint64_t inode;
	bool has_inode;
};

/* The bytes of one struct page. */
struct raw_page {
	uint64_t address;
	unsigned char bytes[STRUCT_PAGE_MAX];
};

static uint64_t field_of(const struct pages *pages, const struct raw_page *raw, enum field field)
{
	const struct member *member = &pages->members[field];
	uint64_t value = 0; /* little-endian hosts and targets only */

	if (member->present && member->size <= sizeof(value) &&
	    (uint64_t)member->offset + member->size <= pages->page_bytes)
		memcpy(&value, raw->bytes + member->offset, member->size);
	return value;
}

static bool flag_of(const struct pages *pages, uint64_t flags, enum flag flag)
{
	return pages->flags[flag] >= 0 && flags >> pages->flags[flag] & 1;
}

static bool read_word(struct pages *pages, uint64_t address, uint64_t *ret)
{
	struct error *err = kernel_read(pages->kernel, address, ret, sizeof(*ret));
	const bool ok = !err;

	error_free(err);
	return ok;
}

static bool symbol_value(struct pages *pages, const char *name, uint64_t *ret)
{
	uint64_t address = 0;

	return kernel_symbol(pages->kernel, name, &address) && read_word(pages, address, ret);
}

static bool get(struct pages *pages, uint64_t base, enum field field, uint64_t *ret)
{
	struct error *err = kernel_get(pages->kernel, base, &pages->members[field], ret);
	const bool ok = !err;

	error_free(err);
	return ok;
}

/*
 * Nothing but zeros: never initialised (the mapcount of a page that nobody maps is -1, the
 * refcount of one that is mapped is not 0), or not among those that an extract holds.
 */
static bool is_blank(const struct pages *pages, const struct raw_page *raw)
{
	uint64_t any = 0;

	for (size_t i = 0; i < PAGE_FIELDS; i++)
		any |= field_of(pages, raw, page_fields[i]);
	return any == 0;
}

/* The fields of one struct page; false when it is not there. */
static bool load(struct pages *pages, uint64_t address, struct raw_page *ret)
{
	struct error *err = kernel_read_parts(pages->kernel, address, ret->bytes, pages->page_bytes,
					      pages->parts, PAGE_FIELDS);
	const bool ok = !err;

	error_free(err);
	ret->address = address;
	return ok && !is_blank(pages, ret);
}

static uint64_t address_of(const struct pages *pages, uint64_t pfn)
{
	return pages->vmemmap + pfn * pages->page_bytes;
}

bool page_phys(struct pages *pages, uint64_t address, uint64_t *ret)
{
	const uint64_t offset = address - pages->vmemmap;

	if (address < pages->vmemmap || offset % pages->page_bytes ||
	    offset / pages->page_bytes >> (PHYS_BITS_MAX - pages->shift))
		return false;
	*ret = offset / pages->page_bytes << pages->shift;
	return true;
}

/* --- is there a struct page: pfn_valid() of include/linux/mmzone.h ------------------- */

static enum presence find_subsection(struct pages *pages, uint64_t phys)
{
	const uint64_t section_bytes = pages->members[SECTION].size;
	const uint64_t per_root = (1ULL << pages->shift) / section_bytes;
	const uint64_t number = phys >> pages->section_lg2;
	const uint64_t within = phys & ((1ULL << pages->section_lg2) - 1);
	const uint64_t bit = within >> SUBSECTION_LG2;
	uint64_t root = 0;
	uint64_t map = 0;
	uint64_t usage = 0;
	enum { HAS_MEM_MAP = 1 << 1 };

	if (phys >> PHYS_BITS_MAX)
		return ABSENT;
	if (!read_word(pages, pages->sections + number / per_root * sizeof(root), &root))
		return NOT_KNOWN;
	if (root == 0)
		return ABSENT;
	root += number % per_root * section_bytes;
	if (!get(pages, root, SECTION_MAP, &map))
		return NOT_KNOWN;
	if (!(map & HAS_MEM_MAP))
		return ABSENT;
	if (!pages->members[USAGE_SUBSECTIONS].present || !get(pages, root, SECTION_USAGE, &usage))
		return PRESENT;
	if (!read_word(pages, usage + pages->members[USAGE_SUBSECTIONS].offset + bit / 64 * 8,
		       &map))
		return PRESENT;
	return map >> bit % 64 & 1 ? PRESENT : ABSENT;
}

static bool has_struct_page(struct pages *pages, uint64_t phys)
{
	const uint64_t subsection = phys >> SUBSECTION_LG2;

	if (subsection != pages->subsection) {
		pages->subsection = subsection;
		pages->subsection_presence = pages->sections ? find_subsection(pages, phys)
							     : NOT_KNOWN;
	}
	if (pages->subsection_presence == NOT_KNOWN) {
		uint64_t at = 0;

		return kernel_to_phys(pages->kernel, address_of(pages, phys >> pages->shift), &at);
	}
	return pages->subsection_presence == PRESENT;
}

/* --- what one struct page says ------------------------------------------------------- */

static bool is_type(const struct pages *pages, uint32_t value, enum type type)
{
	if (pages->types[type] == 0)
		return false;
	if (pages->type_numbers)
		return value >> 24 == pages->types[type];
	return (value & (pages->type_base | pages->types[type])) == pages->type_base;
}

/* The states that a page type stands for; 0 when it has none, as a mapped page. */
static uint32_t type_state(const struct pages *pages, const struct raw_page *raw)
{
	const uint32_t value = (uint32_t)field_of(pages, raw, PAGE_TYPE);

	for (enum type type = 0; type < TYPES; type++) {
		if (is_type(pages, value, type))
			return types[type].state;
	}
	return 0;
}

/*
 * The address of the compound page's head, of a tail; 0 when it is none. A mask is told from
 * an address by its value: the bits above a power of two are all ones (include/linux/
 * page-flags.h: compound_info_has_mask()); no struct page lies that close to the end of memory.
 */
static uint64_t head_of(const struct pages *pages, const struct raw_page *raw)
{
	const bool may_be_mask = pages->members[PAGE_COMPOUND_INFO].present;
	const uint64_t info =
		field_of(pages, raw, may_be_mask ? PAGE_COMPOUND_INFO : PAGE_COMPOUND_HEAD);
	const uint64_t value = info & ~1ULL;
	const uint64_t low = ~value + 1;

	if (!(info & 1))
		return 0;
	if (may_be_mask && (low & (low - 1)) == 0 && low >> 32 == 0)
		return raw->address & value;
	return value;
}

/* Whether @head can be the head of what @address is a tail of. */
static bool is_likely_head(const struct pages *pages, uint64_t head, uint64_t address)
{
	return head >= pages->vmemmap && head < address &&
	       (head - pages->vmemmap) % pages->page_bytes == 0 &&
	       (address - head) / pages->page_bytes < 1ULL << ORDER_MAX;
}

/*
 * Is the page in a free block whose first page says so? Only the first is marked, with the
 * order in `private` (mm/page_alloc.c: is_free_buddy_page()).
 */
static bool in_free_block(struct pages *pages, uint64_t pfn)
{
	if (pfn >= pages->free_start && pfn < pages->free_end)
		return true;
	for (unsigned int order = 0; order < BUDDY_ORDERS; order++) {
		const uint64_t first = pfn & ~0ULL << order;
		struct raw_page raw;

		if ((order && first == (pfn & ~0ULL << (order - 1))) ||
		    !has_struct_page(pages, first << pages->shift) ||
		    !load(pages, address_of(pages, first), &raw))
			continue;
		const uint64_t size = field_of(pages, &raw, PAGE_PRIVATE);
		if (size >= order && size < ORDER_MAX &&
		    is_type(pages, (uint32_t)field_of(pages, &raw, PAGE_TYPE), TYPE_BUDDY)) {
			pages->free_start = first;
			pages->free_end = first + (1ULL << size);
			return true;
		}
	}
	return false;
}

/* A page of @head with no page type: hugetlb by the ways of before 6.9. */
static bool is_old_hugetlb(struct pages *pages, uint64_t head)
{
	const uint64_t second = head + pages->page_bytes;
	uint64_t value = 0;

	if (pages->types[TYPE_HUGETLB] && pages->type_numbers)
		return false;
	if (pages->members[PAGE_COMPOUND_DTOR].present && pages->hugetlb_dtor >= 0)
		return get(pages, second, PAGE_COMPOUND_DTOR, &value) &&
		       value == (uint64_t)pages->hugetlb_dtor;
	return get(pages, second, PAGE_FLAGS, &value) && flag_of(pages, value, FLAG_HUGETLB);
}

/* Do pins count in a number of their own, and is it above zero? -1: they do not. */
static int has_pin_count(struct pages *pages, uint64_t head)
{
	uint32_t count = 0;
	uint64_t address = 0;
	uint64_t order = 0;

	if (pages->members[FOLIO_PINCOUNT].present) {
		address = head + pages->members[FOLIO_PINCOUNT].offset;
	} else if (pages->members[PAGE_PINCOUNT].present &&
		   get(pages, head + pages->page_bytes, PAGE_COMPOUND_ORDER, &order) && order > 1) {
		address = head + 2ULL * pages->page_bytes + pages->members[PAGE_PINCOUNT].offset;
	}
	struct error *err = address ? kernel_read(pages->kernel, address, &count, sizeof(count))
				    : NULL;
	const bool failed = err != NULL;
	error_free(err);
	return !address || failed ? -1 : (int32_t)count > 0;
}

static bool is_pinned(struct pages *pages, const struct page_info *info)
{
	const int counted = info->state & PAGE_COMPOUND ? has_pin_count(pages, info->head) : -1;

	return counted >= 0 ? counted : (int32_t)info->refcount >= PIN_BIAS;
}

/* The inode number of a page-cache page; a mapping without a host has none. */
static void look_up_inode(struct pages *pages, uint64_t mapping, struct page_info *info)
{
	if (mapping != pages->mapping) {
		uint64_t host = 0;

		pages->mapping = mapping;
		pages->has_inode = get(pages, mapping, SPACE_HOST, &host) && host &&
				   get(pages, host, INODE_NUMBER, &pages->inode);
	}
	if (pages->has_inode) {
		info->state |= PAGE_INODE;
		info->inode = pages->inode;
	}
}

/*
 * page->mapping: bit 0 anonymous, both bits KSM, bit 1 alone a movable page of a driver; none:
 * an address_space. Poison of a list or a tail page is no kernel address.
 */
static void look_at_mapping(struct pages *pages, uint64_t mapping, struct page_info *info)
{
	enum { ANON = 1, MOVABLE = 2, KSM = 3 };

	if (mapping & ANON)
		info->state |= (mapping & KSM) == KSM ? PAGE_ANON | PAGE_KSM : PAGE_ANON;
	if ((mapping & KSM) || mapping >> 56 != 0xff)
		return;
	info->state |= PAGE_FILE;
	look_up_inode(pages, mapping, info);
}

static bool is_zero_page(const struct pages *pages, uint64_t phys)
{
	enum { HUGE_LG2 = 21 };

	return phys >> pages->shift == pages->zero >> pages->shift ||
	       phys >> HUGE_LG2 == pages->huge_zero >> HUGE_LG2;
}

/* Of an allocated page that is no slab and has no type: who owns it. */
static void look_at_owner(struct pages *pages, uint64_t phys, const struct raw_page *head,
			  struct page_info *info)
{
	const uint64_t flags = field_of(pages, head, PAGE_FLAGS);

	if ((info->state & PAGE_COMPOUND) && is_old_hugetlb(pages, info->head))
		info->state |= PAGE_HUGETLB;
	if (is_zero_page(pages, phys))
		info->state |= PAGE_ZERO;
	else
		look_at_mapping(pages, field_of(pages, head, PAGE_MAPPING), info);
	if ((info->state & (PAGE_ANON | PAGE_FILE)) && flag_of(pages, flags, FLAG_SWAPBACKED))
		info->state |= PAGE_SWAPBACKED;
	if (!(info->state & (PAGE_ZERO | PAGE_RESERVED)) && is_pinned(pages, info))
		info->state |= PAGE_PINNED;
}

static void look_at_memcg(struct pages *pages, const struct raw_page *head, struct page_info *info)
{
	/* Of a slab it holds the owners of its objects instead. */
	if (info->state & (PAGE_SLAB | PAGE_FREE))
		return;
	info->memcg = field_of(pages, head,
			       pages->members[PAGE_MEMCG_DATA].present ? PAGE_MEMCG_DATA
								       : PAGE_MEM_CGROUP);
	if (info->memcg)
		info->state |= PAGE_MEMCG;
}

/* @raw is the page's own, @head that of its compound page, or the same. */
static void decode(struct pages *pages, uint64_t phys, const struct raw_page *raw,
		   const struct raw_page *head, struct page_info *info)
{
	const uint64_t flags = field_of(pages, raw, PAGE_FLAGS);
	const uint64_t head_flags = field_of(pages, head, PAGE_FLAGS);
	enum { OWNED = PAGE_ANON | PAGE_FILE | PAGE_HUGETLB | PAGE_RESERVED | PAGE_ZERO };

	info->head = head->address;
	info->refcount = (uint32_t)field_of(pages, head, PAGE_REFCOUNT);
	if (head != raw || flag_of(pages, head_flags, FLAG_HEAD))
		info->state |= PAGE_COMPOUND;
	if (flag_of(pages, flags, FLAG_RESERVED))
		info->state |= PAGE_RESERVED;
	if (flag_of(pages, flags, FLAG_HWPOISON))
		info->state |= PAGE_HWPOISON;
	const uint32_t type = flag_of(pages, head_flags, FLAG_SLAB) ? (uint32_t)PAGE_SLAB
								    : type_state(pages, head);
	info->state |= type;
	if (type == 0 && page_set_has(pages->pcp, phys >> pages->shift << pages->shift))
		info->state |= PAGE_FREE | PAGE_PCP;
	else if (type == 0 && head == raw && info->refcount == 0 &&
		 in_free_block(pages, phys >> pages->shift))
		info->state |= PAGE_FREE;
	else if (type == 0 || type == PAGE_HUGETLB)
		look_at_owner(pages, phys, head, info);
	look_at_memcg(pages, head, info);
	if (!(type | (info->state & (PAGE_FREE | OWNED))))
		info->state |= PAGE_KERNEL;
}

void page_look(struct pages *pages, uint64_t phys, struct page_info *ret)
{
	struct raw_page raw;
	struct raw_page head;

	*ret = (struct page_info){ 0 };
	if (!has_struct_page(pages, phys)) {
		ret->state = PAGE_MMIO;
		return;
	}
	ret->address = address_of(pages, phys >> pages->shift);
	ret->head = ret->address;
	if (!load(pages, ret->address, &raw)) {
		ret->state = PAGE_UNKNOWN;
		return;
	}
	const uint64_t head_address = head_of(pages, &raw);
	if (head_address == 0) {
		decode(pages, phys, &raw, &raw, ret);
	} else if (is_likely_head(pages, head_address, ret->address) &&
		   load(pages, head_address, &head)) {
		decode(pages, phys, &raw, &head, ret);
	} else {
		ret->state = PAGE_UNKNOWN;
	}
}

void pages_look_at_sections(struct pages *pages)
{
	uint64_t end = 0;

	if (!pages->sections || !symbol_value(pages, "max_pfn", &end) ||
	    end >> (PHYS_BITS_MAX - pages->shift))
		return;
	for (uint64_t phys = 0; phys < end << pages->shift; phys += 1ULL << SUBSECTION_LG2)
		has_struct_page(pages, phys);
}

bool page_same_state(const struct page_info *a, const struct page_info *b)
{
	return a->state == b->state && (!(a->state & PAGE_INODE) || a->inode == b->inode);
}

uint64_t page_look_run(struct pages *pages, uint64_t phys, uint64_t last, struct page_info *ret)
{
	const uint64_t mask = (1ULL << pages->shift) - 1;
	uint64_t at = phys | mask;

	page_look(pages, phys, ret);
	while (at < last) {
		struct page_info next;

		page_look(pages, at + 1, &next);
		if (!page_same_state(ret, &next))
			break;
		at += mask + 1;
	}
	return (at < last ? at : last) - phys + 1;
}

void page_state_text(const struct page_info *info, char text[PAGE_STATE_TEXT])
{
	static const char *const names[] = {
		"anon",	    "compound",	  "file",    "free",	 "guard",    "hugetlb",
		"hwpoison", "ino=",	  "kernel",  "ksm",	 "memcg",    "mmio",
		"offline",  "pcp",	  "pinned",  "reserved", "slab",     "swapbacked",
		"table",    "unaccepted", "unknown", "zero",	 "zsmalloc",
	};
	int used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(info->state >> i & 1))
			continue;
		used += snprintf(text + used, PAGE_STATE_TEXT - (size_t)used, "%s%s",
				 used ? "|" : "", names[i]);
		if (1U << i == PAGE_INODE)
			used += snprintf(text + used, PAGE_STATE_TEXT - (size_t)used, "%" PRIu64,
					 info->inode);
	}
}

/* --- per-CPU lists of free pages: struct per_cpu_pages of include/linux/mmzone.h ------ */

/*
 * Lists are by migrate type and, since 5.14, order: orders 0 to 3, then huge pages
 * (mm/page_alloc.c: order_to_pindex()).
 */
static unsigned int order_of_list(unsigned int index, unsigned int types_per_order)
{
	enum { COSTLY_ORDER = 3, HUGE_LG2 = 9 };
	const unsigned int order = types_per_order ? index / types_per_order : 0;

	return order <= COSTLY_ORDER ? order : HUGE_LG2;
}

static struct error *add_free_pages(struct pages *pages, uint64_t node, unsigned int order)
{
	struct error *err = NULL;
	uint64_t phys = 0;
	bool added = false;

	if (!page_phys(pages, node - pages->members[PAGE_LRU].offset, &phys))
		return error_new("0x%" PRIx64 " is no struct page", node);
	for (uint64_t i = 0; i < 1ULL << order && !err; i++)
		err = page_set_add(pages->pcp, phys + (i << pages->shift), &added);
	return err;
}

static struct error *read_list(struct pages *pages, uint64_t head, unsigned int order)
{
	struct list_cursor cursor = list_begin(head);
	struct error *err = NULL;

	while (!err && list_next(pages->kernel, &cursor))
		err = add_free_pages(pages, cursor.node, order);
	if (!err)
		err = cursor.error;
	return err;
}

struct pcp_layout {
	enum field zone_field;
	uint32_t lists_offset;
	unsigned int list_count;
	unsigned int types_per_order;
	uint32_t cpus;
	uint64_t per_cpu_offset;
};

static struct error *read_zone(struct pages *pages, const struct pcp_layout *layout, uint64_t zone)
{
	enum { LIST_HEAD = 16 };
	uint64_t present = 0;
	uint64_t pcp = 0;
	struct error *err =
		kernel_get(pages->kernel, zone, &pages->members[ZONE_PRESENT], &present);

	if (!err)
		err = kernel_get(pages->kernel, zone, &pages->members[layout->zone_field], &pcp);
	if (present == 0)
		return err;
	for (uint32_t cpu = 0; cpu < layout->cpus && !err; cpu++) {
		uint64_t base = 0;

		err = kernel_read(pages->kernel, layout->per_cpu_offset + cpu * sizeof(base), &base,
				  sizeof(base));
		for (unsigned int i = 0; i < layout->list_count && !err; i++)
			err = read_list(pages,
					base + pcp + layout->lists_offset + (uint64_t)i * LIST_HEAD,
					order_of_list(i, layout->types_per_order));
	}
	return err;
}

static struct error *read_node(struct pages *pages, const struct pcp_layout *layout, uint64_t node)
{
	const struct member *zones = &pages->members[NODE_ZONES];
	const uint32_t size = pages->members[ZONE].size;
	struct error *err = NULL;

	for (uint32_t i = 0; i < zones->size / size && !err; i++)
		err = read_zone(pages, layout, node + zones->offset + (uint64_t)i * size);
	return err;
}

/* A count that the kernel keeps in a variable, sane or 1. */
static uint32_t read_count(struct pages *pages, const char *name, uint32_t max)
{
	uint64_t address = 0;
	uint32_t count = 1;

	if (kernel_symbol(pages->kernel, name, &address))
		error_free(kernel_read(pages->kernel, address, &count, sizeof(count)));
	return count == 0 || count > max ? 1 : count;
}

static struct error *find_pcp_layout(struct pages *pages, struct pcp_layout *layout)
{
	/* There are 6 zones at most and some 14 lists; sizes may be damaged. */
	enum { CPUS_MAX = 8192, LIST_HEAD = 16, LISTS_MAX = 64, ZONES_MAX = 16 };
	const struct member *members = pages->members;
	const bool since_5_14 = members[ZONE_PCP].present;
	int64_t types_per_order = 0;
	bool found = false;

	if (!members[PCP_LISTS].present || !members[NODE_ZONES].present || !members[ZONE].size ||
	    members[PCP_LISTS].size > LISTS_MAX * LIST_HEAD ||
	    members[NODE_ZONES].size / members[ZONE].size > ZONES_MAX ||
	    (!since_5_14 && !members[ZONE_PAGESET].present) ||
	    !kernel_symbol(pages->kernel, "__per_cpu_offset", &layout->per_cpu_offset))
		return error_new("their layout is not known");
	struct error *err = kernel_enumerator(pages->kernel, "migratetype", "MIGRATE_PCPTYPES",
					      &found, &types_per_order);
	layout->zone_field = since_5_14 ? ZONE_PCP : ZONE_PAGESET;
	layout->lists_offset =
		members[PCP_LISTS].offset + (since_5_14 ? 0 : members[PAGESET_PCP].offset);
	layout->list_count = members[PCP_LISTS].size / LIST_HEAD;
	layout->types_per_order = found ? (unsigned int)types_per_order : 0;
	layout->cpus = read_count(pages, "nr_cpu_ids", CPUS_MAX);
	return err;
}

static struct error *read_pcp_lists(struct pages *pages)
{
	enum { NODES_MAX = 1024 };
	struct pcp_layout layout = { 0 };
	uint64_t address = 0;
	struct error *err = find_pcp_layout(pages, &layout);

	if (err)
		return err;
	if (kernel_symbol(pages->kernel, "contig_page_data", &address))
		return read_node(pages, &layout, address);
	if (!kernel_symbol(pages->kernel, "node_data", &address))
		return error_new("there is no symbol node_data");
	const uint32_t nodes = read_count(pages, "nr_node_ids", NODES_MAX);
	for (uint32_t i = 0; i < nodes && !err; i++) {
		uint64_t node = 0;

		err = kernel_read(pages->kernel, address + i * sizeof(node), &node, sizeof(node));
		if (!err && node)
			err = read_node(pages, &layout, node);
	}
	return err;
}

/* --- layouts ------------------------------------------------------------------------ */

static struct error *find_flags(struct pages *pages)
{
	struct error *err = NULL;

	for (enum flag flag = 0; flag < FLAGS && !err; flag++) {
		int64_t bit = 0;
		bool found = false;

		err = kernel_enumerator(pages->kernel, "pageflags", flag_names[flag], &found, &bit);
		pages->flags[flag] = found && bit >= 0 && bit < 64 ? (int)bit : -1;
	}
	return err;
}

/* A page type by its enumerator; *found false where the kernel has none. */
static struct error *find_type(struct pages *pages, const char *prefix, enum type type, bool *found)
{
	char name[64];
	int64_t value = 0;

	snprintf(name, sizeof(name), "%s%s", prefix, types[type].name);
	struct error *err = kernel_enumerator(pages->kernel, "pagetype", name, found, &value);
	if (*found)
		pages->types[type] = (uint32_t)value;
	return err;
}

static struct error *find_types(struct pages *pages)
{
	bool numbers = false;
	bool bits = false;
	bool found = false;
	struct error *err = find_type(pages, "PGTY_", TYPE_BUDDY, &numbers);

	if (!err && !numbers)
		err = find_type(pages, "PG_", TYPE_BUDDY, &bits);
	for (enum type type = TYPE_BUDDY + 1; type < TYPES && !err && (numbers || bits); type++)
		err = find_type(pages, numbers ? "PGTY_" : "PG_", type, &found);
	pages->type_numbers = numbers;
	/* 6.11: PAGE_TYPE_BASE 0x80000000; before: 0xf0000000. */
	pages->type_base = bits ? 0x80000000 : 0xf0000000;
	for (enum type type = 0; type < TYPES && !numbers && !bits; type++)
		pages->types[type] = pages->members[PAGE_MEM_CGROUP].present ? types[type].bit_5_10
									     : types[type].bit_5_11;
	/* Up to 6.8 no page type says hugetlb, and its later bit is not another's. */
	return err;
}

/*
 * Where the array of struct pages begins. x86-64: a variable, since KASLR moves it
 * (arch/x86/mm/init_64.c), or else what include/asm/pgtable_64_types.h says for 4 levels.
 * arm64 (arch/arm64/include/asm/memory.h): a constant, less what lies below the start of RAM.
 */
static bool find_vmemmap(struct pages *pages)
{
	struct memory *memory = kernel_memory(pages->kernel);
	const char *info = memory->vmcoreinfo;
	uint64_t start = 0;
	int64_t phys_offset = 0;

	if (memory->arch != ARCH_AARCH64) {
		if (!symbol_value(pages, "vmemmap_base", &pages->vmemmap))
			pages->vmemmap = 0xffffea0000000000;
		return true;
	}
	/* VMCOREINFO prints it with %lx, and 0x in front. */
	if (!info || !vmcoreinfo_hex(info, "NUMBER(VMEMMAP_START)", &start))
		return false;
	if (!symbol_value(pages, "memstart_addr", (uint64_t *)&phys_offset) &&
	    !vmcoreinfo_number(info, "NUMBER(PHYS_OFFSET)", &phys_offset))
		return false;
	pages->vmemmap = start - (uint64_t)(phys_offset >> pages->shift) * pages->page_bytes;
	return true;
}

static void find_sections(struct pages *pages)
{
	const struct memory *memory = kernel_memory(pages->kernel);
	int64_t bits = memory->arch == ARCH_AARCH64 ? 0 : 27; /* arch/x86/include/asm/sparsemem.h */
	enum { SECTION_LG2_MIN = SUBSECTION_LG2, SECTION_LG2_MAX = 40 };

	if (memory->vmcoreinfo)
		vmcoreinfo_number(memory->vmcoreinfo, "NUMBER(SECTION_SIZE_BITS)", &bits);
	if (bits < SECTION_LG2_MIN || bits > SECTION_LG2_MAX || !pages->members[SECTION].size ||
	    pages->members[SECTION].size > 1U << pages->shift ||
	    !symbol_value(pages, "mem_section", &pages->sections))
		pages->sections = 0;
	pages->section_lg2 = (unsigned int)bits;
}

static void find_page_size(struct pages *pages)
{
	const char *info = kernel_memory(pages->kernel)->vmcoreinfo;
	int64_t bytes = 0;

	pages->shift = 12;
	if (info && vmcoreinfo_number(info, "PAGESIZE", &bytes) &&
	    (bytes == 16384 || bytes == 65536))
		pages->shift = bytes == 16384 ? 14 : 16;
}

static void find_zero_pages(struct pages *pages)
{
	uint64_t address = 0;
	uint64_t pfn = 0;

	pages->zero = UINT64_MAX;
	pages->huge_zero = UINT64_MAX;
	if (kernel_symbol(pages->kernel, "empty_zero_page", &address) &&
	    !kernel_to_phys(pages->kernel, address, &pages->zero))
		pages->zero = UINT64_MAX;
	if (symbol_value(pages, "huge_zero_pfn", &pfn) && pfn < UINT64_MAX >> pages->shift)
		pages->huge_zero = pfn << pages->shift;
}

static struct error *find_layout(struct pages *pages)
{
	static const enum field needed[] = { PAGE,	   PAGE_FLAGS, PAGE_REFCOUNT, PAGE_MAPPING,
					     PAGE_PRIVATE, PAGE_TYPE,  PAGE_LRU };
	bool found = false;
	struct error *err = kernel_resolve(pages->kernel, fields, pages->members, FIELDS);

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) && !err; i++) {
		if (!pages->members[needed[i]].present)
			err = error_new("this kernel's struct page has no member %s: page states "
					"are not known",
					fields[needed[i]].member ? fields[needed[i]].member : "");
	}
	pages->page_bytes = pages->members[PAGE].size;
	if (!err && (pages->page_bytes < 32 || pages->page_bytes > STRUCT_PAGE_MAX))
		err = error_new("struct page of %u bytes: page states are not known",
				pages->page_bytes);
	for (size_t i = 0; i < PAGE_FIELDS; i++) {
		const struct member *member = &pages->members[page_fields[i]];

		if (member->present && member->size <= sizeof(uint64_t))
			pages->parts[i] = (struct part){ member->offset, member->size };
	}
	if (!err)
		err = find_flags(pages);
	if (!err)
		err = find_types(pages);
	if (!err)
		err = kernel_enumerator(pages->kernel, "compound_dtor_id", "HUGETLB_PAGE_DTOR",
					&found, &pages->hugetlb_dtor);
	if (!found)
		pages->hugetlb_dtor = -1;
	return err;
}

struct error *pages_create(struct kernel *kernel, struct pages **ret)
{
	struct pages *pages = calloc(1, sizeof(*pages));

	if (!pages)
		return error_no_memory();
	pages->kernel = kernel;
	pages->subsection = UINT64_MAX;
	pages->mapping = UINT64_MAX;
	find_page_size(pages);
	struct error *err = page_set_create(&pages->pcp);
	if (!err)
		err = find_layout(pages);
	if (!err && !find_vmemmap(pages))
		err = error_new(
			"it is not known where the kernel's struct pages are (VMCOREINFO has "
			"no VMEMMAP_START): page states are not known");
	if (err) {
		pages_destroy(pages);
		return err;
	}
	find_sections(pages);
	find_zero_pages(pages);
	struct error *warning = read_pcp_lists(pages);
	/* Of a live kernel they change all the time: what a page is used for is a snapshot anyway.
	 */
	for (int tries = 0; warning && tries < 8 && kernel_memory(kernel)->live; tries++) {
		error_free(warning);
		kernel_forget_pages(kernel);
		warning = read_pcp_lists(pages);
	}
	if (warning)
		snprintf(
			pages->warning, sizeof(pages->warning),
			"per-CPU lists of free pages cannot be read, such pages show as kernel: %s",
			warning->message);
	error_free(warning);
	*ret = pages;
	return NULL;
}

void pages_destroy(struct pages *pages)
{
	if (!pages)
		return;
	page_set_destroy(pages->pcp);
	free(pages);
}

const char *pages_warning(const struct pages *pages)
{
	return pages->warning[0] ? pages->warning : NULL;
}

unsigned int pages_shift(const struct pages *pages)
{
	return pages->shift;
}
