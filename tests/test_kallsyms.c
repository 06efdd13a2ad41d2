// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * target/kallsyms.c against tables that are made here: an encoder of its own, written from what
 * scripts/kallsyms.c of the kernel gives out, and an image of kernel memory to put them in.
 */
#include "tests/tests.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/kallsyms.h"
#include "target/kernel.h"
#include "tests/fake_memory.h"

enum {
	PAGES = 64,
	SYMBOLS = 1500,
	TOKENS = 256,
	NAMES_ROOM = 100000,
};

/* Where things lie in the image. The names end at the end of a page; see lay_out(). */
enum {
	NUM_SYMS_AT = 0x1ffe, /* over the end of a page */
	BASE_AT = 0x2100,
	INDEX_AT = 0x2f80,
	TOKENS_AT = 0x4ff0,
	OFFSETS_AT = 0x8004,
	NAMES_END = 0x30000,
	MODULES_AT = 0x32000,
	LONG_AT = 0x3c000,
};

static const uint64_t IMAGE = 0xffffffff9a000000ULL;

enum style { PLACE, BASE, BASE_OR_ABSOLUTE, STYLES };

struct symbol {
	char name[600];
	uint64_t address;
};

/* Kernel memory from IMAGE on. */
struct image {
	struct virtual_memory virtual_memory;
	struct symbols symbols;
	struct types types;
	bool no_types;
	bool missing[PAGES];
	char vmcoreinfo[1024];
	uint64_t names; /* where they begin */
	uint8_t bytes[PAGES * KERNEL_PAGE];
};

static struct image image;
static struct symbol truth[SYMBOLS];
static char tokens[TOKENS][64];

static enum block_status image_read_page(struct virtual_memory *self,
					 struct memory *memory __attribute__((unused)),
					 uint64_t address, void *data)
{
	const struct image *from = (struct image *)self;
	const uint64_t page = (address - IMAGE) / KERNEL_PAGE;

	memset(data, 0xa5, KERNEL_PAGE);
	if (address < IMAGE || page >= PAGES)
		return BLOCK_OUTSIDE;
	if (from->missing[page])
		return BLOCK_MISSING;
	memcpy(data, from->bytes + page * KERNEL_PAGE, KERNEL_PAGE);
	return BLOCK_OK;
}

static void leave_alone(struct virtual_memory *self __attribute__((unused)))
{
}

static size_t no_symbol(struct symbols *self __attribute__((unused)),
			const char *name __attribute__((unused)),
			uint64_t *addrs __attribute__((unused)), size_t max __attribute__((unused)))
{
	return 0;
}

static void leave_symbols(struct symbols *self __attribute__((unused)))
{
}

static const struct symbols_ops no_symbols = {
	.name = "none",
	.find = no_symbol,
	.destroy = leave_symbols,
};

/* As no kernel has them, so that nothing but the provider's answer can be right. */
enum {
	LIST_AT = 24,
	KALLSYMS_AT = 80,
	SYMTAB_AT = 16,
	NUM_SYMTAB_AT = 4,
	STRTAB_AT = 8,
};

static struct error *find_member(struct types *self, const struct type_query *query,
				 struct member *ret)
{
	static const struct {
		const char *type, *member;
		uint32_t offset, size;
	} known[] = {
		{ "module", "list", LIST_AT, 16 },
		{ "module", "kallsyms", KALLSYMS_AT, 8 },
		{ "mod_kallsyms", "symtab", SYMTAB_AT, 8 },
		{ "mod_kallsyms", "num_symtab", NUM_SYMTAB_AT, 4 },
		{ "mod_kallsyms", "strtab", STRTAB_AT, 8 },
	};
	const struct image *of = (struct image *)((char *)self - offsetof(struct image, types));

	*ret = (struct member){ .present = false };
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !of->no_types; i++) {
		if (strcmp(query->type, known[i].type) == 0 &&
		    strcmp(query->member, known[i].member) == 0)
			*ret = (struct member){ .present = true,
						.offset = known[i].offset,
						.size = known[i].size };
	}
	return NULL;
}

static void leave_types(struct types *self __attribute__((unused)))
{
}

