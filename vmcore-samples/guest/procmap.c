// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A process whose address space is known: it makes mappings of every kind, writes down what
 * the kernel itself says of them, and then changes nothing any more.
 *
 * usage: procmap LABEL OUTPUT
 *
 * Where each page is comes from /proc/self/pagemap, what a mapping may do from /proc/self/maps,
 * page sizes from /proc/self/smaps. Nothing here knows a page-table format. README.md tells
 * the records.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 20, FILE_PAGES = 16, TABLE_MAX = 8192 };

#define SZ_1G (1UL << 30)

#ifndef MADV_GUARD_INSTALL
enum { MADV_GUARD_INSTALL = 102 }; /* since 6.13 */
#endif
enum { HUGE_SHIFT = 26, HUGE_1G = 30 << HUGE_SHIFT }; /* MAP_HUGE_* */

/* Bits of an entry of /proc/PID/pagemap: Documentation/admin-guide/mm/pagemap.rst. */
#define PM_FRAME ((1ULL << 55) - 1)
#define PM_EXCLUSIVE (1ULL << 56)
#define PM_WRITE_PROTECTED (1ULL << 57)
#define PM_FILE (1ULL << 61)
#define PM_SWAPPED (1ULL << 62)
#define PM_PRESENT (1ULL << 63)

static const char *label;
/* The kernel's page, and what a table of them maps: 2 MiB of 4K pages, 32 MiB of 16K pages. */
static size_t page;
static size_t table;
static uintptr_t next_address = 0x1000000000;
/* Guard regions, which only newer kernels show in pagemap. */
static uintptr_t guard_start;
static uintptr_t guard_end;
/* What userfaultfd write-protects; pagemap has a bit for it since 5.14 only. */
static uintptr_t protected_start;
static uintptr_t protected_end;
static int thread_id;

/* Static, so that writing down what there is allocates nothing. */
static char text[2][ROOM];
static char maps[2][1 << 16];
static uint64_t entries[TABLE_MAX];

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "procmap %s: ", label);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (%s)\n", strerror(error));
	exit(EXIT_FAILURE);
}

/* Each mapping in a region of its own, aligned to its largest page, with a hole behind it. */
static char *map(size_t size, int prot, int flags, int fd)
{
	size_t step = size >= SZ_1G ? SZ_1G : table;
	char *memory;

	next_address = (next_address + step - 1) / step * step;
	memory = mmap((void *)next_address, size, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);
	if (memory == MAP_FAILED)
		return NULL;
	next_address += size + step;
	return memory;
}

static void write_to(char *memory, size_t size)
{
	for (size_t at = 0; at < size; at += page)
		*(volatile uint64_t *)(memory + at) = (uintptr_t)memory + at;
}

static void read_from(const char *memory, size_t size)
{
	for (size_t at = 0; at < size; at += page)
		(void)*(const volatile char *)(memory + at);
}

