/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The dumps of vmcore-samples/specimens/ with something changed. What to change is said by the
 * input, record by record, so that any engine's plain mutations are mutations of page tables, of
 * kernel structures, or of the file around them; what was changed is put back afterwards.
 */
#ifndef IOMMUPT_FUZZ_SPECIMEN_H
#define IOMMUPT_FUZZ_SPECIMEN_H

#include "target/memory.h"
#include "tests/fuzz/fuzz.h"

/* What the changes are made to. */
enum specimen_form {
	FORM_MEMORY, /* pages after they were unpacked, and the text of VMCOREINFO */
	FORM_ELF,    /* an ELF dump of the same pages */
	FORM_KDUMP,  /* the file as it is in the tree */
	FORMS
};

/* A mapping that is there before anything is changed. */
struct specimen_row {
	char space[64];
	uint64_t iova;
	uint64_t phys;
};

struct specimen;

/* specimen_get() - the one of that number, modulo how many there are; loaded when first asked for.
 */
struct specimen *specimen_get(unsigned int number);

/*
 * specimen_forget_others() - keep only the pages that FORM_MEMORY was asked for since
 * specimen_note_reads(): less to walk in each execution. Once, before the first change.
 */
void specimen_note_reads(struct specimen *specimen);
void specimen_forget_others(struct specimen *specimen);

/* specimen_change() - as all that is left of @input says; until specimen_restore(). */
void specimen_change(struct specimen *specimen, enum specimen_form form, struct input *input);
void specimen_restore(struct specimen *specimen);

/* specimen_open() - as memory_open() of a file would be. */
struct error *specimen_open(struct specimen *specimen, enum specimen_form form, unsigned int flags,
			    struct memory **ret);

/* What it maps, for words of commands. Room for these is the specimen's; set by its first user. */
enum { SPECIMEN_ROWS = 200 };
struct specimen_row *specimen_rows(struct specimen *specimen, size_t **count);

#endif
