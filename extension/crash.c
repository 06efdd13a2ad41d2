// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The crash extension: the command `iommupt` inside crash, over crash's memory, symbols and gdb.
 *
 * The one file that includes crash's defs.h; it is compiled for one version of crash.
 *
 * crash ends a command by longjmp: on Ctrl-C, on a fatal error, and before a gdb request when
 * the pager has been quit. That would leave behind whatever the library holds. So for the
 * length of our command Ctrl-C only sets a flag, and every call into crash that might jump
 * lands in a guard right where it was made.
 */
#include <defs.h>
#undef max /* 9.0.2 */
#undef min

#include <inttypes.h>

#include "extension/elf_ranges.h"
#include "extension/gdb_layout.h"
#include "reports/commands.h"
#include "reports/session.h"
#include "target/btf.h"
#include "target/error.h"
#include "target/file_reader.h"
#include "target/kallsyms.h"
#include "target/kernel.h"
#include "target/text.h"

static struct session session;

/* ---- Calls into crash that may longjmp ---- */

/*
 * Between guard_enter() and guard_leave() a fatal error of crash jumps to
 * pc->foreach_loop_env, which is the way out that cleans nothing up, and prints nothing.
 *
 *	guard_enter(&guard);
 *	if (setjmp(pc->foreach_loop_env) == 0)
 *		... the call; results in volatile variables ...
 *	guard_leave(&guard);
 */
struct guard {
	ulonglong flags;
	ulong redirect;
	FILE *out;
	FILE *error_out;
	FILE *pager;
	jmp_buf foreach;
};

static struct guard *guard_inside; /* the one that is entered; NULL: none */

static void guard_enter(struct guard *guard)
{
	guard_inside = guard;
	guard->flags = pc->flags & IN_FOREACH;
	guard->redirect = pc->redirect;
	guard->out = fp;
	guard->error_out = pc->error_fp;
	guard->pager = pc->stdpipe;
	memcpy(&guard->foreach, &pc->foreach_loop_env, sizeof(guard->foreach));
	pc->flags |= IN_FOREACH;
	pc->redirect = REDIRECT_NOT_DONE; /* gdb_interface() jumps when a pager has gone */
	pc->stdpipe = NULL;		  /* error() prefers it to error_fp */
	fp = pc->nullfp;
	pc->error_fp = pc->nullfp;
}

static void guard_leave(struct guard *guard)
{
	memcpy(&pc->foreach_loop_env, &guard->foreach, sizeof(guard->foreach));
	pc->error_fp = guard->error_out;
	fp = guard->out;
	pc->stdpipe = guard->pager;
	pc->redirect = guard->redirect;
	pc->flags = (pc->flags & ~(ulonglong)(IN_FOREACH | IN_GDB)) | guard->flags;
	guard_inside = NULL;
}

static bool guarded_readmem(uint64_t phys, void *data, size_t len)
{
	struct guard guard;
	volatile bool ok = false;

	guard_enter(&guard);
	if (setjmp(pc->foreach_loop_env) == 0)
		ok = readmem(phys, PHYSADDR, data, (long)len, "iommupt", RETURN_ON_ERROR | QUIET);
	guard_leave(&guard);
	return ok;
}

/* Why readmem() failed, which it does not say: what the reader of this kind of dump returns. */
static int guarded_read_result(uint64_t phys, void *data, size_t len)
{
	struct guard guard;
	volatile int result = READ_ERROR;
	const int fd = REMOTE_MEMSRC() ? pc->sockfd : ACTIVE() ? pc->mfd : pc->dfd;

	guard_enter(&guard);
	if (setjmp(pc->foreach_loop_env) == 0)
		result = READMEM(fd, data, (int)len, 0, phys);
	guard_leave(&guard);
	return result;
}

