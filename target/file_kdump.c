// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * kdump-compressed files of makedumpfile and QEMU (makedumpfile's IMPLEMENTATION and
 * diskdump_mod.h): a header, a sub header, two bitmaps of page frames (what is memory; what is in
 * the file), a descriptor for each frame of the second one in ascending order, the pages.
 *
 * The number of a frame's descriptor is the number of bits before its own. Pages that the file
 * stores once have equal descriptors: the one of zeros is known by that once it was met.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "target/codec.h"
#include "target/file_map.h"
#include "target/file_reader.h"

/* Little-endian, as in the file; the reader is for hosts of the same order only. */
struct dump_header {
	char signature[8];
	int32_t header_version;
	char utsname[6][65];
	char pad[6];
	int64_t timestamp[2];
	uint32_t status;
	uint32_t block_size;
	uint32_t sub_hdr_size;
	uint32_t bitmap_blocks;
	uint32_t max_mapnr;
} __attribute__((packed));

struct dump_sub_header {
	uint64_t phys_base;
	int32_t dump_level;
	int32_t split; /* since version 2 */
	uint64_t start_pfn;
	uint64_t end_pfn;
	uint64_t vmcoreinfo[2];
	uint64_t note[2];
	uint64_t eraseinfo[2];
	uint64_t start_pfn_64;
	uint64_t end_pfn_64;
	uint64_t max_mapnr_64; /* since version 6 */
} __attribute__((packed));

struct page_desc {
	uint64_t offset;
	uint32_t size;
	uint32_t flags; /* enum codec, and more that is not known here */
	uint64_t page_flags;
};

enum {
	RANK_WORDS = 8, /* 64-bit words of the bitmap that one struct rank is for */
	RANK_BITS = 64 * RANK_WORDS,
	PART_BITS = 9, /* of a count up to RANK_BITS */
	/* How many requests are looked up side by side: their cache misses overlap. */
	ABREAST = 32,
	/* Packed pages that are sorted by their place in the file. */
	PACKED_MAX = 4096,
	CACHE_BYTES = 1 << 21, /* of single pages, for those who read a structure at a time */
};

/* How many bits are set before these words, and before each but the first of them. */
struct rank {
	uint64_t before;
	uint64_t parts; /* PART_BITS each, counted from the first of the words */
};

/* A page that is still to be unpacked, into all of @request. */
struct packed {
	uint64_t offset;
	const struct page_desc *desc;
	struct block_request *request;
};

/* What one thread works with; kept for the next one. */
struct scratch {
	struct scratch *next;
	struct unpacker *unpacker;
	struct packed *packed;
	size_t packed_count;
	uint64_t *cached; /* frame in each slot, plus 1; 0: none */
	unsigned char *cache;
	uint64_t size; /* of the file, as of now */
};

struct kdump {
	struct file_reader reader;
	struct file_map map;
	unsigned int block_lg2;
	uint32_t block;
	uint64_t max_pfn;
	uint64_t bits; /* in each bitmap */
	const uint64_t *in_memory;
	const uint64_t *in_file;
	struct rank *ranks;
	uint64_t descs_at;
	_Atomic(const struct page_desc *) zero;	     /* of the page of zeros; NULL: none met yet */
	_Atomic(const struct page_desc *) last_zero; /* of the last one that had to be looked at */
	_Atomic uint64_t size;			     /* of the file, when it was last asked */
	pthread_mutex_t lock;			     /* of: */
	struct scratch *scratches;
};

static void scratch_destroy(struct scratch *scratch)
{
	unpacker_destroy(scratch->unpacker);
	free(scratch->packed);
	free(scratch->cached);
	free(scratch->cache);
	free(scratch);
}

static struct scratch *scratch_create(unsigned int block_lg2)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return NULL;
	scratch->unpacker = unpacker_create();
	scratch->packed = malloc(PACKED_MAX * sizeof(*scratch->packed));
	scratch->cached = calloc(CACHE_BYTES >> block_lg2, sizeof(*scratch->cached));
	scratch->cache = malloc(CACHE_BYTES);
	if (scratch->unpacker && scratch->packed && scratch->cached && scratch->cache)
		return scratch;
	scratch_destroy(scratch);
	return NULL;
}

static struct scratch *scratch_take(struct kdump *self)
{
	pthread_mutex_lock(&self->lock);
	struct scratch *scratch = self->scratches;
	if (scratch)
		self->scratches = scratch->next;
	pthread_mutex_unlock(&self->lock);
	return scratch ? scratch : scratch_create(self->block_lg2);
}

