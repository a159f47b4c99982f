# SPDX-License-Identifier: MIT
# The report as a table, its columns between tabs.

def places($n): (. * pow(10; $n) | round | tostring) as $t
	| ("0" * ([$n + 1 - ($t | length), 0] | max) // "") + $t
	| .[:-$n] + "." + .[-$n:];

def cell($n): if . == null then "-"
	else "\(.ratio | places($n)) (\(.low | places($n))-\(.high | places($n)))" end;

# no verdict: the rounds do not agree on which side of the goal they are
def verdict($goal): if . == null or $goal == null then "-"
	elif .high <= $goal then "met" elif .low > $goal then "missed"
	else "no verdict" end;

def at_least($goal): if . == null then "-" elif .low >= $goal then "met"
	elif .high < $goal then "missed" else "no verdict" end;

def row: [.id, .what, .kind, .control,
	(.instructions | cell(3)), (.goal // "-"), (.goal as $g | .instructions | verdict($g)),
	(.wall | cell(2)), (.wall_goal // "-"), (.wall_goal as $g | .wall | verdict($g))];

(["", "what", "of", "against", "instructions", "goal", "", "wall", "goal", ""] | @tsv),
(.ratios[] | select(.bytes == null) | row | @tsv),
(.ratios[] | select(.bytes != null) | [.id, .what, .kind, .control, "-", "-", "-",
	(.bytes | cell(2)), ">= \(.least)", (.least as $g | .bytes | at_least($g))] | @tsv),
(.counts[] | [.id, .what, .kind, "-", (.value * 100 | round / 100), (.goal // "-"),
	(if .goal == null then "-" elif .value <= .goal then "met" else "missed" end), "-", "-", "-"] | @tsv)
