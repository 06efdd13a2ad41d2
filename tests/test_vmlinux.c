// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * target/vmlinux.c and target/dwarf.c against small programs that are compiled here.
 *
 * The truth comes from the compiler: each fixture program prints offsetof() and sizeof() of its
 * members and finds a bit-field's place by setting it and looking which bits changed.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <CUnit/CUnit.h>
#include <elf.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/error.h"
#include "target/types.h"
#include "target/vmlinux.h"

void suite_vmlinux(void);

static const char fixture_h[] =
	"#include <stdint.h>\n"
	"#include <stdbool.h>\n"
	"typedef uint64_t u64;\n"
	"struct point { int x, y; };\n"
	"typedef struct point const_point;\n"
	"struct everything {\n"
	"	char first;\n"
	"	struct { u64 in_struct; union { u64 in_union; struct { int deep, deeper; };\n"
	"		struct point named; }; };\n"
	"	const volatile const_point qualified;\n"
	"	int array[3][5];\n"
	"	struct point points[4];\n"
	"	struct everything *pointer;\n"
	"	struct inner { char a; _Bool flag; short b; struct { short c; }; } inner;\n"
	"	int (*function)(int);\n"
	"	const u64 *const pointers[2];\n"
	"	bool truth;\n"
	"	u64 flexible[];\n"
	"};\n"
	"struct bits {\n"
	"	char before;\n"
	"	unsigned int a : 3, b : 13, c : 16, d : 1;\n"
	"	u64 wide : 40, wider : 24;\n"
	"	bool yes : 1, no : 1;\n"
	"	uint8_t tiny : 2, : 3, tinier : 1;\n"
	"	struct { uint16_t nested : 5, nested2 : 11; };\n"
	"	int sign : 7;\n"
	"	uint32_t plain;\n"
	"};\n"
	"struct __attribute__((packed)) packed_bits {\n"
	"	uint8_t head;\n"
	"	unsigned int one : 7, straddles : 28, rest : 5;\n"
	"	u64 odd;\n"
	"	unsigned int tail : 3;\n"
	"};\n"
	"union choice { u64 number; struct { uint32_t low, high; }; uint8_t bit : 1; };\n"
	"enum colour { RED, GREEN = 5, MINUS = -7, BIG = 0x7fffffff };\n"
	"enum huge { HUGE_ONE = 1, HUGE_TOP = 0x8000000000000001ULL };\n";

/* Its path makes this the unit that the hints name. */
static const char fixture_hinted[] =
	"#include \"fixture.h\"\n"
	"struct iommu_group { int dummy; struct point *domain; };\n"
	"enum { NAMELESS_FIRST = 40, NAMELESS_SECOND };\n"
	"struct iommu_group group; struct everything *hinted;\n"
	"int nameless(int i); int nameless(int i) { return i == NAMELESS_SECOND; }\n";

static const char fixture_other[] =
	"#include \"fixture.h\"\n"
	"struct clash { int only_here; char pad; u64 both; };\n"
	"struct iommu_domain { int elsewhere; };\n"
	"struct forward;\n"
	"struct user { struct forward *forward; };\n"
	"static int twin = 2; struct clash other; struct iommu_domain domain; struct user user;\n"
	"int *other_twin(void); int *other_twin(void) { return &twin; }\n"
	"u64 offsets_other[4] = { __builtin_offsetof(struct clash, only_here),\n"
	"	__builtin_offsetof(struct clash, both), sizeof(struct clash) };\n";

