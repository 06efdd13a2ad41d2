/* SPDX-License-Identifier: GPL-3.0-or-later */
/* usage --counters: the kernel's counters of table memory, reconciled with what was found. */
#ifndef IOMMUPT_COUNTERS_H
#define IOMMUPT_COUNTERS_H

struct emitter;
struct error;
struct session;
struct trees;

struct error *counters_print(struct session *session, struct emitter *emitter,
			     const struct trees *trees);

#endif