static void scratch_put_back(struct kdump *self, struct scratch *scratch)
{
	pthread_mutex_lock(&self->lock);
	scratch->next = self->scratches;
	self->scratches = scratch;
	pthread_mutex_unlock(&self->lock);
}

static bool is_set(const uint64_t *bitmap, uint64_t bit)
{
	return bitmap[bit / 64] >> bit % 64 & 1;
}

/* Why a frame is not in the file, as libkdumpfile's bitmaps say. */
static enum block_status absence(const struct kdump *self, uint64_t pfn)
{
	if (pfn >= self->bits)
		return BLOCK_OUTSIDE;
	return is_set(self->in_file, pfn) || is_set(self->in_memory, pfn) ? BLOCK_MISSING
									  : BLOCK_OUTSIDE;
}

/* The bitmap's words and their ranks will be needed soon. */
static void prefetch_rank(const struct kdump *self, uint64_t pfn)
{
	if (pfn >= self->bits)
		return;
	__builtin_prefetch(&self->in_file[pfn / 64]);
	__builtin_prefetch(&self->ranks[pfn / RANK_BITS]);
}

/* Where the frame's descriptor is in the file; 0: it has none. */
static uint64_t desc_offset(const struct kdump *self, uint64_t pfn)
{
	if (pfn >= self->bits || pfn >= self->max_pfn)
		return 0;
	const uint64_t word = self->in_file[pfn / 64];
	const uint64_t bit = 1ULL << pfn % 64;
	if (!(word & bit))
		return 0;
	const struct rank *rank = &self->ranks[pfn / RANK_BITS];
	/* Of the first word this takes bit 63, which is never set. */
	const unsigned int shift = PART_BITS * ((unsigned int)(pfn / 64 - 1) % RANK_WORDS);
	const uint64_t part = rank->parts >> shift & ((1U << PART_BITS) - 1);
	const uint64_t number =
		rank->before + part + (uint64_t)__builtin_popcountll(word & (bit - 1));
	return self->descs_at + number * sizeof(struct page_desc);
}

static bool is_same(const struct page_desc *one, const struct page_desc *other)
{
	return one->offset == other->offset && one->size == other->size &&
	       one->flags == other->flags;
}

enum page_kind { PAGE_ZERO, PAGE_PLAIN, PAGE_PACKED, PAGE_DAMAGED, PAGE_STRANGE };

static enum page_kind classify(const struct kdump *self, uint64_t size,
			       const struct page_desc *desc, const struct page_desc *zero)
{
	if (zero && is_same(desc, zero))
		return PAGE_ZERO;
	/* libkdumpfile 0.5.1 writes beyond its buffer for more than MEMORY_BLOCK_MAX. */
	if (!file_map_has(size, desc->offset, desc->size) || desc->size > MEMORY_BLOCK_MAX)
		return PAGE_DAMAGED;
	if (desc->flags == CODEC_NONE)
		return desc->size == self->block ? PAGE_PLAIN : PAGE_DAMAGED;
	if (codec_known(desc->flags))
		return PAGE_PACKED;
	return desc->size <= self->block ? PAGE_STRANGE : PAGE_DAMAGED;
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
	uint64_t first = 0;

	memcpy(&first, bytes, sizeof(first));
	return first == 0 && memcmp(bytes, bytes + sizeof(first), len - sizeof(first)) == 0;
}

static bool unpack_page(const struct kdump *self, struct scratch *scratch,
			const struct page_desc *desc, void *data)
{
	return unpack(scratch->unpacker, desc->flags, self->map.bytes + desc->offset, desc->size,
		      data, self->block);
}

static int compare(const void *a, const void *b)
{
	const struct packed *one = a;
	const struct packed *other = b;

	return one->offset < other->offset ? -1 : one->offset > other->offset;
}

static void sort(struct packed *packed, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (packed[i].offset < packed[i - 1].offset) {
			qsort(packed, count, sizeof(*packed), compare);
			return;
		}
	}
}

/* The page that many share is met again and again; others are not, where each has its own. */
static void note_zero(struct kdump *self, const struct page_desc *desc)
{
	const struct page_desc *last = atomic_load_explicit(&self->last_zero, memory_order_relaxed);

	if (!last || is_same(desc, last))
		atomic_store_explicit(&self->zero, desc, memory_order_relaxed);
	atomic_store_explicit(&self->last_zero, desc, memory_order_relaxed);
}