static char *small_pages(size_t pages)
{
	char *memory = map(pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (!memory || madvise(memory, pages * page, MADV_NOHUGEPAGE))
		die("no anonymous memory");
	return memory;
}

static char *written_pages(size_t pages)
{
	char *memory = small_pages(pages);

	write_to(memory, pages * page);
	return memory;
}

static void protect(char *memory, size_t size, int prot)
{
	if (mprotect(memory, size, prot))
		die("mprotect %d", prot);
	/* Until 6.0 the right to write comes back with the next write only. */
	if (prot & PROT_WRITE)
		write_to(memory, size);
}

static void map_permissions(void)
{
	static const int prots[] = {
		PROT_READ,
		PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC,
		PROT_READ | PROT_WRITE | PROT_EXEC,
		PROT_NONE,
	};
	char *memory;

	for (size_t i = 0; i < sizeof(prots) / sizeof(*prots); i++)
		protect(written_pages(8), 8 * page, prots[i]);
	/* Neighbours in one table, with a hole that was never touched. */
	memory = written_pages(16);
	for (int i = 0; i < 16; i++)
		protect(memory + i * page, page, prots[i % 5]);
	/* Without access and never touched: nothing is there. */
	protect(small_pages(8), 8 * page, PROT_NONE);
	/* Only read: the page of zeros. */
	read_from(small_pages(8), 8 * page);
	memory = small_pages(64);
	for (int i = 0; i < 64; i += 3)
		write_to(memory + i * page, page);
}

static void map_files(void)
{
	char path[] = "/run/procmap.file";
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *memory;

	if (fd < 0 || ftruncate(fd, FILE_PAGES * page))
		die("%s", path);
	memory = map(FILE_PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	if (!memory)
		die("cannot map %s", path);
	write_to(memory, FILE_PAGES * page);
	read_from(map(FILE_PAGES * page, PROT_READ, MAP_SHARED, fd), FILE_PAGES * page);
	read_from(map(FILE_PAGES * page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd),
		  FILE_PAGES * page);
	/* Private and writable: what was only read is still the file's. */
	memory = map(FILE_PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	read_from(memory, FILE_PAGES * page);
	write_to(memory + 4 * page, 4 * page);
	close(fd);
}

static void map_huge(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	const int huge = __builtin_ctzl(table) << HUGE_SHIFT;
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE };
	char *memory;

	for (size_t i = 0; i < 3; i++) {
		memory = map(table, PROT_READ | PROT_WRITE, flags, -1);
		if (!memory || madvise(memory, table, MADV_HUGEPAGE))
			die("no memory for a transparent huge page");
		write_to(memory, table);
		protect(memory, table, prots[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		memory = map(table, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB | huge, -1);
		if (!memory)
			die("no huge page");
		write_to(memory, table);
		protect(memory, table, prots[i]);
	}
	memory = map(SZ_1G, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB | HUGE_1G, -1);
	if (memory)
		write_to(memory, page);
}

static uint64_t pagemap_entry(const char *memory)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pread(fd, &entry, 8, (off_t)((uintptr_t)memory / page * 8)) != 8)
		die("pagemap");
	close(fd);
	return entry;
}

/* Out to swap, as far as the kernel does it. */
static void page_out(char *memory, size_t pages)
{
	for (int tries = 0; tries < 50; tries++) {
		bool all = true;

		if (madvise(memory, pages * page, MADV_PAGEOUT))
			die("MADV_PAGEOUT");
		for (size_t i = 0; i < pages; i++)
			all &= (pagemap_entry(memory + i * page) & PM_SWAPPED) != 0;
		if (all)
			return;
		usleep(100000);
	}
	die("pages do not go to swap");
}

static void map_swapped(void)
{
	char *memory = written_pages(32);

	page_out(memory, 24);
	memory = written_pages(8);
	page_out(memory, 8);
	protect(memory, 4 * page, PROT_NONE);
	protect(memory + 4 * page, 4 * page, PROT_READ);
}

/* What not every kernel can do. */
static void map_special(void)
{
	char *memory = written_pages(8);

	if (madvise(memory + 2 * page, page, MADV_HWPOISON))
		fprintf(stderr, "procmap: no MADV_HWPOISON\n");
	memory = written_pages(8);
	if (madvise(memory + 2 * page, 4 * page, MADV_GUARD_INSTALL) == 0) {
		guard_start = (uintptr_t)memory + 2 * page;
		guard_end = guard_start + 4 * page;
	}
}

/* Pages that userfaultfd write-protects, one of them in swap. */
static void map_write_protected(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register registration = { .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect protection = { .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	char *memory = written_pages(8);
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	registration.range.start = (uintptr_t)memory;
	registration.range.len = 8 * page;
	protection.range.start = (uintptr_t)memory + page;
	protection.range.len = 4 * page;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &registration) ||
	    ioctl(fd, UFFDIO_WRITEPROTECT, &protection)) {
		fprintf(stderr, "procmap: no userfaultfd\n");
		return;
	}
	protected_start = (uintptr_t)protection.range.start;
	protected_end = protected_start + (uintptr_t)protection.range.len;
	page_out(memory + 2 * page, 1);
}

static void *sleep_for_ever(void *arg)
{
	__atomic_store_n(&thread_id, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (;;)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	return arg;
}

static void start_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleep_for_ever, NULL))
		die("no thread");
	while (!__atomic_load_n(&thread_id, __ATOMIC_ACQUIRE))
		usleep(1000);
}

/* ---- Writing down. */

