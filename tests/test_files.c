// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Dump files: made here byte by byte, whole, cut off, flattened, and such as are no dumps at all.
 */
#include "tests/tests.h"

#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/memory.h"
#include "target/note_check.h"
#include "target/notes.h"

enum { PAGE = 4096, NOBODY = 65534 };

static char directory[] = "/tmp/iommupt-files-XXXXXX";
static char path[64]; /* of the one file at hand */

static int prepare(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/file", directory);
	return chmod(directory, 0755);
}

static int clean(void)
{
	unlink(path);
	return rmdir(directory);
}

static void write_file(const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(bytes, 1, len, file) != len || fclose(file))
		abort();
}

/* A file in the making. */
struct image {
	uint8_t bytes[1 << 20];
	size_t len;
};

static struct image image;
static struct image flat;

static void append(struct image *to, const void *bytes, size_t len)
{
	if (to->len + len > sizeof(to->bytes))
		abort();
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
}

/* The byte at physical address @phys of all files made here. */
static uint8_t byte_at(uint64_t phys)
{
	return (uint8_t)(phys * 7 + (phys >> 12) * 31 + 1);
}

struct segment {
	uint64_t phys;
	uint64_t file_size;
	uint64_t memory_size;
};

/* RAM with a hole, a segment whose end was filtered out, and one far up. */
static const struct segment segments[] = {
	{ 0x0, 4 * PAGE, 4 * PAGE },
	{ 0x10000, 2 * PAGE, 5 * PAGE },
	{ 0x100000, 3 * PAGE, 3 * PAGE },
	{ 0x4000000000, PAGE, PAGE },
};

enum { SEGMENTS = sizeof(segments) / sizeof(segments[0]), DATA_AT = 0x2000 };

/* An ELF core of x86-64 with @notes in its PT_NOTE. */
static void make_core(const void *notes, size_t notes_len)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1 + SEGMENTS,
	};
	Elf64_Phdr note = { .p_type = PT_NOTE,
			    .p_offset = sizeof(header) + (1 + SEGMENTS) * sizeof(Elf64_Phdr),
			    .p_filesz = notes_len,
			    .p_memsz = notes_len };
	uint64_t offset = DATA_AT;

	image.len = 0;
	append(&image, &header, sizeof(header));
	append(&image, &note, sizeof(note));
	for (size_t i = 0; i < SEGMENTS; i++) {
		Elf64_Phdr load = {
			.p_type = PT_LOAD,
			.p_offset = offset,
			.p_vaddr = 0xffff888000000000 + segments[i].phys,
			.p_paddr = segments[i].phys,
			.p_filesz = segments[i].file_size,
			.p_memsz = segments[i].memory_size,
			.p_align = PAGE,
		};

		append(&image, &load, sizeof(load));
		offset += load.p_filesz;
	}
	append(&image, notes, notes_len);
	if (image.len > DATA_AT)
		abort();
	memset(image.bytes + image.len, 0, DATA_AT - image.len);
	image.len = DATA_AT;
	for (size_t i = 0; i < SEGMENTS; i++) {
		for (uint64_t at = 0; at < segments[i].file_size; at++) {
			uint8_t byte = byte_at(segments[i].phys + at);

			append(&image, &byte, 1);
		}
	}
}

/*
 * Open the file and read all that it can be asked for, in a child, so that a crash is one
 * failure more and not the end of all tests. Whether it could be opened does not matter.
 */
static volatile size_t touched; /* so that reading is not optimized away */

static int probe_file(void)
{
	struct memory *memory = NULL;
	uint8_t bytes[PAGE];
	struct error *err = memory_open(path, false, &memory);

	if (err) {
		bool named = strstr(err->message, path) && !strchr(err->message, '\n');

		error_free(err);
		return named ? 0 : 1;
	}
	for (uint64_t phys = 0; phys < 0x20000; phys += PAGE)
		memory_read(memory, phys, bytes, sizeof(bytes));
	memory_read(memory, 0x100000, bytes, sizeof(bytes));
	memory_read(memory, 0x4000000000, bytes, sizeof(bytes));
	memory_read(memory, UINT64_MAX, bytes, 1);
	for (size_t i = 0; i < memory->note_count; i++) {
		touched += strlen(memory->notes[i].name);
		for (size_t at = 0; at < memory->notes[i].len; at++)
			touched += memory->notes[i].desc[at];
	}
	touched += memory->vmcoreinfo ? strlen(memory->vmcoreinfo) : 0;
	memory_close(memory);
	return 0;
}