static void unpack_one(struct kdump *self, struct scratch *scratch, const struct packed *packed)
{
	struct block_request *request = packed->request;

	file_map_touch(&self->map, packed->offset);
	if (!unpack_page(self, scratch, packed->desc, request->data)) {
		request->status = BLOCK_DAMAGED;
		return;
	}
	request->bytes = request->data;
	if (is_zero(request->bytes, self->block)) {
		request->bytes = memory_zeros();
		note_zero(self, packed->desc);
	}
}

/* The same page as @last, which was just unpacked. */
static void repeat(struct kdump *self, const struct packed *last, const struct packed *packed)
{
	const struct block_request *from = last->request;
	struct block_request *request = packed->request;

	request->status = from->status;
	if (request->status != BLOCK_OK)
		return;
	request->bytes = from->bytes;
	if (from->bytes == memory_zeros())
		note_zero(self, packed->desc);
	else
		request->bytes = memcpy(request->data, from->bytes, self->block);
}

/* Unpack what was put off, in the order of the file; a page met twice once. */
static void unpack_all(struct kdump *self, struct scratch *scratch)
{
	sort(scratch->packed, scratch->packed_count);
	for (size_t i = 0; i < scratch->packed_count; i++) {
		const struct packed *packed = &scratch->packed[i];

		if (i > 0 && is_same(packed->desc, packed[-1].desc))
			repeat(self, packed - 1, packed);
		else
			unpack_one(self, scratch, packed);
	}
	scratch->packed_count = 0;
}

/* A descriptor that is in the file; NULL: cut off. */
static const struct page_desc *get_desc(const struct kdump *self, uint64_t size, uint64_t offset)
{
	if (!file_map_has(size, offset, sizeof(struct page_desc)))
		return NULL;
	file_map_touch(&self->map, offset);
	return (const struct page_desc *)(self->map.bytes + offset);
}

/* makedumpfile and QEMU store the page of zeros like this, whatever the codec of the others. */
static void answer_plain(struct kdump *self, const struct page_desc *desc,
			 struct block_request *request)
{
	file_map_touch(&self->map, desc->offset);
	request->bytes = self->map.bytes + desc->offset;
	if (is_zero(request->bytes, self->block)) {
		request->bytes = memory_zeros();
		note_zero(self, desc);
	} else if ((uintptr_t)request->bytes % sizeof(uint64_t)) {
		request->bytes = memcpy(request->data, request->bytes, self->block);
	}
}

/* A whole page of the file, whose descriptor is at @desc_at; false: it is left to others. */
static bool fetch_page(struct kdump *self, struct scratch *scratch, struct block_request *request,
		       uint64_t desc_at)
{
	if (desc_at == 0) {
		request->status = absence(self, request->phys >> self->block_lg2);
		return true;
	}
	const struct page_desc *desc = get_desc(self, scratch->size, desc_at);
	const struct page_desc *zero = atomic_load_explicit(&self->zero, memory_order_relaxed);
	switch (desc ? classify(self, scratch->size, desc, zero) : PAGE_DAMAGED) {
	case PAGE_ZERO:
		request->bytes = memory_zeros();
		return true;
	case PAGE_PLAIN:
		answer_plain(self, desc, request);
		return true;
	case PAGE_PACKED:
		scratch->packed[scratch->packed_count++] =
			(struct packed){ desc->offset, desc, request };
		if (scratch->packed_count == PACKED_MAX)
			unpack_all(self, scratch);
		return true;
	case PAGE_STRANGE:
		return false;
	default:
		request->status = BLOCK_DAMAGED;
		return true;
	}
}

/* The unpacked page of @pfn, from the cache of single pages. */
static const unsigned char *unpack_cached(const struct kdump *self, struct scratch *scratch,
					  uint64_t pfn, const struct page_desc *desc)
{
	const uint64_t slot = pfn % (CACHE_BYTES >> self->block_lg2);
	unsigned char *bytes = scratch->cache + (slot << self->block_lg2);

	if (scratch->cached[slot] == pfn + 1)
		return bytes;
	scratch->cached[slot] = 0;
	if (!unpack_page(self, scratch, desc, bytes))
		return NULL;
	scratch->cached[slot] = pfn + 1;
	return bytes;
}

/*
 * All bytes of the page of @pfn, good until the next call. NULL: *status says why not, or it is
 * BLOCK_OK and the page is left to others.
 */
static const unsigned char *page_bytes(struct kdump *self, struct scratch *scratch, uint64_t pfn,
				       enum block_status *status)
{
	const unsigned char *bytes = NULL;
	const uint64_t desc_at = desc_offset(self, pfn);

