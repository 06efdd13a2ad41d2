// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The whole command over changed specimens: a session is opened, one command runs, all is closed.
 *
 *	byte 0	the specimen
 *	byte 1	what is changed (enum specimen_form), and whether libkdumpfile reads it alone
 *	byte 2	the command
 *	byte 3	the mapping of the unchanged specimen that its words name
 *	2 bytes	how far from there
 *	the rest: changes, see specimen.c
 */
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "reports/commands.h"
#include "reports/session.h"
#include "target/error.h"
#include "target/kernel.h"
#include "target/recorder.h"
#include "tests/fuzz/specimen.h"

/* TARGET, ADDR, RANGE, PHYS, PAGES and FILE are put in. */
static const char *const lines[] = {
	"list",
	"list --sizes --format json",
	"list --view sw --format csv",
	"pagemap TARGET",
	"pagemap TARGET RANGE --each --format csv",
	"pagemap TARGET --state",
	"pagemap all --view sw --format jsonl",
	"pagemap TARGET RANGE --format pagemap -o FILE",
	"walk TARGET ADDR",
	"walk TARGET ADDR --view sw --format csv",
	"find PHYS",
	"find PAGES --writable --format csv",
	"find PHYS --index FILE",
	"usage",
	"usage --histogram --format csv",
	"usage --counters",
	"usage --near 100 --format json",
	"check",
	"check --format csv --threads 2",
	"extract FILE",
	"extract --list FILE",
	"export FILE",
	"pagemap pid:1",
	"pagemap all --threads 2 --sizes",
};

enum {
	LINES = sizeof(lines) / sizeof(lines[0]),
	WORDS_MAX = 16,
	STOP_AFTER_US = 300000,
	SAMPLES = 24,
	ROWS_OF_SPACE = 8
};

static FILE *null;
static struct session session;
static struct specimen *specimen;
static enum specimen_form form;
static bool by_library;
static char folder[] = "/tmp/fuzz-command.XXXXXX";
static char file_name[sizeof(folder) + 8];

/* As Ctrl-C would: whatever the tables say, an execution is over soon. */
static void on_timer(int number)
{
	(void)number;
	session.stop = 1;
}

