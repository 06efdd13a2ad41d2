// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Memory of a vmcore file, by libkdumpfile: ELF dumps, kdump-compressed ones
 * (makedumpfile, QEMU), and the flattened form of both. Blocks that our own
 * readers know how to read (file_reader.h) are read by these.
 *
 * Blocks are read by machine physical address only; libkdumpfile's own address
 * translation is not used, so that dumps without VMCOREINFO work as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <libkdumpfile/kdumpfile.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/backends.h"
#include "target/error.h"
#include "target/file_check.h"
#include "target/file_reader.h"
#include "target/flattened.h"
#include "target/notes.h"

struct memory_kdumpfile {
	struct memory memory;
	struct cut *cuts; /* parts of memory that a cut-off file has lost */
	size_t cut_count;
	kdump_ctx_t *context;
	kdump_bmp_t *in_file;	/* page frames that the dump holds; NULL: not known */
	kdump_bmp_t *in_memory; /* page frames that are memory; NULL: not known */
	unsigned int page_shift;
	struct file_reader *reader; /* NULL: libkdumpfile reads all */
	pthread_mutex_t lock;	    /* of the context, when blocks are read */
	int fd;
	bool compressed;	       /* kdump-compressed, not ELF */
	struct memory_kdumpfile *kept; /* see keep() */
};

static struct memory_kdumpfile *to_kdumpfile(struct memory *memory)
{
	return (struct memory_kdumpfile *)memory;
}

static bool bit_is_set(kdump_bmp_t *bitmap, uint64_t bit)
{
	unsigned char raw = 0;

	return kdump_bmp_get_bits(bitmap, bit, bit, &raw) == KDUMP_OK && (raw & 1);
}

static enum block_status kdumpfile_probe(struct memory *memory, uint64_t phys)
{
	struct memory_kdumpfile *self = to_kdumpfile(memory);
	const uint64_t frame = phys >> self->page_shift;

	if (phys >= MEMORY_END)
		return BLOCK_OUTSIDE;
	if (!self->in_file || bit_is_set(self->in_file, frame))
		return BLOCK_OK;
	if (self->in_memory && bit_is_set(self->in_memory, frame))
		return BLOCK_MISSING;
	return BLOCK_OUTSIDE;
}

static bool is_cut(const struct memory_kdumpfile *self, uint64_t phys, size_t len)
{
	for (size_t i = 0; i < self->cut_count; i++) {
		if (phys < self->cuts[i].end && phys + len > self->cuts[i].start)
			return true;
	}
	return false;
}

/* Read within one page of the dump: libkdumpfile would give zeros for a hole in an ELF. */
static enum block_status read_piece(struct memory_kdumpfile *self, uint64_t phys, void *data,
				    size_t len)
{
	enum block_status status = kdumpfile_probe(&self->memory, phys);

	if (status != BLOCK_OK)
		return status;
	/* Behind the end of the file libkdumpfile reads zeros. */
	if (is_cut(self, phys, len))
		return BLOCK_DAMAGED;
	size_t got = len;
	kdump_status result = kdump_read(self->context, KDUMP_MACHPHYSADDR, phys, data, &got);
	if (result == KDUMP_OK)
		return BLOCK_OK;
	kdump_clear_err(self->context);
	return result == KDUMP_ERR_NODATA ? BLOCK_MISSING : BLOCK_DAMAGED;
}

static void read_by_library(struct memory_kdumpfile *self, struct block_request *request)
{
	const uint64_t page_size = 1ULL << self->page_shift;
	uint32_t done = 0;

	request->status = BLOCK_OK;
	request->bytes = request->data;
	while (done < request->len && request->status == BLOCK_OK) {
		uint64_t phys = request->phys + done;
		uint64_t piece = page_size - (phys & (page_size - 1));

		if (piece > request->len - done)
			piece = request->len - done;
		request->status = read_piece(self, phys, (char *)request->data + done, piece);
		done += (uint32_t)piece;
	}
}

