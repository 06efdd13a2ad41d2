// SPDX-License-Identifier: GPL-3.0-or-later
/* Tables as an ELF core, as the kernel's /proc/vmcore is: System V gABI, chapters 4 and 5. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "bench/tables.h"

/* How many blocks from @block on are neighbours in memory. */
static uint64_t row_of(const struct tables *tables, uint64_t block)
{
	uint64_t count = 1;

	while (block + count < tables->blocks && block_at(block + count) == block_at(block) + count)
		count++;
	return count;
}

static uint64_t count_rows(const struct tables *tables)
{
	uint64_t rows = 0;

	for (uint64_t block = 0; block < tables->blocks; block += row_of(tables, block))
		rows++;
	return rows;
}

static void put_headers(FILE *out, const struct tables *tables, uint64_t rows, uint64_t data_at)
{
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = tables->aarch64 ? EM_AARCH64 : EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)rows,
	};

	put(out, &header, sizeof(header));
	for (uint64_t block = 0; block < tables->blocks;) {
		const uint64_t count = row_of(tables, block);
		const uint64_t phys = block_at(block) * BLOCK * (uint64_t)PAGE;
		const uint64_t bytes = count * BLOCK * PAGE;
		const Elf64_Phdr segment = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W,
			.p_offset = data_at,
			.p_vaddr = phys,
			.p_paddr = phys,
			.p_filesz = bytes,
			.p_memsz = bytes,
			.p_align = PAGE,
		};

		put(out, &segment, sizeof(segment));
		data_at += bytes;
		block += count;
	}
}

void elf_write(const char *path, const struct tables *tables)
{
	const uint64_t rows = count_rows(tables);
	const uint64_t headers = sizeof(Elf64_Ehdr) + rows * sizeof(Elf64_Phdr);
	const uint64_t data_at = (headers + PAGE - 1) / PAGE * PAGE;
	FILE *out = file_open_at(path, "w", 0);
	uint64_t page[FAN];

	if (rows >= PN_XNUM) {
		fprintf(stderr, "make_tables: too many segments for an ELF file\n");
		exit(1);
	}
	put_headers(out, tables, rows, data_at);
	fseeko(out, (off_t)data_at, SEEK_SET);
	for (uint64_t slot = 0; slot < tables->blocks * BLOCK; slot++) {
		if (!slot_taken(tables, slot) || !slot_fill(slot, page))
			memset(page, 0, sizeof(page));
		put(out, page, sizeof(page));
	}
	if (fclose(out) != 0) {
		perror(path);
		exit(1);
	}
}