static const struct types_ops image_types = {
	.name = "image",
	.find = find_member,
	.destroy = leave_types,
};

/* A kernel with nothing cached: for every change of the image a new one. */
static struct kernel *make_kernel(void)
{
	struct memory *memory = fake_create();
	struct kernel *kernel = NULL;

	memory->path = strdup("fake.vmcore");
	memory->vmcoreinfo = image.vmcoreinfo[0] ? strdup(image.vmcoreinfo) : NULL;
	image.virtual_memory.read_page = image_read_page;
	image.virtual_memory.destroy = leave_alone;
	image.symbols.ops = &no_symbols;
	image.types.ops = &image_types;
	struct error *err =
		kernel_create(memory, &image.virtual_memory, &image.symbols, &image.types, &kernel);
	if (err)
		abort();
	return kernel;
}

static void put(uint64_t at, const void *bytes, size_t len)
{
	if (at > sizeof(image.bytes) || len > sizeof(image.bytes) - at)
		abort();
	memcpy(image.bytes + at, bytes, len);
}

static void put32(uint64_t at, uint32_t value)
{
	put(at, &value, sizeof(value));
}

static void put64(uint64_t at, uint64_t value)
{
	put(at, &value, sizeof(value));
}

/* The texts of this file all fit where they go. */
static void copy(char *to, const char *text)
{
	memcpy(to, text, strlen(text) + 1);
}

/* Letters stand for themselves; numbers that no name has as a letter stand for more. */
static void make_tokens(void)
{
	static const char *const longer[] = {
		"io",	    "mmu",	 "_domain",
		"identity", "tT",	 "__x64_sys_",
		"12345678", "123456789", "a_token_that_is_longer_than_any_of_a_real_kernel_is",
	};

	memset(tokens, 0, sizeof(tokens));
	for (unsigned int i = 33; i < 127; i++)
		tokens[i][0] = (char)i;
	for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++)
		copy(tokens[i % 2 ? 255 - i : i], longer[i]);
}

/* Greedy: the longest token at each place. */
static size_t compress(const char *text, uint8_t *to)
{
	size_t n = 0;

	while (*text) {
		size_t best = 0;
		size_t best_len = 0;

		for (size_t i = 0; i < TOKENS; i++) {
			if (tokens[i][0] != *text)
				continue;
			size_t len = strlen(tokens[i]);
			if (len > best_len && strncmp(text, tokens[i], len) == 0) {
				best = i;
				best_len = len;
			}
		}
		if (best_len == 0)
			abort();
		to[n++] = (uint8_t)best;
		text += best_len;
	}
	return n;
}

/* relative_base and all symbols behind it: offsets with and without their highest bit. */
static uint64_t base_of(enum style style)
{
	return IMAGE - (style == BASE ? 0xc0000000 : 0x1000);
}

static uint32_t offset_of(enum style style, size_t i)
{
	const uint64_t address = truth[i].address;
	const uint64_t base = base_of(style);

	switch (style) {
	case PLACE:
		return (uint32_t)(address - (IMAGE + OFFSETS_AT + 4 * i));
	case BASE:
		return (uint32_t)(address - base);
	default:
		return (uint32_t)(address < 0x80000000U ? address : base - 1 - address);
	}
}

static void make_names(void)
{
	static uint8_t names[NAMES_ROOM];
	size_t len = 0;

	for (size_t i = 0; i < SYMBOLS; i++) {
		uint8_t one[1000];
		char text[700];

		text[0] = "tTdDbBrRWA"[i % 10];
		copy(text + 1, truth[i].name);
		size_t n = compress(text, one);
		if (len + n + 2 > sizeof(names))
			abort();
		names[len++] = (uint8_t)(n < 128 ? n : 128 | (n & 127));
		if (n >= 128)
			names[len++] = (uint8_t)(n >> 7);
		memcpy(names + len, one, n);
		len += n;
	}
	image.names = NAMES_END - len;
	put(image.names, names, len);
	/* What comes behind cannot be read, and needs not be. */
	image.missing[NAMES_END / KERNEL_PAGE] = true;
}

