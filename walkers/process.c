// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Processes, by the kernel's list of tasks.
 *
 * Linux: include/linux/sched.h (struct task_struct: tasks, thread_node, mm; PF_KTHREAD),
 * include/linux/sched/signal.h (thread_head), include/linux/mm_types.h (mm_struct.pgd);
 * x86: arch/x86/include/asm/pgtable_64_types.h (pgdir_shift), page_64_types.h (TASK_SIZE_MAX),
 * pgtable.h (kernel_to_user_pgdp()), arch/x86/mm/pti.c; include/linux/swap.h (MAX_SWAPFILES);
 * arm64: target/kernel_aarch64.c.
 */
#include "walkers/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "target/error.h"
#include "target/kernel.h"
#include "target/kernel_aarch64.h"
#include "target/page_set.h"
#include "walkers/inventory.h"

enum field {
	TASK_TASKS,
	TASK_PID,
	TASK_TGID,
	TASK_COMM,
	TASK_MM,
	TASK_FLAGS,
	TASK_SIGNAL,
	TASK_THREAD_NODE,
	SIGNAL_THREAD_HEAD,
	MM_PGD,
	CPU_CAPABILITY,
	ZAP_FLAGS,
	MM_RSS_STAT,
	FIELDS,
};

static const struct type_query fields[FIELDS] = {
	[TASK_TASKS] = { "task_struct", "tasks", NULL },
	[TASK_PID] = { "task_struct", "pid", NULL },
	[TASK_TGID] = { "task_struct", "tgid", NULL },
	[TASK_COMM] = { "task_struct", "comm", NULL },
	[TASK_MM] = { "task_struct", "mm", NULL },
	[TASK_FLAGS] = { "task_struct", "flags", NULL },
	[TASK_SIGNAL] = { "task_struct", "signal", NULL },
	[TASK_THREAD_NODE] = { "task_struct", "thread_node", NULL },
	[SIGNAL_THREAD_HEAD] = { "signal_struct", "thread_head", NULL },
	[MM_PGD] = { "mm_struct", "pgd", NULL },
	[CPU_CAPABILITY] = { "cpuinfo_x86", "x86_capability", NULL },
	[ZAP_FLAGS] = { "zap_details", "zap_flags", NULL }, /* since 5.19: 999dad824c39 */
	[MM_RSS_STAT] = { "mm_rss_stat", NULL, NULL },	    /* up to 6.1: f1a7941243c1 */
};

enum { PF_KTHREAD = 0x00200000 }; /* include/linux/sched.h */

/* One look through the tasks. */
struct scan {
	struct kernel *kernel;
	struct member members[FIELDS];
	uint64_t init_task;
	struct pt_geometry geometry; /* of all processes */
	uint64_t user_half;	     /* OR-ed into mm_struct.pgd's physical address */
};

static struct error *get(const struct scan *scan, uint64_t base, enum field field, uint64_t *ret)
{
	return kernel_get(scan->kernel, base, &scan->members[field], ret);
}

static bool has_symbol(const struct scan *scan, const char *name)
{
	uint64_t address = 0;

	return kernel_symbol(scan->kernel, name, &address);
}

/* An integer variable of the kernel; 0 where there is none. */
static struct error *variable(const struct scan *scan, const char *name, size_t size, uint64_t *ret)
{
	uint64_t address = 0;

	*ret = 0;
	return kernel_symbol(scan->kernel, name, &address)
		       ? kernel_read(scan->kernel, address, ret, size)
		       : NULL;
}

/*
 * Where the special swap types begin. They are counted down from 32 and depend on the
 * configuration, which shows by what functions there are (include/linux/swap.h; "since" and
 * "up to" by the commits that changed SWP_*_NUM).
 */
static struct pt_linux_types swap_types(const struct scan *scan)
{
	/* The same release has exclusive migration entries and markers: 5.19. */
	const bool since_5_19 = scan->members[ZAP_FLAGS].present;
	const bool up_to_6_1 = scan->members[MM_RSS_STAT].present;
	uint8_t next = PT_LINUX_SWAP_TYPES;
	struct pt_linux_types types = { .used = true };

