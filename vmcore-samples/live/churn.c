// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Map and unmap without end through VFIO while somebody reads the live tables, and judge what was
 * read.
 *
 * churn run LOG DEVICE SECONDS	map, unmap, give tables and the whole container back, in a loop
 *				until SECONDS are over, or SIGUSR1
 * churn judge LOG SPACE GENERATION <CSV
 *				hold each row of `iommupt pagemap --each --format csv` against LOG
 * churn as-user COMMAND...	run it without root, and
 * churn without-rawio ...	by a root that lacks CAP_SYS_RAWIO
 *
 * LOG is shared memory: which pages may lie at which IOVA, and which have ever. A page's place in
 * memory comes from /proc/self/pagemap; a pair is logged before it is mapped, so that what is not
 * in LOG was at no time there. Each IOVA has only PAIRS of the POOL pages that it could ever have:
 * a table that was read under a wrong address shows.
 *
 * Pages of tables that were given back come back as users' pages: those that churn fills meanwhile
 * look like tables of any format, and lead to a page (`bait`) that is never mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	REGION_PAGES = 512, /* what one table of leaves covers */
	REGIONS = 16,
	SLOTS = REGIONS * REGION_PAGES,
	POOL = 1024,
	PAIRS = 3,
	STATIC_PAGES = 64,
	BAITS = 64,
};

static const uint64_t CHURN_IOVA = 0x1000000000;
static const uint64_t REGION_STEP = 0x40000000; /* another table above each, too */
static const uint64_t STATIC_IOVA = 0x2000000000;
static const uint64_t STATIC_STEP = 0x8000000;

struct log {
	uint64_t pool[POOL];	      /* physical addresses */
	uint64_t stays[STATIC_PAGES]; /* those that stay mapped while there is a container */
	uint64_t bait;
	uint8_t ever[SLOTS][PAIRS]; /* set before the pair is mapped */
	volatile uint64_t maps, unmaps, tables, containers, children;
	/* Odd while there is a container with all static pages in it. */
	volatile uint64_t generation;
};

static struct log *shared;
static int container = -1;
static int group = -1;
static int device_fd = -1;
static char *pool;
static char *stays;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "churn: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (%s)\n", strerror(error));
	exit(EXIT_FAILURE);
}

static uint32_t next_random(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static unsigned int page_of(unsigned int slot, unsigned int pair)
{
	return (slot * 7 + pair * 331 + slot / REGION_PAGES * 53) % POOL;
}

static uint64_t iova_of(unsigned int slot)
{
	return CHURN_IOVA + slot / REGION_PAGES * REGION_STEP +
	       (uint64_t)(slot % REGION_PAGES) * PAGE;
}

static void open_log(const char *path, bool create)
{
	int fd = open(path, O_RDWR | (create ? O_CREAT | O_TRUNC : 0), 0600);

	if (fd < 0 || (create && ftruncate(fd, sizeof(*shared))))
		die("%s", path);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		die("%s", path);
	close(fd);
}

/* ---- run ---- */

static char *allocate(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, size, MADV_NOHUGEPAGE) || mlock(memory, size))
		die("no memory");
	memset(memory, 1, size);
	return memory;
}

static uint64_t physical(const void *memory)
{
	static int pagemap = -1;
	uint64_t entry = 0;

	if (pagemap < 0)
		pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pread(pagemap, &entry, sizeof(entry), (off_t)((uintptr_t)memory / PAGE * 8)) != 8 ||
	    !(entry >> 63) || !(entry << 9))
		die("pagemap");
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

static void map(char *memory, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_map request = {
		.argsz = sizeof(request),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &request))
		die("cannot map 0x%llx", (unsigned long long)iova);
}

static void unmap(uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap request = {
		.argsz = sizeof(request),
		.iova = iova,
		.size = size,
	};

	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &request))
		die("cannot unmap 0x%llx", (unsigned long long)iova);
}

static void open_container(const char *device)
{
	char path[PATH_MAX], target[PATH_MAX] = "";

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		die("%s has no group", device);
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	container = open("/dev/vfio/vfio", O_RDWR);
	group = open(path, O_RDWR);
	if (container < 0 || group < 0 || ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("no container");
	device_fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, device);
	if (device_fd < 0)
		die("cannot open %s", device);
	for (int i = 0; i < STATIC_PAGES; i++)
		map(stays + i * PAGE, STATIC_IOVA + (uint64_t)i * STATIC_STEP, PAGE);
	shared->generation++;
	shared->containers++;
}

