// SPDX-License-Identifier: GPL-3.0-or-later
#include "formats/format.h"

#include <stdio.h>
#include <string.h>

#include "target/error.h"

/* A new format is one new file and one row here. */
/* clang-format off */
const struct pt_format *const pt_formats[] = {
	&pt_format_amdv1,
	&pt_format_lpae_s1,
	&pt_format_lpae_s2,
	&pt_format_ept,
	&pt_format_vtd_fs,
	&pt_format_vtd_ss,
	&pt_format_x86_64,
	NULL,
};
/* clang-format on */

const struct pt_format *pt_format_find(const char *name)
{
	for (const struct pt_format *const *format = pt_formats; *format; format++) {
		if (strcmp((*format)->name, name) == 0)
			return *format;
	}
	return NULL;
}

struct error *pt_geometry_init(const struct pt_format *format,
			       const struct pt_parameters *parameters, struct pt_geometry *ret)
{
	static const struct pt_parameters usual;

	*ret = (struct pt_geometry){ .format = format };
	return format->setup(parameters ? parameters : &usual, ret);
}

unsigned int pt_entry_lg2(const struct pt_geometry *geometry, unsigned int level)
{
	return geometry->granule_lg2 + level * (geometry->granule_lg2 - 3U);
}

unsigned int pt_table_lg2(const struct pt_geometry *geometry, unsigned int level)
{
	if (level + 1U < geometry->levels)
		return geometry->granule_lg2 - 3U;
	return geometry->input_bits - pt_entry_lg2(geometry, level);
}

void pt_inherit(const struct pt_geometry *geometry, const struct pt_run *table, struct pt_run *run)
{
	const struct pt_format *format = geometry->format;

	run->perm &= table->perm;
	run->attrs &= table->attrs | ~format->attrs_and;
	run->attrs |= table->attrs & format->attrs_or;
	if (run->kind == PT_LEAF && format->settle)
		run->perm = (uint8_t)format->settle(run->attrs, run->perm);
}

struct pt_run pt_root_run(const struct pt_geometry *geometry, uint64_t root)
{
	return (struct pt_run){
		.address = root,
		.attrs = geometry->format->attrs_and,
		.kind = PT_TABLE,
		.perm = PT_RWX,
		.next_level = (uint8_t)(geometry->levels - 1),
	};
}

uint64_t pt_last_address(const struct pt_geometry *geometry)
{
	return geometry->input_bits >= 64 ? ~0ULL : (1ULL << geometry->input_bits) - 1;
}

uint64_t pt_address_to_user(const struct pt_geometry *geometry, uint64_t table_address)
{
	const uint64_t last = pt_last_address(geometry);

	if (geometry->sign_extend && (table_address & ~(last >> 1)))
		table_address |= ~last;
	return table_address | geometry->base;
}

bool pt_address_to_table(const struct pt_geometry *geometry, uint64_t address, uint64_t *ret)
{
	uint64_t table_address = address & pt_last_address(geometry);

	if (pt_address_to_user(geometry, table_address) != address)
		return false;
	*ret = table_address;
	return true;
}

void pt_attributes_text(const struct pt_geometry *geometry, uint32_t attrs, char *text, size_t size)
{
	const char *const *names = geometry->format->attribute_names;
	size_t used = 0;

	text[0] = '\0';
	if (!geometry->dirty_tracking)
		attrs &= ~geometry->format->attrs_dirty;
	for (unsigned int bit = 0; names[bit]; bit++) {
		if (!(attrs & (1U << bit)))
			continue;
		int n = snprintf(text + used, size - used, "%s%s", used ? "|" : "", names[bit]);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

void pt_permission_text(unsigned int perm, char text[4])
{
	text[0] = perm & PT_R ? 'r' : '-';
	text[1] = perm & PT_W ? 'w' : '-';
	text[2] = perm & PT_X ? 'x' : '-';
	text[3] = '\0';
}
