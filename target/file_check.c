// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/file_check.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/error.h"
#include "target/memory.h"
#include "target/note_check.h"

static bool read_at(int fd, void *data, size_t len, uint64_t at)
{
	return at <= INT64_MAX && pread(fd, data, len, (off_t)at) == (ssize_t)len;
}

static struct error *damaged(const char *path)
{
	return error_new("%s: has damaged or cut off headers; copy it again", path);
}

/* Section headers that are not there, and notes without end, crash libkdumpfile 0.5.1. */
static bool headers_are_sane(const Elf64_Ehdr *header, uint64_t size)
{
	uint64_t sections = (uint64_t)header->e_shnum * sizeof(Elf64_Shdr);

	if (header->e_phentsize != sizeof(Elf64_Phdr) ||
	    (header->e_shnum == 0) != (header->e_shoff == 0))
		return false;
	return header->e_shnum == 0 ||
	       (header->e_shentsize == sizeof(Elf64_Shdr) && header->e_shoff <= size &&
		sections <= size - header->e_shoff);
}

/*
 * libkdumpfile 0.5.1 writes far beyond its buffers when a segment is longer in the file than in
 * memory, or goes beyond the end of the addresses. Without a physical address: kernel text.
 */
static bool load_is_sane(const Elf64_Phdr *load)
{
	return load->p_filesz <= load->p_memsz &&
	       (load->p_paddr == UINT64_MAX ||
		(load->p_paddr < MEMORY_END && load->p_memsz <= MEMORY_END - load->p_paddr));
}

/* Note what a PT_LOAD segment has lost, if anything. */
static struct error *check_load(const Elf64_Phdr *load, uint64_t size, struct cut **cuts,
				size_t *count)
{
	if (load->p_filesz == 0 ||
	    (load->p_offset < size && load->p_filesz <= size - load->p_offset))
		return NULL;
	struct cut *more = realloc(*cuts, (*count + 1) * sizeof(*more));
	if (!more)
		return error_no_memory();
	uint64_t there = load->p_offset < size ? size - load->p_offset : 0;
	*cuts = more;
	more[(*count)++] = (struct cut){ load->p_paddr + there, load->p_paddr + load->p_filesz };
	return NULL;
}

static struct error *check_elf(const char *path, int fd, uint64_t size, struct cut **cuts,
			       size_t *cut_count)
{
	Elf64_Ehdr header;
	Elf64_Shdr first;
	struct error *err = NULL;

	if (!read_at(fd, &header, sizeof(header), 0) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    !headers_are_sane(&header, size))
		return damaged(path);
	size_t count = header.e_phnum;
	/* More than 65534 segments: the number is in section header 0 (ELF gABI). */
	if (count == PN_XNUM && read_at(fd, &first, sizeof(first), header.e_shoff))
		count = first.sh_info;
	if (header.e_phoff > size || count > (size - header.e_phoff) / sizeof(Elf64_Phdr))
		return damaged(path);
	for (size_t i = 0; i < count && !err; i++) {
		Elf64_Phdr segment;

		if (!read_at(fd, &segment, sizeof(segment), header.e_phoff + i * sizeof(segment)))
			return error_errno(errno, "%s: cannot be read", path);
		if ((segment.p_type == PT_NOTE &&
		     (segment.p_filesz > size ||
		      !notes_at_are_sane(fd, segment.p_offset, segment.p_filesz))) ||
		    (segment.p_type == PT_LOAD && !load_is_sane(&segment)))
			return damaged(path);
		if (segment.p_type == PT_LOAD)
			err = check_load(&segment, size, cuts, cut_count);
	}
	return err;
}

/* kdump-compressed, 64-bit kernels: the parts of its headers that say how long it is. */
struct kdump_layout {
	uint64_t block;
	uint64_t bitmap_at; /* of the second bitmap: which pages are there */
	uint64_t bitmap_len;
	uint64_t descs_at;
};

struct page_desc {
	uint64_t offset;
	uint32_t size;
	uint32_t flags;
	uint64_t page_flags;
};