static bool guarded_kvtop(uint64_t address, uint64_t *ret)
{
	struct guard guard;
	volatile bool ok = false;
	physaddr_t phys = 0;

	guard_enter(&guard);
	if (setjmp(pc->foreach_loop_env) == 0) {
		ok = kvtop(NULL, address, &phys, 0);
	} else {
		/* A read that failed half-way has spoiled one of these caches. */
		machdep->last_pgd_read = 0;
		machdep->last_pud_read = 0;
		machdep->last_pmd_read = 0;
		machdep->last_ptbl_read = 0;
	}
	guard_leave(&guard);
	*ret = phys;
	return ok;
}

/* ---- Signals ---- */

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	session.stop = 1;
}

/* What crash had before our command; valid while it runs. */
static struct sigaction crash_interrupt;
static struct sigaction crash_pipe;
static struct sigaction crash_file_size;
static sigset_t crash_mask;

static void catch_interrupt(void)
{
	const struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &action, NULL);
}

/* A pipe that nobody reads and a file beyond `ulimit -f` are errors of write(), not the end. */
static void signals_take(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigprocmask(SIG_SETMASK, NULL, &crash_mask);
	sigaction(SIGINT, NULL, &crash_interrupt);
	sigaction(SIGPIPE, &ignore, &crash_pipe);
	sigaction(SIGXFSZ, &ignore, &crash_file_size);
	session.stop = 0;
	catch_interrupt();
}

static void signals_give_back(void)
{
	sigaction(SIGXFSZ, &crash_file_size, NULL);
	sigaction(SIGPIPE, &crash_pipe, NULL);
	sigaction(SIGINT, &crash_interrupt, NULL);
	sigprocmask(SIG_SETMASK, &crash_mask, NULL);
}

/*
 * A request to gdb. gdb_interface() sets SIGINT to gdb's handler or to nothing, and afterwards
 * to crash's own, which jumps: so the signal waits until ours is back.
 */
static bool guarded_gdb(char *request, FILE *out)
{
	struct guard guard;
	volatile bool ok = false;
	sigset_t interrupt;
	sigset_t before;

	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupt, &before);
	guard_enter(&guard);
	if (setjmp(pc->foreach_loop_env) == 0)
		ok = gdb_pass_through(request, out,
				      GNU_RETURN_ON_ERROR | GNU_NO_READMEM | GNU_FROM_TTY_OFF);
	guard_leave(&guard);
	catch_interrupt();
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ok;
}

/*
 * What gdb answers to @request; *ret is the caller's, NULL when gdb refuses. Neither the language
 * nor the pager that the user may have chosen (`gdb set ...`) is to change the answer.
 */
static struct error *gdb_ask(const char *request, char **ret, size_t *len)
{
	char flush[] = "echo";
	char *plain = NULL;
	struct text text;
	struct error *err = text_open(&text);

	*ret = NULL;
	if (err)
		return err;
	if (asprintf(&plain, "with language c -- with pagination off -- %s", request) < 0) {
		text_deinit(&text);
		return error_no_memory();
	}
	const bool ok = guarded_gdb(plain, text.stream);
	free(plain);
	guarded_gdb(flush, pc->nullfp); /* gdb forgets the stream that is closed here */
	*len = text_length(&text);
	err = text_finish(&text, ret);
	if (err)
		return err;
	if (!ok) {
		free(*ret);
		*ret = NULL;
	}
	return NULL;
}

/* ---- Physical memory ---- */

struct crash_memory {
	struct memory memory;
	struct elf_ranges ranges;
	struct file_reader *reader; /* of the file that crash reads, for many pages; or NULL */
	int fd;			    /* of the reader */
};

static enum block_status read_piece(struct crash_memory *self, uint64_t phys, void *data,
				    size_t len)
{
	const enum block_status held = elf_ranges_probe(&self->ranges, phys);

	if (held != BLOCK_OK)
		return held;
	if (guarded_readmem(phys, data, len))
		return BLOCK_OK;
	switch (guarded_read_result(phys, data, len)) {
	case PAGE_EXCLUDED:
		return BLOCK_MISSING;
	case SEEK_ERROR:
		return BLOCK_OUTSIDE;
	default:
		return ACTIVE() ? BLOCK_OUTSIDE : BLOCK_DAMAGED;
	}
}

