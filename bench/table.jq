# SPDX-License-Identifier: MIT
# The report as a table, its columns between tabs.

def places: . * 100 | round | tostring | if length < 3 then "0" * (3 - length) + . else . end
	| .[:-2] + "." + .[-2:];

def cell: if . == null then "-" else "\(.ratio | places) (\(.low | places)-\(.high | places))" end;

# met, missed, or spread: the rounds do not agree on which side of the goal
def verdict($goal):
	if . == null or $goal == null then "-"
	elif .high <= $goal then "met"
	elif .low > $goal then "missed"
	else "spread" end;

(["", "what", "of", "against", "instructions", "goal", "", "wall", "goal", ""] | @tsv),
(.ratios[] | [.id, .what, .kind, .control,
	(.instructions | cell), (.goal // "-"), (.goal as $g | .instructions | verdict($g)),
	(.wall | cell), (.wall_goal // "-"), (.wall_goal as $g | .wall | verdict($g))] | @tsv),
(.counts[] | select(.value != null) | [.id, .what, .kind,
	"\(.control_name): \(.control | round)", (.value | round), .goal, (if .value <= .goal then "met" else "missed" end),
	"-", "-", "-"] | @tsv)
