// SPDX-License-Identifier: GPL-3.0-or-later
/* What users write: numbers, RANGE, root: TARGETs, and whole command lines over an empty memory. */
#include <fcntl.h>
#include <unistd.h>

#include "reports/commands.h"
#include "reports/selection.h"
#include "target/backends.h"
#include "target/error.h"
#include "tests/fuzz/fuzz.h"

enum { WORDS_MAX = 24 };

static FILE *null;
static int image;

static struct error *open_kernel(struct session *session, struct kernel **ret)
{
	(void)session;
	(void)ret;
	return error_new("no kernel");
}

static struct error *open_memory(struct session *session, struct memory **ret)
{
	(void)session;
	return memory_raw_open("image", dup(image), 0, ret);
}

/* Commands write files where they are told to: into a folder of our own, and only there. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char zeros[1 << 14];
	char folder[] = "/tmp/fuzz-target.XXXXXX";

	(void)argc;
	(void)argv;
	null = fopen("/dev/null", "w");
	REQUIRE(null && mkdtemp(folder) && chdir(folder) == 0);
	image = open("image", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(image >= 0 && write(image, zeros, sizeof(zeros)) == (ssize_t)sizeof(zeros));
	return 0;
}

static void check_numbers(const char *word)
{
	struct range range;
	uint64_t address = 0;
	struct error *err = range_parse(word, &range);

	REQUIRE(err || range.start <= range.last);
	error_free(err);
	err = address_parse(word, &address);
	REQUIRE(!err || err->message[0]);
	error_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char program[] = "iommupt";
	char *words[WORDS_MAX + 2] = { program };
	int count = 1;
	char *text = malloc(size + 1);

	REQUIRE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	/* Words end with a newline; nothing may be written outside the folder. */
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '/')
			text[i] = '_';
	}
	for (char *word = text; word && count <= WORDS_MAX;) {
		char *next = strchr(word, '\n');

		if (next)
			*next++ = '\0';
		check_numbers(word);
		words[count++] = word;
		word = next;
	}
	struct session session = {
		.out = null,
		.err = null,
		.open_kernel = open_kernel,
		.open_memory = open_memory,
	};
	const int status = iommupt_run(&session, count, words);
	REQUIRE(status == EXIT_DONE || status == EXIT_FINDINGS || status == EXIT_FAILED);
	session_deinit(&session);
	free(text);
	return 0;
}
