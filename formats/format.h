/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What one page-table entry means.
 *
 * A format is a set of pure functions from bits to meaning: no I/O, no kernel
 * structures, no iteration over levels. It decodes a whole block of entries at
 * once into runs, because neighbours nearly always say the same thing.
 *
 * Words: level 0 is the leaf-most table level. An entry is 8 bytes. A leaf maps
 * memory, a table points to a lower table. An item is one or more entries that
 * act as one (AMD's replicas, Arm's contiguous entries).
 */
#ifndef IOMMUPT_FORMAT_H
#define IOMMUPT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct pt_format;

/* Permissions of a leaf; of a table, what it lets its leaves have. */
enum { PT_R = 1, PT_W = 2, PT_X = 4, PT_RWX = PT_R | PT_W | PT_X };

enum pt_kind {
	PT_EMPTY,   /* translates nothing; hardware faults */
	PT_TABLE,   /* points to a lower table */
	PT_LEAF,    /* maps memory */
	PT_INVALID, /* reserved bits or an illegal type: hardware faults, and it is a finding */
	PT_SOFT, /* empty to hardware, but the kernel keeps something in it: a page swapped out */
};

/* The address of a PT_SOFT entry that leads to no page of memory. */
#define PT_NO_ADDRESS (~0ULL)

/* At most this many levels in any format (AMD v1 has 6). */
enum { PT_MAX_LEVELS = 6 };

/* Entries of which (entry & mask) == value; mask 0: none. */
struct pt_mark {
	uint64_t mask;
	uint64_t value;
};

static inline bool pt_marked(const struct pt_mark *mark, uint64_t entry)
{
	return mark->mask && (entry & mark->mask) == mark->value;
}

/*
 * What Linux keeps in entries of a process's table that are not present. The numbers of special
 * swap types depend on the kernel's configuration (include/linux/swap.h): the first of each
 * kind; a kind ends where the next one begins, and may have none. Below hwpoison: swap files.
 */
struct pt_linux_types {
	bool used; /* false: the table is not a Linux process's, not present is just empty */
	uint8_t hwpoison;
	uint8_t migration;
	uint8_t device_private;
	uint8_t device_exclusive;
	uint8_t marker;
	uint8_t swapin_error;
};

enum { PT_LINUX_SWAP_TYPES = 32 }; /* 1 << MAX_SWAPFILES_SHIFT */

/* What KVM on arm64 keeps in stage-2 entries that are not valid: they map nothing. */
enum pt_annotations {
	PT_NO_ANNOTATIONS,
	PT_KVM_ARM64_OWNERS, /* up to 6.x: an owner's number in bits 9:2, bit 10: being changed */
	PT_KVM_ARM64_TYPES,  /* 7.x: enum kvm_invalid_pte_type in bits 63:60 */
};

/*
 * One table tree: a format with everything that its registers or descriptors
 * say about it. Set up by pt_geometry_init(); the format may then be asked.
 */
struct pt_geometry {
	const struct pt_format *format;
	uint64_t base;	     /* OR-ed into every input address (a TTBR1 half); usually 0 */
	uint64_t strip;	     /* encryption bits to clear from output and table addresses */
	uint8_t levels;	     /* depth of the tree; the top table is at level levels - 1 */
	uint8_t granule_lg2; /* log2 of the smallest page: 12, 14 or 16 */
	uint8_t input_bits;  /* width of an input address */
	uint8_t output_bits; /* width of an output address that the tables can hold */
	bool sign_extend;    /* input addresses are canonical: the top bit is repeated upwards */
	bool dirty_tracking; /* hardware keeps accessed and dirty state here */
	struct pt_linux_types linux_types; /* set by who knows: walkers/process.c */
	bool lpa2;			   /* Arm: 52-bit output addresses in 4K and 16K tables */
	uint32_t root_alignment;	   /* bytes; 0: that of an entry will do */
	uint8_t annotations;		   /* enum pt_annotations: for describe() only */
	/*
	 * What the owner of the tables means by bits that hardware ignores or faults on (KVM
	 * does): entries that are no mapping, whatever the format makes of them, and entries that
	 * it lets fault on every access although they are mappings.
	 */
	struct pt_mark empty;
	struct pt_mark tracked;
	/* VT-d first stage: hardware keeps bit 10, extended accessed (EAFE). */
	bool extended_accessed;
};

/* What a caller says about a bare table; 0 means the format's usual value. */
struct pt_parameters {
	uint8_t levels;
	uint8_t granule_lg2;
	uint8_t input_bits;
	uint8_t output_bits;
	int8_t start_level; /* as the Arm manual counts, with has_start_level */
	bool has_start_level;
	uint8_t concat; /* Arm stage 2: root tables in a row */
	uint64_t strip;
	bool sign_extend;
	bool dirty_tracking;
	bool extended_accessed;
	bool ttbr1;
	bool lpa2;
};

/* A run: consecutive entries of one block that say the same thing. */
struct pt_run {
	uint64_t address;   /* leaf: output address of the first item; table: the table's address;
			       PT_SOFT: as a leaf's, or PT_NO_ADDRESS */
	uint32_t attrs;	    /* bits of the format's attribute list */
	uint32_t index;	    /* first entry in the block */
	uint32_t count;	    /* entries */
	uint8_t kind;	    /* enum pt_kind */
	uint8_t perm;	    /* PT_R | PT_W | PT_X; of a leaf, before settle() */
	uint8_t size_lg2;   /* leaf: log2 of the bytes one item maps (its page size) */
	uint8_t next_level; /* table: level of the table that it points to */
	bool torn;	    /* leaf: other entries of its item differ; each stands for itself */
};

