// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/error.h"

static struct error *cannot_write(const char *path)
{
	return error_errno(errno, "-o %s: cannot be written; check the place and its free space",
			   path);
}

struct error *output_open(struct output *output, FILE *standard, const char *path)
{
	struct stat status;

	*output = (struct output){ .stream = standard, .path = path };
	if (!path)
		return NULL;
	/* A device or a pipe takes what comes; there is nothing to put in place later. */
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		output->stream = fopen(path, "we");
		return output->stream ? NULL : cannot_write(path);
	}
	if (asprintf(&output->partial, "%s.XXXXXX", path) < 0)
		return error_no_memory();
	int fd = mkstemp(output->partial); /* mode 0600: the file holds kernel addresses */
	output->stream = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (output->stream)
		return NULL;
	struct error *err = cannot_write(path);
	if (fd >= 0) {
		close(fd);
		unlink(output->partial);
	}
	free(output->partial);
	return err;
}

struct error *output_close(struct output *output, struct error *err)
{
	if (!output->path)
		return err;
	/* Also where it was no error by itself, but something was left out. */
	if (!err && error_memory_ran_out)
		err = error_no_memory();
	if (fclose(output->stream) && !err)
		err = cannot_write(output->path);
	if (!output->partial)
		return err;
	if (!err && rename(output->partial, output->path))
		err = cannot_write(output->path);
	if (err)
		unlink(output->partial);
	free(output->partial);
	return err;
}