static void expect_survival(const void *bytes, size_t len, const char *what, unsigned int round)
{
	int status = 0;

	write_file(bytes, len);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		alarm(60);
		_exit(probe_file());
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	EXPECT(status == 0, "%s, round %u: status 0x%x", what, round, (unsigned int)status);
}

static struct memory *open_file(void)
{
	struct memory *memory = NULL;

	EXPECT_NO_ERROR(memory_open(path, false, &memory));
	return memory;
}

/* Reading @len bytes at @phys ends in @should, and if that is BLOCK_OK, gives the right bytes. */
static void expect_read(struct memory *memory, uint64_t phys, uint32_t len,
			enum block_status should, unsigned int line)
{
	uint8_t bytes[4 * PAGE];
	enum block_status status = memory_read(memory, phys, bytes, len);

	expect_at(status == should, __FILE__, line, "0x%" PRIx64 "+%u is '%s', not '%s'", phys, len,
		  block_status_text(status), block_status_text(should));
	for (uint32_t i = 0; i < len && status == BLOCK_OK; i++) {
		if (bytes[i] != byte_at(phys + i)) {
			expect_at(false, __FILE__, line, "byte 0x%" PRIx64 " is %02x", phys + i,
				  bytes[i]);
			return;
		}
	}
}

#define EXPECT_READ(memory, phys, len, should) expect_read(memory, phys, len, should, __LINE__)

static void expect_whole_core(struct memory *memory)
{
	/* whole pages, unaligned pieces, the last byte, across pages */
	EXPECT_READ(memory, 0, PAGE, BLOCK_OK);
	EXPECT_READ(memory, 0x3000, PAGE, BLOCK_OK);
	EXPECT_READ(memory, 0x3fff, 1, BLOCK_OK);
	EXPECT_READ(memory, 0x123, 8, BLOCK_OK);
	EXPECT_READ(memory, 0xffc, 8, BLOCK_OK);
	EXPECT_READ(memory, 0x10, 3 * PAGE, BLOCK_OK);
	EXPECT_READ(memory, 0x11ff8, 8, BLOCK_OK);
	EXPECT_READ(memory, 0x102000, PAGE, BLOCK_OK);
	EXPECT_READ(memory, 0x4000000000, PAGE, BLOCK_OK);
	EXPECT_READ(memory, 0x4000000ff8, 8, BLOCK_OK);
	/* memory, but not in the file */
	EXPECT_READ(memory, 0x12000, PAGE, BLOCK_MISSING);
	EXPECT_READ(memory, 0x14ff8, 8, BLOCK_MISSING);
	EXPECT_READ(memory, 0x11ff8, 16, BLOCK_MISSING);
	/* no memory */
	EXPECT_READ(memory, 0x4000, PAGE, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0x3ffc, 8, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0xf000, PAGE, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0x15000, 8, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0x103000, 8, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0x3ffffff000, PAGE, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0x4000001000, PAGE, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0xffffffffff000, PAGE, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0xfffffffffffff000, PAGE, BLOCK_OUTSIDE);
	CU_ASSERT_EQUAL(memory->ops->probe(memory, 0x1234), BLOCK_OK);
	CU_ASSERT_EQUAL(memory->ops->probe(memory, 0x13000), BLOCK_MISSING);
	CU_ASSERT_EQUAL(memory->ops->probe(memory, 0x8000), BLOCK_OUTSIDE);
}

static void test_core(void)
{
	make_core("", 0);
	write_file(image.bytes, image.len);
	struct memory *memory = open_file();
	if (!memory)
		return;
	CU_ASSERT_EQUAL(memory->arch, ARCH_X86_64);
	CU_ASSERT_STRING_EQUAL(memory->path, path);
	CU_ASSERT_PTR_NULL(memory->defect);
	CU_ASSERT_PTR_NULL(memory->vmcoreinfo);
	CU_ASSERT_EQUAL(memory->note_count, 0);
	EXPECT(memory->format && strstr(memory->format, "ELF"), "format is '%s'",
	       memory->format ? memory->format : "NULL");
	expect_whole_core(memory);
	memory_close(memory);
}

