// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/notes.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/error.h"
#include "target/memory.h"

/*
 * Notes are small: a few KB a CPU. The bytes are kept behind the array of
 * struct memory_note, in one allocation.
 */
enum { NOTES_MAX_BYTES = 64 << 20 };

struct extent {
	uint64_t offset;
	uint64_t len;
};

/* ELF: the PT_NOTE segment, and how long the file should be. */
static bool elf_extent(int fd, struct extent *notes, uint64_t *file_end)
{
	Elf64_Ehdr header;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	size_t count = header.e_phnum;
	Elf64_Shdr first;
	/* More than 65534 segments: the number is in section header 0 (ELF gABI). */
	if (count == PN_XNUM &&
	    pread(fd, &first, sizeof(first), (off_t)header.e_shoff) == (ssize_t)sizeof(first))
		count = first.sh_info;
	for (size_t i = 0; i < count; i++) {
		Elf64_Phdr segment;

		if (pread(fd, &segment, sizeof(segment),
			  (off_t)(header.e_phoff + i * sizeof(segment))) !=
		    (ssize_t)sizeof(segment))
			break;
		if (segment.p_type == PT_NOTE)
			*notes = (struct extent){ segment.p_offset, segment.p_filesz };
		uint64_t end = segment.p_offset + segment.p_filesz;
		if (end >= segment.p_offset && end > *file_end)
			*file_end = end;
	}
	return true;
}

/*
 * kdump-compressed, 64-bit kernels (makedumpfile: diskdump_mod.h): in struct
 * disk_dump_header, header_version and block_size; in struct kdump_sub_header, which begins
 * one block into the file, offset_note and size_note, there since version 4. QEMU fills in no
 * more of struct new_utsname than the machine, and libkdumpfile then knows no architecture.
 */
static bool kdump_extent(int fd, struct memory *memory, struct extent *notes)
{
	enum { VERSION_AT = 8, MACHINE_AT = 12 + 4 * 65, BLOCK_SIZE_AT = 428, OFFSET_NOTE_AT = 48 };
	unsigned char head[BLOCK_SIZE_AT + 4];
	int32_t version;
	int32_t block_size;
	uint64_t note[2];

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head, "KDUMP   ", 8) != 0)
		return false;
	if (memory->arch == ARCH_UNKNOWN && strcmp((char *)head + MACHINE_AT, "x86_64") == 0)
		memory->arch = ARCH_X86_64;
	if (memory->arch == ARCH_UNKNOWN && strcmp((char *)head + MACHINE_AT, "aarch64") == 0)
		memory->arch = ARCH_AARCH64;
	memcpy(&version, head + VERSION_AT, sizeof(version));
	memcpy(&block_size, head + BLOCK_SIZE_AT, sizeof(block_size));
	if (version < 4 || block_size < 512 || block_size > 1 << 20 ||
	    pread(fd, note, sizeof(note), (off_t)block_size + OFFSET_NOTE_AT) !=
		    (ssize_t)sizeof(note))
		return false;
	*notes = (struct extent){ note[0], note[1] };
	return true;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* Split @len bytes at @bytes into notes; NULL @notes only counts. */
static size_t parse_notes(const uint8_t *bytes, size_t len, struct memory_note *notes)
{
	size_t count = 0;

	for (size_t at = 0; len - at >= sizeof(Elf64_Nhdr);) {
		Elf64_Nhdr header;

		memcpy(&header, bytes + at, sizeof(header));
		at += sizeof(header);
		size_t name_len = align4(header.n_namesz);
		size_t desc_len = align4(header.n_descsz);
		if (header.n_namesz == 0 || name_len > len - at ||
		    header.n_descsz > len - at - name_len ||
		    bytes[at + header.n_namesz - 1] != '\0')
			break;
		if (notes)
			notes[count] = (struct memory_note){
				.name = (const char *)bytes + at,
				.type = header.n_type,
				.desc = bytes + at + name_len,
				.len = header.n_descsz,
			};
		count++;
		at += name_len;
		at += desc_len < len - at ? desc_len : len - at;
	}
	return count;
}

static struct error *load_extent(struct memory *memory, int fd, const struct extent *extent)
{
	if (extent->len == 0 || extent->len > NOTES_MAX_BYTES)
		return NULL;
	uint8_t *bytes = malloc(extent->len);
	if (!bytes)
		return error_no_memory();
	ssize_t got = pread(fd, bytes, extent->len, (off_t)extent->offset);
	size_t len = got > 0 ? (size_t)got : 0;
	size_t count = parse_notes(bytes, len, NULL);
	size_t array = count * sizeof(struct memory_note);
	memory->notes = malloc(array + len + 1);
	if (memory->notes) {
		uint8_t *copy = (uint8_t *)memory->notes + array;

		memcpy(copy, bytes, len);
		memory->note_count = parse_notes(copy, len, memory->notes);
	}
	free(bytes);
	return memory->notes ? NULL : error_no_memory();
}

static struct error *note_defect(struct memory *memory, int fd, uint64_t expected)
{
	struct stat status;

	if (fstat(fd, &status) || (uint64_t)status.st_size >= expected)
		return NULL;
	if (asprintf(&memory->defect,
		     "the file is cut off: it has %" PRIu64 " of %" PRIu64 " bytes",
		     (uint64_t)status.st_size, expected) < 0) {
		memory->defect = NULL;
		return error_no_memory();
	}
	return NULL;
}

/* libkdumpfile 0.5.1 gives VMCOREINFO only to a caller that has told it the OS. */
static struct error *find_vmcoreinfo(struct memory *memory)
{
	for (size_t i = 0; i < memory->note_count && !memory->vmcoreinfo; i++) {
		const struct memory_note *note = &memory->notes[i];

		if (strcmp(note->name, "VMCOREINFO") != 0)
			continue;
		memory->vmcoreinfo = strndup((const char *)note->desc, note->len);
		if (!memory->vmcoreinfo)
			return error_no_memory();
	}
	return NULL;
}

struct error *notes_load(struct memory *memory, int fd)
{
	struct extent extent = { 0 };
	uint64_t file_end = 0;
	struct error *err = NULL;

	if (elf_extent(fd, &extent, &file_end))
		err = note_defect(memory, fd, file_end);
	else if (!kdump_extent(fd, memory, &extent))
		return NULL;
	if (!err)
		err = load_extent(memory, fd, &extent);
	return err ? err : find_vmcoreinfo(memory);
}

/*
 * QEMU's note, named "QEMU", one a CPU (qemu: target/i386/arch_dump.c, struct QEMUCPUState):
 * two 32-bit words (version, size), 18 64-bit registers, 10 segments of 24 bytes, cr[0..4].
 */
bool notes_cr3(const struct memory *memory, unsigned int cpu, uint64_t *cr3, bool *la57)
{
	enum { CR_AT = 8 + 18 * 8 + 10 * 24 };
	static const uint64_t CR4_LA57 = 1ULL << 12;
	unsigned int seen = 0;

	for (size_t i = 0; i < memory->note_count; i++) {
		const struct memory_note *note = &memory->notes[i];
		uint64_t cr[5];

		if (strcmp(note->name, "QEMU") != 0 || note->len < CR_AT + sizeof(cr) ||
		    seen++ != cpu)
			continue;
		memcpy(cr, note->desc + CR_AT, sizeof(cr));
		*cr3 = cr[3];
		*la57 = cr[4] & CR4_LA57;
		return true;
	}
	return false;
}
