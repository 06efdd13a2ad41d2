// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Rules about the pages that tables lie in and lead to: what the kernel uses them for, by their
 * struct page, and who else may write them.
 *
 * Memory stays flat: who maps what is kept as bitmaps of pages, one user at a time; only pages
 * that turn out to have two are looked up again, for the evidence.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reports/check.h"
#include "reports/progress.h"
#include "reports/reverse_map.h"
#include "reports/session.h"
#include "reports/trees.h"
#include "target/error.h"
#include "walkers/pages.h"
#include "walkers/process.h"
#include "walkers/resources.h"

/* Whose memory a space maps, and so what is normal in it. */
enum user_kind {
	USER_KERNEL,  /* the DMA API: drivers map what they like, slab pages among it */
	USER_DEVICE,  /* a device that user space drives (VFIO, iommufd) */
	USER_VM,      /* a second-stage table */
	USER_PROCESS, /* a process's own table */
};

enum { TEXT_MAX = 8 };

struct page_check {
	struct checker *checker;
	struct pages *pages;
	struct resources resources;
	const struct resource *text[TEXT_MAX];
	size_t text_count;
	const struct space *space;
	enum user_kind kind;
};

static enum user_kind user_of(const struct space *space)
{
	if (strcmp(space->kind, "vm") == 0)
		return USER_VM;
	if (strcmp(space->kind, "process") == 0)
		return USER_PROCESS;
	for (size_t i = 0; i < space->device_count; i++) {
		if (space->devices[i]->owned_by_user)
			return USER_DEVICE;
	}
	return USER_KERNEL;
}

static struct error *report(struct page_check *check, enum rule rule,
			    const struct pt_leaves *leaves, uint64_t offset, uint64_t length,
			    const struct page_info *info, const char *what)
{
	char state[PAGE_STATE_TEXT];
	char perm[4];
	const struct finding finding = {
		.rule = rule,
		.space = check->space->name,
		.iova = leaves->iova + offset,
		.has_iova = true,
		.length = length,
		.phys = leaves->phys + offset,
		.has_phys = true,
	};

	page_state_text(info, state);
	pt_permission_text(leaves->perm, perm);
	return check_report(check->checker, &finding,
			    "%s: 0x%" PRIx64 " %s is %s; struct page 0x%" PRIx64 ", refcount %u",
			    what, leaves->phys + offset, perm, state, info->address,
			    info->refcount);
}

/* The kernel's text and constants: /proc/iomem has them as one range each. */
static void find_text(struct page_check *check)
{
	for (size_t i = 0; i < check->resources.count; i++) {
		const struct resource *resource = &check->resources.list[i];

		if ((strcmp(resource->name, "Kernel code") == 0 ||
		     strcmp(resource->name, "Kernel rodata") == 0) &&
		    check->text_count < TEXT_MAX)
			check->text[check->text_count++] = resource;
	}
}

static bool is_kernel_text(const struct page_check *check, uint64_t phys)
{
	for (size_t i = 0; i < check->text_count; i++) {
		if (phys >= check->text[i]->start && phys <= check->text[i]->last)
			return true;
	}
	return false;
}

/* Tables and text are known by their address, not by the state of their pages. */
static struct error *check_addresses(struct page_check *check, const struct pt_leaves *leaves,
				     uint64_t offset, uint64_t length, const struct page_info *info)
{
	struct error *err = NULL;

	for (uint64_t at = offset; at < offset + length && !err; at += 4096 - (at & 4095)) {
		const uint64_t phys = leaves->phys + at;

		if (page_set_has(check->checker->tables, phys))
			err = report(check, RULE_TABLE_WRITABLE, leaves, at, 4096, info,
				     "a page table may be written");
		else if (is_kernel_text(check, phys))
			err = report(check, RULE_TEXT_WRITABLE, leaves, at, 4096, info,
				     "the kernel's own text or constants may be written");
	}
	return err;
}

