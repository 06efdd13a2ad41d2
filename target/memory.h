/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Physical memory of the machine under study.
 *
 * Everything above asks for blocks, many at a time, so that a backend can
 * sort, fetch, decompress and prefetch as it likes. A block that cannot be had
 * says why; it never reads as zeros.
 */
#ifndef IOMMUPT_MEMORY_H
#define IOMMUPT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct memory;

enum block_status {
	BLOCK_OK,
	BLOCK_MISSING, /* memory, but not in the dump: filtered out */
	BLOCK_OUTSIDE, /* not memory as far as the dump says: MMIO, or nothing */
	BLOCK_DAMAGED, /* in the dump, but it cannot be read or decompressed, or it is cut off */
	BLOCK_CHANGED, /* of a live kernel: it did not hold still long enough to be read */
};

/* A block of physical memory to read; `status` and the bytes are the answer. */
struct block_request {
	uint64_t phys; /* any alignment */
	void *data;    /* room for @len bytes, the caller's */
	uint32_t len;
	enum block_status status;
	bool peek; /* a recorder keeps only what memory_ops.keep names of it, not all of its page */
	/* Of memory_fetch(), when BLOCK_OK: where the bytes are; read-only, see there. */
	const void *bytes;
};

/* No physical address is wider than 52 bits (Intel, AMD and Arm manuals). */
#define MEMORY_END (1ULL << 52)

/* What memory_fetch() takes at most in one block: the largest page of any dump. */
enum { MEMORY_BLOCK_MAX = 1 << 16 };

/* One ELF-style note of the dump (CPU registers); borrowed from the memory. */
struct memory_note {
	const char *name;
	uint32_t type;
	const uint8_t *desc;
	size_t len;
};

struct memory_ops {
	const char *name; /* "kdumpfile", "raw", "crash" */
	/* Read @count blocks. Never fails as a whole: each request has its own status. */
	void (*read)(struct memory *memory, struct block_request *requests, size_t count);
	/*
	 * As memory_prefetch(): what it leaves to read() is BLOCK_OK with `bytes` NULL. NULL: it
	 * leaves all.
	 */
	void (*fetch)(struct memory *memory, struct block_request *requests, size_t count);
	/*
	 * Whether each of the @count pages of @len bytes, anywhere in which its @phys lies, is
	 * known to be all zeros without being read: the file stores that page once. False says
	 * nothing. Any thread may call it when the memory is `concurrent`. May be NULL.
	 */
	bool (*are_zeros)(struct memory *memory, const uint64_t *phys, size_t count, uint32_t len);
	/* BLOCK_OK or BLOCK_MISSING when @phys is memory, else BLOCK_OUTSIDE. */
	enum block_status (*probe)(struct memory *memory, uint64_t phys);
	/*
	 * The first extent of memory that ends behind @from: [*start, *end). False when there is
	 * none, or when the file does not say what is memory.
	 */
	bool (*next_ram)(struct memory *memory, uint64_t from, uint64_t *start,
			 uint64_t *end); /* may be NULL: not known */
	/* Of a block that was read by a peek, these bytes were used. NULL: nobody wants to know. */
	void (*keep)(struct memory *memory, uint64_t phys, uint32_t len);
	void (*destroy)(struct memory *memory);
};

enum memory_arch { ARCH_UNKNOWN, ARCH_X86_64, ARCH_AARCH64 };

/* Embedded first in each backend's own structure. */
struct memory {
	const struct memory_ops *ops;
	char *path;	       /* file name for messages; owned */
	char *format;	       /* what the file is, for people ("ELF dump", ...); owned */
	enum memory_arch arch; /* ARCH_UNKNOWN for a raw image */
	char *defect;	       /* what is wrong with the file as a whole (cut off); NULL: nothing */
	char *vmcoreinfo;      /* text of the VMCOREINFO note, NUL-terminated; NULL when none */
	struct memory_note *notes;
	size_t note_count;
	bool borrowed;	 /* the strings and notes belong to another memory */
	bool concurrent; /* memory_prefetch() may be called by several threads at once */
	bool live;	 /* of a running kernel: what was read may be something else by now */
	uint64_t reread; /* live: how often something had changed and was read again */
};

enum memory_flags {
	/* A file of no known format is an image of physical memory from address 0. */
	MEMORY_RAW_ALLOWED = 1 << 0,
	/* Nothing is mapped or read by our own readers: what they say can be held against it. */
	MEMORY_BY_LIBRARY = 1 << 1,
};

/* memory_open() - open @path with the first backend that knows it; @flags: enum memory_flags. */
struct error *memory_open(const char *path, unsigned int flags, struct memory **ret);
/* memory_open_live() - the running kernel's, /proc/kcore. */
struct error *memory_open_live(struct memory **ret);
void memory_close(struct memory *memory);

/* memory_read() - one block; BLOCK_OK or the reason why not. */
enum block_status memory_read(struct memory *memory, uint64_t phys, void *data, uint32_t len);

/*
 * memory_fetch() - read @count blocks, and leave the bytes where they are if they can stay there:
 * each request's `bytes` points to them, into the caller's `data` or into memory of the backend
 * that lives as long as @memory, at a multiple of 8 in either case if `data` is. A block known to
 * be all zeros, because the file says so without its being read, has bytes == memory_zeros().
 */
void memory_fetch(struct memory *memory, struct block_request *requests, size_t count);

/*
 * memory_prefetch(), memory_finish() - the same in two steps. Several threads may do the first one
 * if `concurrent` is set; the second one, of the same requests, is for who opened the memory.
 * memory_is_left(): between the two, has this one not been read yet?
 */
void memory_prefetch(struct memory *memory, struct block_request *requests, size_t count);
void memory_finish(struct memory *memory, struct block_request *requests, size_t count);
static inline bool memory_is_left(const struct block_request *request)
{
	return request->status == BLOCK_OK && !request->bytes;
}

/* memory_zeros() - MEMORY_BLOCK_MAX bytes of zeros, the same at every call. */
const void *memory_zeros(void);

/*
 * memory_lost() - was something of a dump, that memory_fetch() had left where it is, cut off or
 * unreadable when it was looked at? Then it was zeros, and what was made of it is not to be
 * trusted.
 */
bool memory_lost(void);

/* memory_next_ram() - see struct memory_ops. */
bool memory_next_ram(struct memory *memory, uint64_t from, uint64_t *start, uint64_t *end);

/* block_status_text() - "not in the dump", ...: for messages. */
const char *block_status_text(enum block_status status);

/*
 * vmcoreinfo_get() - the value behind "KEY=" in the VMCOREINFO text @info, up to the end of
 * its line; false when there is no such line. vmcoreinfo_number() parses a decimal or hex one.
 */
bool vmcoreinfo_get(const char *info, const char *key, char *value, size_t size);
bool vmcoreinfo_hex(const char *info, const char *key, uint64_t *ret);
bool vmcoreinfo_number(const char *info, const char *key, int64_t *ret);

#endif
