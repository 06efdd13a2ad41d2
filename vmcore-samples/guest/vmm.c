// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Make a virtual machine whose second-stage table (EPT, NPT) maps known memory,
 * write down what is mapped where, and keep it alive.
 *
 * The guest code is a few instructions that read or write one address; KVM maps
 * what they touch. What it must have mapped follows from what was asked for and
 * from the host's own memory: physical addresses from /proc/self/pagemap, page
 * sizes from how the memory is backed, permissions from the slot and from what
 * the pages hold. Nothing here knows a page-table format. README.md has the rules.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <linux/mman.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "secret.h"

enum {
	PAGE = 4096,
	MAX_SLOTS = 16,
	PREFETCH = 8, /* the old MMU maps up to so many neighbours: mmu.c, PTE_PREFETCH_NUM */
};

#define SZ_2M (1ULL << 21)
#define SZ_1G (1ULL << 30)

/* Guest-physical addresses; README.md has the same table. */
static const uint64_t SYSTEM_GPA = 0x10000;
static const uint64_t SMM_CODE_GPA = 0x30000;
static const uint64_t SMALL_GPA = 0x100000;
static const uint64_t HUGE_GPA = 0x40000000;
static const uint64_t MISALIGNED_GPA = 0x50001000;
static const uint64_t READ_ONLY_GPA = 0x60000000;
static const uint64_t HUGE_READ_ONLY_GPA = 0x60200000;
static const uint64_t DIRTY_GPA = 0x70000000;
static const uint64_t THP_GPA = 0x80000000;
static const uint64_t MMIO_GPA = 0xd0000000;
static const uint64_t CROSSING_4G_GPA = 0xffffe000;
static const uint64_t GIGANTIC_GPA = 0x200000000;
static const uint64_t CROSSING_512G_GPA = 0x7fffffe000;
static const uint64_t FAR_GPA = 1ULL << 48;

/* State of one 4 KiB page of a slot: what KVM must have done with it. */
enum { MAPPED = 1, WRITABLE = 2 };

struct slot {
	uint32_t id; /* address space << 16 | number */
	uint32_t flags;
	uint64_t gpa;
	uint64_t size;
	uint64_t backing; /* size of the host's pages: 4K, 2M, 1G */
	char *memory;
	uint8_t *state; /* one a page */
};

static const char *label = "vm0";
static FILE *truth;
static int vm = -1;
static int vcpu = -1;
static struct kvm_run *run;
static struct slot slots[MAX_SLOTS];
static int num_slots;
static uint64_t mmio_gpas[16];
static int num_mmio;
static int pagemap = -1;
static int kpageflags = -1;
static unsigned int physical_bits = 36;

/* What KVM's parameters say; see read_parameters(). */
static bool tdp_mmu;
static bool accessed_bits = true;
static bool page_modification_log;
static bool huge_not_executable;
static bool gigantic_leaves = true;
/* Before 5.15 the old MMU does not map the neighbours behind the last mapped page of the eight. */
static bool maps_trailing = true;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "vmm %s: ", label);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (%s)\n", strerror(error));
	exit(EXIT_FAILURE);
}

static uint64_t word_of(int file, uint64_t number)
{
	uint64_t word = 0;

	if (pread(file, &word, sizeof(word), (off_t)(number * sizeof(word))) != sizeof(word))
		die("cannot read pagemap or kpageflags");
	return word;
}

/* Physical address of a page of ours; 0 when there is none. */
static uint64_t physical(const char *memory)
{
	const uint64_t present = 1ULL << 63, frame = (1ULL << 55) - 1;
	const uint64_t entry = word_of(pagemap, (uintptr_t)memory / PAGE);

	return entry & present ? (entry & frame) * PAGE : 0;
}

/* The kernel's one page of zeros stands for memory that was read but never written. */
static bool is_zero_page(uint64_t phys)
{
	const uint64_t zero_page = 1ULL << 24; /* linux/kernel-page-flags.h: KPF_ZERO_PAGE */

	return word_of(kpageflags, phys / PAGE) & zero_page;
}

