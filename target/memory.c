// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/memory.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/backends.h"
#include "target/error.h"
#include "target/file_map.h"
#include "target/flattened.h"

enum file_kind { FILE_VMCORE, FILE_OTHER, FILE_ELF_NOT_CORE };

/* What the first bytes say; libkdumpfile makes the final judgement on a vmcore. */
static enum file_kind recognise(int fd)
{
	static const char *const signatures[] = { "KDUMP   ", "DISKDUMP", "\1\0\0\0LKCD" };
	unsigned char head[EI_NIDENT + 4] = { 0 };

	if (flattened_probe(fd))
		return FILE_VMCORE;
	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return FILE_OTHER;
	if (memcmp(head, ELFMAG, SELFMAG) == 0)
		return head[EI_NIDENT] == ET_CORE || head[EI_NIDENT + 1] == ET_CORE
			       ? FILE_VMCORE
			       : FILE_ELF_NOT_CORE;
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		if (memcmp(head, signatures[i], 8) == 0)
			return FILE_VMCORE;
	}
	return FILE_OTHER;
}

static struct error *open_file(const char *path, int *ret)
{
	struct stat status;
	/* Opening a pipe would wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && strcmp(path, "/proc/kcore") == 0)
		return memory_kcore_refused(path, errno);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return error_errno(
			errno, "%s: cannot be opened; read it as root or change its mode", path);
	if (fd < 0)
		return error_errno(errno, "%s: cannot be opened; check the name given with -c",
				   path);
	if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
		close(fd);
		return error_new("%s: is %s; give a vmcore file with -c", path,
				 S_ISDIR(status.st_mode) ? "a directory" : "not a file");
	}
	*ret = fd;
	return NULL;
}

struct error *memory_open(const char *path, unsigned int flags, struct memory **ret)
{
	int fd = -1;
	struct error *err = open_file(path, &fd);

	if (err)
		return err;
	if (memory_kcore_is(fd))
		return memory_kcore_open(path, fd, ret);
	enum file_kind kind = recognise(fd);
	if (kind == FILE_VMCORE) {
		err = memory_kdumpfile_open(path, fd, flags, ret);
	} else if (kind == FILE_OTHER && (flags & MEMORY_RAW_ALLOWED)) {
		err = memory_raw_open(path, fd, flags, ret);
	} else {
		close(fd);
		return error_new(
			"%s: is not a vmcore%s; give an ELF or kdump-compressed vmcore with -c",
			path, kind == FILE_OTHER ? "" : " (an ELF file, but not a core)");
	}
	if (err)
		return err;
	(*ret)->path = strdup(path);
	if (!(*ret)->path) {
		memory_close(*ret);
		*ret = NULL; /* a session would close it again */
		return error_no_memory();
	}
	return NULL;
}

void memory_close(struct memory *memory)
{
	if (!memory)
		return;
	if (memory->borrowed) {
		memory->ops->destroy(memory);
		return;
	}
	free(memory->path);
	free(memory->format);
	free(memory->defect);
	free(memory->vmcoreinfo);
	free(memory->notes);
	memory->ops->destroy(memory);
}

enum block_status memory_read(struct memory *memory, uint64_t phys, void *data, uint32_t len)
{
	struct block_request request = { .phys = phys, .data = data, .len = len };

	memory->ops->read(memory, &request, 1);
	return request.status;
}

void memory_prefetch(struct memory *memory, struct block_request *requests, size_t count)
{
	if (memory->ops->fetch) {
		memory->ops->fetch(memory, requests, count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		requests[i].status = BLOCK_OK;
		requests[i].bytes = NULL;
	}
}

void memory_finish(struct memory *memory, struct block_request *requests, size_t count)
{
	for (size_t i = 0, end = 0; i < count; i = end + 1) {
		for (end = i; end < count && memory_is_left(&requests[end]);)
			end++;
		if (end > i)
			memory->ops->read(memory, requests + i, end - i);
		for (; i < end; i++)
			requests[i].bytes = requests[i].data;
	}
}

void memory_fetch(struct memory *memory, struct block_request *requests, size_t count)
{
	memory_prefetch(memory, requests, count);
	memory_finish(memory, requests, count);
}

const void *memory_zeros(void)
{
	static const union {
		unsigned char bytes[MEMORY_BLOCK_MAX];
		uint64_t align;
	} zeros;

	return zeros.bytes;
}

bool memory_lost(void)
{
	return file_map_lost();
}

bool memory_next_ram(struct memory *memory, uint64_t from, uint64_t *start, uint64_t *end)
{
	return memory->ops->next_ram && memory->ops->next_ram(memory, from, start, end);
}

const char *block_status_text(enum block_status status)
{
	switch (status) {
	case BLOCK_OK:
		return "readable";
	case BLOCK_MISSING:
		return "not in the dump";
	case BLOCK_OUTSIDE:
		return "not memory";
	case BLOCK_CHANGED:
		return "changing faster than it can be read";
	default:
		return "damaged or cut off in the dump";
	}
}

bool vmcoreinfo_get(const char *info, const char *key, char *value, size_t size)
{
	const size_t key_len = strlen(key);

	for (const char *line = info; line && *line;) {
		size_t len = strcspn(line, "\n");

		if (len > key_len && line[key_len] == '=' && strncmp(line, key, key_len) == 0) {
			snprintf(value, size, "%.*s", (int)(len - key_len - 1), line + key_len + 1);
			return true;
		}
		line += len;
		line += *line == '\n';
	}
	return false;
}

bool vmcoreinfo_hex(const char *info, const char *key, uint64_t *ret)
{
	char text[32];
	char *end = NULL;

	if (!vmcoreinfo_get(info, key, text, sizeof(text)))
		return false;
	*ret = strtoull(text, &end, 16);
	return end != text;
}

bool vmcoreinfo_number(const char *info, const char *key, int64_t *ret)
{
	char text[32];
	char *end = NULL;

	if (!vmcoreinfo_get(info, key, text, sizeof(text)))
		return false;
	*ret = strtoll(text, &end, 0);
	return end != text;
}
