/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Showing on a terminal's stderr that a long walk goes on; nothing elsewhere. */
#ifndef IOMMUPT_PROGRESS_H
#define IOMMUPT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "walkers/engine.h"

struct session;

struct progress {
	struct pt_control control; /* hand this to pt_walk() */
	struct session *session;
	const char *what;
	bool terminal;
	bool shown;
	struct timespec next;
};

void progress_init(struct progress *progress, struct session *session, const char *what);
/* progress_deinit() - take the line away again. */
void progress_deinit(struct progress *progress);

#endif
