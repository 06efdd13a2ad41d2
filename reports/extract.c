// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A small vmcore that holds only what this tool reads: shareable without the
 * memory of users and guests.
 *
 * The kernel is opened on a recording memory; then everything is read that the
 * other commands read, and the pages that were touched are written. Symbols and
 * types are not copied but noted (target/noted.h).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reports/commands.h"
#include "reports/output.h"
#include "reports/progress.h"
#include "target/error.h"
#include "target/kdump_writer.h"
#include "target/kernel.h"
#include "target/noted.h"
#include "target/page_set.h"
#include "target/recorder.h"
#include "walkers/memcg.h"
#include "walkers/node_stats.h"
#include "walkers/nodes.h"
#include "walkers/pages.h"
#include "walkers/process.h"
#include "walkers/resources.h"

static const struct column columns[] = {
	{ "reason", COLUMN_TEXT, 14,
	  "structs (kernel structures, its own page table, the hardware's tables), tables (page tables of "
	  "IOMMUs, virtual machines and processes), struct-pages (struct page of mapped pages and of tables), log (the kernel log)" },
	{ "pages", COLUMN_NUMBER, 10, "pages that are read for this reason first" },
	{ "bytes", COLUMN_NUMBER, 12, "bytes in them, not compressed" },
	{ "kept", COLUMN_NUMBER, 12,
	  "bytes of them that go in, not compressed: page tables whole, of other pages the words of 8 bytes that "
	  "were read; the rest is zeros" },
};

const struct schema schema_extract = { "extract", columns, 4 };

/* What is at work while the tables are walked. */
struct extract {
	struct kernel *kernel;
	struct memory *memory;
	struct session *session;
	struct pages *pages; /* NULL: not known where the struct pages are */
	uint64_t memcg;	     /* whose path was read last */
};

enum { PAGE = 4096 };

/* Read, and so record, what is there; what is not is no concern here. */
static void touch(struct extract *extract, uint64_t address, uint64_t len)
{
	char bytes[PAGE];

	for (uint64_t at = address, next = 0; at < address + len && !extract->session->stop;
	     at = next) {
		next = (at | (PAGE - 1)) + 1;
		if (next > address + len)
			next = address + len;
		error_free(kernel_read(extract->kernel, at, bytes, (size_t)(next - at)));
	}
}

/* What the pages are used for, with all that says so. */
static void touch_struct_pages(struct extract *extract, uint64_t phys, uint64_t length)
{
	const uint64_t end = phys + length;
	struct page_info info;

	if (!extract->pages)
		return;
	recorder_set_reason(extract->memory, RECORD_PAGES);
	while (phys < end)
		phys += page_look_run(extract->pages, phys, end - 1, &info);
	recorder_set_reason(extract->memory, RECORD_TABLES);
}

/* The path of the cgroup that a table is charged to. */
static void touch_memcg(struct extract *extract, uint64_t phys)
{
	char path[512];
	struct page_info info;

	if (!extract->pages)
		return;
	page_look(extract->pages, phys, &info);
	if (info.memcg == 0 || info.memcg == extract->memcg)
		return;
	extract->memcg = info.memcg;
	recorder_set_reason(extract->memory, RECORD_STRUCTS);
	error_free(memcg_path(extract->kernel, info.memcg, path, sizeof(path)));
	recorder_set_reason(extract->memory, RECORD_TABLES);
}

static struct error *on_table(void *arg, const struct pt_table *table)
{
	touch_struct_pages(arg, table->phys, table->entry_count * sizeof(uint64_t));
	touch_memcg(arg, table->phys);
	return NULL;
}

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	if (leaves->phys != PT_NO_ADDRESS)
		touch_struct_pages(arg, leaves->phys, leaves->count << leaves->size_lg2);
	return NULL;
}

static struct error *touch_space(struct extract *extract, const struct space *space)
{
	const struct pt_visitor visitor = {
		.table = on_table, .leaves = on_leaves, .soft = on_leaves, .arg = extract
	};
	struct pt_statistics statistics;
	struct progress progress;

	if (space->mode != SPACE_TABLE)
		return NULL;
	progress_init(&progress, extract->session, space->name);
	struct error *err = pt_walk(&space->tree, space_memory(space, extract->memory), 0,
				    UINT64_MAX, &visitor, &progress.control, &statistics);
	progress_deinit(&progress);
	return err;
}

static struct error *on_process(void *arg, const struct process *process)
{
	struct extract *extract = arg;
	struct space space = { 0 };