/* Many requests at once: each has its own answer. */
static void test_many_requests(void)
{
	static const struct {
		uint64_t phys;
		enum block_status status;
	} should[] = {
		{ 0x4000000000, BLOCK_OK }, { 0x8000, BLOCK_OUTSIDE }, { 0x0, BLOCK_OK },
		{ 0x13000, BLOCK_MISSING }, { 0x11000, BLOCK_OK },     { 0x0, BLOCK_OK },
		{ 0x14000, BLOCK_MISSING }, { 0x102000, BLOCK_OK },
	};
	enum { COUNT = sizeof(should) / sizeof(should[0]) };
	static uint8_t blocks[COUNT][PAGE];
	struct block_request requests[COUNT];

	make_core("", 0);
	write_file(image.bytes, image.len);
	struct memory *memory = open_file();
	if (!memory)
		return;
	for (size_t i = 0; i < COUNT; i++)
		requests[i] = (struct block_request){ .phys = should[i].phys,
						      .data = blocks[i],
						      .len = PAGE,
						      .status = BLOCK_DAMAGED };
	memory->ops->read(memory, requests, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		EXPECT(requests[i].status == should[i].status, "request %zu: %s", i,
		       block_status_text(requests[i].status));
		if (should[i].status == BLOCK_OK)
			CU_ASSERT_EQUAL(blocks[i][77], byte_at(should[i].phys + 77));
	}
	memory->ops->read(memory, requests, 0);
	memory_close(memory);
}

/* Cut off at any place: an error, or a memory that says so and gives no zeros. */
static void test_cut_off_core(void)
{
	make_core("", 0);
	const size_t whole = image.len;
	for (size_t len = 0; len < whole; len += len < 600 ? 97 : 7001)
		expect_survival(image.bytes, len, "cut off at byte", (unsigned int)len);
	/* in the third segment's second page */
	write_file(image.bytes, DATA_AT + 7 * PAGE + 100);
	struct memory *memory = open_file();
	if (memory) {
		EXPECT(memory->defect && strstr(memory->defect, "cut off"), "defect is '%s'",
		       memory->defect ? memory->defect : "NULL");
		EXPECT_READ(memory, 0, PAGE, BLOCK_OK);
		EXPECT_READ(memory, 0x11000, PAGE, BLOCK_OK);
		EXPECT_READ(memory, 0x100000, PAGE, BLOCK_OK);
		EXPECT_READ(memory, 0x12000, PAGE, BLOCK_MISSING);
		EXPECT_READ(memory, 0x102000, PAGE, BLOCK_DAMAGED);
		EXPECT_READ(memory, 0x102ff8, 8, BLOCK_DAMAGED);
		EXPECT_READ(memory, 0x101ff8, 8, BLOCK_DAMAGED);
		EXPECT_READ(memory, 0x101000, PAGE, BLOCK_DAMAGED);
		EXPECT_READ(memory, 0x4000000000, PAGE, BLOCK_DAMAGED);
		EXPECT_READ(memory, 0x8000, PAGE, BLOCK_OUTSIDE);
		memory_close(memory);
	}
	for (size_t len = 0; len < whole; len += len < 600 ? 7 : 1777) {
		struct memory *cut = NULL;
		uint8_t byte = 0;

		write_file(image.bytes, len);
		struct error *err = memory_open(path, false, &cut);
		if (err) {
			EXPECT_ERROR(err, path);
			continue;
		}
		EXPECT(cut->defect != NULL, "%zu of %zu bytes are no defect", len, whole);
		EXPECT(memory_read(cut, 0x4000000fff, &byte, 1) != BLOCK_OK,
		       "read from nowhere: %zu", len);
		memory_close(cut);
	}
	/* one byte is enough to be a defect */
	write_file(image.bytes, whole - 1);
	memory = open_file();
	CU_ASSERT_PTR_NOT_NULL(memory ? memory->defect : NULL);
	memory_close(memory);
}