/* A stretch of leaves whose pages have one state. */
static struct error *check_stretch(struct page_check *check, const struct pt_leaves *leaves,
				   uint64_t offset, uint64_t length, const struct page_info *info)
{
	const bool user = check->kind != USER_KERNEL;
	struct rule_count *counts = check->checker->counts;
	const uint64_t count = (length + 4095) / 4096;

	for (unsigned int rule = RULE_FREE_MAPPED; rule <= RULE_FILE_WRITABLE; rule++) {
		counts[rule].looked += count;
		counts[rule].unknown += info->state & PAGE_UNKNOWN ? count : 0;
	}
	if (info->state & PAGE_FREE)
		return report(check, RULE_FREE_MAPPED, leaves, offset, length, info,
			      "a free page is mapped");
	if (!(leaves->perm & PT_W) || info->state & PAGE_MMIO)
		return NULL;
	if (info->state & PAGE_TABLE)
		return report(check, RULE_TABLE_WRITABLE, leaves, offset, length, info,
			      "a page table may be written");
	struct error *err = check_addresses(check, leaves, offset, length, info);
	if (!err && user && info->state & PAGE_SLAB)
		err = report(check, RULE_SLAB_WRITABLE, leaves, offset, length, info,
			     "a page of kernel objects may be written");
	if (!err && (check->kind == USER_DEVICE || check->kind == USER_VM) &&
	    info->state & PAGE_FILE && !(info->state & (PAGE_SWAPBACKED | PAGE_HUGETLB)))
		err = report(check, RULE_FILE_WRITABLE, leaves, offset, length, info,
			     "a page of a file may be written behind its file system's back");
	return err;
}

/*
 * What firmware wants mapped one to one (RMRR, unity maps, the ISA bridge's 16 MiB) covers free
 * pages and kernel objects on purpose; the DMA API itself gives no such address.
 */
static bool is_direct(const struct page_check *check, const struct pt_leaves *leaves)
{
	return check->kind == USER_KERNEL && leaves->iova == leaves->phys;
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct page_check *check = arg;
	const uint64_t bytes = leaves->count << leaves->size_lg2;
	const uint64_t last = leaves->phys + (bytes - 1);
	struct error *err = NULL;

	if (is_direct(check, leaves))
		return NULL;
	for (uint64_t at = 0; at < bytes && !err;) {
		const uint64_t phys = leaves->phys + at;
		struct page_info info;
		const uint64_t length = page_look_run(check->pages, phys, last, &info);

		err = check_stretch(check, leaves, at, length, &info);
		at += length;
	}
	return err;
}

static struct error *report_table(struct page_check *check, enum rule rule,
				  const struct pt_table *table, const struct page_info *info)
{
	char state[PAGE_STATE_TEXT];
	const struct finding finding = {
		.rule = rule,
		.space = check->space->name,
		.iova = table->iova,
		.has_iova = true,
		.phys = table->phys,
		.has_phys = true,
	};

	page_state_text(info, state);
	return check_report(check->checker, &finding,
			    "the table of level %u at 0x%" PRIx64 " is %s; struct page 0x%" PRIx64
			    ", refcount %u",
			    table->level, table->phys, state, info->address, info->refcount);
}

static struct error *on_table(void *arg, const struct pt_table *table)
{
	static const uint32_t others = PAGE_SLAB | PAGE_ANON | PAGE_FILE | PAGE_HUGETLB;
	struct page_check *check = arg;
	struct rule_count *counts = check->checker->counts;
	struct page_info info;

	if (table->repeated)
		return NULL;
	page_look(check->pages, table->phys, &info);
	counts[RULE_TABLE_FREE].looked++;
	counts[RULE_TABLE_STATE].looked++;
	if (info.state & PAGE_UNKNOWN) {
		counts[RULE_TABLE_FREE].unknown++;
		counts[RULE_TABLE_STATE].unknown++;
	}
	if (info.state & PAGE_FREE)
		return report_table(check, RULE_TABLE_FREE, table, &info);
	/* The kernel's own small roots (Arm) may come from a slab cache. */
	if (info.state & others && !(info.state & PAGE_SLAB && table->entry_count < 512))
		return report_table(check, RULE_TABLE_STATE, table, &info);
	return NULL;
}

/* A table that is not in the dump: what it maps, and it itself, was not looked at. */
static bool is_unknown(const struct pt_fault *fault)
{
	return fault->kind == PT_FAULT_MISSING || fault->kind == PT_FAULT_DAMAGED ||
	       fault->kind == PT_FAULT_CHANGED;
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	const struct page_check *check = arg;

	for (unsigned int rule = RULE_FREE_MAPPED; rule <= RULE_TABLE_STATE; rule++)
		check->checker->counts[rule].unknown += is_unknown(fault);
	return NULL;
}

