// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/selection.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/bare_table.h"
#include "reports/session.h"
#include "target/error.h"
#include "target/kernel.h"
#include "walkers/process.h"

static bool parse_number(const char *text, const char **end, uint64_t *ret)
{
	const int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	char *stop = NULL;

	/* strtoull() would take signs and spaces. */
	if (!isdigit((unsigned char)text[0]) || (base == 16 && !isxdigit((unsigned char)text[2])))
		return false;
	errno = 0;
	*ret = strtoull(text, &stop, base);
	*end = stop;
	return errno == 0;
}

struct error *address_parse(const char *text, uint64_t *ret)
{
	const char *end = NULL;

	if (!parse_number(text, &end, ret) || *end)
		return error_new("'%s' is not an address; give 0x hex or decimal, up to 64 bits",
				 text);
	return NULL;
}

static struct error *bad_range(const char *text)
{
	return error_new("'%s' is not a range; give START-END (END not included), START+LENGTH or "
			 "one address",
			 text);
}

struct error *range_parse(const char *text, struct range *ret)
{
	const char *at = NULL;
	uint64_t end = 0;

	*ret = (struct range){ 0 };
	if (!parse_number(text, &at, &ret->start))
		return bad_range(text);
	if (*at == '\0') {
		ret->last = ret->start;
		ret->one_address = true;
		return NULL;
	}
	const bool length = *at == '+';
	if (strncmp(at, "..", 2) == 0)
		at += 2;
	else if (*at == '-' || *at == '+')
		at++;
	else
		return bad_range(text);
	/* The end of a 64-bit space cannot be written as a number. */
	if (strcmp(at, "0x10000000000000000") == 0) {
		ret->last = UINT64_MAX;
		return length && ret->start ? bad_range(text) : NULL;
	}
	if (!parse_number(at, &at, &end) || *at)
		return bad_range(text);
	if (length ? end == 0 || ret->start + (end - 1) < ret->start : end <= ret->start)
		return error_new(
			"range '%s' is empty or runs past the end; give START-END with START < "
			"END, or START+LENGTH",
			text);
	ret->last = length ? ret->start + (end - 1) : end - 1;
	return NULL;
}

struct error *range_check(const struct space *space, const struct range *range)
{
	const struct pt_geometry *geometry = &space->tree.geometry;
	uint64_t address = 0;

	if (space->mode != SPACE_TABLE && space->mode != SPACE_PASSTHROUGH)
		return NULL;
	if (pt_address_to_table(geometry, range->start, &address) ||
	    (!range->one_address && geometry->sign_extend) ||
	    /* The upper half of addresses (TTBR1): a range may begin below it. */
	    (!range->one_address && geometry->base && range->last >= geometry->base))
		return NULL;
	if (geometry->base && range->start < geometry->base)
		return error_new("0x%" PRIx64 " is below the addresses of %s, which begin at "
				 "0x%" PRIx64,
				 range->start, space->name, geometry->base);
	return error_new("0x%" PRIx64
			 " is beyond the %u-bit addresses of %s; the last one is 0x%" PRIx64,
			 range->start, geometry->input_bits, space->name,
			 pt_address_to_user(geometry, pt_last_address(geometry)));
}

/* A hex number of at most @digits digits, followed by @separator (which is passed over). */
static bool hex_field(const char **text, size_t digits, char separator, uint32_t *ret)
{
	size_t n = strspn(*text, "0123456789abcdefABCDEF");

	if (n == 0 || n > digits || (*text)[n] != separator)
		return false;
	*ret = (uint32_t)strtoul(*text, NULL, 16);
	*text += n + (separator != '\0');
	return true;
}

static bool parse_rid(const char *text, uint16_t *rid)
{
	uint32_t bus = 0;
	uint32_t slot = 0;
	uint32_t function = 0;

	if (!hex_field(&text, 2, ':', &bus) || !hex_field(&text, 2, '.', &slot) ||
	    !hex_field(&text, 1, '\0', &function) || slot > 0x1f || function > 7)
		return false;
	*rid = (uint16_t)(bus << 8 | slot << 3 | function);
	return true;
}

/* "0000:3b:00.0" or "3b:00.0": PCI segment and requester ID. */
static bool parse_pci(const char *text, uint32_t *segment, uint16_t *rid)
{
	*segment = 0;
	if (parse_rid(text, rid))
		return true;
	return hex_field(&text, 8, ':', segment) && parse_rid(text, rid);
}

static struct error *add(struct selection *selection, const struct space *space)
{
	for (size_t i = 0; i < selection->count; i++) {
		if (selection->spaces[i] == space)
			return NULL;
	}
	const struct space **larger =
		realloc(selection->spaces, (selection->count + 1) * sizeof(const struct space *));
	if (!larger)
		return error_no_memory();
	selection->spaces = larger;
	selection->spaces[selection->count++] = space;
	return NULL;
}

