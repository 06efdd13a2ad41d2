// SPDX-License-Identifier: GPL-3.0-or-later
#include "reports/table_faults.h"

#include <inttypes.h>

#include "reports/session.h"

void table_faults_add(struct table_faults *faults, const struct pt_fault *fault)
{
	if (faults->kinds[fault->kind].count++ == 0)
		faults->kinds[fault->kind].first = *fault;
	faults->kinds[fault->kind].bytes += fault->length;
}

void table_faults_report(const struct table_faults *faults, const struct session *session,
			 const char *space)
{
	static const char *const texts[PT_FAULT_KINDS] = {
		[PT_FAULT_MISSING] = "tables are not in the dump: what they map is unknown",
		[PT_FAULT_DAMAGED] =
			"tables cannot be read from the dump: what they map is unknown",
		[PT_FAULT_OUTSIDE] = "tables are not in memory: what they map is unknown",
		[PT_FAULT_LOOP] = "entries point back to a table above them: not followed",
		[PT_FAULT_REPEATED] = "tables are reached more than once",
		[PT_FAULT_SKIPPED] =
			"more entries lead to tables already shown too often: not followed",
		[PT_FAULT_INVALID] =
			"entries have reserved bits or an illegal size: hardware faults",
		[PT_FAULT_TORN] =
			"runs of entries of one large page differ: each entry is shown by itself",
		[PT_FAULT_CHANGED] =
			("tables changed too fast to be read, or went away: what they map is "
			 "unknown; run it again"),
	};

	for (int kind = 0; kind < PT_FAULT_KINDS; kind++) {
		const struct pt_fault *first = &faults->kinds[kind].first;

		if (faults->kinds[kind].count == 0)
			continue;
		session_message(
			session,
			"%s: %" PRIu64 " %s (%" PRIu64 " bytes of addresses); the first: level "
			"%u, table 0x%" PRIx64 ", by entry at 0x%" PRIx64
			", from address 0x%" PRIx64,
			space, faults->kinds[kind].count, texts[kind], faults->kinds[kind].bytes,
			first->level, first->table, first->entry_addr, first->iova);
	}
}
