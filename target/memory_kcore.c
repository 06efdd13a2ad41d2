// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Memory of the running kernel: /proc/kcore (fs/proc/kcore.c).
 *
 * It is an ELF core of kernel virtual addresses. Segments of the direct map and of the kernel's
 * image have their physical address in p_paddr (since 4.12); vmalloc space and the array of struct
 * page have p_paddr -1 and are no physical memory by themselves. Nothing is mapped: each block is
 * one pread().
 *
 * Where the kernel will not show a page (poisoned, taken out by a balloon, removed) kcore reads as
 * zeros, which must not be taken for an empty table: /proc/kpageflags tells
 * (Documentation/admin-guide/mm/pagemap.rst). A page that is merely not in the direct map
 * (secretmem, CONFIG_DEBUG_PAGEALLOC) reads as zeros, too, and nothing tells; tables are not among
 * these.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/kernel-page-flags.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "target/backends.h"
#include "target/error.h"
#include "target/notes.h"

static const char LOCKDOWN[] = "/sys/kernel/security/lockdown";
static const char PAGE_FLAGS[] = "/proc/kpageflags";

/* Physical memory [start, end) is at @offset of the file. */
struct segment {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
};

struct memory_kcore {
	struct memory memory;
	struct segment *segments; /* ascending, none overlaps */
	size_t segment_count;
	uint16_t header_count; /* e_phnum, on which all offsets in the file depend */
	int fd;
	int flags_fd;	    /* /proc/kpageflags; -1: not there */
	uint64_t page_size; /* the kernel's */
};

static struct memory_kcore *to_kcore(struct memory *memory)
{
	return (struct memory_kcore *)memory;
}

/* All @len bytes or nothing. */
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

static int by_start(const void *left, const void *right)
{
	const struct segment *a = left;
	const struct segment *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->end < b->end) - (a->end > b->end);
}

/* The kernel's image is in the direct map, too: what is there twice is wanted once. */
static size_t drop_overlaps(struct segment *segments, size_t count)
{
	size_t kept = 0;
	uint64_t end = 0;

	qsort(segments, count, sizeof(*segments), by_start);
	for (size_t i = 0; i < count; i++) {
		struct segment segment = segments[i];

		if (segment.end <= end)
			continue;
		if (segment.start < end) {
			segment.offset += end - segment.start;
			segment.start = end;
		}
		end = segment.end;
		segments[kept++] = segment;
	}
	return kept;
}

static bool is_physical(const Elf64_Phdr *header)
{
	return header->p_type == PT_LOAD && header->p_paddr != UINT64_MAX && header->p_memsz &&
	       header->p_paddr + header->p_memsz > header->p_paddr;
}

static bool read_header(const struct memory_kcore *self, Elf64_Ehdr *header)
{
	return read_all(self->fd, header, sizeof(*header), 0) &&
	       memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_type == ET_CORE &&
	       header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum;
}

/* The segments as they are now: memory that is plugged in or out changes them. */
static struct error *load_segments(struct memory_kcore *self)
{
	Elf64_Ehdr header;

	if (!read_header(self, &header))
		return error_new("%s: is not what a 64-bit kernel gives; give a vmcore with -c",
				 self->memory.path);
	const size_t size = header.e_phnum * sizeof(Elf64_Phdr);
	Elf64_Phdr *headers = malloc(size);
	struct segment *segments = malloc(header.e_phnum * sizeof(*segments));
	size_t count = 0;
	if (!headers || !segments || !read_all(self->fd, headers, size, header.e_phoff)) {
		free(headers);
		free(segments);
		return error_new("%s: its program headers cannot be read", self->memory.path);
	}
	for (size_t i = 0; i < header.e_phnum; i++) {
		if (!is_physical(&headers[i]))
			continue;
		segments[count++] = (struct segment){
			.start = headers[i].p_paddr,
			.end = headers[i].p_paddr + headers[i].p_memsz,
			.offset = headers[i].p_offset,
		};
	}
	free(headers);
	free(self->segments);
	self->segments = segments;
	self->segment_count = drop_overlaps(segments, count);
	self->header_count = header.e_phnum;
	self->memory.arch = header.e_machine == EM_X86_64    ? ARCH_X86_64
			    : header.e_machine == EM_AARCH64 ? ARCH_AARCH64
							     : ARCH_UNKNOWN;
	return NULL;
}

