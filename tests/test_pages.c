// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Page states, from struct pages written by hand: one table of pages a kernel, in the words of
 * include/linux/mm_types.h of that kernel, with what each has to be beside it.
 *
 * The kernel around them is a small one: its memory, symbols and types are this file's.
 */
#include "tests/tests.h"

#include <stdlib.h>
#include <string.h>

#include "target/kernel.h"
#include "tests/fake_memory.h"
#include "walkers/pages.h"

#define VMEMMAP 0xffffea0000000000ULL
#define DIRECT 0xffff888000000000ULL /* physical 0 */
#define IMAGE 0xffffffff80000000ULL
#define VMEMMAP_PHYS 0x1000000000ULL
#define IMAGE_PHYS 0x2000000000ULL

enum { STRUCT_PAGE = 64, SECTION_STRUCT = 32 };

/* --- a kernel ------------------------------------------------------------------------ */

static bool fake_to_phys(struct virtual_memory *self, struct memory *memory, uint64_t address,
			 uint64_t *ret)
{
	(void)self;
	(void)memory;
	if (address >= IMAGE)
		*ret = IMAGE_PHYS + (address - IMAGE);
	else if (address >= VMEMMAP)
		*ret = VMEMMAP_PHYS + (address - VMEMMAP);
	else if (address >= DIRECT)
		*ret = address - DIRECT;
	else
		return false;
	return true;
}

static enum block_status fake_read_page(struct virtual_memory *self, struct memory *memory,
					uint64_t address, void *data)
{
	uint64_t phys = 0;

	if (!fake_to_phys(self, memory, address, &phys))
		return BLOCK_OUTSIDE;
	return memory_read(memory, phys, data, FAKE_PAGE);
}

static void keep(struct virtual_memory *self)
{
	(void)self;
}

static struct virtual_memory fake_virtual_memory = { fake_read_page, fake_to_phys, keep };

static const struct {
	const char *name;
	uint64_t address;
} symbol_rows[] = {
	{ "vmemmap_base", IMAGE + 0x100 },     { "mem_section", IMAGE + 0x108 },
	{ "empty_zero_page", IMAGE + 0x3000 }, { "huge_zero_pfn", IMAGE + 0x110 },
	{ "node_data", IMAGE + 0x118 },	       { "nr_node_ids", IMAGE + 0x120 },
	{ "nr_cpu_ids", IMAGE + 0x128 },       { "__per_cpu_offset", IMAGE + 0x130 },
};

static size_t fake_symbol(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max)
{
	(void)symbols;
	for (size_t i = 0; i < sizeof(symbol_rows) / sizeof(symbol_rows[0]); i++) {
		if (strcmp(symbol_rows[i].name, name) == 0 && max) {
			addrs[0] = symbol_rows[i].address;
			return 1;
		}
	}
	return 0;
}

static void keep_symbols(struct symbols *symbols)
{
	(void)symbols;
}

static const struct symbols_ops fake_symbols_ops = { "fake", fake_symbol, keep_symbols };
static struct symbols fake_symbols = { .ops = &fake_symbols_ops };

struct member_row {
	const char *type, *member;
	uint32_t offset, size;
};

struct value_row {
	const char *tag, *name;
	int64_t value;
};

struct layout {
	const char *name;
	const struct member_row *members; /* besides those of every kernel; NULL ends */
	const struct value_row *values;	  /* NULL ends */
};

static const struct member_row common_members[] = {
	{ "page", NULL, 0, STRUCT_PAGE },
	{ "page", "flags", 0, 8 },
	{ "page", "lru", 8, 16 },
	{ "page", "mapping", 24, 8 },
	{ "page", "private", 40, 8 },
	{ "page", "page_type", 48, 4 },
	{ "page", "_refcount", 52, 4 },
	{ "address_space", "host", 0, 8 },
	{ "inode", "i_ino", 64, 8 },
	{ "mem_section", NULL, 0, SECTION_STRUCT },
	{ "mem_section", "section_mem_map", 0, 8 },
	{ "mem_section", "usage", 8, 8 },
	{ "mem_section_usage", "subsection_map", 16, 8 },
	{ "pglist_data", "node_zones", 0, 256 },
	{ "zone", NULL, 0, 128 },
	{ "zone", "present_pages", 8, 8 },
	{ "per_cpu_pages", "lists", 32, 13 * 16 },
	{ NULL, NULL, 0, 0 },
};

