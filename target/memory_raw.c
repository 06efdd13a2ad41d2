// SPDX-License-Identifier: GPL-3.0-or-later
/* Memory that is a plain file: byte N of the file is physical address N. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/backends.h"
#include "target/error.h"
#include "target/file_reader.h"

struct memory_raw {
	struct memory memory;
	uint64_t size;
	struct file_reader *reader; /* NULL: the file is not mapped */
	int fd;
};

static enum block_status raw_probe(struct memory *memory, uint64_t phys)
{
	const struct memory_raw *self = (struct memory_raw *)memory;

	return phys < self->size ? BLOCK_OK : BLOCK_OUTSIDE;
}

static enum block_status read_block(const struct memory_raw *self, uint64_t phys, char *data,
				    uint32_t len)
{
	if (phys >= self->size || len > self->size - phys)
		return BLOCK_OUTSIDE;
	while (len) {
		ssize_t n = pread(self->fd, data, len, (off_t)phys);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return BLOCK_DAMAGED;
		phys += (uint64_t)n;
		data += n;
		len -= (uint32_t)n;
	}
	return BLOCK_OK;
}

static void raw_fetch(struct memory *memory, struct block_request *requests, size_t count)
{
	const struct memory_raw *self = (struct memory_raw *)memory;

	if (self->reader && file_reader_fetch(self->reader, requests, count) == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct block_request *request = &requests[i];

		if (self->reader && !memory_is_left(request))
			continue;
		request->bytes = request->data;
		request->status = read_block(self, request->phys, request->data, request->len);
	}
}

static void raw_read(struct memory *memory, struct block_request *requests, size_t count)
{
	raw_fetch(memory, requests, count);
	file_reader_copy(requests, count);
}

static bool raw_next_ram(struct memory *memory, uint64_t from, uint64_t *start, uint64_t *end)
{
	const struct memory_raw *self = (struct memory_raw *)memory;

	*start = 0;
	*end = self->size;
	return from < self->size;
}

static void raw_destroy(struct memory *memory)
{
	struct memory_raw *self = (struct memory_raw *)memory;

	file_reader_destroy(self->reader);
	close(self->fd);
	free(self);
}

static const struct memory_ops raw_ops = {
	.name = "raw",
	.read = raw_read,
	.fetch = raw_fetch,
	.probe = raw_probe,
	.next_ram = raw_next_ram,
	.destroy = raw_destroy,
};

struct error *memory_raw_open(const char *path, int fd, unsigned int flags, struct memory **ret)
{
	struct memory_raw *self = calloc(1, sizeof(*self));
	struct stat status;

	if (!self) {
		close(fd);
		return error_no_memory();
	}
	self->memory.ops = &raw_ops;
	self->fd = fd;
	if (fstat(fd, &status)) {
		struct error *err = error_errno(errno, "%s: cannot be examined", path);

		raw_destroy(&self->memory);
		return err;
	}
	self->size = (uint64_t)status.st_size;
	if (!(flags & MEMORY_BY_LIBRARY))
		self->reader = file_reader_raw(fd);
	self->memory.concurrent = true;
	self->memory.format = strdup("raw image of physical memory");
	*ret = &self->memory;
	return NULL;
}
