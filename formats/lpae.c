// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Arm VMSAv8-64 translation tables, stage 1 and stage 2, of 4K, 16K and 64K granules: what an
 * SMMU, KVM and the CPU's processes walk.
 *
 * Arm Architecture Reference Manual for A-profile (DDI 0487), chapter D8:
 *   D8.2     translation process: granules, start levels, concatenated stage-2 tables, alignment
 *   D8.3.1   descriptor formats (D8.3.1.1 table, D8.3.1.2 block and page; the 52-bit variants)
 *   D8.3.2   attributes in stage 1 and stage 2 descriptors, hierarchical ones in table descriptors
 *   D8.4     access permissions: AP, UXN, PXN; S2AP, XN[1:0] (FEAT_XNX)
 *   D8.5     hardware updates: AF, DBM
 *   D8.7.1   the Contiguous bit
 * SMMU architecture (IHI 0070), section 3.4 "Address sizes" and chapter 13: an SMMU's tables are
 * the same. Linux: drivers/iommu/io-pgtable-arm.c, arch/arm64/kvm/hyp/pgtable.c.
 *
 * The manual counts levels from the top, -1 or 0 to 3; here level 0 is the manual's 3.
 *
 * Reserved (RES0) bits are ignored, as by hardware. What hardware refuses is a descriptor 0b01 at
 * the last level, a block at a level that has none, and an address that is too large for OAS.
 */
#include <stdio.h>

#include "formats/format.h"
#include "formats/run.h"
#include "target/error.h"

enum {
	VALID = 1 << 0,
	NOT_BLOCK = 1 << 1, /* table; at level 0 a page */
	TYPE = VALID | NOT_BLOCK,
	ATTR_INDEX_LOW = 2, /* stage 1: bits 4:2 */
	S1_NON_SECURE = 1 << 5,
	S1_AP_UNPRIVILEGED = 1 << 6, /* AP[1] */
	S1_AP_READ_ONLY = 1 << 7,    /* AP[2] */
	S2_READ = 1 << 6,	     /* S2AP[0] */
	S2_WRITE = 1 << 7,	     /* S2AP[1] */
	ACCESS_FLAG = 1 << 10,
	S1_NOT_GLOBAL = 1 << 11,
	KVM_LOCKED = 1 << 10, /* in an entry that is not valid */
	BLOCK_NT = 1 << 16,   /* FEAT_BBM: not to be cached by TLBs while it is changed */
};

#define S1_GUARDED (1ULL << 50)
#define DIRTY_MODIFIER (1ULL << 51)
#define CONTIGUOUS (1ULL << 52)
#define S1_PXN (1ULL << 53)
#define S1_UXN (1ULL << 54)
#define S2_XN0 (1ULL << 53)
#define S2_XN1 (1ULL << 54)
/* In table descriptors of stage 1: what all below them inherits. */
#define TABLE_PXN (1ULL << 59)
#define TABLE_UXN (1ULL << 60)
#define TABLE_PRIVILEGED (1ULL << 61) /* APTable[0] */
#define TABLE_READ_ONLY (1ULL << 62)  /* APTable[1] */
#define TABLE_NON_SECURE (1ULL << 63)

enum {
	S1_ACCESSED = 1 << 0,
	S1_ATTR_INDEX = 1, /* the first of 8 bits */
	S1_CONTIG = 1 << 9,
	S1_CONTIG_BAD = 1 << 10,
	S1_DBM = 1 << 11,
	S1_DIRTY = 1 << 12,
	S1_GP = 1 << 13,
	S1_ISH = 1 << 14,
	S1_NG = 1 << 15,
	S1_NO_AF = 1 << 16,
	S1_NS = 1 << 17,
	S1_NT = 1 << 18,
	S1_OSH = 1 << 19,
	S1_PRIV = 1 << 20,
	S1_NO_PRIV_EXECUTE = 1 << 21,
	S1_SH_RESERVED = 1 << 22,
	S1_NO_UNPRIV_EXECUTE = 1 << 23,
};

static const char *const s1_attribute_names[] = {
	"accessed", "attr0",	   "attr1",  "attr2",	   "attr3", "attr4", "attr5",
	"attr6",    "attr7",	   "contig", "contig-bad", "dbm",   "dirty", "gp",
	"ish",	    "ng",	   "no-af",  "ns",	   "nt",    "osh",   "priv",
	"pxn",	    "sh-reserved", "uxn",    NULL,
};

