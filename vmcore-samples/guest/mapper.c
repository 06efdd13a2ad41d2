// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Map known memory through a VFIO type 1 container, write down what is mapped
 * where, and keep it mapped.
 *
 * The physical addresses come from /proc/self/pagemap, read after VFIO pinned
 * the pages: nothing here knows an IOMMU page-table format, so the records can
 * be held against a decoder.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mman.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	MAX_DEVICES = 8,
	MAX_MAPPINGS = 4096,
	MAX_RANGES = 64,
};

#define SZ_2M (1ULL << 21)
#define SZ_1G (1ULL << 30)

/* Where each kind of mapping lives; README.md has the same table. */
static const uint64_t ONE_MIB_IOVA = 0x100000;
static const uint64_t CONTIGUOUS_IOVA = 0x10000000;
static const uint64_t DENSE_IOVA = 0x20000000;
static const uint64_t READ_ONLY_IOVA = 0x30000000;
static const uint64_t WRITE_ONLY_IOVA = 0x30100000;
static const uint64_t ALIAS_IOVAS[] = { 0x40000000, 0x40001000, 0x4123456000 };
static const uint64_t HUGE_IOVA = 0x80000000;
static const uint64_t HUGE_READ_ONLY_IOVA = 0x90000000;
static const uint64_t HUGE_MISALIGNED_IOVA = 0xa0001000;
static const uint64_t SHARED_FILE_IOVA = 0xd0000000;
static const uint64_t TRANSPARENT_HUGE_IOVA = 0xe0000000;
static const uint64_t HOLES_IOVA = 0xc0000000;
static const uint64_t SPARSE_IOVA = 0x2000000000;
static const uint64_t SPARSE_STEP = 0x8000000;
static const uint64_t STRESS_IOVA = 0x4000000000;
static const uint64_t GIGANTIC_IOVA = 0x6000000000;
static const uint64_t GIGANTIC_MISALIGNED_IOVA = 0x6800200000;

struct mapping {
	uint64_t iova;
	uint64_t size;
	char *memory;
	uint32_t flags;
};

struct range {
	uint64_t start;
	uint64_t last;
};

struct device {
	const char *name;
	int fd;
};

static const char *label = "vfio0";
static int container = -1;
static struct device devices[MAX_DEVICES];
static int num_devices;
static struct mapping mappings[MAX_MAPPINGS];
static int num_mappings;
static struct range ranges[MAX_RANGES];
static int num_ranges;
static FILE *truth;

static const uint32_t R = VFIO_DMA_MAP_FLAG_READ;
static const uint32_t W = VFIO_DMA_MAP_FLAG_WRITE;
static const uint32_t RW = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "mapper %s: ", label);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (%s)\n", strerror(error));
	exit(EXIT_FAILURE);
}

/* Memory that stays where it is: touched, locked, 4 KiB pages unless asked. */
static char *allocate(uint64_t size, int huge_flags)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | huge_flags;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (memory == MAP_FAILED)
		die("cannot allocate 0x%llx bytes", (unsigned long long)size);
	if (!huge_flags && madvise(memory, size, MADV_NOHUGEPAGE))
		die("madvise");
	for (uint64_t offset = 0; offset < size; offset += PAGE)
		*(uint64_t *)(memory + offset) = (uint64_t)(uintptr_t)memory + offset;
	if (mlock(memory, size))
		die("mlock");
	return memory;
}

static void map(char *memory, uint64_t iova, uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map request = {
		.argsz = sizeof(request),
		.flags = flags,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	if (num_mappings == MAX_MAPPINGS)
		die("more than %d mappings", MAX_MAPPINGS);
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &request))
		die("cannot map IOVA 0x%llx", (unsigned long long)iova);
	mappings[num_mappings++] = (struct mapping){ iova, size, memory, flags };
}