static void kdumpfile_fetch(struct memory *memory, struct block_request *requests, size_t count)
{
	struct memory_kdumpfile *self = to_kdumpfile(memory);

	if (self->reader && file_reader_fetch(self->reader, requests, count) == 0)
		return;
	pthread_mutex_lock(&self->lock);
	for (size_t i = 0; i < count; i++) {
		if (!self->reader || memory_is_left(&requests[i]))
			read_by_library(self, &requests[i]);
	}
	pthread_mutex_unlock(&self->lock);
}

static void kdumpfile_read(struct memory *memory, struct block_request *requests, size_t count)
{
	kdumpfile_fetch(memory, requests, count);
	file_reader_copy(requests, count);
}

static bool kdumpfile_next_ram(struct memory *memory, uint64_t from, uint64_t *start, uint64_t *end)
{
	struct memory_kdumpfile *self = to_kdumpfile(memory);
	kdump_addr_t first = from >> self->page_shift;

	if (!self->in_memory || kdump_bmp_find_set(self->in_memory, &first) != KDUMP_OK)
		return false;
	kdump_addr_t beyond = first;
	if (kdump_bmp_find_clear(self->in_memory, &beyond) != KDUMP_OK || beyond <= first)
		return false;
	*start = first << self->page_shift;
	*end = beyond << self->page_shift;
	return true;
}

/*
 * kdump_free() of libkdumpfile 0.5.1 writes to memory that it has freed (seen with valgrind)
 * when the file was kdump-compressed, and crashes when its header was refused. So the context
 * of such a file is kept for the life of the process: one dump is opened in it.
 */
static void keep(struct memory_kdumpfile *self)
{
	static struct memory_kdumpfile *kept;

	self->kept = kept;
	kept = self;
}

static void kdumpfile_destroy(struct memory *memory)
{
	struct memory_kdumpfile *self = to_kdumpfile(memory);

	file_reader_destroy(self->reader);
	pthread_mutex_destroy(&self->lock);
	if (self->in_file)
		kdump_bmp_decref(self->in_file);
	if (self->in_memory)
		kdump_bmp_decref(self->in_memory);
	if (self->context && !self->compressed)
		kdump_free(self->context);
	if (self->fd >= 0)
		close(self->fd);
	free(self->cuts);
	if (self->context && self->compressed)
		keep(self);
	else
		free(self);
}

static bool kdumpfile_are_zeros(struct memory *memory, const uint64_t *phys, size_t count,
				uint32_t len)
{
	const struct memory_kdumpfile *self = to_kdumpfile(memory);

	return file_reader_are_zeros(self->reader, phys, count, len);
}

static const struct memory_ops kdumpfile_ops = {
	.name = "libkdumpfile",
	.read = kdumpfile_read,
	.fetch = kdumpfile_fetch,
	.are_zeros = kdumpfile_are_zeros,
	.probe = kdumpfile_probe,
	.next_ram = kdumpfile_next_ram,
	.destroy = kdumpfile_destroy,
};

static kdump_bmp_t *get_bitmap(kdump_ctx_t *context, const char *key)
{
	kdump_attr_t attr = { .type = KDUMP_BITMAP };

	if (kdump_get_attr(context, key, &attr) != KDUMP_OK || attr.type != KDUMP_BITMAP) {
		kdump_clear_err(context);
		return NULL;
	}
	kdump_bmp_incref(attr.val.bitmap);
	return attr.val.bitmap;
}

static char *get_string(kdump_ctx_t *context, const char *key)
{
	kdump_attr_t attr = { .type = KDUMP_STRING };

	if (kdump_get_attr(context, key, &attr) != KDUMP_OK || attr.type != KDUMP_STRING) {
		kdump_clear_err(context);
		return NULL;
	}
	return strdup(attr.val.string);
}

static enum memory_arch get_arch(kdump_ctx_t *context)
{
	char *name = get_string(context, KDUMP_ATTR_ARCH_NAME);
	enum memory_arch arch = ARCH_UNKNOWN;

	if (name && strcmp(name, "x86_64") == 0)
		arch = ARCH_X86_64;
	else if (name && strcmp(name, "aarch64") == 0)
		arch = ARCH_AARCH64;
	free(name);
	return arch;
}

