// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A format's decoder over any table, in any geometry that its setup lets pass. The format is the
 * last word of the program's name (fuzz-format-ept), or else the first byte's choice.
 */
#include "formats/format.h"
#include "target/error.h"
#include "tests/fuzz/fuzz.h"

enum { ENTRIES_MAX = 8192, TEXT_BYTES = 256 };

static const struct pt_format *chosen;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = *argc > 0 ? strrchr((*argv)[0], '-') : NULL;

	chosen = name ? pt_format_find(name + 1) : NULL;
	return 0;
}

static const struct pt_format *choose_format(uint8_t number)
{
	size_t count = 0;

	while (pt_formats[count])
		count++;
	REQUIRE(count);
	return chosen ? chosen : pt_formats[number % count];
}

/* The first bytes of an input, one a parameter. */
enum header {
	FLAGS,
	MORE_FLAGS,
	LEVELS,
	INPUT_BITS,
	OUTPUT_BITS,
	START_LEVEL,
	CONCAT,
	STRIP,
	LEVEL,
	FORMAT,
	ANNOTATIONS,
	DESCRIBED,
	HEADER_BYTES,
};

/* KVM's are none of bits that a row of leaves counts through. */
static struct pt_mark read_mark(struct input *input)
{
	struct pt_mark mark = { .mask = input_u64(input) & ~0x000ffffffffff000ULL };

	mark.value = input_u64(input);
	return mark;
}

static struct error *make_geometry(struct input *input, const uint8_t *header,
				   struct pt_geometry *ret)
{
	static const uint8_t granules[] = { 0, 12, 14, 16 };
	const uint8_t flags = header[FLAGS];
	const uint8_t more = header[MORE_FLAGS];
	const struct pt_parameters parameters = {
		.levels = header[LEVELS] % 8,
		.granule_lg2 = granules[flags & 3],
		.input_bits = header[INPUT_BITS] % 66,
		.output_bits = header[OUTPUT_BITS] % 66,
		.start_level = (int8_t)(header[START_LEVEL] % 8 - 2),
		.has_start_level = flags & 4,
		.concat = header[CONCAT] % 18,
		.strip = flags & 8 ? 1ULL << (32 + header[STRIP] % 20) : 0, /* C-bits */
		.sign_extend = flags & 16,
		.dirty_tracking = flags & 32,
		.extended_accessed = flags & 64,
		.ttbr1 = flags & 128,
		.lpa2 = more & 1,
	};
	struct error *err = pt_geometry_init(choose_format(header[FORMAT]), &parameters, ret);

	if (err)
		return err;
	/* Only KVM on x86 gives its entries meanings of its own. */
	const bool kvm = ret->format == &pt_format_ept || ret->format == &pt_format_x86_64;
	if (kvm && more & 2)
		ret->empty = read_mark(input);
	if (kvm && more & 4)
		ret->tracked = read_mark(input);
	ret->annotations = header[ANNOTATIONS] % 3;
	ret->linux_types = (struct pt_linux_types){
		.used = more & 8,
		.hwpoison = 31,
		.migration = 28,
		.device_private = 26,
		.device_exclusive = 25,
		.marker = 24,
		.swapin_error = 24,
	};
	return NULL;
}

/* What must hold of a geometry, or nothing above it can be right. */
static void check_geometry(const struct pt_geometry *geometry)
{
	REQUIRE(geometry->levels >= 1 && geometry->levels <= PT_MAX_LEVELS);
	REQUIRE(geometry->input_bits >= 1 && geometry->input_bits <= 64);
	for (unsigned int level = 0; level < geometry->levels; level++) {
		REQUIRE(pt_entry_lg2(geometry, level) < 64);
		REQUIRE(1ULL << pt_table_lg2(geometry, level) <= PT_MAX_ENTRIES);
	}
}

static uint64_t attributes_of(const struct pt_format *format)
{
	unsigned int count = 0;

	while (format->attribute_names[count])
		count++;
	return (1ULL << count) - 1;
}

static void check_leaf(const struct pt_geometry *geometry, unsigned int level,
		       const struct pt_run *run)
{
	const unsigned int entry_lg2 = pt_entry_lg2(geometry, level);

	REQUIRE(run->size_lg2 >= entry_lg2 && run->size_lg2 < 64);
	REQUIRE(!run->torn || run->size_lg2 == entry_lg2);
	REQUIRE(run->count % (1ULL << (run->size_lg2 - entry_lg2)) == 0 || run->count == 1);
	if (run->address == PT_NO_ADDRESS) {
		REQUIRE(run->kind == PT_SOFT);
		return;
	}
	REQUIRE((run->address & ((1ULL << run->size_lg2) - 1)) == 0);
	REQUIRE(run->address >> 52 == 0);
	/* A run of several, or a part of one, may count up to it. */
	REQUIRE((run->address & geometry->strip) == 0 || run->count > 1 || run->torn);
}