/* What is no dump is said to be none, and the file is named. */
static void test_no_dump(void)
{
	struct memory *memory = NULL;
	char missing[96];
	Elf64_Ehdr header = { .e_type = ET_EXEC };

	snprintf(missing, sizeof(missing), "%s/nothing", directory);
	EXPECT_ERROR(memory_open(missing, false, &memory), missing);
	EXPECT_ERROR(memory_open(missing, true, &memory), "No such file");
	EXPECT_ERROR(memory_open(directory, false, &memory), "is a directory");
	EXPECT_ERROR(memory_open(directory, true, &memory), directory);
	EXPECT_ERROR(memory_open("", true, &memory), "cannot be opened");
	write_file("", 0);
	EXPECT_ERROR(memory_open(path, false, &memory), "is not a vmcore");
	write_file("hello\n", 6);
	EXPECT_ERROR(memory_open(path, false, &memory), path);
	write_file("KDUMP   ", 8);
	EXPECT_ERROR(memory_open(path, false, &memory), path);
	write_file("makedumpfile", 12);
	EXPECT_ERROR(memory_open(path, false, &memory), path);
	make_core("", 0);
	memcpy(&header.e_ident, image.bytes, EI_NIDENT);
	write_file(&header, sizeof(header));
	EXPECT_ERROR(memory_open(path, false, &memory), "not a core");
	EXPECT_ERROR(memory_open(path, true, &memory), "not a core");
	/* the beginning of a core, of a kdump file, and then noise */
	struct random random = { 1 };
	for (unsigned int kind = 0; kind < 3; kind++) {
		static const char *const heads[] = { "KDUMP   \6", "DISKDUMP", "\177ELF\2\1\1" };
		uint8_t noise[3 * PAGE];

		for (unsigned int round = 0; round < 20; round++) {
			for (size_t i = 0; i < sizeof(noise); i++)
				noise[i] = (uint8_t)random_next(&random);
			memcpy(noise, heads[kind], strlen(heads[kind]));
			noise[EI_NIDENT] = ET_CORE;
			noise[EI_NIDENT + 1] = 0;
			expect_survival(noise, sizeof(noise), heads[kind], round);
		}
	}
}

/* Somebody else's file, for a user who is not root. */
static void test_no_permission(void)
{
	int status = 0;

	make_core("", 0);
	write_file(image.bytes, image.len);
	chmod(path, 0);
	pid_t child = fork();
	if (child == 0) {
		struct memory *memory = NULL;

		if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY))
			_exit(3);
		struct error *err = memory_open(path, false, &memory);
		_exit(!err ? 1
		      : strstr(err->message, path) && strstr(err->message, "root") &&
				      strstr(err->message, "Permission denied")
			      ? 0
			      : 2);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child ends with 0x%x", status);
	chmod(path, 0600);
}

/* With @raw_allowed: byte N of the file is physical address N. */
static void test_raw_image(void)
{
	struct memory *memory = NULL;

	image.len = 0;
	for (uint64_t at = 0; at < 3 * PAGE + 100; at++)
		image.bytes[image.len++] = byte_at(at);
	write_file(image.bytes, image.len);
	EXPECT_ERROR(memory_open(path, false, &memory), "is not a vmcore");
	if (!EXPECT_NO_ERROR(memory_open(path, true, &memory)))
		return;
	CU_ASSERT_EQUAL(memory->arch, ARCH_UNKNOWN);
	CU_ASSERT_PTR_NULL(memory->defect);
	EXPECT_READ(memory, 0, PAGE, BLOCK_OK);
	EXPECT_READ(memory, 0x1234, 3 * 1024, BLOCK_OK);
	EXPECT_READ(memory, 3 * PAGE, 100, BLOCK_OK);
	EXPECT_READ(memory, 3 * PAGE + 99, 1, BLOCK_OK);
	EXPECT_READ(memory, 3 * PAGE, 101, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 3 * PAGE + 100, 1, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0xfffffffffffffff8, 8, BLOCK_OUTSIDE);
	EXPECT_READ(memory, 0xffffffffffffffff, PAGE, BLOCK_OUTSIDE);
	CU_ASSERT_EQUAL(memory->ops->probe(memory, 0), BLOCK_OK);
	CU_ASSERT_EQUAL(memory->ops->probe(memory, 4 * PAGE), BLOCK_OUTSIDE);
	/* a file that shrinks while it is open: damaged, not zeros */
	CU_ASSERT_EQUAL(truncate(path, PAGE), 0);
	EXPECT_READ(memory, PAGE, 8, BLOCK_DAMAGED);
	memory_close(memory);
	write_file("", 0);
	if (EXPECT_NO_ERROR(memory_open(path, true, &memory))) {
		EXPECT_READ(memory, 0, 1, BLOCK_OUTSIDE);
		memory_close(memory);
	}
}

static void append_record(uint64_t offset, const void *bytes, uint64_t len)
{
	uint64_t head[2] = { htobe64(offset), htobe64(len) };

	append(&flat, head, sizeof(head));
	append(&flat, bytes, len);
}