static const struct layout *layout_now;

static bool find_row(const struct member_row *rows, const struct type_query *query,
		     struct member *ret)
{
	for (; rows->type; rows++) {
		if (strcmp(rows->type, query->type) != 0 || !rows->member != !query->member ||
		    (rows->member && strcmp(rows->member, query->member) != 0))
			continue;
		*ret = (struct member){ .present = true,
					.offset = rows->offset,
					.size = rows->size };
		return true;
	}
	return false;
}

static struct error *fake_member(struct types *types, const struct type_query *query,
				 struct member *ret)
{
	(void)types;
	*ret = (struct member){ 0 };
	if (!find_row(common_members, query, ret))
		find_row(layout_now->members, query, ret);
	return NULL;
}

static struct error *fake_enumerator(struct types *types, const char *tag, const char *name,
				     bool *found, int64_t *ret)
{
	(void)types;
	*found = false;
	for (const struct value_row *row = layout_now->values; row->tag; row++) {
		if (strcmp(row->tag, tag) == 0 && strcmp(row->name, name) == 0) {
			*found = true;
			*ret = row->value;
		}
	}
	return NULL;
}

static void keep_types(struct types *types)
{
	(void)types;
}

static const struct types_ops fake_types_ops = { "fake", fake_member, fake_enumerator, keep_types };
static struct types fake_types = { .ops = &fake_types_ops };

/* --- layouts: Debian's kernels ------------------------------------------------------- */

static const struct member_row members_5_10[] = {
	{ "page", "compound_head", 8, 8 },    { "page", "compound_dtor", 16, 1 },
	{ "page", "compound_order", 17, 1 },  { "page", "hpage_pinned_refcount", 16, 4 },
	{ "page", "mem_cgroup", 56, 8 },      { "zone", "pageset", 16, 8 },
	{ "per_cpu_pageset", "pcp", 0, 256 }, { NULL, NULL, 0, 0 },
};

static const struct value_row values_5_10[] = {
	{ "pageflags", "PG_slab", 9 },
	{ "pageflags", "PG_reserved", 12 },
	{ "pageflags", "PG_head", 16 },
	{ "pageflags", "PG_swapbacked", 19 },
	{ "pageflags", "PG_hwpoison", 23 },
	{ "compound_dtor_id", "HUGETLB_PAGE_DTOR", 2 },
	{ "migratetype", "MIGRATE_PCPTYPES", 3 },
	{ NULL, NULL, 0 },
};

static const struct member_row members_6_1[] = {
	{ "page", "compound_head", 8, 8 },
	{ "page", "compound_dtor", 16, 1 },
	{ "page", "compound_order", 17, 1 },
	{ "folio", "_pincount", 88, 4 },
	{ "page", "memcg_data", 56, 8 },
	{ "zone", "per_cpu_pageset", 16, 8 },
	{ NULL, NULL, 0, 0 },
};

static const struct member_row members_6_12[] = {
	{ "page", "compound_head", 8, 8 },
	{ "folio", "_pincount", 92, 4 },
	{ "page", "memcg_data", 56, 8 },
	{ "zone", "per_cpu_pageset", 16, 8 },
	{ NULL, NULL, 0, 0 },
};

static const struct value_row values_6_12[] = {
	{ "pageflags", "PG_reserved", 13 },	  { "pageflags", "PG_head", 6 },
	{ "pageflags", "PG_swapbacked", 17 },	  { "pageflags", "PG_hwpoison", 20 },
	{ "pagetype", "PGTY_buddy", 0xf0 },	  { "pagetype", "PGTY_offline", 0xf1 },
	{ "pagetype", "PGTY_table", 0xf2 },	  { "pagetype", "PGTY_guard", 0xf3 },
	{ "pagetype", "PGTY_hugetlb", 0xf4 },	  { "pagetype", "PGTY_slab", 0xf5 },
	{ "pagetype", "PGTY_zsmalloc", 0xf6 },	  { "pagetype", "PGTY_unaccepted", 0xf7 },
	{ "migratetype", "MIGRATE_PCPTYPES", 3 }, { NULL, NULL, 0 },
};

