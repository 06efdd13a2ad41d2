// SPDX-License-Identifier: GPL-3.0-or-later
/* tests/run [-q|-v] [SUITE]: all unit tests, or those of one suite. */
#include "tests/tests.h"

#include <malloc.h>

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	void (*add)(void);
} suites[] = {
	{ "aarch64", suite_aarch64 },
	{ "formats", suite_formats },
	{ "live", suite_live },
	{ "lpae", suite_lpae },
	{ "arm_walkers", suite_arm_walkers },
	{ "trees", suite_trees },
	{ "engine", suite_engine },
	{ "emitter", suite_emitter },
	{ "selection", suite_selection },
	{ "reverse map", suite_reverse_map },
	{ "files", suite_files },
	{ "vmlinux", suite_vmlinux },
	{ "btf", suite_btf },
	{ "kallsyms", suite_kallsyms },
	{ "amd", suite_amd },
	{ "intel", suite_intel },
	{ "pages", suite_pages },
	{ "system_map", suite_system_map },
	{ "domains", suite_domains },
	{ "readers", suite_readers },
};

enum { SUITES = sizeof(suites) / sizeof(suites[0]) };

static int usage(const char *program)
{
	fprintf(stderr, "usage: %s [-q|-v] [SUITE]\nsuites:", program);
	for (size_t i = 0; i < SUITES; i++)
		fprintf(stderr, " %s", suites[i].name);
	fprintf(stderr, "\n");
	return 2;
}

/* Register @wanted, or all with NULL; false when there is no such suite. */
static bool add_suites(const char *wanted)
{
	bool any = false;

	for (size_t i = 0; i < SUITES; i++) {
		if (wanted && strcmp(suites[i].name, wanted) != 0)
			continue;
		suites[i].add();
		any = true;
	}
	return any;
}

int main(int argc, char **argv)
{
	/* A walk's buffers are large; asking the system for them anew takes longer than a small
	 * walk. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	CU_BasicRunMode mode = CU_BRM_NORMAL;
	int word = 1;

	if (word < argc && (strcmp(argv[word], "-q") == 0 || strcmp(argv[word], "-v") == 0))
		mode = argv[word++][1] == 'v' ? CU_BRM_VERBOSE : CU_BRM_SILENT;
	if (argc - word > 1 || (word < argc && argv[word][0] == '-'))
		return usage(argv[0]);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	if (!add_suites(word < argc ? argv[word] : NULL)) {
		CU_cleanup_registry();
		return usage(argv[0]);
	}
	CU_basic_set_mode(mode);
	CU_ErrorCode result = CU_basic_run_tests();
	bool failed = result != CUE_SUCCESS || CU_get_error() != CUE_SUCCESS ||
		      CU_get_number_of_failure_records() || CU_get_number_of_suites_failed() ||
		      CU_get_number_of_tests_run() == 0;

	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
