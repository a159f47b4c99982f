#!/bin/sh
# SPDX-License-Identifier: MIT
# Processes that use the mermap.  Their mappings stay apart, and none stays behind.
# Their LDT, in the same region, works as before.
#
#   mermap.sh [pti=on] [no5lvl] STEP...
#
# The words of the kernel command line have to have had an effect.  Steps:
#   lives=N     as many processes that end in all ways
#   stress=N    N seconds of threads and processes on all CPUs
#   hotplug=N   the same while a CPU goes and comes
#   ldt=HOW     upstream's test of the LDT, see mermap_ldt
#   neighbour   others use it, next to a process that has nothing to do with them
#   dead        kernel threads die while they hold a mapping; the log has three
#               oopses after that
# shellcheck source=/dev/null
. /tap.sh

# fewer make some of this easy to pass
CPUS=4

has_cpus() {
	grep ^processor /proc/cpuinfo
	[ "$(nproc)" -ge "$CPUS" ]
}

# la57 is gone from the flags when it is not used
has_5_levels() { grep -qw la57 /proc/cpuinfo; }
has_4_levels() { ! has_5_levels; }
isolates() { dmesg | grep 'Kernel/User page tables isolation: .*enabled'; }

# mermap_kunit.oops=1 has to be on the kernel's command line
died() {
	[ "$(dmesg | grep -c 'BUG: unable to handle page fault for address')" = 3 ]
}

suite_passed() {
	cat /sys/kernel/debug/kunit/mermap/results
	grep -qE '^ +ok [0-9]+ task_dies_with_mapping$' /sys/kernel/debug/kunit/mermap/results &&
		! grep -qE '^ *not ok' /sys/kernel/debug/kunit/mermap/results
}

case "$(uname -m) $* " in
aarch64*) ;;
*' no5lvl '*) t "mermap: 4 levels of page tables" has_4_levels ;;
*) t "mermap: 5 levels of page tables" has_5_levels ;;
esac
t "mermap: $CPUS CPUs" has_cpus

# tap.sh reads this: emulation on a busy host takes its time
# shellcheck disable=SC2034
T=600
for step; do
	what=${step#*=}
	case $step in
	no5lvl) ;;
	pti=on)
		t "mermap: page tables are isolated" isolates
		t "mermap: user mode's show the LDT and nothing else of the region" \
			mermap_ldt tables ;;
	lives=*) t "mermap: $what lives leave nothing behind" mermap_lives "$what" ;;
	stress=*) t "mermap: $what s of threads and processes" mermap_stress "$what" ;;
	hotplug=*) t "mermap: $what s while a CPU goes and comes" mermap_stress -h "$what" ;;
	ldt=*) t "mermap: LDT works, mermap used $what" mermap_ldt "$what" ;;
	neighbour) t "mermap: others do not interrupt" mermap_neighbour ;;
	dead)
		t "mermap: threads have died with mappings" died
		t "mermap: their CPU serves others" suite_passed
		t "mermap: processes live on" mermap_lives 1000
		t "mermap: threads and processes go on" mermap_stress 3 ;;
	*) t "mermap: no step $step" false ;;
	esac
done
plan