static const char fixture_main[] =
	"#include \"fixture.h\"\n"
	"#include <stddef.h>\n"
	"#include <stdio.h>\n"
	"#include <string.h>\n"
	"struct clash { u64 a, b, both; int only_main; };\n"
	"extern u64 offsets_other[4];\n"
	"extern int *other_twin(void);\n"
	"static int twin = 1; struct clash in_main;\n"
	"const char banner[] = \"Fixture version 1\";\n"
	"int zeroes[100];\n"
	"union choice the_choice; struct packed_bits the_packed; struct bits the_bits;\n"
	"enum colour colour = GREEN; enum huge huge = HUGE_ONE;\n"
	"#define WHOLE(T) printf(\"member %s - 0 %zu -1 0\\n\", strchr(#T, ' ') + 1, sizeof(T))\n"
	"#define MEMBER(T, M) printf(\"member %s %s %zu %zu -1 0\\n\", strchr(#T, ' ') + 1, #M, \\\n"
	"	offsetof(T, M), sizeof(((T *)0)->M))\n"
	"#define BITS(T, M) do { union { T t; unsigned char b[sizeof(T)]; } u; \\\n"
	"	memset(&u, 0, sizeof(u)); u.t.M = -1; int start = -1, width = 0; \\\n"
	"	for (unsigned i = 0; i < 8 * sizeof(T); i++) if (u.b[i / 8] >> i % 8 & 1) { \\\n"
	"		if (start < 0) start = i; width++; } \\\n"
	"	printf(\"member %s %s 0 0 %d %d\\n\", strchr(#T, ' ') + 1, #M, start, width); } while (0)\n"
	"int main(void) {\n"
	"	WHOLE(struct everything); WHOLE(union choice); WHOLE(struct bits);\n"
	"	WHOLE(struct inner); WHOLE(struct point); WHOLE(struct packed_bits);\n"
	"	MEMBER(struct everything, first); MEMBER(struct everything, in_struct);\n"
	"	MEMBER(struct everything, in_union); MEMBER(struct everything, deep);\n"
	"	MEMBER(struct everything, deeper); MEMBER(struct everything, named.y);\n"
	"	MEMBER(struct everything, qualified); MEMBER(struct everything, qualified.y);\n"
	"	MEMBER(struct everything, array); MEMBER(struct everything, points);\n"
	"	MEMBER(struct everything, pointer); MEMBER(struct everything, inner);\n"
	"	MEMBER(struct everything, inner.flag); MEMBER(struct everything, inner.c);\n"
	"	MEMBER(struct everything, function); MEMBER(struct everything, pointers);\n"
	"	MEMBER(struct everything, truth);\n"
	"	MEMBER(struct bits, before); MEMBER(struct bits, plain);\n"
	"	MEMBER(struct packed_bits, odd);\n"
	"	MEMBER(union choice, number); MEMBER(union choice, high);\n"
	"	BITS(struct bits, a); BITS(struct bits, b); BITS(struct bits, c);\n"
	"	BITS(struct bits, d); BITS(struct bits, wide); BITS(struct bits, wider);\n"
	"	BITS(struct bits, tiny); BITS(struct bits, tinier);\n"
	"	BITS(struct bits, yes); BITS(struct bits, no);\n"
	"	BITS(struct bits, nested); BITS(struct bits, nested2); BITS(struct bits, sign);\n"
	"	BITS(struct packed_bits, one); BITS(struct packed_bits, straddles);\n"
	"	BITS(struct packed_bits, rest); BITS(struct packed_bits, tail);\n"
	"	BITS(union choice, bit);\n"
	"	printf(\"flexible %zu\\n\", offsetof(struct everything, flexible));\n"
	"	printf(\"clash %zu %zu %d %d %d\\n\", offsetof(struct clash, both),\n"
	"		sizeof(struct clash), (int)offsets_other[0], (int)offsets_other[1],\n"
	"		(int)offsets_other[2]);\n"
	"	printf(\"address banner %lx\\n\", (unsigned long)banner);\n"
	"	printf(\"address zeroes %lx\\n\", (unsigned long)zeroes);\n"
	"	printf(\"twin %lx %lx\\n\", (unsigned long)&twin, (unsigned long)other_twin());\n"
	"	return 0;\n"
	"}\n";

/* A compiler and its options; the fixture is linked and also left relocatable. */
struct variant {
	const char *compiler; /* NULL: the one in $CC */
	const char *options;
};