static uint64_t address_of(const char *name)
{
	for (size_t i = 0; i < SYMBOLS; i++) {
		if (strcmp(truth[i].name, name) == 0)
			return truth[i].address;
	}
	abort();
}

static void make_vmcoreinfo(enum style style)
{
	int n = snprintf(
		image.vmcoreinfo, sizeof(image.vmcoreinfo),
		"OSRELEASE=6.1.0-test\nSYMBOL(_stext)=%" PRIx64 "\nSYMBOL(init_uts_ns)=%" PRIx64
		"\nSYMBOL(swapper_pg_dir)=%" PRIx64 "\nSYMBOL(mem_section)=1234"
		"\nSYMBOL(kallsyms_names)=%" PRIx64 "\nSYMBOL(kallsyms_num_syms)=%" PRIx64
		"\nSYMBOL(kallsyms_token_table)=%" PRIx64 "\nSYMBOL(kallsyms_token_index)=%" PRIx64
		"\nSYMBOL(kallsyms_offsets)=%" PRIx64 "\n",
		address_of("_stext"), address_of("init_uts_ns"), IMAGE + 0x5000,
		IMAGE + image.names, IMAGE + NUM_SYMS_AT, IMAGE + TOKENS_AT, IMAGE + INDEX_AT,
		IMAGE + OFFSETS_AT);

	if (style != PLACE)
		snprintf(image.vmcoreinfo + n, sizeof(image.vmcoreinfo) - (size_t)n,
			 "SYMBOL(kallsyms_relative_base)=%" PRIx64 "\n", IMAGE + BASE_AT);
}

static void random_name(struct random *random, char *name, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.$0123";

	for (size_t i = 0; i < len; i++)
		name[i] = letters[random_below(random, sizeof(letters) - 1)];
	name[len] = '\0';
}

static void make_truth(enum style style)
{
	static const char *const named[] = {
		"_stext",
		"init_uts_ns",
		"identity_domain",
		"x",
		"iommu_domain_identity",
		"__x64_sys_12345678",
		"123456789",
		"modules",
		"identity_domain",
		"mem_section",
		"a_token_that_is_longer_than_any_of_a_real_kernel_is",
		"identity_domain",
	};
	enum { NAMED = sizeof(named) / sizeof(named[0]) };
	struct random random = { 7 };
	/* From a place, symbols lie on both sides. */
	uint64_t address = style == PLACE ? IMAGE - 0x40000000 : base_of(style);

	for (size_t i = 0; i < SYMBOLS; i++) {
		if (style == BASE_OR_ABSOLUTE && i >= NAMED && i < NAMED + 20)
			truth[i].address = i * 0x1000;
		else
			truth[i].address = address;
		address += random_below(&random, style == BASE ? 0x400000 : 0x200000);
		if (i < NAMED)
			copy(truth[i].name, named[i]);
		else
			random_name(&random, truth[i].name, 1 + random_below(&random, 40));
	}
	/* One byte of length is enough for 127, the letter included. */
	for (size_t i = 0; i < 8; i++)
		random_name(&random, truth[100 + i].name, 123 + i);
	random_name(&random, truth[200].name, 255);
	random_name(&random, truth[201].name, 511);
	copy(truth[300].name, truth[200].name);
	truth[7].address = IMAGE + MODULES_AT;
}

static void lay_out(enum style style)
{
	uint16_t at = 0;

	memset(&image, 0, sizeof(image));
	make_truth(style);
	make_tokens();
	make_names();
	for (size_t i = 0; i < TOKENS; i++) {
		put(INDEX_AT + 2 * i, &at, sizeof(at));
		put((uint64_t)TOKENS_AT + at, tokens[i], strlen(tokens[i]) + 1);
		at = (uint16_t)(at + strlen(tokens[i]) + 1);
	}
	for (size_t i = 0; i < SYMBOLS; i++)
		put32(OFFSETS_AT + 4 * i, offset_of(style, i));
	put32(NUM_SYMS_AT, SYMBOLS);
	put64(BASE_AT, base_of(style));
	make_vmcoreinfo(style);
}

