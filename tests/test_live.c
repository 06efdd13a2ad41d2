// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Tables that change while they are read, at moments that the test chooses: a live kernel. What
 * check-live does with a real one by chance is done here on purpose. VT-d second stage: an entry is
 * an address with R and W in bits 1:0, and PS in bit 7.
 */
#include "tests/tests.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/format.h"
#include "target/backends.h"
#include "target/kallsyms.h"
#include "tests/fake_memory.h"
#include "walkers/engine.h"
#include "walkers/live.h"

enum { RW = 3, LARGE = 0x80 | RW, CHANGES_MAX = 16, MIB2 = 1 << 21 };

/* The tree of all tests: three levels, one leaf in its second page. */
static const uint64_t ROOT = 0x10000, MIDDLE = 0x11000, LEAVES = 0x12000, OTHER = 0x13000;
static const uint64_t WITNESS = 0x20000, PAGE = 0x500000, NEW_PAGE = 0x600000, BAIT = 0x700000;

/* In struct change: whatever lies at LEAVES or behind. */
enum { ANY_LEAVES = 0 };

/* After read number @at of the block at @read (1: the first), the word at @phys becomes @value. */
struct change {
	uint64_t read;
	unsigned int at; /* 0: after each, @value counts up */
	uint64_t phys;
	uint64_t value;
	unsigned int reads;
};

struct changing {
	struct memory memory;
	struct memory *inner;
	struct change changes[CHANGES_MAX];
	size_t count;
};

static void after_read(struct changing *self, uint64_t phys, uint32_t len)
{
	for (size_t i = 0; i < self->count; i++) {
		struct change *change = &self->changes[i];

		/* Of a table, not of one of its entries. */
		if (len < FAKE_PAGE ||
		    (change->read == ANY_LEAVES ? phys < LEAVES : phys != change->read))
			continue;
		change->reads++;
		if (change->at == 0)
			fake_write(self->inner, change->phys, change->value += FAKE_PAGE);
		else if (change->at == change->reads)
			fake_write(self->inner, change->phys, change->value);
	}
}

static void changing_read(struct memory *memory, struct block_request *requests, size_t count)
{
	struct changing *self = (struct changing *)memory;

	for (size_t i = 0; i < count; i++) {
		self->inner->ops->read(self->inner, &requests[i], 1);
		after_read(self, requests[i].phys, requests[i].len);
	}
}

static enum block_status changing_probe(struct memory *memory, uint64_t phys)
{
	struct changing *self = (struct changing *)memory;

	return self->inner->ops->probe(self->inner, phys);
}

static void changing_destroy(struct memory *memory)
{
	(void)memory;
}

static const struct memory_ops changing_ops = {
	.name = "changing",
	.read = changing_read,
	.probe = changing_probe,
	.destroy = changing_destroy,
};

struct seen {
	struct pt_leaves leaves[8];
	size_t leaves_count;
	struct pt_fault faults[8];
	size_t fault_count;
};

static struct error *on_leaves(void *arg, const struct pt_leaves *leaves)
{
	struct seen *seen = arg;

	if (seen->leaves_count < 8)
		seen->leaves[seen->leaves_count++] = *leaves;
	return NULL;
}

static struct error *on_fault(void *arg, const struct pt_fault *fault)
{
	struct seen *seen = arg;

	if (seen->fault_count < 8)
		seen->faults[seen->fault_count++] = *fault;
	return NULL;
}

struct host {
	struct changing memory;
	struct pt_tree tree;
	struct seen seen;
};