static const struct member_row members_7[] = {
	{ "page", "compound_info", 8, 8 },
	{ "folio", "_pincount", 92, 4 },
	{ "page", "memcg_data", 56, 8 },
	{ "zone", "per_cpu_pageset", 16, 8 },
	{ NULL, NULL, 0, 0 },
};

static const struct layout layout_5_10 = { "5.10", members_5_10, values_5_10 };
static const struct layout layout_6_1 = { "6.1", members_6_1, values_5_10 };
static const struct layout layout_6_12 = { "6.12", members_6_12, values_6_12 };
static const struct layout layout_7 = { "7", members_7, values_6_12 };

/* --- pages --------------------------------------------------------------------------- */

#define PAGE_AT(pfn) (VMEMMAP + (uint64_t)(pfn)*STRUCT_PAGE)
#define BLANK_PFN 0x7f0
#define TAIL_OF(pfn) (PAGE_AT(pfn) | 1)
#define FLAG(n) (1ULL << (n))
#define NO_TYPE 0xffffffffU
#define ANON (DIRECT + 0x5001)
#define KSM (DIRECT + 0x5003)
#define MOVABLE (DIRECT + 0x5002)
#define FILE_MAPPING (DIRECT + 0x6000) /* its inode is number 77 */
#define TAIL_MAPPING 0xdead000000000400ULL

/* The words of a struct page, and what it is; NULL: only there for the others. */
struct page_row {
	uint64_t pfn;
	uint64_t flags;
	uint64_t info; /* at 8: compound_head or compound_info, or lru.next */
	uint64_t word16;
	uint64_t mapping;
	uint64_t private;
	uint32_t type; /* or _mapcount */
	uint32_t refcount;
	uint64_t memcg;
	const char *state;
};

static void write_page(struct memory *memory, const struct page_row *row)
{
	const uint64_t at = VMEMMAP_PHYS + row->pfn * STRUCT_PAGE;

	fake_write(memory, at, row->flags);
	fake_write(memory, at + 8, row->info);
	fake_write(memory, at + 16, row->word16);
	fake_write(memory, at + 24, row->mapping);
	fake_write(memory, at + 40, row->private);
	fake_write(memory, at + 48, (uint64_t)row->refcount << 32 | row->type);
	fake_write(memory, at + 56, row->memcg);
}

static void write_image(struct memory *memory)
{
	fake_ram(memory, 0, 0x10000000);
	fake_ram(memory, VMEMMAP_PHYS, VMEMMAP_PHYS + 0x400000);
	fake_ram(memory, IMAGE_PHYS, IMAGE_PHYS + 0x10000);
	/* Nobody has any page but those that the rows tell of; one is blank. */
	for (uint64_t pfn = 0x100; pfn < 0x800; pfn++)
		fake_write(memory, PAGE_AT(pfn) - VMEMMAP + VMEMMAP_PHYS + 48,
			   pfn == BLANK_PFN ? 0 : NO_TYPE);
	fake_write(memory, IMAGE_PHYS + 0x100, VMEMMAP);
	fake_write(memory, IMAGE_PHYS + 0x108, DIRECT + 0x7000);
	fake_write(memory, IMAGE_PHYS + 0x110, 0x3600);
	fake_write(memory, IMAGE_PHYS + 0x118, DIRECT + 0x9000);
	fake_write(memory, IMAGE_PHYS + 0x120, 1);
	fake_write(memory, IMAGE_PHYS + 0x128, 1);
	fake_write(memory, IMAGE_PHYS + 0x130, 0);
	/* mem_section: root 0 has section 0, of which subsection 5 is not there. */
	fake_write(memory, 0x7000, DIRECT + 0x8000);
	fake_write(memory, 0x8000, 3);
	fake_write(memory, 0x8008, DIRECT + 0x8800);
	fake_write(memory, 0x8810, ~FLAG(5));
	/* The mapping of a file, and its inode. */
	fake_write(memory, 0x6000, DIRECT + 0x6100);
	fake_write(memory, 0x6140, 77);
	/* Zone 0 of node 0: lists of order 0, and the last one. */
	fake_write(memory, 0x9008, 0x8000);
	fake_write(memory, 0x9010, DIRECT + 0xa000);
	for (uint64_t i = 0; i < 13; i++)
		fake_write(memory, 0xa020 + i * 16, DIRECT + 0xa020 + i * 16);
}