static struct error *walk(struct checker *checker, const struct space *space,
			  const struct pt_visitor *visitor)
{
	struct pt_statistics statistics;
	struct progress progress;

	progress_init(&progress, checker->session, space->name);
	struct error *err = pt_walk(&space->tree, space_memory(space, checker->memory), 0,
				    UINT64_MAX, visitor, &progress.control, &statistics);
	progress_deinit(&progress);
	return err;
}

static struct error *check_space(struct page_check *check, const struct space *space)
{
	const struct pt_visitor visitor = {
		.table = on_table,
		.leaves = on_leaves,
		.fault = on_fault,
		.arg = check,
	};

	check->space = space;
	check->kind = user_of(space);
	struct error *err = walk(check->checker, space, &visitor);
	return err ? err : check_space_done(check->checker, space->name);
}

/* Hardware's own structures are tables, too: a device that writes them rules itself. */
static struct error *add_structures(struct checker *checker)
{
	const struct inventory *inventory = checker->inventory;
	struct error *err = NULL;

	for (size_t i = 0; i < inventory->space_count; i++) {
		const struct space *space = inventory->spaces[i];

		for (unsigned int j = 0; j < space->step_count && !err; j++) {
			bool added = false;

			err = page_set_add(checker->tables, space->steps[j].entry_addr, &added);
		}
	}
	return err;
}

/* Pages that a user has mapped, and those of them that it may write. */
struct mapped {
	struct page_set *any;
	struct page_set *written;
};

/*
 * One user after the other: what has it mapped, and what had those before it. As in
 * mm/page_table_check.c a page that one may write is nobody else's, not even for reading.
 */
struct sharing {
	struct checker *checker;
	struct mapped own;	 /* of the user at hand */
	struct mapped before;	 /* of those before it */
	struct page_set *shared; /* of two, one of which may write */
	uint64_t *users;	 /* struct mm_struct, in order */
	size_t user_count;
	uint64_t mm; /* of the user at hand */
	bool devices_only;
};

static struct error *add_user(struct sharing *sharing, uint64_t mm)
{
	for (size_t i = 0; i < sharing->user_count; i++) {
		if (sharing->users[i] == mm)
			return NULL;
	}
	uint64_t *larger = realloc(sharing->users, (sharing->user_count + 1) * sizeof(*larger));
	if (!larger)
		return error_no_memory();
	sharing->users = larger;
	sharing->users[sharing->user_count++] = mm;
	return NULL;
}

static struct error *mapped_create(struct mapped *mapped)
{
	struct error *err = page_set_create(&mapped->any);

	return err ? err : page_set_create(&mapped->written);
}

static void mapped_destroy(struct mapped *mapped)
{
	page_set_destroy(mapped->any);
	page_set_destroy(mapped->written);
	*mapped = (struct mapped){ 0 };
}

static struct error *mark_leaves(void *arg, const struct pt_leaves *leaves)
{
	const struct sharing *sharing = arg;
	const bool written = leaves->perm & PT_W;
	const bool wanted = written || (leaves->perm & PT_R && !sharing->devices_only);
	const uint64_t bytes = wanted ? leaves->count << leaves->size_lg2 : 0;
	struct error *err = NULL;

	for (uint64_t at = 0; at < bytes && !err; at += 4096) {
		bool added = false;

		err = page_set_add(sharing->own.any, leaves->phys + at, &added);
		if (!err && written)
			err = page_set_add(sharing->own.written, leaves->phys + at, &added);
	}
	return err;
}

static enum rule sharing_rule(const struct sharing *sharing)
{
	return sharing->devices_only ? RULE_VMS_SHARE : RULE_ANON_SHARED;
}

static struct error *note_unknown(void *arg, const struct pt_fault *fault)
{
	const struct sharing *sharing = arg;

	sharing->checker->counts[sharing_rule(sharing)].unknown += is_unknown(fault);
	return NULL;
}

/* A page of the user at hand: did anybody before it have it, and may one of the two write? */
static struct error *merge_page(void *arg, uint64_t phys)
{
	const struct sharing *sharing = arg;
	const bool written = page_set_has(sharing->own.written, phys);
	const bool before = page_set_has(sharing->before.any, phys);
	bool added = false;
	struct error *err = NULL;

