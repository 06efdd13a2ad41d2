/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the unit tests share. */
#ifndef IOMMUPT_TESTS_H
#define IOMMUPT_TESTS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/error.h"

/* One a test file; all are in the table of main.c. */
void suite_aarch64(void);
void suite_amd(void);
void suite_arm_walkers(void);
void suite_btf(void);
void suite_domains(void);
void suite_emitter(void);
void suite_engine(void);
void suite_files(void);
void suite_formats(void);
void suite_intel(void);
void suite_kallsyms(void);
void suite_live(void);
void suite_lpae(void);
void suite_pages(void);
void suite_readers(void);
void suite_reverse_map(void);
void suite_selection(void);
void suite_system_map(void);
void suite_trees(void);
void suite_vmlinux(void);

/* An assertion that names its place and what was seen; @file may be a data file. */
bool expect_at(bool ok, const char *file, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
#define EXPECT(ok, ...) expect_at((ok), __FILE__, __LINE__, __VA_ARGS__)

/* Two numbers are equal; says both when they are not. */
#define EXPECT_NUMBER(is, should)                                                                \
	do {                                                                                     \
		uint64_t is_ = (uint64_t)(is);                                                   \
		uint64_t should_ = (uint64_t)(should);                                           \
		EXPECT(is_ == should_, "%s is 0x%llx, not 0x%llx", #is, (unsigned long long)is_, \
		       (unsigned long long)should_);                                             \
	} while (0)

/* @err is an error: one line, no full stop, with @word in it. Releases it. */
void expect_error(struct error *err, const char *word, const char *file, unsigned int line);
#define EXPECT_ERROR(err, word) expect_error((err), (word), __FILE__, __LINE__)

/* @err is none; prints and releases it otherwise. */
bool expect_no_error(struct error *err, const char *file, unsigned int line);
#define EXPECT_NO_ERROR(err) expect_no_error((err), __FILE__, __LINE__)

/* The same numbers every time: splitmix64. */
struct random {
	uint64_t state;
};

uint64_t random_next(struct random *random);
/* 0 to @limit - 1. */
uint64_t random_below(struct random *random, uint64_t limit);
/* True once in @n. */
bool random_once_in(struct random *random, unsigned int n);

#endif
