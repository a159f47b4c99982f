#!/bin/sh
# SPDX-License-Identifier: MIT
# The demo keeps its promise, and would not if the kernel did not.
#
# Argument: the offmap command, on the host.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /host.sh

OFFMAP=$1

demo_shows() {
	on_host "$OFFMAP" demo >/tmp/demo.out 2>&1
	status=$?
	cat /tmp/demo.out
	[ "$status" = 0 ] &&
		grep -q '^plain .*: reachable .*FOUND: the kernel can read it' /tmp/demo.out &&
		grep -q '^protected .* nowhere .* 0 of 16[0-9]* pages: absent ' /tmp/demo.out &&
		grep -q '^Population, .* times' /tmp/demo.out
}

swapped_demo_fails() {
	on_host "$OFFMAP" demo --json --swap >/tmp/demo.out 2>&1
	status=$?
	cat /tmp/demo.out
	[ "$status" = 1 ] &&
		grep -q '"verdict": "NOT FOUND' /tmp/demo.out &&
		grep -q '"verdict": "FOUND: not protected"' /tmp/demo.out &&
		[ "$(grep -c '"as_promised": false' /tmp/demo.out)" = 2 ]
}

# A host without debugfs: audit has no page tables, and blank pages say nothing.
blind_demo_says_so() {
	umount /host/sys/kernel/debug || return 1
	on_host "$OFFMAP" demo --json >/tmp/demo.out 2>&1
	status=$?
	mount -t debugfs debugfs /host/sys/kernel/debug || return 1
	cat /tmp/demo.out
	[ "$status" = 3 ] &&
		grep -q '"verdict": "FOUND: the kernel can read it"' /tmp/demo.out &&
		grep -q '"verdict": "not found, but audit cannot tell"' /tmp/demo.out
}

demo_needs_qemu() {
	on_host "$OFFMAP" demo /bin/true >/tmp/demo.out 2>&1
	status=$?
	cat /tmp/demo.out
	[ "$status" = 3 ] && grep -q 'plain VM: waiting for the guest' /tmp/demo.out
}

t "demo: the host's root is a place for a VMM" host_ready
t "demo: plain secret found, protected one absent, and audit agrees" demo_shows
t "demo: fails on both lines with the kinds of memory swapped" swapped_demo_fails
t "demo: where audit cannot tell, that is what it says" blind_demo_says_so
t "demo: a VMM that starts no guest is an error" demo_needs_qemu
plan