static const struct variant variants[] = {
	{ NULL, "-gdwarf-5" },
	{ NULL, "-gdwarf-4" },
	{ NULL, "-gdwarf-3 -gstrict-dwarf" }, /* DW_AT_bit_offset counts from the top */
	{ NULL, "-gdwarf-2 -gstrict-dwarf" }, /* member locations are expressions */
	{ NULL, "-gdwarf-5 -gz=zlib" },
	{ NULL, "-gdwarf-4 -O2" },
	{ "clang", "-gdwarf-5" }, /* strings by number */
	{ "clang", "-gdwarf-4" },
};

static char directory[] = "/tmp/iommupt-test-XXXXXX";

static bool shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool shell(const char *format, ...)
{
	char *command = NULL;
	va_list args;

	va_start(args, format);
	int len = vasprintf(&command, format, args);
	va_end(args);
	if (len < 0)
		return false;
	int status = system(command); // NOLINT(cert-env33-c): compilers are what is run
	free(command);
	return status == 0;
}

static bool have(const char *program)
{
	return shell("command -v '%s' >/dev/null 2>&1", program);
}

/* $CC may be several words. */
static const char *default_compiler(void)
{
	const char *cc = getenv("CC");

	return cc && *cc ? cc : "cc";
}

static const char *in_directory(char *buf, const char *name)
{
	sprintf(buf, "%s/%.64s", directory, name);
	return buf;
}

static bool write_file(const char *name, const void *bytes, size_t len)
{
	char path[128];
	FILE *file = fopen(in_directory(path, name), "w");

	if (!file)
		return false;
	bool done = fwrite(bytes, 1, len, file) == len;
	return fclose(file) == 0 && done;
}

static int remove_entry(const char *path, const struct stat *st __attribute__((unused)),
			int type __attribute__((unused)), struct FTW *ftw __attribute__((unused)))
{
	return remove(path);
}

