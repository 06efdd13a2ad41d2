// SPDX-License-Identifier: GPL-3.0-or-later
/* Rules that hold what hardware's entries say against what the kernel believes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/check.h"
#include "reports/session.h"
#include "target/error.h"

static const char *mode_text(enum space_mode mode)
{
	static const char *const texts[] = {
		[SPACE_TABLE] = "translates by a table",
		[SPACE_PASSTHROUGH] = "passes through",
		[SPACE_BLOCKED] = "blocks",
		[SPACE_UNKNOWN] = "is not known",
	};

	return texts[mode];
}

/* The kernel's space for a device: its group's domain. */
static const struct space *software_space(const struct inventory *inventory,
					  const struct device *device)
{
	for (size_t i = 0; i < inventory->space_count && device->domain; i++) {
		const struct space *space = inventory->spaces[i];

		if (space->view == VIEW_SW && space->domain == device->domain)
			return space;
	}
	return NULL;
}

/* The entry that decided: the last one on the way to the root. */
static uint64_t deciding_entry(const struct space *space, uint64_t *value)
{
	if (space->step_count == 0) {
		*value = 0;
		return 0;
	}
	const struct space_step *step = &space->steps[space->step_count - 1];
	*value = step->words[0];
	return step->entry_addr;
}

static struct error *report(struct checker *checker, enum rule rule, const struct space *hw,
			    const char *what, const struct space *sw)
{
	uint64_t value = 0;
	const uint64_t entry = deciding_entry(hw, &value);
	const struct finding finding = {
		.rule = rule,
		.space = hw->name,
		.phys = entry,
		.has_phys = entry != 0,
	};

	return check_report(checker, &finding,
			    "%s; hardware's entry at 0x%" PRIx64 " (0x%" PRIx64
			    ") %s%s%s, root 0x%" PRIx64 "; %s (%s) %s, root 0x%" PRIx64,
			    what, entry, value, mode_text(hw->mode),
			    hw->mode == SPACE_BLOCKED ? ": " : "",
			    hw->mode == SPACE_BLOCKED ? hw->reason : "",
			    hw->mode == SPACE_TABLE ? hw->tree.root : 0, sw->name,
			    sw->type[0] ? sw->type : sw->kind, mode_text(sw->mode),
			    sw->mode == SPACE_TABLE ? sw->tree.root : 0);
}

/*
 * Where a unit has fewer levels than the domain, the driver up to 6.18 programs the table that
 * entry 0 of the top one leads to (drivers/iommu/intel/iommu.c: iommu_skip_agaw()); AMD's hardware
 * may be one level behind a domain that has just grown.
 */
static bool root_is_below(struct checker *checker, const struct space *hw, const struct space *sw)
{
	const struct pt_geometry *geometry = &sw->tree.geometry;
	struct pt_step steps[PT_MAX_LEVELS];
	const size_t count =
		pt_translate(&sw->tree, checker->memory, pt_address_to_user(geometry, 0), steps);

	for (size_t i = 0; i < count; i++) {
		if (steps[i].table == hw->tree.root &&
		    steps[i].level + 1U == hw->tree.geometry.levels)
			return true;
	}
	return false;
}

/* The id that hardware caches by must be the one that the kernel flushes. */
static struct error *compare_ids(struct checker *checker, const struct space *hw,
				 const struct space *sw)
{
	for (size_t i = 0; i < sw->id_count && hw->domain_id >= 0; i++) {
		char what[80];

		if (sw->ids[i].unit != hw->unit)
			continue;
		checker->counts[RULE_HW_DOMAIN_ID].looked++;
		if (sw->ids[i].id == hw->domain_id)
			return NULL;
		snprintf(what, sizeof(what), "hardware has id %" PRId64 ", the kernel %" PRId64,
			 hw->domain_id, sw->ids[i].id);
		return report(checker, RULE_HW_DOMAIN_ID, hw, what, sw);
	}
	return NULL;
}

static struct error *compare_tables(struct checker *checker, const struct space *hw,
				    const struct space *sw)
{
	checker->counts[RULE_HW_FORMAT].looked++;
	checker->counts[RULE_HW_ROOT].looked++;
	checker->counts[RULE_HW_LEVELS].looked++;
	if (hw->tree.geometry.format != sw->tree.geometry.format)
		return report(checker, RULE_HW_FORMAT, hw, "format differs", sw);
	if (hw->tree.root != sw->tree.root)
		return root_is_below(checker, hw, sw)
			       ? NULL
			       : report(checker, RULE_HW_ROOT, hw, "root differs", sw);
	if (hw->tree.geometry.levels != sw->tree.geometry.levels ||
	    hw->tree.geometry.granule_lg2 != sw->tree.geometry.granule_lg2)
		return report(checker, RULE_HW_LEVELS, hw, "levels differ", sw);
	return NULL;
}