/* Pages that continue each other are one record. */
struct record {
	char kind[16];
	uint64_t start;
	uint64_t length;
	uint64_t first; /* physical address, or offset in swap */
	unsigned int type;
	char perm[4];
};

static struct record last;
static char *out;
static size_t used;

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	used += (size_t)vsnprintf(out + used, ROOM - used, format, args);
	va_end(args);
	if (used >= ROOM)
		die("too much to write down");
}

static void put_record(void)
{
	if (last.length == 0)
		return;
	put("%s %s 0x%" PRIx64 " 0x%" PRIx64, last.kind, label, last.start, last.length);
	if (strcmp(last.kind, "swapped") == 0)
		put(" %u 0x%" PRIx64 "\n", last.type, last.first);
	else if (strcmp(last.kind, "guard") == 0)
		put("\n");
	else
		put(" 0x%" PRIx64 " %s\n", last.first, last.perm);
	last.length = 0;
}

static void add_record(const struct record *next)
{
	const bool swapped = strcmp(next->kind, "swapped") == 0;
	const bool guard = strcmp(next->kind, "guard") == 0;

	if (last.length && !swapped && strcmp(last.kind, next->kind) == 0 &&
	    last.start + last.length == next->start && strcmp(last.perm, next->perm) == 0 &&
	    (guard || last.first + last.length == next->first)) {
		last.length += next->length;
		return;
	}
	put_record();
	last = *next;
}

/*
 * What the CPU may do with a present page: what its mapping may, but write only if the page is
 * the process's own or shared. The page of zeros is neither the one nor a file's; the pages of
 * a file under a private mapping are the file's.
 */
static void set_permission(struct record *record, const char *vma, uint64_t entry)
{
	const bool private = vma[3] == 'p';
	const bool own = (entry & PM_EXCLUSIVE) && !(entry & PM_FILE);
	const bool protected = (entry & PM_WRITE_PROTECTED) ||
			       (record->start >= protected_start && record->start < protected_end);
	const bool writable = vma[1] == 'w' && (!private || own) && !protected;

	snprintf(record->perm, sizeof(record->perm), "r%c%c", writable ? 'w' : '-',
		 vma[2] == 'x' ? 'x' : '-');
}

static void add_page(uint64_t address, const char *vma, uint64_t entry)
{
	struct record record = { .start = address, .length = page };

	if (address >= guard_start && address < guard_end) {
		strcpy(record.kind, "guard");
	} else if (entry & PM_PRESENT) {
		strcpy(record.kind, "present");
		record.first = (entry & PM_FRAME) * page;
		if (strncmp(vma, "---", 3) == 0) {
			strcpy(record.kind, "protnone");
			strcpy(record.perm, "---");
		} else {
			set_permission(&record, vma, entry);
		}
	} else if (entry & PM_SWAPPED) {
		strcpy(record.kind, "swapped");
		record.type = (unsigned int)(entry & 31);
		record.first = (entry & PM_FRAME) >> 5;
	} else {
		return;
	}
	add_record(&record);
}

static void add_pages(int pagemap, uint64_t start, uint64_t end, const char *vma)
{
	for (uint64_t at = start; at < end; at += table) {
		const uint64_t bytes = (end - at < table ? end - at : table) / page * 8;

		if (pread(pagemap, entries, bytes, (off_t)(at / page * 8)) != (ssize_t)bytes)
			die("pagemap");
		for (uint64_t i = 0; i < bytes / 8; i++)
			add_page(at + i * page, vma, entries[i]);
	}
	put_record();
}