/* makedumpfile_header: signature, type and version, to 4096 bytes. */
static void flat_begin(void)
{
	uint64_t numbers[2] = { htobe64(1), htobe64(1) };

	memset(flat.bytes, 0, PAGE);
	memcpy(flat.bytes, "makedumpfile\0\0\0\0", 16);
	memcpy(flat.bytes + 16, numbers, sizeof(numbers));
	flat.len = PAGE;
}

static void flat_end(void)
{
	append(&flat, "\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377", 16);
}

/* The image in records of @size bytes and fewer, in random order. */
static void flatten(struct random *random, size_t size)
{
	static size_t order[sizeof(image.bytes) / 512];
	size_t count = (image.len + size - 1) / size;

	if (count > sizeof(order) / sizeof(order[0]))
		abort();
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	for (size_t i = count; i > 1; i--) {
		size_t j = random_below(random, i);
		size_t kept = order[i - 1];

		order[i - 1] = order[j];
		order[j] = kept;
	}
	flat_begin();
	for (size_t i = 0; i < count; i++) {
		size_t at = order[i] * size;

		append_record(at, image.bytes + at, image.len - at < size ? image.len - at : size);
	}
	flat_end();
}

/* Flattened, a dump is the same dump. */
static void test_flattened(void)
{
	static const size_t sizes[] = { 4096, 1000, 33333, 1 << 20 };
	struct random random = { 7 };

	make_core("", 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		flatten(&random, sizes[i]);
		write_file(flat.bytes, flat.len);
		struct memory *memory = open_file();
		if (!memory)
			continue;
		CU_ASSERT_PTR_NULL(memory->defect);
		expect_whole_core(memory);
		memory_close(memory);
	}
	/* Records may overlap: the last one counts, as if they were written. And be empty. */
	flat_begin();
	append_record(0, flat.bytes, 4096);
	append_record(12345, "", 0);
	append_record(0, image.bytes, image.len);
	append_record(5, "", 0);
	flat_end();
	append(&flat, "trailing", 8);
	write_file(flat.bytes, flat.len);
	struct memory *memory = open_file();
	if (memory)
		expect_whole_core(memory);
	memory_close(memory);
}

static void test_damaged_flattened(void)
{
	struct random random = { 8 };
	struct memory *memory = NULL;
	uint8_t some[64] = { 0 };

	make_core("", 0);
	flatten(&random, 4096);
	/* cut off: in the header, in a record's head, in its bytes, before the end mark */
	const size_t cuts[] = { 16,	      100,	     PAGE - 1,
				PAGE,	      PAGE + 7,	     PAGE + 15,
				PAGE + 16,    PAGE + 1000,   PAGE + 16 + PAGE,
				flat.len / 2, flat.len - 17, flat.len - 16,
				flat.len - 9, flat.len - 1 };
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		write_file(flat.bytes, cuts[i]);
		EXPECT_ERROR(memory_open(path, false, &memory), "cut off");
	}
	/* impossible records */
	static const struct {
		uint64_t offset, len;
		const char *word;
	} impossible[] = {
		{ 0, INT64_MAX, "cut off" },	      { 0, UINT64_MAX, "cut off" },
		{ 0, UINT64_MAX - 15, "cut off" },    { 0x8000000000000000, 64, "impossible" },
		{ UINT64_MAX - 1, 64, "impossible" }, { INT64_MAX - 63, 64, "impossible" },
		{ INT64_MAX, 64, "impossible" },
	};
	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
		uint64_t head[2] = { htobe64(impossible[i].offset), htobe64(impossible[i].len) };

		flat_begin();
		append(&flat, head, sizeof(head));
		append(&flat, some, sizeof(some));
		flat_end();
		write_file(flat.bytes, flat.len);
		EXPECT_ERROR(memory_open(path, false, &memory), impossible[i].word);
	}
	/* in order, but no dump */
	flat_begin();
	append_record(0, some, sizeof(some));
	flat_end();
	write_file(flat.bytes, flat.len);
	EXPECT_ERROR(memory_open(path, false, &memory), path);
}

static void append_note(struct image *to, const char *name, uint32_t type, const void *desc,
			uint32_t len)
{
	static const uint8_t zeros[4];
	Elf64_Nhdr header = { (uint32_t)strlen(name) + 1, len, type };

	append(to, &header, sizeof(header));
	append(to, name, header.n_namesz);
	append(to, zeros, -header.n_namesz & 3);
	append(to, desc, len);
	append(to, zeros, -len & 3);
}