static void crash_memory_read(struct memory *memory, struct block_request *requests, size_t count)
{
	struct crash_memory *self = (struct crash_memory *)memory;
	const uint64_t page = PAGESIZE();

	for (size_t i = 0; i < count; i++) {
		struct block_request *request = &requests[i];
		uint64_t done = 0;

		request->status = BLOCK_OK;
		while (done < request->len && request->status == BLOCK_OK) {
			const uint64_t phys = request->phys + done;
			uint64_t piece = page - phys % page;

			if (piece > request->len - done)
				piece = request->len - done;
			request->status =
				read_piece(self, phys, (char *)request->data + done, piece);
			done += piece;
		}
	}
}

/*
 * By our own reader, from any thread. All that is not plainly there is left to crash, whose word
 * counts in its session.
 */
static void crash_memory_fetch(struct memory *memory, struct block_request *requests, size_t count)
{
	const struct crash_memory *self = (struct crash_memory *)memory;

	if (self->reader)
		file_reader_fetch(self->reader, requests, count);
	for (size_t i = 0; i < count; i++) {
		if (!self->reader || requests[i].status != BLOCK_OK)
			requests[i].bytes = NULL;
		requests[i].status = BLOCK_OK;
	}
}

static bool crash_memory_are_zeros(struct memory *memory, const uint64_t *phys, size_t count,
				   uint32_t len)
{
	const struct crash_memory *self = (struct crash_memory *)memory;

	return file_reader_are_zeros(self->reader, phys, count, len);
}

static enum block_status crash_memory_probe(struct memory *memory, uint64_t phys)
{
	char byte = 0;
	const enum block_status status =
		read_piece((struct crash_memory *)memory, phys, &byte, sizeof(byte));

	return status == BLOCK_DAMAGED ? BLOCK_OK : status;
}

static void crash_memory_destroy(struct memory *memory)
{
	struct crash_memory *self = (struct crash_memory *)memory;

	elf_ranges_unload(&self->ranges);
	file_reader_destroy(self->reader);
	if (self->fd >= 0)
		close(self->fd);
	free(self);
}

static const struct memory_ops crash_memory_ops = {
	.name = "crash",
	.read = crash_memory_read,
	.fetch = crash_memory_fetch,
	.are_zeros = crash_memory_are_zeros,
	.probe = crash_memory_probe,
	.destroy = crash_memory_destroy,
};

static enum memory_arch crash_arch(void)
{
	if (machine_type("X86_64"))
		return ARCH_X86_64;
	return machine_type("ARM64") ? ARCH_AARCH64 : ARCH_UNKNOWN;
}

/* Whatever makes crash's view of the file differ from the file. */
static const char *crash_defect(void)
{
	if (*diskdump_flags & ZERO_EXCLUDED)
		return "crash was started with --zero_excluded, so pages that the dump lacks "
		       "read as zeros; tables may be shown as empty that are not";
	if (is_incomplete_dump())
		return "the dump is incomplete";
	return NULL;
}

/*
 * Is @fd what crash has open? Its path may be relative to a folder that crash has left. Which
 * descriptor is crash's depends on the kind of dump: pc->dfd is set for none of those here.
 */
static bool is_dumpfile(int fd)
{
	enum { FIRST = 3, END = 1024 };
	struct stat ours;
	struct stat other;

	if (fd < 0 || fstat(fd, &ours))
		return false;
	for (int i = FIRST; i < END; i++) {
		if (i != fd && fstat(i, &other) == 0 && other.st_dev == ours.st_dev &&
		    other.st_ino == ours.st_ino)
			return true;
	}
	return false;
}

/* Large tables are read from the file itself, where crash does no more than that either. */
static void open_reader(struct crash_memory *memory)
{
	if (!DUMPFILE() || !pc->dumpfile || memory->memory.arch == ARCH_UNKNOWN ||
	    memory->memory.defect)
		return;
	memory->fd = open(pc->dumpfile, O_RDONLY | O_CLOEXEC);
	if (!is_dumpfile(memory->fd))
		return;
	if (DISKDUMP_DUMPFILE()) /* its parts, when split, say so */
		memory->reader =
			file_reader_kdump(memory->fd, (unsigned int)__builtin_ctz(PAGESIZE()));
	else if (KDUMP_DUMPFILE() || NETDUMP_DUMPFILE())
		memory->reader = file_reader_elf(memory->fd);
	memory->memory.concurrent = memory->reader;
}