/* Address space set aside, aligned to @alignment; nothing is touched. */
static char *reserve(uint64_t size, uint64_t alignment)
{
	char *memory = mmap(NULL, size + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("cannot reserve 0x%llx bytes", (unsigned long long)size);
	return (char *)(((uintptr_t)memory + alignment - 1) & ~(alignment - 1));
}

static char *allocate(uint64_t size, uint64_t alignment, int huge_flags, int advice)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | huge_flags;
	char *memory = mmap(reserve(size, alignment), size, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (memory == MAP_FAILED)
		die("cannot allocate 0x%llx bytes", (unsigned long long)size);
	if (!huge_flags && madvise(memory, size, advice))
		die("madvise");
	return memory;
}

static void fill(char *memory)
{
	*(uint64_t *)memory = (uintptr_t)memory;
}

/* Touched in an order unlike the addresses', so that physical memory is scattered. */
static void fill_scattered(char *memory, uint64_t pages)
{
	const uint64_t stride = 37;

	for (uint64_t i = 0; i < pages; i++)
		fill(memory + i * stride % pages * PAGE);
}

static char *small_pages(uint64_t pages)
{
	return allocate(pages * PAGE, SZ_2M, 0, MADV_NOHUGEPAGE);
}

static char *huge_pages(uint64_t size)
{
	char *memory = allocate(size, SZ_2M, MAP_HUGETLB | MAP_HUGE_2MB, 0);

	for (uint64_t at = 0; at < size; at += SZ_2M)
		fill(memory + at);
	return memory;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) == EOF || fclose(file))
		die("cannot write %s", path);
}

/* Transparent huge pages; AnonHugePages counts only what is mapped as such. */
static char *transparent_huge_pages(uint64_t size)
{
	/* A machine of less than 512 MiB begins without them. */
	write_text("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");

	char *memory = allocate(size, SZ_2M, 0, MADV_HUGEPAGE);
	unsigned long long kb = 0;
	char line[128];

	for (uint64_t at = 0; at < size; at += SZ_2M)
		fill(memory + at);
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "AnonHugePages: %llu", &kb) == 1)
			break;
	if (!file || kb * 1024 != size)
		die("0x%llx bytes are transparent huge pages, %llu kB", (unsigned long long)size,
		    kb);
	fclose(file);
	return memory;
}

#include "vm_device.h"

static struct slot *add_slot(uint32_t id, uint64_t gpa, uint64_t size, char *memory,
			     uint64_t backing, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = id,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};
	struct slot *slot = &slots[num_slots++];

	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("memory slot %u at 0x%llx", id, (unsigned long long)gpa);
	*slot = (struct slot){ id, flags, gpa, size, backing, memory, calloc(size / PAGE, 1) };
	if (!slot->state)
		die("out of memory");
	if (container >= 0 && id >> 16 == 0)
		map_for_device(gpa, size, memory, !(flags & KVM_MEM_READONLY));
	return slot;
}

static struct slot *slot_at(uint32_t address_space, uint64_t gpa)
{
	for (int i = 0; i < num_slots; i++)
		if (slots[i].id >> 16 == address_space && gpa - slots[i].gpa < slots[i].size)
			return &slots[i];
	return NULL;
}

/* May KVM map @size bytes at @gpa at once: host memory, alignment, whole in the slot? */
static bool fits(const struct slot *slot, uint64_t gpa, uint64_t size)
{
	const uint64_t start = gpa & ~(size - 1);

	return slot->backing >= size && !(slot->flags & KVM_MEM_LOG_DIRTY_PAGES) &&
	       ((slot->gpa ^ (uintptr_t)slot->memory) & (size - 1)) == 0 && start >= slot->gpa &&
	       start + size <= slot->gpa + slot->size;
}

static uint64_t leaf_size(const struct slot *slot, uint64_t gpa)
{
	if (gigantic_leaves && fits(slot, gpa, SZ_1G))
		return SZ_1G;
	return fits(slot, gpa, SZ_2M) ? SZ_2M : PAGE;
}

static bool host_writable(const struct slot *slot, uint64_t gpa)
{
	const uint64_t phys = physical(slot->memory + (gpa - slot->gpa));

	return phys && !is_zero_page(phys);
}