/* What a TARGET has been read as. */
struct wanted {
	const char *text;
	bool pasid_given;
	uint32_t pasid;
	enum space_view view;
	bool view_given;
	bool all;
	bool is_domain;
	uint64_t domain;
	bool is_group;
	int group;
	bool is_vm;
	uint64_t vm; /* process id, or struct kvm */
	bool is_pci;
	uint32_t segment;
	uint16_t rid;
};

static bool device_matches(const struct wanted *wanted, const struct device *device)
{
	if (wanted->is_group)
		return device->group == wanted->group;
	if (wanted->is_pci)
		return device->is_pci && device->segment == wanted->segment &&
		       device->rid == wanted->rid;
	return strcmp(device->name, wanted->text) == 0;
}

static bool any_device_matches(const struct wanted *wanted, const struct space *space)
{
	for (size_t i = 0; i < space->device_count; i++) {
		if (device_matches(wanted, space->devices[i]))
			return true;
	}
	return false;
}

/* An alias translates by the domain of the device that it stands for. */
static bool alias_matches(const struct inventory *inventory, const struct wanted *wanted,
			  const struct space *space)
{
	bool alias = false;

	if (!wanted->is_pci || space->view != VIEW_SW)
		return false;
	const struct device *device =
		inventory_find_rid(inventory, wanted->segment, wanted->rid, &alias);
	return device && alias && device->domain == space->domain;
}

static bool domain_matches(const struct wanted *wanted, const struct space *space)
{
	if (space->view == VIEW_SW)
		return wanted->domain == space->domain || wanted->domain == space->object;
	for (size_t i = 0; i < space->device_count; i++) {
		if (space->devices[i]->domain == wanted->domain)
			return true;
	}
	return false;
}

/* In `all`, a table is shown once: as hardware has it, else as software has it. */
static bool all_matches(const struct inventory *inventory, const struct wanted *wanted,
			const struct space *space)
{
	if (wanted->view_given && space->view != wanted->view)
		return false;
	for (size_t i = 0; i < inventory->space_count && space->mode == SPACE_TABLE; i++) {
		const struct space *other = inventory->spaces[i];

		if (other == space)
			return true;
		if (space_same_table(other, space) &&
		    (!wanted->view_given || other->view == wanted->view))
			return false;
	}
	return wanted->view_given || space->view == VIEW_HW || space->mode == SPACE_TABLE;
}

static bool vm_matches(const struct wanted *wanted, const struct space *space)
{
	return strcmp(space->kind, "vm") == 0 &&
	       (wanted->vm == space->object ||
		(space->pid > 0 && wanted->vm == (uint64_t)space->pid));
}

static bool matches(const struct inventory *inventory, const struct wanted *wanted,
		    const struct space *space)
{
	if (wanted->all)
		return all_matches(inventory, wanted, space);
	/* A space's own name means that space; several may share it only across views. */
	if (strcmp(space->name, wanted->text) == 0 && !wanted->is_pci && !wanted->is_domain)
		return !wanted->view_given || space->view == wanted->view;
	if (space->view != wanted->view)
		return false;
	if (wanted->is_vm)
		return vm_matches(wanted, space);
	if (wanted->pasid_given && (!space->has_pasid || space->pasid != wanted->pasid))
		return false;
	if (wanted->is_domain)
		return domain_matches(wanted, space);
	if (space->unit && strcmp(space->unit->name, wanted->text) == 0)
		return true;
	return any_device_matches(wanted, space) || alias_matches(inventory, wanted, space);
}

static struct error *select_spaces(struct selection *selection, const struct inventory *inventory,
				   const struct wanted *wanted)
{
	struct error *err = NULL;

	for (size_t i = 0; i < inventory->space_count && !err; i++) {
		if (matches(inventory, wanted, inventory->spaces[i]))
			err = add(selection, inventory->spaces[i]);
	}
	return err;
}

static struct error *parse_target(struct wanted *wanted, const char *text)
{
	const char *end = NULL;
	uint64_t number = 0;

	wanted->text = text;
	if (strcmp(text, "all") == 0) {
		wanted->all = true;
	} else if (strncmp(text, "domain:", 7) == 0) {
		wanted->is_domain = true;
		if (!wanted->view_given)
			wanted->view = VIEW_SW;
		return address_parse(text + 7, &wanted->domain);
	} else if (strncmp(text, "group:", 6) == 0) {
		wanted->is_group = true;
		if (!parse_number(text + 6, &end, &number) || *end || number > INT32_MAX)
			return error_new(
				"'%s' is not a group; give group:N with N from `iommupt list`",
				text);
		wanted->group = (int)number;
	} else if (strncmp(text, "vm:", 3) == 0) {
		/* Words may follow: then it is the name of one space. */
		if (!parse_number(text + 3, &end, &wanted->vm) || (*end && *end != ' '))
			return error_new("'%s' is not a virtual machine; give vm:PID or vm:ADDR "
					 "from `iommupt list`",
					 text);
		wanted->is_vm = *end == '\0';
	} else {
		wanted->is_pci = parse_pci(text, &wanted->segment, &wanted->rid);
	}
	return NULL;
}

static struct error *parse_pasid(struct wanted *wanted, const char *text)
{
	const char *end = NULL;
	uint64_t number = 0;

