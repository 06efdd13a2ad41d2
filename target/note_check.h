/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is VMCOREINFO what Linux writes? libkdumpfile 0.5.1 makes a tree of its keys, one branch at each
 * dot, and writes to memory that it has freed when a key is at once a branch and a value, is empty,
 * or has bytes of zero in it. So it gets none of that kind to see.
 */
#ifndef IOMMUPT_NOTE_CHECK_H
#define IOMMUPT_NOTE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* vmcoreinfo_is_sane() - are the keys of @text KEY or KIND(KEY), and no other NUL than at its end?
 */
bool vmcoreinfo_is_sane(const char *text, size_t len);

/* The same of the text, and of all notes called VMCOREINFO, in these @len bytes of @fd. */
bool vmcoreinfo_at_is_sane(int fd, uint64_t offset, uint64_t len);
bool notes_at_are_sane(int fd, uint64_t offset, uint64_t len);

#endif