	if ((written && before) || page_set_has(sharing->before.written, phys))
		err = page_set_add(sharing->shared, phys, &added);
	if (!err)
		err = page_set_add(sharing->before.any, phys, &added);
	if (!err && written)
		err = page_set_add(sharing->before.written, phys, &added);
	return err;
}

static struct error *mark_process(void *arg, const struct process *process)
{
	struct sharing *sharing = arg;
	const struct pt_visitor visitor = { .leaves = mark_leaves,
					    .fault = note_unknown,
					    .arg = sharing };
	struct space space = { 0 };

	if (process->mm != sharing->mm || !process->known)
		return NULL;
	process_set_space(process, &space);
	return walk(sharing->checker, &space, &visitor);
}

static struct error *note_process(void *arg, const struct process *process)
{
	const struct sharing *sharing = arg;

	/* Its table was not found: nobody knows what it has. */
	sharing->checker->counts[RULE_ANON_SHARED].unknown += !process->known;
	return add_user(arg, process->mm);
}

static struct error *mark_user(struct sharing *sharing, const struct trees *trees)
{
	const struct pt_visitor visitor = { .leaves = mark_leaves,
					    .fault = note_unknown,
					    .arg = sharing };
	struct error *err = mapped_create(&sharing->own);

	for (size_t i = 0; i < trees->count && !err; i++) {
		if (space_owner_mm(trees->list[i].spaces[0]) == sharing->mm)
			err = walk(sharing->checker, trees->list[i].spaces[0], &visitor);
	}
	if (!err && !sharing->devices_only)
		err = process_for_each(sharing->checker->session->kernel, mark_process, sharing);
	if (!err)
		err = page_set_each(sharing->own.any, merge_page, sharing);
	mapped_destroy(&sharing->own);
	return err;
}

struct shared_page {
	struct page_check *check;
	struct extent *extents;
	size_t count;
	bool devices_only;
};

enum { SHARED_MAX = 4096 };

static struct error *choose_shared(void *arg, uint64_t phys)
{
	struct shared_page *shared = arg;
	const enum rule rule = shared->devices_only ? RULE_VMS_SHARE : RULE_ANON_SHARED;
	struct page_info info;

	page_look(shared->check->pages, phys, &info);
	/* Memory that has a name (tmpfs, hugetlbfs) may be shared on purpose. */
	if (info.state & PAGE_UNKNOWN)
		shared->check->checker->counts[rule].unknown++;
	if (!shared->devices_only && !(info.state & PAGE_ANON))
		return NULL;
	if (info.state & (PAGE_MMIO | PAGE_ZERO) || shared->count == SHARED_MAX)
		return NULL;
	shared->extents[shared->count++] = (struct extent){ .start = phys, .last = phys + 4095 };
	return NULL;
}

/* Somebody who has the page at @extent, and may write it if @writable; not of @other's owner. */
static const struct map_run *find_run(const struct reverse_map *map, const struct extent *extent,
				      const struct map_run *other, bool writable)
{
	for (size_t i = 0; i < map->run_count; i++) {
		const struct map_run *run = &map->runs[i];
		const uint64_t mm = map->owners[run->owner].mm;

		if (run->is_table || run->phys > extent->start ||
		    run->phys + (run->length - 1) < extent->start || mm == 0 ||
		    (writable && !(run->perm & PT_W)))
			continue;
		if (!other || mm != map->owners[other->owner].mm)
			return run;
	}
	return NULL;
}

static struct error *report_shared(struct page_check *check, enum rule rule,
				   const struct reverse_map *map, const struct extent *extent)
{
	const struct map_run *first = find_run(map, extent, NULL, true);
	const struct map_run *second = first ? find_run(map, extent, first, rule == RULE_VMS_SHARE)
					     : NULL;
	struct page_info info;
	char state[PAGE_STATE_TEXT];

	if (!first || !second)
		return NULL;
	page_look(check->pages, extent->start, &info);
	page_state_text(&info, state);
	const struct finding finding = {
		.rule = rule,
		.space = map->owners[first->owner].space,
		.iova = first->iova + (extent->start - first->phys),
		.has_iova = true,
		.length = 4096,
		.phys = extent->start,
		.has_phys = true,
	};
	return check_report(check->checker, &finding,
			    "0x%" PRIx64 " (%s) may be written here and %s by %s at 0x%" PRIx64
			    "; struct page 0x%" PRIx64,
			    extent->start, state, second->perm & PT_W ? "written" : "read",
			    map->owners[second->owner].space,
			    second->iova + (extent->start - second->phys), info.address);
}