static int clean(void)
{
	return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static bool build(const struct variant *variant)
{
	const char *compiler = variant->compiler ? variant->compiler : default_compiler();

	return shell(
		"cd %s && for f in drivers/iommu/iommu other main; do "
		"%s -std=gnu11 -w -I. %s -fno-pie -c $f.c -o $(basename $f).o || exit 1; done && "
		"%s -no-pie -Wl,--build-id=0x0123456789abcdef iommu.o other.o main.o -o linked && "
		"%s -nostdlib -r -Wl,--build-id=0x0123456789abcdef "
		"iommu.o other.o main.o -o relocatable && ./linked >truth",
		directory, compiler, variant->options, compiler, default_compiler());
}

static int prepare(void)
{
	static const struct variant plain = { NULL, "-gdwarf-5" };

	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	bool done = shell("mkdir -p %s/drivers/iommu", directory) &&
		    write_file("fixture.h", fixture_h, strlen(fixture_h)) &&
		    write_file("drivers/iommu/iommu.c", fixture_hinted, strlen(fixture_hinted)) &&
		    write_file("other.c", fixture_other, strlen(fixture_other)) &&
		    write_file("main.c", fixture_main, strlen(fixture_main)) && build(&plain);
	if (!done)
		clean();
	return !done;
}

/* Fails the test and says why; true when there was no error. */
static bool no_error(struct error *err)
{
	if (!err)
		return true;
	fprintf(stderr, "\n%s\n", err->message);
	error_free(err);
	CU_FAIL("an error where there should be none");
	return false;
}

static struct member ask(struct types *types, const char *type, const char *member,
			 const char *with)
{
	struct type_query query = { .type = type, .member = member, .with = with };
	struct member ret = { 0 };

	no_error(types->ops->find(types, &query, &ret));
	return ret;
}

static bool is_at(struct member member, uint64_t offset, uint64_t size)
{
	return member.present && member.offset == offset && member.size == size && !member.bit_size;
}

struct fixture {
	struct vmlinux *vmlinux;
	struct types *types;
	struct symbols *symbols;
};

static bool fixture_open(struct fixture *fixture, const char *name)
{
	char path[128];

	if (!no_error(vmlinux_open(in_directory(path, name), &fixture->vmlinux)))
		return false;
	if (no_error(vmlinux_symbols(fixture->vmlinux, &fixture->symbols))) {
		if (no_error(vmlinux_dwarf(fixture->vmlinux, &fixture->types)))
			return true;
		fixture->symbols->ops->destroy(fixture->symbols);
	}
	vmlinux_close(fixture->vmlinux);
	return false;
}

static void fixture_close(struct fixture *fixture)
{
	fixture->types->ops->destroy(fixture->types);
	fixture->symbols->ops->destroy(fixture->symbols);
	vmlinux_close(fixture->vmlinux);
}

/* One line "member TYPE PATH OFFSET SIZE BIT WIDTH" of the fixture's output. */
static void check_member(struct types *types, const char *line)
{
	char type[64], path[64];
	uint64_t offset, size;
	int bit, width;

	if (sscanf(line, "member %63s %63s %" SCNu64 " %" SCNu64 " %d %d", type, path, &offset,
		   &size, &bit, &width) != 6) {
		CU_FAIL("the fixture's output");
		return;
	}
	struct member got = ask(types, type, strcmp(path, "-") == 0 ? NULL : path, NULL);
	bool right = bit < 0 ? is_at(got, offset, size)
			     : got.present && got.bit_size == width &&
				       8 * (int)got.offset + got.bit_offset == bit &&
				       got.bit_offset + got.bit_size <= 8 * got.size;
	CU_ASSERT(right);
	if (!right)
		fprintf(stderr, "\n%s  answered %d %u %u b%u:%u\n", line, got.present, got.offset,
			got.size, got.bit_offset, got.bit_size);
}

/* Two structures share a name; a member tells which is meant. */
static void check_clash(struct types *types, const char *line)
{
	unsigned int both, size, only_other, both_other, size_other;

	if (sscanf(line, "clash %u %u %u %u %u", &both, &size, &only_other, &both_other,
		   &size_other) != 5) {
		CU_FAIL("the fixture's output");
		return;
	}
	CU_ASSERT(is_at(ask(types, "clash", "both", "only_main"), both, 8));
	CU_ASSERT(is_at(ask(types, "clash", NULL, "only_main"), 0, size));
	CU_ASSERT(is_at(ask(types, "clash", "both", "only_here"), both_other, 8));
	CU_ASSERT(is_at(ask(types, "clash", NULL, "only_here"), 0, size_other));
	CU_ASSERT(is_at(ask(types, "clash", "only_here", "only_here"), only_other, 4));
	CU_ASSERT(!ask(types, "clash", "only_main", "only_here").present);
	CU_ASSERT(!ask(types, "clash", "both", "in_neither").present);
	CU_ASSERT(ask(types, "clash", NULL, NULL).present);
}

static void check_against_truth(struct types *types)
{
	char path[128], line[256];
	unsigned int lines = 0;
	uint64_t flexible;
	FILE *truth = fopen(in_directory(path, "truth"), "r");

	CU_ASSERT_PTR_NOT_NULL_FATAL(truth);
	for (; fgets(line, sizeof(line), truth); lines++) {
		if (strncmp(line, "member ", 7) == 0)
			check_member(types, line);
		else if (strncmp(line, "clash ", 6) == 0)
			check_clash(types, line);
		else if (sscanf(line, "flexible %" SCNu64, &flexible) == 1)
			CU_ASSERT(is_at(ask(types, "everything", "flexible", NULL), flexible, 0));
	}
	fclose(truth);
	CU_ASSERT(lines > 40);
}

static void check_absent(struct types *types)
{
	for (int again = 0; again < 2; again++) {
		CU_ASSERT(!ask(types, "no_such_type", "x", NULL).present);
		CU_ASSERT(!ask(types, "no_such_type", NULL, NULL).present);
	}
	CU_ASSERT(!ask(types, "everything", "no_such_member", NULL).present);
	CU_ASSERT(!ask(types, "everything", "firs", NULL).present);
	CU_ASSERT(!ask(types, "everything", "first.x", NULL).present);
	CU_ASSERT(!ask(types, "everything", "inner.", NULL).present);
	CU_ASSERT(!ask(types, "everything", "", NULL).present);
	CU_ASSERT(!ask(types, "everything", "pointer.first", NULL).present);
	CU_ASSERT(!ask(types, "everything", "points.x", NULL).present);
	CU_ASSERT(!ask(types, "colour", NULL, NULL).present);  /* an enum */
	CU_ASSERT(!ask(types, "forward", NULL, NULL).present); /* declared, not defined */
	CU_ASSERT(is_at(ask(types, "iommu_group", "domain", NULL), 8, 8));
	/* Not in the unit that the hints name, but it exists. */
	CU_ASSERT(is_at(ask(types, "iommu_domain", "elsewhere", NULL), 0, 4));
}

static void check_enumerator(struct types *types, const char *tag, const char *name, bool expected,
			     int64_t value)
{
	bool found = !expected;
	int64_t got = 0;

	if (!no_error(types->ops->enumerator(types, tag, name, &found, &got)))
		return;
	CU_ASSERT_EQUAL(found, expected);
	if (expected)
		CU_ASSERT_EQUAL(got, value);
}

static void check_enumerators(struct types *types)
{
	check_enumerator(types, "colour", "RED", true, 0);
	check_enumerator(types, "colour", "GREEN", true, 5);
	check_enumerator(types, "colour", "MINUS", true, -7);
	check_enumerator(types, "colour", "BIG", true, 0x7fffffff);
	check_enumerator(types, "huge", "HUGE_TOP", true, (int64_t)0x8000000000000001ULL);
	check_enumerator(types, "colour", "HUGE_ONE", false, 0);
	check_enumerator(types, "no_such_enum", "RED", false, 0);
	check_enumerator(types, "point", "RED", false, 0);
	check_enumerator(types, NULL, "NAMELESS_SECOND", true, 41);
	check_enumerator(types, NULL, "NAMELESS_THIRD", false, 0);
}

static void test_types(void)
{
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		if (variants[i].compiler && !have(variants[i].compiler))
			continue;
		CU_ASSERT_FATAL(build(&variants[i]));
		for (int relocatable = 0; relocatable < 2; relocatable++) {
			struct fixture fixture;

			if (!fixture_open(&fixture, relocatable ? "relocatable" : "linked"))
				continue;
			/* Absent ones first: they make the rest find an index that is full. */
			if (i % 2)
				check_absent(fixture.types);
			check_against_truth(fixture.types);
			check_absent(fixture.types);
			check_enumerators(fixture.types);
			fixture_close(&fixture);
		}
	}
}