/*
 * The old MMU (not the TDP MMU) also maps neighbours of a small page in the same eight:
 * arch/x86/kvm/mmu/mmu.c, __direct_pte_prefetch(). Each stretch of them that is not mapped
 * must lie in one slot, writable and without dirty log; its leading pages that the host has
 * in its page table, writable, are mapped; where there are none it ends.
 */
static void map_neighbours(uint32_t address_space, uint64_t gpa)
{
	const uint64_t first = gpa & ~((uint64_t)PREFETCH * PAGE - 1);
	const uint64_t end = first + (uint64_t)PREFETCH * PAGE;

	for (uint64_t at = first, stop; at < end; at = stop) {
		struct slot *slot = slot_at(address_space, at);
		uint64_t mapped = 0;

		for (stop = at; stop < end; stop += PAGE) {
			const struct slot *here = slot_at(address_space, stop);

			if (here && here->state[(stop - here->gpa) / PAGE])
				break;
		}
		if (stop == at) {
			stop += PAGE;
			continue;
		}
		if (stop == end && !maps_trailing)
			return;
		if (!slot || slot->flags || stop > slot->gpa + slot->size)
			return;
		for (; at < stop && host_writable(slot, at); at += PAGE, mapped++)
			slot->state[(at - slot->gpa) / PAGE] = MAPPED | WRITABLE;
		if (!mapped)
			return;
	}
}

/* What KVM does about an access to @gpa. */
static void note_access(uint32_t address_space, uint64_t gpa, bool write)
{
	struct slot *slot = slot_at(address_space, gpa);

	if (!slot || (write && (slot->flags & KVM_MEM_READONLY)))
		return;
	const uint64_t size = leaf_size(slot, gpa);
	const uint64_t first = ((gpa & ~(size - 1)) - slot->gpa) / PAGE;
	const bool fault = !slot->state[first] || (write && !(slot->state[first] & WRITABLE));
	const bool writable = !(slot->flags & KVM_MEM_READONLY) && host_writable(slot, gpa);

	if (!fault)
		return;
	memset(slot->state + first, writable ? MAPPED | WRITABLE : MAPPED, size / PAGE);
	if (!tdp_mmu && accessed_bits && size == PAGE)
		map_neighbours(address_space, gpa);
}

/*
 * The guest: 64-bit code at SYSTEM_GPA + 4 pages, seen at CODE_VA, that reloads CR3 (so that
 * no translation is cached) and then touches WINDOW_VA, which is mapped to what is wanted.
 */
enum { CODE_VA = 0x1000, WINDOW_VA = 0x2000, WRITE_ENTRY = 0x10, GUEST_PAGES = 5 };

static const unsigned char read_code[] = {
	0x0f, 0x22, 0xdb, /* mov %rbx,%cr3 */
	0x48, 0x8b, 0x06, /* mov (%rsi),%rax */
	0xf4,		  /* hlt */
};

static const unsigned char write_code[] = {
	0x0f, 0x22, 0xdb, /* mov %rbx,%cr3 */
	0x48, 0x89, 0x06, /* mov %rax,(%rsi) */
	0xf4,		  /* hlt */
};

static uint64_t *guest_table(int number)
{
	return (uint64_t *)(slots[0].memory + (size_t)number * PAGE);
}

static void make_guest(void)
{
	enum { PRESENT_WRITABLE = 3 };
	char *code = slots[0].memory + (GUEST_PAGES - 1) * PAGE;

	for (int i = 0; i < 3; i++)
		guest_table(i)[0] = (SYSTEM_GPA + (uint64_t)(i + 1) * PAGE) | PRESENT_WRITABLE;
	guest_table(3)[CODE_VA / PAGE] = (SYSTEM_GPA + (uint64_t)(GUEST_PAGES - 1) * PAGE) |
					 PRESENT_WRITABLE;
	memcpy(code, read_code, sizeof(read_code));
	memcpy(code + WRITE_ENTRY, write_code, sizeof(write_code));
}

