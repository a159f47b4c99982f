# SPDX-License-Identifier: MIT
# A table of docs/figures.json, for a document.  One number a cell.
#   $table: instructions, wall, counts or both; mail or mail_counts for a cover letter.
#   $rows: a regular expression of rows, as "ID WORK, KIND, CONTROL".

include "lib";

def limit: if . == null then "-" else tostring end;

def wanted: select("\(.id) \(.what), \(.kind), \(.control)" | test($rows));

def code: if . == null or . == "-" then "-" elif test(" ") then . else "`\(.)`" end;

def start: [.id, .what, (.kind | code), (.control | code)];

def table($head; lines): (($head, ($head | map("---")), lines) | "| " + join(" | ") + " |");

def clock($field; $goal; $n): table(
	["", "work", "of", "against", "ratio", "lowest", "highest", "goal", "verdict"];
	.ratios[] | wanted | select(.[$field] != null) | . as $row | .[$field]
	| ($row | start) + ([.ratio, .low, .high] | map(places($n)))
		+ [($row[$goal] | limit), verdict($row[$goal])]);

def pad($n): . + " " * ([$n - length, 0] | max) // .;

def mail($widths): [., $widths] | transpose | map(.[1] as $n | .[0] | pad($n)) | "  " + join(" ")
	| sub(" +$"; "");

def short($n): if . == null then "-" else .ratio | places($n) end;

if $table == "instructions" then clock("instructions"; "goal"; 3)
elif $table == "wall" then clock("wall"; "wall_goal"; 2)
elif $table == "both" then table(
	["work", "of", "against", "instructions", "goal", "wall", "goal"];
	.ratios[] | wanted | select(.bytes == null)
	| [.what, (.kind | code), (.control | code), (.instructions | short(2)), (.goal | limit),
		(.wall | short(2)), (.wall_goal | limit)])
elif $table == "counts" then table(
	["", "count", "of", "value", "goal", "verdict"];
	(.ratios[] | wanted | select(.bytes != null)
	 | [.id, .what + ", ratio to `plain`", (.kind | code), (.bytes.ratio | places(2)), "at least \(.least)",
		(.least as $g | .bytes | at_least($g))]),
	(.counts[] | select(.value != null) | wanted
	 | [.id, .what, (.kind | code), (.value | hundredths | tostring), (.goal | limit),
		count_verdict]))
elif $table == "mail" then ([31, 12, 13, 6, 4] as $widths
	| (["work", "of", "against", "instr.", "wall"] | mail($widths)),
	  ($widths | map("-" * .) | mail($widths)),
	  (.ratios[] | wanted | select(.bytes == null)
	   | [.what, .kind, .control, (.instructions | short(2)), (.wall | short(2))] | mail($widths)))
elif $table == "mail_counts" then ([60, 8] as $widths
	| (.counts[] | select(.value != null) | wanted
	   | [.what, (.value | hundredths | tostring)] | mail($widths)))
else error("no table \($table)") end
