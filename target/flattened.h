/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The flattened form of a dump: what makedumpfile -F and QEMU's
 * dump-guest-memory -z write, a list of (offset, bytes) records meant for a
 * pipe. libkdumpfile before 0.5.5 refuses it, so it is put in order first.
 */
#ifndef IOMMUPT_FLATTENED_H
#define IOMMUPT_FLATTENED_H

#include <stdbool.h>

struct error;

/* flattened_probe() - does the file begin with the flattened form's signature? */
bool flattened_probe(int fd);

/*
 * flattened_rearrange() - write the records of @fd (of @path, for messages) in order into an
 * unnamed file: in memory when it is small against the memory that is free, else beside the
 * dump or in $TMPDIR. Nothing remains when the descriptor *@ret is closed. Takes over @fd.
 */
struct error *flattened_rearrange(const char *path, int fd, int *ret);

#endif