static void set_long_mode(void)
{
	enum { CR0 = 0x80000033, CR4_PAE = 0x20, EFER_LME_LMA = 0x500 };
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	struct kvm_segment data = { .limit = 0xffffffff,
				    .selector = 16,
				    .type = 3,
				    .present = 1,
				    .s = 1,
				    .db = 1,
				    .g = 1 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		die("KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr0 = CR0;
	sregs.cr3 = SYSTEM_GPA;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LME_LMA;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs))
		die("KVM_SET_SREGS");
}

/* Run until the guest halts; what was asked of us on the way is counted. */
static int run_guest(void)
{
	int exits = 0;

	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0))
			die("KVM_RUN");
		if (run->exit_reason == KVM_EXIT_HLT)
			return exits;
		if (run->exit_reason != KVM_EXIT_MMIO)
			die("guest left with exit reason %u", run->exit_reason);
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
		exits++;
	}
}

/* Let the guest touch @gpa. */
static void access_guest(uint64_t gpa, bool write)
{
	struct kvm_regs regs = {
		.rip = CODE_VA + (write ? WRITE_ENTRY : 0),
		.rflags = 2,
		.rax = gpa ^ 0x5a5a5a5a5a5a5a5a,
		.rbx = SYSTEM_GPA,
		.rsi = WINDOW_VA,
	};
	const struct slot *slot = slot_at(0, gpa);
	const bool mmio = !slot || (write && (slot->flags & KVM_MEM_READONLY));

	guest_table(3)[WINDOW_VA / PAGE] = (gpa & ~(uint64_t)(PAGE - 1)) | 3;
	if (ioctl(vcpu, KVM_SET_REGS, &regs))
		die("KVM_SET_REGS");
	if (run_guest() != mmio)
		die("access to 0x%llx: %s", (unsigned long long)gpa,
		    mmio ? "no MMIO exit" : "an MMIO exit");
	for (int i = 0; i < GUEST_PAGES; i++)
		note_access(0, SYSTEM_GPA + (uint64_t)i * PAGE, i < GUEST_PAGES - 1);
	note_access(0, gpa, write);
	if (!slot)
		mmio_gpas[num_mmio++] = gpa & ~(uint64_t)(PAGE - 1);
}

static void access_pages(uint64_t gpa, int first, int last, bool write)
{
	for (int i = first; i <= last; i++)
		access_guest(gpa + (uint64_t)i * PAGE, write);
}

static void touch_small(void)
{
	enum { PAGES = 64 };
	char *memory = small_pages(PAGES);

	fill_scattered(memory, 32);
	for (int i = 48; i < 56; i++)
		fill(memory + i * PAGE);
	add_slot(1, SMALL_GPA, PAGES * PAGE, memory, PAGE, 0);
	access_pages(SMALL_GPA, 0, 15, true);
	access_pages(SMALL_GPA, 16, 30, false);
	/* Never written: the page of zeros. Then memory that the guest is the first to write. */
	access_pages(SMALL_GPA, 32, 38, false);
	access_pages(SMALL_GPA, 40, 46, true);
	/* Nothing is behind the end, and nobody has touched the last pages. */
	access_guest(SMALL_GPA + PAGES * PAGE, false);
}

static void touch_huge(void)
{
	add_slot(2, HUGE_GPA, 3 * SZ_2M, huge_pages(3 * SZ_2M), SZ_2M, 0);
	access_guest(HUGE_GPA + 5 * PAGE, false);
	access_guest(HUGE_GPA + SZ_2M + 7 * PAGE, true);
	access_guest(HUGE_GPA + SZ_2M + 300 * PAGE, false);
	/* Huge on the host, but not aligned for the guest. */
	add_slot(3, MISALIGNED_GPA, SZ_2M, huge_pages(SZ_2M), SZ_2M, 0);
	access_pages(MISALIGNED_GPA, 0, 2, true);
	access_pages(MISALIGNED_GPA, 509, 511, false);
}