static struct error *open_memory(struct session *self, struct memory **ret)
{
	struct crash_memory *memory = calloc(1, sizeof(*memory));
	const char *release = kt->utsname.release;
	const char *defect = crash_defect();
	bool complete = true;

	(void)self;
	if (!memory)
		return error_no_memory();
	memory->fd = -1;
	memory->memory.ops = &crash_memory_ops;
	memory->memory.arch = crash_arch();
	memory->memory.live = ACTIVE();
	memory->memory.path = strdup(DUMPFILE() && pc->dumpfile ? pc->dumpfile : "/proc/kcore");
	memory->memory.format = strdup("opened by crash");
	complete = memory->memory.path && memory->memory.format;
	if (complete && defect)
		complete = (memory->memory.defect = strdup(defect)) != NULL;
	if (complete && release[0]) /* the one line of VMCOREINFO that x86-64 needs here */
		complete = asprintf(&memory->memory.vmcoreinfo, "OSRELEASE=%s\n", release) >= 0;
	struct error *err = complete ? NULL : error_no_memory();
	if (!err && DUMPFILE() && (KDUMP_DUMPFILE() || NETDUMP_DUMPFILE()))
		err = elf_ranges_load(memory->memory.path, &memory->ranges);
	if (err) {
		memory_close(&memory->memory);
		return err;
	}
	open_reader(memory);
	*ret = &memory->memory;
	return NULL;
}

/* ---- Virtual memory ---- */

static bool crash_to_phys(struct virtual_memory *self, struct memory *memory, uint64_t address,
			  uint64_t *ret)
{
	(void)self;
	(void)memory;
	return guarded_kvtop(address, ret);
}

static enum block_status crash_read_page(struct virtual_memory *self, struct memory *memory,
					 uint64_t address, void *data)
{
	uint64_t phys = 0;

	(void)self;
	if (!guarded_kvtop(address, &phys))
		return BLOCK_OUTSIDE;
	return memory_read(memory, phys, data, KERNEL_PAGE);
}

static void nothing_to_destroy(struct virtual_memory *self)
{
	(void)self;
}

static struct virtual_memory crash_virtual_memory = {
	.read_page = crash_read_page,
	.to_phys = crash_to_phys,
	.destroy = nothing_to_destroy,
};

/* ---- Symbols ---- */

static size_t crash_symbols_find(struct symbols *symbols, const char *name, uint64_t *addrs,
				 size_t max_count)
{
	char *wanted = (char *)name; /* crash does not write to it */
	size_t count = 0;

	(void)symbols;
	for (struct syment *symbol = symbol_search(wanted); symbol;
	     symbol = symbol_search_next(wanted, symbol)) {
		if (count < max_count)
			addrs[count] = symbol->value;
		count++;
	}
	return count;
}

static void crash_symbols_destroy(struct symbols *symbols)
{
	(void)symbols;
}

static const struct symbols_ops crash_symbols_ops = {
	.name = "crash",
	.find = crash_symbols_find,
	.destroy = crash_symbols_destroy,
};

static struct symbols crash_symbols = { .ops = &crash_symbols_ops };

/* ---- Types ---- */

/* Layouts once asked for are kept until modules' debug information comes or the extension goes. */
struct known_type {
	char *name;		   /* as gdb takes it: "struct page", "refcount_t" */
	struct gdb_layout *layout; /* NULL: gdb does not know it */
};

static struct known_type *known_types;
static size_t known_type_count;

static void known_types_forget(void)
{
	for (size_t i = 0; i < known_type_count; i++) {
		free(known_types[i].name);
		gdb_layout_destroy(known_types[i].layout);
	}
	free(known_types);
	known_types = NULL;
	known_type_count = 0;
}

