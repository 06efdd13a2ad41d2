// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * BTF in a dump: 4 bytes each for the size of vmlinux's and the place of the list of modules, then
 * the kernel's image, which begins with vmlinux's BTF.
 */
#include "target/btf.h"

#include "target/error.h"
#include "tests/fuzz/image.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void check_error(struct error *err)
{
	REQUIRE(!err || (err->message[0] && !strchr(err->message, '\n')));
	error_free(err);
}

static void ask_types(struct types *types)
{
	static const struct type_query queries[] = {
		{ "outer", "inner.value", NULL }, { "outer", "bits", NULL },
		{ "outer", "array", "inner" },	  { "outer", NULL, NULL },
		{ "of_module", "one", NULL },	  { "nothing", "at_all", NULL },
		{ "btf", "data", NULL },	  { "outer", "hidden", NULL },
	};
	static const char *const tags[] = { "numbers", "", NULL };

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct member member;
		struct error *err = types->ops->find(types, &queries[i], &member);

		REQUIRE(err || !member.present || member.bit_size <= 64);
		check_error(err);
	}
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		bool found = false;
		int64_t value = 0;

		check_error(types->ops->enumerator(types, tags[i], "SECOND", &found, &value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	const uint32_t btf_size = (uint32_t)input_bytes(&input, 4);
	const uint32_t list = (uint32_t)input_bytes(&input, 4);
	const struct image_symbol symbols[] = {
		{ "__start_BTF", IMAGE_AT },
		{ "__stop_BTF", IMAGE_AT + btf_size },
		{ "btf_modules", IMAGE_AT + list },
	};
	struct image image = {
		.bytes = input,
		.symbols = symbols,
		.symbol_count = sizeof(symbols) / sizeof(symbols[0]),
	};
	struct types *types = NULL;
	size_t skipped = 0;

	/* The whole of it is allocated before it is read. */
	if (btf_size > 2 * size)
		return 0;
	struct kernel *kernel = image_kernel(&image);
	check_error(btf_open_kernel(kernel, &types));
	if (types) {
		ask_types(types);
		check_error(btf_add_modules(kernel, types, &skipped));
		ask_types(types);
		REQUIRE(btf_modules_skipped(types) >= skipped);
		types->ops->destroy(types);
	}
	kernel_close(kernel);
	return 0;
}