static bool read_layout(int fd, struct kdump_layout *layout)
{
	enum { BLOCK_SIZE_AT = 428 }; /* then sub_hdr_size, bitmap_blocks */
	uint32_t fields[3];

	if (!read_at(fd, fields, sizeof(fields), BLOCK_SIZE_AT))
		return false;
	const uint64_t block = fields[0];
	if (block < 512 || block > 1 << 20 || fields[1] > 1 << 20)
		return false;
	layout->block = block;
	layout->bitmap_len = fields[2] * block / 2;
	layout->bitmap_at = (1 + (uint64_t)fields[1]) * block + layout->bitmap_len;
	layout->descs_at = layout->bitmap_at + layout->bitmap_len;
	return true;
}

static bool count_pages(int fd, const struct kdump_layout *layout, uint64_t *ret)
{
	uint64_t piece[8192];

	*ret = 0;
	for (uint64_t at = 0; at < layout->bitmap_len;) {
		uint64_t left = layout->bitmap_len - at;
		size_t len = left < sizeof(piece) ? (size_t)left : sizeof(piece);

		memset(piece, 0, sizeof(piece));
		if (!read_at(fd, piece, len, layout->bitmap_at + at))
			return false;
		for (size_t i = 0; i < sizeof(piece) / sizeof(piece[0]); i++)
			*ret += (uint64_t)__builtin_popcountll(piece[i]);
		at += len;
	}
	return true;
}

/* Where the data of the last pages ends; the very last ones may share the zero page. */
static bool find_end(int fd, const struct kdump_layout *layout, uint64_t pages, uint64_t *ret)
{
	enum { LAST = 4096 };
	const uint64_t count = pages > LAST ? LAST : pages;
	const uint64_t end = layout->descs_at + pages * sizeof(struct page_desc);
	struct page_desc descs[LAST];

	*ret = end;
	if (!read_at(fd, descs, count * sizeof(descs[0]), end - count * sizeof(descs[0])))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		if (descs[i].offset <= INT64_MAX && descs[i].offset + descs[i].size > *ret)
			*ret = descs[i].offset + descs[i].size;
	}
	return true;
}

/* In struct kdump_sub_header, since version 3 and 4: offset and size of both. */
static bool kdump_notes_are_sane(int fd, const struct kdump_layout *layout)
{
	enum { VERSION_AT = 8, VMCOREINFO_AT = 32, NOTES_AT = 48 };
	int32_t version = 0;
	uint64_t place[2];

	if (!read_at(fd, &version, sizeof(version), VERSION_AT))
		return false;
	if (version >= 3 && read_at(fd, place, sizeof(place), layout->block + VMCOREINFO_AT) &&
	    !vmcoreinfo_at_is_sane(fd, place[0], place[1]))
		return false;
	return version < 4 || !read_at(fd, place, sizeof(place), layout->block + NOTES_AT) ||
	       notes_at_are_sane(fd, place[0], place[1]);
}

static struct error *check_kdump(const char *path, int fd, uint64_t size)
{
	struct kdump_layout layout;
	uint64_t pages = 0;
	uint64_t end = 0;

	if (!read_layout(fd, &layout) || !kdump_notes_are_sane(fd, &layout))
		return damaged(path);
	if (!count_pages(fd, &layout, &pages) || !find_end(fd, &layout, pages, &end))
		return error_new("%s: is cut off after %" PRIu64
				 " bytes, within its index of pages; copy "
				 "it again",
				 path, size);
	if (end > size)
		return error_new("%s: is cut off: it has %" PRIu64 " of at least %" PRIu64
				 " bytes; copy it again",
				 path, size, end);
	return NULL;
}

struct error *file_check_whole(const char *path, int fd, struct cut **cuts, size_t *count)
{
	struct stat status;
	char head[8];

	*cuts = NULL;
	*count = 0;
	if (fstat(fd, &status) || !read_at(fd, head, sizeof(head), 0))
		return error_errno(errno, "%s: cannot be examined", path);
	if (memcmp(head, ELFMAG, SELFMAG) == 0)
		return check_elf(path, fd, (uint64_t)status.st_size, cuts, count);
	if (memcmp(head, "KDUMP   ", sizeof(head)) == 0)
		return check_kdump(path, fd, (uint64_t)status.st_size);
	return NULL;
}
