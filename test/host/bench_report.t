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

# line WORK KIND ROUND NS [INTERRUPTS [PAGES [FLUSHES]]]: a reading of 256 pages
line() {
	printf '{%s,"work":"%s","kind":"%s","round":%d,"pages":%d,"ns":%d,"interrupts":%d,"splits":0,"flushes":%d,"slow_pages":1,"mermap_flushes":0,"mermap_turns":2}\n' \
		"$LINE" "$1" "$2" "$3" "${6:-256}" "$4" "${5:-0}" "${7:-0}" >>"$LINES_OF"
}

# other MEMBER...: a line that is not a reading of memory, of JSON
other() { printf '{%s,%s}\n' "$LINE" "$1" >>"$LINES_OF"; }

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
	line touch gmem_mmap $round $((204800 + round * 51200))
done
boot series perpage w 2
line touch plain 0 256000
line touch gmem_mmap 0 256000 256
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
like "and that is good" "$(row P1)" '1.000 \(1.000-1.000\) +1 +met'
is "a ratio is that of the medians, its spread that of the rounds" "$(touch_ratio wall)" \
	$'110\t100\t120'
like "rounds on both sides of the goal give no verdict" "$(row P1)" '1.10 \(1.00-1.20\) +1.05 +no verdict'
like "a broadcast for each page is seen" "$(row P7)" 'per-page zap +gmem_mmap +- +262144 '
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

boot series flushes i 2
for pages in 32768 262144; do
	line alone gmem_mmap 0 1 0 $pages 9
	line alone_free gmem_mmap 0 1 0 $pages
	line alone gmem_mmap 1 1 0 $pages 7
done
boot series flushes w 2
line alone gmem_mmap 0 1 0 262144 80
boot series neighbours i 2
line punches gmem_mmap 0 1 0 32768 41
other '"work":"moved","how":"punches","kind":"gmem_mmap","round":0,"pages":262144'
line dies gmem_mmap 0 1 0 32768 39
other '"work":"moved","how":"dies","kind":"gmem_mmap","round":0,"pages":262144'
boot series neighbours7 w 2
for round in 0 1; do
	line dies plain $round 256000
	line dies gmem_mmap $round 286720
done
boot series host w 2
other '"work":"stuck","kind":"gmem_mmap","size":50,"steps":400000,"of":1000,"pages":20'
other '"work":"stuck","kind":"gmem_mmap","size":85,"steps":400000,"of":1000,"pages":21'
boot series balloon w 2
other '"work":"owned","kind":"gmem_mmap","size":256,"of":10000,"pages":12024,"ns":90000000000'
boot series conversions w 2
other '"work":"conversions","kind":"anonymous","round":0,"pages":77,"most":2,"ns":900000'
TABLE=$("$TOP/bench/report" series)
rows() { grep -E "^$1 .*$2" <<<"$TABLE"; }
like "broadcasts of 128 MiB are those that have a cause" "$(rows P7 'broadcasts, 128 MiB cold')" '- +11 +10 +missed'
like "those of 1 GiB have another goal" "$(rows P7 'broadcasts, 1024 MiB cold ')" '- +11 +24 +met'
like "a slow VM has the same goal" "$(rows P7 'broadcasts, 1024 MiB cold, slowly')" '- +81 +24 +missed'
like "so has memory that was used before" "$(rows P7 'broadcasts, 128 MiB warm')" '- +8 +8 +met'
like "a neighbour adds its own" "$(rows P7 'punches and moves 1024 MiB')" '- +42 +40 +missed'
like "another does not add too many" "$(rows P7 'dies and moves 1024 MiB')" '- +40 +40 +met'
like "and each cause has its row" "$(rows P7 'of one CPU.*dies')" '- +2 +- '
like "CPU time next to seven others is compared" "$(rows P14 'seven others')" '1.12 \(1.12-1.12\) +1.1 +missed'
like "two of a hundred pages may be stuck" "$(rows P13 ': 50 % of memory')" '- +2 +2 +met'
like "and no more" "$(rows P13 ': 85 % of memory')" '- +2.1 +2 +missed'
like "two blocks of the owned memory do not count" "$(rows P16 'after 90 s')" '- +1.1 +1.1 +met'
like "an allocation puts back one block" "$(rows P15 'puts back +anon')" '- +2 +1 +missed'
like "in a millisecond" "$(rows P15 'in ms')" '- +0.9 +1 +met'

boot base pages i 2
line alloc order0 0 256000
line alloc order0 1 256000
boot series pages i 2
line alloc order0 0 256000
line alloc order0 1 258000
TABLE=$("$TOP/bench/report" series)
like "a regression of less than 1 % is seen" "$(row P6)" '1.008 \(1.008-1.008\) +1.002 +missed'
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
is "docs/bench.md has the goals of bench/goals.tsv" \
	"$(sed -n '/^| goal | work /,/^$/{/^$/d;p}' "$TOP/docs/bench.md")" "$("$TOP/bench/report" goals)"
is "each line of goals.tsv has its columns" \
	"$(sed '/^#/d' "$TOP/bench/goals.tsv" | awk -F '\t' '{ print NF }' | sort -u)" 6
figures=$(sed -nE 's/^ALL_FIGURES=//p' "$TOP/bench/run" | tr , '\n' | sort)
is "boots.tsv and bench/run know the same figures" \
	"$(sed '/^#/d' "$TOP/bench/boots.tsv" | cut -f2 | tr , '\n' | sort -u)" "$figures"
is "each line of boots.tsv has its columns" \
	"$(sed '/^#/d' "$TOP/bench/boots.tsv" | awk -F '\t' '{ print NF }' | sort -u)" 7
