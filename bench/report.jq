# SPDX-License-Identifier: MIT
# From the lines of many boots to ratios: docs/bench.md describes both.
#   $s, $b: lines of the kernel that is measured, and of Linux without the series.
#   $peers: { name: lines }.  $facts: of each kernel.  $goals: { key: limits }.

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

# $key: of bench/goals.tsv, or null for work without a goal.
def goal($key): if $key == null then {}
	else $goals[$key] // error("bench/goals.tsv has no \($key)") end;

def row($id; $what; $kind; $control; $goal; $instructions; $wall): goal($goal) as $g
	| { id: $id, what: $what, kind: $kind, control: $control,
	    goal: $g.instructions, wall_goal: $g.wall, instructions: $instructions, wall: $wall };

# Both clocks of one boot.
def line($id; $what; $boot; $work; $kind; $cwork; $ckind; $goal):
	row($id; $what; $kind; $ckind; $goal;
		compare(lines($s; $boot; "i"; $work; $kind); lines($s; $boot; "i"; $cwork; $ckind));
		compare(lines($s; $boot; "w"; $work; $kind); lines($s; $boot; "w"; $cwork; $ckind)));

def simple($id; $what; $boot; $work; $kind; $ckind; $goal):
	line($id; $what; $boot; $work; $kind; $work; $ckind; $goal);

# The same work on the other kernel.
def against_base($id; $what; $boot; $cboot; $work; $kind; $goal):
	row($id; $what; $kind; "base kernel"; $goal;
		compare(lines($s; $boot; "i"; $work; $kind); lines($b; $cboot; "i"; $work; $kind));
		compare(lines($s; $boot; "w"; $work; $kind); lines($b; $cboot; "w"; $work; $kind)));

# The same work of the same kernel, with other CPUs.
def against_boot($id; $what; $boot; $cboot; $work; $kind):
	row($id; $what; $kind; $cboot; null;
		compare(lines($s; $boot; "i"; $work; $kind); lines($s; $cboot; "i"; $work; $kind));
		compare(lines($s; $boot; "w"; $work; $kind); lines($s; $cboot; "w"; $work; $kind)));

# Bytes, not time; every round counts.
def room: [lines($s; "room"; "w"; "room"; "gmem_mmap") | .[].pages] as $a
	| [lines($s; "room"; "w"; "room"; "plain") | .[].pages] as $b
	| ratio($a; $b);

def of($from; $boot): $from | map(select(.boot == $boot and .clock == "w"));

def sum($field): if any(.[]; .[$field] == null) then null else map(.[$field]) | add end;

def pages: map(select(.work == "touch" or .work == "guest") | .pages) | add;

def per_gib($from; $boot; $field): of($from; $boot) | map(select(.kind == "gmem_mmap"))
	| sum($field) as $v | pages as $n
	| if $v == null or $n == null then null else $v * 262144 / $n end;

# Interrupts between CPUs that plain memory does not have: what a broadcast is,
# for each other CPU.
def broadcasts: (map(select(.kind == "gmem_mmap")) | sum("interrupts")) as $v
	| (map(select(.kind == "plain")) | sum("interrupts")) as $c
	| if $v == null or $c == null then null else ($v - $c) / (.[0].cpus - 1) end;

# By the counters of the kernel: one for some page blocks, and one at most for a page
# that leaves the map by itself.  The flushes of a mermap are for one mm, or one CPU.
def caused: if length == 0 then null else sum("flushes") as $blocks | sum("slow_pages") as $pages
	| if $blocks == null or $pages == null then null else $blocks + $pages end end;

def rounds: [.[].round] | unique | length;

def count($id; $what; $kind; $goal; $value):
	{ id: $id, what: $what, kind: $kind, goal: goal($goal).most, value: $value };

# Broadcasts to populate and free once.  There is a goal for two sizes.  By the wall
# clock of an emulated machine it takes seconds, in which blocks go back.
def cycles: ({ i: "", w: ", slowly" } | to_entries[]) as $clock
	| $s | map(select(.boot == "flushes" and .clock == $clock.key)) | group_by(.pages)[]
	| . as $all | "\(.[0].pages / 256) MiB" as $size
	| ({ cold: true, warm: false } | to_entries[]) as $state
	| (if $state.key == "warm" then "warm" elif $size == "1024 MiB" then "1 GiB" else $size end) as $key
	| (if $size == "128 MiB" or $size == "1024 MiB" then "P7 \($key)" else null end) as $goal
	| $all | map(select((.round == 0) == $state.value)) | select(length > 0) | rounds as $n
	| count("P7"; "broadcasts, \($size) \($state.key)\($clock.value)"; "gmem_mmap"; $goal;
		(map(select(.kind == "gmem_mmap")) | caused | if . == null then null else . / $n end)),
	  count("P7"; "interrupts, \($size) \($state.key)\($clock.value)"; "gmem_mmap"; null;
		broadcasts | if . == null then null else . / $n end);

