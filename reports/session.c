// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "target/error.h"
#include "target/kernel.h"
#include "target/noted.h"
#include "walkers/pages.h"

struct error *session_kernel(struct session *session, struct kernel **ret)
{
	struct error *err = NULL;

	if (!session->kernel)
		err = session->open_kernel(session, &session->kernel);
	*ret = session->kernel;
	return err;
}

struct error *session_inventory(struct session *session, struct inventory **ret)
{
	struct kernel *kernel = NULL;
	struct error *err = session_kernel(session, &kernel);

	if (!err && !session->inventory) {
		err = inventory_create(kernel, &session->inventory);
		for (size_t i = 0; !err && i < session->inventory->warning_count; i++)
			session_message(session, "warning: %s", session->inventory->warnings[i]);
		if (!err && kernel_memory(kernel)->defect)
			session_message(session, "warning: %s: %s", kernel_memory(kernel)->path,
					kernel_memory(kernel)->defect);
	}
	*ret = session->inventory;
	return err;
}

struct error *session_pages(struct session *session, struct pages **ret)
{
	struct kernel *kernel = NULL;
	struct error *err = session_kernel(session, &kernel);

	if (!err && !session->pages) {
		err = pages_create(kernel, &session->pages);
		if (!err && pages_warning(session->pages))
			session_message(session, "warning: %s", pages_warning(session->pages));
	}
	*ret = session->pages;
	return err;
}

struct error *session_memory(struct session *session, struct memory **ret)
{
	struct error *err = NULL;

	if (session->kernel) {
		*ret = kernel_memory(session->kernel);
		return NULL;
	}
	if (!session->memory)
		err = session->open_memory(session, &session->memory);
	*ret = session->memory;
	return err;
}

void session_message(const struct session *session, const char *format, ...)
{
	va_list args;

	fflush(session->out);
	fputs("iommupt: ", session->err);
	va_start(args, format);
	vfprintf(session->err, format, args);
	va_end(args);
	fputc('\n', session->err);
	fflush(session->err);
}

static struct memory *live_memory(const struct session *session)
{
	struct memory *memory = session->kernel ? kernel_memory(session->kernel) : session->memory;

	return memory && memory->live ? memory : NULL;
}

static void forget(struct session *session)
{
	inventory_destroy(session->inventory);
	session->inventory = NULL;
	pages_destroy(session->pages);
	session->pages = NULL;
}

void session_begin(struct session *session)
{
	if (!live_memory(session))
		return;
	forget(session);
	if (session->kernel)
		kernel_forget_pages(session->kernel);
}

void session_end(struct session *session)
{
	struct memory *memory = live_memory(session);

	/* It may have been made without something: inside crash there is a next command. */
	if (error_memory_ran_out)
		forget(session);
	if (!memory || memory->reread == 0)
		return;
	session_message(session,
			"%" PRIu64 " times something changed while it was read, and was read again",
			memory->reread);
	memory->reread = 0;
}

void session_deinit(struct session *session)
{
	inventory_destroy(session->inventory);
	session->inventory = NULL;
	pages_destroy(session->pages);
	session->pages = NULL;
	kernel_close(session->kernel);
	session->kernel = NULL;
	notebook_destroy(session->notebook);
	session->notebook = NULL;
	memory_close(session->memory);
	session->memory = NULL;
}
