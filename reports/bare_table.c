// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/bare_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/selection.h"
#include "target/error.h"
#include "walkers/inventory.h"

static struct error *number_key(const char *key, const char *value, uint64_t min, uint64_t max,
				uint64_t *ret)
{
	struct error *err = address_parse(value, ret);

	if (!err && *ret >= min && *ret <= max)
		return NULL;
	error_free(err);
	return error_new("root: %s=%s is not a number from %llu to %llu", key, value,
			 (unsigned long long)min, (unsigned long long)max);
}

static struct error *set_granule(struct pt_parameters *parameters, const char *value)
{
	static const struct {
		const char *name;
		uint8_t lg2;
	} granules[] = { { "4k", 12 }, { "16k", 14 }, { "64k", 16 } };

	for (size_t i = 0; i < sizeof(granules) / sizeof(granules[0]); i++) {
		if (strcmp(granules[i].name, value) == 0) {
			parameters->granule_lg2 = granules[i].lg2;
			return NULL;
		}
	}
	return error_new("root: granule=%s is none of 4k, 16k, 64k", value);
}

static struct error *set_flag(const char *key, const char *value, bool *ret)
{
	if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return error_new("root: %s=%s is neither 0 nor 1", key, value);
	*ret = value[0] == '1';
	return NULL;
}

static struct error *set_arch(const char *value)
{
	if (strcmp(value, "x86_64") == 0 || strcmp(value, "aarch64") == 0 ||
	    strcmp(value, "arm64") == 0)
		return NULL; /* the formats know all that depends on it */
	return error_new("root: arch=%s is none of x86_64, aarch64", value);
}

static struct error *set_number(struct pt_parameters *parameters, const char *key,
				const char *value)
{
	uint64_t number = 0;
	struct error *err = NULL;

	if (strcmp(key, "levels") == 0) {
		err = number_key(key, value, 1, PT_MAX_LEVELS, &number);
		parameters->levels = (uint8_t)number;
	} else if (strcmp(key, "ias") == 0) {
		err = number_key(key, value, 1, 64, &number);
		parameters->input_bits = (uint8_t)number;
	} else if (strcmp(key, "oas") == 0) {
		err = number_key(key, value, 1, 64, &number);
		parameters->output_bits = (uint8_t)number;
	} else if (strcmp(key, "concat") == 0) {
		err = number_key(key, value, 1, 16, &number);
		parameters->concat = (uint8_t)number;
	} else if (strcmp(key, "cbit") == 0) {
		err = number_key(key, value, 12, 63, &number);
		parameters->strip = 1ULL << (number & 63);
	} else if (strcmp(key, "start-level") == 0) {
		bool negative = value[0] == '-';

		err = number_key(key, value + negative, 0, 3, &number);
		if (err) {
			error_free(err);
			err = error_new("root: %s=%s is not a number from -3 to 3", key, value);
		}
		parameters->start_level = (int8_t)(negative ? -(int)number : (int)number);
		parameters->has_start_level = true;
	} else {
		err = error_new(
			"root: '%s' is not a key that is known; keys: levels ias oas granule "
			"start-level concat cbit sign-extend ttbr1 lpa2 hd arch",
			key);
	}
	return err;
}

static struct error *set_key(struct pt_parameters *parameters, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return error_new("root: '%s' is not key=value", word);
	*value++ = '\0';
	if (strcmp(word, "granule") == 0)
		return set_granule(parameters, value);
	if (strcmp(word, "sign-extend") == 0)
		return set_flag(word, value, &parameters->sign_extend);
	if (strcmp(word, "ttbr1") == 0)
		return set_flag(word, value, &parameters->ttbr1);
	if (strcmp(word, "lpa2") == 0)
		return set_flag(word, value, &parameters->lpa2);
	if (strcmp(word, "hd") == 0)
		return set_flag(word, value, &parameters->dirty_tracking);
	if (strcmp(word, "arch") == 0)
		return set_arch(value);
	return set_number(parameters, word, value);
}

static struct error *find_format(const char *name, const struct pt_format **ret)
{
	char names[128] = "";

	*ret = pt_format_find(name);
	if (*ret)
		return NULL;
	for (const struct pt_format *const *format = pt_formats; *format; format++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, " %s", (*format)->name);
	}
	return error_new("root: '%s' is not a format that is known; formats:%s", name, names);
}

/* @text is a copy of what follows "root:", cut up on the way. */
static struct error *parse(char *text, struct space *space)
{
	struct pt_parameters parameters = { 0 };
	const struct pt_format *format = NULL;
	char *save = NULL;
	char *phys = strchr(text, '@');

	if (!phys)
		return error_new("'root:%s': give root:FORMAT@PHYS[:LEVELS][,key=value]...", text);
	*phys++ = '\0';
	struct error *err = find_format(text, &format);
	char *word = strtok_r(phys, ",", &save);
	char *levels = word ? strchr(word, ':') : NULL;
	if (levels)
		*levels++ = '\0';
	if (!err)
		err = address_parse(word ? word : "", &space->tree.root);
	if (!err && levels)
		err = set_number(&parameters, "levels", levels);
	while (!err && (word = strtok_r(NULL, ",", &save)))
		err = set_key(&parameters, word);
	if (!err && space->tree.root & 7)
		err = error_new("root: 0x%llx is not aligned to an entry of 8 bytes",
				(unsigned long long)space->tree.root);
	if (!err)
		err = pt_geometry_init(format, &parameters, &space->tree.geometry);
	const uint32_t alignment = space->tree.geometry.root_alignment;
	if (!err && alignment && space->tree.root & (alignment - 1))
		err = error_new("root: 0x%llx is not aligned to %u bytes, as a root table of "
				"this geometry is",
				(unsigned long long)space->tree.root, alignment);
	return err;
}

struct error *bare_table_parse(const char *target, struct space *space)
{
	char *copy = strdup(target + strlen("root:"));

	if (!copy)
		return error_no_memory();
	snprintf(space->name, sizeof(space->name), "%s", target);
	space->kind = "root";
	space->view = VIEW_HW;
	space->mode = SPACE_TABLE;
	space->domain_id = -1;
	space->pid = -1;
	struct error *err = parse(copy, space);
	free(copy);
	return err;
}
