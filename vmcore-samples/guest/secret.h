/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bytes that only this process and the page cache hold, as a customer's would: nothing
 * that claims to leave users' memory out may have them.
 */
#ifndef SECRET_H
#define SECRET_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/random.h>

/* keep_secret() - keep such bytes until the process ends, and say in @truth what they are. */
static bool keep_secret(FILE *truth, const char *label)
{
	static unsigned char secret[4096] __attribute__((aligned(4096), used));
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/run/secret-%s", label);
	FILE *file = fopen(path, "w");
	if (!file || getrandom(secret, sizeof(secret), 0) != sizeof(secret) ||
	    fwrite(secret, 1, sizeof(secret), file) != sizeof(secret) || fclose(file))
		return false;
	fprintf(truth, "secret %s ", label);
	for (size_t i = 0; i < 64; i++)
		fprintf(truth, "%02x", secret[i]);
	fputc('\n', truth);
	return true;
}

#endif
