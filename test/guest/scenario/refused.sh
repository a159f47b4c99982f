#!/bin/sh
# SPDX-License-Identifier: MIT
# Where guest memory cannot leave the direct map, nothing says that it can, and
# the log says why.
#
# Arguments: the reason.
# Selftests: kvm
# shellcheck source=/dev/null
. /tap.sh

in_log() {
	dmesg | grep 'stays in the direct map' >/tmp/reasons
	cat /tmp/reasons
	[ "$(wc -l </tmp/reasons)" = 1 ] && grep -q "$1" /tmp/reasons
}

# Says so itself, after it has seen that the flag is refused with EINVAL.
has_no_flag() {
	cd /kvm || return 2
	./guest_memfd_no_direct_map_test >/tmp/flag
	status=$?
	cat /tmp/flag
	[ "$status" = 4 ] && grep -q 'SKIP' /tmp/flag
}

t "the log has one line, with the reason" in_log "$1"
t "the flag is neither advertised nor accepted" has_no_flag
t "guest_memfd works without it" sh -c 'cd /kvm && ./guest_memfd_test'
plan