enum {
	S2_ACCESSED = 1 << 0,
	S2_CONTIG = 1 << 1,
	S2_CONTIG_BAD = 1 << 2,
	S2_DBM = 1 << 3,
	S2_DIRTY = 1 << 4,
	S2_ISH = 1 << 5,
	S2_MEM_ATTR = 6, /* the first of 16 bits */
	S2_NO_AF = 1 << 22,
	S2_NT = 1 << 23,
	S2_OSH = 1 << 24,
	S2_SH_RESERVED = 1 << 25,
	S2_XN0_SET = 1 << 26,
};

static const char *const s2_attribute_names[] = {
	"accessed", "contig",	"contig-bad", "dbm",	  "dirty",	 "ish",	     "memattr0",
	"memattr1", "memattr2", "memattr3",   "memattr4", "memattr5",	 "memattr6", "memattr7",
	"memattr8", "memattr9", "memattra",   "memattrb", "memattrc",	 "memattrd", "memattre",
	"memattrf", "no-af",	"nt",	      "osh",	  "sh-reserved", "xn0",	     NULL,
};

/* Which bits of struct pt_run.attrs say what both stages have. */
struct attribute_bits {
	uint32_t accessed, contig, contig_bad, dbm, dirty, ish, no_af, nt, osh, sh_reserved;
};

static const struct attribute_bits s1_bits = {
	S1_ACCESSED, S1_CONTIG, S1_CONTIG_BAD, S1_DBM, S1_DIRTY,
	S1_ISH,	     S1_NO_AF,	S1_NT,	       S1_OSH, S1_SH_RESERVED,
};

static const struct attribute_bits s2_bits = {
	S2_ACCESSED, S2_CONTIG, S2_CONTIG_BAD, S2_DBM, S2_DIRTY,
	S2_ISH,	     S2_NO_AF,	S2_NT,	       S2_OSH, S2_SH_RESERVED,
};

/* D8.3.1.2: the highest level that may hold a block. */
static unsigned int highest_leaf_level(const struct pt_geometry *geometry)
{
	switch (geometry->granule_lg2) {
	case 12:
		return geometry->lpa2 ? 3 : 2; /* 512G, 1G */
	case 14:
		return geometry->lpa2 ? 2 : 1; /* 64G, 32M */
	default:
		return geometry->output_bits > 48 ? 2 : 1; /* 4T, 512M */
	}
}

/* D8.7.1: log2 of the entries that the Contiguous bit joins; 0 where it is ignored. */
static unsigned int contiguous_lg2(const struct pt_geometry *geometry, unsigned int level)
{
	unsigned int lg2 = 5;

	switch (geometry->granule_lg2) {
	case 12:
		lg2 = level < 3 ? 4 : 0;
		break;
	case 14:
		lg2 = level == 0 ? 7 : level == 1 ? 5 : 0;
		break;
	default:
		break;
	}
	/* A root of fewer entries has no such group. */
	return lg2 <= pt_table_lg2(geometry, level) ? lg2 : 0;
}

/* Bit of an entry above the highest one that holds the address in its own place. */
static unsigned int address_end(const struct pt_geometry *geometry)
{
	return geometry->lpa2 ? 50 : 48;
}

/* D8.3.1: the output address; @low is the log2 of what it is aligned to. */
static inline uint64_t entry_address(const struct pt_geometry *geometry, uint64_t entry,
				     unsigned int low)
{
	uint64_t address = entry & pt_bits(address_end(geometry) - 1, low);

	if (geometry->lpa2)
		address |= pt_field(entry, 9, 8) << 50;
	else if (geometry->granule_lg2 == 16)
		address |= pt_field(entry, 15, 12) << 48;
	return address & ~geometry->strip;
}

static inline bool is_too_large(const struct pt_geometry *geometry, uint64_t address)
{
	return address >> geometry->output_bits;
}

static inline bool is_leaf(unsigned int level, uint64_t entry)
{
	return (entry & TYPE) == (level ? VALID : TYPE);
}

