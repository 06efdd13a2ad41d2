// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What is cut off a mapped file, or cannot be read from its disk, is SIGBUS to who touches it. That
 * must end neither the command nor crash with it: the page is replaced by zeros, and the loss is
 * remembered, so that the end of the command can say that it is not to be trusted.
 */
#include "target/file_map.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a handful of files only; the handler looks through them. */
enum { MAPS_MAX = 8 };

static struct {
	_Atomic uintptr_t start; /* 0: unused */
	_Atomic uintptr_t end;
} maps[MAPS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of: */
static unsigned int map_count;
static struct sigaction usual;

static atomic_bool lost;
static uintptr_t page_size;

static bool is_mapped(uintptr_t address)
{
	for (size_t i = 0; i < MAPS_MAX; i++) {
		const uintptr_t start = atomic_load(&maps[i].start);

		if (start && address >= start && address < atomic_load(&maps[i].end))
			return true;
	}
	return false;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	const uintptr_t address = (uintptr_t)info->si_addr;

	(void)context;
	if (info->si_code > 0 && is_mapped(address)) {
		void *page = (void *)(address & ~(page_size - 1));

		if (mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == page) {
			atomic_store(&lost, true);
			return;
		}
	}
	/* Somebody else's: it comes again, and then is theirs. */
	sigaction(number, &usual, NULL);
}

static bool add_map(const struct file_map *map)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };
	bool added = false;

	pthread_mutex_lock(&lock);
	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < MAPS_MAX && !added; i++) {
		if (atomic_load(&maps[i].start))
			continue;
		atomic_store(&maps[i].end, (uintptr_t)map->bytes + map->size);
		atomic_store(&maps[i].start, (uintptr_t)map->bytes);
		added = true;
	}
	if (added && map_count++ == 0)
		sigaction(SIGBUS, &action, &usual);
	pthread_mutex_unlock(&lock);
	return added;
}

/* With the last one the handler goes: its code may be unloaded, inside crash. */
static void remove_map(const struct file_map *map)
{
	struct sigaction now;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAPS_MAX; i++) {
		if (atomic_load(&maps[i].start) == (uintptr_t)map->bytes)
			atomic_store(&maps[i].start, 0);
	}
	if (--map_count == 0 && sigaction(SIGBUS, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
	    now.sa_sigaction == on_bus_error)
		sigaction(SIGBUS, &usual, NULL);
	pthread_mutex_unlock(&lock);
}

bool file_map_init(struct file_map *map, int fd)
{
	struct stat status;

	*map = (struct file_map){ .fd = fd };
	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_size <= 0)
		return false;
	const size_t size = (size_t)status.st_size;
	void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	map->bytes = bytes;
	map->size = size;
	map->touched = calloc((size >> FILE_MAP_WINDOW_LG2) + 1, sizeof(*map->touched));
	if (map->touched && add_map(map))
		return true;
	free(map->touched);
	munmap(bytes, size);
	map->bytes = NULL;
	return false;
}

void file_map_deinit(struct file_map *map)
{
	if (!map->bytes)
		return;
	remove_map(map);
	munmap((void *)map->bytes, (size_t)map->size);
	free(map->touched);
	map->bytes = NULL;
}

/* Where the host's kernel does not know how, pages come one by one. */
void file_map_populate(const struct file_map *map, uint64_t offset)
{
	const uint64_t start = offset >> FILE_MAP_WINDOW_LG2 << FILE_MAP_WINDOW_LG2;
	uint64_t len = 1ULL << FILE_MAP_WINDOW_LG2;

	if (len > map->size - start)
		len = map->size - start;
	madvise((void *)(map->bytes + start), len, MADV_POPULATE_READ);
}

uint64_t file_map_size(const struct file_map *map)
{
	struct stat status;

	if (fstat(map->fd, &status) || status.st_size < 0)
		return 0;
	return (uint64_t)status.st_size < map->size ? (uint64_t)status.st_size : map->size;
}

bool file_map_lost(void)
{
	return atomic_load_explicit(&lost, memory_order_relaxed);
}