/* struct QEMUCPUState: version, size, 18 registers, 10 segments of 24 bytes, cr[5] */
enum { QEMU_CR = 8 + 18 * 8 + 10 * 24, QEMU_BYTES = QEMU_CR + 5 * 8 };

static void append_qemu(struct image *to, uint64_t cr3, uint64_t cr4, uint32_t len)
{
	uint8_t state[QEMU_BYTES + 64];

	memset(state, 0x5a, sizeof(state));
	memcpy(state + QEMU_CR + 3 * 8, &cr3, 8);
	memcpy(state + QEMU_CR + 4 * 8, &cr4, 8);
	append_note(to, "QEMU", 0, state, len);
}

static struct image notes;

static void test_notes(void)
{
	uint8_t registers[336] = { 0 };
	uint64_t cr3 = 0;
	bool la57 = true;

	notes.len = 0;
	append_note(&notes, "CORE", NT_PRSTATUS, registers, sizeof(registers));
	append_note(&notes, "CORE", NT_PRSTATUS, registers, sizeof(registers));
	append_qemu(&notes, 0x1234567000, 0x3706f0, QEMU_BYTES);
	append_note(&notes, "LINUX", 7, "odd", 3);
	append_qemu(&notes, 0x7654321000, 0x3716f0, QEMU_BYTES + 64); /* later QEMUs add fields */
	make_core(notes.bytes, notes.len);
	write_file(image.bytes, image.len);
	struct memory *memory = open_file();
	if (!memory)
		return;
	CU_ASSERT_EQUAL_FATAL(memory->note_count, 5);
	CU_ASSERT_STRING_EQUAL(memory->notes[0].name, "CORE");
	CU_ASSERT_EQUAL(memory->notes[0].type, NT_PRSTATUS);
	CU_ASSERT_EQUAL(memory->notes[0].len, 336);
	CU_ASSERT_STRING_EQUAL(memory->notes[3].name, "LINUX");
	CU_ASSERT_EQUAL(memory->notes[3].len, 3);
	CU_ASSERT_EQUAL(memcmp(memory->notes[3].desc, "odd", 3), 0);
	CU_ASSERT_TRUE(notes_cr3(memory, 0, &cr3, &la57));
	EXPECT_NUMBER(cr3, 0x1234567000);
	CU_ASSERT_FALSE(la57);
	CU_ASSERT_TRUE(notes_cr3(memory, 1, &cr3, &la57));
	EXPECT_NUMBER(cr3, 0x7654321000);
	CU_ASSERT_TRUE(la57);
	CU_ASSERT_FALSE(notes_cr3(memory, 2, &cr3, &la57));
	memory_close(memory);
}

static void test_vmcoreinfo_note(void)
{
	static const char text[] = "OSRELEASE=6.1.0\nPAGESIZE=4096\nKERNELOFFSET=1c000000\n";
	uint64_t offset = 0;

	notes.len = 0;
	append_note(&notes, "VMCOREINFO", 0, text, sizeof(text) - 1);
	make_core(notes.bytes, notes.len);
	write_file(image.bytes, image.len);
	struct memory *memory = open_file();
	if (!memory)
		return;
	const char *info = memory->vmcoreinfo ? memory->vmcoreinfo : "";
	CU_ASSERT_STRING_EQUAL(info, text);
	CU_ASSERT_TRUE(vmcoreinfo_hex(info, "KERNELOFFSET", &offset));
	EXPECT_NUMBER(offset, 0x1c000000);
	expect_whole_core(memory);
	memory_close(memory);
}

