/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a walk could not see, counted by kind, with the first of each: one line a kind. */
#ifndef IOMMUPT_TABLE_FAULTS_H
#define IOMMUPT_TABLE_FAULTS_H

#include "walkers/engine.h"

struct session;

struct table_faults {
	struct {
		uint64_t count;
		uint64_t bytes; /* of input addresses */
		struct pt_fault first;
	} kinds[PT_FAULT_KINDS];
};

void table_faults_add(struct table_faults *faults, const struct pt_fault *fault);
void table_faults_report(const struct table_faults *faults, const struct session *session,
			 const char *space);

#endif