static struct error *compare(struct checker *checker, const struct space *hw,
			     const struct space *sw)
{
	checker->counts[RULE_HW_MODE].looked++;
	if (hw->mode == SPACE_UNKNOWN || sw->mode == SPACE_UNKNOWN) {
		for (unsigned int rule = RULE_HW_MODE; rule <= RULE_HW_DOMAIN_ID; rule++)
			checker->counts[rule].unknown++;
		return NULL;
	}
	if (hw->mode != sw->mode)
		return report(checker, RULE_HW_MODE, hw, "they do not agree", sw);
	if (hw->mode != SPACE_TABLE)
		return NULL;
	struct error *err = compare_ids(checker, hw, sw);
	return err ? err : compare_tables(checker, hw, sw);
}

static bool is_alias(const struct device *device)
{
	return device->alias_of[0] != '\0';
}

/* A requester that only hardware's tables know, and that stands for no device. */
static bool is_stale(const struct device *device)
{
	return device->address == 0 && !is_alias(device);
}

static const struct space *hardware_space(const struct inventory *inventory, const char *device)
{
	for (size_t i = 0; i < inventory->space_count; i++) {
		const struct space *space = inventory->spaces[i];

		if (space->view == VIEW_HW && strcmp(space->kind, "device") == 0 &&
		    strcmp(space->name, device) == 0)
			return space;
	}
	return NULL;
}

static struct error *check_alias(struct checker *checker, const struct space *space,
				 const struct device *device)
{
	const struct space *original = hardware_space(checker->inventory, device->alias_of);

	if (!original)
		return NULL;
	checker->counts[RULE_ALIAS_DIFFERS].looked++;
	if (space->mode == original->mode &&
	    (space->mode != SPACE_TABLE ||
	     (space->tree.root == original->tree.root &&
	      space->tree.geometry.levels == original->tree.geometry.levels)))
		return NULL;
	return report(checker, RULE_ALIAS_DIFFERS, space, "the alias differs from its device",
		      original);
}

static struct error *check_stale(struct checker *checker, const struct space *space)
{
	uint64_t value = 0;
	const uint64_t entry = deciding_entry(space, &value);
	const struct finding finding = {
		.rule = RULE_STALE_REQUESTER,
		.space = space->name,
		.phys = entry,
		.has_phys = entry != 0,
	};

	return check_report(checker, &finding,
			    "the entry at 0x%" PRIx64 " (0x%" PRIx64 ") %s, root 0x%" PRIx64
			    "; the kernel has no such device",
			    entry, value, mode_text(space->mode),
			    space->mode == SPACE_TABLE ? space->tree.root : 0);
}

static struct error *check_space(struct checker *checker, const struct space *space)
{
	const struct device *device = space->device_count ? space->devices[0] : NULL;
	struct error *err = NULL;

	if (!device || strcmp(space->kind, "device") != 0)
		return NULL;
	checker->counts[RULE_STALE_REQUESTER].looked++;
	if (is_stale(device))
		return space->mode == SPACE_BLOCKED ? NULL : check_stale(checker, space);
	if (is_alias(device))
		err = check_alias(checker, space, device);
	const struct space *software = software_space(checker->inventory, device);
	return err || !software ? err : compare(checker, space, software);
}

/* Two tables of one unit that hardware caches under one id. */
static struct error *check_id(struct checker *checker, size_t number)
{
	const struct inventory *inventory = checker->inventory;
	const struct space *space = inventory->spaces[number];

	if (space->view != VIEW_HW || space->mode != SPACE_TABLE || space->domain_id < 0 ||
	    strcmp(space->kind, "device") != 0)
		return NULL;
	checker->counts[RULE_DOMAIN_ID_SHARED].looked++;
	for (size_t i = 0; i < number; i++) {
		const struct space *other = inventory->spaces[i];

		if (other->view == VIEW_HW && other->mode == SPACE_TABLE &&
		    strcmp(other->kind, "device") == 0 && other->unit == space->unit &&
		    other->domain_id == space->domain_id && other->tree.root != space->tree.root)
			return report(checker, RULE_DOMAIN_ID_SHARED, space, "one id, two tables",
				      other);
	}
	return NULL;
}

struct error *check_hardware(struct checker *checker)
{
	const struct inventory *inventory = checker->inventory;
	struct error *err = NULL;

	for (size_t i = 0; i < inventory->space_count && !err; i++) {
		if (inventory->spaces[i]->view != VIEW_HW)
			continue;
		err = check_space(checker, inventory->spaces[i]);
		if (!err)
			err = check_id(checker, i);
		if (!err)
			err = check_space_done(checker, inventory->spaces[i]->name);
	}
	return err;
}