static void check_address(struct fixture *fixture, const char *name, uint64_t address)
{
	uint64_t got[2] = { 0 };

	CU_ASSERT_EQUAL(fixture->symbols->ops->find(fixture->symbols, name, got, 2), 1);
	CU_ASSERT_EQUAL(got[0], address);
}

static void check_twins(struct fixture *fixture, uint64_t one, uint64_t two)
{
	uint64_t got[2] = { 0 };

	CU_ASSERT_EQUAL(fixture->symbols->ops->find(fixture->symbols, "twin", got, 1), 2);
	CU_ASSERT_EQUAL(got[1], 0);
	CU_ASSERT_EQUAL(fixture->symbols->ops->find(fixture->symbols, "twin", got, 2), 2);
	CU_ASSERT((got[0] == one && got[1] == two) || (got[0] == two && got[1] == one));
}

static void test_symbols(void)
{
	char path[128], line[256], name[64];
	struct fixture fixture;
	uint64_t one, two;
	FILE *truth = fopen(in_directory(path, "truth"), "r");

	CU_ASSERT_PTR_NOT_NULL_FATAL(truth);
	CU_ASSERT_FATAL(fixture_open(&fixture, "linked"));
	CU_ASSERT(fixture.symbols->link_time);
	while (fgets(line, sizeof(line), truth)) {
		if (sscanf(line, "address %63s %" SCNx64, name, &one) == 2)
			check_address(&fixture, name, one);
		else if (sscanf(line, "twin %" SCNx64 " %" SCNx64, &one, &two) == 2)
			check_twins(&fixture, one, two);
	}
	fclose(truth);
	/* None, undefined, a file's name, a section's. */
	CU_ASSERT_EQUAL(fixture.symbols->ops->find(fixture.symbols, "no_such", &one, 1), 0);
	CU_ASSERT_EQUAL(fixture.symbols->ops->find(fixture.symbols, "printf", &one, 1), 0);
	CU_ASSERT_EQUAL(fixture.symbols->ops->find(fixture.symbols, "main.c", &one, 1), 0);
	CU_ASSERT_EQUAL(fixture.symbols->ops->find(fixture.symbols, "", &one, 1), 0);
	fixture_close(&fixture);

	/* Values of a relocatable file are not addresses. */
	CU_ASSERT_FATAL(fixture_open(&fixture, "relocatable"));
	CU_ASSERT_EQUAL(fixture.symbols->ops->find(fixture.symbols, "banner", &one, 1), 0);
	CU_ASSERT_EQUAL(vmlinux_read(fixture.vmlinux, 0, line, sizeof(line)), 0);
	fixture_close(&fixture);
}

