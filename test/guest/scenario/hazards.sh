#!/bin/sh
# SPDX-License-Identifier: MIT
# Memory failure must not bring a poisoned page back into the direct map.  Hibernation
# must not save memory that is out of it.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /scenario/lib.sh

hibernation_is_available() {
	! grep -F '[disabled]' /sys/power/disk
}

# The kernel goes as far as an image would be made, and back.
up_to_the_image() {
	echo freezer >/sys/power/pm_test
	"$@"
	status=$?
	echo none >/sys/power/pm_test
	return $status
}

hibernate() { echo disk >/sys/power/state; }

# Free blocks stay out of the direct map for the next owner, unless they are returned.
blocks_come_back() {
	# shellcheck disable=SC2016
	absence hold gmem_mmap -- sh -c 'kill -9 $PPID'
	before=$(vmstat nr_nodirmap)
	up_to_the_image hibernate || return 1
	after=$(vmstat nr_nodirmap)
	echo "out of the map: $before pages before, $after after"
	[ "$before" -gt 0 ] && [ "$after" = 0 ]
}

# While memory of that kind lives; the file and the attempt have to agree.
hibernation_is_refused() {
	absence hold "$1" -- sh -c \
		'grep -F "[disabled]" /sys/power/disk && ! echo disk >/sys/power/state'
}

t "hwpoison: poisoned page of mappable guest_memfd stays absent" \
	absence hwpoison gmem_mmap plain
t "hwpoison: poisoned page of memfd_secret stays absent" \
	absence hwpoison secretmem plain

if [ -e /sys/power/disk ]; then
	t "hibernation is available without such memory" hibernation_is_available
	for kind in gmem_mmap gmem_private secretmem; do
		t "hibernation is refused while $kind lives" \
			hibernation_is_refused "$kind"
	done
	t "hibernation is available afterwards" hibernation_is_available
	for kind in gmem_mmap secretmem; do
		t "an image is refused if $kind came after hibernation had begun" \
			up_to_the_image hibernate_late "$kind"
	done
	case $(cat /proc/cmdline) in
	*nodirmap=off*) ;;
	*) t "hibernation begins with all free memory in the map" blocks_come_back ;;
	esac
else
	skip "hibernation is refused" "this kernel has no CONFIG_HIBERNATION"
fi
plan