static struct error *known_types_add(const char *name, struct gdb_layout *layout)
{
	struct known_type *types =
		realloc(known_types, (known_type_count + 1) * sizeof(*known_types));
	char *copy = strdup(name);

	if (types)
		known_types = types;
	if (!types || !copy) {
		free(copy);
		gdb_layout_destroy(layout);
		return error_no_memory();
	}
	known_types[known_type_count++] = (struct known_type){ .name = copy, .layout = layout };
	return NULL;
}

static struct error *get_layout(const char *name, const struct gdb_layout **ret)
{
	char request[256];
	char *text = NULL;
	size_t len = 0;
	struct gdb_layout *layout = NULL;

	*ret = NULL;
	for (size_t i = 0; i < known_type_count; i++) {
		if (strcmp(known_types[i].name, name) == 0) {
			*ret = known_types[i].layout;
			return NULL;
		}
	}
	/* r: gdb does not look for a typedef of each member's type, which takes it seconds. */
	if ((size_t)snprintf(request, sizeof(request), "ptype/or %s", name) >= sizeof(request))
		return NULL;
	struct error *err = gdb_ask(request, &text, &len);
	if (!err && text)
		err = gdb_layout_parse(text, len, &layout);
	free(text);
	if (!err)
		err = known_types_add(name, layout);
	if (!err)
		*ret = layout;
	return err;
}

/* A tag may be a structure's or a union's. */
static struct error *get_layout_of_tag(const char *tag, const struct gdb_layout **ret)
{
	static const char *const kinds[] = { "struct", "union" };
	struct error *err = NULL;

	*ret = NULL;
	for (size_t i = 0; !err && !*ret && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char name[128];

		if ((size_t)snprintf(name, sizeof(name), "%s %s", kinds[i], tag) < sizeof(name))
			err = get_layout(name, ret);
	}
	return err;
}

static struct error *find_member(const struct gdb_layout *layout, const char *path,
				 struct member *ret)
{
	enum { TYPEDEFS_MAX = 16 };
	const char *type = NULL;
	const char *rest = path;
	uint32_t base = 0;

	for (unsigned int i = 0; layout && i < TYPEDEFS_MAX; i++) {
		struct error *err = NULL;

		switch (gdb_layout_find(layout, rest, ret, &type, &rest)) {
		case LAYOUT_FOUND:
			ret->offset += base;
			return NULL;
		case LAYOUT_ELSEWHERE:
			base += ret->offset;
			err = get_layout(type, &layout);
			if (err)
				return err;
			break;
		case LAYOUT_ABSENT:
			layout = NULL;
			break;
		}
	}
	*ret = (struct member){ .present = false };
	return NULL;
}

/*
 * The kernel's own BTF, for what gdb does not have: the structures of modules without `mod -s`,
 * and all but one of those that share a name. It takes some time to read, so it is read late.
 */
static struct kernel *btf_kernel; /* whose it is; NULL: not open */
static struct types *btf;	  /* NULL: not read, or there is none */
static bool btf_tried;

static struct types *get_btf(void)
{
	size_t skipped = 0;

	if (!btf_tried && btf_kernel) {
		btf_tried = true;
		error_free(btf_open_kernel(btf_kernel, &btf));
		if (btf)
			error_free(btf_add_modules(btf_kernel, btf, &skipped));
	}
	return btf;
}

static struct error *crash_types_find(struct types *types, const struct type_query *query,
				      struct member *ret)
{
	const struct gdb_layout *layout = NULL;
	struct error *err = get_layout_of_tag(query->type, &layout);

	(void)types;
	/* gdb shows one structure of a name; without the telling member it is another one's. */
	if (!err && query->with) {
		err = find_member(layout, query->with, ret);
		if (!err && !ret->present)
			layout = NULL;
	}
	if (!err && !layout && get_btf())
		return btf->ops->find(btf, query, ret);
	return err ? err : find_member(layout, query->member, ret);
}