/* Everything that the truth says of @name, in its order, and no more. */
static void check_name(struct symbols *symbols, const char *name)
{
	uint64_t should[8];
	uint64_t is[8] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < SYMBOLS && n < 8; i++) {
		if (strcmp(truth[i].name, name) == 0)
			should[n++] = truth[i].address;
	}
	if (!EXPECT(symbols->ops->find(symbols, name, is, 8) == n, "%s: not %zu of them", name, n))
		return;
	for (size_t i = 0; i < n; i++)
		EXPECT(is[i] == should[i], "%s is %" PRIx64 ", not %" PRIx64, name, is[i],
		       should[i]);
}

static void check_all(struct symbols *symbols)
{
	uint64_t is[2] = { 0, 1 };

	EXPECT_NUMBER(kallsyms_count(symbols), SYMBOLS);
	for (size_t i = 0; i < SYMBOLS; i++)
		check_name(symbols, truth[i].name);
	EXPECT_NUMBER(symbols->ops->find(symbols, "identity_domain", is, 1), 3);
	EXPECT_NUMBER(is[0], address_of("identity_domain"));
	EXPECT_NUMBER(is[1], 1);
	EXPECT_NUMBER(symbols->ops->find(symbols, "identity_domain", NULL, 0), 3);
	EXPECT_NUMBER(symbols->ops->find(symbols, "identity_domai", is, 2), 0);
	EXPECT_NUMBER(symbols->ops->find(symbols, "didentity_domain", is, 2), 0);
	EXPECT_NUMBER(symbols->ops->find(symbols, "", is, 2), 0);
}

static void test_encodings(void)
{
	for (enum style style = PLACE; style < STYLES; style++) {
		struct symbols *symbols = NULL;

		lay_out(style);
		struct kernel *kernel = make_kernel();
		EXPECT_NO_ERROR(kallsyms_open(kernel, &symbols));
		EXPECT(symbols != NULL, "style %d: none", style);
		if (symbols) {
			EXPECT(!symbols->link_time, "style %d: link time", style);
			check_all(symbols);
			symbols->ops->destroy(symbols);
		}
		kernel_close(kernel);
	}
}

/* No VMCOREINFO, or that of a kernel before 6.0: no provider, and no error. */
static void test_none(void)
{
	struct symbols *symbols = (struct symbols *)1;

	lay_out(BASE);
	copy(image.vmcoreinfo, "OSRELEASE=5.10\nSYMBOL(_stext)=ffffffff81000000\n");
	for (int round = 0; round < 2; round++) {
		struct kernel *kernel = make_kernel();

		EXPECT_NO_ERROR(kallsyms_open(kernel, &symbols));
		EXPECT(symbols == NULL, "symbols from nowhere");
		kernel_close(kernel);
		image.vmcoreinfo[0] = '\0';
	}
}

/* It must be refused, for a reason with @word, and say what to do. */
static void check_refused(const char *word)
{
	struct kernel *kernel = make_kernel();
	struct symbols *symbols = NULL;
	struct error *err = kallsyms_open(kernel, &symbols);

	EXPECT(symbols == NULL, "'%s': symbols in spite of it", word);
	if (err)
		EXPECT(strstr(err->message, "fake.vmcore: ") == err->message &&
			       strstr(err->message, "vmlinux or System.map with -s"),
		       "does not say of what, or what to do: %s", err->message);
	EXPECT_ERROR(err, word);
	kernel_close(kernel);
}

