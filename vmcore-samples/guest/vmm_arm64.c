// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * arm64: make a virtual machine whose stage-2 table maps known memory, write down
 * what is mapped where, and keep it alive. vmm.c does the same on x86.
 *
 * The guest code runs with its own MMU off, so that KVM maps nothing but the page
 * of the code and what the code touches. What must be mapped follows from what was
 * asked for and from the host's own memory: physical addresses from
 * /proc/self/pagemap, page sizes from how the memory is backed, permissions from
 * the slot and from what the pages hold. Nothing here knows a page-table format.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/mman.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, MAX_SLOTS = 16 };

#define SZ_2M (1ULL << 21)
#define SZ_1G (1ULL << 30)

/* Guest-physical addresses; README.md has the same table. */
static const uint64_t CODE_GPA = 0x10000;
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

/* State of one 4 KiB page of a slot: what KVM must have done with it. */
enum { MAPPED = 1, WRITABLE = 2, EXECUTED = 4 };

struct slot {
	uint32_t number;
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
static uint32_t num_slots;
static uint64_t mmio_gpas[16];
static int num_mmio;
static int pagemap = -1;
static int kpageflags = -1;
static unsigned int ipa_bits = 40;

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

static char *allocate(uint64_t size, uint64_t alignment, int huge_flags, int advice)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *room = mmap(NULL, size + alignment, PROT_NONE, flags, -1, 0);

	if (room == MAP_FAILED)
		die("cannot reserve 0x%llx bytes", (unsigned long long)size);
	room = (char *)(((uintptr_t)room + alignment - 1) & ~(alignment - 1));
	char *memory =
		mmap(room, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED | huge_flags, -1, 0);
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
static char *small_pages(uint64_t pages, uint64_t filled)
{
	const uint64_t stride = 37;
	char *memory = allocate(pages * PAGE, SZ_2M, 0, MADV_NOHUGEPAGE);

	for (uint64_t i = 0; i < filled; i++)
		fill(memory + i * stride % filled * PAGE);
	return memory;
}

static char *huge_pages(uint64_t size)
{
	char *memory = allocate(size, SZ_2M, MAP_HUGETLB | MAP_HUGE_2MB, 0);

	for (uint64_t at = 0; at < size; at += SZ_2M)
		fill(memory + at);
	return memory;
}

/* Transparent huge pages; AnonHugePages counts only what is mapped as such. */
static char *transparent_huge_pages(uint64_t size)
{
	char *memory = NULL;
	unsigned long long kb = 0;
	char line[128];
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "w");