/* `output` is `print` without a number in the user's value history. */
static struct error *crash_types_enumerator(struct types *types, const char *enum_tag,
					    const char *name, bool *found, int64_t *ret)
{
	char request[256];
	char *text = NULL;
	char *end = NULL;
	size_t len = 0;

	(void)types;
	*found = false;
	snprintf(request, sizeof(request), "whatis %s", name);
	struct error *err = gdb_ask(request, &text, &len);
	if (err || !text)
		return err;
	bool is_enum = strncmp(text, "type = enum ", 12) == 0;
	if (is_enum && enum_tag)
		is_enum = strncmp(text + 12, enum_tag, strlen(enum_tag)) == 0 &&
			  text[12 + strlen(enum_tag)] == '\n';
	free(text);
	if (!is_enum)
		return NULL;
	snprintf(request, sizeof(request), "output/d (long)%s", name);
	err = gdb_ask(request, &text, &len);
	if (err || !text)
		return err;
	*ret = strtoll(text, &end, 10);
	*found = end != text;
	free(text);
	return NULL;
}

static void crash_types_destroy(struct types *types)
{
	(void)types;
	if (btf)
		btf->ops->destroy(btf);
	btf = NULL;
	btf_kernel = NULL;
	btf_tried = false;
}

static const struct types_ops crash_types_ops = {
	.name = "gdb",
	.find = crash_types_find,
	.enumerator = crash_types_enumerator,
	.destroy = crash_types_destroy,
};

static struct types crash_types = { .ops = &crash_types_ops };

/* ---- The session ---- */

/*
 * On arm64 VMCOREINFO says more that is said nowhere else (where struct pages are, widths of
 * addresses). The kernel has its text at hand (kernel/vmcore_info.c, crash_core.c before 6.9);
 * without it the release alone stays known.
 */
static struct error *read_vmcoreinfo(struct kernel *kernel)
{
	enum { MOST = 1 << 16 };
	struct memory *memory = kernel_memory(kernel);
	uint64_t address = 0;
	uint64_t size = 0;
	uint64_t at = 0;

	if (memory->arch != ARCH_AARCH64 || !kernel_symbol(kernel, "vmcoreinfo_data", &address) ||
	    !kernel_symbol(kernel, "vmcoreinfo_size", &at))
		return NULL;
	struct error *err = kernel_read(kernel, address, &address, sizeof(address));
	if (!err)
		err = kernel_read(kernel, at, &size, sizeof(size));
	if (err || size == 0 || size > MOST)
		return err;
	char *text = calloc(1, size + 1);
	if (!text)
		return error_no_memory();
	err = kernel_read(kernel, address, text, size);
	if (err) {
		free(text);
		return err;
	}
	free(memory->vmcoreinfo);
	memory->vmcoreinfo = text;
	return NULL;
}

static struct error *open_kernel(struct session *self, struct kernel **ret)
{
	struct memory *memory = NULL;

	if (pc->flags & MINIMAL_MODE)
		return error_new("crash was started with --minimal and knows no types; start it "
				 "without, or give a root: target");
	struct error *err = open_memory(self, &memory);
	if (!err)
		err = kernel_create(memory, &crash_virtual_memory, &crash_symbols, &crash_types,
				    ret);
	if (err)
		return err;
	btf_kernel = *ret;
	error_free(read_vmcoreinfo(*ret)); /* what then is missing, says so */
	/* With --no_modules, or where it cannot make sense of them, crash knows no module. */
	struct symbols *modules = NULL;
	err = kallsyms_open_modules(*ret, &modules);
	if (!err)
		err = kernel_add_symbols(*ret, modules);
	if (err) {
		kernel_close(*ret);
		*ret = NULL;
	}
	return err;
}

/* How many modules have had their debug information loaded (`mod -s`). */
static int modules_with_types(void)
{
	int count = 0;

	for (int i = 0; i < st->mods_installed; i++)
		count += (st->load_modules[i].mod_flags & MOD_LOAD_SYMS) != 0;
	return count;
}

/* What was answered before `mod -s` may be answered better now. */
static void forget_before_modules(void)
{
	static int modules;
	const int modules_now = modules_with_types();

	if (modules != modules_now) {
		session_deinit(&session);
		known_types_forget();
	}
	modules = modules_now;
}