/* An arm64 dump without VMCOREINFO has no page size, by which libkdumpfile 0.5.1 then divides. */
static void get_page_shift(struct memory_kdumpfile *self)
{
	kdump_attr_t attr = { .type = KDUMP_NUMBER };

	self->page_shift = 12;
	if (kdump_get_attr(self->context, KDUMP_ATTR_PAGE_SHIFT, &attr) == KDUMP_OK &&
	    attr.val.number >= 12 && attr.val.number <= 16) {
		self->page_shift = (unsigned int)attr.val.number;
	} else {
		attr.type = KDUMP_NUMBER;
		attr.val.number = self->page_shift;
		kdump_set_attr(self->context, KDUMP_ATTR_PAGE_SHIFT, &attr);
	}
	kdump_clear_err(self->context);
}

static void get_vmcoreinfo(struct memory_kdumpfile *self)
{
	char *raw = NULL;

	if (kdump_vmcoreinfo_raw(self->context, &raw) == KDUMP_OK)
		self->memory.vmcoreinfo = raw;
	else
		kdump_clear_err(self->context);
}

/* Mapped, a file that is cut off gives SIGBUS instead of an error. */
static bool never_map(kdump_ctx_t *context)
{
	kdump_attr_t attr = { .type = KDUMP_NUMBER, .val.number = KDUMP_MMAP_NEVER };

	return kdump_set_attr(context, KDUMP_ATTR_FILE_MMAP_POLICY, &attr) == KDUMP_OK;
}

static struct error *open_context(struct memory_kdumpfile *self, const char *path)
{
	char head[8] = "";

	self->context = kdump_new();
	if (!self->context)
		return error_no_memory();
	self->compressed = pread(self->fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
			   (memcmp(head, "KDUMP   ", 8) == 0 || memcmp(head, "DISKDUMP", 8) == 0);
	if (never_map(self->context) && kdump_open_fd(self->context, self->fd) == KDUMP_OK)
		return NULL;
	return error_new("%s: cannot be read as a vmcore (%s); give an ELF or kdump-compressed "
			 "vmcore with -c",
			 path, kdump_get_err(self->context));
}

static bool number_is(kdump_ctx_t *context, const char *key, uint64_t number)
{
	kdump_attr_t attr = { .type = KDUMP_NUMBER };
	const bool is = kdump_get_attr(context, key, &attr) == KDUMP_OK &&
			attr.type == KDUMP_NUMBER && attr.val.number == number;

	kdump_clear_err(context);
	return is;
}

/* What libkdumpfile takes for something else than our readers are for is left to it. */
static void open_reader(struct memory_kdumpfile *self)
{
	if (!number_is(self->context, KDUMP_ATTR_PTR_SIZE, 8) ||
	    !number_is(self->context, KDUMP_ATTR_BYTE_ORDER, KDUMP_LITTLE_ENDIAN))
		return;
	self->reader = self->compressed ? file_reader_kdump(self->fd, self->page_shift)
					: file_reader_elf(self->fd);
	self->memory.concurrent = self->reader;
}

struct error *memory_kdumpfile_open(const char *path, int fd, unsigned int flags,
				    struct memory **ret)
{
	struct memory_kdumpfile *self = calloc(1, sizeof(*self));

	if (!self) {
		close(fd);
		return error_no_memory();
	}
	self->memory.ops = &kdumpfile_ops;
	self->fd = fd;
	pthread_mutex_init(&self->lock, NULL);
	struct error *err = NULL;
	if (flattened_probe(fd))
		err = flattened_rearrange(path, fd, &self->fd);
	if (!err)
		err = file_check_whole(path, self->fd, &self->cuts, &self->cut_count);
	if (!err)
		err = open_context(self, path);
	if (!err) {
		self->memory.arch = get_arch(self->context);
		self->memory.format = get_string(self->context, "file.description");
		self->in_file = get_bitmap(self->context, KDUMP_ATTR_FILE_PAGEMAP);
		self->in_memory = get_bitmap(self->context, KDUMP_ATTR_MEMORY_PAGEMAP);
		get_page_shift(self);
		get_vmcoreinfo(self);
		err = notes_load(&self->memory, self->fd);
	}
	if (!err && !(flags & MEMORY_BY_LIBRARY))
		open_reader(self);
	if (err) {
		memory_close(&self->memory);
		return err;
	}
	*ret = &self->memory;
	return NULL;
}
