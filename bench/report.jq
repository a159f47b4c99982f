# SPDX-License-Identifier: MIT
# From the lines of two boots to ratios.  For each line of the report:
#   ratio: median of what the kind costs over median of what its control costs;
#   low, high: the smallest and the largest ratio of one round, their spread.

def median: sort | if length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;

def of($work; $kind): map(select(.work == $work and .kind == $kind));

# the first round finds a cold allocator
def warm: if length > 2 then map(select(.round > 0)) else . end;

def ratio($work; $kind; $control):
	(of($work; $kind) | warm) as $a | (of($work; $control) | warm) as $b
	| if ($a | length) == 0 or ($b | length) == 0 then null else
		[range($a | length) | $a[.].ns / $b[.].ns] as $each
		| { ratio: (($a | map(.ns) | median) / ($b | map(.ns) | median)),
		    low: ($each | min), high: ($each | max),
		    per_page: ($a | map(.ns / .pages) | median),
		    control_per_page: ($b | map(.ns / .pages) | median) }
	  end;

def per_gib($field; $kind):
	(of("touch"; $kind) + of("fault"; $kind)) as $filled
	| if ($filled | length) == 0 then null else
		($filled + of("close"; $kind))
		| (map(.[$field]) | add) * 262144 / ($filled | map(.pages) | add)
	  end;

def line($id; $what; $work; $kind; $control; $goal; $wall_goal):
	{ id: $id, what: $what, kind: $kind, control: $control,
	  goal: $goal, wall_goal: $wall_goal,
	  instructions: ($i | ratio($work; $kind; $control)),
	  wall: ($w | ratio($work; $kind; $control)) };

{ cpus: $cpus,
  ratios: [
	line("P1"; "first touch"; "touch"; "gmem_mmap"; "plain"; 1.03; 1.10),
	line("P2"; "guest fault"; "fault"; "gmem_private"; "private_plain"; 1.03; 1.10),
	line("P4"; "punch hole"; "punch"; "gmem_mmap"; "plain"; 1.05; 1.05),
	line("P4"; "close"; "close"; "gmem_mmap"; "plain"; 1.05; 1.05),
	line("P4"; "close, private"; "close"; "gmem_private"; "private_plain"; 1.05; 1.05),
	line("-"; "memfd_secret, touch"; "touch"; "secretmem"; "memfd"; null; null),
	line("-"; "memfd_secret, close"; "close"; "secretmem"; "memfd"; null; null) ],
  counts: [
	{ id: "-", what: "instructions, get and put", kind: "mermap", goal: 200,
	  value: $with, control_name: "without an mm", control: $without },
	# a broadcast is an interrupt for every other CPU; what plain memory has
	# of them is not about TLBs
	{ id: "P7", what: "broadcasts per GiB, beyond", kind: "gmem_mmap", goal: 520,
	  control_name: "plain",
	  value: ((($w | per_gib("interrupts"; "gmem_mmap")) -
		   ($w | per_gib("interrupts"; "plain"))) / ($cpus - 1)),
	  control: (($w | per_gib("interrupts"; "plain")) / ($cpus - 1)) },
	{ id: "P8", what: "2M splits per GiB", kind: "gmem_mmap", goal: 0,
	  control_name: "plain", value: ($w | per_gib("splits"; "gmem_mmap")),
	  control: ($w | per_gib("splits"; "plain")) } ] }
