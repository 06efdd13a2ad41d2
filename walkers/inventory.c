// SPDX-License-Identifier: GPL-3.0-or-later
#include "walkers/inventory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"
#include "walkers/vfio.h"

/* A new family is one new file and one row here. */
const struct walker *const walkers[] = {
	&walker_amd,	 &walker_intel, &walker_smmu_v2, &walker_smmu_v3, &walker_kvm_arm64,
	&walker_kvm_x86, NULL,
};

/* Append @object to a growing array of pointers; on failure the caller keeps @object. */
static struct error *append(void ***array, size_t *count, void *object)
{
	/* Grow at powers of two. */
	if ((*count & (*count - 1)) == 0) {
		size_t room = *count ? *count * 2 : 1;
		void **larger = realloc(*array, room * sizeof(void *));

		if (!larger)
			return error_no_memory();
		*array = larger;
	}
	(*array)[(*count)++] = object;
	return NULL;
}

static struct error *add_object(void ***array, size_t *count, size_t size, void **ret)
{
	void *object = calloc(1, size);

	if (!object)
		return error_no_memory();
	struct error *err = append(array, count, object);
	if (err) {
		free(object);
		return err;
	}
	*ret = object;
	return NULL;
}

struct error *inventory_add_unit(struct inventory *inventory, struct unit **ret)
{
	return add_object((void ***)&inventory->units, &inventory->unit_count, sizeof(**ret),
			  (void **)ret);
}

struct error *inventory_add_device(struct inventory *inventory, struct device **ret)
{
	struct error *err = add_object((void ***)&inventory->devices, &inventory->device_count,
				       sizeof(**ret), (void **)ret);

	if (!err) {
		(*ret)->group = -1;
		(*ret)->user.pid = -1;
	}
	return err;
}

struct error *inventory_add_space(struct inventory *inventory, struct space **ret)
{
	struct error *err = add_object((void ***)&inventory->spaces, &inventory->space_count,
				       sizeof(**ret), (void **)ret);

	if (!err) {
		/* Until a walker says what it is, which it may not come to. */
		space_set_mode(*ret, SPACE_UNKNOWN, "could not be read");
		(*ret)->domain_id = -1;
		(*ret)->pid = -1;
	}
	return err;
}

bool space_same_table(const struct space *a, const struct space *b)
{
	const struct pt_geometry *x = &a->tree.geometry;
	const struct pt_geometry *y = &b->tree.geometry;

	return a->mode == SPACE_TABLE && b->mode == SPACE_TABLE && a->memory == b->memory &&
	       a->tree.root == b->tree.root && x->format == y->format && x->levels == y->levels &&
	       x->strip == y->strip && x->base == y->base;
}

struct error *space_add_device(struct space *space, const struct device *device)
{
	return append((void ***)&space->devices, &space->device_count, (void *)device);
}

struct error *space_add_id(struct space *space, const struct unit *unit, int64_t id)
{
	struct space_id *larger = realloc(space->ids, (space->id_count + 1) * sizeof(*larger));

	if (!larger)
		return error_no_memory();
	space->ids = larger;
	space->ids[space->id_count++] = (struct space_id){ unit, id };
	return NULL;
}

struct error *inventory_add_hw_space(struct inventory *inventory, const struct unit *unit,
				     const struct device *device, const char *kind,
				     struct space **ret)
{
	struct error *err = inventory_add_space(inventory, ret);

	if (err)
		return err;
	struct space *space = *ret;
	snprintf(space->name, sizeof(space->name), "%s", device->name);
	space->kind = kind;
	space->view = VIEW_HW;
	space->unit = unit;
	return space_add_device(space, device);
}

struct error *inventory_add_requester(struct inventory *inventory, const struct unit *unit,
				      uint16_t rid, const struct device *original,
				      struct device **ret)
{
	struct error *err = inventory_add_device(inventory, ret);

