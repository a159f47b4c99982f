# SPDX-License-Identifier: MIT
# From the lines of many boots to ratios: docs/bench.md describes both.
#   $s, $b: lines of the kernel that is measured, and of Linux without the series.
#   $peers: { name: lines }.  $facts: of each kernel.

def median: sort | if length == 0 then null elif length % 2 == 1
	then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# The first round finds a cold allocator.
def warm: (map(select(.round > 0))) as $w | if ($w | length) > 0 then $w else . end;

def lines($from; $boot; $clock; $work; $kind): $from
	| map(select(.boot == $boot and .clock == $clock and .work == $work and .kind == $kind));

def each: map(.ns / .pages);

# Two lists of readings, taken by turns, to the ratio of their medians, and the
# smallest and the largest ratio of one turn.
def ratio($a; $b): ([($a | length), ($b | length)] | min) as $n
	| if $n == 0 then null else
		{ ratio: (($a | median) / ($b | median)),
		  low: ([range($n) | $a[.] / $b[.]] | min),
		  high: ([range($n) | $a[.] / $b[.]] | max),
		  rounds: $n, value: ($a | median), control: ($b | median) }
	  end;

def compare($a; $b): ratio($a | warm | each; $b | warm | each);

# Both clocks of one boot.
def line($id; $what; $boot; $work; $kind; $cwork; $ckind; $goal; $wall_goal):
	{ id: $id, what: $what, kind: $kind, control: $ckind, goal: $goal, wall_goal: $wall_goal,
	  instructions: compare(lines($s; $boot; "i"; $work; $kind); lines($s; $boot; "i"; $cwork; $ckind)),
	  wall: compare(lines($s; $boot; "w"; $work; $kind); lines($s; $boot; "w"; $cwork; $ckind)) };

def simple($id; $what; $boot; $work; $kind; $ckind; $goal; $wall_goal):
	line($id; $what; $boot; $work; $kind; $work; $ckind; $goal; $wall_goal);

# The same work on the other kernel.
def against_base($id; $what; $boot; $work; $kind; $goal; $wall_goal):
	{ id: $id, what: $what, kind: $kind, control: "base kernel", goal: $goal, wall_goal: $wall_goal,
	  instructions: compare(lines($s; $boot; "i"; $work; $kind); lines($b; $boot; "i"; $work; $kind)),
	  wall: compare(lines($s; $boot; "w"; $work; $kind); lines($b; $boot; "w"; $work; $kind)) };

# The same work of the same kernel, with other CPUs.
def against_boot($id; $what; $boot; $cboot; $work; $kind; $goal):
	{ id: $id, what: $what, kind: $kind, control: $cboot, goal: $goal, wall_goal: $goal,
	  instructions: compare(lines($s; $boot; "i"; $work; $kind); lines($s; $cboot; "i"; $work; $kind)),
	  wall: compare(lines($s; $boot; "w"; $work; $kind); lines($s; $cboot; "w"; $work; $kind)) };

# Bytes, not time; every round counts.
def room: [lines($s; "room"; "w"; "room"; "gmem_mmap") | .[].pages] as $a
	| [lines($s; "room"; "w"; "room"; "plain") | .[].pages] as $b
	| ratio($a; $b);

# Interrupts between CPUs that plain memory does not have: what a broadcast is,
# for each other CPU.
def per_gib($from; $boot; $field; $kind):
	($from | map(select(.boot == $boot and .clock == "w" and .kind == $kind))) as $all
	| ($all | map(select(.work == "touch" or .work == "guest"))) as $filled
	| if ($filled | length) == 0 or any($all[]; .[$field] == null) then null
	  else ($all | map(.[$field]) | add) * 262144 / ($filled | map(.pages) | add) end;

def broadcasts($from; $boot): per_gib($from; $boot; "interrupts"; "gmem_mmap") as $v
	| per_gib($from; $boot; "interrupts"; "plain") as $c
	| ($from | map(select(.boot == $boot)) | .[0].cpus) as $cpus
	| if $v == null or $c == null then null else ($v - $c) / ($cpus - 1) end;