static void test_vmcoreinfo(void)
{
	static const struct {
		const char *key; /* its line gets another key, or */
		bool keep;	 /* another value */
		const char *word;
	} cases[] = {
		{ "SYMBOL(_stext)", false, "do not agree" },
		{ "SYMBOL(_stext)", true, "do not agree" },
		{ "SYMBOL(init_uts_ns)", true, "do not agree" },
		{ "SYMBOL(kallsyms_num_syms)", false, "kallsyms_num_syms" },
		{ "SYMBOL(kallsyms_num_syms)", true, "kernel memory at" },
		{ "SYMBOL(kallsyms_token_table)", false, "kallsyms_token_table" },
		{ "SYMBOL(kallsyms_token_table)", true, "kernel memory at" },
		{ "SYMBOL(kallsyms_token_index)", false, "kallsyms_token_index" },
		{ "SYMBOL(kallsyms_token_index)", true, "kernel memory at" },
		{ "SYMBOL(kallsyms_offsets)", false, "kallsyms_offsets" },
		{ "SYMBOL(kallsyms_offsets)", true, "kernel memory at" },
		{ "SYMBOL(kallsyms_relative_base)", false, "do not agree" },
		{ "SYMBOL(kallsyms_relative_base)", true, "kernel memory at" },
		{ "SYMBOL(kallsyms_names)", true, "kernel memory at" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lay_out(BASE);
		char *line = strstr(image.vmcoreinfo, cases[i].key);
		if (!line)
			abort();
		line[cases[i].keep ? strlen(cases[i].key) + 1 : 8] = '0';
		check_refused(cases[i].word);
	}
	/* An anchor that only one side has says nothing. */
	lay_out(BASE);
	memcpy(strstr(image.vmcoreinfo, "init_uts_ns"), "init_uts_nx", strlen("init_uts_nx"));
	struct symbols *symbols = NULL;
	struct kernel *kernel = make_kernel();
	if (EXPECT_NO_ERROR(kallsyms_open(kernel, &symbols)))
		check_all(symbols);
	if (symbols)
		symbols->ops->destroy(symbols);
	kernel_close(kernel);
}

static void test_fields(void)
{
	static const uint32_t counts[] = { 0, (1U << 22) + 1, 1U << 24, 0x7fffffff, 0xffffffff };
	static const uint8_t no_end[2 * KERNEL_PAGE] = { 0 };

	lay_out(PLACE);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		put32(NUM_SYMS_AT, counts[i]);
		check_refused("it claims to have");
	}
	put32(NUM_SYMS_AT, 1U << 22); /* as many as allowed, but they are not there */
	check_refused("kernel memory at");
	put32(NUM_SYMS_AT, SYMBOLS + 1); /* the next would be behind the end */
	check_refused("kernel memory at");

	lay_out(PLACE);
	image.bytes[image.names] = 0;
	check_refused("symbol 0 has no name");
	image.bytes[image.names] = 1; /* the letter alone */
	check_refused("symbol 0 has no name");
	image.bytes[image.names] = 0xff;
	image.bytes[image.names + 1] = 0xff;
	check_refused("symbol 0 has a name of more than");

	lay_out(PLACE);
	memset(image.bytes + TOKENS_AT, 'x', sizeof(no_end));
	check_refused("has no end");
	lay_out(PLACE);
	memset(image.bytes + TOKENS_AT, 0, sizeof(no_end)); /* tokens of no text */
	check_refused("has no name");
	lay_out(PLACE);
	memset(image.bytes + INDEX_AT, 0xff,
	       sizeof(uint16_t) * TOKENS); /* all the same, somewhere else */
	check_refused("");
	lay_out(PLACE);
	put32(OFFSETS_AT, 0);
	check_refused("do not agree");
	lay_out(BASE);
	put64(BASE_AT, 0);
	check_refused("do not agree");
}

/* Fewer symbols than there are is not to be seen, and what is there is right. */
static void test_fewer(void)
{
	struct symbols *symbols = NULL;
	uint64_t address = 0;

	lay_out(BASE_OR_ABSOLUTE);
	put32(NUM_SYMS_AT, 1);
	struct kernel *kernel = make_kernel();
	if (EXPECT_NO_ERROR(kallsyms_open(kernel, &symbols))) {
		EXPECT_NUMBER(kallsyms_count(symbols), 1);
		EXPECT_NUMBER(symbols->ops->find(symbols, "_stext", &address, 1), 1);
		EXPECT_NUMBER(address, address_of("_stext"));
		EXPECT_NUMBER(symbols->ops->find(symbols, "x", &address, 1), 0);
		symbols->ops->destroy(symbols);
	}
	kernel_close(kernel);
}

