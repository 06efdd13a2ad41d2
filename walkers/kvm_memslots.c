// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The memslots of a virtual machine: where in its process each range of its memory is.
 *
 * Linux: include/linux/kvm_host.h (struct kvm, kvm_memslots, kvm_memory_slot), the same on every
 * architecture; uapi/linux/kvm.h (KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY).
 */
#include "walkers/kvm_memslots.h"

#include <inttypes.h>
#include <stdlib.h>

#include "target/containers.h"
#include "target/error.h"
#include "target/kernel.h"
#include "walkers/inventory.h"

enum field {
	KVM_MEMSLOTS,
	SLOTS_TREE, /* since 5.17: a red-black tree, */
	SLOTS_INDEX,
	SLOTS_ARRAY, /* before: an array sorted by descending gfn */
	SLOTS_USED,
	SLOT_SIZE,
	SLOT_NODE,
	SLOT_GFN,
	SLOT_PAGES,
	SLOT_HVA,
	SLOT_FLAGS,
	SLOT_ID,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[KVM_MEMSLOTS] = { "kvm", "memslots", NULL },
	[SLOTS_TREE] = { "kvm_memslots", "gfn_tree", NULL },
	[SLOTS_INDEX] = { "kvm_memslots", "node_idx", NULL },
	[SLOTS_ARRAY] = { "kvm_memslots", "memslots", NULL },
	[SLOTS_USED] = { "kvm_memslots", "used_slots", NULL },
	[SLOT_SIZE] = { "kvm_memory_slot", NULL, NULL },
	[SLOT_NODE] = { "kvm_memory_slot", "gfn_node", NULL },
	[SLOT_GFN] = { "kvm_memory_slot", "base_gfn", NULL },
	[SLOT_PAGES] = { "kvm_memory_slot", "npages", NULL },
	[SLOT_HVA] = { "kvm_memory_slot", "userspace_addr", NULL },
	[SLOT_FLAGS] = { "kvm_memory_slot", "flags", NULL },
	[SLOT_ID] = { "kvm_memory_slot", "id", NULL },
};

enum { SLOTS_MAX = 1 << 16 /* KVM_MEM_SLOTS_NUM is 32767 */ };

/* Where slots go while they are read. */
struct slot_reader {
	struct kernel *kernel;
	struct space *space;
	unsigned int page_shift;
	uint64_t node_offset;
	struct member members[FIELDS];
};

static struct error *get(const struct slot_reader *reader, uint64_t base, enum field field,
			 uint64_t *ret)
{
	return kernel_get(reader->kernel, base, &reader->members[field], ret);
}

static struct error *add_slot(struct space *space, const struct memslot *slot)
{
	struct memslot *larger =
		realloc(space->memslots, (space->memslot_count + 1) * sizeof(*larger));

	if (!larger)
		return error_no_memory();
	space->memslots = larger;
	space->memslots[space->memslot_count++] = *slot;
	return NULL;
}

static struct error *read_slot(const struct slot_reader *reader, uint64_t address)
{
	enum { FLAG_DIRTY_LOG = 1, FLAG_READ_ONLY = 2 };
	static const enum field wanted[] = { SLOT_GFN, SLOT_PAGES, SLOT_HVA, SLOT_FLAGS, SLOT_ID };
	uint64_t value[sizeof(wanted) / sizeof(wanted[0])] = { 0 };
	struct error *err = NULL;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]) && !err; i++)
		err = get(reader, address, wanted[i], &value[i]);
	if (err)
		return err;
	if (value[1] == 0)
		return NULL;
	const struct memslot slot = {
		.start = value[0] << reader->page_shift,
		.last = ((value[0] + value[1]) << reader->page_shift) - 1,
		.hva = value[2],
		.id = (uint32_t)(value[4] & 0xffff),
		.dirty_log = value[3] & FLAG_DIRTY_LOG,
		.read_only = value[3] & FLAG_READ_ONLY,
	};
	return add_slot(reader->space, &slot);
}

static struct error *visit_slot(void *arg, uint64_t node)
{
	const struct slot_reader *reader = arg;

	return read_slot(reader, node - reader->node_offset);
}

/* Before 5.17: an array, the highest address first. */
static struct error *read_slot_array(const struct slot_reader *reader, uint64_t slots)
{
	uint64_t used = 0;
	struct error *err = get(reader, slots, SLOTS_USED, &used);

	if (!err && used > SLOTS_MAX)
		err = error_new("%" PRIu64 " memslots cannot be", used);
	for (uint64_t i = used; i-- > 0 && !err;)
		err = read_slot(reader, slots + reader->members[SLOTS_ARRAY].offset +
						i * reader->members[SLOT_SIZE].size);
	return err;
}

struct error *kvm_memslots_read(struct kernel *kernel, uint64_t kvm, unsigned int address_space,
				unsigned int page_shift, struct space *space)
{
	struct slot_reader reader = { .kernel = kernel, .space = space, .page_shift = page_shift };
	const struct member *sets = &reader.members[KVM_MEMSLOTS];
	const struct member *node = &reader.members[SLOT_NODE];
	uint64_t slots = 0;
	uint64_t index = 0;
	struct error *err = kernel_resolve(kernel, fields, reader.members, FIELDS);

	if (err || !sets->present || address_space >= sets->size / sizeof(uint64_t))
		return err;
	err = kernel_read(kernel, kvm + sets->offset + (uint64_t)address_space * sizeof(uint64_t),
			  &slots, sizeof(slots));
	if (err || !reader.members[SLOTS_TREE].present)
		return err ? err : read_slot_array(&reader, slots);
	err = get(&reader, slots, SLOTS_INDEX, &index);
	if (!err && index > 1)
		err = error_new("node_idx of its memslots is %" PRIu64, index);
	if (err)
		return err;
	reader.node_offset = node->offset + index * (node->size / 2);
	return rb_for_each(kernel, slots + reader.members[SLOTS_TREE].offset, visit_slot, &reader);
}
