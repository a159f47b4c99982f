# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# The host's own programs inside the lab.  Its root is at /host (lab/boot -r) and
# read-only; here it gets the lab's /dev, /proc and /sys, and a /run to write to.
# Sourced by busybox sh.

host_ready() {
	for host_dir in dev proc sys; do
		mount -o bind /$host_dir /host/$host_dir || return 1
	done
	mount -t debugfs debugfs /host/sys/kernel/debug &&
		mount -t tmpfs run /host/run
}

on_host() { PATH=/usr/local/bin:/usr/bin:/bin chroot /host "$@"; }