static void unmap(uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap request = {
		.argsz = sizeof(request),
		.iova = iova,
		.size = size,
	};

	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &request))
		die("cannot unmap IOVA 0x%llx", (unsigned long long)iova);
	for (int i = 0; i < num_mappings; i++) {
		if (mappings[i].iova != iova)
			continue;
		mappings[i] = mappings[--num_mappings];
		return;
	}
	die("unmapped what was not mapped: 0x%llx", (unsigned long long)iova);
}

static int group_of(const char *device)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		die("%s has no IOMMU group", device);
	target[length] = '\0';
	return atoi(strrchr(target, '/') + 1);
}

/* A group can be opened once only, however many of its devices are wanted. */
static int open_group(const char *device)
{
	static struct {
		int number, fd;
	} groups[MAX_DEVICES];
	static int num_groups;
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int number = group_of(device);
	char path[32];
	int fd;

	for (int i = 0; i < num_groups; i++)
		if (groups[i].number == number)
			return groups[i].fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = open(path, O_RDWR);
	if (fd < 0)
		die("cannot open %s of %s", path, device);
	if (ioctl(fd, VFIO_GROUP_GET_STATUS, &status))
		die("group status of %s", device);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		die("the group of %s is not viable", device);
	if (ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container))
		die("cannot put %s into the container", device);
	if (!num_groups && ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("cannot set the IOMMU type for %s", device);
	groups[num_groups].number = number;
	groups[num_groups++].fd = fd;
	return fd;
}

static void open_device(const char *name)
{
	struct device *device = &devices[num_devices++];

	device->name = name;
	device->fd = ioctl(open_group(name), VFIO_GROUP_GET_DEVICE_FD, name);
	if (device->fd < 0)
		die("cannot open device %s", name);
}

