// SPDX-License-Identifier: GPL-3.0-or-later
#include "extension/elf_ranges.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <unistd.h>

#include "target/error.h"

static struct error *read_headers(Elf *elf, struct elf_ranges *ret)
{
	size_t count = 0;

	if (elf_kind(elf) != ELF_K_ELF || elf_getphdrnum(elf, &count) != 0 || count == 0)
		return NULL;
	ret->ranges = calloc(count, sizeof(*ret->ranges));
	if (!ret->ranges)
		return error_no_memory();
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(elf, (int)i, &phdr) || phdr.p_type != PT_LOAD)
			continue;
		if (phdr.p_paddr == UINT64_MAX) { /* virtual addresses only */
			elf_ranges_unload(ret);
			return NULL;
		}
		ret->ranges[ret->count++] = (struct elf_range){
			.start = phdr.p_paddr,
			.end_file = phdr.p_paddr + phdr.p_filesz,
			.end_memory = phdr.p_paddr + phdr.p_memsz,
		};
	}
	return NULL;
}

struct error *elf_ranges_load(const char *path, struct elf_ranges *ret)
{
	struct error *err = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*ret = (struct elf_ranges){ 0 };
	if (fd < 0)
		return NULL;
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf)
		err = read_headers(elf, ret);
	elf_end(elf);
	close(fd);
	return err;
}

void elf_ranges_unload(struct elf_ranges *ranges)
{
	free(ranges->ranges);
	*ranges = (struct elf_ranges){ 0 };
}

enum block_status elf_ranges_probe(const struct elf_ranges *ranges, uint64_t phys)
{
	enum block_status status = ranges->count ? BLOCK_OUTSIDE : BLOCK_OK;

	for (size_t i = 0; i < ranges->count; i++) {
		const struct elf_range *range = &ranges->ranges[i];

		if (phys >= range->start && phys < range->end_file)
			return BLOCK_OK;
		if (phys >= range->end_file && phys < range->end_memory)
			status = BLOCK_MISSING;
	}
	return status;
}
