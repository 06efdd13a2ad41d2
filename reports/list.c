// SPDX-License-Identifier: GPL-3.0-or-later
/* Every IOMMU unit, device and address space; with --sizes the memory of its tables. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/owner.h"
#include "reports/progress.h"
#include "reports/table_faults.h"
#include "target/error.h"
#include "target/kernel.h"
#include "target/text.h"

static const struct column columns[] = {
	{ "space", COLUMN_TEXT, 25, "name of the unit or space; can be used as a TARGET" },
	{ "kind", COLUMN_TEXT, 6,
	  "unit (an IOMMU), device (what hardware has for a requester), pasid (the same for one "
	  "PASID), domain (a kernel's iommu_domain), vm (a virtual machine's EPT, NPT or "
	  "stage 2)" },
	{ "view", COLUMN_TEXT, 4, "hw or sw" },
	{ "format", COLUMN_TEXT, 11,
	  "page-table format, as in root:FORMAT; or passthrough, blocked, unknown; of a unit its mode" },
	{ "root", COLUMN_ADDRESS, 14, "physical address of the top table" },
	{ "levels", COLUMN_NUMBER, 6, "depth of the tables" },
	{ "granule", COLUMN_TEXT, 7, "smallest page" },
	{ "stage", COLUMN_TEXT, 6, "first or second (VT-d, EPT, NPT), 1 or 2 (Arm)" },
	{ "owner", COLUMN_TEXT, 30,
	  "key=value words: group, driver, type (of the domain), did (domain id in hardware), "
	  "nested (1: maps to addresses of a guest, 2: maps these to physical ones), "
	  "alias (a requester ID that its DMA may carry, too), alias-of, dma-owner (vfio, with its "
	  "container and the process whose memory is mapped; user: VFIO or iommufd, not known which), ats, "
	  "pri, pasid (on, off; absent: the device cannot), why (of blocked and unknown); of a virtual machine "
	  "pid, comm, vcpus, as (address space; 1 is system management mode's), memslots, mmu (tdp, legacy, "
	  "shadow), nested=yes (of a guest's guest), state=invalid (being torn down) or idle (kept for later), "
	  "kvm (its struct kvm)" },
	{ "devices", COLUMN_TEXT, 12, "devices that translate by it, joined by |" },
	{ "table_pages", COLUMN_NUMBER, 11, "with --sizes: table pages" },
	{ "table_bytes", COLUMN_NUMBER, 11, "with --sizes: bytes in them" },
	{ "mapped_bytes", COLUMN_NUMBER, 12, "with --sizes: bytes that are mapped" },
	{ "unknown_tables", COLUMN_NUMBER, 14, "with --sizes: tables that could not be read" },
};

enum {
	SPACE,
	KIND,
	VIEW,
	FORMAT,
	ROOT,
	LEVELS,
	GRANULE,
	STAGE,
	OWNER,
	DEVICES,
	TABLE_PAGES,
	TABLE_BYTES,
	MAPPED_BYTES,
	UNKNOWN_TABLES,
	COLUMNS,
};

const struct schema schema_list = { "list", columns, COLUMNS };

/* Words joined by a separator; `joined` is there after words_finish(). */
struct words {
	struct text text;  /* without a stream: out of memory */
	struct error *err; /* of opening it */
	char *joined;
	const char *separator;
};

static void words_init(struct words *words, const char *separator)
{
	*words = (struct words){ .separator = separator };
	words->err = text_open(&words->text);
}

static void words_deinit(struct words *words)
{
	text_deinit(&words->text);
	free(words->joined);
}

static struct error *words_finish(struct words *words)
{
	return words->err ? words->err : text_finish(&words->text, &words->joined);
}

static void __attribute__((format(printf, 2, 3)))
add_word(struct words *words, const char *format, ...)
{
	va_list args;

	if (words->err)
		return;
	if (text_length(&words->text))
		fputs(words->separator, words->text.stream);
	va_start(args, format);
	vfprintf(words->text.stream, format, args);
	va_end(args);
}

static void add_state(struct words *words, const char *name, bool capable, bool enabled)
{
	if (capable || enabled)
		add_word(words, "%s=%s", name, enabled ? "on" : "off");
}

static void add_device_words(struct words *words, const struct device *device)
{
	if (device->group >= 0)
		add_word(words, "group=%d", device->group);
	if (device->driver[0])
		add_word(words, "driver=%s", device->driver);
	if (device->alias_of[0])
		add_word(words, "alias-of=%s", device->alias_of);
	for (size_t i = 0; i < device->alias_count; i++) {
		char name[NAME_BYTES];

		device_pci_name(device->segment, device->alias_rids[i], name, sizeof(name));
		add_word(words, "alias=%s", name);
	}
	if (device->owned_by_user)
		add_word(words, "dma-owner=%s", device->user.container ? "vfio" : "user");
	if (device->user.container)
		add_word(words, "container=0x%" PRIx64, device->user.container);
	if (device->user.pid >= 0)
		add_word(words, "pid=%" PRId64 " comm=%s", device->user.pid, device->user.comm);
	add_state(words, "ats", device->ats_capable, device->ats_enabled);
	add_state(words, "pri", device->pri_capable, device->pri_enabled);
	add_state(words, "pasid", device->pasid_capable, device->pasid_enabled);
}