/* What leaves of both stages have; @writable is whether they may be written just now. */
static inline uint32_t common_attrs(const struct pt_geometry *geometry, unsigned int level,
				    uint64_t entry, const struct attribute_bits *bits,
				    bool writable_now)
{
	const bool dbm = entry & DIRTY_MODIFIER;
	const bool accessed = entry & ACCESS_FLAG;
	uint32_t attrs =
		(dbm ? bits->dbm : 0U) | (level && (entry & BLOCK_NT) ? bits->nt : 0U) |
		(entry & CONTIGUOUS && contiguous_lg2(geometry, level) ? bits->contig : 0U);

	if (!geometry->dirty_tracking)
		attrs |= accessed ? 0U : bits->no_af;
	else
		attrs |= (accessed ? bits->accessed : 0U) |
			 (dbm && writable_now ? bits->dirty : 0U);
	if (!geometry->lpa2) {
		const uint32_t shareability[] = { 0, bits->sh_reserved, bits->osh, bits->ish };

		attrs |= shareability[pt_field(entry, 9, 8)];
	}
	return attrs;
}

/* The entry as a table, leaf or neither; true for a leaf, whose meaning is still to be filled in.
 */
static inline bool decode_kind(const struct pt_geometry *geometry, unsigned int level,
			       uint64_t entry, struct pt_run *ret)
{
	if (!(entry & VALID)) {
		ret->kind = PT_EMPTY;
		return false;
	}
	if (level && (entry & NOT_BLOCK)) {
		ret->address = entry_address(geometry, entry, geometry->granule_lg2);
		ret->kind = is_too_large(geometry, ret->address) ? PT_INVALID : PT_TABLE;
		ret->next_level = (uint8_t)(level - 1);
		ret->perm = PT_RWX;
		return false;
	}
	ret->size_lg2 = (uint8_t)pt_entry_lg2(geometry, level);
	ret->address = entry_address(geometry, entry, ret->size_lg2);
	ret->kind = !is_leaf(level, entry) || level > highest_leaf_level(geometry) ||
				    is_too_large(geometry, ret->address)
			    ? PT_INVALID
			    : PT_LEAF;
	return ret->kind == PT_LEAF;
}

/* D8.3.2.1, D8.4.1 */
static inline void s1_decode_entry(const struct pt_geometry *geometry, unsigned int level,
				   uint64_t entry, struct pt_run *ret)
{
	const bool read_only = entry & S1_AP_READ_ONLY;
	const bool writable_clean = (entry & DIRTY_MODIFIER) && geometry->dirty_tracking;

	if (decode_kind(geometry, level, entry, ret)) {
		ret->perm = (uint8_t)(PT_R | (!read_only || writable_clean ? PT_W : 0) | PT_X);
		ret->attrs = common_attrs(geometry, level, entry, &s1_bits, !read_only) |
			     1U << (S1_ATTR_INDEX + pt_field(entry, 4, ATTR_INDEX_LOW)) |
			     (entry & S1_NON_SECURE ? S1_NS : 0U) |
			     (entry & S1_NOT_GLOBAL ? S1_NG : 0U) |
			     (entry & S1_GUARDED ? S1_GP : 0U) |
			     (entry & S1_AP_UNPRIVILEGED ? 0U : S1_PRIV) |
			     (entry & S1_PXN ? S1_NO_PRIV_EXECUTE : 0U) |
			     (entry & S1_UXN ? S1_NO_UNPRIV_EXECUTE : 0U);
	} else if (ret->kind == PT_TABLE) {
		if (entry & TABLE_READ_ONLY)
			ret->perm = PT_R | PT_X;
		ret->attrs = (entry & TABLE_NON_SECURE ? S1_NS : 0U) |
			     (entry & TABLE_PRIVILEGED ? S1_PRIV : 0U) |
			     (entry & TABLE_PXN ? S1_NO_PRIV_EXECUTE : 0U) |
			     (entry & TABLE_UXN ? S1_NO_UNPRIV_EXECUTE : 0U);
	}
}

/*
 * Whose permissions these are: an unprivileged transaction's, which is what devices send; where
 * those have no access (`priv`), a privileged one's. Execution depends on the same.
 */
static unsigned int s1_settle(uint32_t attrs, unsigned int perm)
{
	uint32_t never = attrs & S1_PRIV ? S1_NO_PRIV_EXECUTE : S1_NO_UNPRIV_EXECUTE;

	return attrs & never ? perm & ~(unsigned int)PT_X : perm;
}