def count($id; $what; $kind; $goal; $value): { id: $id, what: $what, kind: $kind, goal: $goal, value: $value };

def orders: range(10) | "order\(.)";

{ facts: $facts,
  ratios: [
	simple("P1"; "first touch"; "memory"; "touch"; "gmem_mmap"; "plain"; 1.03; 1.10),
	simple("-"; "touch again"; "memory"; "again"; "gmem_mmap"; "plain"; null; null),
	simple("P2"; "KVM_PRE_FAULT_MEMORY"; "memory"; "fault"; "gmem_private"; "private_plain"; 1.03; 1.10),
	simple("P2"; "a guest touches"; "memory"; "guest"; "gmem_private"; "private_plain"; 1.03; 1.10),
	simple("P2"; "a guest touches"; "memory"; "guest"; "gmem_mmap"; "plain"; 1.03; 1.10),
	(("write", "writeword") as $boot | ("4K", "64K", "2M") as $n | ("gmem_mmap", "plain") as $kind
	 | (if $kind == "plain" then null else 0.50 end) as $goal
	 | line("P3"; "pwrite() of " + $n + (if $boot == "write" then "" else ", copy by words" end);
		$boot; "write" + $n; $kind; "memcpy"; "plain"; $goal; $goal)
	 | .control = "memcpy"),
	simple("P4"; "punch hole"; "memory"; "punch"; "gmem_mmap"; "plain"; 1.05; 1.05),
	simple("P4"; "close"; "memory"; "close"; "gmem_mmap"; "plain"; 1.05; 1.05),
	simple("P4"; "close, private"; "memory"; "close"; "gmem_private"; "private_plain"; 1.05; 1.05),
	# without ERMS a page is cleared by words, not by bytes, and the clock counts either
	({ huge: { suffix: "", goal: 0.50 }, hugeword: { suffix: ", clear by words", goal: 0.15 } }
	 | to_entries[] | .key as $boot | .value as $v
	 | ({ touch: "P1h", guest: "P2h" } | to_entries[]) as $row
	 | ((if $row.key == "touch" then "first touch, 2 MiB" else "a guest touches, 2 MiB" end) + $v.suffix) as $what
	 | simple($row.value; $what; $boot; $row.key; "gmem_huge"; "plain"; $v.goal; null),
	   simple($row.value; $what; $boot; $row.key; "gmem_huge"; "plain_huge"; 1.005; null),
	   simple($row.value; $what; $boot; $row.key; "gmem_huge"; "thp"; null; 1.05)),
	simple("P4h"; "punch hole, 2 MiB"; "huge"; "punch"; "gmem_huge"; "plain"; 0.05; null),
	simple("P4h"; "punch hole, 2 MiB"; "huge"; "punch"; "gmem_huge"; "thp"; null; null),
	simple("P4h"; "close, 2 MiB"; "huge"; "close"; "gmem_huge"; "plain"; null; null),
	against_base("P5"; "first touch"; "secretmem"; "touch"; "secretmem"; 0.90; 0.30),
	against_base("P5"; "the same of memfd"; "secretmem"; "touch"; "memfd"; null; null),
	(("alloc", "free", "pingpong") as $work
	 | against_base("P6"; $work; "pages"; $work; orders; 1.005; null)),
	(("fork_exec", "anon_fault", "anon_free", "file_write", "file_read") as $work
	 | against_base("P6"; $work; "system"; $work; "system"; 1.005; null)),
	against_base("P6"; "context switch"; "system"; "switch"; "system"; 1.000; null),
	(("cpus4", "cpus8") as $boot
	 | against_boot("P9"; "P1 with " + $boot[4:] + " CPUs"; $boot; "cpus2"; "touch"; ("gmem_mmap", "plain");
		null)),
	(("cpus2", "cpus4", "cpus8") as $boot
	 | simple("P9"; "first touch, " + $boot[4:] + " CPUs"; $boot; "touch"; "gmem_mmap"; "plain"; null; null)),
	(("perpage4", "perpage8") as $boot
	 | simple("P9"; "the same, per-page zap, " + $boot[7:] + " CPUs"; $boot; "touch"; "gmem_mmap"; "plain"; null; null)),
	{ id: "P10", what: "bytes to be had, fragmented", kind: "gmem_mmap", control: "plain",
	  least: 0.95, bytes: room },
	line("P11"; "touch of 90 % after 80 %"; "after"; "hog"; "gmem_mmap"; "hog"; "fresh"; 1.10; 1.10),
	(("plain", "plain_4k") as $kind
	 | simple("P12"; "a Linux guest boots, QEMU"; "linux"; "boot"; "protected"; $kind; 1.05; 1.05)),
	simple("P12h"; "a Linux guest boots, QEMU, 2 MiB"; "linuxhuge"; "boot"; "huge"; "plain"; 1.00; 1.00),
	simple("start"; "QEMU starts and ends"; "start"; "start"; "protected"; "plain"; 1.05; 1.05),
	(("touch", "close") as $work
	 | simple("peer"; "per-page zap, flush: " + $work; "perpage"; $work; "gmem_mmap"; "plain"; null; null)),
	($peers | to_entries[] | . as $peer | .value as $p
	 | { id: "peer", what: ($peer.key + ": touch"), kind: "gmem_mmap", control: "plain",
	     instructions: compare(lines($p; "perpage"; "i"; "touch"; "gmem_mmap"); lines($p; "perpage"; "i"; "touch"; "plain")),
	     wall: compare(lines($p; "perpage"; "w"; "touch"; "gmem_mmap"); lines($p; "perpage"; "w"; "touch"; "plain")) }),
	($peers | to_entries[] | . as $peer | .value as $p
	 | { id: "peer", what: ($peer.key + ", with blocks: touch"), kind: "gmem_mmap", control: "plain",
	     instructions: compare(lines($p; "memory"; "i"; "touch"; "gmem_mmap"); lines($p; "memory"; "i"; "touch"; "plain")),
	     wall: compare(lines($p; "memory"; "w"; "touch"; "gmem_mmap"); lines($p; "memory"; "w"; "touch"; "plain")) }),
	{ id: "peer", what: "memfd_secret, base kernel: touch", kind: "secretmem", control: "memfd",
	  instructions: compare(lines($b; "secretmem"; "i"; "touch"; "secretmem"); lines($b; "secretmem"; "i"; "touch"; "memfd")),
	  wall: compare(lines($b; "secretmem"; "w"; "touch"; "secretmem"); lines($b; "secretmem"; "w"; "touch"; "memfd")) },
	simple("peer"; "memfd_secret, per-page zap: touch"; "secretpage"; "touch"; "secretmem"; "memfd"; null; null),
	simple("peer"; "memfd_secret, blocks: touch"; "secretmem"; "touch"; "secretmem"; "memfd"; null; null)
  ] | map(select(.instructions != null or .wall != null or .bytes != null)),
  counts: [
	count("P7"; "broadcasts per GiB"; "gmem_mmap"; 520; broadcasts($s; "memory")),
	count("P7"; "the same, per-page zap"; "gmem_mmap"; null; broadcasts($s; "perpage")),
	# what counts no interrupts flushes without them; the mermap's are not in it
	(if broadcasts($s; "memory") == null then
		count("P7"; "flushes for page blocks per GiB"; "gmem_mmap"; null; per_gib($s; "memory"; "flushes"; "gmem_mmap"))
	 else empty end),
	count("P8"; "2M splits per GiB"; "gmem_mmap"; 0; per_gib($s; "memory"; "splits"; "gmem_mmap")),
	count("start"; "calls that are asked for"; "protected"; null;
		([$s[] | select(.boot == "start" and .kind == "protected") | .calls] | median)),
	count("-"; "mermap, get and put, instructions"; "mermap"; 100; $mermap)
  ] | map(select(.value != null)) }
