// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Loaded before the C library (LD_PRELOAD) by tests/check-faults: lets one call of a kind fail.
 *
 *  FAULT_ALLOC=N    the Nth allocation of memory gives NULL (N+: that one and all behind it)
 *  FAULT_READ=N     the Nth read(), pread() gives EIO (N+ as above)
 *  FAULT_SHORT=N    the Nth read(), pread() gives half of what it could (N+ as above)
 *  FAULT_MMAP=N     the Nth mmap() of a file is refused (N+ as above)
 *  FAULT_LOST=N     page N of the first file that is mapped is not to be had: SIGBUS
 *  FAULT_THREAD=N   the Nth thread is not created (N+ as above)
 *  FAULT_LOG=FD     where to say what was done: "count KIND N" at the end, "fault KIND OBJECT" and
 *                   "crash SIGNAL OBJECT ADDRESS" with the object file nearest to the place that is
 *                   not the C library's
 *
 * Reads of files by stdio are not seen: the C library calls itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* glibc's own names of what is replaced here. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern ssize_t __pread64(int fd, void *data, size_t size, off_t at);
extern ssize_t __read(int fd, void *data, size_t size);

PUBLIC void *malloc(size_t size);
PUBLIC void *calloc(size_t count, size_t size);
PUBLIC void *realloc(void *old, size_t size);
PUBLIC void *memalign(size_t alignment, size_t size);
PUBLIC void *aligned_alloc(size_t alignment, size_t size);
PUBLIC int posix_memalign(void **ret, size_t alignment, size_t size);
PUBLIC ssize_t read(int fd, void *data, size_t size);
PUBLIC ssize_t pread(int fd, void *data, size_t size, off_t at);
PUBLIC ssize_t pread64(int fd, void *data, size_t size, off_t at);
PUBLIC void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
PUBLIC void *mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);

enum kind { ALLOC, READ, SHORT, MMAP, LOST, THREAD, KINDS };

static struct {
	const char *name;
	const char *variable;
	unsigned long wanted; /* 0: none fails */
	bool all_behind;
	atomic_ulong count;
} kinds[KINDS] = {
	[ALLOC] = { .name = "alloc", .variable = "FAULT_ALLOC" },
	[READ] = { .name = "read", .variable = "FAULT_READ" },
	[SHORT] = { .name = "short", .variable = "FAULT_SHORT" },
	[MMAP] = { .name = "mmap", .variable = "FAULT_MMAP" },
	[LOST] = { .name = "lost", .variable = "FAULT_LOST" },
	[THREAD] = { .name = "thread", .variable = "FAULT_THREAD" },
};

static int log_fd = -1;
static atomic_bool started; /* what happens before main() is the loader's */
static _Thread_local bool inside;

static bool is_ours(const char *path)
{
	return strstr(path, "/preload.so") || strstr(path, "/libc.so") || strstr(path, "/ld-linux");
}

/* The first object file on the stack that is neither this one nor the C library. */
static void log_place(const char *what, const char *detail)
{
	enum { DEPTH = 64 };
	void *stack[DEPTH];
	char line[512];
	/* Lost anyway. NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c) */
	const int depth = backtrace(stack, DEPTH);

	for (int i = 0; i < depth; i++) {
		Dl_info info;

		/* Lost anyway. NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c) */
		if (!dladdr(stack[i], &info) || !info.dli_fname || is_ours(info.dli_fname))
			continue;
		const char *slash = strrchr(info.dli_fname, '/');
		const int len =
			snprintf(line, sizeof(line), "%s %s %s 0x%lx\n", what, detail,
				 slash ? slash + 1 : info.dli_fname,
				 (unsigned long)((char *)stack[i] - (char *)info.dli_fbase));
		if (write(log_fd, line, (size_t)len) < 0)
			_exit(99);
		return;
	}
}

