/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file that is mapped as a whole, to be read only. */
#ifndef IOMMUPT_FILE_MAP_H
#define IOMMUPT_FILE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_map {
	const unsigned char *bytes;
	uint64_t size; /* when it was mapped */
	int fd;	       /* not owned */
};

/* file_map_init() - map all of @fd; false where that cannot be. */
bool file_map_init(struct file_map *map, int fd);
void file_map_deinit(struct file_map *map);

/*
 * file_map_size() - how many bytes of it are there now. To touch what has been cut off since is
 * SIGBUS, so this is asked before each batch.
 */
uint64_t file_map_size(const struct file_map *map);

/* file_map_has() - lie @len bytes at @offset within @size bytes? */
static inline bool file_map_has(uint64_t size, uint64_t offset, uint64_t len)
{
	return offset <= size && len <= size - offset;
}

#endif