	if (err)
		return err;
	struct device *device = *ret;
	device->is_pci = true;
	device->segment = unit->segment;
	device->rid = rid;
	device->has_dma_rid = true;
	device->dma_segment = device->segment;
	device->dma_rid = rid;
	device->unit = unit;
	device_pci_name(device->segment, rid, device->name, sizeof(device->name));
	if (original) {
		snprintf(device->alias_of, sizeof(device->alias_of), "%s", original->name);
		device->group = original->group;
		device->domain = original->domain;
		device->owned_by_user = original->owned_by_user;
		device->user = original->user;
	}
	return NULL;
}

struct space_step *space_add_step(struct space *space, const char *level, uint64_t table,
				  unsigned int index, const uint64_t *words, unsigned int count)
{
	struct space_step *step = &space->steps[space->step_count++];

	step->level = level;
	step->table = table;
	step->index = index;
	step->entry_addr = table + (uint64_t)index * count * sizeof(*words);
	step->word_count = count;
	memcpy(step->words, words, count * sizeof(*words));
	return step;
}

void tree_add_witness(struct kernel *kernel, struct pt_tree *tree, uint64_t address,
		      const uint64_t *words, unsigned int count)
{
	uint64_t phys = 0;

	if (kernel_memory(kernel)->live && kernel_to_phys(kernel, address, &phys))
		pt_add_witness(tree, phys, words, count);
}

void space_set_mode(struct space *space, enum space_mode mode, const char *format, ...)
{
	va_list args;

	space->mode = mode;
	va_start(args, format);
	vsnprintf(space->reason, sizeof(space->reason), format, args);
	va_end(args);
}

void unit_add_part(struct unit *unit, const char *name, uint64_t bytes)
{
	size_t i = 0;

	while (i < unit->part_count && strcmp(unit->parts[i].name, name) != 0)
		i++;
	if (i == UNIT_PARTS_MAX)
		return;
	unit->parts[i].name = name;
	unit->parts[i].bytes += bytes;
	if (i == unit->part_count)
		unit->part_count++;
}

struct error *inventory_warn(struct inventory *inventory, struct error *err, const char *where)
{
	char *line = NULL;

	if (!err || err == &error_out_of_memory)
		return err;
	if (asprintf(&line, "%s: %s", where, err->message) < 0)
		line = NULL;
	error_free(err);
	if (!line)
		return error_no_memory();
	err = append((void ***)&inventory->warnings, &inventory->warning_count, line);
	if (err)
		free(line);
	return err;
}

struct device *inventory_find_rid(const struct inventory *inventory, uint32_t segment, uint16_t rid,
				  bool *alias)
{
	struct device *found = NULL;

	*alias = false;
	for (size_t i = 0; i < inventory->device_count; i++) {
		struct device *device = inventory->devices[i];

		if (!device->has_dma_rid || device->dma_segment != segment)
			continue;
		if (device->dma_rid == rid) {
			*alias = false;
			return device;
		}
		for (size_t j = 0; j < device->alias_count && !found; j++) {
			if (device->alias_rids[j] == rid)
				found = device;
		}
	}
	*alias = found != NULL;
	return found;
}

void device_pci_name(uint32_t segment, uint16_t rid, char *name, size_t size)
{
	snprintf(name, size, "%04x:%02x:%02x.%x", segment, rid >> 8, (rid >> 3) & 0x1f, rid & 7);
}

/* The entries by which hardware finds the root are what says that it is in use. */
static void witness_steps(struct space *space)
{
	for (unsigned int i = 0; i < space->step_count; i++) {
		const struct space_step *step = &space->steps[i];

		pt_add_witness(&space->tree, step->entry_addr, step->words, step->word_count);
	}
}

static struct error *discover(struct kernel *kernel, struct inventory **ret)
{
	struct inventory *inventory = calloc(1, sizeof(*inventory));