/* One page after the other is not in the dump: an error, or it was not needed. */
static void test_missing_pages(void)
{
	size_t refused = 0;

	lay_out(BASE);
	for (size_t page = 0; page < NAMES_END / KERNEL_PAGE; page++) {
		const bool needed = page == 1 || page == 2 || page == 3 || page == 4 || page == 5 ||
				    (page >= OFFSETS_AT / KERNEL_PAGE &&
				     page <= (OFFSETS_AT + 4 * SYMBOLS - 1) / KERNEL_PAGE) ||
				    page >= image.names / KERNEL_PAGE;
		struct symbols *symbols = NULL;

		image.missing[page] = true;
		if (needed) {
			check_refused("not in the dump");
			refused++;
		} else {
			struct kernel *kernel = make_kernel();

			if (EXPECT_NO_ERROR(kallsyms_open(kernel, &symbols)))
				symbols->ops->destroy(symbols);
			kernel_close(kernel);
		}
		image.missing[page] = false;
	}
	EXPECT(refused > 10, "only %zu pages were needed", refused);
}

/* Opens it, adds the modules, and looks for some names: any answer is right but a crash. */
static bool use_damaged(void)
{
	struct kernel *kernel = make_kernel();
	struct symbols *symbols = NULL;
	uint64_t addresses[4];
	size_t skipped = 0;
	struct error *err = kallsyms_open(kernel, &symbols);
	const bool opened = !err;

	if (err) {
		EXPECT_ERROR(err, "with -s");
	} else if (symbols) {
		error_free(kallsyms_add_modules(kernel, symbols, &skipped));
		for (size_t i = 0; i < SYMBOLS; i += 7)
			symbols->ops->find(symbols, truth[i].name, addresses, 4);
		/* It would not have been opened with another _stext. */
		EXPECT(symbols->ops->find(symbols, "_stext", addresses, 4) > 0, "no _stext");
		symbols->ops->destroy(symbols);
	}
	kernel_close(kernel);
	return opened;
}

static void test_random_damage(void)
{
	static const struct {
		uint64_t from, len;
	} parts[] = {
		{ NUM_SYMS_AT, 4 },
		{ BASE_AT, 8 },
		{ INDEX_AT, sizeof(uint16_t) * TOKENS },
		{ TOKENS_AT, 400 },
		{ OFFSETS_AT, sizeof(uint32_t) * SYMBOLS },
		{ NAMES_END - 20000, 20000 },
	};
	enum { PARTS = sizeof(parts) / sizeof(parts[0]) };
	struct random random = { 11 };
	size_t opened = 0;

	for (size_t round = 0; round < 1200; round++) {
		const uint64_t part = round % PARTS;

		if (round % 100 == 0)
			lay_out((enum style)(round / 100 % STYLES));
		const uint64_t at = parts[part].from + random_below(&random, parts[part].len);
		const uint8_t before = image.bytes[at];
		image.bytes[at] =
			(uint8_t)(random_once_in(&random, 3) ? 0xff : random_next(&random));
		opened += use_damaged();
		/* Damage adds up over some rounds. */
		if (!random_once_in(&random, 20))
			image.bytes[at] = before;
	}
	EXPECT(opened > 100 && opened < 1100, "%zu were opened", opened);
}

/* Modules: a ring of struct module, MODULES_AT is its head. */

enum { MODULES = 4, MODULE_ROOM = 0x1000, MODULE_SYMBOLS = 40 };

static uint64_t module_at(size_t i)
{
	return MODULES_AT + (uint64_t)MODULE_ROOM * (i + 1);
}

static void module_symbol(size_t module, size_t i, uint16_t section, char *strings, size_t *len)
{
	Elf64_Sym sym = { .st_shndx = section, .st_value = 0xffffffffc0000000ULL };

	sym.st_value += 0x10000 * module + 0x10 * i;
	/* The first has no name, every fifth that of one of the kernel's. */
	if (i) {
		sym.st_name = (uint32_t)*len;
		*len += (size_t)sprintf(strings + *len, i % 5 ? "module%zu_symbol%zu" : "_stext",
					module, i) +
			1;
	}
	put(module_at(module) + 0x200 + i * sizeof(sym), &sym, sizeof(sym));
}