static void read_ranges(void)
{
	static union {
		struct vfio_iommu_type1_info info;
		char room[16384];
	} buffer;
	struct vfio_info_cap_header *header;
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	uint32_t offset;

	buffer.info.argsz = sizeof(buffer);
	if (ioctl(container, VFIO_IOMMU_GET_INFO, &buffer.info))
		die("no information about the IOMMU");
	if (!(buffer.info.flags & VFIO_IOMMU_INFO_CAPS))
		die("the kernel tells no IOVA ranges");
	for (offset = buffer.info.cap_offset; offset; offset = header->next) {
		header = (void *)(buffer.room + offset);
		if (header->id != VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			continue;
		cap = (void *)header;
		for (uint32_t i = 0; i < cap->nr_iovas && i < MAX_RANGES; i++)
			ranges[num_ranges++] = (struct range){
				cap->iova_ranges[i].start,
				cap->iova_ranges[i].end,
			};
	}
	if (!num_ranges)
		die("the IOMMU offers no IOVA at all");
}

static bool usable(uint64_t iova, uint64_t size)
{
	for (int i = 0; i < num_ranges; i++)
		if (iova >= ranges[i].start && iova + size - 1 <= ranges[i].last)
			return true;
	return false;
}

static uint32_t next_random(void)
{
	static uint32_t state = 12345;

	state = state * 1664525 + 1013904223;
	return state >> 8;
}

static void map_contiguous(void)
{
	map(allocate(8 * PAGE, 0), ONE_MIB_IOVA, 8 * PAGE, RW);
	map(allocate(64 * PAGE, 0), CONTIGUOUS_IOVA, 64 * PAGE, RW);
	map(allocate(8 * PAGE, 0), READ_ONLY_IOVA, 8 * PAGE, R);
	map(allocate(8 * PAGE, 0), WRITE_ONLY_IOVA, 8 * PAGE, W);
	/* Neighbours in one table whose permissions differ. */
	map(allocate(PAGE, 0), READ_ONLY_IOVA + 8 * PAGE, PAGE, W);
	map(allocate(PAGE, 0), READ_ONLY_IOVA + 9 * PAGE, PAGE, RW);
	map(allocate(PAGE, 0), READ_ONLY_IOVA + 10 * PAGE, PAGE, R);
}

/* One page a mapping, physical order unlike IOVA order. */
static void map_scattered(void)
{
	enum { DENSE = 100, SPARSE = 320, POOL = 1024, STRIDE = 389 };
	char *pool = allocate((uint64_t)POOL * PAGE, 0);
	int used = 0;
	uint64_t iova;

	for (int i = 0; i < DENSE; i++) {
		char *page = pool + (uint64_t)(used++ * STRIDE % POOL) * PAGE;

		map(page, DENSE_IOVA + (uint64_t)i * 3 * PAGE, PAGE, RW);
	}
	for (int i = 0; i < SPARSE; i++) {
		char *page = pool + (uint64_t)(used++ * STRIDE % POOL) * PAGE;

		iova = SPARSE_IOVA + (uint64_t)i * SPARSE_STEP;
		iova += next_random() % (SPARSE_STEP / PAGE) * PAGE;
		map(page, iova, PAGE, RW);
	}
}

static void map_aliases(void)
{
	char *page = allocate(PAGE, 0);

	for (size_t i = 0; i < sizeof(ALIAS_IOVAS) / sizeof(*ALIAS_IOVAS); i++)
		map(page, ALIAS_IOVAS[i], PAGE, i == 1 ? R : RW);
}

/* Where an index of an upper level changes, and the very end. */
static void map_boundaries(void)
{
	static const int boundaries[] = { 32, 39, 48 };
	uint64_t end = ranges[num_ranges - 1].last + 1;

	for (size_t i = 0; i < sizeof(boundaries) / sizeof(*boundaries); i++) {
		uint64_t iova = (1ULL << boundaries[i]) - 8 * PAGE;

		if (usable(iova, 16 * PAGE))
			map(allocate(16 * PAGE, 0), iova, 16 * PAGE, RW);
	}
	map(allocate(PAGE, 0), end - PAGE, PAGE, RW);
	map(allocate(2 * PAGE, 0), end - 4 * PAGE, 2 * PAGE, R);
}

static void map_huge(void)
{
	char *memory = allocate(4 * SZ_2M, MAP_HUGETLB | MAP_HUGE_2MB);

	map(memory, HUGE_IOVA, 2 * SZ_2M, RW);
	map(memory + 2 * SZ_2M, HUGE_READ_ONLY_IOVA, SZ_2M, R);
	map(memory + 3 * SZ_2M, HUGE_MISALIGNED_IOVA, SZ_2M, RW);
}

static void map_gigantic(void)
{
	char *memory = allocate(SZ_1G, MAP_HUGETLB | MAP_HUGE_1GB);

	map(memory, GIGANTIC_IOVA, SZ_1G, RW);
	map(memory, GIGANTIC_MISALIGNED_IOVA, 32 * SZ_2M, R);
}

static void map_with_holes(void)
{
	enum { PAGES = 64 };
	char *memory = allocate(PAGES * PAGE, 0);

	for (int i = 0; i < PAGES; i++)
		map(memory + i * PAGE, HOLES_IOVA + (uint64_t)i * PAGE, PAGE, RW);
	for (int i = 0; i < PAGES; i++)
		if (i % 7 == 3 || (i >= 20 && i < 28))
			unmap(HOLES_IOVA + (uint64_t)i * PAGE, PAGE);
}

/* Pages of a file, and a transparent huge page: their states differ from the others'. */
static void map_other_states(void)
{
	enum { PAGES = 4 };
	struct stat status;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/run/shared-%s", label);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, PAGES * PAGE) || fstat(fd, &status))
		die("cannot make %s", path);
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		die("cannot map %s", path);
	memset(memory, 0x5a, PAGES * PAGE);
	map(memory, SHARED_FILE_IOVA, PAGES * PAGE, RW);
	fprintf(truth, "inode %s 0x%llx %d %llu\n", label, (unsigned long long)SHARED_FILE_IOVA,
		PAGES, (unsigned long long)status.st_ino);

	/* The kernel leaves huge pages off where there is less than 512 MiB. */
	FILE *enabled = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "w");
	if (!enabled || fputs("madvise", enabled) < 0 || fclose(enabled))
		die("cannot have transparent huge pages");
	/* Aligned, and touched only when it may become huge. */
	memory = mmap(NULL, 2 * SZ_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("cannot allocate a huge page");
	memory = (char *)(((uintptr_t)memory + SZ_2M - 1) & ~(uintptr_t)(SZ_2M - 1));
	if (madvise(memory, SZ_2M, MADV_HUGEPAGE))
		die("madvise");
	memset(memory, 0xa5, SZ_2M);
	map(memory, TRANSPARENT_HUGE_IOVA, SZ_2M, RW);
}

/* Leaves tables behind that hold nothing. */
static void stress(void)
{
	enum { COUNT = 512 };
	char *page = allocate(PAGE, 0);

	for (int i = 0; i < COUNT; i++) {
		map(page, STRESS_IOVA + i * SZ_2M, PAGE, RW);
		unmap(STRESS_IOVA + i * SZ_2M, PAGE);
	}
	fprintf(truth, "stress %s 0x%llx 0x%llx %d\n", label, (unsigned long long)STRESS_IOVA,
		(unsigned long long)SZ_2M, COUNT);
}

/* The edu device of QEMU: registers of its DMA engine. */
enum edu {
	EDU_IDENT = 0x00,
	EDU_DMA_SOURCE = 0x80,
	EDU_DMA_DESTINATION = 0x88,
	EDU_DMA_COUNT = 0x90,
	EDU_DMA_COMMAND = 0x98,
	EDU_BUFFER = 0x40000,
};

static uint64_t region_offset(const struct device *device, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		die("region %u of %s", index, device->name);
	return info.offset;
}

static volatile char *edu_open(const struct device *device)
{
	uint64_t config = region_offset(device, VFIO_PCI_CONFIG_REGION_INDEX);
	uint64_t bar = region_offset(device, VFIO_PCI_BAR0_REGION_INDEX);
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	volatile char *edu;

	if (pwrite(device->fd, &command, 2, (off_t)(config + PCI_COMMAND)) != 2)
		die("cannot enable %s", device->name);
	edu = mmap(NULL, 0x100000, PROT_READ | PROT_WRITE, MAP_SHARED, device->fd, (off_t)bar);
	if (edu == MAP_FAILED)
		die("cannot reach the registers of %s", device->name);
	if ((*(volatile uint32_t *)(edu + EDU_IDENT) & 0xff) != 0xed)
		die("%s is not an edu device", device->name);
	return edu;
}

static void edu_copy(volatile char *edu, uint64_t from, uint64_t to, bool write)
{
	*(volatile uint64_t *)(edu + EDU_DMA_SOURCE) = from;
	*(volatile uint64_t *)(edu + EDU_DMA_DESTINATION) = to;
	*(volatile uint64_t *)(edu + EDU_DMA_COUNT) = 64;
	*(volatile uint64_t *)(edu + EDU_DMA_COMMAND) = write ? 3 : 1;
	while (*(volatile uint64_t *)(edu + EDU_DMA_COMMAND) & 1)
		usleep(10000);
}

static char *memory_at(uint64_t iova)
{
	for (int i = 0; i < num_mappings; i++)
		if (iova - mappings[i].iova < mappings[i].size)
			return mappings[i].memory + (iova - mappings[i].iova);
	die("nothing is mapped at 0x%llx", (unsigned long long)iova);
}

static void edu_move(volatile char *edu, uint64_t from, uint64_t to)
{
	bool same;

	edu_copy(edu, from, EDU_BUFFER, false);
	edu_copy(edu, EDU_BUFFER, to, true);
	same = !memcmp(memory_at(from), memory_at(to), 64);
	fprintf(truth, "dma %s 0x%llx 0x%llx %s\n", label, (unsigned long long)from,
		(unsigned long long)to, same ? "ok" : "failed");
}

/* Let the device itself go through the tables: from one IOVA to another. */
static void move_by_device(void)
{
	volatile char *edu = edu_open(&devices[0]);

	edu_move(edu, ONE_MIB_IOVA, WRITE_ONLY_IOVA);
	edu_move(edu, READ_ONLY_IOVA, HUGE_IOVA + 5 * PAGE);
	edu_move(edu, HUGE_MISALIGNED_IOVA + SZ_2M - PAGE, ranges[num_ranges - 1].last + 1 - PAGE);
}

/* Does the device get what is there? Each page's first bytes are its own. */
static bool device_reads(volatile char *edu, uint64_t iova)
{
	const uint64_t copy = CONTIGUOUS_IOVA;

	edu_copy(edu, iova, EDU_BUFFER, false);
	edu_copy(edu, EDU_BUFFER, copy, true);
	return memcmp(memory_at(copy), memory_at(iova), 64) == 0;
}

/* Does what the device writes get there? */
static bool device_writes(volatile char *edu, uint64_t iova)
{
	const uint64_t source = ONE_MIB_IOVA + PAGE;

	edu_copy(edu, source, EDU_BUFFER, false);
	edu_copy(edu, EDU_BUFFER, iova, true);
	return memcmp(memory_at(iova), memory_at(source), 64) == 0;
}

static void write_fault(const char *access, uint64_t iova)
{
	fprintf(truth, "fault %s %s 0x%llx\n", devices[0].name, access, (unsigned long long)iova);
	/* The kernel logs three or four in five seconds, not more. */
	sleep(2);
}

/*
 * Not every driver can (or wants to) map write-only: ask the hardware what it
 * grants.
 */
static void probe_write_only(void)
{
	volatile char *edu = edu_open(&devices[0]);
	const uint64_t iova = WRITE_ONLY_IOVA + PAGE;
	bool readable = device_reads(edu, iova);

	if (!readable)
		write_fault("read", iova);
	fprintf(truth, "effective %s -w- %s\n", label, readable ? "rw-" : "-w-");
}

/* DMA that the IOMMU must refuse and the kernel's log must tell of. */
static void provoke_faults(void)
{
	volatile char *edu = edu_open(&devices[0]);
	const uint64_t hole = HOLES_IOVA + 3 * PAGE, nowhere = 0x7000000000;

	edu_copy(edu, hole, EDU_BUFFER, false);
	write_fault("read", hole);
	if (device_writes(edu, READ_ONLY_IOVA + PAGE))
		die("the device writes to read-only memory");
	write_fault("write", READ_ONLY_IOVA + PAGE);
	edu_copy(edu, EDU_BUFFER, STRESS_IOVA, true);
	write_fault("write", STRESS_IOVA);
	edu_copy(edu, nowhere, EDU_BUFFER, false);
	write_fault("read", nowhere);
}

static int by_iova(const void *left, const void *right)
{
	const struct mapping *a = left, *b = right;

	return (a->iova > b->iova) - (a->iova < b->iova);
}

static const char *permissions(uint32_t flags)
{
	if (flags == RW)
		return "rw-";
	return flags == R ? "r--" : "-w-";
}

static uint64_t physical(int pagemap, const char *memory)
{
	const uint64_t present = 1ULL << 63, frame = (1ULL << 55) - 1;
	off_t offset = (off_t)((uintptr_t)memory / PAGE * sizeof(uint64_t));
	uint64_t entry;

	if (pread(pagemap, &entry, sizeof(entry), offset) != sizeof(entry))
		die("cannot read pagemap");
	if (!(entry & present) || !(entry & frame))
		die("page at %p is not present", (void *)memory);
	return (entry & frame) * PAGE;
}

static void write_truth(void)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);

	if (pagemap < 0)
		die("cannot open pagemap");
	for (int i = 0; i < num_ranges; i++)
		fprintf(truth, "usable %s 0x%llx 0x%llx\n", label,
			(unsigned long long)ranges[i].start, (unsigned long long)ranges[i].last);
	qsort(mappings, (size_t)num_mappings, sizeof(*mappings), by_iova);
	for (int i = 0; i < num_mappings; i++)
		fprintf(truth, "map %s 0x%llx 0x%llx %s\n", label,
			(unsigned long long)mappings[i].iova, (unsigned long long)mappings[i].size,
			permissions(mappings[i].flags));
	for (int i = 0; i < num_mappings; i++) {
		const struct mapping *m = &mappings[i];

		for (uint64_t at = 0; at < m->size; at += PAGE)
			fprintf(truth, "page %s 0x%llx 0x%llx %s\n", label,
				(unsigned long long)(m->iova + at),
				(unsigned long long)physical(pagemap, m->memory + at),
				permissions(m->flags));
	}
	close(pagemap);
}