/* D8.3.2.2, D8.4.2 */
static inline void s2_decode_entry(const struct pt_geometry *geometry, unsigned int level,
				   uint64_t entry, struct pt_run *ret)
{
	const bool writable = entry & S2_WRITE;
	const bool writable_clean = (entry & DIRTY_MODIFIER) && geometry->dirty_tracking;

	if (!decode_kind(geometry, level, entry, ret))
		return;
	/*
	 * XN[1]=0 lets the unprivileged execute, with or without FEAT_XNX (XN[0] is about the
	 * privileged); nothing is executed that cannot be read.
	 */
	ret->perm =
		(uint8_t)((entry & S2_READ ? PT_R : 0) | (writable || writable_clean ? PT_W : 0) |
			  ((entry & S2_READ) && !(entry & S2_XN1) ? PT_X : 0));
	ret->attrs = common_attrs(geometry, level, entry, &s2_bits, writable) |
		     1U << (S2_MEM_ATTR + pt_field(entry, 5, 2)) |
		     (entry & S2_XN0 ? S2_XN0_SET : 0U);
}

/* The runs of one decode(), in the making. */
struct output {
	const struct pt_geometry *geometry;
	const struct attribute_bits *bits;
	pt_decode_entry *decode_entry;
	struct pt_run *runs;
	unsigned int entry_lg2;
	size_t count;
};

static void append(struct output *output, const struct pt_run *run)
{
	struct pt_run *last = output->count ? &output->runs[output->count - 1] : NULL;

	if (last && last->kind == run->kind && last->attrs == run->attrs &&
	    last->perm == run->perm && last->size_lg2 == run->size_lg2 && last->torn == run->torn &&
	    (run->kind == PT_EMPTY ||
	     (run->kind == PT_LEAF &&
	      last->address + ((uint64_t)last->count << output->entry_lg2) == run->address)))
		last->count += run->count;
	else
		output->runs[output->count++] = *run;
}

static bool is_contiguous(const struct output *output, const struct pt_run *run)
{
	return run->kind == PT_LEAF && run->attrs & output->bits->contig;
}

/*
 * D8.7.1: all members of a group must say the same, of addresses that continue each other and are
 * aligned as the group is. They may differ in what hardware updates. True when they do.
 */
static bool group_agrees(const struct output *output, const uint64_t *entries,
			 const struct pt_run *members, unsigned int count)
{
	const uint32_t updated = output->bits->accessed | output->bits->dirty;

	for (unsigned int i = 0; i < count; i++) {
		if (!is_contiguous(output, &members[i]) ||
		    (members[i].attrs ^ members[0].attrs) & ~updated ||
		    members[i].perm != members[0].perm ||
		    (entries[i] ^ entries[0]) & (S2_XN0 | S2_XN1) ||
		    members[i].address != members[0].address + ((uint64_t)i << output->entry_lg2))
			return false;
	}
	return (members[0].address & (((uint64_t)count << output->entry_lg2) - 1)) == 0;
}

/*
 * Append @count entries of a group of 1 << @lg2, of which at least one has the Contiguous bit; if
 * these are not all of them, each is by itself.
 */
static void append_group(struct output *output, unsigned int level, const uint64_t *entries,
			 unsigned int index, unsigned int count, unsigned int lg2)
{
	enum { GROUP_MAX = 128 };
	struct pt_run members[GROUP_MAX];

	for (unsigned int i = 0; i < count; i++) {
		members[i] = (struct pt_run){ .index = index + i, .count = 1 };
		output->decode_entry(output->geometry, level, entries[i], &members[i]);
	}
	if (count >> lg2 && group_agrees(output, entries, members, count)) {
		struct pt_run item = members[0];

		for (unsigned int i = 1; i < count; i++)
			item.attrs |= members[i].attrs;
		item.count = count;
		item.size_lg2 = (uint8_t)(item.size_lg2 + lg2);
		append(output, &item);
		return;
	}
	for (unsigned int i = 0; i < count; i++) {
		/* What hardware then does is not told; most likely each entry acts alone. */
		if (count >> lg2 && is_contiguous(output, &members[i])) {
			members[i].attrs |= output->bits->contig_bad;
			members[i].torn = true;
		}
		append(output, &members[i]);
	}
}