	/* SWP_SWAPIN_ERROR, 5.19 to 6.1; then it became a marker (15520a3f0469). */
	if (since_5_19 && up_to_6_1)
		next--;
	types.swapin_error = next;
	/* SWP_PTE_MARKER; up to 6.1 only with CONFIG_PTE_MARKER, for userfaultfd. */
	if (since_5_19 && (!up_to_6_1 || has_symbol(scan, "mwriteprotect_range")))
		next--;
	types.marker = next;
	/* SWP_DEVICE_EXCLUSIVE_*: two since 5.14 (b756a3b5e7ea), one since 6.15. */
	uint8_t exclusive = 0;
	if (has_symbol(scan, "make_device_exclusive"))
		exclusive = 1;
	else if (has_symbol(scan, "make_device_exclusive_range"))
		exclusive = 2;
	next = (uint8_t)(next - exclusive);
	types.device_exclusive = next;
	/* CONFIG_DEVICE_PRIVATE: SWP_DEVICE_WRITE and _READ. */
	if (exclusive || (!since_5_19 && has_symbol(scan, "migrate_vma_setup")))
		next = (uint8_t)(next - 2);
	types.device_private = next;
	if (has_symbol(scan, "migrate_pages"))
		next = (uint8_t)(next - (since_5_19 ? 3 : 2));
	types.migration = next;
	if (has_symbol(scan, "memory_failure"))
		next--;
	types.hwpoison = next;
	return types;
}

/*
 * With page-table isolation mm_struct.pgd is the kernel's half of a pair, in which user
 * addresses are not executable; the CPU in user mode has the one behind it.
 */
static struct error *find_user_half(struct scan *scan)
{
	enum { WORD = 7, X86_FEATURE_PTI = 11 }; /* arch/x86/include/asm/cpufeatures.h */
	uint64_t address = 0;
	uint32_t word = 0;

	if (!kernel_symbol(scan->kernel, "boot_cpu_data", &address) ||
	    !scan->members[CPU_CAPABILITY].present)
		return NULL;
	struct error *err = kernel_read(
		scan->kernel, address + scan->members[CPU_CAPABILITY].offset + WORD * sizeof(word),
		&word, sizeof(word));
	if (!err && (word >> X86_FEATURE_PTI & 1))
		scan->user_half = KERNEL_PAGE;
	return err;
}

static struct error *init_x86_64(struct scan *scan)
{
	enum { PGDIR_SHIFT_L5 = 48 };
	uint64_t shift = 0;
	uint64_t encryption = 0;
	struct error *err = variable(scan, "pgdir_shift", sizeof(uint32_t), &shift);

	if (!err)
		err = variable(scan, "sme_me_mask", sizeof(encryption), &encryption);
	if (!err)
		err = find_user_half(scan);
	if (err)
		return err;
	const bool la57 = shift == PGDIR_SHIFT_L5;
	const struct pt_parameters parameters = {
		.levels = la57 ? 5 : 4,
		.input_bits = la57 ? 56 : 47, /* the lower half of the canonical addresses */
		.strip = encryption,
	};
	err = pt_geometry_init(&pt_format_x86_64, &parameters, &scan->geometry);
	scan->geometry.linux_types = swap_types(scan);
	return err;
}

/*
 * TTBR0 is as wide as TTBR1. Bit 51 is Linux's own "may write" (arch/arm64/include/asm/
 * pgtable-prot.h: PTE_WRITE), which is that of hardware dirty state, too: a clean page is writable
 * in either case, if not by hardware then by a fault that sets it dirty.
 */
static struct error *init_aarch64(struct scan *scan)
{
	struct pt_parameters parameters = { 0 };
	struct error *err = aarch64_parameters(kernel_memory(scan->kernel), &parameters);

	if (err)
		return err;
	parameters.dirty_tracking = true;
	return pt_geometry_init(&pt_format_lpae_s1, &parameters, &scan->geometry);
}

static struct error *init_geometry(struct scan *scan)
{
	switch (kernel_memory(scan->kernel)->arch) {
	case ARCH_X86_64:
		return init_x86_64(scan);
	case ARCH_AARCH64:
		return init_aarch64(scan);
	default:
		return error_new("processes are decoded on x86-64 and arm64 only");
	}
}

static struct error *scan_init(struct scan *scan, struct kernel *kernel)
{
	*scan = (struct scan){ .kernel = kernel };
	if (!kernel_symbol(kernel, "init_task", &scan->init_task))
		return error_new("the symbol init_task is needed to find processes; give vmlinux "
				 "with -s");
	struct error *err = kernel_resolve(kernel, fields, scan->members, FIELDS);
	return err ? err : init_geometry(scan);
}

static struct error *read_comm(const struct scan *scan, struct process *process)
{
	return kernel_member_string(scan->kernel, process->task, &scan->members[TASK_COMM],
				    process->comm, sizeof(process->comm));
}

