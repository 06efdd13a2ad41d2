// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Symbols that no file of debug information brings. The first byte says which:
 *
 *	0	kallsyms in the dump: seven offsets into the rest of 4 bytes each (names, num_syms,
 *		token_table, token_index, offsets, relative_base, _stext), then the kernel's image
 *	1	the text of /proc/kallsyms
 *	2	a System.map
 *	3	what an extract has noted in its VMCOREINFO, types as well
 */
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/error.h"
#include "target/kallsyms.h"
#include "target/noted.h"
#include "target/system_map.h"
#include "tests/fuzz/image.h"

enum { TABLES, TEXT, MAP, NOTED, KINDS };

/* Small, so that a module fits into a small input. */
static const struct image_member members[] = {
	{ "module", "list", 8, 16 },	     { "module", "kallsyms", 0, 8 },
	{ "mod_kallsyms", "symtab", 0, 8 },  { "mod_kallsyms", "num_symtab", 8, 4 },
	{ "mod_kallsyms", "strtab", 16, 8 },
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void ask_symbols(struct symbols *symbols)
{
	static const char *const names[] = { "_stext", "modules", "linux_banner", "a", "" };
	uint64_t addresses[3];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t all = symbols->ops->find(symbols, names[i], addresses, 3);

		REQUIRE(symbols->ops->find(symbols, names[i], addresses, 0) == all);
	}
}

static void check_error(struct error *err)
{
	REQUIRE(!err || (err->message[0] && !strchr(err->message, '\n')));
	error_free(err);
}

static void ask_tables(struct input *input)
{
	static const char *const keys[] = {
		"SYMBOL(kallsyms_names)",
		"SYMBOL(kallsyms_num_syms)",
		"SYMBOL(kallsyms_token_table)",
		"SYMBOL(kallsyms_token_index)",
		"SYMBOL(kallsyms_offsets)",
		"SYMBOL(kallsyms_relative_base)",
		"SYMBOL(_stext)",
	};
	char info[1024] = "";
	struct symbols *symbols = NULL;
	size_t len = 0;
	size_t skipped = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const uint32_t offset = (uint32_t)input_bytes(input, 4);

		if (offset != UINT32_MAX)
			len += (size_t)snprintf(info + len, sizeof(info) - len, "%s=%" PRIx64 "\n",
						keys[i], (uint64_t)(IMAGE_AT + offset));
	}
	struct image image = {
		.bytes = *input,
		.vmcoreinfo = info,
		.members = members,
		.member_count = sizeof(members) / sizeof(members[0]),
	};
	struct kernel *kernel = image_kernel(&image);
	check_error(kallsyms_open(kernel, &symbols));
	if (symbols) {
		ask_symbols(symbols);
		check_error(kallsyms_add_modules(kernel, symbols, &skipped));
		ask_symbols(symbols);
		symbols->ops->destroy(symbols);
	}
	kernel_close(kernel);
}

static void ask_file(const struct input *input, bool map)
{
	char path[64];
	struct symbols *symbols = NULL;
	const int fd = memfd_create("symbols", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, input->data, input->size) == (ssize_t)input->size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!map)
		check_error(kallsyms_open_text(path, &symbols));
	else if (system_map_is(path))
		check_error(system_map_open(path, &symbols));
	if (symbols) {
		ask_symbols(symbols);
		symbols->ops->destroy(symbols);
	}
	close(fd);
}

static void ask_noted(const struct input *input)
{
	static const struct type_query queries[] = {
		{ "device", "bus", NULL },
		{ "device", NULL, NULL },
		{ "device", "bus", "parent" },
	};
	struct symbols *symbols = NULL;
	struct types *types = NULL;
	char *text = malloc(input->size + 1);

	REQUIRE(text);
	memcpy(text, input->data, input->size);
	text[input->size] = '\0';
	noted_is_there(text);
	REQUIRE(!noted_symbols(text, &symbols) && !noted_types(text, &types));
	ask_symbols(symbols);
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct member member;
		bool found = false;
		int64_t value = 0;

		check_error(types->ops->find(types, &queries[i], &member));
		check_error(types->ops->enumerator(types, "", "PG_slab", &found, &value));
	}
	symbols->ops->destroy(symbols);
	types->ops->destroy(types);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	switch (input_u8(&input) % KINDS) {
	case TABLES:
		ask_tables(&input);
		break;
	case NOTED:
		ask_noted(&input);
		break;
	default:
		ask_file(&input, data[0] % KINDS == MAP);
	}
	return 0;
}