/* Enough for any block: 64 KiB tables have 8192 entries, and 16 of them can be one root. */
enum { PT_MAX_ENTRIES = 16 * 8192 };

/*
 * What ordinary entries of a table look like. An entry with none of the bits in `used` is empty.
 * An entry in use whose bits in `fixed` are those of `value` is a leaf of one entry's size, and
 * nothing is wrong with it. All others have to be decoded.
 */
struct pt_plain {
	uint64_t used;
	uint64_t fixed;
	uint64_t value;
};

struct pt_format {
	const char *name;	 /* as in root:FORMAT@... and the `format` column */
	const char *title;	 /* for people */
	const char *stage;	 /* `stage` column: "first", "second", "1", "2"; "" when n/a */
	bool controls_execution; /* perm has an x */
	/* Names of the attribute bits, bit 0 first, NULL-terminated, in alphabetical order. */
	const char *const *attribute_names;
	/* Attribute bits that hold only if every level on the way has them. */
	uint32_t attrs_and;
	/* Attribute bits that hold if any level on the way has them. */
	uint32_t attrs_or;
	/* Attribute bits shown only where the geometry has dirty_tracking. */
	uint32_t attrs_dirty;

	/* Fill in @geometry from @parameters; an error names the parameter that cannot be. */
	struct error *(*setup)(const struct pt_parameters *parameters,
			       struct pt_geometry *geometry);
	/*
	 * Decode @count entries of a block at @level, whose first entry is number @index, into
	 * @runs (room for @count); returns the number of runs. Runs come in order and cover
	 * every entry. Leaves join when attributes, permissions and size are equal and outputs
	 * are contiguous; a table is always a run of its own. Of an item of several entries a
	 * block has all, or it is a single entry, which is then taken at its word: the run has
	 * the item's size and first output address. When an item's entries do not agree, each is
	 * a leaf of one entry's size, `torn`.
	 */
	size_t (*decode)(const struct pt_geometry *geometry, unsigned int level,
			 const uint64_t *entries, unsigned int index, unsigned int count,
			 struct pt_run *runs);
	/*
	 * What ordinary entries of level 0 look like. Where the owner's marks (`empty`,
	 * `tracked`) count, none are: it is not asked.
	 */
	struct pt_plain (*plain)(const struct pt_geometry *geometry);
	/*
	 * What a leaf may do after all levels have been combined, where that depends on its
	 * attributes, too: takes permissions away from @perm. May be NULL.
	 */
	unsigned int (*settle)(uint32_t attrs, unsigned int perm);
	/* Say what one entry's bits are, in words, for people: `walk`. */
	void (*describe)(const struct pt_geometry *geometry, unsigned int level, uint64_t entry,
			 char *text, size_t size);
};

/* All formats, one row each. NULL-terminated. */
extern const struct pt_format *const pt_formats[];
extern const struct pt_format pt_format_amdv1;
extern const struct pt_format pt_format_ept;
extern const struct pt_format pt_format_lpae_s1;
extern const struct pt_format pt_format_lpae_s2;
extern const struct pt_format pt_format_vtd_fs;
extern const struct pt_format pt_format_vtd_ss;
extern const struct pt_format pt_format_x86_64;

/* pt_format_find() - by name; NULL when there is none. */
const struct pt_format *pt_format_find(const char *name);

/* pt_geometry_init() - a tree of @format; @parameters NULL means all usual. */
struct error *pt_geometry_init(const struct pt_format *format,
			       const struct pt_parameters *parameters, struct pt_geometry *ret);

/* log2 of the entries in a table at @level (a top table may be smaller or larger). */
unsigned int pt_table_lg2(const struct pt_geometry *geometry, unsigned int level);
/* log2 of the bytes of input that one entry at @level covers. */
unsigned int pt_entry_lg2(const struct pt_geometry *geometry, unsigned int level);
/* The last input address, without base or sign extension: 2^input_bits - 1. */
uint64_t pt_last_address(const struct pt_geometry *geometry);

/* pt_inherit() - give @run, found in the table that @table leads to, what that level adds. */
void pt_inherit(const struct pt_geometry *geometry, const struct pt_run *table, struct pt_run *run);

/*
 * Input addresses as the tables count them (from 0) and as people see them
 * (canonical, or in the TTBR1 half). pt_address_to_table() is false for one that
 * cannot be an input of this tree.
 */
uint64_t pt_address_to_user(const struct pt_geometry *geometry, uint64_t table_address);
bool pt_address_to_table(const struct pt_geometry *geometry, uint64_t address, uint64_t *ret);

/* pt_attributes_text() - names of @attrs joined by '|', sorted; @size bytes at @text. */
void pt_attributes_text(const struct pt_geometry *geometry, uint32_t attrs, char *text,
			size_t size);
/* pt_permission_text() - "rw-" and so on; @text has room for 4 bytes. */
void pt_permission_text(unsigned int perm, char text[4]);

/* Address mask of bits @high down to @low. */
static inline uint64_t pt_bits(unsigned int high, unsigned int low)
{
	return (~0ULL >> (63 - high)) & (~0ULL << low);
}

static inline uint64_t pt_field(uint64_t value, unsigned int high, unsigned int low)
{
	return (value & pt_bits(high, low)) >> low;
}

#endif