	/* A machine of less than 512 MiB begins without them. */
	if (!file || fputs("madvise", file) == EOF || fclose(file))
		die("cannot switch transparent huge pages on");
	memory = allocate(size, SZ_2M, 0, MADV_HUGEPAGE);
	for (uint64_t at = 0; at < size; at += SZ_2M)
		fill(memory + at);
	file = fopen("/proc/self/smaps_rollup", "r");
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

static struct slot *add_slot(uint64_t gpa, uint64_t size, char *memory, uint64_t backing,
			     uint32_t flags)
{
	struct slot *slot = &slots[num_slots];
	struct kvm_userspace_memory_region region = {
		.slot = num_slots,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("memory slot at 0x%llx", (unsigned long long)gpa);
	*slot = (struct slot){ num_slots++,	      flags, gpa, size, backing, memory,
			       calloc(size / PAGE, 1) };
	if (!slot->state)
		die("out of memory");
	if (container >= 0)
		map_for_device(gpa, size, memory, !(flags & KVM_MEM_READONLY));
	return slot;
}

static struct slot *slot_at(uint64_t gpa)
{
	for (uint32_t i = 0; i < num_slots; i++)
		if (gpa - slots[i].gpa < slots[i].size)
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
	if (fits(slot, gpa, SZ_1G))
		return SZ_1G;
	return fits(slot, gpa, SZ_2M) ? SZ_2M : PAGE;
}

static bool host_writable(const struct slot *slot, uint64_t gpa)
{
	const uint64_t phys = physical(slot->memory + (gpa - slot->gpa));

	return phys && !is_zero_page(phys);
}

/*
 * What KVM does about an access (arch/arm64/kvm/mmu.c: user_mem_abort()): it maps the page of the
 * host, writable if it is that for us; while writes are logged only if this is a write.
 */
static void note_access(uint64_t gpa, bool write, bool execute)
{
	struct slot *slot = slot_at(gpa);

	if (!slot || (write && (slot->flags & KVM_MEM_READONLY)))
		return;
	const uint64_t size = leaf_size(slot, gpa);
	uint8_t *state = slot->state + ((gpa & ~(size - 1)) - slot->gpa) / PAGE;
	uint8_t grants = *state | MAPPED;

	if (execute)
		grants |= EXECUTED;
	if (!(*state & MAPPED) || (write && !(*state & WRITABLE))) {
		const bool logged = slot->flags & KVM_MEM_LOG_DIRTY_PAGES;

		if (!(slot->flags & KVM_MEM_READONLY) && host_writable(slot, gpa) &&
		    (write || !logged))
			grants |= WRITABLE;
	}
	memset(state, grants, size / PAGE);
}

/*
 * The guest. Each routine begins with an instruction that may be left out: KVM steps over one when
 * it is entered after an MMIO exit. It tells that it is done by a store to where no memory is.
 */
enum { WRITE_ENTRY = 0x20 };

static const uint32_t read_code[] = {
	0xd503201f, /* nop */
	0xf9400020, /* ldr x0, [x1] */
	0xf9000043, /* str x3, [x2] */
	0x14000000, /* b . */
};

static const uint32_t write_code[] = {
	0xd503201f, /* nop */
	0xf9000023, /* str x3, [x1] */
	0xf9000043, /* str x3, [x2] */
	0x14000000, /* b . */
};

static const uint64_t DONE_GPA = 0xc0000000;

static void make_guest(void)
{
	char *memory = small_pages(1, 1);

	memcpy(memory, read_code, sizeof(read_code));
	memcpy(memory + WRITE_ENTRY, write_code, sizeof(write_code));
	__builtin___clear_cache(memory, memory + PAGE);
	add_slot(CODE_GPA, PAGE, memory, PAGE, 0);
}

static void set_register(size_t offset, uint64_t value)
{
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      offset / sizeof(uint32_t),
		.addr = (uintptr_t)&value,
	};

	if (ioctl(vcpu, KVM_SET_ONE_REG, &reg))
		die("cannot set the register at %zu", offset);
}

/* Run until the guest is done; true if it was given no memory on the way. */
static bool run_guest(void)
{
	bool mmio = false;

	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0))
			die("KVM_RUN");
		if (run->exit_reason != KVM_EXIT_MMIO)
			die("guest left with exit reason %u", run->exit_reason);
		if (run->mmio.phys_addr == DONE_GPA)
			return mmio;
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
		mmio = true;
	}
}

/* Let the guest touch @gpa. */
static void access_guest(uint64_t gpa, bool write)
{
	enum { PSTATE_EL1H_MASKED = 0x3c5 };
	const struct slot *slot = slot_at(gpa);
	const bool mmio = !slot || (write && (slot->flags & KVM_MEM_READONLY));

	set_register(offsetof(struct kvm_regs, regs.regs[1]), gpa);
	set_register(offsetof(struct kvm_regs, regs.regs[2]), DONE_GPA);
	set_register(offsetof(struct kvm_regs, regs.regs[3]), gpa ^ 0x5a5a5a5a5a5a5a5a);
	set_register(offsetof(struct kvm_regs, regs.pstate), PSTATE_EL1H_MASKED);
	set_register(offsetof(struct kvm_regs, regs.pc), CODE_GPA + (write ? WRITE_ENTRY : 0));
	if (run_guest() != mmio)
		die("access to 0x%llx: %s", (unsigned long long)gpa,
		    mmio ? "no MMIO exit" : "an MMIO exit");
	note_access(CODE_GPA, false, true);
	note_access(gpa, write, false);
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

	add_slot(SMALL_GPA, PAGES * PAGE, small_pages(PAGES, 32), PAGE, 0);
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
	add_slot(HUGE_GPA, 3 * SZ_2M, huge_pages(3 * SZ_2M), SZ_2M, 0);
	access_guest(HUGE_GPA + 5 * PAGE, false);
	access_guest(HUGE_GPA + SZ_2M + 7 * PAGE, true);
	access_guest(HUGE_GPA + SZ_2M + 300 * PAGE, false);
	/* Huge on the host, but not aligned for the guest. */
	add_slot(MISALIGNED_GPA, SZ_2M, huge_pages(SZ_2M), SZ_2M, 0);
	access_pages(MISALIGNED_GPA, 0, 2, true);
	access_pages(MISALIGNED_GPA, 509, 511, false);
}

