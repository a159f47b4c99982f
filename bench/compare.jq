# SPDX-License-Identifier: MIT
# Everything that two kernels have done both: $a over $b.

def median: sort | if length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def warm: (map(select(.round > 0))) as $w | if ($w | length) > 0 then $w else . end;
def key: [.boot, .clock, .work, .kind];
def grouped: map(select(.pages != null and .pages > 0 and .ns != null)) | group_by(key)
	| map({ key: (.[0] | key | tojson), value: (warm | map(.ns / .pages)) }) | from_entries;

($a | grouped) as $x | ($b | grouped) as $y
| [ $x | keys[] | select($y[.]) | . as $k | ($k | fromjson) as [$boot, $clock, $work, $kind]
  | $x[$k] as $p | $y[$k] as $q | ([($p | length), ($q | length)] | min) as $n
  | { boot: $boot, clock: $clock, work: $work, kind: $kind,
      ratio: (($p | median) / ($q | median)),
      low: ([range($n) | $p[.] / $q[.]] | min), high: ([range($n) | $p[.] / $q[.]] | max),
      a: ($p | median), b: ($q | median) } ]