/* A single entry, without the others of its group: taken at its word. */
static size_t decode_alone(struct output *output, unsigned int level, uint64_t entry,
			   unsigned int index, unsigned int lg2)
{
	struct pt_run *run = output->runs;

	*run = (struct pt_run){ .index = index, .count = 1 };
	output->decode_entry(output->geometry, level, entry, run);
	if (is_contiguous(output, run)) {
		run->size_lg2 = (uint8_t)(run->size_lg2 + lg2);
		run->address &= ~((1ULL << run->size_lg2) - 1);
	}
	return 1;
}

/* The first leaf from number @i on that has the Contiguous bit; @count when there is none. */
static inline unsigned int find_contiguous(unsigned int level, const uint64_t *entries,
					   unsigned int i, unsigned int count)
{
	while (i < count && !((entries[i] & CONTIGUOUS) && is_leaf(level, entries[i])))
		i++;
	return i;
}

/* Append entries of which none has a Contiguous bit that counts. */
static inline __attribute__((always_inline)) void
append_simple(struct output *output, unsigned int level, const uint64_t *entries,
	      unsigned int index, unsigned int count, pt_decode_entry *decode_entry)
{
	const struct pt_geometry *geometry = output->geometry;
	const unsigned int end = geometry->output_bits < address_end(geometry)
					 ? geometry->output_bits
					 : address_end(geometry);
	struct pt_run *runs = &output->runs[output->count];
	size_t n = pt_decode_runs(geometry, level, entries, index, count,
				  pt_bits(end - 1, output->entry_lg2), decode_entry, runs);
	struct pt_run first = runs[0];

	/* The first may continue what is there; then the others move down by one. */
	size_t before = output->count;
	append(output, &first);
	if (output->count == before) {
		for (size_t i = 1; i < n; i++)
			runs[i - 1] = runs[i];
		n--;
	}
	output->count = before + n;
}

static inline __attribute__((always_inline)) size_t
decode(const struct pt_geometry *geometry, unsigned int level, const uint64_t *entries,
       unsigned int index, unsigned int count, const struct attribute_bits *bits,
       pt_decode_entry *decode_entry, struct pt_run *runs)
{
	const unsigned int lg2 = contiguous_lg2(geometry, level);
	const unsigned int group = 1U << lg2;
	struct output output = {
		.geometry = geometry,
		.bits = bits,
		.decode_entry = decode_entry,
		.runs = runs,
		.entry_lg2 = pt_entry_lg2(geometry, level),
	};

	if (count == 1)
		return decode_alone(&output, level, entries[0], index, lg2);
	for (unsigned int i = 0, end = 0; i < count; i = end) {
		const unsigned int bit = lg2 ? find_contiguous(level, entries, i, count) : count;

		if (bit == count) {
			append_simple(&output, level, entries + i, index + i, count - i,
				      decode_entry);
			break;
		}
		/* Its group, as far as it is in the block. */
		const unsigned int before = (index + bit) & (group - 1);
		const unsigned int start = bit - i < before ? i : bit - before;

		end = bit - before + group < count ? bit - before + group : count;
		if (start > i)
			append_simple(&output, level, entries + i, index + i, start - i,
				      decode_entry);
		append_group(&output, level, entries + start, index + start, end - start, lg2);
	}
	return output.count;
}

static size_t s1_decode(const struct pt_geometry *geometry, unsigned int level,
			const uint64_t *entries, unsigned int index, unsigned int count,
			struct pt_run *runs)
{
	return decode(geometry, level, entries, index, count, &s1_bits, s1_decode_entry, runs);
}

static size_t s2_decode(const struct pt_geometry *geometry, unsigned int level,
			const uint64_t *entries, unsigned int index, unsigned int count,
			struct pt_run *runs)
{
	return decode(geometry, level, entries, index, count, &s2_bits, s2_decode_entry, runs);
}

/* Pages without the Contiguous bit whose address is not too large. */
static struct pt_plain plain(const struct pt_geometry *geometry)
{
	const unsigned int end = address_end(geometry);
	uint64_t zero = CONTIGUOUS;

	if (geometry->output_bits < end)
		zero |= pt_bits(end - 1, geometry->output_bits) & ~geometry->strip;
	if (geometry->output_bits < 52)
		zero |= geometry->lpa2		      ? pt_bits(9, 8)
			: geometry->granule_lg2 == 16 ? pt_bits(15, 12)
						      : 0;
	return (struct pt_plain){ .used = VALID, .fixed = TYPE | zero, .value = TYPE };
}

