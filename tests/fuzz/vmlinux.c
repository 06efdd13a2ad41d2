// SPDX-License-Identifier: GPL-3.0-or-later
/* A symbol file of any content: its symbols and its DWARF. */
#include <sys/mman.h>
#include <unistd.h>

#include "target/error.h"
#include "target/vmlinux.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void ask_symbols(struct vmlinux *vmlinux)
{
	struct symbols *symbols = NULL;
	uint64_t addresses[4];
	uint8_t bytes[64];
	struct error *err = vmlinux_symbols(vmlinux, &symbols);

	if (!err) {
		symbols->ops->find(symbols, "object", addresses, 4);
		symbols->ops->find(symbols, "", addresses, 1);
		symbols->ops->destroy(symbols);
	}
	error_free(err);
	vmlinux_read(vmlinux, 0, bytes, sizeof(bytes));
	vmlinux_read(vmlinux, ~0ULL, bytes, sizeof(bytes));
}

static void ask_types(struct vmlinux *vmlinux)
{
	static const struct type_query queries[] = {
		{ "outer", "inner.value", NULL }, { "outer", "bits", NULL },
		{ "outer", "array", "inner" },	  { "outer", NULL, NULL },
		{ "nothing", "at_all", NULL },
	};
	struct types *types = NULL;
	struct error *err = vmlinux_dwarf(vmlinux, &types);

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]) && !err; i++) {
		struct member member = { 0 };

		err = types->ops->find(types, &queries[i], &member);
	}
	bool found = false;
	int64_t value = 0;
	if (!err)
		err = types->ops->enumerator(types, "", "FIRST", &found, &value);
	if (types)
		types->ops->destroy(types);
	error_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmlinux *vmlinux = NULL;
	char path[64];
	const int fd = memfd_create("vmlinux", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct error *err = vmlinux_open(path, &vmlinux);
	REQUIRE(!err || err->message[0]);
	error_free(err);
	if (vmlinux) {
		ask_symbols(vmlinux);
		ask_types(vmlinux);
		vmlinux_close(vmlinux);
	}
	close(fd);
	return 0;
}