/* Whatever the notes say about themselves, they are read within their bytes, or not at all. */
static void test_damaged_notes(void)
{
	static const uint32_t sizes[] = { 0,	      1,	  0x7fffffff, 0x80000000,
					  0xfffffff0, 0xfffffffc, 0xfffffffd, 0xffffffff,
					  0x1000,     400 };
	uint64_t cr3 = 0;
	bool la57 = false;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned int field = 0; field < 2; field++) {
			notes.len = 0;
			append_qemu(&notes, 0x1000, 0, QEMU_BYTES);
			size_t second = notes.len;
			append_qemu(&notes, 0x2000, 0, QEMU_BYTES);
			memcpy(notes.bytes + second + 4 * field, &sizes[i], 4);
			make_core(notes.bytes, notes.len);
			expect_survival(image.bytes, image.len, "note sizes", (unsigned int)i);
		}
	}
	/* a PT_NOTE of any size and place */
	static const uint64_t places[] = { 0,	       1,	   4096,
					   1ULL << 20, 1ULL << 32, 1ULL << 62,
					   1ULL << 63, UINT64_MAX, UINT64_MAX - 4095 };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (unsigned int field = 0; field < 2; field++) {
			size_t at = sizeof(Elf64_Ehdr) + (field ? offsetof(Elf64_Phdr, p_filesz)
								: offsetof(Elf64_Phdr, p_offset));

			make_core(notes.bytes, notes.len);
			memcpy(image.bytes + at, &places[i], 8);
			expect_survival(image.bytes, image.len, "PT_NOTE", (unsigned int)i);
		}
	}
	/* a QEMU note too short to hold CR4 */
	notes.len = 0;
	append_qemu(&notes, 0x1000, 0, QEMU_BYTES - 1);
	make_core(notes.bytes, notes.len);
	write_file(image.bytes, image.len);
	struct memory *memory = open_file();
	CU_ASSERT_FALSE(memory && notes_cr3(memory, 0, &cr3, &la57));
	memory_close(memory);
	struct random random = { 9 };
	for (unsigned int round = 0; round < 100; round++) {
		notes.len = 0;
		append_qemu(&notes, 0x1000, 0, QEMU_BYTES);
		append_note(&notes, "VMCOREINFO", 0, "A=1\n", 4);
		for (unsigned int i = 0; i <= round % 8; i++)
			notes.bytes[random_below(&random, notes.len)] =
				(uint8_t)random_next(&random);
		make_core(notes.bytes, notes.len);
		expect_survival(image.bytes, image.len, "noise in notes", round);
	}
}

/* A core whose program headers lie. */
static void test_damaged_headers(void)
{
	struct random random = { 10 };

	for (unsigned int round = 0; round < 200; round++) {
		size_t headers = sizeof(Elf64_Ehdr) + (1 + SEGMENTS) * sizeof(Elf64_Phdr);

		make_core("", 0);
		for (unsigned int i = 0; i <= round % 4; i++)
			image.bytes[EI_NIDENT + 4 +
				    random_below(&random, headers - EI_NIDENT - 4)] =
				(uint8_t)random_next(&random);
		expect_survival(image.bytes, image.len, "program headers", round);
	}
}

static void test_vmcoreinfo(void)
{
	static const char info[] = "OSRELEASE=6.1.0-56\n"
				   "PAGESIZE=4096\n"
				   "SYMBOL(init_top_pgt)=ffffffff82a0c000\n"
				   "NUMBER(phys_base)=-16777216\n"
				   "NUMBER(pgtable_l5_enabled)=0\n"
				   "KERNELOFFSET=1c000000\n"
				   "EMPTY=\n"
				   "NOEQUALS\n"
				   "XPAGESIZE=1\n"
				   "NUMBER(hex)=0x10\n"
				   "LAST=end";
	char value[32];
	uint64_t hex = 42;
	int64_t number = 42;

	CU_ASSERT_TRUE(vmcoreinfo_get(info, "OSRELEASE", value, sizeof(value)));
	CU_ASSERT_STRING_EQUAL(value, "6.1.0-56");
	CU_ASSERT_TRUE(vmcoreinfo_get(info, "PAGESIZE", value, sizeof(value)));
	CU_ASSERT_STRING_EQUAL(value, "4096");
	CU_ASSERT_TRUE(vmcoreinfo_get(info, "LAST", value, sizeof(value)));
	CU_ASSERT_STRING_EQUAL(value, "end");
	CU_ASSERT_TRUE(vmcoreinfo_get(info, "EMPTY", value, sizeof(value)));
	CU_ASSERT_STRING_EQUAL(value, "");
	CU_ASSERT_TRUE(vmcoreinfo_get(info, "OSRELEASE", value, 4));
	CU_ASSERT_STRING_EQUAL(value, "6.1");
	CU_ASSERT_FALSE(vmcoreinfo_get(info, "OSRELEAS", value, sizeof(value)));
	CU_ASSERT_FALSE(vmcoreinfo_get(info, "RELEASE", value, sizeof(value)));
	CU_ASSERT_FALSE(vmcoreinfo_get(info, "NOEQUALS", value, sizeof(value)));
	CU_ASSERT_FALSE(vmcoreinfo_get(info, "LASTX", value, sizeof(value)));
	CU_ASSERT_FALSE(vmcoreinfo_get("", "A", value, sizeof(value)));
	CU_ASSERT_FALSE(vmcoreinfo_get(NULL, "A", value, sizeof(value)));
	CU_ASSERT_TRUE(vmcoreinfo_hex(info, "SYMBOL(init_top_pgt)", &hex));
	EXPECT_NUMBER(hex, 0xffffffff82a0c000);
	CU_ASSERT_TRUE(vmcoreinfo_hex(info, "KERNELOFFSET", &hex));
	EXPECT_NUMBER(hex, 0x1c000000);
	CU_ASSERT_FALSE(vmcoreinfo_hex(info, "EMPTY", &hex));
	CU_ASSERT_FALSE(vmcoreinfo_hex(info, "SYMBOL(none)", &hex));
	CU_ASSERT_TRUE(vmcoreinfo_number(info, "NUMBER(phys_base)", &number));
	CU_ASSERT_EQUAL(number, -16777216);
	CU_ASSERT_TRUE(vmcoreinfo_number(info, "NUMBER(pgtable_l5_enabled)", &number));
	CU_ASSERT_EQUAL(number, 0);
	CU_ASSERT_TRUE(vmcoreinfo_number(info, "NUMBER(hex)", &number));
	CU_ASSERT_EQUAL(number, 16);
	CU_ASSERT_FALSE(vmcoreinfo_number(info, "LAST", &number));
	CU_ASSERT_FALSE(vmcoreinfo_number(info, "EMPTY", &number));
}

