# SPDX-License-Identifier: MIT
# How numbers and verdicts are written: for table.jq and figures.jq.

def places($n): (. * pow(10; $n) | round | tostring) as $t
	| ("0" * ([$n + 1 - ($t | length), 0] | max) // "") + $t
	| .[:-$n] + "." + .[-$n:];

# no verdict: the rounds do not agree on which side of the goal they are
def verdict($goal): if . == null or $goal == null then "-"
	elif .high <= $goal then "met" elif .low > $goal then "missed"
	else "no verdict" end;

def at_least($goal): if . == null then "-" elif .low >= $goal then "met"
	elif .high < $goal then "missed" else "no verdict" end;

# Of a count, as of report.json.
def count_verdict: if .goal == null then "-" elif .value <= .goal then "met" else "missed" end;

def hundredths: . * 100 | round / 100;