static struct kernel *make_kernel(const struct layout *layout, const struct page_row *rows,
				  size_t count)
{
	struct memory *memory = fake_create();
	struct kernel *kernel = NULL;

	layout_now = layout;
	memory->arch = ARCH_X86_64;
	write_image(memory);
	for (size_t i = 0; i < count; i++)
		write_page(memory, &rows[i]);
	EXPECT_NO_ERROR(
		kernel_create(memory, &fake_virtual_memory, &fake_symbols, &fake_types, &kernel));
	return kernel;
}

static void expect_states(const struct layout *layout, const struct page_row *rows, size_t count)
{
	struct kernel *kernel = make_kernel(layout, rows, count);
	struct pages *pages = NULL;

	if (EXPECT_NO_ERROR(pages_create(kernel, &pages))) {
		EXPECT(pages_warning(pages) == NULL, "%s: %s", layout->name, pages_warning(pages));
		for (size_t i = 0; i < count; i++) {
			struct page_info info;
			char text[PAGE_STATE_TEXT];

			page_look(pages, rows[i].pfn << 12 | 0x123, &info);
			page_state_text(&info, text);
			EXPECT(!rows[i].state || strcmp(text, rows[i].state) == 0,
			       "%s: page 0x%llx (row %zu) is '%s', not '%s'", layout->name,
			       (unsigned long long)rows[i].pfn, i, text, rows[i].state);
		}
		pages_destroy(pages);
	}
	kernel_close(kernel);
}

#define EXPECT_STATES(layout, rows) expect_states(layout, rows, sizeof(rows) / sizeof((rows)[0]))