/* Where the table of @process is; its mm is known. What cannot be read is its own reason. */
static void read_table(const struct scan *scan, struct process *process)
{
	uint64_t root = 0;
	struct error *err = get(scan, process->mm, MM_PGD, &process->pgd);

	if (!err && !kernel_to_phys(scan->kernel, process->pgd, &root))
		err = error_new("table at 0x%" PRIx64 " is not mapped", process->pgd);
	process->known = !err;
	process->tree =
		(struct pt_tree){ .geometry = scan->geometry, .root = root | scan->user_half };
	if (err)
		snprintf(process->reason, sizeof(process->reason), "%.159s", err->message);
	error_free(err);
}

struct threads {
	struct list_cursor cursor;
	uint64_t offset;
};

static struct error *threads_begin(const struct scan *scan, uint64_t leader,
				   struct threads *threads)
{
	uint64_t signal = 0;
	struct error *err = get(scan, leader, TASK_SIGNAL, &signal);

	if (!err && (!scan->members[SIGNAL_THREAD_HEAD].present ||
		     !scan->members[TASK_THREAD_NODE].present))
		err = error_new("this kernel's tasks have no list of threads that is known");
	threads->cursor = list_begin(signal + scan->members[SIGNAL_THREAD_HEAD].offset);
	threads->offset = scan->members[TASK_THREAD_NODE].offset;
	return err;
}

static bool threads_next(const struct scan *scan, struct threads *threads, uint64_t *task)
{
	if (!list_next(scan->kernel, &threads->cursor))
		return false;
	*task = threads->cursor.node - threads->offset;
	return true;
}

/* The mm of a process whose first thread has ended before the others. */
static struct error *mm_of_threads(const struct scan *scan, uint64_t leader, uint64_t *mm)
{
	struct threads threads;
	uint64_t task = 0;
	struct error *err = threads_begin(scan, leader, &threads);

	while (!err && *mm == 0 && threads_next(scan, &threads, &task))
		err = get(scan, task, TASK_MM, mm);
	if (!err)
		return threads.cursor.error;
	error_free(threads.cursor.error);
	return err;
}

/* Whether @task works for the kernel: its mm, if any, is borrowed (kthread_use_mm()). */
static struct error *is_kernel_thread(const struct scan *scan, uint64_t task, bool *ret)
{
	uint64_t flags = 0;
	struct error *err = get(scan, task, TASK_FLAGS, &flags);

	*ret = flags & PF_KTHREAD;
	return err;
}

/* A task lets go of its mm before the tables are freed (kernel/exit.c: exit_mm()). */
static void witness_task(const struct scan *scan, struct process *process)
{
	uint64_t mm = 0;
	struct error *err = get(scan, process->task, TASK_MM, &mm);

	/* Where the first thread has ended before the others it has none. */
	if (!err && mm == process->mm)
		tree_add_witness(scan->kernel, &process->tree,
				 process->task + scan->members[TASK_MM].offset, &mm, 1);
	error_free(err);
}

/* The process led by @leader; mm 0 when it has none (any more). */
static struct error *read_process(const struct scan *scan, uint64_t leader, struct process *ret)
{
	bool kernel_thread = false;
	uint64_t tgid = 0;
	struct error *err = is_kernel_thread(scan, leader, &kernel_thread);

	*ret = (struct process){ .task = leader };
	if (!err)
		err = get(scan, leader, TASK_TGID, &tgid);
	if (!err)
		err = read_comm(scan, ret);
	ret->pid = (int32_t)tgid;
	if (err || kernel_thread)
		return err;
	err = get(scan, leader, TASK_MM, &ret->mm);
	if (!err && ret->mm == 0)
		err = mm_of_threads(scan, leader, &ret->mm);
	if (!err && ret->mm)
		read_table(scan, ret);
	if (!err && ret->mm)
		witness_task(scan, ret);
	return err;
}

/* The leaders of all thread groups, the idle task's own left out. */
static bool next_leader(const struct scan *scan, struct list_cursor *cursor, uint64_t *leader)
{
	if (!list_next(scan->kernel, cursor))
		return false;
	*leader = cursor->node - scan->members[TASK_TASKS].offset;
	return true;
}

static struct list_cursor all_leaders(const struct scan *scan)
{
	return list_begin(scan->init_task + scan->members[TASK_TASKS].offset);
}

/* @err, or what ended the list; only one of them can be handed up. */
static struct error *end_of_list(struct error *err, struct list_cursor *cursor)
{
	if (!err)
		return cursor->error;
	error_free(cursor->error);
	return err;
}

/*
 * Address spaces met so far, by their mm: roots may be smaller than a page (arm64), and of two in
 * one page a set of pages knows only one. A struct mm_struct takes more than 512 bytes.
 */
enum { MM_TO_PAGE = 3 };

