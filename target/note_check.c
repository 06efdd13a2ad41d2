// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/note_check.h"

#include <ctype.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than any machine's: a few KB a CPU. */
enum { BYTES_MAX = 64 << 20 };

static bool is_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '-')
			return false;
	}
	return len > 0;
}

/* PAGESIZE, SYMBOL(_stext), OFFSET(page.flags): no key can be the branch of another one. */
static bool key_is_sane(const char *key, size_t len)
{
	const char *open = memchr(key, '(', len);

	if (!open)
		return is_word(key, len);
	if (key[len - 1] != ')' || !is_word(key, (size_t)(open - key)))
		return false;
	for (const char *at = open + 1; at < key + len - 1; at++) {
		if (!isgraph((unsigned char)*at) || *at == '(' || *at == ')' ||
		    (*at == '.' && at[1] == '.'))
			return false;
	}
	return true;
}

bool vmcoreinfo_is_sane(const char *text, size_t len)
{
	while (len && text[len - 1] == '\0')
		len--;
	if (memchr(text, '\0', len))
		return false;
	for (const char *end = text + len; text < end;) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *next = newline ? newline + 1 : end;
		const char *equals = memchr(text, '=', (size_t)(next - text));

		if (equals && !key_is_sane(text, (size_t)(equals - text)))
			return false;
		text = next;
	}
	return true;
}

static uint64_t align4(uint64_t n)
{
	return (n + 3) & ~(uint64_t)3;
}

static bool notes_are_sane(const char *bytes, uint64_t len)
{
	static const char name[] = "VMCOREINFO";

	for (uint64_t at = 0; len - at >= sizeof(Elf64_Nhdr);) {
		Elf64_Nhdr header;

		memcpy(&header, bytes + at, sizeof(header));
		at += sizeof(header);
		const uint64_t name_len = align4(header.n_namesz);
		if (name_len > len - at)
			return true;
		const uint64_t left = len - at - name_len;
		const uint64_t desc_len = header.n_descsz < left ? header.n_descsz : left;
		if (header.n_namesz >= sizeof(name) - 1 &&
		    memcmp(bytes + at, name, sizeof(name) - 1) == 0 &&
		    !vmcoreinfo_is_sane(bytes + at + name_len, desc_len))
			return false;
		if (align4(header.n_descsz) > left)
			return true;
		at += name_len + align4(header.n_descsz);
	}
	return true;
}

/* Nothing is sane; what is too long, or cannot be looked at for want of memory, is not. */
static bool is_sane_at(int fd, uint64_t offset, uint64_t len,
		       bool (*is_sane)(const char *bytes, uint64_t len))
{
	if (len == 0 || offset > INT64_MAX)
		return true;
	char *bytes = len <= BYTES_MAX ? malloc(len) : NULL;
	if (!bytes)
		return false;
	const ssize_t got = pread(fd, bytes, len, (off_t)offset);
	const bool sane = got <= 0 || is_sane(bytes, (uint64_t)got);
	free(bytes);
	return sane;
}

bool vmcoreinfo_at_is_sane(int fd, uint64_t offset, uint64_t len)
{
	return is_sane_at(fd, offset, len, vmcoreinfo_is_sane);
}

bool notes_at_are_sane(int fd, uint64_t offset, uint64_t len)
{
	return is_sane_at(fd, offset, len, notes_are_sane);
}