static void touch_read_only(void)
{
	enum { PAGES = 8 };

	add_slot(READ_ONLY_GPA, PAGES * PAGE, small_pages(PAGES, PAGES), PAGE, KVM_MEM_READONLY);
	access_pages(READ_ONLY_GPA, 0, 3, false);
	access_pages(READ_ONLY_GPA, 1, 1, true);
	access_pages(READ_ONLY_GPA, 5, 5, true);
	add_slot(HUGE_READ_ONLY_GPA, SZ_2M, huge_pages(SZ_2M), SZ_2M, KVM_MEM_READONLY);
	access_guest(HUGE_READ_ONLY_GPA + 9 * PAGE, false);
}

/* Reading the log takes the right to write away again. */
static void touch_dirty_logged(void)
{
	uint64_t bits[SZ_2M / PAGE / 64];
	struct slot *slot =
		add_slot(DIRTY_GPA, SZ_2M, huge_pages(SZ_2M), SZ_2M, KVM_MEM_LOG_DIRTY_PAGES);
	struct kvm_dirty_log log = { .slot = slot->number, .dirty_bitmap = bits };

	access_pages(DIRTY_GPA, 0, 7, true);
	access_pages(DIRTY_GPA, 100, 101, false);
	if (ioctl(vm, KVM_GET_DIRTY_LOG, &log))
		die("KVM_GET_DIRTY_LOG");
	for (uint64_t i = 0; i < SZ_2M / PAGE; i++)
		if (bits[i / 64] >> i % 64 & 1)
			slot->state[i] &= (uint8_t)~WRITABLE;
	access_pages(DIRTY_GPA, 3, 3, true);
	access_pages(DIRTY_GPA, 5, 5, true);
	access_pages(DIRTY_GPA, 6, 6, false);
}

static void touch_thp(void)
{
	add_slot(THP_GPA, 2 * SZ_2M, transparent_huge_pages(2 * SZ_2M), SZ_2M, 0);
	access_guest(THP_GPA + SZ_2M + 11 * PAGE, true);
}

/* Where an index of an upper level changes. */
static void touch_boundary(uint64_t gpa, uint64_t pages)
{
	add_slot(gpa, pages * PAGE, small_pages(pages, pages), PAGE, 0);
	access_pages(gpa, 0, (int)pages - 1, true);
}

static void touch_gigantic(void)
{
	char *memory = allocate(SZ_1G, SZ_1G, MAP_HUGETLB | MAP_HUGE_1GB, 0);

	fill(memory);
	add_slot(GIGANTIC_GPA, SZ_1G, memory, SZ_1G, 0);
	access_guest(GIGANTIC_GPA + 0x12345000, true);
}

/* With CTR_EL0.DIC instruction caches need no care, and KVM makes all executable at once. */
static bool all_executable(void)
{
	enum { DIC = 29 };
	uint64_t ctr = 0;

	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	return ctr >> DIC & 1;
}

static const char *permissions(uint8_t state)
{
	if ((state & EXECUTED) || all_executable())
		return state & WRITABLE ? "rwx" : "r-x";
	return state & WRITABLE ? "rw-" : "r--";
}