	process_set_space(process, &space);
	recorder_set_reason(extract->memory, RECORD_TABLES);
	struct error *err = touch_space(extract, &space);
	recorder_set_reason(extract->memory, RECORD_STRUCTS);
	return err;
}

/*
 * All processes, so that who maps a page can be found; and, by the search for a PID that no
 * task can have, the lists in which a thread's ID is looked up.
 */
static struct error *touch_processes(struct extract *extract)
{
	struct process process;

	recorder_set_reason(extract->memory, RECORD_STRUCTS);
	struct error *err = process_for_each(extract->kernel, on_process, extract);
	if (extract->session->stop)
		return err;
	if (err)
		session_message(extract->session, "warning: processes: %s", err->message);
	error_free(err);
	error_free(process_find(extract->kernel, UINT32_MAX, &process));
	return NULL;
}

static struct error *touch_tables(struct extract *extract, const struct inventory *inventory)
{
	struct error *err = NULL;

	/* A kernel whose struct pages are not known has none in its extract either. */
	recorder_set_reason(extract->memory, RECORD_PAGES);
	error_free(session_pages(extract->session, &extract->pages));
	if (extract->pages)
		pages_look_at_sections(extract->pages);
	recorder_set_reason(extract->memory, RECORD_TABLES);
	for (size_t i = 0; i < inventory->space_count && !err; i++)
		err = touch_space(extract, inventory->spaces[i]);
	if (err || extract->session->options.no_processes)
		return err;
	return touch_processes(extract);
}

/* The ring buffer of kernel/printk/printk_ringbuffer.h, since 5.10: three arrays. */
static void touch_log(struct extract *extract)
{
	enum { DESCS, INFOS, COUNT_BITS, DATA, SIZE_BITS, DESC_BYTES, INFO_BYTES, FIELDS };
	static const struct type_query fields[FIELDS] = {
		[DESCS] = { "printk_ringbuffer", "desc_ring.descs", NULL },
		[INFOS] = { "printk_ringbuffer", "desc_ring.infos", NULL },
		[COUNT_BITS] = { "printk_ringbuffer", "desc_ring.count_bits", NULL },
		[DATA] = { "printk_ringbuffer", "text_data_ring.data", NULL },
		[SIZE_BITS] = { "printk_ringbuffer", "text_data_ring.size_bits", NULL },
		[DESC_BYTES] = { "prb_desc", NULL, NULL },
		[INFO_BYTES] = { "printk_info", NULL, NULL },
	};
	enum { BITS_MAX = 32, RECORD_MAX = 1024 };
	struct member members[FIELDS];
	uint64_t values[DESC_BYTES] = { 0 };
	uint64_t prb = 0;
	struct error *err = kernel_resolve(extract->kernel, fields, members, FIELDS);

	if (err || !kernel_symbol(extract->kernel, "prb", &prb)) {
		error_free(err);
		return;
	}
	recorder_set_reason(extract->memory, RECORD_LOG);
	err = kernel_read(extract->kernel, prb, &prb, sizeof(prb));
	for (size_t i = 0; i < DESC_BYTES && !err; i++)
		err = kernel_get(extract->kernel, prb, &members[i], &values[i]);
	if (!err && values[COUNT_BITS] < BITS_MAX && values[SIZE_BITS] < BITS_MAX &&
	    members[DESC_BYTES].size <= RECORD_MAX && members[INFO_BYTES].size <= RECORD_MAX) {
		touch(extract, values[DESCS],
		      (uint64_t)members[DESC_BYTES].size << values[COUNT_BITS]);
		touch(extract, values[INFOS],
		      (uint64_t)members[INFO_BYTES].size << values[COUNT_BITS]);
		touch(extract, values[DATA], 1ULL << values[SIZE_BITS]);
	}
	error_free(err);
}

/* What usage and check set beside the tables: counters, the tree of resources. */
static void touch_reconciled(struct extract *extract)
{
	static const char *const counters[] = { "NR_IOMMU_PAGES", "NR_SECONDARY_PAGETABLE" };
	struct resources resources;
	struct nodes nodes;

	recorder_set_reason(extract->memory, RECORD_STRUCTS);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		bool found = false;
		int64_t pages = 0;

		error_free(node_stat_read(extract->kernel, counters[i], &found, &pages));
	}
	error_free(resources_read(extract->kernel, &resources));
	resources_free(&resources);
	error_free(nodes_read(extract->kernel, 12, &nodes));
	nodes_free(&nodes);
}