static struct error *report_all_shared(struct page_check *check, struct sharing *sharing)
{
	const enum rule rule = sharing_rule(sharing);
	struct shared_page shared = { .check = check, .devices_only = sharing->devices_only };
	struct reverse_map map = { 0 };

	check->checker->counts[rule].looked += page_set_count(sharing->before.any);
	shared.extents = calloc(SHARED_MAX, sizeof(*shared.extents));
	struct error *err = shared.extents ? page_set_each(sharing->shared, choose_shared, &shared)
					   : error_no_memory();
	if (!err && shared.count) {
		/* A copy: sorting joins neighbours. */
		struct extent *joined = malloc(shared.count * sizeof(*joined));

		if (joined) {
			memcpy(joined, shared.extents, shared.count * sizeof(*joined));
			err = reverse_map_init(&map, check->checker->session, joined,
					       extents_sort(joined, shared.count));
		} else {
			err = error_no_memory();
		}
		for (size_t i = 0; i < shared.count && !err; i++)
			err = report_shared(check, rule, &map, &shared.extents[i]);
		reverse_map_deinit(&map);
		free(joined);
	}
	free(shared.extents);
	return err ? err : check_space_done(check->checker, "all");
}

/* Two users of a page: over all spaces and processes, then over devices and VMs alone. */
static struct error *check_sharing(struct page_check *check, const struct trees *trees,
				   bool devices_only)
{
	struct sharing sharing = { .checker = check->checker, .devices_only = devices_only };
	struct error *err = mapped_create(&sharing.before);

	if (!err)
		err = page_set_create(&sharing.shared);
	for (size_t i = 0; i < trees->count && !err; i++) {
		const uint64_t mm = space_owner_mm(trees->list[i].spaces[0]);

		if (mm)
			err = add_user(&sharing, mm);
	}
	if (!err && !devices_only)
		err = process_for_each(check->checker->session->kernel, note_process, &sharing);
	for (size_t i = 0; i < sharing.user_count && !err; i++) {
		sharing.mm = sharing.users[i];
		err = mark_user(&sharing, trees);
	}
	if (!err)
		err = report_all_shared(check, &sharing);
	mapped_destroy(&sharing.before);
	page_set_destroy(sharing.shared);
	free(sharing.users);
	return err;
}

static bool any_wanted(const struct checker *checker, enum rule first, enum rule last)
{
	bool any = false;

	for (unsigned int rule = first; rule <= last; rule++)
		any |= checker->wanted[rule];
	return any;
}

static struct error *run_page_rules(struct page_check *check, const struct trees *trees)
{
	struct checker *checker = check->checker;
	struct error *err = add_structures(checker);

	for (size_t i = 0; i < trees->count && !err; i++) {
		if (any_wanted(checker, RULE_FREE_MAPPED, RULE_TABLE_STATE))
			err = check_space(check, trees->list[i].spaces[0]);
	}
	if (!err && checker->wanted[RULE_ANON_SHARED])
		err = check_sharing(check, trees, false);
	if (!err && checker->wanted[RULE_VMS_SHARE])
		err = check_sharing(check, trees, true);
	return err;
}

struct error *check_pages(struct checker *checker, const struct trees *trees)
{
	struct page_check check = { .checker = checker };

	if (!any_wanted(checker, RULE_FREE_MAPPED, RULE_VMS_SHARE))
		return NULL;
	struct error *err = pages_create(checker->session->kernel, &check.pages);
	if (err) {
		/* The other rules have been looked at: these have not, and that is said. */
		session_message(checker->session, "warning: rules on pages: %s", err->message);
		error_free(err);
		for (unsigned int rule = RULE_FREE_MAPPED; rule <= RULE_VMS_SHARE; rule++)
			checker->counts[rule].unknown++;
		return NULL;
	}
	if (pages_warning(check.pages))
		session_message(checker->session, "warning: %s", pages_warning(check.pages));
	err = resources_read(checker->session->kernel, &check.resources);
	find_text(&check);
	if (!err)
		err = run_page_rules(&check, trees);
	resources_free(&check.resources);
	pages_destroy(check.pages);
	return err;
}