static void touch_read_only(void)
{
	enum { PAGES = 8 };
	char *memory = small_pages(PAGES);

	fill_scattered(memory, PAGES);
	add_slot(4, READ_ONLY_GPA, PAGES * PAGE, memory, PAGE, KVM_MEM_READONLY);
	access_pages(READ_ONLY_GPA, 0, 3, false);
	access_pages(READ_ONLY_GPA, 1, 1, true);
	access_pages(READ_ONLY_GPA, 5, 5, true);
	add_slot(5, HUGE_READ_ONLY_GPA, SZ_2M, huge_pages(SZ_2M), SZ_2M, KVM_MEM_READONLY);
	access_guest(HUGE_READ_ONLY_GPA + 9 * PAGE, false);
}

/* Reading the log takes the right to write away again, or with Intel's PML only the dirty bit. */
static void touch_dirty_logged(void)
{
	uint64_t bits[SZ_2M / PAGE / 64];
	struct kvm_dirty_log log = { .slot = 6, .dirty_bitmap = bits };
	struct slot *slot =
		add_slot(6, DIRTY_GPA, SZ_2M, huge_pages(SZ_2M), SZ_2M, KVM_MEM_LOG_DIRTY_PAGES);

	access_pages(DIRTY_GPA, 0, 7, true);
	access_pages(DIRTY_GPA, 100, 101, false);
	if (ioctl(vm, KVM_GET_DIRTY_LOG, &log))
		die("KVM_GET_DIRTY_LOG");
	for (uint64_t i = 0; i < SZ_2M / PAGE && !page_modification_log; i++)
		if (bits[i / 64] >> i % 64 & 1)
			slot->state[i] &= (uint8_t)~WRITABLE;
	access_pages(DIRTY_GPA, 3, 3, true);
	access_pages(DIRTY_GPA, 5, 5, true);
	access_pages(DIRTY_GPA, 6, 6, false);
}

static void touch_thp(void)
{
	add_slot(7, THP_GPA, 2 * SZ_2M, transparent_huge_pages(2 * SZ_2M), SZ_2M, 0);
	access_guest(THP_GPA + SZ_2M + 11 * PAGE, true);
}

/* Where an index of an upper level changes. */
static void touch_boundary(uint32_t id, uint64_t gpa, uint64_t pages)
{
	char *memory = small_pages(pages);

	fill_scattered(memory, pages);
	add_slot(id, gpa, pages * PAGE, memory, PAGE, 0);
	access_pages(gpa, 0, (int)pages - 1, true);
}

static void touch_gigantic(void)
{
	char *memory = allocate(SZ_1G, SZ_1G, MAP_HUGETLB | MAP_HUGE_1GB, 0);

	fill(memory);
	add_slot(10, GIGANTIC_GPA, SZ_1G, memory, SZ_1G, 0);
	access_guest(GIGANTIC_GPA + 0x12345000, true);
}

/*
 * System management mode has an address space of its own. It begins in real mode at SMBASE +
 * 0x8000; what KVM itself stores there (SMBASE + 0xfe00) goes past the table.
 */
static void touch_smm(void)
{
	enum { PAGES = 16, CODE_PAGE = 8, DATA_PAGE = 9 };
	static const unsigned char code[] = {
		0x67, 0x66, 0xc7, 0x05, 0x00, 0x90, 0x03, 0x00, /* movl $0x12345678,0x39000 */
		0x78, 0x56, 0x34, 0x12, 0xf4,			/* hlt */
	};
	char *memory = small_pages(PAGES);

	fill_scattered(memory, PAGES);
	memcpy(memory + CODE_PAGE * PAGE, code, sizeof(code));
	add_slot(1U << 16, SMM_CODE_GPA, PAGES * PAGE, memory, PAGE, 0);
	if (ioctl(vcpu, KVM_SMI, 0))
		die("KVM_SMI");
	if (run_guest() != 0)
		die("an MMIO exit in system management mode");
	note_access(1, SMM_CODE_GPA + CODE_PAGE * PAGE, false);
	note_access(1, SMM_CODE_GPA + DATA_PAGE * PAGE, true);
}