static void write_leaf(const struct slot *slot, uint64_t page, uint64_t size)
{
	const char *perm = permissions(slot->state[page]);
	const uint64_t gpa = slot->gpa + page * PAGE;
	const uint64_t leaf = physical(slot->memory + page * PAGE);

	if (size > PAGE)
		fprintf(truth, "leaf %s 0x%llx 0x%llx 0x%llx %s\n", label, (unsigned long long)gpa,
			(unsigned long long)size, (unsigned long long)leaf, perm);
	for (uint64_t at = 0; at < size && size < SZ_1G; at += PAGE) {
		const uint64_t phys = physical(slot->memory + page * PAGE + at);

		if (!phys || phys != leaf + at)
			die("page at 0x%llx is not what it was", (unsigned long long)(gpa + at));
		fprintf(truth, "page %s 0x%llx 0x%llx %s\n", label, (unsigned long long)(gpa + at),
			(unsigned long long)phys, perm);
	}
}

static void write_slot(const struct slot *slot)
{
	static const char *const flags[] = { "-", "dirty-log", "read-only", "dirty-log|read-only" };
	uint64_t size = 0;

	fprintf(truth, "slot %s %u 0x%llx 0x%llx 0x%llx %s\n", label, slot->number,
		(unsigned long long)slot->gpa, (unsigned long long)slot->size,
		(unsigned long long)(uintptr_t)slot->memory, flags[slot->flags & 3]);
	for (uint64_t page = 0; page < slot->size / PAGE; page += size / PAGE) {
		size = leaf_size(slot, slot->gpa + page * PAGE);
		if (slot->state[page])
			write_leaf(slot, page, size);
	}
}

static void write_truth(void)
{
	fprintf(truth, "vm %s %d\n", label, getpid());
	fprintf(truth, "ipa-bits %s %u\n", label, ipa_bits);
	for (uint32_t i = 0; i < num_slots; i++)
		write_slot(&slots[i]);
	for (int i = 0; i < num_mmio; i++)
		fprintf(truth, "mmio %s 0x%llx\n", label, (unsigned long long)mmio_gpas[i]);
	for (uint32_t i = 0; i < num_slots && container >= 0; i++) {
		const struct slot *slot = &slots[i];

		write_device_truth(slot->gpa, slot->size, slot->memory,
				   !(slot->flags & KVM_MEM_READONLY));
		write_process_truth(slot->size, slot->memory);
	}
}

static void make_vm(void)
{
	struct kvm_vcpu_init init;
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		die("cannot open /dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, (unsigned long)KVM_VM_TYPE_ARM_IPA_SIZE(ipa_bits));
	if (vm < 0)
		die("KVM_CREATE_VM with %u bits", ipa_bits);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		die("KVM_CREATE_VCPU");
	if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) || ioctl(vcpu, KVM_ARM_VCPU_INIT, &init))
		die("KVM_ARM_VCPU_INIT");
	run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		   MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("cannot map the vCPU");
	close(kvm);
}

__attribute__((noreturn)) static void usage(void)
{
	fprintf(stderr, "usage: vmm -n LABEL -o FILE [-i BITS] [-t] [-g] [DEVICE]\n"
			"  -i  width of guest-physical addresses (40)\n"
			"  -t  transparent huge pages as well\n"
			"  -g  a 1 GiB page as well\n"
			"  DEVICE  gets the VM's memory by VFIO (container vfio0)\n");
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	bool thp = false, gigantic = false;
	const char *output = NULL;
	char partial[4096];
	int option;

	while ((option = getopt(argc, argv, "n:o:i:tg")) != -1) {
		switch (option) {
		case 'n':
			label = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case 'i':
			ipa_bits = (unsigned int)atoi(optarg);
			break;
		case 't':
			thp = true;
			break;
		case 'g':
			gigantic = true;
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

	if (optind < argc)
		open_container(argv[optind]);
	make_vm();
	make_guest();
	touch_small();
	touch_huge();
	touch_read_only();
	touch_dirty_logged();
	if (thp)
		touch_thp();
	access_guest(MMIO_GPA, false);
	access_guest(MMIO_GPA + PAGE, true);
	touch_boundary(CROSSING_4G_GPA, 4);
	touch_boundary(CROSSING_512G_GPA, 4);
	if (gigantic)
		touch_gigantic();
	write_truth();

	/* The finished file is the sign that everything is in place. */
	if (fclose(truth) || rename(partial, output))
		die("cannot write %s", output);
	for (;;)
		pause();
}
