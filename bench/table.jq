# SPDX-License-Identifier: MIT
# The report as a table, its columns between tabs.

include "lib";

def cell($n): if . == null then "-"
	else "\(.ratio | places($n)) (\(.low | places($n))-\(.high | places($n)))" end;

def row: [.id, .what, .kind, .control,
	(.instructions | cell(3)), (.goal // "-"), (.goal as $g | .instructions | verdict($g)),
	(.wall | cell(2)), (.wall_goal // "-"), (.wall_goal as $g | .wall | verdict($g))];

(["", "what", "of", "against", "instructions", "goal", "", "wall", "goal", ""] | @tsv),
(.ratios[] | select(.bytes == null) | row | @tsv),
(.ratios[] | select(.bytes != null) | [.id, .what, .kind, .control, "-", "-", "-",
	(.bytes | cell(2)), ">= \(.least)", (.least as $g | .bytes | at_least($g))] | @tsv),
(.counts[] | [.id, .what, .kind, "-", (.value | hundredths), (.goal // "-"),
	count_verdict, "-", "-", "-"] | @tsv)