struct error *process_for_each(struct kernel *kernel, process_visit *visit, void *arg)
{
	struct scan scan;
	struct page_set *seen = NULL;
	uint64_t leader = 0;
	struct error *err = scan_init(&scan, kernel);

	if (!err)
		err = page_set_create(&seen);
	if (err)
		return err;
	struct list_cursor cursor = all_leaders(&scan);
	while (!err && next_leader(&scan, &cursor, &leader)) {
		struct process process;
		bool added = true;

		err = read_process(&scan, leader, &process);
		if (!err && process.mm && process.known)
			err = page_set_add(seen, process.mm << MM_TO_PAGE, &added);
		if (!err && process.mm && added)
			err = visit(arg, &process);
	}
	page_set_destroy(seen);
	return end_of_list(err, &cursor);
}

/* The leader of the thread whose ID is @pid; 0 when there is none. */
static struct error *find_leader_of_thread(const struct scan *scan, uint64_t pid, uint64_t *ret)
{
	struct list_cursor cursor = all_leaders(scan);
	uint64_t leader = 0;
	struct error *err = NULL;

	while (!err && *ret == 0 && next_leader(scan, &cursor, &leader)) {
		struct threads threads;
		uint64_t task = 0;
		uint64_t id = 0;

		err = threads_begin(scan, leader, &threads);
		while (!err && *ret == 0 && threads_next(scan, &threads, &task)) {
			err = get(scan, task, TASK_PID, &id);
			if (id == pid)
				*ret = leader;
		}
		err = end_of_list(err, &threads.cursor);
	}
	return end_of_list(err, &cursor);
}

/* The leader whose process ID is @pid; 0 when there is none. */
static struct error *find_leader(const struct scan *scan, uint64_t pid, uint64_t *ret)
{
	struct list_cursor cursor = all_leaders(scan);
	uint64_t leader = 0;
	uint64_t id = 0;
	struct error *err = NULL;

	while (!err && *ret == 0 && next_leader(scan, &cursor, &leader)) {
		err = get(scan, leader, TASK_PID, &id);
		if (id == pid)
			*ret = leader;
	}
	return end_of_list(err, &cursor);
}

/* Why there is no table although there is a task. */
static struct error *no_address_space(const struct scan *scan, const struct process *process,
				      uint64_t pid)
{
	bool kernel_thread = false;
	struct error *err = is_kernel_thread(scan, process->task, &kernel_thread);

	if (err)
		return err;
	if (kernel_thread)
		return error_new("pid:%" PRIu64 " (%s) is a kernel thread: it has no page table of "
				 "its own; give the PID of a user process",
				 pid, process->comm);
	return error_new("pid:%" PRIu64 " (%s) has ended: its page table is gone", pid,
			 process->comm);
}

struct error *process_find(struct kernel *kernel, uint64_t pid, struct process *ret)
{
	struct scan scan;
	uint64_t leader = 0;
	struct error *err = scan_init(&scan, kernel);

	if (!err)
		err = find_leader(&scan, pid, &leader);
	if (!err && leader == 0)
		err = find_leader_of_thread(&scan, pid, &leader);
	if (!err && leader == 0)
		err = error_new("pid:%" PRIu64 ": no such process; give a PID as the host itself "
				"counts (not one inside a container)",
				pid);
	if (!err)
		err = read_process(&scan, leader, ret);
	if (!err && ret->mm == 0)
		err = no_address_space(&scan, ret, pid);
	return err;
}

struct error *process_of_mm(struct kernel *kernel, uint64_t mm, struct process *ret)
{
	struct scan scan;
	uint64_t leader = 0;
	struct error *err = scan_init(&scan, kernel);

	if (err)
		return err;
	struct list_cursor cursor = all_leaders(&scan);
	while (!err && next_leader(&scan, &cursor, &leader)) {
		err = read_process(&scan, leader, ret);
		if (!err && ret->mm == mm)
			return NULL;
	}
	err = end_of_list(err, &cursor);
	return err ? err : error_new("no process has the mm_struct at 0x%" PRIx64, mm);
}

void process_set_space(const struct process *process, struct space *space)
{
	snprintf(space->name, sizeof(space->name), "pid:%" PRId64, process->pid);
	snprintf(space->comm, sizeof(space->comm), "%s", process->comm);
	space->kind = "process";
	space->view = VIEW_SW;
	space->pid = process->pid;
	space->mm = process->mm;
	space->domain_id = -1;
	space->tree = process->tree;
	if (process->known)
		space->mode = SPACE_TABLE;
	else
		space_set_mode(space, SPACE_UNKNOWN, "%s", process->reason);
}