static void limit_time(long microseconds)
{
	const struct itimerval timer = { .it_value.tv_usec = microseconds };

	setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

static struct error *open_memory(struct session *self, struct memory **ret)
{
	(void)self;
	return specimen_open(specimen, form,
			     MEMORY_RAW_ALLOWED | (by_library ? MEMORY_BY_LIBRARY : 0U), ret);
}

static struct error *open_kernel(struct session *self, struct kernel **ret)
{
	struct memory *memory = NULL;
	const struct kernel_source source = { .notebook = self->notebook };
	struct error *err = open_memory(self, &memory);

	if (!err && self->notebook)
		err = recorder_create(memory, &memory);
	return err ? err : kernel_open(memory, &source, ret);
}

static int run(FILE *out, char *line)
{
	char start[] = "iommupt --threads 1";
	char *words[WORDS_MAX + 1];
	int count = 0;

	for (char *word = strtok(start, " "); word; word = strtok(NULL, " "))
		words[count++] = word;

	for (char *word = strtok(line, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	session = (struct session){
		.out = out,
		.err = null,
		.open_kernel = open_kernel,
		.open_memory = open_memory,
	};
	limit_time(STOP_AFTER_US);
	const int status = iommupt_run(&session, count, words);
	session_deinit(&session);
	limit_time(0);
	return status;
}

/* What the unchanged specimen maps: the words of later commands. */
static void learn(char *command)
{
	size_t *count = NULL;
	struct specimen_row *rows = specimen_rows(specimen, &count);
	char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	REQUIRE(stream);
	run(stream, command);
	fclose(stream);
	char *line = strchr(text, '\n'); /* behind the header */
	for (size_t same = 0; line && *count < SPECIMEN_ROWS; line = strchr(line + 1, '\n')) {
		struct specimen_row *row = &rows[*count];

		if (sscanf(line + 1, "%63[^,],%lx,%*u,%lx", row->space, &row->iova, &row->phys) !=
		    3)
			continue;
		same = *count && strcmp(row->space, row[-1].space) == 0 ? same + 1 : 0;
		*count += same < ROWS_OF_SPACE;
	}
	free(text);
}

/* @line with the words that stand for something replaced. */
static void fill_in(const char *line, const struct specimen_row *row, int16_t away, char *text,
		    size_t size)
{
	const uint64_t iova = row->iova + (uint64_t)(int64_t)away * 8;
	const uint64_t phys = row->phys + (uint64_t)(int64_t)away * 8;
	FILE *to = fmemopen(text, size, "w");

	REQUIRE(to);
	for (const char *end = line; *line; line = end) {
		const size_t len = strcspn(line, " ");

		end = line + len + (line[len] == ' ');
		if (strncmp(line, "TARGET", len) == 0)
			fprintf(to, "%s ", row->space);
		else if (strncmp(line, "ADDR", len) == 0)
			fprintf(to, "0x%lx ", iova);
		else if (strncmp(line, "RANGE", len) == 0)
			fprintf(to, "0x%lx+0x%lx ", iova, 0x1000UL << (away & 31));
		else if (strncmp(line, "PHYS", len) == 0)
			fprintf(to, "0x%lx ", phys);
		else if (strncmp(line, "PAGES", len) == 0)
			fprintf(to, "0x%lx+0x%lx ", phys, 0x1000UL << (away & 31));
		else if (strncmp(line, "FILE", len) == 0)
			fprintf(to, "%s ", file_name);
		else
			fprintf(to, "%.*s ", (int)len, line);
	}
	fclose(to);
}

/*
 * Each space keeps some of its tables, so that an execution does not walk a thousand like them:
 * what the sampled commands read.
 */
static void thin_out(void)
{
	static const char *const sampled[] = { "list", "walk TARGET ADDR",
					       "pagemap TARGET RANGE --state" };
	size_t *count = NULL;
	const struct specimen_row *rows = specimen_rows(specimen, &count);
	char line[256];

	for (size_t i = 0; i < sizeof(sampled) / sizeof(sampled[0]); i++) {
		for (size_t row = 0; row < *count; row += 1 + *count / SAMPLES) {
			fill_in(sampled[i], &rows[row], 0, line, sizeof(line));
			run(null, line);
		}
	}
	specimen_forget_others(specimen);
}

static const struct specimen_row *choose_row(uint8_t number)
{
	char all[] = "pagemap all --format csv";
	char process[] = "pagemap pid:1 --format csv";
	size_t *count = NULL;
	const struct specimen_row *rows = specimen_rows(specimen, &count);

	if (*count == 0) {
		learn(all);
		learn(process);
		specimen_note_reads(specimen);
		thin_out();
	}
	REQUIRE(*count > 0);
	return &rows[number * *count / 256];
}

static void remove_folder(void)
{
	unlink(file_name);
	rmdir(folder);
}

/* Commands write one file, into a folder of our own. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART };

	(void)argc;
	(void)argv;
	null = fopen("/dev/null", "w");
	REQUIRE(null && sigaction(SIGVTALRM, &action, NULL) == 0 && mkdtemp(folder));
	snprintf(file_name, sizeof(file_name), "%s/file", folder);
	atexit(remove_folder);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	char line[256];

	if (size < 6)
		return 0;
	specimen = specimen_get(input_u8(&input));
	const uint8_t how = input_u8(&input);
	const char *command = lines[input_u8(&input) % LINES];
	form = FORM_MEMORY;
	by_library = false;
	const struct specimen_row *row = choose_row(input_u8(&input));
	fill_in(command, row, (int16_t)input_bytes(&input, 2), line, sizeof(line));
	/* Most often the memory: libkdumpfile takes longer to open a file than all the rest. */
	form = how % 16 < 12 ? FORM_MEMORY : how % 16 < 15 ? FORM_ELF : FORM_KDUMP;
	by_library = how & 16;
	const bool writes = strstr(line, file_name);
	specimen_change(specimen, form, &input);
	const int status = run(null, line);
	REQUIRE(status == EXIT_DONE || status == EXIT_FINDINGS || status == EXIT_FAILED);
	specimen_restore(specimen);
	if (writes)
		unlink(file_name);
	return 0;
}
