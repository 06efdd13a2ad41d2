// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The layout is that of makedumpfile (makedumpfile.h: struct makedumpfile_header and
 * makedumpfile_data_header) and QEMU (include/sysemu/dump.h): a 4096-byte header whose first
 * 16 bytes are the signature, then records of two big-endian 64-bit numbers (offset, length)
 * and the bytes; an offset of -1 ends the list.
 */
#include "target/flattened.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/error.h"

static const char signature[16] = "makedumpfile";

enum { HEADER_BYTES = 4096, BUFFER_BYTES = 1 << 20 };

struct record {
	uint64_t offset;
	uint64_t len;
};

bool flattened_probe(int fd)
{
	char head[sizeof(signature)];

	return pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	       memcmp(head, signature, sizeof(head)) == 0;
}

static int open_unnamed(const char *path, uint64_t size)
{
	uint64_t pages = (uint64_t)sysconf(_SC_AVPHYS_PAGES);
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	int fd = -1;

	if (size < pages * page_size / 4)
		fd = memfd_create("iommupt-flattened", MFD_CLOEXEC);
	if (fd >= 0)
		return fd;
	char *copy = strdup(path);
	if (copy)
		fd = open(dirname(copy), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	free(copy);
	const char *tmpdir = getenv("TMPDIR");
	if (fd < 0)
		fd = open(tmpdir ? tmpdir : "/var/tmp", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC,
			  0600);
	return fd;
}

static bool read_all(int fd, void *data, size_t len, uint64_t offset)
{
	char *to = data;

	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

static bool write_all(int fd, const void *data, size_t len, uint64_t offset)
{
	const char *from = data;

	while (len) {
		ssize_t n = pwrite(fd, from, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		from += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

enum copy_result { COPY_OK, COPY_END, COPY_SHORT, COPY_BAD, COPY_WRITE };

/* Copy the record at *@position of @from into place; @size bounds the input file. */
static enum copy_result copy_record(int from, int to, char *buffer, uint64_t *position,
				    uint64_t size)
{
	struct record record;

	if (!read_all(from, &record, sizeof(record), *position))
		return COPY_SHORT;
	*position += sizeof(record);
	record.offset = be64toh(record.offset);
	record.len = be64toh(record.len);
	if (record.offset == UINT64_MAX)
		return COPY_END;
	/* No record can hold more than the file does, nor lie beyond what a file can be. */
	if (record.offset > INT64_MAX / 2)
		return COPY_BAD;
	if (record.len > size - *position)
		return COPY_SHORT;
	while (record.len) {
		size_t piece = record.len < BUFFER_BYTES ? (size_t)record.len : BUFFER_BYTES;

		if (!read_all(from, buffer, piece, *position))
			return COPY_SHORT;
		if (!write_all(to, buffer, piece, record.offset))
			return COPY_WRITE;
		*position += piece;
		record.offset += piece;
		record.len -= piece;
	}
	return COPY_OK;
}

static struct error *copy_error(const char *path, enum copy_result result, uint64_t position)
{
	switch (result) {
	case COPY_END:
		return NULL;
	case COPY_SHORT:
		return error_new("%s: flattened dump ends at byte %" PRIu64
				 " without its end mark: it is cut off; copy it again",
				 path, position);
	case COPY_BAD:
		return error_new("%s: flattened dump has an impossible record before byte %" PRIu64
				 ": it is damaged; copy it again",
				 path, position);
	default:
		return error_errno(
			errno,
			"%s: no room to put the flattened dump in order; convert it with "
			"'makedumpfile -R NEW < %s' and give NEW",
			path, path);
	}
}

struct error *flattened_rearrange(const char *path, int fd, int *ret)
{
	struct stat status = { 0 };
	struct error *err = NULL;
	char *buffer = malloc(BUFFER_BYTES);
	int to = -1;

	*ret = -1;
	if (!buffer)
		err = error_no_memory();
	else if (fstat(fd, &status))
		err = error_errno(errno, "%s: cannot be examined", path);
	if (!err) {
		to = open_unnamed(path, (uint64_t)status.st_size);
		if (to < 0)
			err = copy_error(path, COPY_WRITE, 0);
	}
	if (!err) {
		uint64_t position = HEADER_BYTES;
		enum copy_result result = COPY_OK;

		while (result == COPY_OK)
			result = copy_record(fd, to, buffer, &position, (uint64_t)status.st_size);
		err = copy_error(path, result, position);
	}
	free(buffer);
	close(fd);
	if (err && to >= 0)
		close(to);
	else
		*ret = to;
	return err;
}