static void close_container(void)
{
	shared->generation++;
	close(device_fd);
	close(group);
	close(container);
}

static void map_slot(unsigned int slot)
{
	const unsigned int pair = next_random() % PAIRS;

	shared->ever[slot][pair] = 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	map(pool + (size_t)page_of(slot, pair) * PAGE, iova_of(slot), PAGE);
	shared->maps++;
}

/* Words that are valid entries, tables or leaves, in all formats, and lead to the bait. */
static void fill_with_bait(char *memory, size_t size)
{
	static const uint64_t bits[] = {
		0x3, 0x7, 0x67, 0x743, 0x7c3, 0x6000000000000001, 0x6000000000000201, 0xff
	};
	uint64_t *words = (uint64_t *)memory;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = shared->bait | bits[i % 8];
}

/* Take pages that were tables, and give them back. */
static void use_memory(void)
{
	const size_t size = (1 + next_random() % 64) * PAGE;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return;
	fill_with_bait(memory, size);
	munmap(memory, size);
}

/* Tables of a process that come and go. */
static void use_process(void)
{
	pid_t child = fork();

	if (child == 0) {
		use_memory();
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
	shared->children++;
}

/* Fill a part of a region, a page a mapping, and give all of it back at once: its table, too. */
static void churn_region(void)
{
	const unsigned int region = next_random() % REGIONS;
	const unsigned int count = 1 + next_random() % 48;
	unsigned int slot = region * REGION_PAGES + next_random() % 8;

	for (unsigned int i = 0; i < count && slot < (region + 1) * REGION_PAGES; i++) {
		map_slot(slot);
		slot += 1 + next_random() % 8;
	}
	if (next_random() % 4 == 0)
		use_memory();
	unmap(CHURN_IOVA + region * REGION_STEP, (uint64_t)REGION_PAGES * PAGE);
	shared->unmaps++;
	shared->tables++;
	use_memory();
}

/* All of a region as one mapping of memory that is in order: its unmapping frees the table. */
static void churn_whole(void)
{
	const unsigned int region = next_random() % REGIONS;

	for (unsigned int i = 0; i < 8; i++)
		map_slot(region * REGION_PAGES + i * 64);
	/* In parts: other entries of the table stay. */
	for (unsigned int i = 0; i < 8; i++)
		unmap(iova_of(region * REGION_PAGES + i * 64), PAGE);
	shared->unmaps += 8;
}

static void prepare_memory(void)
{
	pool = allocate((size_t)POOL * PAGE);
	stays = allocate((size_t)STATIC_PAGES * PAGE);
	char *bait = allocate((size_t)PAGE);

	for (int i = 0; i < POOL; i++)
		shared->pool[i] = physical(pool + (size_t)i * PAGE);
	for (int i = 0; i < STATIC_PAGES; i++)
		shared->stays[i] = physical(stays + (size_t)i * PAGE);
	/* Also as a table it leads to itself. */
	shared->bait = physical(bait);
	fill_with_bait(bait, PAGE);
}

static volatile sig_atomic_t enough;

static void on_signal(int number)
{
	(void)number;
	enough = 1;
}

static int run(const char *path, const char *device, int seconds)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	const time_t end = time(NULL) + seconds;

	sigaction(SIGUSR1, &action, NULL);
	open_log(path, true);
	prepare_memory();
	while (!enough && time(NULL) < end) {
		open_container(device);
		const time_t until = time(NULL) + 1 + next_random() % 4;
		while (!enough && time(NULL) < until && time(NULL) < end) {
			for (int i = 0; i < 8; i++) {
				churn_region();
				churn_whole();
			}
			if (next_random() % 8 == 0)
				use_process();
		}
		close_container();
		for (int i = 0; i < 8; i++)
			use_memory();
	}
	printf("churn: maps %llu unmaps %llu tables %llu containers %llu processes %llu\n",
	       (unsigned long long)shared->maps, (unsigned long long)shared->unmaps,
	       (unsigned long long)shared->tables, (unsigned long long)shared->containers,
	       (unsigned long long)shared->children);
	return 0;
}

/* ---- judge ---- */

struct verdict {
	uint64_t rows, right, wrong, unknown, stays;
};

static void wrong(struct verdict *verdict, const char *line, const char *why)
{
	if (verdict->wrong++ < 20)
		printf("WRONG %s: %s", why, line);
}