	if (!parse_number(text, &end, &number) || *end || number >= 1U << 20)
		return error_new("'pasid=%s' is not a PASID; give a number below 1048576", text);
	wanted->pasid_given = true;
	wanted->pasid = (uint32_t)number;
	return NULL;
}

size_t selection_words(char *const *words, size_t count)
{
	return count > 1 && strncmp(words[1], "pasid=", 6) == 0 ? 2 : count ? 1 : 0;
}

static struct error *nothing_matches(const struct wanted *wanted, const struct inventory *inventory)
{
	if (strncmp(wanted->text, "vm:", 3) == 0)
		return error_new("%s: no such virtual machine; `iommupt list` shows what there is",
				 wanted->text);
	if (inventory->unit_count == 0)
		return error_new("%s: this kernel has no IOMMU in use that is known", wanted->text);
	if (wanted->is_pci || wanted->is_group || wanted->is_domain)
		return error_new(
			"%s: no such %s behind an IOMMU%s; `iommupt list` shows what there is",
			wanted->text,
			wanted->is_group    ? "group"
			: wanted->is_domain ? "domain"
					    : "device",
			wanted->pasid_given ? " with that PASID" : "");
	return error_new(
		"'%s' is not a TARGET that is known; give a device like 0000:3b:00.0, "
		"domain:ADDR, group:N, vm:PID, pid:N, root:FORMAT@PHYS or all (`iommupt list` shows "
		"them)",
		wanted->text);
}

static struct error *select_in_inventory(struct selection *selection, struct session *session,
					 const char *target, const char *pasid)
{
	struct wanted wanted = {
		.view = session->options.view_given ? session->options.view : VIEW_HW,
		.view_given = session->options.view_given,
	};
	struct inventory *inventory = NULL;
	struct kernel *kernel = NULL;
	struct error *err = parse_target(&wanted, target);

	if (!err && pasid)
		err = parse_pasid(&wanted, pasid);
	if (!err)
		err = session_inventory(session, &inventory);
	if (!err)
		err = session_kernel(session, &kernel);
	if (err)
		return err;
	selection->memory = kernel_memory(kernel);
	err = select_spaces(selection, inventory, &wanted);
	if (!err && selection->count == 0 && !wanted.view_given && !wanted.all) {
		/* "hw where there is one": otherwise what software says. */
		wanted.view = VIEW_SW;
		err = select_spaces(selection, inventory, &wanted);
	}
	if (!err && selection->count == 0)
		err = nothing_matches(&wanted, inventory);
	return err;
}

static struct error *select_bare(struct selection *selection, struct session *session,
				 const char *target)
{
	struct space *space = calloc(1, sizeof(*space));

	if (!space)
		return error_no_memory();
	selection->bare = space;
	struct error *err = bare_table_parse(target, space);
	if (!err)
		err = session_memory(session, &selection->memory);
	return err ? err : add(selection, space);
}

/* pid:N. Processes are in no inventory (walkers/process.h). */
static struct error *select_process(struct selection *selection, struct session *session,
				    const char *target, bool pasid_given)
{
	struct space *space = calloc(1, sizeof(*space));
	struct kernel *kernel = NULL;
	struct process process;
	const char *end = NULL;
	uint64_t pid = 0;

	if (!space)
		return error_no_memory();
	selection->bare = space;
	if (!parse_number(target + 4, &end, &pid) || *end || pid == 0 || pid > INT32_MAX)
		return error_new("'%s' is not a process; give pid:N with N its process ID", target);
	if (pasid_given)
		return error_new("%s: a process has no PASID; leave pasid= out", target);
	struct error *err = session_kernel(session, &kernel);
	if (!err)
		err = process_find(kernel, pid, &process);
	if (err)
		return err;
	process_set_space(&process, space);
	selection->memory = kernel_memory(kernel);
	return add(selection, space);
}

struct error *selection_init(struct selection *selection, struct session *session,
			     char *const *words, size_t count)
{
	*selection = (struct selection){ 0 };
	if (strncmp(words[0], "root:", 5) == 0)
		return select_bare(selection, session, words[0]);
	if (strncmp(words[0], "pid:", 4) == 0)
		return select_process(selection, session, words[0], count > 1);
	/* "DEVICE pasid=N" as one word, as the `space` column has it, or with a comma. */
	char *target = strdup(words[0]);
	if (!target)
		return error_no_memory();
	char *pasid = strstr(target, " stage=") ? NULL : strstr(target, "pasid=");
	if (pasid && pasid > target && strchr(" ,/", pasid[-1])) {
		pasid[-1] = '\0';
		pasid += 6;
	} else {
		pasid = count > 1 && strncmp(words[1], "pasid=", 6) == 0 ? words[1] + 6 : NULL;
	}
	struct error *err = select_in_inventory(selection, session, target, pasid);
	free(target);
	return err;
}

void selection_deinit(struct selection *selection)
{
	free(selection->spaces);
	free(selection->bare);
	*selection = (struct selection){ 0 };
}