/* Up to 6.10: a type is a bit that is cleared; PG_slab; the destructor says hugetlb. */
static void test_old_encodings(void)
{
	static const struct page_row rows[] = {
		{ .pfn = 0x100, .type = NO_TYPE, .refcount = 1, .state = "kernel" },
		{ .pfn = 0x101,
		  .flags = FLAG(12),
		  .type = NO_TYPE,
		  .refcount = 1,
		  .state = "reserved" },
		{ .pfn = 0x102, .flags = FLAG(9), .refcount = 1, .memcg = 5, .state = "slab" },
		{ .pfn = 0x103,
		  .flags = FLAG(19),
		  .mapping = ANON,
		  .refcount = 1,
		  .memcg = 8,
		  .state = "anon|memcg|swapbacked" },
		{ .pfn = 0x104,
		  .flags = FLAG(19),
		  .mapping = KSM,
		  .refcount = 2,
		  .state = "anon|ksm|swapbacked" },
		{ .pfn = 0x105,
		  .mapping = FILE_MAPPING,
		  .type = NO_TYPE,
		  .refcount = 1,
		  .state = "file|ino=77" },
		{ .pfn = 0x106,
		  .flags = FLAG(19),
		  .mapping = FILE_MAPPING,
		  .type = NO_TYPE,
		  .refcount = 1025,
		  .state = "file|ino=77|pinned|swapbacked" },
		{ .pfn = 0x107,
		  .mapping = MOVABLE,
		  .type = NO_TYPE,
		  .refcount = 1,
		  .state = "kernel" },
		{ .pfn = 0x108,
		  .flags = FLAG(23),
		  .mapping = ANON,
		  .refcount = 1023,
		  .state = "anon|hwpoison" },
		{ .pfn = 0x109, .type = 0xfffffeff, .refcount = 1, .state = "offline" },
		/* Negative: a count that was dropped too often is no pin. */
		{ .pfn = 0x10a, .type = NO_TYPE, .refcount = 0xfffffff0, .state = "kernel" },
		/* As an extract has those that nobody asked for; also as a head. */
		{ .pfn = BLANK_PFN, .state = "unknown" },
		{ .pfn = BLANK_PFN + 1, .info = TAIL_OF(BLANK_PFN), .state = "unknown" },
		/* A mapcount far below -1 is no page type. */
		{ .pfn = 0x10b, .type = 0x0fffff7f, .refcount = 1, .state = "kernel" },
		/* A free block of 8: only its first page says so. */
		{ .pfn = 0x110, .type = 0xffffff7f, .private = 3, .state = "free" },
		{ .pfn = 0x111, .type = NO_TYPE, .state = "free" },
		{ .pfn = 0x117, .type = NO_TYPE, .state = "free" },
		{ .pfn = 0x118, .type = NO_TYPE, .state = "kernel" },
		/* In use within the reach of one: a stale order does not make it free. */
		{ .pfn = 0x113, .type = NO_TYPE, .refcount = 1, .state = "kernel" },
		/* Orders that no block has. */
		{ .pfn = 0x140, .type = 0xffffff7f, .private = 1ULL << 40, .state = "free" },
		{ .pfn = 0x141, .type = NO_TYPE, .state = "kernel" },
		/* hugetlb: the second page's destructor is number 2; order 9. */
		{ .pfn = 0x200,
		  .flags = FLAG(16),
		  .mapping = ANON,
		  .refcount = 1,
		  .state = "anon|compound|hugetlb" },
		{ .pfn = 0x201,
		  .info = TAIL_OF(0x200),
		  .word16 = 0x0902,
		  .type = NO_TYPE,
		  .state = "anon|compound|hugetlb" },
		{ .pfn = 0x3ff,
		  .info = TAIL_OF(0x200),
		  .mapping = TAIL_MAPPING,
		  .type = NO_TYPE,
		  .state = "anon|compound|hugetlb" },
		/* Transparent: destructor 3. */
		{ .pfn = 0x400,
		  .flags = FLAG(16) | FLAG(19),
		  .mapping = ANON,
		  .refcount = 1,
		  .state = "anon|compound|swapbacked" },
		{ .pfn = 0x401,
		  .info = TAIL_OF(0x400),
		  .word16 = 0x0903,
		  .type = NO_TYPE,
		  .state = "anon|compound|swapbacked" },
		/* A slab of two pages. */
		{ .pfn = 0x600,
		  .flags = FLAG(9) | FLAG(16),
		  .refcount = 1,
		  .state = "compound|slab" },
		{ .pfn = 0x601,
		  .info = TAIL_OF(0x600),
		  .word16 = 0x0101,
		  .state = "compound|slab" },
		/* Heads that cannot be: behind the page, not a struct page, far away. */
		{ .pfn = 0x700, .info = TAIL_OF(0x701), .state = "unknown" },
		{ .pfn = 0x701, .info = TAIL_OF(0x600) + 8, .state = "unknown" },
		{ .pfn = 0x702, .info = 0xdead000000000101, .state = "unknown" },
		/* The huge zero page; nothing says who owns it. */
		{ .pfn = 0x3601, .type = NO_TYPE, .refcount = 5000, .state = "zero" },
	};

	EXPECT_STATES(&layout_6_1, rows);
	EXPECT_STATES(&layout_5_10, rows);
}