static void make_modules(void)
{
	put64(MODULES_AT, IMAGE + module_at(0) + LIST_AT);
	for (size_t i = 0; i < MODULES; i++) {
		const uint64_t at = module_at(i);
		char strings[MODULE_SYMBOLS * 32] = "";
		size_t len = 1;

		put64(at + LIST_AT,
		      IMAGE + (i + 1 < MODULES ? module_at(i + 1) + LIST_AT : MODULES_AT));
		put64(at + KALLSYMS_AT, IMAGE + at + 0x100);
		put64(at + 0x100 + SYMTAB_AT, IMAGE + at + 0x200);
		put32(at + 0x100 + NUM_SYMTAB_AT, MODULE_SYMBOLS);
		put64(at + 0x100 + STRTAB_AT, IMAGE + at + 0x800);
		for (size_t j = 0; j < MODULE_SYMBOLS; j++)
			module_symbol(i, j, j % 8 == 7 ? SHN_UNDEF : 3, strings, &len);
		put(at + 0x800, strings, len);
	}
}

static struct error *open_with_modules(struct kernel **kernel, struct symbols **symbols,
				       size_t *skipped)
{
	*symbols = NULL;
	*kernel = make_kernel();
	if (!EXPECT_NO_ERROR(kallsyms_open(*kernel, symbols)) || !*symbols)
		abort();
	return kallsyms_add_modules(*kernel, *symbols, skipped);
}

static void close_all(struct kernel *kernel, struct symbols *symbols)
{
	symbols->ops->destroy(symbols);
	kernel_close(kernel);
}

/* Are the symbols of module @i there, and none that is undefined? */
static void check_module(struct symbols *symbols, size_t i, bool there)
{
	for (size_t j = 1; j < MODULE_SYMBOLS; j++) {
		char name[32];
		uint64_t address = 0;

		if (j % 5 == 0)
			continue;
		snprintf(name, sizeof(name), "module%zu_symbol%zu", i, j);
		const bool found = symbols->ops->find(symbols, name, &address, 1) == 1;
		EXPECT(found == (there && j % 8 != 7), "%s: %s", name,
		       found ? "found" : "not found");
		if (found)
			EXPECT_NUMBER(address, 0xffffffffc0000000ULL + 0x10000 * i + 0x10 * j);
	}
}

static void test_modules(void)
{
	struct kernel *kernel = NULL;
	struct symbols *symbols = NULL;
	uint64_t address = 0;
	size_t skipped = 99;

	lay_out(PLACE);
	make_modules();
	EXPECT_NO_ERROR(open_with_modules(&kernel, &symbols, &skipped));
	EXPECT_NUMBER(skipped, 0);
	/* Without the first, and five that are undefined. */
	EXPECT_NUMBER(kallsyms_count(symbols), SYMBOLS + MODULES * (MODULE_SYMBOLS - 6));
	for (size_t i = 0; i < MODULES; i++)
		check_module(symbols, i, true);
	/* 5, 10, 20, 25, 30 and 35 of each module; 15 is undefined. */
	EXPECT_NUMBER(symbols->ops->find(symbols, "_stext", &address, 1), 1 + 6 * MODULES);
	EXPECT_NUMBER(address, address_of("_stext")); /* the kernel's own is the first */
	for (size_t i = 1; i < SYMBOLS; i++)
		check_name(symbols, truth[i].name);
	close_all(kernel, symbols);
}

