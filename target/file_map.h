/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file that is mapped as a whole, to be read only. */
#ifndef IOMMUPT_FILE_MAP_H
#define IOMMUPT_FILE_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_map {
	const unsigned char *bytes;
	uint64_t size;		  /* when it was mapped */
	int fd;			  /* not owned */
	_Atomic uint8_t *touched; /* of each window, up to FILE_MAP_DENSE */
};

/*
 * A window of the file that is used this often is mapped in one go: its pages come at a small part
 * of what an exception for every few of them costs. One that is used less may be on a slow disk.
 */
enum { FILE_MAP_WINDOW_LG2 = 21, FILE_MAP_DENSE = 16 };

/* file_map_init() - map all of @fd; false where that cannot be. */
bool file_map_init(struct file_map *map, int fd);
void file_map_deinit(struct file_map *map);

/*
 * file_map_size() - how many bytes of it are there now, and no more than were mapped. Asked before
 * each batch, so that what has been cut off since is damaged, not lost.
 */
uint64_t file_map_size(const struct file_map *map);

void file_map_populate(const struct file_map *map, uint64_t offset);

/* file_map_touch() - the byte at @offset, which the file has, is about to be used. Any thread. */
static inline void file_map_touch(const struct file_map *map, uint64_t offset)
{
	_Atomic uint8_t *const touched = &map->touched[offset >> FILE_MAP_WINDOW_LG2];
	const uint8_t before = atomic_load_explicit(touched, memory_order_relaxed);

	if (before == FILE_MAP_DENSE)
		return;
	atomic_store_explicit(touched, (uint8_t)(before + 1), memory_order_relaxed);
	if (before + 1 == FILE_MAP_DENSE)
		file_map_populate(map, offset);
}

/* file_map_lost() - had something that was read of any mapped file to be taken as zeros? */
bool file_map_lost(void);

/* file_map_has() - lie @len bytes at @offset within @size bytes? */
static inline bool file_map_has(uint64_t size, uint64_t offset, uint64_t len)
{
	return offset <= size && len <= size - offset;
}

#endif
