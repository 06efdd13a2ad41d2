// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/version.h"

#include <bpf/libbpf.h>
#include <libdwarf.h>
#include <libelf.h>
#include <libkdumpfile/kdumpfile.h>
#include <zlib.h>

#include "reports/commands.h"

void version_print(FILE *out, const char *backend)
{
	fprintf(out, "iommupt %s\n", IOMMUPT_VERSION);
	fprintf(out, "libkdumpfile %s (built with)\n", KDUMPFILE_VERSION_STRING);
	fprintf(out, "libdwarf %s\n", dwarf_package_version());
	fprintf(out, "libelf ELF version %u\n", elf_version(EV_CURRENT));
	fprintf(out, "libbpf %s\n", libbpf_version_string());
	fprintf(out, "zlib %s\n", zlibVersion());
	if (backend[0])
		fprintf(out, "%s\n", backend);
	fputs("formats", out);
	for (const struct pt_format *const *format = pt_formats; *format; format++)
		fprintf(out, " %s", (*format)->name);
	fputc('\n', out);
}
