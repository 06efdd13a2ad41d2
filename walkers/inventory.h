/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a host has: IOMMU units, devices, and address spaces with their owners.
 *
 * Each family (intel, ...) is one file with a struct walker; it adds what it
 * finds to one inventory. An inventory owns everything in it.
 */
#ifndef IOMMUPT_INVENTORY_H
#define IOMMUPT_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "walkers/engine.h"

struct error;
struct kernel;
struct inventory;

enum space_view { VIEW_HW, VIEW_SW };

/* How a space translates. */
enum space_mode {
	SPACE_TABLE,	   /* by a page table: tree is valid */
	SPACE_PASSTHROUGH, /* every address is its own translation */
	SPACE_BLOCKED,	   /* nothing is translated; by hardware also where a value is reserved */
	SPACE_UNKNOWN,	   /* could not be read; `reason` says why */
};

enum { NAME_BYTES = 64, STEP_WORDS = 8 };

/* One entry met on the way to a space's root: root entry, context entry, ... */
struct space_step {
	const char *level; /* "root", "context", "pasid-dir", "pasid", "dte", "gcr3": the column */
	uint64_t table;	   /* physical address of the structure that holds the entry */
	uint64_t entry_addr;
	uint64_t words[STEP_WORDS];
	unsigned int word_count;
	unsigned int index;
	char meaning[256];
};

enum { SPACE_STEPS_MAX = 4 };

/* Memory that a unit's driver has for other than page tables: root table, queues, ... */
struct unit_part {
	const char *name; /* "context", "irq-remap" */
	uint64_t bytes;
};

enum { UNIT_PARTS_MAX = 12 };

struct unit {
	char name[NAME_BYTES];	 /* "dmar0" */
	char driver[NAME_BYTES]; /* "intel-iommu" */
	char mode[NAME_BYTES];	 /* "legacy", "scalable"; "off" when it does not translate */
	uint64_t root;		 /* physical address of its top hardware structure */
	uint64_t address;	 /* kernel virtual address of its struct iommu_device */
	uint32_t segment;
	bool translating;
	struct unit_part parts[UNIT_PARTS_MAX];
	size_t part_count;
};

/* The user of a device whose DMA belongs to user space: walkers/vfio.c. */
struct dma_user {
	uint64_t vfio_group; /* struct vfio_group; 0: not VFIO, or not known */
	uint64_t container;  /* struct vfio_container; 0 */
	uint64_t mm;	     /* struct mm_struct whose memory is mapped; 0: not known */
	int64_t pid;	     /* of its process; -1 */
	char comm[NAME_BYTES];
};

/* A device known to the kernel, or a requester that only hardware tables know. */
struct device {
	char name[NAME_BYTES];	 /* 0000:00:04.0, or the kernel's name of a non-PCI device */
	char driver[NAME_BYTES]; /* bound driver; "" */
	uint32_t segment;
	uint16_t rid; /* bus << 8 | devfn, by which people know it */
	/* What its DMA carries, where that differs: a VMD child's is VMD's. */
	uint32_t dma_segment;
	uint16_t dma_rid;
	bool has_dma_rid; /* a non-PCI device may have one, too */
	bool is_pci;
	int group;		   /* number; -1 when it has none */
	uint64_t address;	   /* struct device; 0 when only hardware tables know it */
	uint64_t pci_address;	   /* struct pci_dev; 0 */
	uint64_t iommu_data;	   /* dev_iommu.priv: the driver's own structure; 0 */
	uint64_t domain;	   /* iommu_group.domain: struct iommu_domain; 0 */
	uint64_t default_domain;   /* iommu_group.default_domain, kept while a user owns it; 0 */
	uint64_t iommu_device;	   /* dev_iommu.iommu_dev: its unit's struct iommu_device; 0 */
	const struct unit *unit;   /* NULL when no IOMMU is in charge */
	char alias_of[NAME_BYTES]; /* requester that stands for another device; "" */
	uint16_t *alias_rids;	   /* further requester IDs that this device's DMA may carry */
	size_t alias_count;
	uint64_t group_address; /* struct iommu_group; 0 */
	uint64_t dma_owner;	/* iommu_group.owner: a struct vfio_group, iommufd_ctx, ...; 0 */
	bool owned_by_user;	/* DMA ownership: VFIO or iommufd */
	struct dma_user user;
	bool ats_capable, ats_enabled;
	bool pri_capable, pri_enabled;
	bool pasid_capable, pasid_enabled;
};

/* A range of a virtual machine's memory and where its process has it. */
struct memslot {
	uint64_t start; /* guest-physical */
	uint64_t last;
	uint64_t hva; /* of start, in the process */
	uint32_t id;
	bool read_only;
	bool dirty_log;
};

/* The id under which a unit's caches keep a domain's translations, as the kernel remembers it. */
struct space_id {
	const struct unit *unit;
	int64_t id;
};