static void test_file(void)
{
	static const uint8_t id[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
	static const char *const names[] = { "linked", "relocatable" };
	char path[128], text[32] = "";
	struct fixture fixture;
	uint64_t addr = 0;
	size_t len;

	for (int i = 0; i < 2; i++) {
		CU_ASSERT_FATAL(fixture_open(&fixture, names[i]));
		const uint8_t *got = vmlinux_build_id(fixture.vmlinux, &len);
		CU_ASSERT(len == sizeof(id) && memcmp(got, id, len) == 0);
		CU_ASSERT_STRING_EQUAL(vmlinux_path(fixture.vmlinux), in_directory(path, names[i]));
		fixture_close(&fixture);
	}
	CU_ASSERT_FATAL(fixture_open(&fixture, "linked"));
#if defined(__x86_64__)
	CU_ASSERT_EQUAL(vmlinux_machine(fixture.vmlinux), EM_X86_64);
#elif defined(__aarch64__)
	CU_ASSERT_EQUAL(vmlinux_machine(fixture.vmlinux), EM_AARCH64);
#endif
	fixture.symbols->ops->find(fixture.symbols, "banner", &addr, 1);
	CU_ASSERT_EQUAL(vmlinux_read(fixture.vmlinux, addr, text, 18), 18);
	CU_ASSERT_STRING_EQUAL(text, "Fixture version 1");
	/* .bss has no bytes in the file; address 0 has none at all. */
	fixture.symbols->ops->find(fixture.symbols, "zeroes", &addr, 1);
	CU_ASSERT_EQUAL(vmlinux_read(fixture.vmlinux, addr, text, 4), 0);
	CU_ASSERT_EQUAL(vmlinux_read(fixture.vmlinux, 0, text, 4), 0);
	fixture_close(&fixture);

	CU_ASSERT_FATAL(shell("cd %s && objcopy --remove-section .note.gnu.build-id linked noid",
			      directory));
	CU_ASSERT_FATAL(fixture_open(&fixture, "noid"));
	CU_ASSERT_PTR_NULL(vmlinux_build_id(fixture.vmlinux, &len));
	CU_ASSERT_EQUAL(len, 0);
	fixture_close(&fixture);
}

/* The message is one line that names the file and has @word. */
static void check_error(struct error *err, const char *path, const char *word)
{
	CU_ASSERT_PTR_NOT_NULL(err);
	if (!err)
		return;
	bool right = strstr(err->message, path) && strstr(err->message, word) &&
		     !strchr(err->message, '\n');
	CU_ASSERT(right);
	if (!right)
		fprintf(stderr, "\n%s\n", err->message);
	error_free(err);
}

static void check_open_fails(const char *name, const char *word)
{
	struct vmlinux *vmlinux = NULL;
	char path[128];
	struct error *err = vmlinux_open(in_directory(path, name), &vmlinux);

	check_error(err, path, word);
	if (!err)
		vmlinux_close(vmlinux);
}

static void test_errors(void)
{
	struct vmlinux *vmlinux;
	struct types *types;
	char path[128];

	check_open_fails("missing", "No such file");
	check_open_fails("drivers", "not a file");
	check_open_fails("main.c", "not an ELF file");
	CU_ASSERT_FATAL(write_file("empty", "", 0));
	check_open_fails("empty", "not an ELF file");
	CU_ASSERT_FATAL(shell("cd %s && head -c $(($(stat -c %%s linked) / 2)) linked >half && "
			      "head -c $(($(stat -c %%s linked) - 1)) linked >nearly && "
			      "head -c 40 linked >start && "
			      "cp linked stripped && strip stripped && "
			      "cp linked nodebug && strip -g nodebug",
			      directory));
	check_open_fails("half", "truncated");
	check_open_fails("nearly", "truncated");
	check_open_fails("start", "ELF");
	check_open_fails("stripped", "no symbol table");

	CU_ASSERT_FATAL(no_error(vmlinux_open(in_directory(path, "nodebug"), &vmlinux)));
	check_error(vmlinux_dwarf(vmlinux, &types), path, "no DWARF");
	vmlinux_close(vmlinux);
}

static void query_damaged(const char *name)
{
	static const char *const tags[] = { "everything", "clash", "bits", "iommu_group", "none" };
	static const char *const members[] = { "inner.c", "both", "wide", "domain", "x" };
	struct vmlinux *vmlinux = NULL;
	struct types *types = NULL;
	char path[128];
	bool found;
	int64_t value;
	struct error *err = vmlinux_open(in_directory(path, name), &vmlinux);

	if (!err)
		err = vmlinux_dwarf(vmlinux, &types);
	for (int i = 0; i < 5 && !err; i++) {
		struct type_query query = { .type = tags[i],
					    .member = members[i],
					    .with = i == 1 ? "only_here" : NULL };
		struct member member;

		err = types->ops->find(types, &query, &member);
	}
	if (!err)
		err = types->ops->enumerator(types, "colour", "GREEN", &found, &value);
	if (err)
		check_error(err, path, "");
	if (types)
		types->ops->destroy(types);
	vmlinux_close(vmlinux);
}

/* Garbage at fixed pseudo-random places: any answer or error will do, a crash will not. */
static void test_damage(void)
{
	char path[128];
	struct stat st;
	uint32_t random = 1;
	FILE *file = fopen(in_directory(path, "relocatable"), "r");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_FATAL(fstat(fileno(file), &st) == 0);
	size_t size = (size_t)st.st_size;
	uint8_t *good = malloc(2 * size), *bad = good + size;
	CU_ASSERT_PTR_NOT_NULL_FATAL(good);
	CU_ASSERT_FATAL(fread(good, 1, size, file) == size);
	fclose(file);
	for (int round = 0; round < 300; round++) {
		memcpy(bad, good, size);
		for (int i = 0; i < 1 + round % 16; i++) {
			random = random * 1664525 + 1013904223;
			size_t at =
				sizeof(Elf64_Ehdr) + (random >> 4) % (size - sizeof(Elf64_Ehdr));
			bad[at] = (uint8_t)(random >> 24);
		}
		CU_ASSERT_FATAL(write_file("damaged", bad, size));
		query_damaged("damaged");
	}
	free(good);
}

void suite_vmlinux(void)
{
	CU_pSuite suite = CU_add_suite("vmlinux", prepare, clean);

	CU_add_test(suite, "types: as the compiler lays them out", test_types);
	CU_add_test(suite, "symbols: every match, addresses only", test_symbols);
	CU_add_test(suite, "file: build ID, machine, bytes", test_file);
	CU_add_test(suite, "errors name the file", test_errors);
	CU_add_test(suite, "damaged files do not crash", test_damage);
}
