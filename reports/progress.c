// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "reports/session.h"

enum { FIRST_MS = 500, EVERY_MS = 200 };

static void set_next(struct progress *progress, long ms)
{
	clock_gettime(CLOCK_MONOTONIC, &progress->next);
	progress->next.tv_nsec += ms * 1000000;
	if (progress->next.tv_nsec >= 1000000000) {
		progress->next.tv_nsec -= 1000000000;
		progress->next.tv_sec++;
	}
}

static void show(void *arg, const struct pt_statistics *statistics, uint64_t iova)
{
	struct progress *progress = arg;
	struct timespec now;

	if (!progress->terminal)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < progress->next.tv_sec ||
	    (now.tv_sec == progress->next.tv_sec && now.tv_nsec < progress->next.tv_nsec))
		return;
	fprintf(progress->session->err,
		"\r%s: %" PRIu64 " tables, %" PRIu64 " MiB mapped, at 0x%" PRIx64 "\033[K",
		progress->what, statistics->tables, statistics->mapped_bytes >> 20, iova);
	fflush(progress->session->err);
	progress->shown = true;
	set_next(progress, EVERY_MS);
}

void progress_init(struct progress *progress, struct session *session, const char *what)
{
	*progress = (struct progress){
		.control = { .stop = &session->stop,
			     .progress = show,
			     .progress_arg = progress,
			     .threads = session->options.threads },
		.session = session,
		.what = what,
		.terminal = isatty(fileno(session->err)),
	};
	set_next(progress, FIRST_MS);
}

void progress_deinit(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", progress->session->err);
}

struct error *walk_space(struct session *session, const struct space *space, uint64_t start,
			 uint64_t last, const struct pt_visitor *visitor,
			 struct pt_statistics *statistics)
{
	struct memory *memory = NULL;
	struct progress progress;
	struct error *err = session_memory(session, &memory);

	*statistics = (struct pt_statistics){ 0 };
	if (err)
		return err;
	progress_init(&progress, session, space->name);
	err = pt_walk(&space->tree, space_memory(space, memory), start, last, visitor,
		      &progress.control, statistics);
	progress_deinit(&progress);
	return err;
}
