/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef IOMMUPT_VERSION_H
#define IOMMUPT_VERSION_H

#include <stdio.h>

/* version_print() - our version and those of the libraries; @backend "" or "crash 8.0.2". */
void version_print(FILE *out, const char *backend);

#endif
