// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * target/btf.c against BTF that gcc and pahole make of the structures below, whose truth is
 * what this file's own compiler says, and against BTF made by hand of what those do not make:
 * the bit-fields of old, a module's BTF, and damage.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tests/tests.h"

#include <CUnit/CUnit.h>
#include <bpf/btf.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/btf.h"
#include "target/error.h"
#include "target/kernel.h"
#include "target/types.h"
#include "tests/fake_memory.h"

void suite_btf(void);

/* ---- A kernel that is nothing but BTF ---- */

enum {
	MAX_REGIONS = 32,
	/* Not at the start of a page, as before 7.2. */
	BTF_AT = 0xd18,
};

static const uint64_t vmlinux_at = 0xffffffff82400000 + BTF_AT;
static const uint64_t list_at = 0xffffffff82a00040;
static const uint64_t modules_at = 0xffff888000100000;

struct region {
	uint64_t address;
	const void *data;
	size_t size;
};

struct fake_kernel {
	struct virtual_memory virtual_memory;
	struct symbols symbols;
	struct types no_types;
	struct region regions[MAX_REGIONS];
	size_t num_regions;
	uint64_t start, stop, list; /* symbols; 0: there is none */
	struct kernel *kernel;
	struct types *types;
	size_t skipped;
};

static enum block_status read_page(struct virtual_memory *self, struct memory *memory,
				   uint64_t address, void *data)
{
	const struct fake_kernel *fake = (const struct fake_kernel *)self;
	bool any = false;

	(void)memory;
	memset(data, 0, KERNEL_PAGE);
	for (size_t i = 0; i < fake->num_regions; i++) {
		const struct region *region = &fake->regions[i];
		const uint64_t end = region->address + region->size;
		const uint64_t from = region->address > address ? region->address : address;
		const uint64_t to = end < address + KERNEL_PAGE ? end : address + KERNEL_PAGE;

		if (from >= to)
			continue;
		memcpy((char *)data + (from - address),
		       (const char *)region->data + (from - region->address), to - from);
		any = true;
	}
	return any ? BLOCK_OK : BLOCK_MISSING;
}

static bool to_phys(struct virtual_memory *self, struct memory *memory, uint64_t address,
		    uint64_t *ret)
{
	(void)self;
	(void)memory;
	*ret = address;
	return false;
}

static void destroy_virtual_memory(struct virtual_memory *self)
{
	(void)self;
}

static size_t find_symbol(struct symbols *symbols, const char *name, uint64_t *addrs, size_t max)
{
	const struct fake_kernel *fake =
		(const struct fake_kernel *)((char *)symbols -
					     offsetof(struct fake_kernel, symbols));
	uint64_t address = strcmp(name, "__start_BTF") == 0   ? fake->start
			   : strcmp(name, "__stop_BTF") == 0  ? fake->stop
			   : strcmp(name, "btf_modules") == 0 ? fake->list
							      : 0;

	if (address && max)
		addrs[0] = address;
	return address != 0;
}

static void destroy_symbols(struct symbols *symbols)
{
	(void)symbols;
}

static void destroy_types(struct types *types)
{
	(void)types;
}

static const struct symbols_ops symbols_ops = { .find = find_symbol, .destroy = destroy_symbols };
static const struct types_ops no_types_ops = { .destroy = destroy_types };

static void add_region(struct fake_kernel *fake, uint64_t address, const void *data, size_t size)
{
	if (fake->num_regions == MAX_REGIONS)
		abort();
	fake->regions[fake->num_regions++] = (struct region){ address, data, size };
}

/* A kernel with vmlinux's BTF @data; the provider is not opened. */
static void fake_init(struct fake_kernel *fake, const void *data, size_t size)
{
	struct memory *memory = fake_create();

	*fake = (struct fake_kernel){
		.virtual_memory = { read_page, to_phys, destroy_virtual_memory },
		.symbols.ops = &symbols_ops,
		.no_types.ops = &no_types_ops,
		.start = vmlinux_at,
		.stop = vmlinux_at + size,
	};
	memory->path = strdup("dump");
	add_region(fake, vmlinux_at, data, size);
	if (!EXPECT_NO_ERROR(kernel_create(memory, &fake->virtual_memory, &fake->symbols,
					   &fake->no_types, &fake->kernel)))
		abort();
}

/* Open the provider of a kernel whose BTF is whole. */
static struct types *open_types(struct fake_kernel *fake)
{
	if (!EXPECT_NO_ERROR(btf_open_kernel(fake->kernel, &fake->types)) || !fake->types)
		abort();
	return fake->types;
}

static void fake_deinit(struct fake_kernel *fake)
{
	if (fake->types)
		fake->types->ops->destroy(fake->types);
	kernel_close(fake->kernel);
}

/* ---- Questions ---- */

static struct error *find(struct types *types, const char *type, const char *member,
			  const char *with, struct member *ret)
{
	const struct type_query query = { .type = type, .member = member, .with = with };

	return types->ops->find(types, &query, ret);
}

static struct member ask(struct types *types, const char *type, const char *member,
			 const char *with)
{
	struct member ret = { .present = true };

	EXPECT_NO_ERROR(find(types, type, member, with, &ret));
	return ret;
}