/* What both stages have at the end of their words. */
static void describe_common(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
			    char *text, size_t size)
{
	const bool leaf = is_leaf(level, entry);
	const uint64_t address = entry_address(
		geometry, entry, leaf ? pt_entry_lg2(geometry, level) : geometry->granule_lg2);
	char sh[16] = "";
	const char *high = "";

	if (leaf && !geometry->lpa2)
		snprintf(sh, sizeof(sh), " SH=%u", (unsigned int)pt_field(entry, 9, 8));
	if (address >> 50 && geometry->lpa2)
		high = ", address bits 51:50 in 9:8";
	else if (address >> 48 && geometry->granule_lg2 == 16)
		high = ", address bits 51:48 in 15:12";
	snprintf(text, size, "%s%s%s%s%s%s%s", sh, leaf && (entry & DIRTY_MODIFIER) ? " DBM=1" : "",
		 leaf && (entry & CONTIGUOUS) ? " Contiguous=1" : "",
		 leaf && level && (entry & BLOCK_NT) ? " nT=1" : "",
		 leaf && level > highest_leaf_level(geometry) ? " no blocks at this level" : "",
		 is_too_large(geometry, address) ? " address size fault" : "", high);
}

/* What KVM means by an entry that is not valid: arch/arm64/kvm/hyp/pgtable.c. */
static void describe_annotation(const struct pt_geometry *geometry, uint64_t entry, char *text,
				size_t size)
{
	static const char *const types[16] = { [1] = "being changed, locked",
					       [2] = "donated to another owner",
					       [3] = "taken back by force" };
	const unsigned int type = (unsigned int)pt_field(entry, 63, 60);
	const unsigned int owner = (unsigned int)pt_field(entry, 9, 2);

	if (geometry->annotations == PT_KVM_ARM64_TYPES)
		snprintf(text, size, "valid=0; KVM's mark of type %u: %s", type,
			 types[type] ? types[type] : "not known");
	else if (entry & KVM_LOCKED)
		snprintf(text, size, "valid=0; KVM's mark: being changed, locked");
	else
		snprintf(text, size, "valid=0; KVM's mark: page of owner %u", owner);
}

/* An entry without meaning to hardware: not valid, or 0b01 at the last level. False if it has one.
 */
static bool describe_no_entry(const struct pt_geometry *geometry, unsigned int level,
			      uint64_t entry, char *text, size_t size)
{
	if ((entry & VALID) && (level || (entry & NOT_BLOCK)))
		return false;
	if (!(entry & VALID) && entry && geometry->annotations) {
		describe_annotation(geometry, entry, text, size);
		return true;
	}
	snprintf(text, size, "%s",
		 entry & VALID ? "0b01 is reserved at this level"
		 : entry       ? "valid=0, the rest is software's"
			       : "valid=0");
	return true;
}

static void s1_describe(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
			char *text, size_t size)
{
	char more[128];

	if (describe_no_entry(geometry, level, entry, text, size))
		return;
	describe_common(geometry, level, entry, more, sizeof(more));
	if (!is_leaf(level, entry)) {
		snprintf(text, size, "APTable=%u%u%s%s%s%s", !!(entry & TABLE_READ_ONLY),
			 !!(entry & TABLE_PRIVILEGED), entry & TABLE_UXN ? " UXNTable=1" : "",
			 entry & TABLE_PXN ? " PXNTable=1" : "",
			 entry & TABLE_NON_SECURE ? " NSTable=1" : "", more);
		return;
	}
	snprintf(text, size, "AttrIndx=%u AP=%u%u AF=%u nG=%u%s%s%s%s%s",
		 (unsigned int)pt_field(entry, 4, ATTR_INDEX_LOW), !!(entry & S1_AP_READ_ONLY),
		 !!(entry & S1_AP_UNPRIVILEGED), !!(entry & ACCESS_FLAG), !!(entry & S1_NOT_GLOBAL),
		 entry & S1_UXN ? " UXN=1" : "", entry & S1_PXN ? " PXN=1" : "",
		 entry & S1_NON_SECURE ? " NS=1" : "", entry & S1_GUARDED ? " GP=1" : "", more);
}

