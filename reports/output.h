/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where records go: the session's stream, or a file that appears only when complete. */
#ifndef IOMMUPT_OUTPUT_H
#define IOMMUPT_OUTPUT_H

#include <stdio.h>

struct error;

struct output {
	FILE *stream;
	const char *path; /* final name; NULL: the stream is the session's */
	char *partial;	  /* name while it is written; NULL: written in place (a device, a pipe) */
};

/* output_open() - @path NULL means @standard. */
struct error *output_open(struct output *output, FILE *standard, const char *path);

/*
 * output_close() - with @err NULL put the file under its final name, else remove it. Returns
 * @err, or what went wrong here.
 */
struct error *output_close(struct output *output, struct error *err);

#endif