# The same with a neighbour, of both VMs together.
def beside: $s | map(select(.boot == "neighbours" and .kind == "gmem_mmap")) as $all
	| ("punches", "dies") as $how
	| ($all | map(select(.work == "moved" and .how == $how) | .pages) | add) as $moved
	| ($all | map(select(.work | . == $how or . == $how + "_free"))) as $lines
	| select($moved != null and $moved > 0) | ($moved / 262144) as $gib | ($lines | rounds) as $n
	| "a neighbour \($how)" as $what
	| (count("P7"; "broadcasts, \($what) and moves \($moved / 256 / $n | round) MiB"; "gmem_mmap"; "P7 neighbour";
		($lines | caused | if . == null then null else . / $n end))
	   | .goal = ((goal("P7 warm").most + .goal * $gib / $n) * 10 | round / 10)),
	  (({ flushes: "for blocks", slow_pages: "for single pages", mermap_flushes: "of one mm",
	      mermap_turns: "of one CPU", interrupts: "interrupts, of all causes" } | to_entries[]) as $cause
	   | count("P7"; "\($cause.value), per GiB it moves: \($what)"; "gmem_mmap"; null;
		($lines | sum($cause.key) | if . == null then null else . / $gib end)));

def stuck: $s[] | select(.boot == "host" and .work == "stuck")
	| count("P13"; "stuck, % of what seven of eight freed: \(.size) % of memory, \(.steps) steps"; "gmem_mmap";
		"P13"; 100 * .pages / .of);

def owned: $s[] | select(.boot == "balloon" and .work == "owned")
	| count("P16"; "owned to live, after \(.ns / 1e9 | round) s of balloon"; "gmem_mmap"; "P16";
		(.pages - 2 * 512) / .of);

def conversions: $s | map(select(.boot == "conversions")) | select(length > 0)
	| count("P15"; "largest number of blocks that one allocation puts back"; "anonymous"; "P15"; map(.most) | max),
	  # null: none has put a block back
	  (map(.ns) | max | values
	   | count("P15"; "longest time of one block, in ms"; "anonymous"; "P15 ms"; . / 1e6));

def orders: range(10) | "order\(.)";