static void s2_describe(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
			char *text, size_t size)
{
	char more[128];

	if (describe_no_entry(geometry, level, entry, text, size))
		return;
	describe_common(geometry, level, entry, more, sizeof(more));
	if (!is_leaf(level, entry)) {
		snprintf(text, size, "type=0b11%s", more);
		return;
	}
	snprintf(text, size, "MemAttr=0x%x S2AP=%u%u AF=%u XN=%u%u%s",
		 (unsigned int)pt_field(entry, 5, 2), !!(entry & S2_WRITE), !!(entry & S2_READ),
		 !!(entry & ACCESS_FLAG), !!(entry & S2_XN1), !!(entry & S2_XN0), more);
}

/* How deep a tree is whose caller says nothing: @concat_lg2 < 0 when that, too, is not said. */
static unsigned int usual_levels(const struct pt_geometry *geometry, bool stage2, int concat_lg2)
{
	const unsigned int per_level = geometry->granule_lg2 - 3U;
	const unsigned int bits = geometry->input_bits - geometry->granule_lg2;

	if (stage2 && concat_lg2 > 0 && bits > (unsigned int)concat_lg2)
		return (bits - (unsigned int)concat_lg2 + per_level - 1) / per_level;
	/* As few levels as up to 16 root tables in a row allow, but two: what KVM does. */
	if (stage2 && concat_lg2 < 0 && bits > per_level + 4)
		return (bits - 4 + per_level - 1) / per_level;
	if (stage2 && concat_lg2 < 0 && bits > per_level)
		return 2;
	return (bits + per_level - 1) / per_level;
}

/* Numbers that contradict the architecture by themselves. */
static struct error *check_parameters(const struct pt_parameters *parameters,
				      const struct pt_geometry *geometry, const char *name,
				      bool stage2)
{
	const unsigned int widest = geometry->lpa2 || geometry->granule_lg2 == 16 ? 52 : 48;

	if (geometry->lpa2 && geometry->granule_lg2 == 16)
		return error_new("%s: lpa2=1 is for granule=4k and 16k: 64k tables have 52-bit "
				 "addresses without it (oas=52)",
				 name);
	if (parameters->input_bits > widest)
		return error_new("%s: ias=%u is more than the %u bits of this granule%s", name,
				 parameters->input_bits, widest,
				 widest == 48 ? " without lpa2=1" : "");
	if (parameters->output_bits > widest)
		return error_new("%s: oas=%u is more than the %u bits of this granule%s", name,
				 parameters->output_bits, widest,
				 widest == 48 ? " without lpa2=1" : "");
	if (parameters->sign_extend)
		return error_new("%s: sign-extend=1 is not Arm's way; the upper half is ttbr1=1",
				 name);
	if (stage2 && parameters->ttbr1)
		return error_new("%s: ttbr1=1 is for stage 1", name);
	if (!stage2 && parameters->concat > 1)
		return error_new("%s: concat=%u is for stage 2", name, parameters->concat);
	if (parameters->concat & (parameters->concat - 1))
		return error_new("%s: concat=%u is none of 1, 2, 4, 8, 16", name,
				 parameters->concat);
	if (parameters->has_start_level && parameters->levels &&
	    parameters->levels + parameters->start_level != 4)
		return error_new("%s: start-level=%d is levels=%d, not levels=%u", name,
				 parameters->start_level, 4 - parameters->start_level,
				 parameters->levels);
	return NULL;
}

/* Whether the depth suits the width, and the root tables in a row that follow suit what is said. */
static struct error *check_root(const struct pt_parameters *parameters,
				const struct pt_geometry *geometry, const char *name, bool stage2)
{
	const int per_level = geometry->granule_lg2 - 3;
	const int lower = geometry->granule_lg2 + per_level * (geometry->levels - 1);
	const int widest = geometry->lpa2 || geometry->granule_lg2 == 16 ? 52 : 48;
	const int most = lower + per_level + (stage2 ? 4 : 0);
	const int root_bits = geometry->input_bits - lower;

	if (lower >= widest)
		return error_new("%s: start-level=%d (levels=%u) is not with this granule%s", name,
				 4 - geometry->levels, geometry->levels,
				 geometry->granule_lg2 == 12 && geometry->levels == 5
					 ? " without lpa2=1"
					 : "");
	if (root_bits < 1 || geometry->input_bits > most)
		return error_new("%s: start-level=%d (levels=%u) has ias=%d to %d with this "
				 "granule, not %u",
				 name, 4 - geometry->levels, geometry->levels, lower + 1,
				 most < widest ? most : widest, geometry->input_bits);
	unsigned int concat = root_bits > per_level ? 1U << (root_bits - per_level) : 1;
	if (parameters->concat && parameters->concat != concat)
		return error_new("%s: ias=%u from start-level=%d (levels=%u) on is concat=%u, not "
				 "concat=%u",
				 name, geometry->input_bits, 4 - geometry->levels, geometry->levels,
				 concat, parameters->concat);
	return NULL;
}