static void host_init(struct host *host)
{
	static const struct pt_parameters parameters = { .levels = 3 };
	static const uint64_t word = 0x1234;

	*host = (struct host){ .memory.memory = { .ops = &changing_ops, .live = true } };
	struct memory *inner = host->memory.inner = fake_create();
	host->tree.root = ROOT;
	CU_ASSERT_PTR_NULL(pt_geometry_init(&pt_format_vtd_ss, &parameters, &host->tree.geometry));
	pt_add_witness(&host->tree, WITNESS, &word, 1);
	fake_write(inner, WITNESS, word);
	fake_write(inner, ROOT, MIDDLE | RW);
	fake_write(inner, MIDDLE, LEAVES | RW);
	fake_write(inner, LEAVES + 8, PAGE | RW);
	fake_write(inner, OTHER + 8, NEW_PAGE | RW);
}

static void change(struct host *host, uint64_t read, unsigned int at, uint64_t phys, uint64_t value)
{
	host->memory.changes[host->memory.count++] =
		(struct change){ .read = read, .at = at, .phys = phys, .value = value };
}

static void walk(struct host *host)
{
	const struct pt_visitor visitor = { .leaves = on_leaves,
					    .fault = on_fault,
					    .arg = &host->seen };
	struct pt_statistics statistics;

	CU_ASSERT_PTR_NULL(pt_walk(&host->tree, &host->memory.memory, 0, UINT64_MAX, &visitor, NULL,
				   &statistics));
	memory_close(host->memory.inner);
}

/* One leaf is seen, at @iova, and no fault. */
static void expect_leaf(const struct host *host, uint64_t iova, uint64_t phys, unsigned int lg2)
{
	CU_ASSERT_EQUAL(host->seen.fault_count, 0);
	CU_ASSERT_EQUAL(host->seen.leaves_count, 1);
	CU_ASSERT_EQUAL(host->seen.leaves[0].iova, iova);
	CU_ASSERT_EQUAL(host->seen.leaves[0].phys, phys);
	CU_ASSERT_EQUAL(host->seen.leaves[0].size_lg2, lg2);
}

static void expect_changed(const struct host *host, uint64_t iova, uint64_t length)
{
	CU_ASSERT_EQUAL(host->seen.leaves_count, 0);
	CU_ASSERT_EQUAL(host->seen.fault_count, 1);
	CU_ASSERT_EQUAL(host->seen.faults[0].kind, PT_FAULT_CHANGED);
	CU_ASSERT_EQUAL(host->seen.faults[0].iova, iova);
	CU_ASSERT_EQUAL(host->seen.faults[0].length, length);
}

static void test_nothing_changes(void)
{
	struct host host;

	host_init(&host);
	walk(&host);
	expect_leaf(&host, 0x1000, PAGE, 12);
	CU_ASSERT_EQUAL(host.memory.memory.reread, 0);
}

/* Before its table is read the entry leads elsewhere, and the table is somebody's page. */
static void test_table_replaced(void)
{
	struct host host;

	host_init(&host);
	change(&host, MIDDLE, 2, MIDDLE, OTHER | RW);
	change(&host, MIDDLE, 2, LEAVES + 8, BAIT | RW);
	walk(&host);
	expect_leaf(&host, 0x1000, NEW_PAGE, 12);
	CU_ASSERT(host.memory.memory.reread > 0);
}

/* The same between the two readings of the table. */
static void test_table_replaced_late(void)
{
	struct host host;

	host_init(&host);
	fake_write(host.memory.inner, LEAVES + 8, BAIT | RW);
	change(&host, LEAVES, 1, MIDDLE, OTHER | RW);
	walk(&host);
	expect_leaf(&host, 0x1000, NEW_PAGE, 12);
}

static void test_table_freed(void)
{
	struct host host;

	host_init(&host);
	change(&host, MIDDLE, 2, MIDDLE, 0);
	change(&host, MIDDLE, 2, LEAVES + 8, BAIT | RW);
	walk(&host);
	CU_ASSERT_EQUAL(host.seen.leaves_count, 0);
	CU_ASSERT_EQUAL(host.seen.fault_count, 0);
}

