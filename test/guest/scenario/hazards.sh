#!/bin/sh
# SPDX-License-Identifier: MIT
# What must leave memory alone that is out of the direct map: memory failure
# must not bring a poisoned page back, hibernation must not save secrets.
# shellcheck source=/dev/null
. /tap.sh

hibernation_is_available() {
	! grep -F '[disabled]' /sys/power/disk
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
else
	skip "hibernation is refused" "this kernel has no CONFIG_HIBERNATION"
fi
plan