/* The segment that holds @phys, or the first one behind it; NULL when there is none. */
static const struct segment *find_segment(const struct memory_kcore *self, uint64_t phys)
{
	size_t low = 0;
	size_t high = self->segment_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (self->segments[middle].end > phys)
			high = middle;
		else
			low = middle + 1;
	}
	return low < self->segment_count ? &self->segments[low] : NULL;
}

static bool all_zeros(const char *data, size_t len)
{
	return len && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Is the page at @phys one that the kernel shows as zeros whatever it holds? */
static bool is_withheld(const struct memory_kcore *self, uint64_t phys)
{
	const uint64_t withheld = 1ULL << KPF_HWPOISON | 1ULL << KPF_NOPAGE | 1ULL << KPF_OFFLINE;
	uint64_t flags = 0;

	return self->flags_fd >= 0 &&
	       read_all(self->flags_fd, &flags, sizeof(flags),
			phys / self->page_size * sizeof(flags)) &&
	       flags & withheld;
}

/* Within one segment. */
static enum block_status read_piece(const struct memory_kcore *self, const struct segment *segment,
				    uint64_t phys, char *data, size_t len)
{
	if (!read_all(self->fd, data, len, segment->offset + (phys - segment->start)))
		return BLOCK_DAMAGED;
	while (len) {
		size_t piece = (size_t)(self->page_size - phys % self->page_size);

		if (piece > len)
			piece = len;
		if (all_zeros(data, piece) && is_withheld(self, phys))
			return BLOCK_MISSING;
		phys += piece;
		data += piece;
		len -= piece;
	}
	return BLOCK_OK;
}

static enum block_status read_block(const struct memory_kcore *self, uint64_t phys, char *data,
				    size_t len)
{
	enum block_status status = BLOCK_OK;

	while (len && status == BLOCK_OK) {
		const struct segment *segment = find_segment(self, phys);

		if (!segment || phys < segment->start)
			return BLOCK_OUTSIDE;
		size_t piece = len;
		if (piece > segment->end - phys)
			piece = (size_t)(segment->end - phys);
		status = read_piece(self, segment, phys, data, piece);
		phys += piece;
		data += piece;
		len -= piece;
	}
	return status;
}

/*
 * Did the file's layout stay the same? Where the segments begin in it depends on their number
 * (fs/proc/kcore.c: get_kcore_size()), which changes when memory is plugged in or out. True also
 * when it cannot be had anew.
 */
static bool layout_held(struct memory_kcore *self)
{
	Elf64_Ehdr header;

	if (!read_header(self, &header) || header.e_phnum == self->header_count)
		return true;
	struct error *err = load_segments(self);
	const bool failed = err != NULL;
	error_free(err);
	return failed;
}

static void kcore_read(struct memory *memory, struct block_request *requests, size_t count)
{
	enum { TRIES = 4 };
	struct memory_kcore *self = to_kcore(memory);

	for (int tries = 0; tries < TRIES; tries++) {
		for (size_t i = 0; i < count; i++)
			requests[i].status = read_block(self, requests[i].phys, requests[i].data,
							requests[i].len);
		if (layout_held(self))
			return;
	}
	for (size_t i = 0; i < count; i++)
		requests[i].status = BLOCK_CHANGED;
}

static enum block_status kcore_probe(struct memory *memory, uint64_t phys)
{
	const struct memory_kcore *self = to_kcore(memory);
	const struct segment *segment = find_segment(self, phys);

	if (!segment || phys < segment->start)
		return BLOCK_OUTSIDE;
	return is_withheld(self, phys) ? BLOCK_MISSING : BLOCK_OK;
}

static bool kcore_next_ram(struct memory *memory, uint64_t from, uint64_t *start, uint64_t *end)
{
	const struct segment *segment = find_segment(to_kcore(memory), from);

	if (!segment)
		return false;
	*start = segment->start;
	*end = segment->end;
	/* Neighbours in memory need not be neighbours in the file. */
	for (const struct segment *last =
		     to_kcore(memory)->segments + to_kcore(memory)->segment_count - 1;
	     segment < last && segment[1].start == *end; segment++)
		*end = segment[1].end;
	return true;
}

static void kcore_destroy(struct memory *memory)
{
	struct memory_kcore *self = to_kcore(memory);

	free(self->segments);
	if (self->flags_fd >= 0)
		close(self->flags_fd);
	close(self->fd);
	free(self);
}

static const struct memory_ops kcore_ops = {
	.name = "kcore",
	.read = kcore_read,
	.probe = kcore_probe,
	.next_ram = kcore_next_ram,
	.destroy = kcore_destroy,
};

bool memory_kcore_is(int fd)
{
	struct statfs system;
	char link[64];
	char path[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	const ssize_t len = readlink(link, path, sizeof(path) - 1);
	if (len <= 0 || fstatfs(fd, &system) || system.f_type != PROC_SUPER_MAGIC)
		return false;
	path[len] = '\0';
	/* Not /proc/vmcore, which is a dump. */
	const char *name = strrchr(path, '/');
	return name && strcmp(name, "/kcore") == 0;
}

struct error *memory_kcore_open(const char *path, int fd, struct memory **ret)
{
	struct memory_kcore *self = calloc(1, sizeof(*self));

	if (!self) {
		close(fd);
		return error_no_memory();
	}
	self->memory.ops = &kcore_ops;
	self->memory.live = true;
	self->fd = fd;
	self->flags_fd = open(PAGE_FLAGS, O_RDONLY | O_CLOEXEC);
	self->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	self->memory.path = strdup(path);
	self->memory.format = strdup("live kernel");
	struct error *err = self->memory.path && self->memory.format ? NULL : error_no_memory();
	if (!err)
		err = load_segments(self);
	if (!err)
		err = notes_load(&self->memory, fd);
	if (err) {
		memory_close(&self->memory);
		return err;
	}
	/* That the file is shorter than its segments means nothing here. */
	free(self->memory.defect);
	self->memory.defect = NULL;
	*ret = &self->memory;
	return NULL;
}

/* Which of "none [integrity] confidentiality" is in force; false when it cannot be known. */
static bool is_confidential(void)
{
	char text[128] = "";
	FILE *file = fopen(LOCKDOWN, "re");
	const bool read = file && fgets(text, sizeof(text), file);

	if (file)
		fclose(file);
	return read && strstr(text, "[confidentiality]");
}

struct error *memory_kcore_refused(const char *path, int number)
{
	const char *instead = "or give a vmcore with -c";

	if (number == ENOENT || number == ENXIO || number == ENODEV)
		return error_new("%s: there is none: /proc is not mounted, or the kernel was "
				 "built without CONFIG_PROC_KCORE; give a vmcore with -c",
				 path);
	if (number != EACCES && number != EPERM)
		return error_errno(number, "%s: cannot be opened; give a vmcore with -c", path);
	if (is_confidential())
		return error_new("%s: the kernel is locked down for confidentiality, so that "
				 "nobody may read its memory; boot with lockdown=integrity or "
				 "without lockdown=, %s",
				 path, instead);
	if (geteuid() != 0)
		return error_new("%s: only root may read the live kernel; run this as root, %s",
				 path, instead);
	return error_new("%s: this root may not read it: it lacks CAP_SYS_RAWIO (a container?), or "
			 "the kernel is locked down (%s tells); run this on the host itself, %s",
			 path, LOCKDOWN, instead);
}

struct error *memory_open_live(struct memory **ret)
{
	static const char path[] = "/proc/kcore";
	struct stat status;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return memory_kcore_refused(path, errno);
	/* A container's runtime puts /dev/null or an empty file over it. */
	if (fstat(fd, &status) || !memory_kcore_is(fd)) {
		close(fd);
		return error_new("%s: is hidden here (a container?); run this on the host itself, "
				 "or give a vmcore with -c",
				 path);
	}
	return memory_kcore_open(path, fd, ret);
}