	if (!inventory)
		return error_no_memory();
	struct error *err = devices_discover(kernel, inventory);
	if (!err)
		err = vfio_discover(kernel, inventory);
	for (const struct walker *const *walker = walkers; *walker && !err; walker++)
		err = (*walker)->discover(kernel, inventory);
	if (err) {
		inventory_destroy(inventory);
		return err;
	}
	/* A guest's own tables are in no physical memory, in which witnesses are. */
	for (size_t i = 0; i < inventory->space_count && kernel_memory(kernel)->live; i++) {
		if (!inventory->spaces[i]->memory)
			witness_steps(inventory->spaces[i]);
	}
	*ret = inventory;
	return NULL;
}

static bool same_space(const struct space *a, const struct space *b)
{
	return strcmp(a->name, b->name) == 0 && a->view == b->view && a->mode == b->mode &&
	       a->domain == b->domain && a->object == b->object && a->mm == b->mm &&
	       a->device_count == b->device_count && a->tree.root == b->tree.root &&
	       a->tree.geometry.format == b->tree.geometry.format &&
	       a->tree.geometry.levels == b->tree.geometry.levels;
}

static bool same_device(const struct device *a, const struct device *b)
{
	return strcmp(a->name, b->name) == 0 && a->address == b->address && a->group == b->group &&
	       a->domain == b->domain && strcmp(a->driver, b->driver) == 0 &&
	       a->user.mm == b->user.mm;
}

static bool same_inventory(const struct inventory *a, const struct inventory *b)
{
	if (a->unit_count != b->unit_count || a->device_count != b->device_count ||
	    a->space_count != b->space_count || a->warning_count != b->warning_count)
		return false;
	for (size_t i = 0; i < a->device_count; i++) {
		if (!same_device(a->devices[i], b->devices[i]))
			return false;
	}
	for (size_t i = 0; i < a->space_count; i++) {
		if (!same_space(a->spaces[i], b->spaces[i]))
			return false;
	}
	return true;
}

/* What is torn is not seen twice in the same way. */
static struct error *discover_live(struct kernel *kernel, struct inventory **ret)
{
	enum { LOOKS = 10 };
	struct inventory *before = NULL;
	struct error *err = NULL;

	for (int looks = 0; looks < LOOKS; looks++) {
		struct inventory *now = NULL;

		error_free(err);
		kernel_forget_pages(kernel);
		err = discover(kernel, &now);
		const bool agree = before && now && same_inventory(before, now);
		if (now) {
			inventory_destroy(before);
			before = now;
		}
		if (agree) {
			*ret = now;
			return NULL;
		}
		kernel_memory(kernel)->reread += looks > 0;
	}
	if (!before)
		return err;
	error_free(err);
	*ret = before;
	return inventory_warn(before,
			      error_new("IOMMU units, devices and spaces changed at each of %d "
					"looks: what is said of them may be mixed",
					LOOKS),
			      "live kernel");
}

struct error *inventory_create(struct kernel *kernel, struct inventory **ret)
{
	return kernel_memory(kernel)->live ? discover_live(kernel, ret) : discover(kernel, ret);
}

void inventory_destroy(struct inventory *inventory)
{
	if (!inventory)
		return;
	for (size_t i = 0; i < inventory->unit_count; i++)
		free(inventory->units[i]);
	for (size_t i = 0; i < inventory->device_count; i++) {
		free(inventory->devices[i]->alias_rids);
		free(inventory->devices[i]);
	}
	for (size_t i = 0; i < inventory->space_count; i++) {
		free(inventory->spaces[i]->devices);
		free(inventory->spaces[i]->memslots);
		free(inventory->spaces[i]->ids);
		memory_close(inventory->spaces[i]->memory);
		free(inventory->spaces[i]);
	}
	for (size_t i = 0; i < inventory->warning_count; i++)
		free(inventory->warnings[i]);
	free(inventory->units);
	free(inventory->devices);
	free(inventory->spaces);
	free(inventory->warnings);
	free(inventory);
}
