/* SPDX-License-Identifier: GPL-3.0-or-later */
/* usage --histogram: page sizes, contiguous runs, and why larger pages were not used. */
#ifndef IOMMUPT_HISTOGRAM_H
#define IOMMUPT_HISTOGRAM_H

struct emitter;
struct error;
struct session;
struct trees;

struct error *histogram_print(struct session *session, struct emitter *emitter,
			      const struct trees *trees);

#endif
