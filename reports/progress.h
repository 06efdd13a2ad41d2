/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Showing on a terminal's stderr that a long walk goes on; nothing elsewhere. */
#ifndef IOMMUPT_PROGRESS_H
#define IOMMUPT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "walkers/engine.h"

struct session;
struct space;

struct progress {
	struct pt_control control; /* hand this to pt_walk() */
	struct session *session;
	const char *what;
	bool terminal;
	bool shown;
	struct timespec next;
};

/*
 * walk_space() - pt_walk() of @space from @start to @last with progress shown, in the memory that
 * the session looks at.
 */
struct error *walk_space(struct session *session, const struct space *space, uint64_t start,
			 uint64_t last, const struct pt_visitor *visitor,
			 struct pt_statistics *statistics);

void progress_init(struct progress *progress, struct session *session, const char *what);
/* progress_deinit() - take the line away again. */
void progress_deinit(struct progress *progress);

#endif