/* The guest's CPUID is all that KVM can do: 6.12 and later refuse 1 GiB pages otherwise. */
static void set_cpuid(int kvm)
{
	enum { ENTRIES = 256, ADDRESS_SIZES = 0x80000008 };
	static union {
		struct kvm_cpuid2 cpuid;
		char room[sizeof(struct kvm_cpuid2) + ENTRIES * sizeof(struct kvm_cpuid_entry2)];
	} buffer;

	buffer.cpuid.nent = ENTRIES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &buffer.cpuid) ||
	    ioctl(vcpu, KVM_SET_CPUID2, &buffer.cpuid))
		die("CPUID");
	for (uint32_t i = 0; i < buffer.cpuid.nent; i++)
		if (buffer.cpuid.entries[i].function == ADDRESS_SIZES)
			physical_bits = buffer.cpuid.entries[i].eax & 0xff;
}

static bool read_parameter(const char *module, const char *name, bool otherwise)
{
	char path[PATH_MAX], value[16] = "";

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	FILE *file = fopen(path, "r");
	if (!file)
		return otherwise;
	if (fscanf(file, "%15s", value) == 1)
		fprintf(truth, "kvm-parameter %s.%s %s\n", module, name, value);
	fclose(file);
	return value[0] == 'Y' || value[0] == '1';
}

static bool cpu_has(const char *flag)
{
	static char text[65536];
	FILE *file = fopen("/proc/cpuinfo", "r");
	bool found = false;

	while (file && !found && fgets(text, sizeof(text), file))
		found = strstr(text, flag);
	if (file)
		fclose(file);
	return found;
}

static void read_parameters(void)
{
	bool intel = access("/sys/module/kvm_intel", F_OK) == 0;

	tdp_mmu = read_parameter("kvm", "tdp_mmu", false);
	huge_not_executable = read_parameter("kvm", "nx_huge_pages", false);
	if (intel) {
		if (!read_parameter("kvm_intel", "ept", false))
			die("KVM does not use EPT");
		accessed_bits = read_parameter("kvm_intel", "eptad", false);
		page_modification_log = read_parameter("kvm_intel", "pml", false);
		gigantic_leaves = cpu_has("ept_1gb");
	} else if (!read_parameter("kvm_amd", "npt", false)) {
		die("KVM does not use NPT");
	}
}

static void read_release(void)
{
	struct utsname host;
	unsigned int major, minor;

	if (uname(&host) || sscanf(host.release, "%u.%u", &major, &minor) != 2)
		die("no kernel release");
	maps_trailing = major > 5 || (major == 5 && minor >= 15);
}

static const char *permissions(uint8_t state, uint64_t size)
{
	if (size > PAGE && huge_not_executable)
		return state & WRITABLE ? "rw-" : "r--";
	return state & WRITABLE ? "rwx" : "r-x";
}

static void write_leaf(const struct slot *slot, const char *space, uint64_t page, uint64_t size)
{
	const char *perm = permissions(slot->state[page], size);
	const uint64_t gpa = slot->gpa + page * PAGE;
	const uint64_t leaf = physical(slot->memory + page * PAGE);

	if (size > PAGE)
		fprintf(truth, "leaf %s 0x%llx 0x%llx 0x%llx %s\n", space, (unsigned long long)gpa,
			(unsigned long long)size, (unsigned long long)leaf, perm);
	for (uint64_t at = 0; at < size && size < SZ_1G; at += PAGE) {
		const uint64_t phys = physical(slot->memory + page * PAGE + at);

		if (!phys || phys != leaf + at)
			die("page at 0x%llx is not what it was", (unsigned long long)(gpa + at));
		fprintf(truth, "page %s 0x%llx 0x%llx %s\n", space, (unsigned long long)(gpa + at),
			(unsigned long long)phys, perm);
	}
}

static void write_slot(const struct slot *slot)
{
	static const char *const flags[] = { "-", "dirty-log", "read-only", "dirty-log|read-only" };
	char space[32];
	uint64_t size = 0;

	snprintf(space, sizeof(space), slot->id >> 16 ? "%s:%u" : "%s", label, slot->id >> 16);
	fprintf(truth, "slot %s %u 0x%llx 0x%llx 0x%llx %s\n", space, slot->id & 0xffff,
		(unsigned long long)slot->gpa, (unsigned long long)slot->size,
		(unsigned long long)(uintptr_t)slot->memory, flags[slot->flags & 3]);
	for (uint64_t page = 0; page < slot->size / PAGE; page += size / PAGE) {
		size = leaf_size(slot, slot->gpa + page * PAGE);
		if (slot->state[page])
			write_leaf(slot, space, page, size);
	}
}