static int log2_of(unsigned int power)
{
	return power ? __builtin_ctz(power) : -1;
}

/* The depth and width of the tree: each follows from the other where only one is said. */
static void set_shape(const struct pt_parameters *parameters, struct pt_geometry *geometry,
		      bool stage2)
{
	const unsigned int per_level = geometry->granule_lg2 - 3U;
	const unsigned int widest = geometry->lpa2 || geometry->granule_lg2 == 16 ? 52 : 48;
	const int concat_lg2 = log2_of(parameters->concat);

	geometry->levels = parameters->has_start_level ? (uint8_t)(4 - parameters->start_level)
						       : parameters->levels;
	geometry->input_bits = parameters->input_bits;
	if (geometry->input_bits == 0 && geometry->levels) {
		unsigned int bits = geometry->granule_lg2 + per_level * geometry->levels +
				    (concat_lg2 > 0 ? (unsigned int)concat_lg2 : 0);

		geometry->input_bits = (uint8_t)(bits < widest ? bits : widest);
	} else if (geometry->input_bits == 0) {
		geometry->input_bits = 48;
	}
	if (geometry->levels == 0)
		geometry->levels = (uint8_t)usual_levels(geometry, stage2, concat_lg2);
}

static struct error *setup(const struct pt_parameters *parameters, struct pt_geometry *geometry,
			   const char *name, bool stage2)
{
	geometry->granule_lg2 = parameters->granule_lg2 ? parameters->granule_lg2 : 12;
	geometry->lpa2 = parameters->lpa2;
	struct error *err = check_parameters(parameters, geometry, name, stage2);
	if (err)
		return err;
	geometry->output_bits = parameters->output_bits ? parameters->output_bits
				: parameters->lpa2	? 52
							: 48;
	if (parameters->input_bits && parameters->input_bits <= geometry->granule_lg2)
		return error_new("%s: ias=%u is less than one page's bits", name,
				 parameters->input_bits);
	set_shape(parameters, geometry, stage2);
	err = check_root(parameters, geometry, name, stage2);
	if (err)
		return err;
	geometry->strip = parameters->strip;
	geometry->dirty_tracking = parameters->dirty_tracking;
	if (parameters->ttbr1)
		geometry->base = ~pt_last_address(geometry);
	/* D8.2: a root is aligned to its size; TTBR_ELx holds PA[51:48] in bits 5:2. */
	geometry->root_alignment = 8U << pt_table_lg2(geometry, geometry->levels - 1U);
	if (geometry->output_bits > 48 && geometry->root_alignment < 64)
		geometry->root_alignment = 64;
	return NULL;
}

static struct error *s1_setup(const struct pt_parameters *parameters, struct pt_geometry *geometry)
{
	return setup(parameters, geometry, "lpae_s1", false);
}

static struct error *s2_setup(const struct pt_parameters *parameters, struct pt_geometry *geometry)
{
	return setup(parameters, geometry, "lpae_s2", true);
}

const struct pt_format pt_format_lpae_s1 = {
	.name = "lpae_s1",
	.title = "Arm VMSAv8-64 stage 1",
	.stage = "1",
	.controls_execution = true,
	.attribute_names = s1_attribute_names,
	.attrs_or = S1_NS | S1_PRIV | S1_NO_PRIV_EXECUTE | S1_NO_UNPRIV_EXECUTE,
	.attrs_dirty = S1_ACCESSED | S1_DIRTY,
	.setup = s1_setup,
	.decode = s1_decode,
	.plain = plain,
	.settle = s1_settle,
	.describe = s1_describe,
};

const struct pt_format pt_format_lpae_s2 = {
	.name = "lpae_s2",
	.title = "Arm VMSAv8-64 stage 2",
	.stage = "2",
	.controls_execution = true,
	.attribute_names = s2_attribute_names,
	.attrs_dirty = S2_ACCESSED | S2_DIRTY,
	.setup = s2_setup,
	.decode = s2_decode,
	.plain = plain,
	.describe = s2_describe,
};