/* One more call of @kind: shall it fail? */
static bool fails(enum kind kind)
{
	if (!atomic_load(&started) || inside)
		return false;
	const unsigned long count = atomic_fetch_add(&kinds[kind].count, 1) + 1;
	const unsigned long wanted = kinds[kind].wanted;

	if (!wanted || (kinds[kind].all_behind ? count < wanted : count != wanted))
		return false;
	inside = true;
	if (count == wanted && log_fd >= 0)
		log_place("fault", kinds[kind].name);
	inside = false;
	return true;
}

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	return fails(ALLOC) ? no_memory() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(ALLOC) ? no_memory() : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails(ALLOC) ? no_memory() : __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
	return fails(ALLOC) ? no_memory() : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *got = memalign(alignment, size);

	if (!got)
		return ENOMEM;
	*ret = got;
	return 0;
}

static size_t shortened(size_t size)
{
	return size > 1 && fails(SHORT) ? size / 2 : size;
}

ssize_t read(int fd, void *data, size_t size)
{
	if (fails(READ)) {
		errno = EIO;
		return -1;
	}
	return __read(fd, data, shortened(size));
}

ssize_t pread(int fd, void *data, size_t size, off_t at)
{
	if (fails(READ)) {
		errno = EIO;
		return -1;
	}
	return __pread64(fd, data, shortened(size), at);
}

ssize_t pread64(int fd, void *data, size_t size, off_t at)
{
	return pread(fd, data, size, at);
}

/* A page of a file of no length instead of the one at @page: as of a disk that cannot read it. */
static void lose(char *page)
{
	const int fd = memfd_create("lost", MFD_CLOEXEC);
	void *(*next)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap64");

	if (fd < 0 || next(page, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != page)
		_exit(99);
	close(fd);
	log_place("fault", "lost");
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	static atomic_bool lost;
	static _Atomic(void *) next;
	void *(*call)(void *, size_t, int, int, int, off_t);

	if (!atomic_load(&next))
		atomic_store(&next, dlsym(RTLD_NEXT, "mmap64"));
	call = atomic_load(&next);
	if (fd >= 0 && fails(MMAP)) {
		errno = ENODEV;
		return MAP_FAILED;
	}
	void *got = call(at, size, protection, flags, fd, offset);
	const size_t page = kinds[LOST].wanted * 4096;
	if (got != MAP_FAILED && fd >= 0 && kinds[LOST].wanted && page - 4096 < size &&
	    atomic_load(&started) && !atomic_exchange(&lost, true))
		lose((char *)got + page - 4096);
	return got;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return mmap64(at, size, protection, flags, fd, offset);
}

PUBLIC int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *arg)
{
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
		dlsym(RTLD_NEXT, "pthread_create");

	return fails(THREAD) ? EAGAIN : next(thread, attributes, run, arg);
}

static void on_crash(int number)
{
	char name[16];

	inside = true;
	/* Lost anyway. NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c) */
	snprintf(name, sizeof(name), "%d", number);
	log_place("crash", name);
	signal(number, SIG_DFL);
	raise(number);
}

static __attribute__((constructor)) void begin(void)
{
	const char *text = getenv("FAULT_LOG");
	void *stack[4];

	inside = true;
	log_fd = text ? atoi(text) : -1;
	for (int i = 0; i < KINDS; i++) {
		text = getenv(kinds[i].variable);
		kinds[i].wanted = text ? strtoul(text, NULL, 0) : 0;
		kinds[i].all_behind = text && text[strlen(text) - 1] == '+';
	}
	/* It allocates when it is called first. */
	backtrace(stack, 4);
	signal(SIGSEGV, on_crash);
	signal(SIGABRT, on_crash);
	signal(SIGFPE, on_crash);
	signal(SIGBUS, on_crash);
	unsetenv("LD_PRELOAD");
	inside = false;
	atomic_store(&started, true);
}

static __attribute__((destructor)) void end(void)
{
	char line[64];

	inside = true;
	for (int i = 0; i < KINDS && log_fd >= 0; i++) {
		const int len = snprintf(line, sizeof(line), "count %s %lu\n", kinds[i].name,
					 atomic_load(&kinds[i].count));

		if (write(log_fd, line, (size_t)len) < 0)
			_exit(99);
	}
}