/* What KVM itself counts; the names are those of its files. */
static void write_counts(void)
{
	static const char *const names[] = { "pages_4k", "pages_2m", "pages_1g", "largepages" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		unsigned long long count = 0;
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm,
			 names[i]);
		FILE *file = fopen(path, "r");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &count) != 1)
			die("cannot read %s", path);
		fprintf(truth, "kvm-pages %s %s %llu\n", label, names[i], count);
		fclose(file);
	}
}

static void write_truth(void)
{
	fprintf(truth, "vm %s %d\n", label, getpid());
	for (int i = 0; i < num_slots; i++)
		write_slot(&slots[i]);
	for (int i = 0; i < num_mmio; i++)
		fprintf(truth, "mmio %s 0x%llx\n", label, (unsigned long long)mmio_gpas[i]);
	write_counts();
	for (int i = 0; i < num_slots && container >= 0; i++) {
		const struct slot *slot = &slots[i];

		if (slot->id >> 16 == 0)
			write_device_truth(slot->gpa, slot->size, slot->memory,
					   !(slot->flags & KVM_MEM_READONLY));
		write_process_truth(slot->size, slot->memory);
	}
}

static void make_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		die("cannot open /dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		die("KVM_CREATE_VCPU");
	run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		   MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("cannot map the vCPU");
	set_cpuid(kvm);
	close(kvm);
}

__attribute__((noreturn)) static void usage(void)
{
	fprintf(stderr, "usage: vmm -n LABEL -o FILE [-t] [-g] [-s] [-f] [DEVICE]\n"
			"  -t  transparent huge pages as well\n"
			"  -g  a 1 GiB page as well\n"
			"  -s  run in system management mode as well\n"
			"  -f  memory at 2^48 as well\n"
			"  DEVICE  gets the VM's memory by VFIO (container vfio0)\n");
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	bool thp = false, gigantic = false, smm = false, far = false;
	const char *output = NULL;
	char partial[PATH_MAX];
	int option;

	while ((option = getopt(argc, argv, "n:o:tgsf")) != -1) {
		switch (option) {
		case 'n':
			label = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case 't':
			thp = true;
			break;
		case 'g':
			gigantic = true;
			break;
		case 's':
			smm = true;
			break;
		case 'f':
			far = true;
			break;
		default:
			usage();
		}
	}
	if (!output || argc - optind > 1)
		usage();

	snprintf(partial, sizeof(partial), "%s.partial", output);
	truth = fopen(partial, "w");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	kpageflags = open("/proc/kpageflags", O_RDONLY);
	if (!truth || pagemap < 0 || kpageflags < 0)
		die("cannot open %s, pagemap or kpageflags", partial);

	if (!keep_secret(truth, label))
		die("cannot keep a secret");
	if (optind < argc)
		open_container(argv[optind]);
	read_parameters();
	read_release();
	make_vm();
	char *memory = small_pages(8);
	fill_scattered(memory, 8);
	add_slot(0, SYSTEM_GPA, 8 * PAGE, memory, PAGE, 0);
	make_guest();
	set_long_mode();

	touch_small();
	touch_huge();
	touch_read_only();
	touch_dirty_logged();
	if (thp)
		touch_thp();
	access_guest(MMIO_GPA, false);
	access_guest(MMIO_GPA + PAGE, true);
	touch_boundary(8, CROSSING_4G_GPA, 4);
	if (physical_bits > 39)
		touch_boundary(9, CROSSING_512G_GPA, 4);
	if (gigantic)
		touch_gigantic();
	if (far)
		touch_boundary(11, FAR_GPA, 4);
	if (smm)
		touch_smm();
	write_truth();

	/* The finished file is the sign that everything is in place. */
	if (fclose(truth) || rename(partial, output))
		die("cannot write %s", output);
	for (;;)
		pause();
}
