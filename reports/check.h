/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of `check` share: the table of rules, and how a finding is reported.
 *
 * A new rule is one row of the table in check.c, one enumerator here, a section in docs/checks.md,
 * a test that seeds the fault, and the code that looks for it in one of check_*.c.
 */
#ifndef IOMMUPT_CHECK_H
#define IOMMUPT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "target/page_set.h"
#include "walkers/inventory.h"

struct emitter;
struct error;
struct session;
struct tree;
struct trees;

enum rule {
	/* table integrity: check_tables.c */
	RULE_TABLE_LOOP,
	RULE_TABLE_TWICE,
	RULE_TABLE_SHARED,
	RULE_TABLE_OUTSIDE,
	RULE_ENTRY_INVALID,
	RULE_OUTPUT_OUTSIDE,
	/* hardware against software: check_hardware.c */
	RULE_HW_MODE,
	RULE_HW_ROOT,
	RULE_HW_FORMAT,
	RULE_HW_LEVELS,
	RULE_HW_DOMAIN_ID,
	RULE_ALIAS_DIFFERS,
	RULE_DOMAIN_ID_SHARED,
	RULE_STALE_REQUESTER,
	/* what pages are used for: check_pages.c */
	RULE_FREE_MAPPED,
	RULE_SLAB_WRITABLE,
	RULE_TABLE_WRITABLE,
	RULE_TEXT_WRITABLE,
	RULE_FILE_WRITABLE,
	RULE_TABLE_FREE,
	RULE_TABLE_STATE,
	/* who else may write them: check_pages.c */
	RULE_ANON_SHARED,
	RULE_VMS_SHARE,
	RULES,
};

/* Severities in words: the `severity` column. */
struct rule_row {
	const char *name;
	const char
		*severity;  /* "error": hardware or kernel state is wrong; "warning": suspicious */
	const char *reason; /* one line */
};

extern const struct rule_row rule_rows[RULES];

struct rule_count {
	uint64_t looked;   /* things that were held against the rule */
	uint64_t unknown;  /* that could not be: filtered pages, unreadable structures */
	uint64_t findings; /* all, those that were not printed singly included */
	uint64_t printed;  /* of the space that is looked at */
};

struct checker {
	struct session *session;
	struct inventory *inventory;
	struct memory *memory;
	struct emitter *emitter;
	struct page_set *tables; /* of all spaces so far */
	bool wanted[RULES];
	struct rule_count counts[RULES];
	struct sightings *sightings; /* of a live kernel; NULL: a finding is one at once */
};

struct finding {
	enum rule rule;
	const char *space;
	uint64_t iova;
	uint64_t length; /* bytes of input concerned; 0: not about a range */
	uint64_t phys;
	bool has_iova;
	bool has_phys;
};

/*
 * check_report() - one finding, with its evidence in words. Of one rule in one space only the
 * first FINDINGS_EACH are printed; check_space_done() says how many more there are.
 */
enum { FINDINGS_EACH = 100 };
struct error *check_report(struct checker *checker, const struct finding *finding,
			   const char *format, ...) __attribute__((format(printf, 3, 4)));
struct error *check_space_done(struct checker *checker, const char *space);

/* The parts. */
struct error *check_tables(struct checker *checker, const struct trees *trees);
struct error *check_hardware(struct checker *checker);
/* After check_tables(), which has filled in checker->tables. */
struct error *check_pages(struct checker *checker, const struct trees *trees);

#endif
