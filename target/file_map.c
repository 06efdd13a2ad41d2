// SPDX-License-Identifier: GPL-3.0-or-later
#include "target/file_map.h"

#include <sys/mman.h>
#include <sys/stat.h>

bool file_map_init(struct file_map *map, int fd)
{
	struct stat status;

	*map = (struct file_map){ .fd = fd };
	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_size <= 0 ||
	    (uint64_t)status.st_size > SIZE_MAX)
		return false;
	void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	map->bytes = bytes;
	map->size = (uint64_t)status.st_size;
	return true;
}

void file_map_deinit(struct file_map *map)
{
	if (map->bytes)
		munmap((void *)map->bytes, (size_t)map->size);
	map->bytes = NULL;
}

uint64_t file_map_size(const struct file_map *map)
{
	struct stat status;

	if (fstat(map->fd, &status) || status.st_size < 0)
		return 0;
	return (uint64_t)status.st_size < map->size ? (uint64_t)status.st_size : map->size;
}