static bool same(const struct member *a, const struct member *b)
{
	return a->present == b->present && a->offset == b->offset && a->size == b->size &&
	       a->bit_offset == b->bit_offset && a->bit_size == b->bit_size;
}

static void expect_member(struct types *types, const char *type, const char *member,
			  const char *with, struct member should)
{
	struct member is = ask(types, type, member, with);

	EXPECT(same(&is, &should), "%s.%s is %d %u %u b%u:%u, not %d %u %u b%u:%u", type,
	       member ? member : "-", is.present, is.offset, is.size, is.bit_offset, is.bit_size,
	       should.present, should.offset, should.size, should.bit_offset, should.bit_size);
}

#define PLACE(O, S) ((struct member){ .present = true, .offset = (O), .size = (S) })
#define BIT_PLACE(O, S, B, W) \
	((struct member){     \
		.present = true, .offset = (O), .size = (S), .bit_offset = (B), .bit_size = (W) })
#define ABSENT ((struct member){ .present = false })

static void expect_enumerator(struct types *types, const char *tag, const char *name, bool should,
			      int64_t value)
{
	bool found = !should;
	int64_t is = 0;

	EXPECT_NO_ERROR(types->ops->enumerator(types, tag, name, &found, &is));
	EXPECT(found == should && (!found || is == value), "%s is %d %" PRId64, name, found, is);
}

/* ---- What compilers make ---- */

#define TEXT(...) #__VA_ARGS__
#define AS_TEXT(...) TEXT(__VA_ARGS__)

/* The same words for this file's compiler and for the one that makes BTF of them. */
/* clang-format off */
#define DECLARATIONS                                                                           \
	struct point { int x, y; };                                                            \
	typedef struct point point_t;                                                          \
	typedef const volatile point_t far_point;                                              \
	struct everything {                                                                    \
		char first;                                                                    \
		struct {                                                                       \
			uint64_t in_struct;                                                    \
			union {                                                                \
				uint64_t in_union;                                             \
				struct { int deep, deeper; };                                  \
				struct point named;                                            \
			};                                                                     \
		};                                                                             \
		far_point qualified;                                                           \
		int array[3][5];                                                               \
		far_point points[4];                                                           \
		struct everything *pointer;                                                    \
		struct inner { char a; _Bool flag; short b; struct { short c; }; } inner;      \
		int (*function)(int);                                                          \
		const uint64_t *const pointers[2];                                             \
		_Bool truth;                                                                   \
		enum colour { RED, GREEN = 5, MINUS = -7, BIG = 0x7fffffff } hue;              \
		enum plain { NONE, TOP = 0x80000000 } plain;                                   \
		double real;                                                                   \
		struct forward *forward;                                                       \
		uint64_t flexible[];                                                           \
	};                                                                                     \
	struct bits {                                                                          \
		char before;                                                                   \
		unsigned int a : 3, b : 13, c : 16, d : 1;                                     \
		uint64_t wide : 40, wider : 24;                                                \
		_Bool yes : 1, no : 1;                                                         \
		uint8_t tiny : 2, : 3, tinier : 1;                                             \
		struct { uint16_t nested : 5, nested2 : 11; };                                 \
		int sign : 7;                                                                  \
		enum shade { DARK, LIGHT } shade : 4;                                                 \
		uint32_t after;                                                                \
	};                                                                                     \
	struct __attribute__((packed)) packed_bits {                                           \
		uint8_t head;                                                                  \
		unsigned int one : 7, straddles : 28, rest : 5;                                \
		uint64_t odd;                                                                  \
		unsigned int tail : 3;                                                         \
	};                                                                                     \
	union choice { uint64_t number; struct { uint32_t low, high; }; uint8_t bit : 1; };    \
	enum { NAMELESS = 40 };
/* clang-format on */

DECLARATIONS

static const char fixture[] = "#include <stdint.h>\n" AS_TEXT(
	DECLARATIONS) "\n"
		      "struct everything *everything; struct bits bits; struct packed_bits packed_bits;\n"
		      "union choice choice; enum colour colour; int nameless(int i);\n"
		      "int nameless(int i) { return everything->inner.a + bits.a + packed_bits.one\n"
		      "	+ choice.low + (i == NAMELESS ? colour : GREEN); }\n";

/* Several ways to BTF; one that this machine does not have is left out. */
static const char *const makers[] = {
	"gcc -gbtf -c fixture.c -o fixture.o",
	"gcc -g -c fixture.c -o fixture.o && pahole -J fixture.o",
	"gcc -g -gdwarf-4 -c fixture.c -o fixture.o && pahole -J --btf_gen_all fixture.o",
};

static bool shell(const char *directory, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && { %s; } >/dev/null 2>&1", directory, command);
	return system(line) == 0; /* NOLINT(cert-env33-c): compilers are run by the shell */
}

static void *read_file(const char *directory, const char *name, size_t *size)
{
	char path[128];
	char *data = malloc(1 << 20);

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "rb");
	if (!data || !file)
		abort();
	*size = fread(data, 1, 1 << 20, file);
	fclose(file);
	return data;
}