/* Each group and driver of a domain's devices once. */
static void add_domain_words(struct words *words, const struct space *space)
{
	add_word(words, "type=%s", space->type);
	for (size_t i = 0; i < space->device_count; i++) {
		const struct device *device = space->devices[i];
		bool group_seen = false;
		bool driver_seen = device->driver[0] == '\0';

		for (size_t j = 0; j < i; j++) {
			group_seen |= space->devices[j]->group == device->group;
			driver_seen |= strcmp(space->devices[j]->driver, device->driver) == 0;
		}
		if (!group_seen && device->group >= 0)
			add_word(words, "group=%d", device->group);
		if (!driver_seen)
			add_word(words, "driver=%s", device->driver);
	}
	if (space->device_count == 0)
		add_word(words, "attached=no");
}

static const char *granule_text(unsigned int lg2)
{
	return lg2 == 16 ? "64k" : lg2 == 14 ? "16k" : "4k";
}

static const char *mode_text(const struct space *space)
{
	switch (space->mode) {
	case SPACE_TABLE:
		return space->tree.geometry.format->name;
	case SPACE_PASSTHROUGH:
		return "passthrough";
	case SPACE_BLOCKED:
		return "blocked";
	default:
		return "unknown";
	}
}

static void empty_row(struct cell *cells)
{
	for (size_t i = 0; i < COLUMNS; i++)
		cells[i] = columns[i].type == COLUMN_TEXT ? cell_text("") : cell_empty();
}

static struct error *emit_unit(struct emitter *emitter, const struct unit *unit)
{
	struct cell cells[COLUMNS];
	char format[NAME_BYTES + 8];
	char owner[NAME_BYTES + 32];

	empty_row(cells);
	snprintf(format, sizeof(format), "%s", unit->mode);
	snprintf(owner, sizeof(owner), "driver=%s segment=%u", unit->driver, unit->segment);
	cells[SPACE] = cell_text(unit->name);
	cells[KIND] = cell_text("unit");
	cells[VIEW] = cell_text("hw");
	cells[FORMAT] = cell_text(format);
	if (unit->root)
		cells[ROOT] = cell_number(unit->root);
	cells[OWNER] = cell_text(owner);
	return emitter_row(emitter, cells);
}

/* Sizes of a table that has been walked: hardware's and software's are often the same. */
struct sizes {
	const struct space *space;
	struct pt_statistics statistics;
};

struct sizes_memo {
	struct sizes *known;
	size_t count;
};

static struct error *count_fault(void *arg, const struct pt_fault *fault)
{
	table_faults_add(arg, fault);
	return NULL;
}

static struct error *measure(struct session *session, struct sizes_memo *memo,
			     const struct space *space, struct pt_statistics *ret)
{
	for (size_t i = 0; i < memo->count; i++) {
		if (space_same_table(memo->known[i].space, space)) {
			*ret = memo->known[i].statistics;
			return NULL;
		}
	}
	struct sizes *larger = realloc(memo->known, (memo->count + 1) * sizeof(*larger));
	if (!larger)
		return error_no_memory();
	memo->known = larger;
	struct table_faults faults = { 0 };
	const struct pt_visitor visitor = { .fault = count_fault, .arg = &faults };
	struct progress progress;

	progress_init(&progress, session, space->name);
	struct error *err = pt_walk(&space->tree,
				    space_memory(space, kernel_memory(session->kernel)), 0,
				    UINT64_MAX, &visitor, &progress.control, ret);
	progress_deinit(&progress);
	if (!err)
		memo->known[memo->count++] = (struct sizes){ space, *ret };
	table_faults_report(&faults, session, space->name);
	return err;
}

static void size_cells(struct cell *cells, const struct pt_statistics *statistics)
{
	const uint64_t *faults = statistics->faults;

	cells[TABLE_PAGES] = cell_number(statistics->tables);
	cells[TABLE_BYTES] = cell_number(statistics->table_bytes);
	cells[MAPPED_BYTES] = cell_number(statistics->mapped_bytes);
	cells[UNKNOWN_TABLES] = cell_number(faults[PT_FAULT_MISSING] + faults[PT_FAULT_DAMAGED] +
					    faults[PT_FAULT_OUTSIDE] + faults[PT_FAULT_LOOP] +
					    faults[PT_FAULT_SKIPPED] + faults[PT_FAULT_CHANGED]);
}