__attribute__((noreturn)) static void usage(void)
{
	fprintf(stderr, "usage: mapper -n LABEL -o FILE [-0] [-g] [-s] [-d] [-f] DEVICE...\n"
			"  -0  map IOVA 0 as well\n"
			"  -g  map a 1 GiB page as well\n"
			"  -s  map a file and a transparent huge page as well\n"
			"  -d  let DEVICE (edu) move data through the tables\n"
			"  -f  let DEVICE (edu) provoke IOMMU faults\n");
	exit(EXIT_FAILURE);
}

/*
 * Bytes that only this process and the page cache hold, as a customer's would: nothing
 * that claims to leave users' memory out may have them.
 */
static void keep_secret(void)
{
	static unsigned char secret[PAGE] __attribute__((aligned(4096), used));
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/run/secret-%s", label);
	FILE *file = fopen(path, "w");
	if (!file || getrandom(secret, sizeof(secret), 0) != sizeof(secret) ||
	    fwrite(secret, 1, sizeof(secret), file) != sizeof(secret) || fclose(file))
		die("cannot keep a secret in %s", path);
	fprintf(truth, "secret %s ", label);
	for (size_t i = 0; i < 64; i++)
		fprintf(truth, "%02x", secret[i]);
	fputc('\n', truth);
}

