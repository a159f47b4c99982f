#!/bin/sh
# SPDX-License-Identifier: MIT
# What the kernel does that follows another one: see kexec.sh.
#
# Arguments: crash|now, the count of tests so far
# shellcheck source=/dev/null
. /tap.sh
# tap.sh reads them
# shellcheck disable=SC2034
TAP_COUNT=$2 T=600

save() {
	[ -s /proc/vmcore ] || return 1
	dd if=/proc/vmcore of=/dev/vda bs=1M conv=fsync
}

case $1 in
crash) t "the next kernel saves what was in memory" save ;;
now)
	t "kcore: after kexec, guest_memfd is absent, plain is found" absence kcore gmem_mmap plain
	t "ptdump: after kexec, guest_memfd is absent, and back when freed" \
		absence ptdump gmem_mmap plain
	;;
esac
plan