/* A table above is freed, and what it held is still there: only the entry to it tells. */
static void test_upper_table_freed(void)
{
	struct host host;

	host_init(&host);
	change(&host, MIDDLE, 2, ROOT, 0);
	change(&host, MIDDLE, 2, LEAVES + 8, BAIT | RW);
	walk(&host);
	CU_ASSERT_EQUAL(host.seen.leaves_count, 0);
	CU_ASSERT_EQUAL(host.seen.fault_count, 0);
}

static void test_table_becomes_large_page(void)
{
	struct host host;

	host_init(&host);
	change(&host, MIDDLE, 2, MIDDLE, 0x40000000 | LARGE);
	change(&host, MIDDLE, 2, LEAVES + 8, BAIT | RW);
	walk(&host);
	expect_leaf(&host, 0, 0x40000000, 21);
}

/* The whole tree goes: the rest of it is unknown, once. */
static void test_tree_gone(void)
{
	struct host host;

	host_init(&host);
	change(&host, MIDDLE, 2, WITNESS, 0);
	change(&host, MIDDLE, 2, LEAVES + 8, BAIT | RW);
	walk(&host);
	expect_changed(&host, 0, 1ULL << 39);
}

static void test_content_changes_once(void)
{
	struct host host;

	host_init(&host);
	change(&host, LEAVES, 1, LEAVES + 8, NEW_PAGE | RW);
	walk(&host);
	expect_leaf(&host, 0x1000, NEW_PAGE, 12);
	CU_ASSERT_EQUAL(host.memory.memory.reread, 1);
}

/* What never holds still is unknown, and ends. */
static void test_content_never_rests(void)
{
	struct host host;

	host_init(&host);
	change(&host, LEAVES, 0, LEAVES + 8, PAGE | RW);
	walk(&host);
	expect_changed(&host, 0, MIB2);
	CU_ASSERT(host.memory.memory.reread <= LIVE_TRIES + 1);
}

static void test_entry_never_rests(void)
{
	struct host host;

	host_init(&host);
	for (unsigned int i = 0; i < 2 * LIVE_TRIES; i++)
		fake_write(host.memory.inner, LEAVES + 0x1000ULL * i + 8, BAIT | RW);
	change(&host, ANY_LEAVES, 0, MIDDLE, LEAVES | RW);
	walk(&host);
	expect_changed(&host, 0, MIB2);
	CU_ASSERT(host.memory.memory.reread <= LIVE_TRIES + 1);
}

/* A dump is not read twice. */
static void test_dump_is_read_once(void)
{
	struct host host;

	host_init(&host);
	host.memory.memory.live = false;
	change(&host, LEAVES, 1, LEAVES + 8, BAIT | RW);
	walk(&host);
	expect_leaf(&host, 0x1000, PAGE, 12);
}

static void test_translate_of_tree_gone(void)
{
	struct host host;
	struct pt_step steps[PT_MAX_LEVELS];
	uint64_t phys = 0;

	host_init(&host);
	CU_ASSERT(pt_lookup(&host.tree, &host.memory.memory, 0x1234, &phys));
	CU_ASSERT_EQUAL(phys, PAGE + 0x234);
	fake_write(host.memory.inner, WITNESS, 0);
	const size_t n = pt_translate(&host.tree, &host.memory.memory, 0x1234, steps);
	CU_ASSERT(n > 0);
	if (n)
		CU_ASSERT_EQUAL(steps[n - 1].status, BLOCK_CHANGED);
	CU_ASSERT_FALSE(pt_lookup(&host.tree, &host.memory.memory, 0x1234, &phys));
	memory_close(host.memory.inner);
}