/*
 * Last resort, from restore_sanity(), should crash be about to jump out of our command after all
 * (a fault within gdb, on which crash starts afresh): what the command itself held is lost.
 */
static void abandon_command(void *unused)
{
	(void)unused;
	if (guard_inside)
		guard_leave(guard_inside);
	pc->cmd_cleanup = NULL;
	pc->cmd_cleanup_arg = NULL;
	signals_give_back();
	session_deinit(&session);
}

static void cmd_iommupt(void)
{
	char *words[MAXARGS + 1] = { NULL }; /* getopt_long() reorders them */
	const int crash_opterr = opterr;

	memcpy(words, args, (size_t)argcnt * sizeof(*words));
	signals_take();
	pc->cmd_cleanup = abandon_command;
	forget_before_modules();
	session.out = fp;
	/* A line on the terminal would tear the pager's screen. */
	session.err = pc->stdpipe ? pc->stdpipe : stderr;
	iommupt_run(&session, argcnt, words);
	fflush(fp);
	if (ACTIVE())
		session_deinit(&session); /* the next command looks at a kernel that ran on */
	pc->cmd_cleanup = NULL;
	opterr = crash_opterr;
	signals_give_back();
	/* Hand the Ctrl-C on, so that crash stops an input file as well. Nothing is held here. */
	if (session.stop)
		raise(SIGINT);
}

/* ---- Loading and unloading ---- */

/* One line of help, NUL at its end; crash prints it as a format if it has "%s" in it. */
static const char *put_help_line(FILE *out, const char *line)
{
	const size_t len = strcspn(line, "\n");
	const char *format = strstr(line, "%s");
	const bool is_format = format && format < line + len;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '%' && is_format)
			fputc('%', out);
		fputc(line[i], out);
	}
	fputc('\0', out);
	return line[len] ? line + len + 1 : line + len;
}

/* crash's form of help: name, summary, synopsis, lines, NULL. NULL when memory is short. */
static char **help_create(void)
{
	static char name[] = "iommupt";
	static char summary[] = "what the IOMMU page tables of this kernel say";
	static char synopsis[] = "COMMAND [arguments] [options]";
	char *plain = NULL;
	char *text = NULL;
	size_t count = 0;
	struct text out;
	struct error *err = text_open(&out);

	if (!err) {
		help_print(out.stream, NULL, true);
		err = text_finish(&out, &plain);
	}
	if (!err)
		err = text_open(&out);
	if (!err) {
		for (const char *line = plain; *line; count++)
			line = put_help_line(out.stream, line);
		err = text_finish(&out, &text);
	}
	free(plain);
	char **lines = err ? NULL : calloc(count + 4, sizeof(*lines));
	error_free(err);
	if (!lines) {
		free(text);
		return NULL;
	}
	lines[0] = name;
	lines[1] = summary;
	lines[2] = synopsis;
	char *line = text;
	for (size_t i = 0; i < count; i++, line += strlen(line) + 1)
		lines[3 + i] = line;
	return lines;
}

static void help_destroy(char **lines)
{
	if (!lines)
		return;
	free(lines[3]); /* all lines are one allocation */
	free(lines);
}

static struct command_table_entry crash_commands[] = {
	{ "iommupt", cmd_iommupt, NULL, MINIMAL },
	{ NULL, NULL, NULL, 0 },
};

/* crash loads the extension by dlopen(), which runs this; nothing of the dump is touched yet. */
static void __attribute__((constructor)) load(void)
{
	session.in_crash = true;
	session.open_kernel = open_kernel;
	session.open_memory = open_memory;
	snprintf(session.backend, sizeof(session.backend), "crash %s", pc->program_version);
	crash_commands[0].help_data = help_create();
	register_extension(crash_commands);
}

static void __attribute__((destructor)) unload(void)
{
	session_deinit(&session);
	known_types_forget();
	help_destroy(crash_commands[0].help_data);
	crash_commands[0].help_data = NULL;
}
