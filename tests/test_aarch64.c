// SPDX-License-Identifier: GPL-3.0-or-later
/* arm64: what VMCOREINFO says of the kernel's page table, in widths and granules that differ. */
#include "tests/tests.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "formats/format.h"
#include "target/kernel_aarch64.h"
#include "target/kernel_private.h"
#include "tests/fake_memory.h"

/* swapper_pg_dir is at 0x41000000 in all of them. */
#define ADDRESSES \
	"SYMBOL(swapper_pg_dir)=ffff800081000000\nNUMBER(kimage_voffset)=0xffff800040000000\n"

enum { TABLE = 3, BLOCK = 0x701 }; /* valid; a block with AF and SH=3 (DDI 0487, D8.3) */

static struct kernel *open_kernel(const char *info)
{
	struct memory *memory = fake_create();
	struct kernel *kernel = NULL;

	fake_ram(memory, 0x40000000, 0x42000000);
	memory->arch = ARCH_AARCH64;
	memory->path = strdup("dump");
	memory->vmcoreinfo = info ? strdup(info) : NULL;
	EXPECT_NO_ERROR(kernel_new(memory, &kernel));
	return kernel;
}

/* @address is found at physical 0x40000123, and nowhere when the entry at @leaf is zero. */
static void expect_address(struct kernel *kernel, uint64_t address, uint64_t leaf)
{
	const struct banner banner = { 0 };
	uint64_t offset = 0;
	uint64_t phys = 0;

	if (!EXPECT_NO_ERROR(arch_aarch64.open_virtual_memory(kernel, &banner, &offset,
							      &kernel->virtual_memory)) ||
	    !kernel->virtual_memory)
		return;
	EXPECT_NUMBER(kernel_to_phys(kernel, address, &phys), true);
	EXPECT_NUMBER(phys, 0x40000123);
	fake_write(kernel->memory, leaf, 0);
	EXPECT_NUMBER(kernel_to_phys(kernel, address, &phys), false);
	/* The lower half is not the kernel's. */
	EXPECT_NUMBER(kernel_to_phys(kernel, address & 0xffffffffffff, &phys), false);
}

/* Built for 52 bits, run with 48: T1SZ counts. */
static void test_4k(void)
{
	struct kernel *kernel = open_kernel("PAGESIZE=4096\nNUMBER(VA_BITS)=52\n"
					    "NUMBER(TCR_EL1_T1SZ)=0x10\n" ADDRESSES);

	/* 0xffff800080000000: entries 256, 2, 0 */
	fake_write(kernel->memory, 0x41000000 + 256 * 8, 0x41001000 | TABLE);
	fake_write(kernel->memory, 0x41001000 + 2 * 8, 0x41002000 | TABLE);
	fake_write(kernel->memory, 0x41002000, 0x40000000 | BLOCK);
	expect_address(kernel, 0xffff800080000123, 0x41002000);
	kernel_close(kernel);
}

/* 47 bits is what a 16K kernel falls back to. */
static void test_16k(void)
{
	struct kernel *kernel = open_kernel("PAGESIZE=16384\nNUMBER(VA_BITS)=52\n"
					    "NUMBER(TCR_EL1_T1SZ)=0x11\n" ADDRESSES);

	/* 0xffff800080000000: entries 0, 0x40 */
	fake_write(kernel->memory, 0x41000000, 0x41004000 | TABLE);
	fake_write(kernel->memory, 0x41004000 + 0x40 * 8, 0x40000000 | BLOCK);
	expect_address(kernel, 0xffff800080000123, 0x41004000 + 0x40 * 8);
	kernel_close(kernel);
}

/* The table is that of 52 bits; the root of 48 is its end. */
static void test_64k(void)
{
	struct kernel *kernel = open_kernel("PAGESIZE=65536\nNUMBER(VA_BITS)=52\n"
					    "NUMBER(TCR_EL1_T1SZ)=0x10\n" ADDRESSES);

	/* 0xffff800080000000: entries 32 of 64, 4 */
	fake_write(kernel->memory, 0x41000000 + (1024 - 64 + 32) * 8, 0x41010000 | TABLE);
	fake_write(kernel->memory, 0x41010000 + 4 * 8, 0x40000000 | BLOCK);
	expect_address(kernel, 0xffff800080000123, 0x41010000 + 4 * 8);
	kernel_close(kernel);
}

static void expect_parameters(const char *info, unsigned int input, unsigned int output, bool lpa2)
{
	struct kernel *kernel = open_kernel(info);
	struct pt_parameters parameters = { 0 };

	EXPECT_NO_ERROR(aarch64_parameters(kernel->memory, &parameters));
	EXPECT_NUMBER(parameters.input_bits, input);
	EXPECT_NUMBER(parameters.output_bits, output);
	EXPECT_NUMBER(parameters.lpa2, lpa2);
	kernel_close(kernel);
}

static void test_widths(void)
{
	expect_parameters("PAGESIZE=4096\nNUMBER(VA_BITS)=39\n" ADDRESSES, 39, 48, false);
	expect_parameters("PAGESIZE=4096\nNUMBER(VA_BITS)=52\nNUMBER(TCR_EL1_T1SZ)=0xc\n" ADDRESSES,
			  52, 52, true);
	expect_parameters("PAGESIZE=65536\nNUMBER(VA_BITS)=42\n" ADDRESSES, 42, 52, false);
	expect_parameters(
		"PAGESIZE=65536\nNUMBER(VA_BITS)=52\nNUMBER(TCR_EL1_T1SZ)=0xc\n" ADDRESSES, 52, 52,
		false);
}

static void test_refused(void)
{
	static const struct {
		const char *info;
		const char *word;
	} tries[] = {
		{ NULL, "-device vmcoreinfo" },
		{ "PAGESIZE=4096\nNUMBER(VA_BITS)=48\n", "kimage_voffset" },
		{ "PAGESIZE=8192\nNUMBER(VA_BITS)=48\n" ADDRESSES, "8192" },
		{ "PAGESIZE=4096\nNUMBER(VA_BITS)=64\n" ADDRESSES, "64-bit" },
	};

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct kernel *kernel = open_kernel(tries[i].info);
		struct pt_parameters parameters = { 0 };

		EXPECT_ERROR(aarch64_parameters(kernel->memory, &parameters), tries[i].word);
		kernel_close(kernel);
	}
}

void suite_aarch64(void)
{
	CU_pSuite suite = CU_add_suite("aarch64", NULL, NULL);

	CU_add_test(suite, "4K pages", test_4k);
	CU_add_test(suite, "16K pages", test_16k);
	CU_add_test(suite, "64K pages", test_64k);
	CU_add_test(suite, "widths", test_widths);
	CU_add_test(suite, "refused", test_refused);
}