/* The bits of tables and guards moved when kmemcg (5.10: 0x200) went away. */
static void test_old_types(void)
{
	static const struct page_row rows_5_10[] = {
		{ .pfn = 0x100, .type = 0xfffffbff, .refcount = 1, .state = "table" },
		{ .pfn = 0x101, .type = 0xfffff7ff, .refcount = 1, .state = "guard" },
		{ .pfn = 0x102,
		  .type = 0xfffffdff,
		  .refcount = 1,
		  .memcg = 9,
		  .state = "kernel|memcg" },
		/* Pins of a large page: the third page counts them. */
		{ .pfn = 0x200,
		  .flags = FLAG(16),
		  .mapping = ANON,
		  .refcount = 1,
		  .state = "anon|compound|hugetlb|pinned" },
		{ .pfn = 0x201, .info = TAIL_OF(0x200), .word16 = 0x0902 },
		{ .pfn = 0x202,
		  .info = TAIL_OF(0x200),
		  .word16 = 1,
		  .state = "anon|compound|hugetlb|pinned" },
		/* Of one of order 1 the reference count does. */
		{ .pfn = 0x300,
		  .flags = FLAG(16),
		  .mapping = ANON,
		  .refcount = 1024,
		  .state = "anon|compound|pinned" },
		{ .pfn = 0x301, .info = TAIL_OF(0x300), .word16 = 0x0101 },
	};
	static const struct page_row rows_6_1[] = {
		{ .pfn = 0x100, .type = 0xfffffdff, .refcount = 1, .state = "table" },
		{ .pfn = 0x101, .type = 0xfffffbff, .refcount = 1, .state = "guard" },
		/* _pincount of struct folio is at 24 of the second page; the count of references
		 * does not matter then. */
		{ .pfn = 0x200,
		  .flags = FLAG(16),
		  .mapping = ANON,
		  .refcount = 1,
		  .state = "anon|compound|pinned" },
		{ .pfn = 0x201,
		  .info = TAIL_OF(0x200),
		  .word16 = 0x0901,
		  .mapping = 1,
		  .state = "anon|compound|pinned" },
		{ .pfn = 0x400,
		  .flags = FLAG(16),
		  .mapping = ANON,
		  .refcount = 4096,
		  .state = "anon|compound" },
		{ .pfn = 0x401, .info = TAIL_OF(0x400), .word16 = 0x0901 },
	};

	EXPECT_STATES(&layout_5_10, rows_5_10);
	EXPECT_STATES(&layout_6_1, rows_6_1);
}

#define TYPE(number) ((uint32_t)(number) << 24)

/* Since 6.12: the type is the top byte, what is below may be anything. */
static const struct page_row new_rows[] = {
	{ .pfn = 0x100, .type = NO_TYPE, .refcount = 1, .state = "kernel" },
	{ .pfn = 0x101, .type = TYPE(0xf5) | 0x1234, .refcount = 1, .memcg = 7, .state = "slab" },
	{ .pfn = 0x102, .type = TYPE(0xf2), .refcount = 1, .memcg = 7, .state = "memcg|table" },
	{ .pfn = 0x103, .type = TYPE(0xf1), .refcount = 1, .state = "offline" },
	{ .pfn = 0x104, .type = TYPE(0xf6), .refcount = 1, .state = "zsmalloc" },
	{ .pfn = 0x105, .type = TYPE(0xf7), .state = "unaccepted" },
	{ .pfn = 0x106, .type = TYPE(0xf3), .state = "guard" },
	/* A type that this version of the table does not have, and a large count of mappings. */
	{ .pfn = 0x107, .type = TYPE(0xf8), .refcount = 1, .state = "kernel" },
	{ .pfn = 0x108, .type = 0x7ffffff0, .refcount = 1, .mapping = ANON, .state = "anon" },
	/* PG_slab's old bit means something else now. */
	{ .pfn = 0x109,
	  .flags = FLAG(9),
	  .type = NO_TYPE,
	  .refcount = 1,
	  .mapping = FILE_MAPPING,
	  .state = "file|ino=77" },
	{ .pfn = 0x10a,
	  .flags = FLAG(13) | FLAG(20),
	  .type = NO_TYPE,
	  .refcount = 1,
	  .state = "hwpoison|reserved" },
	{ .pfn = 0x140, .type = TYPE(0xf0), .private = 4, .state = "free" },
	{ .pfn = 0x14f, .type = NO_TYPE, .state = "free" },
	{ .pfn = 0x150, .type = NO_TYPE, .state = "kernel" },
};