/* A vmlinux or System.map that is given with the extract is held against it: see kernel_file.c. */
static void touch_names(struct extract *extract)
{
	enum { UTS_BYTES = 8 + 4 * 65 };
	char banner[512];
	uint64_t address = 0;

	if (kernel_symbol(extract->kernel, "linux_banner", &address))
		error_free(kernel_string(extract->kernel, address, banner, sizeof(banner)));
	if (kernel_symbol(extract->kernel, "init_uts_ns", &address))
		touch(extract, address, UTS_BYTES);
}

static struct error *touch_all(struct extract *extract, struct session *session)
{
	struct inventory *inventory = NULL;
	struct error *err = session_inventory(session, &inventory);

	if (!err) {
		touch_names(extract);
		err = touch_tables(extract, inventory);
	}
	if (!err)
		touch_reconciled(extract);
	if (!err && !session->options.no_log)
		touch_log(extract);
	return err ? err : recorder_error(extract->memory);
}

static struct error *add_pages(void *arg, uint64_t phys)
{
	bool added = false;

	return page_set_add(arg, phys, &added);
}

static struct error *write_file(struct session *session, struct extract *extract, const char *path)
{
	struct kdump_contents contents = {
		.memory = extract->memory,
		.release = kernel_release(extract->kernel),
		.machine = extract->memory->arch == ARCH_AARCH64 ? "aarch64" : "x86_64",
		.stop = &session->stop,
	};
	struct page_set *pages = NULL;
	struct output output;
	char *info = NULL;
	char *text = NULL;
	struct error *err = page_set_create(&pages);

	for (int i = 0; i < RECORD_REASONS && !err; i++)
		err = page_set_each(recorder_pages(extract->memory, (enum record_reason)i),
				    add_pages, pages);
	if (!err)
		err = kernel_vmcoreinfo(extract->kernel, &info);
	const char *notes = notebook_text(session->notebook);
	if (!err &&
	    (!notes || asprintf(&text, "%s%s", info, noted_is_there(info) ? "" : notes) < 0)) {
		text = NULL;
		err = error_no_memory();
	}
	if (!err) {
		contents.pages = pages;
		contents.vmcoreinfo = text;
		recorder_set_reason(extract->memory, RECORD_REPLAY);
		err = output_open(&output, session->out, path);
		if (!err)
			err = output_close(&output, kdump_write(output.stream, &contents));
	}
	page_set_destroy(pages);
	free(info);
	free(text);
	return err;
}

static struct error *emit_reasons(struct emitter *emitter, const struct extract *extract)
{
	struct error *err = NULL;

	for (int i = 0; i < RECORD_REASONS && !err; i++) {
		const enum record_reason reason = (enum record_reason)i;
		const uint64_t pages = page_set_count(recorder_pages(extract->memory, reason));
		const struct cell cells[] = {
			cell_text(record_reason_name(reason)),
			cell_number(pages),
			cell_number(pages * PAGE),
			cell_number(recorder_bytes(extract->memory, reason)),
		};

		if (pages)
			err = emitter_row(emitter, cells);
	}
	return err;
}

static struct error *run(struct session *session, struct emitter *emitter, int count, char **words,
			 int *status)
{
	struct extract extract = { .session = session };

	(void)status;
	if (session->in_crash)
		return error_new("extract reads the dump file itself: outside crash, use "
				 "`iommupt -c VMCORE extract FILE`");
	if (count == 0 && !session->options.list_only)
		return error_new("extract: give the FILE to write, or --list");
	struct error *err = notebook_create(&session->notebook);
	if (!err)
		err = session_kernel(session, &extract.kernel);
	if (!err) {
		extract.memory = kernel_memory(extract.kernel);
		err = touch_all(&extract, session);
	}
	if (!err && !session->options.list_only)
		err = write_file(session, &extract, words[0]);
	return err ? err : emit_reasons(emitter, &extract);
}

const struct command command_extract = {
	.name = "extract",
	.arguments = "[FILE]",
	.summary = "a small vmcore that holds only what this tool reads",
	.description =
		"Writes a kdump-compressed vmcore with the pages that the other commands "
		"read: page tables, those of processes too (without them: --no-processes), the "
		"hardware's tables, kernel structures, the struct pages of what is "
		"mapped, and the kernel log. Symbols and types are noted in its VMCOREINFO, so that it "
		"is read without a vmlinux, with the same output. No page of user or guest memory and "
		"none of the page cache is in it; docs/dumps.md says what it can still reveal.\n"
		"\n"
		"Prints how many pages went in, and why. FILE appears when it is complete.",
	.options = OPTION_FORMAT | OPTION_EXTRACT,
	.arguments_min = 0,
	.arguments_max = 1,
	.schema = &schema_extract,
	.run = run,
};