static void add_owner(struct words *owner, const struct space *space)
{
	if (space->view == VIEW_SW) {
		add_domain_words(owner, space);
	} else {
		for (size_t i = 0; i < space->device_count; i++)
			add_device_words(owner, space->devices[i]);
		if (space->nesting)
			add_word(owner, "nested=%u", space->nesting);
		if (space->domain_id >= 0)
			add_word(owner, "did=%" PRId64, space->domain_id);
	}
	if (space->words[0])
		add_word(owner, "%s", space->words);
	if (space->mode != SPACE_TABLE && space->reason[0])
		add_word(owner, "why=%s", space->reason);
}

struct error *space_owner_text(const struct space *space, char **ret)
{
	struct words owner;

	words_init(&owner, " ");
	if (strcmp(space->kind, "process") == 0)
		add_word(&owner, "pid=%" PRId64 " comm=%s", space->pid, space->comm);
	else
		add_owner(&owner, space);
	struct error *err = words_finish(&owner);
	if (err)
		words_deinit(&owner);
	else
		*ret = owner.joined;
	return err;
}

/* What a page table alone has: where it is, and with --sizes how large. */
static struct error *table_cells(struct session *session, struct sizes_memo *memo,
				 const struct space *space, struct cell *cells)
{
	struct pt_statistics statistics = { 0 };

	cells[ROOT] = cell_number(space->tree.root);
	cells[LEVELS] = cell_number(space->tree.geometry.levels);
	cells[GRANULE] = cell_text(granule_text(space->tree.geometry.granule_lg2));
	cells[STAGE] = cell_text(space->stage ? space->stage : space->tree.geometry.format->stage);
	if (!session->options.sizes)
		return NULL;
	struct error *err = measure(session, memo, space, &statistics);
	if (!err)
		size_cells(cells, &statistics);
	return err;
}

static struct error *emit_space(struct session *session, struct emitter *emitter,
				struct sizes_memo *memo, const struct space *space)
{
	struct cell cells[COLUMNS];
	struct words owner;
	struct words devices;
	struct error *err = NULL;

	empty_row(cells);
	cells[SPACE] = cell_text(space->name);
	cells[KIND] = cell_text(space->kind);
	cells[VIEW] = cell_text(space->view == VIEW_HW ? "hw" : "sw");
	cells[FORMAT] = cell_text(mode_text(space));
	words_init(&owner, " ");
	words_init(&devices, "|");
	add_owner(&owner, space);
	for (size_t i = 0; i < space->device_count; i++)
		add_word(&devices, "%s", space->devices[i]->name);
	err = words_finish(&owner);
	if (!err)
		err = words_finish(&devices);
	if (!err && space->mode == SPACE_TABLE)
		err = table_cells(session, memo, space, cells);
	cells[OWNER] = cell_text(owner.joined);
	cells[DEVICES] = cell_text(devices.joined);
	if (!err)
		err = emitter_row(emitter, cells);
	words_deinit(&owner);
	words_deinit(&devices);
	return err;
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct inventory *inventory = NULL;
	struct sizes_memo memo = { 0 };
	struct error *err = session_inventory(session, &inventory);
	const struct options *options = &session->options;

	(void)count;
	(void)words;
	(void)status;
	emitter_text_columns(emitter, options->sizes ? COLUMNS : TABLE_PAGES);
	for (size_t i = 0; !err && i < inventory->unit_count; i++) {
		if (!options->view_given || options->view == VIEW_HW)
			err = emit_unit(emitter, inventory->units[i]);
	}
	for (size_t i = 0; !err && i < inventory->space_count; i++) {
		if (!options->view_given || options->view == inventory->spaces[i]->view)
			err = emit_space(session, emitter, &memo, inventory->spaces[i]);
	}
	if (!err && inventory->unit_count == 0 && inventory->space_count == 0)
		session_message(session,
				"this kernel has no IOMMU in use that is known (AMD-Vi, Intel "
				"VT-d, SMMUv2, SMMUv3), and no virtual machine");
	free(memo.known);
	return err;
}

const struct command command_list = {
	.name = "list",
	.arguments = "",
	.summary = "every IOMMU unit, device and address space",
	.description =
		"One row for each IOMMU unit, for what hardware has for each requester (and each of "
		"its PASIDs), for each domain of the kernel, and for each table of each virtual "
		"machine. Does not read the page tables unless "
		"--sizes asks for it: then every table is walked once, and the last four columns are "
		"filled in.\n"
		"\n"
		"A domain without devices is kept by the kernel for later: the default domain of a "
		"group whose devices VFIO owns.",
	.options = OPTION_VIEW | OPTION_FORMAT | OPTION_OUTPUT | OPTION_SIZES,
	.arguments_min = 0,
	.arguments_max = 0,
	.schema = &schema_list,
	.run = run,
};