static void test_types_as_numbers(void)
{
	static const struct page_row rows[] = {
		{ .pfn = 0x200,
		  .flags = FLAG(6),
		  .mapping = ANON,
		  .type = TYPE(0xf4),
		  .refcount = 1,
		  .state = "anon|compound|hugetlb|pinned" },
		/* _pincount at 92 of struct folio: the upper half of the word at 24. */
		{ .pfn = 0x201,
		  .info = TAIL_OF(0x200),
		  .mapping = 3ULL << 32,
		  .type = NO_TYPE,
		  .state = "anon|compound|hugetlb|pinned" },
		{ .pfn = 0x3ff,
		  .info = TAIL_OF(0x200),
		  .mapping = TAIL_MAPPING,
		  .type = NO_TYPE,
		  .state = "anon|compound|hugetlb|pinned" },
	};

	EXPECT_STATES(&layout_6_12, new_rows);
	EXPECT_STATES(&layout_7, new_rows);
	EXPECT_STATES(&layout_6_12, rows);
	/* arm64 keeps the head's address in compound_info. */
	EXPECT_STATES(&layout_7, rows);
}

/* 7.1 and later on x86-64: a tail holds the mask of its own address. */
static void test_compound_mask(void)
{
	static const struct page_row rows[] = {
		{ .pfn = 0x200,
		  .flags = FLAG(6),
		  .mapping = ANON,
		  .type = TYPE(0xf4),
		  .refcount = 1,
		  .state = "anon|compound|hugetlb" },
		{ .pfn = 0x201,
		  .info = ~(512ULL * STRUCT_PAGE - 1) | 1,
		  .type = NO_TYPE,
		  .state = "anon|compound|hugetlb" },
		{ .pfn = 0x3ff,
		  .info = ~(512ULL * STRUCT_PAGE - 1) | 1,
		  .type = NO_TYPE,
		  .state = "anon|compound|hugetlb" },
		/* Order 1, beside it: its own. */
		{ .pfn = 0x400,
		  .flags = FLAG(6),
		  .type = TYPE(0xf5),
		  .refcount = 1,
		  .state = "compound|slab" },
		{ .pfn = 0x401,
		  .info = ~(2ULL * STRUCT_PAGE - 1) | 1,
		  .type = NO_TYPE,
		  .state = "compound|slab" },
		/* A mask that leads to the page itself: nonsense. */
		{ .pfn = 0x800,
		  .info = ~(2ULL * STRUCT_PAGE - 1) | 1,
		  .type = NO_TYPE,
		  .state = "unknown" },
	};

	EXPECT_STATES(&layout_7, rows);
}

static void expect_text(struct pages *pages, uint64_t phys, const char *should)
{
	struct page_info info;
	char text[PAGE_STATE_TEXT];

	page_look(pages, phys, &info);
	page_state_text(&info, text);
	EXPECT(strcmp(text, should) == 0, "0x%llx is '%s', not '%s'", (unsigned long long)phys,
	       text, should);
}

/* What has no struct page is no memory; what has one that is not in the dump is unknown. */
static void test_where_there_is_none(void)
{
	struct kernel *kernel = make_kernel(&layout_6_12, new_rows, 1);
	struct pages *pages = NULL;
	uint64_t phys = 0;

	fake_status(kernel_memory(kernel), VMEMMAP_PHYS + 0x7000 * STRUCT_PAGE, BLOCK_MISSING);
	EXPECT_NO_ERROR(pages_create(kernel, &pages));
	expect_text(pages, 0x100000, "kernel");
	expect_text(pages, 5 << 21, "mmio");   /* not in the section's map */
	expect_text(pages, 0x8000000, "mmio"); /* no section */
	expect_text(pages, 0xfee00000, "mmio");
	expect_text(pages, 1ULL << 60, "mmio"); /* beyond any address */
	expect_text(pages, 0x7000000, "unknown");
	EXPECT(page_phys(pages, VMEMMAP + 0x40, &phys) && phys == 0x1000, "phys 0x%llx",
	       (unsigned long long)phys);
	EXPECT(!page_phys(pages, VMEMMAP + 0x41, &phys), "between two");
	EXPECT(!page_phys(pages, VMEMMAP - 0x40, &phys), "below all");
	EXPECT(!page_phys(pages, 0x1000, &phys), "an address of a program");
	pages_destroy(pages);
	kernel_close(kernel);
}