static void check_run(const struct pt_geometry *geometry, unsigned int level,
		      const struct pt_run *run)
{
	REQUIRE(run->count > 0);
	REQUIRE((run->attrs & ~attributes_of(geometry->format)) == 0);
	REQUIRE((run->perm & ~PT_RWX) == 0);
	switch (run->kind) {
	case PT_LEAF:
	case PT_SOFT:
		check_leaf(geometry, level, run);
		break;
	case PT_TABLE:
		REQUIRE(run->count == 1 && run->next_level < level);
		REQUIRE(run->address >> 52 == 0 && (run->address & geometry->strip) == 0);
		break;
	default:
		REQUIRE(run->kind == PT_EMPTY || run->kind == PT_INVALID);
	}
}

/* What a scan takes for empty or for a plain leaf is that. */
static void check_plain(const struct pt_geometry *geometry, uint64_t entry,
			const struct pt_run *single)
{
	if (geometry->empty.mask || geometry->tracked.mask)
		return;
	const struct pt_plain plain = geometry->format->plain(geometry);
	if ((entry & plain.used) == 0)
		REQUIRE(single->kind == PT_EMPTY);
	else if ((entry & plain.fixed) == plain.value)
		REQUIRE(single->kind == PT_LEAF && !single->torn &&
			single->size_lg2 == pt_entry_lg2(geometry, 0));
}

/* An entry by itself says the same as in its block, but for items of several entries. */
static void check_single(const struct pt_geometry *geometry, unsigned int level,
			 const uint64_t *entries, const struct pt_run *run, unsigned int index)
{
	const unsigned int entry_lg2 = pt_entry_lg2(geometry, level);
	struct pt_run single;

	REQUIRE(geometry->format->decode(geometry, level, &entries[index], index, 1, &single) == 1);
	REQUIRE(single.index == index && single.count == 1);
	if (level == 0)
		check_plain(geometry, entries[index], &single);
	if (run->torn || single.torn || (single.kind == PT_LEAF && single.size_lg2 > entry_lg2))
		return;
	REQUIRE(single.kind == run->kind);
	REQUIRE(single.attrs == run->attrs && single.perm == run->perm);
	if (run->kind == PT_TABLE)
		REQUIRE(single.address == run->address && single.next_level == run->next_level);
	if ((run->kind == PT_LEAF || run->kind == PT_SOFT) && run->address != PT_NO_ADDRESS)
		REQUIRE(single.address ==
			run->address + ((uint64_t)(index - run->index) << entry_lg2));
}

/* Every run of the block in order, and the entries at its two ends. */
static void check_block(const struct pt_geometry *geometry, unsigned int level,
			const uint64_t *entries, unsigned int count)
{
	static struct pt_run runs[ENTRIES_MAX];
	const size_t n = geometry->format->decode(geometry, level, entries, 0, count, runs);
	unsigned int next = 0;

	REQUIRE(n >= 1 && n <= count);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(runs[i].index == next);
		next += runs[i].count;
		check_run(geometry, level, &runs[i]);
		check_single(geometry, level, entries, &runs[i], runs[i].index);
		if (runs[i].count > 1)
			check_single(geometry, level, entries, &runs[i], next - 1);
	}
	REQUIRE(next == count);
}

static void check_description(const struct pt_geometry *geometry, unsigned int level,
			      uint64_t entry)
{
	char text[TEXT_BYTES];

	geometry->format->describe(geometry, level, entry, text, sizeof(text));
	REQUIRE(memchr(text, '\0', sizeof(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t entries[ENTRIES_MAX]; /* zeros between two inputs */
	struct input input = { data, size };
	struct pt_geometry geometry;
	uint8_t header[HEADER_BYTES];

	for (size_t i = 0; i < HEADER_BYTES; i++)
		header[i] = input_u8(&input);
	struct error *err = make_geometry(&input, header, &geometry);

	if (err) {
		REQUIRE(err->message && err->message[0]);
		error_free(err);
		return 0;
	}
	check_geometry(&geometry);
	const unsigned int level = header[LEVEL] % geometry.levels;
	const unsigned int count = 1U << pt_table_lg2(&geometry, level);
	if (count > ENTRIES_MAX)
		return 0;
	/* The rest of the input from an entry of its choice on. */
	const unsigned int first = (unsigned int)input_bytes(&input, 2) % count;
	const size_t room = (count - first) * sizeof(*entries);
	const size_t written = input.size < room ? input.size : room;
	memcpy(&entries[first], input.data, written);
	check_block(&geometry, level, entries, count);
	/* One in an execution: putting words together takes longer than all the rest. */
	const unsigned int described = first + header[DESCRIBED];
	check_description(&geometry, level, entries[described < count ? described : first]);
	memset(&entries[first], 0, written);
	return 0;
}