/* A file in the manner of /proc/kcore; the caller closes it. */
static int make_kcore(const Elf64_Phdr *segments, uint16_t count, const char *notes, size_t len)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = count,
	};
	const int fd = memfd_create("kcore", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(pwrite(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
	CU_ASSERT_EQUAL(pwrite(fd, segments, count * sizeof(*segments), sizeof(header)),
			(ssize_t)(count * sizeof(*segments)));
	CU_ASSERT_EQUAL(pwrite(fd, notes, len, 0x800), (ssize_t)len);
	/* Each word of what is physical says where it is in the file. */
	for (uint64_t at = 0x1000; at < 0x8000; at += sizeof(at))
		CU_ASSERT_EQUAL(pwrite(fd, &at, sizeof(at), (off_t)at), (ssize_t)sizeof(at));
	return fd;
}

static uint64_t word_at(struct memory *memory, uint64_t phys)
{
	uint64_t word = 0;

	return memory_read(memory, phys, &word, sizeof(word)) == BLOCK_OK ? word : 0;
}

/* Vmalloc space, the kernel's image inside memory, and two pieces of memory side by side. */
static void test_kcore(void)
{
	static const char notes[] = "\x0b\0\0\0\x06\0\0\0\0\0\0\0VMCOREINFO\0\0A=bcd\n";
	const Elf64_Phdr segments[] = {
		{ .p_type = PT_NOTE, .p_offset = 0x800, .p_filesz = sizeof(notes) - 1 },
		{ .p_type = PT_LOAD, .p_paddr = UINT64_MAX, .p_offset = 0x1000, .p_memsz = 0x1000 },
		{ .p_type = PT_LOAD, .p_paddr = 0x101000, .p_offset = 0x7000, .p_memsz = 0x1000 },
		{ .p_type = PT_LOAD, .p_paddr = 0x100000, .p_offset = 0x2000, .p_memsz = 0x3000 },
		{ .p_type = PT_LOAD, .p_paddr = 0x103000, .p_offset = 0x6000, .p_memsz = 0x1000 },
	};
	struct memory *memory = NULL;
	uint64_t across[2] = { 0 };
	uint64_t start = 0, end = 0;

	CU_ASSERT_PTR_NULL_FATAL(memory_kcore_open(
		"kcore", make_kcore(segments, 5, notes, sizeof(notes) - 1), &memory));
	CU_ASSERT(memory->live);
	CU_ASSERT_EQUAL(memory->arch, ARCH_X86_64);
	CU_ASSERT_STRING_EQUAL(memory->vmcoreinfo, "A=bcd\n");
	CU_ASSERT_EQUAL(word_at(memory, 0x100000), 0x2000);
	CU_ASSERT_EQUAL(word_at(memory, 0x101008), 0x3008);
	CU_ASSERT_EQUAL(word_at(memory, 0x103ff8), 0x6ff8);
	CU_ASSERT_EQUAL(memory_read(memory, 0x102ff8, across, sizeof(across)), BLOCK_OK);
	CU_ASSERT_EQUAL(across[0], 0x4ff8);
	CU_ASSERT_EQUAL(across[1], 0x6000);
	CU_ASSERT_EQUAL(memory_read(memory, 0xffff8, across, sizeof(across)), BLOCK_OUTSIDE);
	CU_ASSERT_EQUAL(memory_read(memory, 0x103ff8, across, sizeof(across)), BLOCK_OUTSIDE);
	CU_ASSERT_EQUAL(memory->ops->probe(memory, 0x104000), BLOCK_OUTSIDE);
	CU_ASSERT(memory_next_ram(memory, 0, &start, &end));
	CU_ASSERT_EQUAL(start, 0x100000);
	CU_ASSERT_EQUAL(end, 0x104000);
	CU_ASSERT_FALSE(memory_next_ram(memory, end, &start, &end));
	memory_close(memory);
}

/* Memory is plugged in: where everything is in the file moves. */
static void test_kcore_grows(void)
{
	const Elf64_Phdr one = {
		.p_type = PT_LOAD, .p_paddr = 0x100000, .p_offset = 0x2000, .p_memsz = 0x1000
	};
	const Elf64_Phdr two[] = {
		{ .p_type = PT_LOAD, .p_paddr = 0x100000, .p_offset = 0x3000, .p_memsz = 0x1000 },
		{ .p_type = PT_LOAD, .p_paddr = 0x200000, .p_offset = 0x4000, .p_memsz = 0x1000 },
	};
	const int fd = make_kcore(&one, 1, "", 0);
	const int again = make_kcore(two, 2, "", 0);
	char head[0x800];
	struct memory *memory = NULL;

	CU_ASSERT_PTR_NULL_FATAL(memory_kcore_open("kcore", fd, &memory));
	CU_ASSERT_EQUAL(word_at(memory, 0x100000), 0x2000);
	CU_ASSERT_EQUAL(pread(again, head, sizeof(head), 0), (ssize_t)sizeof(head));
	CU_ASSERT_EQUAL(pwrite(fd, head, sizeof(head), 0), (ssize_t)sizeof(head));
	CU_ASSERT_EQUAL(word_at(memory, 0x100008), 0x3008);
	CU_ASSERT_EQUAL(word_at(memory, 0x200000), 0x4000);
	memory_close(memory);
	close(again);
}

static bool open_text(const char *text, struct symbols **ret)
{
	char path[64];
	const int fd = memfd_create("kallsyms", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CU_ASSERT_PTR_NULL(kallsyms_open_text(path, ret));
	close(fd);
	return *ret;
}

static void test_kallsyms_text(void)
{
	struct symbols *symbols = NULL;
	uint64_t address[2] = { 0 };

	CU_ASSERT_FATAL(open_text("0000000000000000 A fixed_percpu_data\n"
				  "ffffffff81000000 T _stext\n"
				  "ffffffffc0001000 t helper\t[vfio]\n"
				  "ffffffffc0002000 t helper\t[kvm]\nnonsense\n",
				  &symbols));
	CU_ASSERT_EQUAL(symbols->ops->find(symbols, "_stext", address, 2), 1);
	CU_ASSERT_EQUAL(address[0], 0xffffffff81000000);
	CU_ASSERT_EQUAL(symbols->ops->find(symbols, "helper", address, 2), 2);
	CU_ASSERT_EQUAL(address[1], 0xffffffffc0002000);
	CU_ASSERT_EQUAL(symbols->ops->find(symbols, "nonsense", address, 2), 0);
	CU_ASSERT_EQUAL(kallsyms_count(symbols), 4);
	symbols->ops->destroy(symbols);
	/* What kptr_restrict does. */
	CU_ASSERT_FALSE(open_text("0000000000000000 A fixed_percpu_data\n"
				  "0000000000000000 T _stext\n",
				  &symbols));
	CU_ASSERT_FALSE(open_text("", &symbols));
	CU_ASSERT_PTR_NULL(kallsyms_open_text("/nowhere/kallsyms", &symbols));
	CU_ASSERT_PTR_NULL(symbols);
}

void suite_live(void)
{
	CU_pSuite suite = CU_add_suite("live", NULL, NULL);

	CU_add_test(suite, "nothing changes", test_nothing_changes);
	CU_add_test(suite, "table replaced", test_table_replaced);
	CU_add_test(suite, "table replaced late", test_table_replaced_late);
	CU_add_test(suite, "table freed", test_table_freed);
	CU_add_test(suite, "upper table freed", test_upper_table_freed);
	CU_add_test(suite, "table becomes large page", test_table_becomes_large_page);
	CU_add_test(suite, "tree gone", test_tree_gone);
	CU_add_test(suite, "content changes once", test_content_changes_once);
	CU_add_test(suite, "content never rests", test_content_never_rests);
	CU_add_test(suite, "entry never rests", test_entry_never_rests);
	CU_add_test(suite, "dump is read once", test_dump_is_read_once);
	CU_add_test(suite, "translate of tree gone", test_translate_of_tree_gone);
	CU_add_test(suite, "kcore", test_kcore);
	CU_add_test(suite, "kcore grows", test_kcore_grows);
	CU_add_test(suite, "kallsyms as text", test_kallsyms_text);
}