	*status = BLOCK_OK;
	if (desc_at == 0) {
		*status = absence(self, pfn);
		return NULL;
	}
	const struct page_desc *desc = get_desc(self, scratch->size, desc_at);
	const struct page_desc *zero = atomic_load_explicit(&self->zero, memory_order_relaxed);
	switch (desc ? classify(self, scratch->size, desc, zero) : PAGE_DAMAGED) {
	case PAGE_ZERO:
		return memory_zeros();
	case PAGE_PLAIN:
		return self->map.bytes + desc->offset;
	case PAGE_PACKED:
		bytes = unpack_cached(self, scratch, pfn, desc);
		break;
	case PAGE_STRANGE:
		return NULL;
	default:
		break;
	}
	if (!bytes)
		*status = BLOCK_DAMAGED;
	return bytes;
}

/* A block that is not one page: piece by piece. False: it is left to others. */
static bool fetch_pieces(struct kdump *self, struct scratch *scratch, struct block_request *request)
{
	uint32_t done = 0;

	while (done < request->len) {
		const uint64_t phys = request->phys + done;
		const uint32_t within = (uint32_t)(phys & (self->block - 1));
		uint32_t piece = self->block - within;
		const unsigned char *bytes =
			page_bytes(self, scratch, phys >> self->block_lg2, &request->status);

		if (!bytes)
			return request->status != BLOCK_OK;
		if (piece > request->len - done)
			piece = request->len - done;
		memcpy((char *)request->data + done, bytes + within, piece);
		done += piece;
	}
	request->bytes = request->data;
	return true;
}

/* Where the descriptors of these frames are: @descs_at. A frame behind another has the next one. */
static void find_descs(const struct kdump *self, const uint64_t *phys, size_t count,
		       uint64_t *descs_at)
{
	uint64_t last = UINT64_MAX - 1; /* frame that has a descriptor */
	uint64_t at = 0;

	for (size_t i = 0; i < count; i++) {
		const uint64_t pfn = phys[i] >> self->block_lg2;

		if (pfn != last + 1 || i == 0)
			prefetch_rank(self, pfn);
		last = pfn;
	}
	last = UINT64_MAX - 1;
	for (size_t i = 0; i < count; i++) {
		const uint64_t pfn = phys[i] >> self->block_lg2;

		if (at && pfn == last + 1 && pfn < self->max_pfn && is_set(self->in_file, pfn))
			at += sizeof(struct page_desc);
		else
			at = desc_offset(self, pfn);
		descs_at[i] = at;
		last = pfn;
		__builtin_prefetch(self->map.bytes + at);
	}
}

static size_t fetch_abreast(struct kdump *self, struct scratch *scratch,
			    struct block_request *requests, size_t count)
{
	uint64_t phys[ABREAST] = { 0 };
	uint64_t descs_at[ABREAST];
	size_t left = 0;

	for (size_t i = 0; i < count; i++)
		phys[i] = requests[i].phys;
	find_descs(self, phys, count, descs_at);
	for (size_t i = 0; i < count; i++) {
		struct block_request *request = &requests[i];

		request->status = BLOCK_OK;
		request->bytes = NULL;
		if (request->len == self->block && request->phys % self->block == 0)
			left += !fetch_page(self, scratch, request, descs_at[i]);
		else
			left += !fetch_pieces(self, scratch, request);
	}
	return left;
}

static size_t leave_all(struct block_request *requests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		requests[i].status = BLOCK_OK;
		requests[i].bytes = NULL;
	}
	return count;
}

static size_t kdump_fetch(struct file_reader *reader, struct block_request *requests, size_t count)
{
	struct kdump *self = (struct kdump *)reader;
	struct scratch *scratch = scratch_take(self);
	size_t left = 0;

	if (!scratch)
		return leave_all(requests, count);
	scratch->size = file_map_size(&self->map);
	atomic_store_explicit(&self->size, scratch->size, memory_order_relaxed);
	for (size_t i = 0; i < count; i += ABREAST)
		left += fetch_abreast(self, scratch, requests + i,
				      count - i < ABREAST ? count - i : ABREAST);
	unpack_all(self, scratch);
	scratch_put_back(self, scratch);
	return left;
}