/* Free pages on per-CPU lists: list 0 is of single pages, the last one of huge ones. */
static void test_per_cpu_lists(void)
{
	static const struct page_row rows[] = {
		{ .pfn = 0x150, .type = NO_TYPE, .info = DIRECT + 0xa020 },
		{ .pfn = 0x600, .type = NO_TYPE, .info = DIRECT + 0xa020 + 12ULL * 16 },
	};
	struct kernel *kernel = make_kernel(&layout_6_12, rows, 2);
	struct memory *memory = kernel_memory(kernel);
	struct pages *pages = NULL;

	fake_write(memory, 0xa020, PAGE_AT(0x150) + 8);
	fake_write(memory, 0xa020 + 12ULL * 16, PAGE_AT(0x600) + 8);
	EXPECT_NO_ERROR(pages_create(kernel, &pages));
	EXPECT(pages_warning(pages) == NULL, "%s", pages_warning(pages));
	expect_text(pages, 0x150000, "free|pcp");
	expect_text(pages, 0x600000, "free|pcp");
	expect_text(pages, 0x7ff000, "free|pcp");
	pages_destroy(pages);
	kernel_close(kernel);

	/* A list that does not close is said, and costs nothing else. */
	kernel = make_kernel(&layout_6_12, rows, 2);
	fake_write(kernel_memory(kernel), 0xa020, 0);
	EXPECT_NO_ERROR(pages_create(kernel, &pages));
	EXPECT(pages_warning(pages) != NULL, "no warning");
	expect_text(pages, 0x600000, "kernel");
	pages_destroy(pages);
	kernel_close(kernel);
}

/* Runs end where the state does, and at the last address asked for. */
static void test_runs(void)
{
	static const struct page_row rows[] = {
		{ .pfn = 0x100, .type = TYPE(0xf0), .private = 3 },
		{ .pfn = 0x108, .type = NO_TYPE, .refcount = 1 },
		{ .pfn = 0x109, .type = NO_TYPE, .refcount = 1, .mapping = FILE_MAPPING },
		{ .pfn = 0x10a, .type = NO_TYPE, .refcount = 1, .mapping = FILE_MAPPING },
		{ .pfn = 0x10b, .type = NO_TYPE, .refcount = 1, .mapping = DIRECT + 0x6200 },
	};
	struct kernel *kernel = make_kernel(&layout_6_12, rows, 5);
	struct pages *pages = NULL;
	struct page_info info;

	fake_write(kernel_memory(kernel), 0x6200, DIRECT + 0x6300);
	fake_write(kernel_memory(kernel), 0x6340, 78);
	EXPECT_NO_ERROR(pages_create(kernel, &pages));
	EXPECT_NUMBER(page_look_run(pages, 0x100000, 0x1fffff, &info), 0x8000);
	EXPECT_NUMBER(info.state, PAGE_FREE);
	EXPECT_NUMBER(page_look_run(pages, 0x100800, 0x1fffff, &info), 0x7800);
	EXPECT_NUMBER(page_look_run(pages, 0x100000, 0x100fff, &info), 0x1000);
	EXPECT_NUMBER(page_look_run(pages, 0x100010, 0x100017, &info), 8);
	EXPECT_NUMBER(page_look_run(pages, 0x108000, 0x1fffff, &info), 0x1000);
	EXPECT_NUMBER(page_look_run(pages, 0x109000, 0x1fffff, &info), 0x2000);
	EXPECT_NUMBER(info.inode, 77);
	EXPECT_NUMBER(page_look_run(pages, 0x10b000, 0x10bfff, &info), 0x1000);
	EXPECT_NUMBER(info.inode, 78);
	pages_destroy(pages);
	kernel_close(kernel);
}

void suite_pages(void)
{
	CU_pSuite suite = CU_add_suite("pages", NULL, NULL);

	CU_add_test(suite, "types as cleared bits", test_old_encodings);
	CU_add_test(suite, "types of 5.10 and 6.1", test_old_types);
	CU_add_test(suite, "types as numbers", test_types_as_numbers);
	CU_add_test(suite, "tails with a mask", test_compound_mask);
	CU_add_test(suite, "no struct page", test_where_there_is_none);
	CU_add_test(suite, "per-CPU lists", test_per_cpu_lists);
	CU_add_test(suite, "runs", test_runs);
}
