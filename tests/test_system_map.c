// SPDX-License-Identifier: GPL-3.0-or-later
/* System.map: names to addresses, and files that only look like one. */
#include "target/system_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tests.h"

static const char GOOD[] = "0000000000000000 D __per_cpu_start\n"
			   "ffffffff81000000 T _text\n"
			   "ffffffff82000100 R linux_banner\n"
			   "ffffffff82100000 d identity_domain\n"
			   "ffffffff82200000 d identity_domain\n"
			   "ffffffff83000000 B _end"; /* no end of line */

static char path[64];

static void write_map(const char *text)
{
	strcpy(path, "/tmp/test_system_map.XXXXXX");
	const int fd = mkstemp(path);

	EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "cannot write");
	close(fd);
}

static void finds_symbols(void)
{
	struct symbols *symbols = NULL;
	uint64_t found[2] = { 0 };

	write_map(GOOD);
	EXPECT(system_map_is(path), "not taken for a System.map");
	if (!EXPECT_NO_ERROR(system_map_open(path, &symbols)))
		return;
	EXPECT(symbols->link_time, "addresses are link-time ones");
	EXPECT_NUMBER(symbols->ops->find(symbols, "linux_banner", found, 2), 1);
	EXPECT_NUMBER(found[0], 0xffffffff82000100);
	EXPECT_NUMBER(symbols->ops->find(symbols, "identity_domain", found, 2), 2);
	EXPECT_NUMBER(found[0], 0xffffffff82100000);
	EXPECT_NUMBER(found[1], 0xffffffff82200000);
	EXPECT_NUMBER(symbols->ops->find(symbols, "identity_domain", found, 1), 2);
	EXPECT_NUMBER(symbols->ops->find(symbols, "_end", found, 2), 1);
	EXPECT_NUMBER(found[0], 0xffffffff83000000);
	EXPECT_NUMBER(symbols->ops->find(symbols, "linux_bann", found, 2), 0);
	EXPECT_NUMBER(symbols->ops->find(symbols, "", found, 2), 0);
	symbols->ops->destroy(symbols);
	unlink(path);
}

static void refuses_others(void)
{
	struct symbols *symbols = NULL;

	/* What Debian puts into /boot. */
	write_map("ffffffffffffffff B The real System.map is in the -dbg package\n");
	EXPECT(system_map_is(path), "not taken for a System.map");
	EXPECT_ERROR(system_map_open(path, &symbols), "not a whole System.map");
	unlink(path);
	write_map("ffffffff81000000 T _text\nffffffff82000100 R linux_banner\nffff");
	EXPECT_ERROR(system_map_open(path, &symbols), "damaged");
	unlink(path);
	write_map("");
	EXPECT(!system_map_is(path), "an empty file is one");
	EXPECT_ERROR(system_map_open(path, &symbols), "not a whole System.map");
	unlink(path);
	write_map("\177ELF\2\1\1");
	EXPECT(!system_map_is(path), "an ELF file is one");
	unlink(path);
	EXPECT(!system_map_is("/nonexistent"), "a file that is not there is one");
	EXPECT_ERROR(system_map_open("/nonexistent", &symbols), "/nonexistent");
}

void suite_system_map(void)
{
	CU_pSuite suite = CU_add_suite("system_map", NULL, NULL);

	CU_add_test(suite, "symbols are found", finds_symbols);
	CU_add_test(suite, "other files are refused", refuses_others);
}
