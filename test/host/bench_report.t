#!/bin/bash
# SPDX-License-Identifier: MIT
# The arithmetic of the benchmark: equal work gives 1.00, slower work is seen, and a
# spread that supports no verdict gives none.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bench "the arithmetic of the benchmark"
FAKE=$(mktemp -d)
trap 'status=$?; rm -rf "$FAKE"; tap_exit $status' EXIT
export OUT=$FAKE

# boot SET NAME CLOCK CPUS: names the boot that the next lines are from
boot() {
	mkdir -p "$FAKE/bench/results/$1"
	[ -e "$FAKE/bench/results/$1/facts.json" ] || echo '{}' >"$FAKE/bench/results/$1/facts.json"
	LINES_OF=$FAKE/bench/results/$1/$2.$3.jsonl
	LINE="\"boot\":\"$2\",\"clock\":\"$3\",\"cpus\":$4"
	: >"$LINES_OF"
}

# line WORK KIND ROUND NS [INTERRUPTS]: a reading of 256 pages
line() {
	printf '{%s,"work":"%s","kind":"%s","round":%d,"pages":256,"ns":%d,"interrupts":%d,"splits":0}\n' \
		"$LINE" "$1" "$2" "$3" "$4" "${5:-0}" >>"$LINES_OF"
}

# touch_ratio: of P1, in hundredths, with both ends of its spread
touch_ratio() {
	jq -r --arg clock "$1" '.ratios[] | select(.id == "P1") | .[$clock]
		| [.ratio, .low, .high] | map(. * 100 | round) | @tsv' "$FAKE/bench/report.json"
}

row() { sed -n "s/^$1 *//p" <<<"$TABLE" | head -n 1; }

boot series memory i 2
for round in 0 1 2 3; do
	line touch plain $round $((round ? 256000 : 900000))
	line touch gmem_mmap $round 256000
done
boot series memory w 2
for round in 0 1 2; do
	line touch plain $round 256000
	line touch gmem_mmap $round $((256000 + round * 25600)) 256
done
boot series room w 2
line room plain 0 1
line room gmem_mmap 0 1
boot series start w 2
for round in 1 2; do
	line start plain $round 256000
	line start protected $round 263680
done
sed -i '/protected/s/}$/,"calls":183}/' "$LINES_OF"
TABLE=$("$TOP/bench/report" series)
is "equal work gives 1.00, whatever the cold first round took" "$(touch_ratio instructions)" \
	$'100\t100\t100'
like "and that is good" "$(row P1)" '1.000 \(1.000-1.000\) +1.03 +met'
is "a ratio is that of the medians, its spread that of the rounds" "$(touch_ratio wall)" \
	$'115\t110\t120'
like "rounds on both sides of the goal give no verdict" "$(row P1)" '1.15 \(1.10-1.20\) +1.1 +spread too large'
like "a broadcast for each page is seen" "$(row P7)" '262144 +520 +missed'
like "bytes are compared without the clock" "$(row P10)" '1.00 \(1.00-1.00\) +>= 0.95 +met'
like "the start of a VMM has its row" "$(row start)" 'QEMU starts and ends .*1.03 \(1.03-1.03\) +1.05 +met'
like "and its calls are counted" "$(grep 'asked for' <<<"$TABLE")" 'protected +- +183'
like "what was not measured has no row" "$(row P3)" '^$'

# hugely KIND NS: first touch
hugely() { for round in 0 1 2; do line touch "$1" $round "$2"; done; }
boot series huge i 2
hugely plain 256000
hugely gmem_huge 115200
hugely plain_huge 115200
boot series huge w 2
hugely thp 115200
hugely gmem_huge 115200
boot series hugeword i 2
hugely plain 256000
hugely gmem_huge 51200
TABLE=$("$TOP/bench/report" series)
like "pages of 2 MiB have their rows" "$(row P1h)" 'gmem_huge +plain +0.450 \(0.450-0.450\) +0.5 +met'
like "beside those that are in the direct map" "$(grep plain_huge <<<"$TABLE")" '1.000 \(1.000-1.000\) +1.005 +met'
like "and beside anonymous ones, in wall time" "$(grep thp <<<"$TABLE")" '- +- +- +1.00 \(1.00-1.00\) +1.05 +met'
like "a CPU that clears by words has a goal of its own" "$(grep 'by words' <<<"$TABLE")" \
	'0.200 \(0.200-0.200\) +0.15 +missed'

boot base pages i 2
line alloc order0 0 256000
line alloc order0 1 256000
boot series pages i 2
line alloc order0 0 256000
line alloc order0 1 258000
TABLE=$("$TOP/bench/report" series)
like "a regression of less than 1 % is seen" "$(row P6)" '1.008 \(1.008-1.008\) +1.005 +missed'
echo '{"bench":"other"}' >"$FAKE/bench/results/base/facts.json"
TABLE=$("$TOP/bench/report" series 2>"$FAKE/says")
like "what another program has measured of the base is left out" "$(row P6)" '^$'
like "and that is said" "$(cat "$FAKE/says")" 'base is left out: .* programs that measure changed'
echo '{}' >"$FAKE/bench/results/base/facts.json"
boot peer-x memory i 2
for round in 0 1 2; do
	line touch plain $round 256000
	line touch gmem_mmap $round 512000
done
TABLE=$("$TOP/bench/report" series)
like "a peer has its row" "$(row 'peer *x, with blocks: touch')" '2.000 \(2.000-2.000\)'
echo '{"tree":"other"}' >"$FAKE/bench/results/peer-x/facts.json"
TABLE=$("$TOP/bench/report" series 2>"$FAKE/says")
like "unless the series is another now" "$(row 'peer *x, with blocks: touch')" '^$'
like "which is said" "$(cat "$FAKE/says")" 'peer-x is left out: .* series changed'
rm -r "$FAKE/bench/results/peer-x"

like "two kernels are compared in what both have done" \
	"$(A=series B=base "$TOP/bench/compare")" 'pages +i +alloc +order0 +1.008 +1.008 +1.008 +1008 +1000'
not_ok "a kernel that was never measured is refused" env A=series B=at-nothing "$TOP/bench/compare"
not_ok "so is a report of it" "$TOP/bench/report" at-nothing
not_ok "and a figure that does not exist" env P=P99 "$TOP/bench/run"
figures=$(sed -nE 's/^ALL_FIGURES=//p' "$TOP/bench/run" | tr , '\n' | sort)
is "boots.tsv and bench/run know the same figures" \
	"$(sed '/^#/d' "$TOP/bench/boots.tsv" | cut -f2 | tr , '\n' | sort -u)" "$figures"
is "each line of boots.tsv has its columns" \
	"$(sed '/^#/d' "$TOP/bench/boots.tsv" | awk -F '\t' '{ print NF }' | sort -u)" 7
