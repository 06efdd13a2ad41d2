// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/pagemap_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/error.h"

enum { PAGE_LG2 = 12, ENTRY_LG2 = 3 };

static const uint64_t FRAME_MASK = (1ULL << 55) - 1;

struct error *pagemap_file_init(struct pagemap_file *file, FILE *stream)
{
	struct stat status;

	*file = (struct pagemap_file){ .fd = fileno(stream) };
	if (fstat(file->fd, &status) || !S_ISREG(status.st_mode))
		return error_new("--format pagemap makes a sparse file: name it with -o FILE");
	file->entries = malloc(PAGEMAP_FILE_ENTRIES * sizeof(*file->entries));
	return file->entries ? NULL : error_no_memory();
}

static struct error *cannot_write(uint64_t page)
{
	const uint64_t gib = ((page << ENTRY_LG2) >> 30) + 1;

	if (errno == EFBIG || errno == EINVAL)
		return error_new("input address 0x%" PRIx64 " lies %" PRIu64
				 " GiB into the file, more than this file system allows; give a "
				 "RANGE, or a file on another file system (xfs, tmpfs)",
				 page << PAGE_LG2, gib);
	return error_errno(errno, "the pagemap file cannot be written");
}

struct error *pagemap_file_finish(struct pagemap_file *file)
{
	const char *bytes = (const char *)file->entries;
	const size_t size = file->count << ENTRY_LG2;
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(file->fd, bytes + done, size - done,
				   (off_t)((file->first << ENTRY_LG2) + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cannot_write(file->first);
		done += (size_t)n;
	}
	file->count = 0;
	return NULL;
}

struct error *pagemap_file_add(struct pagemap_file *file, uint64_t iova, uint64_t length,
			       uint64_t phys, uint64_t flags)
{
	struct error *err = NULL;

	for (uint64_t at = 0; at < length && !err; at += 1ULL << PAGE_LG2) {
		const uint64_t page = (iova + at) >> PAGE_LG2;

		if (file->count == PAGEMAP_FILE_ENTRIES || page != file->first + file->count)
			err = pagemap_file_finish(file);
		if (file->count == 0)
			file->first = page;
		file->entries[file->count++] =
			flags & PAGEMAP_PRESENT ? flags | ((phys + at) >> PAGE_LG2 & FRAME_MASK)
						: flags;
	}
	return err;
}

void pagemap_file_deinit(struct pagemap_file *file)
{
	free(file->entries);
}
