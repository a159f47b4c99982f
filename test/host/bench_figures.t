#!/bin/bash
# SPDX-License-Identifier: MIT
# The tables of the documents have the figures of docs/figures.json.
# shellcheck disable=SC2016 # backquotes are part of tables
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bench "the figures of the documents"
WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT

# up_to_date FILE
up_to_date() { "$TOP/bench/figures" print "$1" | diff -u "$1" -; }
row() { "$TOP/bench/figures" print "$WORK/doc" | grep '^|' | tail -n 1; }

for file in README.md docs/bench.md docs/approach.md kernel/cover/figures.txt; do
	ok "$file has the figures of docs/figures.json" up_to_date "$TOP/$file"
	sed -E 's/^([| ] .*[0-9]\.[0-9])[0-9]/\1x/' "$TOP/$file" >"$WORK/doc"
	not_ok "$file: another digit is seen" up_to_date "$WORK/doc"
done
is "docs/figures.json names no path" "$(jq '[.. | strings | select(startswith("/"))] | length' \
	"$TOP/docs/figures.json")" 0
ok "it is of the series with Linux for a control" jq -e '[.facts[].set] | contains(["series", "base"])' \
	"$TOP/docs/figures.json"

export FIGURES=$WORK/figures.json
jq -n '{ ratios: [{ id: "P1", what: "touch", kind: "gmem", control: "plain", goal: 1, wall_goal: null,
		instructions: { ratio: 0.9906, low: 0.98, high: 1.2 }, wall: { ratio: 1.066, low: 1, high: 2 } }],
	counts: [{ id: "P8", what: "splits", kind: "gmem", value: 3, goal: 0 }] }' >"$FIGURES"
marker() { printf '<!-- figures %s -->\nold\n<!-- end -->\n' "$1" >"$WORK/doc"; }
marker 'instructions /^P1/'
is "instructions have three places" "$(row)" '| P1 | touch | `gmem` | `plain` | 0.991 | 0.980 | 1.200 | 1 | no verdict |'
marker 'wall /^P1/'
is "wall time has two" "$(row)" '| P1 | touch | `gmem` | `plain` | 1.07 | 1.00 | 2.00 | - | - |'
marker 'both /touch/'
is "and both are one line" "$(row)" '| touch | `gmem` | `plain` | 0.99 | 1 | 1.07 | - |'
marker 'counts /^P8/'
is "a count is missed" "$(row)" '| P8 | splits | `gmem` | 3 | 0 | missed |'
marker 'mail_counts /^P8/'
is "a cover letter has a count a line" "$("$TOP/bench/figures" print "$WORK/doc" | sed -n 2p)" \
	'  splits                                                       3'
marker 'both /^P9/'
is "rows that were not asked for are left out" "$(row)" '| --- | --- | --- | --- | --- | --- | --- |'
marker 'none /./'
not_ok "a table that does not exist is refused" "$TOP/bench/figures" print "$WORK/doc"
marker 'both'
not_ok "so is a marker without rows" "$TOP/bench/figures" print "$WORK/doc"
printf '<!-- figures both /./ -->\nold\n' >"$WORK/doc"
not_ok "and one without an end" "$TOP/bench/figures" print "$WORK/doc"
not_ok "a word that is not known is refused" "$TOP/bench/figures" give