/* A module that is damaged is left out and counted. */
static void test_damaged_modules(void)
{
	const struct {
		uint64_t at, value;
	} cases[] = {
		{ KALLSYMS_AT, 0 },
		{ KALLSYMS_AT, 0x1234 },
		{ 0x100 + SYMTAB_AT, 0 },
		{ 0x100 + SYMTAB_AT, UINT64_MAX - 8 },
		{ 0x100 + STRTAB_AT, 0 },
		{ 0x100 + STRTAB_AT, UINT64_MAX - 8 },
		{ 0x200 + 20 * sizeof(Elf64_Sym), 0x00030000fffffff0ULL }, /* st_name */
		{ 0x100 + STRTAB_AT, IMAGE + LONG_AT },
	};

	for (size_t i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++) {
		struct kernel *kernel = NULL;
		struct symbols *symbols = NULL;
		size_t skipped = 99;

		lay_out(BASE);
		make_modules();
		/* One name: it ends, but is longer than any. */
		memset(image.bytes + LONG_AT, 'x', 3000);
		if (i < sizeof(cases) / sizeof(cases[0]))
			put64(module_at(1) + cases[i].at, cases[i].value);
		else
			put32(module_at(1) + 0x100 + NUM_SYMTAB_AT, UINT32_MAX);
		EXPECT_NO_ERROR(open_with_modules(&kernel, &symbols, &skipped));
		EXPECT(skipped == 1, "case %zu: %zu skipped", i, skipped);
		for (size_t j = 0; j < MODULES; j++)
			check_module(symbols, j, j != 1);
		EXPECT_NUMBER(kallsyms_count(symbols),
			      SYMBOLS + (MODULES - 1) * (MODULE_SYMBOLS - 6));
		close_all(kernel, symbols);
	}
}

static void check_modules_fail(const char *word, bool some)
{
	struct kernel *kernel = NULL;
	struct symbols *symbols = NULL;
	size_t skipped = 99;

	EXPECT_ERROR(open_with_modules(&kernel, &symbols, &skipped), word);
	check_module(symbols, 0, some);
	check_name(symbols, "identity_domain");
	close_all(kernel, symbols);
}

static void test_modules_errors(void)
{
	lay_out(PLACE);
	make_modules();
	put64(module_at(1) + LIST_AT, IMAGE + module_at(1) + LIST_AT); /* for ever */
	check_modules_fail("does not close", true);
	put64(module_at(1) + LIST_AT, 0);
	check_modules_fail("does not close", true);
	put64(module_at(1) + LIST_AT, 0x1000);
	check_modules_fail("kernel memory at 0x1000", true);
	image.no_types = true;
	check_modules_fail("struct module", false);

	/* No modules, and no list of them. */
	struct kernel *kernel = NULL;
	struct symbols *symbols = NULL;
	size_t skipped = 99;
	lay_out(PLACE);
	put64(MODULES_AT, IMAGE + MODULES_AT);
	EXPECT_NO_ERROR(open_with_modules(&kernel, &symbols, &skipped));
	EXPECT_NUMBER(skipped, 0);
	EXPECT_NUMBER(kallsyms_count(symbols), SYMBOLS);
	close_all(kernel, symbols);
	put32(NUM_SYMS_AT, 5);
	EXPECT_ERROR(open_with_modules(&kernel, &symbols, &skipped), "'modules'");
	close_all(kernel, symbols);
}

static void test_random_modules(void)
{
	struct random random = { 13 };

	for (size_t round = 0; round < 600; round++) {
		if (round % 30 == 0) {
			lay_out(BASE);
			make_modules();
		}
		const uint64_t at = MODULES_AT + random_below(&random, 0x1200ULL * MODULES);
		image.bytes[at] = (uint8_t)random_next(&random);
		EXPECT(use_damaged(), "its own symbols are whole");
	}
}

void suite_kallsyms(void)
{
	CU_pSuite suite = CU_add_suite("kallsyms", NULL, NULL);

	CU_add_test(suite, "every name in every encoding", test_encodings);
	CU_add_test(suite, "none in VMCOREINFO", test_none);
	CU_add_test(suite, "VMCOREINFO that is wrong", test_vmcoreinfo);
	CU_add_test(suite, "fields that are wrong", test_fields);
	CU_add_test(suite, "fewer symbols", test_fewer);
	CU_add_test(suite, "pages that are not in the dump", test_missing_pages);
	CU_add_test(suite, "damage at random", test_random_damage);
	CU_add_test(suite, "modules", test_modules);
	CU_add_test(suite, "modules that are damaged", test_damaged_modules);
	CU_add_test(suite, "lists of modules that are wrong", test_modules_errors);
	CU_add_test(suite, "modules with damage at random", test_random_modules);
}
