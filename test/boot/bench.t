#!/bin/bash
# SPDX-License-Identifier: MIT
# The benchmark takes what is equal for equal, and sees a TLB shootdown for each
# page.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bench "the benchmark"
FAKE=$(mktemp -d)
trap 'status=$?; rm -rf "$FAKE"; tap_exit $status' EXIT

# results SET BOOT CLOCK <readings
results() {
	mkdir -p "$FAKE/bench/results/$1"
	echo '{}' >"$FAKE/bench/results/$1/facts.json"
	jq -c --arg boot "$2" --arg clock "$3" '{ boot: $boot, clock: $clock, cpus: 2 } + .' \
		>"$FAKE/bench/results/$1/$2.$3.jsonl"
}

# part N: of the lines, between empty ones
part() { awk -v RS= -v n="$1" 'NR == n' <<<"$lines"; }

# one kernel that zaps page by page, and twice the same work on it; then other work
lines=$("$TOP/lab/boot" -n bench -I -m 1G -t 600 -a nodirmap=off -- sh -c '
	{ bench 4 4 plain && echo && bench 4 4 plain gmem_mmap && echo &&
		bench_neighbours punches 1 4 1 gmem_mmap && bench -a 4 1 gmem_mmap; } >&3' 2>"$FAKE/says") || {
	cat "$FAKE/says" >&2
	exit 1
}
tried_again "$FAKE/says"
part 1 | results first memory i
part 2 | results second memory i
part 2 | results series perpage w
export OUT=$FAKE
A=first B=second "$TOP/bench/compare" >/dev/null
is "the same work twice is the same, to 2 %" \
	"$(jq -r '.[] | select(.work == "touch") | .ratio > 0.98 and .ratio < 1.02' "$FAKE/bench/compare-first-second.json")" \
	true
"$TOP/bench/report" series >/dev/null
is "a shootdown for each page is counted" \
	"$(jq -r '.counts[] | select(.id == "P7") | .value >= 262144' "$FAKE/bench/report.json")" true
is "and costs instructions" \
	"$(jq -s '(map(select(.work == "touch" and .round > 0))) as $t
		| ($t | map(select(.kind == "gmem_mmap") | .ns) | min) >
		  1.05 * ($t | map(select(.kind == "plain") | .ns) | max)' \
		"$FAKE/bench/results/series/perpage.w.jsonl")" true
# reading WORK EXPRESSION
reading() { part 3 | jq "select(.work == \"$1\") | $2"; }
is "next to a neighbour, each page has its cause" "$(reading punches '.slow_pages >= .pages')" true
is "and the neighbour has populated pages" "$(reading moved '.pages > 0')" true
is "all CPUs touch one mapping" "$(reading together .pages)" 1024