/* Run @maker on the fixture; NULL when it is not there. */
static void *make_btf(const char *maker, size_t *size)
{
	char directory[] = "/tmp/iommupt-btf-XXXXXX";
	char path[128];
	void *data = NULL;

	if (!mkdtemp(directory))
		abort();
	snprintf(path, sizeof(path), "%s/fixture.c", directory);
	FILE *file = fopen(path, "w");
	if (!file || fputs(fixture, file) < 0 || fclose(file) != 0)
		abort();
	if (shell(directory, maker) &&
	    shell(directory, "objcopy --dump-section .BTF=fixture.btf fixture.o"))
		data = read_file(directory, "fixture.btf", size);
	shell(directory, "rm -f fixture.c fixture.o fixture.btf");
	rmdir(directory);
	return data;
}

#define EXPECT_WHOLE(T) expect_member(types, strchr(#T, ' ') + 1, NULL, NULL, PLACE(0, sizeof(T)))
#define EXPECT_PLACE(T, M)                                  \
	expect_member(types, strchr(#T, ' ') + 1, #M, NULL, \
		      PLACE(offsetof(T, M), sizeof(__typeof__(((T *)NULL)->M))))

/* Set a bit-field and see which bits change. */
#define EXPECT_BITS(T, M, UNIT)                                                        \
	do {                                                                           \
		union {                                                                \
			T whole;                                                       \
			uint8_t bytes[sizeof(T)];                                      \
		} u;                                                                   \
		memset(&u, 0, sizeof(u));                                              \
		u.whole.M = -1;                                                        \
		expect_bits(types, strchr(#T, ' ') + 1, #M, u.bytes, sizeof(T), UNIT); \
	} while (0)

/* @unit: bytes of the storage unit, 0: as few as hold the field. */
static void expect_bits(struct types *types, const char *type, const char *member,
			const uint8_t *bytes, size_t size, unsigned int unit)
{
	const struct member is = ask(types, type, member, NULL);
	unsigned int start = 0, width = 0;

	for (unsigned int bit = 8 * (unsigned int)size; bit-- > 0;) {
		if (bytes[bit / 8] >> bit % 8 & 1) {
			start = bit;
			width++;
		}
	}
	if (!unit)
		unit = (start % 8 + width + 7) / 8;
	EXPECT(is.present && is.bit_size == width && 8 * is.offset + is.bit_offset == start &&
		       is.size == unit && is.bit_offset + is.bit_size <= 8 * is.size,
	       "%s.%s is %d %u %u b%u:%u, not bit %u, %u wide, in %u bytes", type, member,
	       is.present, is.offset, is.size, is.bit_offset, is.bit_size, start, width, unit);
}

static void check_plain(struct types *types)
{
	EXPECT_WHOLE(struct everything);
	EXPECT_WHOLE(struct bits);
	EXPECT_WHOLE(struct packed_bits);
	EXPECT_WHOLE(struct inner);
	EXPECT_WHOLE(union choice);
	EXPECT_PLACE(struct everything, first);
	EXPECT_PLACE(struct everything, in_struct);
	EXPECT_PLACE(struct everything, in_union);
	EXPECT_PLACE(struct everything, deep);
	EXPECT_PLACE(struct everything, deeper);
	EXPECT_PLACE(struct everything, named);
	EXPECT_PLACE(struct everything, named.y);
	EXPECT_PLACE(struct everything, qualified);
	EXPECT_PLACE(struct everything, qualified.y);
	EXPECT_PLACE(struct everything, array);
	EXPECT_PLACE(struct everything, points);
	EXPECT_PLACE(struct everything, pointer);
	EXPECT_PLACE(struct everything, inner);
	EXPECT_PLACE(struct everything, inner.flag);
	EXPECT_PLACE(struct everything, inner.c);
	EXPECT_PLACE(struct everything, function);
	EXPECT_PLACE(struct everything, pointers);
	EXPECT_PLACE(struct everything, truth);
	EXPECT_PLACE(struct everything, hue);
	EXPECT_PLACE(struct everything, plain);
	EXPECT_PLACE(struct everything, real);
	EXPECT_PLACE(struct everything, forward);
	expect_member(types, "everything", "flexible", NULL,
		      PLACE(offsetof(struct everything, flexible), 0));
	EXPECT_PLACE(struct bits, before);
	EXPECT_PLACE(struct bits, after);
	EXPECT_PLACE(struct packed_bits, odd);
	EXPECT_PLACE(union choice, number);
	EXPECT_PLACE(union choice, high);
}

static void check_bit_fields(struct types *types)
{
	EXPECT_BITS(struct bits, a, 4);
	EXPECT_BITS(struct bits, b, 4);
	EXPECT_BITS(struct bits, c, 4);
	EXPECT_BITS(struct bits, d, 4);
	EXPECT_BITS(struct bits, wide, 8);
	EXPECT_BITS(struct bits, wider, 8);
	EXPECT_BITS(struct bits, yes, 1);
	EXPECT_BITS(struct bits, no, 1);
	EXPECT_BITS(struct bits, tiny, 1);
	EXPECT_BITS(struct bits, tinier, 1);
	EXPECT_BITS(struct bits, nested, 2);
	EXPECT_BITS(struct bits, nested2, 2);
	EXPECT_BITS(struct bits, sign, 4);
	EXPECT_BITS(struct bits, shade, 4);
	EXPECT_BITS(struct packed_bits, one, 4);
	EXPECT_BITS(struct packed_bits, straddles, 0);
	EXPECT_BITS(struct packed_bits, rest, 4);
	EXPECT_BITS(struct packed_bits, tail, 0);
	EXPECT_BITS(union choice, bit, 1);
}

static void check_absent(struct types *types)
{
	static const char *const paths[] = {
		"no_such", "firs", "firstly",	    "first.x",	"inner.",
		"",	   ".",	   "pointer.first", "points.x",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		expect_member(types, "everything", paths[i], NULL, ABSENT);
	expect_member(types, "no_such_type", "x", NULL, ABSENT);
	expect_member(types, "no_such_type", NULL, NULL, ABSENT);
	expect_member(types, "", NULL, NULL, ABSENT);
	expect_member(types, "point_t", NULL, NULL, ABSENT); /* a typedef */
	expect_member(types, "colour", NULL, NULL, ABSENT);  /* an enum */
	expect_member(types, "forward", NULL, NULL, ABSENT); /* declared, not defined */
	expect_member(types, "point", "x", "no_such", ABSENT);
}

static void check_enumerators(struct types *types)
{
	expect_enumerator(types, "colour", "RED", true, RED);
	expect_enumerator(types, "colour", "GREEN", true, GREEN);
	expect_enumerator(types, "colour", "MINUS", true, MINUS);
	expect_enumerator(types, "colour", "BIG", true, BIG);
	expect_enumerator(types, "colour", "TOP", false, 0);
	expect_enumerator(types, "point", "RED", false, 0);
	expect_enumerator(types, "no_such_enum", "RED", false, 0);
	expect_enumerator(types, NULL, "NAMELESS", true, NAMELESS);
	expect_enumerator(types, NULL, "NO_SUCH", false, 0);
}

static void test_compilers(void)
{
	unsigned int made = 0;

	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		struct fake_kernel fake;
		size_t size = 0;
		void *data = make_btf(makers[i], &size);

		if (!data)
			continue;
		made++;
		fake_init(&fake, data, size);
		struct types *types = open_types(&fake);
		check_plain(types);
		check_bit_fields(types);
		check_absent(types);
		check_enumerators(types);
		fake_deinit(&fake);
		free(data);
	}
	EXPECT(made > 0, "neither gcc -gbtf nor pahole is there");
}

/* ---- What is made by hand ---- */

/* What the kernel has, in the shape that vmlinux's BTF below says. */
struct fake_module {
	uint64_t pad;
	uint64_t next, prev;
	uint64_t module;
	uint64_t btf;
};

struct fake_btf {
	uint32_t pad;
	uint32_t data_size;
	uint64_t data;
};

/* Member of a structure made by hand; width 0: no bit-field. */
struct field {
	const char *name;
	int type;
	uint32_t bit;
	uint32_t width;
};

static int add_struct(struct btf *btf, const char *name, size_t size, const struct field *fields,
		      size_t count)
{
	const int id = btf__add_struct(btf, name, (uint32_t)size);

	for (size_t i = 0; i < count; i++) {
		/* The writer does not let a plain member begin between bytes, as they did. */
		const bool odd = fields[i].width == 0 && fields[i].bit % 8;

		if (btf__add_field(btf, fields[i].name, fields[i].type, odd ? 0 : fields[i].bit,
				   fields[i].width) < 0)
			abort();
		if (odd)
			btf_members((struct btf_type *)btf__type_by_id(btf, (uint32_t)id))[i]
				.offset = fields[i].bit;
	}
	return id;
}

#define ADD_STRUCT(BTF, NAME, SIZE, ...)                                         \
	add_struct((BTF), (NAME), (SIZE), (const struct field[]){ __VA_ARGS__ }, \
		   sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field))

/* An integer that is a bit-field by itself, as before kind_flag. */
static int add_narrow_int(struct btf *btf, const char *name, uint32_t size, uint32_t offset,
			  uint32_t bits)
{
	const int id = btf__add_int(btf, name, size, 0);
	const struct btf_type *type = btf__type_by_id(btf, (uint32_t)id);

	*(uint32_t *)(type + 1) = offset << 16 | bits;
	return id;
}

static void add_kernel_structs(struct btf *btf, int u32, int u64)
{
	const int list =
		ADD_STRUCT(btf, "list_head", 16, { "next", u64, 0, 0 }, { "prev", u64, 64, 0 });

	ADD_STRUCT(btf, "btf_module", sizeof(struct fake_module),
		   { "list", list, 8 * offsetof(struct fake_module, next), 0 },
		   { "module", u64, 8 * offsetof(struct fake_module, module), 0 },
		   { "btf", u64, 8 * offsetof(struct fake_module, btf), 0 });
	ADD_STRUCT(btf, "btf", sizeof(struct fake_btf),
		   { "data", u64, 8 * offsetof(struct fake_btf, data), 0 },
		   { "data_size", u32, 8 * offsetof(struct fake_btf, data_size), 0 });
}

static void add_enums(struct btf *btf)
{
	btf__add_enum(btf, "declared", 4);
	btf__add_enum(btf, "unsigned", 4);
	btf__add_enum_value(btf, "UNSIGNED_TOP", 0xffffffff);
	btf__add_enum(btf, "signed", 4);
	btf__add_enum_value(btf, "SIGNED_MINUS", -1);
	btf__add_enum_value(btf, "SIGNED_ONE", 1);
	btf__add_enum64(btf, "huge", 8, false);
	btf__add_enum64_value(btf, "HUGE_ONE", 1);
	btf__add_enum64_value(btf, "HUGE_TOP", 0x8000000000000001);
	btf__add_enum64(btf, "deep", 8, true);
	btf__add_enum64_value(btf, "DEEP_MINUS", (uint64_t)-5000000000);
}

/* vmlinux's, with type 1 a u32 and type 2 a u64. */
static struct btf *hand_made(void)
{
	struct btf *btf = btf__new_empty();
	const int u32 = btf__add_int(btf, "u32", 4, 0);
	const int u64 = btf__add_int(btf, "u64", 8, 0);
	const int three = add_narrow_int(btf, "u32", 4, 0, 3);
	const int moved = add_narrow_int(btf, "u32", 4, 5, 7);

	add_kernel_structs(btf, u32, u64);
	ADD_STRUCT(btf, "old_bits", 12, { "plain", u32, 0, 0 }, { "at_bit_37", three, 37, 0 },
		   { "at_bit_69", moved, 64, 0 },
		   { "typedefed", btf__add_typedef(btf, "three_t", three), 40, 0 });
	const int tagged = btf__add_type_tag(btf, "user", btf__add_volatile(btf, u64));
	ADD_STRUCT(btf, "new_bits", 16, { "bits", u32, 3, 9 }, { "tagged", tagged, 64, 0 });
	ADD_STRUCT(btf, "twin", 8, { "both", u32, 32, 0 }, { "only_first", u32, 0, 0 });
	ADD_STRUCT(btf, "twin", 24, { "both", u64, 128, 0 }, { "only_second", u32, 64, 0 });
	btf__add_fwd(btf, "in_module", BTF_FWD_STRUCT);
	add_enums(btf);
	btf__add_decl_tag(btf, "tag", u32 + 1, -1);
	btf__add_float(btf, "double", 8);
	return btf;
}

static void check_hand_made(struct types *types)
{
	expect_member(types, "old_bits", "plain", NULL, PLACE(0, 4));
	expect_member(types, "old_bits", "at_bit_37", NULL, BIT_PLACE(4, 4, 5, 3));
	expect_member(types, "old_bits", "at_bit_69", NULL, BIT_PLACE(8, 4, 5, 7));
	expect_member(types, "old_bits", "typedefed", NULL, BIT_PLACE(4, 4, 8, 3));
	expect_member(types, "new_bits", "bits", NULL, BIT_PLACE(0, 4, 3, 9));
	expect_member(types, "new_bits", "tagged", NULL, PLACE(8, 8));
	expect_member(types, "twin", "both", "only_first", PLACE(4, 4));
	expect_member(types, "twin", "both", "only_second", PLACE(16, 8));
	expect_member(types, "twin", NULL, "only_second", PLACE(0, 24));
	expect_member(types, "twin", "only_first", "only_second", ABSENT);
	expect_member(types, "twin", "both", "neither", ABSENT);
	expect_member(types, "twin", NULL, NULL, PLACE(0, 8));
	expect_member(types, "btf_module", "list.prev", NULL, PLACE(16, 8));
	expect_enumerator(types, "unsigned", "UNSIGNED_TOP", true, 0xffffffff);
	expect_enumerator(types, "signed", "SIGNED_MINUS", true, -1);
	expect_enumerator(types, "huge", "HUGE_TOP", true, (int64_t)0x8000000000000001);
	expect_enumerator(types, "deep", "DEEP_MINUS", true, -5000000000);
	expect_enumerator(types, "declared", "HUGE_ONE", false, 0);
	expect_enumerator(types, NULL, "SIGNED_ONE", true, 1);
}

static void test_hand_made(void)
{
	struct fake_kernel fake;
	struct btf *btf = hand_made();
	uint32_t size = 0;
	const void *data = btf__raw_data(btf, &size);

	fake_init(&fake, data, size);
	struct types *types = open_types(&fake);
	CU_ASSERT_STRING_EQUAL(types->ops->name, "btf");
	check_hand_made(types);
	fake_deinit(&fake);
	btf__free(btf);
}

/* ---- Modules ---- */

enum { NUM_MODULES = 4 };

struct fake_modules {
	uint64_t head[2];
	struct fake_module modules[NUM_MODULES];
	struct fake_btf btfs[NUM_MODULES];
	struct btf *made[NUM_MODULES];
	void *data[NUM_MODULES];
};

static uint64_t btf_at(unsigned int i)
{
	return modules_at + 0x1000000 + (uint64_t)i * 0x100000;
}

static uint64_t node_at(unsigned int i)
{
	return modules_at + offsetof(struct fake_modules, modules[i].next);
}

/* Each has a struct of its own, and one that all of them have. */
static struct btf *module_btf(struct btf *base, unsigned int i)
{
	struct btf *btf = btf__new_empty_split(base);
	char name[32];

	snprintf(name, sizeof(name), "only_in_%u", i);
	const int own = ADD_STRUCT(btf, name, 48, { "number", 2, 64 * (i + 1), 0 });
	ADD_STRUCT(btf, "in_module", 80, { "common", own, 64 * i, 0 }, { "base", 1, 608, 0 });
	/* vmlinux's is meant, wherever this one is not asked for. */
	ADD_STRUCT(btf, "old_bits", 8, { "other", 1, 32, 0 });
	snprintf(name, sizeof(name), "enum_in_%u", i);
	btf__add_enum(btf, name, 4);
	btf__add_enum_value(btf, "IN_MODULE", -1 - (int)i);
	return btf;
}

static void modules_init(struct fake_modules *modules, struct fake_kernel *fake, struct btf *base)
{
	memset(modules, 0, sizeof(*modules));
	for (unsigned int i = 0; i < NUM_MODULES; i++) {
		uint32_t size = 0;

		modules->made[i] = module_btf(base, i);
		const void *data = btf__raw_data(modules->made[i], &size);
		modules->data[i] = malloc(size);
		if (!modules->data[i])
			abort();
		memcpy(modules->data[i], data, size);
		modules->btfs[i].data = btf_at(i);
		modules->btfs[i].data_size = size;
		modules->modules[i].btf = modules_at + offsetof(struct fake_modules, btfs[i]);
		modules->modules[i].next = i + 1 < NUM_MODULES ? node_at(i + 1) : list_at;
		add_region(fake, btf_at(i), modules->data[i], size);
	}
	modules->head[0] = node_at(0);
	add_region(fake, modules_at, modules, sizeof(*modules));
	add_region(fake, list_at, modules->head, sizeof(modules->head));
	fake->list = list_at;
}

static void modules_deinit(struct fake_modules *modules)
{
	for (unsigned int i = 0; i < NUM_MODULES; i++) {
		btf__free(modules->made[i]);
		free(modules->data[i]);
	}
}

/* A kernel with modules, its provider open, the modules not added. */
struct module_test {
	struct btf *base;
	uint8_t *data; /* its bytes: libbpf drops its own when a BTF is made on top */
	struct fake_kernel fake;
	struct fake_modules modules;
};

static void module_test_init(struct module_test *test)
{
	uint32_t size = 0;

	test->base = hand_made();
	const void *data = btf__raw_data(test->base, &size);
	test->data = malloc(size);
	if (!test->data)
		abort();
	memcpy(test->data, data, size);
	fake_init(&test->fake, test->data, size);
	modules_init(&test->modules, &test->fake, test->base);
	open_types(&test->fake);
}

static void module_test_deinit(struct module_test *test)
{
	fake_deinit(&test->fake);
	modules_deinit(&test->modules);
	btf__free(test->base);
	free(test->data);
}

static void test_modules(void)
{
	struct module_test test;
	size_t skipped = 1;

	module_test_init(&test);
	struct types *types = test.fake.types;
	expect_member(types, "only_in_2", "number", NULL, ABSENT);
	EXPECT_NO_ERROR(btf_add_modules(test.fake.kernel, types, &skipped));
	EXPECT_NUMBER(skipped, 0);
	check_hand_made(types);
	expect_member(types, "only_in_2", "number", NULL, PLACE(24, 8));
	expect_member(types, "only_in_0", "number", NULL, PLACE(8, 8));
	expect_member(types, "in_module", "common.number", NULL, PLACE(8, 8));
	expect_member(types, "in_module", "base", NULL, PLACE(76, 4));
	/* vmlinux has one of this name; modules are asked only where it is not meant. */
	expect_member(types, "old_bits", "other", NULL, ABSENT);
	expect_member(types, "old_bits", "other", "other", PLACE(4, 4));
	expect_member(types, "only_in_9", NULL, NULL, ABSENT);
	expect_enumerator(types, "enum_in_1", "IN_MODULE", true, -2);
	expect_enumerator(types, NULL, "IN_MODULE", true, -1);
	expect_enumerator(types, NULL, "NO_SUCH", false, 0);
	EXPECT_NUMBER(btf_modules_skipped(types), 0);
	module_test_deinit(&test);
}

/* One cannot be found, one is not in the dump, one is damaged; the fourth answers. */
static void test_bad_modules(void)
{
	struct module_test test;
	size_t skipped = 0;

	module_test_init(&test);
	struct types *types = test.fake.types;
	test.modules.modules[0].btf = 0x1000;
	test.modules.btfs[1].data += 0x80000;
	memset((char *)test.modules.data[2] + sizeof(struct btf_header), 0xff, 8);
	EXPECT_NO_ERROR(btf_add_modules(test.fake.kernel, types, &skipped));
	EXPECT_NUMBER(skipped, 1);
	expect_member(types, "old_bits", "plain", NULL, PLACE(0, 4));
	EXPECT_NUMBER(btf_modules_skipped(types), 1); /* no need to read any yet */
	expect_member(types, "only_in_3", "number", NULL, PLACE(32, 8));
	EXPECT_NUMBER(btf_modules_skipped(types), 3);
	expect_member(types, "only_in_2", "number", NULL, ABSENT);
	expect_member(types, "in_module", "common", NULL, PLACE(24, 48));
	EXPECT_NUMBER(btf_modules_skipped(types), 3);
	module_test_deinit(&test);
}

static void test_bad_lists(void)
{
	static const uint64_t bad_next[] = { 0, 0x4000, modules_at + 1 };

	for (size_t i = 0; i < sizeof(bad_next) / sizeof(bad_next[0]); i++) {
		struct module_test test;

		module_test_init(&test);
		test.modules.modules[1].next = bad_next[i];
		struct error *err = btf_add_modules(test.fake.kernel, test.fake.types, NULL);
		if (i < 2)
			EXPECT_ERROR(err, "kernel");
		else
			error_free(err);
		expect_member(test.fake.types, "only_in_1", "number", NULL, PLACE(16, 8));
		expect_member(test.fake.types, "only_in_2", "number", NULL, ABSENT);
		module_test_deinit(&test);
	}
}

/* A ring of the same module again and again ends, and so does a list that misses the head. */
static void test_endless_list(void)
{
	struct module_test test;

	module_test_init(&test);
	test.modules.modules[1].next = node_at(0);
	EXPECT_ERROR(btf_add_modules(test.fake.kernel, test.fake.types, NULL), "does not close");
	expect_member(test.fake.types, "only_in_1", "number", NULL, PLACE(16, 8));
	expect_member(test.fake.types, "only_in_2", "number", NULL, ABSENT);
	module_test_deinit(&test);
}

/* ---- None, and errors ---- */

static void test_none(void)
{
	static const struct {
		uint64_t start, stop;
		bool error;
	} cases[] = {
		{ 0, 0, false },
		{ vmlinux_at, 0, false },
		{ 0, vmlinux_at, false },
		{ vmlinux_at, vmlinux_at, false },
		{ vmlinux_at + 1, vmlinux_at, true },
		{ vmlinux_at, vmlinux_at + 1, true },
		{ vmlinux_at, vmlinux_at + (1U << 30), true },
		{ vmlinux_at, vmlinux_at + 0x10000, true }, /* its end is not in the dump */
	};
	struct btf *btf = hand_made();
	uint32_t size = 0;
	const void *data = btf__raw_data(btf, &size);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_kernel fake;

		fake_init(&fake, data, size);
		fake.start = cases[i].start;
		fake.stop = cases[i].stop;
		struct error *err = btf_open_kernel(fake.kernel, &fake.types);
		CU_ASSERT_PTR_NULL(fake.types);
		if (cases[i].error)
			EXPECT_ERROR(err, "give the debug vmlinux with -s");
		else
			EXPECT_NO_ERROR(err);
		fake_deinit(&fake);
	}
	btf__free(btf);
}

/* ---- Damage ---- */

static const struct type_query damage_queries[] = {
	{ "old_bits", "plain", NULL },	   { "old_bits", "at_bit_37", NULL },
	{ "old_bits", "typedefed", NULL }, { "new_bits", "tagged", NULL },
	{ "twin", "both", "only_second" }, { "btf_module", "list.prev", NULL },
	{ "btf", "data_size", NULL },	   { "twin", NULL, NULL },
	{ "only_in_2", "number", NULL },   { "in_module", "common.number", NULL },
};

enum { DAMAGE_QUERIES = sizeof(damage_queries) / sizeof(damage_queries[0]) };

struct answers {
	struct member members[DAMAGE_QUERIES];
};

/* As @pattern, with nothing read yet. */
static void fake_again(struct fake_kernel *fake, const struct fake_kernel *pattern, size_t size)
{
	fake_init(fake, pattern->regions[0].data, size);
	memcpy(fake->regions, pattern->regions, sizeof(fake->regions));
	fake->regions[0].size = size;
	fake->num_regions = pattern->num_regions;
	fake->list = pattern->list;
}

/* Open a kernel like @pattern, of whose BTF @size bytes are left, and ask it everything. */
static void ask_all(const struct fake_kernel *pattern, size_t size, struct answers *ret)
{
	static const char advice[] = "give the debug vmlinux with -s";
	struct fake_kernel fake;
	bool found;
	int64_t value;

	*ret = (struct answers){ 0 };
	fake_again(&fake, pattern, size);
	struct error *err = btf_open_kernel(fake.kernel, &fake.types);
	if (err)
		EXPECT_ERROR(err, advice);
	if (fake.types)
		error_free(btf_add_modules(fake.kernel, fake.types, NULL));
	for (int i = 0; i < DAMAGE_QUERIES && fake.types; i++) {
		struct member *member = &ret->members[i];

		err = fake.types->ops->find(fake.types, &damage_queries[i], member);
		if (!err)
			continue;
		EXPECT_ERROR(err, advice);
		*member = ABSENT;
	}
	if (fake.types) {
		error_free(fake.types->ops->enumerator(fake.types, "huge", "DEEP", &found, &value));
		error_free(fake.types->ops->enumerator(fake.types, NULL, "DEEP", &found, &value));
	}
	fake_deinit(&fake);
}

/*
 * After damage at byte @where. An offset that was changed into another cannot be told from a
 * right one; all else leaves answers as they were, or absent.
 */
static void compare(const struct answers *right, const struct answers *is, size_t where,
		    bool in_types)
{
	for (int i = 0; i < DAMAGE_QUERIES; i++) {
		const struct member *member = &is->members[i];

		if (!member->present || same(member, &right->members[i]))
			continue;
		EXPECT(in_types, "byte %zu: %s.%s is %u", where, damage_queries[i].type,
		       damage_queries[i].member, member->offset);
		EXPECT(member->bit_size == 0 ||
			       (member->bit_size <= 64 &&
				member->bit_offset + member->bit_size <= 8 * member->size),
		       "byte %zu: bit-field of %u bits", where, member->bit_size);
	}
}

/* Change each byte of @data, which a kernel like @pattern reads, to several others. */
static void damage_bytes(const struct fake_kernel *pattern, uint8_t *data)
{
	static const uint8_t changes[] = { 0x01, 0x04, 0x80, 0xff, 0 };
	const struct btf_header *header = (const struct btf_header *)data;
	const size_t strings = header->hdr_len + header->str_off;
	const size_t size = strings + header->str_len;
	struct random random = { 7 };
	struct answers right, is;

	ask_all(pattern, pattern->regions[0].size, &right);
	for (size_t at = 0; at < size; at++) {
		const uint8_t was = data[at];

		for (size_t i = 0; i < sizeof(changes); i++) {
			data[at] = was ^ (changes[i] ? changes[i]
						     : (uint8_t)(1 + random_below(&random, 255)));
			ask_all(pattern, pattern->regions[0].size, &is);
			data[at] = was;
			compare(&right, &is, at, at >= sizeof(*header) && at < strings);
		}
	}
}

static void test_damage(void)
{
	struct module_test test;

	module_test_init(&test);
	damage_bytes(&test.fake, test.data);
	damage_bytes(&test.fake, test.modules.data[2]);
	module_test_deinit(&test);
}

static void test_truncated(void)
{
	struct module_test test;
	struct answers right, is;

	module_test_init(&test);
	ask_all(&test.fake, test.fake.regions[0].size, &right);
	for (size_t size = test.fake.regions[0].size; size-- > 0;) {
		ask_all(&test.fake, size, &is);
		compare(&right, &is, size, false);
	}
	module_test_deinit(&test);
}

/* ---- Types that do not end ---- */

static struct btf_type *type_of(struct btf *btf, int id)
{
	return (struct btf_type *)btf__type_by_id(btf, (uint32_t)id);
}

/* Structures of two anonymous members each, the same one: 2^32 ways to the bottom, or no end. */
static struct btf *endless(void)
{
	struct btf *btf = btf__new_empty();
	const int u32 = btf__add_int(btf, "u32", 4, 0);
	const int one = btf__add_typedef(btf, "one", u32);
	const int other = btf__add_const(btf, one);
	type_of(btf, one)->type = (uint32_t)other;
	const int array = btf__add_array(btf, u32, u32, 2);
	btf_array(type_of(btf, array))->type = (uint32_t)array;
	int wide = u32;
	for (int i = 0; i < 4; i++)
		wide = btf__add_array(btf, u32, wide, 0x80000000);
	ADD_STRUCT(btf, "loops", 64, { "alias", one, 0, 0 }, { "array", array, 0, 0 },
		   { "wide", wide, 0, 0 }, { "far", u32, 8 * 61, 0 }, { "last", u32, 8 * 60, 0 },
		   { "askew", u32, 3, 0 });
	const int self = ADD_STRUCT(btf, "self", 8, { NULL, u32, 0, 0 }, { NULL, u32, 0, 0 });
	btf_members(type_of(btf, self))[0].type = (uint32_t)self;
	int deep = u32;
	for (int i = 0; i < 30; i++)
		deep = ADD_STRUCT(btf, i < 29 ? NULL : "deep", 8, { NULL, deep, 0, 0 },
				  { NULL, deep, 0, 0 });
	int nested = ADD_STRUCT(btf, "leaf", 4, { "down", u32, 0, 0 });
	for (int i = 0; i < 40; i++)
		nested = ADD_STRUCT(btf, i < 39 ? NULL : "nested", 4, { NULL, nested, 0, 0 });
	return btf;
}

static void test_endless_types(void)
{
	static const struct {
		const char *type, *member, *word;
	} cases[] = {
		{ "loops", "alias", "typedefs" }, { "loops", "alias.x", "typedefs" },
		{ "loops", "array", "array" },	  { "loops", "wide", "array" },
		{ "loops", "far", "member" },	  { "loops", "askew", "member" },
		{ "self", "x", "nested" },	  { "deep", "x", "nested" },
		{ "nested", "down", "nested" },
	};
	struct btf *btf = endless();
	uint32_t size = 0;
	const void *data = btf__raw_data(btf, &size);
	struct fake_kernel fake;

	fake_init(&fake, data, size);
	struct types *types = open_types(&fake);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct member member;

		EXPECT_ERROR(find(types, cases[i].type, cases[i].member, NULL, &member),
			     cases[i].word);
	}
	expect_member(types, "loops", "last", NULL, PLACE(60, 4));
	expect_member(types, "deep", NULL, NULL, PLACE(0, 8));
	fake_deinit(&fake);
	btf__free(btf);
}

void suite_btf(void)
{
	CU_pSuite suite = CU_add_suite("btf", NULL, NULL);

	CU_add_test(suite, "what compilers make", test_compilers);
	CU_add_test(suite, "what is made by hand", test_hand_made);
	CU_add_test(suite, "modules", test_modules);
	CU_add_test(suite, "modules that are skipped", test_bad_modules);
	CU_add_test(suite, "damaged lists of modules", test_bad_lists);
	CU_add_test(suite, "a list without an end", test_endless_list);
	CU_add_test(suite, "none, and sizes that cannot be", test_none);
	CU_add_test(suite, "every byte damaged", test_damage);
	CU_add_test(suite, "cut off", test_truncated);
	CU_add_test(suite, "types without an end", test_endless_types);
}
