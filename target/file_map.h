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
 * file_map_size() - how many bytes of it are there now, and no more than were mapped. Asked before
 * each batch, so that what has been cut off since is damaged, not lost.
 */
uint64_t file_map_size(const struct file_map *map);

/* file_map_lost() - had something that was read of any mapped file to be taken as zeros? */
bool file_map_lost(void);

/* file_map_has() - lie @len bytes at @offset within @size bytes? */
static inline bool file_map_has(uint64_t size, uint64_t offset, uint64_t len)
{
	return offset <= size && len <= size - offset;
}

#endif
