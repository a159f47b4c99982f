# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# Questions of scenarios to the kernel that they run on, and how they wait.  Sourced
# by them after /tap.sh, and by test/host/vmm_libvirt.t.

# vmstat COUNTER [FILE]: of /proc/vmstat, or of a copy
vmstat() { sed -n "s/^$1 //p" "${2:-/proc/vmstat}"; }

# meminfo FIELD: in KiB
meminfo() { sed -n "s/^$1: *\([0-9]*\) kB/\1/p" /proc/meminfo; }

# within SECONDS command...: repeats the command until it succeeds
within() {
	local left=$1
	shift
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 1
	done
}

# planted OUTPUT: until a VM says there that its secret is in its memory
planted() { within 300 grep -q planted "$1"; }

# guest_memfd_of PID: MiB of guest_memfd that the process has mapped
guest_memfd_of() {
	awk '/kvm-gmem/ { print $1 }' "/proc/$1/maps" | {
		sum=0
		while IFS=- read -r from to; do
			sum=$((sum + 0x$to - 0x$from))
		done
		echo $((sum >> 20))
	}
}
