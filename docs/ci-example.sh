#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A CI job that runs iommupt over sample vmcores and fails when what they say has changed.
#
# Usage: ci-example.sh FOLDER [--accept]
#
# FOLDER/*/vmcore are dumps or extracts (`iommupt -c DUMP extract vmcore` makes one that may be
# committed); beside each lie list.csv and pagemap.csv with what it should say. --accept writes
# these anew: look at the difference before you commit it.
set -euo pipefail

folder=$1
accept=${2:-}
iommupt=${IOMMUPT:-iommupt}
status=0
got=$(mktemp)
trap 'rm -f "$got"' EXIT

for core in "$folder"/*/vmcore; do
	place=$(dirname "$core")
	for report in "list" "pagemap all"; do
		read -ra words <<<"$report"
		want=$place/${words[0]}.csv
		if ! "$iommupt" -c "$core" "${words[@]}" --format csv >"$got"; then
			echo "$place: '$report' fails" >&2
			status=1
		elif [ "$accept" = --accept ]; then
			cp "$got" "$want"
		elif ! diff -u "$want" "$got"; then
			echo "$place: '$report' differs" >&2
			status=1
		fi
	done
done
exit $status
