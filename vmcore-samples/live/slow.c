// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Preloaded: one in SLOW reads of /proc/kcore waits up to a millisecond first, so that what is read
 * one after the other is of different times.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

ssize_t pread64(int fd, void *data, size_t len, off64_t offset);

static ssize_t slowly(int fd, void *data, size_t len, off64_t offset)
{
	static ssize_t (*real)(int, void *, size_t, off64_t);
	static unsigned int one_in;
	static unsigned int state = 12345;

	if (!real) {
		const char *text = getenv("SLOW");

		*(void **)&real = dlsym(RTLD_NEXT, "pread64");
		one_in = text ? (unsigned int)atoi(text) : 0;
		state ^= (unsigned int)getpid() * 2654435761U;
	}
	state = state * 1664525 + 1013904223;
	if (one_in && (state >> 8) % one_in == 0)
		usleep((state >> 4) % 1000);
	return real(fd, data, len, offset);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t offset)
{
	return slowly(fd, data, len, offset);
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
	return slowly(fd, data, len, offset);
}