/* Whether the descriptors of these frames are that of the page of zeros. */
static bool are_zeros_abreast(const struct kdump *self, uint64_t size, const struct page_desc *zero,
			      const uint64_t *phys, size_t count)
{
	uint64_t descs_at[ABREAST];
	bool same = true;

	find_descs(self, phys, count, descs_at);
	for (size_t i = 0; i < count && same; i++) {
		const struct page_desc *desc = get_desc(self, size, descs_at[i]);

		same = descs_at[i] && desc && is_same(desc, zero);
	}
	return same;
}

static bool kdump_are_zeros(struct file_reader *reader, const uint64_t *phys, size_t count,
			    uint32_t len)
{
	const struct kdump *self = (const struct kdump *)reader;
	const struct page_desc *zero = atomic_load_explicit(&self->zero, memory_order_relaxed);
	const uint64_t size = atomic_load_explicit(&self->size, memory_order_relaxed);

	if (!zero || len != self->block)
		return false;
	for (size_t i = 0; i < count; i += ABREAST) {
		if (!are_zeros_abreast(self, size, zero, phys + i,
				       count - i < ABREAST ? count - i : ABREAST))
			return false;
	}
	return true;
}

static void kdump_destroy(struct file_reader *reader)
{
	struct kdump *self = (struct kdump *)reader;

	while (self->scratches) {
		struct scratch *scratch = self->scratches;

		self->scratches = scratch->next;
		scratch_destroy(scratch);
	}
	file_map_deinit(&self->map);
	free(self->ranks);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static const struct file_reader_ops kdump_ops = {
	.fetch = kdump_fetch,
	.are_zeros = kdump_are_zeros,
	.destroy = kdump_destroy,
};

/* False for what libkdumpfile reads in another way, or would refuse. */
static bool read_headers(struct kdump *self)
{
	enum { VERSION_SPLIT = 2, VERSION_MAX_64 = 6, SUB_HEADER_MAX = 1 << 20 };
	const struct dump_header *header = (const struct dump_header *)self->map.bytes;
	const uint64_t block = self->block;

	if (self->map.size < block + sizeof(struct dump_sub_header) ||
	    memcmp(header->signature, "KDUMP   ", sizeof(header->signature)) != 0 ||
	    header->block_size != block || header->header_version < 1 ||
	    header->header_version > VERSION_MAX_64 || header->sub_hdr_size > SUB_HEADER_MAX ||
	    header->bitmap_blocks % 2)
		return false;
	const struct dump_sub_header *sub =
		(const struct dump_sub_header *)(self->map.bytes + block);
	if (header->header_version >= VERSION_SPLIT && sub->split)
		return false;
	const uint64_t bitmap_at = (1 + (uint64_t)header->sub_hdr_size) * block;
	const uint64_t bitmap_len = header->bitmap_blocks / 2 * block;
	if (bitmap_len == 0 || !file_map_has(self->map.size, bitmap_at, 2 * bitmap_len))
		return false;
	self->max_pfn = header->header_version >= VERSION_MAX_64 ? sub->max_mapnr_64
								 : header->max_mapnr;
	self->bits = bitmap_len * 8;
	self->in_memory = (const uint64_t *)(self->map.bytes + bitmap_at);
	self->in_file = (const uint64_t *)(self->map.bytes + bitmap_at + bitmap_len);
	self->descs_at = bitmap_at + 2 * bitmap_len;
	/* Otherwise there is one bitmap: diskdump's. */
	return self->max_pfn <= self->bits;
}

/* 1/4 of the bitmap's size; a host with 16 TiB has a bitmap of 512 MiB. */
static bool make_ranks(struct kdump *self)
{
	const uint64_t count = self->bits / RANK_BITS;
	uint64_t before = 0;

	self->ranks = malloc(count * sizeof(*self->ranks));
	if (!self->ranks)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t within = 0;

		self->ranks[i] = (struct rank){ .before = before };
		for (unsigned int word = 0; word < RANK_WORDS; word++) {
			if (word)
				self->ranks[i].parts |= within << PART_BITS * (word - 1);
			within += (uint64_t)__builtin_popcountll(
				self->in_file[i * RANK_WORDS + word]);
		}
		before += within;
	}
	return true;
}

struct file_reader *file_reader_kdump(int fd, unsigned int page_shift)
{
	struct kdump *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->reader.ops = &kdump_ops;
	self->block_lg2 = page_shift;
	self->block = 1U << page_shift;
	pthread_mutex_init(&self->lock, NULL);
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && file_map_init(&self->map, fd) &&
	    read_headers(self) && make_ranks(self))
		return &self->reader;
	kdump_destroy(&self->reader);
	return NULL;
}