{ facts: $facts,
  ratios: [
	simple("P1"; "first touch"; "memory"; "touch"; "gmem_mmap"; "plain"; "P1"),
	simple("-"; "touch again"; "memory"; "again"; "gmem_mmap"; "plain"; null),
	simple("P2"; "KVM_PRE_FAULT_MEMORY"; "memory"; "fault"; "gmem_private"; "private_plain"; "P2"),
	simple("P2"; "a guest touches"; "memory"; "guest"; "gmem_private"; "private_plain"; "P2"),
	simple("P2"; "a guest touches"; "memory"; "guest"; "gmem_mmap"; "plain"; "P2"),
	(({ write: "", writeword: " words" } | to_entries[]) as $boot
	 | ("4K", "64K", "2M") as $n | ("gmem_mmap", "plain") as $kind
	 | line("P3"; "pwrite() of " + $n + (if $boot.value == "" then "" else ", copy by words" end);
		$boot.key; "write" + $n; $kind; "memcpy"; "plain";
		(if $kind == "plain" then null else "P3 " + $n + $boot.value end))
	 | .control = "memcpy"),
	simple("P4"; "punch hole"; "memory"; "punch"; "gmem_mmap"; "plain"; "P4"),
	simple("P4"; "close"; "memory"; "close"; "gmem_mmap"; "plain"; "P4"),
	simple("P4"; "close, private"; "memory"; "close"; "gmem_private"; "private_plain"; "P4"),
	# without ERMS a page is cleared by words, not by bytes, and the clock counts either
	(({ huge: "", hugeword: " words" } | to_entries[]) as $boot
	 | ({ touch: "P1h", guest: "P2h" } | to_entries[]) as $row
	 | ((if $row.key == "touch" then "first touch, 2 MiB" else "a guest touches, 2 MiB" end)
		+ (if $boot.value == "" then "" else ", clear by words" end)) as $what
	 | simple($row.value; $what; $boot.key; $row.key; "gmem_huge"; "plain"; $row.value + $boot.value),
	   simple($row.value; $what; $boot.key; $row.key; "gmem_huge"; "plain_huge"; $row.value + " huge"),
	   simple($row.value; $what; $boot.key; $row.key; "gmem_huge"; "thp"; $row.value + " thp")),
	simple("P4h"; "punch hole, 2 MiB"; "huge"; "punch"; "gmem_huge"; "plain"; "P4h"),
	simple("P4h"; "punch hole, 2 MiB"; "huge"; "punch"; "gmem_huge"; "thp"; null),
	simple("P4h"; "close, 2 MiB"; "huge"; "close"; "gmem_huge"; "plain"; null),
	against_base("P5"; "first touch"; "secretmem"; "secretmem"; "touch"; "secretmem"; "P5"),
	against_base("P5"; "the same of memfd"; "secretmem"; "secretmem"; "touch"; "memfd"; null),
	(("alloc", "free", "pingpong") as $work
	 | against_base("P6"; $work; "pages"; "pages"; $work; orders; "P6"),
	   against_base("P6"; $work + ", in use"; "pagesused"; "pages"; $work; orders; "P6 used")),
	(("fork_exec", "anon_fault", "anon_free", "file_write", "file_read") as $work
	 | against_base("P6"; $work; "system"; "system"; $work; "system"; "P6 system")),
	against_base("P6"; "context switch"; "system"; "system"; "switch"; "system"; "P6 switch"),
	(("cpus4", "cpus8") as $boot
	 | against_boot("P9"; "P1 with " + $boot[4:] + " CPUs"; $boot; "cpus2"; "touch"; ("gmem_mmap", "plain"))),
	(("cpus2", "cpus4", "cpus8") as $boot
	 | simple("P9"; "first touch, " + $boot[4:] + " CPUs"; $boot; "touch"; "gmem_mmap"; "plain"; null)),
	(("perpage4", "perpage8") as $boot
	 | simple("P9"; "the same, per-page zap, " + $boot[7:] + " CPUs"; $boot; "touch"; "gmem_mmap"; "plain"; null)),
	(("cpus4", "cpus8") as $boot
	 | against_boot("P9"; "all of " + $boot[4:] + " CPUs in one mapping"; $boot; "cpus2"; "together";
		("gmem_mmap", "plain"))),
	(("cpus2", "cpus4", "cpus8") as $boot
	 | simple("P9"; "all of " + $boot[4:] + " CPUs in one mapping"; $boot; "together"; "gmem_mmap"; "plain"; null)),
	{ id: "P10", what: "bytes to be had, fragmented", kind: "gmem_mmap", control: "plain",
	  least: goal("P10").least, bytes: room },
	line("P11"; "touch of 90 % after 80 %"; "after"; "hog"; "gmem_mmap"; "hog"; "fresh"; "P11"),
	line("P11"; "the same, 10 s after"; "after"; "hog_later"; "gmem_mmap"; "hog"; "fresh"; "P11 later"),
	(("plain", "plain_4k") as $kind
	 | simple("P12"; "a Linux guest boots, QEMU"; "linux"; "boot"; "protected"; $kind; "P12")),
	simple("P12h"; "a Linux guest boots, QEMU, 2 MiB"; "linuxhuge"; "boot"; "huge"; "plain"; "P12h"),
	simple("P14"; "CPU time a page, seven others start and stop"; "neighbours7"; "dies"; "gmem_mmap"; "plain"; "P14"),
	simple("start"; "QEMU starts and ends"; "start"; "start"; "protected"; "plain"; "start"),
	(("touch", "close") as $work
	 | simple("peer"; "per-page zap, flush: " + $work; "perpage"; $work; "gmem_mmap"; "plain"; null)),
	(({ perpage: "", memory: ", with blocks" } | to_entries[]) as $boot
	 | ($peers | to_entries[]) as $peer
	 | row("peer"; $peer.key + $boot.value + ": touch"; "gmem_mmap"; "plain"; null;
		compare(lines($peer.value; $boot.key; "i"; "touch"; "gmem_mmap");
			lines($peer.value; $boot.key; "i"; "touch"; "plain"));
		compare(lines($peer.value; $boot.key; "w"; "touch"; "gmem_mmap");
			lines($peer.value; $boot.key; "w"; "touch"; "plain")))),
	row("peer"; "memfd_secret, base kernel: touch"; "secretmem"; "memfd"; null;
		compare(lines($b; "secretmem"; "i"; "touch"; "secretmem"); lines($b; "secretmem"; "i"; "touch"; "memfd"));
		compare(lines($b; "secretmem"; "w"; "touch"; "secretmem"); lines($b; "secretmem"; "w"; "touch"; "memfd"))),
	simple("peer"; "memfd_secret, per-page zap: touch"; "secretpage"; "touch"; "secretmem"; "memfd"; null),
	simple("peer"; "memfd_secret, blocks: touch"; "secretmem"; "touch"; "secretmem"; "memfd"; null)
  ] | map(select(.instructions != null or .wall != null or .bytes != null)),
  counts: [
	cycles, beside, stuck, conversions, owned,
	count("P7"; "broadcasts per GiB, per-page zap"; "gmem_mmap"; null;
		(of($s; "perpage") | select(length > 0) | broadcasts / (map(select(.kind == "gmem_mmap")) | pages) * 262144)),
	# a kernel that counts no interrupts flushes without them; the mermap's are not in it
	(if of($s; "memory") | sum("interrupts") == null then
		count("P7"; "flushes for page blocks per GiB"; "gmem_mmap"; null; per_gib($s; "memory"; "flushes"))
	 else empty end),
	count("P8"; "2M splits per GiB"; "gmem_mmap"; "P8"; per_gib($s; "memory"; "splits")),
	count("start"; "calls that are asked for"; "protected"; null;
		([$s[] | select(.boot == "start" and .kind == "protected") | .calls] | median)),
	count("-"; "mermap, get and put, instructions"; "mermap"; "mermap"; $mermap)
  ] | map(select(.value != null)) }
