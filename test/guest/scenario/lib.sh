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

# start_vmm OUTPUT command...: a small VMM in the background, until it says "ready" there.
# Its process is in /tmp/pid.
start_vmm() {
	local output=$1 left=$((300 * ${TAP_SLOW:-1}))
	shift
	# The background process may open the file late; until then an old "ready" is in it.
	: >"$output"
	"$@" >"$output" 2>&1 &
	echo $! >/tmp/pid
	until grep -q '^ready' "$output"; do
		left=$((left - 1))
		if [ "$left" = 0 ] || ! kill -0 "$(cat /tmp/pid)"; then
			cat "$output"
			return 1
		fi
		sleep 1
	done
}

stop_vmm() {
	kill -9 "$(cat /tmp/pid)"
	while [ -e "/proc/$(cat /tmp/pid)/status" ] && kill -0 "$(cat /tmp/pid)" 2>/dev/null; do
		usleep 100000
	done
}

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
