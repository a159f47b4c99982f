#!/bin/sh
# SPDX-License-Identifier: MIT
# The OOM killer kills a VMM.  Meanwhile test/boot/oom_kill.t looks at RAM from outside
# this machine, and says so on a disk.
#
# Arguments: halves of the victim's secret, and of that of a VM which lives on.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /scenario/lib.sh

# The side outside writes the first byte of the disk.
disk_says() {
	[ "$(dd if=/dev/vda bs=512 count=1 iflag=direct 2>/dev/null | head -c 1)" = "$1" ]
}

wait_for() { within 300 disk_says "$1"; }

# Little by little, so that little of its memory is wanted by others.
is_killed() {
	for percent in 108 110 112 114 116 118 120 125; do
		! kill -0 "$victim" 2>/dev/null || pressure hog $percent
	done
	echo "$(vmstat oom_kill) killed"
	[ "$(vmstat oom_kill)" -ge 1 ] && ! kill -0 "$victim" 2>/dev/null
}

nothing_is_out() {
	echo 1 >/proc/sys/vm/drop_caches
	echo "$(vmstat nr_nodirmap) pages in blocks out of the map"
	[ "$(vmstat nr_nodirmap)" = 0 ]
}

plant plain 16 "$3" "$4" >/tmp/control &
plant gmem_mmap 128 "$1" "$2" >/tmp/victim &
victim=$!
echo 1000 >/proc/$victim/oom_score_adj
# tap.sh reads this
# shellcheck disable=SC2034
T=300
t "a VM has its secret in memory in the map" planted /tmp/control
t "another out of the map" planted /tmp/victim
echo "# planted" >&3
t "RAM is looked at from outside" wait_for 1
t "the VMM is killed by the OOM killer" is_killed
t "none of its memory stays out of the map" nothing_is_out
echo "# killed" >&3
t "RAM is looked at again" wait_for 2
plan
