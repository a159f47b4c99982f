# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# What scenarios ask the kernel that they run on, and what they wait for.  Sourced
# by them after /tap.sh.

# vmstat COUNTER [FILE]: of /proc/vmstat, or of a copy
vmstat() { sed -n "s/^$1 //p" "${2:-/proc/vmstat}"; }

# meminfo FIELD: in KiB
meminfo() { sed -n "s/^$1: *\([0-9]*\) kB/\1/p" /proc/meminfo; }

# planted OUTPUT: until a VM says there that its secret is in its memory
planted() {
	left=300
	until grep -q planted "$1"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 1
	done
}