static size_t read_file(const char *path, char *room, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		die("%s", path);
	while ((n = read(fd, room + length, size - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	if (n < 0 || length == size - 1)
		die("%s is too long", path);
	room[length] = '\0';
	return length;
}

static uint64_t kilobytes(const char *from, const char *name)
{
	const char *at = strstr(from, name);

	return at ? strtoull(at + strlen(name), NULL, 10) << 10 : 0;
}

/* The page size by which all of a mapping is mapped; 0: not all the same, or not known. */
static uint64_t page_size(const char *smaps, const char *perm, uint64_t size)
{
	static const char *const large[] = { "AnonHugePages:", "ShmemPmdMapped:",
					     "FilePmdMapped:" };
	const uint64_t base = kilobytes(smaps, "MMUPageSize:");
	uint64_t sum = 0;

	for (size_t i = 0; i < 3; i++)
		sum += kilobytes(smaps, large[i]);
	/* Of what is without access smaps does not count transparent huge pages. */
	if (sum == 0)
		return perm[0] == 'r' || base > page || size < table ? base : 0;
	return sum == size ? table : 0;
}

/* smaps: a line as in maps, then lines "Name: value". */
static void add_mapping(int pagemap, const char *smaps)
{
	unsigned long start;
	unsigned long end;
	char perm[8];
	char name[128] = "";

	if (sscanf(smaps, "%lx-%lx %7s %*s %*s %*s%*[ ]%127[^\n]", &start, &end, perm, name) < 3)
		die("smaps");
	if (start >> 63)
		return; /* vsyscall: the kernel's half */
	/* The kernel's own page for clocks: pagemap does not show it. */
	if (strncmp(name, "[vvar", 5) == 0) {
		put("hidden %s 0x%lx 0x%lx %s\n", label, start, end - start, name);
		return;
	}
	put("vma %s 0x%lx 0x%lx %s 0x%" PRIx64 " %s\n", label, start, end - start, perm,
	    page_size(smaps, perm, end - start), name[0] ? name : "-");
	add_pages(pagemap, start, end, perm);
}

static bool is_mapping_line(const char *line)
{
	return (*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f');
}

static void collect(int which)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);

	out = text[which];
	used = 0;
	if (pagemap < 0)
		die("pagemap");
	read_file("/proc/self/smaps", maps[0], sizeof(maps[0]));
	put("process %s %d %d procmap\n", label, getpid(), thread_id);
	for (char *line = maps[0]; *line;) {
		char *next = strchr(line, '\n') + 1;
		char *end = next;

		/* One mapping at a time, cut off behind it. */
		while (*end && !is_mapping_line(end))
			end = strchr(end, '\n') + 1;
		memcpy(maps[1], line, (size_t)(end - line));
		maps[1][end - line] = '\0';
		add_mapping(pagemap, maps[1]);
		line = end;
	}
	close(pagemap);
}

static void write_out(const char *path, const char *from)
{
	char partial[128];
	int fd;

	snprintf(partial, sizeof(partial), "%s.partial", path);
	fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, from, strlen(from)) != (ssize_t)strlen(from) || close(fd) ||
	    rename(partial, path))
		die("%s", path);
}

static void nap(void)
{
	const struct timespec time = { .tv_nsec = 200000000 };

	nanosleep(&time, NULL);
}

/* Some kernels tell of a poisoned page so, and would kill who ignores it. */
static void on_sigbus(int number)
{
	(void)number;
}

/*
 * The strings above main()'s stack: exec writes them and then changes the protection of the stack
 * (fs/exec.c: setup_arg_pages()), which until 6.0 takes the right to write as in protect().
 */
static void touch_arguments(char **argv)
{
	const uintptr_t last = getauxval(AT_EXECFN);

	for (uintptr_t at = (uintptr_t)argv & -page; at <= last; at += page) {
		volatile char *byte = (volatile char *)at;

		*byte = *byte;
	}
}

int main(int argc, char **argv)
{
	int same = 0;

	if (argc != 3)
		return EXIT_FAILURE;
	label = argv[1];
	page = (size_t)sysconf(_SC_PAGESIZE);
	table = page / 8 * page;
	signal(SIGBUS, on_sigbus);
	touch_arguments(argv);
	start_thread();
	map_permissions();
	map_files();
	map_huge();
	map_swapped();
	map_special();
	map_write_protected();
	memset(text, 1, sizeof(text));
	memset(maps, 1, sizeof(maps));
	memset(entries, 1, sizeof(entries));
	/* Everything below runs before it counts: until then it may touch pages. */
	for (int i = 0; same < 3; i++) {
		collect(i & 1);
		same = strcmp(text[0], text[1]) == 0 ? same + 1 : 0;
		write_out("/run/procmap.try", text[i & 1]);
		nap();
	}
	write_out(argv[2], text[0]);
	for (;;)
		nap();
}