struct space {
	char name[NAME_BYTES]; /* the `space` column; accepted as a TARGET */
	const char *kind;      /* "device", "pasid", "domain", "vm", "process", "root" */
	enum space_view view;
	enum space_mode mode;
	struct pt_tree tree; /* of SPACE_TABLE; geometry also of SPACE_PASSTHROUGH's width */
	uint64_t domain;     /* struct iommu_domain, when known; 0 */
	bool root_uncounted; /* NR_SECONDARY_PAGETABLE leaves the root out: KVM's TDP MMU */
	uint64_t object;     /* the driver's structure around it, when known; 0 */
	/*
	 * Nested translation is two spaces, one after the other: stage 1 maps to addresses of a
	 * guest, where its own tables lie too; stage 2 maps these to physical ones. 0: not nested.
	 */
	uint8_t nesting;
	/* Of stage 1: the guest's memory, owned; else NULL. See space_memory(). */
	struct memory *memory;
	uint32_t pasid; /* of kind "pasid" */
	bool has_pasid;
	int64_t domain_id;     /* DID in hardware; -1 */
	uint64_t mm;	       /* struct mm_struct whose memory it maps, of VMs and processes; 0 */
	int64_t pid;	       /* of the process, or of the VM's process; -1 */
	char comm[NAME_BYTES]; /* its command name; "" */
	const struct unit *unit;
	const char *stage;     /* `stage` column, where it is not the format's own; NULL */
	char words[256];       /* further words for the `owner` column; "" */
	char type[NAME_BYTES]; /* domain type in words: "dma", "unmanaged", ...; "" */
	char reason[160];      /* of SPACE_UNKNOWN and SPACE_BLOCKED */
	struct space_step steps[SPACE_STEPS_MAX];
	unsigned int step_count;
	const struct device **devices;
	size_t device_count;
	struct memslot *memslots; /* of kind "vm", in ascending order */
	size_t memslot_count;
	struct space_id *ids; /* of a domain, one a unit, where the kernel keeps them */
	size_t id_count;
};

struct inventory {
	struct unit **units;
	size_t unit_count;
	struct device **devices;
	size_t device_count;
	struct space **spaces;
	size_t space_count;
	/* What could not be read, a line each: reported, never a silent gap. */
	char **warnings;
	size_t warning_count;
};

struct walker {
	const char *name;
	/*
	 * Add what this family knows. A kernel or host without the family is no error. Devices
	 * are in the inventory already (walkers/devices.c).
	 */
	struct error *(*discover)(struct kernel *kernel, struct inventory *inventory);
};

/* All families, one row each. NULL-terminated. */
extern const struct walker *const walkers[];
extern const struct walker walker_amd;
extern const struct walker walker_intel;
extern const struct walker walker_smmu_v3;
extern const struct walker walker_kvm_x86;
extern const struct walker walker_kvm_arm64;
extern const struct walker walker_smmu_v2;

/*
 * inventory_create() - everything that can be found in @kernel. A live one is looked at until two
 * looks in a row agree; a warning says where they never did.
 */
struct error *inventory_create(struct kernel *kernel, struct inventory **ret);
void inventory_destroy(struct inventory *inventory);

/* Additions; the objects belong to the inventory and do not move. */
struct error *inventory_add_unit(struct inventory *inventory, struct unit **ret);
struct error *inventory_add_device(struct inventory *inventory, struct device **ret);
struct error *inventory_add_space(struct inventory *inventory, struct space **ret);

/* space_same_table() - would hardware read the same entries for both, in the same way? */
bool space_same_table(const struct space *a, const struct space *b);

/* space_memory() - in which the tables of @space lie: usually @physical. */
static inline struct memory *space_memory(const struct space *space, struct memory *physical)
{
	return space->memory ? space->memory : physical;
}

struct error *space_add_device(struct space *space, const struct device *device);
/* space_add_id() - the kernel's domain has @id in @unit. */
struct error *space_add_id(struct space *space, const struct unit *unit, int64_t id);

/* inventory_add_hw_space() - what hardware has for @device: a space of its name and unit. */
struct error *inventory_add_hw_space(struct inventory *inventory, const struct unit *unit,
				     const struct device *device, const char *kind,
				     struct space **ret);

/*
 * inventory_add_requester() - a requester ID that has an entry in @unit's tables but no struct
 * device of its own; @original is the device that it stands for, or NULL.
 */
struct error *inventory_add_requester(struct inventory *inventory, const struct unit *unit,
				      uint16_t rid, const struct device *original,
				      struct device **ret);

/*
 * space_add_step() - the next entry on the way to the root of @space: number @index of the
 * structure at @table, of @count words. The caller fills in its `meaning`.
 */
struct space_step *space_add_step(struct space *space, const char *level, uint64_t table,
				  unsigned int index, const uint64_t *words, unsigned int count);

/*
 * tree_add_witness() - @count words at kernel @address, read when @tree was found, that will change
 * before its tables are freed. Of a live kernel only; else nothing is done.
 */
void tree_add_witness(struct kernel *kernel, struct pt_tree *tree, uint64_t address,
		      const uint64_t *words, unsigned int count);

/* space_set_mode() - how @space translates, and why, in words. */
void space_set_mode(struct space *space, enum space_mode mode, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* unit_add_part() - @bytes more of the part called @name, a string literal. */
void unit_add_part(struct unit *unit, const char *name, uint64_t bytes);

/* inventory_warn() - record what could not be read. Consumes @err; takes NULL. */
struct error *inventory_warn(struct inventory *inventory, struct error *err, const char *where);

/* The device whose DMA carries this requester ID, an alias included (*alias says so); NULL if none.
 */
struct device *inventory_find_rid(const struct inventory *inventory, uint32_t segment, uint16_t rid,
				  bool *alias);

/* device_add_alias() - another requester ID that the DMA of @device may carry; once each. */
struct error *device_add_alias(struct device *device, uint16_t rid);

/* device_name() - 0000:00:04.0 of a PCI requester ID. */
void device_pci_name(uint32_t segment, uint16_t rid, char *name, size_t size);

/* devices_discover() - IOMMU groups and their devices, for all families. */
struct error *devices_discover(struct kernel *kernel, struct inventory *inventory);

#endif