static void test_status_texts(void)
{
	CU_ASSERT_STRING_EQUAL(block_status_text(BLOCK_OK), "readable");
	CU_ASSERT_STRING_EQUAL(block_status_text(BLOCK_MISSING), "not in the dump");
	CU_ASSERT_STRING_EQUAL(block_status_text(BLOCK_OUTSIDE), "not memory");
	CU_ASSERT_PTR_NOT_NULL(strstr(block_status_text(BLOCK_DAMAGED), "damaged"));
	memory_close(NULL);
}

static void test_vmcoreinfo_keys(void)
{
	static const struct {
		const char *text;
		bool sane;
	} cases[] = {
		{ "OSRELEASE=6.1.0\nBUILD-ID=00ff\nSYMBOL(_stext)=ffffffff81000000\n", true },
		{ "LENGTH(free_area.free_list)=6\nIOMMUPT_MEMBER(device/parent.bus)=none\n", true },
		{ "CRASHTIME=1\nnothing at all\n\nIOMMUPT_ENUMERATOR(.PG_slab)=9", true },
		{ "", true },
		{ "A=1\nA.B=2\n", false },
		{ "A(x).y)=1\n", false },
		{ "A(x=1\n", false },
		{ "A(x..y)=1\n", false },
		{ "=1\n", false },
		{ "A B=1\n", false },
		{ "A(x\001)=1\n", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		EXPECT(vmcoreinfo_is_sane(cases[i].text, strlen(cases[i].text)) == cases[i].sane,
		       "'%s'", cases[i].text);
	CU_ASSERT_TRUE(vmcoreinfo_is_sane("A=1\n\0\0", 6));
	CU_ASSERT_FALSE(vmcoreinfo_is_sane("A=1\n\0B=2\n", 9));
}

void suite_files(void)
{
	CU_pSuite suite = CU_add_suite("files", prepare, clean);

	CU_add_test(suite, "ELF core", test_core);
	CU_add_test(suite, "many requests at once", test_many_requests);
	CU_add_test(suite, "ELF core that is cut off", test_cut_off_core);
	CU_add_test(suite, "no dump", test_no_dump);
	CU_add_test(suite, "no permission", test_no_permission);
	CU_add_test(suite, "raw image", test_raw_image);
	CU_add_test(suite, "flattened", test_flattened);
	CU_add_test(suite, "flattened: damaged", test_damaged_flattened);
	CU_add_test(suite, "notes", test_notes);
	CU_add_test(suite, "notes: VMCOREINFO", test_vmcoreinfo_note);
	CU_add_test(suite, "notes: damaged", test_damaged_notes);
	CU_add_test(suite, "program headers: damaged", test_damaged_headers);
	CU_add_test(suite, "VMCOREINFO text", test_vmcoreinfo);
	CU_add_test(suite, "VMCOREINFO's keys", test_vmcoreinfo_keys);
	CU_add_test(suite, "texts of a block's status", test_status_texts);
}
