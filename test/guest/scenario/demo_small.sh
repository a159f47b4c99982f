#!/bin/sh
# SPDX-License-Identifier: MIT
# The demo of two small VMs keeps its promise, and would not if the kernel did not.
# shellcheck source=/dev/null
. /tap.sh

swapped_demo_fails() {
	demo --swap >/tmp/demo.out
	status=$?
	cat /tmp/demo.out
	[ "$status" = 1 ] &&
		grep -q '^plain .*NOT FOUND' /tmp/demo.out &&
		grep -q '^protected .*FOUND: not protected' /tmp/demo.out
}

t "demo: plain secret found, protected one absent" demo
t "demo: fails on both lines with the kinds of memory swapped" swapped_demo_fails
plan