/* Was @phys ever mapped at @iova? */
static bool ever_there(uint64_t iova, uint64_t phys)
{
	const uint64_t region = (iova - CHURN_IOVA) / REGION_STEP;
	const uint64_t index = (iova - CHURN_IOVA) % REGION_STEP / PAGE;
	const unsigned int slot = (unsigned int)(region * REGION_PAGES + index);

	if (index >= REGION_PAGES || region >= REGIONS)
		return false;
	for (unsigned int pair = 0; pair < PAIRS; pair++)
		if (shared->ever[slot][pair] && shared->pool[page_of(slot, pair)] == phys)
			return true;
	return false;
}

static void judge_page(struct verdict *verdict, uint64_t iova, uint64_t phys, bool ours,
		       const char *line)
{
	if (phys == shared->bait) {
		wrong(verdict, line, "never mapped anywhere");
	} else if (iova >= CHURN_IOVA && iova < CHURN_IOVA + REGIONS * REGION_STEP) {
		if (ever_there(iova, phys))
			verdict->right++;
		else
			wrong(verdict, line, "never at this address");
	} else if (iova >= STATIC_IOVA && iova < STATIC_IOVA + STATIC_PAGES * STATIC_STEP) {
		if ((iova - STATIC_IOVA) % STATIC_STEP == 0 &&
		    shared->stays[(iova - STATIC_IOVA) / STATIC_STEP] == phys)
			verdict->stays++;
		else
			wrong(verdict, line, "not what stays here");
	} else if (ours) {
		wrong(verdict, line, "nothing was ever mapped here");
	}
}

static void judge_line(struct verdict *verdict, const char *line, const char *space)
{
	char name[64], iova[32], length[32], phys[32];
	const size_t len = strlen(space);

	/* space,iova,length,phys,page_size,perm,attrs */
	if (sscanf(line, "%63[^,],%31[^,],%31[^,],%31[^,],", name, iova, length, phys) != 4) {
		verdict->unknown++; /* phys is empty */
		return;
	}
	verdict->rows++;
	const uint64_t start = strtoull(iova, NULL, 16);
	const uint64_t at = strtoull(phys, NULL, 16);
	const uint64_t bytes = strtoull(length, NULL, 10);
	for (uint64_t done = 0; done < bytes; done += PAGE) {
		judge_page(verdict, start + done, at + done, strncmp(name, space, len) == 0, line);
		if (done >= 1024 * PAGE)
			break;
	}
}

/* A space that was whole before and after must have all that stays, or say that it is unknown. */
static int judge(const char *path, const char *space, uint64_t generation)
{
	struct verdict verdict = { 0 };
	char line[4096];

	open_log(path, false);
	if (!fgets(line, sizeof(line), stdin) || strncmp(line, "space,", 6) != 0)
		die("no CSV");
	while (fgets(line, sizeof(line), stdin))
		judge_line(&verdict, line, space);
	const bool whole = generation % 2 && generation == shared->generation;
	if (whole && verdict.unknown == 0 && verdict.stays < STATIC_PAGES)
		wrong(&verdict, "\n", "what stays is not all there");
	printf("judge: rows %llu right %llu stays %llu unknown %llu wrong %llu whole %d\n",
	       (unsigned long long)verdict.rows, (unsigned long long)verdict.right,
	       (unsigned long long)verdict.stays, (unsigned long long)verdict.unknown,
	       (unsigned long long)verdict.wrong, whole);
	return verdict.wrong ? 1 : 0;
}

static bool become_user(void)
{
	return setgid(65534) == 0 && setuid(65534) == 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "run") == 0)
		return run(argv[2], argv[3], atoi(argv[4]));
	if (argc == 5 && strcmp(argv[1], "judge") == 0)
		return judge(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "generation") == 0) {
		open_log(argv[2], false);
		printf("%llu\n", (unsigned long long)shared->generation);
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "as-user") == 0 && become_user())
		execvp(argv[2], argv + 2);
	if (argc > 2 && strcmp(argv[1], "without-rawio") == 0 &&
	    prctl(PR_CAPBSET_DROP, CAP_SYS_RAWIO, 0, 0, 0) == 0)
		execvp(argv[2], argv + 2);
	fprintf(stderr, "usage: churn run LOG DEVICE SECONDS | generation LOG | "
			"judge LOG SPACE GENERATION | as-user COMMAND... | "
			"without-rawio COMMAND...\n");
	return 2;
}