int main(int argc, char **argv)
{
	bool at_zero = false, gigantic = false, dma = false, faults = false, states = false;
	const char *output = NULL;
	char partial[PATH_MAX];
	int option;

	while ((option = getopt(argc, argv, "n:o:0gsdf")) != -1) {
		switch (option) {
		case 'n':
			label = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case '0':
			at_zero = true;
			break;
		case 'g':
			gigantic = true;
			break;
		case 's':
			states = true;
			break;
		case 'd':
			dma = true;
			break;
		case 'f':
			faults = true;
			break;
		default:
			usage();
		}
	}
	if (!output || optind == argc || argc - optind > MAX_DEVICES)
		usage();

	container = open("/dev/vfio/vfio", O_RDWR);
	if (container < 0)
		die("cannot open /dev/vfio/vfio");
	if (ioctl(container, VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
	    ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) <= 0)
		die("no VFIO type 1 v2 here");
	for (int i = optind; i < argc; i++)
		open_device(argv[i]);
	read_ranges();

	snprintf(partial, sizeof(partial), "%s.partial", output);
	truth = fopen(partial, "w");
	if (!truth)
		die("cannot write %s", partial);
	keep_secret();

	if (at_zero)
		map(allocate(PAGE, 0), 0, PAGE, RW);
	map_contiguous();
	map_scattered();
	map_aliases();
	map_boundaries();
	map_huge();
	map_with_holes();
	if (gigantic)
		map_gigantic();
	if (states)
		map_other_states();
	stress();
	if (dma) {
		move_by_device();
		probe_write_only();
	}
	if (faults)
		provoke_faults();
	write_truth();

	/* The finished file is the sign that everything is in place. */
	if (fclose(truth) || rename(partial, output))
		die("cannot write %s", output);
	for (;;)
		pause();
}
