#!/bin/sh
# SPDX-License-Identifier: MIT
# Everything at once under KCSAN, which reports to the kernel's log.
#
# Arguments: the functions that it watches.
# shellcheck source=/dev/null
. /tap.sh

KCSAN=/sys/kernel/debug/kcsan

watchpoints() { sed -n 's/^setup_watchpoints: //p' $KCSAN; }

watch() {
	[ -e $KCSAN ] || {
		echo "this kernel has no KCSAN"
		return 2
	}
	echo whitelist >$KCSAN || return 1
	for function; do
		# those that were inlined away are not there
		echo "!$function" >$KCSAN 2>/dev/null
	done
	echo on >$KCSAN
	cat $KCSAN
	# those of its own test
	watchpoints >/tmp/before
	[ "$(grep -c '^ ' $KCSAN)" -gt 50 ]
}

looked() {
	echo "$(cat /tmp/before) watchpoints before, $(watchpoints) after"
	[ "$(watchpoints)" -gt "$(cat /tmp/before)" ]
}

several() {
	pressure churn gmem_mmap 48 20 &
	first=$!
	pressure churn secretmem 4 20 &
	second=$!
	pressure churn gmem_mmap 16 20 && wait $first && wait $second
}

# tap.sh reads this
# shellcheck disable=SC2034
T=120
t "kcsan: passes its own test" sh -c "dmesg | grep 'kcsan: selftest: \([0-9]\)/\1 tests passed'"
t "kcsan: watches us" watch "$@"
t "kcsan: VMs of several kinds" several
t "kcsan: processes that use the mermap" mermap_stress 20
t "kcsan: random system calls" fuzz -t 20
t "kcsan: has set up watchpoints" looked
plan
